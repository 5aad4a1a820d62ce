/* SPDX-License-Identifier: Apache-2.0 */
/* The publishers' socket, spoken to by hand. */
#include "tests/ingest/rig.h"

static struct bare bare;
static struct bare other;

static int line_setup(void **state)
{
    struct rig *rig = malloc(sizeof *rig);
    assert_non_null(rig);
    rig_init(rig);
    rig_key(rig, "scanner-1", true, false);
    rig_key(rig, "scanner-2", true, false);
    rig_key(rig, "stranger", false, false);
    *state = rig;
    return 0;
}

static int line_teardown(void **state)
{
    struct rig *rig = *state;
    rig_fini(rig);
    free(rig);
    return 0;
}

static void line_in_order_acknowledges_with_indices(void **state)
{
    struct rig *rig = *state;
    rig_start(rig, NULL, 0);
    bare_open(&bare, rig, "scanner-1", ZMQ_DEALER, ingest_endpoint(rig->ingest));
    bare_hello(&bare, rig, "lane-1", 1);
    bare_publish(&bare, 1, 3, 0, 0);
    static struct wire_ack ack;
    bare_expect(&bare, rig, "ACKS");
    assert_true(wire_ack_decode(bare.bytes, bare.bytes_count, &bare.arena, &ack));
    assert_int_equal(ack.first_sequence, 1);
    assert_int_equal(ack.count, 3);
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(ack.entry_index[i], 100 + i);
    }
    bare_publish(&bare, 4, 1, 2, 1000); /* with two images */
    bare_expect_ack(&bare, rig, 4, 1, false);
    rig_check_ledger(rig, 4);
    assert_int_equal(rig->images_bytes, 2000);
    bare_close(&bare);
}

static void line_publish_before_hello_says_bye(void **state)
{
    struct rig *rig = *state;
    rig_start(rig, NULL, 0);
    bare_open(&bare, rig, "scanner-1", ZMQ_DEALER, ingest_endpoint(rig->ingest));
    bare_publish(&bare, 1, 1, 0, 0);
    bare_expect_bye(&bare, rig, BYE_NO_HELLO);
    rig_check_ledger(rig, 0);
    bare_close(&bare);
}

static void line_gap_asks_once_for_resend(void **state)
{
    struct rig *rig = *state;
    rig_start(rig, NULL, 0);
    bare_open(&bare, rig, "scanner-1", ZMQ_DEALER, ingest_endpoint(rig->ingest));
    bare_hello(&bare, rig, "lane-1", 1);
    bare_publish(&bare, 3, 1, 0, 0);
    bare_publish(&bare, 4, 1, 0, 0);
    bare_expect(&bare, rig, "RSND");
    uint64_t wanted = 0;
    assert_true(wire_resend_decode(bare.bytes, bare.bytes_count, &bare.arena, &wanted));
    assert_int_equal(wanted, 1);
    bare_publish(&bare, 1, 4, 0, 0);
    bare_expect_ack(&bare, rig, 1, 4, false); /* and no second RSND before it */
    rig_check_ledger(rig, 4);
    bare_close(&bare);
}

static void line_duplicates_answer_without_taking_again(void **state)
{
    struct rig *rig = *state;
    rig_start(rig, NULL, 0);
    bare_open(&bare, rig, "scanner-1", ZMQ_DEALER, ingest_endpoint(rig->ingest));
    bare_hello(&bare, rig, "lane-1", 1);
    bare_publish(&bare, 1, 4, 0, 0);
    bare_expect_ack(&bare, rig, 1, 4, false);
    bare_publish(&bare, 2, 2, 0, 0); /* old altogether */
    bare_expect_ack(&bare, rig, 2, 2, true);
    bare_publish(&bare, 3, 4, 0, 0); /* 3 and 4 are old, 5 and 6 are new */
    bare_expect_ack(&bare, rig, 3, 2, true);
    bare_expect_ack(&bare, rig, 5, 2, false);
    rig_check_ledger(rig, 6);
    bare_close(&bare);
}

