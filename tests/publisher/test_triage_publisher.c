/* SPDX-License-Identifier: Apache-2.0 */
/* The library against the real receiving side, over loopback with real keys. */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "publisher/triage_publisher.h"
#include "tests/ingest/rig.h"

static struct rig rig;
static struct triage_publisher *publisher;
static struct triage_publisher_conf conf;
static char endpoint[256];
static char key_file[160];
static char spool_directory[160];
static uint64_t refusals_told;
static char refusal_name_told[64];

static void on_refusal(void *arg, uint64_t sequence, const char *name, const char *reason)
{
    (void)arg;
    (void)reason;
    refusals_told++;
    (void)snprintf(refusal_name_told, sizeof refusal_name_told, "%s/%" PRIu64, name, sequence);
}

/* The daemon, again on the same port when it had one. */
static void daemon_start(const struct ingest_stream *streams, uint32_t streams_count)
{
    if (endpoint[0] != '\0') {
        rig.conf.publisher_endpoint = endpoint;
    }
    rig_start(&rig, streams, streams_count);
    (void)snprintf(endpoint, sizeof endpoint, "%s", ingest_endpoint(rig.ingest));
}

static void publisher_start(void)
{
    char error[256];
    enum triage_publisher_status status = triage_publisher_open(&conf, &publisher, error);
    if (status != TRIAGE_PUBLISHER_OK) {
        fail_msg("%s", error);
    }
    assert_string_equal(error, "");
}

static int publisher_setup(void **state)
{
    (void)state;
    rig_init(&rig);
    rig_key(&rig, "scanner-1", true, false);
    rig_key(&rig, "stranger", false, false);
    endpoint[0] = '\0';
    refusals_told = 0;
    (void)snprintf(key_file, sizeof key_file, "%s/scanner-1.key", rig.directory);
    (void)snprintf(spool_directory, sizeof spool_directory, "%s/spool", rig.directory);
    conf = (struct triage_publisher_conf){.endpoint = endpoint,
                                          .stream = "lane-1",
                                          .software = "test/1",
                                          .key_file = key_file,
                                          .daemon_key_file = rig.daemon_public,
                                          .spool_directory = spool_directory,
                                          .spool_bytes_max = 64u << 20,
                                          .on_refusal = on_refusal};
    daemon_start(NULL, 0);
    return 0;
}

static int publisher_teardown(void **state)
{
    (void)state;
    triage_publisher_close(&publisher);
    rig_fini(&rig);
    return 0;
}

static struct declaration declaration_of(const char *id)
{
    return (struct declaration){.declaration_id = id,
                                .mode = MODE_MAIL,
                                .site = "south",
                                .lane = "",
                                .importer = "",
                                .seller = "",
                                .declarant = "",
                                .courier = "",
                                .departure_country = "",
                                .raw_format = "test"};
}

static void declare(uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        char id[32];
        (void)snprintf(id, sizeof id, "D-%u", i);
        struct declaration declaration = declaration_of(id);
        assert_int_equal(triage_publisher_declaration(publisher, &declaration, NULL),
                         TRIAGE_PUBLISHER_OK);
    }
}

/* Both sides take turns until nothing waits. */
static void drain(void)
{
    int64_t deadline_ns = clock_monotonic_ns() + RIG_PATIENCE_NS;
    while (triage_publisher_drain(publisher, 0, 1) != TRIAGE_PUBLISHER_OK) {
        if (clock_monotonic_ns() > deadline_ns) {
            fail_msg("%s", triage_publisher_error(publisher));
        }
        rig_turn(&rig, NS_PER_MS);
    }
}

static struct triage_publisher_counts counts(void)
{
    struct triage_publisher_counts out;
    triage_publisher_counts(publisher, &out);
    return out;
}

static void declarations_arrive_once_and_in_order(void **state)
{
    (void)state;
    publisher_start();
    struct declaration declaration = declaration_of("D-first");
    uint64_t sequence = 0;
    assert_int_equal(triage_publisher_declaration(publisher, &declaration, &sequence),
                     TRIAGE_PUBLISHER_OK);
    assert_int_equal(sequence, 1);
    declare(999);
    drain();
    rig_check_ledger(&rig, 1000);
    struct triage_publisher_counts seen = counts();
    assert_int_equal(seen.spooled, 1000);
    assert_int_equal(seen.acknowledged, 1000);
    assert_int_equal(seen.waiting, 0);
    assert_int_equal(seen.resent, 0);
    assert_int_equal(seen.connections, 1);
    assert_int_equal(seen.last_entry_index, 1099);
}

