/* SPDX-License-Identifier: Apache-2.0 */
#include "score/lump.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Sums over any block are four loads of an integral image whose entries hold the four sums side by
 * side. A first look at ring contrast alone drops the windows that hold no more than their
 * surroundings, which is most of them: something added never attenuates less. */

/* Sides of the windows in cm, height x width: a few kg to some 60 kg of pressed powder. */
static const double shapes[][2] = {{16, 16}, {24, 24}, {34, 34}, {48, 48}, {20, 32}, {32, 20}};
enum { SHAPES = sizeof shapes / sizeof shapes[0], WINDOW_STEP = 2, RISE_BINS = 512 };
static const double ring_cm = 12;
/* Below the first it is no load, above the last hardly a photon comes through. */
static const double load_min = 0.2, load_max = 7.0;
/* Contrast that a first look asks for; lower: slower, nothing found more. */
static const float rise_min = 0.02f;
static const double rise_range = 4;
/* The air strip: rows at the top, whose cells must show air. */
static const double air_rows_share = 0.04;
static const float air_max = 0.05f;
/* Mass attenuation of light elements behind a 9 MeV filtered beam, cm2/g: for words only. */
static const double organic_mu_rho = 0.032;

MUST_USE struct err lump_space_init(struct lump_space *self)
{
    const struct oblivious_model widest = {.feature_count = LUMP_FEATURES};
    size_t workspace = (oblivious_workspace_bytes(&widest) + 127) / 64 * 64;
    size_t corners = LUMP_CELLS_MAX + 2 * (size_t)LUMP_CELLS_MAX / 16 + 65536;
    struct lump_space made = {
        .image = {.high = calloc(LUMP_CELLS_MAX, sizeof(float)),
                  .low = calloc(LUMP_CELLS_MAX, sizeof(float))},
        .sums = aligned_alloc(64, (corners * sizeof(struct lump_sums) + 63) / 64 * 64),
        .rises = calloc(LUMP_CELLS_MAX, sizeof(float)),
        .features = calloc((size_t)LUMP_BATCH * LUMP_FEATURES, sizeof(float)),
        .windows = calloc(LUMP_BATCH, sizeof(struct lump_window)),
        .scores = calloc(LUMP_BATCH, sizeof(int32_t)),
        .trees_workspace = aligned_alloc(64, workspace),
    };
    if (made.image.high == NULL || made.image.low == NULL || made.sums == NULL ||
        made.rises == NULL || made.features == NULL || made.windows == NULL ||
        made.scores == NULL || made.trees_workspace == NULL) {
        lump_space_fini(&made);
        return err_make(ERR_MEMORY, "lump workspace");
    }
    *self = made;
    return err_none;
}

void lump_space_fini(struct lump_space *self)
{
    free(self->image.high);
    free(self->image.low);
    free(self->sums);
    free(self->rises);
    free(self->features);
    free(self->windows);
    free(self->scores);
    free(self->trees_workspace);
    memset(self, 0, sizeof *self);
}

/* The mean of each cell; what the mask took out counts as air. */
static void average(const struct working *working, const float *pixels,
                    const struct lump_image *image, float *out)
{
    float share = 1.0f / (float)(image->factor * image->factor);
    for (size_t y = 0; y < image->height; y++) {
        for (size_t x = 0; x < image->width; x++) {
            float sum = 0;
            for (size_t j = 0; j < image->factor; j++) {
                size_t at = (y * image->factor + j) * working->width + x * image->factor;
                for (size_t i = 0; i < image->factor; i++) {
                    sum += working->valid[at + i] ? pixels[at + i] : 0.0f;
                }
            }
            out[y * image->width + x] = sum * share;
        }
    }
}

/* Each column is a pulse with a dose of its own: what its air shows is taken from all of it. */
static void level_columns(const struct lump_image *image, float *cells)
{
    size_t rows = (size_t)((double)image->height * air_rows_share);
    for (size_t x = 0; x < image->width && rows > 0; x++) {
        float sum = 0;
        bool air = true;
        for (size_t y = 0; y < rows; y++) {
            float value = cells[y * image->width + x];
            air = air && fabsf(value) < air_max;
            sum += value;
        }
        float dose = air ? sum / (float)rows : 0.0f;
        for (size_t y = 0; y < image->height; y++) {
            cells[y * image->width + x] -= dose;
        }
    }
}

