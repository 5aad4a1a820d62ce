/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/image.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "kernels/image_lines.h"

/* The mask is found in three sweeps, each from what the one before left: bars, corner wedges, dead
 * lines (image_lines.c). A flood fill from the border would be shorter, but it would run on into
 * every black load that touches a black bar and so hide exactly what must be looked at. */

enum { EDGE = 3 }; /* pixels that rotation and compression blur */

struct bounds { /* the rectangle inside the bars: left <= x < right, top <= y < bottom */
    size_t left;
    size_t right;
    size_t top;
    size_t bottom;
};

struct step { /* of a wedge's staircase, counted from its corner */
    size_t row;
    size_t run;
};

static void mark_corner(const struct image_view *image, const struct bounds *inside, int corner,
                        struct step step, uint8_t *restrict valid);

struct image_mask_rule image_mask_rule_default(const struct image_calibration *calibration)
{
    /* 6 grey levels of 255: what lossy compression leaves of black. Lines: on 190 real scans a jump
     * of 15 grey levels in 0.85 of a row finds the same rows again in every scan of a scanner, and
     * single rows elsewhere; 0.7 would begin to take flat loads. */
    struct image_mask_rule rule = {.black_min = INFINITY,
                                   .bar_share = 0.9,
                                   .line_jump = 0.06f,
                                   .line_share = 0.85,
                                   .line_run_max = 3};
    if (calibration->meaning == IMAGE_DISPLAY) {
        rule.black_min = 1.0f - 6.0f / 255.0f;
    } else if (calibration->meaning == IMAGE_TRANSMISSION) {
        /* A dead channel reads dark: it sits at the floor. Linear images have no padding. */
        rule.black_min = -logf(calibration->floor) * 0.999f;
        rule.bar_share = 2.0;
        rule.line_jump = 0.1f;
    }
    return rule;
}

static size_t count_black(const struct image_view *image, size_t start, size_t count, size_t step,
                          float black_min)
{
    size_t black = 0;
    for (size_t i = 0; i < count; i++) {
        black += image->pixels[start + i * step] >= black_min;
    }
    return black;
}

static int row_is_bar(const struct image_view *image, const struct image_mask_rule *rule,
                      const struct bounds *inside, size_t y)
{
    size_t count = inside->right - inside->left;
    size_t black = count_black(image, y * image->stride + inside->left, count, 1, rule->black_min);
    return (double)black >= rule->bar_share * (double)count;
}

static int column_is_bar(const struct image_view *image, const struct image_mask_rule *rule,
                         size_t x)
{
    size_t black = count_black(image, x, image->height, image->stride, rule->black_min);
    return (double)black >= rule->bar_share * (double)image->height;
}

static struct bounds cut_bars(const struct image_view *image, const struct image_mask_rule *rule)
{
    struct bounds inside = {.right = image->width, .bottom = image->height};
    while (inside.left < inside.right && column_is_bar(image, rule, inside.left)) {
        inside.left++;
    }
    while (inside.right > inside.left && column_is_bar(image, rule, inside.right - 1)) {
        inside.right--;
    }
    while (inside.left < inside.right && inside.top < inside.bottom &&
           row_is_bar(image, rule, &inside, inside.top)) {
        inside.top++;
    }
    while (inside.left < inside.right && inside.bottom > inside.top &&
           row_is_bar(image, rule, &inside, inside.bottom - 1)) {
        inside.bottom--;
    }
    return inside;
}

/* One corner: go along each row while the pixel is black and the pixel before it in its column was
 * taken too (open_columns). The staircase that results is the wedge. It must start at a black
 * corner pixel; after that compression noise down to black_min - 2 line_jump does not end it, and
 * its blurred edge goes too: specks left at the edge would be the darkest things in a parcel. */
static void cut_wedge(const struct image_view *image, const struct image_mask_rule *rule,
                      const struct bounds *inside, int corner, uint8_t *restrict valid)
{
    int from_right = corner & 1;
    int from_bottom = corner >> 1;
    size_t width = inside->right - inside->left;
    size_t height = inside->bottom - inside->top;
    size_t open_columns = width; /* columns black in every row so far: a prefix, as rows are cut */
    float black_min = rule->black_min;
    for (size_t j = 0; j < height && open_columns > 0; j++) {
        size_t y = from_bottom ? inside->bottom - 1 - j : inside->top + j;
        size_t run = 0;
        while (run < open_columns) {
            size_t x = from_right ? inside->right - 1 - run : inside->left + run;
            if (!(image->pixels[y * image->stride + x] >= black_min)) {
                break;
            }
            black_min = rule->black_min - 2 * rule->line_jump;
            run++;
        }
        mark_corner(image, inside, corner, (struct step){j, run}, valid);
        open_columns = run;
    }
}

