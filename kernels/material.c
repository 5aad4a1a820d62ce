/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/material.h"

#include <math.h>

/* The costly inversion is done once a table: for each attenuation at the high energy the areal
 * density of each element that gives it, and the attenuation at the low energy behind as much. A
 * pixel is then two divisions and eight loads. */

static double mu_of(const struct material_physics *p, const double *factors, size_t at)
{
    return factors[0] * p->photoelectric[at] + factors[1] * p->scattered[at] +
           factors[2] * p->pair[at];
}

double material_attenuation(const struct material_physics *physics, int spectrum, size_t element,
                            double areal_density)
{
    const double *weights = physics->weights + (size_t)spectrum * physics->energy_count;
    double through = 0;
    for (size_t e = 0; e < physics->energy_count; e++) {
        double mu = mu_of(physics, physics->factors[spectrum], element * physics->energy_count + e);
        through += weights[e] * exp(-mu * areal_density);
    }
    return -log(through);
}

/* Solves the 3 x 3 equations in place by elimination with the greatest pivot. */
static bool solve(double m[3][4])
{
    for (int column = 0; column < 3; column++) {
        int pivot = column;
        for (int row = column + 1; row < 3; row++) {
            pivot = fabs(m[row][column]) > fabs(m[pivot][column]) ? row : pivot;
        }
        if (!(fabs(m[pivot][column]) > 1e-18)) {
            return false;
        }
        for (int k = 0; k < 4; k++) {
            double other = m[column][k];
            m[column][k] = m[pivot][k];
            m[pivot][k] = other;
        }
        for (int row = 0; row < 3; row++) {
            double share = row == column ? 0 : m[row][column] / m[column][column];
            for (int k = column; k < 4; k++) {
                m[row][k] -= share * m[column][k];
            }
        }
    }
    for (int row = 0; row < 3; row++) {
        m[row][3] /= m[row][row];
    }
    return true;
}

enum { CALIBRATION_STEPS = 60, DENSITY_STEPS = 60 };

bool material_calibrate(struct material_physics *physics, int spectrum,
                        const struct material_slab *slabs, size_t slab_count)
{
    const double nudge = 1e-5;
    struct material_physics tried = *physics;
    double *factors = tried.factors[spectrum];
    for (int step = 0; step < CALIBRATION_STEPS; step++) {
        double m[3][4] = {{0}};
        for (size_t i = 0; i < slab_count; i++) {
            const struct material_slab *slab = &slabs[i];
            double base =
                material_attenuation(&tried, spectrum, slab->element, slab->areal_density);
            double slopes[3];
            for (int k = 0; k < 3; k++) {
                factors[k] += nudge;
                slopes[k] =
                    (material_attenuation(&tried, spectrum, slab->element, slab->areal_density) -
                     base) /
                    nudge;
                factors[k] -= nudge;
            }
            for (int row = 0; row < 3; row++) {
                for (int k = 0; k < 3; k++) {
                    m[row][k] += slopes[row] * slopes[k];
                }
                m[row][3] += slopes[row] * (slab->attenuation - base);
            }
        }
        double moved = 0;
        if (!solve(m)) {
            return false;
        }
        for (int k = 0; k < 3; k++) {
            factors[k] += m[k][3];
            moved = fmax(moved, fabs(m[k][3]));
        }
        if (!(moved < 10)) {
            return false;
        }
        if (moved < 1e-9) {
            *physics = tried;
            return true;
        }
    }
    return false;
}

/* The areal density that attenuates so much at the high energy. A rises with it and is concave, so
 * Newton's steps from 0 come nearer from below and never pass it. */
static double density_at(const struct material_physics *physics, size_t element, double attenuation)
{
    const double *weights = physics->weights + physics->energy_count;
    double density = 0;
    for (int step = 0; step < DENSITY_STEPS; step++) {
        double through = 0, slope = 0;
        for (size_t e = 0; e < physics->energy_count; e++) {
            double mu = mu_of(physics, physics->factors[1], element * physics->energy_count + e);
            double part = weights[e] * exp(-mu * density);
            through += part;
            slope += part * mu;
        }
        double move = (attenuation + log(through)) * through / slope;
        density += move;
        if (!(fabs(move) > 1e-12 * density)) {
            break;
        }
    }
    return density;
}

static void tabulate_row(const struct material_physics *physics, double attenuation, size_t row,
                         struct material_table *table)
{
    double densities[MATERIAL_ELEMENTS_MAX], ratios[MATERIAL_ELEMENTS_MAX];
    size_t turn = 0;
    densities[0] = density_at(physics, 0, attenuation);
    ratios[0] = material_attenuation(physics, 0, 0, densities[0]) / attenuation;
    for (size_t z = 1; z < physics->element_count; z++) {
        densities[z] = density_at(physics, z, attenuation);
        ratios[z] = material_attenuation(physics, 0, z, densities[z]) / attenuation;
        if (ratios[z] >= ratios[turn]) {
            break; /* the turn: from here the ratio rises again */
        }
        turn = z;
    }
    table->ratio_most[row] = (float)ratios[0];
    table->ratio_least[row] = (float)ratios[turn];
    size_t z = turn;
    for (size_t column = 0; column < table->column_count; column++) {
        double q = (double)column / (double)(table->column_count - 1);
        double ratio = ratios[turn] + q * (ratios[0] - ratios[turn]);
        while (z > 1 && ratios[z - 1] < ratio) {
            z--;
        }
        size_t below = z > 0 ? z - 1 : 0;
        double gap = ratios[below] - ratios[z];
        double share = gap > 0 ? (ratios[below] - ratio) / gap : 0;
        share = share < 0 ? 0 : share > 1 ? 1 : share;
        size_t at = row * table->column_count + column;
        table->atomic_number[at] = (float)((double)(below + 1) + share * (double)(z - below));
        table->areal_density[at] =
            (float)(densities[below] + share * (densities[z] - densities[below]));
    }
}