bool lump_cells(struct lump_space *self, const struct working *working, const float *low_pixels,
                double pixel_pitch_mm)
{
    struct lump_image *image = &self->image;
    double pixel_cm = pixel_pitch_mm / 10 * (double)working->factor;
    if (low_pixels == NULL || working->calibration.meaning != IMAGE_TRANSMISSION ||
        !(pixel_cm > 0.01) || !(pixel_cm <= LUMP_CELL_CM_MAX)) {
        return false;
    }
    size_t factor = (size_t)floor(LUMP_CELL_CM / pixel_cm + 0.5);
    factor = factor < 1 ? 1 : factor;
    while ((working->width / factor) * (working->height / factor) > LUMP_CELLS_MAX) {
        factor++;
    }
    image->factor = factor;
    image->cell_cm = pixel_cm * (double)factor;
    image->width = working->width / factor;
    image->height = working->height / factor;
    if (image->cell_cm > LUMP_CELL_CM_MAX || image->width < 64 || image->height < 64) {
        return false;
    }
    average(working, working->pixels, image, image->high);
    average(working, low_pixels, image, image->low);
    level_columns(image, image->high);
    level_columns(image, image->low);
    return true;
}

static float curve_at(const float *curve, float high)
{
    float place = high / LUMP_CURVE_STEP;
    place = place > 0 ? place : 0; /* also of NaN */
    place = place < (float)(LUMP_CURVE - 1) - 0.001f ? place : (float)(LUMP_CURVE - 1) - 0.001f;
    size_t cell = (size_t)place;
    float share = place - (float)cell;
    return curve[cell] + share * (curve[cell + 1] - curve[cell]);
}

static void integrate(struct lump_space *self, const float *curve)
{
    const struct lump_image *image = &self->image;
    size_t corners = image->width + 1;
    memset(self->sums, 0, corners * sizeof *self->sums);
    for (size_t y = 0; y < image->height; y++) {
        struct lump_sums row = {{0}, {0}};
        struct lump_sums *below = self->sums + (y + 1) * corners;
        const struct lump_sums *above = self->sums + y * corners;
        below[0] = row;
        for (size_t x = 0; x < image->width; x++) {
            double a = (double)image->high[y * image->width + x];
            double m = (double)(image->low[y * image->width + x] - curve_at(curve, (float)a));
            row.a += (lump_pair){a, a * a};
            row.m += (lump_pair){m, m * m};
            below[x + 1] = (struct lump_sums){above[x + 1].a + row.a, above[x + 1].m + row.m};
        }
    }
}

struct mean {
    double count;
    double a;
    double a_spread;
    double m;
    double m_spread;
};

/* A block given by its edges; parts beyond the image are cut off. */
struct block {
    long left;
    long top;
    long right;
    long bottom;
};

static long held(long value, long most)
{
    return value < 0 ? 0 : value > most ? most : value;
}

__attribute__((always_inline)) static inline struct lump_sums
sum_of(const struct lump_space *self, struct block block, double *count)
{
    const struct lump_image *image = &self->image;
    long left = held(block.left, (long)image->width), right = held(block.right, (long)image->width);
    long top = held(block.top, (long)image->height),
         bottom = held(block.bottom, (long)image->height);
    size_t corners = image->width + 1;
    const struct lump_sums *high = self->sums + (size_t)top * corners;
    const struct lump_sums *deep = self->sums + (size_t)bottom * corners;
    *count = (double)((right - left) * (bottom - top));
    return (struct lump_sums){(deep[right].a - deep[left].a) - (high[right].a - high[left].a),
                              (deep[right].m - deep[left].m) - (high[right].m - high[left].m)};
}

