/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/ctl_client.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <zmq.h>

/* The other side of the command socket, one thread with a script: how often to stay silent, and
 * what to answer then. */

enum script {
    SCRIPT_ANSWER,
    SCRIPT_SILENT_ONCE,
    SCRIPT_GARBAGE,
    SCRIPT_OTHER_ID_FIRST,
    SCRIPT_REFUSE
};

struct peer {
    enum script script;
    char directory[32];
    char endpoint[64];
    void *context;
    void *socket;
    pthread_t thread;
    char request_ids[4][64];
    int requests_count;
    enum order order;
    char actor[32];
};

static void send_answer(struct peer *peer, zmq_msg_t *identity, const char *request_id)
{
    uint8_t bytes[4096];
    struct wire_answer answer = {.request_id = request_id,
                                 .done = peer->script != SCRIPT_REFUSE,
                                 .name = "CONFLICT",
                                 .reason = "somebody was faster",
                                 .entry_index = 77,
                                 .json = "{}"};
    size_t bytes_count = wire_answer_encode(&answer, bytes, sizeof bytes);
    must(bytes_count > 0);
    if (peer->script == SCRIPT_GARBAGE) {
        memset(bytes, 0xff, 16);
        bytes_count = 16;
    }
    zmq_msg_t copy;
    zmq_msg_init(&copy);
    zmq_msg_copy(&copy, identity);
    zmq_msg_send(&copy, peer->socket, ZMQ_SNDMORE);
    zmq_send(peer->socket, wire_tag_text(WIRE_ANSWER), WIRE_TAG_BYTES, ZMQ_SNDMORE);
    zmq_send(peer->socket, bytes, bytes_count, 0);
}

static void *serve(void *arg)
{
    struct peer *peer = arg;
    static uint8_t memory[65536];
    int wanted = peer->script == SCRIPT_SILENT_ONCE ? 2 : 1;
    while (peer->requests_count < wanted) {
        zmq_msg_t identity, tag, body;
        zmq_msg_init(&identity);
        zmq_msg_init(&tag);
        zmq_msg_init(&body);
        must(zmq_msg_recv(&identity, peer->socket, 0) >= 0);
        must(zmq_msg_recv(&tag, peer->socket, 0) >= 0);
        must(zmq_msg_recv(&body, peer->socket, 0) >= 0 && !zmq_msg_more(&body));
        must(wire_tag_parse(zmq_msg_data(&tag), zmq_msg_size(&tag)) == WIRE_COMMAND);
        struct arena arena;
        struct wire_command command;
        arena_init(&arena, memory, sizeof memory);
        must(wire_command_decode(zmq_msg_data(&body), zmq_msg_size(&body), &arena, &command));
        snprintf(peer->request_ids[peer->requests_count++], 64, "%s", command.request_id);
        peer->order = command.order;
        snprintf(peer->actor, sizeof peer->actor, "%s", command.actor);
        if (peer->script != SCRIPT_SILENT_ONCE || peer->requests_count == 2) {
            if (peer->script == SCRIPT_OTHER_ID_FIRST) {
                send_answer(peer, &identity, "an-old-request");
            }
            send_answer(peer, &identity, command.request_id);
        }
        zmq_msg_close(&identity);
        zmq_msg_close(&tag);
        zmq_msg_close(&body);
    }
    return NULL;
}

static void start(struct peer *peer, enum script script)
{
    memset(peer, 0, sizeof *peer);
    peer->script = script;
    strcpy(peer->directory, "/tmp/triage-ctl-XXXXXX");
    assert_non_null(mkdtemp(peer->directory));
    snprintf(peer->endpoint, sizeof peer->endpoint, "ipc://%s/c", peer->directory);
    peer->context = zmq_ctx_new();
    peer->socket = zmq_socket(peer->context, ZMQ_ROUTER);
    assert_int_equal(zmq_bind(peer->socket, peer->endpoint), 0);
    assert_int_equal(pthread_create(&peer->thread, NULL, serve, peer), 0);
}

