/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/wire.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static uint8_t arena_bytes[1 << 20];
static uint8_t encoded[WIRE_MESSAGE_BYTES_MAX + 64];
static struct arena arena;
static char long_text[70000];

static struct arena *fresh(void)
{
    arena_init(&arena, arena_bytes, sizeof arena_bytes);
    return &arena;
}

static int long_text_prepare(void **state)
{
    (void)state;
    memset(long_text, 'x', sizeof long_text - 1);
    return 0;
}

/* A text of exactly this many bytes. */
static const char *text_of(size_t bytes)
{
    return long_text + sizeof long_text - 1 - bytes;
}

static void tag_every_tag_reads_back(void **state)
{
    (void)state;
    for (int tag = WIRE_HELLO; tag <= WIRE_VERDICT; tag++) {
        const char *text = wire_tag_text((enum wire_tag)tag);
        assert_int_equal(strlen(text), WIRE_TAG_BYTES);
        assert_int_equal(wire_tag_parse(text, WIRE_TAG_BYTES), tag);
        assert_int_equal(wire_tag_parse(text, WIRE_TAG_BYTES - 1), WIRE_UNKNOWN);
    }
    assert_int_equal(wire_tag_parse("HELOx", 5), WIRE_UNKNOWN);
    assert_int_equal(wire_tag_parse("helo", 4), WIRE_UNKNOWN);
    assert_int_equal(wire_tag_parse("????", 4), WIRE_UNKNOWN);
    assert_int_equal(wire_tag_parse("", 0), WIRE_UNKNOWN);
    assert_string_equal(bye_name(BYE_CREDIT), "credit");
    assert_string_equal(bye_name((enum bye)77), "unknown");
}

static void hello_welcome_resend_bye_survive_the_round(void **state)
{
    (void)state;
    const struct wire_hello hello = {
        .protocol = 1, .stream = "lane-3", .software = "triage-feed 0.1"};
    struct wire_hello hello_out;
    size_t bytes = wire_hello_encode(&hello, encoded, sizeof encoded);
    assert_true(wire_hello_decode(encoded, bytes, fresh(), &hello_out));
    assert_int_equal(hello_out.protocol, 1);
    assert_string_equal(hello_out.stream, "lane-3");
    assert_string_equal(hello_out.software, "triage-feed 0.1");
    assert_int_equal(wire_hello_encode(&hello, encoded, bytes - 1), 0);

    const struct wire_welcome welcome = {.protocol = 1,
                                         .next_sequence = 1ull << 40,
                                         .credit_records = 512,
                                         .credit_bytes = 1ull << 33,
                                         .record_bytes_max = 65536,
                                         .image_bytes_max = 1ull << 35,
                                         .records_per_message_max = 256,
                                         .publisher = "gate-west"};
    struct wire_welcome welcome_out;
    bytes = wire_welcome_encode(&welcome, encoded, sizeof encoded);
    assert_true(wire_welcome_decode(encoded, bytes, fresh(), &welcome_out));
    assert_true(welcome_out.next_sequence == 1ull << 40 && welcome_out.credit_bytes == 1ull << 33);
    assert_true(welcome_out.image_bytes_max == 1ull << 35);
    assert_int_equal(welcome_out.credit_records, 512);
    assert_int_equal(welcome_out.record_bytes_max, 65536);
    assert_int_equal(welcome_out.records_per_message_max, 256);
    assert_string_equal(welcome_out.publisher, "gate-west");

    uint64_t next = 0;
    bytes = wire_resend_encode(17, encoded, sizeof encoded);
    assert_true(wire_resend_decode(encoded, bytes, fresh(), &next));
    assert_int_equal(next, 17);
    assert_false(wire_resend_decode(encoded, 0, fresh(), &next)); /* sequences start at 1 */

    const struct wire_bye bye = {.code = BYE_STOPPING, .reason = "restart"};
    struct wire_bye bye_out;
    bytes = wire_bye_encode(&bye, encoded, sizeof encoded);
    assert_true(wire_bye_decode(encoded, bytes, fresh(), &bye_out));
    assert_int_equal(bye_out.code, BYE_STOPPING);
    assert_string_equal(bye_out.reason, "restart");
}

