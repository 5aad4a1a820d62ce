/* SPDX-License-Identifier: Apache-2.0 */
#include "archive/chunk.h"

#include <isa-l.h>
#include <libdeflate.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/hash.h"

/* The loops are written so that the compiler makes vectors of them (this file is built with -O3);
 * HDF5's own filters go byte by byte. What ISA-L writes depends on the size of its level buffer: it
 * is part of the format, and chunk_compressor() tells when a version of the library changes it. */

#define CHUNK_CHECKSUM_BYTES 4u
#define CHUNK_LEVEL_BUFFER_BYTES ((size_t)ISAL_DEF_LVL2_EXTRA_LARGE)
/* Behind the input: the library looks ahead. */
#define CHUNK_BEYOND_BYTES 256u
/* Where a stream may lie; see chunk_stream(). */
#define CHUNK_STREAMS 8u
#define CHUNK_STREAM_STRIDE_BYTES ((size_t)128 << 10)
#define CHUNK_STREAMS_BYTES (CHUNK_STREAMS * CHUNK_STREAM_STRIDE_BYTES)
#define CHUNK_LEAST_HASH_MASK 0x1fu /* of an input of 17 bytes; shorter ones are not hashed */
#define CHUNK_HASHED_BYTES 6u       /* of the first three positions, four bytes each */
#define CHUNK_LEVEL_STATE_BYTES \
    ((size_t)ISAL_DEF_LVL2_REQ + 4096) /* tables in front of the tokens */
#define CHUNK_PROBE_BYTES ((size_t)1 << 20)

_Static_assert(sizeof(struct isal_zstream) <= CHUNK_STREAM_STRIDE_BYTES, "streams do not overlap");
_Static_assert(ISAL_DEF_LVL1_MIN <= ISAL_DEF_LVL2_EXTRA_LARGE, "one buffer serves both levels");

struct chunk_coder {
    size_t bytes_max;
    uint32_t deflate_level;
    uint8_t *shuffled;
    uint8_t *level_buffer;
    struct libdeflate_decompressor *inflate;
    uint8_t *streams; /* room for CHUNK_STREAMS of them, of which one is used at a time */
};

struct err chunk_coder_open(size_t bytes_max, uint32_t deflate_level, struct chunk_coder **out)
{
    must(deflate_level <= CHUNK_DEFLATE_LEVEL_MAX && bytes_max > 0);
    struct chunk_coder *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return err_make(ERR_MEMORY, "chunk_coder_open");
    }
    self->bytes_max = bytes_max;
    self->deflate_level = deflate_level;
    self->shuffled = malloc(bytes_max + CHUNK_BEYOND_BYTES);
    self->level_buffer = malloc(CHUNK_LEVEL_BUFFER_BYTES);
    self->streams = aligned_alloc(CHUNK_STREAMS_BYTES, CHUNK_STREAMS_BYTES);
    self->inflate = libdeflate_alloc_decompressor();
    if (self->shuffled == NULL || self->level_buffer == NULL || self->streams == NULL ||
        self->inflate == NULL) {
        chunk_coder_close(&self);
        return err_make(ERR_MEMORY, "chunk_coder_open");
    }
    *out = self;
    return err_none;
}

void chunk_coder_close(struct chunk_coder **self)
{
    if (*self == NULL) {
        return;
    }
    free((*self)->shuffled);
    free((*self)->level_buffer);
    free((*self)->streams);
    libdeflate_free_decompressor((*self)->inflate);
    free(*self);
    *self = NULL;
}

/* What does not compress becomes stored blocks, a few bytes each 64 KiB; an eighth is plenty. */
size_t chunk_stored_bytes_max(size_t bytes_count)
{
    return bytes_count + bytes_count / 8 + 4096;
}

/* ---- filters ---- */

static void chunk_shuffle_2(const uint8_t *restrict bytes, size_t cells, uint8_t *restrict out)
{
    for (size_t i = 0; i < cells; i++) {
        out[i] = bytes[2 * i];
        out[cells + i] = bytes[2 * i + 1];
    }
}

static void chunk_unshuffle_2(const uint8_t *restrict bytes, size_t cells, uint8_t *restrict out)
{
    for (size_t i = 0; i < cells; i++) {
        out[2 * i] = bytes[i];
        out[2 * i + 1] = bytes[cells + i];
    }
}

