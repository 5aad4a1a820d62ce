/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/durable.h"
#include "folder.h"
#include "log_maker.h"
#include "proto/note.h"
#include "verify/verify.h"

/* Two small shards, and one shard with a new key, made honestly and with one lie each. Everything
 * is signed by who lies: only what the entries say of shards and keys can give it away. */

#define OLD_ORIGIN "oversight.example/port/2026"
#define NEW_ORIGIN "oversight.example/port/2027"
#define NOW_NS INT64_C(1790000000000000000)

enum { KEY_OLD = 1, KEY_NEW = 2, KEY_THIRD = 3 };

static char directory[64];
static struct range range;
static struct log_maker maker;
static struct verify_report report;
static struct sign_key keys[4];
static uint64_t first_n; /* of the shard under work */

static uint64_t problems(const char *path, const char *vkey)
{
    const struct verify_conf conf = {.directory = path, .vkey = vkey, .now_ns = NOW_NS};
    verify_report_fini(&report);
    assert_int_equal(verify_report_init(&report).code, ERR_NONE);
    assert_int_equal(verify_run(&conf, &report).code, ERR_NONE);
    return report.problems.count;
}

static void expect_problem(const char *lie, const char *words)
{
    if (problems(directory, NULL) == 0) {
        fail_msg("%s: believed", lie);
    }
    for (uint32_t i = 0; i < report.problems.count && i < report.problems.kept_max; i++) {
        if (strstr(report.problems.lines[i].text, words) != NULL) {
            return;
        }
    }
    fail_msg("%s: told as '%s', not as '%s'", lie, report.problems.lines[0].text, words);
}

static void expect_honest(const char *path, const char *vkey)
{
    if (problems(path, vkey) > 0) {
        fail_msg("%s: %s", vkey == NULL ? "" : vkey, report.problems.lines[0].text);
    }
}

/* ---- making ---- */

static void begin(const char *name, const char *origin, uint64_t n)
{
    char path[128];
    (void)snprintf(path, sizeof path, "%s/log/%s", directory, name);
    range_fini(&range);
    memset(&range, 0, sizeof range);
    first_n = n;
    log_maker_init(&maker, path, origin, KEY_OLD);
}

/* Ids are of the number, so that they differ over shards. */
static void add(struct entry *entry)
{
    uint64_t n = first_n + range.count;
    uint8_t bytes[ENTRY_BYTES_MAX];
    range_id(n, entry->id);
    entry->actor = "daemon";
    size_t stamp_bytes = entry_encode_stamp(n, NOW_NS - INT64_C(1000000000) * (1000 - (int64_t)n),
                                            bytes, sizeof bytes);
    size_t rest_bytes = entry_encode_rest(entry, bytes + stamp_bytes, sizeof bytes - stamp_bytes);
    assert_true(stamp_bytes > 0 && rest_bytes > 0);
    struct range_entry *at = &range.entries[range.count++];
    at->bytes_count = (uint32_t)(stamp_bytes + rest_bytes);
    at->bytes = malloc(at->bytes_count);
    assert_non_null(at->bytes);
    memcpy(at->bytes, bytes, at->bytes_count);
}

static void add_open(const char *origin, uint64_t said_first_n, const char *previous)
{
    struct entry entry = {.type = ENTRY_LOG_OPEN};
    entry.body.log_open.origin = origin;
    entry.body.log_open.format_version = 1;
    entry.body.log_open.first_n = said_first_n;
    entry.body.log_open.previous_checkpoint = (const uint8_t *)previous;
    entry.body.log_open.previous_checkpoint_bytes = (uint32_t)strlen(previous);
    add(&entry);
}

static void add_ticks(uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct entry entry = {.type = ENTRY_TIME_TICK};
        add(&entry);
    }
}

static void add_close(const char *next_origin)
{
    struct entry entry = {.type = ENTRY_LOG_CLOSE};
    entry.body.log_close.reason = "year";
    entry.body.log_close.next_origin = next_origin;
    add(&entry);
}

