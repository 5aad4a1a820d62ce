/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/checkdigit.h"

#include <string.h>

/* Positions and weights are those of the standards; the vectors that settle every doubt are in the
 * tests. */

const char *check_text(enum check check)
{
    switch (check) {
    case CHECK_GOOD:
        return "good";
    case CHECK_WEAK:
        return "weak";
    case CHECK_WRONG:
        return "wrong";
    case CHECK_MALFORMED:
        return "malformed";
    case CHECK_NONE:
        return "none";
    }
    return "unknown";
}

static bool is_digit(char character)
{
    return character >= '0' && character <= '9';
}

static bool is_letter(char character)
{
    return character >= 'A' && character <= 'Z';
}

/* 'A' for a letter, '0' for a digit: true when the text has exactly this form. */
static bool has_form(const char *text, const char *form)
{
    size_t at = 0;
    for (; form[at] != '\0'; at++) {
        if (form[at] == 'A' ? !is_letter(text[at]) : !is_digit(text[at])) {
            return false; /* a terminating zero is neither */
        }
    }
    return text[at] == '\0';
}

/* A = 10, B = 12, ... Z = 38: the multiples of 11 are left out, they would not count modulo 11. */
static unsigned iso6346_value(char character)
{
    if (is_digit(character)) {
        return (unsigned)(character - '0');
    }
    unsigned value = 10;
    for (char letter = 'A'; letter < character; letter++) {
        value++;
        value += value % 11 == 0 ? 1 : 0;
    }
    return value;
}

enum check check_iso6346(const char *text)
{
    if (!has_form(text, "AAAA0000000") || strchr("UJZABDEK", text[3]) == NULL) {
        return CHECK_MALFORMED;
    }
    unsigned sum = 0;
    for (unsigned i = 0; i < 10; i++) {
        sum += iso6346_value(text[i]) << i;
    }
    unsigned remainder = sum % 11;
    if (remainder % 10 != (unsigned)(text[10] - '0')) {
        return CHECK_WRONG;
    }
    return remainder == 10 ? CHECK_WEAK : CHECK_GOOD;
}

enum check check_s10(const char *text)
{
    static const unsigned weights[] = {8, 6, 4, 2, 3, 5, 9, 7};
    if (!has_form(text, "AA000000000AA")) {
        return CHECK_MALFORMED;
    }
    unsigned sum = 0;
    for (unsigned i = 0; i < 8; i++) {
        sum += weights[i] * (unsigned)(text[2 + i] - '0');
    }
    unsigned digit = 11 - sum % 11;
    digit = digit == 10 ? 0 : digit == 11 ? 5 : digit;
    return digit == (unsigned)(text[10] - '0') ? CHECK_GOOD : CHECK_WRONG;
}

enum check check_awb(const char *text)
{
    if (!has_form(text, "00000000000")) {
        return CHECK_MALFORMED;
    }
    unsigned serial = 0;
    for (unsigned i = 3; i < 10; i++) {
        serial = serial * 10 + (unsigned)(text[i] - '0');
    }
    return serial % 7 == (unsigned)(text[10] - '0') ? CHECK_GOOD : CHECK_WRONG;
}

enum check check_imo(const char *text)
{
    const char *digits = strncmp(text, "IMO", 3) == 0 ? text + 3 : text;
    if (!has_form(digits, "0000000")) {
        return CHECK_MALFORMED;
    }
    unsigned sum = 0;
    for (unsigned i = 0; i < 6; i++) {
        sum += (7 - i) * (unsigned)(digits[i] - '0');
    }
    return sum % 10 == (unsigned)(digits[6] - '0') ? CHECK_GOOD : CHECK_WRONG;
}

/* -1 for what no VIN contains. */
static int vin_value(char character)
{
    /* Position in each row is the value: 1 A J, 2 B K S, ... 9 I(none) R Z. */
    static const char *const rows[] = {"0",    "1AJ", "2BKS", "3CLT", "4DMU",
                                       "5ENV", "6FW", "7GPX", "8HY",  "9RZ"};
    for (int value = 0; value < 10; value++) {
        if (character != '\0' && strchr(rows[value], character) != NULL) {
            return value;
        }
    }
    return -1;
}

enum check check_vin(const char *text)
{
    static const unsigned weights[] = {8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2};
    if (strnlen(text, 18) != 17) {
        return CHECK_MALFORMED;
    }
    unsigned sum = 0;
    for (unsigned i = 0; i < 17; i++) {
        int value = vin_value(text[i]);
        if (value < 0) {
            return CHECK_MALFORMED;
        }
        sum += weights[i] * (unsigned)value;
    }
    char digit = "0123456789X"[sum % 11];
    return digit == text[8] ? CHECK_GOOD : CHECK_WRONG;
}

enum check check_key(enum key_scheme scheme, const char *text)
{
    switch (scheme) {
    case KEY_CONTAINER:
        return check_iso6346(text);
    case KEY_VIN:
        return check_vin(text);
    case KEY_AWB:
        return check_awb(text);
    case KEY_S10:
        return check_s10(text);
    case KEY_UNKNOWN:
    case KEY_PLATE:
    case KEY_RAILCAR:
    case KEY_DECLARATION:
    case KEY_SCAN:
    case KEY_ULD:
    case KEY_SCHEME_COUNT:
        break;
    }
    return CHECK_NONE;
}

bool key_normalise(const char *text, char *out, size_t out_capacity)
{
    size_t written = 0;
    for (const char *at = text; *at != '\0'; at++) {
        if (*at == ' ' || *at == '-' || *at == '.' || *at == '\t') {
            continue;
        }
        if (written + 1 >= out_capacity) {
            return false;
        }
        /* Only ASCII letters: a plate in another script keeps its bytes. */
        out[written++] = (char)(*at >= 'a' && *at <= 'z' ? *at - 'a' + 'A' : *at);
    }
    if (written == 0) {
        return false;
    }
    out[written] = '\0';
    return true;
}