void material_tabulate(const struct material_physics *physics, struct material_table *table)
{
    for (size_t row = 0; row < table->row_count; row++) {
        /* Nothing attenuates nothing, in any ratio: the first row is a thin layer's. */
        double place = row > 0 ? (double)row : 1.0 / 64;
        tabulate_row(physics, place * (double)table->attenuation_step, row, table);
    }
}

struct estimate {
    float atomic_number;
    float areal_density;
    float q; /* before it was held within 0..1 */
};

static inline struct estimate estimate_of(const struct material_table *t, float low, float high)
{
    float rows_end = (float)(t->row_count - 1);
    float place = high / t->attenuation_step;
    place = place < rows_end ? place : rows_end;
    size_t row = (size_t)place;
    row = row < t->row_count - 2 ? row : t->row_count - 2;
    float down = place - (float)row;
    float least = t->ratio_least[row] + down * (t->ratio_least[row + 1] - t->ratio_least[row]);
    float most = t->ratio_most[row] + down * (t->ratio_most[row + 1] - t->ratio_most[row]);
    float q = (low / high - least) / (most - least);
    float held = q > 0 ? q : 0;
    held = held < 1 ? held : 1;
    float along = held * (float)(t->column_count - 1);
    size_t column = (size_t)along;
    column = column < t->column_count - 2 ? column : t->column_count - 2;
    along -= (float)column;
    const float *z = t->atomic_number + row * t->column_count + column;
    const float *d = t->areal_density + row * t->column_count + column;
    size_t next = t->column_count;
    float upper = z[0] + along * (z[1] - z[0]);
    float lower = z[next] + along * (z[next + 1] - z[next]);
    float thin = d[0] + along * (d[1] - d[0]);
    float thick = d[next] + along * (d[next + 1] - d[next]);
    /* Beyond the last row areal density still grows with the attenuation. */
    float beyond =
        high > rows_end * t->attenuation_step ? high / (rows_end * t->attenuation_step) : 1.0f;
    return (struct estimate){upper + down * (lower - upper),
                             (thin + down * (thick - thin)) * beyond, q};
}

void material_estimate(const struct material_table *table, const struct material_pixels *pixels,
                       float *restrict atomic_number, float *restrict areal_density)
{
    for (size_t i = 0; i < pixels->count; i++) {
        float low = pixels->low[i], high = pixels->high[i];
        bool usable = high > pixels->high_min && high > 0 && high < 1e6f && low > -1e6f &&
                      low < 1e6f; /* false for NaN */
        struct estimate estimate = {0, 0, 0};
        if (usable) {
            estimate = estimate_of(table, low, high);
        }
        atomic_number[i] = estimate.atomic_number;
        areal_density[i] = estimate.areal_density;
    }
}

void material_measure(const struct material_table *table, const struct material_pixels *pixels,
                      struct material_region *out)
{
    double n = 0, low = 0, high = 0, ll = 0, lh = 0, hh = 0;
    for (size_t i = 0; i < pixels->count; i++) {
        double l = (double)pixels->low[i], h = (double)pixels->high[i];
        if (!(h > (double)pixels->high_min && h > 0 && h < 1e6 && l > -1e6 && l < 1e6)) {
            continue;
        }
        /* Welford: the mean moves, products are of what is left. */
        n += 1;
        double dl = l - low, dh = h - high;
        low += dl / n;
        high += dh / n;
        ll += dl * (l - low);
        hh += dh * (h - high);
        lh += dl * (h - high);
    }
    *out = (struct material_region){.pixel_count = (size_t)n, .atomic_number = (double)NAN};
    if (!(n > 0)) {
        return;
    }
    struct estimate at = estimate_of(table, (float)low, (float)high);
    const double nudge = 1e-3; /* large beside a float's step, small beside a table's */
    double by_low = ((double)estimate_of(table, (float)(low + nudge), (float)high).atomic_number -
                     (double)estimate_of(table, (float)(low - nudge), (float)high).atomic_number) /
                    (2 * nudge);
    double by_high = ((double)estimate_of(table, (float)low, (float)(high + nudge)).atomic_number -
                      (double)estimate_of(table, (float)low, (float)(high - nudge)).atomic_number) /
                     (2 * nudge);
    double variance = (by_low * by_low * ll + 2 * by_low * by_high * lh + by_high * by_high * hh) /
                      (n > 1 ? (n - 1) * n : 1);
    *out = (struct material_region){
        .pixel_count = (size_t)n,
        .low = low,
        .high = high,
        .atomic_number = (double)at.atomic_number,
        .atomic_number_error = n > 1 ? sqrt(variance > 0 ? variance : 0) : (double)NAN,
        .areal_density = (double)at.areal_density,
        .at_end = at.q < 0 || at.q > 1,
    };
}
