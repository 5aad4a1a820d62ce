/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "kernels/nearest_scan.h"

/* A bracket says where |b|^2 - 2 q.b lies, give or take a margin. What is kept of a query while the
 * groups go by are the rows whose lower end is not above the best upper end, and those alone are
 * measured. A list that fills up is measured at once, which also lowers the upper end. */

enum { MEASURED_MAX = 48 };

void nearest_hold_clear(const struct nearest_hold *self)
{
    for (size_t i = 0; i < self->wanted; i++) {
        self->found[i] = (struct nearest_found){INFINITY, NEAREST_NONE, 0};
    }
}

static int is_nearer(const struct nearest_found *a, const struct nearest_found *b)
{
    return a->distance < b->distance || (a->distance <= b->distance && a->index < b->index);
}

void nearest_hold_keep(const struct nearest_hold *self, const struct nearest_found *fresh)
{
    struct nearest_found *found = self->found;
    size_t at = self->wanted;
    for (size_t i = 0; i < self->wanted; i++) {
        if (found[i].index == fresh->index) {
            return;
        }
    }
    while (at > 0 && is_nearer(fresh, &found[at - 1])) {
        at--;
        if (at + 1 < self->wanted) {
            found[at + 1] = found[at];
        }
    }
    if (at < self->wanted) {
        found[at] = *fresh;
    }
}

/* Everything a tile may need, for the widest bank. Returns the bytes. */
static size_t place(struct nearest_tile *tile, char *base)
{
    enum { TILE = NEAREST_TILE, WANTED = NEAREST_WANTED_MAX };
    size_t used = 0;
    tile->bytes = nearest_carve(base, &used, (size_t)TILE * NEAREST_PACKED_DIMENSIONS_MAX);
    tile->shifts = nearest_carve(base, &used, TILE * sizeof(int32_t));
    tile->scales = nearest_carve(base, &used, TILE * sizeof(float));
    tile->norms = nearest_carve(base, &used, TILE * sizeof(float));
    tile->errors = nearest_carve(base, &used, TILE * sizeof(float));
    tile->square_norms = nearest_carve(base, &used, TILE * sizeof(double));
    tile->uppers = nearest_carve(base, &used, TILE * sizeof(float));
    tile->coefficients = nearest_carve(base, &used, TILE * sizeof(float));
    tile->margins = nearest_carve(base, &used, TILE * sizeof(float));
    tile->thresholds = nearest_carve(base, &used, TILE * sizeof(float));
    tile->bounds = nearest_carve(base, &used, (size_t)TILE * WANTED * sizeof(float));
    tile->candidate_counts = nearest_carve(base, &used, TILE * sizeof(uint32_t));
    tile->candidate_lowers =
        nearest_carve(base, &used, (size_t)TILE * NEAREST_LIST * sizeof(float));
    tile->candidate_places =
        nearest_carve(base, &used, (size_t)TILE * NEAREST_LIST * sizeof(uint32_t));
    tile->found = nearest_carve(base, &used, (size_t)TILE * WANTED * sizeof(struct nearest_found));
    return used;
}

size_t nearest_tile_floats(void)
{
    struct nearest_tile counted;
    return (NEAREST_ALIGNMENT + place(&counted, NULL)) / sizeof(float);
}

void nearest_tile_place(struct nearest_tile *tile, float *workspace)
{
    (void)place(tile, nearest_align_up(workspace));
}

static struct nearest_hold hold_of(const struct nearest_tile *tile, size_t query)
{
    return (struct nearest_hold){tile->found + query * tile->wanted, tile->wanted};
}

/* What counts as the distance of a row that has been found. */
static void make_exact(const struct nearest_tile *tile, size_t query, struct nearest_found *found)
{
    const struct nearest_bank *bank = tile->bank;
    if (!found->exact) {
        found->distance = nearest_measure(tile->queries.rows + query * tile->queries.stride,
                                          bank->rows + (size_t)found->index * bank->stride,
                                          bank->dimension_count);
        found->exact = 1;
    }
}

