/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VERIFY_KEYS_H
#define VERIFY_KEYS_H

/* Verify keys: the keys that a shard was signed with, one after the other. vkeys/<size> is a key
 * that signed up to the checkpoint of that size, which the key after it signed too; vkey is the
 * last one. Which key may have signed a checkpoint follows from its size alone, and a change must
 * stand in the log: a key.rotate entry that this very checkpoint is the first to cover. So whoever
 * trusts any of the keys follows the log to the others. One thread but for verify_keys_check. */

#include "proto/entry.h"
#include "proto/note.h"
#include "verify/verify_report.h"

#define VERIFY_KEYS_MAX 32u

struct verify_rotation {
    uint64_t index; /* of the entry, in its shard */
    char old_vkey[NOTE_VKEY_BYTES_MAX];
    char new_vkey[NOTE_VKEY_BYTES_MAX];
};

struct verify_keys {
    struct note_vkey vkeys[VERIFY_KEYS_MAX];
    uint64_t until[VERIFY_KEYS_MAX]; /* size of the checkpoint that the next key signed too;
                                      * UINT64_MAX: of the last key */
    uint32_t count;
    struct verify_rotation rotations[VERIFY_KEYS_MAX];
    uint32_t rotations_count;
};

/* given: a key or the name of a file that holds one, or NULL. False when there is no good key: then
 * the problem has been reported. *given_is_here: it is one of these. Where the log's own file is
 * missing, the given key takes its place. */
bool verify_keys_read(struct verify_report *report, struct verify_shard *shard, const char *given,
                      struct verify_keys *out, bool *given_is_here);
/* Text of a key that is given as itself or as the name of a file of one line; false when it is not.
 */
bool verify_keys_text(const char *given, char out[NOTE_VKEY_BYTES_MAX]);
/* A checkpoint of this shard, by its size; NULL when it is good, else what is wrong. Pure. */
const char *verify_keys_check(const struct verify_keys *self, const char *text, size_t text_bytes,
                              struct checkpoint *out);
/* A key.rotate entry. */
void verify_keys_rotate(struct verify_keys *self, struct verify_report *report, uint64_t index,
                        const struct entry_key_rotate *rotate);
/* After the last entry: every change of the key has its entry, and every entry its change. sizes:
 * of the signed checkpoints, ascending. */
struct verify_heads;
void verify_keys_finish(const struct verify_keys *self, struct verify_report *report,
                        const struct verify_shard *shard, const struct verify_heads *heads);

#endif
