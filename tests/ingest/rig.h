/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_INGEST_RIG_H
#define TESTS_INGEST_RIG_H

/* Rig: a real ingest on a loopback port with real keys in a directory of its own, served by the
 * test's own thread, and a bare DEALER that speaks the wire by hand. A record counts as durable
 * when rig_turn() answers it. RIG_DIAG in the environment shows the daemon's lines. */

#include <inttypes.h>
#include <zmq.h>

#include "base/clock.h"
#include "base/counter.h"
#include "base/diag.h"
#include "ingest/ingest.h"
#include "publisher/curve_key.h"
#include "tests/publisher/scratch.h"

#define RIG_PATIENCE_NS (20 * NS_PER_S)
#define RIG_LEDGER_MAX 65536u
#define RIG_ARRIVALS_MAX 512u

struct rig {
    char directory[SCRATCH_BYTES];
    char daemon_key[160];
    char daemon_public[160];
    char publishers[160];
    char subscribers[160];
    struct ingest_conf conf;
    struct ingest *ingest;
    bool holds;           /* keep arrivals instead of answering them */
    enum refusal refuses; /* answer with this */
    const char *refuses_where;
    struct arrival *held[RIG_ARRIVALS_MAX];
    uint32_t held_count;
    uint64_t next_index;
    uint64_t *ledger; /* sequences in the order of their arrival */
    uint32_t ledger_count;
    uint64_t images_bytes;
    struct ingest_command *command; /* the newest one */
};

static inline void rig_allow(const char *directory, const char *name, const char *public_key)
{
    char path[256];
    char line[CURVE_Z85_BYTES + 1];
    (void)snprintf(path, sizeof path, "%s/%s.pub", directory, name);
    (void)snprintf(line, sizeof line, "%s\n", public_key);
    scratch_write(path, line, 0644);
}

/* Makes a key pair and lists it where asked. */
static inline void rig_key(const struct rig *rig, const char *name, bool may_publish,
                           bool may_subscribe)
{
    char path[256];
    char public_key[CURVE_Z85_BYTES];
    char secret_key[CURVE_Z85_BYTES];
    (void)snprintf(path, sizeof path, "%s/%s.key", rig->directory, name);
    assert_int_equal(curve_key_create(path).code, ERR_NONE);
    assert_int_equal(curve_key_read(path, public_key, secret_key).code, ERR_NONE);
    if (may_publish) {
        rig_allow(rig->publishers, name, public_key);
    }
    if (may_subscribe) {
        rig_allow(rig->subscribers, name, public_key);
    }
}

/* Lists as a publisher a key that was made before. */
static inline void rig_list_publisher(const struct rig *rig, const char *name)
{
    char path[256];
    char public_key[CURVE_Z85_BYTES];
    (void)snprintf(path, sizeof path, "%s/%s.key.pub", rig->directory, name);
    assert_int_equal(curve_public_read(path, public_key).code, ERR_NONE);
    rig_allow(rig->publishers, name, public_key);
}

static inline void rig_start(struct rig *rig, const struct ingest_stream *streams,
                             uint32_t streams_count)
{
    struct err err = ingest_open(&rig->conf, streams, streams_count, &rig->ingest);
    char text[ERR_TEXT_BYTES];
    if (err_is(err)) {
        fail_msg("%s", err_text(err, text));
    }
}

static inline void rig_init(struct rig *rig)
{
    diag_set_level(getenv("RIG_DIAG") != NULL ? DIAG_DEBUG : DIAG_ERR);
    memset(rig, 0, sizeof *rig);
    scratch_make(rig->directory);
    (void)snprintf(rig->daemon_key, sizeof rig->daemon_key, "%s/daemon.key", rig->directory);
    (void)snprintf(rig->daemon_public, sizeof rig->daemon_public, "%s/daemon.key.pub",
                   rig->directory);
    (void)snprintf(rig->publishers, sizeof rig->publishers, "%s/publishers", rig->directory);
    (void)snprintf(rig->subscribers, sizeof rig->subscribers, "%s/subscribers", rig->directory);
    assert_int_equal(mkdir(rig->publishers, 0700), 0);
    assert_int_equal(mkdir(rig->subscribers, 0700), 0);
    rig_key(rig, "daemon", false, false);
    rig->ledger = calloc(RIG_LEDGER_MAX, sizeof *rig->ledger);
    assert_non_null(rig->ledger);
    rig->next_index = 100;
    rig->conf = (struct ingest_conf){.publisher_endpoint = "tcp://127.0.0.1:*",
                                     .verdict_endpoint = "",
                                     .command_endpoint = "",
                                     .key_file = rig->daemon_key,
                                     .publishers_directory = rig->publishers,
                                     .subscribers_directory = rig->subscribers,
                                     .arrivals_max = RIG_ARRIVALS_MAX,
                                     .payload_bytes_max = 8u << 20,
                                     .image_bytes_max = 4u << 20,
                                     .credit_records = 300,
                                     .credit_bytes = 4u << 20,
                                     .streams_max = 4,
                                     .commands_max = 2,
                                     .verdicts_max = 4};
}

