/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/quorum.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "proto/cosignature.h"

#define LOG "oversight.example.org/port/2026+83515680+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4"
/* Seeds of 32 times 01, 02, 03; keys by openssl, key ids by Python. */
#define W1 "witness.example.org/w1+10e47819+BIqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c"
#define W2 "witness.example.org/w2+b67bfd59+BIE5dw6ofRdfVqNUZsNMfszLjYqRtO43ol32D1uPybOU"
#define W3 "witness.example.org/w3+1ac41681+BO1JKMYo0cLG6ukDOJBZlWEpWSc6XGP5NjbBRhSshzfR"
#define THREE "witness a " W1 "\nwitness b " W2 " http://127.0.0.1:1/w2\nwitness c " W3 "\n"

static struct quorum quorum;

static void read_good(const char *text)
{
    uint32_t line = 0;
    enum quorum_fault fault = quorum_read(text, strlen(text), &quorum, &line);
    if (fault != QUORUM_GOOD) {
        fail_msg("line %u: %s\n%s", line, quorum_fault_text(fault), text);
    }
}

static void a_whole_policy_is_read(void **state)
{
    (void)state;
    read_good("# of the port\n\n\t log\t" LOG "  https://log.example.org/ \n" THREE
              " # two of the three\ngroup ab any a b\ngroup most 2 ab c\n quorum most\n");
    assert_int_equal(quorum.logs_count, 1);
    assert_string_equal(quorum.logs[0].url, "https://log.example.org/");
    assert_string_equal(quorum.logs[0].vkey.name, "oversight.example.org/port/2026");
    assert_int_equal(quorum.witnesses_count, 3);
    assert_string_equal(quorum.witnesses[1].name, "b");
    assert_string_equal(quorum.witnesses[1].url, "http://127.0.0.1:1/w2");
    assert_string_equal(quorum.witnesses[2].url, "");
    assert_int_equal(quorum.groups_count, 2);
    assert_int_equal(quorum.groups[1].threshold, 2);
    read_good("quorum none\n");
    assert_true(quorum.wanted == 0);
}

