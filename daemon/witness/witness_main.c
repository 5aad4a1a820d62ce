/* SPDX-License-Identifier: Apache-2.0 */
#include <getopt.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/diag.h"
#include "base/durable.h"
#include "witness/witness_http.h"
#include "witness/witness_key.h"
#include "witness/witness_offline.h"

/* triage-witness: exit 0 done or stopped when asked, 1 refused or failed, 2 wrong usage. Everything
 * a witness has lies in one directory: its key, the keys of logs, its memory. */

enum { EXIT_DONE = 0, EXIT_REFUSED = 1, EXIT_USAGE = 2, WITNESS_CONNECTIONS_MAX = 64 };

static const char usage_text[] =
    "usage: triage-witness keygen DIR --name NAME\n"
    "       triage-witness serve DIR [--listen ADDRESS:PORT] [--logs FILE]\n"
    "       triage-witness cosign DIR [--checkpoint FILE] [--proof FILE | --log LOGDIR] [--logs "
    "FILE]\n"
    "       triage-witness vkey DIR\n"
    "\n"
    "A witness of transparency logs: cosigns a checkpoint when the log only grew since the last "
    "one it\n"
    "cosigned, and remembers. DIR holds its key (made by keygen), logs (verifier keys of logs, one "
    "a\n"
    "line) and memory/.\n"
    "\n"
    "  --name NAME           name of the key, such as witness.example.org/lab\n"
    "  --listen ADDR:PORT    where POST /add-checkpoint is served; default 127.0.0.1:9480\n"
    "  --logs FILE           verifier keys of logs; default DIR/logs\n"
    "  --checkpoint FILE     checkpoint to cosign; default LOGDIR/checkpoint\n"
    "  --log LOGDIR          copy of a shard of the log; the proof is made of its tiles\n"
    "  --proof FILE          proof made elsewhere, by triagectl log proof\n"
    "  --version             print the version\n"
    "  --help                print this\n"
    "\n"
    "exit status: 0 done, 1 refused or failed, 2 wrong usage\n";

struct main_options {
    const char *command;
    const char *directory;
    const char *name;
    const char *listen;
    const char *logs;
    struct witness_files files;
};

static _Atomic bool main_failed;

/* Returns -1 to go on, else the exit code. */
static int main_read_options(int argc, char **argv, struct main_options *out)
{
    static const struct option options[] = {{"name", required_argument, NULL, 'n'},
                                            {"listen", required_argument, NULL, 'l'},
                                            {"logs", required_argument, NULL, 's'},
                                            {"log", required_argument, NULL, 't'},
                                            {"checkpoint", required_argument, NULL, 'c'},
                                            {"proof", required_argument, NULL, 'p'},
                                            {"help", no_argument, NULL, 'h'},
                                            {"version", no_argument, NULL, 'v'},
                                            {NULL, 0, NULL, 0}};
    int option;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (option) {
        case 'n':
            out->name = optarg;
            break;
        case 'l':
            out->listen = optarg;
            break;
        case 's':
            out->logs = optarg;
            break;
        case 't':
            out->files.log_directory = optarg;
            break;
        case 'c':
            out->files.checkpoint = optarg;
            break;
        case 'p':
            out->files.proof = optarg;
            break;
        case 'h':
        case 'v':
            (void)fputs(option == 'h' ? usage_text : "triage-witness " TRIAGED_VERSION "\n",
                        stdout);
            return EXIT_DONE;
        default:
            (void)fputs(usage_text, stderr);
            return EXIT_USAGE;
        }
    }
    if (argc - optind != 2) {
        (void)fputs(usage_text, stderr);
        return EXIT_USAGE;
    }
    out->command = argv[optind];
    out->directory = argv[optind + 1];
    return -1;
}

static int main_complain(struct err err, const char *why)
{
    char text[ERR_TEXT_BYTES];
    (void)fprintf(stderr, "triage-witness: %s%s%s\n", why, why[0] != '\0' ? ": " : "",
                  err_text(err, text));
    return EXIT_REFUSED;
}

