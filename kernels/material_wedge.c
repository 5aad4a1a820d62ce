/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/material.h"

#include <math.h>

/* What a port can measure itself: slabs of plastic, aluminium, steel, lead in the beam. No spectrum
 * and no cross section enters, so nothing of them can be wrong; between two materials the ratio is
 * nearly linear in Z, because pair production is. */

struct material_run {
    size_t first;
    size_t count;
};

/* The steps of each material; 0 when they are out of order or too few. */
static size_t find_runs(const struct material_step *steps, size_t step_count,
                        struct material_run runs[MATERIAL_WEDGE_MAX])
{
    size_t count = 0;
    for (size_t i = 0; i < step_count; i++) {
        const struct material_step *step = &steps[i];
        bool sound = step->atomic_number >= 1 && step->atomic_number <= MATERIAL_ELEMENTS_MAX &&
                     step->areal_density > 0 && step->areal_density < 1e5 && step->high > 0 &&
                     step->high < 1e3 && step->low > 0 && step->low < 1e3;
        bool same = i > 0 && step->atomic_number == steps[i - 1].atomic_number;
        if (!sound || (i > 0 && step->atomic_number < steps[i - 1].atomic_number) ||
            (same && !(step->high > steps[i - 1].high)) ||
            (!same && (count == MATERIAL_WEDGE_MAX || (count > 0 && runs[count - 1].count < 2)))) {
            return 0;
        }
        if (!same) {
            runs[count++] = (struct material_run){i, 0};
        }
        runs[count - 1].count++;
    }
    return count >= 2 && runs[count - 1].count >= 2 ? count : 0;
}

struct material_behind {
    double ratio;
    double areal_density;
};

/* Behind so much of one material that the high energy is attenuated by `high`. */
static struct material_behind behind(const struct material_step *steps, struct material_run run,
                                     double high)
{
    const struct material_step *first = steps + run.first;
    size_t upper = 1;
    while (upper < run.count - 1 && first[upper].high < high) {
        upper++;
    }
    const struct material_step *a = &first[upper - 1];
    const struct material_step *b = &first[upper];
    double share = (high - a->high) / (b->high - a->high);
    share = share < 0 ? 0 : share > 1 ? 1 : share;
    double ratio_a = a->low / a->high, ratio_b = b->low / b->high;
    /* Areal density per attenuation, so that nothing weighs nothing and growth goes on. */
    double mass_a = a->areal_density / a->high, mass_b = b->areal_density / b->high;
    return (struct material_behind){ratio_a + share * (ratio_b - ratio_a),
                                    high * (mass_a + share * (mass_b - mass_a))};
}

static bool tabulate_row(const struct material_step *steps, const struct material_run *runs,
                         size_t run_count, double high, size_t row, struct material_table *table)
{
    struct material_behind at[MATERIAL_WEDGE_MAX];
    size_t turn = 0;
    for (size_t k = 0; k < run_count; k++) {
        at[k] = behind(steps, runs[k], high);
        if (k > 0 && !(at[k].ratio < at[turn].ratio)) {
            break; /* the turn: from here the ratio rises again */
        }
        turn = k;
    }
    if (turn == 0) {
        return false;
    }
    table->ratio_most[row] = (float)at[0].ratio;
    table->ratio_least[row] = (float)at[turn].ratio;
    size_t k = turn;
    for (size_t column = 0; column < table->column_count; column++) {
        double q = (double)column / (double)(table->column_count - 1);
        double ratio = at[turn].ratio + q * (at[0].ratio - at[turn].ratio);
        while (k > 1 && at[k - 1].ratio < ratio) {
            k--;
        }
        double share = (at[k - 1].ratio - ratio) / (at[k - 1].ratio - at[k].ratio);
        share = share < 0 ? 0 : share > 1 ? 1 : share;
        double from = steps[runs[k - 1].first].atomic_number;
        double to = steps[runs[k].first].atomic_number;
        size_t place = row * table->column_count + column;
        table->atomic_number[place] = (float)(from + share * (to - from));
        table->areal_density[place] =
            (float)(at[k - 1].areal_density +
                    share * (at[k].areal_density - at[k - 1].areal_density));
    }
    return true;
}

bool material_tabulate_wedge(const struct material_step *steps, size_t step_count,
                             struct material_table *table)
{
    struct material_run runs[MATERIAL_WEDGE_MAX];
    size_t run_count = find_runs(steps, step_count, runs);
    bool good = run_count > 0;
    for (size_t row = 0; good && row < table->row_count; row++) {
        /* Nothing attenuates nothing, in any ratio: the first row is a thin layer's. */
        double place = row > 0 ? (double)row : 1.0 / 64;
        good = tabulate_row(steps, runs, run_count, place * (double)table->attenuation_step, row,
                            table);
    }
    return good;
}
