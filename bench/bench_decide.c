/* SPDX-License-Identifier: Apache-2.0 */
/* Bench decide: how many scored items a second one thread decides (random draw, window, capacity,
 * arm, priority; no disk), beside the rate of the keyed function alone, which no decision can do
 * without; and how long it takes until what one officer has claimed stands as claimed on the screen
 * of another: `triagectl queue --watch` of a real daemon with its durable log, read line by line,
 * while the first session claims one referral after the other.
 *
 * bench_decide [--json] [--quick] [--dir DIRECTORY] */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "bench/figure.h"
#include "bench/port.h"
#include "bench/traffic.h"
#include "ctl/ctl_client.h"
#include "decide/decide.h"
#include "publisher/triage_publisher.h"
#include "state/state.h"

enum {
    DECIDE_ITEMS = 200000,
    DECIDE_ROUNDS = 5,
    CLAIMS = 200,
    CLAIMS_QUICK = 40,
    CLAIM_PATIENCE_MS = 5000,
    LINE_BYTES = 1 << 20
};

static const uint8_t decide_key[HASH_BYTES] = {7};

struct options {
    bool json;
    bool quick;
    const char *directory;
};

static struct policy decide_policy(uint32_t window_count)
{
    struct policy policy = {.window_count = window_count,
                            .warmup_count = 64,
                            .hysteresis = 0.1,
                            .ageing_per_hour = 0.1,
                            .rates_count = 2,
                            .exams_count = 2};
    strcpy(policy.version, "bench");
    for (int mode = 1; mode < MODE_COUNT; mode++) {
        policy.modes[mode] = (struct mode_policy){.expects_scan = true,
                                                  .random_rate = 0.005,
                                                  .capacity_per_hour = 120,
                                                  .horizon_h = 2,
                                                  .initial_cutoff = 0.25,
                                                  .minimum_probability = 0.02,
                                                  .severity = 1,
                                                  .queue_max = 240};
    }
    strcpy(policy.rates[0].stratum, "truck/site-1");
    strcpy(policy.rates[1].stratum, "truck/site-1/lane-2");
    policy.rates[0].rate = policy.rates[1].rate = 0.01;
    policy.exams[0] = (struct exam_policy){"site-1", MODE_TRUCK, "nii", 100, 360, 1320};
    policy.exams[1] = (struct exam_policy){"site-1", MODE_TRUCK, "full", 20, 480, 1020};
    bench_check(policy_check(&policy) == NULL, "policy: %s", policy_check(&policy));
    return policy;
}

static double next_uniform(uint64_t *seed)
{
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (double)(*seed >> 11) * 0x1p-53;
}

/* Decisions a second at this many sites. */
static double decide_round(uint32_t window_count, uint32_t sites_count)
{
    struct policy policy = decide_policy(window_count);
    struct decide *decide = NULL;
    char sites[64][16];
    uint64_t seed = 1;
    uint64_t referred = 0;
    sites_count = sites_count > 0 && sites_count <= 64 ? sites_count : 1;
    bench_check(!err_is(decide_open(&policy, 64, &decide)), "no memory");
    for (uint32_t i = 0; i < sites_count; i++) {
        (void)snprintf(sites[i], sizeof sites[i], "site-%u", i);
    }
    int64_t start_ns = INT64_C(1789990000) * NS_PER_S;
    int64_t began_ns = clock_monotonic_ns();
    for (uint64_t i = 0; i < DECIDE_ITEMS; i++) {
        struct decide_input input = {.mode = MODE_TRUCK,
                                     .site = sites[i % sites_count],
                                     .lane = "lane-2",
                                     .scorable = true,
                                     .probability = next_uniform(&seed),
                                     .t_ns = start_ns + (int64_t)i * 10 * NS_PER_MS,
                                     .draw_key = decide_key};
        struct decide_verdict verdict;
        memcpy(input.item, &seed, sizeof seed);
        decide_item(decide, &input, &verdict);
        referred += verdict.refer;
        if (referred % 2 == 1 && verdict.refer) {
            decide_ended(decide, MODE_TRUCK, input.site);
        }
    }
    double seconds = (double)(clock_monotonic_ns() - began_ns) / 1e9;
    bench_check(referred > 0 && referred < DECIDE_ITEMS, "decided nothing");
    decide_close(&decide);
    return DECIDE_ITEMS / seconds;
}

