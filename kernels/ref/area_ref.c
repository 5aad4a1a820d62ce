/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/ref/area_ref.h"

/* Overlap of pixel [at, at + 1) with the cell. */
static double overlap(double at, double cell, double cell_length)
{
    double from = at > cell ? at : cell;
    double until = at + 1.0 < cell + cell_length ? at + 1.0 : cell + cell_length;
    return until > from ? until - from : 0.0;
}

double area_ref_cell(const uint8_t *pixels, size_t bits, size_t width, size_t height, double cell_x,
                     double cell_y, double cell_width, double cell_height)
{
    double sum = 0.0;
    for (size_t y = 0; y < height; y++) {
        for (size_t x = 0; x < width; x++) {
            size_t at = y * width + x;
            double level = bits == 8 ? (double)pixels[at]
                                     : (double)pixels[2 * at] + 256.0 * (double)pixels[2 * at + 1];
            sum += level * overlap((double)x, cell_x, cell_width) *
                   overlap((double)y, cell_y, cell_height);
        }
    }
    return sum / (cell_width * cell_height);
}
