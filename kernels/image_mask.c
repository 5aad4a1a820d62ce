/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/image.h"

#include <math.h>
#include <string.h>

/* The mask is found in three sweeps, each from what the one before left: bars, corner wedges, dead
 * lines. A flood fill from the border would be shorter, but it would run on into every black load
 * that touches a black bar and so hide exactly what must be looked at. */

struct bounds { /* the rectangle inside the bars: left <= x < right, top <= y < bottom */
    size_t left;
    size_t right;
    size_t top;
    size_t bottom;
};

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

size_t image_valid_mask_workspace_words(size_t width, size_t height)
{
    size_t longest = width > height ? width : height;
    return longest * (2 + 2 * (size_t)IMAGE_LINE_RUN_MAX);
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
 * taken too (open_columns). The staircase that results is the wedge. */
static void cut_wedge(const struct image_view *image, float black_min, const struct bounds *inside,
                      int corner, uint8_t *restrict valid)
{
    int from_right = corner & 1;
    int from_bottom = corner >> 1;
    size_t width = inside->right - inside->left;
    size_t height = inside->bottom - inside->top;
    size_t open_columns = width; /* columns black in every row so far: a prefix, as rows are cut */
    for (size_t j = 0; j < height && open_columns > 0; j++) {
        size_t y = from_bottom ? inside->bottom - 1 - j : inside->top + j;
        size_t run = 0;
        while (run < open_columns) {
            size_t x = from_right ? inside->right - 1 - run : inside->left + run;
            if (!(image->pixels[y * image->stride + x] >= black_min)) {
                break;
            }
            valid[y * image->width + x] = 0;
            run++;
        }
        open_columns = run;
    }
}

struct line_counts { /* workspace, one entry a line */
    uint32_t *bright_possible;
    uint32_t *black_possible;
    uint32_t *bright; /* [run_length x lines] */
    uint32_t *black;
};

/* Pixel i of the first line of a run: what do its neighbours allow, what do the run's pixels show?
 */
static void count_pixel(const float *first, size_t line_step, size_t run_length,
                        const struct image_mask_rule *rule, const struct line_counts *counts,
                        size_t lines)
{
    float before = *(first - line_step);
    float after = first[run_length * line_step];
    float low = before < after ? before : after;
    float high = before > after ? before : after;
    if (low >= 2 * rule->line_jump) {
        ++*counts->bright_possible;
        for (size_t j = 0; j < run_length; j++) {
            counts->bright[j * lines] += first[j * line_step] <= low - rule->line_jump;
        }
    }
    if (high <= rule->black_min - 2 * rule->line_jump) {
        ++*counts->black_possible;
        for (size_t j = 0; j < run_length; j++) {
            counts->black[j * lines] += first[j * line_step] >= rule->black_min;
        }
    }
}

static int run_is_dead(const uint32_t *possible, const uint32_t *shown, size_t run_length,
                       size_t lines, size_t positions, double share)
{
    if ((double)*possible < 0.1 * (double)positions || *possible == 0) {
        return 0;
    }
    for (size_t j = 0; j < run_length; j++) {
        if ((double)shown[j * lines] < share * (double)*possible) {
            return 0;
        }
    }
    return 1;
}

static struct line_counts counts_at(uint32_t *workspace, size_t lines, size_t line)
{
    uint32_t *at = workspace + line;
    return (struct line_counts){.bright_possible = at,
                                .black_possible = at + lines,
                                .bright = at + 2 * lines,
                                .black = at + (2 + (size_t)IMAGE_LINE_RUN_MAX) * lines};
}

static void mark_line(const struct image_view *image, int columns, size_t line, uint8_t *valid)
{
    size_t positions = columns ? image->height : image->width;
    size_t line_step = columns ? 1 : image->width;
    size_t position_step = columns ? image->width : 1;
    for (size_t position = 0; position < positions; position++) {
        valid[line * line_step + position * position_step] = 0;
    }
}

/* Runs of one length. Pixels are read in memory order for rows and columns alike; only the counter
 * they go to differs. */
static void cut_dead_runs(const struct image_view *image, const struct image_mask_rule *rule,
                          int columns, size_t run_length, uint32_t *restrict workspace,
                          uint8_t *restrict valid)
{
    size_t lines = columns ? image->width : image->height;
    size_t positions = columns ? image->height : image->width;
    size_t line_step = columns ? 1 : image->stride;
    if (lines < run_length + 2) {
        return;
    }
    memset(workspace, 0, lines * (2 + 2 * (size_t)IMAGE_LINE_RUN_MAX) * sizeof *workspace);
    size_t y_first = columns ? 0 : 1;
    size_t x_first = columns ? 1 : 0;
    size_t y_end = columns ? image->height : image->height - run_length;
    size_t x_end = columns ? image->width - run_length : image->width;
    for (size_t y = y_first; y < y_end; y++) {
        for (size_t x = x_first; x < x_end; x++) {
            if (valid[y * image->width + x]) {
                struct line_counts counts = counts_at(workspace, lines, columns ? x : y);
                count_pixel(image->pixels + y * image->stride + x, line_step, run_length, rule,
                            &counts, lines);
            }
        }
    }
    for (size_t line = 1; line + run_length < lines; line++) {
        struct line_counts counts = counts_at(workspace, lines, line);
        int dead = run_is_dead(counts.bright_possible, counts.bright, run_length, lines, positions,
                               rule->line_share) ||
                   run_is_dead(counts.black_possible, counts.black, run_length, lines, positions,
                               rule->line_share);
        for (size_t j = 0; dead && j < run_length; j++) {
            mark_line(image, columns, line + j, valid);
        }
    }
}

size_t image_valid_mask(const struct image_view *image, const struct image_mask_rule *rule,
                        uint32_t *restrict workspace, uint8_t *restrict valid)
{
    struct bounds inside = cut_bars(image, rule);
    for (size_t y = 0; y < image->height; y++) {
        int row_inside = y >= inside.top && y < inside.bottom;
        for (size_t x = 0; x < image->width; x++) {
            int column_inside = x >= inside.left && x < inside.right;
            float pixel = image->pixels[y * image->stride + x];
            valid[y * image->width + x] = (uint8_t)(row_inside && column_inside && isfinite(pixel));
        }
    }
    for (int corner = 0; corner < 4 && rule->bar_share <= 1; corner++) {
        cut_wedge(image, rule->black_min, &inside, corner, valid);
    }
    for (size_t run_length = 1; run_length <= rule->line_run_max; run_length++) {
        cut_dead_runs(image, rule, 0, run_length, workspace, valid);
        cut_dead_runs(image, rule, 1, run_length, workspace, valid);
    }
    size_t valid_count = 0;
    for (size_t i = 0; i < image->width * image->height; i++) {
        valid_count += valid[i];
    }
    return valid_count;
}
