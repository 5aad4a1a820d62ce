/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/scan_set.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/durable.h"
#include "bench/figure.h"
#include "feeds/sim_world.h"
#include "picture/picture.h"

static void check_err(struct err err, const char *what)
{
    char text[ERR_TEXT_BYTES];
    bench_check(!err_is(err), "%s: %s", what, err_text(err, text));
}

static void scan_set_add(struct scan_set *self, const struct scan_set_image *image)
{
    self->images[self->count] = *image;
    self->count++;
    self->bytes_count += image->bytes_count;
}

bool scan_set_read(struct scan_set *out, const char *directory, uint64_t bytes_max)
{
    struct dirent **names = NULL;
    int count = scandir(directory, &names, NULL, alphasort);
    memset(out, 0, sizeof *out);
    for (int i = 0; i < count; i++) {
        char path[DURABLE_PATH_BYTES];
        const char *why = "";
        struct picture picture;
        (void)snprintf(path, sizeof path, "%s/%s", directory, names[i]->d_name);
        if (names[i]->d_name[0] != '.' && out->count < SCAN_SET_MAX &&
            out->bytes_count < bytes_max &&
            !err_is(picture_read(path, 0, UINT64_C(1) << 28, &picture, &why))) {
            struct scan_set_image image = {.width = picture.width,
                                           .height = picture.height,
                                           .bits = picture.bits,
                                           .pixels = picture.pixels,
                                           .bytes_count = picture.pixels_bytes};
            scan_set_add(out, &image);
        }
        free(names[i]);
    }
    free(names);
    return out->count > 0;
}

void scan_set_simulate(struct scan_set *out, uint32_t scans_count)
{
    struct sim_conf conf = {.seed = 1,
                            .contraband_rate = 0.05,
                            .misdeclare_rate = 0.05,
                            .history_factor = 4,
                            .oddity_rate = 0.15,
                            .mail_declarations_per_scan = 1,
                            .scans = SIM_SCANS_ALL,
                            .scale = 1,
                            .mail_scale = 1,
                            .dead_rows_max = 3,
                            .start_ns = INT64_C(1767592800) * NS_PER_S,
                            .interval_s = 20,
                            .site = "bench",
                            .lane = "1"};
    struct sim_world *world = NULL;
    memset(out, 0, sizeof *out);
    conf.mode_weights[MODE_TRUCK] = 1;
    conf.mode_weights[MODE_SEA] = 1;
    conf.mode_weights[MODE_RAIL] = 1;
    check_err(sim_world_open(&conf, &world), "sim_world_open");
    for (uint32_t i = 0; i < scans_count; i++) {
        static struct sim_item item;
        check_err(sim_world_item(world, i, &item), "sim_world_item");
        for (uint32_t k = 0; k < item.scan.images_count; k++) {
            const struct image *from = &item.images[k];
            struct scan_set_image image = {.width = from->width,
                                           .height = from->height,
                                           .bits = from->bits,
                                           .low_energy = from->energy == ENERGY_LOW,
                                           .pixels = malloc(from->payload_bytes),
                                           .bytes_count = from->payload_bytes};
            bench_check(image.pixels != NULL && out->count < SCAN_SET_MAX, "room for scans");
            memcpy(image.pixels, item.pixels[k], from->payload_bytes);
            scan_set_add(out, &image);
        }
    }
    sim_world_close(&world);
}

void scan_set_fini(struct scan_set *self)
{
    for (uint32_t i = 0; i < self->count; i++) {
        free(self->images[i].pixels);
    }
    memset(self, 0, sizeof *self);
}

void scan_set_dump(const struct scan_set *self, const char *directory)
{
    for (uint32_t i = 0; i < self->count; i++) {
        const struct scan_set_image *image = &self->images[i];
        char path[DURABLE_PATH_BYTES];
        int fd = -1;
        (void)snprintf(path, sizeof path, "%s/%03u-%u-%u-%u.raw", directory, i, image->width,
                       image->height, image->bits);
        check_err(durable_create_unsynced(path, 0600, &fd), path);
        check_err(durable_write_at(fd, image->pixels, image->bytes_count, 0), path);
        (void)close(fd);
    }
}