static void breaks_are_named_with_their_line(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        const char *text;
        enum quorum_fault fault;
        uint32_t line;
    } rows[] = {
        {"nothing", "", QUORUM_MISSING, 0},
        {"no quorum", THREE, QUORUM_MISSING, 0},
        {"two quorums", "quorum none\nquorum none\n", QUORUM_TWICE, 2},
        {"no newline", "quorum none", QUORUM_CUT, 1},
        {"carriage return", "quorum none\r\n", QUORUM_BYTE, 1},
        {"delete", "# \x7f\nquorum none\n", QUORUM_BYTE, 1},
        {"unknown word", "logs " LOG "\nquorum none\n", QUORUM_WORD, 1},
        {"comment behind a line", "quorum none # all\n", QUORUM_ITEMS, 1},
        {"log without key", "log\nquorum none\n", QUORUM_ITEMS, 1},
        {"witness without key", "witness a\nquorum none\n", QUORUM_ITEMS, 1},
        {"too many words", "witness a " W1 " u v\nquorum none\n", QUORUM_ITEMS, 1},
        {"a witness as log", "log " W1 "\nquorum none\n", QUORUM_KEY, 1},
        {"a log as witness", "witness a " LOG "\nquorum none\n", QUORUM_KEY, 1},
        {"mistyped key",
         "witness a witness.example.org/w1+10e47819+BIqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29d\n"
         "quorum a\n",
         QUORUM_KEY, 1},
        {"log twice", "log " LOG "\nlog " LOG " u\nquorum none\n", QUORUM_KEY_TWICE, 2},
        {"witness key twice", "witness a " W1 "\nwitness b " W1 "\nquorum a\n", QUORUM_KEY_TWICE,
         2},
        {"name twice", "witness a " W1 "\nwitness a " W2 "\nquorum a\n", QUORUM_NAME_TWICE, 2},
        {"witness none", "witness none " W1 "\nquorum none\n", QUORUM_NAME_TWICE, 1},
        {"group named as witness", THREE "group a any b\nquorum a\n", QUORUM_NAME_TWICE, 4},
        {"group none", THREE "group none any b\nquorum none\n", QUORUM_NAME_TWICE, 4},
        {"none as member", THREE "group g any none\nquorum g\n", QUORUM_NAME_UNDEFINED, 4},
        {"unknown member", THREE "group g any a d\nquorum g\n", QUORUM_NAME_UNDEFINED, 4},
        {"defined below", "group g any a\n" THREE "quorum g\n", QUORUM_NAME_UNDEFINED, 1},
        {"quorum before its witness", "quorum a\n" THREE, QUORUM_NAME_UNDEFINED, 1},
        {"itself", THREE "group g any g\nquorum g\n", QUORUM_NAME_UNDEFINED, 4},
        {"member twice in one", THREE "group g 2 a a\nquorum g\n", QUORUM_MEMBER_TWICE, 4},
        {"member of two", THREE "group g any a\ngroup h any a b\nquorum h\n", QUORUM_MEMBER_TWICE,
         5},
        {"no members", THREE "group g any\nquorum g\n", QUORUM_ITEMS, 4},
        {"zero of two", THREE "group g 0 a b\nquorum g\n", QUORUM_THRESHOLD, 4},
        {"three of two", THREE "group g 3 a b\nquorum g\n", QUORUM_THRESHOLD, 4},
        {"some", THREE "group g some a b\nquorum g\n", QUORUM_THRESHOLD, 4},
        {"leading zero", THREE "group g 02 a b\nquorum g\n", QUORUM_THRESHOLD, 4},
        {"quorum of two", THREE "quorum a b\n", QUORUM_ITEMS, 4},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint32_t line = 99;
        enum quorum_fault fault = quorum_read(rows[i].text, strlen(rows[i].text), &quorum, &line);
        if (fault != rows[i].fault || line != rows[i].line) {
            fail_msg("%s: line %u: %s", rows[i].what, line, quorum_fault_text(fault));
        }
    }
}

static void names_are_octets_and_bounded(void **state)
{
    (void)state;
    char text[1024];
    char name[QUORUM_NAME_BYTES_MAX + 2] = {0};
    uint32_t line = 0;
    read_good("witness \xe2\x84\xaa " W1 "\nwitness K " W2 "\nquorum \xe2\x84\xaa\n");
    memset(name, 'n', QUORUM_NAME_BYTES_MAX);
    (void)snprintf(text, sizeof text, "witness %s " W1 "\nquorum %s\n", name, name);
    read_good(text);
    name[QUORUM_NAME_BYTES_MAX] = 'n';
    (void)snprintf(text, sizeof text, "witness %s " W1 "\nquorum none\n", name);
    assert_int_equal(quorum_read(text, strlen(text), &quorum, &line), QUORUM_TOO_LONG);
}

static size_t many(const char *kind, uint32_t count, char *out, size_t capacity)
{
    size_t at = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint8_t public_key[SIGN_PUBLIC_BYTES] = {(uint8_t)i, 1};
        struct note_vkey vkey;
        char key[NOTE_VKEY_BYTES_MAX];
        bool is_log = strcmp(kind, "log") == 0;
        note_vkey_make_typed(is_log ? NOTE_KEY_LOG : NOTE_KEY_WITNESS, &vkey, "n", public_key);
        note_vkey_encode_typed(is_log ? NOTE_KEY_LOG : NOTE_KEY_WITNESS, &vkey, key);
        at += is_log ? (size_t)snprintf(out + at, capacity - at, "log %s\n", key)
                     : (size_t)snprintf(out + at, capacity - at, "witness w%u %s\n", i, key);
    }
    return at;
}

