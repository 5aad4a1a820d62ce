/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KERNELS_AREA_H
#define KERNELS_AREA_H

/* Area: exact area average of a region of pixels to any smaller size, a row at a time.
 *
 * A region of width x height pixels becomes width_out x height_out, each not larger. Every output
 * pixel is the mean of the rectangle it covers, pixels on its border counted by the share that lies
 * inside; sums are integers, the mean is rounded once, half up: the exact answer, the same on every
 * machine. Use: for each row y of the region, area_add_row with the weight that area_row_weight
 * gives for the output row at hand; when the row's last one was added, area_finish, and clear the
 * columns. Raw counts are averaged, not attenuation (image.h does that): for looking, not for
 * scoring. Pixels are bytes, 16 bits little-endian. Pure; sides are at most 65535. */

#include <stddef.h>
#include <stdint.h>

/* How much of row y lies in output row `out`, in parts of height_out: 0..height_out. The weights of
 * an output row add up to `height`. */
uint32_t area_row_weight(size_t y, size_t out, size_t height, size_t height_out);
/* First row of the region that output row `out` covers, and the one behind the last. */
size_t area_first(size_t out, size_t height, size_t height_out);
size_t area_until(size_t out, size_t height, size_t height_out);

/* columns[x] += weight * row[x]; with weights that add up to at most 65535 nothing overflows. */
void area_add_row_8(const uint8_t *restrict row, size_t width, uint32_t weight,
                    uint32_t *restrict columns);
void area_add_row_16(const uint8_t *restrict row, size_t width, uint32_t weight,
                     uint32_t *restrict columns);

/* One output row from the sums of its columns. */
void area_finish_8(const uint32_t *restrict columns, size_t width, size_t height, size_t width_out,
                   uint8_t *restrict out);
void area_finish_16(const uint32_t *restrict columns, size_t width, size_t height, size_t width_out,
                    uint8_t *restrict out);

#endif
