/* SPDX-License-Identifier: Apache-2.0 */
#include "score/train.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/blas.h"
#include "kernels/statistics.h"
#include "score/appearance.h"
#include "score/consistency.h"
#include "score/dome_image.h"
#include "score/train_lump.h"
#include "score/tile_permission.h"
#include "score/train_model.h"
#include "score/train_sample.h"

/* Scores can only be placed by images that the bank has not seen, so a fifth of the images is kept
 * back as small working images until the bank is there. */

enum {
    HELD_OUT_EVERY = 5,
    HELD_OUT_MAX = 64,
    DISTANCES_PER_IMAGE = 1024,
    MEASURES_MAX = 65536,
    MEASURES_MIN = 20,
    SPREAD_IMAGES_MIN = 5
};

/* 1.4826 * median absolute deviation is the standard deviation of a normal distribution. */
static const double mad_to_sd = 1.4826;
/* The least spread, as a share of the median: of distances and image scores, and of dual-energy
 * ratios. */
static const double distance_share_min = 0.05;
static const double ratio_share_min = 0.01;

struct held_out {
    float *pixels;
    uint8_t *valid;
    struct working working; /* pixels and valid point to the copies */
};

struct train_appearance {
    struct train_appearance_conf conf;
    char scanner_type[RECORD_NAME_BYTES_MAX + 1];
    struct working_space working;
    struct appearance_space space;
    struct train_sample sample;
    struct train_lump *lump; /* NULL without threats */
    struct dome_line dome;
    double rises[HELD_OUT_MAX * DOME_IMAGE_MAX]; /* of the domes of held-out images */
    uint32_t rises_count;
    double highest_rises[HELD_OUT_MAX];
    uint32_t highest_count;
    char lump_figures[256];
    struct sha256 *training_set;
    struct held_out held_out[HELD_OUT_MAX];
    uint32_t held_out_count;
    uint32_t images_count; /* usable ones */
    bool has_meaning;
    enum image_meaning meaning;
    double *log_index; /* of images with a declared mass */
    double *log_mass;
    uint32_t masses_count;
    bool pitch_known;
    double *ratios;
    uint32_t ratios_count;
    bool has_finder;
    struct finder_model finder;
    char marks[TRAIN_MARKS_BYTES]; /* evaluation of the finder */
};

static bool conf_is_sound(const struct train_appearance_conf *conf)
{
    return conf->scanner_type != NULL && conf->scanner_type[0] != '\0' &&
           strlen(conf->scanner_type) <= RECORD_NAME_BYTES_MAX && conf->bank_patches_max >= 1 &&
           conf->bank_patches_max <= APPEARANCE_BANK_MAX && conf->dimensions >= 1 &&
           conf->dimensions <= APPEARANCE_DIMENSIONS_MAX;
}

MUST_USE struct err train_appearance_open(const struct train_appearance_conf *conf,
                                          struct train_appearance **out)
{
    if (!conf_is_sound(conf)) {
        return err_make(ERR_ARGUMENT, "train_appearance_open");
    }
    blas_use_one_thread(); /* how a product is split over threads changes its last bits */
    tile_permission_ask();
    struct train_appearance *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return err_make(ERR_MEMORY, "train_appearance_open");
    }
    self->conf = *conf;
    (void)snprintf(self->scanner_type, sizeof self->scanner_type, "%s", conf->scanner_type);
    self->conf.scanner_type = self->scanner_type;
    self->training_set = sha256_open();
    self->log_index = calloc(MEASURES_MAX, sizeof(double));
    self->log_mass = calloc(MEASURES_MAX, sizeof(double));
    self->ratios = calloc(MEASURES_MAX, sizeof(double));
    struct err err = err_none;
    if (self->log_index == NULL || self->log_mass == NULL || self->ratios == NULL) {
        err = err_make(ERR_MEMORY, "train_appearance_open");
    }
    err = err_is(err) ? err : working_init(&self->working, conf->working_height);
    err = err_is(err)
              ? err
              : appearance_space_init(&self->space, (size_t)conf->working_height * WORKING_ASPECT,
                                      conf->working_height);
    err = err_is(err) ? err : train_sample_init(&self->sample, conf->seed);
    err = err_is(err) ? err : dome_line_fit(&self->dome);
    if (err_is(err)) {
        train_appearance_close(&self);
        return err;
    }
    *out = self;
    return err_none;
}