static struct mean mean_of(struct lump_sums sums, double count)
{
    double share = 1 / (count > 0 ? count : 1);
    double a = sums.a[0] * share, m = sums.m[0] * share;
    double a_square = sums.a[1] * share - a * a, m_square = sums.m[1] * share - m * m;
    return (struct mean){.count = count,
                         .a = a,
                         .a_spread = sqrt(a_square > 0 ? a_square : 0),
                         .m = m,
                         .m_spread = sqrt(m_square > 0 ? m_square : 0)};
}

struct geometry {
    long height; /* of the window, cells */
    long width;
    long ring;
    size_t columns; /* places */
    size_t rows;
};

static struct geometry geometry_of(const struct lump_image *image, uint32_t shape)
{
    struct geometry of = {.height = lround(shapes[shape][0] / image->cell_cm),
                          .width = lround(shapes[shape][1] / image->cell_cm),
                          .ring = lround(ring_cm / image->cell_cm)};
    of.height = of.height < 4 ? 4 : of.height;
    of.width = of.width < 4 ? 4 : of.width;
    of.ring = of.ring < 2 ? 2 : of.ring;
    long columns = ((long)image->width - of.width) / WINDOW_STEP;
    long rows = ((long)image->height - of.height) / WINDOW_STEP;
    of.columns = columns > 0 ? (size_t)columns : 0;
    of.rows = rows > 0 ? (size_t)rows : 0;
    return of;
}

static struct block place_of(const struct geometry *of, size_t place)
{
    long x = (long)(place % of->columns) * WINDOW_STEP,
         y = (long)(place / of->columns) * WINDOW_STEP;
    return (struct block){x, y, x + of->width, y + of->height};
}

static struct block grown(struct block block, long by)
{
    return (struct block){block.left - by, block.top - by, block.right + by, block.bottom + by};
}

/* The ring: one cell away from the window, so that a blurred edge belongs to neither. */
static struct mean ring_of(const struct lump_space *self, struct block window, long ring)
{
    double outer_count, inner_count;
    struct lump_sums outer = sum_of(self, grown(window, ring + 1), &outer_count);
    struct lump_sums inner = sum_of(self, grown(window, 1), &inner_count);
    return mean_of((struct lump_sums){outer.a - inner.a, outer.m - inner.m},
                   outer_count - inner_count);
}

/* Ring contrast of every place of a shape, -1 where there is no load; and its quantiles. */
static void look_first(struct lump_space *self, uint32_t shape, float quantiles[2])
{
    struct geometry of = geometry_of(&self->image, shape);
    uint32_t bins[RISE_BINS] = {0};
    uint32_t total = 0;
    for (size_t place = 0; place < of.columns * of.rows; place++) {
        struct block window = place_of(&of, place);
        double count;
        struct lump_sums sums = sum_of(self, window, &count);
        double a = sums.a[0] / count;
        self->rises[place] = -1;
        if (!(a > load_min && a < load_max)) {
            continue;
        }
        double outer_count, inner_count;
        struct lump_sums outer = sum_of(self, grown(window, of.ring + 1), &outer_count);
        struct lump_sums inner = sum_of(self, grown(window, 1), &inner_count);
        double rise = a - (outer.a[0] - inner.a[0]) / (outer_count - inner_count);
        self->rises[place] = (float)rise;
        long bin = lround(rise / rise_range * RISE_BINS);
        bins[held(bin, RISE_BINS - 1)]++;
        total++;
    }
    const double levels[2] = {0.9, 0.99};
    uint32_t seen = 0, at = 0;
    for (int q = 0; q < 2; q++) {
        while (at < RISE_BINS - 1 && (double)(seen + bins[at]) < levels[q] * total) {
            seen += bins[at++];
        }
        quantiles[q] = (float)(at * rise_range / RISE_BINS);
    }
}

static void sort_four(double values[4])
{
    for (int i = 1; i < 4; i++) {
        for (int j = i; j > 0 && values[j] < values[j - 1]; j--) {
            double other = values[j];
            values[j] = values[j - 1];
            values[j - 1] = other;
        }
    }
}

