/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RETENTION_PARTS_H
#define RETENTION_PARTS_H

/* Retention parts: what retention_open.c, retention_line.c (copies, turns, health) and
 * retention_discard.c share. Nobody else includes this. Everything belongs to the retention line,
 * but what `lock` guards. */

#include "archive/archive_copy.h"
#include "pipeline_parts.h"

#define RETENTION_PLACES_MAX 8u
#define RETENTION_PAGE 64u /* payloads in one blob.discard entry */

struct retention_place {
    char configured[CONF_TEXT_BYTES]; /* as the log names it */
    char directory[PIPELINE_PATH_BYTES];
    bool usable; /* this turn */
    bool swept;
    bool same_device;
    uint64_t waiting; /* guarded, as the rest: sealed files without a copy here */
    int64_t since_ns; /* when the oldest of them was sealed; 0: none */
    char trouble[ERR_TEXT_BYTES];
};

/* A discard that a stop left unfinished, and that the start could not finish: its sealed file is
 * not whole. */
struct retention_left {
    char kept_in[sizeof((struct state_seal *)NULL)->path]; /* "" when the file is not even known */
    struct err fault;                                      /* err_none: nothing was left */
};

struct retention {
    struct pipeline *pipeline;
    struct state *state; /* for reading; its own */
    char archive[PIPELINE_PATH_BYTES];
    struct retention_place places[RETENTION_PLACES_MAX];
    uint32_t places_count;
    uint64_t verified; /* entry index of the seal whose files were read whole in this pass */
    bool has_verified;
    struct retention_left left;
    pthread_mutex_t lock;         /* guards waiting, since_ns and trouble of places, and: */
    char trouble[ERR_TEXT_BYTES]; /* what keeps payloads from being discarded; "" nothing */
    int64_t passed_ns;            /* when all that is due had been discarded, UTC */
};

/* retention_line.c */
/* ERR_CLOSED once the line has to stop. */
MUST_USE struct err retention_going(struct retention *self);
/* Until the read model has the entry. CLOSED as above. */
MUST_USE struct err retention_await(struct retention *self, uint64_t entry_index);
struct archive_sealed retention_sealed(const struct state_seal *seal);
/* Everything that a problem of a disk other than the store's can be: told, tried again later. */
bool retention_is_trouble(struct err err);
/* The file of the seal lies whole in the place, made again if need be; its entry is durable. */
MUST_USE struct err retention_copy(struct retention *self, struct retention_place *place,
                                   const struct state_seal *seal, bool told);
void retention_tell(struct retention *self, char *trouble, const char *where, struct err err);

/* retention_discard.c: everything that is due, seal by seal; nothing while a discard is unfinished,
 * because a start looks after the newest one alone. */
MUST_USE struct err retention_discard(struct retention *self);
/* Payloads that the log says are discarded go off the disk, those that it names again stay.
 * `marked`: blob_leave_begin was called for them. Ends the marks. */
MUST_USE struct err retention_remove(struct pipeline *pipeline, struct state *state,
                                     const uint8_t (*digests)[HASH_BYTES], uint32_t count);

#endif