static void scan_arrives_with_its_pixels(void **state)
{
    (void)state;
    publisher_start();
    rig.holds = true;
    static uint16_t low[200 * 100];
    static uint16_t high[200 * 100];
    for (uint16_t i = 0; i < 200 * 100; i++) {
        low[i] = i;
        high[i] = (uint16_t)(i * 3);
    }
    struct image images[2] = {{.width = 200,
                               .height = 100,
                               .bits = 16,
                               .meaning = PIXEL_TRANSMISSION,
                               .energy = ENERGY_LOW,
                               .air_level = 60000},
                              {.width = 200,
                               .height = 100,
                               .bits = 16,
                               .meaning = PIXEL_TRANSMISSION,
                               .energy = ENERGY_HIGH,
                               .air_level = 60000}};
    struct scan scan = {.scan_id = "S-1",
                        .mode = MODE_TRUCK,
                        .site = "south",
                        .lane = "",
                        .scanner = "portal-1",
                        .scanner_type = "container-portal",
                        .images = images,
                        .images_count = 2};
    const void *pixels[2] = {low, high};
    enum triage_publisher_status status = triage_publisher_scan(publisher, &scan, pixels, NULL);
    if (status != TRIAGE_PUBLISHER_OK) {
        fail_msg("%s", triage_publisher_error(publisher));
    }
    while (rig.held_count == 0) {
        assert_int_equal(triage_publisher_drain(publisher, 0, 1), TRIAGE_PUBLISHER_TIMEOUT);
        rig_turn(&rig, NS_PER_MS);
    }
    const struct arrival *arrival = rig.held[0];
    assert_string_equal(arrival->publisher, "scanner-1");
    assert_string_equal(arrival->stream, "lane-1");
    assert_int_equal(arrival->kind, RECORD_SCAN);
    assert_int_equal(arrival->images_count, 2);
    assert_int_equal(arrival->images_bytes[1], sizeof high);
    assert_memory_equal(arrival->images[0], low, sizeof low);
    assert_memory_equal(arrival->images[1], high, sizeof high);
    uint8_t digest[HASH_BYTES];
    sha256_of(arrival->body, arrival->body_bytes, digest);
    assert_true(arrival->has_digest);
    assert_memory_equal(arrival->digest_claimed, digest, HASH_BYTES);
    static uint8_t arena_bytes[RECORD_ARENA_BYTES];
    struct arena arena;
    arena_init(&arena, arena_bytes, sizeof arena_bytes);
    struct scan seen;
    const char *where;
    assert_int_equal(scan_decode(arrival->body, arrival->body_bytes, &arena, &seen, &where),
                     REFUSAL_NONE);
    sha256_of(high, sizeof high, digest);
    assert_memory_equal(seen.images[1].sha256, digest, HASH_BYTES);
    rig_answer_held(&rig);
    drain();
}

static void invalid_record_is_not_spooled(void **state)
{
    (void)state;
    publisher_start();
    struct declaration declaration = declaration_of("");
    assert_int_equal(triage_publisher_declaration(publisher, &declaration, NULL),
                     TRIAGE_PUBLISHER_INVALID);
    assert_true(strlen(triage_publisher_error(publisher)) > 0);
    struct scan scan = {.scan_id = "S-1",
                        .mode = MODE_TRUCK,
                        .site = "south",
                        .lane = "",
                        .scanner = "p",
                        .scanner_type = "t"};
    assert_int_equal(triage_publisher_scan(publisher, &scan, NULL, NULL),
                     TRIAGE_PUBLISHER_INVALID); /* no image */
    assert_int_equal(counts().waiting, 0);
}

static void refusal_leaves_the_spool_and_is_told(void **state)
{
    (void)state;
    publisher_start();
    rig.refuses = REFUSAL_DIGEST_MISMATCH;
    const uint8_t digest[32] = {1};
    assert_int_equal(triage_publisher_raw(publisher, RECORD_DECLARATION, (const uint8_t *)"x", 1,
                                          digest, NULL, NULL, 0, NULL),
                     TRIAGE_PUBLISHER_OK);
    drain();
    assert_int_equal(refusals_told, 1);
    assert_string_equal(refusal_name_told, "digest_mismatch/1");
    assert_int_equal(counts().refused, 1);
    assert_int_equal(counts().acknowledged, 1);
}