/* What rises across each of the four sides, from a strip outside to one inside. */
static void sides_of(const struct lump_space *self, struct block w, const struct geometry *of,
                     double rises_a[4], double rises_m[4])
{
    long deep = of->height / 4 > 2 ? of->height / 4 : 2,
         wide = of->width / 4 > 2 ? of->width / 4 : 2;
    long far = of->ring + 1;
    const struct block out[4] = {{w.left, w.top - far, w.right, w.top - 1},
                                 {w.left, w.bottom + 1, w.right, w.bottom + far},
                                 {w.left - far, w.top, w.left - 1, w.bottom},
                                 {w.right + 1, w.top, w.right + far, w.bottom}};
    const struct block in[4] = {{w.left, w.top, w.right, w.top + deep},
                                {w.left, w.bottom - deep, w.right, w.bottom},
                                {w.left, w.top, w.left + wide, w.bottom},
                                {w.right - wide, w.top, w.right, w.bottom}};
    for (int i = 0; i < 4; i++) {
        double count_in, count_out;
        struct lump_sums inner = sum_of(self, in[i], &count_in);
        struct lump_sums outer = sum_of(self, out[i], &count_out);
        double share_in = 1 / (count_in > 0 ? count_in : 1);
        double share_out = 1 / (count_out > 0 ? count_out : 1);
        rises_a[i] = inner.a[0] * share_in - outer.a[0] * share_out;
        rises_m[i] = inner.m[0] * share_in - outer.m[0] * share_out;
    }
}

static void fill_row(const struct lump_space *self, const struct geometry *of, struct block w,
                     const float quantiles[2], float *row)
{
    const struct lump_image *image = &self->image;
    double count;
    struct lump_sums sums = sum_of(self, w, &count);
    struct mean in = mean_of(sums, count);
    struct mean ring = ring_of(self, w, of->ring);
    struct lump_sums half =
        sum_of(self,
               (struct block){w.left + of->width / 4, w.top + of->height / 4,
                              w.right - of->width / 4, w.bottom - of->height / 4},
               &count);
    struct mean core = mean_of(half, count);
    double a[4], m[4];
    sides_of(self, w, of, a, m);
    double top = a[0], bottom = a[1], least_side = fmin(a[2], a[3]);
    sort_four(a);
    sort_four(m);
    double rise = in.a - ring.a, organic = in.m - ring.m;
    double area = (double)(of->width * of->height) * image->cell_cm * image->cell_cm;
    double above_floor = ((double)image->height - (double)(w.top + w.bottom) / 2) * image->cell_cm;
    const double values[LUMP_FEATURES] = {in.a,
                                          in.a_spread,
                                          in.m,
                                          in.m_spread,
                                          ring.a,
                                          ring.a_spread,
                                          ring.m,
                                          ring.m_spread,
                                          rise,
                                          organic,
                                          rise / (ring.a_spread + 0.02),
                                          organic / (ring.m_spread + 0.003),
                                          organic / (fabs(rise) + 0.05),
                                          a[0],
                                          a[1],
                                          a[2],
                                          a[3],
                                          m[0],
                                          m[1],
                                          m[2],
                                          m[3],
                                          top,
                                          bottom,
                                          least_side,
                                          rise - (double)quantiles[1],
                                          (double)quantiles[1],
                                          (double)quantiles[0],
                                          above_floor,
                                          (double)of->height * image->cell_cm,
                                          (double)of->width * image->cell_cm,
                                          rise * area,
                                          core.a - in.a};
    for (size_t i = 0; i < LUMP_FEATURES; i++) {
        row[i] = (float)values[i];
    }
}

void lump_windows_begin(struct lump_space *self, const float *curve, struct lump_cursor *cursor)
{
    integrate(self, curve);
    *cursor = (struct lump_cursor){0};
    look_first(self, 0, cursor->quantiles);
}

