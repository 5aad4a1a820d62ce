/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/dual_planes.h"

#include <string.h>

#include "kernels/round.h"

/* Summed areas: entry (k, c) is the sum over the pixels above row k and left of column c, so a
 * window of any size is four entries. They wrap: what four of them come to is below 2^31. Only the
 * rows that the widest window reaches are kept, each with its ends repeated to either side, so that
 * windows beyond the image need no thought. Every loop but the running sums is independent from
 * pixel to pixel; all float operations are single and in a stated order (-ffp-contract=off). */

enum {
    RADIUS = DUAL_PLANES_RADIUS,
    RING = 2 * RADIUS + 2,
    PADS = 2 * RADIUS + 1,
    STEPS_MAX = DUAL_PLANES_HIGHEST * DUAL_PLANES_ONE,
    KINDS = 3,
};

_Static_assert((2 * RADIUS + 1) * (2 * RADIUS + 1) <= INT32_MAX / STEPS_MAX,
               "a window's sum fits 31 bits");

struct area {
    uint32_t *attenuation; /* [RING][width + PADS] */
    uint32_t *excess;      /* of whole numbers that may be negative */
    uint32_t *valid;
    size_t stride;
};

/* Sums and means of a row: [width] each. */
struct rows {
    float *own;         /* A */
    float *ratio;       /* sum X / sum A of 3 x 3, and the sums */
    float *own_excess;  /* mean X of 3 x 3 */
    float *level;       /* mean A of 3 x 3 */
    float *rises[3];    /* A less its mean */
    float *excesses[2]; /* mean X of 3 x 3 less that of a window */
};
enum { ROW_COUNT = 9 };

size_t dual_planes_workspace_bytes(size_t width)
{
    return ((size_t)KINDS * RING * (width + PADS) + ROW_COUNT * width) * sizeof(uint32_t);
}

static struct area place(void *workspace, size_t width, struct rows *rows)
{
    size_t stride = width + PADS;
    uint32_t *words = workspace;
    struct area area = {words, words + RING * stride, words + (size_t)2 * RING * stride, stride};
    float *row = (float *)(void *)(words + (size_t)KINDS * RING * stride);
    memset(workspace, 0, (size_t)KINDS * RING * stride * sizeof *words);
    rows->own = row;
    rows->ratio = row + width;
    rows->own_excess = row + 2 * width;
    rows->level = row + 3 * width;
    for (size_t i = 0; i < 3; i++) {
        rows->rises[i] = row + (4 + i) * width;
    }
    for (size_t i = 0; i < 2; i++) {
        rows->excesses[i] = row + (7 + i) * width;
    }
    return area;
}

/* Rounded, ties to even, within +- STEPS_MAX: 3 x 2^22 leaves no room for a fraction. */
PATH_BODY uint32_t round_signed(float value)
{
    float shifted = round_hold(value, -(float)STEPS_MAX, (float)STEPS_MAX) + 0x1.8p23f;
    uint32_t bits;
    memcpy(&bits, &shifted, sizeof bits);
    return bits - 0x4b400000u;
}

struct line {
    const float *high;
    const float *low; /* NULL: none */
    const uint8_t *valid;
    size_t width;
};

/* Steps and excesses of a pixel row, into the places of its sums. */
PATH_BODY void step_row(float usual, const struct line *line, uint32_t *restrict attenuation,
                        uint32_t *restrict excess, uint32_t *restrict valid)
{
    for (size_t x = 0; x < line->width; x++) {
        uint32_t mask = line->valid[x] != 0 ? UINT32_MAX : 0;
        uint32_t steps = round_even(round_hold(line->high[x] * DUAL_PLANES_ONE, 0, STEPS_MAX));
        attenuation[x] = steps & mask;
        valid[x] = mask & 1;
    }
    if (line->low == NULL) {
        memset(excess, 0, line->width * sizeof *excess);
        return;
    }
    for (size_t x = 0; x < line->width; x++) {
        uint32_t mask = line->valid[x] != 0 ? UINT32_MAX : 0;
        uint32_t low = round_even(round_hold(line->low[x] * DUAL_PLANES_ONE, 0, STEPS_MAX));
        float usual_low = usual * (float)(int32_t)attenuation[x];
        excess[x] = round_signed((float)(int32_t)low - usual_low) & mask;
    }
}

