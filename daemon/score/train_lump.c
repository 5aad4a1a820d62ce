/* SPDX-License-Identifier: Apache-2.0 */
#include "score/train_lump.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/oblivious_train.h"
#include "kernels/rng.h"
#include "kernels/statistics.h"

/* What is hidden displaces goods, which a projection cannot know: so a threat is added with a
 * random share of its attenuation, from a little more than half to all of it. */

enum {
    LOADS_MIN = 20,
    HELD_OUT_EVERY = 5,
    PROJECTIONS = 4, /* a load */
    POSITIVES = 5,   /* windows a projection */
    NEGATIVES = 500, /* windows a load, drawn */
    HARD = 120,      /* windows a load and round, the worst */
    ROUNDS = 3,
    ROWS_MAX = 1 << 20,
    PLACE_TRIES = 400,
};
static const double share_min = 0.55;
static const double overlap_min = 0.4;
static const double attenuation_min = 0.3; /* of the place that a threat is put */
static const double mad_to_sd = 1.4826;

static const struct oblivious_options options_of_windows = {
    .tree_count = 300,
    .depth = 6,
    .border_max = 96,
    .learning_rate = 0.1,
    .l2 = 5,
    .hessian_min = 1,
    .row_share = 0.7,
    .column_share = 0.6,
    .seed = 1,
};

struct load {
    struct lump_image image;
    bool held_out;
};

struct train_lump {
    struct rng rng;
    struct lump_space space;
    struct load loads[TRAIN_LUMP_IMAGES_MAX];
    uint32_t loads_count;
    struct lump_threat threats[TRAIN_LUMP_THREATS_MAX];
    uint32_t threats_count;
    float *features; /* ROWS_MAX x LUMP_FEATURES */
    float *labels;
    float *weights;
    uint32_t rows_count;
};

MUST_USE struct err train_lump_open(uint64_t seed, struct train_lump **out)
{
    struct train_lump *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return err_make(ERR_MEMORY, "train_lump_open");
    }
    rng_init(&self->rng, seed, 77);
    struct err err = lump_space_init(&self->space);
    self->features = calloc((size_t)ROWS_MAX * LUMP_FEATURES, sizeof(float));
    self->labels = calloc(ROWS_MAX, sizeof(float));
    self->weights = calloc(ROWS_MAX, sizeof(float));
    if (err_is(err) || self->features == NULL || self->labels == NULL || self->weights == NULL) {
        train_lump_close(&self);
        return err_make(ERR_MEMORY, "train_lump_open");
    }
    *out = self;
    return err_none;
}

void train_lump_close(struct train_lump **self)
{
    if (self == NULL || *self == NULL) {
        return;
    }
    for (uint32_t i = 0; i < (*self)->loads_count; i++) {
        free((*self)->loads[i].image.high);
        free((*self)->loads[i].image.low);
    }
    for (uint32_t i = 0; i < (*self)->threats_count; i++) {
        free((void *)(uintptr_t)(*self)->threats[i].high);
        free((void *)(uintptr_t)(*self)->threats[i].low);
    }
    lump_space_fini(&(*self)->space);
    free((*self)->features);
    free((*self)->labels);
    free((*self)->weights);
    free(*self);
    *self = NULL;
}

static float *copy_of(const float *values, size_t count)
{
    float *copy = malloc(count * sizeof *copy);
    if (copy != NULL) {
        memcpy(copy, values, count * sizeof *copy);
    }
    return copy;
}

MUST_USE struct err train_lump_threat(struct train_lump *self, const struct lump_threat *threat)
{
    size_t pixels = (size_t)threat->width * threat->height;
    if (self->threats_count == TRAIN_LUMP_THREATS_MAX || pixels == 0 ||
        pixels > TRAIN_LUMP_THREAT_PIXELS_MAX || !(threat->pixel_pitch_mm > 0)) {
        return err_make(ERR_ARGUMENT, "train_lump_threat");
    }
    struct lump_threat kept = *threat;
    float *high = copy_of(threat->high, pixels);
    float *low = copy_of(threat->low, pixels);
    if (high == NULL || low == NULL) {
        free(high);
        free(low);
        return err_make(ERR_MEMORY, "train_lump_threat");
    }
    kept.high = high;
    kept.low = low;
    self->threats[self->threats_count++] = kept;
    return err_none;
}

