/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/ingest.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#include "base/clock.h"
#include "ingest/allow_list.h"
#include "ingest/command_line.h"
#include "ingest/line.h"
#include "ingest/verdict_feed.h"
#include "ingest/zap.h"
#include "publisher/curve_key.h"

/* One thread, one poll over everything that can happen. Handshakes are served on every turn, also
 * while records are not read because slots or bytes are used up. */

enum { INGEST_POLL_ITEMS = 6 };

struct ingest {
    void *context;
    struct allow_list *publishers;
    struct allow_list *subscribers;
    struct zap *zap;
    struct line *line;
    struct command_line *commands; /* NULL when there is no endpoint for it; the same below */
    struct verdict_feed *feed;
};

static struct err sockets_open(struct ingest *self, const struct ingest_conf *conf,
                               const char *secret_key, const struct ingest_stream *streams,
                               uint32_t streams_count)
{
    bool has_feed = conf->verdict_endpoint[0] != '\0';
    struct err err = allow_list_open(conf->publishers_directory, &self->publishers);
    if (!err_is(err) && has_feed) {
        err = allow_list_open(conf->subscribers_directory, &self->subscribers);
    }
    if (!err_is(err)) {
        err = zap_open(self->context, self->publishers, self->subscribers, &self->zap);
    }
    if (!err_is(err)) {
        err = line_open(conf, self->context, secret_key, streams, streams_count, &self->line);
    }
    if (!err_is(err) && has_feed) {
        err = verdict_feed_open(conf, self->context, secret_key, &self->feed);
    }
    if (!err_is(err) && conf->command_endpoint[0] != '\0') {
        err = command_line_open(conf, self->context, &self->commands);
    }
    return err;
}

struct err ingest_open(const struct ingest_conf *conf, const struct ingest_stream *streams,
                       uint32_t streams_count, struct ingest **out)
{
    char public_key[CURVE_Z85_BYTES];
    char secret_key[CURVE_Z85_BYTES];
    struct err err = curve_key_read(conf->key_file, public_key, secret_key);
    if (err_is(err)) {
        return err;
    }
    struct ingest *self = calloc(1, sizeof *self);
    if (self == NULL) {
        err = err_make(ERR_MEMORY, "ingest_open");
    } else if ((self->context = zmq_ctx_new()) == NULL) {
        err = err_os(ERR_SOCKET, "make ZeroMQ context");
    } else {
        err = sockets_open(self, conf, secret_key, streams, streams_count);
    }
    explicit_bzero(secret_key, sizeof secret_key);
    if (err_is(err)) {
        ingest_close(&self);
        return err;
    }
    *out = self;
    return err_none;
}

void ingest_close(struct ingest **self)
{
    struct ingest *ingest = *self;
    if (ingest == NULL) {
        return;
    }
    command_line_close(&ingest->commands);
    verdict_feed_close(&ingest->feed);
    line_close(&ingest->line);
    zap_close(&ingest->zap);
    allow_list_close(&ingest->publishers);
    allow_list_close(&ingest->subscribers);
    if (ingest->context != NULL) {
        while (zmq_ctx_term(ingest->context) != 0 && errno == EINTR) {
            /* a signal during shutdown must not leave the I/O thread behind */
        }
    }
    free(ingest);
    *self = NULL;
}

const char *ingest_endpoint(const struct ingest *self)
{
    return line_endpoint(self->line);
}

const char *ingest_verdict_endpoint(const struct ingest *self)
{
    return self->feed == NULL ? "" : verdict_feed_endpoint(self->feed);
}

/* What one turn of the poll waits for; an item that is not wanted stays out of the set. */
struct poll_set {
    zmq_pollitem_t items[INGEST_POLL_ITEMS];
    int count;
    int zap, line, commands, subscriptions, verdicts, done; /* -1 when not in the set */
};

static int poll_add(struct poll_set *set, void *socket, int fd)
{
    must(set->count < INGEST_POLL_ITEMS);
    set->items[set->count] = (zmq_pollitem_t){.socket = socket, .fd = fd, .events = ZMQ_POLLIN};
    return set->count++;
}

