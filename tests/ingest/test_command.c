/* SPDX-License-Identifier: Apache-2.0 */
/* The command socket and the verdict feed. */
#include <pthread.h>
#include <sys/stat.h>

#include "tests/ingest/rig.h"

static struct bare bare;
static struct bare other;

static int command_setup(void **state)
{
    struct rig *rig = malloc(sizeof *rig);
    assert_non_null(rig);
    rig_init(rig);
    rig_key(rig, "screen-1", false, true);
    rig_key(rig, "scanner-1", true, false);
    static char endpoint[160];
    (void)snprintf(endpoint, sizeof endpoint, "ipc://%s/command", rig->directory);
    rig->conf.command_endpoint = endpoint;
    rig->conf.verdict_endpoint = "tcp://127.0.0.1:*";
    rig_start(rig, NULL, 0);
    *state = rig;
    return 0;
}

static int command_teardown(void **state)
{
    struct rig *rig = *state;
    rig_fini(rig);
    free(rig);
    return 0;
}

static void send_claim(struct bare *from, const char *request_id)
{
    struct wire_command command = {
        .request_id = request_id, .actor = "officer", .order = ORDER_CLAIM};
    memset(command.item, 7, sizeof command.item);
    uint8_t bytes[512];
    bare_send(from, "CMND", bytes, wire_command_encode(&command, bytes, sizeof bytes), 0, 0);
}

/* The newest command that nobody has taken yet. */
static struct ingest_command *await_command(struct rig *rig)
{
    int64_t deadline_ns = clock_monotonic_ns() + RIG_PATIENCE_NS;
    while (rig->command == NULL) {
        assert_true(clock_monotonic_ns() < deadline_ns);
        rig_turn(rig, NS_PER_MS);
    }
    struct ingest_command *command = rig->command;
    rig->command = NULL;
    return command;
}

static void answer_claim(struct rig *rig, struct ingest_command *command)
{
    struct wire_answer answer = {.request_id = command->command.request_id,
                                 .done = true,
                                 .name = "",
                                 .reason = "",
                                 .entry_index = 9,
                                 .json = "{}"};
    ingest_answer_command(rig->ingest, command, &answer);
}

static void expect_answer(struct bare *to, struct rig *rig, const char *request_id, bool done)
{
    struct wire_answer answer;
    bare_expect(to, rig, "ANSW");
    assert_true(wire_answer_decode(to->bytes, to->bytes_count, &to->arena, &answer));
    assert_string_equal(answer.request_id, request_id);
    assert_int_equal(answer.done, done);
}

static void command_of_dealer_and_req_comes_round(void **state)
{
    struct rig *rig = *state;
    static const int types[] = {ZMQ_DEALER, ZMQ_REQ};
    for (int i = 0; i < 2; i++) {
        bare_open(&bare, rig, NULL, types[i], rig->conf.command_endpoint);
        send_claim(&bare, "r-1");
        struct ingest_command *command = await_command(rig);
        assert_int_equal(command->command.order, ORDER_CLAIM);
        assert_int_equal(command->command.item[15], 7);
        assert_string_equal(command->command.actor, "officer");
        answer_claim(rig, command);
        expect_answer(&bare, rig, "r-1", true);
        bare_close(&bare);
    }
}

