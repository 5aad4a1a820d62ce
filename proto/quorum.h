/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROTO_QUORUM_H
#define PROTO_QUORUM_H

/* Quorum: a C2SP tlog-policy file (which logs, which witnesses, how many of them), and whether a
 * checkpoint with its signature lines satisfies it. Pure; bounded; caller's memory.
 *
 * Names of keys are printable ASCII here; names of witnesses and groups are any bytes, as the
 * specification wants. Keys of witnesses are Ed25519 cosignature keys (type 0x04). */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/note.h"

#define QUORUM_FILE_BYTES_MAX 65536u
#define QUORUM_LOGS_MAX 32u
#define QUORUM_WITNESSES_MAX 32u
#define QUORUM_GROUPS_MAX 32u
#define QUORUM_NAME_BYTES_MAX 128u
#define QUORUM_URL_BYTES_MAX 256u

struct quorum_log {
    struct note_vkey vkey;
    char url[QUORUM_URL_BYTES_MAX + 1]; /* "" when none */
};

struct quorum_witness {
    char name[QUORUM_NAME_BYTES_MAX + 1]; /* within the file; the key has a name of its own */
    struct note_vkey vkey;
    char url[QUORUM_URL_BYTES_MAX + 1]; /* submission prefix; "" when none */
};

struct quorum_group {
    char name[QUORUM_NAME_BYTES_MAX + 1];
    uint64_t members; /* bit i: witness i; bit QUORUM_WITNESSES_MAX + i: group i */
    uint32_t threshold;
};

struct quorum {
    struct quorum_log logs[QUORUM_LOGS_MAX];
    struct quorum_witness witnesses[QUORUM_WITNESSES_MAX];
    struct quorum_group groups[QUORUM_GROUPS_MAX];
    uint32_t logs_count;
    uint32_t witnesses_count;
    uint32_t groups_count;
    uint64_t wanted; /* bit of the witness or group that must have signed; 0: none */
};

enum quorum_fault {
    QUORUM_GOOD,
    QUORUM_TOO_LONG,       /* file, name or URL */
    QUORUM_BYTE,           /* a control byte other than tab and newline */
    QUORUM_CUT,            /* the last line has no newline */
    QUORUM_WORD,           /* a line begins with none of log, witness, group, quorum */
    QUORUM_ITEMS,          /* too few or too many words on the line */
    QUORUM_KEY,            /* not a verifier key of the type that belongs here */
    QUORUM_KEY_TWICE,      /* the same public key on two lines */
    QUORUM_NAME_TWICE,     /* the same name for two witnesses or groups, or "none" */
    QUORUM_NAME_UNDEFINED, /* a name that no line above defines */
    QUORUM_MEMBER_TWICE,   /* in more than one group, or twice in one */
    QUORUM_THRESHOLD,      /* not any, all, or a number from 1 to the number of members */
    QUORUM_TOO_MANY,       /* logs, witnesses or groups */
    QUORUM_MISSING,        /* no quorum line */
    QUORUM_TWICE           /* two of them */
};

const char *quorum_fault_text(enum quorum_fault fault);

/* *line is the number of the faulty line from 1, 0 when it is not about a line. *out is undefined
 * unless GOOD. */
enum quorum_fault quorum_read(const char *text, size_t text_bytes, struct quorum *out,
                              uint32_t *line);

enum quorum_vote { QUORUM_ABSENT, QUORUM_SIGNED, QUORUM_FORGED };

enum quorum_verdict {
    QUORUM_MET,
    QUORUM_MISSED,        /* too few witnesses have signed */
    QUORUM_NO_NOTE,       /* not a signed checkpoint of three lines */
    QUORUM_NO_LOG,        /* signed by no log of the policy whose origin it has */
    QUORUM_LOG_FORGED,    /* a line with the name and key id of a log that does not verify */
    QUORUM_WITNESS_FORGED /* the same of a witness: the note cannot be trusted */
};

const char *quorum_verdict_text(enum quorum_verdict verdict);

struct quorum_tally {
    struct checkpoint checkpoint;
    enum quorum_vote votes[QUORUM_WITNESSES_MAX];
    uint64_t times_s[QUORUM_WITNESSES_MAX]; /* of the newest line of each that SIGNED */
    uint32_t signed_count;
};

/* Every signature line is looked at; lines of unknown keys are ignored. A policy without logs takes
 * the log's signature as checked elsewhere. *tally is filled unless NO_NOTE. */
enum quorum_verdict quorum_judge(const struct quorum *quorum, const char *note, size_t note_bytes,
                                 struct quorum_tally *tally);
/* Would these witnesses be enough? */
bool quorum_is_met(const struct quorum *quorum, const enum quorum_vote *votes);

#endif