static void vkey_text(int key, const char *origin, char out[NOTE_VKEY_BYTES_MAX + 1])
{
    struct note_vkey vkey;
    note_vkey_make(&vkey, origin, keys[key].public_key);
    note_vkey_encode(&vkey, out);
}

static void add_rotate(const char *origin, int from, int to)
{
    struct entry entry = {.type = ENTRY_KEY_ROTATE};
    char old_vkey[NOTE_VKEY_BYTES_MAX + 1];
    char new_vkey[NOTE_VKEY_BYTES_MAX + 1];
    vkey_text(from, origin, old_vkey);
    vkey_text(to, origin, new_vkey);
    entry.body.key_rotate.old_vkey = old_vkey;
    entry.body.key_rotate.new_vkey = new_vkey;
    entry.body.key_rotate.reason = "test";
    add(&entry);
}

static void put(const char *name, const char *text)
{
    char path[512];
    (void)snprintf(path, sizeof path, "%s/%s", maker.directory, name);
    char *slash = strrchr(path, '/');
    *slash = '\0';
    assert_int_equal(durable_directory(path, 0755).code, ERR_NONE);
    *slash = '/';
    assert_int_equal(durable_replace(path, text, strlen(text), 0644).code, ERR_NONE);
}

static void put_vkey(const char *name, int key)
{
    char text[NOTE_VKEY_BYTES_MAX + 2];
    vkey_text(key, maker.origin, text);
    strcat(text, "\n");
    put(name, text);
}

/* A checkpoint of this size by these keys, 0 at the end; out: its text, or NULL. */
static void sign(uint64_t size, const int *by, char *out)
{
    struct checkpoint checkpoint = {.size = size};
    char text[NOTE_BYTES_MAX + 1];
    char name[32];
    uint8_t root[HASH_BYTES];
    log_maker_root(&maker, size, root);
    memcpy(checkpoint.root, root, HASH_BYTES);
    strcpy(checkpoint.origin, maker.origin);
    size_t bytes = checkpoint_sign(&checkpoint, &keys[by[0]], text);
    for (int i = 1; by[i] != 0; i++) {
        bytes = checkpoint_sign_also(&checkpoint, &keys[by[i]], text, bytes);
    }
    assert_int_equal(strlen(text), bytes);
    (void)snprintf(name, sizeof name, "checkpoints/%llu", (unsigned long long)size);
    put(name, text);
    put("checkpoint", text);
    if (out != NULL) {
        strcpy(out, text);
    }
}

static const int by_old[] = {KEY_OLD, 0};
static const int by_new[] = {KEY_NEW, 0};

static void fresh(void)
{
    folder_remove(directory);
    assert_int_equal(mkdir(directory, 0755), 0);
}

/* ---- shards ---- */

enum lie {
    HONEST,
    WITNESSED,
    PREVIOUS_OLDER,
    PREVIOUS_OF_ANOTHER_KEY,
    PREVIOUS_MISSING,
    NO_CLOSE,
    BEHIND_CLOSE,
    FIRST_N_TOO_HIGH,
    FIRST_N_TOO_LOW,
    OTHER_SUCCESSOR,
    OTHER_KEY,
    OTHER_ORIGIN
};

