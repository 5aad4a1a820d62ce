/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_VIEW_STORE_H
#define TESTS_VIEW_STORE_H

/* Store: images of a few shapes as blobs and in one sealed file, to be looked at. Included by one
 * test each. */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "archive/archive.h"
#include "proto/record.h"

struct store_shape {
    uint32_t width;
    uint32_t height;
    uint32_t bits;
};

#define STORE_IMAGES_MAX 64u

struct store {
    char directory[64];
    char blobs_path[96];
    char archive_path[96];
    struct blob_store *blobs;
    struct store_shape shapes[STORE_IMAGES_MAX];
    uint8_t digests[STORE_IMAGES_MAX][HASH_BYTES];
    uint8_t *pixels[STORE_IMAGES_MAX];
    uint8_t entries[STORE_IMAGES_MAX][ENTRY_BYTES_MAX];
    uint32_t entry_bytes[STORE_IMAGES_MAX];
    uint32_t count;
    uint32_t next;
    char sealed[160];
};

static inline void store_good(struct err err)
{
    char text[ERR_TEXT_BYTES];
    if (err_is(err)) {
        fail_msg("%s", err_text(err, text));
    }
}

static inline size_t store_bytes(const struct store *self, uint32_t n)
{
    return (size_t)self->shapes[n].width * self->shapes[n].height * (self->shapes[n].bits / 8);
}

static inline uint32_t store_random(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

static inline void store_add(struct store *self, const struct store_shape *shape)
{
    uint32_t n = self->count++;
    uint32_t state = 77 * n + 5;
    bool stored = false;
    assert_true(n < STORE_IMAGES_MAX);
    self->shapes[n] = *shape;
    size_t bytes = store_bytes(self, n);
    self->pixels[n] = malloc(bytes);
    assert_non_null(self->pixels[n]);
    for (size_t i = 0; i < bytes; i++) { /* all values of a byte, in runs that compress */
        uint32_t draw = store_random(&state);
        self->pixels[n][i] = (uint8_t)(n % 2 == 0 ? draw : draw % 3 + i / 50);
    }
    store_good(blob_put(self->blobs, self->pixels[n], bytes, NULL, self->digests[n], &stored));
    struct entry entry = {.type = ENTRY_SCAN_RECEIVED, .actor = "daemon"};
    struct entry_received *received = &entry.body.received;
    received->publisher = received->stream = received->site = received->lane = "a";
    received->record_id = "S";
    received->item_key = "";
    received->scanner = received->scanner_type = "portal";
    received->mode = MODE_TRUCK;
    received->images_count = 1;
    received->images[0] = (struct entry_image){.width = shape->width,
                                               .height = shape->height,
                                               .bits = shape->bits,
                                               .meaning = PIXEL_TRANSMISSION,
                                               .energy = ENERGY_SINGLE,
                                               .payload_bytes = bytes};
    memcpy(received->images[0].sha256, self->digests[n], HASH_BYTES);
    entry.id[0] = (uint8_t)n;
    uint8_t *encoded = self->entries[n];
    size_t stamp =
        entry_encode_stamp(n, INT64_C(1789982400000000000) + n, encoded, ENTRY_BYTES_MAX);
    size_t rest = entry_encode_rest(&entry, encoded + stamp, ENTRY_BYTES_MAX - stamp);
    assert_true(stamp > 0 && rest > 0);
    self->entry_bytes[n] = (uint32_t)(stamp + rest);
}

static inline bool store_next(void *opaque, struct archive_entry *out, struct err *err)
{
    struct store *self = opaque;
    *err = err_none;
    if (self->next == self->count) {
        return false;
    }
    *out = (struct archive_entry){.entry_index = self->next,
                                  .bytes = self->entries[self->next],
                                  .bytes_count = self->entry_bytes[self->next]};
    self->next++;
    return true;
}

static inline void store_seal(struct store *self, uint32_t level, char path[160])
{
    static const uint8_t pseudonym_key[HASH_BYTES] = {1};
    struct archive_result result;
    char origin[16];
    (void)snprintf(origin, sizeof origin, "level%u", level);
    const struct archive_conf conf = {.directory = self->archive_path,
                                      .origin = origin,
                                      .deflate_level = level,
                                      .threads = 2,
                                      .pseudonym_key = pseudonym_key};
    self->next = 0;
    store_good(archive_build(&conf, self->blobs, store_next, self, &result));
    (void)snprintf(path, 160, "%s", result.path);
}

static inline void store_open(struct store *self, const struct store_shape *shapes, uint32_t count)
{
    memset(self, 0, sizeof *self);
    (void)snprintf(self->directory, sizeof self->directory, "/tmp/triage-view-XXXXXX");
    assert_non_null(mkdtemp(self->directory));
    (void)snprintf(self->blobs_path, sizeof self->blobs_path, "%s/blobs", self->directory);
    (void)snprintf(self->archive_path, sizeof self->archive_path, "%s/archive", self->directory);
    store_good(blob_store_open(self->blobs_path, 0, &self->blobs));
    for (uint32_t n = 0; n < count; n++) {
        store_add(self, &shapes[n]);
    }
    store_good(blob_commit(self->blobs));
}

static inline void store_blob_path(const struct store *self, uint32_t n, char path[256])
{
    char below[128];
    blob_path(self->digests[n], below);
    (void)snprintf(path, 256, "%.90s/%.127s", self->blobs_path, below);
}

static inline void store_close(struct store *self)
{
    char command[96];
    blob_store_close(&self->blobs);
    for (uint32_t n = 0; n < self->count; n++) {
        free(self->pixels[n]);
    }
    (void)snprintf(command, sizeof command, "rm -r '%s'", self->directory);
    assert_int_equal(system(command), 0);
}

#endif
