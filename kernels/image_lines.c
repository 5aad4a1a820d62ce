/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/image_lines.h"

#include <string.h>

/* A run of dead lines begins where a line is brighter than the one two before it and ends where one
 * is brighter than the one two after it, at a tenth of the positions times the share at the least.
 * One pass over the image counts both for every row and column. Few lines of an image without
 * stripes have enough of either, so what a run must show in full is counted for those alone.
 *
 * What a line shows is compared with `low` (`high`), which is not above (below) the pixel two
 * before and the pixel two after; subtracting a jump and comparing is monotone in floats, so the
 * first count is never too small. Where a neighbour is NaN the rule takes the other one: there the
 * first count takes every pixel. */

/* A share over 512 positions is known to 2%, and a dead line runs over all of them: looking at more
 * costs time and finds the same lines. */
enum { POSITIONS_MAX = 512 };

/* Beside a run stands one line that lossy compression may have made half bright: it is not tested
 * but goes with the run. */
enum { GUARD = 1, AWAY = 1 + GUARD };

/* Up to this many pixels a position the pixels between are read and left out, which whole registers
 * do faster than steps. */
enum { DENSE_STEP_MAX = 8 };

/* Of a possible line so many positions at the least must be able to show it. */
static const double possible_share = 0.1;

struct levels {
    float jump;
    float black;
    float not_black; /* a neighbour up to this may stand beside a black line */
};

/* How often a line looks like the first or the last of a run; one entry a line. */
struct edges {
    uint32_t *first_bright;
    uint32_t *last_bright;
    uint32_t *first_black;
    uint32_t *last_black;
};

struct line_counts { /* one entry a line */
    uint32_t *bright_possible;
    uint32_t *black_possible;
    uint32_t *bright; /* [run length x lines] */
    uint32_t *black;
};

enum {
    WORDS_OF_EDGES = 4,
    WORDS_OF_COUNTS = 2 + 2 * IMAGE_LINE_RUN_MAX,
    WORDS_OF_LIST = 1, /* candidates */
    WORDS_A_LINE = 2 * WORDS_OF_EDGES + WORDS_OF_COUNTS + WORDS_OF_LIST,
    WORDS_A_POSITION = 1,
};

size_t image_valid_mask_workspace_words(size_t width, size_t height)
{
    size_t longest = width > height ? width : height;
    return longest * (WORDS_A_LINE + WORDS_A_POSITION);
}

/* ---- the pass over the image ---- */

/* 1 also for what cannot be compared. */
PATH_BODY uint32_t not_above(float value, float limit)
{
    return value > limit ? 0U : 1U;
}

/* Lines that lie side by side in a row of `count` pixels at one position. */
PATH_BODY void count_across_body(const float *row, const uint8_t *valid, size_t count,
                                 const struct levels *levels, const struct edges *edges)
{
    const struct levels l = *levels;
    uint32_t *restrict first_bright = edges->first_bright;
    uint32_t *restrict last_bright = edges->last_bright;
    uint32_t *restrict first_black = edges->first_black;
    uint32_t *restrict last_black = edges->last_black;
    for (size_t x = AWAY; x + AWAY < count; x++) {
        float pixel = row[x];
        float before = row[x - AWAY];
        float after = row[x + AWAY];
        uint32_t black = pixel >= l.black ? 1U : 0U;
        first_bright[x] += valid[x] & not_above(pixel, before - l.jump);
        last_bright[x] += not_above(pixel, after - l.jump);
        first_black[x] += valid[x] & black & not_above(before, l.not_black);
        last_black[x] += black & not_above(after, l.not_black);
    }
}

/* One line: a row of `count` pixels, of which the positions are looked at. */
struct along {
    const float *row;
    const float *before;
    const float *after;
    const uint8_t *valid;
    const uint32_t *positions; /* 1 where there is one; NULL: every step-th */
    size_t step;
    size_t count;
};

