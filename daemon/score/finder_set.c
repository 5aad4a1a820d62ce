/* SPDX-License-Identifier: Apache-2.0 */
#include "score/finder_set.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/statistics.h"

enum { LEVEL_MAX = FINDER_SET_LEVEL_MAX, LEVEL_INVALID = FINDER_SET_LEVEL_INVALID };
enum { AROUND_MAX = FINDER_MATERIAL_RADIUS };

static const double about_object = 0.7; /* of the crops */
static const double box_least = 4.0;
static const double box_usual = 12.0; /* without any box */
/* Transmissions of e^-16 are beyond every detector; one level is 0.00025. */
static const double transmission_kept = 16.0;
/* A network that looks far costs more a pixel: smaller crops, as many minutes. */
enum { CROP_CALIBRATED_MAX = 256 };
/* Larger and smaller by up to a quarter, half of the crops: other packings lie at other distances
 * from the source. More would blur what is small. */
static const double zoom_share = 0.5;
static const double zoom_max = 0.2231435513142098;        /* log 1.25 */
static const double zoom_calibrated = 0.0953101798043249; /* log 1.1: the pitch is known */

void finder_set_init(struct finder_set *self, enum image_meaning meaning, uint32_t reduction)
{
    *self = (struct finder_set){.input = finder_input_default(meaning), .reduction = reduction};
    self->kept_max = meaning == IMAGE_TRANSMISSION ? transmission_kept : self->input.a_max;
    self->transmission = meaning == IMAGE_TRANSMISSION;
    self->upright = true;
}

void finder_set_fini(struct finder_set *self)
{
    for (uint32_t i = 0; i < self->image_count; i++) {
        free(self->images[i].levels);
        free(self->images[i].low_levels);
        free(self->images[i].truths);
    }
    free(self->images);
    memset(self, 0, sizeof *self);
}

static bool reserve(struct finder_set *self)
{
    if (self->image_count < self->image_room) {
        return true;
    }
    uint32_t room = 2 * self->image_room + 64;
    struct finder_set_image *images = realloc(self->images, room * sizeof *images);
    if (images == NULL) {
        return false;
    }
    self->images = images;
    self->image_room = room;
    return true;
}

static void store(const float *pixels, const uint8_t *valid, size_t count, double kept_max,
                  uint16_t *out)
{
    const float scale = (float)(LEVEL_MAX / kept_max);
    for (size_t i = 0; i < count; i++) {
        float level = pixels[i] * scale;
        level = level > 0 ? level : 0; /* NaN: 0 */
        level = level < LEVEL_MAX ? level : LEVEL_MAX;
        out[i] = valid[i] != 0 ? (uint16_t)floorf(level + 0.5f) : LEVEL_INVALID;
    }
}

MUST_USE struct err finder_set_add(struct finder_set *self, const struct finder_set_add *image)
{
    const struct working *working = image->working;
    size_t count = working->width * working->height;
    if (self->pixels + count > FINDER_SET_PIXELS_MAX ||
        self->image_count >= FINDER_SET_IMAGES_MAX) {
        return err_make(ERR_POOL_EMPTY, "finder_set_add: training images beyond the limit");
    }
    uint32_t truth_count =
        image->truth_count < FINDER_TRUTHS_MAX ? image->truth_count : FINDER_TRUTHS_MAX;
    struct finder_set_image kept = {
        .levels = malloc(count * sizeof(uint16_t)),
        .low_levels = image->low_pixels != NULL ? malloc(count * sizeof(uint16_t)) : NULL,
        .width = (uint32_t)working->width,
        .height = (uint32_t)working->height,
        .truths = calloc(truth_count + 1, sizeof(struct finder_truth)),
        .truth_count = truth_count,
        .group = image->group,
        .number = image->number};
    if (kept.levels == NULL || kept.truths == NULL || !reserve(self) ||
        (image->low_pixels != NULL && kept.low_levels == NULL)) {
        free(kept.levels);
        free(kept.low_levels);
        free(kept.truths);
        return err_make(ERR_MEMORY, "finder_set_add");
    }
    store(working->pixels, working->valid, count, self->kept_max, kept.levels);
    if (image->low_pixels != NULL) {
        store(image->low_pixels, working->valid, count, self->kept_max, kept.low_levels);
    }
    memcpy(kept.truths, image->truths, truth_count * sizeof *kept.truths);
    self->images[self->image_count++] = kept;
    self->pixels += count;
    uint32_t side = kept.width > kept.height ? kept.width : kept.height;
    self->side_max = side > self->side_max ? side : self->side_max;
    self->height_max = kept.height > self->height_max ? kept.height : self->height_max;
    self->upright = self->upright && kept.width >= 2 * kept.height;
    return err_none;
}

