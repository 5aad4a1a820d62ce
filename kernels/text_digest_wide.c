/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/text_digest_lanes.h"

/* A text that begins more than 64 bytes before the end of its page is loaded in one go, end and
 * what lies behind it included: such a load cannot fault, and everything from the zero byte on is
 * masked away before it is used. Address sanitizers are told to look away. All else (long texts,
 * spaces in front, the end of a page) goes the plain way. */

#if defined(__x86_64__)
#include <immintrin.h>

#define WIDE __attribute__((target("avx512f,avx512bw,avx512vl,bmi,bmi2"), no_sanitize("address")))

enum { PAGE_BYTES = 4096, WIDE_BYTES = 64, NAME_BYTES = 32 };

static inline int is_within_page(const char *text, size_t bytes)
{
    return ((uintptr_t)text & (PAGE_BYTES - 1)) <= PAGE_BYTES - bytes;
}

WIDE static uint64_t digest_long(const struct text_digest_key *key, uint32_t field, __m512i text,
                                 size_t count)
{
    uint64_t words[WIDE_BYTES / 8];
    text_digest_u128 sum = 0;
    _mm512_storeu_si512(words, text);
    for (size_t i = 0; i < count; i += 16) {
        sum = text_digest_add(sum, words[i / 8], words[i / 8 + 1], key->blocks + i / 8);
    }
    return text_digest_finish(&key->fields[field], (uint64_t)sum, (uint64_t)(sum >> 64));
}

WIDE static uint64_t digest_wide(const struct text_digest_key *key, uint32_t field,
                                 const char *text)
{
    if (!is_within_page(text, WIDE_BYTES)) {
        return text_digest_plain(key, field, text);
    }
    __m512i bytes = _mm512_loadu_si512(text);
    uint64_t ends = _mm512_testn_epi8_mask(bytes, bytes);
    uint64_t inside = _blsmsk_u64(ends) >> 1; /* before the first zero byte */
    __m512i from_tab = _mm512_sub_epi8(bytes, _mm512_set1_epi8('\t'));
    uint64_t spaces = _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8(' ')) |
                      _mm512_cmplt_epu8_mask(from_tab, _mm512_set1_epi8('\r' - '\t' + 1));
    uint64_t solid = inside & ~spaces;
    if (ends == 0 || (solid & 1) == 0) {
        return inside == 0 && ends != 0 ? 0 : text_digest_plain(key, field, text);
    }
    size_t count = 64 - (size_t)__builtin_clzll(solid);
    __m512i from_a = _mm512_sub_epi8(bytes, _mm512_set1_epi8('a'));
    __mmask64 small = _mm512_cmplt_epu8_mask(from_a, _mm512_set1_epi8(26));
    __m512i folded = _mm512_mask_sub_epi8(bytes, small, bytes, _mm512_set1_epi8(32));
    folded = _mm512_maskz_mov_epi8(_bzhi_u64(~UINT64_C(0), (unsigned)count), folded);
    if (count > 16) {
        return digest_long(key, field, folded, count);
    }
    __m128i low = _mm512_castsi512_si128(folded);
    return text_digest_finish(&key->fields[field], (uint64_t)_mm_cvtsi128_si64(low),
                              (uint64_t)_mm_extract_epi64(low, 1));
}

WIDE void text_digest_many_avx512(const struct text_digest_key *key, const char *const *texts,
                                  const uint8_t *fields, size_t count, uint64_t *out)
{
    for (size_t i = 0; i < count; i++) {
        out[i] = digest_wide(key, fields[i], texts[i]);
    }
}

/* columns_count is a constant wherever this is inlined. */
WIDE __attribute__((always_inline)) static inline void join(const uint64_t *const *columns,
                                                            size_t columns_count, size_t count,
                                                            uint32_t kind, uint64_t *out)
{
    const __m512i low_bits = _mm512_set1_epi64(TEXT_DIGEST_KINDS - 1);
    const __m512i kinds = _mm512_set1_epi64(kind);
    for (size_t i = 0; i < count; i += 8) {
        __m512i digests = _mm512_setzero_si512();
        __mmask8 there = 0xff;
        for (size_t column = 0; column < columns_count; column++) {
            __m512i digest = _mm512_loadu_si512(columns[column] + i);
            digests = _mm512_xor_si512(digests, digest);
            there = _mm512_mask_test_epi64_mask(there, digest, digest);
        }
        __m512i above = _mm512_andnot_si512(low_bits, digests);
        __mmask8 empty = _mm512_testn_epi64_mask(above, above);
        above = _mm512_mask_mov_epi64(above, empty, _mm512_set1_epi64(TEXT_DIGEST_KINDS));
        _mm512_storeu_si512(out + i, _mm512_maskz_or_epi64(there, above, kinds));
    }
}

WIDE void text_digest_join_avx512(const uint64_t *const *columns, size_t columns_count,
                                  size_t count, uint32_t kind, uint64_t *out)
{
    switch (columns_count) {
    case 1:
        join(columns, 1, count, kind, out);
        break;
    case 2:
        join(columns, 2, count, kind, out);
        break;
    case 3:
        join(columns, 3, count, kind, out);
        break;
    default:
        join(columns, columns_count, count, kind, out);
        break;
    }
}

WIDE static int find_wide(const struct text_names *self, const char *name)
{
    if (!is_within_page(name, NAME_BYTES)) {
        return text_names_find_plain(self, name);
    }
    __m256i bytes = _mm256_loadu_si256((const __m256i *)(const void *)name);
    uint32_t ends = _mm256_testn_epi8_mask(bytes, bytes);
    __m256i padded = _mm256_maskz_mov_epi8(_blsmsk_u32(ends) >> 1, bytes);
    __m128i low = _mm256_castsi256_si128(padded);
    size_t slot = text_names_slot(self->factor, (uint64_t)_mm_cvtsi128_si64(low),
                                  (uint64_t)_mm_extract_epi64(low, 1));
    __m256i known = _mm256_loadu_si256((const __m256i *)(const void *)self->words[slot]);
    int same = _mm256_cmpneq_epi64_mask(known, padded) == 0 && ends != 0;
    return same ? self->indices[slot] - 1 : -1;
}

WIDE void text_names_find_many_avx512(const struct text_names *self, const char *const *names,
                                      size_t stride, size_t count, int8_t *indices)
{
    for (size_t i = 0; i < count; i++) {
        indices[i] = (int8_t)find_wide(self, names[i * stride]);
    }
}
#endif
