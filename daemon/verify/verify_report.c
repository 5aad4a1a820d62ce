/* SPDX-License-Identifier: Apache-2.0 */
#include "verify/verify_report.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "proto/words.h"

/* Text of the log gets into lines: what is not printable is shown as '?', so that a hostile entry
 * cannot steer a terminal. */

struct err verify_report_init(struct verify_report *self)
{
    memset(self, 0, sizeof *self);
    self->problems.lines = calloc(VERIFY_LINES_KEPT, VERIFY_LINE_BYTES);
    self->warnings.lines = calloc(VERIFY_LINES_KEPT, VERIFY_LINE_BYTES);
    if (self->problems.lines == NULL || self->warnings.lines == NULL) {
        verify_report_fini(self);
        return err_make(ERR_MEMORY, "verify_report_init");
    }
    return err_none;
}

void verify_report_fini(struct verify_report *self)
{
    free(self->problems.lines);
    free(self->warnings.lines);
    self->problems.lines = NULL;
    self->warnings.lines = NULL;
}

static void verify_lines_add(struct verify_lines *lines, const char text[VERIFY_LINE_BYTES])
{
    if (lines->count < VERIFY_LINES_KEPT) {
        char *line = lines->lines[lines->count];
        memcpy(line, text, VERIFY_LINE_BYTES);
        for (char *c = line; *c != '\0'; c++) {
            if (*c < ' ' || *c > '~') {
                *c = '?';
            }
        }
    }
    lines->count++;
}

void verify_problem(struct verify_report *self, const char *format, ...)
{
    char text[VERIFY_LINE_BYTES];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    verify_lines_add(&self->problems, text);
}

void verify_warning(struct verify_report *self, const char *format, ...)
{
    char text[VERIFY_LINE_BYTES];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    verify_lines_add(&self->warnings, text);
}

/* ---- for people ---- */

static void verify_print_types(const struct verify_shard *shard, FILE *out)
{
    const char *between = "";
    for (uint32_t type = 1; type < VERIFY_TYPES; type++) {
        if (shard->types[type] > 0) {
            const char *name = entry_type_text((enum entry_type)type);
            (void)fprintf(out, "%s%s %" PRIu64, between, name, shard->types[type]);
            between = ", ";
        }
    }
    if (shard->types[0] > 0) {
        (void)fprintf(out, "%sother types %" PRIu64, between, shard->types[0]);
    }
    (void)fputc('\n', out);
}

static void verify_print_quorum(const struct verify_quorum_result *quorum, FILE *out)
{
    (void)fprintf(out,
                  "  quorum     %" PRIu64 " cosigned checkpoints, the newest of %" PRIu64
                  " entries; %" PRIu64 " receipts\n",
                  quorum->cosigned, quorum->size, quorum->receipts);
    for (uint32_t i = 0; i < quorum->witnesses_count; i++) {
        char when[CLOCK_TEXT_BYTES] = "did not sign it";
        if (quorum->times_s[i] > 0 && quorum->times_s[i] < (uint64_t)(INT64_MAX / NS_PER_S)) {
            clock_text((int64_t)quorum->times_s[i] * NS_PER_S, when);
            strcpy(when + 19, "Z"); /* whole seconds */
        }
        (void)fprintf(out, "             %s %s\n", quorum->witnesses[i], when);
    }
}

static void verify_print_shard(const struct verify_shard *shard, FILE *out)
{
    char root[4 * ((HASH_BYTES + 2) / 3) + 1];
    base64_encode(shard->root, HASH_BYTES, root);
    (void)fprintf(out, "log %s in %s\n", shard->origin, shard->path);
    (void)fprintf(
        out, "  key        %s\n",
        shard->key_was_given
            ? "the one you gave"
            : "the one that lies beside the log: pass --vkey to hold it against your own");
    (void)fprintf(out, "  tree       %" PRIu64 " entries, root %s\n", shard->size, root);
    (void)fprintf(out,
                  "  checked    %" PRIu64 " checkpoints, %" PRIu64 " bundles, %" PRIu64
                  " tiles, %" PRIu64 " entries\n",
                  shard->checkpoints, shard->bundles, shard->tiles, shard->entries);
    (void)fprintf(out, "  entries    ");
    verify_print_types(shard, out);
    (void)fprintf(out,
                  "  items      %" PRIu64 " decided, %" PRIu64 " referred, %" PRIu64
                  " of these closed\n",
                  shard->items_decided, shard->items_referred, shard->referrals_closed);
    (void)fprintf(out,
                  "  draws      %" PRIu64 " days committed, %" PRIu64 " revealed; %" PRIu64
                  " draws recomputed, %" PRIu64 " wait for their key\n",
                  shard->draw_days, shard->draw_days_revealed, shard->draws_checked,
                  shard->draws_waiting);
    (void)fprintf(out,
                  "  archive    %" PRIu64 " seals, %" PRIu64 " files, %" PRIu64
                  " entries and %" PRIu64 " images hashed again\n",
                  shard->seals, shard->archive_files, shard->archive_entries,
                  shard->archive_images);
    if (shard->quorum.asked) {
        verify_print_quorum(&shard->quorum, out);
    }
}

static void verify_print_lines(const struct verify_lines *lines, const char *word, FILE *out)
{
    uint64_t kept = lines->count < VERIFY_LINES_KEPT ? lines->count : VERIFY_LINES_KEPT;
    for (uint64_t i = 0; i < kept; i++) {
        (void)fprintf(out, "%s: %s\n", word, lines->lines[i]);
    }
    if (kept < lines->count) {
        (void)fprintf(out, "%s: and %" PRIu64 " more\n", word, lines->count - kept);
    }
}

