/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/note.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Signed notes are compared byte by byte by witnesses, so there must be one spelling only: decimal
 * without leading zeros, canonical base64, exactly three lines of text, every signature line ended
 * by a newline. */

#define SIGNATURE_MARK "\xe2\x80\x94 " /* em dash (U+2014), space */
#define SIGNATURE_MARK_BYTES 4u
#define KEY_ID_BYTES ((size_t)4)
#define KEY_ID_DIGITS (2 * KEY_ID_BYTES)
#define VKEY_KEY_BYTES (1u + SIGN_PUBLIC_BYTES)
#define ROOT_TEXT_BYTES 44u

const char *note_fault_text(enum note_fault fault)
{
    switch (fault) {
    case NOTE_GOOD:
        return "good";
    case NOTE_MALFORMED:
        return "not a signed checkpoint of three lines";
    case NOTE_TOO_LONG:
        return "too long";
    case NOTE_WRONG_ORIGIN:
        return "of another log";
    case NOTE_NOT_SIGNED:
        return "not signed by the key";
    case NOTE_BAD_SIGNATURE:
        return "the signature does not fit the text";
    }
    return "unknown";
}

/* Printable ASCII without space and plus. */
static bool name_valid(const char *name, size_t name_bytes)
{
    if (name_bytes == 0 || name_bytes > NOTE_ORIGIN_BYTES_MAX) {
        return false;
    }
    for (size_t i = 0; i < name_bytes; i++) {
        if (name[i] <= ' ' || name[i] > '~' || name[i] == '+') {
            return false;
        }
    }
    return true;
}

bool note_origin_valid(const char *origin)
{
    return name_valid(origin, strnlen(origin, NOTE_ORIGIN_BYTES_MAX + 1));
}

static uint32_t key_id_read(const uint8_t bytes[KEY_ID_BYTES])
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static void key_id_write(uint32_t key_id, uint8_t out[KEY_ID_BYTES])
{
    for (unsigned i = 0; i < KEY_ID_BYTES; i++) {
        out[i] = (uint8_t)(key_id >> (24 - 8 * i));
    }
}

static uint32_t key_id_of(enum note_key_type type, const char *name,
                          const uint8_t public_key[SIGN_PUBLIC_BYTES])
{
    uint8_t text[NOTE_ORIGIN_BYTES_MAX + 2 + SIGN_PUBLIC_BYTES];
    size_t name_bytes = strnlen(name, NOTE_ORIGIN_BYTES_MAX);
    memcpy(text, name, name_bytes);
    text[name_bytes] = '\n';
    text[name_bytes + 1] = (uint8_t)type;
    memcpy(text + name_bytes + 2, public_key, SIGN_PUBLIC_BYTES);
    uint8_t digest[HASH_BYTES];
    sha256_of(text, name_bytes + 2 + SIGN_PUBLIC_BYTES, digest);
    return key_id_read(digest);
}

uint32_t note_key_id(const char *name, const uint8_t public_key[SIGN_PUBLIC_BYTES])
{
    return key_id_of(NOTE_KEY_LOG, name, public_key);
}

void note_vkey_make(struct note_vkey *out, const char *name,
                    const uint8_t public_key[SIGN_PUBLIC_BYTES])
{
    note_vkey_make_typed(NOTE_KEY_LOG, out, name, public_key);
}

void note_vkey_make_typed(enum note_key_type type, struct note_vkey *out, const char *name,
                          const uint8_t public_key[SIGN_PUBLIC_BYTES])
{
    size_t name_bytes = strnlen(name, NOTE_ORIGIN_BYTES_MAX);
    memset(out, 0, sizeof *out);
    memcpy(out->name, name, name_bytes);
    memcpy(out->public_key, public_key, SIGN_PUBLIC_BYTES);
    out->key_id = key_id_of(type, out->name, public_key);
}

void note_vkey_encode(const struct note_vkey *vkey, char *out)
{
    note_vkey_encode_typed(NOTE_KEY_LOG, vkey, out);
}