static void line_repeat_of_unanswered_waits_for_durability(void **state)
{
    struct rig *rig = *state;
    rig_start(rig, NULL, 0);
    rig->holds = true;
    bare_open(&bare, rig, "scanner-1", ZMQ_DEALER, ingest_endpoint(rig->ingest));
    bare_hello(&bare, rig, "lane-1", 1);
    bare_publish(&bare, 1, 3, 0, 0);
    rig_until_received(rig, 3);
    bare_close(&bare);
    /* The publisher comes back on a new connection: nothing is durable, so everything is asked for
     * again. */
    uint64_t duplicates = counter_value(COUNTER_records_duplicate);
    bare_open(&bare, rig, "scanner-1", ZMQ_DEALER, ingest_endpoint(rig->ingest));
    bare_hello(&bare, rig, "lane-1", 1);
    bare_publish(&bare, 1, 3, 0, 0);
    while (counter_value(COUNTER_records_duplicate) < duplicates + 3) {
        rig_turn(rig, NS_PER_MS);
    }
    for (int i = 0; i < 50; i++) {
        rig_turn(rig, NS_PER_MS);
        assert_false(bare_try_receive(&bare)); /* no answer before it is durable */
    }
    rig_answer_held(rig);
    bare_expect_ack(&bare, rig, 1, 3, false); /* on the new connection */
    rig_check_ledger(rig, 3);
    bare_close(&bare);
}

static void line_answers_out_of_order_go_out_in_order(void **state)
{
    struct rig *rig = *state;
    rig_start(rig, NULL, 0);
    rig->holds = true;
    bare_open(&bare, rig, "scanner-1", ZMQ_DEALER, ingest_endpoint(rig->ingest));
    bare_hello(&bare, rig, "lane-1", 1);
    bare_publish(&bare, 1, 3, 0, 0);
    rig_until_received(rig, 3);
    rig->held[2]->draft.entry_index = 102;
    ingest_answer(rig->ingest, &rig->held[2], 1);
    for (int i = 0; i < 20; i++) {
        rig_turn(rig, NS_PER_MS);
        assert_false(bare_try_receive(&bare));
    }
    rig->held_count = 2;
    rig_answer_held(rig);
    bare_expect_ack(&bare, rig, 1, 3, false);
    bare_close(&bare);
}

static void line_refusal_names_the_reason(void **state)
{
    struct rig *rig = *state;
    rig_start(rig, NULL, 0);
    rig->refuses = REFUSAL_NO_ID;
    rig->refuses_where = "declaration_id";
    bare_open(&bare, rig, "scanner-1", ZMQ_DEALER, ingest_endpoint(rig->ingest));
    bare_hello(&bare, rig, "lane-1", 1);
    bare_publish(&bare, 1, WIRE_RECORDS_MAX, 0, 0); /* the largest answer there is */
    static struct wire_ack ack;
    bare_expect(&bare, rig, "ACKS");
    assert_true(wire_ack_decode(bare.bytes, bare.bytes_count, &bare.arena, &ack));
    assert_int_equal(ack.refused_count, WIRE_RECORDS_MAX);
    for (uint32_t i = 0; i < WIRE_RECORDS_MAX; i++) {
        assert_int_equal(ack.refused[i].sequence, i + 1);
        assert_int_equal(ack.refused[i].entry_index, 100 + i);
        assert_int_equal(ack.refused[i].code, REFUSAL_NO_ID);
        assert_non_null(strstr(ack.refused[i].reason, "declaration_id: "));
    }
    bare_close(&bare);
}

static void line_unknown_key_is_refused_until_listed(void **state)
{
    struct rig *rig = *state;
    rig_start(rig, NULL, 0);
    uint64_t unknown = counter_value(COUNTER_unknown_keys);
    bare_open(&bare, rig, "stranger", ZMQ_DEALER, ingest_endpoint(rig->ingest));
    int64_t deadline_ns = clock_monotonic_ns() + RIG_PATIENCE_NS;
    while (counter_value(COUNTER_unknown_keys) == unknown) {
        assert_true(clock_monotonic_ns() < deadline_ns);
        rig_turn(rig, NS_PER_MS);
    }
    rig_list_publisher(rig, "stranger");
    /* A refused client must connect anew; the list is read again once a second at most. */
    struct wire_hello hello = {.protocol = WIRE_PROTOCOL, .stream = "lane-1", .software = ""};
    uint8_t bytes[64];
    size_t bytes_count = wire_hello_encode(&hello, bytes, sizeof bytes);
    bool welcome = false;
    while (!welcome) {
        assert_true(clock_monotonic_ns() < deadline_ns);
        bare_close(&bare);
        bare_open(&bare, rig, "stranger", ZMQ_DEALER, ingest_endpoint(rig->ingest));
        bare_send(&bare, "HELO", bytes, bytes_count, 0, 0);
        for (int i = 0; i < 200 && !welcome; i++) {
            rig_turn(rig, NS_PER_MS);
            welcome = bare_try_receive(&bare);
        }
    }
    assert_string_equal(bare.tag, "WLCM");
    bare_close(&bare);
}

