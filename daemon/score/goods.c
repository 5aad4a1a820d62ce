/* SPDX-License-Identifier: Apache-2.0 */
#include "score/goods.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A spread is at least a fifth: prices of one code differ by more than that between honest
 * invoices, and a code seen twice at one price must not make the third look absurd. */
static const float spread_min = 0.2f;
static const float deviation_max = 20.0f;

/* HS 4 codes are told from HS 6 codes by what is added. */
enum { CODE_ALL = 1, CODE_HS4 = 2000000, CODE_HS6 = 3000000 };

static void read_codes(const char *hs_code, uint32_t codes[GOODS_LEVELS])
{
    uint32_t number = 0;
    uint32_t digits = 0;
    codes[GOODS_ALL] = CODE_ALL;
    codes[GOODS_HS4] = 0;
    codes[GOODS_HS6] = 0;
    for (const char *at = hs_code; *at != '\0' && digits < 6; at++) {
        if (isdigit((unsigned char)*at)) {
            number = number * 10 + (uint32_t)(*at - '0');
            digits++;
            codes[GOODS_HS4] = digits == 4 ? CODE_HS4 + number : codes[GOODS_HS4];
        }
    }
    codes[GOODS_HS6] = digits == 6 ? CODE_HS6 + number : 0;
}

static float log_of(double value)
{
    return value > 0 && value <= 1e15 ? (float)log(value) : NAN;
}

void goods_values_of(const struct goods_line *line, struct goods_values *out)
{
    read_codes(line->hs_code, out->codes);
    out->logs[GOODS_MASS] = log_of(line->net_mass_kg);
    out->logs[GOODS_VALUE] = log_of(line->value);
    out->logs[GOODS_UNIT_VALUE] = out->logs[GOODS_VALUE] - out->logs[GOODS_MASS];
}

/* The high bits of the product: the low ones depend on the low ones of the code only, and codes end
 * in 0 more often than not. */
static uint32_t home_of(const struct goods_norms *self, uint32_t code)
{
    return (uint32_t)((uint64_t)(code * 2654435769u) * self->slots >> 32);
}

static struct goods_norm *slot_of(const struct goods_norms *self, uint32_t code)
{
    uint32_t at = home_of(self, code);
    while (self->norms[at].code != 0 && self->norms[at].code != code) {
        at = (at + 1) & (self->slots - 1);
    }
    return &self->norms[at];
}

static struct err make_table(uint32_t codes_count, struct goods_norms *out)
{
    uint32_t slots = 16;
    while (slots < 2 * codes_count) {
        slots *= 2;
    }
    struct goods_norm *norms = calloc(slots, sizeof *norms);
    if (norms == NULL) {
        return err_make(ERR_MEMORY, "norms of goods");
    }
    *out = (struct goods_norms){.norms = norms, .slots = slots};
    return err_none;
}

void goods_norms_fini(struct goods_norms *self)
{
    free(self->norms);
    *self = (struct goods_norms){0};
}

static const struct goods_norm *find(const struct goods_norms *self, uint32_t code)
{
    if (self->slots == 0 || code == 0) {
        return NULL;
    }
    const struct goods_norm *norm = slot_of(self, code);
    return norm->code != 0 ? norm : NULL;
}

const struct goods_norm *goods_norm_of(const struct goods_norms *self,
                                       const struct goods_values *values, enum goods_level level)
{
    const struct goods_norm *norm = NULL;
    for (int at = (int)level; at >= 0 && norm == NULL; at--) {
        norm = find(self, values->codes[at]);
    }
    return norm;
}

bool goods_code_is_known(const struct goods_norms *self, const struct goods_values *values,
                         enum goods_level level)
{
    return find(self, values->codes[level]) != NULL;
}

float goods_deviation(const struct goods_norm *norm, const struct goods_values *values,
                      enum goods_quantity quantity)
{
    if (norm == NULL || isnan(values->logs[quantity])) {
        return 0;
    }
    float deviation = (values->logs[quantity] - norm->medians[quantity]) / norm->spreads[quantity];
    return deviation < -deviation_max  ? -deviation_max
           : deviation > deviation_max ? deviation_max
                                       : deviation;
}

static int compare_floats(const void *a, const void *b)
{
    float first = *(const float *)a;
    float second = *(const float *)b;
    return first < second ? -1 : first > second;
}

static float median_of(float *values, size_t count)
{
    qsort(values, count, sizeof *values, compare_floats);
    return count % 2 == 1 ? values[count / 2] : 0.5f * (values[count / 2 - 1] + values[count / 2]);
}