void train_appearance_close(struct train_appearance **self)
{
    if (self == NULL || *self == NULL) {
        return;
    }
    for (uint32_t i = 0; i < (*self)->held_out_count; i++) {
        free((*self)->held_out[i].pixels);
        free((*self)->held_out[i].valid);
    }
    working_fini(&(*self)->working);
    appearance_space_fini(&(*self)->space);
    train_sample_fini(&(*self)->sample);
    train_lump_close(&(*self)->lump);
    dome_line_fini(&(*self)->dome);
    sha256_close(&(*self)->training_set);
    free((*self)->log_index);
    free((*self)->log_mass);
    free((*self)->ratios);
    if ((*self)->has_finder) {
        finder_model_fini(&(*self)->finder);
    }
    free(*self);
    *self = NULL;
}

static struct err hold_out(struct train_appearance *self, const struct working *working)
{
    size_t count = working->width * working->height;
    struct held_out *kept = &self->held_out[self->held_out_count];
    kept->pixels = malloc(count * sizeof(float));
    kept->valid = malloc(count);
    if (kept->pixels == NULL || kept->valid == NULL) {
        free(kept->pixels);
        free(kept->valid);
        return err_make(ERR_MEMORY, "train_appearance_add");
    }
    memcpy(kept->pixels, working->pixels, count * sizeof(float));
    memcpy(kept->valid, working->valid, count);
    kept->working = *working;
    kept->working.pixels = kept->pixels;
    kept->working.valid = kept->valid;
    self->held_out_count++;
    return err_none;
}

/* How high domes are in an image that is held out. */
static void keep_rises(struct train_appearance *self, const struct train_image *image)
{
    struct appearance_region domes[DOME_IMAGE_MAX];
    uint32_t count = dome_line_find(&self->dome, image->image, image->pixels, domes);
    for (uint32_t i = 0; i < count; i++) {
        self->rises[self->rises_count++] = domes[i].score;
    }
    self->highest_rises[self->highest_count++] = count > 0 ? domes[0].score : 0;
}

static bool has_low(const struct train_image *image)
{
    const struct image *low = image->low_image;
    return low != NULL && image->low_pixels != NULL && working_refusal(low, UINT64_MAX) == NULL &&
           low->width == image->image->width && low->height == image->image->height &&
           low->meaning == image->image->meaning;
}

/* What the mass and the ratio are learnt from. */
static void keep_measures(struct train_appearance *self, const struct train_image *image,
                          const struct working *working, const float *low)
{
    struct consistency_measure measure;
    consistency_measure(working, low, image->image->pixel_pitch_mm, &measure);
    if (image->declared_mass_kg > 0 && isfinite(image->declared_mass_kg) &&
        measure.mass_index > 0 && self->masses_count < MEASURES_MAX &&
        (self->masses_count == 0 || self->pitch_known == measure.pitch_known)) {
        self->log_index[self->masses_count] = log(measure.mass_index);
        self->log_mass[self->masses_count] = log(image->declared_mass_kg);
        self->pitch_known = measure.pitch_known;
        self->masses_count++;
    }
    if (measure.has_ratio && self->ratios_count < MEASURES_MAX) {
        self->ratios[self->ratios_count++] = measure.ratio;
    }
}

static void digest_image(struct train_appearance *self, const struct train_image *image)
{
    uint64_t pixels_bytes =
        (uint64_t)image->image->width * image->image->height * (image->image->bits / 8);
    uint8_t digest[HASH_BYTES];
    sha256_of(image->pixels, pixels_bytes, digest);
    sha256_add(self->training_set, digest, HASH_BYTES);
}