static void texts_beyond_their_bound_refuse(void **state)
{
    (void)state;
    struct wire_hello hello = {.protocol = 1, .stream = text_of(WIRE_STREAM_BYTES_MAX)};
    struct wire_welcome welcome = {.publisher = text_of(WIRE_PUBLISHER_BYTES_MAX)};
    struct wire_answer answer = {.json = text_of(WIRE_JSON_BYTES_MAX)};
    size_t bytes = wire_hello_encode(&hello, encoded, sizeof encoded);
    assert_true(wire_hello_decode(encoded, bytes, fresh(), &hello));
    bytes = wire_welcome_encode(&welcome, encoded, sizeof encoded);
    assert_true(wire_welcome_decode(encoded, bytes, fresh(), &welcome));
    bytes = wire_answer_encode(&answer, encoded, sizeof encoded);
    assert_true(wire_answer_decode(encoded, bytes, fresh(), &answer));

    hello.stream = text_of(WIRE_STREAM_BYTES_MAX + 1);
    welcome.publisher = text_of(WIRE_PUBLISHER_BYTES_MAX + 1);
    answer.json = text_of(WIRE_JSON_BYTES_MAX + 1);
    bytes = wire_hello_encode(&hello, encoded, sizeof encoded);
    assert_false(wire_hello_decode(encoded, bytes, fresh(), &hello));
    bytes = wire_welcome_encode(&welcome, encoded, sizeof encoded);
    assert_false(wire_welcome_decode(encoded, bytes, fresh(), &welcome));
    bytes = wire_answer_encode(&answer, encoded, sizeof encoded);
    assert_false(wire_answer_decode(encoded, bytes, fresh(), &answer));
    hello.stream = "a\xc0\x80"; /* an overlong zero */
    bytes = wire_hello_encode(&hello, encoded, sizeof encoded);
    assert_false(wire_hello_decode(encoded, bytes, fresh(), &hello));
}

static void publish_points_into_the_input(void **state)
{
    (void)state;
    static struct wire_publish in;
    static struct wire_publish out;
    in.first_sequence = 41;
    in.records_count = WIRE_RECORDS_MAX;
    for (uint32_t i = 0; i < WIRE_RECORDS_MAX; i++) {
        in.records[i] = (struct wire_record){.kind = i % 2 == 0 ? RECORD_DECLARATION : RECORD_SCAN,
                                             .body = (const uint8_t *)text_of(i),
                                             .body_bytes = i,
                                             .digest = {(uint8_t)i, 1},
                                             .has_digest = i % 3 != 0};
    }
    size_t bytes = wire_publish_encode(&in, encoded, sizeof encoded);
    assert_int_not_equal(bytes, 0);
    assert_true(wire_publish_decode(encoded, bytes, &out));
    assert_true(out.first_sequence == 41);
    assert_int_equal(out.records_count, WIRE_RECORDS_MAX);
    for (uint32_t i = 0; i < WIRE_RECORDS_MAX; i++) {
        assert_int_equal(out.records[i].kind, in.records[i].kind);
        assert_int_equal(out.records[i].body_bytes, i);
        assert_true(out.records[i].body >= encoded && out.records[i].body + i <= encoded + bytes);
        assert_memory_equal(out.records[i].body, in.records[i].body, i);
        assert_int_equal(out.records[i].has_digest, in.records[i].has_digest);
        if (in.records[i].has_digest) {
            assert_memory_equal(out.records[i].digest, in.records[i].digest, HASH_BYTES);
        }
    }
    assert_int_equal(wire_publish_encode(&in, encoded, bytes - 1), 0);
    in.records_count++;
    assert_int_equal(wire_publish_encode(&in, encoded, sizeof encoded), 0);
}

