/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/counter.h"
#include "base/diag.h"
#include "picture/picture.h"
#include "pipeline_parts.h"
#include "retention_parts.h"
#include "view/view.h"

_Static_assert(RETENTION_PLACES_MAX + 1 == IMAGE_READER_PLACES_MAX,
               "images are looked for in the archive and in every place that copies are put");

/* An image for somebody with a token, on a thread of the console. The picture is made first, then
 * the access entry becomes durable, then the first byte goes out: a machine that stops in between
 * leaves an entry without an answer, never an answer without an entry. Looking closer is not a new
 * access: one entry tells that this person saw this image, until console.access_s have gone by.
 *
 * Nothing of the other lines is touched: the read model is opened once more, to read, by each
 * thread; pixels come past every lock of the writers (view/view.h). */

enum { ACCESS_SLOTS = 4096, IMAGE_THREADS_MAX = 16 };

_Static_assert(IMAGE_QUERY_PIXELS_MAX < VIEW_PIXELS_MAX + 1, "what may be asked for can be made");
_Static_assert(STATE_IMAGE_SEALS_MAX < VIEW_SEALED_MAX + 1, "every sealed file is tried");

struct access_slot {
    const struct viewer *viewer;
    uint8_t sha256[HASH_BYTES];
    int64_t until_ns; /* monotonic */
};

struct image_line {
    struct pipeline *pipeline;
    struct viewers *viewers;
    struct console_images_conf conf;
    struct image_reader *readers[IMAGE_THREADS_MAX];
    struct state *states[IMAGE_THREADS_MAX]; /* opened by their own thread */
    char state_path[PIPELINE_PATH_BYTES];
    pthread_mutex_t lock; /* guards slots */
    struct access_slot slots[ACCESS_SLOTS];
};

static void image_refuse(struct console_picture *out, unsigned status, const char *why)
{
    out->status = status;
    (void)snprintf(out->why, sizeof out->why, "%s", why);
}

/* ---- the access entry */

/* A table of fixed size: what is overwritten is only told again. */
static struct access_slot *access_slot_of(struct image_line *self, const struct console_ask *ask)
{
    uint32_t at = (uint32_t)ask->sha256[0] << 8 | ask->sha256[1];
    return &self->slots[(at + 31 * ask->viewer->token_sha256[0]) % ACCESS_SLOTS];
}

static bool access_is_told(struct image_line *self, const struct console_ask *ask)
{
    const struct access_slot *slot = access_slot_of(self, ask);
    must(pthread_mutex_lock(&self->lock) == 0);
    bool told = slot->viewer == ask->viewer && hash_equal(slot->sha256, ask->sha256) &&
                clock_monotonic_ns() < slot->until_ns;
    must(pthread_mutex_unlock(&self->lock) == 0);
    return told;
}

static void access_remember(struct image_line *self, const struct console_ask *ask)
{
    double access_s = self->pipeline->conf.console_access_s;
    struct access_slot *slot = access_slot_of(self, ask);
    must(pthread_mutex_lock(&self->lock) == 0);
    slot->viewer = ask->viewer;
    memcpy(slot->sha256, ask->sha256, HASH_BYTES);
    slot->until_ns = clock_monotonic_ns() + (int64_t)(access_s * (double)NS_PER_S);
    must(pthread_mutex_unlock(&self->lock) == 0);
}

static struct err access_tell(struct image_line *self, const struct console_ask *ask,
                              const struct state_image *image)
{
    struct entry entry;
    char actor[PSEUDONYM_BYTES];
    char hex[HASH_HEX_BYTES];
    char name[HASH_HEX_BYTES + sizeof "image "];
    if (access_is_told(self, ask)) {
        return err_none;
    }
    pipeline_entry(&entry, ENTRY_ACCESS);
    pseudonym_of(self->pipeline->keys.pseudonym, "officer", ask->viewer->name, actor);
    hex_encode(ask->sha256, HASH_BYTES, hex);
    (void)snprintf(name, sizeof name, "image %s", hex);
    entry.actor = actor;
    struct entry_access *access = &entry.body.access;
    access->purpose = ask->viewer->purpose;
    access->request_id = "";
    access->names[0] = name;
    access->names_count = 1;
    memcpy(access->entry_index, image->entries, sizeof image->entries);
    access->entries_count = image->entries_count;
    struct err err = pipeline_append(self->pipeline, &entry, NULL);
    if (!err_is(err)) {
        access_remember(self, ask);
    }
    return err;
}

/* ---- the picture */

