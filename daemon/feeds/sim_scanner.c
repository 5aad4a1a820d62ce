/* SPDX-License-Identifier: Apache-2.0 */
#include "feeds/sim_scanner.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/rng.h"
#include "kernels/xray.h"
#include "proto/record.h"

/* The image is worked out in bands of a few rows, so that memory stays in the cache whatever the
 * size of the truck. */

#define BAND_ROWS 8u
#define ENERGY_FLOOR_KEV 20.0
#define ELECTRONIC_NOISE 3.0 /* counts, standard deviation */

static const struct sim_scanner_kind kinds[MODE_COUNT] = {
    /* Linac portals: 6 and 9 MeV interlaced, lead filter against the soft end, 30 mm CdWO4 (7.9
       g/cm3). */
    [MODE_TRUCK] = {"vehicle-portal", 6000, 9000, 12, SIM_LEAD, 6.0, 23.7, 4.0, 60000, 0.004,
                    0.002},
    [MODE_SEA] = {"container-portal", 6000, 9000, 12, SIM_LEAD, 6.0, 23.7, 4.0, 60000, 0.004,
                  0.002},
    [MODE_RAIL] = {"rail-portal", 6000, 9000, 12, SIM_LEAD, 6.0, 23.7, 5.0, 60000, 0.006, 0.002},
    [MODE_AIR] = {"uld-portal", 4000, 6000, 12, SIM_LEAD, 3.0, 23.7, 2.5, 60000, 0.004, 0.002},
    /* Two tubes: 160 and 450 kV. */
    [MODE_PASSENGER] = {"car-portal", 160, 450, 10, SIM_COPPER, 1.8, 7.9, 4.0, 40000, 0.002, 0.002},
    /* Sandwich detector of a parcel line, taken as two filtered spectra of 90 and 160 kV. */
    [MODE_MAIL] = {"parcel-line", 90, 160, 8, SIM_COPPER, 0.45, 2.0, 1.0, 40000, 0.001, 0.002},
};

struct sim_scanner {
    const struct sim_scanner_kind *kind;
    double energies_kev[SIM_BINS_MAX];
    double mu_rho[SIM_MATERIAL_COUNT][SIM_BINS_MAX];
    double weights[2][SIM_BINS_MAX];
    float weights_packed[SIM_BINS_MAX * 2];
    /* of the scene being exposed */
    enum sim_material materials[SIM_MATERIAL_COUNT];
    uint32_t materials_count;
    float mu_rho_packed[SIM_MATERIAL_COUNT * SIM_BINS_MAX];
    /* of the band */
    float *densities;
    float *transmission;
    float *workspace;
    float *column_gain;
    size_t capacity_pixels;
};

const struct sim_scanner_kind *sim_scanner_kind_of(enum mode mode)
{
    must(mode > MODE_UNKNOWN && mode < MODE_COUNT);
    return &kinds[mode];
}

/* Bin centres: even steps for a tube, even ratios for a linac, whose spectrum spans two decades. */
static void place_bins(struct sim_scanner *self)
{
    const struct sim_scanner_kind *kind = self->kind;
    double count = kind->bins_count;
    for (uint32_t i = 0; i < kind->bins_count; i++) {
        double middle = (i + 0.5) / count;
        if (kind->high_kev > 1000) {
            self->energies_kev[i] = 100 * pow(kind->high_kev / 100, middle);
        } else {
            self->energies_kev[i] = ENERGY_FLOOR_KEV + (kind->high_kev - ENERGY_FLOOR_KEV) * middle;
        }
    }
}