static inline void rig_fini(struct rig *rig)
{
    ingest_close(&rig->ingest);
    scratch_remove(rig->directory);
    free(rig->ledger);
}

static inline void rig_answer_held(struct rig *rig)
{
    for (uint32_t i = 0; i < rig->held_count; i++) {
        rig->held[i]->draft.entry_index = rig->next_index++;
        rig->held[i]->refusal = rig->refuses;
        rig->held[i]->refusal_where = rig->refuses_where;
    }
    ingest_answer(rig->ingest, rig->held, rig->held_count);
    rig->held_count = 0;
}

/* One turn of the daemon's receive line. */
static inline void rig_turn(struct rig *rig, int64_t timeout_ns)
{
    uint32_t arrivals_count = 0;
    uint32_t commands_count = 0;
    struct err err = ingest_receive(rig->ingest, NULL, timeout_ns, rig->held + rig->held_count,
                                    RIG_ARRIVALS_MAX + 1 - rig->held_count, &arrivals_count,
                                    &rig->command, 1, &commands_count);
    assert_int_equal(err.code, ERR_NONE);
    for (uint32_t i = 0; i < arrivals_count; i++) {
        const struct arrival *arrival = rig->held[rig->held_count + i];
        assert_true(rig->ledger_count < RIG_LEDGER_MAX);
        rig->ledger[rig->ledger_count++] = arrival->sequence;
        for (uint32_t k = 0; k < arrival->images_count; k++) {
            rig->images_bytes += arrival->images_bytes[k];
        }
    }
    rig->held_count += arrivals_count;
    if (!rig->holds) {
        rig_answer_held(rig);
    }
}

/* The ledger is 1, 2, ... count. */
static inline void rig_check_ledger(const struct rig *rig, uint32_t count)
{
    assert_int_equal(rig->ledger_count, count);
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(rig->ledger[i], i + 1);
    }
}

/* ---- a bare client ---- */

struct bare {
    void *context;
    void *socket;
    char tag[8];
    uint8_t bytes[65536];
    size_t bytes_count;
    struct arena arena;
    uint8_t arena_bytes[262144];
};

static inline void bare_make(struct bare *bare, const struct rig *rig, const char *key_name,
                             int type)
{
    bare->context = zmq_ctx_new();
    bare->socket = zmq_socket(bare->context, type);
    assert_non_null(bare->socket);
    int linger = 0;
    assert_int_equal(zmq_setsockopt(bare->socket, ZMQ_LINGER, &linger, sizeof linger), 0);
    if (key_name != NULL) {
        char path[256];
        char public_key[CURVE_Z85_BYTES];
        char secret_key[CURVE_Z85_BYTES];
        char daemon_key[CURVE_Z85_BYTES];
        (void)snprintf(path, sizeof path, "%s/%s.key", rig->directory, key_name);
        assert_int_equal(curve_key_read(path, public_key, secret_key).code, ERR_NONE);
        assert_int_equal(curve_public_read(rig->daemon_public, daemon_key).code, ERR_NONE);
        assert_int_equal(
            zmq_setsockopt(bare->socket, ZMQ_CURVE_PUBLICKEY, public_key, CURVE_Z85_BYTES), 0);
        assert_int_equal(
            zmq_setsockopt(bare->socket, ZMQ_CURVE_SECRETKEY, secret_key, CURVE_Z85_BYTES), 0);
        assert_int_equal(
            zmq_setsockopt(bare->socket, ZMQ_CURVE_SERVERKEY, daemon_key, CURVE_Z85_BYTES), 0);
    }
}

static inline void bare_open(struct bare *bare, const struct rig *rig, const char *key_name,
                             int type, const char *endpoint)
{
    bare_make(bare, rig, key_name, type);
    assert_int_equal(zmq_connect(bare->socket, endpoint), 0);
}

/* A DEALER that chooses what the daemon's socket calls it. */
static inline void bare_open_named(struct bare *bare, const struct rig *rig, const char *key_name,
                                   const char *name, const char *endpoint)
{
    bare_make(bare, rig, key_name, ZMQ_DEALER);
    assert_int_equal(zmq_setsockopt(bare->socket, ZMQ_ROUTING_ID, name, strlen(name)), 0);
    assert_int_equal(zmq_connect(bare->socket, endpoint), 0);
}

static inline void bare_close(struct bare *bare)
{
    assert_int_equal(zmq_close(bare->socket), 0);
    assert_int_equal(zmq_ctx_term(bare->context), 0);
}

