/* SPDX-License-Identifier: Apache-2.0 */
#include <ftw.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/diag.h"
#include "base/durable.h"
#include "foreign_story.h"
#include "oversight/oversight.h"
#include "oversight/tiles.h"
#include "proto/cosignature.h"
#include "proto/merkle.h"

/* The logs that other people's verifiers are tried on, by the product's own writer:
 *
 *   make_logs every DIR             DIR/1 .. DIR/600, DIR/fork-600, DIR/fork-620, DIR/live
 *   make_logs big DIR SIZE...       DIR/SIZE for each (ascending), DIR/fork-LAST, DIR/fork-LAST+63
 *   make_logs wide DIR SIZE...      DIR/SIZE for each (ascending), nothing else
 *   make_logs odd DIR               DIR/200, DIR/300, DIR/fork-300, DIR/fork-320: entries of odd
 *                                   lengths that no daemon writes, by tiles.h without the WAL
 *   make_logs empty DIR             DIR/0: a checkpoint of nothing, by proto/ alone; a log that is
 *                                   opened publishes size 1 first, with its log.open entry
 *   make_logs sign ORIGIN NAME KEY SIZE ROOT    a signed checkpoint on standard output
 *   make_logs vkey NAME KEY                     a verifier key
 *   make_logs cosign CHECKPOINT NAME KEY        a witness's line for the checkpoint in that file
 *   make_logs witness NAME KEY                  a witness's verifier key
 *
 * DIR/<size>/log is the public directory as it was when its newest checkpoint was of that size, as
 * hard links (a published file is replaced or removed, never written again); at sizes that are no
 * hundreds without the partial files of smaller ones. A fork is a copy of
 * write-ahead log and public directory that went on with other entries: same key, same origin. */

#define ORIGIN "oversight.test/foreign/2026"
#define SHARD "2026"
#define EVERY_SIZE 600u
#define EVERY_FORK_AT 301u
#define EVERY_FORK_MORE 20u
#define BIG_FORK_BACK 500u
#define BIG_FORK_MORE 63u
#define FLIGHT 1024u

struct maker {
    char directory[256]; /* of the snapshots */
    char prefix[16];     /* of their names */
    char wal[320];
    char all[320];       /* of all shards */
    char published[328]; /* the one shard */
    struct sign_key key;
    struct story story;
    struct oversight *log;
    struct oversight_draft *drafts;
    struct queue *done;
};

static void good(struct err err)
{
    char text[ERR_TEXT_BYTES];
    if (err_is(err)) {
        (void)fprintf(stderr, "make_logs: %s\n", err_text(err, text));
        exit(1);
    }
}

static void run(const char *format, ...)
{
    char command[1400];
    va_list list;
    va_start(list, format);
    int command_bytes = vsnprintf(command, sizeof command, format, list);
    va_end(list);
    must(command_bytes > 0 && command_bytes < (int)sizeof command);
    must(system(command) == 0);
}

static void key_make(const char *number, struct sign_key *out)
{
    uint8_t seed[SIGN_SEED_BYTES];
    memset(seed, (int)strtoul(number, NULL, 10), sizeof seed);
    must(sign_init());
    sign_key_from_seed(out, seed);
}

/* ---- snapshots ---- */

#define KEEP_ALL_EVERY 100u

static size_t link_from_bytes; /* of the directory that is being walked */
static const char *link_to;
static uint64_t link_size;

/* An earlier partial file, "tile/<L or entries>/.../NNN.p/<W>": published too, and readers may find
 * it gone at any time. */
static bool is_earlier_partial(const char *name)
{
    const char *width = strrchr(name, '/') + 1;
    if (strncmp(name, "/tile/", 6) != 0 || strstr(name, ".p/") == NULL) {
        return false;
    }
    uint64_t level = strtoull(name + 6, NULL, 10); /* 0 for entries */
    return strtoull(width, NULL, 10) != (link_size >> (8 * level)) % TILE_WIDTH;
}

static int link_one(const char *path, const struct stat *status, int kind, struct FTW *walk)
{
    (void)status;
    (void)walk;
    char to[1024];
    must(snprintf(to, sizeof to, "%s%s", link_to, path + link_from_bytes) < (int)sizeof to);
    if (kind == FTW_D) {
        return mkdir(to, 0755);
    }
    if (link_size % KEEP_ALL_EVERY != 0 && is_earlier_partial(path + link_from_bytes)) {
        return 0;
    }
    return link(path, to);
}