/* Says no more than was looked at. */
static void verify_print_verdict(const struct verify_report *self, FILE *out)
{
    uint64_t unchecked = 0;
    for (uint32_t i = 0; i < self->shards_count; i++) {
        unchecked += self->shards[i].seals_unchecked;
    }
    if (self->problems.count > 0) {
        (void)fprintf(out, "bad: %" PRIu64 " problems\n", self->problems.count);
    } else if (unchecked > 0) {
        (void)fprintf(out,
                      "good: every entry checks; %" PRIu64
                      " archive files are not here and were not checked\n",
                      unchecked);
    } else {
        (void)fprintf(out, "good: every entry and every archive file checks\n");
    }
}

void verify_report_print(const struct verify_report *self, bool quiet, FILE *out)
{
    for (uint32_t i = 0; i < self->shards_count && !quiet; i++) {
        verify_print_shard(&self->shards[i], out);
    }
    if (!quiet) {
        verify_print_lines(&self->warnings, "warning", out);
    }
    verify_print_lines(&self->problems, "problem", out);
    verify_print_verdict(self, out);
}

/* ---- JSON ---- */

static json_t *verify_json_lines(const struct verify_lines *lines)
{
    json_t *array = json_array();
    for (uint64_t i = 0; i < lines->count && i < VERIFY_LINES_KEPT; i++) {
        (void)json_array_append_new(array, json_string(lines->lines[i]));
    }
    return array;
}

static void verify_json_number(json_t *object, const char *name, uint64_t number)
{
    (void)json_object_set_new(object, name, json_integer((json_int_t)number));
}

static json_t *verify_json_quorum(const struct verify_quorum_result *quorum)
{
    json_t *object = json_object();
    json_t *witnesses = json_array();
    verify_json_number(object, "cosigned", quorum->cosigned);
    verify_json_number(object, "size", quorum->size);
    verify_json_number(object, "receipts", quorum->receipts);
    verify_json_number(object, "receipts_unknown", quorum->receipts_unknown);
    for (uint32_t i = 0; i < quorum->witnesses_count; i++) {
        json_t *witness = json_object();
        (void)json_object_set_new(witness, "name", json_string(quorum->witnesses[i]));
        verify_json_number(witness, "time_s", quorum->times_s[i]);
        (void)json_array_append_new(witnesses, witness);
    }
    (void)json_object_set_new(object, "witnesses", witnesses);
    return object;
}

static json_t *verify_json_shard(const struct verify_shard *shard)
{
    const struct {
        const char *name;
        uint64_t number;
    } numbers[] = {
        {"size", shard->size},
        {"checkpoints", shard->checkpoints},
        {"bundles", shard->bundles},
        {"tiles", shard->tiles},
        {"entries", shard->entries},
        {"items_decided", shard->items_decided},
        {"items_referred", shard->items_referred},
        {"referrals_closed", shard->referrals_closed},
        {"draw_days", shard->draw_days},
        {"draw_days_revealed", shard->draw_days_revealed},
        {"draws_checked", shard->draws_checked},
        {"draws_waiting", shard->draws_waiting},
        {"seals", shard->seals},
        {"seals_unchecked", shard->seals_unchecked},
        {"archive_files", shard->archive_files},
        {"archive_entries", shard->archive_entries},
        {"archive_images", shard->archive_images},
    };
    char root[HASH_HEX_BYTES];
    json_t *object = json_object();
    json_t *types = json_object();
    hex_encode(shard->root, HASH_BYTES, root);
    (void)json_object_set_new(object, "origin", json_string(shard->origin));
    (void)json_object_set_new(object, "path", json_string(shard->path));
    (void)json_object_set_new(object, "root", json_string(root));
    (void)json_object_set_new(object, "key_was_given", json_boolean(shard->key_was_given));
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        verify_json_number(object, numbers[i].name, numbers[i].number);
    }
    for (uint32_t type = 0; type < VERIFY_TYPES; type++) {
        if (shard->types[type] > 0) {
            const char *name = type == 0 ? "other" : entry_type_text((enum entry_type)type);
            verify_json_number(types, name, shard->types[type]);
        }
    }
    (void)json_object_set_new(object, "types", types);
    if (shard->quorum.asked) {
        (void)json_object_set_new(object, "quorum", verify_json_quorum(&shard->quorum));
    }
    return object;
}

bool verify_report_print_json(const struct verify_report *self, FILE *out)
{
    json_t *root = json_object();
    json_t *shards = json_array();
    for (uint32_t i = 0; i < self->shards_count; i++) {
        (void)json_array_append_new(shards, verify_json_shard(&self->shards[i]));
    }
    (void)json_object_set_new(root, "good", json_boolean(self->problems.count == 0));
    verify_json_number(root, "problems_count", self->problems.count);
    verify_json_number(root, "warnings_count", self->warnings.count);
    (void)json_object_set_new(root, "logs", shards);
    (void)json_object_set_new(root, "problems", verify_json_lines(&self->problems));
    (void)json_object_set_new(root, "warnings", verify_json_lines(&self->warnings));
    bool printed = json_dumpf(root, out, JSON_INDENT(2)) == 0 && fputc('\n', out) != EOF;
    json_decref(root);
    return printed;
}