static void publisher_without_daemon_keeps_everything_for_later(void **state)
{
    (void)state;
    ingest_close(&rig.ingest);
    publisher_start();
    declare(500);
    assert_int_equal(triage_publisher_drain(publisher, 0, 20), TRIAGE_PUBLISHER_TIMEOUT);
    triage_publisher_close(&publisher);
    daemon_start(NULL, 0);
    publisher_start();
    assert_int_equal(counts().waiting, 500);
    declare(100);
    drain();
    rig_check_ledger(&rig, 600);
    assert_int_equal(counts().spooled, 600);
}

/* The publisher dies without any goodbye in the middle of its work, again and again. */
static void killed_publisher_loses_and_doubles_nothing(void **state)
{
    (void)state;
#if defined(__SANITIZE_THREAD__)
    print_message("SKIP: ThreadSanitizer cannot follow the fork of a program with threads\n");
    skip();
#endif
    uint32_t handed_in = 0;
    for (int round = 0; round < 6; round++) {
        int results[2];
        assert_int_equal(pipe(results), 0);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            char error[256];
            if (triage_publisher_open(&conf, &publisher, error) != TRIAGE_PUBLISHER_OK) {
                _exit(1);
            }
            for (;;) { /* tell of each record that was handed in, until killed */
                struct declaration declaration = declaration_of("D-1");
                if (triage_publisher_declaration(publisher, &declaration, NULL) !=
                        TRIAGE_PUBLISHER_OK ||
                    write(results[1], "+", 1) != 1) {
                    _exit(1);
                }
                (void)triage_publisher_drain(publisher, 50, 10);
            }
        }
        assert_int_equal(close(results[1]), 0);
        uint32_t goal = rig.ledger_count + 150;
        rig_until_received(&rig, goal);
        assert_int_equal(kill(child, SIGKILL), 0);
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status));
        char plus[4096];
        ssize_t got;
        while ((got = read(results[0], plus, sizeof plus)) > 0) {
            handed_in += (uint32_t)got;
        }
        assert_int_equal(close(results[0]), 0);
    }
    publisher_start();
    drain();
    assert_true(rig.ledger_count >=
                handed_in); /* the one being handed in at each kill may be there too */
    assert_true(rig.ledger_count <= handed_in + 6);
    rig_check_ledger(&rig, rig.ledger_count);
}

static void restarted_daemon_gets_what_it_did_not_answer(void **state)
{
    (void)state;
    publisher_start();
    declare(300);
    drain();
    rig.holds = true;
    declare(200);
    int64_t deadline_ns = clock_monotonic_ns() + RIG_PATIENCE_NS;
    while (rig.ledger_count < 308) { /* received, but the daemon dies before they are durable */
        assert_true(clock_monotonic_ns() < deadline_ns);
        (void)triage_publisher_drain(publisher, 0, 1);
        rig_turn(&rig, NS_PER_MS);
    }
    ingest_close(&rig.ingest);
    rig.held_count = 0;
    rig.holds = false;
    rig.ledger_count = 300;
    struct ingest_stream stream = {"scanner-1", "lane-1", 301};
    daemon_start(&stream, 1);
    drain();
    rig_check_ledger(&rig, 500);
    assert_int_equal(counts().connections, 2);
    assert_true(counts().resent >= 8);
}

static void daemon_that_stops_by_bye_is_found_again(void **state)
{
    (void)state;
    publisher_start();
    declare(10);
    drain();
    ingest_say_bye(rig.ingest);
    (void)triage_publisher_drain(publisher, 0, 50);
    ingest_close(&rig.ingest);
    declare(10);
    struct ingest_stream stream = {"scanner-1", "lane-1", 11};
    daemon_start(&stream, 1);
    drain();
    rig_check_ledger(&rig, 20);
}

static void new_spool_goes_on_where_the_daemon_is(void **state)
{
    (void)state;
    ingest_close(&rig.ingest);
    struct ingest_stream stream = {"scanner-1", "lane-1", 1000};
    publisher_start();
    declare(5); /* before the first word from the daemon */
    daemon_start(&stream, 1);
    drain();
    declare(5);
    drain();
    assert_int_equal(rig.ledger_count, 10);
    assert_int_equal(rig.ledger[0], 1000);
    assert_int_equal(rig.ledger[9], 1009);
    triage_publisher_close(&publisher);
    publisher_start(); /* and remembers */
    uint64_t sequence;
    struct declaration declaration = declaration_of("D-1");
    assert_int_equal(triage_publisher_declaration(publisher, &declaration, &sequence),
                     TRIAGE_PUBLISHER_OK);
    assert_int_equal(sequence, 1010);
    drain();
    assert_int_equal(rig.ledger[10], 1010);
}

