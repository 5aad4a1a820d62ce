/* SPDX-License-Identifier: Apache-2.0 */
#include "score/cargo_box.h"

#include <stdlib.h>
#include <string.h>

/* A wall lets the beam through almost as well as air: what gives a container away is that a whole
 * column of the upper half lies a little above air, and above what stands over it. The second
 * keeps grey margins out that some scanners draw behind the vehicle from top to bottom. Below, the
 * box ends where air is seen between the wheels; the frame of a trailer is inside, therefore. */

/* Shares of the image's height between which a wall is looked for. */
static const double wall_top = 0.12;
static const double wall_bottom = 0.50;
/* Above the roof. */
static const double sky_bottom = 0.05;
/* In shades of 1024: three steps of an 8-bit grey above the noise of air. Lower: margins of the
 * picture become containers. Higher: walls of light boxes are lost. */
static const uint32_t above_air = 31;
static const uint32_t column_above_air = 36;
static const uint32_t above_sky = 26;
/* Of the height: narrower than this is a cab or a pole; a gap up to this is a rib or a dead line.
 */
static const double width_min = 0.35;
static const double gap_max = 0.008;
static const double air_share = 0.02;

MUST_USE struct err cargo_space_init(struct cargo_space *self, uint32_t height_max)
{
    size_t width_max = (size_t)height_max * WORKING_ASPECT;
    struct cargo_space made = {
        .pixels_max = width_max * height_max,
        .width_max = width_max,
        .shades = calloc(width_max * height_max, sizeof(uint16_t)),
        .columns = calloc(width_max, sizeof(uint16_t)),
        .sky = calloc(width_max, sizeof(uint16_t)),
        .standing = calloc(width_max, 1),
    };
    if (made.shades == NULL || made.columns == NULL || made.sky == NULL || made.standing == NULL) {
        cargo_space_fini(&made);
        return err_make(ERR_MEMORY, "cargo box");
    }
    *self = made;
    return err_none;
}

void cargo_space_fini(struct cargo_space *self)
{
    free(self->shades);
    free(self->columns);
    free(self->sky);
    free(self->standing);
    memset(self, 0, sizeof *self);
}

void cargo_tally_clear(struct cargo_tally *self)
{
    memset(self, 0, sizeof *self);
}

void cargo_tally_add(struct cargo_tally *self, uint16_t shade)
{
    if (shade < CARGO_SHADES) {
        self->counts[shade]++;
        self->total++;
        self->sum += shade;
    }
}

uint32_t cargo_tally_quantile(const struct cargo_tally *self, double share)
{
    uint64_t seen = 0;
    for (uint32_t shade = 0; shade < CARGO_SHADES; shade++) {
        seen += self->counts[shade];
        if (self->total > 0 && (double)seen >= share * (double)self->total) {
            return shade;
        }
    }
    return 0;
}

double cargo_tally_mean(const struct cargo_tally *self)
{
    return self->total > 0 ? (double)self->sum / (double)self->total : 0;
}

double cargo_tally_above(const struct cargo_tally *self, uint32_t shade)
{
    uint64_t above = 0;
    for (uint32_t i = shade + 1; i < CARGO_SHADES; i++) {
        above += self->counts[i];
    }
    return self->total > 0 ? (double)above / (double)self->total : 0;
}

static uint16_t shade_of(double attenuation, bool transmission)
{
    double held = attenuation < 0 ? 0 : attenuation;
    double scaled = transmission ? held / (1 + held) : held > 1 ? 1 : held;
    return (uint16_t)(scaled * (double)(CARGO_SHADES - 1) + 0.5);
}

static void fill_shades(struct cargo_space *self, const struct working *working)
{
    size_t count = working->width * working->height;
    bool transmission = working->calibration.meaning == IMAGE_TRANSMISSION;
    must(count <= self->pixels_max && working->width <= self->width_max);
    for (size_t i = 0; i < count; i++) {
        self->shades[i] = working->valid[i] ? shade_of((double)working->pixels[i], transmission)
                                            : (uint16_t)CARGO_INVALID;
    }
}

struct profile {
    size_t width;
    size_t height;
    uint32_t air;
};

/* Medians of the columns and the shade of air. A column of which less than half is valid is none:
 * CARGO_INVALID. */
