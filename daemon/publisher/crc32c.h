/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CRC32C_H
#define CRC32C_H

/* Crc32c: the Castagnoli checksum (RFC 3720, appendix B.4) that guards the spool. It finds torn and
 * rotten records, it does not prove who wrote them. Pure; any thread. */

#include <stddef.h>
#include <stdint.h>

/* The checksum of what came before (0 at the start) and these bytes. */
uint32_t crc32c_add(uint32_t crc, const void *bytes, size_t bytes_count);
/* The same sum without the processor's instruction for it: for processors that lack it, and to test
 * the other against. */
uint32_t crc32c_add_plain(uint32_t crc, const void *bytes, size_t bytes_count);

#endif