/* Running sums along the row on top of the row before, the last repeated to the right. */
static void sum_row(const uint32_t *above, size_t width, uint32_t *row)
{
    uint32_t sum = 0;
    for (size_t x = RADIUS + 1; x <= RADIUS + width; x++) {
        sum += row[x];
        row[x] = above[x] + sum;
    }
    for (size_t x = RADIUS + width + 1; x < width + PADS; x++) {
        row[x] = row[RADIUS + width];
    }
}

PATH_BODY void enter_body(float usual, const struct line *line, const struct area *area, size_t y)
{
    size_t above = y % RING * area->stride;
    size_t below = (y + 1) % RING * area->stride;
    step_row(usual, line, area->attenuation + below + RADIUS + 1, area->excess + below + RADIUS + 1,
             area->valid + below + RADIUS + 1);
    sum_row(area->attenuation + above, line->width, area->attenuation + below);
    sum_row(area->excess + above, line->width, area->excess + below);
    sum_row(area->valid + above, line->width, area->valid + below);
}

/* Where the corners of the windows of a row lie, at column 0. */
struct window {
    size_t top_left, top_right;
    size_t bottom_left, bottom_right;
};

static struct window window_of(const struct area *area, size_t y, size_t height, size_t radius)
{
    size_t top = y > radius ? y - radius : 0;
    size_t bottom = y + radius + 1 < height ? y + radius + 1 : height;
    size_t left = RADIUS - radius;
    size_t right = RADIUS + radius + 1;
    return (struct window){top % RING * area->stride + left, top % RING * area->stride + right,
                           bottom % RING * area->stride + left,
                           bottom % RING * area->stride + right};
}

PATH_BODY float sum_at(const uint32_t *sums, const struct window *window, size_t x)
{
    uint32_t lower = sums[window->bottom_right + x] - sums[window->bottom_left + x];
    uint32_t upper = sums[window->top_right + x] - sums[window->top_left + x];
    return (float)(int32_t)(lower - upper);
}

/* Not valid: of 0 pixels, perhaps; what comes of it is not written. */
PATH_BODY void own_body(const struct area *area, const struct window windows[2], size_t width,
                        const struct rows *rows)
{
    float *restrict own = rows->own;
    float *restrict ratio = rows->ratio;
    float *restrict own_excess = rows->own_excess;
    float *restrict level = rows->level;
    for (size_t x = 0; x < width; x++) {
        float attenuation = sum_at(area->attenuation, &windows[1], x);
        float excess = sum_at(area->excess, &windows[1], x);
        float count = sum_at(area->valid, &windows[1], x);
        own[x] = sum_at(area->attenuation, &windows[0], x);
        ratio[x] = excess / attenuation;
        own_excess[x] = excess / count;
        level[x] = attenuation / count;
    }
}

PATH_BODY void rise_body(const struct area *area, const struct window *window, size_t width,
                         const float *restrict own, float *restrict rises)
{
    for (size_t x = 0; x < width; x++) {
        float sum = sum_at(area->attenuation, window, x);
        rises[x] = own[x] - sum / sum_at(area->valid, window, x);
    }
}

PATH_BODY void excess_body(const struct area *area, const struct window *window, size_t width,
                           const float *restrict own, float *restrict excesses)
{
    for (size_t x = 0; x < width; x++) {
        float sum = sum_at(area->excess, window, x);
        excesses[x] = own[x] - sum / sum_at(area->valid, window, x);
    }
}

PATH_BODY uint32_t byte_of(float value)
{
    return round_even(round_hold(value, 0, 255));
}

PATH_BODY void put_word(uint32_t word, uint8_t *out)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    memcpy(out, &word, sizeof word);
#else
    for (size_t i = 0; i < sizeof word; i++) {
        out[i] = (uint8_t)(word >> 8 * i);
    }
#endif
}