static void measure_columns(struct cargo_space *self, struct profile *profile)
{
    size_t top = (size_t)((double)profile->height * wall_top);
    size_t bottom = (size_t)((double)profile->height * wall_bottom);
    size_t sky = (size_t)((double)profile->height * sky_bottom);
    struct cargo_tally all;
    struct cargo_tally column;
    bottom = bottom > top ? bottom : top + 1;
    sky = sky > 2 ? sky : 2;
    cargo_tally_clear(&all);
    for (size_t x = 0; x < profile->width; x++) {
        uint16_t least = CARGO_INVALID;
        cargo_tally_clear(&column);
        for (size_t y = top; y < bottom && y < profile->height; y++) {
            uint16_t shade = self->shades[y * profile->width + x];
            cargo_tally_add(&column, shade);
            cargo_tally_add(&all, shade);
        }
        for (size_t y = 0; y < sky && y < profile->height; y++) {
            uint16_t shade = self->shades[y * profile->width + x];
            least = shade < least ? shade : least;
        }
        bool seen = 2 * column.total >= bottom - top;
        self->columns[x] =
            seen ? (uint16_t)cargo_tally_quantile(&column, 0.5) : (uint16_t)CARGO_INVALID;
        self->sky[x] = least;
    }
    profile->air = cargo_tally_quantile(&all, air_share);
}

/* Mean of a column and its neighbours, those that there are. */
static uint32_t smoothed(const uint16_t *values, size_t width, size_t x)
{
    uint32_t sum = 0;
    uint32_t count = 0;
    for (size_t at = x > 0 ? x - 1 : 0; at < width && at <= x + 1; at++) {
        if (values[at] < CARGO_SHADES) {
            sum += values[at];
            count++;
        }
    }
    return count > 0 ? sum / count : 0;
}

static void mark_standing(struct cargo_space *self, const struct profile *profile)
{
    for (size_t x = 0; x < profile->width; x++) {
        uint32_t wall = smoothed(self->columns, profile->width, x);
        uint32_t sky = smoothed(self->sky, profile->width, x);
        self->standing[x] = self->columns[x] < CARGO_SHADES &&
                            wall > profile->air + column_above_air && wall > sky + above_sky;
    }
}

/* Share of the inner columns of a box that are more than air in this row, 1 without a valid pixel:
 * a dead row does not end a wall. */
static double row_cover(const struct cargo_space *self, const struct profile *profile,
                        const struct cargo_box *box, size_t y)
{
    size_t inset = box->width / 20;
    size_t covered = 0;
    size_t seen = 0;
    for (size_t x = box->x + inset; x < box->x + box->width - inset; x++) {
        uint16_t shade = self->shades[y * profile->width + x];
        seen += shade < CARGO_SHADES;
        covered += shade < CARGO_SHADES && shade > profile->air + above_air;
    }
    return seen > 0 ? (double)covered / (double)seen : 1;
}

static void find_rows(const struct cargo_space *self, const struct profile *profile,
                      struct cargo_box *box)
{
    size_t top = (size_t)(0.3 * (double)profile->height);
    size_t bottom = profile->height / 2;
    while (top > 0 && row_cover(self, profile, box, top - 1) > 0.5) {
        top--;
    }
    while (bottom < profile->height && row_cover(self, profile, box, bottom) > 0.95) {
        bottom++;
    }
    box->y = (uint32_t)top;
    box->height = (uint32_t)(bottom - top);
}

/* The next run of standing columns from x on, gaps closed; false at the end. */
static bool next_run(const struct cargo_space *self, const struct profile *profile, size_t *x,
                     struct cargo_box *out)
{
    size_t gap = (size_t)(gap_max * (double)profile->height);
    gap = gap > 1 ? gap : 1;
    while (*x < profile->width && !self->standing[*x]) {
        ++*x;
    }
    size_t first = *x;
    size_t last = *x; /* behind the last standing column */
    while (*x < profile->width && *x - last <= gap) {
        last = self->standing[*x] ? *x + 1 : last;
        ++*x;
    }
    *out =
        (struct cargo_box){.x = (uint32_t)first, .width = (uint32_t)(last - first), .found = true};
    return last > first;
}

/* The bounds of what is valid, when nothing else was found. */
static uint32_t whole_picture(const struct cargo_space *self, const struct profile *profile,
                              struct cargo_box *out)
{
    size_t left = profile->width;
    size_t right = 0;
    for (size_t x = 0; x < profile->width; x++) {
        if (self->columns[x] < CARGO_SHADES) {
            left = x < left ? x : left;
            right = x + 1;
        }
    }
    if (right <= left) {
        return 0;
    }
    *out = (struct cargo_box){.x = (uint32_t)left,
                              .width = (uint32_t)(right - left),
                              .height = (uint32_t)profile->height};
    return 1;
}

uint32_t cargo_boxes_find(struct cargo_space *self, const struct working *working,
                          struct cargo_box out[CARGO_BOXES_MAX], uint32_t *air)
{
    struct profile profile = {.width = working->width, .height = working->height};
    uint32_t count = 0;
    size_t x = 0;
    struct cargo_box box;
    fill_shades(self, working);
    measure_columns(self, &profile);
    mark_standing(self, &profile);
    *air = profile.air;
    while (count < CARGO_BOXES_MAX && next_run(self, &profile, &x, &box)) {
        if ((double)box.width >= width_min * (double)profile.height) {
            find_rows(self, &profile, &box);
            out[count++] = box;
        }
    }
    return count > 0 ? count : whole_picture(self, &profile, out);
}