static struct err image_find(struct image_line *self, uint32_t thread, const uint8_t *sha256,
                             struct state_image *out)
{
    struct err err = self->states[thread] != NULL
                         ? err_none
                         : state_open_readonly(self->state_path, &self->states[thread]);
    if (!err_is(err)) {
        err = state_image(self->states[thread], sha256, out);
    }
    if (err_is(err) && err.code != ERR_NOT_FOUND) {
        state_close(&self->states[thread]); /* made anew the next time */
    }
    return err;
}

static struct err image_read(struct image_line *self, uint32_t thread,
                             const struct console_ask *ask, const struct image_query *query,
                             const struct state_image *image, struct view *out)
{
    struct view_request request = {.wanted = {.image_width = image->width,
                                              .image_height = image->height,
                                              .bits = image->bits,
                                              .x = query->x,
                                              .y = query->y,
                                              .width = query->w,
                                              .height = query->h},
                                   .width = query->width,
                                   .height = query->height,
                                   .sealed_count = image->seals_count,
                                   .stop = &self->pipeline->stopping};
    memcpy(request.wanted.sha256, ask->sha256, HASH_BYTES);
    for (uint32_t i = 0; i < image->seals_count; i++) {
        request.sealed[i] = image->seals[i];
    }
    return view_read(self->readers[thread], &request, out);
}

/* The pixels become the answer: as they are, or as PNG. */
static struct err image_encode(enum image_format format, struct view *view,
                               struct console_picture *out)
{
    struct err err = err_none;
    if (format == IMAGE_FORMAT_RAW) {
        out->bytes = view->pixels;
        out->bytes_count = (size_t)view->pixels_bytes;
        out->type = "application/octet-stream";
        view->pixels = NULL;
    } else {
        const struct picture grey = {.width = view->width,
                                     .height = view->height,
                                     .bits = view->bits,
                                     .pixels = view->pixels,
                                     .pixels_bytes = view->pixels_bytes};
        err = picture_encode_png(&grey, &out->bytes, &out->bytes_count);
        out->type = "image/png";
    }
    out->checked = image_check_text(view->check);
    out->is_sealed = view->is_sealed;
    out->width = view->width;
    out->height = view->height;
    out->bits = view->bits;
    return err;
}

static void image_tell_err(const struct console_ask *ask, struct err err,
                           struct console_picture *out)
{
    char hex[HASH_HEX_BYTES];
    char text[ERR_TEXT_BYTES];
    if (err.code == ERR_NOT_FOUND) {
        image_refuse(out, 404, "the image is neither among the blobs nor in a sealed file");
        return;
    }
    if (err.code == ERR_CLOSED) {
        image_refuse(out, 503, "the daemon stops");
        return;
    }
    hex_encode(ask->sha256, HASH_BYTES, hex);
    diag_warn(image, "sha256=%s error=\"%s\"", hex, err_text(err, text));
    if (err.code == ERR_BLOB_MISSING || err.code == ERR_ARCHIVE_DIFFERS) {
        image_refuse(out, 500, "what is stored is not the image that the log names");
    } else {
        image_refuse(out, 503, "the image cannot be made now");
    }
}

static void image_make(void *arg, uint32_t thread, const struct console_ask *ask,
                       struct console_picture *out)
{
    struct image_line *self = arg;
    struct image_query query = ask->query;
    struct state_image image;
    struct view view;
    char etag[IMAGE_ETAG_BYTES];
    int64_t start_ns = clock_monotonic_ns();
    struct err err = image_find(self, thread, ask->sha256, &image);
    if (err.code == ERR_NOT_FOUND) {
        image_refuse(out, 404, "no accepted scan has this image");
        return;
    }
    if (!err_is(err) && !image_query_settle(&query, image.width, image.height, out->why)) {
        out->status = 400;
        return;
    }
    image_query_etag(&query, ask->sha256, etag);
    if (!err_is(err) && strstr(ask->known_etag, etag) != NULL) {
        /* What they have is what it is, and is looked at again. */
        err = access_tell(self, ask, &image);
        if (err_is(err)) {
            image_tell_err(ask, err, out);
            return;
        }
        out->status = 304;
        memcpy(out->etag, etag, sizeof etag);
        return;
    }
    if (!err_is(err)) {
        err = image_read(self, thread, ask, &query, &image, &view);
    }
    if (!err_is(err)) {
        err = image_encode(query.format, &view, out);
        view_fini(&view);
    }
    if (!err_is(err)) {
        err = access_tell(self, ask, &image);
    }
    if (err_is(err)) {
        image_tell_err(ask, err, out);
        return;
    }
    out->status = 200;
    memcpy(out->etag, etag, sizeof etag);
    counter_add(COUNTER_images_shown, 1);
    stage_took(STAGE_image, clock_monotonic_ns() - start_ns);
}

