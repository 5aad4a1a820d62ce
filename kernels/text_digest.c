/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/text_digest.h"

#include <string.h>

#include "kernels/text_digest_lanes.h"

/* Plain loops; the wide ones are in text_digest_wide.c and give the same digests. Words are read as
 * little-endian numbers, whatever the machine. */

enum text_digest_path text_digest_path_best(void)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("bmi") &&
        __builtin_cpu_supports("bmi2")) {
        return TEXT_DIGEST_AVX512;
    }
#endif
    return TEXT_DIGEST_PORTABLE;
}

static int is_space(unsigned char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static uint64_t word_at(const unsigned char *bytes)
{
    uint64_t word = 0;
    for (int i = 7; i >= 0; i--) {
        word = word << 8 | bytes[i];
    }
    return word;
}

uint64_t text_digest_plain(const struct text_digest_key *key, uint32_t field, const char *text)
{
    unsigned char folded[TEXT_DIGEST_BYTES_MAX + 16];
    const unsigned char *at = (const unsigned char *)text;
    size_t count = 0;
    size_t solid = 0; /* bytes up to the last that is no space */
    while (is_space(*at)) {
        at++;
    }
    for (; *at != 0 && count < TEXT_DIGEST_BYTES_MAX; at++) {
        solid = is_space(*at) ? solid : count + 1;
        folded[count++] = (unsigned char)(*at >= 'a' && *at <= 'z' ? *at - 32 : *at);
    }
    if (solid == 0) {
        return 0;
    }
    memset(folded + solid, 0, 16);
    if (solid <= 16) {
        return text_digest_words(key, field, word_at(folded), word_at(folded + 8));
    }
    text_digest_u128 sum = 0;
    for (size_t i = 0; i < solid; i += 16) {
        sum =
            text_digest_add(sum, word_at(folded + i), word_at(folded + i + 8), key->blocks + i / 8);
    }
    return text_digest_words(key, field, (uint64_t)sum, (uint64_t)(sum >> 64));
}

uint64_t text_digest_words(const struct text_digest_key *key, uint32_t field, uint64_t x,
                           uint64_t y)
{
    return text_digest_finish(&key->fields[field], x, y);
}

void text_digest_many_by(enum text_digest_path path, const struct text_digest_key *key,
                         const char *const *texts, const uint8_t *fields, size_t count,
                         uint64_t *out)
{
#if defined(__x86_64__)
    if (path == TEXT_DIGEST_AVX512) {
        text_digest_many_avx512(key, texts, fields, count, out);
        return;
    }
#endif
    (void)path;
    for (size_t i = 0; i < count; i++) {
        out[i] = text_digest_plain(key, fields[i], texts[i]);
    }
}

void text_digest_many(const struct text_digest_key *key, const char *const *texts,
                      const uint8_t *fields, size_t count, uint64_t *out)
{
    text_digest_many_by(text_digest_path_best(), key, texts, fields, count, out);
}

void text_digest_column_by(enum text_digest_path path, const struct text_digest_key *key,
                           uint32_t field, const char *const *texts, size_t count,
                           uint64_t *restrict out)
{
#if defined(__x86_64__)
    if (path == TEXT_DIGEST_AVX512) {
        text_digest_column_avx512(key, field, texts, count, out);
        return;
    }
#endif
    (void)path;
    for (size_t i = 0; i < count; i++) {
        out[i] = text_digest_plain(key, field, texts[i]);
    }
}

void text_digest_column(const struct text_digest_key *key, uint32_t field, const char *const *texts,
                        size_t count, uint64_t *restrict out)
{
    text_digest_column_by(text_digest_path_best(), key, field, texts, count, out);
}

void text_digest_numbers_by(enum text_digest_path path, const struct text_digest_key *key,
                            uint32_t field, const uint64_t *numbers, uint64_t there, size_t count,
                            uint64_t *restrict out)
{
#if defined(__x86_64__)
    if (path == TEXT_DIGEST_AVX512) {
        text_digest_numbers_avx512(key, field, numbers, there, count, out);
        return;
    }
#endif
    (void)path;
    for (size_t i = 0; i < count; i++) {
        out[i] = (there >> i & 1) != 0 ? text_digest_words(key, field, numbers[i], 0) : 0;
    }
}

void text_digest_numbers(const struct text_digest_key *key, uint32_t field, const uint64_t *numbers,
                         uint64_t there, size_t count, uint64_t *restrict out)
{
    text_digest_numbers_by(text_digest_path_best(), key, field, numbers, there, count, out);
}

static void join_plain(const uint64_t *const *columns, size_t columns_count, size_t count,
                       uint32_t kind, uint64_t *out)
{
    for (size_t i = 0; i < count; i++) {
        uint64_t digests = 0;
        int there = 1;
        for (size_t column = 0; column < columns_count; column++) {
            digests ^= columns[column][i];
            there = there && columns[column][i] != 0;
        }
        out[i] = there ? text_digest_joined(digests, kind) : 0;
    }
}

void text_digest_join_by(enum text_digest_path path, const uint64_t *const *columns,
                         size_t columns_count, size_t count, uint32_t kind, uint64_t *restrict out)
{
#if defined(__x86_64__)
    if (path == TEXT_DIGEST_AVX512) {
        text_digest_join_avx512(columns, columns_count, count, kind, out);
        return;
    }
#endif
    (void)path;
    join_plain(columns, columns_count, count, kind, out);
}

void text_digest_join(const uint64_t *const *columns, size_t columns_count, size_t count,
                      uint32_t kind, uint64_t *restrict out)
{
    text_digest_join_by(text_digest_path_best(), columns, columns_count, count, kind, out);
}

/* Returns 0 when the name is too long to be known. */
static int pad_name(const char *name, uint64_t words[4])
{
    unsigned char padded[TEXT_NAME_BYTES_MAX + 1] = {0};
    size_t count = 0;
    while (count <= TEXT_NAME_BYTES_MAX && name[count] != '\0') {
        if (count == TEXT_NAME_BYTES_MAX) {
            return 0;
        }
        padded[count] = (unsigned char)name[count];
        count++;
    }
    for (size_t i = 0; i < 4; i++) {
        words[i] = word_at(padded + 8 * i);
    }
    return count > 0;
}

int text_names_make(const char *const *names, size_t count, struct text_names *out)
{
    /* Some two dozen names in 64 slots: about one factor in a hundred keeps them apart. */
    for (uint64_t attempt = 1; attempt < 100000 && count <= TEXT_NAMES_MAX; attempt++) {
        memset(out, 0, sizeof *out);
        out->factor = (attempt * UINT64_C(0x9e3779b97f4a7c15)) | 1;
        size_t placed = 0;
        for (; placed < count; placed++) {
            uint64_t words[4];
            if (!pad_name(names[placed], words)) {
                return 0;
            }
            size_t slot = text_names_slot(out->factor, words[0], words[1]);
            if (out->indices[slot] != 0) {
                break;
            }
            out->indices[slot] = (uint8_t)(placed + 1);
            memcpy(out->words[slot], words, sizeof words);
        }
        if (placed == count) {
            return 1;
        }
    }
    return 0;
}

int text_names_find_plain(const struct text_names *self, const char *name)
{
    uint64_t words[4];
    if (!pad_name(name, words)) {
        return -1;
    }
    size_t slot = text_names_slot(self->factor, words[0], words[1]);
    return memcmp(self->words[slot], words, sizeof words) == 0 ? self->indices[slot] - 1 : -1;
}

void text_names_find_many_by(enum text_digest_path path, const struct text_names *self,
                             const char *const *names, size_t stride, size_t count, int8_t *indices)
{
#if defined(__x86_64__)
    if (path == TEXT_DIGEST_AVX512) {
        text_names_find_many_avx512(self, names, stride, count, indices);
        return;
    }
#endif
    (void)path;
    for (size_t i = 0; i < count; i++) {
        indices[i] = (int8_t)text_names_find_plain(self, names[i * stride]);
    }
}

void text_names_find_many(const struct text_names *self, const char *const *names, size_t stride,
                          size_t count, int8_t *indices)
{
    text_names_find_many_by(text_digest_path_best(), self, names, stride, count, indices);
}

int text_row_make(const char *const *names, size_t stride, size_t count, struct text_row *out)
{
    memset(out, 0, sizeof *out);
    for (size_t i = 0; i < count; i++) {
        size_t bytes = i < TEXT_ROW_MAX ? strnlen(names[i * stride], TEXT_NAME_BYTES_MAX + 1) : 32;
        if (bytes > TEXT_NAME_BYTES_MAX) {
            return 0;
        }
        memcpy(out->bytes[i], names[i * stride], bytes);
        out->ends[i] = (uint32_t)((UINT64_C(2) << bytes) - 1);
    }
    out->count = (uint32_t)count;
    return 1;
}

int text_row_is_plain(const struct text_row *self, size_t place, const char *name)
{
    return strcmp((const char *)self->bytes[place], name) == 0;
}

int text_row_is_by(enum text_digest_path path, const struct text_row *self,
                   const char *const *names, size_t stride, size_t count)
{
    if (count != self->count) {
        return 0;
    }
#if defined(__x86_64__)
    if (path == TEXT_DIGEST_AVX512) {
        return text_row_is_avx512(self, names, stride);
    }
#endif
    (void)path;
    int same = 1;
    for (size_t i = 0; i < count && same; i++) {
        same = text_row_is_plain(self, i, names[i * stride]);
    }
    return same;
}

int text_row_is(const struct text_row *self, const char *const *names, size_t stride, size_t count)
{
    return text_row_is_by(text_digest_path_best(), self, names, stride, count);
}