MUST_USE struct err train_lump_add(struct train_lump *self, const struct working *working,
                                   const float *low_pixels, double pixel_pitch_mm)
{
    if (self->loads_count == TRAIN_LUMP_IMAGES_MAX ||
        !lump_cells(&self->space, working, low_pixels, pixel_pitch_mm)) {
        return err_none;
    }
    struct load *load = &self->loads[self->loads_count];
    size_t cells = self->space.image.width * self->space.image.height;
    load->image = self->space.image;
    load->image.high = copy_of(self->space.image.high, cells);
    load->image.low = copy_of(self->space.image.low, cells);
    if (load->image.high == NULL || load->image.low == NULL) {
        free(load->image.high);
        free(load->image.low);
        return err_make(ERR_MEMORY, "train_lump_add");
    }
    load->held_out = self->loads_count % HELD_OUT_EVERY == 1;
    self->loads_count++;
    return err_none;
}

static void show(struct train_lump *self, const struct load *load)
{
    struct lump_image *image = &self->space.image;
    float *high = image->high, *low = image->low;
    size_t cells = load->image.width * load->image.height;
    *image = load->image;
    image->high = high;
    image->low = low;
    memcpy(high, load->image.high, cells * sizeof *high);
    memcpy(low, load->image.low, cells * sizeof *low);
}

/* Puts a threat into the shown load; false when no place was found. *window: where its core is. */
static bool project_somewhere(struct train_lump *self, double window[4])
{
    struct lump_image *image = &self->space.image;
    const struct lump_threat *threat = &self->threats[rng_below(&self->rng, self->threats_count)];
    double share = share_min + (1 - share_min) * rng_uniform(&self->rng);
    double pixel = threat->pixel_pitch_mm / 10 / image->cell_cm;
    double width = threat->width * pixel, height = threat->height * pixel;
    struct lump_window core = lump_threat_core(threat);
    for (int attempt = 0; attempt < PLACE_TRIES; attempt++) {
        double at[2] = {rng_uniform(&self->rng) * ((double)image->width - width),
                        rng_uniform(&self->rng) * ((double)image->height - height)};
        if (at[0] < 0 || at[1] < 0 || core.width == 0) {
            return false;
        }
        size_t column = (size_t)(at[0] + width / 2), row = (size_t)(at[1] + height / 2);
        if ((double)image->high[row * image->width + column] < attenuation_min) {
            continue;
        }
        (void)lump_project(image, threat, at, share);
        window[0] = at[0] + core.x * pixel;
        window[1] = at[1] + core.y * pixel;
        window[2] = window[0] + core.width * pixel;
        window[3] = window[1] + core.height * pixel;
        return true;
    }
    return false;
}

static double overlap_of(const struct lump_window *w, const double at[4])
{
    double wide = fmin(w->x + w->width, at[2]) - fmax(w->x, at[0]);
    double high = fmin(w->y + w->height, at[3]) - fmax(w->y, at[1]);
    if (wide <= 0 || high <= 0) {
        return 0;
    }
    double both = (double)w->width * w->height + (at[2] - at[0]) * (at[3] - at[1]);
    return wide * high / (both - wide * high);
}

static void put_row(struct train_lump *self, const float *features, float label)
{
    if (self->rows_count < ROWS_MAX) {
        memcpy(self->features + (size_t)self->rows_count * LUMP_FEATURES, features,
               LUMP_FEATURES * sizeof(float));
        self->labels[self->rows_count++] = label;
    }
}

/* A few rows with the highest keys. */
struct top {
    float features[HARD][LUMP_FEATURES];
    double keys[HARD];
    uint32_t count;
    uint32_t most;
};

static void offer(struct top *top, const float *features, double key)
{
    uint32_t at = top->count;
    if (top->count < top->most) {
        top->count++;
    } else {
        at = 0;
        for (uint32_t i = 1; i < top->count; i++) {
            at = top->keys[i] < top->keys[at] ? i : at;
        }
        if (top->keys[at] >= key) {
            return;
        }
    }
    top->keys[at] = key;
    memcpy(top->features[at], features, sizeof top->features[at]);
}

static void learn_projections(struct train_lump *self, const float *curve, const struct load *load)
{
    for (int n = 0; n < PROJECTIONS; n++) {
        double at[4];
        show(self, load);
        if (!project_somewhere(self, at)) {
            return;
        }
        static struct top top;
        top = (struct top){.most = POSITIVES};
        struct lump_cursor cursor;
        lump_windows_begin(&self->space, curve, &cursor);
        for (;;) {
            size_t rows = lump_windows_next(&self->space, &cursor);
            if (rows == 0) {
                break;
            }
            for (size_t i = 0; i < rows; i++) {
                double overlap = overlap_of(&self->space.windows[i], at);
                if (overlap >= overlap_min) {
                    offer(&top, self->space.features + i * LUMP_FEATURES, overlap);
                }
            }
        }
        for (uint32_t i = 0; i < top.count; i++) {
            put_row(self, top.features[i], 1);
        }
    }
}

