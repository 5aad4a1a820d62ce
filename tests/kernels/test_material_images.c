/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/material.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/kernels/draw.h"

/* The folder physics/semiZ: a simulated radiograph at 6 and 9 MeV (Geant4), spectra of each row's
 * angle, detector response, slabs of carbon, iron and lead for calibration, and NIST's cross
 * sections. What the objects in the radiograph are made of is not told, the slabs are. */

enum { ENERGIES = 900, ROWS = 100, COLUMNS = 200, ELEMENTS = 92, SLABS = 3 };
enum { TABLE_ROWS = 40, TABLE_COLUMNS = 64 };

struct folder {
    char path[600];
    double energies[ENERGIES];
    double detector[ENERGIES];
    double beams[2][ROWS][ENERGIES]; /* low, high */
    double slabs[2][ROWS][SLABS];    /* attenuations */
    double densities[ROWS][SLABS];
    double images[2][ROWS][COLUMNS];
    double photoelectric[ELEMENTS * ENERGIES];
    double scattered[ELEMENTS * ENERGIES];
    double pair[ELEMENTS * ENERGIES];
    /* of the row in use */
    double weights[2 * ENERGIES];
    struct material_physics physics;
    struct material_table table;
    float ratio_least[TABLE_ROWS], ratio_most[TABLE_ROWS];
    float atomic_number[TABLE_ROWS * TABLE_COLUMNS], areal_density[TABLE_ROWS * TABLE_COLUMNS];
};

static const size_t slab_elements[SLABS] = {5, 25, 81};

/* Version 1 of NumPy's format, float64, C order; only the count is checked. */
static bool read_npy(const struct folder *folder, const char *name, double *out, size_t count)
{
    char path[700], header[10];
    (void)snprintf(path, sizeof path, "%s/tutorial/data/%s.npy", folder->path, name);
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        return false;
    }
    bool good = fread(header, 1, 10, file) == 10 && memcmp(header, "\x93NUMPY\x01", 7) == 0;
    long skip = (long)(uint8_t)header[8] + 256 * (long)(uint8_t)header[9];
    good = good && fseek(file, 10 + skip, SEEK_SET) == 0 &&
           fread(out, sizeof(double), count, file) == count && fgetc(file) == EOF;
    (void)fclose(file);
    return good;
}

enum { XCOM_MAX = 200, XCOM_COLUMNS = 8 };
struct xcom {
    double rows[XCOM_MAX][XCOM_COLUMNS];
    size_t count;
};

