/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/dome.h"

#include <stdbool.h>
#include <string.h>

/* Pixels are taken from the highest to the lowest. Each joins the pieces that it touches; of
 * several the one with the highest peak goes on and the others end, all with the root at their peak
 * (union and find with paths halved). A piece that has grown too large goes into the sea, and so
 * does every pixel that touches it: most of a load is sea, and costs a look at what is around it
 * and no more.
 */

/* Of a pixel; one whose piece has gone into the sea is told so when somebody asks. */
enum { UNSEEN = 0, PIECE = 1, WATER = 2, MEASURED /* and above: the number of the dome */ };
_Static_assert((int)MEASURED + (int)DOME_CANDIDATES <= UINT8_MAX, "states are bytes");
#define SEA UINT32_MAX /* parent of what was a piece and is in the sea */

void dome_levels(const struct image_view *image, const uint8_t *valid, float scale,
                 const uint16_t *restrict table, uint16_t *restrict scratch,
                 uint16_t *restrict levels)
{
    const size_t width = image->width, height = image->height;
    for (size_t y = 0; y < height; y++) {
        const float *from = image->pixels + y * image->stride;
        uint16_t *to = levels + y * width;
        for (size_t x = 0; x < width; x++) {
            float level = from[x] * scale + 0.5f;
            level = level > 0 ? level : 0; /* NaN: 0 */
            level = level < (float)(DOME_LEVELS - 1) ? level : (float)(DOME_LEVELS - 1);
            to[x] = (uint16_t)(int32_t)level;
        }
        for (size_t x = 0; valid != NULL && x < width; x++) {
            to[x] = valid[y * width + x] != 0 ? to[x] : 0;
        }
    }
    for (size_t y = 0; y < height; y++) { /* down */
        const uint16_t *here = levels + y * width;
        const uint16_t *above = y > 0 ? here - width : here;
        const uint16_t *below = y + 1 < height ? here + width : here;
        for (size_t x = 0; x < width; x++) {
            scratch[y * width + x] = (uint16_t)(above[x] + 2 * here[x] + below[x]);
        }
    }
    for (size_t y = 0; y < height; y++) { /* along */
        const uint16_t *from = scratch + y * width;
        uint16_t *to = levels + y * width;
        for (size_t x = 0; x < width; x++) {
            size_t left = x > 0 ? x - 1 : 0, right = x + 1 < width ? x + 1 : x;
            to[x] = (uint16_t)((from[left] + 2u * from[x] + from[right] + 8) / 16);
        }
        for (size_t x = 0; x < width; x++) {
            to[x] = table[to[x]];
        }
    }
}

struct candidate {
    uint32_t peak; /* in the padded picture */
    uint32_t rise;
};

/* The picture is padded by a line on every side, which is never above water. */
struct search {
    const uint16_t *levels; /* [width x height], not padded */
    size_t width;
    size_t height;
    size_t padded;
    ptrdiff_t around[8]; /* of a place in the padded picture: its neighbours, from there */
    const struct dome_rule *rule;
    uint32_t *parents; /* [padded picture]: of pieces */
    uint32_t *areas;   /* [padded picture]: of roots */
    uint32_t *order;   /* [width x height]: padded places, highest first */
    size_t order_count;
    uint16_t *heights; /* [padded picture]: levels; 0 on the border */
    uint8_t *states;   /* [padded picture] */
    struct candidate candidates[DOME_CANDIDATES];
    size_t candidates_count;
};

/* Places of the padded picture, and as many more as make whole words of bytes. */
static size_t padded_words(size_t width, size_t height)
{
    return ((width + 2) * (height + 2) + 7) / 4 * 4;
}

size_t dome_workspace_words(size_t width, size_t height, uint32_t area_max)
{
    const size_t padded = padded_words(width, height);
    return 2 * padded + padded / 2 + padded / 4 + width * height + area_max;
}

