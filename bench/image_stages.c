/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/image_stages.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench/figure.h"
#include "bench/product_ceiling.h"
#include "score/finder_views.h"
#include "score/score_parts.h"

/* The same functions in the same order as score_gather_images() calls them, each on what the one
 * before left. The search alone is what the bank takes beyond patches and embedding: its queries
 * are made batch by batch. Both sides are told in time of the processor: what others run at the
 * same time counts in neither. */

enum { ROUNDS = 25 };

struct stages {
    const struct image *image;
    const uint8_t *pixels;
    struct appearance_model model;
    struct working_space bank_working;
    struct working_space finder_working;
    struct appearance_space space;
    struct image_quality_space quality;
    struct finder_space finder;
    struct working small; /* as the bank sees it */
    struct working large; /* as the finder does */
    size_t patches;
    size_t told; /* so that nothing is left out */
};

static void check(struct err err, const char *what)
{
    char text[ERR_TEXT_BYTES];
    bench_check(!err_is(err), "%s: %s", what, err_text(err, text));
}

/* ---- the steps ---- */

static void make_small(struct stages *self)
{
    working_make(&self->bank_working, self->image, self->pixels, self->model.working_height,
                 &self->small);
}

static void make_large(struct stages *self)
{
    working_make(&self->finder_working, self->image, self->pixels,
                 finder_working_height(self->model.finder.reduction, self->image->height),
                 &self->large);
}

static void mask_large(struct stages *self)
{
    struct image_view view = working_view(&self->large);
    struct image_mask_rule rule = image_mask_rule_default(&self->large.calibration);
    rule.line_run_max = self->large.factor > 1 ? 0 : rule.line_run_max;
    self->told +=
        image_valid_mask(&view, &rule, self->finder_working.mask_words, self->large.valid);
}

static void measure(struct stages *self)
{
    struct quality quality;
    struct image_quality measured;
    struct consistency_measure consistency;
    quality_of_image(&self->small, &quality);
    image_quality_measure(&self->quality, self->image, self->pixels, &measured);
    consistency_measure(&self->small, NULL, 0, &consistency);
    self->told += measured.dead_rows + (quality.value > 0.5);
}

static void extract(struct stages *self)
{
    struct patch_level levels[APPEARANCE_LEVELS];
    struct patch_cursor cursor = {0};
    size_t count = appearance_levels(&self->space, &self->small, levels);
    size_t rows;
    self->patches = 0;
    while ((rows = appearance_extract(&self->space, self->model.meaning, levels, count, &cursor)) >
           0) {
        self->patches += rows;
    }
}

/* Without regard to the values: the batch that extract() left last, as often as there are patches.
 */
static void embed(struct stages *self)
{
    enum { BATCH = 512 };
    struct patch_projection projection = {.feature_count = APPEARANCE_FEATURES,
                                          .embedding_count = self->model.dimensions,
                                          .weights = self->model.weights,
                                          .bias = self->model.bias};
    for (size_t first = 0; first < self->patches; first += BATCH) {
        size_t left = self->patches - first;
        patch_embed(&projection, self->space.features, left < BATCH ? left : BATCH,
                    APPEARANCE_FEATURES, self->space.embed_workspace, self->space.embedded);
    }
}

static void run_bank(struct stages *self)
{
    struct appearance_finding finding;
    struct appearance_region regions[APPEARANCE_REGIONS_MAX];
    appearance_run(&self->space, &self->model, &self->small, &finding);
    self->told += appearance_regions(&self->space, &self->small, &finding, self->image,
                                     SCORE_REGIONS_SHOWN, regions);
}

static void make_planes(struct stages *self)
{
    finder_planes(&self->model.finder.input, &self->large, NULL, self->finder.rows,
                  self->finder.planes);
}

static void run_net(struct stages *self)
{
    struct convnet_image planes = {self->finder.planes, (uint32_t)self->large.height,
                                   (uint32_t)self->large.width};
    finder_look_at(&self->finder, &self->model.finder, &planes);
}

static void run_finder(struct stages *self)
{
    struct finder_box boxes[FINDER_BOXES_MAX];
    self->told +=
        finder_run(&self->finder, &self->model.finder, &self->large, NULL, self->image, boxes);
}

/* ---- beside what the core can do ---- */

enum limit { LIMIT_NONE, LIMIT_COPY, LIMIT_BYTES, LIMIT_DOUBLES, LIMITS };
static const char *const limit_names[LIMITS] = {NULL, "those bytes, copied",
                                                "those products of bytes", "those of doubles"};

static double ms_of(clockid_t clock)
{
    struct timespec time;
    clock_gettime(clock, &time);
    return 1e3 * (double)time.tv_sec + 1e-6 * (double)time.tv_nsec;
}

/* Read and written bytes a second, of blocks that no cache holds. */
static double copy_rate(void)
{
    enum { BLOCK_BYTES = 64 << 20 };
    static uint8_t *blocks;
    if (blocks == NULL) {
        blocks = malloc((size_t)2 * BLOCK_BYTES);
        bench_check(blocks != NULL, "no memory");
        memset(blocks, 1, (size_t)2 * BLOCK_BYTES);
    }
    double start = ms_of(CLOCK_THREAD_CPUTIME_ID);
    memcpy(blocks, blocks + BLOCK_BYTES, BLOCK_BYTES);
    __asm__ volatile("" ::"r"(blocks) : "memory"); /* or the compiler leaves the copy out */
    return 2.0 * BLOCK_BYTES / (1e-3 * (ms_of(CLOCK_THREAD_CPUTIME_ID) - start));
}