static void stop(struct peer *peer)
{
    pthread_join(peer->thread, NULL);
    zmq_close(peer->socket);
    zmq_ctx_term(peer->context);
    char path[64];
    snprintf(path, sizeof path, "%s/c", peer->directory);
    unlink(path);
    rmdir(peer->directory);
}

static uint8_t memory[CLIENT_ARENA_BYTES];

static struct err ask(const struct peer *peer, struct client_patience patience,
                      struct wire_answer *answer)
{
    struct arena arena;
    arena_init(&arena, memory, sizeof memory);
    const struct wire_command command = {.order = ORDER_HEALTH, .actor = "ada"};
    return client_ask(peer->endpoint, patience, &command, &arena, answer);
}

static void ask_answered_gives_the_answer(void **unused)
{
    (void)unused;
    struct peer peer;
    struct wire_answer answer;
    start(&peer, SCRIPT_ANSWER);
    assert_false(err_is(ask(&peer, (struct client_patience){5000, 1}, &answer)));
    stop(&peer);
    assert_true(answer.done);
    assert_int_equal(answer.entry_index, 77);
    assert_string_equal(answer.json, "{}");
    assert_int_equal(peer.order, ORDER_HEALTH);
    assert_string_equal(peer.actor, "ada");
    assert_int_equal(strlen(peer.request_ids[0]), 36);
}

static void ask_refused_gives_the_reason(void **unused)
{
    (void)unused;
    struct peer peer;
    struct wire_answer answer;
    start(&peer, SCRIPT_REFUSE);
    assert_false(err_is(ask(&peer, (struct client_patience){5000, 1}, &answer)));
    stop(&peer);
    assert_false(answer.done);
    assert_string_equal(answer.reason, "somebody was faster");
}

/* Done once however often it is asked: that rests on the id being the same. */
static void ask_after_silence_repeats_the_same_request_id(void **unused)
{
    (void)unused;
    struct peer peer;
    struct wire_answer answer;
    start(&peer, SCRIPT_SILENT_ONCE);
    assert_false(err_is(ask(&peer, (struct client_patience){400, 5}, &answer)));
    stop(&peer);
    assert_int_equal(peer.requests_count, 2);
    assert_string_equal(peer.request_ids[0], peer.request_ids[1]);
}

static void ask_answer_to_another_request_is_dropped(void **unused)
{
    (void)unused;
    struct peer peer;
    struct wire_answer answer;
    start(&peer, SCRIPT_OTHER_ID_FIRST);
    assert_false(err_is(ask(&peer, (struct client_patience){5000, 1}, &answer)));
    stop(&peer);
    assert_string_equal(answer.request_id, peer.request_ids[0]);
}

static void ask_garbage_is_malformed(void **unused)
{
    (void)unused;
    struct peer peer;
    struct wire_answer answer;
    start(&peer, SCRIPT_GARBAGE);
    assert_int_equal(ask(&peer, (struct client_patience){5000, 3}, &answer).code,
                     ERR_WIRE_MALFORMED);
    stop(&peer);
}

static void ask_nobody_times_out(void **unused)
{
    (void)unused;
    struct peer peer = {.endpoint = "ipc:///tmp/triage-ctl-nobody-listens"};
    struct wire_answer answer;
    assert_int_equal(ask(&peer, (struct client_patience){50, 2}, &answer).code, ERR_TIMED_OUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ask_answered_gives_the_answer),
        cmocka_unit_test(ask_refused_gives_the_reason),
        cmocka_unit_test(ask_after_silence_repeats_the_same_request_id),
        cmocka_unit_test(ask_answer_to_another_request_is_dropped),
        cmocka_unit_test(ask_garbage_is_malformed),
        cmocka_unit_test(ask_nobody_times_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