void chunk_shuffle(const uint8_t *bytes, size_t bytes_count, size_t cell_bytes, uint8_t *out)
{
    must(cell_bytes > 0 && bytes_count % cell_bytes == 0);
    size_t cells = bytes_count / cell_bytes;
    if (cell_bytes == 1) {
        memcpy(out, bytes, bytes_count);
    } else if (cell_bytes == 2) {
        chunk_shuffle_2(bytes, cells, out);
    } else {
        for (size_t byte = 0; byte < cell_bytes; byte++) {
            for (size_t i = 0; i < cells; i++) {
                out[byte * cells + i] = bytes[i * cell_bytes + byte];
            }
        }
    }
}

void chunk_unshuffle(const uint8_t *bytes, size_t bytes_count, size_t cell_bytes, uint8_t *out)
{
    must(cell_bytes > 0 && bytes_count % cell_bytes == 0);
    size_t cells = bytes_count / cell_bytes;
    if (cell_bytes == 1) {
        memcpy(out, bytes, bytes_count);
    } else if (cell_bytes == 2) {
        chunk_unshuffle_2(bytes, cells, out);
    } else {
        for (size_t byte = 0; byte < cell_bytes; byte++) {
            for (size_t i = 0; i < cells; i++) {
                out[i * cell_bytes + byte] = bytes[byte * cells + i];
            }
        }
    }
}

/* 16 lanes; a lane's second sum stays below 2^32 for 360 steps. */
#define FLETCHER_LANES 16u
#define FLETCHER_STEPS 360u
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define FLETCHER_SWAP 256u
#else
#define FLETCHER_SWAP 1u
#endif

struct fletcher {
    uint64_t first;  /* sum of the words, modulo 65535 */
    uint64_t second; /* sum of that sum after every word, modulo 65535 */
    uint64_t any;    /* not 0 once a word was not 0 */
};

/* With a[k] the sum of lane k and b[k] the sum of its running sums, word i = 16 j + k of n weighs
 * n - i = 16 (steps - j) - k: so the second sum grows by n times the first one before, and by
 * 16 b[k] - k a[k] of every lane. HDF5 reads words as big-endian; swapping the bytes of a word is
 * multiplying it by 256 modulo 65535, which can wait until the words are summed. */
static void fletcher_steps(struct fletcher *self, const uint8_t *bytes, size_t steps)
{
    uint32_t a[FLETCHER_LANES] = {0};
    uint32_t b[FLETCHER_LANES] = {0};
    uint64_t first = 0;
    uint64_t second = 0;
    for (size_t step = 0; step < steps; step++) {
        uint16_t words[FLETCHER_LANES];
        memcpy(words, bytes + step * sizeof words, sizeof words);
        for (size_t k = 0; k < FLETCHER_LANES; k++) {
            a[k] += words[k];
            b[k] += a[k];
        }
    }
    for (size_t k = 0; k < FLETCHER_LANES; k++) {
        first += a[k];
        second += FLETCHER_LANES * (uint64_t)b[k] - k * (uint64_t)a[k];
    }
    self->any |= first;
    self->second += self->first * (steps * FLETCHER_LANES) + FLETCHER_SWAP * (second % 65535);
    self->second %= 65535;
    self->first = (self->first + FLETCHER_SWAP * (first % 65535)) % 65535;
}

static void fletcher_word(struct fletcher *self, uint16_t word)
{
    self->any |= word;
    self->first = (self->first + word) % 65535;
    self->second = (self->second + self->first) % 65535;
}

/* HDF5 folds instead of dividing, so that a sum that is a multiple of 65535 and not 0 ends as
 * 65535. */
static uint32_t fletcher_half(const struct fletcher *self, uint64_t sum)
{
    return self->any != 0 && sum == 0 ? 65535 : (uint32_t)sum;
}

uint32_t chunk_fletcher32(const uint8_t *bytes, size_t bytes_count)
{
    struct fletcher sums = {0, 0, 0};
    const size_t step_bytes = FLETCHER_LANES * sizeof(uint16_t);
    size_t at = 0;
    while (bytes_count - at >= step_bytes) {
        size_t steps = (bytes_count - at) / step_bytes;
        steps = steps > FLETCHER_STEPS ? FLETCHER_STEPS : steps;
        fletcher_steps(&sums, bytes + at, steps);
        at += steps * step_bytes;
    }
    for (; bytes_count - at >= 2; at += 2) {
        fletcher_word(&sums, (uint16_t)(bytes[at] << 8 | bytes[at + 1]));
    }
    if (at < bytes_count) {
        fletcher_word(&sums, (uint16_t)(bytes[at] << 8));
    }
    return fletcher_half(&sums, sums.second) << 16 | fletcher_half(&sums, sums.first);
}

