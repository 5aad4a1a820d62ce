/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/counter.h"
#include "base/diag.h"
#include "retention_parts.h"

/* Sealed files get their second copies, then payloads that nobody needs in blobs/ any more go. A
 * line of its own: a disk of copies may be slow, full or gone, and only copies wait for it. What is
 * to be copied and what was discarded is asked of the log (by way of the read model), never of a
 * note of our own. */

enum { RETENTION_NICE = 15 };

struct err retention_going(struct retention *self)
{
    bool stop = atomic_load(&self->pipeline->stop_retention) || pipeline_failed(self->pipeline);
    return stop ? err_make(ERR_CLOSED, "retention line") : err_none;
}

struct err retention_await(struct retention *self, uint64_t entry_index)
{
    struct err err = err_none;
    while (!err_is(err) && state_applied(self->state) <= entry_index) {
        void *ask;
        (void)queue_take(self->pipeline->retention_asks, &ask, 1, 2 * NS_PER_MS);
        err = retention_going(self);
    }
    return err;
}

struct archive_sealed retention_sealed(const struct state_seal *seal)
{
    return (struct archive_sealed){seal->path, seal->file_bytes, seal->sha256};
}

bool retention_is_trouble(struct err err)
{
    switch (err.code) {
    case ERR_IO:
    case ERR_DISK_FULL:
    case ERR_NOT_FOUND:
    case ERR_ARGUMENT:
    case ERR_ARCHIVE_WRITE:
    case ERR_ARCHIVE_DIFFERS:
        return true;
    default:
        return false;
    }
}

/* Goes into JSON as it is. */
static void plain_words(char *words)
{
    for (char *c = words; *c != '\0'; c++) {
        if (*c == '"' || *c == '\\' || (unsigned char)*c < ' ') {
            *c = '?';
        }
    }
}

void retention_tell(struct retention *self, char *trouble, const char *where, struct err err)
{
    char text[ERR_TEXT_BYTES] = "";
    char words[ERR_TEXT_BYTES] = "";
    if (err_is(err)) {
        (void)snprintf(words, sizeof words, "%.100s: %.150s", where, err_text(err, text));
    }
    plain_words(words);
    must(pthread_mutex_lock(&self->lock) == 0);
    bool changed = strcmp(trouble, words) != 0;
    (void)snprintf(trouble, ERR_TEXT_BYTES, "%s", words);
    must(pthread_mutex_unlock(&self->lock) == 0);
    if (changed && words[0] != '\0') {
        diag_warn(copied, "trouble=\"%s\"", words);
    } else if (changed) {
        diag_info(copied, "trouble=none where=%s", where);
    }
}

/* ---- copies ---- */

static struct err copy_append(struct retention *self, const struct retention_place *place,
                              const struct state_seal *seal)
{
    struct entry entry;
    uint64_t entry_index = 0;
    pipeline_entry(&entry, ENTRY_ARCHIVE_COPIED);
    struct entry_archive_copied *copied = &entry.body.archive_copied;
    copied->path = seal->path;
    copied->file_bytes = seal->file_bytes;
    memcpy(copied->sha256, seal->sha256, HASH_BYTES);
    copied->place = place->configured;
    copied->same_device = place->same_device;
    struct err err = pipeline_append(self->pipeline, &entry, &entry_index);
    return err_is(err) ? err : retention_await(self, entry_index);
}

/* A disk can go in the middle of a turn, and leave its mount point to be filled. */
static struct err place_again(const struct retention *self, const struct retention_place *place)
{
    const struct archive_place_rule rule = {.known = true, .may_share = true};
    bool same_device = false;
    struct err err = archive_place_check(self->archive, place->directory, rule, &same_device);
    if (!err_is(err) && same_device != place->same_device) {
        err = err_make(ERR_NOT_FOUND, "directory of copies changed its device");
    }
    return err;
}