static double draw_round(void)
{
    uint8_t item[ITEM_ID_BYTES] = {0};
    uint8_t draw[HASH_BYTES];
    uint64_t drawn = 0;
    int64_t began_ns = clock_monotonic_ns();
    for (uint64_t i = 0; i < DECIDE_ITEMS; i++) {
        memcpy(item, &i, sizeof i);
        draw_prf(decide_key, item, draw);
        drawn += draw_uniform(draw) < 0.005;
    }
    double seconds = (double)(clock_monotonic_ns() - began_ns) / 1e9;
    bench_check(drawn > 0, "drew nothing");
    return DECIDE_ITEMS / seconds;
}

static void bench_throughput(const struct options *options)
{
    static const struct {
        const char *name;
        uint32_t window_count;
        uint32_t sites_count;
    } cases[] = {{"decide.one_site", 512, 1},
                 {"decide.64_sites", 512, 64},
                 {"decide.window_65536", 65536, 1}};
    static const struct rounds aim = {.values = {200000}, .count = 1};
    struct rounds draws = {0};
    for (int round = 0; round < DECIDE_ROUNDS; round++) {
        rounds_add(&draws, draw_round());
    }
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
        struct rounds ours = {0};
        for (int round = 0; round < DECIDE_ROUNDS; round++) {
            rounds_add(&ours, decide_round(cases[c].window_count, cases[c].sites_count));
        }
        const struct figure figure = {.name = cases[c].name,
                                      .value = &ours,
                                      .unit = "1/s",
                                      .peer = "aim",
                                      .peer_value = &aim,
                                      .ceiling = rounds_median(&draws),
                                      .ceiling_name = "HMAC-SHA-256 alone"};
        figure_print(&figure, options->json);
    }
    const struct figure figure = {.name = "decide.hmac_alone", .value = &draws, .unit = "1/s"};
    figure_print(&figure, options->json);
}

/* ---- from a claim to another officer's screen ---- */

struct claims {
    struct port port;
    uint32_t count;
    char (*items)[2 * ITEM_ID_BYTES + 1];
    uint32_t found;
    pid_t watcher;
    int lines; /* what the watching session prints */
    char *line;
    size_t line_bytes;
};

static void publish_items(struct claims *self)
{
    char spool[PORT_PATH_BYTES + 16];
    char error[256];
    struct triage_publisher *publisher = NULL;
    struct traffic_declaration *declaration = malloc(sizeof *declaration);
    bench_check(declaration != NULL, "no memory");
    (void)snprintf(spool, sizeof spool, "%s/spool", self->port.directory);
    struct triage_publisher_conf conf = {.endpoint = self->port.publisher_endpoint,
                                         .stream = "bench",
                                         .software = "bench",
                                         .key_file = self->port.publisher_key_files[0],
                                         .daemon_key_file = self->port.daemon_key_file,
                                         .spool_directory = spool,
                                         .spool_bytes_max = UINT64_C(64) << 20};
    bench_check(triage_publisher_open(&conf, &publisher, error) == TRIAGE_PUBLISHER_OK,
                "publisher: %s", error);
    /* The target arm takes what a short horizon holds; enough must be let go to be claimed. */
    for (uint32_t i = 0; i < 2 * self->count + 200; i++) {
        traffic_declare(i, 0, declaration);
        bench_check(triage_publisher_declaration(publisher, &declaration->record, NULL) ==
                        TRIAGE_PUBLISHER_OK,
                    "hand in: %s", triage_publisher_error(publisher));
    }
    bench_check(triage_publisher_drain(publisher, 0, 20000) == TRIAGE_PUBLISHER_OK, "drain");
    triage_publisher_close(&publisher);
    free(declaration);
    port_await_judged(&self->port);
}