struct edge_counts {
    uint32_t first_bright;
    uint32_t last_bright;
    uint32_t first_black;
    uint32_t last_black;
};

PATH_BODY struct edge_counts count_along_body(const struct along *line, int dense,
                                              const struct levels *levels)
{
    const struct levels l = *levels;
    const size_t step = dense ? 1 : line->step;
    uint32_t first_bright = 0, last_bright = 0, first_black = 0, last_black = 0;
    for (size_t x = 0; x < line->count; x += step) {
        float pixel = line->row[x];
        float before = line->before[x];
        float after = line->after[x];
        uint32_t looked = dense ? line->positions[x] : 1;
        uint32_t valid = looked & line->valid[x];
        uint32_t black = looked & (pixel >= l.black ? 1U : 0U);
        first_bright += valid & not_above(pixel, before - l.jump);
        last_bright += looked & not_above(pixel, after - l.jump);
        first_black += valid & black & not_above(before, l.not_black);
        last_black += black & not_above(after, l.not_black);
    }
    return (struct edge_counts){first_bright, last_bright, first_black, last_black};
}

#define COUNT_ON(name, target)                                                                     \
    target static void count_across_##name(const float *row, const uint8_t *valid, size_t count,   \
                                           const struct levels *levels, const struct edges *edges) \
    {                                                                                              \
        count_across_body(row, valid, count, levels, edges);                                       \
    }                                                                                              \
    target static struct edge_counts count_along_##name(const struct along *line,                  \
                                                        const struct levels *levels)               \
    {                                                                                              \
        return line->positions != NULL ? count_along_body(line, 1, levels)                         \
                                       : count_along_body(line, 0, levels);                        \
    }

COUNT_ON(portable, )
#if defined(__x86_64__)
COUNT_ON(avx2, PATH_TARGET_AVX2)
COUNT_ON(avx512, PATH_TARGET_AVX512)
#endif

static void count_across(enum path path, const float *row, const uint8_t *valid, size_t count,
                         const struct levels *levels, const struct edges *edges)
{
#if defined(__x86_64__)
    if (path == PATH_AVX512) {
        count_across_avx512(row, valid, count, levels, edges);
        return;
    }
    if (path == PATH_AVX2) {
        count_across_avx2(row, valid, count, levels, edges);
        return;
    }
#endif
    (void)path;
    count_across_portable(row, valid, count, levels, edges);
}

static struct edge_counts count_along(enum path path, const struct along *line,
                                      const struct levels *levels)
{
#if defined(__x86_64__)
    if (path == PATH_AVX512) {
        return count_along_avx512(line, levels);
    }
    if (path == PATH_AVX2) {
        return count_along_avx2(line, levels);
    }
#endif
    (void)path;
    return count_along_portable(line, levels);
}

/* All lines of one direction. */
struct direction {
    int columns;          /* 1: the lines are columns */
    size_t lines;         /* in the image */
    size_t positions;     /* pixels of a line */
    size_t position_step; /* every how many of them are looked at */
    size_t looked_at;     /* positions */
    struct edges edges;
};

/* What image_lines_cut() works on. */
struct cutting {
    const struct image_view *image;
    const struct image_mask_rule *rule;
    uint8_t *valid;
    uint32_t *counts; /* [WORDS_OF_COUNTS x lines], of the direction at hand */
    uint32_t *list;
    uint32_t *positions;
    int dead; /* lines have been found */
};

static struct levels levels_of(const struct image_mask_rule *rule)
{
    return (struct levels){rule->line_jump, rule->black_min, rule->black_min - 2 * rule->line_jump};
}