/* Without checkpoints/, and mostly without earlier partial files: of 600 logs each of these would
 * be 200,000 links. */
static void snapshot(const struct maker *self, uint64_t size)
{
    char from[512];
    char to[400];
    static const char *const names[] = {"vkey", "checkpoint", "tile"};
    must(snprintf(to, sizeof to, "%s/%s%" PRIu64, self->directory, self->prefix, size) <
         (int)sizeof to);
    good(durable_directory(to, 0755));
    strcpy(to + strlen(to), "/log");
    must(mkdir(to, 0755) == 0);
    for (uint32_t i = 0; i < 3; i++) {
        (void)snprintf(from, sizeof from, "%s/%s", self->published, names[i]);
        link_from_bytes = strlen(self->published);
        link_to = to;
        link_size = size;
        must(nftw(from, link_one, 16, FTW_PHYS) == 0);
    }
}

/* ---- logs of the product ---- */

static void maker_init(struct maker *self, const char *directory, const char *prefix)
{
    memset(self, 0, sizeof *self);
    must(snprintf(self->directory, sizeof self->directory, "%s", directory) <
         (int)sizeof self->directory);
    must(strlen(prefix) < sizeof self->prefix);
    strcpy(self->prefix, prefix);
    (void)snprintf(self->wal, sizeof self->wal, "%s/%slive/wal", directory, prefix);
    (void)snprintf(self->all, sizeof self->all, "%s/%slive/log", directory, prefix);
    (void)snprintf(self->published, sizeof self->published, "%s/" SHARD, self->all);
    key_make("7", &self->key);
    story_init(&self->story);
}

static void maker_open(struct maker *self)
{
    struct oversight_recovery recovery;
    const struct oversight_conf conf = {
        .wal_directory = self->wal,
        .log_directory = self->all,
        .origin = ORIGIN,
        .key = &self->key,
        .segment_bytes = 8 << 20,
        .queue_entries = 2 * FLIGHT,
        .checkpoint_interval_ns = 3600 * NS_PER_S, /* checkpoints on request only */
    };
    good(oversight_open(&conf, &self->log, &recovery));
    self->drafts = calloc(FLIGHT, sizeof *self->drafts);
    must(self->drafts != NULL);
    good(queue_open(FLIGHT, &self->done));
}

static void maker_close(struct maker *self)
{
    oversight_close(&self->log);
    queue_free(&self->done);
    free(self->drafts);
}

static void maker_append(struct maker *self, uint64_t until)
{
    struct oversight_draft *batch[FLIGHT];
    for (uint64_t at = oversight_size(self->log); at < until;) {
        uint32_t count = 0;
        for (; count < FLIGHT && at < until; count++, at++) {
            struct oversight_draft *draft = &self->drafts[count];
            draft->rest_bytes = story_rest(&self->story, at, draft->rest, sizeof draft->rest);
            draft->done = self->done;
            batch[count] = draft;
        }
        good(oversight_submit(self->log, batch, count));
        for (uint32_t back = 0; back < count;) {
            void *things[FLIGHT];
            uint32_t taken = queue_take(self->done, things, FLIGHT, 60 * NS_PER_S);
            must(taken > 0);
            back += taken;
        }
    }
}

static void maker_grow(struct maker *self, uint64_t size)
{
    maker_append(self, size);
    good(oversight_publish(self->log));
    must(oversight_published(self->log) == size);
    snapshot(self, size);
}

/* A copy of everything, as from a backup, that goes on by itself. */
static void maker_fork(const struct maker *self, struct maker *fork, uint64_t at)
{
    maker_init(fork, self->directory, "fork-");
    run("cp -r '%s/live' '%s/fork-live'", self->directory, self->directory);
    story_fork(&fork->story, at);
    maker_open(fork);
    must(oversight_size(fork->log) == at);
}