/* Kramers' law is photons per keV; unequal bins hold photons in proportion to their width. */
static void weigh_bins(struct sim_scanner *self, double end_point_kev, double weights[SIM_BINS_MAX])
{
    const struct sim_scanner_kind *kind = self->kind;
    xray_kramers_spectrum(end_point_kev, self->energies_kev, kind->bins_count,
                          self->mu_rho[kind->filter], kind->filter_density, weights);
    if (kind->high_kev > 1000) {
        for (uint32_t i = 0; i < kind->bins_count; i++) {
            weights[i] *= self->energies_kev[i]; /* the width of a bin of even ratio */
        }
    }
    xray_apply_detector(self->energies_kev, kind->bins_count, self->mu_rho[SIM_SCINTILLATOR],
                        kind->detector_density, weights);
}

struct err sim_scanner_open(const struct sim_scanner_kind *kind, struct sim_scanner **out)
{
    must(kind != NULL && out != NULL);
    if (kind->bins_count == 0 || kind->bins_count > SIM_BINS_MAX ||
        !(kind->low_kev > ENERGY_FLOOR_KEV) || !(kind->high_kev > kind->low_kev) ||
        kind->high_kev > SIM_ENERGY_KEV_MAX) {
        return err_make(ERR_ARGUMENT, "open scanner");
    }
    struct sim_scanner *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return err_make(ERR_MEMORY, "open scanner");
    }
    self->kind = kind;
    place_bins(self);
    for (int m = 0; m < SIM_MATERIAL_COUNT; m++) {
        for (uint32_t e = 0; e < kind->bins_count; e++) {
            struct err err = sim_material_mu_rho((enum sim_material)m, self->energies_kev[e],
                                                 &self->mu_rho[m][e]);
            must(!err_is(err)); /* the bins lie within the bounds checked above */
        }
    }
    weigh_bins(self, kind->low_kev, self->weights[0]);
    weigh_bins(self, kind->high_kev, self->weights[1]);
    for (uint32_t e = 0; e < kind->bins_count; e++) {
        self->weights_packed[(size_t)2 * e] = (float)self->weights[0][e];
        self->weights_packed[(size_t)2 * e + 1] = (float)self->weights[1][e];
    }
    *out = self;
    return err_none;
}

static void free_band(struct sim_scanner *self)
{
    free(self->densities);
    free(self->transmission);
    free(self->workspace);
    free(self->column_gain);
    self->densities = self->transmission = self->workspace = self->column_gain = NULL;
    self->capacity_pixels = 0;
}

void sim_scanner_close(struct sim_scanner **self)
{
    if (*self != NULL) {
        free_band(*self);
        free(*self);
        *self = NULL;
    }
}

bool sim_scanner_geometry(const struct sim_scene *scene, double pitch_mm, uint32_t *width,
                          uint32_t *height)
{
    double columns = floor(scene->width_cm * 10 / pitch_mm),
           rows = floor(scene->height_cm * 10 / pitch_mm);
    if (!(columns >= 1 && columns <= IMAGE_SIDE_MAX && rows >= 1 && rows <= IMAGE_SIDE_MAX)) {
        return false;
    }
    *width = (uint32_t)columns;
    *height = (uint32_t)rows;
    return true;
}

static int local_index(struct sim_scanner *self, enum sim_material material)
{
    for (uint32_t i = 0; i < self->materials_count; i++) {
        if (self->materials[i] == material) {
            return (int)i;
        }
    }
    for (uint32_t e = 0; e < self->kind->bins_count; e++) {
        self->mu_rho_packed[self->materials_count * self->kind->bins_count + e] =
            (float)self->mu_rho[material][e];
    }
    self->materials[self->materials_count] = material;
    return (int)self->materials_count++;
}

static bool make_band(struct sim_scanner *self, const struct xray_beam *beam, uint32_t width)
{
    size_t pixels = (size_t)width * BAND_ROWS;
    if (pixels <= self->capacity_pixels) {
        return true;
    }
    free_band(self);
    self->densities = malloc(pixels * SIM_MATERIAL_COUNT * sizeof(float));
    self->transmission = malloc(pixels * 2 * sizeof(float));
    self->workspace = malloc(xray_transmission_workspace_floats(beam) * sizeof(float));
    self->column_gain = malloc((size_t)width * 2 * sizeof(float));
    if (self->densities == NULL || self->transmission == NULL || self->workspace == NULL ||
        self->column_gain == NULL) {
        free_band(self);
        return false;
    }
    self->capacity_pixels = pixels;
    return true;
}