/* ---- open and close */

static struct err image_line_check(struct pipeline *self)
{
    struct in_addr address;
    if (inet_pton(AF_INET, self->conf.console_address, &address) != 1 ||
        ntohl(address.s_addr) >> 24 != 127) {
        (void)snprintf(self->why, sizeof self->why,
                       "console.images needs a loopback console.address (127.0.0.1): tokens and "
                       "images go unencrypted; put a TLS proxy in front");
        return err_make(ERR_CONF_INVALID, "console.images");
    }
    return err_none;
}

static struct err image_line_paths(struct image_line *self, char *viewers, char *blobs,
                                   char *archive)
{
    const struct conf *conf = &self->pipeline->conf;
    char keys[PIPELINE_PATH_BYTES];
    struct err err = conf_path(conf, conf->store_keys, keys, sizeof keys);
    if (!err_is(err) &&
        snprintf(viewers, PIPELINE_PATH_BYTES, "%s/viewers", keys) >= (int)PIPELINE_PATH_BYTES) {
        err = err_make(ERR_CONF_INVALID, "store.keys");
    }
    if (!err_is(err)) {
        err = conf_path(conf, "blobs", blobs, PIPELINE_PATH_BYTES);
    }
    if (!err_is(err)) {
        err = conf_path(conf, "archive", archive, PIPELINE_PATH_BYTES);
    }
    return err_is(err) ? err
                       : conf_path(conf, "state.db", self->state_path, sizeof self->state_path);
}

/* The archive, and the directories of archive.copy. */
static struct err image_line_reader(const struct conf *conf, const char *blobs, const char *archive,
                                    struct image_reader **out)
{
    char name[CONF_TEXT_BYTES];
    char place[PIPELINE_PATH_BYTES];
    struct err err = image_reader_open(blobs, archive, out);
    for (const char *at = conf->archive_copy; !err_is(err) && *at != '\0'; at += *at == ':') {
        size_t bytes = strcspn(at, ":");
        (void)snprintf(name, sizeof name, "%.*s", (int)bytes, at);
        at += bytes;
        if (bytes > 0) {
            err = conf_path(conf, name, place, sizeof place);
        }
        if (bytes > 0 && !err_is(err)) {
            err = image_reader_add_place(*out, place);
        }
    }
    return err;
}

struct err image_line_open(struct pipeline *pipeline, struct image_line **out)
{
    char viewers[PIPELINE_PATH_BYTES];
    char blobs[PIPELINE_PATH_BYTES];
    char archive[PIPELINE_PATH_BYTES];
    struct err err = image_line_check(pipeline);
    if (err_is(err)) {
        return err;
    }
    struct image_line *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return err_make(ERR_MEMORY, "image_line_open");
    }
    self->pipeline = pipeline;
    must(pthread_mutex_init(&self->lock, NULL) == 0);
    uint32_t threads = (uint32_t)pipeline->conf.console_image_threads;
    must(threads <= IMAGE_THREADS_MAX);
    err = image_line_paths(self, viewers, blobs, archive);
    if (!err_is(err)) {
        err = viewers_read(viewers, &self->viewers, pipeline->why);
    }
    for (uint32_t i = 0; i < threads && !err_is(err); i++) {
        err = image_line_reader(&pipeline->conf, blobs, archive, &self->readers[i]);
    }
    if (err_is(err)) {
        image_line_close(&self);
        return err;
    }
    self->conf =
        (struct console_images_conf){.viewers = self->viewers,
                                     .threads = threads,
                                     .images_max = (uint32_t)pipeline->conf.console_images_max,
                                     .make = image_make,
                                     .make_arg = self};
    diag_info(console, "images=on viewers=%u", viewers_count(self->viewers));
    *out = self;
    return err_none;
}

const struct console_images_conf *image_line_conf(const struct image_line *self)
{
    return self == NULL ? NULL : &self->conf;
}

void image_line_close(struct image_line **self)
{
    if (*self == NULL) {
        return;
    }
    for (uint32_t i = 0; i < IMAGE_THREADS_MAX; i++) {
        image_reader_close(&(*self)->readers[i]);
        state_close(&(*self)->states[i]);
    }
    viewers_free(&(*self)->viewers);
    must(pthread_mutex_destroy(&(*self)->lock) == 0);
    free(*self);
    *self = NULL;
}
