/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/peer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <signal.h>
#include <zmq.h>

#include "base/clock.h"
#include "base/err.h"
#include "bench/figure.h"

enum {
    PEER_KEY_BYTES = 41,
    PEER_HWM = 1000, /* libzmq's own */
    PEER_WINDOW_BYTES =
        67108864, /* of messages in one queue: large ones are held back earlier, by count */
    PEER_ENDPOINT_BYTES = 64,
    PEER_COPY_BYTES_MAX =
        65536 /* above, messages borrow the sender's memory, as a program in a hurry does it */
};

struct peer_keys {
    char server_public[PEER_KEY_BYTES];
    char server_secret[PEER_KEY_BYTES];
    char client_public[PEER_KEY_BYTES];
    char client_secret[PEER_KEY_BYTES];
};

static void check_zmq(bool good, const char *what)
{
    bench_check(good, "%s: %s", what, zmq_strerror(errno));
}

static void set_option(void *socket, int option, int value)
{
    check_zmq(zmq_setsockopt(socket, option, &value, sizeof value) == 0, "zmq_setsockopt");
}

static void set_key(void *socket, int option, const char *key)
{
    check_zmq(zmq_setsockopt(socket, option, key, PEER_KEY_BYTES) == 0, "zmq_setsockopt");
}

static void *peer_socket(void *context, int type, const struct peer_conf *conf)
{
    void *socket = zmq_socket(context, type);
    check_zmq(socket != NULL, "zmq_socket");
    uint64_t fitting = PEER_WINDOW_BYTES / conf->message_bytes;
    int hwm = fitting < 4 ? 4 : (fitting < PEER_HWM ? (int)fitting : PEER_HWM);
    set_option(socket, ZMQ_SNDHWM, hwm);
    set_option(socket, ZMQ_RCVHWM, hwm);
    set_option(socket, ZMQ_LINGER, 0);
    return socket;
}

/* The receiving process: answers the round trips, counts the run, says when it has all. */
static void receive_all(const struct peer_conf *conf, const struct peer_keys *keys, int to_parent)
{
    void *context = zmq_ctx_new();
    check_zmq(context != NULL, "zmq_ctx_new");
    void *socket = peer_socket(context, ZMQ_ROUTER, conf);
    if (conf->curve) {
        set_option(socket, ZMQ_CURVE_SERVER, 1);
        set_key(socket, ZMQ_CURVE_SECRETKEY, keys->server_secret);
    }
    char endpoint[PEER_ENDPOINT_BYTES] = "";
    size_t endpoint_bytes = sizeof endpoint;
    check_zmq(zmq_bind(socket, "tcp://127.0.0.1:*") == 0, "zmq_bind");
    check_zmq(zmq_getsockopt(socket, ZMQ_LAST_ENDPOINT, endpoint, &endpoint_bytes) == 0,
              "zmq_getsockopt");
    bench_check(write(to_parent, endpoint, sizeof endpoint) == (ssize_t)sizeof endpoint, "pipe");
    uint8_t name[256];
    size_t name_bytes = 0;
    uint64_t wanted = conf->count + conf->round_trips;
    for (uint64_t received = 1; received <= wanted; received++) {
        int bytes = zmq_recv(socket, name, sizeof name, 0);
        check_zmq(bytes > 0 && (size_t)bytes <= sizeof name, "zmq_recv");
        name_bytes = (size_t)bytes;
        zmq_msg_t message;
        (void)zmq_msg_init(&message);
        check_zmq(zmq_msg_recv(&message, socket, 0) == (int)conf->message_bytes, "zmq_msg_recv");
        (void)zmq_msg_close(&message);
        if (received <= conf->round_trips || received == wanted) {
            check_zmq(zmq_send(socket, name, name_bytes, ZMQ_SNDMORE) >= 0 &&
                          zmq_send(socket, "k", 1, 0) == 1,
                      "zmq_send");
        }
    }
    char end;
    (void)zmq_recv(socket, &end, 1, 0); /* until the sender has read the last answer and ends us */
}

