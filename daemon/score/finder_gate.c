/* SPDX-License-Identifier: Apache-2.0 */
#include "score/finder_gate.h"

#include <math.h>
#include <string.h>

#include "score/finder_map.h"

/* Of two numbers the higher has the higher key; -0 and 0 are two. */
static uint32_t key_of(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return (bits & UINT32_C(0x80000000)) != 0 ? ~bits : bits | UINT32_C(0x80000000);
}

/* The key that `rank` of the values have or pass, 1 <= rank <= count: byte by byte from the
 * highest, as many steps whatever the values are. Neighbours are alike: they count in several
 * tables, so that none waits for the one before. Behind the first byte few still count. */
static uint32_t key_at_rank(const float *values, size_t count, size_t rank)
{
    enum { DIGITS = 256, TABLES = 4 };
    uint32_t key = 0, known = 0;
    for (int shift = 24; shift >= 0; shift -= 8) {
        uint32_t counts[TABLES][DIGITS] = {{0}};
        for (size_t i = 0; i < count; i++) {
            uint32_t other = key_of(values[i]);
            if ((other & known) == key) {
                counts[i % TABLES][other >> shift & (DIGITS - 1)]++;
            }
        }
        for (uint32_t digit = DIGITS; digit-- > 0;) {
            size_t here = 0;
            for (size_t table = 0; table < TABLES; table++) {
                here += counts[table][digit];
            }
            if (here >= rank) {
                key |= digit << shift;
                break;
            }
            rank -= here;
        }
        known |= UINT32_C(255) << shift;
    }
    return key;
}

float finder_gate_at_rank(const float *values, size_t count, size_t rank)
{
    uint32_t key = key_at_rank(values, count, rank);
    uint32_t bits = (key & UINT32_C(0x80000000)) != 0 ? key ^ UINT32_C(0x80000000) : ~key;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

struct grid {
    size_t width;
    size_t height;
};

static struct grid grid_of(const struct convnet_image *planes)
{
    return (struct grid){finder_cells(planes->width), finder_cells(planes->height)};
}

/* What is not valid has no promise; returns how many have. */
static size_t leave_valid(const struct convnet_image *planes, uint32_t channels, float *promise)
{
    const struct grid grid = grid_of(planes);
    size_t valid = 0;
    for (size_t y = 0; y < grid.height; y++) {
        for (size_t x = 0; x < grid.width; x++) {
            if (finder_map_is_valid(planes, channels, x, y)) {
                valid++;
            } else {
                promise[y * grid.width + x] = -INFINITY;
            }
        }
    }
    return valid;
}

static void pass_around(struct grid grid, size_t x, size_t y, uint8_t *wanted)
{
    size_t left = x > 0 ? x - 1 : 0, right = x + 1 < grid.width ? x + 1 : x;
    size_t top = y > 0 ? y - 1 : 0, bottom = y + 1 < grid.height ? y + 1 : y;
    for (size_t row = top; row <= bottom; row++) {
        memset(wanted + row * grid.width + left, 1, right - left + 1);
    }
}

/* Those of at least this key, and what is around them; false when one of them is not valid. */
static bool pass(const struct convnet_image *planes, uint32_t channels, uint32_t least,
                 const struct finder_gate_buffers *buffers)
{
    const struct grid grid = grid_of(planes);
    memset(buffers->wanted, 0, grid.width * grid.height);
    for (size_t y = 0; y < grid.height; y++) {
        for (size_t x = 0; x < grid.width; x++) {
            if (key_of(buffers->promise[y * grid.width + x]) < least) {
                continue;
            }
            if (!finder_map_is_valid(planes, channels, x, y)) {
                return false;
            }
            pass_around(grid, x, y, buffers->wanted);
        }
    }
    return true;
}

void finder_gate_choose(const struct convnet_image *planes, uint32_t channels, uint32_t share,
                        const struct finder_gate_buffers *buffers)
{
    const struct grid grid = grid_of(planes);
    size_t count = grid.width * grid.height;
    size_t rank = count / share > FINDER_GATE_LEAST ? count / share : FINDER_GATE_LEAST;
    rank = rank < count ? rank : count;
    if (pass(planes, channels, key_at_rank(buffers->promise, count, rank), buffers)) {
        return; /* the same among the valid ones alone */
    }
    size_t valid = leave_valid(planes, channels, buffers->promise);
    memset(buffers->wanted, 0, count);
    if (valid > 0) {
        rank = rank < valid ? rank : valid;
        (void)pass(planes, channels, key_at_rank(buffers->promise, count, rank), buffers);
    }
}

void finder_gate_promise(const struct finder_model *model, const struct convnet_image *planes,
                         const struct finder_gate_buffers *buffers)
{
    convnet_glance(convnet_path_best(), &model->nets[0], model->packed[0], &model->gate, planes,
                   buffers->net, buffers->promise);
}

void finder_gate_run(const struct finder_model *model, const struct convnet_image *planes,
                     const struct finder_gate_buffers *buffers, float *restrict cells)
{
    const struct grid grid = grid_of(planes);
    finder_gate_promise(model, planes, buffers);
    finder_gate_choose(planes, model->nets[0].layers[0].in, model->gate_share, buffers);
    for (size_t i = 0; i < grid.width * grid.height; i++) {
        cells[i * FINDER_OUTPUTS] = FINDER_COLD;
    }
    convnet_look(buffers->net, buffers->wanted, cells);
}