static void publish_longest_message_fits_one_more_byte_refuses(void **state)
{
    (void)state;
    static struct wire_publish in;
    static struct wire_publish out;
    static uint8_t body[WIRE_MESSAGE_BYTES_MAX];
    in.first_sequence = 1;
    in.records_count = 1;
    in.records[0] =
        (struct wire_record){.kind = RECORD_SCAN, .body = body, .body_bytes = sizeof body - 12};
    size_t bytes = wire_publish_encode(&in, encoded, sizeof encoded);
    assert_int_equal(bytes, WIRE_MESSAGE_BYTES_MAX);
    assert_true(wire_publish_decode(encoded, bytes, &out));
    in.records[0].body_bytes++;
    assert_int_equal(wire_publish_encode(&in, encoded, sizeof encoded), 0);
    encoded[bytes] = 0; /* not a field, but the length already says no */
    assert_false(wire_publish_decode(encoded, bytes + 1, &out));
}

static void publish_broken_bytes_refuse(void **state)
{
    (void)state;
    static struct wire_publish out;
    static const struct {
        const char *what;
        uint8_t bytes[24];
        size_t bytes_count;
    } rows[] = {
        {"nothing", {0}, 0},
        {"no records", {0x08, 1}, 2},
        {"no sequence", {0x12, 0}, 2},
        {"sequence zero", {0x08, 0, 0x12, 0}, 4},
        {"field number zero", {0x08, 1, 0x12, 0, 0x02, 0}, 6},
        {"group", {0x08, 1, 0x12, 0, 0x1b}, 5},
        {"sequence as bytes", {0x0a, 1, 1, 0x12, 0}, 5},
        {"record as varint", {0x08, 1, 0x10, 0}, 4},
        {"length beyond the end", {0x08, 1, 0x12, 1}, 4},
        {"5 GB length", {0x08, 1, 0x12, 0x80, 0xe4, 0x97, 0xd0, 0x12}, 8},
        {"2^64 - 1 length",
         {0x08, 1, 0x12, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01},
         13},
        {"65-bit varint",
         {0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02, 0x12, 0},
         13},
        {"endless varint",
         {0x08, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00, 0x12, 0},
         14},
        {"last sequence overflows",
         {0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 0x12, 0},
         13},
        {"body length beyond the record", {0x08, 1, 0x12, 2, 0x12, 1}, 6},
        {"kind as bytes", {0x08, 1, 0x12, 2, 0x0a, 0}, 6},
        {"body as varint", {0x08, 1, 0x12, 2, 0x10, 0}, 6},
        {"digest as fixed32", {0x08, 1, 0x12, 5, 0x1d, 0, 0, 0, 0}, 9},
        {"cut fixed64", {0x08, 1, 0x12, 0, 0x19, 0, 0}, 7},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (wire_publish_decode(rows[i].bytes, rows[i].bytes_count, &out)) {
            fail_msg("accepted: %s", rows[i].what);
        }
    }
    const uint8_t good[] = {0x08, 1, 0x12, 0};
    assert_true(wire_publish_decode(good, sizeof good, &out));
    /* One record more than the bound. */
    encoded[0] = 0x08;
    encoded[1] = 1;
    for (size_t i = 0; i <= WIRE_RECORDS_MAX; i++) {
        encoded[2 + 2 * i] = 0x12;
        encoded[3 + 2 * i] = 0;
    }
    assert_true(wire_publish_decode(encoded, 2 + 2 * WIRE_RECORDS_MAX, &out));
    assert_false(wire_publish_decode(encoded, 4 + 2 * WIRE_RECORDS_MAX, &out));
}