/* Air is not counted: most of a picture may have one level. */
static void sort_pixels(struct search *self)
{
    uint32_t starts[DOME_LEVELS + 1] = {0}; /* of level DOME_LEVELS - 1 - i */
    const uint32_t level_min = self->rule->level_min;
    const size_t count = self->width * self->height;
    for (size_t i = 0; i < count; i++) {
        if (self->levels[i] >= level_min) {
            starts[DOME_LEVELS - self->levels[i]]++;
        }
    }
    for (size_t i = 1; i <= DOME_LEVELS; i++) {
        starts[i] += starts[i - 1];
    }
    self->order_count = starts[DOME_LEVELS];
    for (size_t y = 0; y < self->height; y++) {
        const uint16_t *row = self->levels + y * self->width;
        const size_t first = (y + 1) * self->padded + 1;
        memcpy(self->heights + first, row, self->width * sizeof *row);
        for (size_t x = 0; x < self->width; x++) {
            if (row[x] >= level_min) {
                self->order[starts[DOME_LEVELS - 1 - row[x]]++] = (uint32_t)(first + x);
            }
        }
    }
}

/* SEA, or the peak of the piece. */
static uint32_t root_of(uint32_t *parents, uint32_t at)
{
    for (;;) {
        uint32_t up = parents[at];
        if (up == at || up == SEA) {
            return up;
        }
        uint32_t above = parents[up];
        if (above == SEA) {
            parents[at] = SEA;
            return SEA;
        }
        parents[at] = above;
        at = above;
    }
}

static bool is_higher(const struct search *self, uint32_t a, uint32_t b)
{
    return self->heights[a] > self->heights[b] || (self->heights[a] == self->heights[b] && a < b);
}

static bool goes_before(const struct candidate *a, const struct candidate *b)
{
    return a->rise > b->rise || (a->rise == b->rise && a->peak < b->peak);
}

/* The dome of a peak ends where the water stands now. */
static void end_dome(struct search *self, uint32_t peak, uint32_t level)
{
    const struct candidate ended = {peak, self->heights[peak] - level};
    size_t at = self->candidates_count;
    if (ended.rise < self->rule->rise_min) {
        return;
    }
    if (at == DOME_CANDIDATES) {
        at--;
        if (!goes_before(&ended, &self->candidates[at])) {
            return;
        }
    } else {
        self->candidates_count++;
    }
    for (; at > 0 && goes_before(&ended, &self->candidates[at - 1]); at--) {
        self->candidates[at] = self->candidates[at - 1];
    }
    self->candidates[at] = ended;
}

/* Of the states of a pixel and of those to either side, which bits any has. */
static uint32_t three_states(const uint8_t *states)
{
    return (uint32_t)(states[-1] | states[0] | states[1]);
}

/* Pieces and the sea that a pixel touches. */
struct touched {
    uint32_t roots[4]; /* of 8 neighbours no more than four can be apart */
    size_t count;
    bool sea;
};

static void touch(struct search *self, uint32_t at, struct touched *out)
{
    out->count = 0;
    for (size_t i = 0; i < 8; i++) {
        uint32_t place = (uint32_t)((ptrdiff_t)at + self->around[i]);
        if (self->states[place] != PIECE) {
            out->sea = out->sea || self->states[place] == WATER;
            continue;
        }
        uint32_t root = root_of(self->parents, place);
        if (root == SEA) {
            self->states[place] = WATER;
            out->sea = true;
            continue;
        }
        bool known = false;
        for (size_t k = 0; k < out->count; k++) {
            known = known || out->roots[k] == root;
        }
        if (!known) {
            out->roots[out->count++] = root;
        }
    }
}

static void flood(struct search *self, uint32_t at)
{
    const uint32_t level = self->heights[at];
    const uint32_t around = three_states(self->states + at - self->padded) |
                            three_states(self->states + at) |
                            three_states(self->states + at + self->padded);
    struct touched touched = {.sea = (around & WATER) != 0};
    if ((around & PIECE) != 0) {
        touch(self, at, &touched);
    }
    if (touched.sea) {
        for (size_t i = 0; i < touched.count; i++) {
            end_dome(self, touched.roots[i], level);
            self->parents[touched.roots[i]] = SEA;
        }
        self->states[at] = WATER;
        return;
    }
    self->states[at] = PIECE;
    uint32_t highest = at; /* no other that was taken before it is lower */
    uint32_t area = 1;
    for (size_t i = 0; i < touched.count; i++) {
        highest = is_higher(self, touched.roots[i], highest) ? touched.roots[i] : highest;
    }
    for (size_t i = 0; i < touched.count; i++) {
        area += self->areas[touched.roots[i]];
        if (touched.roots[i] != highest) {
            end_dome(self, touched.roots[i], level);
            self->parents[touched.roots[i]] = highest;
        }
    }
    self->parents[at] = highest;
    self->areas[highest] = area;
    if (area > self->rule->area_max) {
        end_dome(self, highest, level);
        self->parents[highest] = SEA;
    }
}