static void make_every(const char *directory)
{
    struct maker maker;
    struct maker fork;
    maker_init(&maker, directory, "");
    maker_open(&maker);
    for (uint64_t size = 1; size <= EVERY_FORK_AT; size++) {
        maker_grow(&maker, size);
    }
    maker_close(&maker);
    maker_fork(&maker, &fork, EVERY_FORK_AT);
    maker_grow(&fork, EVERY_SIZE);
    maker_grow(&fork, EVERY_SIZE + EVERY_FORK_MORE);
    maker_close(&fork);
    maker_open(&maker);
    for (uint64_t size = EVERY_FORK_AT + 1; size <= EVERY_SIZE; size++) {
        maker_grow(&maker, size);
    }
    maker_close(&maker);
}

static void make_big(const char *directory, char *const *sizes, int sizes_count)
{
    struct maker maker;
    struct maker fork;
    uint64_t last = strtoull(sizes[sizes_count - 1], NULL, 10);
    uint64_t fork_at = last - BIG_FORK_BACK;
    bool forked = false;
    maker_init(&maker, directory, "");
    maker_open(&maker);
    for (int i = 0; i < sizes_count; i++) {
        uint64_t size = strtoull(sizes[i], NULL, 10);
        if (size > fork_at && !forked) {
            maker_append(&maker, fork_at);
            maker_close(&maker);
            maker_fork(&maker, &fork, fork_at);
            maker_open(&maker);
            forked = true;
        }
        maker_grow(&maker, size);
    }
    maker_grow(&fork, last);
    maker_grow(&fork, last + BIG_FORK_MORE);
    maker_close(&fork);
    maker_close(&maker);
}

static void make_wide(const char *directory, char *const *sizes, int sizes_count)
{
    struct maker maker;
    maker_init(&maker, directory, "");
    maker_open(&maker);
    for (int i = 0; i < sizes_count; i++) {
        maker_grow(&maker, strtoull(sizes[i], NULL, 10));
    }
    maker_close(&maker);
}

/* ---- logs beyond what the product writes ---- */

static void write_file(const char *directory, const char *name, const char *text)
{
    char path[512];
    must(snprintf(path, sizeof path, "%s/%s", directory, name) < (int)sizeof path);
    good(durable_replace(path, text, strlen(text), 0644));
}

static void write_head(const struct maker *self, const struct merkle_range *range)
{
    char text[NOTE_BYTES_MAX];
    struct note_vkey vkey;
    struct checkpoint checkpoint = {.origin = ORIGIN, .size = range->size};
    merkle_range_root(range, checkpoint.root);
    (void)checkpoint_sign(&checkpoint, &self->key, text);
    write_file(self->published, "checkpoint", text);
    note_vkey_make(&vkey, ORIGIN, self->key.public_key);
    note_vkey_encode(&vkey, text);
    strcpy(text + strlen(text), "\n");
    write_file(self->published, "vkey", text);
}

/* Bytes that are no message, of lengths at the edges: 1 byte, around 256, policy's and format's
 * most. */
static uint32_t odd_entry(uint64_t index, uint8_t branch, uint8_t out[65535])
{
    static const uint32_t lengths[] = {1,   2,    254,  255,  256,   257,   1,   511,
                                       512, 4096, 8191, 8192, 8193,  16384, 1,   3,
                                       5,   7,    11,   13,   65534, 65535, 100, 1000};
    uint32_t bytes_count = lengths[index % (sizeof lengths / sizeof lengths[0])];
    for (uint32_t i = 0; i < bytes_count; i++) {
        out[i] = (uint8_t)(index * 31 + i * 7 + branch + i / 251);
    }
    return bytes_count;
}

static void make_odd_branch(const char *directory, const char *prefix, uint8_t branch,
                            uint64_t fork_at, const uint64_t sizes[2])
{
    static uint8_t entry[65535];
    struct maker maker;
    struct tiles *tiles = NULL;
    struct merkle_range range;
    maker_init(&maker, directory, prefix);
    good(durable_directory(maker.published, 0755));
    good(tiles_open(maker.published, &tiles));
    for (uint32_t i = 0; i < 2; i++) {
        while (tiles_size(tiles) < sizes[i]) {
            uint64_t at = tiles_size(tiles);
            good(tiles_append(tiles, entry, odd_entry(at, at < fork_at ? 0 : branch, entry)));
        }
        good(tiles_write_partials(tiles));
        tiles_range(tiles, &range);
        write_head(&maker, &range);
        snapshot(&maker, sizes[i]);
    }
    tiles_close(&tiles);
}