static void publish_odd_record_is_left_to_its_refusal(void **state)
{
    (void)state;
    static struct wire_publish out;
    /* Unknown fields of every form, a kind of a later version, a digest of three bytes. */
    const uint8_t bytes[] = {0x08, 5,    0x28, 7, 0x12, 12,   0x08, 9,    0x1a, 3, 1,
                             2,    3,    0x12, 1, 'b',  0x20, 0x01, 0x35, 1,    2, 3,
                             4,    0x39, 1,    2, 3,    4,    5,    6,    7,    8};
    assert_true(wire_publish_decode(bytes, sizeof bytes, &out));
    assert_int_equal(out.records_count, 1);
    assert_int_equal(out.records[0].kind, RECORD_UNKNOWN);
    assert_true(out.records[0].has_digest);
    assert_memory_equal(out.records[0].digest, (uint8_t[HASH_BYTES]){0}, HASH_BYTES);
    assert_int_equal(out.records[0].body_bytes, 1);
    assert_int_equal(out.records[0].body[0], 'b');
}

static void ack_survives_the_round(void **state)
{
    (void)state;
    static struct wire_ack in;
    static struct wire_ack out;
    in = (struct wire_ack){
        .first_sequence = 1000, .count = WIRE_RECORDS_MAX, .refused_count = 2, .duplicate = true};
    for (uint32_t i = 0; i < WIRE_RECORDS_MAX; i++) {
        in.entry_index[i] = 5000000000u + i;
    }
    in.refused[0] = (struct wire_refusal){1000, 5000000000u, REFUSAL_BAD_TEXT, "site"};
    in.refused[1] = (struct wire_refusal){1255, 5000000255u, REFUSAL_NO_ID, "declaration_id"};
    size_t bytes = wire_ack_encode(&in, encoded, sizeof encoded);
    assert_true(wire_ack_decode(encoded, bytes, fresh(), &out));
    assert_true(out.first_sequence == 1000 && out.duplicate);
    assert_int_equal(out.count, WIRE_RECORDS_MAX);
    assert_memory_equal(out.entry_index, in.entry_index, sizeof in.entry_index);
    assert_int_equal(out.refused_count, 2);
    assert_int_equal(out.refused[1].sequence, 1255);
    assert_true(out.refused[1].entry_index == 5000000255u);
    assert_int_equal(out.refused[1].code, REFUSAL_NO_ID);
    assert_string_equal(out.refused[1].reason, "declaration_id");
    in.count++;
    assert_int_equal(wire_ack_encode(&in, encoded, sizeof encoded), 0);
}

static void ack_outside_its_own_range_refuses(void **state)
{
    (void)state;
    static struct wire_ack good;
    static struct wire_ack broken;
    static struct wire_ack out;
    good = (struct wire_ack){.first_sequence = 10, .count = 3, .refused_count = 1};
    good.refused[0] = (struct wire_refusal){12, 7, REFUSAL_MALFORMED, "body"};
    assert_true(
        wire_ack_decode(encoded, wire_ack_encode(&good, encoded, sizeof encoded), fresh(), &out));
#define BREAK(change)                                                                        \
    broken = good;                                                                           \
    change;                                                                                  \
    assert_false(wire_ack_decode(encoded, wire_ack_encode(&broken, encoded, sizeof encoded), \
                                 fresh(), &out))
    BREAK(broken.refused[0].sequence = 13);
    BREAK(broken.refused[0].sequence = 9);
    BREAK(broken.refused[0].code = REFUSAL_NONE);
    BREAK(broken.refused[0].reason = text_of(RECORD_TEXT_BYTES_MAX + 1));
    BREAK(broken.first_sequence = 0);
    BREAK(broken.first_sequence = UINT64_MAX - 1);
    BREAK(broken.count = 0);
#undef BREAK
    /* A refusal code of a later version stays readable. */
    broken = good;
    broken.refused[0].code = (enum refusal)200;
    assert_true(
        wire_ack_decode(encoded, wire_ack_encode(&broken, encoded, sizeof encoded), fresh(), &out));
    assert_string_equal(refusal_name(out.refused[0].code), "unknown");
    /* One index more than the bound, unpacked: field 2 as varints. */
    encoded[0] = 0x08;
    encoded[1] = 1;
    for (size_t i = 0; i <= WIRE_RECORDS_MAX; i++) {
        encoded[2 + 2 * i] = 0x10;
        encoded[3 + 2 * i] = 9;
    }
    assert_true(wire_ack_decode(encoded, 2 + 2 * WIRE_RECORDS_MAX, fresh(), &out));
    assert_int_equal(out.entry_index[WIRE_RECORDS_MAX - 1], 9);
    assert_false(wire_ack_decode(encoded, 4 + 2 * WIRE_RECORDS_MAX, fresh(), &out));
}