double finder_set_box(const struct finder_set *self)
{
    size_t count = 0;
    for (uint32_t i = 0; i < self->image_count; i++) {
        count += self->images[i].truth_count;
    }
    double *sides = count > 0 ? calloc(count, sizeof *sides) : NULL;
    if (sides == NULL) {
        return box_usual;
    }
    size_t at = 0;
    for (uint32_t i = 0; i < self->image_count; i++) {
        for (uint32_t k = 0; k < self->images[i].truth_count; k++) {
            const struct finder_truth *truth = &self->images[i].truths[k];
            sides[at++] =
                sqrt((double)(truth->right - truth->left) * (double)(truth->bottom - truth->top));
        }
    }
    statistics_sort(sides, count);
    double box = statistics_quantile(sides, count, 0.5);
    free(sides);
    return box > box_least ? box : box_least;
}

uint32_t finder_set_crop_side(const struct finder_set *self)
{
    uint32_t most = self->calibrated && self->upright ? self->height_max : self->side_max;
    uint32_t limit = self->calibrated ? CROP_CALIBRATED_MAX : FINDER_CROP_MAX;
    uint32_t side = (most + 7) / 8 * 8;
    return side < limit ? side : limit;
}

/* ---- crops */

MUST_USE struct err finder_crop_init(struct finder_crop_space *self, uint32_t side)
{
    size_t wide = side + 2 * (size_t)AROUND_MAX;
    memset(self, 0, sizeof *self);
    self->pixels = malloc(wide * wide * sizeof(float));
    self->low_pixels = malloc(wide * wide * sizeof(float));
    self->valid = malloc(wide * wide);
    self->planes = malloc(wide * wide * FINDER_CHANNELS_MAX);
    self->workspace = malloc(finder_planes_workspace_bytes(wide));
    if (self->pixels == NULL || self->low_pixels == NULL || self->valid == NULL ||
        self->planes == NULL || self->workspace == NULL) {
        finder_crop_fini(self);
        return err_make(ERR_MEMORY, "finder_crop_init");
    }
    return err_none;
}

void finder_crop_fini(struct finder_crop_space *self)
{
    free(self->pixels);
    free(self->low_pixels);
    free(self->valid);
    free(self->planes);
    free(self->workspace);
    memset(self, 0, sizeof *self);
}

/* Pixel (x, y) of a crop lies at left + x * zoom, top + y * zoom of the image. */
struct framing {
    double left, top;
    double zoom;
    double gain, lift; /* of attenuations */
    double contrast;
    bool mirror, flip, turn;
};

static double uniform(struct rng *rng, double low, double high)
{
    return low + (high - low) * rng_uniform(rng);
}

/* Where a piece of `piece` pixels begins in `whole` ones: about `centre` when that is >= 0. */
static double draw_begin(struct rng *rng, double whole, double piece, double centre)
{
    double begin = centre >= 0 ? centre - uniform(rng, 0.1, 0.9) * piece
                               : uniform(rng, 0, whole - piece > 0 ? whole - piece : 0);
    double last = whole - piece;
    if (last <= 0) {
        return uniform(rng, last, 0);
    }
    begin = begin < last ? begin : last;
    return begin > 0 ? begin : 0;
}

/* Attenuations with a unit say what something is made of, and what stands on a floor has an up and
 * a down: neither is blurred. */
static void settle_framing(const struct finder_set *set, struct framing *framing)
{
    framing->gain = 1 + (framing->gain - 1) / 10;
    framing->lift = 0;
    framing->contrast = 1;
    framing->flip = framing->flip && !set->upright;
    framing->turn = framing->turn && !set->upright;
}