static void command_socket_is_closed_to_others(void **state)
{
    struct rig *rig = *state;
    struct stat status;
    assert_int_equal(stat(rig->conf.command_endpoint + 6, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
}

static void command_that_cannot_be_read_is_answered(void **state)
{
    struct rig *rig = *state;
    bare_open(&bare, rig, NULL, ZMQ_DEALER, rig->conf.command_endpoint);
    bare_send(&bare, "CMND", "\xff\xff", 2, 0, 0);
    expect_answer(&bare, rig, "", false);
    bare_send(&bare, "HELO", "", 0, 0, 0);
    expect_answer(&bare, rig, "", false);
    bare_send(&bare, "CMND", "", 0, 5, 10);
    expect_answer(&bare, rig, "", false);
    assert_int_equal(zmq_send(bare.socket, "", 0, 0), 0);
    expect_answer(&bare, rig, "", false);
    bare_close(&bare);
}

static void command_without_slot_waits_for_one(void **state)
{
    struct rig *rig = *state;
    bare_open(&bare, rig, NULL, ZMQ_DEALER, rig->conf.command_endpoint);
    send_claim(&bare, "r-1");
    send_claim(&bare, "r-2");
    send_claim(&bare, "r-3"); /* commands_max is 2 */
    struct ingest_command *first = await_command(rig);
    struct ingest_command *second = await_command(rig);
    for (int i = 0; i < 20; i++) {
        rig_turn(rig, NS_PER_MS);
    }
    assert_null(rig->command);
    assert_string_equal(first->command.request_id, "r-1"); /* the strings of both are still there */
    answer_claim(rig, second);
    expect_answer(&bare, rig, "r-2", true);
    struct ingest_command *third = await_command(rig);
    assert_string_equal(third->command.request_id, "r-3");
    answer_claim(rig, first);
    answer_claim(rig, third);
    expect_answer(&bare, rig, "r-1", true);
    expect_answer(&bare, rig, "r-3", true);
    bare_close(&bare);
}

static void answer_beyond_bound_is_cut_and_says_so(void **state)
{
    struct rig *rig = *state;
    bare_open(&bare, rig, NULL, ZMQ_DEALER, rig->conf.command_endpoint);
    send_claim(&bare, "r-1");
    struct ingest_command *command = await_command(rig);
    size_t json_bytes = 1000000;
    char *json = malloc(json_bytes + 1);
    assert_non_null(json);
    memset(json, ' ', json_bytes);
    json[json_bytes] = '\0';
    struct wire_answer answer = {
        .request_id = "r-1", .done = true, .name = "", .reason = "", .json = json};
    ingest_answer_command(rig->ingest, command, &answer);
    expect_answer(&bare, rig, "r-1", true);
    free(json);
    bare_close(&bare);
}

static struct wire_verdict verdict_of(const char *site, uint64_t entry_index)
{
    return (struct wire_verdict){.label = "MSKU6011672",
                                 .mode = MODE_TRUCK,
                                 .site = site,
                                 .lane = "1",
                                 .decision = "refer",
                                 .arm = "target",
                                 .probability = 0.5,
                                 .propensity = 1.0,
                                 .entry_index = entry_index};
}

/* Puts verdicts on the feed until the subscriber has one; its subscription takes a moment to
 * arrive. */
static void await_verdict(struct rig *rig, struct bare *subscriber)
{
    int64_t deadline_ns = clock_monotonic_ns() + RIG_PATIENCE_NS;
    char topic[128];
    int topic_bytes = -1;
    while (topic_bytes < 0) {
        assert_true(clock_monotonic_ns() < deadline_ns);
        struct wire_verdict elsewhere = verdict_of("north", 1);
        struct wire_verdict verdict = verdict_of("south", 2);
        ingest_verdict(rig->ingest, &elsewhere);
        ingest_verdict(rig->ingest, &verdict);
        rig_turn(rig, NS_PER_MS);
        topic_bytes = zmq_recv(subscriber->socket, topic, sizeof topic - 1, ZMQ_DONTWAIT);
    }
    topic[topic_bytes] = '\0';
    assert_string_equal(topic, "verdict.truck.south");
    assert_true(bare_try_receive(subscriber));
    assert_string_equal(subscriber->tag, "VRDT");
    struct wire_verdict seen;
    assert_true(
        wire_verdict_decode(subscriber->bytes, subscriber->bytes_count, &subscriber->arena, &seen));
    assert_int_equal(seen.entry_index, 2);
    assert_string_equal(seen.label, "MSKU6011672");
}

static void feed_subscriber_sees_its_topic_and_a_stranger_nothing(void **state)
{
    struct rig *rig = *state;
    uint64_t unknown = counter_value(COUNTER_unknown_keys);
    /* A publisher's key is no subscriber's key. */
    bare_open(&other, rig, "scanner-1", ZMQ_SUB, ingest_verdict_endpoint(rig->ingest));
    assert_int_equal(zmq_setsockopt(other.socket, ZMQ_SUBSCRIBE, "", 0), 0);
    bare_open(&bare, rig, "screen-1", ZMQ_SUB, ingest_verdict_endpoint(rig->ingest));
    const char *topic = "verdict.truck.south";
    assert_int_equal(zmq_setsockopt(bare.socket, ZMQ_SUBSCRIBE, topic, strlen(topic)), 0);
    await_verdict(rig, &bare);
    while (counter_value(COUNTER_unknown_keys) == unknown) {
        rig_turn(rig, NS_PER_MS);
    }
    await_verdict(rig, &bare);
    assert_false(bare_try_receive(&other));
    bare_close(&bare);
    bare_close(&other);
}

static void feed_beyond_its_ring_drops_the_oldest(void **state)
{
    struct rig *rig = *state;
    uint64_t dropped = counter_value(COUNTER_verdicts_dropped);
    uint64_t sent = counter_value(COUNTER_verdicts_sent);
    for (uint64_t i = 0; i < 10; i++) {
        struct wire_verdict verdict = verdict_of("south", i);
        ingest_verdict(rig->ingest, &verdict);
    }
    assert_int_equal(counter_value(COUNTER_verdicts_dropped) - dropped, 6); /* verdicts_max is 4 */
    rig_turn(rig, 0);
    assert_int_equal(counter_value(COUNTER_verdicts_sent) - sent, 4);
    rig_turn(rig, 0);
    assert_int_equal(counter_value(COUNTER_verdicts_sent) - sent, 4);
}

static void *put_verdicts(void *arg)
{
    const struct rig *rig = arg;
    for (uint64_t i = 0; i < 2000; i++) {
        struct wire_verdict verdict = verdict_of("south", i);
        ingest_verdict(rig->ingest, &verdict);
    }
    return NULL;
}

static void feed_of_other_threads_counts_every_verdict(void **state)
{
    struct rig *rig = *state;
    uint64_t before =
        counter_value(COUNTER_verdicts_dropped) + counter_value(COUNTER_verdicts_sent);
    pthread_t threads[2];
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, put_verdicts, rig), 0);
    }
    int64_t deadline_ns = clock_monotonic_ns() + RIG_PATIENCE_NS;
    while (counter_value(COUNTER_verdicts_dropped) + counter_value(COUNTER_verdicts_sent) <
           before + 4000) {
        assert_true(clock_monotonic_ns() < deadline_ns);
        rig_turn(rig, NS_PER_MS);
    }
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    rig_turn(rig, 0);
    assert_int_equal(counter_value(COUNTER_verdicts_dropped) + counter_value(COUNTER_verdicts_sent),
                     before + 4000);
}

int main(void)
{
#define COMMAND_TEST(name) cmocka_unit_test_setup_teardown(name, command_setup, command_teardown)
    const struct CMUnitTest tests[] = {
        COMMAND_TEST(command_of_dealer_and_req_comes_round),
        COMMAND_TEST(command_socket_is_closed_to_others),
        COMMAND_TEST(command_that_cannot_be_read_is_answered),
        COMMAND_TEST(command_without_slot_waits_for_one),
        COMMAND_TEST(answer_beyond_bound_is_cut_and_says_so),
        COMMAND_TEST(feed_subscriber_sees_its_topic_and_a_stranger_nothing),
        COMMAND_TEST(feed_beyond_its_ring_drops_the_oldest),
        COMMAND_TEST(feed_of_other_threads_counts_every_verdict),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
