/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "kernels/nearest_scan.h"

/* Rows go into groups by norm, so that one scale, one norm and one error stand for all rows of a
 * group without much loss, and so that a group whose norms are far from a query's is passed over.
 *
 * A bracket says where |b|^2 - 2 q.b lies, give or take a margin. What is kept of a query while the
 * groups go by are the rows whose lower end is not above the best upper end, and those alone are
 * measured. A list that fills up is measured at once, which also lowers the upper end. */

enum { ALIGNMENT = 64, ORDINARY_EXPONENT = 120, MEASURED_MAX = 48 };

/* ---- packing ----------------------------------------------------------------------------------*/

struct packing_row {
    double square_norm;
    uint32_t index;
};

static size_t aligned(size_t bytes)
{
    return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

/* The next `bytes` of the memory at base; NULL while only counting, without a base. */
static void *carve(char *base, size_t *used, size_t bytes)
{
    void *carved = base == NULL ? NULL : base + *used;
    *used += aligned(bytes);
    return carved;
}

static char *align_up(void *memory)
{
    size_t past = (size_t)((uintptr_t)memory % ALIGNMENT);
    return (char *)memory + (past == 0 ? 0 : ALIGNMENT - past);
}

static size_t depth_of(size_t dimension_count)
{
    return (dimension_count + NEAREST_DEPTH - 1) / NEAREST_DEPTH * NEAREST_DEPTH;
}

size_t nearest_pack_bytes(size_t row_count, size_t dimension_count)
{
    size_t groups = (row_count + NEAREST_GROUP - 1) / NEAREST_GROUP;
    size_t rows = groups * NEAREST_GROUP;
    return ALIGNMENT + aligned(sizeof(struct nearest_packed)) +
           aligned(groups * sizeof(struct nearest_group)) + aligned(rows * sizeof(float)) +
           aligned(rows * sizeof(uint32_t)) + aligned(rows * depth_of(dimension_count)) +
           aligned(rows * sizeof(struct packing_row));
}

static int compare_rows(const void *left, const void *right)
{
    const struct packing_row *a = left;
    const struct packing_row *b = right;
    if (a->square_norm < b->square_norm || a->square_norm > b->square_norm) {
        return a->square_norm < b->square_norm ? -1 : 1;
    }
    return (a->index > b->index) - (a->index < b->index);
}

/* The rows that can win at all, by rising norm. More than 2^ORDINARY_EXPONENT would come near the
 * limits of float: then none. */
static size_t order_rows(const struct nearest_bank *bank, struct packing_row *order)
{
    size_t count = 0;
    for (size_t i = 0; i < bank->row_count; i++) {
        double square = nearest_squared_norm(bank->rows + i * bank->stride, bank->dimension_count);
        if (!isfinite(square) || square > (double)FLT_MAX) {
            continue;
        }
        if (square > ldexp(1, ORDINARY_EXPONENT)) {
            return 0;
        }
        order[count++] = (struct packing_row){square, (uint32_t)i};
    }
    qsort(order, count, sizeof *order, compare_rows);
    return count;
}

static float largest_entry(const struct nearest_bank *bank, const struct packing_row *order,
                           size_t count)
{
    float most = 0;
    for (size_t i = 0; i < count; i++) {
        const float *row = bank->rows + (size_t)order[i].index * bank->stride;
        for (size_t j = 0; j < bank->dimension_count; j++) {
            most = fabsf(row[j]) > most ? fabsf(row[j]) : most;
        }
    }
    return most;
}

/* Writes a row's bytes into its lanes; returns its distance from what they say. */
static double pack_row(const float *row, size_t dimension_count, float scale, uint8_t *lanes)
{
    double sum = 0;
    for (size_t j = 0; j < dimension_count; j++) {
        double whole = scale > 0 ? nearbyint((double)row[j] / (double)scale) : 0;
        whole = fmin(fmax(whole, -(double)NEAREST_BYTE_MOST), (double)NEAREST_BYTE_MOST);
        double error = (double)row[j] - whole * (double)scale;
        sum += error * error;
        lanes[j / NEAREST_STEP * NEAREST_STEP * NEAREST_BLOCK + j % NEAREST_STEP] =
            (uint8_t)((int)whole + NEAREST_CENTRE);
    }
    return sqrt(sum);
}

/* order: the group's rows, at least one. */
static struct nearest_group pack_group(const struct nearest_bank *bank,
                                       const struct packing_row *order, size_t count, size_t depth,
                                       uint8_t *bytes)
{
    float scale = largest_entry(bank, order, count) / (float)NEAREST_BYTE_MOST;
    double error_most = 0;
    memset(bytes, NEAREST_CENTRE, NEAREST_GROUP * depth);
    for (size_t i = 0; i < count; i++) {
        uint8_t *lanes =
            bytes + i / NEAREST_BLOCK * NEAREST_BLOCK * depth + i % NEAREST_BLOCK * NEAREST_STEP;
        double error = pack_row(bank->rows + (size_t)order[i].index * bank->stride,
                                bank->dimension_count, scale, lanes);
        error_most = error > error_most ? error : error_most;
    }
    float least = (float)sqrt(order[0].square_norm);
    float below = least - least * 0x1p-22f - FLT_MIN;
    return (struct nearest_group){.scale = scale,
                                  .norm_least = below > 0 ? below : 0,
                                  .norm_most =
                                      nearest_raise((float)sqrt(order[count - 1].square_norm)),
                                  .error_most = nearest_raise((float)error_most)};
}

const struct nearest_packed *nearest_pack(const struct nearest_bank *bank, void *memory)
{
    size_t groups_max = (bank->row_count + NEAREST_GROUP - 1) / NEAREST_GROUP;
    size_t rows_max = groups_max * NEAREST_GROUP;
    size_t depth = depth_of(bank->dimension_count);
    char *base = align_up(memory);
    size_t used = 0;
    struct nearest_packed *packed = carve(base, &used, sizeof *packed);
    struct nearest_group *groups = carve(base, &used, groups_max * sizeof *groups);
    float *norms = carve(base, &used, rows_max * sizeof *norms);
    uint32_t *indices = carve(base, &used, rows_max * sizeof *indices);
    uint8_t *bytes = carve(base, &used, rows_max * depth);
    struct packing_row *order = carve(base, &used, rows_max * sizeof *order);
    size_t count =
        bank->dimension_count <= NEAREST_PACKED_DIMENSIONS_MAX ? order_rows(bank, order) : 0;
    for (size_t i = 0; i < rows_max; i++) {
        norms[i] = i < count ? (float)order[i].square_norm : INFINITY;
        indices[i] = i < count ? order[i].index : (uint32_t)NEAREST_NONE;
    }
    for (size_t first = 0; first < count; first += NEAREST_GROUP) {
        size_t rows = count - first < NEAREST_GROUP ? count - first : NEAREST_GROUP;
        groups[first / NEAREST_GROUP] =
            pack_group(bank, order + first, rows, depth, bytes + first * depth);
    }
    *packed = (struct nearest_packed){.group_count = (count + NEAREST_GROUP - 1) / NEAREST_GROUP,
                                      .depth = depth,
                                      .groups = groups,
                                      .norms = norms,
                                      .indices = indices,
                                      .bytes = bytes};
    return packed;
}

/* ---- one tile ---------------------------------------------------------------------------------*/

/* Everything a tile may need, for the widest bank. Returns the bytes. */
static size_t place(struct nearest_tile *tile, char *base)
{
    enum { TILE = NEAREST_TILE, WANTED = NEAREST_WANTED_MAX };
    size_t used = 0;
    tile->bytes = carve(base, &used, (size_t)TILE * NEAREST_PACKED_DIMENSIONS_MAX);
    tile->shifts = carve(base, &used, TILE * sizeof(int32_t));
    tile->scales = carve(base, &used, TILE * sizeof(float));
    tile->norms = carve(base, &used, TILE * sizeof(float));
    tile->errors = carve(base, &used, TILE * sizeof(float));
    tile->square_norms = carve(base, &used, TILE * sizeof(double));
    tile->uppers = carve(base, &used, TILE * sizeof(float));
    tile->coefficients = carve(base, &used, TILE * sizeof(float));
    tile->margins = carve(base, &used, TILE * sizeof(float));
    tile->thresholds = carve(base, &used, TILE * sizeof(float));
    tile->bounds = carve(base, &used, (size_t)TILE * WANTED * sizeof(float));
    tile->candidate_counts = carve(base, &used, TILE * sizeof(uint32_t));
    tile->candidate_lowers = carve(base, &used, (size_t)TILE * NEAREST_LIST * sizeof(float));
    tile->candidate_places = carve(base, &used, (size_t)TILE * NEAREST_LIST * sizeof(uint32_t));
    tile->found = carve(base, &used, (size_t)TILE * WANTED * sizeof(struct nearest_found));
    return used;
}

size_t nearest_tile_floats(void)
{
    struct nearest_tile counted;
    return (ALIGNMENT + place(&counted, NULL)) / sizeof(float);
}

void nearest_tile_place(struct nearest_tile *tile, float *workspace)
{
    (void)place(tile, align_up(workspace));
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
        int ordinary = tile->square_norms[i] <= ldexp(1, ORDINARY_EXPONENT);
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
        count += isfinite(tile->square_norms[i]);
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
