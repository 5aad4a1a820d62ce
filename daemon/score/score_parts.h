/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCORE_PARTS_H
#define SCORE_PARTS_H

/* Score parts: what a scorer holds, and the steps that score_items() calls in order for each item.
 * Inside score/ only. */

#include "score/appearance.h"
#include "score/consistency.h"
#include "score/consistency_model.h"
#include "score/declaration_model.h"
#include "score/dome_image.h"
#include "score/finder_image.h"
#include "score/fusion.h"
#include "score/history.h"
#include "score/image_quality.h"
#include "score/quality.h"
#include "score/score.h"
#include "score/score_companion.h"
#include "score/working.h"

/* Scanner types of one port. A score names history, fusion, emptiness, the types of its own scans
 * and one model of consistency only. */
#define SCORE_CONSISTENCIES_MAX 16u
#define SCORE_APPEARANCES_MAX (SCORE_MODELS_MAX - 3u - SCORE_CONSISTENCIES_MAX)
_Static_assert(SCORE_PARTS_MAX + 4u <= ENTRY_MODELS_MAX,
               "a score can name the models of all its scans");
#define SCORE_MODEL_NAME_BYTES 96u
/* Regions that a score tells of one kind: so many that stand out, so many that look like what
 * officers marked. */
#define SCORE_REGIONS_SHOWN 4u
_Static_assert(LUMP_FINDINGS_MAX <= SCORE_REGIONS_SHOWN, "lumps fit the regions shown");
_Static_assert(2 * SCORE_REGIONS_SHOWN <= ENTRY_REGIONS_MAX, "a score can tell both kinds");

struct score_model {
    char name[SCORE_MODEL_NAME_BYTES];
    uint8_t sha256[HASH_BYTES];
    bool builtin;
};

/* What the images of an item gave. */
struct score_sight {
    uint32_t scans_count;
    uint32_t images_count; /* there should be */
    uint32_t usable_count;
    double quality; /* of the worst usable image; 1 without any */
    bool has_measured;
    struct image_quality measured; /* of that image */
    double z; /* of the image that stands out most; NaN: no appearance model judged any */
    uint32_t image_index; /* that image, counted over all scans of the item */
    bool cargo_window;    /* emptiness can be seen */
    struct consistency_measure measure;
    const struct appearance_model *judged_by;    /* of z */
    const struct appearance_model *measured_by;  /* places mass and ratio */
    bool emptiness_asked;                        /* the model of emptiness */
    const struct consistency_model *compared_by; /* holds the load against the declared chapter */
    struct consistency_cargo load;               /* of the first usable image, for that model */
    const struct appearance_model *used[SCORE_PARTS_MAX]; /* all that were asked, in order */
    uint32_t used_count;
    struct appearance_region regions[SCORE_REGIONS_SHOWN];
    uint32_t regions_count;
    double lump_kg;             /* for words: above 0 when z is of a lump in the load */
    double finder_logit;        /* the highest of all images; NaN: no finder looked at any, or found
                                   nothing to look at */
    uint32_t found_image_index; /* of that one */
    struct finder_box found[SCORE_REGIONS_SHOWN];
    uint32_t found_count;
};

/* An item before anything is weighed. Numbers were rounded to floats, so that the inputs that the
 * score carries say all of them and weighing those gives the same bits; the rest is for words only
 * and missing in a replay. */
struct score_case {
    struct consistency_declared declared;
    uint32_t declared_chapter;  /* hs_chapter_declared() */
    double declaration_quality; /* of the worst declaration; 1 without any */
    double overall_logit;       /* of the rate of finds; the base rate when nothing is declared */
    float history[ENTRY_INPUT_VALUES_MAX]; /* what the history model is given */
    uint32_t history_count;
    uint32_t fusion_count;   /* inputs of the fusion: a replayed score has as many as it was logged
                                with */
    uint32_t working_height; /* of images that no appearance model fits */
    struct score_sight sight;

    bool worded;
    /* By the model of trees, of each declaration; NULL in a replay. */
    const struct declaration_risk *risks;
    const struct declaration_parts *risk_parts;
    const struct declaration_parts *told_parts; /* of the one that stands for the item */
    int32_t told_critical;                 /* with them: the logit of a grave find, or INT32_MIN */
    const struct declaration *declaration; /* the one that stands for the item */
    struct history_reading reading;        /* of it, by a linear model */
    uint32_t line_index;                   /* the line that stands for it */
    char declaration_lacks[QUALITY_WORDS_BYTES];
    char image_words[QUALITY_WORDS_BYTES];
    const char *refusal;      /* of an image, or NULL */
    const char *scanner_type; /* of the first scan */
};

/* What the trees say of declarations of several items, asked for together. */
#define SCORE_JUDGED_MAX 256u
struct score_judged {
    const struct declaration *declarations[SCORE_JUDGED_MAX];
    struct declaration_risk risks[SCORE_JUDGED_MAX];
    struct declaration_parts parts[SCORE_JUDGED_MAX];
};
_Static_assert(SCORE_PARTS_MAX <= SCORE_JUDGED_MAX, "an item fits");

