/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/words.h"

#include <stddef.h>
#include <string.h>

/* One table a vocabulary, indexed by the number on the wire: text and parse cannot disagree. */

#define COUNT_OF(table) (sizeof(table) / sizeof((table)[0]))

static const char *const mode_words[] = {
    [MODE_UNKNOWN] = "unknown", [MODE_TRUCK] = "truck", [MODE_PASSENGER] = "passenger",
    [MODE_RAIL] = "rail",       [MODE_SEA] = "sea",     [MODE_AIR] = "air",
    [MODE_MAIL] = "mail",
};
_Static_assert(COUNT_OF(mode_words) == MODE_COUNT, "every mode has a word");

static const char *const key_scheme_words[] = {
    [KEY_UNKNOWN] = "unknown", [KEY_CONTAINER] = "container",     [KEY_PLATE] = "plate",
    [KEY_VIN] = "vin",         [KEY_RAILCAR] = "railcar",         [KEY_AWB] = "awb",
    [KEY_S10] = "s10",         [KEY_DECLARATION] = "declaration", [KEY_SCAN] = "scan",
    [KEY_ULD] = "uld",
};
_Static_assert(COUNT_OF(key_scheme_words) == KEY_SCHEME_COUNT, "every key scheme has a word");

static const char *const pixel_meaning_words[] = {
    [PIXEL_UNKNOWN] = "unknown",
    [PIXEL_TRANSMISSION] = "transmission",
    [PIXEL_DISPLAY] = "display",
    [PIXEL_DISPLAY_INVERTED] = "display-inverted",
};

static const char *const energy_words[] = {
    [ENERGY_SINGLE] = "single",
    [ENERGY_LOW] = "low",
    [ENERGY_HIGH] = "high",
};

static const char *const entry_type_words[] = {
    [ENTRY_UNKNOWN] = "unknown",
    [ENTRY_LOG_OPEN] = "log.open",
    [ENTRY_LOG_CLOSE] = "log.close",
    [ENTRY_KEY_ROTATE] = "key.rotate",
    [ENTRY_CONFIG_CHANGE] = "config.change",
    [ENTRY_MODEL_CHANGE] = "model.change",
    [ENTRY_SCAN_RECEIVED] = "scan.received",
    [ENTRY_DECLARATION_RECEIVED] = "declaration.received",
    [ENTRY_RECORD_REFUSED] = "record.refused",
    [ENTRY_SCORE] = "score",
    [ENTRY_REFERRAL_DECISION] = "referral.decision",
    [ENTRY_OFFICER_ACTION] = "officer.action",
    [ENTRY_OUTCOME] = "outcome",
    [ENTRY_ACCESS] = "access",
    [ENTRY_BLOB_DISCARD] = "blob.discard",
    [ENTRY_ARCHIVE_SEAL] = "archive.seal",
    [ENTRY_REDACT] = "redact",
    [ENTRY_WAL_RECOVERED] = "wal.recovered",
    [ENTRY_TIME_TICK] = "time.tick",
    [ENTRY_WITNESS_RECEIPT] = "witness.receipt",
    [ENTRY_DRAW_COMMIT] = "draw.commit",
    [ENTRY_DRAW_REVEAL] = "draw.reveal",
    [ENTRY_ARCHIVE_COPIED] = "archive.copied",
    [ENTRY_HOLD] = "hold",
    [ENTRY_OPERATION] = "operation",
    [ENTRY_SHADOW_SCORE] = "shadow.score",
};

/* Numbers without a word (gaps, and whatever a later version sends) read as the word of 0. */
static const char *word_of(const char *const *words, size_t words_count, int64_t number)
{
    if (number < 0 || (uint64_t)number >= words_count || words[number] == NULL) {
        return words[0];
    }
    return words[number];
}

/* -1 for a word that the table does not have. */
static int number_of(const char *const *words, size_t words_count, const char *text)
{
    for (size_t i = 0; i < words_count; i++) {
        if (words[i] != NULL && strcmp(words[i], text) == 0) {
            return (int)i;
        }
    }
    return -1;
}

const char *mode_text(enum mode mode)
{
    return word_of(mode_words, COUNT_OF(mode_words), mode);
}

enum mode mode_parse(const char *text)
{
    int number = number_of(mode_words, COUNT_OF(mode_words), text);
    return number < 0 ? MODE_UNKNOWN : (enum mode)number;
}

const char *key_scheme_text(enum key_scheme scheme)
{
    return word_of(key_scheme_words, COUNT_OF(key_scheme_words), scheme);
}

enum key_scheme key_scheme_parse(const char *text)
{
    int number = number_of(key_scheme_words, COUNT_OF(key_scheme_words), text);
    return number < 0 ? KEY_UNKNOWN : (enum key_scheme)number;
}

bool key_scheme_is_personal(enum key_scheme scheme)
{
    return scheme == KEY_PLATE || scheme == KEY_VIN;
}

const char *pixel_meaning_text(enum pixel_meaning meaning)
{
    return word_of(pixel_meaning_words, COUNT_OF(pixel_meaning_words), meaning);
}

enum pixel_meaning pixel_meaning_parse(const char *text)
{
    int number = number_of(pixel_meaning_words, COUNT_OF(pixel_meaning_words), text);
    return number < 0 ? PIXEL_UNKNOWN : (enum pixel_meaning)number;
}

const char *energy_text(enum energy energy)
{
    return word_of(energy_words, COUNT_OF(energy_words), energy);
}

int energy_parse(const char *text)
{
    return number_of(energy_words, COUNT_OF(energy_words), text);
}

const char *entry_type_text(enum entry_type type)
{
    return word_of(entry_type_words, COUNT_OF(entry_type_words), type);
}

enum entry_type entry_type_parse(const char *text)
{
    int number = number_of(entry_type_words, COUNT_OF(entry_type_words), text);
    return number < 0 ? ENTRY_UNKNOWN : (enum entry_type)number;
}