static double rate_of(enum limit limit)
{
    switch (limit) {
    case LIMIT_COPY:
        return copy_rate();
    case LIMIT_BYTES:
        return product_ceiling(PRODUCT_CEILING_BYTE);
    case LIMIT_DOUBLES:
        return product_ceiling(PRODUCT_CEILING_FLOAT) / 2;
    default:
        return 0;
    }
}

struct step {
    const char *name;
    void (*run)(struct stages *self);
    enum limit limit;
    double work; /* bytes read and written, or operations */
};

static void print_step(struct stages *self, const char *name, const struct step *step, bool as_json)
{
    struct rounds took = {.count = 0}, limit = {.count = 0};
    char label[160];
    step->run(self);
    for (int round = 0; round < ROUNDS; round++) {
        double start = ms_of(CLOCK_THREAD_CPUTIME_ID);
        step->run(self);
        rounds_add(&took, ms_of(CLOCK_THREAD_CPUTIME_ID) - start);
        double rate = round < 5 ? rate_of(step->limit) : 0;
        if (rate > 0) {
            rounds_add(&limit, 1e3 * step->work / rate);
        }
    }
    (void)snprintf(label, sizeof label, "%s, %s", name, step->name);
    figure_print(&(struct figure){.name = label,
                                  .value = &took,
                                  .unit = "ms of processor",
                                  .peer = limit.count > 0 ? limit_names[step->limit] : NULL,
                                  .peer_value = limit.count > 0 ? &limit : NULL},
                 as_json);
}

static double net_operations(const struct convnet *net, size_t height, size_t width)
{
    double products = 0;
    for (uint32_t i = 0; i < net->layer_count; i++) {
        const struct convnet_layer *layer = &net->layers[i];
        height = (height + layer->stride - 1) / layer->stride;
        width = (width + layer->stride - 1) / layer->stride;
        products += (double)height * (double)width * (double)convnet_weight_count(layer);
    }
    return 2 * products;
}

static void open_stages(struct stages *self, const char *model_path)
{
    struct model_file file;
    check(model_file_read(model_path, NULL, &file), model_path);
    check(appearance_read(&file, &self->model), model_path);
    model_file_fini(&file);
    bench_check(self->model.has_finder, "%s has no finder", model_path);
    size_t height = self->model.working_height;
    check(working_init(&self->bank_working, (uint32_t)height), "working image");
    check(working_init(&self->finder_working, WORKING_HEIGHT_MAX), "working image");
    check(appearance_space_init(&self->space, height * WORKING_ASPECT, height), "bank");
    check(image_quality_init(&self->quality), "quality");
    check(finder_space_fit(&self->finder, &self->model.finder, self->image->width,
                           self->image->height),
          "finder");
}

/* Of what the network did to the last image. */
static double operations_of(const struct stages *self)
{
    const struct finder_model *finder = &self->model.finder;
    if (finder->gate.depth > 0) {
        return 2 * convnet_gated_products(self->finder.net);
    }
    return finder_views_passes(finder, self->large.width, self->large.height) *
           net_operations(&finder->nets[0], self->large.height, self->large.width);
}

static void close_stages(struct stages *self)
{
    finder_space_fini(&self->finder);
    image_quality_fini(&self->quality);
    appearance_space_fini(&self->space);
    working_fini(&self->finder_working);
    working_fini(&self->bank_working);
    appearance_model_fini(&self->model);
}

void image_stages_print(const char *name, const struct image *image, const uint8_t *pixels,
                        const char *model_path, bool as_json)
{
    struct stages self = {.image = image, .pixels = pixels};
    open_stages(&self, model_path);
    make_small(&self);
    make_large(&self);
    extract(&self);
    make_planes(&self);
    run_net(&self);
    const struct appearance_model *model = &self.model;
    double raw = (double)image->payload_bytes;
    double small = (double)(self.small.width * self.small.height);
    double large = (double)(self.large.width * self.large.height);
    double patches = (double)self.patches;
    double features = (double)APPEARANCE_FEATURES;
    double axes = (double)model->dimensions;
    const struct step steps[] = {
        {"bank: pixels to working image", make_small, LIMIT_COPY, raw + 5 * small},
        {"quality and consistency", measure, LIMIT_COPY, raw + 5 * small},
        {"bank: patches", extract, LIMIT_COPY, 5 * small + 4 * patches * features},
        {"bank: embedding", embed, LIMIT_DOUBLES, 2 * patches * features * axes},
        {"bank: patches, embedding, search, map", run_bank, LIMIT_BYTES,
         2 * patches * axes * model->bank_count},
        {"finder: pixels to working image", make_large, LIMIT_COPY, raw + 5 * large},
        {"finder: the mask of that", mask_large, LIMIT_COPY, 5 * large},
        {"finder: planes", make_planes, LIMIT_COPY,
         (5 + finder_channels(&model->finder.input)) * large},
        {"finder: network", run_net, LIMIT_BYTES, operations_of(&self)},
        {"finder: planes, network, boxes", run_finder, LIMIT_NONE, 0},
    };
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        print_step(&self, name, &steps[i], as_json);
    }
    bench_check(self.told > 0, "nothing found");
    close_stages(&self);
}