static struct wire_verdict good_verdict(void)
{
    struct wire_verdict verdict = {.item = {3, 2, 1},
                                   .label = "CSQU 3054383",
                                   .mode = MODE_SEA,
                                   .site = "port-1",
                                   .lane = "3",
                                   .decision = "refer",
                                   .arm = "target",
                                   .probability = 0.25,
                                   .propensity = 0.5,
                                   .priority = 2.5,
                                   .reasons_count = ENTRY_REASONS_MAX,
                                   .entry_index = 99,
                                   .t_ns = 1767225600000000000};
    for (uint32_t i = 0; i < ENTRY_REASONS_MAX; i++) {
        verdict.reasons[i] = (struct wire_reason){"mass", 0.125 * i, "heavier than declared"};
    }
    return verdict;
}

static void verdict_survives_the_round(void **state)
{
    (void)state;
    struct wire_verdict in = good_verdict();
    struct wire_verdict out;
    size_t bytes = wire_verdict_encode(&in, encoded, sizeof encoded);
    assert_true(wire_verdict_decode(encoded, bytes, fresh(), &out));
    assert_memory_equal(out.item, in.item, ITEM_ID_BYTES);
    assert_string_equal(out.label, in.label);
    assert_int_equal(out.mode, MODE_SEA);
    assert_string_equal(out.site, "port-1");
    assert_string_equal(out.lane, "3");
    assert_string_equal(out.decision, "refer");
    assert_string_equal(out.arm, "target");
    assert_true(out.probability == 0.25 && out.propensity == 0.5 && out.priority == 2.5);
    assert_int_equal(out.reasons_count, ENTRY_REASONS_MAX);
    assert_string_equal(out.reasons[7].name, "mass");
    assert_true(out.reasons[7].logit == 0.875);
    assert_string_equal(out.reasons[7].words, "heavier than declared");
    assert_true(out.entry_index == 99 && out.t_ns == 1767225600000000000);
}

static void verdict_one_thing_broken_refuses(void **state)
{
    (void)state;
    struct wire_verdict broken;
    struct wire_verdict out;
#define BREAK(change)                 \
    broken = good_verdict();          \
    change;                           \
    assert_false(wire_verdict_decode( \
        encoded, wire_verdict_encode(&broken, encoded, sizeof encoded), fresh(), &out))
    BREAK(broken.mode = MODE_COUNT);
    BREAK(broken.mode = (enum mode) - 1);
    BREAK(broken.probability = (double)NAN);
    BREAK(broken.priority = (double)INFINITY);
    BREAK(broken.reasons[0].logit = (double)NAN);
    BREAK(broken.label = text_of(RECORD_TEXT_BYTES_MAX + 1));
#undef BREAK
    broken = good_verdict();
    broken.reasons_count++;
    assert_int_equal(wire_verdict_encode(&broken, encoded, sizeof encoded), 0);
    broken = good_verdict();
    size_t bytes = wire_verdict_encode(&broken, encoded, sizeof encoded);
    encoded[bytes] = 0x5a; /* a ninth reason */
    encoded[bytes + 1] = 0;
    assert_true(wire_verdict_decode(encoded, bytes, fresh(), &out));
    assert_false(wire_verdict_decode(encoded, bytes + 2, fresh(), &out));
}