static struct framing draw_framing(const struct finder_set *set,
                                   const struct finder_set_image *image, uint32_t side,
                                   struct rng *rng)
{
    double x = -1, y = -1;
    double zoom_most = set->calibrated ? zoom_calibrated : zoom_max;
    struct framing framing = {.zoom = 1};
    if (rng_uniform(rng) < zoom_share) {
        framing.zoom = exp(uniform(rng, -zoom_most, zoom_most));
    }
    if (image->truth_count > 0 && rng_uniform(rng) < about_object) {
        const struct finder_truth *truth = &image->truths[rng_below(rng, image->truth_count)];
        x = (double)(truth->left + truth->right) / 2;
        y = (double)(truth->top + truth->bottom) / 2;
    }
    framing.left = floor(draw_begin(rng, image->width, side * framing.zoom, x));
    framing.top = floor(draw_begin(rng, image->height, side * framing.zoom, y));
    framing.gain = uniform(rng, 0.9, 1.1);
    framing.lift = uniform(rng, -0.05, 0.05) * set->input.a_max;
    framing.contrast = uniform(rng, 0.8, 1.25);
    framing.mirror = rng_below(rng, 2) != 0;
    framing.flip = rng_below(rng, 2) != 0;
    framing.turn = rng_below(rng, 2) != 0;
    if (set->calibrated) {
        settle_framing(set, &framing);
    }
    return framing;
}

/* Pixels beside a crop that its planes depend on. */
static int around_of(const struct finder_set *set)
{
    return set->input.material > 0 ? FINDER_MATERIAL_RADIUS : FINDER_LOCAL_RADIUS;
}

/* Crop pixels first <= i < end, from -around to side + around, that lie inside the image. */
struct span {
    int first;
    int end;
};

static struct span span_inside(double begin, double zoom, double whole, const int ends[2])
{
    struct span span = {ends[0], ends[1]};
    while (span.first < span.end && begin + span.first * zoom < 0) {
        span.first++;
    }
    while (span.end > span.first && begin + (span.end - 1) * zoom > whole - 1) {
        span.end--;
    }
    return span;
}

/* Bilinear; a level that is not valid makes the pixel invalid. */
static float sample(const uint16_t *levels, uint32_t width, const size_t at[2], const float part[2],
                    bool *valid)
{
    const uint16_t *row = levels + at[1] * width + at[0];
    size_t right = part[0] > 0 ? 1 : 0;
    size_t below = part[1] > 0 ? width : 0;
    const uint16_t four[4] = {row[0], row[right], row[below], row[below + right]};
    for (int i = 0; i < 4; i++) {
        *valid = *valid && four[i] != LEVEL_INVALID;
    }
    float upper = (float)four[0] + part[0] * ((float)four[1] - (float)four[0]);
    float lower = (float)four[2] + part[0] * ((float)four[3] - (float)four[2]);
    return upper + part[1] * (lower - upper);
}

static void fill_piece(const struct finder_set *set, const struct finder_set_image *image,
                       const struct framing *framing, const struct span spans[2],
                       struct finder_crop_space *space)
{
    const float scale = (float)(set->kept_max / LEVEL_MAX);
    const float gain = (float)framing->gain * scale;
    size_t at_pixel = 0;
    for (int v = spans[1].first; v < spans[1].end; v++) {
        double y = framing->top + v * framing->zoom;
        for (int u = spans[0].first; u < spans[0].end; u++, at_pixel++) {
            double x = framing->left + u * framing->zoom;
            const size_t at[2] = {(size_t)x, (size_t)y};
            const float part[2] = {(float)(x - floor(x)), (float)(y - floor(y))};
            bool valid = true;
            float level = sample(image->levels, image->width, at, part, &valid);
            float pixel = level * gain + (float)framing->lift;
            space->pixels[at_pixel] = pixel > 0 ? pixel : 0;
            if (image->low_levels != NULL) {
                pixel = sample(image->low_levels, image->width, at, part, &valid) * gain +
                        (float)framing->lift;
                space->low_pixels[at_pixel] = pixel > 0 ? pixel : 0;
            }
            space->valid[at_pixel] = valid;
        }
    }
}

/* Mirrored, flipped, turned: where pixel (x, y) of a side's square goes. */
static void turn_truth(const struct framing *framing, float side, struct finder_truth *truth)
{
    struct finder_truth t = *truth;
    if (framing->mirror) {
        t = (struct finder_truth){side - t.right, t.top, side - t.left, t.bottom};
    }
    if (framing->flip) {
        t = (struct finder_truth){t.left, side - t.bottom, t.right, side - t.top};
    }
    if (framing->turn) {
        t = (struct finder_truth){t.top, t.left, t.bottom, t.right};
    }
    *truth = t;
}

