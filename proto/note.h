/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROTO_NOTE_H
#define PROTO_NOTE_H

/* Note: C2SP signed-note and tlog-checkpoint, as text arithmetic, and the paths of tlog-tiles.
 * Pure; caller's memory. A checkpoint here has exactly three lines and Ed25519 (type 0x01)
 * signature lines; see daemon/oversight/FORMAT.md. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/hash.h"
#include "proto/sign.h"

#define NOTE_ORIGIN_BYTES_MAX 128u
#define NOTE_BYTES_MAX 16384u /* a checkpoint with the lines of all witnesses of a policy */
#define NOTE_VKEY_BYTES_MAX 256u
#define TILE_PATH_BYTES_MAX 96u
#define TILE_WIDTH 256u
#define BUNDLE_BYTES_MAX ((size_t)TILE_WIDTH * (2 + 65535u)) /* what the format allows */
#define NOTE_SIGNED_BYTES_MAX 1024u /* decoded, what follows the name on a signature line */

/* What a key signs: the byte in front of it in a vkey. */
enum note_key_type { NOTE_KEY_LOG = 0x01, NOTE_KEY_WITNESS = 0x04 };

struct note_vkey {
    char name[NOTE_ORIGIN_BYTES_MAX + 1];
    uint32_t key_id; /* big-endian reading of the four bytes */
    uint8_t public_key[SIGN_PUBLIC_BYTES];
};

struct checkpoint {
    char origin[NOTE_ORIGIN_BYTES_MAX + 1];
    uint64_t size;
    uint8_t root[HASH_BYTES];
};

/* One signature line, of anybody. The views live as long as the note. */
struct note_signature {
    const char *line; /* without its newline */
    size_t line_bytes;
    const char *name;
    size_t name_bytes;
    uint32_t key_id;
    uint8_t bytes[NOTE_SIGNED_BYTES_MAX];
    size_t bytes_count;
};

enum note_fault {
    NOTE_GOOD,
    NOTE_MALFORMED, /* not a signed note, or not a three-line checkpoint */
    NOTE_TOO_LONG,
    NOTE_WRONG_ORIGIN, /* another log */
    NOTE_NOT_SIGNED,   /* no line by this key */
    NOTE_BAD_SIGNATURE
};

const char *note_fault_text(enum note_fault fault);

/* Origins: 1..NOTE_ORIGIN_BYTES_MAX printable bytes, no space, no '+'. */
bool note_origin_valid(const char *origin);
uint32_t note_key_id(const char *name, const uint8_t public_key[SIGN_PUBLIC_BYTES]);
void note_vkey_make(struct note_vkey *out, const char *name,
                    const uint8_t public_key[SIGN_PUBLIC_BYTES]);
/* "name+hex8+base64(0x01||key)"; out needs NOTE_VKEY_BYTES_MAX. */
void note_vkey_encode(const struct note_vkey *vkey, char *out);
bool note_vkey_decode(const char *text, struct note_vkey *out);
/* The same three for keys of another type; the functions above are those of logs. */
void note_vkey_make_typed(enum note_key_type type, struct note_vkey *out, const char *name,
                          const uint8_t public_key[SIGN_PUBLIC_BYTES]);
void note_vkey_encode_typed(enum note_key_type type, const struct note_vkey *vkey, char *out);
bool note_vkey_decode_typed(enum note_key_type type, const char *text, struct note_vkey *out);

/* Writes the signed checkpoint, zero-terminated; out needs NOTE_BYTES_MAX. Returns its length. */
size_t checkpoint_sign(const struct checkpoint *checkpoint, const struct sign_key *key, char *out);
/* Checks shape, origin and the signature line of vkey; lines of other keys are ignored. *out is
 * written on NOTE_GOOD. */
enum note_fault checkpoint_open(const char *text, size_t text_bytes, const struct note_vkey *vkey,
                                struct checkpoint *out);

/* The checkpoint and where its signature lines begin, before anybody's key is known: nothing is
 * verified. *signed_bytes is what signatures cover; false when it is no three-line checkpoint with
 * at least one byte behind the empty line, or too long. */
bool checkpoint_split(const char *text, size_t text_bytes, struct checkpoint *out,
                      size_t *signed_bytes, size_t *lines_at);
/* The signature line at *at, which moves behind it; false when it is malformed or there is none
 * left (then *at is text_bytes). */
bool note_signature_next(const char *text, size_t text_bytes, size_t *at,
                         struct note_signature *out);
/* By this key, as far as name and key id tell. */
bool note_signature_is_by(const struct note_signature *signature, const struct note_vkey *vkey);
/* A tree size as notes spell it: decimal, no sign, no leading zero, below 2^64. */
bool note_decimal_read(const char *text, size_t text_bytes, uint64_t *out);
/* "— name base64(key id || signature)" with its newline and a zero; out needs
 * NOTE_LINE_BYTES_MAX, signature_bytes is at most NOTE_LINE_SIGNATURE_MAX. Returns the length. */
#define NOTE_LINE_SIGNATURE_MAX 72u
#define NOTE_LINE_BYTES_MAX (4u + NOTE_ORIGIN_BYTES_MAX + 1u + 104u + 2u)
size_t note_signature_write(const char *name, uint32_t key_id, const uint8_t *signature,
                            size_t signature_bytes, char *out);

/* note_log.c: the lines that the log itself signed. Its keys all have the origin as their name.
 *
 * Adds the line of one more key of the log behind a text that checkpoint_sign wrote: the one
 * checkpoint that goes with a new key has two. Returns the new length. */
size_t checkpoint_sign_also(const struct checkpoint *checkpoint, const struct sign_key *key,
                            char *text, size_t text_bytes);
/* Copies the text with those signature lines only whose name is the origin, without what witnesses
 * added; *lines counts them. out needs NOTE_BYTES_MAX + 1 and is zero-terminated. False when it
 * does not have the form of a checkpoint; says nothing about signatures. */
bool checkpoint_strip(const char *text, size_t text_bytes, char *out, size_t *out_bytes,
                      uint32_t *lines);

/* tlog-tiles paths below the log's directory: "tile/3/x001/067", "tile/0/000.p/17",
 * "tile/entries/x001/067.p/5". width 0 or 256 is a full tile. out needs TILE_PATH_BYTES_MAX. */
void tile_path(uint32_t level, uint64_t index, uint32_t width, char *out);
void bundle_path(uint64_t index, uint32_t width, char *out);

/* One step through an entry bundle: u16 big-endian length, bytes. *offset moves on. False at the
 * end or when the bundle is cut short: then *offset != bundle_bytes tells which. */
bool bundle_next(const uint8_t *bundle, size_t bundle_bytes, size_t *offset, const uint8_t **entry,
                 uint32_t *entry_bytes);

#endif
