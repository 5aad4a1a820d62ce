/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "ctl/ctl_order.h"
#include "ctl/json_text.h"
#include "ctl/log_source.h"
#include "ctl/rows.h"
#include "ctl/table.h"
#include "feeds/record_json.h"
#include "proto/disclosure.h"
#include "state/state.h"

/* Personal data comes from the daemon and from nowhere else, although the files are at hand: it
 * writes down who asks and why before it answers. What it answers is held against the digests of
 * the entry here, so that nobody need believe it. */

struct private_options {
    const char *items[ENTRY_INDICES_MAX];
    uint32_t items_count;
    const char *sentence; /* purpose, legal basis */
    const char *out;
    char *names; /* cut in place */
    bool yes;
    bool status;
    struct wire_command command;
};

enum { OPTION_ENTRY = 'e', OPTION_NAMES = 'n', OPTION_SENTENCE = 's', OPTION_OUT = 'o' };
enum { OPTION_YES = 'y', OPTION_STATUS = 'S' };

static void take_names(struct argp_state *state, struct private_options *options, char *text)
{
    struct wire_command *command = &options->command;
    char *rest = NULL;
    for (char *name = strtok_r(text, ",", &rest); name != NULL; name = strtok_r(NULL, ",", &rest)) {
        if (command->names_count == ENTRY_NAMES_MAX) {
            argp_error(state, "too many names");
            return;
        }
        command->names[command->names_count++] = name;
    }
}