static void thirty_two_of_each_are_taken(void **state)
{
    (void)state;
    static char text[QUORUM_FILE_BYTES_MAX + 1];
    uint32_t line = 0;
    for (uint32_t more = 0; more < 2; more++) {
        size_t at = many("log", QUORUM_LOGS_MAX + more, text, sizeof text);
        at += (size_t)snprintf(text + at, sizeof text - at, "quorum none\n");
        assert_int_equal(quorum_read(text, at, &quorum, &line),
                         more == 0 ? QUORUM_GOOD : QUORUM_TOO_MANY);
        at = many("witness", QUORUM_WITNESSES_MAX + more, text, sizeof text);
        at += (size_t)snprintf(text + at, sizeof text - at, "quorum w31\n");
        assert_int_equal(quorum_read(text, at, &quorum, &line),
                         more == 0 ? QUORUM_GOOD : QUORUM_TOO_MANY);
        at = many("witness", 1, text, sizeof text);
        for (uint32_t i = 0; i < QUORUM_GROUPS_MAX + more; i++) {
            at += i == 0 ? (size_t)snprintf(text + at, sizeof text - at, "group g0 any w0\n")
                         : (size_t)snprintf(text + at, sizeof text - at, "group g%u all g%u\n", i,
                                            i - 1);
        }
        at += (size_t)snprintf(text + at, sizeof text - at, "quorum g31\n");
        assert_int_equal(quorum_read(text, at, &quorum, &line),
                         more == 0 ? QUORUM_GOOD : QUORUM_TOO_MANY);
    }
    memset(text, '\n', sizeof text);
    assert_int_equal(quorum_read(text, QUORUM_FILE_BYTES_MAX, &quorum, &line), QUORUM_MISSING);
    assert_int_equal(quorum_read(text, QUORUM_FILE_BYTES_MAX + 1, &quorum, &line), QUORUM_TOO_LONG);
}

/* ---- judging ---- */

struct maker {
    struct sign_key log;
    struct sign_key witnesses[3];
    char text[NOTE_BYTES_MAX];
    size_t bytes;
    size_t signed_bytes;
};
static struct maker maker;

static void maker_start(void)
{
    uint8_t seed[SIGN_SEED_BYTES];
    struct checkpoint checkpoint = {.origin = "oversight.example.org/port/2026", .size = 9};
    assert_true(sign_init());
    for (uint8_t i = 0; i < sizeof seed; i++) {
        seed[i] = i;
    }
    sign_key_from_seed(&maker.log, seed);
    for (int i = 0; i < 3; i++) {
        memset(seed, i + 1, sizeof seed);
        sign_key_from_seed(&maker.witnesses[i], seed);
    }
    memset(checkpoint.root, 5, HASH_BYTES);
    maker.bytes = checkpoint_sign(&checkpoint, &maker.log, maker.text);
    maker.signed_bytes = (size_t)(strstr(maker.text, "\n\n") - maker.text) + 1;
}

static void maker_add(int witness, uint64_t time_s)
{
    char name[64];
    (void)snprintf(name, sizeof name, "witness.example.org/w%d", witness + 1);
    maker.bytes += cosignature_make(maker.text, maker.signed_bytes, name, &maker.witnesses[witness],
                                    time_s, maker.text + maker.bytes);
}

