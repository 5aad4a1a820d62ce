/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/port.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/durable.h"
#include "base/random.h"
#include "bench/figure.h"
#include "ctl/ctl_client.h"
#include "proto/hash.h"
#include "publisher/curve_key.h"

enum { PORT_START_MS = 60000, PORT_JUDGE_S = 600 };

static char fresh_now[PORT_PATH_BYTES]; /* for the end of the program */
static pid_t daemon_now;

static void port_clean_up(void)
{
    if (daemon_now > 0) {
        (void)kill(daemon_now, SIGKILL);
        (void)waitpid(daemon_now, NULL, 0);
    }
    if (fresh_now[0] != '\0') {
        port_remove_tree(fresh_now);
    }
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *walk)
{
    (void)status;
    (void)kind;
    (void)walk;
    return remove(path);
}

void port_remove_tree(const char *path)
{
    (void)nftw(path, remove_one, 16,
               FTW_DEPTH | FTW_PHYS); /* what stays is in the build directory and in nobody's way */
}

/* The directory of this program, without its last name. */
static void program_parent(char out[PORT_PATH_BYTES])
{
    ssize_t bytes = readlink("/proc/self/exe", out, PORT_PATH_BYTES - 1);
    bench_check(bytes > 0, "/proc/self/exe: %s", strerror(errno));
    out[bytes] = '\0';
    for (int i = 0; i < 2; i++) {
        char *slash = strrchr(out, '/');
        bench_check(slash != NULL, "the program has no directory");
        *slash = '\0';
    }
}

void port_program(const char *name, char out[PORT_PATH_BYTES])
{
    char build[PORT_PATH_BYTES];
    program_parent(build);
    (void)snprintf(out, PORT_PATH_BYTES, "%.200s/bin/%.40s", build, name);
    bench_check(access(out, X_OK) == 0, "%s: build it first", out);
}

void port_default_parent(char out[PORT_PATH_BYTES])
{
    char build[PORT_PATH_BYTES];
    program_parent(build);
    (void)snprintf(out, PORT_PATH_BYTES, "%.200s/bench", build);
}

void port_fresh_directory(const char *parent, char out[PORT_PATH_BYTES])
{
    static const long memory_file_system = 0x01021994; /* TMPFS_MAGIC of linux/magic.h */
    char chosen[PORT_PATH_BYTES];
    static bool registered;
    port_default_parent(chosen);
    int bytes = snprintf(out, PORT_PATH_BYTES, "%s/port-XXXXXX", parent == NULL ? chosen : parent);
    bench_check(bytes > 0 && bytes < 80, "%s: the path of a socket in it would be too long", out);
    bench_check(mkdtemp(out) != NULL, "%s: %s", out, strerror(errno));
    if (!registered) {
        registered = atexit(port_clean_up) == 0;
    }
    (void)snprintf(fresh_now, sizeof fresh_now, "%s", out);
    struct statfs where;
    bench_check(statfs(out, &where) == 0, "%s: %s", out, strerror(errno));
    bench_check((long)where.f_type != memory_file_system,
                "%s lies in memory, not on a disk: use --dir", out);
}