static void make_shards(enum lie lie)
{
    char earlier[NOTE_BYTES_MAX + 1];
    char final[NOTE_BYTES_MAX + 1];
    char forged[NOTE_BYTES_MAX + 1];
    static const int by_third[] = {KEY_THIRD, 0};
    fresh();
    begin("2026", OLD_ORIGIN, 0);
    add_open(OLD_ORIGIN, 0, "");
    add_ticks(5);
    if (lie == NO_CLOSE) {
        add_ticks(1);
    } else {
        add_close(lie == OTHER_SUCCESSOR ? "oversight.example/port/2029" : NEW_ORIGIN);
    }
    if (lie == BEHIND_CLOSE) {
        add_ticks(1);
    }
    uint64_t size = range.count;
    log_maker_publish(&maker, &range, size);
    sign(3, by_old, earlier);
    sign(size, by_third, forged);
    sign(size, by_old, final);
    if (lie == WITNESSED) { /* whatever a witness adds behind is not the log's */
        char cosigned[NOTE_BYTES_MAX + 64];
        (void)snprintf(cosigned, sizeof cosigned,
                       "%s\xe2\x80\x94 witness.example.net AAAAAQECAwQF\n", final);
        put("checkpoint", cosigned);
    }
    uint64_t n = lie == FIRST_N_TOO_HIGH ? size + 1 : lie == FIRST_N_TOO_LOW ? size - 1 : size;
    const char *previous = lie == PREVIOUS_OLDER            ? earlier
                           : lie == PREVIOUS_OF_ANOTHER_KEY ? forged
                           : lie == PREVIOUS_MISSING        ? ""
                                                            : final;
    begin("2027", NEW_ORIGIN, n);
    add_open(lie == OTHER_ORIGIN ? OLD_ORIGIN : NEW_ORIGIN, n, previous);
    add_ticks(4);
    log_maker_publish(&maker, &range, range.count);
    if (lie == OTHER_KEY) {
        put_vkey("vkey", KEY_NEW);
    }
    sign(range.count, lie == OTHER_KEY ? by_new : by_old, NULL);
}

static void honest_chain_is_believed_as_a_whole_and_shard_by_shard(void **state)
{
    (void)state;
    char path[128];
    char vkey[NOTE_VKEY_BYTES_MAX + 1];
    make_shards(HONEST);
    expect_honest(directory, NULL);
    assert_int_equal(report.shards_count, 2);
    assert_int_equal(report.shards[1].first_n, 7);
    vkey_text(KEY_OLD, OLD_ORIGIN, vkey);
    expect_honest(directory, vkey); /* that of the first year is enough for both */
    vkey_text(KEY_OLD, NEW_ORIGIN, vkey);
    expect_honest(directory, vkey);
    vkey_text(KEY_THIRD, OLD_ORIGIN, vkey);
    assert_true(problems(directory, vkey) > 0);
    (void)snprintf(path, sizeof path, "%s/log/2027", directory);
    expect_honest(path, NULL);
    assert_int_equal(report.warnings.count, 1);
    assert_non_null(strstr(report.warnings.lines[0].text, "the shard before it is not here"));
    (void)snprintf(path, sizeof path, "%s/log/2026", directory);
    expect_honest(path, NULL);
    make_shards(WITNESSED);
    expect_honest(directory, NULL);
}

