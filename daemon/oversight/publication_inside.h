/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PUBLICATION_INSIDE_H
#define PUBLICATION_INSIDE_H

/* Publication inside: what publication.c and publication_keys.c share. Nobody else includes this.
 *
 * A new key: the first checkpoint that covers the key.rotate entry is signed by both keys; when it
 * is in last-signed, in checkpoint and in checkpoints/<size>, the old verifier key goes to
 * vkeys/<size>, vkey is replaced, and the new key signs alone. Each step is durable before the next
 * is begun and is done again when a crash came between them: last-signed with both lines and the
 * old vkey say that it has to be. */

#include "base/durable.h"
#include "oversight/oversight.h"
#include "oversight/publication.h"

struct publication {
    struct publication_conf conf;
    const struct sign_key *key; /* signs now: conf.key or conf.next_key */
    struct note_vkey vkey;      /* of it */
    bool rotates;               /* the next checkpoint covers a key.rotate entry to conf.next_key */
    struct checkpoint is_signed; /* valid with has_signed, as the text */
    char signed_text[NOTE_BYTES_MAX + 1];
    bool has_signed;
    bool copied; /* since it was opened: what was signed then has its copy */
    struct tiles *tiles;
    struct wal_reader *reader;
    char signed_path[DURABLE_PATH_BYTES];
    char checkpoint_path[DURABLE_PATH_BYTES];
    char copies_path[DURABLE_PATH_BYTES];
};

/* Which of the two keys the vkey file is of; makes the file when it is missing. Errors: KEY, IO. */
MUST_USE struct err publication_settle_key(struct publication *self);
/* Was last-signed signed by the key that signs now and by the next one? */
bool publication_signed_by_both(const struct publication *self);
/* Notices a key.rotate entry that no checkpoint covers yet. Errors: KEY when it leads elsewhere. */
MUST_USE struct err publication_look(struct publication *self, const struct wal_entry *entry);
/* The doubly signed checkpoint is where everybody sees it: now the verifier keys. */
MUST_USE struct err publication_finish_rotation(struct publication *self);

#endif