/* Measures a candidate; true when it is among the nearest so far. The quick measure differs from
 * the one that counts by 2^-43 of it at most, and stands for it where nothing is so close that the
 * difference could matter. */
static int measure_candidate(struct nearest_tile *tile, size_t query, uint32_t place)
{
    const struct nearest_bank *bank = tile->bank;
    struct nearest_hold hold = hold_of(tile, query);
    struct nearest_found fresh = {.index = bank->packed->indices[place]};
    fresh.distance = tile->loops->measure(tile->queries.rows + query * tile->queries.stride,
                                          bank->rows + (size_t)fresh.index * bank->stride,
                                          bank->dimension_count);
    double doubt = fresh.distance * 0x1p-40;
    tile->measured++;
    if (fresh.distance - doubt > hold.found[hold.wanted - 1].distance) {
        return 0;
    }
    for (size_t i = 0; i < hold.wanted && hold.found[i].index != NEAREST_NONE; i++) {
        if (fabs(hold.found[i].distance - fresh.distance) <= doubt) {
            make_exact(tile, query, &hold.found[i]);
            make_exact(tile, query, &fresh);
        }
    }
    nearest_hold_keep(&hold, &fresh);
    return 1;
}

/* The distances are told as floats: exact where the doubt reaches over the edge between two. */
static void finish(struct nearest_tile *tile, size_t query)
{
    struct nearest_hold hold = hold_of(tile, query);
    for (size_t i = 0; i < hold.wanted && hold.found[i].index != NEAREST_NONE; i++) {
        double distance = hold.found[i].distance;
        float low = (float)(distance - distance * 0x1p-40);
        float high = (float)(distance + distance * 0x1p-40);
        if (low < high) {
            make_exact(tile, query, &hold.found[i]);
        }
    }
}

/* Measures all candidates that can still win, the most promising first: it usually shuts the others
 * out. */
static void settle(struct nearest_tile *tile, size_t query)
{
    float *lowers = tile->candidate_lowers + query * NEAREST_LIST;
    uint32_t *places = tile->candidate_places + query * NEAREST_LIST;
    uint32_t count = tile->candidate_counts[query];
    uint32_t first = 0;
    for (uint32_t i = 1; i < count; i++) {
        first = lowers[i] < lowers[first] ? i : first;
    }
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = i == 0 ? first : i <= first ? i - 1 : i;
        if (lowers[at] > tile->uppers[query] || !measure_candidate(tile, query, places[at])) {
            continue;
        }
        double square = tile->square_norms[query];
        double farthest = hold_of(tile, query).found[tile->wanted - 1].distance;
        double upper = farthest - square + (farthest + square) * 0x1p-40;
        if (upper < (double)tile->uppers[query]) {
            tile->uppers[query] = nearest_raise((float)upper);
        }
    }
    tile->candidate_counts[query] = 0;
}

/* Room in a full list: by dropping what can no longer win, or by measuring. */
static void make_room(struct nearest_tile *tile, size_t query)
{
    float *lowers = tile->candidate_lowers + query * NEAREST_LIST;
    uint32_t *places = tile->candidate_places + query * NEAREST_LIST;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < tile->candidate_counts[query]; i++) {
        lowers[kept] = lowers[i];
        places[kept] = places[i];
        kept += lowers[i] <= tile->uppers[query];
    }
    tile->candidate_counts[query] = kept;
    if (kept > NEAREST_LIST / 2) {
        settle(tile, query);
    }
}

/* bounds stay the `wanted` least of all upper ends seen, rising. */
static void lower_bounds(struct nearest_tile *tile, size_t query, float upper)
{
    float *bounds = tile->bounds + query * tile->wanted;
    size_t at = tile->wanted - 1;
    if (!(upper < bounds[at])) {
        return;
    }
    for (; at > 0 && upper < bounds[at - 1]; at--) {
        bounds[at] = bounds[at - 1];
    }
    bounds[at] = upper;
    float last = bounds[tile->wanted - 1];
    tile->uppers[query] = last < tile->uppers[query] ? last : tile->uppers[query];
}