static void count_edges(enum path path, const struct cutting *cutting, const struct direction *rows,
                        const struct direction *columns)
{
    const struct image_view *image = cutting->image;
    struct levels levels = levels_of(cutting->rule);
    int dense = rows->position_step <= DENSE_STEP_MAX;
    for (size_t x = 0; x < image->width; x++) {
        cutting->positions[x] = x % rows->position_step == 0;
    }
    for (size_t y = 0; y < image->height; y++) {
        const float *row = image->pixels + y * image->stride;
        const uint8_t *valid = cutting->valid + y * image->width;
        if (y % columns->position_step == 0) {
            count_across(path, row, valid, image->width, &levels, &columns->edges);
        }
        if (y < AWAY || y + AWAY >= image->height) {
            continue;
        }
        struct along line = {.row = row,
                             .before = row - AWAY * image->stride,
                             .after = row + AWAY * image->stride,
                             .valid = valid,
                             .positions = dense ? cutting->positions : NULL,
                             .step = rows->position_step,
                             .count = image->width};
        struct edge_counts counts = count_along(path, &line, &levels);
        rows->edges.first_bright[y] = counts.first_bright;
        rows->edges.last_bright[y] = counts.last_bright;
        rows->edges.first_black[y] = counts.first_black;
        rows->edges.last_black[y] = counts.last_black;
    }
}

/* ---- lines that may be dead, in full ---- */

static struct line_counts counts_at(uint32_t *workspace, size_t lines, size_t line)
{
    uint32_t *at = workspace + line;
    return (struct line_counts){.bright_possible = at,
                                .black_possible = at + lines,
                                .bright = at + 2 * lines,
                                .black = at + (2 + (size_t)IMAGE_LINE_RUN_MAX) * lines};
}

/* A run that begins at this line must pass here to be dead. */
static int may_be_dead(const struct direction *direction, double share, size_t line, size_t length)
{
    const struct edges *edges = &direction->edges;
    double least = share * (possible_share * (double)direction->looked_at);
    size_t last = line + length - 1;
    return ((double)edges->first_bright[line] >= least &&
            (double)edges->last_bright[last] >= least) ||
           ((double)edges->first_black[line] >= least && (double)edges->last_black[last] >= least);
}

/* One position of a run that starts at x, y: what do the neighbours beyond the guard allow, what do
 * the run's pixels show? */
static void count_pixel(const struct cutting *cutting, const struct direction *direction,
                        size_t length, size_t x, size_t y)
{
    const struct image_view *image = cutting->image;
    const struct levels levels = levels_of(cutting->rule);
    const size_t lines = direction->lines;
    const size_t step = direction->columns ? 1 : image->stride;
    const float *first = image->pixels + y * image->stride + x;
    float before = *(first - AWAY * step);
    float after = first[(length + GUARD) * step];
    float low = before < after ? before : after;
    float high = before > after ? before : after;
    if (!cutting->valid[y * image->width + x]) {
        return;
    }
    struct line_counts counts = counts_at(cutting->counts, lines, direction->columns ? x : y);
    if (low >= 2 * levels.jump) {
        ++*counts.bright_possible;
        for (size_t j = 0; j < length; j++) {
            counts.bright[j * lines] += first[j * step] <= low - levels.jump;
        }
    }
    if (high <= levels.not_black) {
        ++*counts.black_possible;
        for (size_t j = 0; j < length; j++) {
            counts.black[j * lines] += first[j * step] >= levels.black;
        }
    }
}

/* Of the listed lines, in the order of memory. */
static void count_runs(const struct cutting *cutting, const struct direction *direction,
                       size_t length, size_t listed)
{
    memset(cutting->counts, 0, WORDS_OF_COUNTS * direction->lines * sizeof *cutting->counts);
    size_t outer = direction->columns ? direction->looked_at : listed;
    size_t inner = direction->columns ? listed : direction->looked_at;
    for (size_t i = 0; i < outer; i++) {
        for (size_t j = 0; j < inner; j++) {
            size_t line = cutting->list[direction->columns ? j : i];
            size_t position = (direction->columns ? i : j) * direction->position_step;
            count_pixel(cutting, direction, length, direction->columns ? line : position,
                        direction->columns ? position : line);
        }
    }
}