/* The rows of one code, in the order of codes. */
struct group {
    const struct goods_values *rows;
    size_t count;
    enum goods_level level;
};

static void fit_quantity(const struct group *group, enum goods_quantity quantity,
                         const struct goods_norm *above, float *space, struct goods_norm *norm)
{
    size_t count = 0;
    for (size_t i = 0; i < group->count; i++) {
        float value = group->rows[i].logs[quantity];
        if (!isnan(value)) {
            space[count++] = value;
        }
    }
    float median = count > 0 ? median_of(space, count) : 0;
    for (size_t i = 0; i < count; i++) {
        space[i] = fabsf(space[i] - median);
    }
    float spread = count > 0 ? 1.4826f * median_of(space, count) : 1;
    if (above != NULL) {
        double weight = (double)count / ((double)count + GOODS_PRIOR_ROWS);
        double variance =
            weight * (double)spread * (double)spread +
            (1 - weight) * (double)above->spreads[quantity] * (double)above->spreads[quantity];
        median = (float)(weight * (double)median + (1 - weight) * (double)above->medians[quantity]);
        spread = (float)sqrt(variance);
    }
    norm->medians[quantity] = median;
    norm->spreads[quantity] = spread > spread_min ? spread : spread_min;
}

static void fit_group(struct goods_norms *self, const struct group *group, float *space)
{
    const struct goods_values *first = &group->rows[0];
    const struct goods_norm *above =
        group->level == GOODS_ALL ? NULL : goods_norm_of(self, first, group->level - 1);
    struct goods_norm norm = {.code = first->codes[group->level], .rows = (float)group->count};
    for (int quantity = 0; quantity < GOODS_QUANTITIES; quantity++) {
        fit_quantity(group, (enum goods_quantity)quantity, above, space, &norm);
    }
    *slot_of(self, norm.code) = norm;
    self->used++;
}

/* HS 6 in the order of numbers is in the order of HS 4, too. */
static int compare_rows(const void *a, const void *b)
{
    const struct goods_values *first = a;
    const struct goods_values *second = b;
    for (int level = GOODS_HS4; level < GOODS_LEVELS; level++) {
        if (first->codes[level] != second->codes[level]) {
            return first->codes[level] < second->codes[level] ? -1 : 1;
        }
    }
    return 0;
}

static void fit_level(struct goods_norms *self, const struct goods_values *rows, size_t rows_count,
                      enum goods_level level, float *space)
{
    for (size_t from = 0; from < rows_count;) {
        size_t to = from + 1;
        uint32_t code = rows[from].codes[level];
        while (to < rows_count && rows[to].codes[level] == code) {
            to++;
        }
        if (code != 0) {
            fit_group(self, &(struct group){rows + from, to - from, level}, space);
        }
        from = to;
    }
}

static uint32_t count_codes(const struct goods_values *rows, size_t rows_count)
{
    uint32_t count = 1;
    for (size_t i = 0; i < rows_count; i++) {
        for (int level = GOODS_HS4; level < GOODS_LEVELS; level++) {
            count += i == 0 || rows[i].codes[level] != rows[i - 1].codes[level];
        }
    }
    return count;
}

MUST_USE struct err goods_norms_fit(const struct goods_values *rows, size_t rows_count,
                                    struct goods_norms *out)
{
    struct goods_values *sorted = calloc(rows_count + 1, sizeof *sorted);
    float *space = calloc(rows_count + 1, sizeof *space);
    struct err err = err_make(ERR_MEMORY, "norms of goods");
    struct goods_norms made = {0};
    if (sorted != NULL && space != NULL) {
        memcpy(sorted, rows, rows_count * sizeof *sorted);
        qsort(sorted, rows_count, sizeof *sorted, compare_rows);
        err = make_table(count_codes(sorted, rows_count), &made);
    }
    for (int level = GOODS_ALL; level < GOODS_LEVELS && !err_is(err); level++) {
        fit_level(&made, sorted, rows_count, (enum goods_level)level, space);
    }
    if (!err_is(err)) {
        goods_norms_fini(out);
        *out = made;
    }
    free(sorted);
    free(space);
    return err;
}

static int compare_norms(const void *a, const void *b)
{
    uint32_t first = ((const struct goods_norm *)a)->code;
    uint32_t second = ((const struct goods_norm *)b)->code;
    return first < second ? -1 : first > second;
}

enum { NORM_COLUMNS = 1 + 2 * GOODS_QUANTITIES };