struct score {
    uint64_t image_bytes_max;
    uint32_t working_height;
    bool shadow; /* counters are those of the scorer in use */
    bool has_pseudonym_key;
    uint8_t pseudonym_key[HASH_BYTES];
    struct working_space working;
    struct appearance_space space;
    struct lump_space lump;
    struct finder_line finder; /* fits every finder that is installed */
    struct dome_line dome;     /* ready when a model that is installed has domes */
    struct cargo_space cargo;
    struct consistency_space cargo_measures;
    struct image_quality_space quality;
    struct history history;
    struct score_model history_model;
    bool has_trees; /* the model in the place "history" is one of trees */
    struct declaration_model trees;
    struct score_judged *judged; /* of the items being scored */
    struct fusion_weights fusion;
    struct score_model fusion_model;
    struct appearance_model appearances[SCORE_APPEARANCES_MAX];
    uint32_t appearances_count;
    bool has_emptiness;
    struct emptiness_model emptiness;
    struct consistency_model consistencies[SCORE_CONSISTENCIES_MAX];
    uint32_t consistencies_count;
    char history_inputs[HISTORY_NAMES_BYTES]; /* names, separated by spaces */
    uint64_t keys[HISTORY_KEYS_MAX];
    struct score_case subject; /* the item that is being scored */
    /* While a score is replayed: the models that it names are all there are. */
    const struct entry_score *replayed;
};

/* NULL when no model is installed for this scanner type, or, while a score is replayed, when that
 * score names none. */
const struct appearance_model *score_appearance_of(const struct score *self,
                                                   const char *scanner_type);

/* NULL when none is installed, or, while a score is replayed, when that score names none. */
const struct emptiness_model *score_emptiness(const struct score *self);

/* NULL when no model is installed for this scanner type, or, while a score is replayed, when that
 * score names none. */
const struct consistency_model *score_consistency_of(const struct score *self,
                                                     const char *scanner_type);
MUST_USE struct err score_install_consistency(struct score *self, const struct model_file *file);

/* First pass: what is there. */
void score_gather_declarations(struct score *self, const struct score_input *input,
                               struct score_case *out);
void score_gather_images(struct score *self, const struct score_input *input,
                         struct score_case *out);
/* True when the load of this image is to be held against the declared chapter. */
bool score_consistency_asks(const struct score *self, const struct score_case *of,
                            const char *scanner_type, const struct working *working);
/* An image that is to be; low_image may be NULL. The working image of before may be gone
 * afterwards.
 */
struct score_view {
    const char *scanner_type;
    const struct image *image;
    const uint8_t *pixels;
    const struct image *low_image;
    const uint8_t *low_pixels;
    const struct working *made; /* the working image that others looked at ... */
    uint32_t made_height;       /* ... and the height it was made for */
};
void score_see_cargo(struct score *self, const struct score_view *view, struct score_case *out);
/* Second pass: what it weighs, from the numbers alone. */
void score_weigh_history(const struct score *self, const struct score_case *of,
                         struct score_result *result);
/* The same two passes with a model of trees; before them, all declarations of the first items, as
 * many as fit: returns how many items. */
uint32_t score_judge_trees(struct score *self, const struct score_input *inputs, uint32_t count);
void score_gather_trees(const struct score *self, const struct score_input *input,
                        struct score_case *out);
void score_weigh_trees(const struct score *self, const struct score_case *of,
                       struct score_result *result);
/* Of a replayed case, whose model knows the number of lines: it and the spread can be. */
bool score_lines_are_sound(const struct score_case *of);
/* How many inputs the model in the place "history" has. */
uint32_t score_history_inputs(const struct score *self);
void score_weigh_images(const struct score *self, const struct score_case *of,
                        struct score_result *result);

void score_weigh_consistency(const struct score_case *of, struct score_result *result);

/* Names models and inputs, adds up: the whole score but for regions that nobody looked for. */
void score_weigh(const struct score *self, const struct score_case *of,
                 struct score_result *result);

/* The inputs of the fusion model; the models that they point at are named already. */
void score_case_to_inputs(const struct score_case *of, const struct entry_score *score,
                          float out[FUSION_INPUTS]);
/* And back, with those of the history model. NULL, or what is wrong: static words. */
const char *score_case_from_inputs(const struct score *self, const struct entry_score *logged,
                                   struct score_case *out);

/* The part of it that the model of consistency was given. */
const char *score_consistency_from_inputs(const struct score *self,
                                          const struct entry_score *logged, struct score_case *out);

/* Adds a model to those that made the score, once. */
void score_name_model(struct score_result *result, const char *name,
                      const uint8_t sha256[HASH_BYTES]);
/* The position of a model that the score names; models_count when it does not. */
uint32_t score_model_position(const struct entry_score *score, const char *name);
/* The inputs of the model at this position, in its own order; they are copied. At most
 * ENTRY_INPUT_VALUES_MAX of them, for at most SCORE_INPUTS_MAX models, positions ascending. */
void score_put_inputs(struct score_result *result, uint32_t model_position, const float *values,
                      uint32_t values_count);
/* To the nearest float, within the finite ones: what goes into inputs. */
double score_rounded(double value);

#endif
