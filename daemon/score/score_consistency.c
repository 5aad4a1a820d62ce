/* SPDX-License-Identifier: Apache-2.0 */
#include "score/score_parts.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "score/say.h"

/* The load of the first image that can be used, held against the chapter that is declared. Both
 * answers look at the same load, so only the stranger of them weighs, at twice its chance: two
 * tries at a flag are not two reasons. */

/* One natural logarithm of rarity is worth half a logit, as one spread of the appearance is. What
 * one normal scan in twenty shows weighs nothing; beyond e^6 times that, lists of held-out scans
 * are too short to tell. */
static const double chapter_weight = 0.5;
static const double chance_free = 0.05;
static const double rarity_max = 6;
/* What is told as the error at least: no wedge is known better than that. */
static const double number_error_min = 0.1;

const struct consistency_model *score_consistency_of(const struct score *self,
                                                     const char *scanner_type)
{
    for (uint32_t i = 0; i < self->consistencies_count; i++) {
        const struct consistency_model *model = &self->consistencies[i];
        if (strcmp(model->name + strlen(CONSISTENCY_PREFIX), scanner_type) == 0) {
            bool there =
                self->replayed == NULL ||
                score_model_position(self->replayed, model->name) < self->replayed->models_count;
            return there ? model : NULL;
        }
    }
    return NULL;
}

MUST_USE struct err score_install_consistency(struct score *self, const struct model_file *file)
{
    struct consistency_model model;
    struct err err = consistency_read(file, &model);
    if (err_is(err)) {
        return err;
    }
    uint32_t at = 0;
    while (at < self->consistencies_count &&
           strcmp(self->consistencies[at].name, model.name) != 0) {
        at++;
    }
    if (model.working_height > self->working_height || at == SCORE_CONSISTENCIES_MAX) {
        bool high = model.working_height > self->working_height;
        consistency_model_fini(&model);
        return high ? err_make(ERR_MODEL_UNREADABLE, "consistency model: trained at a greater "
                                                     "working height than is set")
                    : err_make(ERR_ARGUMENT, "more scanner types than SCORE_MODELS_MAX allows");
    }
    if (at < self->consistencies_count) {
        consistency_model_fini(&self->consistencies[at]);
    } else {
        self->consistencies_count++;
    }
    self->consistencies[at] = model;
    return err_none;
}

bool score_consistency_asks(const struct score *self, const struct score_case *of,
                            const char *scanner_type, const struct working *working)
{
    const struct consistency_model *model =
        of->declared_chapter > 0 ? score_consistency_of(self, scanner_type) : NULL;
    return model != NULL && model->meaning == working->calibration.meaning;
}

void score_see_cargo(struct score *self, const struct score_view *view, struct score_case *out)
{
    const struct consistency_model *model = score_consistency_of(self, view->scanner_type);
    const struct material_table *table = consistency_table(model);
    bool wants_low = view->low_image != NULL && model->material != CONSISTENCY_NONE;
    struct working working = *view->made;
    const float *low = wants_low ? working.low_pixels : NULL;
    /* Most often the image is the very one that the others looked at. */
    if (view->made_height != model->working_height) {
        working_make(&self->working, view->image, view->pixels, model->working_height, &working);
        low = NULL;
    }
    if (wants_low && low == NULL) {
        low = working_make_low(&self->working, view->low_image, view->low_pixels, &working);
    }
    consistency_cargo_measure(&self->cargo_measures, &self->cargo, &working, low, table,
                              &out->sight.load);
    out->sight.compared_by = model;
}

/* ---- weighing ---- */

/* What the fit weighs, or, with `fit` false, the atomic number. */
static double worth(const struct consistency_verdict *verdict, bool fit)
{
    double chance = consistency_chance(verdict);
    if (isnan(chance) || consistency_fit_speaks(verdict) != fit) {
        return 0;
    }
    double rarity = log(chance_free / chance);
    rarity = rarity < 0 ? 0 : rarity > rarity_max ? rarity_max : rarity;
    return chapter_weight * rarity;
}

/* "61 (knitted clothing)" */
static void say_chapter(uint32_t chapter, char out[48])
{
    const char *words = hs_chapter_words(chapter);
    (void)snprintf(out, 48, "%02" PRIu32 "%s%.28s%s", chapter, words[0] != '\0' ? " (" : "", words,
                   words[0] != '\0' ? ")" : "");
}