/* A tag, part 1 and images_count parts of image_bytes each. */
static inline void bare_send(struct bare *bare, const char *tag, const void *bytes,
                             size_t bytes_count, uint32_t images_count, size_t image_bytes)
{
    assert_int_equal(zmq_send(bare->socket, tag, strlen(tag), ZMQ_SNDMORE), (int)strlen(tag));
    assert_true(zmq_send(bare->socket, bytes, bytes_count, images_count > 0 ? ZMQ_SNDMORE : 0) >=
                0);
    uint8_t *pixels = calloc(1, image_bytes + 1);
    assert_non_null(pixels);
    for (uint32_t i = 0; i < images_count; i++) {
        assert_true(zmq_send(bare->socket, pixels, image_bytes,
                             i + 1 < images_count ? ZMQ_SNDMORE : 0) >= 0);
    }
    free(pixels);
}

static inline bool bare_try_receive(struct bare *bare)
{
    int tag_bytes = zmq_recv(bare->socket, bare->tag, sizeof bare->tag - 1, ZMQ_DONTWAIT);
    if (tag_bytes < 0) {
        return false;
    }
    bare->tag[tag_bytes < 7 ? tag_bytes : 7] = '\0';
    int bytes = zmq_recv(bare->socket, bare->bytes, sizeof bare->bytes, ZMQ_DONTWAIT);
    assert_in_range(bytes, 0, sizeof bare->bytes);
    bare->bytes_count = (size_t)bytes;
    arena_init(&bare->arena, bare->arena_bytes, sizeof bare->arena_bytes);
    return true;
}

/* Serves the daemon until the client has a message, which must have this tag. */
static inline void bare_expect(struct bare *bare, struct rig *rig, const char *tag)
{
    int64_t deadline_ns = clock_monotonic_ns() + RIG_PATIENCE_NS;
    while (!bare_try_receive(bare)) {
        assert_true(clock_monotonic_ns() < deadline_ns);
        rig_turn(rig, NS_PER_MS);
    }
    assert_string_equal(bare->tag, tag);
}

static inline void bare_hello(struct bare *bare, struct rig *rig, const char *stream,
                              uint64_t next_sequence)
{
    struct wire_hello hello = {.protocol = WIRE_PROTOCOL, .stream = stream, .software = "test"};
    uint8_t bytes[256];
    bare_send(bare, "HELO", bytes, wire_hello_encode(&hello, bytes, sizeof bytes), 0, 0);
    bare_expect(bare, rig, "WLCM");
    struct wire_welcome welcome;
    assert_true(wire_welcome_decode(bare->bytes, bare->bytes_count, &bare->arena, &welcome));
    assert_int_equal(welcome.next_sequence, next_sequence);
}

/* Publishes count small records from first on. */
static inline void bare_publish(struct bare *bare, uint64_t first, uint32_t count,
                                uint32_t images_count, size_t image_bytes)
{
    static struct wire_publish publish;
    static uint8_t bytes[65536];
    static const uint8_t body[4] = {1, 2, 3, 4};
    publish.first_sequence = first;
    publish.records_count = count;
    for (uint32_t i = 0; i < count; i++) {
        publish.records[i] = (struct wire_record){
            .kind = RECORD_DECLARATION, .body = body, .body_bytes = sizeof body};
    }
    bare_send(bare, "PUBL", bytes, wire_publish_encode(&publish, bytes, sizeof bytes), images_count,
              image_bytes);
}

static inline void bare_expect_ack(struct bare *bare, struct rig *rig, uint64_t first,
                                   uint32_t count, bool duplicate)
{
    static struct wire_ack ack;
    bare_expect(bare, rig, "ACKS");
    assert_true(wire_ack_decode(bare->bytes, bare->bytes_count, &bare->arena, &ack));
    assert_int_equal(ack.first_sequence, first);
    assert_int_equal(ack.count, count);
    assert_int_equal(ack.duplicate, duplicate);
}

static inline void bare_expect_bye(struct bare *bare, struct rig *rig, enum bye code)
{
    struct wire_bye bye;
    bare_expect(bare, rig, "BYEE");
    assert_true(wire_bye_decode(bare->bytes, bare->bytes_count, &bare->arena, &bye));
    assert_int_equal(bye.code, code);
}

/* Serves the daemon until it has this many arrivals held or answered in all. */
static inline void rig_until_received(struct rig *rig, uint32_t ledger_count)
{
    int64_t deadline_ns = clock_monotonic_ns() + RIG_PATIENCE_NS;
    while (rig->ledger_count < ledger_count) {
        assert_true(clock_monotonic_ns() < deadline_ns);
        rig_turn(rig, NS_PER_MS);
    }
}

#endif
