/* SPDX-License-Identifier: Apache-2.0 */
#include "publisher/crc32c.h"

#include <pthread.h>
#include <string.h>

/* Every record and every pixel passes here, on the way into the spool and out of it. x86 has had an
 * instruction for this very sum since SSE 4.2: one chain of it does four times what the tables do,
 * and at 20 MB a scan that is worth its lines.
 *
 * Elsewhere eight bytes a step over eight tables. The tables are computed at first use: 8 KiB of
 * constants would be eight hundred lines that nobody can review. */

static uint32_t crc32c_tables[8][256];
static pthread_once_t crc32c_once = PTHREAD_ONCE_INIT;

static void crc32c_fill(void)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t crc = i;
        for (int bit = 0; bit < 8; bit++) {
            crc = (crc >> 1) ^ ((crc & 1u) != 0 ? 0x82f63b78u : 0u);
        }
        crc32c_tables[0][i] = crc;
    }
    for (uint32_t i = 0; i < 256; i++) {
        for (int k = 1; k < 8; k++) {
            uint32_t before = crc32c_tables[k - 1][i];
            crc32c_tables[k][i] = (before >> 8) ^ crc32c_tables[0][before & 0xffu];
        }
    }
}

uint32_t crc32c_add_plain(uint32_t crc, const void *bytes, size_t bytes_count)
{
    (void)pthread_once(&crc32c_once, crc32c_fill);
    const uint8_t *at = bytes;
    crc = ~crc;
    while (bytes_count >= 8) {
        uint32_t low = crc ^ ((uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 |
                              (uint32_t)at[3] << 24);
        crc = crc32c_tables[7][low & 0xffu] ^ crc32c_tables[6][(low >> 8) & 0xffu] ^
              crc32c_tables[5][(low >> 16) & 0xffu] ^ crc32c_tables[4][low >> 24] ^
              crc32c_tables[3][at[4]] ^ crc32c_tables[2][at[5]] ^ crc32c_tables[1][at[6]] ^
              crc32c_tables[0][at[7]];
        at += 8;
        bytes_count -= 8;
    }
    while (bytes_count > 0) {
        crc = (crc >> 8) ^ crc32c_tables[0][(crc ^ *at) & 0xffu];
        at++;
        bytes_count--;
    }
    return ~crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static uint32_t
crc32c_add_by_instruction(uint32_t crc, const uint8_t *at, size_t bytes_count)
{
    uint64_t wide = ~crc;
    while (bytes_count >= 8) {
        uint64_t piece;
        memcpy(&piece, at, sizeof piece);
        wide = __builtin_ia32_crc32di(wide, piece);
        at += 8;
        bytes_count -= 8;
    }
    uint32_t narrow = (uint32_t)wide;
    while (bytes_count > 0) {
        narrow = __builtin_ia32_crc32qi(narrow, *at);
        at++;
        bytes_count--;
    }
    return ~narrow;
}

uint32_t crc32c_add(uint32_t crc, const void *bytes, size_t bytes_count)
{
    return __builtin_cpu_supports("sse4.2") ? crc32c_add_by_instruction(crc, bytes, bytes_count)
                                            : crc32c_add_plain(crc, bytes, bytes_count);
}
#else
uint32_t crc32c_add(uint32_t crc, const void *bytes, size_t bytes_count)
{
    return crc32c_add_plain(crc, bytes, bytes_count);
}
#endif
