/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "feeds/sim_world.h"
#include "score/train_cargo.h"

static double PARC = 0;
static struct working_space space;
static double now(void) { return (double)clock_monotonic_ns() / 1e9; }

static struct sim_world *world_of(uint64_t seed, double d0, double d1, double m0, double m1, double scale)
{
    struct sim_conf conf = {.seed = seed, .scale = scale, .mail_scale = 1, .mail_declarations_per_scan = 1,
        .oddity_rate = 0.15, .mixed_rate = 1, .parcels_share = PARC, .cargo_density = {d0, d1}, .bricks_kg = {m0, m1},
        .contraband_rate = m1 > 0 ? 1 : 0, .dead_rows_max = 3, .interval_s = 20, .site = "s", .lane = ""};
    conf.mode_weights[MODE_TRUCK] = 1;
    struct sim_world *w = NULL;
    if (err_is(sim_world_open(&conf, &w))) abort();
    return w;
}

static const float *make(const struct sim_item *item, struct working *working)
{
    working_make(&space, &item->images[1], item->pixels[1], 256, working);
    return working_make_low(&space, &item->images[0], item->pixels[0], working);
}

int main(int argc, char **argv)
{
    double scale = argc > 1 ? atof(argv[1]) : 0.4;
    int ntrain = argc > 2 ? atoi(argv[2]) : 150, ntest = argc > 3 ? atoi(argv[3]) : 200;
    PARC = argc > 4 ? atof(argv[4]) : 0;
    if (err_is(working_init(&space, 256))) abort();
    struct train_cargo *train;
    if (err_is(train_cargo_open(1, &train))) abort();
    double t0 = now();
    /* threats */
    extern struct err sim_world_threat(struct sim_world *, uint64_t, double, struct sim_item *);
    struct sim_world *w = world_of(900, .1, 1, 5, 60, scale);
    for (uint64_t i = 0; i < 120; i++) {
        static struct sim_item item;
        double kg = 4 * pow(15, (double)i / 120);
        if (err_is(sim_world_threat(w, i, kg, &item))) abort();
        size_t n = (size_t)item.images[0].width * item.images[0].height;
        float *a[2];
        for (int e = 0; e < 2; e++) {
            a[e] = malloc(n * sizeof(float));
            for (size_t k = 0; k < n; k++) { double T = (((const uint16_t *)item.pixels[e])[k] - 1200.0) / 58800; a[e][k] = (float)-log(T > 2e-4 ? T : 2e-4); }
        }
        struct cargo_threat t = {item.images[0].width, item.images[0].height, item.images[0].pixel_pitch_mm, a[1], a[0]};
        if (err_is(train_cargo_threat(train, &t))) abort();
        free(a[0]); free(a[1]);
    }
    sim_world_close(&w);
    static struct sim_item item;
    struct working working;
    w = world_of(901, .08, 1.0, 0, 0, scale);
    for (int i = 0, k = 0; k < ntrain; i++) {
        if (err_is(sim_world_item(w, (uint64_t)i, &item))) abort();
        if (item.truth.cargo_density <= 0) continue;
        const float *low = make(&item, &working);
        if (err_is(train_cargo_add(train, &working, low, item.images[1].pixel_pitch_mm))) abort();
        k++;
    }
    sim_world_close(&w);
    printf("sim %.1f s\n", now() - t0);
    struct cargo_model model;
    char figures[256];
    if (err_is(train_cargo_finish(train, &model, figures))) abort();
    train_cargo_close(&train);
    printf("train %.1f s present %d %s med %.2f sp %.2f\n", now() - t0, model.present, figures, model.median, model.spread);
    struct cargo_space cs;
    if (err_is(cargo_space_init(&cs))) abort();
    double bands[][2] = {{.1, .2}, {.2, .3}, {.3, .4}, {.4, .6}, {.6, 1.0}};
    double masses[] = {0, 20, 10, 5, 30, 50};
    static double clean[5][2000]; static int nclean[5];
    double all[4000]; int nall = 0;
    double jt = 0; int jn = 0;
    for (int m = 0; m < 6; m++)
        for (int b = 0; b < 5; b++) {
            w = world_of(1000 + (uint64_t)(m * 10 + b), bands[b][0], bands[b][1], masses[m], masses[m], scale);
            int hit = 0, n = 0, loc = 0, want = m == 0 ? ntest * 2 : ntest, hitall = 0;
            for (uint64_t i = 0; n < want; i++) {
                if (err_is(sim_world_item(w, i, &item))) abort();
                if (item.truth.cargo_density <= 0 || (m > 0 && item.truth.hidden.what == NULL)) continue;
                const float *low = make(&item, &working);
                struct cargo_finding f;
                double t = now();
                cargo_run(&cs, &model, &working, low, item.images[1].pixel_pitch_mm, &f);
                jt += now() - t; jn++;
                double z = isnan(f.z) ? -99 : f.z;
                if (m == 0) { clean[b][nclean[b]++] = z; if (b < 4) all[nall++] = z; }
                else {
                    int above = 0; for (int k = 0; k < nclean[b]; k++) above += clean[b][k] >= z;
                    hit += above <= 0.05 * nclean[b];
                    above = 0; for (int k = 0; k < nall; k++) above += all[k] >= z;
                    hitall += above <= 0.05 * nall;
                    double px = cs.image.cell_cm * 10 / item.images[1].pixel_pitch_mm;
                    double cx = (cs.best[0].x + cs.best[0].width / 2.0) * px, cy = (cs.best[0].y + cs.best[0].height / 2.0) * px;
                    const int32_t *h = item.truth.hidden_px;
                    loc += cx > h[0] - 8 && cx < h[2] + 8 && cy > h[1] - 8 && cy < h[3] + 8;
                }
                n++;
            }
            sim_world_close(&w);
            if (m > 0) printf("mass %2.0f density %.1f-%.1f: own %.3f all<0.6 %.3f loc %.3f (n %d)\n", masses[m], bands[b][0], bands[b][1], (double)hit / n, (double)hitall / n, (double)loc / n, n);
            fflush(stdout);
        }
    printf("judge %.2f ms, total %.0f s\n", 1e3 * jt / jn, now() - t0);
    return 0;
}