void note_vkey_encode_typed(enum note_key_type type, const struct note_vkey *vkey, char *out)
{
    uint8_t key[VKEY_KEY_BYTES] = {(uint8_t)type};
    memcpy(key + 1, vkey->public_key, SIGN_PUBLIC_BYTES);
    char key_text[4 * ((VKEY_KEY_BYTES + 2) / 3) + 1];
    base64_encode(key, sizeof key, key_text);
    (void)snprintf(out, NOTE_VKEY_BYTES_MAX, "%s+%08" PRIx32 "+%s", vkey->name, vkey->key_id,
                   key_text);
}

bool note_vkey_decode(const char *text, struct note_vkey *out)
{
    return note_vkey_decode_typed(NOTE_KEY_LOG, text, out);
}

bool note_vkey_decode_typed(enum note_key_type type, const char *text, struct note_vkey *out)
{
    size_t text_bytes = strnlen(text, NOTE_VKEY_BYTES_MAX);
    const char *plus = memchr(text, '+', text_bytes);
    if (text_bytes == NOTE_VKEY_BYTES_MAX || plus == NULL ||
        !name_valid(text, (size_t)(plus - text))) {
        return false;
    }
    const char *id_text = plus + 1;
    size_t left = text_bytes - (size_t)(id_text - text);
    if (left < KEY_ID_DIGITS + 1 || id_text[KEY_ID_DIGITS] != '+') {
        return false;
    }
    char id_digits[KEY_ID_DIGITS + 1] = {0};
    memcpy(id_digits, id_text, KEY_ID_DIGITS);
    uint8_t id[KEY_ID_BYTES];
    uint8_t key[VKEY_KEY_BYTES];
    size_t key_bytes = 0;
    if (!hex_decode(id_digits, id, sizeof id) ||
        !base64_decode(id_text + KEY_ID_DIGITS + 1, left - KEY_ID_DIGITS - 1, key, sizeof key,
                       &key_bytes) ||
        key_bytes != sizeof key || key[0] != (uint8_t)type) {
        return false;
    }
    char name[NOTE_ORIGIN_BYTES_MAX + 1] = {0};
    memcpy(name, text, (size_t)(plus - text));
    struct note_vkey vkey;
    note_vkey_make_typed(type, &vkey, name, key + 1);
    if (vkey.key_id != key_id_read(id)) {
        return false; /* the name or the key was mistyped */
    }
    *out = vkey;
    return true;
}

size_t note_signature_write(const char *name, uint32_t key_id, const uint8_t *signature,
                            size_t signature_bytes, char *out)
{
    uint8_t bytes[KEY_ID_BYTES + NOTE_LINE_SIGNATURE_MAX];
    char text[4 * ((sizeof bytes + 2) / 3) + 1];
    key_id_write(key_id, bytes);
    memcpy(bytes + KEY_ID_BYTES, signature, signature_bytes);
    base64_encode(bytes, KEY_ID_BYTES + signature_bytes, text);
    int line_bytes = snprintf(out, NOTE_LINE_BYTES_MAX, SIGNATURE_MARK "%s %s\n", name, text);
    return (size_t)line_bytes;
}

size_t checkpoint_sign(const struct checkpoint *checkpoint, const struct sign_key *key, char *out)
{
    char root[ROOT_TEXT_BYTES + 1];
    base64_encode(checkpoint->root, HASH_BYTES, root);
    int text_bytes = snprintf(out, NOTE_BYTES_MAX, "%s\n%" PRIu64 "\n%s\n", checkpoint->origin,
                              checkpoint->size, root);
    uint8_t signature[SIGN_SIGNATURE_BYTES];
    sign_bytes(key, out, (size_t)text_bytes, signature);
    out[text_bytes] = '\n';
    size_t line_bytes =
        note_signature_write(checkpoint->origin, note_key_id(checkpoint->origin, key->public_key),
                             signature, sizeof signature, out + text_bytes + 1);
    return (size_t)text_bytes + 1 + line_bytes;
}

