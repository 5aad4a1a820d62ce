/* SPDX-License-Identifier: Apache-2.0 */
#include "console/console_images.h"

#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/queue.h"

#define THREADS_MAX 16u

struct image_job {
    struct console_images *owner;
    struct MHD_Connection *connection;
    struct console_ask ask;
    struct console_picture picture;
    _Atomic bool made; /* what hands the picture over to the console's thread */
};

struct image_thread {
    struct console_images *owner;
    uint32_t number;
    pthread_t thread;
    bool started;
};

struct console_images {
    struct console_images_conf conf;
    struct queue *queue;
    struct image_thread threads[THREADS_MAX];
    _Atomic uint32_t jobs; /* made or sent */
};

/* ---- the threads that have pictures made */

static void *images_run(void *arg)
{
    struct image_thread *self = arg;
    void *taken = NULL;
    (void)pthread_setname_np(pthread_self(), "images");
    while (queue_take(self->owner->queue, &taken, 1, -1) > 0) {
        struct image_job *job = taken;
        self->owner->conf.make(self->owner->conf.make_arg, self->number, &job->ask, &job->picture);
        struct MHD_Connection *connection = job->connection;
        atomic_store(&job->made, true); /* from here on the job is the console's thread's again */
        MHD_resume_connection(connection);
    }
    return NULL;
}

struct err console_images_open(const struct console_images_conf *conf, struct console_images **out)
{
    must(conf->threads >= 1 && conf->threads <= THREADS_MAX && conf->images_max >= 1);
    struct console_images *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return err_make(ERR_MEMORY, "console_images_open");
    }
    self->conf = *conf;
    struct err err = queue_open(conf->images_max, &self->queue);
    for (uint32_t i = 0; i < conf->threads && !err_is(err); i++) {
        struct image_thread *thread = &self->threads[i];
        *thread = (struct image_thread){.owner = self, .number = i};
        int fault = pthread_create(&thread->thread, NULL, images_run, thread);
        thread->started = fault == 0;
        err = fault == 0 ? err_none : (struct err){ERR_THREAD, fault, "pthread_create"};
    }
    if (err_is(err)) {
        console_images_close(&self);
        return err;
    }
    *out = self;
    return err_none;
}

void console_images_stop(struct console_images *self)
{
    if (self->queue != NULL) {
        queue_stop(self->queue); /* what is inside is still made */
    }
    for (uint32_t i = 0; i < THREADS_MAX; i++) {
        if (self->threads[i].started) {
            must(pthread_join(self->threads[i].thread, NULL) == 0);
            self->threads[i].started = false;
        }
    }
}

void console_images_close(struct console_images **self)
{
    if (*self != NULL) {
        console_images_stop(*self);
        must(atomic_load(&(*self)->jobs) == 0);
        queue_free(&(*self)->queue);
        free(*self);
        *self = NULL;
    }
}

/* ---- the console's own thread */

struct parameters {
    struct image_query *query;
    char *why;
    bool good;
};

static enum MHD_Result parameter_add(void *arg, enum MHD_ValueKind kind, const char *name,
                                     size_t name_bytes, const char *value, size_t value_bytes)
{
    struct parameters *self = arg;
    (void)kind;
    self->good = image_query_add(self->query, name, name_bytes, value, value_bytes, self->why);
    return self->good ? MHD_YES : MHD_NO;
}

static unsigned refuse(unsigned status, char *why, const char *words)
{
    (void)snprintf(why, IMAGE_QUERY_WHY_BYTES, "%s", words);
    return status;
}

/* Who asks is found out first: a stranger learns nothing of what a request should look like. */
static unsigned images_read(const struct console_images *self, struct MHD_Connection *connection,
                            const char *path, struct console_ask *ask, char *why)
{
    struct parameters parameters = {&ask->query, why, true};
    const char *authorization =
        MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_AUTHORIZATION);
    const char *known =
        MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_IF_NONE_MATCH);
    ask->viewer = viewers_find(self->conf.viewers, authorization);
    if (ask->viewer == NULL) {
        return refuse(MHD_HTTP_UNAUTHORIZED, why, "images are for those who have a token");
    }
    if (!image_path_read(path, ask->sha256)) {
        return refuse(MHD_HTTP_BAD_REQUEST, why,
                      "an image is named by the 64 hexadecimal digits of its SHA-256");
    }
    image_query_init(&ask->query);
    (void)MHD_get_connection_values_n(connection, MHD_GET_ARGUMENT_KIND, parameter_add,
                                      &parameters);
    if (!parameters.good) {
        return MHD_HTTP_BAD_REQUEST;
    }
    (void)snprintf(ask->known_etag, sizeof ask->known_etag, "%s", known == NULL ? "" : known);
    return MHD_HTTP_OK;
}

