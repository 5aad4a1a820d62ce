/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CTL_RETRAIN_H
#define CTL_RETRAIN_H

/* Retrain: would a model taught by the log of today do better than the one in use?
 *
 * The labelled declarations are cut at a moment. One model learns only from exams that had told
 * before it; both are then judged on what was decided from it on. The model in use reads, as it
 * does in the daemon, the outcomes that came between its training and the cut. Declarations of one
 * exam are judged as the one item they are. The cut is the
 * beginning of the last `later_days` days, or the moment after the newest outcome that the model in
 * use was trained on, when that is later: nobody is judged on what he has learnt. Without trees in
 * use the other side is what the decisions say, the whole score.
 *
 * Main thread; blocks on the disk; what goes wrong is told on standard error. */

#include "ctl/ctl.h"
#include "score/compare.h"
#include "score/drift.h"
#include "score/train_declarations.h"

#define RETRAIN_TRAINING_MIN 200u /* exams before the cut */
#define RETRAIN_NOTE_BYTES 640u

struct retrain_conf {
    int64_t later_days;
    uint64_t seed;
    uint32_t threads;
    uint64_t newest;       /* declarations with an outcome that are looked at, 1..LOGGED_MAX */
    const char *directory; /* of model files that are made */
};

struct retrain {
    bool has_model;             /* trees are in use */
    uint8_t in_use[HASH_BYTES]; /* of them */
    int64_t learnt_until_ns;    /* newest outcome that they were trained on */
    int64_t cut_ns;
    uint64_t training_count;
    uint64_t later_count;
    uint64_t random_count; /* of the later ones */
    uint64_t lost_count;   /* labelled, but no longer kept */
    bool compared;         /* false: too few before the cut, or none after it */
    struct compare compare;
    struct drift_field drift[DRIFT_FIELDS_MAX]; /* training rows against later ones */
    uint32_t drift_count;
    char note[RETRAIN_NOTE_BYTES]; /* the comparison in words, for the model's evaluation */
};

/* False when told. */
bool retrain_compare(struct ctl *ctl, const struct retrain_conf *conf, struct retrain *out);
/* Learns from all labelled declarations and writes the file that may be installed. */
bool retrain_write(struct ctl *ctl, const struct retrain_conf *conf, const struct retrain *retrain,
                   struct train_declarations_report *report);

#endif
