/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROTO_CHECKDIGIT_H
#define PROTO_CHECKDIGIT_H

/* Check digits of the identifiers that join scans to declarations. Pure. Input is text as it was
 * received: callers normalise first with key_normalise (spaces, hyphens and dots dropped, letters
 * raised). */

#include <stdbool.h>
#include <stddef.h>

#include "proto/words.h"

enum check {
    CHECK_GOOD,
    CHECK_WEAK,  /* right, but of a form that the standard discourages (ISO 6346 remainder 10) */
    CHECK_WRONG, /* right form, wrong digit */
    CHECK_MALFORMED, /* not of this form at all */
    CHECK_NONE       /* the scheme has no check digit */
};

const char *check_text(enum check check);

/* ISO 6346 (and EN 13044 category letters A, B, D, E, K): 4 letters, 6 digits, check digit. */
enum check check_iso6346(const char *text);
/* UPU S10: 2 letters, 8 digits, check digit, 2 letters. */
enum check check_s10(const char *text);
/* Air waybill: 11 digits, the last is the serial (digits 4..10) mod 7. */
enum check check_awb(const char *text);
/* IMO ship number: 7 digits, optionally after "IMO". */
enum check check_imo(const char *text);
/* VIN, 17 characters without I, O, Q; position 9. Outside North America the digit is optional:
 * WRONG is a hint. */
enum check check_vin(const char *text);
/* The check that belongs to a key's scheme. */
enum check check_key(enum key_scheme scheme, const char *text);

/* Writes the key in its one spelling; false when it does not fit or is empty. */
bool key_normalise(const char *text, char *out, size_t out_capacity);

#endif
