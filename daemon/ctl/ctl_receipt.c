/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "ctl/ctl_order.h"
#include "ctl/json_text.h"
#include "ctl/log_shard.h"
#include "ctl/qr.h"
#include "ctl/receipt_file.h"
#include "state/state.h"

/* A receipt is what an outsider keeps: with it the operator of the log can never again deny the
 * entry. So it is checked here before it is handed out, and it says itself what it proves. */

struct receipt_options {
    const char *entry;
    const char *item;
    const char *out;
    const char *qr;
    const char *public_directory;
    bool bare;
};

static error_t parse_receipt(int key, char *text, struct argp_state *state)
{
    struct receipt_options *options = state->input;
    switch (key) {
    case 'i':
        options->item = text;
        return 0;
    case 'o':
        options->out = text;
        return 0;
    case 'q':
        options->qr = text;
        return 0;
    case 'p':
        options->public_directory = text;
        return 0;
    case 'b':
        options->bare = true;
        return 0;
    case ARGP_KEY_ARG:
        if (options->entry != NULL) {
            argp_error(state, "one ENTRY at a time");
        }
        options->entry = text;
        return 0;
    case ARGP_KEY_END:
        if ((options->entry == NULL) == (options->item == NULL)) {
            argp_error(state, "give the index of an ENTRY, or --item ITEM");
        }
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static void take_entry(void *arg, uint32_t columns_count, const char *const *names,
                       const char *const *values)
{
    (void)columns_count, (void)names;
    char *entry = arg;
    (void)snprintf(entry, 24, "%s", values[0]);
}

/* The newest decision on an item, as text; false when told. */
static bool find_decision(struct ctl *ctl, const char *text, char entry[24])
{
    uint8_t item[ITEM_ID_BYTES];
    struct state *state = ctl_open_state(ctl);
    if (state == NULL) {
        return false;
    }
    bool found = ctl_find_item(state, text, item);
    entry[0] = '\0';
    if (found) {
        struct err err = state_query(state, "SELECT max(entry) FROM decisions WHERE item = ?1",
                                     item, sizeof item, false, take_entry, entry);
        if (err_is(err)) {
            ctl_fail("find decision", err);
            found = false;
        } else if (entry[0] == '\0') {
            ctl_refuse("%s is not decided yet", text);
            found = false;
        }
    }
    state_close(&state);
    return found;
}

/* When no checkpoint covers the entry yet, the daemon is asked for one. */
static struct err make_receipt(struct ctl *ctl, const struct receipt_options *options,
                               uint64_t entry_index, struct receipt_file *out)
{
    char directory[DURABLE_PATH_BYTES];
    if (options->public_directory != NULL) {
        return receipt_file_make(options->public_directory, entry_index, !options->bare, out);
    }
    if (!log_shard_of(ctl, entry_index, directory)) {
        return err_make(ERR_NOT_FOUND, "public log");
    }
    struct err err = receipt_file_make(directory, entry_index, !options->bare, out);
    if (err.code == ERR_NOT_FOUND) {
        struct wire_command command = {.order = ORDER_CHECKPOINT};
        if (ctl_order_quietly(ctl, &command) == CTL_GOOD) {
            err = receipt_file_make(directory, entry_index, !options->bare, out);
        }
    }
    return err;
}

/* A receipt that carries a long entry does not fit a QR code: then the code leaves the entry out,
 * and says so. */
static int write_qr(const struct receipt_options *options, const struct receipt_file *receipt)
{
    const char *text = receipt->text;
    size_t text_bytes = receipt->text_bytes;
    char *bare = NULL;
    if (text_bytes > QR_BYTES_MAX) {
        struct receipt parsed;
        bare = malloc(RECEIPT_BYTES_MAX);
        if (bare == NULL ||
            receipt_read(receipt->text, receipt->text_bytes, &parsed) != RECEIPT_GOOD) {
            free(bare);
            return ctl_refuse("no memory");
        }
        text_bytes = receipt_write(&parsed, NULL, 0, bare, RECEIPT_BYTES_MAX);
        text = bare;
        (void)fputs("triagectl: the entry is too long for the QR code: it holds the proof alone\n",
                    stderr);
    }
    bool to_terminal = strcmp(options->qr, "-") == 0;
    struct err err = to_terminal ? qr_print(stdout, text, text_bytes)
                                 : qr_write_png(options->qr, text, text_bytes);
    free(bare);
    return err_is(err) ? ctl_fail(options->qr, err) : CTL_GOOD;
}

static int tell_receipt(const struct ctl *ctl, const struct receipt_file *receipt, const char *path)
{
    if (ctl->json) {
        char root[2 * HASH_BYTES + 1];
        hex_encode(receipt->head.root, HASH_BYTES, root);
        return json_print(json_pack("{s:I, s:s, s:I, s:s, s:s, s:s}", "entry",
                                    (json_int_t)receipt->entry_index, "origin",
                                    receipt->head.origin, "size", (json_int_t)receipt->head.size,
                                    "root", root, "path", path, "receipt", receipt->text),
                          true);
    }
    if (strcmp(path, "-") == 0) {
        (void)fputs(receipt->text, stdout);
        return ferror(stdout) ? CTL_REFUSED : CTL_GOOD;
    }
    printf("%s: entry %" PRIu64 " is in %s under the checkpoint of size %" PRIu64
           ".\nAnybody checks it offline: triage-verify receipt --vkey KEY %s\n",
           path, receipt->entry_index, receipt->head.origin, receipt->head.size, path);
    return CTL_GOOD;
}

static int write_receipt(struct ctl *ctl, const struct receipt_options *options,
                         const struct receipt_file *receipt)
{
    char path[64];
    const char *out = options->out;
    if (out == NULL) {
        (void)snprintf(path, sizeof path, "entry-%" PRIu64 ".tlog-proof", receipt->entry_index);
        out = path;
    }
    if (strcmp(out, "-") != 0) {
        struct err err = durable_replace(out, receipt->text, receipt->text_bytes, 0644);
        if (err_is(err)) {
            return ctl_fail(out, err);
        }
    }
    int result = tell_receipt(ctl, receipt, out);
    return result == CTL_GOOD && options->qr != NULL ? write_qr(options, receipt) : result;
}

int ctl_receipt(struct ctl *ctl, int argc, char **argv)
{
    static const struct argp_option options_table[] = {
        {"item", 'i', "ITEM", 0, "the newest decision on this item, instead of an ENTRY", 1},
        {"out", 'o', "FILE", 0,
         "where to write it, - for standard output (default: entry-N.tlog-proof)", 1},
        {"qr", 'q', "FILE", 0, "also as a QR code: a PNG file, or - for the terminal", 1},
        {"bare", 'b', 0, 0, "leave the entry out: its holder has it already", 1},
        {"public", 'p', "DIR", 0,
         "read a copy of a shard of the public log (the directory with `checkpoint`) instead of "
         "the "
         "store",
         1},
        {0, 0, 0, 0, 0, 0},
    };
    static const struct argp own = {
        options_table,
        parse_receipt,
        "ENTRY",
        "Proof that an entry lies in the signed log (c2sp.org/tlog-proof), for somebody to keep: "
        "it can be checked offline, for ever, with triage-verify or other people's programs.",
        NULL,
        NULL,
        NULL};
    struct receipt_options options = {0};
    struct receipt_file receipt;
    char decision[24];
    ctl_parse(ctl, &own, &options, argc, argv);
    if (options.item != NULL) {
        if (!find_decision(ctl, options.item, decision)) {
            return CTL_REFUSED;
        }
        options.entry = decision;
    }
    char *end = NULL;
    unsigned long long entry_index = strtoull(options.entry, &end, 10);
    if (options.entry[0] < '0' || options.entry[0] > '9' || *end != '\0') {
        ctl_refuse("ENTRY is the index of an entry, not %s; --item takes items", options.entry);
        return CTL_USAGE;
    }
    struct err err = make_receipt(ctl, &options, entry_index, &receipt);
    if (err.code == ERR_NOT_FOUND) {
        return ctl_refuse("entry %llu is not in the published log", entry_index);
    }
    if (err_is(err)) {
        return ctl_fail("receipt", err);
    }
    int result = write_receipt(ctl, &options, &receipt);
    receipt_file_fini(&receipt);
    return result;
}
