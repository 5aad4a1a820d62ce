/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KERNELS_TEXT_DIGEST_LANES_H
#define KERNELS_TEXT_DIGEST_LANES_H

/* Text_digest_lanes: what both paths of text_digest share. Private to kernels/text_digest*.c. */

#include "kernels/text_digest.h"

__extension__ typedef unsigned __int128 text_digest_u128;

static inline text_digest_u128 text_digest_wide_word(const uint64_t low_high[2])
{
    return (text_digest_u128)low_high[1] << 64 | low_high[0];
}

static inline text_digest_u128 text_digest_add(text_digest_u128 sum, uint64_t x, uint64_t y,
                                               const uint64_t keys[2])
{
    return sum + (text_digest_u128)(x + keys[0]) * (y + keys[1]);
}

/* The last three lines only permute: they spread what differs over all bits, for tables that look
 * at some of them. */
static inline uint64_t text_digest_finish(const struct text_digest_field *field, uint64_t x,
                                          uint64_t y)
{
    text_digest_u128 sum = text_digest_wide_word(field->a) * x +
                           text_digest_wide_word(field->b) * y + text_digest_wide_word(field->c);
    uint64_t digest = (uint64_t)(sum >> 64);
    digest ^= digest >> 32;
    digest *= UINT64_C(0x9e3779b97f4a7c15);
    digest ^= digest >> 29;
    return digest != 0 ? digest : 1;
}

static inline size_t text_names_slot(uint64_t factor, uint64_t first, uint64_t second)
{
    return (size_t)(((first ^ (second << 23 | second >> 41)) * factor) >> 58);
}

uint64_t text_digest_plain(const struct text_digest_key *key, uint32_t field, const char *text);
int text_names_find_plain(const struct text_names *self, const char *name);
int text_row_is_plain(const struct text_row *self, size_t place, const char *name);

#if defined(__x86_64__)
void text_digest_many_avx512(const struct text_digest_key *key, const char *const *texts,
                             const uint8_t *fields, size_t count, uint64_t *out);
void text_digest_column_avx512(const struct text_digest_key *key, uint32_t field,
                               const char *const *texts, size_t count, uint64_t *restrict out);
void text_digest_numbers_avx512(const struct text_digest_key *key, uint32_t field,
                                const uint64_t *numbers, uint64_t there, size_t count,
                                uint64_t *restrict out);
int text_row_is_avx512(const struct text_row *self, const char *const *names, size_t stride);
void text_digest_join_avx512(const uint64_t *const *columns, size_t columns_count, size_t count,
                             uint32_t kind, uint64_t *out);
void text_names_find_many_avx512(const struct text_names *self, const char *const *names,
                                 size_t stride, size_t count, int8_t *indices);
#endif
#endif