static int main_usage(const char *words)
{
    (void)fprintf(stderr, "triage-witness: %s\n", words);
    return EXIT_USAGE;
}

/* What every command that cosigns needs. */
struct parts {
    struct witness_key key;
    struct witness_logs logs;
    struct witness_memory *memory;
    struct witness *witness;
};

static void parts_close(struct parts *parts)
{
    witness_close(&parts->witness);
    witness_memory_close(&parts->memory);
    witness_key_wipe(&parts->key);
}

static struct err parts_open(const struct main_options *options, struct parts *out, char *why)
{
    char path[DURABLE_PATH_BYTES];
    struct err err = witness_key_read(options->directory, &out->key, why);
    if (!err_is(err)) {
        (void)snprintf(path, sizeof path, "%s/logs", options->directory);
        err = witness_logs_read(options->logs != NULL ? options->logs : path, &out->logs, why);
    }
    if (!err_is(err)) {
        (void)snprintf(path, sizeof path, "%s/memory", options->directory);
        (void)snprintf(why, ERR_TEXT_BYTES, "%.200s", path);
        err = witness_memory_open(path, &out->key.vkey, &out->memory);
    }
    if (!err_is(err)) {
        struct witness_conf conf = {.name = out->key.vkey.name,
                                    .key = &out->key.key,
                                    .logs = &out->logs,
                                    .memory = out->memory};
        why[0] = '\0';
        err = witness_open(&conf, &out->witness);
    }
    return err;
}

/* A witness whose memory of any log is damaged must not start: what it holds of the others may be
 * no better. */
static struct err parts_check_memory(const struct parts *parts, char *why)
{
    struct err err = err_none;
    for (uint32_t i = 0; !err_is(err) && i < parts->logs.count; i++) {
        struct witness_remembered last;
        (void)snprintf(why, ERR_TEXT_BYTES, "%s", parts->logs.keys[i].name);
        err = witness_memory_of(parts->memory, parts->logs.keys[i].name, &last);
    }
    return err;
}

/* ---- commands ---- */

static int run_keygen(const struct main_options *options)
{
    if (options->name == NULL) {
        return main_usage("keygen needs --name");
    }
    char text[NOTE_VKEY_BYTES_MAX];
    struct err err = witness_key_make(options->directory, options->name);
    if (!err_is(err)) {
        err = witness_key_text(options->directory, text);
    }
    if (err_is(err)) {
        return main_complain(err, options->directory);
    }
    (void)puts(text);
    return EXIT_DONE;
}

static int run_vkey(const struct main_options *options)
{
    char text[NOTE_VKEY_BYTES_MAX];
    struct err err = witness_key_text(options->directory, text);
    if (err_is(err)) {
        return main_complain(err, options->directory);
    }
    (void)puts(text);
    return EXIT_DONE;
}

static int run_cosign(const struct main_options *options)
{
    static struct parts parts; /* large: 256 keys */
    char why[ERR_TEXT_BYTES] = "";
    struct witness_answer answer;
    if (options->files.checkpoint == NULL && options->files.log_directory == NULL) {
        return main_usage("cosign needs --checkpoint or --log");
    }
    if (options->files.proof != NULL && options->files.log_directory != NULL) {
        return main_usage("--proof or --log, not both");
    }
    diag_set_level(DIAG_ERR); /* the answer says it all */
    struct err err = parts_open(options, &parts, why);
    if (!err_is(err)) {
        uint64_t now_s = (uint64_t)(clock_utc_ns() / NS_PER_S);
        err = witness_offline_cosign(parts.witness, parts.memory, &options->files, now_s, &answer,
                                     why);
    }
    parts_close(&parts);
    if (err_is(err)) {
        return main_complain(err, why);
    }
    if (answer.status != WITNESS_COSIGNED) {
        (void)fprintf(stderr, "triage-witness: not cosigned (%d): %s%s", (int)answer.status,
                      answer.is_size ? "the proof must begin at size " : "", answer.text);
        return EXIT_REFUSED;
    }
    return fputs(answer.text, stdout) >= 0 && fflush(stdout) == 0 ? EXIT_DONE : EXIT_REFUSED;
}

