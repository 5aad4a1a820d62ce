/* SPDX-License-Identifier: Apache-2.0 */
#include "verify/verify_receipt.h"

#include <getopt.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/durable.h"
#include "proto/entry.h"
#include "proto/receipt.h"

static const char receipt_usage[] =
    "usage: triage-verify receipt --vkey KEY [--entry FILE] [--json] FILE...\n"
    "\n"
    "Checks receipts (c2sp.org/tlog-proof) offline: the signature of the log's key, and that the\n"
    "entry lies in the tree that was signed.\n"
    "\n"
    "  --vkey KEY    verifier key of the log, or a file that holds it: from somewhere else than\n"
    "                the receipt\n"
    "  --entry FILE  the entry's bytes, for a receipt that does not carry them\n"
    "  --json        one JSON object a receipt\n"
    "\n"
    "FILE may be - for standard input. exit status: 0 all hold, 1 one does not, 2 wrong usage\n";

struct receipt_case {
    const char *path;
    const struct note_vkey *vkey;
    struct receipt receipt;
    uint8_t *entry; /* owned */
    size_t entry_bytes;
    struct checkpoint head;
    const char *fault;  /* NULL when it holds */
    const char *detail; /* more about the fault; may be NULL */
};

/* ---- telling ---- */

/* What the entry says, when it can be decoded: a log may hold entries of later versions. */
static bool case_decode(const struct receipt_case *self, struct entry *entry)
{
    static uint8_t memory[ENTRY_ARENA_BYTES];
    struct arena arena;
    arena_init(&arena, memory, sizeof memory);
    return entry_decode(self->entry, self->entry_bytes, &arena, entry) == ENTRY_GOOD;
}

static void case_print(const struct receipt_case *self)
{
    struct entry entry;
    char t[CLOCK_TEXT_BYTES];
    if (self->fault != NULL) {
        printf("BAD   %s: %s%s%s\n", self->path, self->fault, self->detail == NULL ? "" : ": ",
               self->detail == NULL ? "" : self->detail);
        return;
    }
    printf("good  %s: ", self->path);
    if (case_decode(self, &entry)) {
        clock_text(entry.t_ns, t);
        printf("entry %" PRIu64 ", %s, %s, by %s; ", entry.n, entry_type_text(entry.type), t,
               entry.actor[0] == '\0' ? "-" : entry.actor);
    }
    printf("leaf %" PRIu64 " of %s at size %" PRIu64 "\n", self->receipt.leaf_index,
           self->head.origin, self->head.size);
}

static void case_print_json(const struct receipt_case *self)
{
    struct entry entry;
    char text[2 * HASH_BYTES + 1];
    json_t *out = json_object();
    json_object_set_new(out, "file", json_string(self->path));
    json_object_set_new(out, "good", json_boolean(self->fault == NULL));
    if (self->fault != NULL) {
        json_object_set_new(out, "fault", json_string(self->fault));
        json_object_set_new(out, "detail", json_string(self->detail == NULL ? "" : self->detail));
    } else {
        json_object_set_new(out, "origin", json_string(self->head.origin));
        json_object_set_new(out, "leaf", json_integer((json_int_t)self->receipt.leaf_index));
        json_object_set_new(out, "size", json_integer((json_int_t)self->head.size));
        hex_encode(self->head.root, HASH_BYTES, text);
        json_object_set_new(out, "root", json_string(text));
        if (case_decode(self, &entry)) {
            char t[CLOCK_TEXT_BYTES];
            clock_text(entry.t_ns, t);
            json_object_set_new(out, "entry", json_integer((json_int_t)entry.n));
            json_object_set_new(out, "type", json_string(entry_type_text(entry.type)));
            json_object_set_new(out, "t", json_string(t));
            json_object_set_new(out, "actor", json_string(entry.actor));
        }
    }
    (void)json_dumpf(out, stdout, JSON_COMPACT);
    (void)putchar('\n');
    json_decref(out);
}

/* ---- checking ---- */

/* The entry's bytes: from the receipt, or what was given; both must agree when both are there. */
static void case_find_entry(struct receipt_case *self, const uint8_t *given, size_t given_bytes)
{
    self->entry = malloc(RECEIPT_EXTRA_BYTES_MAX);
    if (self->entry == NULL) {
        self->fault = "no memory";
        return;
    }
    bool carried =
        receipt_extra(&self->receipt, self->entry, RECEIPT_EXTRA_BYTES_MAX, &self->entry_bytes);
    if (!carried && self->receipt.extra_text != NULL) {
        self->fault = receipt_fault_text(RECEIPT_MALFORMED);
        self->detail = "extra is not base64 of an entry";
    } else if (!carried && given == NULL) {
        self->fault = "does not carry its entry: give it with --entry";
    } else if (carried && given != NULL &&
               (given_bytes != self->entry_bytes || memcmp(given, self->entry, given_bytes) != 0)) {
        self->fault = "carries another entry than the one given";
    } else if (!carried && given_bytes > RECEIPT_EXTRA_BYTES_MAX) {
        self->fault = "the entry given is longer than an entry can be";
    } else if (!carried) {
        memcpy(self->entry, given, given_bytes);
        self->entry_bytes = given_bytes;
    }
}

