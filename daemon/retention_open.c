/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

struct err retention_open(struct pipeline *pipeline)
{
    struct err err = retention_finish(pipeline);
    if (err_is(err) || pipeline->conf.archive_copy[0] == '\0') {
        return !err_is(err) && pipeline->conf.retention_discard ? refuse_discard(pipeline) : err;
    }
    struct retention *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return err_make(ERR_MEMORY, "retention_open");
    }
    self->pipeline = pipeline;
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