MUST_USE struct err train_appearance_threat(struct train_appearance *self,
                                            const struct train_image *threat)
{
    const struct image *image = threat->image;
    if (threat->pixels == NULL || working_refusal(image, UINT64_MAX) != NULL || !has_low(threat) ||
        image->meaning != PIXEL_TRANSMISSION || self->images_count > 0 ||
        (uint64_t)image->width * image->height > TRAIN_LUMP_THREAT_PIXELS_MAX) {
        return err_make(ERR_ARGUMENT, "train_appearance_threat");
    }
    struct err err = self->lump == NULL ? train_lump_open(self->conf.seed, &self->lump) : err_none;
    if (err_is(err)) {
        return err;
    }
    float *high = working_attenuations(image, threat->pixels);
    float *low = working_attenuations(threat->low_image, threat->low_pixels);
    err = high == NULL || low == NULL ? err_make(ERR_MEMORY, "train_appearance_threat") : err_none;
    const struct lump_threat given = {image->width, image->height, image->pixel_pitch_mm, high,
                                      low};
    err = err_is(err) ? err : train_lump_threat(self->lump, &given);
    free(high);
    free(low);
    digest_image(self, threat);
    return err;
}

MUST_USE struct err train_appearance_add(struct train_appearance *self,
                                         const struct train_image *image)
{
    if (image->pixels == NULL || working_refusal(image->image, UINT64_MAX) != NULL) {
        return err_make(ERR_IMAGE_UNREADABLE, "train_appearance_add");
    }
    struct working working;
    working_make(&self->working, image->image, image->pixels, self->conf.working_height, &working);
    if (self->has_meaning && self->meaning != working.calibration.meaning) {
        return err_make(ERR_IMAGE_UNREADABLE,
                        "train_appearance_add: another pixel meaning than the first image");
    }
    if (working.valid_count == 0 || working.width < APPEARANCE_SIDE ||
        working.height < APPEARANCE_SIDE) {
        return err_make(ERR_IMAGE_UNREADABLE,
                        "train_appearance_add: too small or nothing valid in it");
    }
    if (self->images_count % HELD_OUT_EVERY == 1 && self->held_out_count < HELD_OUT_MAX) {
        struct err err = hold_out(self, &working);
        if (err_is(err)) {
            return err;
        }
        keep_rises(self, image);
    } else {
        train_sample_add(&self->sample, &self->space, &working, self->images_count);
    }
    self->has_meaning = true;
    self->meaning = working.calibration.meaning;
    self->images_count++;
    const float *low = has_low(image) ? working_make_low(&self->working, image->low_image,
                                                         image->low_pixels, &working)
                                      : NULL;
    keep_measures(self, image, &working, low);
    digest_image(self, image);
    return self->lump == NULL
               ? err_none
               : train_lump_add(self->lump, &working, low, image->image->pixel_pitch_mm);
}

MUST_USE struct err train_appearance_marks(struct train_appearance *self,
                                           const struct finder_model *finder, const char *text,
                                           const uint8_t sha256[HASH_BYTES])
{
    must(!self->has_finder);
    struct err err = finder_copy(finder, &self->finder);
    if (err_is(err)) {
        return err;
    }
    self->has_finder = true;
    (void)snprintf(self->marks, sizeof self->marks, "%s", text);
    sha256_add(self->training_set, sha256, HASH_BYTES);
    return err_none;
}

/* Sorts values. The spread is at least a share of the median: images that are all alike would make
 * every other one infinitely strange. */
static void place(double *values, size_t count, double least_share, double *median, double *spread)
{
    statistics_sort(values, count);
    *median = statistics_quantile(values, count, 0.5);
    for (size_t i = 0; i < count; i++) {
        values[i] = fabs(values[i] - *median);
    }
    statistics_sort(values, count);
    double deviation = mad_to_sd * statistics_quantile(values, count, 0.5);
    double least = least_share * fabs(*median) + 1e-6;
    *spread = deviation > least ? deviation : least;
}