static enum triage_publisher_status drain_until_bye(void)
{
    int64_t deadline_ns = clock_monotonic_ns() + RIG_PATIENCE_NS;
    enum triage_publisher_status status = TRIAGE_PUBLISHER_TIMEOUT;
    while (status == TRIAGE_PUBLISHER_TIMEOUT && clock_monotonic_ns() < deadline_ns) {
        if (rig.ingest != NULL) {
            rig_turn(&rig, NS_PER_MS);
        }
        status = triage_publisher_drain(publisher, 0, 1);
    }
    return status;
}

static void daemon_with_another_log_is_told(void **state)
{
    (void)state;
    publisher_start();
    declare(10);
    drain();
    ingest_close(&rig.ingest);
    daemon_start(NULL, 0); /* an empty log: it expects 1 */
    declare(1);
    assert_int_equal(drain_until_bye(), TRIAGE_PUBLISHER_BYE);
    assert_non_null(strstr(triage_publisher_error(publisher), "not the log that acknowledged it"));
    assert_int_equal(rig.ledger_count, 10);
    assert_int_equal(counts().waiting, 1); /* kept */
}

static void stream_that_somebody_else_continued_is_told(void **state)
{
    (void)state;
    ingest_close(&rig.ingest);
    publisher_start();
    declare(3);
    triage_publisher_close(&publisher);
    publisher_start(); /* three old records wait, and the daemon has fifty of this stream */
    struct ingest_stream stream = {"scanner-1", "lane-1", 51};
    daemon_start(&stream, 1);
    assert_int_equal(drain_until_bye(), TRIAGE_PUBLISHER_BYE);
    assert_non_null(strstr(triage_publisher_error(publisher), "another publisher"));
    assert_int_equal(counts().waiting, 3);
}

static void unknown_key_is_told_and_gets_in_once_listed(void **state)
{
    (void)state;
    (void)snprintf(key_file, sizeof key_file, "%s/stranger.key", rig.directory);
    publisher_start();
    declare(3);
    assert_int_equal(drain_until_bye(), TRIAGE_PUBLISHER_BYE);
    assert_non_null(strstr(triage_publisher_error(publisher), "does not know the key"));
    rig_list_publisher(&rig, "stranger");
    drain();
    rig_check_ledger(&rig, 3);
}

static void small_credit_is_kept(void **state)
{
    (void)state;
    ingest_close(&rig.ingest);
    rig.conf.credit_records = 3;
    rig.conf.credit_bytes = 100;
    daemon_start(NULL, 0);
    uint64_t errors = counter_value(COUNTER_wire_errors);
    publisher_start();
    rig.holds = true;
    declare(50);
    int64_t deadline_ns = clock_monotonic_ns() + RIG_PATIENCE_NS;
    while (triage_publisher_drain(publisher, 0, 1) != TRIAGE_PUBLISHER_OK) {
        assert_true(clock_monotonic_ns() < deadline_ns);
        rig_turn(&rig, NS_PER_MS);
        assert_true(rig.held_count <= 3);
        rig_answer_held(&rig);
    }
    rig_check_ledger(&rig, 50);
    assert_int_equal(counter_value(COUNTER_wire_errors),
                     errors); /* never told that the credit was broken */
}

static void large_scans_pass_a_small_daemon(void **state)
{
    (void)state;
    publisher_start();
    static uint8_t pixels[3000000];
    const void *images[2] = {pixels, pixels};
    uint64_t images_bytes[2] = {sizeof pixels, 1000};
    const uint8_t digest[32] = {0};
    for (int i = 0; i < 6; i++) { /* 18 MB through a daemon that holds 8 and credits 4 */
        assert_int_equal(triage_publisher_raw(publisher, RECORD_SCAN, (const uint8_t *)"scan", 4,
                                              digest, images, images_bytes, 2, NULL),
                         TRIAGE_PUBLISHER_OK);
    }
    drain();
    rig_check_ledger(&rig, 6);
    assert_int_equal(rig.images_bytes, 6 * (sizeof pixels + 1000));
}