struct err retention_copy(struct retention *self, struct retention_place *place,
                          const struct state_seal *seal, bool told)
{
    bool made = false;
    const struct archive_sealed sealed = retention_sealed(seal);
    struct err err = place_again(self, place);
    if (!err_is(err)) {
        err = archive_copy_make(self->archive, place->directory, &sealed,
                                &self->pipeline->stop_retention, &made);
    }
    if (!err_is(err)) {
        err = place_again(self, place);
    }
    if (err_is(err) || (told && !made)) {
        return err;
    }
    err = copy_append(self, place, seal);
    if (!err_is(err)) {
        counter_add(COUNTER_archive_copies, 1);
        diag_info(copied, "path=%s place=%s bytes=%llu", seal->path, place->configured,
                  (unsigned long long)seal->file_bytes);
    }
    return err;
}

static struct err place_look(struct retention *self, struct retention_place *place)
{
    struct archive_place_rule rule = {.may_share = self->pipeline->conf.archive_copy_same_device};
    struct err err = state_place_known(self->state, place->configured, &rule.known);
    if (!err_is(err)) {
        err = archive_place_check(self->archive, place->directory, rule, &place->same_device);
    }
    if (!err_is(err) && !place->swept) { /* part files of a copy that was cut off */
        err = archive_sweep(place->directory);
        place->swept = !err_is(err);
    }
    place->usable = !err_is(err);
    return err;
}

struct source_trouble {
    struct err err; /* of the first; err_none: there was none */
    char path[sizeof((struct state_seal *)NULL)->path];
};

/* A sealed file that is damaged itself is not the place's trouble: the others go on. */
static struct err place_copy(struct retention *self, struct retention_place *place,
                             const struct state_seal *seal, struct source_trouble *source)
{
    const struct archive_sealed sealed = retention_sealed(seal);
    struct err err = retention_copy(self, place, seal, false);
    if (!retention_is_trouble(err)) {
        return err;
    }
    struct err here = archive_copy_check(self->archive, &sealed, &self->pipeline->stop_retention);
    if (!retention_is_trouble(here)) {
        return err_is(here) ? here : err;
    }
    if (!err_is(source->err)) {
        source->err = here;
        memcpy(source->path, seal->path, sizeof source->path);
    }
    return err_none;
}

/* All that this place still lacks, oldest first; trouble of the place ends it for this turn. */
static struct err place_fill(struct retention *self, struct retention_place *place)
{
    struct state_seal seal = {.entry_index = UINT64_MAX};
    struct err err = place_look(self, place);
    struct err end = err_none;
    struct source_trouble source = {.err = err_none};
    while (!err_is(err) && !err_is(end)) {
        end = state_seal_next(self->state, seal.entry_index, place->configured, &seal);
        if (!err_is(end)) {
            err = place_copy(self, place, &seal, &source);
            err = err_is(err) ? err : retention_going(self);
        }
    }
    if (retention_is_trouble(err)) {
        place->usable = false;
        counter_add(COUNTER_archive_copies_failed, 1);
        retention_tell(self, place->trouble, place->configured, err);
        return end.code == ERR_NOT_FOUND ? err_none : end;
    }
    if (!err_is(err)) {
        bool good = !err_is(source.err);
        counter_add(COUNTER_archive_copies_failed, good ? 0 : 1);
        retention_tell(self, place->trouble, good ? place->configured : source.path, source.err);
        err = end.code == ERR_NOT_FOUND ? err_none : end;
    }
    return err;
}

static struct err retention_count(struct retention *self)
{
    uint64_t all = 0;
    int64_t oldest_ns = 0;
    struct err err = err_none;
    for (uint32_t i = 0; i < self->places_count && !err_is(err); i++) {
        uint64_t waiting = 0;
        int64_t since_ns = 0;
        err = state_copies_waiting(self->state, self->places[i].configured, &waiting, &since_ns);
        must(pthread_mutex_lock(&self->lock) == 0);
        self->places[i].waiting = waiting;
        self->places[i].since_ns = since_ns;
        must(pthread_mutex_unlock(&self->lock) == 0);
        all += waiting;
        oldest_ns = since_ns > 0 && (oldest_ns == 0 || since_ns < oldest_ns) ? since_ns : oldest_ns;
    }
    counter_set(COUNTER_waiting_copies, all);
    counter_set(COUNTER_waiting_copy_unix_s, (uint64_t)oldest_ns / (uint64_t)NS_PER_S);
    return err;
}