static void chain_with_one_lie_is_refused(void **state)
{
    (void)state;
    static const struct {
        enum lie lie;
        const char *name;
        const char *words;
    } rows[] = {
        {PREVIOUS_OLDER, "an older checkpoint is embedded", "does not embed the final checkpoint"},
        {PREVIOUS_OF_ANOTHER_KEY, "a forged checkpoint is embedded",
         "does not embed the final checkpoint"},
        {PREVIOUS_MISSING, "no checkpoint is embedded", "without a checkpoint"},
        {NO_CLOSE, "log.close is left out", "its last entry is not log.close"},
        {BEHIND_CLOSE, "an entry behind log.close", "comes behind log.close"},
        {FIRST_N_TOO_HIGH, "a number is left out", "the shard before it ends before 7"},
        {FIRST_N_TOO_LOW, "a number comes twice", "the shard before it ends before 7"},
        {OTHER_SUCCESSOR, "log.close names another", "names oversight.example/port/2029"},
        {OTHER_KEY, "the new shard has a key of its own", "does not begin with the key"},
        {OTHER_ORIGIN, "log.open is of another log", "log.open is of"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        make_shards(rows[i].lie);
        expect_problem(rows[i].name, rows[i].words);
    }
}

static void shard_that_was_taken_away_is_missed(void **state)
{
    (void)state;
    char command[256];
    make_shards(HONEST);
    (void)snprintf(command, sizeof command, "rm -r %s/log/2026", directory);
    assert_int_equal(system(command), 0);
    expect_problem("the first shard is gone", "no shard before it is here");
    make_shards(HONEST);
    (void)snprintf(command, sizeof command,
                   "printf '0 " OLD_ORIGIN " 2026\\n7 " NEW_ORIGIN " 2027\\n' > %s/log/shards",
                   directory);
    assert_int_equal(system(command), 0);
    expect_honest(directory, NULL);
    (void)snprintf(command, sizeof command, "rm -r %s/log/2027", directory);
    assert_int_equal(system(command), 0);
    expect_problem("the last shard is gone", "lists 2 shards, 1 are here");
    make_shards(HONEST);
    (void)snprintf(command, sizeof command,
                   "printf '0 " OLD_ORIGIN " 2026\\n6 " NEW_ORIGIN " 2027\\n' > %s/log/shards",
                   directory);
    assert_int_equal(system(command), 0);
    expect_problem("the list lies", "does not list");
}

/* ---- keys ---- */

enum key_lie {
    KEYS_HONEST,
    NO_ENTRY,
    NEW_ALONE,
    OLD_ALONE,
    OLD_AND_THIRD,
    THIRD_BESIDE_BOTH,
    THIRD_BESIDE_NEW,
    TOO_LATE,
    TOO_EARLY,
    ENTRY_OF_ANOTHER,
    NEVER_USED,
    OLD_SIGNS_LATER,
    NEW_SIGNS_EARLIER,
    OLD_KEY_HIDDEN
};

static void make_rotated(enum key_lie lie)
{
    static const int both[] = {KEY_OLD, KEY_NEW, 0};
    static const int old_third[] = {KEY_OLD, KEY_THIRD, 0};
    static const int all[] = {KEY_OLD, KEY_NEW, KEY_THIRD, 0};
    static const int new_third[] = {KEY_NEW, KEY_THIRD, 0};
    fresh();
    begin("2026", OLD_ORIGIN, 0);
    add_open(OLD_ORIGIN, 0, "");
    add_ticks(2);
    if (lie == NO_ENTRY) {
        add_ticks(1);
    } else {
        add_rotate(OLD_ORIGIN, KEY_OLD, lie == ENTRY_OF_ANOTHER ? KEY_THIRD : KEY_NEW);
    }
    add_ticks(6);
    log_maker_publish(&maker, &range, range.count);
    char name[16];
    uint64_t change = lie == TOO_LATE ? 6 : lie == TOO_EARLY ? 3 : 4;
    bool used = lie != NEVER_USED;
    sign(2, lie == NEW_SIGNS_EARLIER ? by_new : by_old, NULL);
    if (lie == TOO_LATE) {
        sign(5, by_old, NULL);
    }
    sign(change,
         !used                      ? by_old
         : lie == NEW_ALONE         ? by_new
         : lie == OLD_ALONE         ? by_old
         : lie == OLD_AND_THIRD     ? old_third
         : lie == THIRD_BESIDE_BOTH ? all
                                    : both,
         NULL);
    sign(8, !used ? by_old : lie == THIRD_BESIDE_NEW ? new_third : by_new, NULL);
    sign(10, !used || lie == OLD_SIGNS_LATER ? by_old : by_new, NULL);
    if (used) {
        put_vkey("vkey", KEY_NEW);
        (void)snprintf(name, sizeof name, "vkeys/%llu", (unsigned long long)change);
        if (lie != OLD_KEY_HIDDEN) {
            put_vkey(name, KEY_OLD);
        }
    }
}

static void rotated_key_is_followed_from_any_key(void **state)
{
    (void)state;
    char vkey[NOTE_VKEY_BYTES_MAX + 1];
    make_rotated(KEYS_HONEST);
    expect_honest(directory, NULL);
    vkey_text(KEY_OLD, OLD_ORIGIN, vkey);
    expect_honest(directory, vkey);
    vkey_text(KEY_NEW, OLD_ORIGIN, vkey);
    expect_honest(directory, vkey);
    vkey_text(KEY_THIRD, OLD_ORIGIN, vkey);
    assert_true(problems(directory, vkey) > 0);
}

static void rotation_with_one_lie_is_refused(void **state)
{
    (void)state;
    static const struct {
        enum key_lie lie;
        const char *name;
        const char *words;
    } rows[] = {
        {NO_ENTRY, "no entry tells of the new key", "no key.rotate entry tells"},
        {NEW_ALONE, "the new key signed the change alone", "not signed by the key"},
        {OLD_ALONE, "the old key signed the change alone", "comes after it did not sign it"},
        {OLD_AND_THIRD, "another key signed the change", "comes after it did not sign it"},
        {THIRD_BESIDE_BOTH, "three signed the change", "in the name of the log"},
        {THIRD_BESIDE_NEW, "two signed later", "in the name of the log"},
        {TOO_LATE, "the old key signed over the entry", "is not the first one that covers"},
        {TOO_EARLY, "signed by both before the entry", "is not the first one that covers"},
        {ENTRY_OF_ANOTHER, "the entry names another key", "goes from another key"},
        {NEVER_USED, "the old key signs on", "the old key signs on"},
        {OLD_SIGNS_LATER, "the old key signs again", "not signed by the key"},
        {NEW_SIGNS_EARLIER, "the new key signs what was before", "not signed by the key"},
        {OLD_KEY_HIDDEN, "the old key is kept from us", "not signed by the key"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        make_rotated(rows[i].lie);
        expect_problem(rows[i].name, rows[i].words);
    }
}

/* A new key in the old shard, and it is the new shard's first one. */
static void rotation_before_the_turn_is_followed(void **state)
{
    (void)state;
    static const int both[] = {KEY_OLD, KEY_NEW, 0};
    char final[NOTE_BYTES_MAX + 1];
    char vkey[NOTE_VKEY_BYTES_MAX + 1];
    for (int honest = 1; honest >= 0; honest--) {
        fresh();
        begin("2026", OLD_ORIGIN, 0);
        add_open(OLD_ORIGIN, 0, "");
        add_rotate(OLD_ORIGIN, KEY_OLD, KEY_NEW);
        add_close(NEW_ORIGIN);
        log_maker_publish(&maker, &range, 3);
        put_vkey("vkey", KEY_NEW);
        put_vkey("vkeys/3", KEY_OLD);
        sign(3, both, final);
        begin("2027", NEW_ORIGIN, 3);
        add_open(NEW_ORIGIN, 3, final);
        log_maker_publish(&maker, &range, 1);
        put_vkey("vkey", honest ? KEY_NEW : KEY_OLD);
        sign(1, honest ? by_new : by_old, NULL);
        vkey_text(KEY_OLD, OLD_ORIGIN, vkey);
        if (honest) {
            expect_honest(directory, vkey);
        } else {
            expect_problem("the old key opens the new shard", "does not begin with the key");
        }
    }
}

static int set_up(void **state)
{
    (void)state;
    assert_true(sign_init());
    for (uint8_t i = 1; i < 4; i++) {
        uint8_t seed[SIGN_SEED_BYTES];
        memset(seed, i, sizeof seed);
        sign_key_from_seed(&keys[i], seed);
    }
    strcpy(directory, "/tmp/verify-chain-XXXXXX");
    assert_non_null(mkdtemp(directory));
    return verify_report_init(&report).code == ERR_NONE ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    range_fini(&range);
    verify_report_fini(&report);
    folder_remove(directory);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(honest_chain_is_believed_as_a_whole_and_shard_by_shard),
        cmocka_unit_test(chain_with_one_lie_is_refused),
        cmocka_unit_test(shard_that_was_taken_away_is_missed),
        cmocka_unit_test(rotated_key_is_followed_from_any_key),
        cmocka_unit_test(rotation_with_one_lie_is_refused),
        cmocka_unit_test(rotation_before_the_turn_is_followed),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