/* What is connected with the peak at half of the rise: at most area_max pixels, as it is above the
 * level at which the dome ends. Their states, which nobody needs any more, become `stamp`. */
static void measure(struct search *self, const struct candidate *candidate, uint8_t stamp,
                    uint32_t *queue, struct dome *out)
{
    const uint32_t height = self->heights[candidate->peak];
    const uint32_t least = height - candidate->rise / 2;
    uint32_t left = UINT32_MAX, top = UINT32_MAX, right = 0, bottom = 0, count = 0;
    queue[count++] = candidate->peak;
    self->states[candidate->peak] = stamp;
    for (uint32_t done = 0; done < count; done++) {
        uint32_t x = (uint32_t)(queue[done] % self->padded) - 1;
        uint32_t y = (uint32_t)(queue[done] / self->padded) - 1;
        left = x < left ? x : left;
        right = x > right ? x : right;
        top = y < top ? y : top;
        bottom = y > bottom ? y : bottom;
        for (size_t i = 0; i < 8; i++) {
            uint32_t place = (uint32_t)((ptrdiff_t)queue[done] + self->around[i]);
            if (self->heights[place] >= least && self->states[place] != stamp) {
                self->states[place] = stamp;
                queue[count++] = place;
            }
        }
    }
    *out = (struct dome){.x = left,
                         .y = top,
                         .width = right - left + 1,
                         .height = bottom - top + 1,
                         .peak_x = (uint32_t)(candidate->peak % self->padded) - 1,
                         .peak_y = (uint32_t)(candidate->peak / self->padded) - 1,
                         .rise = candidate->rise,
                         .base = height - candidate->rise,
                         .area = count};
}

static bool is_in_load(const struct search *self, const struct dome *dome)
{
    const size_t margin = self->rule->margin;
    const size_t left = dome->x > margin ? dome->x - margin : 0;
    const size_t top = dome->y > margin ? dome->y - margin : 0;
    size_t right = dome->x + dome->width + margin, bottom = dome->y + dome->height + margin;
    right = right < self->width ? right : self->width;
    bottom = bottom < self->height ? bottom : self->height;
    size_t air = 0;
    for (size_t y = top; y < bottom; y++) {
        for (size_t x = left; x < right; x++) {
            air += self->levels[y * self->width + x] < self->rule->level_min;
        }
    }
    return air * self->rule->air_part <= (right - left) * (bottom - top);
}

size_t dome_find(const uint16_t *levels, size_t width, size_t height, const struct dome_rule *rule,
                 uint32_t *restrict workspace, size_t dome_count_max, struct dome *restrict domes)
{
    const size_t padded_count = padded_words(width, height);
    const ptrdiff_t row = (ptrdiff_t)width + 2;
    struct search search = {.levels = levels,
                            .width = width,
                            .height = height,
                            .padded = (size_t)row,
                            .around = {-row - 1, -row, -row + 1, -1, 1, row - 1, row, row + 1},
                            .rule = rule,
                            .parents = workspace,
                            .areas = workspace + padded_count,
                            .order = workspace + 2 * padded_count};
    uint32_t *queue = search.order + width * height;
    search.heights = (uint16_t *)(queue + rule->area_max);
    search.states = (uint8_t *)(search.heights + padded_count);
    memset(search.heights, 0, padded_count * sizeof *search.heights);
    memset(search.states, UNSEEN, padded_count);
    sort_pixels(&search);
    for (size_t i = 0; i < search.order_count; i++) {
        flood(&search, search.order[i]);
    }
    size_t count = 0;
    for (size_t i = 0; i < search.candidates_count && count < dome_count_max; i++) {
        measure(&search, &search.candidates[i], (uint8_t)(MEASURED + i), queue, &domes[count]);
        count += is_in_load(&search, &domes[count]) ? 1 : 0;
    }
    return count;
}