static void poll_prepare(const struct ingest *self, const struct queue *done, bool takes_commands,
                         struct poll_set *set)
{
    *set = (struct poll_set){
        .line = -1, .commands = -1, .subscriptions = -1, .verdicts = -1, .done = -1};
    set->zap = poll_add(set, zap_socket(self->zap), 0);
    if (line_has_room(self->line)) {
        set->line = poll_add(set, line_socket(self->line), 0);
    }
    if (takes_commands && self->commands != NULL && command_line_has_room(self->commands)) {
        set->commands = poll_add(set, command_line_socket(self->commands), 0);
    }
    if (self->feed != NULL) {
        set->subscriptions = poll_add(set, verdict_feed_socket(self->feed), 0);
        set->verdicts = poll_add(set, NULL, verdict_feed_fd(self->feed));
    }
    if (done != NULL) {
        set->done = poll_add(set, NULL, queue_fd(done));
    }
}

static bool poll_is_ready(const struct poll_set *set, int index)
{
    return index >= 0 && (set->items[index].revents & ZMQ_POLLIN) != 0;
}

static long wait_ms(int64_t deadline_ns)
{
    int64_t left_ns = deadline_ns - clock_monotonic_ns();
    return left_ns <= 0 ? 0 : (long)((left_ns + NS_PER_MS - 1) / NS_PER_MS);
}

struct err ingest_receive(struct ingest *self, struct queue *done, int64_t timeout_ns,
                          struct arrival **arrivals, uint32_t arrivals_capacity,
                          uint32_t *arrivals_count, struct ingest_command **commands,
                          uint32_t commands_capacity, uint32_t *commands_count)
{
    must(timeout_ns >= 0 && arrivals_capacity > 0);
    int64_t deadline_ns = clock_monotonic_ns() + timeout_ns;
    uint32_t taken = line_take(self->line, arrivals, arrivals_capacity);
    uint32_t asked = 0;
    bool is_done = false;
    while (!is_done) {
        struct poll_set set;
        poll_prepare(self, done, asked < commands_capacity, &set);
        long left_ms = taken > 0 ? 0 : wait_ms(deadline_ns);
        if (zmq_poll(set.items, set.count, left_ms) < 0) {
            if (errno != EINTR) {
                return err_os(ERR_SOCKET, "poll");
            }
            break; /* a signal: the caller looks whether it is to stop */
        }
        if (poll_is_ready(&set, set.zap)) {
            zap_serve(self->zap);
        }
        if (poll_is_ready(&set, set.subscriptions)) {
            verdict_feed_read(self->feed);
        }
        if (poll_is_ready(&set, set.verdicts)) {
            verdict_feed_send(self->feed);
        }
        if (poll_is_ready(&set, set.commands)) {
            asked += command_line_read(self->commands, commands + asked, commands_capacity - asked);
        }
        if (poll_is_ready(&set, set.line)) {
            line_read(self->line);
            taken += line_take(self->line, arrivals + taken, arrivals_capacity - taken);
        }
        is_done = taken > 0 || asked > 0 || poll_is_ready(&set, set.done) || left_ms == 0;
    }
    *arrivals_count = taken;
    *commands_count = asked;
    return err_none;
}

void ingest_answer(struct ingest *self, struct arrival *const *arrivals, uint32_t count)
{
    line_answer(self->line, arrivals, count);
}

void ingest_answer_command(struct ingest *self, struct ingest_command *command,
                           const struct wire_answer *answer)
{
    must(self->commands != NULL);
    command_line_answer(self->commands, command, answer);
}

void ingest_say_bye(struct ingest *self)
{
    line_say_bye(self->line);
}

void ingest_verdict(struct ingest *self, const struct wire_verdict *verdict)
{
    if (self->feed != NULL) {
        verdict_feed_put(self->feed, verdict);
    }
}
