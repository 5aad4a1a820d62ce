/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUBMISSION_INSIDE_H
#define SUBMISSION_INSIDE_H

/* What submission.c and submission_round.c share. Nobody else includes this. */

#include <pthread.h>

#include "base/durable.h"
#include "base/tile_files.h"
#include "proto/witness_request.h"
#include "submission/http_post.h"
#include "submission/submission.h"

/* One witness of the policy, as it stands. */
struct submission_witness {
    uint64_t size;     /* that it holds, as far as it told; 0: not known */
    int64_t due_ns;    /* monotonic: not asked before */
    uint32_t failures; /* in a row */
    int64_t heard_ns;  /* monotonic: its last cosignature; 0: never */
    uint64_t time_s;   /* of its newest cosignature; the line below covers this size and root */
    uint64_t line_size;
    uint8_t line_root[HASH_BYTES];
    char line[NOTE_LINE_BYTES_MAX]; /* without its newline; "" when none */
    char why[HTTP_WHY_BYTES];       /* of the last failure; "" when well */
    uint64_t receipt_size;          /* the newest one a receipt was written of */
    int64_t receipt_ns;             /* monotonic; 0: never */
    char url[QUORUM_URL_BYTES_MAX + 20];
};

/* A checkpoint on its round. */
struct submission_note {
    struct checkpoint checkpoint;
    size_t signed_bytes;
    size_t bytes;
    char text[NOTE_BYTES_MAX + 1];
};

struct submission {
    struct submission_conf conf;
    char public_directory[DURABLE_PATH_BYTES];
    struct quorum quorum;
    struct http_posts *posts;
    struct submission_note note;
    struct tile_files tiles;
    struct witness_request request;
    struct http_post answers[QUORUM_WITNESSES_MAX];
    char bodies[QUORUM_WITNESSES_MAX][WITNESS_REQUEST_BYTES_MAX];
    uint64_t old_sizes[QUORUM_WITNESSES_MAX]; /* that the bodies say */

    pthread_mutex_t lock; /* guards the rest; only the owner writes, and reads without it */
    struct submission_witness witnesses[QUORUM_WITNESSES_MAX];
    uint64_t met_size; /* newest size at which the quorum was met; 0: never */
    int64_t met_utc_ns;
    uint64_t asked_size; /* of the last round */
    bool met;            /* the last round met it */
};

/* submission.c: reads a checkpoint of the public directory, by its name there, into self->note. */
MUST_USE struct err submission_load(struct submission *self, const char *name);
/* Puts the lines at hand behind the note and shows it when the quorum is met. */
MUST_USE struct err submission_settle(struct submission *self);
/* A line of witness i that covers self->note was seen. */
void submission_keep(struct submission *self, uint32_t i, const struct note_signature *line,
                     uint64_t time_s);

#endif