static struct err retention_turn(struct retention *self)
{
    /* The seal that woke this line may be in a transaction of the judge line still. */
    uint64_t judged = atomic_load(&self->pipeline->judged);
    struct err err = judged == 0 ? err_none : retention_await(self, judged - 1);
    if (!err_is(err)) {
        err = retention_count(self);
    }
    for (uint32_t i = 0; i < self->places_count && !err_is(err); i++) {
        err = place_fill(self, &self->places[i]);
    }
    if (!err_is(err)) {
        err = retention_count(self);
    }
    if (!err_is(err) && self->pipeline->conf.retention_discard) {
        err = retention_discard(self);
    }
    return err;
}

/* ---- the line ---- */

/* Waits for a seal, or until the interval is over. */
static void retention_wait(struct retention *self, uint64_t sealed_before)
{
    int64_t until_ns = clock_monotonic_ns() +
                       (int64_t)(self->pipeline->conf.retention_interval_s * (double)NS_PER_S);
    while (!err_is(retention_going(self)) && clock_monotonic_ns() < until_ns &&
           atomic_load(&self->pipeline->sealed) == sealed_before) {
        void *ask;
        (void)queue_take(self->pipeline->retention_asks, &ask, 1, 200 * NS_PER_MS);
    }
}

static struct err retention_run(struct retention *self)
{
    struct pipeline *pipeline = self->pipeline;
    char path[PIPELINE_PATH_BYTES];
    struct err err = conf_path(&pipeline->conf, "state.db", path, sizeof path);
    if (!err_is(err)) {
        err = state_open_readonly(path, &self->state);
    }
    while (!err_is(err) && !err_is(retention_going(self))) {
        uint64_t sealed = atomic_load(&pipeline->sealed);
        err = retention_turn(self);
        if (!err_is(err)) {
            retention_wait(self, sealed);
        }
    }
    state_close(&self->state);
    return err;
}

void *retention_line(void *arg)
{
    struct pipeline *pipeline = arg;
    (void)pthread_setname_np(pthread_self(), "retention");
    (void)setpriority(PRIO_PROCESS, (id_t)gettid(), RETENTION_NICE); /* nobody waits for it */
    struct err err = retention_run(pipeline->retention);
    if (err_is(err) && err.code != ERR_CLOSED) {
        pipeline_fail(pipeline, err);
    }
    return NULL;
}

/* ---- health ---- */

static void place_health(const struct retention_place *place, char *out, size_t out_capacity)
{
    char name[CONF_TEXT_BYTES];
    (void)snprintf(name, sizeof name, "%s", place->configured);
    plain_words(name);
    double waits_s =
        place->since_ns == 0 ? 0.0 : (double)(clock_utc_ns() - place->since_ns) / (double)NS_PER_S;
    (void)snprintf(out, out_capacity,
                   "{\"place\":\"%.120s\",\"waiting\":%llu,\"waits_s\":%.0f,\"trouble\":\"%s\"}",
                   name, (unsigned long long)place->waiting, waits_s, place->trouble);
}

void retention_health(struct pipeline *pipeline, char *out, size_t out_capacity)
{
    struct retention *self = pipeline->retention;
    size_t used = 0;
    out[0] = '\0';
    if (self == NULL) {
        return;
    }
    must(out_capacity >= RETENTION_HEALTH_BYTES);
    must(pthread_mutex_lock(&self->lock) == 0);
    used += (size_t)snprintf(out, out_capacity, ",\"copies\":[");
    for (uint32_t i = 0; i < self->places_count && used + 1024 < out_capacity; i++) {
        out[used] = ',';
        used += i > 0 ? 1 : 0;
        place_health(&self->places[i], out + used, out_capacity - used);
        used += strlen(out + used);
    }
    (void)snprintf(out + used, out_capacity - used,
                   "],\"discarding\":%s,\"discarding_trouble\":\"%s\"",
                   pipeline->conf.retention_discard ? "true" : "false", self->trouble);
    must(pthread_mutex_unlock(&self->lock) == 0);
}
