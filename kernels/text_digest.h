/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KERNELS_TEXT_DIGEST_H
#define KERNELS_TEXT_DIGEST_H

/* Text digest: short texts and numbers as 64 bits each, under a key.
 *
 * A text is trimmed of ASCII spaces, cut to TEXT_DIGEST_BYTES_MAX bytes and taken to upper case
 * (a-z only) first; two texts that are then equal have the same digest, an empty one has 0, no
 * other has. Of up to 16 bytes, taken as two words x, y:
 *
 *     digest = mix((a x + b y + c mod 2^128) / 2^64),   a, b, c: 128 bits each, of the field
 *
 * which is pairwise independent (Dietzfelbinger 1996): who does not know the key cannot choose two
 * texts that meet with a chance above 2^-64. Longer texts are first brought to two words by NH
 * (Black et al. 1999): sum of (w[2i] + k[2i]) (w[2i+1] + k[2i+1]) mod 2^128, the same chance again.
 * Fields have keys of their own, so digests of different fields may be joined by exclusive or. Who
 * knows the key can make texts meet at will: it has to stay where the digests stay.
 *
 * The wide path reads whole words beyond the end of a text, within the same page of memory; what
 * it finds there has no effect. Any thread. */

#include <stddef.h>
#include <stdint.h>

enum { TEXT_DIGEST_BYTES_MAX = 512, TEXT_DIGEST_FIELDS = 32 };

struct text_digest_field {
    uint64_t a[2], b[2], c[2]; /* low, high */
};

/* Random bits, all of them. */
struct text_digest_key {
    struct text_digest_field fields[TEXT_DIGEST_FIELDS];
    uint64_t blocks[TEXT_DIGEST_BYTES_MAX / 8];
};

enum text_digest_path { TEXT_DIGEST_PORTABLE, TEXT_DIGEST_AVX512 };
enum text_digest_path text_digest_path_best(void);

/* out[i] is the digest of texts[i] (zero-terminated) as one of fields[i]. */
void text_digest_many(const struct text_digest_key *key, const char *const *texts,
                      const uint8_t *fields, size_t count, uint64_t *out);
void text_digest_many_by(enum text_digest_path path, const struct text_digest_key *key,
                         const char *const *texts, const uint8_t *fields, size_t count,
                         uint64_t *out);

/* A column: texts of one field, at most TEXT_DIGEST_LANES of them, a multiple of 8. */
enum { TEXT_DIGEST_LANES = 64 };
void text_digest_column(const struct text_digest_key *key, uint32_t field, const char *const *texts,
                        size_t count, uint64_t *restrict out);
void text_digest_column_by(enum text_digest_path path, const struct text_digest_key *key,
                           uint32_t field, const char *const *texts, size_t count,
                           uint64_t *restrict out);
/* Numbers x of one field, as text_digest_words(x, 0); 0 where bit i of `there` is not set. */
void text_digest_numbers(const struct text_digest_key *key, uint32_t field, const uint64_t *numbers,
                         uint64_t there, size_t count, uint64_t *restrict out);
void text_digest_numbers_by(enum text_digest_path path, const struct text_digest_key *key,
                            uint32_t field, const uint64_t *numbers, uint64_t there, size_t count,
                            uint64_t *restrict out);

/* Of two words that say all of a value; never 0. */
uint64_t text_digest_words(const struct text_digest_key *key, uint32_t field, uint64_t x,
                           uint64_t y);

/* Digests of different fields as one: their exclusive or, with `kind` (below TEXT_DIGEST_KINDS) in
 * place of the low bits; never 0. Of columns of count rows (a multiple of 8); 0 where one of the
 * digests is 0. It meets that of other values as rarely as single digests meet. */
enum { TEXT_DIGEST_KINDS = 64, TEXT_DIGEST_JOINED_MAX = 3 };
static inline uint64_t text_digest_joined(uint64_t digests, uint32_t kind)
{
    uint64_t above = digests & ~(uint64_t)(TEXT_DIGEST_KINDS - 1);
    return (above != 0 ? above : TEXT_DIGEST_KINDS) | kind;
}
void text_digest_join(const uint64_t *const *columns, size_t columns_count, size_t count,
                      uint32_t kind, uint64_t *restrict out);
void text_digest_join_by(enum text_digest_path path, const uint64_t *const *columns,
                         size_t columns_count, size_t count, uint32_t kind, uint64_t *restrict out);

/* Names expected one after the other: what one sender writes in each of its records. */
enum { TEXT_ROW_MAX = 16 };
struct text_row {
    uint8_t bytes[TEXT_ROW_MAX][32]; /* padded with zeros */
    uint32_t ends[TEXT_ROW_MAX];     /* the bits of a name's bytes and of its end */
    uint32_t count;
};
/* Returns 0 when there are too many names, or one of them is longer than TEXT_NAME_BYTES_MAX. */
int text_row_make(const char *const *names, size_t stride, size_t count, struct text_row *out);
/* 1 when names[i * stride] are these, byte for byte. */
int text_row_is(const struct text_row *self, const char *const *names, size_t stride, size_t count);
int text_row_is_by(enum text_digest_path path, const struct text_row *self,
                   const char *const *names, size_t stride, size_t count);

/* Names: which of a few known names a text is, byte for byte. */
enum { TEXT_NAMES_MAX = 24, TEXT_NAME_BYTES_MAX = 31, TEXT_NAME_SLOTS = 64 };

struct text_names {
    uint64_t words[TEXT_NAME_SLOTS][4]; /* padded with zeros */
    uint8_t indices[TEXT_NAME_SLOTS];   /* + 1; 0: free */
    uint64_t factor;                    /* with which every name has a slot of its own */
};

/* Different names, at most TEXT_NAMES_MAX of 1..TEXT_NAME_BYTES_MAX bytes. Returns 0 when that is
 * not so. */
int text_names_make(const char *const *names, size_t count, struct text_names *out);
/* indices[i]: of names[i * stride] among the known ones, -1 for another. */
void text_names_find_many(const struct text_names *self, const char *const *names, size_t stride,
                          size_t count, int8_t *indices);
void text_names_find_many_by(enum text_digest_path path, const struct text_names *self,
                             const char *const *names, size_t stride, size_t count,
                             int8_t *indices);
#endif