struct band {
    const struct sim_scene *scene;
    double pitch_cm;
    uint32_t width;
    uint32_t first_row; /* from the top */
    uint32_t rows;
};

/* What is thinner than a pixel is spread over one, so that a 2 mm roof neither vanishes nor grows.
 */
static double widen(struct sim_shape *shape, double pitch_cm)
{
    double share = 1;
    for (int i = 0; i < 2; i++) {
        double least = pitch_cm / 2;
        if (shape->half[i] < least) {
            share *= shape->half[i] / least;
            shape->half[i] = least;
        }
    }
    return share;
}

static uint32_t clamp_index(double at, uint32_t count)
{
    return at <= 0 ? 0 : at >= count ? count : (uint32_t)at;
}

static void add_shape(struct sim_scanner *self, const struct band *band,
                      const struct sim_shape *given)
{
    struct sim_shape shape = *given;
    double share = widen(&shape, band->pitch_cm);
    double half_x, half_y;
    sim_shape_bounds(&shape, &half_x, &half_y);
    uint32_t left = clamp_index((shape.centre[0] - half_x) / band->pitch_cm, band->width);
    uint32_t right = clamp_index((shape.centre[0] + half_x) / band->pitch_cm + 1, band->width);
    double top_cm = band->scene->height_cm - (shape.centre[1] + half_y);
    double bottom_cm = band->scene->height_cm - (shape.centre[1] - half_y);
    uint32_t last = band->first_row + band->rows;
    uint32_t top = clamp_index(top_cm / band->pitch_cm, last);
    uint32_t bottom = clamp_index(bottom_cm / band->pitch_cm + 1, last);
    top = top < band->first_row ? band->first_row : top;
    int stuff = local_index(self, shape.stuff.material);
    int host = shape.host.density > 0 ? local_index(self, shape.host.material) : -1;
    for (uint32_t row = top; row < bottom; row++) {
        double y_cm = band->scene->height_cm - (row + 0.5) * band->pitch_cm;
        float *line =
            self->densities + (size_t)(row - band->first_row) * band->width * self->materials_count;
        for (uint32_t column = left; column < right; column++) {
            double path = share * sim_shape_path_cm(&shape, (column + 0.5) * band->pitch_cm, y_cm);
            float *pixel = line + (size_t)column * self->materials_count;
            pixel[stuff] += (float)(path * shape.stuff.density);
            if (host >= 0) {
                float left_over = pixel[host] - (float)(path * shape.host.density);
                pixel[host] = left_over > 0 ? left_over : 0; /* gaps in a load displace nothing */
            }
        }
    }
}

static void make_gains(struct sim_scanner *self, const struct sim_exposure *exposure,
                       uint32_t width)
{
    struct rng rng;
    rng_init(&rng, exposure->seed, 1);
    for (uint32_t i = 0; i < 2 * width; i++) { /* the two energies are two pulses */
        double spread = exposure->ideal ? 0 : self->kind->pulse_spread * rng_normal(&rng);
        self->column_gain[i] = (float)(1 + spread);
    }
}

static void apply_gains(struct sim_scanner *self, const struct sim_exposure *exposure,
                        const struct band *band)
{
    for (uint32_t r = 0; r < band->rows; r++) {
        struct rng rng;
        rng_init(&rng, exposure->seed, (UINT64_C(1) << 40) + band->first_row + r);
        double spread = exposure->ideal ? 0 : self->kind->gain_spread * rng_normal(&rng);
        float gain = (float)(1 + spread);
        float *line = self->transmission + (size_t)r * band->width * 2;
        for (uint32_t i = 0; i < 2 * band->width; i++) {
            line[i] *= gain * self->column_gain[i];
        }
    }
}

