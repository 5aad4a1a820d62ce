/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_SCAN_SET_H
#define BENCH_SCAN_SET_H

/* Scan set: images to measure with: real container scans out of the shared data folder, or
 * simulated dual-energy scans of the simulator's world. One thread. */

#include <stdbool.h>
#include <stdint.h>

#define SCAN_SET_MAX 192u

struct scan_set_image {
    uint32_t width;
    uint32_t height;
    uint32_t bits;
    bool low_energy; /* of a dual-energy pair; real scans are of one energy */
    uint8_t *pixels;
    uint64_t bytes_count;
};

struct scan_set {
    struct scan_set_image images[SCAN_SET_MAX];
    uint32_t count;
    uint64_t bytes_count; /* of all */
};

/* The first images by name of `directory` that fit bytes_max and the room; false when there are
 * none. */
bool scan_set_read(struct scan_set *out, const char *directory, uint64_t bytes_max);
/* 16-bit low and high images at full resolution; ends the program when they cannot be made. */
void scan_set_simulate(struct scan_set *out, uint32_t scans_count);
void scan_set_fini(struct scan_set *self);
/* Each image as a file "<i>-<width>-<height>-<bits>.raw" below the directory: for a peer in another
 * program. */
void scan_set_dump(const struct scan_set *self, const char *directory);

#endif
