/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/text_digest_lanes.h"

/* A text that begins more than 64 bytes before the end of its page is loaded in one go, end and
 * what lies behind it included: such a load cannot fault, and everything from the zero byte on is
 * masked away before it is used. Address sanitizers are told to look away. All else (long texts,
 * spaces in front, the end of a page) goes the plain way. */

#if defined(__x86_64__)
#include <immintrin.h>

#define WIDE \
    __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,bmi,bmi2"), no_sanitize("address")))

enum { PAGE_BYTES = 4096, WIDE_BYTES = 64, NAME_BYTES = 32, TEXT_HALF_BYTES = 16 };

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

/* ---- eight texts of one field at a time ---- */

/* The key of a field in every lane. */
struct wide_field {
    __m512i a_low, a_low_high, a_high; /* low word, its upper half, high word */
    __m512i b_low, b_low_high, b_high;
    __m512i c_low, c_high;
};

WIDE __attribute__((always_inline)) static inline struct wide_field
widen(const struct text_digest_field *field)
{
    return (struct wide_field){.a_low = _mm512_set1_epi64((int64_t)field->a[0]),
                               .a_low_high = _mm512_set1_epi64((int64_t)(field->a[0] >> 32)),
                               .a_high = _mm512_set1_epi64((int64_t)field->a[1]),
                               .b_low = _mm512_set1_epi64((int64_t)field->b[0]),
                               .b_low_high = _mm512_set1_epi64((int64_t)(field->b[0] >> 32)),
                               .b_high = _mm512_set1_epi64((int64_t)field->b[1]),
                               .c_low = _mm512_set1_epi64((int64_t)field->c[0]),
                               .c_high = _mm512_set1_epi64((int64_t)field->c[1])};
}

/* x times a word whose upper half is at hand: 128 bits, from four products of halves. */
WIDE __attribute__((always_inline)) static inline __m512i product(__m512i x, __m512i word,
                                                                  __m512i word_high, __m512i *low)
{
    const __m512i low_half = _mm512_set1_epi64(UINT32_MAX);
    __m512i x_high = _mm512_srli_epi64(x, 32);
    __m512i first = _mm512_mul_epu32(word, x);
    __m512i middle = _mm512_add_epi64(_mm512_mul_epu32(word, x_high), _mm512_srli_epi64(first, 32));
    __m512i second =
        _mm512_add_epi64(_mm512_mul_epu32(word_high, x), _mm512_and_si512(middle, low_half));
    __m512i last = _mm512_mul_epu32(word_high, x_high);
    *low = _mm512_or_si512(_mm512_slli_epi64(second, 32), _mm512_and_si512(first, low_half));
    return _mm512_add_epi64(_mm512_add_epi64(last, _mm512_srli_epi64(middle, 32)),
                            _mm512_srli_epi64(second, 32));
}

/* text_digest_finish. has_y: whether any y is not 0. */
WIDE __attribute__((always_inline)) static inline __m512i
finish_wide(const struct wide_field *field, __m512i x, __m512i y, int has_y)
{
    const __m512i one = _mm512_set1_epi64(1);
    __m512i low;
    __m512i high = product(x, field->a_low, field->a_low_high, &low);
    high = _mm512_add_epi64(high, _mm512_mullo_epi64(x, field->a_high));
    high = _mm512_add_epi64(high, field->c_high);
    low = _mm512_add_epi64(low, field->c_low);
    high = _mm512_mask_add_epi64(high, _mm512_cmplt_epu64_mask(low, field->c_low), high, one);
    if (has_y) {
        __m512i more;
        high = _mm512_add_epi64(high, product(y, field->b_low, field->b_low_high, &more));
        high = _mm512_add_epi64(high, _mm512_mullo_epi64(y, field->b_high));
        low = _mm512_add_epi64(low, more);
        high = _mm512_mask_add_epi64(high, _mm512_cmplt_epu64_mask(low, more), high, one);
    }
    high = _mm512_xor_si512(high, _mm512_srli_epi64(high, 32));
    high = _mm512_mullo_epi64(high, _mm512_set1_epi64((int64_t)UINT64_C(0x9e3779b97f4a7c15)));
    high = _mm512_xor_si512(high, _mm512_srli_epi64(high, 29));
    return _mm512_mask_mov_epi64(high, _mm512_testn_epi64_mask(high, high), one);
}

/* Four texts, 16 bytes each, made ready: trimmed (there is nothing to trim), upper case, zeros from
 * their end on. Returns the bits of those of which that is not so, four bits: spaces in front or
 * behind, or no end within the 16 bytes. */