static void command_every_order_survives_the_round(void **state)
{
    (void)state;
    for (int order = ORDER_CLAIM; order <= ORDER_REFER; order++) {
        const struct wire_command in = {.request_id = "r-1",
                                        .actor = "officer",
                                        .expected_version = 3,
                                        .order = (enum order)order,
                                        .item = {9, 8, 7},
                                        .code = "wrong-lane",
                                        .file = "ab12",
                                        .model_step = MODEL_PROMOTE,
                                        .figures = "better",
                                        .close_reason = "the key was stolen",
                                        .cosignatures = "line",
                                        .cosigned_size = 70000,
                                        .prune_below = 512,
                                        .dry_run = true,
                                        .hold_placed = true,
                                        .sentence = "because",
                                        .entries = {7, UINT64_MAX},
                                        .entries_count = 2,
                                        .names = {"record", "item_key"},
                                        .names_count = 2,
                                        .operation = {.name = "lanes-3-4",
                                                      .step = "register",
                                                      .mode = MODE_MAIL,
                                                      .site = "north",
                                                      .lane = "3",
                                                      .from_ns = 5,
                                                      .to_ns = 6,
                                                      .hypothesis = "more",
                                                      .metric = "hit_rate",
                                                      .comparator = "random",
                                                      .stop_rule = "200 exams",
                                                      .reason = "done"},
                                        .outcome = {.exam_level = "full",
                                                    .result = "found",
                                                    .seizure_class = "tobacco",
                                                    .quantity = 12.5,
                                                    .unit = "kg",
                                                    .has_region = true,
                                                    .image_index = 1,
                                                    .region_x = 2,
                                                    .region_y = 3,
                                                    .region_width = 4,
                                                    .region_height = 5,
                                                    .again = "correction",
                                                    .code = "weighed"}};
        struct wire_command out;
        size_t bytes = wire_command_encode(&in, encoded, sizeof encoded);
        assert_true(wire_command_decode(encoded, bytes, fresh(), &out));
        assert_int_equal(out.order, order);
        assert_string_equal(out.request_id, "r-1");
        assert_string_equal(out.actor, "officer");
        assert_int_equal(out.expected_version, 3);
        bool discloses = order == ORDER_REVEAL || order == ORDER_REDACT;
        bool has_sentence = discloses || order == ORDER_PRUNE || order == ORDER_HOLD ||
                            order == ORDER_POLICY || order == ORDER_REFER || order == ORDER_MODEL;
        assert_string_equal(out.sentence, has_sentence ? "because" : "");
        assert_int_equal(out.prune_below, order == ORDER_PRUNE ? 512 : 0);
        assert_int_equal(out.dry_run, order == ORDER_PRUNE);
        assert_int_equal(out.entries_count, discloses ? 2 : 0);
        assert_int_equal(out.names_count, discloses ? 2 : 0);
        if (discloses) {
            assert_true(out.entries[0] == 7 && out.entries[1] == UINT64_MAX);
            assert_string_equal(out.names[1], "item_key");
        }
        assert_int_equal(out.hold_placed, order == ORDER_HOLD);
        if (order == ORDER_OPERATION) {
            const struct entry_operation *operation = &out.operation;
            assert_string_equal(operation->name, "lanes-3-4");
            assert_string_equal(operation->step, "register");
            assert_int_equal(operation->mode, MODE_MAIL);
            assert_string_equal(operation->site, "north");
            assert_string_equal(operation->lane, "3");
            assert_true(operation->from_ns == 5 && operation->to_ns == 6);
            assert_string_equal(operation->hypothesis, "more");
            assert_string_equal(operation->metric, "hit_rate");
            assert_string_equal(operation->comparator, "random");
            assert_string_equal(operation->stop_rule, "200 exams");
            assert_string_equal(operation->reason, "done");
        }
        assert_false(out.hold_all);
        bool has_item = order <= ORDER_OUTCOME || order == ORDER_HOLD || order == ORDER_REFER;
        assert_int_equal(memcmp(out.item, in.item, ITEM_ID_BYTES) == 0, has_item);
        assert_string_equal(out.code, order == ORDER_RELEASE ? "wrong-lane" : "");
        assert_string_equal(out.file, order == ORDER_MODEL ? "ab12" : "");
        assert_string_equal(out.figures, order == ORDER_MODEL ? "better" : "");
        assert_int_equal(out.model_step, order == ORDER_MODEL ? MODEL_PROMOTE : MODEL_INSTALL);
        assert_string_equal(out.close_reason, order == ORDER_CLOSE ? "the key was stolen" : "");
        assert_string_equal(out.cosignatures, order == ORDER_COSIGN ? "line" : "");
        assert_int_equal(out.cosigned_size, order == ORDER_COSIGN ? 70000 : 0);
        assert_string_equal(out.outcome.result, order == ORDER_OUTCOME ? "found" : "");
        if (order == ORDER_OUTCOME) {
            assert_string_equal(out.outcome.exam_level, "full");
            assert_string_equal(out.outcome.seizure_class, "tobacco");
            assert_string_equal(out.outcome.unit, "kg");
            assert_string_equal(out.outcome.request_id, "r-1");
            assert_true(out.outcome.quantity == 12.5 && out.outcome.has_region);
            assert_int_equal(out.outcome.image_index, 1);
            assert_int_equal(out.outcome.region_x, 2);
            assert_int_equal(out.outcome.region_y, 3);
            assert_int_equal(out.outcome.region_width, 4);
            assert_int_equal(out.outcome.region_height, 5);
            assert_string_equal(out.outcome.again, "correction");
            assert_string_equal(out.outcome.code, "weighed");
        }
    }
}

