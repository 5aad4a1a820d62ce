/* SPDX-License-Identifier: Apache-2.0 */
#include "score/finder_map.h"

/* A peak is the highest of 5 x 5 cells: marks closer than 8 working pixels are one. */
enum { PEAK_RADIUS = 2 };

/* Of equal neighbours the first in reading order is the peak. */
static bool is_peak(const struct finder_map *map, size_t x, size_t y)
{
    float heat = finder_map_heat(map, x, y);
    size_t left = x > PEAK_RADIUS ? x - PEAK_RADIUS : 0;
    size_t top = y > PEAK_RADIUS ? y - PEAK_RADIUS : 0;
    for (size_t ny = top; ny <= y + PEAK_RADIUS && ny < map->height; ny++) {
        for (size_t nx = left; nx <= x + PEAK_RADIUS && nx < map->width; nx++) {
            bool before = ny < y || (ny == y && nx < x);
            float other = finder_map_heat(map, nx, ny);
            if (other > heat || (before && other == heat)) {
                return false;
            }
        }
    }
    return true;
}

bool finder_map_is_valid(const struct convnet_image *planes, uint32_t channels, size_t cell_x,
                         size_t cell_y)
{
    for (size_t y = cell_y * FINDER_CELL; y < (cell_y + 1) * FINDER_CELL && y < planes->height;
         y++) {
        for (size_t x = cell_x * FINDER_CELL; x < (cell_x + 1) * FINDER_CELL && x < planes->width;
             x++) {
            if (planes->pixels[(y * planes->width + x + 1) * channels - 1] != 0) {
                return true;
            }
        }
    }
    return false;
}

size_t finder_peaks_put(struct finder_peak list[FINDER_PEAKS_MAX], size_t count,
                        struct finder_peak peak)
{
    if (count == FINDER_PEAKS_MAX && !(peak.heat > list[count - 1].heat)) {
        return count;
    }
    size_t at = count < FINDER_PEAKS_MAX ? count : FINDER_PEAKS_MAX - 1;
    size_t after = at + 1;
    for (; at > 0 && list[at - 1].heat < peak.heat; at--) {
        list[at] = list[at - 1];
    }
    list[at] = peak;
    return after;
}

size_t finder_map_peaks(const struct finder_map *map, const struct convnet_image *planes,
                        uint32_t channels, struct finder_peak out[FINDER_PEAKS_MAX])
{
    size_t count = 0;
    for (size_t y = 0; y < map->height; y++) {
        for (size_t x = 0; x < map->width; x++) {
            double heat = (double)finder_map_heat(map, x, y);
            bool promising = count < FINDER_PEAKS_MAX || heat > out[count - 1].heat;
            promising = promising && heat > FINDER_COLD;
            if (promising && is_peak(map, x, y) && finder_map_is_valid(planes, channels, x, y)) {
                count = finder_peaks_put(out, count,
                                         (struct finder_peak){heat, (uint32_t)x, (uint32_t)y});
            }
        }
    }
    return count;
}

/* e^(x / 128) from its series, squared seven times. */
double finder_exp(double x)
{
    double part = x / 128;
    double power = 1;
    for (int n = 14; n >= 1; n--) {
        power = 1 + part * power / n;
    }
    for (int doubling = 0; doubling < 7; doubling++) {
        power *= power;
    }
    return power;
}

enum { LOG_HALVINGS = 61 };

/* x = 2^k m with m within 2/3 to 4/3, and log m = 2 artanh((m - 1) / (m + 1)), |argument| <= 1/5.
 */
double finder_log(double x)
{
    const double log_of_two = 0.69314718055994530942;
    int k = 0;
    for (; x > 4.0 / 3 && k < LOG_HALVINGS; k++) {
        x /= 2;
    }
    for (; x < 2.0 / 3 && k > -LOG_HALVINGS; k--) {
        x *= 2;
    }
    double ratio = (x - 1) / (x + 1);
    double square = ratio * ratio;
    double sum = 0;
    for (int n = 21; n >= 1; n -= 2) {
        sum = 1.0 / n + square * sum;
    }
    return k * log_of_two + 2 * ratio * sum;
}

/* Cells looked at for the pooled heat: those of the nine that lie about a peak, and around them. */
enum { AROUND = 2, SIDE = 2 * AROUND + 1 };

/* e^(heat - highest) of 5 x 5 cells, 0 beyond the border; returns the highest. */
static double odds_around(const struct finder_map *map, size_t x, size_t y, double odds[SIDE][SIDE])
{
    double highest = -DBL_MAX;
    for (size_t i = 0; i < SIDE; i++) {
        for (size_t j = 0; j < SIDE; j++) {
            bool inside = x + j >= AROUND && y + i >= AROUND && x + j - AROUND < map->width &&
                          y + i - AROUND < map->height;
            double heat =
                inside ? (double)finder_map_heat(map, x + j - AROUND, y + i - AROUND) : -DBL_MAX;
            odds[i][j] = heat;
            highest = heat > highest ? heat : highest;
        }
    }
    for (size_t i = 0; i < SIDE; i++) {
        for (size_t j = 0; j < SIDE; j++) {
            double below = odds[i][j] - highest;
            odds[i][j] = odds[i][j] == -DBL_MAX ? 0 : finder_exp(below > -40 ? below : -40);
        }
    }
    return highest;
}

double finder_map_pooled(const struct finder_map *map, size_t x, size_t y)
{
    double odds[SIDE][SIDE], rows[SIDE][SIDE];
    double highest = odds_around(map, x, y, odds);
    double most = 0;
    for (size_t i = 0; i < SIDE; i++) { /* left and right add up first: mirrored, the same bits */
        for (size_t j = 1; j + 1 < SIDE; j++) {
            rows[i][j] = (odds[i][j - 1] + odds[i][j + 1]) + odds[i][j];
        }
    }
    for (size_t i = 1; i + 1 < SIDE; i++) {
        for (size_t j = 1; j + 1 < SIDE; j++) {
            double sum = (rows[i - 1][j] + rows[i + 1][j]) + rows[i][j];
            most = sum > most ? sum : most;
        }
    }
    return highest + finder_log(most / 9);
}
