/* SPDX-License-Identifier: Apache-2.0 */
#include "verify/verify_disclosure.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/clock.h"
#include "base/durable.h"
#include "proto/disclosure.h"
#include "verify/verify.h"
#include "verify/verify_file.h"

/* The digest is looked for in every entry, not only in one that the shower names: an entry that is
 * not the one expected is worth knowing. A redaction of the same digest is told, and is no fault:
 * who shows it kept it from before, or should not have it any more. */

#define DISCLOSURES_MAX 64u
#define ANY_ENTRY UINT64_MAX

static const char disclosure_usage[] =
    "usage: triage-verify disclosure --log DIR [--entry N] [--vkey KEY] [--json] FILE...\n"
    "\n"
    "Checks disclosures, as triagectl reveal --out writes them, against a copy of the log.\n"
    "\n"
    "  --log DIR   as for triage-verify DIR, which is done first\n"
    "  --entry N   the entry that they must belong to\n"
    "  --vkey KEY  verifier key of the log, or a file that holds it\n"
    "  --json      one JSON object\n"
    "\n"
    "exit status: 0 every one has its digest in the log and the log checks, 1 not, 2 it could not\n"
    "be checked\n";

struct shown {
    const char *file;
    char name[DISCLOSURE_NAME_BYTES_MAX + 1];
    uint32_t value_bytes;
    uint8_t digest[HASH_BYTES];
    bool found;
    uint64_t n; /* of the entry that has it */
    int64_t t_ns;
    enum entry_type type;
    bool redacted;
    uint64_t redact_n;
};

struct search {
    struct verify_conf conf;
    uint64_t entry; /* ANY_ENTRY, or the one wanted */
    bool json;
    struct shown shown[DISCLOSURES_MAX];
    uint32_t shown_count;
    struct verify_file bundle;
    uint8_t arena_bytes[ENTRY_ARENA_BYTES];
    struct entry decoded;
};

/* ---- what is shown ---- */

static bool search_add(struct search *self, const char *file, const struct disclosure *disclosure)
{
    if (self->shown_count == DISCLOSURES_MAX) {
        (void)fprintf(stderr, "triage-verify: more than %u disclosures\n", DISCLOSURES_MAX);
        return false;
    }
    struct shown *shown = &self->shown[self->shown_count++];
    *shown = (struct shown){.file = file, .value_bytes = disclosure->value_bytes};
    memcpy(shown->name, disclosure->name, sizeof shown->name);
    disclosure_digest(disclosure, shown->digest);
    return true;
}

/* One encoded disclosure, or several in frames. */
static bool search_read(struct search *self, const char *file)
{
    char text[ERR_TEXT_BYTES];
    uint8_t *bytes = NULL;
    size_t bytes_count = 0;
    struct err err = durable_read(file, DISCLOSURE_BYTES_MAX, &bytes, &bytes_count);
    if (err_is(err)) {
        (void)fprintf(stderr, "triage-verify: %s: %s\n", file, err_text(err, text));
        return false;
    }
    struct disclosure disclosure;
    struct disclosure_walk walk;
    bool good = true;
    bool any = disclosure_parse(bytes, bytes_count, &disclosure);
    if (any) {
        good = search_add(self, file, &disclosure);
    } else {
        disclosure_walk_open(bytes, bytes_count, &walk);
        while (good && disclosure_next(&walk, &disclosure)) {
            good = search_add(self, file, &disclosure);
            any = true;
        }
        any = any && !walk.broken;
    }
    if (!any) {
        (void)fprintf(stderr, "triage-verify: %s is no disclosure\n", file);
    }
    free(bytes);
    return good && any;
}

/* ---- where it is ---- */

static void search_entry(struct search *self, const struct entry *entry)
{
    for (uint32_t i = 0; i < self->shown_count; i++) {
        struct shown *shown = &self->shown[i];
        for (uint32_t d = 0; d < entry->sd_count; d++) {
            if (hash_equal(entry->sd[d], shown->digest)) {
                shown->found = true;
                shown->n = entry->n;
                shown->t_ns = entry->t_ns;
                shown->type = entry->type;
            }
        }
        for (uint32_t d = 0; entry->type == ENTRY_REDACT && d < entry->body.redact.digests_count;
             d++) {
            if (hash_equal(entry->body.redact.digests[d], shown->digest)) {
                shown->redacted = true;
                shown->redact_n = entry->n;
            }
        }
    }
}

/* A bundle that is not as it should be is a problem that the check before has told. */
static void search_bundle(struct search *self, const uint8_t *bytes, size_t bytes_count)
{
    for (size_t at = 0; bytes_count - at >= 2;) {
        size_t entry_bytes = (size_t)bytes[at] << 8 | bytes[at + 1];
        at += 2;
        if (entry_bytes == 0 || entry_bytes > bytes_count - at) {
            return;
        }
        struct arena arena;
        arena_init(&arena, self->arena_bytes, sizeof self->arena_bytes);
        if (entry_decode(bytes + at, entry_bytes, &arena, &self->decoded) == ENTRY_GOOD) {
            search_entry(self, &self->decoded);
        }
        at += entry_bytes;
    }
}

static void search_shard(struct search *self, const struct verify_shard *shard)
{
    for (uint64_t at = 0; at < shard->size; at += TILE_WIDTH) {
        char name[TILE_PATH_BYTES_MAX];
        char path[DURABLE_PATH_BYTES + TILE_PATH_BYTES_MAX];
        uint64_t left = shard->size - at;
        bundle_path(at / TILE_WIDTH, 0, name);
        (void)snprintf(path, sizeof path, "%s/%s", shard->path, name);
        enum verify_read read = verify_file_read(&self->bundle, path, BUNDLE_BYTES_MAX);
        if (read == READ_MISSING && left < TILE_WIDTH) {
            bundle_path(at / TILE_WIDTH, (uint32_t)left, name);
            (void)snprintf(path, sizeof path, "%s/%s", shard->path, name);
            read = verify_file_read(&self->bundle, path, BUNDLE_BYTES_MAX);
        }
        if (read == READ_GOOD) {
            search_bundle(self, self->bundle.bytes, self->bundle.bytes_count);
        }
    }
}