struct level_distances {
    double *values[APPEARANCE_LEVELS];
    size_t counts[APPEARANCE_LEVELS];
};

/* Every n-th distance of an image, so that no image and no level takes more than its part. */
static void collect_distances(struct train_appearance *self, const struct appearance_model *model,
                              const struct working *working, struct level_distances *out)
{
    struct patch_level levels[APPEARANCE_LEVELS];
    size_t levels_count = appearance_levels(&self->space, working, levels);
    struct patch_rule rule = appearance_rule(model->meaning);
    size_t every = patch_count_max(levels, levels_count, &rule) / DISTANCES_PER_IMAGE + 1;
    size_t taken[APPEARANCE_LEVELS] = {0};
    struct patch_cursor cursor = {0};
    size_t seen = 0;
    for (;;) {
        size_t rows = appearance_next(&self->space, model, levels, levels_count, &cursor);
        if (rows == 0) {
            break;
        }
        for (size_t i = 0; i < rows; i++, seen++) {
            uint32_t level = self->space.positions[i].level_index;
            if (seen % every == 0 && taken[level] < DISTANCES_PER_IMAGE) {
                out->values[level][out->counts[level]++] = (double)self->space.distance[i];
                taken[level]++;
            }
        }
    }
}

static struct err place_levels(struct train_appearance *self, struct appearance_model *model)
{
    struct level_distances distances = {{NULL}, {0}};
    bool whole = true;
    for (uint32_t level = 0; level < APPEARANCE_LEVELS; level++) {
        distances.values[level] =
            calloc((size_t)HELD_OUT_MAX * DISTANCES_PER_IMAGE, sizeof(double));
        whole = whole && distances.values[level] != NULL;
    }
    for (uint32_t i = 0; whole && i < self->held_out_count; i++) {
        collect_distances(self, model, &self->held_out[i].working, &distances);
    }
    for (uint32_t level = 0; whole && level < APPEARANCE_LEVELS; level++) {
        /* A level with too few patches borrows from the one below it. */
        bool enough = distances.counts[level] >= 16;
        model->level_median[level] = level > 0 ? model->level_median[level - 1] : 0;
        model->level_spread[level] = level > 0 ? model->level_spread[level - 1] : 1;
        if (enough) {
            place(distances.values[level], distances.counts[level], distance_share_min,
                  &model->level_median[level], &model->level_spread[level]);
        }
    }
    for (uint32_t level = 0; level < APPEARANCE_LEVELS; level++) {
        free(distances.values[level]);
    }
    return whole ? err_none : err_make(ERR_MEMORY, "placing of distances");
}

static struct err place_images(struct train_appearance *self, struct appearance_model *model)
{
    double scores[HELD_OUT_MAX];
    size_t count = 0;
    model->image_median = 0;
    model->image_spread = 1;
    for (uint32_t i = 0; i < self->held_out_count; i++) {
        struct appearance_finding finding;
        appearance_run(&self->space, model, &self->held_out[i].working, &finding);
        if (!isnan(finding.image_score)) {
            scores[count++] = finding.image_score;
        }
    }
    if (count == 0) {
        return err_make(ERR_ARGUMENT,
                        "train_appearance_write: no held-out image to place scores by");
    }
    place(scores, count, distance_share_min, &model->image_median, &model->image_spread);
    /* The spread of a handful of images says little: then a fifth of the median is the least. */
    double least = count < SPREAD_IMAGES_MIN ? 0.2 * fabs(model->image_median) : 0;
    model->image_spread = model->image_spread > least ? model->image_spread : least;
    return err_none;
}

/* Images that hardly have domes tell little of how high they are: the least that is found is then
 * the usual, and half of that the spread, which no spread is below. */