static void keep_memory(void *bytes, void *hint)
{
    (void)bytes;
    (void)hint;
}

static void send_one(void *socket, uint8_t *payload, uint64_t bytes)
{
    if (bytes <= PEER_COPY_BYTES_MAX) {
        check_zmq(zmq_send(socket, payload, bytes, 0) == (int)bytes, "zmq_send");
        return;
    }
    zmq_msg_t message;
    check_zmq(zmq_msg_init_data(&message, payload, bytes, keep_memory, NULL) == 0,
              "zmq_msg_init_data");
    check_zmq(zmq_msg_send(&message, socket, 0) == (int)bytes, "zmq_msg_send");
}

static void await_answer(void *socket)
{
    char answer;
    check_zmq(zmq_recv(socket, &answer, 1, 0) == 1, "zmq_recv");
}

static void send_all(void *socket, const struct peer_conf *conf, struct peer_result *out)
{
    uint8_t *payload = malloc(conf->message_bytes);
    double *took_us = calloc(conf->round_trips + 1, sizeof *took_us);
    bench_check(payload != NULL && took_us != NULL, "no memory");
    memset(payload, 0x5a, conf->message_bytes);
    for (uint32_t i = 0; i < conf->round_trips; i++) {
        int64_t began_ns = clock_monotonic_ns();
        send_one(socket, payload, conf->message_bytes);
        await_answer(socket);
        took_us[i] = (double)(clock_monotonic_ns() - began_ns) / 1e3;
    }
    int64_t began_ns = clock_monotonic_ns();
    for (uint64_t i = 0; i < conf->count; i++) {
        send_one(socket, payload, conf->message_bytes);
    }
    await_answer(socket);
    double took_s = (double)(clock_monotonic_ns() - began_ns) / 1e9;
    out->messages_per_s = (double)conf->count / took_s;
    /* the first pays for the handshake */
    size_t timed = conf->round_trips > 1 ? conf->round_trips - 1 : 0;
    out->p50_us = quantile_of(took_us + 1, timed, 0.5);
    out->p99_us = quantile_of(took_us + 1, timed, 0.99);
    free(took_us);
    free(payload);
}

void peer_run(const struct peer_conf *conf, struct peer_result *out)
{
    struct peer_keys keys;
    must(conf->round_trips > 0 && conf->count > 0);
    check_zmq(zmq_curve_keypair(keys.server_public, keys.server_secret) == 0, "zmq_curve_keypair");
    check_zmq(zmq_curve_keypair(keys.client_public, keys.client_secret) == 0, "zmq_curve_keypair");
    int ends[2];
    bench_check(pipe(ends) == 0, "pipe: %s", strerror(errno));
    pid_t child = fork();
    bench_check(child >= 0, "fork: %s", strerror(errno));
    if (child == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void)close(ends[0]);
        receive_all(conf, &keys, ends[1]);
        _exit(0);
    }
    (void)close(ends[1]);
    char endpoint[PEER_ENDPOINT_BYTES];
    bench_check(read(ends[0], endpoint, sizeof endpoint) == (ssize_t)sizeof endpoint,
                "the receiver did not start");
    (void)close(ends[0]);
    void *context = zmq_ctx_new();
    check_zmq(context != NULL, "zmq_ctx_new");
    void *socket = peer_socket(context, ZMQ_DEALER, conf);
    if (conf->curve) {
        set_key(socket, ZMQ_CURVE_SERVERKEY, keys.server_public);
        set_key(socket, ZMQ_CURVE_PUBLICKEY, keys.client_public);
        set_key(socket, ZMQ_CURVE_SECRETKEY, keys.client_secret);
    }
    check_zmq(zmq_connect(socket, endpoint) == 0, "zmq_connect");
    send_all(socket, conf, out);
    (void)kill(child, SIGKILL);
    (void)waitpid(child, NULL, 0);
    (void)zmq_close(socket);
    (void)zmq_ctx_term(context);
}
