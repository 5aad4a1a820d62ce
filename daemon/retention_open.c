/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/diag.h"
#include "retention_parts.h"

/* Where copies go, as archive.copy names it, and what a stop left of the newest discard. */

static struct err place_add(struct retention *self, const char *text, size_t text_bytes)
{
    struct pipeline *pipeline = self->pipeline;
    if (self->places_count == RETENTION_PLACES_MAX) {
        (void)snprintf(pipeline->why, sizeof pipeline->why,
                       "archive.copy names more than %u directories", RETENTION_PLACES_MAX);
        return err_make(ERR_CONF_INVALID, "archive.copy");
    }
    struct retention_place *place = &self->places[self->places_count];
    (void)snprintf(place->configured, sizeof place->configured, "%.*s", (int)text_bytes, text);
    struct err err =
        conf_path(&pipeline->conf, place->configured, place->directory, sizeof place->directory);
    for (uint32_t i = 0; i < self->places_count && !err_is(err); i++) {
        if (archive_place_same(self->places[i].directory, place->directory)) {
            (void)snprintf(pipeline->why, sizeof pipeline->why,
                           "archive.copy names one directory twice (%.120s)", place->configured);
            err = err_make(ERR_CONF_INVALID, "archive.copy");
        }
    }
    self->places_count += err_is(err) ? 0 : 1;
    return err;
}

static struct err refuse_discard(struct pipeline *pipeline)
{
    (void)snprintf(pipeline->why, sizeof pipeline->why,
                   "retention.discard needs archive.copy: nothing is discarded that has no second "
                   "copy");
    return err_make(ERR_CONF_INVALID, "retention.discard");
}

static struct err places_add(struct retention *self)
{
    const char *at = self->pipeline->conf.archive_copy;
    struct err err = err_none;
    while (*at != '\0' && !err_is(err)) {
        size_t bytes = strcspn(at, ":");
        if (bytes > 0) {
            err = place_add(self, at, bytes);
        }
        at += bytes + (at[bytes] == ':' ? 1 : 0);
    }
    if (!err_is(err) && self->places_count == 0 && self->pipeline->conf.retention_discard) {
        err = refuse_discard(self->pipeline);
    }
    return err;
}

/* Payloads of a discard that the disk still has, and that nothing names again. */
static struct err count_left(struct pipeline *pipeline, const uint8_t (*digests)[HASH_BYTES],
                             uint32_t count, uint32_t *left)
{
    struct err err = err_none;
    for (uint32_t i = 0; i < count && !err_is(err); i++) {
        bool known = true;
        err = state_blob_known(pipeline->state, digests[i], &known);
        *left += !err_is(err) && !known && blob_exists(pipeline->blobs, digests[i]);
    }
    return err;
}

/* Is the sealed file that the newest discard names there and whole? *out tells. Other trouble than
 * that is an error. */
static struct err look_at_kept(struct pipeline *pipeline, struct retention_left *out)
{
    char archive[PIPELINE_PATH_BYTES];
    struct state_seal seal;
    struct err err = conf_path(&pipeline->conf, "archive", archive, sizeof archive);
    if (err_is(err)) {
        return err;
    }
    err = state_discard_seal(pipeline->state, &seal);
    if (!err_is(err)) {
        const struct archive_sealed sealed = retention_sealed(&seal);
        memcpy(out->kept_in, seal.path, sizeof out->kept_in);
        err = archive_copy_check(archive, &sealed, NULL);
    }
    out->fault = err;
    return retention_is_trouble(err) ? err_none : err;
}

/* The newest discard may not have come to its end: its payloads go now, before anybody can send
 * them again. Those of older ones went before the newest was written: nothing is discarded while
 * *out tells of one that is unfinished. What held then may not hold now: while the sealed file is
 * not as it was, the payloads stay, until a start finds it whole. */
static struct err retention_finish(struct pipeline *pipeline, struct retention_left *out)
{
    uint8_t(*digests)[HASH_BYTES] = calloc(BLOB_LEAVING_MAX, HASH_BYTES);
    const uint8_t(*named)[HASH_BYTES] = (const uint8_t(*)[HASH_BYTES])digests;
    uint32_t count = 0;
    uint32_t left = 0;
    struct err err = digests == NULL
                         ? err_make(ERR_MEMORY, "retention_open")
                         : state_last_discards(pipeline->state, digests, BLOB_LEAVING_MAX, &count);
    if (!err_is(err)) {
        err = count_left(pipeline, named, count, &left);
    }
    if (!err_is(err) && left > 0) {
        err = look_at_kept(pipeline, out);
    }
    if (!err_is(err) && left > 0 && err_is(out->fault)) {
        diag_warn(discarded, "payloads_left=%u why=\"their sealed file is missing or damaged\"",
                  left);
    } else if (!err_is(err) && left > 0) {
        blob_leave_begin(pipeline->blobs, named, count);
        err = retention_remove(pipeline, pipeline->state, named, count);
    }
    free(digests);
    return err;
}

struct err retention_open(struct pipeline *pipeline)
{
    struct retention_left left = {.fault = err_none};
    struct err err = retention_finish(pipeline, &left);
    if (err_is(err) || pipeline->conf.archive_copy[0] == '\0') {
        return !err_is(err) && pipeline->conf.retention_discard ? refuse_discard(pipeline) : err;
    }
    struct retention *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return err_make(ERR_MEMORY, "retention_open");
    }
    self->pipeline = pipeline;
    self->left = left;
    must(pthread_mutex_init(&self->lock, NULL) == 0);
    pipeline->retention = self;
    err = conf_path(&pipeline->conf, "archive", self->archive, sizeof self->archive);
    return err_is(err) ? err : places_add(self);
}

void retention_free(struct pipeline *pipeline)
{
    if (pipeline->retention != NULL) {
        must(pthread_mutex_destroy(&pipeline->retention->lock) == 0);
        free(pipeline->retention);
        pipeline->retention = NULL;
    }
}