void nearest_note(struct nearest_tile *tile, size_t query, const float *brackets, uint64_t hits,
                  size_t group)
{
    float margin = tile->margins[query];
    for (uint64_t left = hits; left != 0; left &= left - 1) {
        lower_bounds(tile, query, nearest_raise(brackets[__builtin_ctzll(left)] + margin));
    }
    for (uint64_t left = hits; left != 0; left &= left - 1) {
        int row = __builtin_ctzll(left);
        float lower = -nearest_raise(margin - brackets[row]);
        if (!(lower <= tile->uppers[query])) {
            continue; /* NaN: no row, of an infinite bracket */
        }
        if (tile->candidate_counts[query] == NEAREST_LIST) {
            make_room(tile, query);
        }
        size_t at = query * NEAREST_LIST + tile->candidate_counts[query]++;
        tile->candidate_lowers[at] = lower;
        tile->candidate_places[at] = (uint32_t)(group * NEAREST_GROUP + (size_t)row);
    }
}

/* Queries in bytes, and nothing found yet. */
static void start(struct nearest_tile *tile)
{
    size_t depth = tile->bank->packed->depth;
    size_t count = tile->queries.row_count;
    tile->padded_count = (count + NEAREST_PAD - 1) / NEAREST_PAD * NEAREST_PAD;
    memset(tile->bytes + count * depth, 0, (tile->padded_count - count) * depth);
    for (size_t i = 0; i < tile->padded_count; i++) {
        if (i < count) {
            tile->loops->quantise(tile, i);
        } else {
            tile->square_norms[i] = NAN;
        }
        int ordinary = tile->square_norms[i] <= ldexp(1, NEAREST_ORDINARY_EXPONENT);
        if (!ordinary) {
            tile->shifts[i] = 0;
            tile->scales[i] = tile->norms[i] = tile->errors[i] = 0;
            tile->square_norms[i] = isfinite(tile->square_norms[i]) ? INFINITY : NAN;
        }
        tile->uppers[i] = ordinary ? FLT_MAX : -INFINITY;
        tile->candidate_counts[i] = 0;
        struct nearest_hold hold = hold_of(tile, i);
        nearest_hold_clear(&hold);
        for (size_t j = 0; j < tile->wanted; j++) {
            tile->bounds[i * tile->wanted + j] = FLT_MAX;
        }
    }
}

/* The group whose norms are the tile's own: the nearest are more often there than elsewhere. */
static size_t middle_group(const struct nearest_tile *tile)
{
    const struct nearest_packed *packed = tile->bank->packed;
    double sum = 0;
    size_t count = 0;
    for (size_t i = 0; i < tile->queries.row_count; i++) {
        sum += (double)tile->norms[i];
        count += isfinite(tile->square_norms[i]) ? 1 : 0;
    }
    size_t group = 0;
    while (group + 1 < packed->group_count &&
           (double)packed->groups[group].norm_most * (double)count < sum) {
        group++;
    }
    return group;
}

int nearest_packed_search(struct nearest_tile *tile)
{
    size_t groups = tile->bank->packed->group_count;
    start(tile);
    size_t above = middle_group(tile);
    size_t below = above;
    tile->measured = 0;
    for (size_t step = 0; step < groups; step++) {
        int up = below == 0 || (above < groups && step % 2 == 0);
        tile->loops->scan(tile, up ? above++ : --below);
        if (tile->measured > MEASURED_MAX * tile->padded_count * tile->wanted) {
            return 0;
        }
    }
    for (size_t i = 0; i < tile->queries.row_count; i++) {
        settle(tile, i);
        finish(tile, i);
    }
    return 1;
}