static void groups_are_counted(void **state)
{
    (void)state;
    static const struct {
        const char *rule;
        unsigned met_by; /* bit s: met when the set s of witnesses has signed */
    } rows[] = {
        {"quorum none\n", 0xff},
        {"quorum b\n", 0xcc},
        {"group g any a b c\nquorum g\n", 0xfe},
        {"group g 2 a b c\nquorum g\n", 0xe8},
        {"group g all a b c\nquorum g\n", 0x80},
        {"group g any a b\ngroup h all g c\nquorum h\n", 0xe0},
        {"group g all a b\ngroup h any g c\nquorum h\n", 0xf8},
        {"group g all a b\ngroup h any g c\nquorum c\n", 0xf0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[1024];
        (void)snprintf(text, sizeof text, "log " LOG "\n" THREE "%s", rows[i].rule);
        read_good(text);
        for (unsigned set = 0; set < 8; set++) {
            struct quorum_tally tally;
            maker_start();
            for (int w = 2; w >= 0; w--) {
                if ((set >> w & 1) != 0) {
                    maker_add(w, 1000 + (uint64_t)w);
                }
            }
            enum quorum_verdict verdict = quorum_judge(&quorum, maker.text, maker.bytes, &tally);
            assert_int_equal(verdict,
                             (rows[i].met_by >> set & 1) != 0 ? QUORUM_MET : QUORUM_MISSED);
            assert_int_equal(tally.signed_count, (uint32_t)__builtin_popcount(set));
            for (unsigned w = 0; w < 3; w++) {
                assert_true(tally.times_s[w] == ((set >> w & 1) != 0 ? 1000 + w : 0));
            }
        }
    }
}

static void forged_lines_spoil_the_note(void **state)
{
    (void)state;
    struct quorum_tally tally;
    read_good("log " LOG "\n" THREE "quorum a\n");
    maker_start();
    assert_int_equal(quorum_judge(&quorum, maker.text, maker.bytes, &tally), QUORUM_MISSED);
    maker_add(0, 5);
    maker_add(0, 4);
    assert_int_equal(quorum_judge(&quorum, maker.text, maker.bytes, &tally), QUORUM_MET);
    assert_true(tally.times_s[0] == 5); /* the newest of two lines counts */
    assert_int_equal(tally.signed_count, 1);
    /* A line of b that does not verify: made over another text. */
    char other[] =
        "oversight.example.org/port/2026\n9\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n";
    size_t before = maker.bytes;
    maker.bytes += cosignature_make(other, strlen(other), "witness.example.org/w2",
                                    &maker.witnesses[1], 6, maker.text + maker.bytes);
    assert_int_equal(quorum_judge(&quorum, maker.text, maker.bytes, &tally), QUORUM_WITNESS_FORGED);
    maker_add(1, 7); /* a good one behind it does not heal it */
    assert_int_equal(quorum_judge(&quorum, maker.text, maker.bytes, &tally), QUORUM_WITNESS_FORGED);
    /* The same line under a name that nobody knows is nothing. */
    maker.bytes = before;
    maker.bytes += cosignature_make(other, strlen(other), "witness.example.org/stranger",
                                    &maker.witnesses[1], 6, maker.text + maker.bytes);
    assert_int_equal(quorum_judge(&quorum, maker.text, maker.bytes, &tally), QUORUM_MET);
    maker.text[0] ^= 1; /* another origin: no log of the policy */
    assert_int_equal(quorum_judge(&quorum, maker.text, maker.bytes, &tally), QUORUM_NO_LOG);
    maker.text[0] ^= 1;
    maker.text[32] ^= 1; /* another size */
    assert_int_equal(quorum_judge(&quorum, maker.text, maker.bytes, &tally), QUORUM_LOG_FORGED);
    maker.text[32] ^= 1;
    maker.text[maker.bytes] = 'x';
    assert_int_equal(quorum_judge(&quorum, maker.text, maker.bytes + 1, &tally), QUORUM_NO_NOTE);
    assert_int_equal(quorum_judge(&quorum, maker.text, 10, &tally), QUORUM_NO_NOTE);
}

static void unknown_log_is_not_taken(void **state)
{
    (void)state;
    struct quorum_tally tally;
    maker_start();
    maker_add(0, 5);
    read_good(THREE "quorum a\n"); /* the log is known from elsewhere */
    assert_int_equal(quorum_judge(&quorum, maker.text, maker.bytes, &tally), QUORUM_MET);
    read_good("log PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW\n" THREE
              "quorum a\n");
    assert_int_equal(quorum_judge(&quorum, maker.text, maker.bytes, &tally), QUORUM_NO_LOG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_policy_is_read),
        cmocka_unit_test(breaks_are_named_with_their_line),
        cmocka_unit_test(names_are_octets_and_bounded),
        cmocka_unit_test(thirty_two_of_each_are_taken),
        cmocka_unit_test(groups_are_counted),
        cmocka_unit_test(forged_lines_spoil_the_note),
        cmocka_unit_test(unknown_log_is_not_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