/* Two ports that are free now. */
static void free_ports(uint16_t out[2])
{
    int sockets[2];
    for (int i = 0; i < 2; i++) {
        struct sockaddr_in address = {.sin_family = AF_INET,
                                      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        socklen_t address_bytes = sizeof address;
        sockets[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        bench_check(sockets[i] >= 0 &&
                        bind(sockets[i], (struct sockaddr *)&address, sizeof address) == 0 &&
                        getsockname(sockets[i], (struct sockaddr *)&address, &address_bytes) == 0,
                    "no free port: %s", strerror(errno));
        out[i] = ntohs(address.sin_port);
    }
    (void)close(sockets[0]);
    (void)close(sockets[1]);
}

static void check_err(struct err err, const char *what)
{
    char text[ERR_TEXT_BYTES];
    bench_check(!err_is(err), "%s: %s", what, err_text(err, text));
}

static void write_secret(const char *directory, const char *name)
{
    char path[PORT_PATH_BYTES + 64];
    uint8_t secret[HASH_BYTES];
    char hex[HASH_HEX_BYTES + 1];
    random_bytes(secret, sizeof secret);
    hex_encode(secret, sizeof secret, hex);
    hex[HASH_HEX_BYTES - 1] = '\n';
    (void)snprintf(path, sizeof path, "%s/%s", directory, name);
    check_err(durable_replace(path, hex, HASH_HEX_BYTES, 0600), path);
}

/* A pair in the port's directory, its public half on an allow-list of the daemon. */
static void allow_pair(const struct port *self, const char *list, const char *name,
                       char key_file[PORT_PATH_BYTES + 32])
{
    char allowed[PORT_PATH_BYTES + 96];
    char public_file[PORT_PATH_BYTES + 64];
    uint8_t *text = NULL;
    size_t text_bytes = 0;
    (void)snprintf(key_file, PORT_PATH_BYTES + 32, "%s/%s.key", self->directory, name);
    (void)snprintf(public_file, sizeof public_file, "%s.pub", key_file);
    (void)snprintf(allowed, sizeof allowed, "%s/keys/%s/%s.pub", self->store, list, name);
    check_err(curve_key_create(key_file), key_file);
    check_err(durable_read(public_file, 4096, &text, &text_bytes), public_file);
    check_err(durable_replace(allowed, text, text_bytes, 0644), allowed);
    free(text);
}

static void make_keys(struct port *self, uint32_t publishers_count)
{
    char directory[PORT_PATH_BYTES + 32];
    char path[PORT_PATH_BYTES + 64];
    must(publishers_count <= PORT_PUBLISHERS_MAX);
    (void)snprintf(directory, sizeof directory, "%s/keys", self->store);
    static const char *const lists[] = {"publishers", "subscribers"};
    for (size_t i = 0; i < 2; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", directory, lists[i]);
        check_err(durable_directory(path, 0700), path);
    }
    (void)snprintf(path, sizeof path, "%s/daemon.key", directory);
    check_err(curve_key_create(path), path);
    (void)snprintf(self->daemon_key_file, sizeof self->daemon_key_file, "%s/keys/daemon.key.pub",
                   self->store);
    write_secret(directory, "signing.seed");
    write_secret(directory, "pseudonym.key");
    for (uint32_t i = 0; i < publishers_count; i++) {
        char name[24];
        (void)snprintf(name, sizeof name, "publisher-%u", i);
        allow_pair(self, "publishers", name, self->publisher_key_files[i]);
    }
    allow_pair(self, "subscribers", "subscriber", self->subscriber_key_file);
}

/* The shipped demo policy with another hold. */
static void write_policy(const struct port *self, double hold_s)
{
    static const char hold_key[] = "hold_s = ";
    char path[PORT_PATH_BYTES + 32];
    uint8_t *shipped = NULL;
    size_t shipped_bytes = 0;
    check_err(durable_read(BENCH_POLICY_FILE, 1 << 20, &shipped, &shipped_bytes),
              BENCH_POLICY_FILE);
    char *policy = NULL;
    size_t policy_bytes = 0;
    FILE *out = open_memstream(&policy, &policy_bytes);
    bench_check(out != NULL, "no memory");
    const char *at = (const char *)shipped;
    for (const char *hold; (hold = strstr(at, hold_key)) != NULL;) {
        (void)fprintf(out, "%.*s%s%g;", (int)(hold - at), at, hold_key, hold_s);
        at = strchr(hold, ';');
        bench_check(at != NULL, "%s: hold_s without an end", BENCH_POLICY_FILE);
        at++;
    }
    (void)fprintf(out, "%s", at);
    bench_check(fclose(out) == 0, "no memory");
    (void)snprintf(path, sizeof path, "%s/policy.conf", self->directory);
    check_err(durable_replace(path, policy, policy_bytes, 0644), path);
    free(policy);
    free(shipped);
}

static void write_config(struct port *self, const struct port_conf *conf)
{
    uint16_t ports[2];
    char path[PORT_PATH_BYTES + 32];
    char text[2048];
    free_ports(ports);
    (void)snprintf(self->publisher_endpoint, sizeof self->publisher_endpoint, "tcp://127.0.0.1:%u",
                   ports[0]);
    (void)snprintf(self->verdict_endpoint, sizeof self->verdict_endpoint, "tcp://127.0.0.1:%u",
                   ports[1]);
    (void)snprintf(self->command_endpoint, sizeof self->command_endpoint, "ipc://%s/command.sock",
                   self->store);
    /* The rest has its shipped value: what is measured is what a port gets. */
    int bytes = snprintf(text, sizeof text,
                         "site: { name = \"bench\"; organisation = \"bench\"; };\n"
                         "store: { directory = \"%s\"; };\n"
                         "ingest: { publisher_endpoint = \"%s\"; verdict_endpoint = \"%s\"; };\n"
                         "judge: { enabled = %s; };\n"
                         "archive: { enabled = %s; interval_s = 10.0; };\n"
                         "console: { port = 0; };\n"
                         "diag: { level = \"warn\"; };\n",
                         self->store, self->publisher_endpoint, self->verdict_endpoint,
                         conf->judge ? "true" : "false", conf->archive ? "true" : "false");
    must(bytes > 0 && (size_t)bytes < sizeof text);
    (void)snprintf(path, sizeof path, "%s/triaged.conf", self->directory);
    check_err(durable_replace(path, text, (size_t)bytes, 0644), path);
}

static void start_daemon(struct port *self)
{
    char program[PORT_PATH_BYTES];
    char config[PORT_PATH_BYTES + 32];
    char diag[PORT_PATH_BYTES + 32];
    port_program("triaged", program);
    (void)snprintf(config, sizeof config, "%s/triaged.conf", self->directory);
    (void)snprintf(diag, sizeof diag, "%s/daemon.diag", self->directory);
    self->daemon = fork();
    bench_check(self->daemon >= 0, "fork: %s", strerror(errno));
    if (self->daemon == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        int fd = open(diag, O_WRONLY | O_CREAT | O_TRUNC, 0644);
        if (fd >= 0) {
            (void)dup2(fd, STDOUT_FILENO);
            (void)dup2(fd, STDERR_FILENO);
        }
        (void)execl(program, program, "--config", config, (char *)NULL);
        _exit(127);
    }
    daemon_now = self->daemon;
}

static struct err ask(const struct port *self, const struct wire_command *command,
                      struct arena *arena, struct wire_answer *answer)
{
    static const struct client_patience patience = {.timeout_ms = 10000, .attempts = 2};
    return client_ask(self->command_endpoint, patience, command, arena, answer);
}

static uint8_t answer_arena[CLIENT_ARENA_BYTES];

/* One try a fifth of a second: a daemon that is not there yet refuses the connection at once. */
static void await_daemon(const struct port *self)
{
    static const struct client_patience patience = {.timeout_ms = 200, .attempts = 1};
    const struct wire_command command = {.actor = "bench", .order = ORDER_HEALTH};
    for (int waited_ms = 0; waited_ms < PORT_START_MS; waited_ms += patience.timeout_ms) {
        struct arena arena;
        struct wire_answer answer;
        arena_init(&arena, answer_arena, sizeof answer_arena);
        if (!err_is(client_ask(self->command_endpoint, patience, &command, &arena, &answer)) &&
            answer.done) {
            return;
        }
        int status;
        bool ended = waitpid(self->daemon, &status, WNOHANG) == self->daemon;
        daemon_now = ended ? 0 : daemon_now;
        if (ended) {
            char diag[PORT_PATH_BYTES + 32];
            uint8_t *text = NULL;
            size_t text_bytes = 0;
            (void)snprintf(diag, sizeof diag, "%s/daemon.diag", self->directory);
            check_err(durable_read(diag, 1 << 20, &text, &text_bytes), diag);
            bench_check(false, "the daemon ended before it answered:\n%s", (const char *)text);
        }
    }
    bench_check(false, "the daemon does not answer");
}

void port_open(const struct port_conf *conf, struct port *out)
{
    memset(out, 0, sizeof *out);
    port_fresh_directory(conf->directory, out->directory);
    int bytes = snprintf(out->store, sizeof out->store, "%s/store", out->directory);
    must(bytes > 0 && (size_t)bytes < sizeof out->store);
    make_keys(out, conf->publishers_count);
    write_policy(out, conf->hold_s);
    write_config(out, conf);
    start_daemon(out);
    await_daemon(out);
}

void port_close(struct port *self)
{
    int status = 0;
    bench_check(kill(self->daemon, SIGTERM) == 0 &&
                    waitpid(self->daemon, &status, 0) == self->daemon,
                "stop the daemon: %s", strerror(errno));
    daemon_now = 0;
    bench_check(WIFEXITED(status) && WEXITSTATUS(status) == 0,
                "the daemon did not end cleanly (status %d)", status);
    port_remove_tree(self->directory);
    fresh_now[0] = '\0';
    self->daemon = 0;
}

static uint64_t health_number(const char *json, const char *name)
{
    char key[48];
    (void)snprintf(key, sizeof key, "\"%s\":", name);
    const char *at = json == NULL ? NULL : strstr(json, key);
    bench_check(at != NULL, "the daemon's health tells no %s", name);
    return strtoull(at + strlen(key), NULL, 10);
}

void port_health(const struct port *self, struct port_health *out)
{
    const struct wire_command command = {.actor = "bench", .order = ORDER_HEALTH};
    struct arena arena;
    struct wire_answer answer;
    arena_init(&arena, answer_arena, sizeof answer_arena);
    check_err(ask(self, &command, &arena, &answer), "health");
    bench_check(answer.done, "the daemon is not well");
    *out = (struct port_health){.log_entries = health_number(answer.json, "log_entries"),
                                .judged = health_number(answer.json, "judged"),
                                .held_items = health_number(answer.json, "held_items"),
                                .unscorable = health_number(answer.json, "unscorable")};
}

void port_await_judged(const struct port *self)
{
    int64_t end_ns = clock_monotonic_ns() + PORT_JUDGE_S * NS_PER_S;
    struct port_health health;
    do {
        bench_check(clock_monotonic_ns() < end_ns, "the judge line does not catch up");
        (void)usleep(50000);
        port_health(self, &health);
    } while (health.judged < health.log_entries || health.held_items > 0);
}

/* User and kernel time that a stat file of /proc tells; false when it is gone. name may be NULL. */
static bool stat_seconds(const char *path, char name[32], double *seconds)
{
    char line[1024];
    FILE *in = fopen(path, "re");
    bool got = in != NULL && fgets(line, sizeof line, in) != NULL;
    if (in != NULL) {
        (void)fclose(in);
    }
    const char *at = got ? strrchr(line, ')') : NULL; /* the name may hold spaces */
    const char *begin = got ? strchr(line, '(') : NULL;
    if (name != NULL && at != NULL && begin != NULL) {
        (void)snprintf(name, 32, "%.*s", (int)(at - begin - 1), begin + 1);
    }
    for (int field = 2; at != NULL && field < 14; field++) {
        at = strchr(at + 1, ' ');
    }
    if (at == NULL) {
        return false;
    }
    char *end = NULL;
    unsigned long long user = strtoull(at, &end, 10);
    unsigned long long kernel = strtoull(end, NULL, 10);
    *seconds = (double)(user + kernel) / (double)sysconf(_SC_CLK_TCK);
    return true;
}

double port_cpu_seconds(const struct port *self)
{
    char path[64];
    double seconds = 0;
    (void)snprintf(path, sizeof path, "/proc/%d/stat", (int)self->daemon);
    bench_check(stat_seconds(path, NULL, &seconds), "%s cannot be read", path);
    return seconds;
}

double port_archive_cpu_seconds(const struct port *self)
{
    char path[64];
    double seconds = port_cpu_seconds(self);
    (void)snprintf(path, sizeof path, "/proc/%d/task", (int)self->daemon);
    DIR *tasks = opendir(path);
    bench_check(tasks != NULL, "%s cannot be read", path);
    for (const struct dirent *task = readdir(tasks); task != NULL; task = readdir(tasks)) {
        char stat_path[400];
        char name[32] = "";
        double of_task = 0;
        (void)snprintf(stat_path, sizeof stat_path, "%s/%s/stat", path, task->d_name);
        if (task->d_name[0] != '.' && stat_seconds(stat_path, name, &of_task) &&
            strncmp(name, "archive", 7) != 0) {
            seconds -= of_task;
        }
    }
    (void)closedir(tasks);
    return seconds;
}

uint64_t port_archive_bytes(const struct port *self)
{
    char root[PORT_PATH_BYTES + 32];
    uint64_t bytes_count = 0;
    (void)snprintf(root, sizeof root, "%s/archive", self->store);
    char *const roots[] = {root, NULL};
    FTS *walk = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    for (FTSENT *found = walk == NULL ? NULL : fts_read(walk); found != NULL;
         found = fts_read(walk)) {
        size_t name_bytes = strlen(found->fts_name);
        if (found->fts_info == FTS_F && name_bytes > 3 &&
            strcmp(found->fts_name + name_bytes - 3, ".h5") == 0) {
            bytes_count += (uint64_t)found->fts_statp->st_size;
        }
    }
    if (walk != NULL) {
        (void)fts_close(walk);
    }
    return bytes_count;
}

void port_install_model(const struct port *self, const char *path)
{
    const char *slash = strrchr(path, '/');
    const struct wire_command command = {
        .actor = "bench", .order = ORDER_MODEL, .file = slash == NULL ? path : slash + 1};
    struct arena arena;
    struct wire_answer answer;
    arena_init(&arena, answer_arena, sizeof answer_arena);
    check_err(ask(self, &command, &arena, &answer), "install a model");
    bench_check(answer.done, "install %s: %s", path,
                answer.reason == NULL ? "refused" : answer.reason);
}