static void case_check(struct receipt_case *self, const char *text, size_t text_bytes,
                       const uint8_t *given, size_t given_bytes)
{
    enum receipt_fault fault = receipt_read(text, text_bytes, &self->receipt);
    if (fault != RECEIPT_GOOD) {
        self->fault = receipt_fault_text(fault);
        return;
    }
    case_find_entry(self, given, given_bytes);
    if (self->fault != NULL) {
        return;
    }
    uint8_t leaf[HASH_BYTES];
    enum note_fault note = NOTE_GOOD;
    merkle_leaf(self->entry, self->entry_bytes, leaf);
    fault = receipt_check(&self->receipt, leaf, self->vkey, &self->head, &note);
    if (fault != RECEIPT_GOOD) {
        self->fault = receipt_fault_text(fault);
        self->detail = fault == RECEIPT_CHECKPOINT ? note_fault_text(note) : NULL;
    }
}

/* ---- the program ---- */

/* Standard input up to the longest receipt; the caller frees *out. */
static struct err read_input(uint8_t **out, size_t *out_bytes)
{
    uint8_t *bytes = malloc((size_t)RECEIPT_BYTES_MAX + 1);
    if (bytes == NULL) {
        return err_make(ERR_MEMORY, "receipt");
    }
    *out_bytes = fread(bytes, 1, (size_t)RECEIPT_BYTES_MAX + 1, stdin);
    if (ferror(stdin)) {
        free(bytes);
        return err_os(ERR_IO, "read standard input");
    }
    *out = bytes;
    return err_none;
}

static struct err receipt_file_read(const char *path, uint8_t **out, size_t *out_bytes)
{
    return strcmp(path, "-") == 0 ? read_input(out, out_bytes)
                                  : durable_read(path, RECEIPT_BYTES_MAX, out, out_bytes);
}

static bool vkey_of(const char *text, struct note_vkey *out)
{
    if (note_vkey_decode(text, out)) {
        return true;
    }
    uint8_t *bytes = NULL;
    size_t bytes_count = 0;
    struct err err = durable_read(text, NOTE_VKEY_BYTES_MAX, &bytes, &bytes_count);
    if (err_is(err)) {
        return false;
    }
    bytes[strcspn((char *)bytes, "\r\n")] = '\0';
    bool good = note_vkey_decode((const char *)bytes, out);
    free(bytes);
    return good;
}

struct receipt_run {
    struct note_vkey vkey;
    const uint8_t *entry;
    size_t entry_bytes;
    bool json;
};

static int run_one(const struct receipt_run *run, const char *path)
{
    char words[ERR_TEXT_BYTES];
    uint8_t *text = NULL;
    size_t text_bytes = 0;
    struct receipt_case one = {.path = path, .vkey = &run->vkey};
    struct err err = receipt_file_read(path, &text, &text_bytes);
    if (err_is(err)) {
        one.fault = "cannot be read";
        one.detail = err_text(err, words);
    } else {
        case_check(&one, (const char *)text, text_bytes, run->entry, run->entry_bytes);
    }
    if (run->json) {
        case_print_json(&one);
    } else {
        case_print(&one);
    }
    free(one.entry);
    free(text);
    return one.fault == NULL ? 0 : 1;
}

static int refuse_usage(const char *why)
{
    (void)fprintf(stderr, "triage-verify receipt: %s\n\n%s", why, receipt_usage);
    return 2;
}

int verify_receipt_main(int argc, char **argv)
{
    static const struct option options[] = {{"vkey", required_argument, NULL, 'k'},
                                            {"entry", required_argument, NULL, 'e'},
                                            {"json", no_argument, NULL, 'j'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    const char *vkey = NULL;
    const char *entry = NULL;
    struct receipt_run run = {.json = false};
    for (int option = getopt_long(argc, argv, "", options, NULL); option != -1;
         option = getopt_long(argc, argv, "", options, NULL)) {
        if (option == 'k') {
            vkey = optarg;
        } else if (option == 'e') {
            entry = optarg;
        } else if (option == 'j') {
            run.json = true;
        } else {
            (void)fputs(receipt_usage, option == 'h' ? stdout : stderr);
            return option == 'h' ? 0 : 2;
        }
    }
    if (optind == argc) {
        return refuse_usage("which receipt?");
    }
    if (vkey == NULL || !vkey_of(vkey, &run.vkey)) {
        return refuse_usage(vkey == NULL ? "--vkey is needed: a receipt does not vouch for itself"
                                         : "--vkey is neither a verifier key nor a file with one");
    }
    uint8_t *given = NULL;
    if (entry != NULL &&
        err_is(durable_read(entry, RECEIPT_EXTRA_BYTES_MAX, &given, &run.entry_bytes))) {
        return refuse_usage("the file of --entry cannot be read");
    }
    run.entry = given;
    int status = 0;
    for (int i = optind; i < argc; i++) {
        status |= run_one(&run, argv[i]);
    }
    free(given);
    return fflush(stdout) == 0 ? status : 2;
}
