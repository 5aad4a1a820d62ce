/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/froc_picture.h"

#include "ctl/chart.h"

static const double rate_most = 5; /* false marks an image at the right edge */
static const struct chart_colour colours[FROC_HITS] = {
    {16, 60, 130}, {60, 130, 200}, {140, 190, 230}};

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
    static const char *const x_ticks[CHART_TICKS] = {"0", "1", "2", "3", "4", "5"};
    static const char *const y_ticks[CHART_TICKS] = {"0", "0.2", "0.4", "0.6", "0.8", "1"};
    struct chart chart;
    struct err err = chart_init(&chart);
    if (err_is(err)) {
        return err;
    }
    chart_frame(&chart, x_ticks, y_ticks);
    for (int i = FROC_HITS - 1; i >= 0; i--) {
        draw_curve(&chart, froc->curve[i], colours[i]);
        for (int k = 0; k < FROC_RATES; k++) {
            const struct froc_recall *recall = &froc->recalls[i][k];
            int x = chart_x(froc_rates[k] / rate_most);
            int top = chart_y(recall->upper);
            chart_fill(&chart,
                       (struct chart_rectangle){x - 1, top, 2, chart_y(recall->lower) - top + 1},
                       colours[i]);
            chart_fill(&chart, (struct chart_rectangle){x - 4, chart_y(recall->value) - 4, 9, 9},
                       colours[i]);
        }
    }
    err = chart_write(&chart, path);
    chart_fini(&chart);
    return err;
}
