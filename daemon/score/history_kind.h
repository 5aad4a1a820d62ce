/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCORE_HISTORY_KIND_H
#define SCORE_HISTORY_KIND_H

/* History kind: the entities and pairs whose past exams are remembered, their keys in the table and
 * their names in words.
 *
 * A kind is a combination of parts of one goods line of a declaration (importer x HS 6, origin x HS
 * 2, ...). It is absent from a line when one of its parts is empty. The order of the table is the
 * order of the weights in a history model: the linear model weighs the first HISTORY_LINEAR_KINDS
 * (a change of them is a new HISTORY_LINEAR_VERSION), a model of trees asks all of them
 * (HISTORY_KINDS_VERSION). Pure; any thread. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/record.h"
#include "score/part_key.h"

#define HISTORY_LINEAR_VERSION "1"
#define HISTORY_LINEAR_KINDS 25u
#define HISTORY_KINDS_VERSION "3"       /* keyed digests */
#define HISTORY_KINDS_PLAIN_VERSION "2" /* the same kinds by SHA-256; still read */
#define HISTORY_KINDS 60u
#define HISTORY_ALL 0u /* the kind that everything belongs to */
#define HISTORY_PARENTS_MAX 2u
#define HISTORY_KIND_PARTS_MAX 3u
#define HISTORY_WORDS_BYTES 112u

enum history_part {
    PART_IMPORTER,
    PART_SELLER,
    PART_DECLARANT,
    PART_COURIER,
    PART_HS6,
    PART_HS4,
    PART_HS2,
    PART_ORIGIN,
    PART_DEPARTURE,
    PART_OFFICE,
    PART_TAX_TYPE,
    PART_TAX_RATE,
    PART_ORIGIN_INDICATOR,
    PART_PROCESS,
    PART_IMPORT_TYPE,
    PART_IMPORT_USE,
    PART_PAYMENT,
    PART_MODE,
    PART_MASS,
    PART_VALUE,
    PART_COUNT
};

struct history_kind {
    const char *name; /* of the contribution: "history.importer_hs6" */
    enum history_part parts[HISTORY_KIND_PARTS_MAX];
    uint32_t parts_count;
    uint32_t
        parents[HISTORY_PARENTS_MAX]; /* indices of earlier kinds; none: everything is the parent */
    uint32_t parents_count;
};

extern const struct history_kind history_kinds[HISTORY_KINDS];

/* The names of the linear kinds in their order, separated by spaces: what a linear history model
 * calls its inputs. */
#define HISTORY_NAMES_BYTES 8192u
void history_kind_names(char *out, size_t out_bytes);

/* The parts of one line, digested: 0 is "empty". */
struct history_parts {
    uint64_t digests[PART_COUNT];
    bool keyed; /* by a part_key that is */
};

/* Text is trimmed and taken to upper case (ASCII) first; an HS code is its digits. Parts of the
 * declaration itself. */
void history_parts_of_declaration(const struct part_key *key, const struct declaration *declaration,
                                  struct history_parts *out);
/* The same with the parts of one of its lines added. */
void history_parts_add_line(const struct part_key *key, const struct goods_line *line,
                            struct history_parts *parts);
/* Key of a kind in the table; 0 when the kind is absent from these parts. Of keyed parts it is
 * their exclusive or, the low six bits being the kind. */
uint64_t history_key(uint32_t kind_index, const struct history_parts *parts);
/* The same for columns of rows. */
#define HISTORY_LANES 64u
struct history_columns {
    uint64_t digests[PART_COUNT][HISTORY_LANES];
    bool keyed;
};
void history_keys_of_kind(uint32_t kind_index, const struct history_columns *parts,
                          uint64_t keys[HISTORY_LANES]);

/* "importer p0123456789abcdef x HS 4408.90". Names of persons and firms come out as pseudonyms
 * under pseudonym_key (32 bytes), or without any value when it is NULL: words go into public
 * entries. */
void history_kind_words(uint32_t kind_index, const struct declaration *declaration,
                        const struct goods_line *line, const uint8_t *pseudonym_key,
                        char out[HISTORY_WORDS_BYTES]);

#endif
