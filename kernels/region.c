/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/region.h"

#include <math.h>
#include <string.h>

/* A peak must be a local maximum of the whole map: without that, the shoulder left around a region
 * grown to half height would be the next "peak" and use up the tries. */

enum { TRIES_PER_BOX = 4 };

struct growth {
    const struct image_view *map;
    uint32_t *claimed; /* 1 once a cell belongs to a region */
    uint32_t *queue;   /* cells of the region being grown, in order of discovery */
};

size_t region_workspace_words(size_t width, size_t height)
{
    return 2 * width * height;
}

static float value_at(const struct image_view *map, size_t x, size_t y)
{
    return map->pixels[y * map->stride + x];
}

static int is_local_maximum(const struct image_view *map, size_t x, size_t y)
{
    float value = value_at(map, x, y);
    size_t x_end = x + 1 < map->width ? x + 1 : x;
    size_t y_end = y + 1 < map->height ? y + 1 : y;
    for (size_t j = y > 0 ? y - 1 : 0; j <= y_end; j++) {
        for (size_t i = x > 0 ? x - 1 : 0; i <= x_end; i++) {
            if (value_at(map, i, j) > value) {
                return 0;
            }
        }
    }
    return 1;
}

static int find_peak(const struct growth *growth, float threshold, size_t *x_out, size_t *y_out)
{
    const struct image_view *map = growth->map;
    int found = 0;
    float best = 0;
    for (size_t y = 0; y < map->height; y++) {
        for (size_t x = 0; x < map->width; x++) {
            float value = value_at(map, x, y);
            if (!(value >= threshold) || (found && !(value > best)) ||
                growth->claimed[y * map->width + x] || !is_local_maximum(map, x, y)) {
                continue;
            }
            found = 1;
            best = value;
            *x_out = x;
            *y_out = y;
        }
    }
    return found;
}

/* Claim the unclaimed neighbours of one cell that reach `level`. Returns the new end of the queue.
 */
static size_t claim_neighbours(const struct growth *growth, uint32_t cell, float level, size_t end)
{
    const struct image_view *map = growth->map;
    size_t x = cell % map->width;
    size_t y = cell / map->width;
    size_t x_end = x + 1 < map->width ? x + 1 : x;
    size_t y_end = y + 1 < map->height ? y + 1 : y;
    for (size_t j = y > 0 ? y - 1 : 0; j <= y_end; j++) {
        for (size_t i = x > 0 ? x - 1 : 0; i <= x_end; i++) {
            size_t neighbour = j * map->width + i;
            if (!growth->claimed[neighbour] && value_at(map, i, j) >= level) {
                growth->claimed[neighbour] = 1;
                growth->queue[end++] = (uint32_t)neighbour;
            }
        }
    }
    return end;
}

static struct region_box grow_region(const struct growth *growth, const struct region_rule *rule,
                                     size_t x, size_t y)
{
    const struct image_view *map = growth->map;
    float peak = value_at(map, x, y);
    float half = rule->base + rule->grow_share * (peak - rule->base);
    float level = half > rule->threshold ? half : rule->threshold;
    size_t left = x, right = x, top = y, bottom = y;
    size_t end = 1;
    growth->queue[0] = (uint32_t)(y * map->width + x);
    growth->claimed[y * map->width + x] = 1;
    for (size_t next = 0; next < end; next++) {
        size_t cell_x = growth->queue[next] % map->width;
        size_t cell_y = growth->queue[next] / map->width;
        left = cell_x < left ? cell_x : left;
        right = cell_x > right ? cell_x : right;
        top = cell_y < top ? cell_y : top;
        bottom = cell_y > bottom ? cell_y : bottom;
        end = claim_neighbours(growth, growth->queue[next], level, end);
    }
    return (struct region_box){.x = (uint32_t)left,
                               .y = (uint32_t)top,
                               .width = (uint32_t)(right - left + 1),
                               .height = (uint32_t)(bottom - top + 1),
                               .peak_x = (uint32_t)x,
                               .peak_y = (uint32_t)y,
                               .cell_count = (uint32_t)end,
                               .score = peak};
}

static double shared_extent(uint32_t a, uint32_t a_count, uint32_t b, uint32_t b_count)
{
    uint64_t first = a > b ? a : b;
    uint64_t a_end = (uint64_t)a + a_count;
    uint64_t b_end = (uint64_t)b + b_count;
    uint64_t end = a_end < b_end ? a_end : b_end;
    return end > first ? (double)(end - first) : 0.0;
}

static double overlap(const struct region_box *a, const struct region_box *b)
{
    double shared = shared_extent(a->x, a->width, b->x, b->width) *
                    shared_extent(a->y, a->height, b->y, b->height);
    double both = (double)a->width * (double)a->height + (double)b->width * (double)b->height;
    return shared / (both - shared);
}

static int is_kept(const struct region_box *box, const struct region_rule *rule,
                   const struct region_box *boxes, size_t count)
{
    if (box->cell_count < rule->cell_count_min) {
        return 0;
    }
    for (size_t i = 0; i < count; i++) {
        if (overlap(box, &boxes[i]) > rule->overlap_max) {
            return 0;
        }
    }
    return 1;
}

size_t region_propose(const struct image_view *map, const struct region_rule *rule,
                      uint32_t *restrict workspace, size_t box_count_max,
                      struct region_box *restrict boxes)
{
    size_t cells = map->width * map->height;
    struct growth growth = {.map = map, .claimed = workspace, .queue = workspace + cells};
    memset(workspace, 0, cells * sizeof *workspace);
    size_t count = 0;
    for (size_t tries = 0; tries < TRIES_PER_BOX * box_count_max && count < box_count_max;
         tries++) {
        size_t x = 0;
        size_t y = 0;
        if (!find_peak(&growth, rule->threshold, &x, &y)) {
            break;
        }
        struct region_box box = grow_region(&growth, rule, x, y);
        if (is_kept(&box, rule, boxes, count)) {
            boxes[count++] = box;
        }
    }
    return count;
}