/* Mark one step of the staircase, EDGE pixels wider and deeper than it is. */
static void mark_corner(const struct image_view *image, const struct bounds *inside, int corner,
                        struct step step, uint8_t *restrict valid)
{
    size_t width = inside->right - inside->left;
    size_t height = inside->bottom - inside->top;
    size_t wide = step.run + EDGE < width ? step.run + EDGE : width;
    for (size_t j = step.row; step.run > 0 && j <= step.row + EDGE && j < height; j++) {
        size_t y = corner >> 1 ? inside->bottom - 1 - j : inside->top + j;
        for (size_t i = 0; i < wide; i++) {
            size_t x = corner & 1 ? inside->right - 1 - i : inside->left + i;
            valid[y * image->width + x] = 0;
        }
    }
}

size_t image_valid_mask(const struct image_view *image, const struct image_mask_rule *rule,
                        uint32_t *restrict workspace, uint8_t *restrict valid)
{
    return image_valid_mask_by(path_best(), image, rule, workspace, valid);
}

PATH_BODY void fill_body(const float *pixels, size_t count, uint8_t *restrict valid)
{
    for (size_t x = 0; x < count; x++) {
        valid[x] = fabsf(pixels[x]) <= FLT_MAX;
    }
}

#define FILL_ON(name, target)                                                                  \
    target static void fill_##name(const float *pixels, size_t count, uint8_t *restrict valid) \
    {                                                                                          \
        fill_body(pixels, count, valid);                                                       \
    }
FILL_ON(portable, )
#if defined(__x86_64__)
FILL_ON(avx512, PATH_TARGET_AVX512)
#endif

static void fill_row(enum path path, const float *pixels, size_t width, const struct bounds *inside,
                     uint8_t *restrict valid)
{
    memset(valid, 0, inside->left);
    memset(valid + inside->right, 0, width - inside->right);
    pixels += inside->left;
    valid += inside->left;
#if defined(__x86_64__)
    if (path == PATH_AVX512) {
        fill_avx512(pixels, inside->right - inside->left, valid);
        return;
    }
#endif
    (void)path;
    fill_portable(pixels, inside->right - inside->left, valid);
}

/* Bytes of 0 and 1 add up in bytes as long as those have room. */
static size_t count_ones(const uint8_t *valid, size_t count)
{
    enum { LANES = 64, ROUNDS = 255 };
    size_t ones = 0;
    while (count >= LANES) {
        uint8_t sums[LANES] = {0};
        size_t rounds = count / LANES < ROUNDS ? count / LANES : ROUNDS;
        for (size_t i = 0; i < rounds; i++) {
            for (size_t lane = 0; lane < LANES; lane++) {
                sums[lane] = (uint8_t)(sums[lane] + valid[i * LANES + lane]);
            }
        }
        for (size_t lane = 0; lane < LANES; lane++) {
            ones += sums[lane];
        }
        valid += rounds * LANES;
        count -= rounds * LANES;
    }
    for (size_t i = 0; i < count; i++) {
        ones += valid[i];
    }
    return ones;
}

size_t image_valid_mask_by(enum path path, const struct image_view *image,
                           const struct image_mask_rule *rule, uint32_t *restrict workspace,
                           uint8_t *restrict valid)
{
    struct bounds inside = cut_bars(image, rule);
    for (size_t y = 0; y < image->height; y++) {
        if (y >= inside.top && y < inside.bottom) {
            fill_row(path, image->pixels + y * image->stride, image->width, &inside,
                     valid + y * image->width);
        } else {
            memset(valid + y * image->width, 0, image->width);
        }
    }
    for (int corner = 0; corner < 4 && rule->bar_share <= 1; corner++) {
        cut_wedge(image, rule, &inside, corner, valid);
    }
    image_lines_cut(path, image, rule, workspace, valid);
    return count_ones(valid, image->width * image->height);
}
