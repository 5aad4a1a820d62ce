/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/image.h"

#include <math.h>
#include <string.h>

/* The mask is found in three sweeps, each from what the one before left: bars, corner wedges, dead
 * lines. A flood fill from the border would be shorter, but it would run on into every black load
 * that touches a black bar and so hide exactly what must be looked at. */

/* A share over 512 positions is known to 2%, and a dead line runs over all of them: looking at more
 * costs time and finds the same lines. */
enum { POSITIONS_MAX = 512 };

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

/* Beside a run stands one line that lossy compression may have made half bright: it is not tested
 * but goes with the run. */
enum { GUARD = 1 };

struct run_shape {
    int columns; /* 1: the lines are columns */
    size_t length;
    size_t position_step; /* every how many pixels of a line are looked at */
};

struct line_counts { /* workspace, one entry a line */
    uint32_t *bright_possible;
    uint32_t *black_possible;
    uint32_t *bright; /* [run length x lines] */
    uint32_t *black;
};

static struct line_counts counts_at(uint32_t *workspace, size_t lines, size_t line)
{
    uint32_t *at = workspace + line;
    return (struct line_counts){.bright_possible = at,
                                .black_possible = at + lines,
                                .bright = at + 2 * lines,
                                .black = at + (2 + (size_t)IMAGE_LINE_RUN_MAX) * lines};
}

/* One position of a run that starts with pixel `first`: what do the neighbours beyond the guard
 * allow, what do the run's pixels show? */
static void count_pixel(const float *first, size_t line_step, const struct run_shape *shape,
                        const struct image_mask_rule *rule, const struct line_counts *counts,
                        size_t lines)
{
    float before = *(first - (1 + GUARD) * line_step);
    float after = first[(shape->length + GUARD) * line_step];
    float low = before < after ? before : after;
    float high = before > after ? before : after;
    if (low >= 2 * rule->line_jump) {
        ++*counts->bright_possible;
        for (size_t j = 0; j < shape->length; j++) {
            counts->bright[j * lines] += first[j * line_step] <= low - rule->line_jump;
        }
    }
    if (high <= rule->black_min - 2 * rule->line_jump) {
        ++*counts->black_possible;
        for (size_t j = 0; j < shape->length; j++) {
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

/* Lines found dead stay countable (DEAD) until all run lengths are through: the middle of a wide
 * run is found first and must not hide the whole of it. */
enum { DEAD = 2 };

static void mark_line(const struct image_view *image, int columns, size_t line, uint8_t *valid)
{
    size_t positions = columns ? image->height : image->width;
    size_t line_step = columns ? 1 : image->width;
    size_t position_step = columns ? image->width : 1;
    for (size_t position = 0; position < positions; position++) {
        uint8_t *at = &valid[line * line_step + position * position_step];
        *at = *at ? DEAD : 0;
    }
}

/* Pixels are read in memory order for rows and columns alike; only the counter they go to differs.
 */
static void count_runs(const struct image_view *image, const struct image_mask_rule *rule,
                       const struct run_shape *shape, uint32_t *restrict workspace,
                       const uint8_t *valid)
{
    size_t lines = shape->columns ? image->width : image->height;
    size_t line_step = shape->columns ? 1 : image->stride;
    size_t first_line = 1 + GUARD;
    size_t end_line = lines - shape->length - GUARD;
    size_t y_step = shape->columns ? shape->position_step : 1;
    size_t x_step = shape->columns ? 1 : shape->position_step;
    size_t y_end = shape->columns ? image->height : end_line;
    size_t x_end = shape->columns ? end_line : image->width;
    memset(workspace, 0, lines * (2 + 2 * (size_t)IMAGE_LINE_RUN_MAX) * sizeof *workspace);
    for (size_t y = shape->columns ? 0 : first_line; y < y_end; y += y_step) {
        for (size_t x = shape->columns ? first_line : 0; x < x_end; x += x_step) {
            if (valid[y * image->width + x]) {
                struct line_counts counts = counts_at(workspace, lines, shape->columns ? x : y);
                count_pixel(image->pixels + y * image->stride + x, line_step, shape, rule, &counts,
                            lines);
            }
        }
    }
}

static void cut_dead_runs(const struct image_view *image, const struct image_mask_rule *rule,
                          struct run_shape shape, uint32_t *restrict workspace,
                          uint8_t *restrict valid)
{
    size_t lines = shape.columns ? image->width : image->height;
    size_t positions = shape.columns ? image->height : image->width;
    if (lines < shape.length + (size_t)2 * GUARD + 2 || positions == 0) {
        return;
    }
    shape.position_step = image_reduced_count(positions, POSITIONS_MAX);
    count_runs(image, rule, &shape, workspace, valid);
    size_t looked_at = image_reduced_count(positions, shape.position_step);
    for (size_t line = 1 + GUARD; line + shape.length + GUARD < lines; line++) {
        struct line_counts counts = counts_at(workspace, lines, line);
        int dead = run_is_dead(counts.bright_possible, counts.bright, shape.length, lines,
                               looked_at, rule->line_share) ||
                   run_is_dead(counts.black_possible, counts.black, shape.length, lines, looked_at,
                               rule->line_share);
        for (size_t j = 0; dead && j < shape.length + (size_t)2 * GUARD; j++) {
            mark_line(image, shape.columns, line - GUARD + j, valid);
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
        cut_wedge(image, rule, &inside, corner, valid);
    }
    for (size_t length = 1; length <= rule->line_run_max; length++) {
        cut_dead_runs(image, rule, (struct run_shape){0, length, 1}, workspace, valid);
        cut_dead_runs(image, rule, (struct run_shape){1, length, 1}, workspace, valid);
    }
    size_t valid_count = 0;
    for (size_t i = 0; i < image->width * image->height; i++) {
        valid[i] = valid[i] == 1;
        valid_count += valid[i];
    }
    return valid_count;
}
