/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHADOW_PARTS_H
#define SHADOW_PARTS_H

/* Shadow parts: what shadow_line.c (entries), shadow_model.c (the scorer), shadow_order.c and
 * shadow_item.c (one item, one outcome) share. The shadow line's thread, but for what says
 * otherwise. */

#include "pipeline_parts.h"

#define SHADOW_DRAFTS 64u
#define SHADOW_PLACE_BYTES sizeof((struct score_installed *)NULL)->name
#define SHADOW_SCORES \
    256u /* remembered until their decision comes, which is the next entry or near */

struct shadow_pending {
    uint8_t item[ITEM_ID_BYTES];
    uint8_t causes[JOIN_PARTS_MAX][ENTRY_ID_BYTES];
    uint32_t causes_count;
};

/* What health shows of it. */
struct shadow_told {
    char place[96]; /* "": no model is in shadow */
    uint8_t sha256[HASH_BYTES];
    uint64_t entry_index; /* of its model.change */
    bool running;
    char fault[ERR_TEXT_BYTES]; /* why it does not run */
};

struct shadow_line {
    struct pipeline *pipeline;
    pthread_t thread;
    bool started;
    pthread_mutex_t lock; /* guards stopping, asked and told */
    pthread_cond_t wake;
    bool stopping;
    struct command_job *asked; /* NULL: none; stays until it is answered */
    struct shadow_told told;

    struct state *state; /* a reader of its own */

    /* While a model is in shadow: */
    struct score *score; /* NULL: none is, or it does not run */
    char place[96];
    uint8_t sha256[HASH_BYTES];
    uint64_t since; /* decisions of entries behind this one are scored */
    struct wal_reader *follow;
    struct wal_reader *lookup;
    uint64_t position; /* the next entry to be read */

    struct shadow_pending pending[SHADOW_SCORES]; /* a ring */
    uint32_t pending_next;
    struct oversight_draft *drafts; /* SHADOW_DRAFTS */
    uint32_t drafts_count;
    struct queue *done;
    uint8_t *arena_bytes;
    struct arena entry_arena;  /* of the entry at hand */
    struct arena cause_arena;  /* of a received entry that is looked up */
    struct arena record_arena; /* of the records of an item */
    uint8_t *pixels;
    uint64_t pixels_capacity;
    struct score_input input;
    struct score_result result;
    struct declaration declarations[SCORE_PARTS_MAX];
    struct scan scans[SCORE_PARTS_MAX];
};

/* shadow_line.c: the daemon stops; nothing long is begun or gone on with. */
bool shadow_is_stopping(struct shadow_line *self);

/* shadow_model.c: the model of this file beside those in use, taught by what the log holds so far;
 * whatever ran before is gone. CLOSED: a stop has cut it short. */
MUST_USE struct err shadow_load(struct shadow_line *self, const uint8_t sha256[HASH_BYTES],
                                struct score_installed *what);
/* The place that the file names, if it is a whole model file. What runs is not touched; whether the
 * scorer takes its numbers only shadow_load tells. */
MUST_USE struct err shadow_look(struct shadow_line *self, const uint8_t sha256[HASH_BYTES],
                                char place[SHADOW_PLACE_BYTES]);
/* What the log says is in shadow runs again, from the log's end on. */
void shadow_resume(struct shadow_line *self);
void shadow_drop(struct shadow_line *self);
/* Another model into the scorer. what may be NULL. */
MUST_USE struct err shadow_install(struct shadow_line *self, const uint8_t sha256[HASH_BYTES],
                                   struct score_installed *what);
/* For health. shadow NULL: none. */
void shadow_tell(struct shadow_line *self, const struct state_shadow *shadow, bool running,
                 struct err fault);

/* shadow_order.c: does what is asked and answers it. An error is one of the line; the order was
 * answered too, unless the log has failed. */
MUST_USE struct err shadow_order(struct shadow_line *self, struct command_job *job);
/* The answer to what was asked; from here on another order may come. */
MUST_USE struct err shadow_answer(struct shadow_line *self, struct command_job *job,
                                  struct err fault, const char *reason);

/* shadow_item.c: the score of an item that was decided, as a draft. What cannot be scored is
 * counted: no error of a model or a record is one of the line. */
MUST_USE struct err shadow_item_score(struct shadow_line *self,
                                      const struct shadow_pending *pending);
/* Hands the drafts to the log and waits until they are durable. */
MUST_USE struct err shadow_item_flush(struct shadow_line *self);
/* An outcome of the log teaches the model in shadow as it taught the one in use. */
MUST_USE struct err shadow_item_outcome(struct shadow_line *self, const struct entry *entry);
/* All outcomes that stand, of entries below `until`. CLOSED: a stop has cut it short. */
MUST_USE struct err shadow_item_relearn(struct shadow_line *self, uint64_t until);

#endif