static void claims_row(void *arg, uint32_t columns_count, const char *const *names,
                       const char *const *values)
{
    struct claims *self = arg;
    (void)names;
    if (columns_count == 1 && self->found < self->count) {
        (void)snprintf(self->items[self->found++], sizeof self->items[0], "%s", values[0]);
    }
}

static void claims_find(struct claims *self, const char *sql)
{
    char path[PORT_PATH_BYTES + 16];
    struct state *state = NULL;
    (void)snprintf(path, sizeof path, "%s/state.db", self->port.store);
    bench_check(!err_is(state_open_readonly(path, &state)), "%s", path);
    self->found = 0;
    bench_check(!err_is(state_query(state, sql, "", 0, true, claims_row, self)), "read model");
    state_close(&state);
}

/* How long the answer took; ends the program when it is no. */
static double order(const struct claims *self, enum order what, const char *item)
{
    static uint8_t arena_bytes[CLIENT_ARENA_BYTES];
    struct arena arena;
    struct wire_answer answer;
    const struct client_patience patience = {.timeout_ms = CLAIM_PATIENCE_MS, .attempts = 1};
    struct wire_command command = {.actor = "ada", .order = what, .sentence = "for the bench"};
    char id[37];
    uint8_t random[ENTRY_ID_BYTES];
    static uint64_t number;
    number++;
    uint8_t digest[HASH_BYTES];
    sha256_of(&number, sizeof number, digest);
    memcpy(random, digest, sizeof random);
    uuid_format(random, id);
    command.request_id = id;
    bench_check(hex_decode(item, command.item, ITEM_ID_BYTES), "item %s", item);
    arena_init(&arena, arena_bytes, sizeof arena_bytes);
    int64_t began_ns = clock_monotonic_ns();
    struct err err = client_ask(self->port.command_endpoint, patience, &command, &arena, &answer);
    double took_ms = (double)(clock_monotonic_ns() - began_ns) / 1e6;
    char text[ERR_TEXT_BYTES];
    bench_check(!err_is(err), "command: %s", err_text(err, text));
    bench_check(answer.done, "command: %s %s", answer.name, answer.reason);
    return took_ms;
}

static void watch_open(struct claims *self)
{
    char program[PORT_PATH_BYTES];
    int ends[2];
    port_program("triagectl", program);
    bench_check(pipe(ends) == 0, "pipe");
    self->watcher = fork();
    bench_check(self->watcher >= 0, "fork");
    if (self->watcher == 0) {
        (void)dup2(ends[1], STDOUT_FILENO);
        (void)close(ends[0]);
        (void)close(ends[1]);
        (void)execl(program, program, "--dir", self->port.store, "queue", "--watch", "--json",
                    "--limit", "1000", (char *)NULL);
        _exit(127);
    }
    (void)close(ends[1]);
    self->lines = ends[0];
    self->line = malloc(LINE_BYTES);
    bench_check(self->line != NULL, "no memory");
}

/* The next whole line of the watching session; false when none came in time. */
static bool watch_line(struct claims *self, int64_t end_ns)
{
    self->line_bytes = 0;
    for (;;) {
        struct pollfd one = {.fd = self->lines, .events = POLLIN};
        int64_t left_ns = end_ns - clock_monotonic_ns();
        if (left_ns <= 0 || poll(&one, 1, (int)(left_ns / NS_PER_MS) + 1) <= 0) {
            return false;
        }
        bench_check(self->line_bytes + 65536 < LINE_BYTES, "a line too long");
        ssize_t got = read(self->lines, self->line + self->line_bytes, 65536);
        bench_check(got > 0, "the watching session ended");
        self->line_bytes += (size_t)got;
        if (self->line[self->line_bytes - 1] == '\n') {
            self->line[self->line_bytes - 1] = '\0';
            return true;
        }
    }
}

/* Does the newest line show this item as claimed? Lines may come in one read: the last one counts.
 */
