/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/item_pixels.h"

#include <inttypes.h>
#include <string.h>

#include <jansson.h>

#include "ctl/archive_seals.h"
#include "ctl/rows.h"

#define PIXELS_MAX (UINT64_C(1) << 30)

/* What the read model says of where the image lies: the seal that covers its scan, the discard. */
struct whereabouts {
    json_t *seals;
    json_t *discards;
};

static bool find_whereabouts(struct ctl *ctl, const uint8_t sha256[HASH_BYTES],
                             uint64_t entry_index, struct whereabouts *out)
{
    char hex[HASH_HEX_BYTES];
    char sql[256];
    struct state *state = ctl_open_state(ctl);
    if (state == NULL) {
        return false;
    }
    (void)snprintf(sql, sizeof sql,
                   "SELECT path FROM seals WHERE first_index <= %" PRIu64
                   " AND last_index >= %" PRIu64,
                   entry_index, entry_index);
    out->seals = rows_of(state, sql, "t");
    hex_encode(sha256, HASH_BYTES, hex);
    (void)snprintf(sql, sizeof sql, "SELECT entry, kept_in FROM discards WHERE sha256 = x'%s'",
                   hex);
    out->discards = rows_of(state, sql, "it");
    state_close(&state);
    return true;
}

/* Why there is no picture, for whoever could restore what is missing. */
static void refuse_image(const struct whereabouts *where, struct err err)
{
    const json_t *seal = json_array_get(where->seals, 0);
    const json_t *discard = json_array_get(where->discards, 0);
    if (err.code != ERR_NOT_FOUND) {
        ctl_fail("image", err);
    } else if (discard != NULL) {
        ctl_refuse("the image was discarded from blobs by entry %lld and kept in %s, which is "
                   "neither in the archive nor in a directory of copies; triagectl archive restore "
                   "--from DIR puts it back",
                   member_integer(discard, "entry"), member_text(discard, "kept_in"));
    } else if (seal != NULL) {
        ctl_refuse("the image is not among the blobs, and %s is neither in the archive nor in a "
                   "directory of copies",
                   member_text(seal, "path"));
    } else {
        ctl_refuse("the image is neither among the blobs nor in a sealed file");
    }
}

static struct err open_reader(struct ctl *ctl, struct image_reader **out)
{
    char blobs[DURABLE_PATH_BYTES];
    char place[DURABLE_PATH_BYTES];
    const char *at = NULL;
    if (!ctl_path(ctl, "blobs", blobs) || !archive_place_next(ctl, &at, place)) {
        return err_make(ERR_ARGUMENT, "path of the store");
    }
    struct err err = image_reader_open(blobs, place, out);
    while (!err_is(err) && archive_place_next(ctl, &at, place)) {
        err = image_reader_add_place(*out, place);
    }
    return err;
}

bool item_pixels_read(struct ctl *ctl, const struct image_wanted *wanted, uint64_t entry_index,
                      uint32_t width, uint32_t height, struct view *out)
{
    struct whereabouts where = {NULL, NULL};
    struct image_reader *reader = NULL;
    if (!find_whereabouts(ctl, wanted->sha256, entry_index, &where)) {
        return false;
    }
    struct view_request request = {
        .wanted = *wanted, .width = width, .height = height, .pixels_max = PIXELS_MAX};
    json_t *seal = json_array_get(where.seals, 0);
    if (seal != NULL) {
        request.sealed[request.sealed_count++] = member_text(seal, "path");
    }
    struct err err = open_reader(ctl, &reader);
    if (!err_is(err)) {
        err = view_read(reader, &request, out);
    }
    if (err_is(err)) {
        refuse_image(&where, err);
    }
    image_reader_close(&reader);
    json_decref(where.seals);
    json_decref(where.discards);
    return !err_is(err);
}
