/* SPDX-License-Identifier: Apache-2.0 */
#include "publisher/triage_publisher.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "publisher/flow.h"
#include "publisher/link.h"
#include "publisher/spool.h"

/* The face of the library: checks a record by the very decoder that the daemon uses, spools it, and
 * lets flow.c send. */

#define TIMEOUT_MS_MAX INT64_C(3155760000000) /* a hundred years: no overflow in ns */

struct triage_publisher {
    struct spool *spool;
    struct link *link;
    struct flow *flow;
    uint8_t *body; /* RECORD_BODY_BYTES_MAX */
    uint8_t *arena_bytes;
    char error[FLOW_ERROR_BYTES + ERR_TEXT_BYTES];
};

static void error_set(struct triage_publisher *self, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void error_set(struct triage_publisher *self, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(self->error, sizeof self->error, format, arguments);
    va_end(arguments);
}

static enum triage_publisher_status status_of(struct triage_publisher *self, struct err err)
{
    char text[ERR_TEXT_BYTES];
    error_set(self, "%s", err_text(err, text));
    return err.code == ERR_KEY ? TRIAGE_PUBLISHER_KEY_ERROR : TRIAGE_PUBLISHER_SPOOL_ERROR;
}

static bool stream_name_is_good(const char *stream)
{
    size_t bytes = stream == NULL ? 0 : strlen(stream);
    return bytes > 0 && bytes <= WIRE_STREAM_BYTES_MAX &&
           strspn(stream, "abcdefghijklmnopqrstuvwxyz0123456789.-") == bytes;
}

static struct err parts_open(struct triage_publisher *self,
                             const struct triage_publisher_conf *conf)
{
    self->body = malloc(RECORD_BODY_BYTES_MAX);
    self->arena_bytes = malloc(RECORD_ARENA_BYTES);
    if (self->body == NULL || self->arena_bytes == NULL) {
        return err_make(ERR_MEMORY, "triage_publisher_open");
    }
    struct spool_conf spool_conf = {.directory = conf->spool_directory,
                                    .stream = conf->stream,
                                    .bytes_max = conf->spool_bytes_max,
                                    .sync = conf->sync};
    struct flow_conf flow_conf = {.stream = conf->stream,
                                  .software = conf->software == NULL ? "" : conf->software,
                                  .on_refusal = conf->on_refusal,
                                  .on_refusal_arg = conf->on_refusal_arg};
    struct err err = link_open(conf->endpoint, conf->key_file, conf->daemon_key_file, &self->link);
    if (!err_is(err)) {
        err = spool_open(&spool_conf, &self->spool);
    }
    return err_is(err) ? err : flow_open(&flow_conf, self->spool, self->link, &self->flow);
}

enum triage_publisher_status triage_publisher_open(const struct triage_publisher_conf *conf,
                                                   struct triage_publisher **out, char *error)
{
    enum triage_publisher_status status = TRIAGE_PUBLISHER_OK;
    const char *why = "";
    char text[ERR_TEXT_BYTES];
    *out = NULL;
    struct triage_publisher *self = calloc(1, sizeof *self);
    if (self == NULL) {
        status = TRIAGE_PUBLISHER_SPOOL_ERROR;
        why = "no memory";
    } else if (!stream_name_is_good(conf->stream)) {
        status = TRIAGE_PUBLISHER_INVALID;
        why = "stream must be 1 to 32 characters of a-z, 0-9, '.' and '-'";
    } else {
        struct err err = parts_open(self, conf);
        if (err_is(err)) {
            bool key = err.code == ERR_KEY || err.code == ERR_SOCKET;
            status = key ? TRIAGE_PUBLISHER_KEY_ERROR : TRIAGE_PUBLISHER_SPOOL_ERROR;
            why = err_text(err, text);
        }
    }
    if (error != NULL) {
        (void)snprintf(error, 256, "%s", why);
    }
    if (status != TRIAGE_PUBLISHER_OK) {
        triage_publisher_close(&self);
        return status;
    }
    *out = self;
    return status;
}

void triage_publisher_close(struct triage_publisher **self)
{
    struct triage_publisher *publisher = *self;
    if (publisher == NULL) {
        return;
    }
    flow_close(&publisher->flow);
    link_close(&publisher->link);
    spool_close(&publisher->spool);
    free(publisher->body);
    free(publisher->arena_bytes);
    free(publisher);
    *self = NULL;
}

/* Spools a record whose bounds were checked. */
static enum triage_publisher_status
record_spool(struct triage_publisher *self, const struct spool_record *record, uint64_t *sequence)
{
    struct err err = spool_append(self->spool, record);
    if (err.code == ERR_QUEUE_FULL) { /* answers that came meanwhile may have made room */
        err = flow_step(self->flow, 0);
        err = err_is(err) ? err : spool_append(self->spool, record);
    }
    if (err.code == ERR_QUEUE_FULL) {
        error_set(self, "the spool is full: %" PRIu64 " records wait for the daemon",
                  spool_next(self->spool) - spool_released(self->spool));
        return TRIAGE_PUBLISHER_SPOOL_FULL;
    }
    if (err_is(err)) {
        return status_of(self, err);
    }
    if (sequence != NULL) {
        *sequence = spool_next(self->spool) - 1 + spool_offset(self->spool);
    }
    err = flow_step(self->flow, 0);
    if (err_is(
            err)) { /* the record is safe; sending is tried, and fails, again with the next call */
        (void)status_of(self, err);
    }
    return TRIAGE_PUBLISHER_OK;
}

static enum triage_publisher_status invalid(struct triage_publisher *self, enum refusal refusal,
                                            const char *where)
{
    error_set(self, "%s: %s", where == NULL ? "record" : where, refusal_sentence(refusal));
    return TRIAGE_PUBLISHER_INVALID;
}

enum triage_publisher_status triage_publisher_declaration(struct triage_publisher *self,
                                                          const struct declaration *declaration,
                                                          uint64_t *sequence)
{
    self->error[0] = '\0';
    size_t body_bytes = declaration_encode(declaration, self->body, RECORD_BODY_BYTES_MAX);
    if (body_bytes > RECORD_BODY_BYTES_MAX) {
        return invalid(self, REFUSAL_TOO_LARGE, "declaration");
    }
    struct arena arena;
    arena_init(&arena, self->arena_bytes, RECORD_ARENA_BYTES);
    struct declaration checked;
    const char *where = NULL;
    enum refusal refusal = declaration_decode(self->body, body_bytes, &arena, &checked, &where);
    if (refusal != REFUSAL_NONE) {
        return invalid(self, refusal, where);
    }
    struct spool_record record = {
        .kind = RECORD_DECLARATION, .body = self->body, .body_bytes = (uint32_t)body_bytes};
    sha256_of(self->body, body_bytes, record.digest);
    return record_spool(self, &record, sequence);
}

/* Encodes the scan into self->body with these images and checks it. */
static enum refusal scan_prepare(struct triage_publisher *self, const struct scan *scan,
                                 const struct image *images, size_t *body_bytes, const char **where)
{
    struct scan whole = *scan;
    whole.images = images;
    *body_bytes = scan_encode(&whole, self->body, RECORD_BODY_BYTES_MAX);
    if (*body_bytes > RECORD_BODY_BYTES_MAX) {
        *where = "scan";
        return REFUSAL_TOO_LARGE;
    }
    struct arena arena;
    arena_init(&arena, self->arena_bytes, RECORD_ARENA_BYTES);
    struct scan checked;
    return scan_decode(self->body, *body_bytes, &arena, &checked, where);
}

enum triage_publisher_status triage_publisher_scan(struct triage_publisher *self,
                                                   const struct scan *scan,
                                                   const void *const *images, uint64_t *sequence)
{
    self->error[0] = '\0';
    if (scan->images_count > RECORD_IMAGES_MAX) {
        return invalid(self, REFUSAL_TOO_LARGE, "images");
    }
    struct image measured[RECORD_IMAGES_MAX];
    for (uint32_t i = 0; i < scan->images_count; i++) {
        measured[i] = scan->images[i];
        measured[i].payload_bytes =
            (uint64_t)measured[i].width * measured[i].height * (measured[i].bits / 8);
        memset(measured[i].sha256, 0, HASH_BYTES);
    }
    /* Everything but the digests is checked before a pixel is read: width and height say how many
     * there are. */
    size_t body_bytes = 0;
    const char *where = NULL;
    enum refusal refusal = scan_prepare(self, scan, measured, &body_bytes, &where);
    if (refusal != REFUSAL_NONE) {
        return invalid(self, refusal, where);
    }
    struct spool_record record = {
        .kind = RECORD_SCAN, .body = self->body, .images_count = scan->images_count};
    for (uint32_t i = 0; i < scan->images_count; i++) {
        sha256_of(images[i], (size_t)measured[i].payload_bytes, measured[i].sha256);
        record.images[i] = images[i];
        record.images_bytes[i] = measured[i].payload_bytes;
    }
    refusal = scan_prepare(self, scan, measured, &body_bytes, &where);
    if (refusal != REFUSAL_NONE) {
        return invalid(self, refusal, where);
    }
    record.body_bytes = (uint32_t)body_bytes;
    sha256_of(self->body, body_bytes, record.digest);
    return record_spool(self, &record, sequence);
}

enum triage_publisher_status
triage_publisher_raw(struct triage_publisher *self, enum record_kind kind, const uint8_t *body,
                     uint32_t body_bytes, const uint8_t digest[32], const void *const *images,
                     const uint64_t *images_bytes, uint32_t images_count, uint64_t *sequence)
{
    self->error[0] = '\0';
    if (body_bytes > SPOOL_BODY_BYTES_MAX || images_count > RECORD_IMAGES_MAX) {
        return invalid(self, REFUSAL_TOO_LARGE, "raw record");
    }
    struct spool_record record = {
        .kind = kind, .body = body, .body_bytes = body_bytes, .images_count = images_count};
    memcpy(record.digest, digest, HASH_BYTES);
    for (uint32_t i = 0; i < images_count; i++) {
        record.images[i] = images[i];
        record.images_bytes[i] = images_bytes[i];
    }
    return record_spool(self, &record, sequence);
}

enum triage_publisher_status triage_publisher_drain(struct triage_publisher *self,
                                                    uint64_t waiting_max, int64_t timeout_ms)
{
    self->error[0] = '\0';
    int64_t bounded_ms = timeout_ms > TIMEOUT_MS_MAX ? TIMEOUT_MS_MAX : timeout_ms;
    int64_t deadline_ns = clock_monotonic_ns() + bounded_ms * NS_PER_MS;
    int step_ms = 0;
    for (;;) {
        struct err err = flow_step(self->flow, step_ms);
        if (err_is(err)) {
            return status_of(self, err);
        }
        if (spool_next(self->spool) - spool_released(self->spool) <= waiting_max) {
            return TRIAGE_PUBLISHER_OK;
        }
        int64_t left_ms = (deadline_ns - clock_monotonic_ns()) / NS_PER_MS;
        if (left_ms <= 0 || flow_is_stuck(self->flow)) {
            break;
        }
        step_ms = left_ms > 1000 ? 1000 : (int)left_ms;
    }
    const char *refusal = flow_refusal(self->flow);
    error_set(self, "%s", refusal[0] != '\0' ? refusal : "not everything was acknowledged in time");
    return refusal[0] != '\0' ? TRIAGE_PUBLISHER_BYE : TRIAGE_PUBLISHER_TIMEOUT;
}

void triage_publisher_counts(const struct triage_publisher *self,
                             struct triage_publisher_counts *out)
{
    *out = (struct triage_publisher_counts){0};
    flow_counts(self->flow, out);
    out->waiting = spool_next(self->spool) - spool_released(self->spool);
    out->spooled = out->waiting + out->acknowledged;
}

const char *triage_publisher_error(const struct triage_publisher *self)
{
    return self->error;
}