/* A line without its newline; false when there is no newline left. *at moves behind it. */
struct line {
    const char *text;
    size_t bytes;
};

static bool line_next(const char *text, size_t text_bytes, size_t *at, struct line *out)
{
    const char *end = *at == text_bytes ? NULL : memchr(text + *at, '\n', text_bytes - *at);
    if (end == NULL) {
        return false;
    }
    out->text = text + *at;
    out->bytes = (size_t)(end - out->text);
    *at += out->bytes + 1;
    return true;
}

bool note_decimal_read(const char *text, size_t text_bytes, uint64_t *out)
{
    if (text_bytes == 0 || text_bytes > 20 || (text_bytes > 1 && text[0] == '0')) {
        return false;
    }
    uint64_t value = 0;
    for (size_t i = 0; i < text_bytes; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return false;
        }
        uint64_t digit = (uint64_t)(text[i] - '0');
        if (value > (UINT64_MAX - digit) / 10) {
            return false;
        }
        value = value * 10 + digit;
    }
    *out = value;
    return true;
}

/* The three lines; *signed_text_bytes is what the signatures cover. */
static bool text_read(const char *text, size_t text_bytes, struct checkpoint *out,
                      size_t *signed_text_bytes)
{
    struct line origin;
    struct line size;
    struct line root;
    size_t at = 0;
    size_t root_bytes = 0;
    if (!line_next(text, text_bytes, &at, &origin) || !line_next(text, text_bytes, &at, &size) ||
        !line_next(text, text_bytes, &at, &root) || !name_valid(origin.text, origin.bytes) ||
        !note_decimal_read(size.text, size.bytes, &out->size) || root.bytes != ROOT_TEXT_BYTES ||
        !base64_decode(root.text, root.bytes, out->root, HASH_BYTES, &root_bytes) ||
        root_bytes != HASH_BYTES) {
        return false;
    }
    memset(out->origin, 0, sizeof out->origin);
    memcpy(out->origin, origin.text, origin.bytes);
    *signed_text_bytes = at;
    return true;
}

/* "— name base64(key id || signature)". Names of foreign signers may be any bytes but space, plus
 * and controls. */
static bool signature_read(struct line line, struct note_signature *out)
{
    if (line.bytes < SIGNATURE_MARK_BYTES ||
        memcmp(line.text, SIGNATURE_MARK, SIGNATURE_MARK_BYTES) != 0) {
        return false;
    }
    const char *name = line.text + SIGNATURE_MARK_BYTES;
    size_t left = line.bytes - SIGNATURE_MARK_BYTES;
    const char *space = memchr(name, ' ', left);
    if (space == NULL || space == name || memchr(name, '+', (size_t)(space - name)) != NULL) {
        return false;
    }
    out->line = line.text;
    out->line_bytes = line.bytes;
    out->name = name;
    out->name_bytes = (size_t)(space - name);
    size_t decoded = 0;
    uint8_t bytes[NOTE_SIGNED_BYTES_MAX];
    if (!base64_decode(space + 1, left - out->name_bytes - 1, bytes, sizeof bytes, &decoded) ||
        decoded <= KEY_ID_BYTES) {
        return false;
    }
    out->key_id = key_id_read(bytes);
    out->bytes_count = decoded - KEY_ID_BYTES;
    memcpy(out->bytes, bytes + KEY_ID_BYTES, out->bytes_count);
    return true;
}

bool note_signature_is_by(const struct note_signature *signature, const struct note_vkey *vkey)
{
    size_t name_bytes = strlen(vkey->name);
    return signature->key_id == vkey->key_id && signature->name_bytes == name_bytes &&
           memcmp(signature->name, vkey->name, name_bytes) == 0;
}

bool note_signature_next(const char *text, size_t text_bytes, size_t *at,
                         struct note_signature *out)
{
    struct line line;
    return line_next(text, text_bytes, at, &line) && signature_read(line, out);
}