/* ---- a whole chunk ---- */

static uint32_t chunk_slot(uint32_t word)
{
    unsigned char bytes[4] = {(unsigned char)word, (unsigned char)(word >> 8),
                              (unsigned char)(word >> 16), (unsigned char)(word >> 24)};
    return crc32_iscsi(bytes, sizeof bytes, 0) & CHUNK_LEAST_HASH_MASK;
}

/* ISA-L 2.30 enters the third position of an input into its table by a hash of the stream's own
 * address (bits 16 to 47) instead of the data: by where memory happens to lie, a match is found or
 * lost. It changes nothing as long as the slot it takes is not one of the first three positions';
 * then the wrong entry only ever leads to bytes that differ. So the stream is laid where that
 * holds. The addresses of the eight differ in three bits whose hashes are independent: eight slots,
 * of which at most three are taken. */
static struct isal_zstream *chunk_stream(const struct chunk_coder *self, const uint8_t *bytes,
                                         size_t bytes_count)
{
    for (uint32_t i = 0; i < CHUNK_STREAMS; i++) {
        uint8_t *place = self->streams + i * CHUNK_STREAM_STRIDE_BYTES;
        uint32_t slot = chunk_slot((uint32_t)((uintptr_t)place >> 16));
        bool taken = false;
        for (uint32_t at = 0; at + 3 < CHUNK_HASHED_BYTES && bytes_count >= CHUNK_HASHED_BYTES;
             at++) {
            const uint8_t *word = bytes + at;
            taken = taken || slot == chunk_slot((uint32_t)word[0] | (uint32_t)word[1] << 8 |
                                                (uint32_t)word[2] << 16 | (uint32_t)word[3] << 24);
        }
        if (!taken) {
            return (struct isal_zstream *)(void *)place;
        }
    }
    must(false);
    return NULL;
}

/* Everything that the library reads is set: tables that it does not clear before a short input
 * would let the bytes depend on what was in that memory before. */
static struct err chunk_deflate(struct chunk_coder *self, const uint8_t *bytes, size_t bytes_count,
                                uint8_t *out, size_t out_capacity, size_t *out_bytes)
{
    struct isal_zstream *stream = chunk_stream(self, bytes, bytes_count);
    must(bytes_count <= UINT32_MAX && out_capacity <= UINT32_MAX);
    memset(stream, 0, sizeof *stream);
    memset(self->level_buffer, 0, CHUNK_LEVEL_STATE_BYTES);
    isal_deflate_stateless_init(stream);
    stream->gzip_flag = IGZIP_ZLIB;
    stream->level = self->deflate_level;
    stream->level_buf = self->level_buffer;
    stream->level_buf_size = (uint32_t)CHUNK_LEVEL_BUFFER_BYTES;
    stream->flush = NO_FLUSH;
    stream->end_of_stream = 1;
    stream->next_in = (uint8_t *)(uintptr_t)bytes; /* only read: the library's type is older */
    stream->avail_in = (uint32_t)bytes_count;
    stream->next_out = out;
    stream->avail_out = (uint32_t)out_capacity;
    if (isal_deflate_stateless(stream) != COMP_OK || stream->avail_in != 0) {
        return err_make(ERR_ARCHIVE_WRITE, "deflate a chunk");
    }
    *out_bytes = stream->total_out;
    return err_none;
}

struct err chunk_encode(struct chunk_coder *self, const uint8_t *bytes, size_t bytes_count,
                        size_t cell_bytes, uint8_t *stored, size_t *stored_bytes)
{
    size_t count = bytes_count;
    must(bytes_count > 0 && bytes_count <= self->bytes_max);
    if (self->deflate_level == 0) {
        if (stored != bytes) {
            memcpy(stored, bytes, bytes_count);
        }
    } else {
        chunk_shuffle(bytes, bytes_count, cell_bytes, self->shuffled);
        memset(self->shuffled + bytes_count, 0, CHUNK_BEYOND_BYTES);
        struct err err =
            chunk_deflate(self, self->shuffled, bytes_count, stored,
                          chunk_stored_bytes_max(bytes_count) - CHUNK_CHECKSUM_BYTES, &count);
        if (err_is(err)) {
            return err;
        }
    }
    uint32_t checksum = chunk_fletcher32(stored, count);
    for (size_t i = 0; i < CHUNK_CHECKSUM_BYTES; i++) {
        stored[count + i] = (uint8_t)(checksum >> (8 * i));
    }
    *stored_bytes = count + CHUNK_CHECKSUM_BYTES;
    return err_none;
}