static void place_domes(struct train_appearance *self, struct dome_model *out)
{
    enum { RISES_MIN = 16 };
    const double least = DOME_RISE_LEAST / DOME_RISE_LEVELS;
    if (self->has_finder) {
        return;
    }
    out->median = least;
    out->spread = least / 2;
    if (self->rises_count >= RISES_MIN) {
        place(self->rises, self->rises_count, distance_share_min, &out->median, &out->spread);
        out->spread = out->spread > least / 2 ? out->spread : least / 2;
    }
    statistics_sort(self->highest_rises, self->highest_count);
    out->usual_highest = statistics_quantile(self->highest_rises, self->highest_count, 0.5);
    out->present = true;
}

/* Least squares of log mass on log index; the spread of the residuals, at least a tenth (10%). */
static void fit_mass(const struct train_appearance *self, struct appearance_mass *out)
{
    memset(out, 0, sizeof *out);
    double n = self->masses_count;
    double sx = 0, sy = 0, sxx = 0, sxy = 0;
    for (uint32_t i = 0; i < self->masses_count; i++) {
        sx += self->log_index[i];
        sy += self->log_mass[i];
    }
    for (uint32_t i = 0; i < self->masses_count; i++) {
        sxx += (self->log_index[i] - sx / n) * (self->log_index[i] - sx / n);
        sxy += (self->log_index[i] - sx / n) * (self->log_mass[i] - sy / n);
    }
    if (self->masses_count < MEASURES_MIN || sxx < 1e-9) {
        return;
    }
    double slope = sxy / sxx;
    double intercept = sy / n - slope * sx / n;
    double squares = 0;
    for (uint32_t i = 0; i < self->masses_count; i++) {
        double residual = self->log_mass[i] - intercept - slope * self->log_index[i];
        squares += residual * residual;
    }
    double spread = sqrt(squares / (n - 2));
    *out =
        (struct appearance_mass){slope, intercept, spread > 0.1 ? spread : 0.1, self->pitch_known};
}

static void fit_ratio(struct train_appearance *self, struct appearance_model *model)
{
    model->ratio_median = 0;
    model->ratio_spread = 0;
    if (self->ratios_count >= MEASURES_MIN) {
        place(self->ratios, self->ratios_count, ratio_share_min, &model->ratio_median,
              &model->ratio_spread);
    }
}

static const char *meaning_text(enum image_meaning meaning)
{
    switch (meaning) {
    case IMAGE_TRANSMISSION:
        return pixel_meaning_text(PIXEL_TRANSMISSION);
    case IMAGE_DISPLAY:
        return pixel_meaning_text(PIXEL_DISPLAY);
    default:
        return pixel_meaning_text(PIXEL_DISPLAY_INVERTED);
    }
}

static struct err add_arrays(const struct train_appearance *self,
                             const struct appearance_model *model, struct model_file *file)
{
    const uint64_t geometry[4] = {self->conf.working_height, APPEARANCE_SIDE, APPEARANCE_STEP,
                                  APPEARANCE_LEVELS};
    double placing[2 * APPEARANCE_LEVELS + 8];
    size_t at = 0;
    for (uint32_t level = 0; level < APPEARANCE_LEVELS; level++) {
        placing[at++] = model->level_median[level];
        placing[at++] = model->level_spread[level];
    }
    const double rest[8] = {model->image_median, model->image_spread,
                            model->mass.slope,   model->mass.intercept,
                            model->mass.spread,  model->mass.pitch_known ? 1.0 : 0.0,
                            model->ratio_median, model->ratio_spread};
    memcpy(placing + at, rest, sizeof rest);
    const uint64_t geometry_shape[1] = {4};
    const uint64_t placing_shape[1] = {sizeof placing / sizeof placing[0]};
    const uint64_t projection_shape[2] = {APPEARANCE_FEATURES, model->dimensions};
    const uint64_t bias_shape[1] = {model->dimensions};
    const uint64_t bank_shape[2] = {model->bank_count, model->dimensions};
    struct err err = model_file_add(file, "geometry", MODEL_U64, geometry_shape, 1, geometry);
    err = err_is(err) ? err : model_file_add(file, "placing", MODEL_F64, placing_shape, 1, placing);
    err = err_is(err)
              ? err
              : model_file_add(file, "projection", MODEL_F32, projection_shape, 2, model->weights);
    err = err_is(err) ? err : model_file_add(file, "bias", MODEL_F32, bias_shape, 1, model->bias);
    err = err_is(err) ? err : model_file_add(file, "bank", MODEL_F32, bank_shape, 2, model->bank);
    err = err_is(err) ? err : model_file_add_text(file, "meaning", meaning_text(model->meaning));
    err = err_is(err) || !model->lump.present ? err : lump_write(&model->lump, file);
    err = err_is(err) || !model->dome.present ? err : dome_write(&model->dome, file);
    return err_is(err) ? err : model_file_add_text(file, "scanner_type", self->scanner_type);
}