static void place_truths(const struct finder_set_image *image, const struct framing *framing,
                         uint32_t side, struct finder_crop_space *space)
{
    space->truth_count = 0;
    for (uint32_t i = 0; i < image->truth_count; i++) {
        const struct finder_truth *from = &image->truths[i];
        double zoom = framing->zoom;
        struct finder_truth truth = {(float)(((double)from->left - framing->left) / zoom),
                                     (float)(((double)from->top - framing->top) / zoom),
                                     (float)(((double)from->right - framing->left) / zoom),
                                     (float)(((double)from->bottom - framing->top) / zoom)};
        bool touches = truth.right > 0 && truth.bottom > 0 && truth.left < (float)side &&
                       truth.top < (float)side;
        if (touches) {
            turn_truth(framing, (float)side, &truth);
            space->truths[space->truth_count++] = truth;
        }
    }
}

/* The planes of a piece, `channels` bytes a pixel. */
struct piece_planes {
    const uint8_t *bytes;
    size_t channels;
};

static void put_planes(const struct framing *framing, const struct span spans[2], uint32_t side,
                       const struct piece_planes *planes, float *input)
{
    const size_t channels = planes->channels;
    size_t width = (size_t)(spans[0].end - spans[0].first);
    memset(input, 0, (size_t)side * side * channels * sizeof *input);
    for (int v = spans[1].first > 0 ? spans[1].first : 0; v < spans[1].end && v < (int)side; v++) {
        for (int u = spans[0].first > 0 ? spans[0].first : 0; u < spans[0].end && u < (int)side;
             u++) {
            size_t x = framing->mirror ? side - 1 - (size_t)u : (size_t)u;
            size_t y = framing->flip ? side - 1 - (size_t)v : (size_t)v;
            size_t to = framing->turn ? x * side + y : y * side + x;
            size_t from = (size_t)(v - spans[1].first) * width + (size_t)(u - spans[0].first);
            for (size_t c = 0; c < channels; c++) {
                input[to * channels + c] =
                    (float)planes->bytes[from * channels + c] * (1.0f / 255.0f);
            }
        }
    }
}

void finder_crop_draw(const struct finder_set *set, uint32_t index, uint32_t side, struct rng *rng,
                      struct finder_crop_space *space, float *input)
{
    const struct finder_set_image *image = &set->images[index];
    struct framing framing = draw_framing(set, image, side, rng);
    const int ends[2] = {-around_of(set), (int)side + around_of(set)};
    const struct span spans[2] = {span_inside(framing.left, framing.zoom, image->width, ends),
                                  span_inside(framing.top, framing.zoom, image->height, ends)};
    struct finder_input constants = set->input;
    constants.contrast *= framing.contrast;
    struct working piece = {.pixels = space->pixels,
                            .valid = space->valid,
                            .width = (size_t)(spans[0].end - spans[0].first),
                            .height = (size_t)(spans[1].end - spans[1].first)};
    fill_piece(set, image, &framing, spans, space);
    if (piece.width > 0 && piece.height > 0) {
        finder_planes(&constants, &piece, image->low_levels != NULL ? space->low_pixels : NULL,
                      space->workspace, space->planes);
    }
    const struct piece_planes planes = {space->planes, finder_channels(&set->input)};
    put_planes(&framing, spans, side, &planes, input);
    place_truths(image, &framing, side, space);
}

bool finder_set_restore(const struct finder_set *self, uint32_t index, struct working *working,
                        float *low_pixels)
{
    const struct finder_set_image *image = &self->images[index];
    const float scale = (float)(self->kept_max / LEVEL_MAX);
    size_t count = (size_t)image->width * image->height;
    working->width = image->width;
    working->height = image->height;
    for (size_t i = 0; i < count; i++) {
        working->valid[i] = image->levels[i] != LEVEL_INVALID;
        working->pixels[i] = (float)image->levels[i] * scale;
        if (image->low_levels != NULL) {
            low_pixels[i] = (float)image->low_levels[i] * scale;
        }
    }
    return image->low_levels != NULL;
}