static void command_one_thing_broken_refuses(void **state)
{
    (void)state;
    struct wire_command out;
    struct wire_command in = {.request_id = "", .order = ORDER_HEALTH};
    assert_false(wire_command_decode(encoded, wire_command_encode(&in, encoded, sizeof encoded),
                                     fresh(), &out));
    in.request_id = text_of(WIRE_REQUEST_ID_BYTES_MAX + 1);
    assert_false(wire_command_decode(encoded, wire_command_encode(&in, encoded, sizeof encoded),
                                     fresh(), &out));
    in.request_id = text_of(WIRE_REQUEST_ID_BYTES_MAX);
    assert_true(wire_command_decode(encoded, wire_command_encode(&in, encoded, sizeof encoded),
                                    fresh(), &out));
    in.order = ORDER_OUTCOME;
    in.outcome.quantity = -1;
    assert_false(wire_command_decode(encoded, wire_command_encode(&in, encoded, sizeof encoded),
                                     fresh(), &out));
    in.order = ORDER_REDACT;
    in.sentence = "law";
    in.entries_count = 0; /* of nothing */
    assert_false(wire_command_decode(encoded, wire_command_encode(&in, encoded, sizeof encoded),
                                     fresh(), &out));
    in.entries_count = 1;
    assert_true(wire_command_decode(encoded, wire_command_encode(&in, encoded, sizeof encoded),
                                    fresh(), &out));
    in.sentence = "";
    assert_false(wire_command_decode(encoded, wire_command_encode(&in, encoded, sizeof encoded),
                                     fresh(), &out));
    in.sentence = text_of(WIRE_SENTENCE_BYTES_MAX + 1);
    assert_false(wire_command_decode(encoded, wire_command_encode(&in, encoded, sizeof encoded),
                                     fresh(), &out));
    in.sentence = "law";
    in.names[0] = "";
    in.names_count = 1;
    assert_false(wire_command_decode(encoded, wire_command_encode(&in, encoded, sizeof encoded),
                                     fresh(), &out));
    in.names_count = ENTRY_NAMES_MAX + 1;
    assert_int_equal(wire_command_encode(&in, encoded, sizeof encoded), 0);
    in.names_count = 0;
    in.order = ORDER_NONE;
    assert_int_equal(wire_command_encode(&in, encoded, sizeof encoded), 0);
    const uint8_t no_order[] = {0x0a, 1, 'r'};
    const uint8_t claim_of_nothing[] = {0x0a, 1, 'r', 0x52, 0};
    const uint8_t claim_of_short_item[] = {0x0a, 1, 'r', 0x52, 3, 0x0a, 1, 7};
    assert_false(wire_command_decode(no_order, sizeof no_order, fresh(), &out));
    assert_false(wire_command_decode(claim_of_nothing, sizeof claim_of_nothing, fresh(), &out));
    assert_false(
        wire_command_decode(claim_of_short_item, sizeof claim_of_short_item, fresh(), &out));
}