bool checkpoint_split(const char *text, size_t text_bytes, struct checkpoint *out,
                      size_t *signed_bytes, size_t *lines_at)
{
    struct line line;
    size_t text_end = 0;
    if (text_bytes > NOTE_BYTES_MAX || !text_read(text, text_bytes, out, &text_end)) {
        return false;
    }
    size_t at = text_end;
    if (!line_next(text, text_bytes, &at, &line) || line.bytes != 0 || at == text_bytes) {
        return false;
    }
    *signed_bytes = text_end;
    *lines_at = at;
    return true;
}

enum note_fault checkpoint_open(const char *text, size_t text_bytes, const struct note_vkey *vkey,
                                struct checkpoint *out)
{
    struct checkpoint checkpoint;
    size_t signed_bytes = 0;
    size_t at = 0;
    if (text_bytes > NOTE_BYTES_MAX) {
        return NOTE_TOO_LONG;
    }
    if (!checkpoint_split(text, text_bytes, &checkpoint, &signed_bytes, &at)) {
        return NOTE_MALFORMED;
    }
    /* The first line of the key decides; every line must have the form of a signature. */
    enum note_fault verdict = NOTE_NOT_SIGNED;
    while (at < text_bytes) {
        struct note_signature signature;
        if (!note_signature_next(text, text_bytes, &at, &signature)) {
            return NOTE_MALFORMED;
        }
        if (verdict == NOTE_NOT_SIGNED && note_signature_is_by(&signature, vkey)) {
            bool good = signature.bytes_count == SIGN_SIGNATURE_BYTES &&
                        sign_verify(vkey->public_key, text, signed_bytes, signature.bytes);
            verdict = good ? NOTE_GOOD : NOTE_BAD_SIGNATURE;
        }
    }
    if (strcmp(checkpoint.origin, vkey->name) != 0) {
        return NOTE_WRONG_ORIGIN;
    }
    if (verdict == NOTE_GOOD) {
        *out = checkpoint;
    }
    return verdict;
}

/* "x001/x234/067[.p/17]" after a prefix: groups of three digits, every group but the last marked.
 */
static void tile_index_write(uint64_t index, uint32_t width, char *out, size_t out_capacity)
{
    char groups[48] = "";
    (void)snprintf(groups, sizeof groups, "%03" PRIu64, index % 1000);
    for (uint64_t rest = index / 1000; rest > 0; rest /= 1000) {
        char longer[sizeof groups];
        (void)snprintf(longer, sizeof longer, "x%03u/%.40s", (unsigned)(rest % 1000), groups);
        memcpy(groups, longer, sizeof groups);
    }
    if (width == 0 || width == TILE_WIDTH) {
        (void)snprintf(out, out_capacity, "%s", groups);
    } else {
        (void)snprintf(out, out_capacity, "%s.p/%" PRIu32, groups, width);
    }
}

void tile_path(uint32_t level, uint64_t index, uint32_t width, char *out)
{
    int prefix_bytes = snprintf(out, TILE_PATH_BYTES_MAX, "tile/%" PRIu32 "/", level);
    tile_index_write(index, width, out + prefix_bytes, TILE_PATH_BYTES_MAX - (size_t)prefix_bytes);
}

void bundle_path(uint64_t index, uint32_t width, char *out)
{
    int prefix_bytes = snprintf(out, TILE_PATH_BYTES_MAX, "tile/entries/");
    tile_index_write(index, width, out + prefix_bytes, TILE_PATH_BYTES_MAX - (size_t)prefix_bytes);
}

bool bundle_next(const uint8_t *bundle, size_t bundle_bytes, size_t *offset, const uint8_t **entry,
                 uint32_t *entry_bytes)
{
    size_t left = bundle_bytes - *offset;
    if (left < 2) {
        return false;
    }
    uint32_t bytes = (uint32_t)bundle[*offset] << 8 | bundle[*offset + 1];
    if (bytes > left - 2) {
        return false;
    }
    *entry = bundle + *offset + 2;
    *entry_bytes = bytes;
    *offset += 2 + (size_t)bytes;
    return true;
}