MUST_USE struct err goods_norms_write(const struct goods_norms *self, struct model_file *file)
{
    struct goods_norm *sorted = calloc((size_t)self->used + 1, sizeof *sorted);
    uint64_t *codes = calloc((size_t)self->used + 1, sizeof *codes);
    float *norms = calloc((size_t)self->used + 1, NORM_COLUMNS * sizeof *norms);
    struct err err = err_make(ERR_MEMORY, "norms of goods");
    if (sorted != NULL && codes != NULL && norms != NULL) {
        uint32_t count = 0;
        for (uint32_t i = 0; i < self->slots; i++) {
            if (self->norms[i].code != 0) {
                sorted[count++] = self->norms[i];
            }
        }
        must(count == self->used);
        qsort(sorted, count, sizeof *sorted, compare_norms);
        for (uint32_t i = 0; i < count; i++) {
            codes[i] = sorted[i].code;
            float *row = norms + (size_t)i * NORM_COLUMNS;
            row[0] = sorted[i].rows;
            memcpy(row + 1, sorted[i].medians, sizeof sorted[i].medians);
            memcpy(row + 1 + GOODS_QUANTITIES, sorted[i].spreads, sizeof sorted[i].spreads);
        }
        const uint64_t dimensions[2] = {count, NORM_COLUMNS};
        err = model_file_add(file, "goods_codes", MODEL_U64, dimensions, 1, codes);
        err = err_is(err) ? err
                          : model_file_add(file, "goods_norms", MODEL_F32, dimensions, 2, norms);
    }
    free(sorted);
    free(codes);
    free(norms);
    return err;
}

static bool norm_is_sound(const float *row)
{
    bool sound = row[0] >= 0 && isfinite(row[0]);
    for (int q = 0; q < GOODS_QUANTITIES; q++) {
        float spread = row[1 + GOODS_QUANTITIES + q];
        sound = sound && isfinite(row[1 + q]) && isfinite(spread) && spread >= spread_min;
    }
    return sound;
}

/* A file may name codes that were chosen to lie on one another. */
enum { RUN_MAX = 1024 };

/* NULL when the code is there or has no free slot nearby. */
static struct goods_norm *free_slot(const struct goods_norms *self, uint32_t code)
{
    uint32_t at = home_of(self, code);
    for (uint32_t step = 0; step < RUN_MAX; step++) {
        struct goods_norm *norm = &self->norms[(at + step) & (self->slots - 1)];
        if (norm->code == 0 || norm->code == code) {
            return norm->code == 0 ? norm : NULL;
        }
    }
    return NULL;
}

/* Taken slots side by side are what a search for an unknown code walks. */
static bool has_long_run(const struct goods_norms *self)
{
    uint32_t run = 0;
    for (uint32_t i = 0; i < self->slots + RUN_MAX && run <= RUN_MAX; i++) {
        run = self->norms[i & (self->slots - 1)].code != 0 ? run + 1 : 0;
    }
    return run > RUN_MAX;
}

MUST_USE struct err goods_norms_read(const struct model_file *file, struct goods_norms *out)
{
    const struct model_array *codes = model_file_find(file, "goods_codes", MODEL_U64);
    const struct model_array *norms = model_file_find(file, "goods_norms", MODEL_F32);
    struct err fault = err_make(ERR_MODEL_UNREADABLE, "model: norms of goods");
    if (codes == NULL || norms == NULL || codes->dimensions_count != 1 ||
        norms->dimensions_count != 2 || codes->dimensions[0] != norms->dimensions[0] ||
        norms->dimensions[1] != NORM_COLUMNS || codes->dimensions[0] > 4000000) {
        return fault;
    }
    struct goods_norms made;
    struct err err = make_table((uint32_t)codes->dimensions[0], &made);
    if (err_is(err)) {
        return err;
    }
    for (uint64_t i = 0; i < codes->dimensions[0]; i++) {
        uint64_t code = ((const uint64_t *)codes->values)[i];
        const float *row = (const float *)norms->values + i * NORM_COLUMNS;
        bool sound = code >= CODE_ALL && code < CODE_HS6 + 1000000 && norm_is_sound(row);
        struct goods_norm *slot = sound ? free_slot(&made, (uint32_t)code) : NULL;
        if (slot == NULL) {
            goods_norms_fini(&made);
            return fault;
        }
        slot->code = (uint32_t)code;
        slot->rows = row[0];
        memcpy(slot->medians, row + 1, sizeof slot->medians);
        memcpy(slot->spreads, row + 1 + GOODS_QUANTITIES, sizeof slot->spreads);
        made.used++;
    }
    if (has_long_run(&made)) {
        goods_norms_fini(&made);
        return fault;
    }
    goods_norms_fini(out);
    *out = made;
    return err_none;
}