static void add_fit(const struct consistency_verdict *verdict, struct score_result *result)
{
    char own[48], nearest[48], held[SAY_BYTES], better[SAY_BYTES];
    const struct consistency_placed *fit = &verdict->fit;
    double logit = worth(verdict, true);
    say_chapter(verdict->chapter, own);
    say_chapter(verdict->nearest, nearest);
    say_count(fit->held, held);
    say_count(fit->held - fit->as_bad, better);
    if (fit->held == 0) {
        fusion_add(result, "consistency.chapter", logit,
                   "no scan under HS chapter %s was learnt; %.0f%% of those of a new chapter look "
                   "as strange; like %s",
                   own, 100 * fit->chance, nearest);
    } else if (fit->answer <= 0) {
        fusion_add(result, "consistency.chapter", logit,
                   "looks like what is declared under HS chapter %s in %s scans: agrees", own,
                   held);
    } else {
        fusion_add(result, "consistency.chapter", logit,
                   "fits HS chapter %s worse than %s of %s scans under it; nearest: %s", own,
                   better, held, nearest);
    }
}

static void add_number(const struct consistency_verdict *verdict, const float *inputs,
                       struct score_result *result)
{
    char own[48], held[SAY_BYTES];
    const struct consistency_placed *number = &verdict->number;
    say_chapter(verdict->chapter, own);
    say_count(number->held, held);
    fusion_add(result, "consistency.atomic_number", worth(verdict, false),
               number->held > 0
                   ? "effective Z %.1f +- %.1f where HS chapter %s scans at %.1f to %.1f in %s "
                     "scans"
                   : "effective Z %.1f +- %.1f where HS chapter %s, never seen, would scan at %.1f "
                     "to %.1f%.0s",
               (double)inputs[CONSISTENCY_INPUT_NUMBER],
               fmax((double)inputs[CONSISTENCY_INPUT_NUMBER_ERROR], number_error_min), own,
               verdict->number_from, verdict->number_to, held);
}

void score_weigh_consistency(const struct score_case *of, struct score_result *result)
{
    struct consistency_verdict verdict;
    float inputs[CONSISTENCY_INPUTS];
    if (of->sight.compared_by == NULL) {
        return;
    }
    consistency_inputs(of->declared_chapter, &of->sight.load, inputs);
    consistency_verdict(of->sight.compared_by, inputs, &verdict);
    if (verdict.fit.told) {
        add_fit(&verdict, result);
    }
    if (verdict.number.told) {
        add_number(&verdict, inputs, result);
    }
}

/* ---- inputs ---- */

const char *score_consistency_from_inputs(const struct score *self,
                                          const struct entry_score *logged, struct score_case *out)
{
    for (uint32_t i = 0; i < logged->models_count; i++) {
        const char *name = logged->models[i].name;
        if (strncmp(name, CONSISTENCY_PREFIX, strlen(CONSISTENCY_PREFIX)) != 0) {
            continue;
        }
        const struct entry_inputs *inputs = NULL;
        for (uint32_t k = 0; k < logged->inputs_count; k++) {
            inputs = logged->inputs[k].model == i ? &logged->inputs[k] : inputs;
        }
        out->sight.compared_by = score_consistency_of(self, name + strlen(CONSISTENCY_PREFIX));
        if (inputs == NULL || inputs->values_count != CONSISTENCY_INPUTS ||
            !consistency_inputs_are_sound(inputs->values) || out->sight.compared_by == NULL ||
            out->sight.usable_count == 0) {
            return "inputs of the consistency model are missing or contradict themselves";
        }
        const float *values = inputs->values;
        out->declared_chapter = (uint32_t)values[CONSISTENCY_INPUT_CHAPTER];
        memcpy(out->sight.load.features, values + CONSISTENCY_INPUT_FEATURES,
               sizeof out->sight.load.features);
        out->sight.load.atomic_number = values[CONSISTENCY_INPUT_NUMBER];
        out->sight.load.atomic_number_error = values[CONSISTENCY_INPUT_NUMBER_ERROR];
        return NULL;
    }
    return NULL;
}
