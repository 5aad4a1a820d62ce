/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/detection_curve.h"

#include <math.h>

#include "feeds/text_buffer.h"
#include "kernels/statistics.h"

/* Masses stand on a logarithmic axis from 3 to 100 kg. */

#define WIDTH 640
#define HEIGHT 420
#define LEFT 60.0
#define TOP 40.0
#define ACROSS 420.0
#define DOWN 310.0
#define BYTES_MAX (1u << 20)

static const char *const colours[] = {"#1450aa", "#c2410c", "#15803d",
                                      "#7e22ce", "#64748b", "#b91c1c"};

static double place_x(double mass_kg)
{
    double share = log(mass_kg / 3) / log(100.0 / 3);
    return LEFT + ACROSS * (share < 0 ? 0 : share > 1 ? 1 : share);
}

static double place_y(double share)
{
    return TOP + DOWN * (1 - share);
}

static void draw_frame(const struct curve_labels *labels, struct text_buffer *out)
{
    static const double masses[] = {3, 5, 10, 20, 30, 50, 100};
    text_buffer_add(out,
                    "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" "
                    "font-family=\"sans-serif\" font-size=\"12\">\n"
                    "<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n"
                    "<text x=\"%.0f\" y=\"22\" font-size=\"14\">%s</text>\n",
                    WIDTH, HEIGHT, LEFT, labels->title);
    for (int tick = 0; tick <= 10; tick++) {
        double y = place_y(tick / 10.0);
        text_buffer_add(out,
                        "<path d=\"M%.0f %.1fh%.0f\" stroke=\"#ddd\"/><text x=\"%.0f\" y=\"%.1f\" "
                        "text-anchor=\"end\">%d%%</text>\n",
                        LEFT, y, ACROSS, LEFT - 6, y + 4, tick * 10);
    }
    for (size_t i = 0; i < sizeof masses / sizeof masses[0]; i++) {
        double x = place_x(masses[i]);
        text_buffer_add(out,
                        "<path d=\"M%.1f %.0fv%.0f\" stroke=\"#ddd\"/><text x=\"%.1f\" y=\"%.0f\" "
                        "text-anchor=\"middle\">%.0f</text>\n",
                        x, TOP, DOWN, x, TOP + DOWN + 16, masses[i]);
    }
    text_buffer_add(out, "<text x=\"%.0f\" y=\"%.0f\" text-anchor=\"middle\">%s</text>\n",
                    LEFT + ACROSS / 2, TOP + DOWN + 38, labels->across);
}

static void draw_line(const struct curve_line *line, uint32_t index, struct text_buffer *out)
{
    const char *colour = colours[index % (sizeof colours / sizeof colours[0])];
    double shift = 3.0 * index; /* so that intervals of several lines do not hide one another */
    text_buffer_add(out, "<g stroke=\"%s\" fill=\"none\" stroke-width=\"2\"><path d=\"", colour);
    char step = 'M';
    for (uint32_t i = 0; i < line->points_count; i++) {
        const struct curve_point *p = &line->points[i];
        if (p->count > 0) {
            text_buffer_add(out, "%c%.1f %.1f", step, place_x(p->mass_kg) + shift,
                            place_y((double)p->hits / (double)p->count));
            step = 'L';
        }
    }
    text_buffer_add(out, "\"/>\n");
    for (uint32_t i = 0; i < line->points_count; i++) {
        const struct curve_point *p = &line->points[i];
        if (p->count == 0) {
            continue;
        }
        struct statistics_interval interval =
            statistics_wilson((struct statistics_rate){p->hits, p->count}, 0.95);
        double x = place_x(p->mass_kg) + shift;
        text_buffer_add(out,
                        "<path stroke-width=\"1\" d=\"M%.1f %.1fV%.1f\"/><circle cx=\"%.1f\" "
                        "cy=\"%.1f\" r=\"3\" fill=\"%s\"/>\n",
                        x, place_y(interval.lower), place_y(interval.upper), x,
                        place_y((double)p->hits / (double)p->count), colour);
    }
    double y = TOP + 12 + 20.0 * index;
    text_buffer_add(out, "<path d=\"M%.0f %.1fh18\"/></g><text x=\"%.0f\" y=\"%.1f\">%s</text>\n",
                    LEFT + ACROSS + 14, y - 4, LEFT + ACROSS + 38, y, line->name);
}

MUST_USE struct err detection_curve_write(const struct curve_labels *labels,
                                          const struct curve_line *lines, uint32_t lines_count,
                                          const char *path)
{
    struct text_buffer text = {.bytes_max = BYTES_MAX};
    draw_frame(labels, &text);
    for (uint32_t i = 0; i < lines_count; i++) {
        draw_line(&lines[i], i, &text);
    }
    text_buffer_add(&text, "</svg>\n");
    struct err err = text_buffer_write(&text, path);
    text_buffer_fini(&text);
    return err;
}