static struct err write_model(struct train_appearance *self, const struct appearance_model *model,
                              size_t trimmed_count, const char *directory,
                              struct train_report *report)
{
    char name[APPEARANCE_NAME_BYTES];
    char evaluation[TRAIN_EVALUATION_BYTES];
    (void)snprintf(name, sizeof name, APPEARANCE_PREFIX "%s", self->scanner_type);
    char domes[160] = "";
    if (model->dome.present) {
        (void)snprintf(domes, sizeof domes,
                       "; domes %" PRIu32 ", rise median %.3f, spread %.3f, median of the highest "
                       "%.3f",
                       self->rises_count, model->dome.median, model->dome.spread,
                       model->dome.usual_highest);
    }
    (void)snprintf(
        evaluation, sizeof evaluation,
        "images %" PRIu32 ", held out %" PRIu32 "; patches seen %" PRIu64
        ", sampled %zu, trimmed %zu, bank %" PRIu32 " x %" PRIu32
        "; held-out image score median %.3f, spread %.3f; masses %" PRIu32
        ", error of log mass %.3f; dual-energy ratios %" PRIu32 ", median %.3f, spread %.3f%s%s%s",
        self->images_count, self->held_out_count, self->sample.rows_seen, self->sample.rows_count,
        trimmed_count, model->bank_count, model->dimensions, model->image_median,
        model->image_spread, self->masses_count, model->mass.spread, self->ratios_count,
        model->ratio_median, model->ratio_spread, domes, self->lump_figures, self->marks);
    struct train_model about = {
        .name = name, .kind = "appearance", .seed = self->conf.seed, .evaluation = evaluation};
    sha256_finish(self->training_set, about.training_set_sha256);
    struct model_file file;
    model_file_init(&file);
    struct err err = add_arrays(self, model, &file);
    err = err_is(err) || !self->has_finder ? err : finder_add(&self->finder, &file);
    err = err_is(err) ? err : train_model_write(&about, &file, directory, report);
    model_file_fini(&file);
    return err;
}

MUST_USE struct err train_appearance_write(struct train_appearance *self, const char *directory,
                                           struct train_report *report)
{
    if (self->held_out_count == 0) {
        return err_make(ERR_ARGUMENT, "train_appearance_write: fewer than two usable images");
    }
    struct appearance_model model = {.meaning = self->meaning,
                                     .working_height = self->conf.working_height};
    size_t trimmed_count = 0;
    struct err err =
        train_sample_build(&self->sample, self->conf.dimensions, self->conf.bank_patches_max,
                           self->conf.seed, &model, &trimmed_count);
    err = err_is(err) ? err : place_levels(self, &model);
    err = err_is(err) ? err : place_images(self, &model);
    if (self->lump != NULL && !err_is(err)) {
        err = train_lump_finish(self->lump, &model.lump, self->lump_figures);
    }
    if (!err_is(err)) {
        fit_mass(self, &model.mass);
        fit_ratio(self, &model);
        place_domes(self, &model.dome);
        err = write_model(self, &model, trimmed_count, directory, report);
    }
    appearance_model_fini(&model);
    return err;
}
