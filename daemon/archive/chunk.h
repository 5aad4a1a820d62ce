/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ARCHIVE_CHUNK_H
#define ARCHIVE_CHUNK_H

/* Chunk: the bytes of one HDF5 chunk as its filters leave them: shuffle, deflate, fletcher32, or
 * fletcher32 alone. Private to daemon/archive; knows nothing of HDF5's library, so that any thread
 * may work on chunks without its lock.
 *
 * Shuffle and fletcher32 give what HDF5's filters give, byte for byte. Deflate is ISA-L's, at
 * levels whose output is the same on every x86-64 processor with SSE4.2 (level 3 is not: it is not
 * offered); the streams are ordinary zlib streams. Reading them back is libdeflate's work, so that
 * a fault of the compressor cannot hide behind itself; tests read them with HDF5 and zlib. One
 * thread a coder. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define CHUNK_DEFLATE_LEVEL_MAX 2u
#define CHUNK_COMPRESSOR_BYTES 56u

struct chunk_coder;

/* For chunks of at most bytes_max bytes. deflate_level 0: fletcher32 alone. MEMORY. */
MUST_USE struct err chunk_coder_open(size_t bytes_max, uint32_t deflate_level,
                                     struct chunk_coder **out);
void chunk_coder_close(struct chunk_coder **self);

/* Room that chunk_encode wants for a chunk of that many bytes. */
size_t chunk_stored_bytes_max(size_t bytes_count);
/* bytes_count is a multiple of cell_bytes. At level 0 stored and bytes may be the same buffer, here
 * and in chunk_decode. ARCHIVE_WRITE when the compressor refuses. */
MUST_USE struct err chunk_encode(struct chunk_coder *self, const uint8_t *bytes, size_t bytes_count,
                                 size_t cell_bytes, uint8_t *stored, size_t *stored_bytes);
/* The way back; false when the checksum differs, the stream is broken, or it does not give
 * bytes_count bytes. */
bool chunk_decode(struct chunk_coder *self, const uint8_t *stored, size_t stored_bytes,
                  size_t cell_bytes, uint8_t *bytes, size_t bytes_count);

/* The same without a copy where none is needed: the plain bytes, which are the stored ones at level
 * 0, else in scratch of bytes_count bytes; NULL where chunk_decode is false. */
const uint8_t *chunk_view(struct chunk_coder *self, const uint8_t *stored, size_t stored_bytes,
                          size_t cell_bytes, uint8_t *scratch, size_t bytes_count);

/* Name and version of the compressor and, behind "+", eight digits that change when it compresses
 * otherwise: "isa-l/2.30.0+0a1b2c3d". Two builds with the same text write the same bytes. MEMORY,
 * ARCHIVE_WRITE. */
MUST_USE struct err chunk_compressor(char out[CHUNK_COMPRESSOR_BYTES]);

/* ---- single filters, for tests ---- */

void chunk_shuffle(const uint8_t *bytes, size_t bytes_count, size_t cell_bytes, uint8_t *out);
void chunk_unshuffle(const uint8_t *bytes, size_t bytes_count, size_t cell_bytes, uint8_t *out);
uint32_t chunk_fletcher32(const uint8_t *bytes, size_t bytes_count);

#endif