PATH_BODY void write_body(const struct dual_planes_rule *rule, const struct rows *rows,
                          const struct line *line, uint8_t *restrict out)
{
    const float from = rule->usual - rule->ratio_low;
    const uint32_t has_low = line->low != NULL ? UINT32_MAX : 0;
    for (size_t x = 0; x < line->width; x++) {
        uint32_t mask = line->valid[x] != 0 ? UINT32_MAX : 0;
        float share = round_hold(1 + rule->ratio * (rows->ratio[x] + from), 1, 255);
        uint32_t ratio = rows->level[x] > rule->least ? round_even(share) : 0;
        uint32_t word = byte_of(rule->level * rows->own[x]) |
                        byte_of(128 + rule->rises[2] * rows->rises[2][x]) << 8 |
                        (ratio & has_low) << 16 |
                        byte_of(128 + rule->excess[1] * rows->excesses[1][x]) << 24;
        put_word(word & mask, out + x * DUAL_PLANES_COUNT);
    }
    for (size_t x = 0; x < line->width; x++) {
        uint32_t mask = line->valid[x] != 0 ? UINT32_MAX : 0;
        uint32_t word = byte_of(128 + rule->rises[0] * rows->rises[0][x]) |
                        byte_of(128 + rule->rises[1] * rows->rises[1][x]) << 8 |
                        byte_of(128 + rule->excess[0] * rows->excesses[0][x]) << 16 | 255U << 24;
        put_word(word & mask, out + x * DUAL_PLANES_COUNT + 4);
    }
}

PATH_BODY void make_body(const struct dual_planes_rule *rule, const struct image_view *high,
                         const float *low, const uint8_t *valid, void *restrict workspace,
                         uint8_t *restrict planes)
{
    static const size_t radii[3] = {DUAL_PLANES_NEAR, DUAL_PLANES_MIDDLE, RADIUS};
    const size_t width = high->width;
    const size_t height = high->height;
    struct rows rows;
    struct area area = place(workspace, width, &rows);
    size_t entered = 0;
    for (size_t y = 0; y < height; y++) {
        for (; entered < height && entered <= y + RADIUS; entered++) {
            const struct line line = {high->pixels + entered * high->stride,
                                      low != NULL ? low + entered * width : NULL,
                                      valid + entered * width, width};
            enter_body(rule->usual, &line, &area, entered);
        }
        const struct line line = {NULL, low, valid + y * width, width};
        const struct window own[2] = {window_of(&area, y, height, 0),
                                      window_of(&area, y, height, 1)};
        own_body(&area, own, width, &rows);
        for (size_t i = 0; i < 3; i++) {
            struct window window = window_of(&area, y, height, radii[i]);
            rise_body(&area, &window, width, rows.own, rows.rises[i]);
            if (i > 0) {
                excess_body(&area, &window, width, rows.own_excess, rows.excesses[i - 1]);
            }
        }
        write_body(rule, &rows, &line, planes + y * width * DUAL_PLANES_COUNT);
    }
}

#define MAKE_ON(name, target)                                                                 \
    target static void make_##name(                                                           \
        const struct dual_planes_rule *rule, const struct image_view *high, const float *low, \
        const uint8_t *valid, void *restrict workspace, uint8_t *restrict planes)             \
    {                                                                                         \
        make_body(rule, high, low, valid, workspace, planes);                                 \
    }

MAKE_ON(portable, )
#if defined(__x86_64__)
MAKE_ON(avx2, PATH_TARGET_AVX2)
MAKE_ON(avx512, PATH_TARGET_AVX512)
#endif

void dual_planes_make_by(enum path path, const struct dual_planes_rule *rule,
                         const struct image_view *high, const float *low, const uint8_t *valid,
                         void *restrict workspace, uint8_t *restrict planes)
{
#if defined(__x86_64__)
    if (path == PATH_AVX512) {
        make_avx512(rule, high, low, valid, workspace, planes);
        return;
    }
    if (path == PATH_AVX2) {
        make_avx2(rule, high, low, valid, workspace, planes);
        return;
    }
#endif
    (void)path;
    make_portable(rule, high, low, valid, workspace, planes);
}

void dual_planes_make(const struct dual_planes_rule *rule, const struct image_view *high,
                      const float *low, const uint8_t *valid, void *restrict workspace,
                      uint8_t *restrict planes)
{
    dual_planes_make_by(path_best(), rule, high, low, valid, workspace, planes);
}