bool console_images_take(struct console_images *self, struct MHD_Connection *connection,
                         const char *path, void **job_out, unsigned *status,
                         char why[IMAGE_QUERY_WHY_BYTES])
{
    struct console_ask ask = {.viewer = NULL};
    *status = images_read(self, connection, path, &ask, why);
    if (*status != MHD_HTTP_OK) {
        return false;
    }
    if (queue_is_stopped(self->queue)) {
        *status = refuse(MHD_HTTP_SERVICE_UNAVAILABLE, why, "the daemon stops");
        return false;
    }
    bool full = atomic_fetch_add(&self->jobs, 1) >= self->conf.images_max;
    struct image_job *job = full ? NULL : calloc(1, sizeof *job);
    if (job == NULL) {
        (void)atomic_fetch_sub(&self->jobs, 1);
        *status = refuse(MHD_HTTP_SERVICE_UNAVAILABLE, why, "too many images at a time");
        return false;
    }
    job->owner = self;
    job->connection = connection;
    job->ask = ask;
    job->picture.status = MHD_HTTP_SERVICE_UNAVAILABLE;
    *job_out = job;
    MHD_suspend_connection(connection); /* before a thread can resume it */
    if (err_is(queue_try_put(self->queue, job))) {
        atomic_store(&job->made, true);
        MHD_resume_connection(connection); /* stopped meanwhile: 503 */
    }
    return true;
}

static void add_number(struct MHD_Response *response, const char *name, uint32_t value)
{
    char text[16];
    (void)snprintf(text, sizeof text, "%u", value);
    (void)MHD_add_response_header(response, name, text);
}

static void add_headers(struct MHD_Response *response, const struct console_picture *picture)
{
    (void)MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL,
                                  picture->etag[0] != '\0' ? "private, no-cache" : "no-store");
    if (picture->etag[0] != '\0') {
        (void)MHD_add_response_header(response, MHD_HTTP_HEADER_ETAG, picture->etag);
        (void)MHD_add_response_header(response, MHD_HTTP_HEADER_VARY, "Authorization");
    }
    if (picture->status == MHD_HTTP_OK) {
        add_number(response, "X-Image-Width", picture->width);
        add_number(response, "X-Image-Height", picture->height);
        add_number(response, "X-Image-Bits", picture->bits);
        (void)MHD_add_response_header(response, "X-Image-Checked", picture->checked);
        (void)MHD_add_response_header(response, "X-Image-From",
                                      picture->is_sealed ? "sealed" : "blob");
    } else if (picture->status == MHD_HTTP_SERVICE_UNAVAILABLE) {
        (void)MHD_add_response_header(response, MHD_HTTP_HEADER_RETRY_AFTER, "1");
    }
}

bool console_images_answer(struct MHD_Connection *connection, void *opaque)
{
    struct image_job *job = opaque;
    struct console_picture *picture = &job->picture;
    must(atomic_load(&job->made));
    bool shown = picture->status == MHD_HTTP_OK;
    if (!shown && picture->why[0] == '\0' && picture->status != MHD_HTTP_NOT_MODIFIED) {
        (void)snprintf(picture->why, sizeof picture->why, "not now");
    }
    char line[sizeof picture->why + 1];
    (void)snprintf(line, sizeof line, "%s%s", picture->why, picture->why[0] == '\0' ? "" : "\n");
    struct MHD_Response *response =
        shown ? MHD_create_response_from_buffer(picture->bytes_count, picture->bytes,
                                                MHD_RESPMEM_PERSISTENT) /* the job's, to its end */
              : MHD_create_response_from_buffer(strlen(line), line, MHD_RESPMEM_MUST_COPY);
    if (response == NULL) {
        return false;
    }
    if (shown || picture->why[0] != '\0') {
        (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE,
                                      shown ? picture->type : "text/plain; charset=utf-8");
    }
    add_headers(response, picture);
    enum MHD_Result result = MHD_queue_response(connection, picture->status, response);
    MHD_destroy_response(response);
    return result == MHD_YES;
}

void console_images_drop(void *opaque)
{
    struct image_job *job = opaque;
    free(job->picture.bytes);
    (void)atomic_fetch_sub(&job->owner->jobs, 1);
    free(job);
}