static bool read_xcom(const struct folder *folder, size_t element, struct xcom *out)
{
    char path[700], line[512];
    (void)snprintf(path, sizeof path, "%s/XCOM/MassAttenCoefs/%02zu.txt", folder->path,
                   element + 1);
    FILE *file = fopen(path, "r");
    out->count = 0;
    while (file != NULL && fgets(line, sizeof line, file) != NULL && out->count < XCOM_MAX) {
        /* An absorption edge has its name before the numbers. */
        char *at = line, *end;
        double numbers[16];
        size_t count = 0;
        for (char *word = strtok_r(at, " \t\n", &end); word != NULL && count < 16;
             word = strtok_r(NULL, " \t\n", &end)) {
            char *rest;
            double value = strtod(word, &rest);
            if (*rest == '\0') {
                numbers[count++] = value;
            }
        }
        if (count >= XCOM_COLUMNS) {
            memcpy(out->rows[out->count++], numbers + count - XCOM_COLUMNS,
                   XCOM_COLUMNS * sizeof(double));
        }
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    return out->count > 10;
}

/* Log-log between the rows; 0 below a threshold. */
static double cross_section(const struct xcom *xcom, size_t column, double mev)
{
    size_t upper = 1;
    while (upper + 1 < xcom->count && xcom->rows[upper][0] < mev) {
        upper++;
    }
    double x0 = xcom->rows[upper - 1][0], x1 = xcom->rows[upper][0];
    double y0 = xcom->rows[upper - 1][column], y1 = xcom->rows[upper][column];
    if (!(y0 > 0 && y1 > 0) || x1 <= x0) {
        return 0;
    }
    return exp(log(y0) + (log(y1) - log(y0)) * (log(mev) - log(x0)) / (log(x1) - log(x0)));
}

static bool read_cross_sections(struct folder *folder)
{
    static struct xcom xcom;
    for (size_t z = 0; z < ELEMENTS; z++) {
        if (!read_xcom(folder, z, &xcom)) {
            return false;
        }
        for (size_t e = 0; e < ENERGIES; e++) {
            double mev = folder->energies[e];
            size_t at = z * ENERGIES + e;
            folder->photoelectric[at] = cross_section(&xcom, 3, mev);
            folder->scattered[at] = cross_section(&xcom, 2, mev) + cross_section(&xcom, 1, mev);
            folder->pair[at] = cross_section(&xcom, 4, mev) + cross_section(&xcom, 5, mev);
        }
    }
    return true;
}

static bool read_folder(struct folder *folder)
{
    const char *root = getenv("TRIAGED_SHARED_DATA");
    (void)snprintf(folder->path, sizeof folder->path, "%s%s/physics/semiZ",
                   root != NULL ? root : SOURCE_DIR, root != NULL ? "" : "/../shared/data");
    return read_npy(folder, "E", folder->energies, ENERGIES) &&
           read_npy(folder, "D", folder->detector, ENERGIES) &&
           read_npy(folder, "phi_6MeV", folder->beams[0][0], (size_t)ROWS * ENERGIES) &&
           read_npy(folder, "phi_9MeV", folder->beams[1][0], (size_t)ROWS * ENERGIES) &&
           read_npy(folder, "alpha_L_calib", folder->slabs[0][0], (size_t)ROWS * SLABS) &&
           read_npy(folder, "alpha_H_calib", folder->slabs[1][0], (size_t)ROWS * SLABS) &&
           read_npy(folder, "lmbda_calib", folder->densities[0], (size_t)ROWS * SLABS) &&
           read_npy(folder, "im_L", folder->images[0][0], (size_t)ROWS * COLUMNS) &&
           read_npy(folder, "im_H", folder->images[1][0], (size_t)ROWS * COLUMNS) &&
           read_cross_sections(folder);
}

/* Spectra of one row, factors from the slabs of another. */
static void prepare(struct folder *folder, size_t row, size_t calibrated_by)
{
    struct material_physics *physics = &folder->physics;
    *physics = (struct material_physics){
        ENERGIES,     ELEMENTS,        folder->photoelectric, folder->scattered,
        folder->pair, folder->weights, {{1, 1, 1}, {1, 1, 1}}};
    for (int pass = 0; pass < 2; pass++) {
        size_t used = pass == 0 ? calibrated_by : row;
        for (int s = 0; s < 2; s++) {
            double sum = 0;
            for (size_t e = 0; e < ENERGIES; e++) {
                folder->weights[(size_t)s * ENERGIES + e] =
                    folder->beams[s][used][e] * folder->detector[e];
                sum += folder->weights[(size_t)s * ENERGIES + e];
            }
            for (size_t e = 0; e < ENERGIES; e++) {
                folder->weights[(size_t)s * ENERGIES + e] /= sum;
            }
            struct material_slab slabs[SLABS];
            for (size_t k = 0; k < SLABS && pass == 0; k++) {
                slabs[k] = (struct material_slab){slab_elements[k], folder->densities[used][k],
                                                  folder->slabs[s][used][k]};
            }
            if (pass == 0) {
                assert_true(material_calibrate(physics, s, slabs, SLABS));
            }
        }
    }
    folder->table =
        (struct material_table){TABLE_ROWS,           TABLE_COLUMNS,      0.14f,
                                folder->ratio_least,  folder->ratio_most, folder->atomic_number,
                                folder->areal_density};
    material_tabulate(physics, &folder->table);
}

static struct material_region region_of(const struct folder *folder, const size_t box[4])
{
    static float low[ROWS * COLUMNS], high[ROWS * COLUMNS];
    size_t count = 0;
    for (size_t y = box[0]; y < box[1]; y++) {
        for (size_t x = box[2]; x < box[3]; x++) {
            low[count] = (float)folder->images[0][y][x];
            high[count++] = (float)folder->images[1][y][x];
        }
    }
    struct material_region region;
    material_measure(&folder->table, &(struct material_pixels){low, high, count, 0.01f}, &region);
    return region;
}

static int setup(void **state)
{
    struct folder *folder = calloc(1, sizeof *folder);
    assert_non_null(folder);
    if (!read_folder(folder)) {
        printf("SKIP: no physics/semiZ (set TRIAGED_SHARED_DATA)\n");
        free(folder);
        exit(77);
    }
    *state = folder;
    return 0;
}

static int teardown(void **state)
{
    free(*state);
    return 0;
}

/* Factors of one angle, spectra of another: carbon and iron come back within an element, lead lies
 * beyond the turn, where two elements give one reading, and is told as one of the heaviest. */
static void slabs_of_another_angle_give_their_element(void **state)
{
    struct folder *folder = *state;
    static const size_t rows[][2] = {{30, 5}, {95, 60}};
    for (size_t i = 0; i < 2; i++) {
        prepare(folder, rows[i][0], rows[i][1]);
        for (size_t k = 0; k < SLABS; k++) {
            float low = (float)folder->slabs[0][rows[i][0]][k];
            float high = (float)folder->slabs[1][rows[i][0]][k];
            float number, thick;
            material_estimate(&folder->table, &(struct material_pixels){&low, &high, 1, 0.01f},
                              &number, &thick);
            double wanted = (double)(slab_elements[k] + 1);
            print_message("row %zu: Z %.0f read as %.2f, %.1f of %.1f g/cm2\n", rows[i][0], wanted,
                          (double)number, (double)thick, folder->densities[rows[i][0]][k]);
            assert_true(fabs((double)thick / folder->densities[rows[i][0]][k] - 1) <
                        (k == 2 ? 0.06 : 0.02));
            assert_true(k == 2 ? (double)number > 70 : fabs((double)number - wanted) < 1);
        }
    }
}

/* An object keeps its atomic number from its upper to its lower half, which other angles, spectra
 * and thicknesses see; the seven boxes rise in Z from left to right. */
static void objects_of_the_radiograph_are_of_one_material(void **state)
{
    struct folder *folder = *state;
    static const size_t boxes[][2] = {{16, 28}, {46, 60}, {73, 85}, {97, 109}, {121, 133}};
    enum { BOXES = sizeof boxes / sizeof boxes[0] };
    struct material_region halves[2][BOXES];
    for (size_t half = 0; half < 2; half++) {
        size_t top = half == 0 ? 30 : 36;
        prepare(folder, top + 2, top + 2);
        for (size_t i = 0; i < BOXES; i++) {
            halves[half][i] = region_of(folder, (size_t[]){top, top + 5, boxes[i][0], boxes[i][1]});
        }
    }
    double before = 0;
    for (size_t i = 0; i < BOXES; i++) {
        const struct material_region *upper = &halves[0][i], *lower = &halves[1][i];
        print_message("box %zu: A %.2f, Z %.1f +- %.1f and %.1f +- %.1f\n", i + 1, upper->high,
                      upper->atomic_number, upper->atomic_number_error, lower->atomic_number,
                      lower->atomic_number_error);
        assert_true(fabs(upper->atomic_number - lower->atomic_number) < 3);
        assert_true(upper->atomic_number > before);
        before = upper->atomic_number;
    }
    assert_true(before > 40);
}

/* The table of a step wedge of carbon, aluminium, iron and lead, as the calibrated physics of this
 * beam has it, reads the simulation's carbon and iron slabs within an element, and the boxes of its
 * radiograph as the full physics does up to iron (two elements). Between iron and lead, with no
 * material between, it keeps their order and tells up to 15 too much. */
static void wedge_reads_the_radiograph_as_the_physics_does(void **state)
{
    struct folder *folder = *state;
    static const size_t materials[] = {5, 12, 25, 81};
    static const size_t boxes[][2] = {{16, 28}, {46, 60}, {73, 85}, {97, 109}, {121, 133}};
    struct material_step steps[128];
    size_t count = 0;
    prepare(folder, 32, 32);
    for (size_t k = 0; k < 4; k++) {
        for (double density = 1; density < 300; density *= 1.6) {
            steps[count++] = (struct material_step){
                (double)(materials[k] + 1), density,
                material_attenuation(&folder->physics, 0, materials[k], density),
                material_attenuation(&folder->physics, 1, materials[k], density)};
        }
    }
    double by_physics[5];
    double before = 0;
    for (size_t i = 0; i < 5; i++) {
        by_physics[i] =
            region_of(folder, (size_t[]){30, 35, boxes[i][0], boxes[i][1]}).atomic_number;
    }
    assert_true(material_tabulate_wedge(steps, count, &folder->table));
    for (size_t i = 0; i < 5; i++) {
        double number =
            region_of(folder, (size_t[]){30, 35, boxes[i][0], boxes[i][1]}).atomic_number;
        print_message("box %zu: Z %.1f by the wedge, %.1f by the physics\n", i + 1, number,
                      by_physics[i]);
        assert_true(number > (i == 0 ? 6 : before) - 1e-9);
        assert_true(by_physics[i] > 30 || fabs(number - by_physics[i]) < 2);
        before = number;
    }
    for (size_t k = 0; k < 2; k++) {
        float low = (float)folder->slabs[0][32][k];
        float high = (float)folder->slabs[1][32][k];
        float number, thick;
        material_estimate(&folder->table, &(struct material_pixels){&low, &high, 1, 0.01f}, &number,
                          &thick);
        print_message("slab of Z %zu: %.2f\n", slab_elements[k] + 1, (double)number);
        assert_true(fabs((double)number - (double)(slab_elements[k] + 1)) < 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(slabs_of_another_angle_give_their_element, setup, teardown),
        cmocka_unit_test_setup_teardown(objects_of_the_radiograph_are_of_one_material, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(wedge_reads_the_radiograph_as_the_physics_does, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