static void serve_failed(struct err err)
{
    char text[ERR_TEXT_BYTES];
    diag_err(halt, "error=%s reason=\"%s\"", err_name(err.code), err_text(err, text));
    atomic_store(&main_failed, true);
    (void)kill(getpid(), SIGTERM); /* main waits for it */
}

/* "127.0.0.1:9480", "[::1]:9480"; address has 64 bytes. */
static bool serve_parse(const char *text, char *address, uint16_t *port)
{
    const char *colon = strrchr(text, ':');
    uint64_t number = 0;
    if (colon == NULL || colon - text >= 64 ||
        !note_decimal_read(colon + 1, strlen(colon + 1), &number) || number > 65535) {
        return false;
    }
    bool brackets = text[0] == '[' && colon - text >= 2 && colon[-1] == ']';
    size_t bytes = (size_t)(colon - text) - (brackets ? 2u : 0u);
    memcpy(address, text + (brackets ? 1 : 0), bytes);
    address[bytes] = '\0';
    *port = (uint16_t)number;
    return true;
}

static int serve(const struct main_options *options, struct parts *parts, const char *address,
                 uint16_t port)
{
    char why[ERR_TEXT_BYTES] = "";
    struct witness_http *http = NULL;
    struct err err = parts_open(options, parts, why);
    if (!err_is(err)) {
        err = parts_check_memory(parts, why);
    }
    if (!err_is(err)) {
        struct witness_http_conf conf = {.address = address,
                                         .port = port,
                                         .connections_max = WITNESS_CONNECTIONS_MAX,
                                         .witness = parts->witness,
                                         .failed = serve_failed};
        (void)snprintf(why, sizeof why, "%.60s port %u", address, (unsigned)port);
        err = witness_http_open(&conf, &http);
    }
    if (err_is(err)) {
        return main_complain(err, why);
    }
    diag_info(started, "version=%s name=%s logs=%u url=http://%s:%u/", TRIAGED_VERSION,
              parts->key.vkey.name, parts->logs.count, address, witness_http_port(http));
    sigset_t stops;
    int signal_number = 0;
    must(sigemptyset(&stops) == 0 && sigaddset(&stops, SIGTERM) == 0 &&
         sigaddset(&stops, SIGINT) == 0);
    must(sigwait(&stops, &signal_number) == 0);
    witness_http_close(&http);
    diag_info(stopped, "clean=%d", (int)!atomic_load(&main_failed));
    return atomic_load(&main_failed) ? EXIT_REFUSED : EXIT_DONE;
}

static int run_serve(const struct main_options *options)
{
    static struct parts parts; /* large: 256 keys */
    char address[64];
    uint16_t port = 0;
    const char *listen = options->listen != NULL ? options->listen : "127.0.0.1:9480";
    if (!serve_parse(listen, address, &port)) {
        return main_usage("--listen takes ADDRESS:PORT");
    }
    /* Blocked before any thread is started, so that main alone takes them, by sigwait. */
    sigset_t stops;
    must(sigemptyset(&stops) == 0 && sigaddset(&stops, SIGTERM) == 0 &&
         sigaddset(&stops, SIGINT) == 0);
    must(sigprocmask(SIG_BLOCK, &stops, NULL) == 0);
    must(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
    int code = serve(options, &parts, address, port);
    parts_close(&parts);
    return code;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*run)(const struct main_options *options);
    } commands[] = {
        {"keygen", run_keygen}, {"serve", run_serve}, {"cosign", run_cosign}, {"vkey", run_vkey}};
    struct main_options options = {0};
    int code = main_read_options(argc, argv, &options);
    if (code >= 0) {
        return code;
    }
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        if (strcmp(commands[i].name, options.command) == 0) {
            return commands[i].run(&options);
        }
    }
    (void)fputs(usage_text, stderr);
    return EXIT_USAGE;
}