static void line_same_stream_name_of_two_publishers_is_two_streams(void **state)
{
    struct rig *rig = *state;
    rig_start(rig, NULL, 0);
    bare_open(&bare, rig, "scanner-1", ZMQ_DEALER, ingest_endpoint(rig->ingest));
    bare_open(&other, rig, "scanner-2", ZMQ_DEALER, ingest_endpoint(rig->ingest));
    bare_hello(&bare, rig, "lane-1", 1);
    bare_hello(&other, rig, "lane-1", 1);
    bare_publish(&bare, 1, 2, 0, 0);
    bare_publish(&other, 1, 1, 0, 0);
    bare_expect_ack(&bare, rig, 1, 2, false);
    bare_expect_ack(&other, rig, 1, 1, false);
    assert_int_equal(rig->ledger_count, 3);
    bare_hello(&bare, rig, "lane-2", 1); /* and another stream on the same connection */
    bare_publish(&bare, 1, 1, 0, 0);
    bare_expect_ack(&bare, rig, 1, 1, false);
    bare_hello(&bare, rig, "lane-1", 3);
    bare_close(&other);
    bare_close(&bare);
}

static void line_name_of_a_connection_is_no_identity(void **state)
{
    struct rig *rig = *state;
    rig_start(rig, NULL, 0);
    bare_open_named(&bare, rig, "scanner-1", "chosen", ingest_endpoint(rig->ingest));
    bare_hello(&bare, rig, "lane-1", 1);
    bare_close(&bare);
    /* Another key under the same name, once the daemon has seen the first one go. */
    int64_t deadline_ns = clock_monotonic_ns() + RIG_PATIENCE_NS;
    bool answered = false;
    while (!answered) {
        assert_true(clock_monotonic_ns() < deadline_ns);
        bare_open_named(&other, rig, "scanner-2", "chosen", ingest_endpoint(rig->ingest));
        bare_publish(&other, 1, 1, 0, 0);
        for (int i = 0; i < 100 && !answered; i++) {
            rig_turn(rig, NS_PER_MS);
            answered = bare_try_receive(&other);
        }
        bare_close(&other);
    }
    assert_string_equal(other.tag, "BYEE");
    rig_check_ledger(rig, 0);
}

static void line_over_credit_says_bye_and_takes_nothing(void **state)
{
    struct rig *rig = *state;
    rig->conf.credit_records = 4;
    rig_start(rig, NULL, 0);
    rig->holds = true;
    bare_open(&bare, rig, "scanner-1", ZMQ_DEALER, ingest_endpoint(rig->ingest));
    bare_hello(&bare, rig, "lane-1", 1);
    bare_publish(&bare, 1, 3, 0, 0);
    bare_publish(&bare, 4, 2, 0, 0);
    bare_expect_bye(&bare, rig, BYE_CREDIT);
    rig_check_ledger(rig, 3);
    rig_answer_held(rig);
    bare_hello(&bare, rig, "lane-1", 4);
    bare_publish(&bare, 4, 4, 0, 0); /* exactly the credit */
    rig_until_received(rig, 7);
    rig_answer_held(rig);
    bare_expect_ack(&bare, rig, 4, 4, false);
    bare_close(&bare);
}

static void line_over_byte_credit_says_bye(void **state)
{
    struct rig *rig = *state;
    rig->conf.credit_bytes = 100000;
    rig_start(rig, NULL, 0);
    rig->holds = true;
    bare_open(&bare, rig, "scanner-1", ZMQ_DEALER, ingest_endpoint(rig->ingest));
    bare_hello(&bare, rig, "lane-1", 1);
    bare_publish(&bare, 1, 1, 1, 200000); /* alone it may exceed the credit */
    rig_until_received(rig, 1);
    bare_publish(&bare, 2, 1, 0, 0);
    bare_expect_bye(&bare, rig, BYE_CREDIT);
    rig_answer_held(rig);
    bare_close(&bare);
}

