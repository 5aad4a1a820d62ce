/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "kernels/nearest_scan.h"

/* Rows go into groups by norm, so that one scale, one norm and one error stand for all rows of a
 * group without much loss, and so that a group whose norms are far from a query's is passed over.
 */

struct packing_row {
    double square_norm;
    uint32_t index;
};

static size_t depth_of(size_t dimension_count)
{
    return (dimension_count + NEAREST_DEPTH - 1) / NEAREST_DEPTH * NEAREST_DEPTH;
}

size_t nearest_pack_bytes(size_t row_count, size_t dimension_count)
{
    size_t groups = (row_count + NEAREST_GROUP - 1) / NEAREST_GROUP;
    size_t rows = groups * NEAREST_GROUP;
    return NEAREST_ALIGNMENT + nearest_aligned(sizeof(struct nearest_packed)) +
           nearest_aligned(groups * sizeof(struct nearest_group)) +
           nearest_aligned(rows * sizeof(float)) + nearest_aligned(rows * sizeof(uint32_t)) +
           nearest_aligned(rows * depth_of(dimension_count)) +
           nearest_aligned(rows * sizeof(struct packing_row));
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

/* The rows that can win at all, by rising norm. More than 2^NEAREST_ORDINARY_EXPONENT would come
 * near the limits of float: then none. */
static size_t order_rows(const struct nearest_bank *bank, struct packing_row *order)
{
    size_t count = 0;
    for (size_t i = 0; i < bank->row_count; i++) {
        double square = nearest_squared_norm(bank->rows + i * bank->stride, bank->dimension_count);
        if (!isfinite(square) || square > (double)FLT_MAX) {
            continue;
        }
        if (square > ldexp(1, NEAREST_ORDINARY_EXPONENT)) {
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
    char *base = nearest_align_up(memory);
    size_t used = 0;
    struct nearest_packed *packed = nearest_carve(base, &used, sizeof *packed);
    struct nearest_group *groups = nearest_carve(base, &used, groups_max * sizeof *groups);
    float *norms = nearest_carve(base, &used, rows_max * sizeof *norms);
    uint32_t *indices = nearest_carve(base, &used, rows_max * sizeof *indices);
    uint8_t *bytes = nearest_carve(base, &used, rows_max * depth);
    struct packing_row *order = nearest_carve(base, &used, rows_max * sizeof *order);
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