/* With trees the worst windows of a normal load, without them some of all. */
static void learn_normal(struct train_lump *self, const struct lump_model *model,
                         const struct load *load)
{
    static struct top top;
    top = (struct top){.most = HARD};
    show(self, load);
    struct lump_cursor cursor;
    lump_windows_begin(&self->space, model->curve, &cursor);
    for (;;) {
        size_t rows = lump_windows_next(&self->space, &cursor);
        if (rows == 0) {
            break;
        }
        const struct oblivious_rows given = {self->space.features, rows, LUMP_FEATURES};
        if (model->present) {
            oblivious_score(&model->trees, &given, self->space.trees_workspace, self->space.scores);
        }
        for (size_t i = 0; i < rows; i++) {
            const float *features = self->space.features + i * LUMP_FEATURES;
            if (model->present) {
                offer(&top, features, self->space.scores[i]);
            } else if (rng_below(&self->rng, 60000) < NEGATIVES) {
                put_row(self, features, 0);
            }
        }
    }
    for (uint32_t i = 0; i < top.count; i++) {
        put_row(self, top.features[i], 0);
    }
}

/* The usual attenuation at the low energy for each at the high one: the mean over normal loads,
 * between points that were not seen a straight line, never falling. */
static void learn_curve(const struct train_lump *self, float curve[LUMP_CURVE])
{
    static double sums[LUMP_CURVE];
    static double counts[LUMP_CURVE];
    memset(sums, 0, sizeof sums);
    memset(counts, 0, sizeof counts);
    for (uint32_t n = 0; n < self->loads_count; n++) {
        const struct lump_image *image = &self->loads[n].image;
        for (size_t i = 0; i < image->width * image->height; i++) {
            double place = (double)image->high[i] / (double)LUMP_CURVE_STEP;
            if (place > 0.5 && place < LUMP_CURVE - 1) {
                size_t point = (size_t)(place + 0.5);
                /* moved along a line through the origin to the point itself */
                sums[point] += (double)image->low[i] * (double)point / place;
                counts[point] += 1;
            }
        }
    }
    curve[0] = 0;
    size_t last = 0;
    for (size_t i = 1; i < LUMP_CURVE; i++) {
        if (counts[i] < 50) {
            continue;
        }
        float value = (float)(sums[i] / counts[i]);
        value = value > curve[last] ? value : curve[last];
        for (size_t k = last + 1; k <= i; k++) {
            curve[k] = curve[last] + (value - curve[last]) * (float)(k - last) / (float)(i - last);
        }
        last = i;
    }
    for (size_t k = last + 1; k < LUMP_CURVE; k++) {
        curve[k] = curve[last] + (float)(k - last) * LUMP_CURVE_STEP;
    }
}

static bool make_room(const struct oblivious_room *room, struct oblivious_model *model)
{
    model->border_first = calloc(LUMP_FEATURES + 1, sizeof *model->border_first);
    model->borders = calloc(room->borders + 1, sizeof *model->borders);
    model->split_features = calloc(room->splits + 1, sizeof *model->split_features);
    model->split_bins = calloc(room->splits + 1, sizeof *model->split_bins);
    model->nodes = calloc(room->nodes + 1, sizeof *model->nodes);
    return model->border_first != NULL && model->borders != NULL && model->split_features != NULL &&
           model->split_bins != NULL && model->nodes != NULL;
}