static void line_full_slots_stop_reading_but_not_handshakes(void **state)
{
    struct rig *rig = *state;
    rig->conf.arrivals_max = 16;
    rig->conf.credit_records = 16;
    rig_start(rig, NULL, 0);
    rig->holds = true;
    bare_open(&bare, rig, "scanner-1", ZMQ_DEALER, ingest_endpoint(rig->ingest));
    bare_hello(&bare, rig, "lane-1", 1);
    bare_publish(&bare, 1, 8, 0, 0);
    bare_publish(&bare, 9, 8, 0, 0);
    rig_until_received(rig, 8);
    for (int i = 0; i < 20; i++) { /* 8 slots are less than a message may need */
        rig_turn(rig, NS_PER_MS);
    }
    assert_int_equal(rig->ledger_count, 8);
    uint64_t unknown = counter_value(COUNTER_unknown_keys);
    bare_open(&other, rig, "stranger", ZMQ_DEALER, ingest_endpoint(rig->ingest));
    int64_t deadline_ns = clock_monotonic_ns() + RIG_PATIENCE_NS;
    while (counter_value(COUNTER_unknown_keys) == unknown) {
        assert_true(clock_monotonic_ns() < deadline_ns);
        rig_turn(rig, NS_PER_MS);
    }
    rig_answer_held(rig);
    rig_until_received(rig, 16);
    rig_answer_held(rig);
    rig_check_ledger(rig, 16);
    bare_close(&other);
    bare_close(&bare);
}

static void line_full_payload_stops_reading(void **state)
{
    struct rig *rig = *state;
    rig->conf.payload_bytes_max = 100000;
    rig_start(rig, NULL, 0);
    rig->holds = true;
    bare_open(&bare, rig, "scanner-1", ZMQ_DEALER, ingest_endpoint(rig->ingest));
    bare_hello(&bare, rig, "lane-1", 1);
    for (uint64_t i = 1; i <= 4; i++) {
        bare_publish(&bare, i, 1, 1, 60000);
    }
    rig_until_received(rig, 2);
    for (int i = 0; i < 20; i++) {
        rig_turn(rig, NS_PER_MS);
    }
    assert_int_equal(rig->ledger_count, 2);
    assert_true(counter_value(COUNTER_waiting_payload_bytes) >= 120000);
    rig_answer_held(rig);
    assert_int_equal(counter_value(COUNTER_waiting_payload_bytes), 0);
    rig_until_received(rig, 4);
    rig_answer_held(rig);
    bare_close(&bare);
}

struct bad_row {
    const char *tag;
    const char *bytes;
    size_t bytes_count;
    uint32_t images_count;
    enum bye bye;
};

static void line_bad_message_says_bye_and_takes_nothing(void **state)
{
    struct rig *rig = *state;
    rig_start(rig, NULL, 0);
    static const struct bad_row rows[] = {
        {"PUBL", "\xff\xff\xff\xff", 4, 0, BYE_MALFORMED},                 /* garbage */
        {"PUBL", "", 0, 0, BYE_MALFORMED},                                 /* no record */
        {"PUBL", "\x12\x00", 2, 0, BYE_MALFORMED},                         /* no sequence */
        {"PUBL", "\x08\x01\x12\xff\xff\xff\xff\x13", 8, 0, BYE_MALFORMED}, /* a length of 5 GB */
        {"PUBL", "\x08\x01\x12\x00\x12\x00", 6, 1, BYE_MALFORMED}, /* two records and an image */
        {"PUBL", "\x08\x01\x12\x00", 4, RECORD_IMAGES_MAX + 1, BYE_TOO_LARGE},
        {"PUBL", "\x08\x01\x12\x00", 4, 300, BYE_TOO_LARGE},
        {"HELO", "\xff", 1, 0, BYE_MALFORMED},
        {"HELO", "\x08\x02\x12\x01\x61", 5, 0, BYE_PROTOCOL},
        {"HELO", "\x08\x01\x12\x01\x41", 5, 0, BYE_STREAM}, /* "A" */
        {"HELO", "\x08\x01", 2, 0, BYE_STREAM},
        {"WHAT", "", 0, 0, BYE_MALFORMED},
        {"", "", 0, 0, BYE_MALFORMED},
    };
    bare_open(&bare, rig, "scanner-1", ZMQ_DEALER, ingest_endpoint(rig->ingest));
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        bare_hello(&bare, rig, "lane-1", 1);
        bare_send(&bare, rows[i].tag, rows[i].bytes, rows[i].bytes_count, rows[i].images_count, 1);
        bare_expect_bye(&bare, rig, rows[i].bye);
    }
    assert_int_equal(zmq_send(bare.socket, "PUBL", 4, 0), 4); /* no part 1 */
    bare_expect_bye(&bare, rig, BYE_MALFORMED);
    rig_check_ledger(rig, 0);
    bare_hello(&bare, rig, "lane-1", 1);
    bare_publish(&bare, 1, 1, 0, 0);
    bare_expect_ack(&bare, rig, 1, 1, false);
    bare_close(&bare);
}

