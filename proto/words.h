/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROTO_WORDS_H
#define PROTO_WORDS_H

/* Words: the closed vocabularies that cross module borders, and their spelling in text.
 *
 * The numbers of enum mode, key_scheme, pixel_meaning, energy and record_kind are those of
 * triage.proto; entry types are those of oversight.proto. A _text() function never returns NULL; a
 * _parse() function returns the UNKNOWN value (0) for a word it does not know, energy_parse returns
 * ENERGY_SINGLE only for "single" and -1 otherwise. Pure, thread-safe. */

#include <stdbool.h>
#include <stdint.h>

enum mode {
    MODE_UNKNOWN,
    MODE_TRUCK,
    MODE_PASSENGER,
    MODE_RAIL,
    MODE_SEA,
    MODE_AIR,
    MODE_MAIL,
    MODE_COUNT
};

enum key_scheme {
    KEY_UNKNOWN,
    KEY_CONTAINER,
    KEY_PLATE,
    KEY_VIN,
    KEY_RAILCAR,
    KEY_AWB,
    KEY_S10,
    KEY_DECLARATION,
    KEY_SCAN,
    KEY_ULD,
    KEY_SCHEME_COUNT
};

enum pixel_meaning { PIXEL_UNKNOWN, PIXEL_TRANSMISSION, PIXEL_DISPLAY, PIXEL_DISPLAY_INVERTED };

enum energy { ENERGY_SINGLE, ENERGY_LOW, ENERGY_HIGH };

enum record_kind { RECORD_UNKNOWN, RECORD_DECLARATION, RECORD_SCAN };

enum entry_type {
    ENTRY_UNKNOWN = 0,
    ENTRY_LOG_OPEN = 1,
    ENTRY_LOG_CLOSE = 2,
    ENTRY_KEY_ROTATE = 3,
    ENTRY_CONFIG_CHANGE = 4,
    ENTRY_MODEL_CHANGE = 5,
    ENTRY_SCAN_RECEIVED = 6,
    ENTRY_DECLARATION_RECEIVED = 7,
    ENTRY_RECORD_REFUSED = 8,
    ENTRY_SCORE = 9,
    ENTRY_REFERRAL_DECISION = 10,
    ENTRY_OFFICER_ACTION = 11,
    ENTRY_OUTCOME = 13,
    ENTRY_ACCESS = 14,
    ENTRY_BLOB_DISCARD = 15,
    ENTRY_ARCHIVE_SEAL = 16,
    ENTRY_REDACT = 17,
    ENTRY_WAL_RECOVERED = 18,
    ENTRY_TIME_TICK = 19,
    ENTRY_WITNESS_RECEIPT = 20,
    ENTRY_DRAW_COMMIT = 21,
    ENTRY_DRAW_REVEAL = 22,
    ENTRY_ARCHIVE_COPIED = 23,
    ENTRY_HOLD = 24,
    ENTRY_OPERATION = 25,
    ENTRY_SHADOW_SCORE = 26
};

/* "truck", "passenger", "rail", "sea", "air", "mail"; "unknown". */
const char *mode_text(enum mode mode);
enum mode mode_parse(const char *text);

/* "container", "plate", "vin", "railcar", "awb", "s10", "declaration", "scan", "uld". */
const char *key_scheme_text(enum key_scheme scheme);
enum key_scheme key_scheme_parse(const char *text);
/* True for keys that identify a person (plates, VINs): they never enter an entry or an archive
 * file. */
bool key_scheme_is_personal(enum key_scheme scheme);

/* "transmission", "display", "display-inverted". */
const char *pixel_meaning_text(enum pixel_meaning meaning);
enum pixel_meaning pixel_meaning_parse(const char *text);

/* "single", "low", "high". */
const char *energy_text(enum energy energy);
int energy_parse(const char *text);

/* "scan.received", "declaration.received", "record.refused", "score", "referral.decision",
 * "officer.action", "outcome", "archive.seal", "wal.recovered", "time.tick", "draw.commit",
 * "draw.reveal", "log.open", "log.close", "key.rotate", "config.change", "model.change", "access",
 * "blob.discard", "redact", "witness.receipt", "archive.copied", "hold", "operation",
 * "shadow.score". */
const char *entry_type_text(enum entry_type type);
enum entry_type entry_type_parse(const char *text);

#endif
