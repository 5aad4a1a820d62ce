/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "score/finder_set.h"
#include "score/finder_threat.h"

enum { LEVEL_MAX = FINDER_SET_LEVEL_MAX, LEVEL_INVALID = FINDER_SET_LEVEL_INVALID };
enum { AROUND_MAX = FINDER_MATERIAL_RADIUS };

static const double about_object = 0.7; /* of the crops */
/* Larger and smaller by up to a quarter, half of the crops: other packings lie at other distances
 * from the source. More would blur what is small. */
static const double zoom_share = 0.5;
static const double zoom_max = 0.2231435513142098;        /* log 1.25 */
static const double zoom_calibrated = 0.0953101798043249; /* log 1.1: the pitch is known */

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

/* About `fresh`, when there is one, or one of the image's own objects, if it is about any. */
static struct framing draw_framing(const struct finder_set *set,
                                   const struct finder_set_image *image,
                                   const struct finder_truth *fresh, uint32_t side, struct rng *rng)
{
    double x = -1, y = -1;
    double zoom_most = set->calibrated ? zoom_calibrated : zoom_max;
    struct framing framing = {.zoom = 1};
    if (rng_uniform(rng) < zoom_share) {
        framing.zoom = exp(uniform(rng, -zoom_most, zoom_most));
    }
    if ((fresh != NULL || image->truth_count > 0) && rng_uniform(rng) < about_object) {
        const struct finder_truth *truth =
            fresh != NULL ? fresh : &image->truths[rng_below(rng, image->truth_count)];
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

static void place_truth(const struct finder_truth *from, const struct framing *framing,
                        uint32_t side, struct finder_crop_space *space)
{
    double zoom = framing->zoom;
    struct finder_truth truth = {(float)(((double)from->left - framing->left) / zoom),
                                 (float)(((double)from->top - framing->top) / zoom),
                                 (float)(((double)from->right - framing->left) / zoom),
                                 (float)(((double)from->bottom - framing->top) / zoom)};
    bool touches =
        truth.right > 0 && truth.bottom > 0 && truth.left < (float)side && truth.top < (float)side;
    if (touches && space->truth_count < FINDER_TRUTHS_MAX) {
        turn_truth(framing, (float)side, &truth);
        space->truths[space->truth_count++] = truth;
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

/* What of a span may lie under a threat, {first pixel, pixels} of the image, and one more on either
 * side: the threat itself decides what it covers. */
static struct span span_under(const struct span *span, double begin, double zoom,
                              const uint32_t threat[2])
{
    double first = floor((threat[0] - begin) / zoom) - 1;
    double end = ceil(((double)threat[0] + threat[1] - begin) / zoom) + 1;
    return (struct span){first > span->first ? (int)fmin(first, span->end) : span->first,
                         end < span->end ? (int)fmax(end, span->first) : span->end};
}

/* The threat into a piece that was filled. */
static void project(const struct finder_set *set, const struct finder_placing *placing,
                    const struct framing *framing, const struct span spans[2], struct rng *rng,
                    struct finder_crop_space *space)
{
    const uint32_t across[2] = {placing->x, placing->threat->width};
    const uint32_t down[2] = {placing->y, placing->threat->height};
    const struct span columns = span_under(&spans[0], framing->left, framing->zoom, across);
    const struct span rows = span_under(&spans[1], framing->top, framing->zoom, down);
    const size_t width = (size_t)(spans[0].end - spans[0].first);
    for (int v = rows.first; v < rows.end; v++) {
        size_t at_pixel =
            (size_t)(v - spans[1].first) * width + (size_t)(columns.first - spans[0].first);
        for (int u = columns.first; u < columns.end; u++, at_pixel++) {
            const double at[2] = {framing->left + u * framing->zoom,
                                  framing->top + v * framing->zoom};
            float *const pixels[2] = {&space->pixels[at_pixel], &space->low_pixels[at_pixel]};
            finder_threat_add(set, placing, at, rng, pixels);
        }
    }
}

void finder_crop_draw(const struct finder_set *set, uint32_t index, uint32_t side, struct rng *rng,
                      struct finder_crop_space *space, float *input)
{
    const struct finder_set_image *image = &set->images[index];
    const struct finder_placing placing = finder_threat_place(set, image, rng);
    const bool projected = placing.threat != NULL;
    struct finder_truth fresh = {0, 0, 0, 0};
    if (projected) {
        fresh = finder_placing_truth(&placing);
    }
    struct framing framing = draw_framing(set, image, projected ? &fresh : NULL, side, rng);
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
    if (projected) {
        project(set, &placing, &framing, spans, rng, space);
    }
    if (piece.width > 0 && piece.height > 0) {
        finder_planes(&constants, &piece, image->low_levels != NULL ? space->low_pixels : NULL,
                      space->workspace, space->planes);
    }
    const struct piece_planes planes = {space->planes, finder_channels(&set->input)};
    put_planes(&framing, spans, side, &planes, input);
    space->truth_count = 0;
    for (uint32_t i = 0; i < image->truth_count; i++) {
        place_truth(&image->truths[i], &framing, side, space);
    }
    if (projected) {
        place_truth(&fresh, &framing, side, space);
    }
}