/* ---- telling ---- */

static bool shown_holds(const struct search *self, const struct shown *shown)
{
    return shown->found && (self->entry == ANY_ENTRY || shown->n == self->entry);
}

static void tell_words(const struct search *self, const struct shown *shown)
{
    char t[CLOCK_TEXT_BYTES];
    if (!shown->found) {
        printf("BAD   %s: %s: no entry of this log has its digest\n", shown->file, shown->name);
        return;
    }
    clock_text(shown->t_ns, t);
    printf("%s %s: %s, %u bytes: entry %" PRIu64 ", %s, %s",
           shown_holds(self, shown) ? "good " : "BAD  ", shown->file, shown->name,
           shown->value_bytes, shown->n, entry_type_text(shown->type), t);
    if (!shown_holds(self, shown)) {
        printf(", not entry %" PRIu64, self->entry);
    }
    if (shown->redacted) {
        printf("; REDACTED by entry %" PRIu64, shown->redact_n);
    }
    printf("\n");
}

static json_t *tell_json(const struct search *self, const struct shown *shown)
{
    char hex[HASH_HEX_BYTES];
    hex_encode(shown->digest, HASH_BYTES, hex);
    json_t *out = json_object();
    json_object_set_new(out, "file", json_string(shown->file));
    json_object_set_new(out, "good", json_boolean(shown_holds(self, shown)));
    json_object_set_new(out, "name", json_string(shown->name));
    json_object_set_new(out, "digest", json_string(hex));
    if (shown->found) {
        json_object_set_new(out, "entry", json_integer((json_int_t)shown->n));
        json_object_set_new(out, "type", json_string(entry_type_text(shown->type)));
    }
    if (shown->redacted) {
        json_object_set_new(out, "redacted_by", json_integer((json_int_t)shown->redact_n));
    }
    return out;
}

static int search_tell(const struct search *self, const struct verify_report *report)
{
    bool all = true;
    json_t *list = json_array();
    for (uint32_t i = 0; i < self->shown_count; i++) {
        all = all && shown_holds(self, &self->shown[i]);
        if (self->json) {
            json_array_append_new(list, tell_json(self, &self->shown[i]));
        } else {
            tell_words(self, &self->shown[i]);
        }
    }
    uint64_t problems = report->problems.count;
    if (self->json) {
        json_t *out = json_pack("{s:b, s:I, s:O}", "good", all && problems == 0, "log_problems",
                                (json_int_t)problems, "disclosures", list);
        (void)json_dumpf(out, stdout, JSON_COMPACT);
        (void)puts("");
        json_decref(out);
    } else if (problems > 0) {
        printf("BAD   the log itself: %" PRIu64 " problems; triage-verify %s lists them\n",
               problems, self->conf.directory);
    }
    json_decref(list);
    return all && problems == 0 ? 0 : 1;
}

/* ---- the program ---- */

static bool search_number(const char *text, uint64_t *out)
{
    char *end = NULL;
    errno = 0;
    *out = strtoull(text, &end, 10);
    return text[0] >= '0' && text[0] <= '9' && *end == '\0' && errno == 0;
}

static int search_run(struct search *self, struct verify_report *report)
{
    char text[ERR_TEXT_BYTES];
    struct err err = verify_report_init(report);
    if (!err_is(err)) {
        err = verify_run(&self->conf, report);
    }
    if (err_is(err)) {
        (void)fprintf(stderr, "triage-verify: %s: could not be checked: %s\n", self->conf.directory,
                      err_text(err, text));
        return 2;
    }
    for (uint32_t i = 0; i < report->shards_count; i++) {
        search_shard(self, &report->shards[i]);
    }
    return search_tell(self, report);
}

int verify_disclosure_main(int argc, char **argv)
{
    static const struct option options[] = {
        {"log", required_argument, NULL, 'l'},  {"entry", required_argument, NULL, 'e'},
        {"vkey", required_argument, NULL, 'k'}, {"json", no_argument, NULL, 'j'},
        {"help", no_argument, NULL, 'h'},       {NULL, 0, NULL, 0}};
    static struct search search; /* large: an arena */
    static struct verify_report report;
    bool good = true;
    search.entry = ANY_ENTRY;
    search.conf.now_ns = clock_utc_ns();
    for (int option = getopt_long(argc, argv, "", options, NULL); option != -1;
         option = getopt_long(argc, argv, "", options, NULL)) {
        if (option == 'l') {
            search.conf.directory = optarg;
        } else if (option == 'k') {
            search.conf.vkey = optarg;
        } else if (option == 'e') {
            good = good && search_number(optarg, &search.entry);
        } else if (option == 'j') {
            search.json = true;
        } else if (option == 'h') {
            (void)fputs(disclosure_usage, stdout);
            return 0;
        } else {
            good = false;
        }
    }
    if (!good || search.conf.directory == NULL || optind == argc) {
        (void)fputs(disclosure_usage, stderr);
        return 2;
    }
    for (int i = optind; i < argc; i++) {
        if (!search_read(&search, argv[i])) {
            return 2;
        }
    }
    int status = search_run(&search, &report);
    verify_report_fini(&report);
    verify_file_fini(&search.bundle);
    return fflush(stdout) == 0 ? status : 2;
}
