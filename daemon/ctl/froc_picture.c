/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/froc_picture.h"

#include <stdbool.h>

#include "ctl/chart.h"

static const double rate_most = 5; /* false marks an image at the right edge */
static const char *const false_marks[CHART_TICKS] = {"0", "1", "2", "3", "4", "5"};
static const struct chart_axes axes = {false_marks, "false marks an image",
                                       "recall, with 95% intervals"};
static const struct chart_key keys[FROC_HITS] = {
    {{16, 60, 130}, "centre of the mark in the object"},
    {{60, 130, 200}, "overlap above 0.3"},
    {{140, 190, 230}, "overlap above 0.5"}};

/* A curve of shares as a chain of upright strokes, so that steep parts have no gaps. */
static void draw_curve(struct chart *chart, const double recalls[FROC_CURVE],
                       struct chart_colour colour)
{
    for (int i = 1; i < FROC_CURVE; i++) {
        int from = chart_x((double)(i - 1) / (FROC_CURVE - 1));
        int to = chart_x((double)i / (FROC_CURVE - 1));
        int high = chart_y(recalls[i]);
        int low = chart_y(recalls[i - 1]);
        chart_fill(chart, (struct chart_rectangle){from, high - 1, to - from, 3}, colour);
        chart_fill(chart, (struct chart_rectangle){from, high - 1, 2, low - high + 3}, colour);
    }
}

MUST_USE struct err froc_picture_write(const struct froc *froc, const char *path)
{
    struct chart chart;
    struct err err = chart_init(&chart);
    if (err_is(err)) {
        return err;
    }
    chart_frame(&chart, &axes);
    for (int i = FROC_HITS - 1; i >= 0; i--) {
        draw_curve(&chart, froc->curve[i], keys[i].colour);
        for (int k = 0; k < FROC_RATES; k++) {
            const struct froc_recall *recall = &froc->recalls[i][k];
            int x = chart_x(froc_rates[k] / rate_most);
            int top = chart_y(recall->upper);
            chart_fill(&chart,
                       (struct chart_rectangle){x - 1, top, 2, chart_y(recall->lower) - top + 1},
                       keys[i].colour);
            chart_fill(&chart, (struct chart_rectangle){x - 4, chart_y(recall->value) - 4, 9, 9},
                       keys[i].colour);
        }
    }
    /* where the curves end high, they have left the lower right */
    bool high = froc->curve[FROC_OVERLAP_5][FROC_CURVE - 1] > 0.5;
    chart_keys(&chart, keys, FROC_HITS, high ? CHART_LOWER_RIGHT : CHART_UPPER_RIGHT);
    err = chart_write(&chart, path);
    chart_fini(&chart);
    return err;
}