static bool watch_shows(const struct claims *self, const char *item)
{
    const char *line = strrchr(self->line, '\n');
    const char *at = strstr(line == NULL ? self->line : line + 1, item);
    if (at == NULL) {
        return false;
    }
    const char *end = strchr(at, '}');
    const char *state = strstr(at, "\"in_exam\"");
    return state != NULL && end != NULL && state < end;
}

static void claim_all(struct claims *self, double *answered_ms, double *visible_ms)
{
    watch_open(self);
    bench_check(watch_line(self, clock_monotonic_ns() + 10 * NS_PER_S), "no first screen");
    for (uint32_t i = 0; i < self->found; i++) {
        int64_t began_ns = clock_monotonic_ns();
        answered_ms[i] = order(self, ORDER_CLAIM, self->items[i]);
        int64_t end_ns = began_ns + (int64_t)CLAIM_PATIENCE_MS * NS_PER_MS;
        do {
            bench_check(watch_line(self, end_ns), "the claim of %s is not shown", self->items[i]);
        } while (!watch_shows(self, self->items[i]));
        visible_ms[i] = (double)(clock_monotonic_ns() - began_ns) / 1e6;
    }
    (void)kill(self->watcher, SIGTERM);
    (void)waitpid(self->watcher, NULL, 0);
    (void)close(self->lines);
    free(self->line);
}

static void tell_quantile(const struct options *options, const char *name, double value,
                          double aim_ms)
{
    struct rounds one = {.values = {value}, .count = 1};
    struct rounds aim = {.values = {aim_ms}, .count = 1};
    const struct figure figure = {.name = name,
                                  .value = &one,
                                  .unit = "ms",
                                  .peer = aim_ms > 0 ? "aim" : NULL,
                                  .peer_value = aim_ms > 0 ? &aim : NULL};
    figure_print(&figure, options->json);
}

static void bench_claims(const struct options *options)
{
    static struct claims claims;
    struct port_conf conf = {.directory = options->directory, .publishers_count = 1, .judge = true};
    claims.count = options->quick ? CLAIMS_QUICK : CLAIMS;
    claims.items = calloc(claims.count, sizeof *claims.items);
    static double answered_ms[CLAIMS];
    static double visible_ms[CLAIMS];
    bench_check(claims.items != NULL, "no memory");
    port_open(&conf, &claims.port);
    publish_items(&claims);
    claims_find(&claims, "SELECT lower(hex(items.item)) FROM items LEFT JOIN referrals ON "
                         "referrals.item = items.item WHERE referrals.item IS NULL AND "
                         "items.decision_entry IS NOT NULL AND ?1 = ''");
    for (uint32_t i = 0; i < claims.found; i++) { /* nobody waits for what the target arm takes */
        (void)order(&claims, ORDER_REFER, claims.items[i]);
    }
    bench_check(claims.found >= 20, "only %u items to claim", claims.found);
    claim_all(&claims, answered_ms, visible_ms);
    tell_quantile(options, "claim.answered.p50", quantile_of(answered_ms, claims.found, 0.5), 0);
    tell_quantile(options, "claim.answered.p99", quantile_of(answered_ms, claims.found, 0.99), 0);
    tell_quantile(options, "claim.visible.p50", quantile_of(visible_ms, claims.found, 0.5), 100);
    tell_quantile(options, "claim.visible.p99", quantile_of(visible_ms, claims.found, 0.99), 100);
    port_close(&claims.port);
    free(claims.items);
}

int main(int argc, char **argv)
{
    struct options options = {0};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0) {
            options.json = true;
        } else if (strcmp(argv[i], "--quick") == 0) {
            options.quick = true;
        } else if (strcmp(argv[i], "--dir") == 0 && i + 1 < argc) {
            options.directory = argv[++i];
        } else {
            (void)fprintf(stderr, "usage: bench_decide [--json] [--quick] [--dir DIRECTORY]\n");
            return 2;
        }
    }
    figure_head(options.json);
    bench_throughput(&options);
    bench_claims(&options);
    return 0;
}
