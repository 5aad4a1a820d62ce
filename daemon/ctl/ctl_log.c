/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/ctl.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/clock.h"
#include "ctl/entry_json.h"
#include "ctl/json_text.h"
#include "ctl/log_shard.h"
#include "ctl/log_source.h"
#include "ctl/qr.h"
#include "ctl/table.h"

struct cat_options {
    const char *public_directory;
    uint64_t from;
    uint64_t to; /* inclusive */
    enum entry_type type;
};

static error_t parse_cat(int key, char *text, struct argp_state *state)
{
    struct cat_options *options = state->input;
    switch (key) {
    case 'f':
        options->from = ctl_number(state, "from", text, INT64_MAX);
        return 0;
    case 't':
        options->to = ctl_number(state, "to", text, INT64_MAX);
        return 0;
    case 'y':
        options->type = entry_type_parse(text);
        if (options->type == ENTRY_UNKNOWN) {
            argp_error(state, "--type takes score, referral.decision, scan.received, ..., not %s",
                       text);
        }
        return 0;
    case 'p':
        options->public_directory = text;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "unexpected argument %s", text);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* A line at a time, so that a long log needs no memory and a pipe sees the first entry at once. */
static bool print_entry(const struct ctl *ctl, const struct entry *entry)
{
    if (ctl->json) {
        return json_print(entry_json(entry), false) == CTL_GOOD;
    }
    char words[512];
    char t[CLOCK_TEXT_BYTES];
    char item[2 * ITEM_ID_BYTES + 1] = "";
    entry_words(entry, words, sizeof words);
    clock_text(entry->t_ns, t);
    if (entry->has_item) {
        hex_encode(entry->item, ITEM_ID_BYTES, item);
    }
    printf("%8" PRIu64 "  %.23sZ  %-20s  %-8.8s  ", entry->n, t, entry_type_text(entry->type),
           item);
    text_print(stdout, words, 0, 0);
    return !ferror(stdout);
}

static int cat_entries(const struct ctl *ctl, struct log_source *source,
                       const struct cat_options *options)
{
    uint8_t *memory = malloc(ENTRY_ARENA_BYTES);
    if (memory == NULL) {
        return ctl_refuse("no memory");
    }
    struct arena arena;
    arena_init(&arena, memory, ENTRY_ARENA_BYTES);
    int result = CTL_GOOD;
    uint64_t passed_to = 0; /* pruned up to here, and not told yet */
    for (;;) {
        struct log_bytes bytes;
        bool got = false;
        struct err err = log_source_next(source, &bytes, &got);
        if (err.code == ERR_PRUNED) {
            uint64_t next = 0;
            err = log_source_pass(source, &next);
            passed_to = next;
            if (!err_is(err)) {
                continue;
            }
        }
        if (passed_to > 0) {
            (void)fprintf(stderr,
                          "triagectl: entries before %" PRIu64
                          " were pruned: taken out of the log on "
                          "purpose; going on from there\n",
                          passed_to);
            passed_to = 0;
        }
        if (err_is(err)) {
            result = ctl_fail("read the log", err);
            break;
        }
        if (!got || bytes.entry_index > options->to) {
            break;
        }
        struct entry entry;
        arena_reset(&arena);
        enum entry_fault fault = entry_decode(bytes.bytes, bytes.bytes_count, &arena, &entry);
        if (fault != ENTRY_GOOD && fault != ENTRY_UNKNOWN_TYPE) {
            result =
                ctl_refuse("entry %" PRIu64 ": %s", bytes.entry_index, entry_fault_text(fault));
            continue; /* the rest may still be worth reading */
        }
        bool wanted = options->type == ENTRY_UNKNOWN || entry.type == options->type;
        if (wanted && !print_entry(ctl, &entry)) {
            result = CTL_REFUSED;
            break;
        }
    }
    free(memory);
    return result;
}

int ctl_log_cat(struct ctl *ctl, int argc, char **argv)
{
    static const struct argp_option options_table[] = {
        {"from", 'f', "N", 0, "first entry index (default 0)", 1},
        {"to", 't', "N", 0, "last entry index (default: the newest)", 1},
        {"type", 'y', "TYPE", 0,
         "only entries of this type: score, referral.decision, outcome, ...", 1},
        {"public", 'p', "DIR", 0,
         "read a copy of the public log (log/ with all shards, or one of them) instead of the "
         "store",
         1},
        {0, 0, 0, 0, 0, 0},
    };
    static const struct argp own = {
        options_table,
        parse_cat,
        "",
        "Entries of the oversight log, one a line. Nothing is verified: triage-verify does that.",
        NULL,
        NULL,
        NULL};
    struct cat_options options = {.to = INT64_MAX};
    ctl_parse(ctl, &own, &options, argc, argv);
    struct log_source *source = NULL;
    char path[DURABLE_PATH_BYTES];
    struct err err;
    if (options.public_directory != NULL) {
        (void)snprintf(path, sizeof path, "%s", options.public_directory);
        err = log_source_open_public(path, &source);
    } else {
        if (!ctl_path(ctl, "wal", path)) {
            return CTL_REFUSED;
        }
        err = log_source_open_store(ctl->conf.store_directory, &source);
    }
    if (!err_is(err)) {
        err = log_source_seek(source, options.from);
    }
    int result = err_is(err) ? ctl_fail(path, err) : cat_entries(ctl, source, &options);
    log_source_close(&source);
    return result;
}

static error_t parse_checkpoint(int key, char *text, struct argp_state *state)
{
    if (key == ARGP_KEY_ARG) {
        argp_error(state, "unexpected argument %s", text);
    }
    if (key == 'q') {
        *(const char **)state->input = text;
        return 0;
    }
    return ARGP_ERR_UNKNOWN;
}

/* For paper: whoever keeps it can tell later whether the log was cut or rewritten. */
static int checkpoint_qr(const char *path, const char *text)
{
    struct err err = strcmp(path, "-") == 0 ? qr_print(stdout, text, strlen(text))
                                            : qr_write_png(path, text, strlen(text));
    return err_is(err) ? ctl_fail(path, err) : CTL_GOOD;
}

int ctl_log_checkpoint(struct ctl *ctl, int argc, char **argv)
{
    static const struct argp_option options_table[] = {
        {"qr", 'q', "FILE", 0, "also as a QR code: a PNG file, or - for the terminal", 1},
        {0, 0, 0, 0, 0, 0},
    };
    static const struct argp own = {options_table,
                                    parse_checkpoint,
                                    "",
                                    "The newest signed checkpoint of the public log.",
                                    NULL,
                                    NULL,
                                    NULL};
    const char *qr = NULL;
    ctl_parse(ctl, &own, &qr, argc, argv);
    char directory[DURABLE_PATH_BYTES];
    char path[DURABLE_PATH_BYTES + 16];
    uint64_t tree_size = 0;
    char *text = NULL;
    if (!log_shard_newest(ctl, directory)) {
        return CTL_REFUSED;
    }
    (void)snprintf(path, sizeof path, "%s/checkpoint", directory);
    struct err err = checkpoint_read(path, &tree_size, &text);
    if (err_is(err)) {
        return ctl_fail(path, err);
    }
    int result = CTL_GOOD;
    if (ctl->json) {
        json_t *object = json_object();
        json_object_set_new(object, "path", json_text(path));
        json_object_set_new(object, "size", json_integer((json_int_t)tree_size));
        json_object_set_new(object, "checkpoint", json_text(text));
        result = json_print(object, true);
    } else {
        (void)fputs(text, stdout); /* exactly as it lies there: it can be checked as it is */
    }
    if (result == CTL_GOOD && qr != NULL) {
        result = checkpoint_qr(qr, text);
    }
    free(text);
    return result;
}