static void make_empty(const char *directory)
{
    struct maker maker;
    struct merkle_range range;
    maker_init(&maker, directory, "");
    (void)snprintf(maker.published, sizeof maker.published, "%s/0/log", directory);
    good(durable_directory(maker.published, 0755));
    merkle_range_init(&range);
    write_head(&maker, &range);
}

/* ---- signatures of somebody else ---- */

static void print_checkpoint(char *const *words)
{
    char text[NOTE_BYTES_MAX];
    char body[NOTE_BYTES_MAX];
    char blob[128];
    struct sign_key key;
    uint8_t signed_bytes[4 + SIGN_SIGNATURE_BYTES];
    key_make(words[2], &key);
    int body_bytes = snprintf(body, sizeof body, "%s\n%s\n%s\n", words[0], words[3], words[4]);
    must(body_bytes > 0 && body_bytes < (int)sizeof body);
    uint32_t key_id = note_key_id(words[1], key.public_key);
    for (uint32_t i = 0; i < 4; i++) {
        signed_bytes[i] = (uint8_t)(key_id >> (24 - 8 * i));
    }
    sign_bytes(&key, body, (size_t)body_bytes, signed_bytes + 4);
    base64_encode(signed_bytes, sizeof signed_bytes, blob);
    must(snprintf(text, sizeof text, "%s\n\u2014 %s %s\n", body, words[1], blob) <
         (int)sizeof text);
    (void)fputs(text, stdout);
}

static void print_vkey(enum note_key_type type, char *const *words)
{
    char text[NOTE_VKEY_BYTES_MAX];
    struct sign_key key;
    struct note_vkey vkey;
    key_make(words[1], &key);
    note_vkey_make_typed(type, &vkey, words[0], key.public_key);
    note_vkey_encode_typed(type, &vkey, text);
    (void)puts(text);
}

static void print_cosignature(char *const *words)
{
    char line[NOTE_LINE_BYTES_MAX];
    uint8_t *text = NULL;
    size_t text_bytes = 0;
    struct sign_key key;
    key_make(words[2], &key);
    good(durable_read(words[0], NOTE_BYTES_MAX, &text, &text_bytes));
    const char *end = strstr((const char *)text, "\n\n");
    must(end != NULL);
    (void)cosignature_make((const char *)text, (size_t)(end + 1 - (const char *)text), words[1],
                           &key, 1789982400, line);
    (void)fputs(line, stdout);
    free(text);
}

int main(int argc, char **argv)
{
    diag_set_level(DIAG_ERR);
    const char *what = argc > 2 ? argv[1] : "";
    if (strcmp(what, "every") == 0 && argc == 3) {
        make_every(argv[2]);
    } else if (strcmp(what, "big") == 0 && argc > 3) {
        make_big(argv[2], argv + 3, argc - 3);
    } else if (strcmp(what, "wide") == 0 && argc > 3) {
        make_wide(argv[2], argv + 3, argc - 3);
    } else if (strcmp(what, "odd") == 0 && argc == 3) {
        make_odd_branch(argv[2], "", 0, UINT64_MAX, (const uint64_t[]){200, 300});
        make_odd_branch(argv[2], "fork-", 1, 100, (const uint64_t[]){300, 320});
    } else if (strcmp(what, "empty") == 0 && argc == 3) {
        make_empty(argv[2]);
    } else if (strcmp(what, "sign") == 0 && argc == 7) {
        print_checkpoint(argv + 2);
    } else if (strcmp(what, "vkey") == 0 && argc == 4) {
        print_vkey(NOTE_KEY_LOG, argv + 2);
    } else if (strcmp(what, "witness") == 0 && argc == 4) {
        print_vkey(NOTE_KEY_WITNESS, argv + 2);
    } else if (strcmp(what, "cosign") == 0 && argc == 5) {
        print_cosignature(argv + 2);
    } else {
        (void)fputs("usage: see the top of make_logs.c\n", stderr);
        return 2;
    }
    return fflush(stdout) == 0 ? 0 : 1;
}
