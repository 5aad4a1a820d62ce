/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include <jansson.h>

#include "proto/words.h"
#include "verify/verify_print.h"

/* The shape is a promise (VERIFY.md): names are added, never changed or taken away, as long as
 * "format" is 1. */

static json_t *json_lines(const struct verify_lines *lines)
{
    json_t *array = json_array();
    uint64_t kept = lines->kept;
    for (uint64_t i = 0; i < kept; i++) {
        const struct verify_line *line = &lines->lines[i];
        const char *colon = strstr(line->text, ": ");
        size_t where_bytes = colon == NULL ? 0 : (size_t)(colon - line->text);
        json_t *object = json_object();
        (void)json_object_set_new(object, "check", json_string(verify_step_name(line->step)));
        (void)json_object_set_new(object, "where", json_stringn(line->text, where_bytes));
        (void)json_object_set_new(object, "what",
                                  json_string(colon == NULL ? line->text : colon + 2));
        (void)json_object_set_new(object, "do", json_string(verify_step_advice(line->step)));
        (void)json_array_append_new(array, object);
    }
    return array;
}

static void json_number(json_t *object, const char *name, uint64_t number)
{
    (void)json_object_set_new(object, name, json_integer((json_int_t)number));
}

static json_t *json_open(const struct verify_shard *shard)
{
    json_t *array = json_array();
    for (uint64_t i = 0; i < shard->referrals_open && i < VERIFY_OPEN_LISTED; i++) {
        json_t *object = json_object();
        json_number(object, "entry", shard->open[i].decision_index);
        (void)json_object_set_new(object, "age_s",
                                  json_real(round((double)shard->open[i].age_ns / 1e6) / 1e3));
        (void)json_array_append_new(array, object);
    }
    return array;
}

static void json_numbers(json_t *object, const struct verify_shard *shard)
{
    const struct {
        const char *name;
        uint64_t number;
    } numbers[] = {
        {"size", shard->size},
        {"first_n", shard->first_n},
        {"files", shard->files},
        {"files_bytes", shard->files_bytes},
        {"files_unknown", shard->files_unknown},
        {"checkpoints", shard->checkpoints},
        {"checkpoints_unmet", shard->checkpoints_unmet},
        {"kept", shard->kept},
        {"kept_met", shard->kept_met},
        {"bundles", shard->bundles},
        {"tiles", shard->tiles},
        {"entries", shard->entries},
        {"records", shard->records},
        {"records_unscored", shard->records_unscored},
        {"items_decided", shard->items_decided},
        {"items_undecided", shard->items_undecided},
        {"items_referred", shard->items_referred},
        {"referrals_closed", shard->referrals_closed},
        {"referrals_open", shard->referrals_open},
        {"open_under_an_hour", shard->open_by_age[0]},
        {"open_under_a_day", shard->open_by_age[1]},
        {"open_older", shard->open_by_age[2]},
        {"draw_days", shard->draw_days},
        {"draw_days_revealed", shard->draw_days_revealed},
        {"draws_checked", shard->draws_checked},
        {"draws_waiting", shard->draws_waiting},
        {"policies", shard->policies},
        {"models", shard->models},
        {"first_t_ns", (uint64_t)shard->first_t_ns},
        {"last_t_ns", (uint64_t)shard->last_t_ns},
        {"tick_interval_ms", shard->tick_interval_ms},
        {"silences", shard->silences},
        {"silence_s", shard->silence_s},
        {"accesses", shard->accesses},
        {"redactions", shard->redactions},
        {"digests_redacted", shard->digests_redacted},
        {"payloads_discarded", shard->payloads_discarded},
        {"tails_recovered", shard->tails_recovered},
        {"seals", shard->seals},
        {"seals_unchecked", shard->seals_unchecked},
        {"archive_files", shard->archive_files},
        {"archive_entries", shard->archive_entries},
        {"archive_images", shard->archive_images},
    };
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        json_number(object, numbers[i].name, numbers[i].number);
    }
}

static json_t *json_quorum(const struct verify_quorum_result *quorum)
{
    json_t *object = json_object();
    json_t *witnesses = json_array();
    json_number(object, "cosigned", quorum->cosigned);
    json_number(object, "size", quorum->size);
    json_number(object, "receipts", quorum->receipts);
    json_number(object, "receipts_unknown", quorum->receipts_unknown);
    for (uint32_t i = 0; i < quorum->witnesses_count; i++) {
        json_t *witness = json_object();
        (void)json_object_set_new(witness, "name", json_string(quorum->witnesses[i]));
        json_number(witness, "time_s", quorum->times_s[i]);
        (void)json_array_append_new(witnesses, witness);
    }
    (void)json_object_set_new(object, "witnesses", witnesses);
    return object;
}

static json_t *json_shard(const struct verify_shard *shard)
{
    char root[HASH_HEX_BYTES];
    json_t *object = json_object();
    json_t *types = json_object();
    hex_encode(shard->root, HASH_BYTES, root);
    (void)json_object_set_new(object, "origin", json_string(shard->origin));
    (void)json_object_set_new(object, "path", json_string(shard->path));
    (void)json_object_set_new(object, "root", json_string(root));
    (void)json_object_set_new(object, "key_was_given", json_boolean(shard->key_was_given));
    json_numbers(object, shard);
    for (uint32_t type = 0; type < VERIFY_TYPES; type++) {
        if (shard->types[type] > 0) {
            const char *name = type == 0 ? "other" : entry_type_text((enum entry_type)type);
            json_number(types, name, shard->types[type]);
        }
    }
    (void)json_object_set_new(object, "types", types);
    (void)json_object_set_new(object, "open", json_open(shard));
    if (shard->quorum.asked) {
        (void)json_object_set_new(object, "quorum", json_quorum(&shard->quorum));
    }
    return object;
}

bool verify_report_print_json(const struct verify_report *self, double seconds, FILE *out)
{
    json_t *root = json_object();
    json_t *shards = json_array();
    for (uint32_t i = 0; i < self->shards_count; i++) {
        (void)json_array_append_new(shards, json_shard(&self->shards[i]));
    }
    json_number(root, "format", 1);
    (void)json_object_set_new(root, "good", json_boolean(self->problems.count == 0));
    json_number(root, "problems_count", self->problems.count);
    json_number(root, "warnings_count", self->warnings.count);
    (void)json_object_set_new(root, "seconds", json_real(seconds));
    (void)json_object_set_new(root, "logs", shards);
    (void)json_object_set_new(root, "problems", json_lines(&self->problems));
    (void)json_object_set_new(root, "warnings", json_lines(&self->warnings));
    bool printed = json_dumpf(root, out, JSON_INDENT(2)) == 0 && fputc('\n', out) != EOF;
    json_decref(root);
    return printed;
}
