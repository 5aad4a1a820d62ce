/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/reliability.h"

#include <math.h>

#include "ctl/chart.h"
#include "kernels/statistics.h"

enum { BAR_MAX = 90 };

static const struct chart_colour ink = {30, 30, 30};
static const struct chart_colour bar = {203, 216, 236};
static const struct chart_colour point = {20, 80, 170};

static void draw_frame(struct chart *chart)
{
    static const struct chart_axes axes = {chart_shares, "chance as it was predicted",
                                           "share of finds, with 95% intervals"};
    chart_frame(chart, &axes);
    for (int step = 0; step <= CHART_SIDE; step += 8) {
        chart_fill(chart, (struct chart_rectangle){chart_x(0) + step, chart_y(0) - step - 1, 4, 2},
                   ink);
    }
}

static void draw_keys(struct chart *chart)
{
    const struct chart_key keys[] = {
        {point, "found among them"}, {bar, "share of rows, own scale"}, {ink, "as predicted"}};
    chart_keys(chart, keys, sizeof keys / sizeof *keys, CHART_UPPER_LEFT);
}

static void draw_bin(struct chart *chart, const struct evaluation_bin *bin)
{
    if (bin->rows == 0) {
        return;
    }
    const struct statistics_rate rate = {bin->finds, bin->rows};
    struct statistics_interval interval = statistics_wilson(rate, 0.95);
    int x = chart_x(bin->predicted);
    int y = chart_y((double)bin->finds / (double)bin->rows);
    int top = chart_y(interval.upper);
    chart_fill(chart, (struct chart_rectangle){x - 1, top, 2, chart_y(interval.lower) - top + 1},
               point);
    chart_fill(chart, (struct chart_rectangle){x - 4, y - 4, 9, 9}, point);
}

MUST_USE struct err reliability_write_png(const struct evaluation *evaluation, const char *path)
{
    struct chart chart;
    struct err err = chart_init(&chart);
    if (err_is(err)) {
        return err;
    }
    for (uint32_t i = 0; i < EVALUATION_BINS; i++) {
        double share =
            evaluation->rows > 0 ? (double)evaluation->bins[i].rows / (double)evaluation->rows : 0;
        int height = (int)lround(share * BAR_MAX);
        chart_fill(&chart,
                   (struct chart_rectangle){chart_x((double)i / EVALUATION_BINS) + 3,
                                            chart_y(0) - height,
                                            CHART_SIDE / (int)EVALUATION_BINS - 6, height},
                   bar);
    }
    draw_frame(&chart);
    draw_keys(&chart);
    for (uint32_t i = 0; i < EVALUATION_BINS; i++) {
        draw_bin(&chart, &evaluation->bins[i]);
    }
    err = chart_write(&chart, path);
    chart_fini(&chart);
    return err;
}