size_t lump_windows_next(struct lump_space *self, struct lump_cursor *cursor)
{
    size_t rows = 0;
    while (cursor->shape < SHAPES && rows < LUMP_BATCH) {
        struct geometry of = geometry_of(&self->image, cursor->shape);
        size_t places = of.columns * of.rows;
        for (; cursor->place < places && rows < LUMP_BATCH; cursor->place++) {
            if (self->rises[cursor->place] < rise_min) {
                continue;
            }
            struct block w = place_of(&of, cursor->place);
            fill_row(self, &of, w, cursor->quantiles, self->features + rows * LUMP_FEATURES);
            self->windows[rows++] = (struct lump_window){(uint32_t)w.left, (uint32_t)w.top,
                                                         (uint32_t)of.width, (uint32_t)of.height};
        }
        if (cursor->place == places) {
            cursor->place = 0;
            cursor->shape++;
            if (cursor->shape < SHAPES) {
                look_first(self, cursor->shape, cursor->quantiles);
            }
        }
    }
    return rows;
}

static bool overlap(const struct lump_window *a, const struct lump_window *b)
{
    return a->x < b->x + b->width && b->x < a->x + a->width && a->y < b->y + b->height &&
           b->y < a->y + a->height;
}

/* The best windows of which no two overlap, best first; of equal ones the earlier. */
static void keep_best(struct lump_space *self, const struct lump_window *window, float logit)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < self->best_count; i++) {
        bool meets = overlap(&self->best[i], window);
        if (meets && self->best_logits[i] >= logit) {
            return;
        }
    }
    for (uint32_t i = 0; i < self->best_count; i++) {
        if (!overlap(&self->best[i], window)) {
            self->best[kept] = self->best[i];
            self->best_logits[kept++] = self->best_logits[i];
        }
    }
    self->best_count = kept;
    uint32_t at = kept;
    while (at > 0 && self->best_logits[at - 1] < logit) {
        at--;
    }
    if (at >= LUMP_FINDINGS_MAX) {
        return;
    }
    uint32_t last = kept < LUMP_FINDINGS_MAX ? kept : LUMP_FINDINGS_MAX - 1;
    for (uint32_t i = last; i > at; i--) {
        self->best[i] = self->best[i - 1];
        self->best_logits[i] = self->best_logits[i - 1];
    }
    self->best[at] = *window;
    self->best_logits[at] = logit;
    self->best_count = last + 1;
}

double lump_judge(struct lump_space *self, const struct lump_model *model)
{
    struct lump_cursor cursor;
    self->best_count = 0;
    lump_windows_begin(self, model->curve, &cursor);
    for (;;) {
        size_t rows = lump_windows_next(self, &cursor);
        if (rows == 0) {
            break;
        }
        const struct oblivious_rows given = {self->features, rows, LUMP_FEATURES};
        oblivious_score(&model->trees, &given, self->trees_workspace, self->scores);
        for (size_t i = 0; i < rows; i++) {
            keep_best(self, &self->windows[i], (float)((double)self->scores[i] * OBLIVIOUS_LOGIT));
        }
    }
    return self->best_count > 0 ? (double)self->best_logits[0] : (double)NAN;
}

void lump_run(struct lump_space *self, const struct lump_model *model,
              const struct working *working, const float *low_pixels, double pixel_pitch_mm,
              struct lump_finding *out)
{
    *out = (struct lump_finding){.logit = NAN, .z = NAN};
    if (!model->present || !lump_cells(self, working, low_pixels, pixel_pitch_mm)) {
        return;
    }
    out->logit = lump_judge(self, model);
    if (isnan(out->logit)) {
        return;
    }
    out->z = (out->logit - model->median) / model->spread;
    const struct lump_window *best = &self->best[0];
    struct block window = {best->x, best->y, (long)best->x + best->width,
                           (long)best->y + best->height};
    double count;
    struct lump_sums sums = sum_of(self, window, &count);
    out->rise = sums.a[0] / count - ring_of(self, window, lround(ring_cm / self->image.cell_cm)).a;
    out->excess_kg =
        out->rise / organic_mu_rho * count * self->image.cell_cm * self->image.cell_cm / 1000;
}