/* How many bytes stand in front of a right checksum; 0 when it is not right. */
static size_t chunk_checked(const uint8_t *stored, size_t stored_bytes)
{
    if (stored_bytes <= CHUNK_CHECKSUM_BYTES) {
        return 0;
    }
    size_t count = stored_bytes - CHUNK_CHECKSUM_BYTES;
    uint32_t checksum = 0;
    for (size_t i = 0; i < CHUNK_CHECKSUM_BYTES; i++) {
        checksum |= (uint32_t)stored[count + i] << (8 * i);
    }
    return chunk_fletcher32(stored, count) == checksum ? count : 0;
}

const uint8_t *chunk_view(struct chunk_coder *self, const uint8_t *stored, size_t stored_bytes,
                          size_t cell_bytes, uint8_t *scratch, size_t bytes_count)
{
    if (self->deflate_level == 0) {
        return chunk_checked(stored, stored_bytes) == bytes_count ? stored : NULL;
    }
    return chunk_decode(self, stored, stored_bytes, cell_bytes, scratch, bytes_count) ? scratch
                                                                                      : NULL;
}

bool chunk_decode(struct chunk_coder *self, const uint8_t *stored, size_t stored_bytes,
                  size_t cell_bytes, uint8_t *bytes, size_t bytes_count)
{
    must(bytes_count > 0 && bytes_count <= self->bytes_max);
    size_t count = chunk_checked(stored, stored_bytes);
    if (count == 0) {
        return false;
    }
    if (self->deflate_level == 0) {
        if (count == bytes_count && stored != bytes) {
            memcpy(bytes, stored, bytes_count);
        }
        return count == bytes_count;
    }
    size_t found = 0;
    size_t taken = 0;
    if (libdeflate_zlib_decompress_ex(self->inflate, stored, count, self->shuffled, bytes_count,
                                      &taken, &found) != LIBDEFLATE_SUCCESS ||
        found != bytes_count || taken != count) {
        return false;
    }
    chunk_unshuffle(self->shuffled, bytes_count, cell_bytes, bytes);
    return true;
}

/* ---- which compressor this is ---- */

/* Half of it soft with noise in the lowest bits, as pixels are, half words, as entries are: both
 * find matches, and both fill more than one block. */
static void chunk_probe_fill(uint8_t *bytes)
{
    static const char words[] = "scan.received declaration.received score referral.decision ";
    uint32_t state = 1;
    for (size_t i = 0; i < CHUNK_PROBE_BYTES; i++) {
        state = state * 1664525u + 1013904223u;
        bool pixels = i < CHUNK_PROBE_BYTES / 2;
        bytes[i] = pixels ? (uint8_t)((i >> 9) + (state >> 29))
                          : (uint8_t)words[(i + (state >> 31)) % (sizeof words - 1)];
    }
}

struct err chunk_compressor(char out[CHUNK_COMPRESSOR_BYTES])
{
    uint8_t digest[HASH_BYTES];
    uint8_t *probe = malloc(CHUNK_PROBE_BYTES);
    uint8_t *stored = malloc(chunk_stored_bytes_max(CHUNK_PROBE_BYTES));
    struct err err =
        probe == NULL || stored == NULL ? err_make(ERR_MEMORY, "chunk_compressor") : err_none;
    struct sha256 *hash = sha256_open();
    for (uint32_t level = 1; level <= CHUNK_DEFLATE_LEVEL_MAX && !err_is(err); level++) {
        struct chunk_coder *coder = NULL;
        size_t stored_bytes = 0;
        chunk_probe_fill(probe);
        err = chunk_coder_open(CHUNK_PROBE_BYTES, level, &coder);
        if (!err_is(err)) {
            err = chunk_encode(coder, probe, CHUNK_PROBE_BYTES, 1, stored, &stored_bytes);
        }
        if (!err_is(err)) {
            sha256_add(hash, stored, stored_bytes);
        }
        chunk_coder_close(&coder);
    }
    sha256_finish(hash, digest);
    sha256_close(&hash);
    free(probe);
    free(stored);
    if (!err_is(err)) {
        (void)snprintf(out, CHUNK_COMPRESSOR_BYTES, "isa-l/%u.%u.%u+%02x%02x%02x%02x",
                       ISAL_MAJOR_VERSION, ISAL_MINOR_VERSION, ISAL_PATCH_VERSION, digest[0],
                       digest[1], digest[2], digest[3]);
    }
    return err;
}