static void read_out(struct sim_scanner *self, const struct sim_exposure *exposure,
                     const struct band *band, uint16_t *images[2])
{
    size_t pixels = (size_t)band->width * band->rows;
    size_t first = (size_t)band->first_row * band->width;
    const struct xray_detector detector = {SIM_AIR_LEVEL, SIM_DARK_LEVEL,
                                           self->kind->photons_in_air, ELECTRONIC_NOISE};
    for (uint32_t s = 0; s < 2; s++) {
        if (exposure->ideal) {
            for (size_t i = 0; i < pixels; i++) {
                double counts = SIM_DARK_LEVEL + (double)(SIM_AIR_LEVEL - SIM_DARK_LEVEL) *
                                                     (double)self->transmission[2 * i + s];
                images[s][first + i] = (uint16_t)(counts + 0.5);
            }
            continue;
        }
        xray_detect_u16(&detector, &(struct xray_pixels){self->transmission + s, 2, pixels, first},
                        exposure->seed * 2 + s, images[s] + first);
    }
}

/* Dead channels are rows: the detector stands upright and the load passes it. */
static void kill_rows(const struct sim_exposure *exposure, const uint32_t sides[2],
                      uint16_t *images[2])
{
    struct rng rng;
    rng_init(&rng, exposure->seed, 2);
    for (uint32_t i = 0; i < exposure->dead_rows; i++) {
        uint64_t row = rng_below(&rng, sides[1]);
        for (uint64_t at = row * sides[0]; at < (row + 1) * sides[0]; at++) {
            images[0][at] = SIM_DARK_LEVEL;
            images[1][at] = SIM_DARK_LEVEL;
        }
    }
}

struct err sim_scanner_expose(struct sim_scanner *self, const struct sim_scene *scene,
                              const struct sim_exposure *exposure, uint16_t *low, uint16_t *high)
{
    uint32_t width, height;
    must(sim_scanner_geometry(scene, exposure->pitch_mm, &width, &height));
    self->materials_count = 0;
    for (uint32_t i = 0; i < scene->shapes_count; i++) {
        (void)local_index(self, scene->shapes[i].stuff.material);
        (void)local_index(self, scene->shapes[i].host.material);
    }
    if (scene->shapes_count == 0) {
        (void)local_index(self, SIM_WATER);
    }
    const struct xray_beam beam = {self->materials_count, self->kind->bins_count, 2,
                                   self->mu_rho_packed, self->weights_packed};
    if (!make_band(self, &beam, width)) {
        return err_make(ERR_MEMORY, "expose scene");
    }
    make_gains(self, exposure, width);
    uint16_t *images[2] = {low, high};
    struct band band = {scene, exposure->pitch_mm / 10, width, 0, 0};
    for (uint32_t row = 0; row < height; row += BAND_ROWS) {
        band.first_row = row;
        band.rows = height - row < BAND_ROWS ? height - row : BAND_ROWS;
        size_t pixels = (size_t)width * band.rows;
        memset(self->densities, 0, pixels * self->materials_count * sizeof(float));
        for (uint32_t i = 0; i < scene->shapes_count; i++) {
            add_shape(self, &band, &scene->shapes[i]);
        }
        xray_transmission(&beam, self->densities, pixels, self->workspace, self->transmission);
        apply_gains(self, exposure, &band);
        read_out(self, exposure, &band, images);
    }
    kill_rows(exposure, (uint32_t[]){width, height}, images);
    return err_none;
}

void sim_scanner_slab(const struct sim_scanner *self, enum sim_material material,
                      double areal_density, double out[2])
{
    for (int s = 0; s < 2; s++) {
        out[s] = 0;
        for (uint32_t e = 0; e < self->kind->bins_count; e++) {
            out[s] += self->weights[s][e] * exp(-self->mu_rho[material][e] * areal_density);
        }
    }
}
