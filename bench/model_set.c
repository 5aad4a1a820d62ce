/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/model_set.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "bench/figure.h"
#include "kernels/rng.h"
#include "score/train.h"

enum {
    MODEL_IMAGES = 16,
    MODEL_DECLARATIONS = 5000,
    MODEL_BANK_PATCHES = 4096, /* as triagectl trains when nobody says */
    MODEL_DIMENSIONS = 64,
    MODEL_WORKING_HEIGHT = 256 /* judge.working_height as shipped */
};

static void check_err(struct err err, const char *what)
{
    char text[ERR_TEXT_BYTES];
    bench_check(!err_is(err), "%s: %s", what, err_text(err, text));
}

static void models_directory(const struct port *port, char out[PORT_PATH_BYTES + 16])
{
    (void)snprintf(out, PORT_PATH_BYTES + 16, "%s/models", port->store);
}

void model_set_appearance(const struct port *port, const struct traffic_shape *shape)
{
    struct train_appearance_conf conf = {.scanner_type = shape->scanner_type,
                                         .bank_patches_max = MODEL_BANK_PATCHES,
                                         .dimensions = MODEL_DIMENSIONS,
                                         .working_height = MODEL_WORKING_HEIGHT,
                                         .seed = 1};
    char directory[PORT_PATH_BYTES + 16];
    struct train_appearance *train = NULL;
    struct train_report report;
    models_directory(port, directory);
    check_err(train_appearance_open(&conf, &train), "train_appearance_open");
    for (uint32_t i = 0; i < MODEL_IMAGES; i++) {
        struct traffic_scan scan;
        uint8_t *pixels[2] = {NULL, NULL};
        traffic_scan(i, shape, &scan);
        for (uint32_t image = 0; image < shape->images_count; image++) {
            pixels[image] = traffic_pixels(1000 + i, shape, image);
        }
        struct train_image one = {.image = &scan.images[0], .pixels = pixels[0], .name = scan.id};
        if (shape->images_count > 1) {
            one.low_image = &scan.images[1];
            one.low_pixels = pixels[1];
        }
        check_err(train_appearance_add(train, &one), "train_appearance_add");
        free(pixels[0]);
        free(pixels[1]);
    }
    check_err(train_appearance_write(train, directory, &report), "train_appearance_write");
    train_appearance_close(&train);
    port_install_model(port, report.path);
}

void model_set_history(const struct port *port)
{
    char directory[PORT_PATH_BYTES + 16];
    struct train_history *train = NULL;
    struct train_report history;
    struct train_report fusion;
    struct traffic_declaration *declaration = malloc(sizeof *declaration);
    struct rng rng;
    bench_check(declaration != NULL, "no memory");
    rng_init(&rng, 4, 0);
    models_directory(port, directory);
    check_err(train_history_open(1, &train), "train_history_open");
    int64_t began_ns = clock_utc_ns() - (int64_t)MODEL_DECLARATIONS * 60 * NS_PER_S;
    for (uint32_t i = 0; i < MODEL_DECLARATIONS; i++) {
        traffic_declare(i, 0, declaration);
        check_err(train_history_add(train, &declaration->record, rng_uniform(&rng) < 0.05,
                                    began_ns + (int64_t)i * 60 * NS_PER_S),
                  "train_history_add");
    }
    check_err(train_history_write(train, directory, &history, &fusion), "train_history_write");
    train_history_close(&train);
    free(declaration);
    port_install_model(port, history.path);
    port_install_model(port, fusion.path);
}
