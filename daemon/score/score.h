/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCORE_H
#define SCORE_H

/* Score: what the models say of an item, with reasons in words.
 *
 * probability = sigmoid(logit), logit = sum of the contributions: the numbers an officer is shown
 * are the ones that made the score. Parts: appearance (patch embedding, distance to a memory bank
 * of normal patches, per scanner type), consistency (what the scan says against what is declared),
 * history (log-odds of past exams of entities and pairs), quality (kept apart from risk: it may
 * widen nothing but is shown), intercept. Models are immutable files named by hash
 * (archive/model_file.h), installed by model.change entries. Threads: a scorer belongs to one
 * thread. No allocation of ours in score_items() after score_open(). BLAS runs one thread. Same
 * inputs, models, history, machine and build: same bits, whatever else is in the batch. */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "proto/entry.h"
#include "proto/record.h"

struct score;

struct score_conf {
    uint64_t image_bytes_max; /* of one image */
    uint64_t history_slots; /* entities and pairs that live history can hold, rounded up to a power
                               of two */
    uint32_t
        working_height; /* images are reduced to at most this height before they are looked at */
    const uint8_t *pseudonym_key; /* 32 bytes, copied; names in words come out as pseudonyms under
                                     it. NULL: no names at all */
    bool shadow; /* beside the scorer in use: sets no counter and warns of nothing */
};

MUST_USE struct err score_open(const struct score_conf *conf, struct score **out);
void score_close(struct score **self);

/* Use this model file from now on in the place that its own `name` text says ("history", "fusion",
 * "emptiness", "appearance/<scanner type>", "consistency/<scanner type>"). Borrows nothing.
 * MODEL_UNREADABLE when a part is missing or of the wrong shape. */
struct score_installed {
    char name[96];
    char evaluation[2048]; /* figures, as the model file tells them */
    uint64_t file_bytes;
};
/* what may be NULL. */
MUST_USE struct err score_install(struct score *self, const char *path,
                                  const uint8_t wanted[HASH_BYTES], struct score_installed *what);
#define SCORE_MODELS_MAX 82u
/* Names and hashes of what is installed; at most SCORE_MODELS_MAX. Strings live as long as the
 * scorer. */
uint32_t score_models(const struct score *self, struct entry_model *out);

#define SCORE_PARTS_MAX 8u

struct score_scan {
    const struct scan *scan;
    const uint8_t *pixels[RECORD_IMAGES_MAX]; /* canonical bytes of each image; NULL when it could
                                                 not be read */
};

struct score_input {
    const struct declaration *declarations[SCORE_PARTS_MAX];
    uint32_t declarations_count;
    struct score_scan scans[SCORE_PARTS_MAX];
    uint32_t scans_count;
};

#define SCORE_WORDS_BYTES 160u

/* Models of one score whose inputs are numbers: history, fusion, consistency. */
#define SCORE_INPUTS_MAX 3u

struct score_result {
    struct entry_score score; /* pointers point into this struct or into the scorer */
    float inputs[SCORE_INPUTS_MAX][ENTRY_INPUT_VALUES_MAX];
    char words[ENTRY_CONTRIBUTIONS_MAX][SCORE_WORDS_BYTES];
    char unscorable[SCORE_WORDS_BYTES];
};

/* Score a batch. An item that no model can say anything about comes out with `unscorable` set and
 * probability 0. */
void score_items(struct score *self, const struct score_input *inputs, struct score_result *results,
                 uint32_t count);

/* The score again, from what the log and an archive file hold of it.
 *
 * `logged` gives the inputs and names the models, which must be the ones installed: those that it
 * does not name count as absent. With scans (in the order of the score's causes, all pixels there)
 * what the images gave is computed from them; with NULL it is taken from the inputs as well, and
 * regions are the logged ones. *result has no words. `why` says in a few words what is missing when
 * it cannot be done: static. The models must stay installed while the result is used. */
bool score_replay(struct score *self, const struct entry_score *logged,
                  const struct score_input *scans, struct score_result *result, const char **why);
/* Room that a scorer must have (score_conf.working_height) to replay this score; 0 when the score
 * does not tell. */
uint32_t score_replay_height(const struct entry_score *logged);
/* Names of the inputs at this place of a score, separated by spaces; NULL: of a model that this
 * program does not know. Static or the scorer's. */
const char *score_input_names(const struct score *self, const struct entry_score *score,
                              uint32_t inputs_index);
/* Put the built-in constants back in the place "history" or "fusion". */
void score_install_builtin(struct score *self, const char *name);

/* Learning from exams: the outcome of an item with these declarations. found is a confirmed
 * violation. The live history is this on top of the installed history model, in the order of the
 * log. Forgetting needs the time. When the live table is full new entities are not learnt: the
 * counter history_dropped grows, and the first is warned of. */
void score_history_learn(struct score *self, const struct declaration *declaration, bool found,
                         int64_t t_ns);
/* Forget what was learnt live (before the log is replayed). */
void score_history_reset(struct score *self);

/* Anomaly map of one image by the appearance model of this scanner type, for `triagectl show
 * --png`: a float a cell, row by row; the caller frees *map. NOT_FOUND when no such model is
 * installed. */
MUST_USE struct err score_anomaly_map(struct score *self, const struct scan *scan,
                                      uint32_t image_index, const uint8_t *pixels, float **map,
                                      uint32_t *map_width, uint32_t *map_height);

#endif