static void answer_survives_the_round(void **state)
{
    (void)state;
    const struct wire_answer in = {.request_id = "r-1",
                                   .done = true,
                                   .name = "stale",
                                   .reason = "version 4",
                                   .entry_index = 12,
                                   .json = "{\"a\":1}",
                                   .revealed = {{7, (const uint8_t *)"abc", 3}, {9, NULL, 0}},
                                   .revealed_count = 2};
    struct wire_answer out;
    size_t bytes = wire_answer_encode(&in, encoded, sizeof encoded);
    assert_true(wire_answer_decode(encoded, bytes, fresh(), &out));
    assert_int_equal(out.revealed_count, 2);
    assert_int_equal(out.revealed[0].entry_index, 7);
    assert_int_equal(out.revealed[0].disclosure_bytes, 3);
    assert_memory_equal(out.revealed[0].disclosure, "abc", 3);
    assert_int_equal(out.revealed[1].entry_index, 9);
    assert_int_equal(out.revealed[1].disclosure_bytes, 0);
    assert_string_equal(out.request_id, "r-1");
    assert_true(out.done);
    assert_string_equal(out.name, "stale");
    assert_string_equal(out.reason, "version 4");
    assert_int_equal(out.entry_index, 12);
    assert_string_equal(out.json, "{\"a\":1}");
}

/* A small arena ends a decode; it never ends the process. */
static void decode_in_a_full_arena_refuses(void **state)
{
    (void)state;
    struct wire_verdict verdict = good_verdict();
    struct wire_verdict out;
    size_t bytes = wire_verdict_encode(&verdict, encoded, sizeof encoded);
    bool fitted = false;
    for (size_t room = 0; room < 4096; room += 16) {
        uint8_t *exact = malloc(room + 1);
        assert_non_null(exact);
        arena_init(&arena, exact, room);
        bool good = wire_verdict_decode(encoded, bytes, &arena, &out);
        assert_true(good || !fitted);
        fitted = good;
        free(exact);
    }
    assert_true(fitted);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tag_every_tag_reads_back),
        cmocka_unit_test(hello_welcome_resend_bye_survive_the_round),
        cmocka_unit_test(texts_beyond_their_bound_refuse),
        cmocka_unit_test(publish_points_into_the_input),
        cmocka_unit_test(publish_longest_message_fits_one_more_byte_refuses),
        cmocka_unit_test(publish_broken_bytes_refuse),
        cmocka_unit_test(publish_odd_record_is_left_to_its_refusal),
        cmocka_unit_test(ack_survives_the_round),
        cmocka_unit_test(ack_outside_its_own_range_refuses),
        cmocka_unit_test(verdict_survives_the_round),
        cmocka_unit_test(verdict_one_thing_broken_refuses),
        cmocka_unit_test(command_every_order_survives_the_round),
        cmocka_unit_test(command_one_thing_broken_refuses),
        cmocka_unit_test(answer_survives_the_round),
        cmocka_unit_test(decode_in_a_full_arena_refuses),
    };
    return cmocka_run_group_tests(tests, long_text_prepare, NULL);
}