static void image_beyond_the_bound_goes_without_pixels(void **state)
{
    (void)state;
    ingest_close(&rig.ingest);
    rig.conf.image_bytes_max = 1000;
    daemon_start(NULL, 0);
    publisher_start();
    static uint8_t pixels[2000000];
    const void *images[1] = {pixels};
    uint64_t images_bytes[1] = {sizeof pixels};
    const uint8_t digest[32] = {0};
    assert_int_equal(triage_publisher_raw(publisher, RECORD_SCAN, (const uint8_t *)"scan", 4,
                                          digest, images, images_bytes, 1, NULL),
                     TRIAGE_PUBLISHER_OK);
    declare(1);
    drain();
    rig_check_ledger(&rig, 2); /* intake refuses the first: a part is missing */
    assert_int_equal(rig.images_bytes, 0);
}

static void full_spool_refuses_until_answers_make_room(void **state)
{
    (void)state;
    ingest_close(&rig.ingest);
    conf.spool_bytes_max = 300000;
    publisher_start();
    enum triage_publisher_status status = TRIAGE_PUBLISHER_OK;
    uint32_t accepted = 0;
    static uint8_t body[1000];
    const uint8_t digest[32] = {0};
    while (status == TRIAGE_PUBLISHER_OK && accepted < 1000) {
        status = triage_publisher_raw(publisher, RECORD_DECLARATION, body, sizeof body, digest,
                                      NULL, NULL, 0, NULL);
        accepted += status == TRIAGE_PUBLISHER_OK;
    }
    assert_int_equal(status, TRIAGE_PUBLISHER_SPOOL_FULL);
    assert_in_range(accepted, 200, 300);
    daemon_start(NULL, 0);
    drain();
    rig_check_ledger(&rig, accepted);
    assert_int_equal(triage_publisher_raw(publisher, RECORD_DECLARATION, body, sizeof body, digest,
                                          NULL, NULL, 0, NULL),
                     TRIAGE_PUBLISHER_OK);
    drain();
}

static void open_bad_configuration_says_why(void **state)
{
    (void)state;
    char error[256];
    conf.stream = "Lane 1";
    assert_int_equal(triage_publisher_open(&conf, &publisher, error), TRIAGE_PUBLISHER_INVALID);
    assert_null(publisher);
    assert_non_null(strstr(error, "stream"));
    conf.stream = "lane-1";
    conf.key_file = "/nonexistent";
    assert_int_equal(triage_publisher_open(&conf, &publisher, error), TRIAGE_PUBLISHER_KEY_ERROR);
    conf.key_file = key_file;
    publisher_start();
    struct triage_publisher *second = NULL;
    assert_int_equal(triage_publisher_open(&conf, &second, error), TRIAGE_PUBLISHER_SPOOL_ERROR);
    assert_null(second);
    assert_true(strlen(error) > 0);
}

int main(void)
{
#define PUBLISHER_TEST(name) \
    cmocka_unit_test_setup_teardown(name, publisher_setup, publisher_teardown)
    const struct CMUnitTest tests[] = {
        PUBLISHER_TEST(declarations_arrive_once_and_in_order),
        PUBLISHER_TEST(scan_arrives_with_its_pixels),
        PUBLISHER_TEST(invalid_record_is_not_spooled),
        PUBLISHER_TEST(refusal_leaves_the_spool_and_is_told),
        PUBLISHER_TEST(publisher_without_daemon_keeps_everything_for_later),
        PUBLISHER_TEST(killed_publisher_loses_and_doubles_nothing),
        PUBLISHER_TEST(restarted_daemon_gets_what_it_did_not_answer),
        PUBLISHER_TEST(daemon_that_stops_by_bye_is_found_again),
        PUBLISHER_TEST(new_spool_goes_on_where_the_daemon_is),
        PUBLISHER_TEST(daemon_with_another_log_is_told),
        PUBLISHER_TEST(stream_that_somebody_else_continued_is_told),
        PUBLISHER_TEST(unknown_key_is_told_and_gets_in_once_listed),
        PUBLISHER_TEST(small_credit_is_kept),
        PUBLISHER_TEST(large_scans_pass_a_small_daemon),
        PUBLISHER_TEST(image_beyond_the_bound_goes_without_pixels),
        PUBLISHER_TEST(full_spool_refuses_until_answers_make_room),
        PUBLISHER_TEST(open_bad_configuration_says_why),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