static error_t parse_private(int key, char *text, struct argp_state *state)
{
    struct private_options *options = state->input;
    struct wire_command *command = &options->command;
    switch (key) {
    case OPTION_ENTRY:
        if (command->entries_count == ENTRY_INDICES_MAX) {
            argp_error(state, "at most %u entries at a time", ENTRY_INDICES_MAX);
            return 0;
        }
        command->entries[command->entries_count++] = ctl_number(state, "entry", text, INT64_MAX);
        return 0;
    case OPTION_NAMES:
        take_names(state, options, text);
        return 0;
    case OPTION_SENTENCE:
        options->sentence = text;
        return 0;
    case OPTION_OUT:
        options->out = text;
        return 0;
    case OPTION_YES:
        options->yes = true;
        return 0;
    case OPTION_STATUS:
        options->status = true;
        return 0;
    case ARGP_KEY_ARG:
        if (options->items_count == ENTRY_INDICES_MAX) {
            argp_error(state, "too many items");
            return 0;
        }
        options->items[options->items_count++] = text;
        return 0;
    case ARGP_KEY_END:
        if (options->status) {
            return 0;
        }
        if (options->items_count == 0 && command->entries_count == 0) {
            argp_error(state, "which ITEM, or --entry N?");
        }
        if (options->sentence == NULL || options->sentence[0] == '\0' ||
            strlen(options->sentence) > WIRE_SENTENCE_BYTES_MAX) {
            argp_error(state, command->order == ORDER_REVEAL
                                  ? "--purpose is required: it goes into the log, for ever"
                                  : "--legal-basis is required: it goes into the log, for ever");
        }
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* The entries of the items that were named, behind those given by number. */
static bool add_items(struct ctl *ctl, struct private_options *options)
{
    if (options->items_count == 0) {
        return true;
    }
    struct state *state = ctl_open_state(ctl);
    bool good = state != NULL;
    for (uint32_t i = 0; good && i < options->items_count; i++) {
        uint8_t item[ITEM_ID_BYTES];
        good = ctl_find_item(state, options->items[i], item);
        json_t *rows = good ? rows_of_item(state,
                                           "SELECT entry FROM records WHERE item = ?1 ORDER BY "
                                           "entry",
                                           "i", item)
                            : NULL;
        good = rows != NULL;
        size_t place;
        json_t *row;
        json_array_foreach(rows, place, row)
        {
            if (options->command.entries_count == ENTRY_INDICES_MAX) {
                ctl_refuse("more than %u entries at a time", ENTRY_INDICES_MAX);
                good = false;
                break;
            }
            options->command.entries[options->command.entries_count++] =
                (uint64_t)member_integer(row, "entry");
        }
        json_decref(rows);
    }
    state_close(&state);
    return good;
}

/* ---- reveal ---- */

/* The public entry; its strings live in the arena. *pruned: it was taken out of the log. */
static bool read_entry(struct ctl *ctl, uint64_t entry_index, struct arena *arena,
                       struct entry *out, bool *pruned)
{
    struct log_source *source = NULL;
    struct log_bytes bytes;
    bool got = false;
    struct err err = log_source_open_store(ctl->conf.store_directory, &source);
    if (!err_is(err)) {
        err = log_source_seek(source, entry_index);
    }
    if (!err_is(err)) {
        err = log_source_next(source, &bytes, &got);
    }
    bool good = !err_is(err) && got &&
                entry_decode(bytes.bytes, bytes.bytes_count, arena, out) == ENTRY_GOOD;
    log_source_close(&source);
    *pruned = err.code == ERR_PRUNED;
    return good;
}

static bool is_in(const struct entry *entry, const uint8_t digest[HASH_BYTES])
{
    for (uint32_t i = 0; i < entry->sd_count; i++) {
        if (hash_equal(entry->sd[i], digest)) {
            return true;
        }
    }
    return false;
}

static json_t *record_of(const struct entry *entry, const struct disclosure *disclosure,
                         struct arena *arena)
{
    const char *where = NULL;
    char *line = NULL;
    arena_reset(arena);
    if (entry->type == ENTRY_SCAN_RECEIVED) {
        struct scan scan;
        if (scan_decode(disclosure->value, disclosure->value_bytes, arena, &scan, &where) ==
            REFUSAL_NONE) {
            line = record_json_scan(&scan, NULL);
        }
    } else {
        struct declaration declaration;
        if (declaration_decode(disclosure->value, disclosure->value_bytes, arena, &declaration,
                               &where) == REFUSAL_NONE) {
            line = record_json_declaration(&declaration);
        }
    }
    json_t *object = line == NULL ? NULL : json_loads(line, 0, NULL);
    record_json_free(&line);
    return object;
}

/* *agrees: the digest is one of its entry's, or the entry was pruned, which is said. */
static json_t *disclosure_json(struct ctl *ctl, const struct wire_revealed *revealed,
                               struct arena *arenas, bool *agrees)
{
    struct entry *entry = calloc(1, sizeof *entry);
    struct disclosure disclosure;
    uint8_t digest[HASH_BYTES];
    *agrees = false;
    if (entry == NULL ||
        !disclosure_parse(revealed->disclosure, revealed->disclosure_bytes, &disclosure)) {
        free(entry);
        return NULL;
    }
    disclosure_digest(&disclosure, digest);
    arena_reset(&arenas[0]);
    bool pruned = false;
    bool stands =
        read_entry(ctl, revealed->entry_index, &arenas[0], entry, &pruned) && is_in(entry, digest);
    *agrees = stands || pruned;
    json_t *object = json_object();
    json_object_set_new(object, "entry", json_integer((json_int_t)revealed->entry_index));
    json_object_set_new(object, "name", json_text(disclosure.name));
    json_t *value = strcmp(disclosure.name, DISCLOSURE_RECORD) == 0
                        ? record_of(entry, &disclosure, &arenas[1])
                        : json_stringn((const char *)disclosure.value, disclosure.value_bytes);
    json_object_set_new(object, "value",
                        value != NULL ? value
                                      : json_hex("", disclosure.value, disclosure.value_bytes));
    json_object_set_new(object, "salt", json_hex("", disclosure.salt, disclosure.salt_bytes));
    json_object_set_new(object, "digest", json_hex("sha256:", digest, HASH_BYTES));
    json_object_set_new(object, "digest_in_entry", json_boolean(stands));
    json_object_set_new(object, "entry_pruned", json_boolean(pruned));
    free(entry);
    return object;
}

static void print_revealed(const json_t *object)
{
    json_t *value = json_object_get(object, "value");
    char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_INDENT(2) | JSON_REAL_PRECISION(15));
    printf("entry %lld, %s:\n", member_integer(object, "entry"), member_text(object, "name"));
    text_print(stdout, text == NULL ? "" : text, 0, 2);
    printf("\n  salt %s\n  %s, %s\n\n", member_text(object, "salt"), member_text(object, "digest"),
           json_is_true(json_object_get(object, "digest_in_entry")) ? "as its entry has it"
           : json_is_true(json_object_get(object, "entry_pruned"))
               ? "whose entry was pruned: hold it against a copy of the log"
               : "WHICH ITS ENTRY DOES NOT HAVE");
    free(text);
}

/* One disclosure: FILE itself, so that sha256sum tells its digest; several: FILE.ENTRY.NAME. */
static bool write_revealed(const char *out, const struct wire_answer *answer)
{
    for (uint32_t i = 0; i < answer->revealed_count; i++) {
        const struct wire_revealed *revealed = &answer->revealed[i];
        struct disclosure disclosure;
        char path[DURABLE_PATH_BYTES];
        if (!disclosure_parse(revealed->disclosure, revealed->disclosure_bytes, &disclosure)) {
            continue;
        }
        int bytes = answer->revealed_count == 1
                        ? snprintf(path, sizeof path, "%s", out)
                        : snprintf(path, sizeof path, "%s.%" PRIu64 ".%s", out,
                                   revealed->entry_index, disclosure.name);
        struct err err =
            bytes < (int)sizeof path
                ? durable_replace(path, revealed->disclosure, revealed->disclosure_bytes, 0600)
                : err_make(ERR_ARGUMENT, "path length");
        if (err_is(err)) {
            ctl_fail(out, err);
            return false;
        }
    }
    return true;
}

static int tell_revealed(struct ctl *ctl, const struct private_options *options,
                         const struct wire_answer *answer)
{
    uint8_t *memory = malloc(ENTRY_ARENA_BYTES + RECORD_ARENA_BYTES);
    if (memory == NULL) {
        return ctl_refuse("no memory");
    }
    struct arena arenas[2];
    arena_init(&arenas[0], memory, ENTRY_ARENA_BYTES);
    arena_init(&arenas[1], memory + ENTRY_ARENA_BYTES, RECORD_ARENA_BYTES);
    json_t *array = json_array();
    bool all_agree = true;
    for (uint32_t i = 0; i < answer->revealed_count; i++) {
        bool agrees = false;
        json_t *object = disclosure_json(ctl, &answer->revealed[i], arenas, &agrees);
        all_agree = all_agree && agrees;
        if (object != NULL) {
            json_array_append_new(array, object);
        }
    }
    free(memory);
    if (ctl->json) {
        (void)json_print(json_pack("{s:I, s:o}", "access_entry", (json_int_t)answer->entry_index,
                                   "revealed", array),
                         true);
    } else {
        size_t place;
        json_t *object;
        json_array_foreach(array, place, object)
        {
            print_revealed(object);
        }
        printf("Recorded as entry %" PRIu64 ".\n", answer->entry_index);
        json_decref(array);
    }
    if (options->out != NULL && !write_revealed(options->out, answer)) {
        return CTL_REFUSED;
    }
    return all_agree ? CTL_GOOD
                     : ctl_refuse("what the daemon shows is not what its log has digests of");
}

int ctl_reveal(struct ctl *ctl, int argc, char **argv)
{
    static const struct argp_option options_table[] = {
        {"entry", OPTION_ENTRY, "N", 0, "an entry by its index; may be given more than once", 1},
        {"names", OPTION_NAMES, "A,B", 0, "record, item_key, record_id (default: all there are)",
         1},
        {"purpose", OPTION_SENTENCE, "TEXT", 0, "why (required); public and for ever", 1},
        {"out", OPTION_OUT, "FILE", 0,
         "write the encoded disclosure; several: FILE.ENTRY.NAME each", 1},
        {0, 0, 0, 0, 0, 0},
    };
    static const struct argp own = {
        options_table,
        parse_private,
        "[ITEM...]",
        "Show personal data behind an item: what the log has only digests of. Who asked, for what "
        "and why is in the log before the answer comes.",
        NULL,
        NULL,
        NULL};
    struct private_options options = {.command = {.order = ORDER_REVEAL}};
    struct wire_answer answer;
    ctl_parse(ctl, &own, &options, argc, argv);
    if (!ctl_settle(ctl) || !add_items(ctl, &options)) {
        return CTL_REFUSED;
    }
    options.command.sentence = options.sentence;
    int result = ctl_order_answer(ctl, &options.command, &answer);
    return result != CTL_GOOD ? result : tell_revealed(ctl, &options, &answer);
}

/* ---- redact ---- */

/* What is about to go, and whether that is meant. */
static bool confirm(const struct private_options *options)
{
    const struct wire_command *command = &options->command;
    if (options->yes) {
        return true;
    }
    if (!isatty(STDIN_FILENO)) {
        ctl_refuse("nobody to ask: --yes says that it is meant");
        return false;
    }
    (void)fprintf(stderr, "Delete for good, on the legal basis \"%s\",\n", options->sentence);
    for (uint32_t i = 0; i < command->names_count; i++) {
        (void)fprintf(stderr, "%s%s", i == 0 ? "  only " : ", ", command->names[i]);
    }
    (void)fprintf(stderr, "%s  of entr%s",
                  command->names_count > 0 ? "\n" : "  all personal data\n",
                  command->entries_count == 1 ? "y" : "ies");
    for (uint32_t i = 0; i < command->entries_count; i++) {
        (void)fprintf(stderr, " %" PRIu64, command->entries[i]);
    }
    char word[8] = "";
    (void)fprintf(stderr, "? (yes) ");
    if (fgets(word, sizeof word, stdin) == NULL || strcmp(word, "yes\n") != 0) {
        ctl_refuse("nothing was done");
        return false;
    }
    return true;
}

int ctl_redact(struct ctl *ctl, int argc, char **argv)
{
    static const struct argp_option options_table[] = {
        {"entry", OPTION_ENTRY, "N", 0, "an entry by its index; may be given more than once", 1},
        {"names", OPTION_NAMES, "A,B", 0, "record, item_key, record_id (default: all there are)",
         1},
        {"legal-basis", OPTION_SENTENCE, "TEXT", 0, "on what ground (required); public, for ever",
         1},
        {"yes", OPTION_YES, 0, 0, "do not ask", 1},
        {"status", OPTION_STATUS, 0, 0, "what was redacted, and what is still on the disk", 1},
        {0, 0, 0, 0, 0, 0},
    };
    static const struct argp own = {
        options_table,
        parse_private,
        "[ITEM...]",
        "Delete personal data behind an item. Its digests stay in the log, all proofs go on "
        "holding; the redaction is an entry. What backups and other copies hold is not reached.",
        NULL,
        NULL,
        NULL};
    struct private_options options = {.command = {.order = ORDER_REDACT}};
    ctl_parse(ctl, &own, &options, argc, argv);
    if (!ctl_settle(ctl)) {
        return CTL_REFUSED;
    }
    if (options.status) {
        return ctl_redact_status(ctl);
    }
    if (!add_items(ctl, &options) || !confirm(&options)) {
        return CTL_REFUSED;
    }
    options.command.sentence = options.sentence;
    return ctl_order(ctl, &options.command);
}
