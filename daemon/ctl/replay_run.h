/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CTL_REPLAY_RUN_H
#define CTL_REPLAY_RUN_H

/* Replay run: every score of some archive files, one after the other, with what was found. Main
 * thread. */

#include <stdbool.h>
#include <stdint.h>

#include "ctl/replay_compare.h"
#include "ctl/replay_models.h"
#include "ctl/replay_shelf.h"
#include "score/computing.h"

enum replay_depth {
    REPLAY_WHOLE,  /* images and inputs */
    REPLAY_INPUTS, /* inputs alone: a record of the item is in no file at hand */
    REPLAY_NOT     /* it could not be done */
};

/* One score; borrowed for the call. */
struct replay_finding {
    const struct entry *entry; /* the score */
    bool shadow;               /* by a model in shadow */
    const char *path;          /* of its archive file */
    enum replay_depth depth;
    const char *why; /* REPLAY_NOT, REPLAY_INPUTS: words */
    const struct replay_differences *differences;
};

/* What computed some of the scores, as the log's config.change says; all "" when the files at hand
 * do not. */
struct replay_machine {
    struct score_computing computing;
    uint64_t scores_count;
    uint64_t differing_count;
    double largest_probability;
    double largest_logit;
};
#define REPLAY_MACHINES_MAX 8u

struct replay_counts {
    uint64_t scores;
    uint64_t shadows; /* of these, by models in shadow */
    uint64_t identical;
    uint64_t inputs_alone; /* no difference, but what images gave was not compared */
    uint64_t differing;
    uint64_t not_replayed;
    uint64_t tables_differing; /* files whose tables do not say what their entries say */
    uint64_t files_unread;     /* files that could not be read to their end */
};

struct replay_run {
    struct replay_shelf *shelf;
    struct replay_models *models;
    struct replay_models *shadow_models; /* of scores in shadow, which come in turn with others */
    const char *item; /* only scores of items whose id begins with these digits, or whose decision
                         has this label; NULL: all */
    struct id_map labelled; /* items with this label: replay_run_find_label */
    uint64_t scores_max;    /* stop after so many; 0: never */
    void (*tell)(void *teller, const struct replay_finding *finding);
    void (*progress)(void *teller, uint64_t done, uint64_t total); /* entries */
    void *teller;

    struct replay_counts counts;
    struct replay_machine machines[REPLAY_MACHINES_MAX];
    uint32_t machines_count;
    uint32_t machine;       /* in force */
    uint64_t machine_until; /* the index of the entry before which it is; 0: not known */
    const char *bad_table;  /* of the file looked at last, "" */
};

/* Learns which items have the label `item`, which only their decisions carry: in the file at this
 * place. A decision may lie in a later file than the score, so all files come before the first
 * replay_run_file. */
MUST_USE struct err replay_run_find_label(struct replay_run *self, uint32_t at);
/* Replays what is asked for of the file at this place. An error is one of reading the file or of
 * memory; what was found before it counts. A score that cannot be replayed is a finding. */
MUST_USE struct err replay_run_file(struct replay_run *self, uint32_t at);
bool replay_run_is_done(const struct replay_run *self);

#endif