WIDE __attribute__((always_inline)) static inline unsigned fold_four(__m512i *texts)
{
    const uint64_t first_bits = UINT64_C(0x0001000100010001);
    const uint64_t last_bits = first_bits << 15;
    __m512i bytes = *texts;
    uint64_t ends = _mm512_testn_epi8_mask(bytes, bytes);
    __m512i from_tab = _mm512_sub_epi8(bytes, _mm512_set1_epi8('\t'));
    uint64_t spaces = _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8(' ')) |
                      _mm512_cmplt_epu8_mask(from_tab, _mm512_set1_epi8('\r' - '\t' + 1));
    uint64_t ended = ends | last_bits; /* each field is above 0: nothing is borrowed between them */
    uint64_t inside = (ended - first_bits) & ~ended;
    uint64_t edges = first_bits | ~(inside >> 1);
    uint64_t odd = (inside & spaces & edges) | (~ends & (inside + first_bits) & last_bits);
    __m512i from_a = _mm512_sub_epi8(bytes, _mm512_set1_epi8('a'));
    __mmask64 small = _mm512_cmplt_epu8_mask(from_a, _mm512_set1_epi8(26));
    __m512i folded = _mm512_mask_sub_epi8(bytes, small, bytes, _mm512_set1_epi8(32));
    *texts = _mm512_maskz_mov_epi8(inside, folded);
    if (odd == 0) {
        return 0;
    }
    uint64_t fields = (odd & ~last_bits) + ~last_bits;
    return (unsigned)_pext_u64(fields | odd, last_bits);
}

static const char no_text[TEXT_HALF_BYTES];

WIDE __attribute__((always_inline)) static inline __m512i load_four(const char *const texts[8],
                                                                    size_t first)
{
    __m512i four = _mm512_castsi128_si512(_mm_loadu_si128((const void *)texts[first]));
    four = _mm512_inserti64x2(four, _mm_loadu_si128((const void *)texts[first + 2]), 1);
    four = _mm512_inserti64x2(four, _mm_loadu_si128((const void *)texts[first + 4]), 2);
    return _mm512_inserti64x2(four, _mm_loadu_si128((const void *)texts[first + 6]), 3);
}

/* The texts whose 16 bytes would cross into another page. */
WIDE __attribute__((always_inline)) static inline unsigned at_page_ends(const char *const *texts)
{
    __m512i within = _mm512_and_si512(_mm512_loadu_si512(texts), _mm512_set1_epi64(PAGE_BYTES - 1));
    return _mm512_cmpgt_epi64_mask(within, _mm512_set1_epi64(PAGE_BYTES - TEXT_HALF_BYTES));
}

WIDE static void digest_eight(const struct text_digest_key *key, uint32_t field,
                              const struct wide_field *wide, const char *const *given,
                              uint64_t *out)
{
    const char *others[8];
    const char *const *texts = given;
    unsigned odd = at_page_ends(given);
    if (odd != 0) {
        for (unsigned i = 0; i < 8; i++) {
            others[i] = (odd >> i & 1) != 0 ? no_text : given[i];
        }
        texts = others;
    }
    __m512i even_texts = load_four(texts, 0);
    __m512i odd_texts = load_four(texts, 1);
    odd |= (unsigned)_pdep_u32(fold_four(&even_texts), 0x55);
    odd |= (unsigned)_pdep_u32(fold_four(&odd_texts), 0xaa);
    __m512i x = _mm512_unpacklo_epi64(even_texts, odd_texts);
    __m512i y = _mm512_unpackhi_epi64(even_texts, odd_texts);
    __m512i digests =
        _mm512_test_epi64_mask(y, y) != 0 ? finish_wide(wide, x, y, 1) : finish_wide(wide, x, y, 0);
    _mm512_storeu_si512(out, _mm512_maskz_mov_epi64(_mm512_test_epi64_mask(x, x), digests));
    for (; odd != 0; odd &= odd - 1) {
        unsigned i = (unsigned)__builtin_ctz(odd);
        out[i] = digest_wide(key, field, given[i]);
    }
}

WIDE void text_digest_column_avx512(const struct text_digest_key *key, uint32_t field,
                                    const char *const *texts, size_t count, uint64_t *restrict out)
{
    const struct wide_field wide = widen(&key->fields[field]);
    for (size_t i = 0; i < count; i += 8) {
        digest_eight(key, field, &wide, texts + i, out + i);
    }
}

WIDE void text_digest_numbers_avx512(const struct text_digest_key *key, uint32_t field,
                                     const uint64_t *numbers, uint64_t there, size_t count,
                                     uint64_t *restrict out)
{
    const struct wide_field wide = widen(&key->fields[field]);
    for (size_t i = 0; i < count; i += 8) {
        __m512i x = _mm512_loadu_si512(numbers + i);
        __m512i digests = finish_wide(&wide, x, _mm512_setzero_si512(), 0);
        _mm512_storeu_si512(out + i, _mm512_maskz_mov_epi64((__mmask8)(there >> i), digests));
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

/* All names before one branch: the next record has them in the same order. */
WIDE int text_row_is_avx512(const struct text_row *self, const char *const *names, size_t stride)
{
    uint32_t missed = 0;
    for (size_t i = 0; i < self->count; i++) {
        const char *name = names[i * stride];
        if (!is_within_page(name, NAME_BYTES)) {
            missed |= !text_row_is_plain(self, i, name);
            continue;
        }
        __m256i bytes = _mm256_loadu_si256((const __m256i *)(const void *)name);
        __m256i known = _mm256_loadu_si256((const __m256i *)(const void *)self->bytes[i]);
        missed |= _mm256_cmpneq_epi8_mask(bytes, known) & self->ends[i];
    }
    return missed == 0;
}
#endif