static void line_too_many_streams_says_bye(void **state)
{
    struct rig *rig = *state;
    rig->conf.streams_max = 1;
    rig_start(rig, NULL, 0);
    bare_open(&bare, rig, "scanner-1", ZMQ_DEALER, ingest_endpoint(rig->ingest));
    bare_hello(&bare, rig, "a", 1);
    struct wire_hello hello = {.protocol = WIRE_PROTOCOL, .stream = "b", .software = ""};
    uint8_t bytes[64];
    bare_send(&bare, "HELO", bytes, wire_hello_encode(&hello, bytes, sizeof bytes), 0, 0);
    bare_expect_bye(&bare, rig, BYE_STREAM);
    bare_close(&bare);
}

static void line_restart_goes_on_where_the_log_ended(void **state)
{
    struct rig *rig = *state;
    struct ingest_stream streams[] = {{"scanner-1", "lane-1", 42}, {"scanner-2", "lane-1", 7}};
    rig_start(rig, streams, 2);
    bare_open(&bare, rig, "scanner-1", ZMQ_DEALER, ingest_endpoint(rig->ingest));
    bare_hello(&bare, rig, "lane-1", 42);
    bare_publish(&bare, 40, 3, 0, 0);
    bare_expect_ack(&bare, rig, 40, 2, true);
    bare_expect_ack(&bare, rig, 42, 1, false);
    bare_close(&bare);
}

static void line_stopping_tells_every_publisher(void **state)
{
    struct rig *rig = *state;
    rig_start(rig, NULL, 0);
    bare_open(&bare, rig, "scanner-1", ZMQ_DEALER, ingest_endpoint(rig->ingest));
    bare_hello(&bare, rig, "lane-1", 1);
    ingest_say_bye(rig->ingest);
    bare_expect_bye(&bare, rig, BYE_STOPPING);
    bare_close(&bare);
}

static void open_key_readable_by_others_refuses(void **state)
{
    struct rig *rig = *state;
    assert_int_equal(chmod(rig->daemon_key, 0640), 0);
    assert_int_equal(ingest_open(&rig->conf, NULL, 0, &rig->ingest).code, ERR_KEY);
    assert_null(rig->ingest);
}

int main(void)
{
#define LINE_TEST(name) cmocka_unit_test_setup_teardown(name, line_setup, line_teardown)
    const struct CMUnitTest tests[] = {
        LINE_TEST(line_in_order_acknowledges_with_indices),
        LINE_TEST(line_publish_before_hello_says_bye),
        LINE_TEST(line_gap_asks_once_for_resend),
        LINE_TEST(line_duplicates_answer_without_taking_again),
        LINE_TEST(line_repeat_of_unanswered_waits_for_durability),
        LINE_TEST(line_answers_out_of_order_go_out_in_order),
        LINE_TEST(line_refusal_names_the_reason),
        LINE_TEST(line_unknown_key_is_refused_until_listed),
        LINE_TEST(line_same_stream_name_of_two_publishers_is_two_streams),
        LINE_TEST(line_name_of_a_connection_is_no_identity),
        LINE_TEST(line_over_credit_says_bye_and_takes_nothing),
        LINE_TEST(line_over_byte_credit_says_bye),
        LINE_TEST(line_full_slots_stop_reading_but_not_handshakes),
        LINE_TEST(line_full_payload_stops_reading),
        LINE_TEST(line_bad_message_says_bye_and_takes_nothing),
        LINE_TEST(line_too_many_streams_says_bye),
        LINE_TEST(line_restart_goes_on_where_the_log_ended),
        LINE_TEST(line_stopping_tells_every_publisher),
        LINE_TEST(open_key_readable_by_others_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