static struct err fit(struct train_lump *self, struct lump_model *model)
{
    double positives = 0;
    for (uint32_t i = 0; i < self->rows_count; i++) {
        positives += (double)self->labels[i];
    }
    if (positives <= 0) {
        return err_none; /* no threat fits anywhere: there is nothing to learn from */
    }
    double weight = 0.3 * (self->rows_count - positives) / positives;
    for (uint32_t i = 0; i < self->rows_count; i++) {
        self->weights[i] = self->labels[i] > 0 ? (float)weight : 1.0f;
    }
    const struct oblivious_sample sample = {
        .rows = {self->features, self->rows_count, LUMP_FEATURES},
        .labels = self->labels,
        .weights = self->weights};
    const struct oblivious_task task = {
        .sample = &sample, .options = &options_of_windows, .feature_count = LUMP_FEATURES};
    const struct oblivious_room room = oblivious_train_room(&task);
    void *workspace = aligned_alloc(64, (oblivious_train_workspace_bytes(&task) + 127) / 64 * 64);
    struct oblivious_model trees = {.feature_count = LUMP_FEATURES};
    struct oblivious_report report;
    bool room_there = workspace != NULL && make_room(&room, &trees);
    if (room_there) {
        oblivious_train(&task, workspace, &trees, &report);
    }
    free(workspace);
    struct lump_model old = {.trees = model->trees};
    lump_model_fini(&old);
    model->trees = trees;
    model->present = room_there && trees.tree_count > 0;
    return room_there ? err_none : err_make(ERR_MEMORY, "train_lump_finish");
}

/* Median and spread of the highest windows of normal loads that were not learnt, and how often a
 * projected threat is beyond their 95th percentile. */
/* False: no held-out load shows a window, so there is nothing to place scores by. */
static bool place(struct train_lump *self, struct lump_model *model, char figures[256])
{
    double clean[TRAIN_LUMP_IMAGES_MAX], with[TRAIN_LUMP_IMAGES_MAX];
    size_t clean_count = 0, with_count = 0;
    for (uint32_t i = 0; i < self->loads_count; i++) {
        double at[4];
        if (!self->loads[i].held_out) {
            continue;
        }
        show(self, &self->loads[i]);
        double logit = lump_judge(&self->space, model);
        if (!isnan(logit)) {
            clean[clean_count++] = logit;
        }
        show(self, &self->loads[i]);
        if (project_somewhere(self, at)) {
            logit = lump_judge(&self->space, model);
            with[with_count++] = isnan(logit) ? -INFINITY : logit;
        }
    }
    model->median = 0;
    model->spread = 1;
    if (clean_count == 0) {
        return false;
    }
    statistics_sort(clean, clean_count);
    model->median = statistics_quantile(clean, clean_count, 0.5);
    double limit = statistics_quantile(clean, clean_count, 0.95);
    size_t beyond = 0;
    for (size_t i = 0; i < with_count; i++) {
        beyond += with[i] > limit;
    }
    for (size_t i = 0; i < clean_count; i++) {
        clean[i] = fabs(clean[i] - model->median);
    }
    statistics_sort(clean, clean_count);
    double spread = mad_to_sd * statistics_quantile(clean, clean_count, 0.5);
    model->spread = spread > 0.25 ? spread : 0.25;
    (void)snprintf(figures, 256,
                   "; lumps: %" PRIu32 " loads, %" PRIu32 " threats, %" PRIu32
                   " windows; of %zu held-out loads %zu with a projected threat are beyond the 95th"
                   " percentile of normal ones",
                   self->loads_count, self->threats_count, self->rows_count, with_count, beyond);
    return true;
}

MUST_USE struct err train_lump_finish(struct train_lump *self, struct lump_model *out,
                                      char figures[256])
{
    struct lump_model model = {.present = false};
    figures[0] = '\0';
    *out = model;
    if (self->threats_count == 0) {
        return err_none;
    }
    (void)snprintf(figures, 256,
                   "; lumps: NOT learnt from %" PRIu32 " usable loads: %d are needed, of both"
                   " energies, with a pixel pitch",
                   self->loads_count, (int)LOADS_MIN);
    if (self->loads_count < LOADS_MIN) {
        return err_none;
    }
    learn_curve(self, model.curve);
    for (uint32_t i = 0; i < self->loads_count; i++) {
        if (!self->loads[i].held_out) {
            learn_projections(self, model.curve, &self->loads[i]);
        }
    }
    struct err err = err_none;
    for (int round = 0; round < ROUNDS && !err_is(err); round++) {
        for (uint32_t i = 0; i < self->loads_count; i++) {
            if (!self->loads[i].held_out) {
                learn_normal(self, &model, &self->loads[i]);
            }
        }
        err = fit(self, &model);
    }
    if (err_is(err) || !model.present) {
        lump_model_fini(&model);
        return err;
    }
    if (!place(self, &model, figures)) {
        lump_model_fini(&model);
        (void)snprintf(figures, 256,
                       "; lumps: NOT learnt: no load that was held out shows a window");
        return err_none;
    }
    *out = model;
    return err_none;
}