static int run_is_dead(const uint32_t *possible, const uint32_t *shown, size_t run_length,
                       const struct direction *direction, double share)
{
    if ((double)*possible < possible_share * (double)direction->looked_at || *possible == 0) {
        return 0;
    }
    for (size_t j = 0; j < run_length; j++) {
        if ((double)shown[j * direction->lines] < share * (double)*possible) {
            return 0;
        }
    }
    return 1;
}

/* Lines found dead stay countable (DEAD) until all run lengths are through: the middle of a wide
 * run is found first and must not hide the whole of it. */
enum { DEAD = 2 };

static void mark_line(const struct cutting *cutting, const struct direction *direction, size_t line)
{
    size_t width = cutting->image->width;
    size_t line_step = direction->columns ? 1 : width;
    size_t position_step = direction->columns ? width : 1;
    for (size_t position = 0; position < direction->positions; position++) {
        uint8_t *at = &cutting->valid[line * line_step + position * position_step];
        *at = *at ? DEAD : 0;
    }
}

static void cut_dead_runs(struct cutting *cutting, const struct direction *direction, size_t length)
{
    const double share = cutting->rule->line_share;
    size_t lines = direction->lines;
    size_t listed = 0;
    for (size_t line = AWAY; line + length + GUARD < lines; line++) {
        if (may_be_dead(direction, share, line, length)) {
            cutting->list[listed++] = (uint32_t)line;
        }
    }
    if (listed == 0) {
        return;
    }
    count_runs(cutting, direction, length, listed);
    for (size_t i = 0; i < listed; i++) {
        size_t line = cutting->list[i];
        struct line_counts counts = counts_at(cutting->counts, lines, line);
        int dead = run_is_dead(counts.bright_possible, counts.bright, length, direction, share) ||
                   run_is_dead(counts.black_possible, counts.black, length, direction, share);
        for (size_t j = 0; dead && j < length + (size_t)2 * GUARD; j++) {
            mark_line(cutting, direction, line - GUARD + j);
            cutting->dead = 1;
        }
    }
}

static struct direction direction_of(const struct image_view *image, int columns, uint32_t *words)
{
    size_t lines = columns ? image->width : image->height;
    size_t positions = columns ? image->height : image->width;
    size_t step = image_reduced_count(positions, POSITIONS_MAX);
    memset(words, 0, WORDS_OF_EDGES * lines * sizeof *words);
    return (struct direction){
        .columns = columns,
        .lines = lines,
        .positions = positions,
        .position_step = step,
        .looked_at = image_reduced_count(positions, step),
        .edges = {words, words + lines, words + 2 * lines, words + 3 * lines}};
}

void image_lines_cut(enum path path, const struct image_view *image,
                     const struct image_mask_rule *rule, uint32_t *restrict workspace,
                     uint8_t *restrict valid)
{
    size_t longest = image->width > image->height ? image->width : image->height;
    if (rule->line_run_max == 0 || image->width == 0 || image->height == 0) {
        return;
    }
    uint32_t *edges = workspace;
    struct cutting cutting = {.image = image,
                              .rule = rule,
                              .valid = valid,
                              .counts = workspace + (size_t)2 * WORDS_OF_EDGES * longest};
    cutting.list = cutting.counts + WORDS_OF_COUNTS * longest;
    cutting.positions = cutting.list + WORDS_OF_LIST * longest;
    const struct direction rows = direction_of(image, 0, edges);
    const struct direction columns = direction_of(image, 1, edges + WORDS_OF_EDGES * longest);
    count_edges(path, &cutting, &rows, &columns);
    for (size_t length = 1; length <= rule->line_run_max; length++) {
        cut_dead_runs(&cutting, &rows, length);
        cut_dead_runs(&cutting, &columns, length);
    }
    for (size_t i = 0; cutting.dead && i < image->width * image->height; i++) {
        valid[i] = valid[i] == 1;
    }
}
