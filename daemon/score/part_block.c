/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/err.h"
#include "kernels/text_digest.h"
#include "score/part_key.h"
#include "score/part_parts.h"
#include "score/part_read.h"

_Static_assert(HISTORY_LANES == TEXT_DIGEST_LANES, "one block");

enum { NUMBER_HS2, NUMBER_HS4, NUMBER_HS6, NUMBER_TAX_RATE, NUMBER_MASS, NUMBER_VALUE };
enum { TEXT_ORIGIN = PART_DECLARED_TEXTS };
_Static_assert(PART_TEXTS == PART_DECLARED_TEXTS + 1, "a line has one text");

static const uint8_t number_parts[PART_NUMBERS] = {PART_HS2,      PART_HS4,  PART_HS6,
                                                   PART_TAX_RATE, PART_MASS, PART_VALUE};

/* A sender writes the same names in the same order. */
static void find_places(const struct part_key *key, const struct declaration *declaration,
                        struct part_block *block)
{
    int8_t indices[TEXT_ROW_MAX];
    memset(block->places, -1, sizeof block->places);
    text_names_find_many(&key->names, &declaration->other->name,
                         sizeof(struct field) / sizeof(char *), block->names.count, indices);
    for (uint32_t i = block->names.count; i-- > 0;) {
        if (indices[i] >= 0) {
            block->places[indices[i]] = (int8_t)i;
        }
    }
}

static void find_values(const struct part_key *key, const struct declaration *declaration,
                        struct part_block *block, const char *values[PART_NAMES])
{
    const struct field *other = declaration->other;
    uint32_t count = declaration->other_count;
    size_t stride = sizeof *other / sizeof other->name;
    if (count == 0 || !text_row_is(&block->names, &other->name, stride, count)) {
        block->names.count = 0;
        if (count == 0 || !text_row_make(&other->name, stride, count, &block->names)) {
            block->names.count = 0;
            part_find_codes(key, declaration, values);
            return;
        }
        find_places(key, declaration, block);
    }
    /* An empty value stands for one that is not there. */
    for (uint32_t name = 0; name < PART_NAMES; name++) {
        int8_t place = block->places[name];
        values[name] = place >= 0 ? other[place].value : "";
    }
}

static void put_declaration(const struct part_key *key, const struct declaration *declaration,
                            uint32_t lane, struct part_block *block)
{
    const char *values[PART_NAMES] = {NULL};
    const char *texts[PART_DECLARED_TEXTS];
    find_values(key, declaration, block, values);
    part_declared_texts(declaration, values, texts);
    for (uint32_t i = 0; i < PART_DECLARED_TEXTS; i++) {
        block->texts[i][lane] = texts[i];
    }
}

static void put_number(uint32_t number, bool is_there, uint64_t value, uint32_t lane,
                       struct part_block *block)
{
    block->numbers[number][lane] = value;
    block->there[number] |= (uint64_t)is_there << lane;
}

void part_block_put(const struct part_key *key, const struct declaration *declaration,
                    const struct goods_line *line, bool is_next, uint32_t lane,
                    struct part_block *block)
{
    if (lane == 0) {
        memset(block->there, 0, sizeof block->there);
    }
    if (is_next && lane > 0) {
        for (uint32_t i = 0; i < PART_DECLARED_TEXTS; i++) {
            block->texts[i][lane] = block->texts[i][lane - 1];
        }
    } else {
        put_declaration(key, declaration, lane, block);
    }
    block->texts[TEXT_ORIGIN][lane] = line != NULL ? line->origin_country : "";
    if (line == NULL) {
        return;
    }
    uint64_t prefixes[3] = {0, 0, 0};
    uint64_t word;
    uint32_t digits = part_read_hs(line->hs_code, prefixes);
    for (uint32_t i = 0; i < 3; i++) {
        put_number(NUMBER_HS2 + i, digits >= 2 * i + 2, prefixes[i], lane, block);
    }
    bool told = part_rate_word(line->tax_rate_percent, &word);
    put_number(NUMBER_TAX_RATE, told, word, lane, block);
    told = part_amount_word(line->net_mass_kg, &word);
    put_number(NUMBER_MASS, told, word, lane, block);
    told = part_amount_word(line->value, &word);
    put_number(NUMBER_VALUE, told, word, lane, block);
}

void part_block_digest(const struct part_key *key, struct part_block *block, uint32_t lanes_count,
                       uint64_t digests[PART_COUNT][HISTORY_LANES])
{
    uint32_t count = (lanes_count + 7) / 8 * 8;
    must(count <= HISTORY_LANES);
    for (uint32_t i = 0; i < PART_TEXTS; i++) {
        for (uint32_t lane = lanes_count; lane < count; lane++) {
            block->texts[i][lane] = "";
        }
        uint32_t part = i < PART_DECLARED_TEXTS ? part_declared_parts[i] : PART_ORIGIN;
        text_digest_column(&key->texts, part, block->texts[i], count, digests[part]);
    }
    for (uint32_t i = 0; i < PART_NUMBERS; i++) {
        uint32_t part = number_parts[i];
        text_digest_numbers(&key->texts, part, block->numbers[i], block->there[i], count,
                            digests[part]);
    }
}
