/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/verdict_feed.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <zmq.h>

#include "base/counter.h"
#include "base/diag.h"
#include "ingest/server_socket.h"
#include "ingest/zap.h"

/* Verdicts are encoded by the thread that has them, so that the ring holds bytes of a known bound
 * and the owner thread, which also receives records, only copies and sends. */

enum {
    FEED_TOPIC_BYTES = 128, /* "verdict." mode "." site of at most 64 bytes */
    FEED_VERDICT_BYTES_MAX = 4096,
    FEED_SUBSCRIPTION_BYTES_MAX = 512,
    FEED_SUBSCRIPTIONS_PER_TURN = 64,
    FEED_VERDICTS_PER_TURN = 1024
};

struct feed_verdict {
    uint32_t topic_bytes;
    uint32_t verdict_bytes;
    char topic[FEED_TOPIC_BYTES];
    uint8_t verdict[FEED_VERDICT_BYTES_MAX];
};

struct verdict_feed {
    void *socket;
    char endpoint[SERVER_ENDPOINT_BYTES];
    int fd;               /* eventfd, non-zero while count > 0 */
    pthread_mutex_t lock; /* guards the ring: first, count, verdicts */
    uint32_t first;
    uint32_t count;
    uint32_t capacity;
    struct feed_verdict *verdicts;
    struct feed_verdict sending; /* the owner thread's copy */
};

struct err verdict_feed_open(const struct ingest_conf *conf, void *context, const char *secret_key,
                             struct verdict_feed **out)
{
    must(conf->verdicts_max > 0);
    struct verdict_feed *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return err_make(ERR_MEMORY, "verdict_feed_open");
    }
    must(pthread_mutex_init(&self->lock, NULL) == 0);
    self->capacity = conf->verdicts_max;
    self->verdicts = calloc(conf->verdicts_max, sizeof *self->verdicts);
    self->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    struct err err = err_none;
    if (self->verdicts == NULL) {
        err = err_make(ERR_MEMORY, "verdict_feed_open");
    } else if (self->fd < 0) {
        err = err_os(ERR_SOCKET, "eventfd");
    } else {
        struct server_socket_conf socket_conf = {.context = context,
                                                 .kind = SERVER_FEED,
                                                 .endpoint = conf->verdict_endpoint,
                                                 .domain = ZAP_DOMAIN_SUBSCRIBERS,
                                                 .secret_key = secret_key,
                                                 .part_bytes_max = FEED_SUBSCRIPTION_BYTES_MAX,
                                                 .receive_messages = 256,
                                                 .send_messages = 4096};
        err = server_socket_open(&socket_conf, &self->socket, self->endpoint);
    }
    if (err_is(err)) {
        verdict_feed_close(&self);
        return err;
    }
    *out = self;
    return err_none;
}

void verdict_feed_close(struct verdict_feed **self)
{
    struct verdict_feed *feed = *self;
    if (feed == NULL) {
        return;
    }
    server_socket_close(&feed->socket, 200);
    if (feed->fd >= 0) {
        (void)close(feed->fd);
    }
    must(pthread_mutex_destroy(&feed->lock) == 0);
    free(feed->verdicts);
    free(feed);
    *self = NULL;
}

void *verdict_feed_socket(const struct verdict_feed *self)
{
    return self->socket;
}

const char *verdict_feed_endpoint(const struct verdict_feed *self)
{
    return self->endpoint;
}

int verdict_feed_fd(const struct verdict_feed *self)
{
    return self->fd;
}

void verdict_feed_put(struct verdict_feed *self, const struct wire_verdict *verdict)
{
    struct feed_verdict fresh;
    size_t bytes = wire_verdict_encode(verdict, fresh.verdict, sizeof fresh.verdict);
    int topic_bytes = snprintf(fresh.topic, sizeof fresh.topic, "verdict.%s.%s",
                               mode_text(verdict->mode), verdict->site);
    if (bytes == 0 || topic_bytes < 0 || topic_bytes >= (int)sizeof fresh.topic) {
        counter_add(COUNTER_verdicts_dropped, 1);
        diag_warn(feed, "error=too_large");
        return;
    }
    fresh.topic_bytes = (uint32_t)topic_bytes;
    fresh.verdict_bytes = (uint32_t)bytes;
    bool dropped = false;
    must(pthread_mutex_lock(&self->lock) == 0);
    if (self->count == self->capacity) {
        self->first = (self->first + 1) % self->capacity;
        self->count--;
        dropped = true;
    }
    struct feed_verdict *place = &self->verdicts[(self->first + self->count) % self->capacity];
    place->topic_bytes = fresh.topic_bytes;
    place->verdict_bytes = fresh.verdict_bytes;
    memcpy(place->topic, fresh.topic, fresh.topic_bytes);
    memcpy(place->verdict, fresh.verdict, fresh.verdict_bytes);
    self->count++;
    if (self->count == 1 && !dropped) { /* one wake an empty-to-full turn */
        must(eventfd_write(self->fd, 1) == 0);
    }
    must(pthread_mutex_unlock(&self->lock) == 0);
    if (dropped) {
        counter_add(COUNTER_verdicts_dropped, 1);
    }
}

/* Moves the oldest verdict to self->sending. False when none waits; then the descriptor is quiet
 * again. */
static bool verdict_take(struct verdict_feed *self)
{
    must(pthread_mutex_lock(&self->lock) == 0);
    bool took = self->count > 0;
    if (took) {
        const struct feed_verdict *oldest = &self->verdicts[self->first];
        self->sending.topic_bytes = oldest->topic_bytes;
        self->sending.verdict_bytes = oldest->verdict_bytes;
        memcpy(self->sending.topic, oldest->topic, oldest->topic_bytes);
        memcpy(self->sending.verdict, oldest->verdict, oldest->verdict_bytes);
        self->first = (self->first + 1) % self->capacity;
        self->count--;
        if (self->count == 0) {
            eventfd_t seen;
            must(eventfd_read(self->fd, &seen) == 0);
        }
    }
    must(pthread_mutex_unlock(&self->lock) == 0);
    return took;
}

void verdict_feed_send(struct verdict_feed *self)
{
    const struct feed_verdict *verdict = &self->sending;
    for (int i = 0; i < FEED_VERDICTS_PER_TURN && verdict_take(self); i++) {
        /* An XPUB never waits: whoever is behind by its high-water mark loses this one. */
        bool sent =
            zmq_send(self->socket, verdict->topic, verdict->topic_bytes,
                     ZMQ_SNDMORE | ZMQ_DONTWAIT) >= 0 &&
            zmq_send(self->socket, wire_tag_text(WIRE_VERDICT), WIRE_TAG_BYTES,
                     ZMQ_SNDMORE | ZMQ_DONTWAIT) >= 0 &&
            zmq_send(self->socket, verdict->verdict, verdict->verdict_bytes, ZMQ_DONTWAIT) >= 0;
        counter_add(sent ? COUNTER_verdicts_sent : COUNTER_verdicts_dropped, 1);
    }
}

void verdict_feed_read(struct verdict_feed *self)
{
    /* libzmq keeps the subscriptions itself; what it shows us of them only must not pile up. */
    uint8_t subscription[FEED_SUBSCRIPTION_BYTES_MAX];
    for (int i = 0; i < FEED_SUBSCRIPTIONS_PER_TURN; i++) {
        if (zmq_recv(self->socket, subscription, sizeof subscription, ZMQ_DONTWAIT) < 0) {
            return;
        }
    }
}
