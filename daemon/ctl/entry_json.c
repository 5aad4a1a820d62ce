/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/entry_json.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "ctl/json_text.h"

static void set_text(json_t *object, const char *name, const char *text)
{
    if (text != NULL && text[0] != '\0') {
        json_object_set_new(object, name, json_text(text));
    }
}

static void set_number(json_t *object, const char *name, double value)
{
    char text[32];
    number_format(value, text);
    json_object_set_new(object, name, json_text(text));
}

static void set_count(json_t *object, const char *name, uint64_t value)
{
    char text[24];
    (void)snprintf(text, sizeof text, "%" PRIu64, value);
    json_object_set_new(object, name, json_text(text));
}

static void set_small(json_t *object, const char *name, uint32_t value)
{
    json_object_set_new(object, name, json_integer(value));
}

static void set_hash(json_t *object, const char *name, const uint8_t hash[HASH_BYTES])
{
    json_object_set_new(object, name, json_hex("sha256:", hash, HASH_BYTES));
}

static json_t *uuid_json(const uint8_t id[ENTRY_ID_BYTES])
{
    char text[37];
    uuid_format(id, text);
    return json_text(text);
}

static void add_received(json_t *out, const struct entry_received *received, bool is_scan)
{
    set_text(out, "publisher", received->publisher);
    set_text(out, "stream", received->stream);
    set_count(out, "sequence", received->sequence);
    set_text(out, "mode", mode_text(received->mode));
    set_text(out, "site", received->site);
    set_text(out, "lane", received->lane);
    set_hash(out, "record", received->record_sha256);
    set_count(out, "record_bytes", received->record_bytes);
    set_text(out, is_scan ? "scan" : "declaration", received->record_id);
    set_text(out, "item_key", received->item_key);
    set_text(out, "scanner", received->scanner);
    set_text(out, "scanner_type", received->scanner_type);
    if (received->acquired_ns != 0) {
        json_object_set_new(out, "acquired", json_time(received->acquired_ns));
    }
    if (!is_scan) {
        return;
    }
    json_t *images = json_array();
    for (uint32_t i = 0; i < received->images_count; i++) {
        const struct entry_image *image = &received->images[i];
        json_t *object = json_object();
        set_small(object, "width", image->width);
        set_small(object, "height", image->height);
        set_small(object, "bits", image->bits);
        set_text(object, "energy", energy_text(image->energy));
        set_small(object, "view", image->view);
        set_count(object, "payload_bytes", image->payload_bytes);
        set_hash(object, "payload", image->sha256);
        json_array_append_new(images, object);
    }
    json_object_set_new(out, "images", images);
}

static void add_refused(json_t *out, const struct entry_refused *refused)
{
    set_text(out, "publisher", refused->publisher);
    set_text(out, "stream", refused->stream);
    set_count(out, "sequence", refused->sequence);
    set_small(out, "code", refused->code);
    set_text(out, "name", refused->name);
    set_text(out, "reason", refused->reason);
    set_hash(out, "record", refused->record_sha256);
    set_count(out, "record_bytes", refused->record_bytes);
    json_object_set_new(out, "quarantined", json_boolean(refused->quarantined));
}

/* Texts that read back to the same floats; what was not there is null. */
static json_t *inputs_json(const struct entry_score *score, const struct entry_inputs *inputs)
{
    json_t *object = json_object();
    json_t *values = json_array();
    for (uint32_t i = 0; i < inputs->values_count; i++) {
        char text[32];
        float_format(inputs->values[i], text);
        json_array_append_new(values, isnan(inputs->values[i]) ? json_null() : json_text(text));
    }
    set_text(object, "name", score->models[inputs->model].name);
    json_object_set_new(object, "values", values);
    return object;
}

static void add_score(json_t *out, const struct entry_score *score)
{
    set_number(out, "probability", score->probability);
    set_number(out, "logit", score->logit);
    set_number(out, "quality", score->quality);
    set_number(out, "grave", score->grave);
    set_text(out, "unscorable", score->unscorable);
    json_t *array = json_array();
    for (uint32_t i = 0; i < score->contributions_count; i++) {
        json_t *object = json_object();
        set_text(object, "name", score->contributions[i].name);
        set_number(object, "logit", score->contributions[i].logit);
        set_text(object, "words", score->contributions[i].words);
        json_array_append_new(array, object);
    }
    json_object_set_new(out, "contributions", array);
    array = json_array();
    for (uint32_t i = 0; i < score->models_count; i++) {
        json_t *object = json_object();
        set_text(object, "name", score->models[i].name);
        set_hash(object, "model", score->models[i].sha256);
        json_array_append_new(array, object);
    }
    json_object_set_new(out, "models", array);
    array = json_array();
    for (uint32_t i = 0; i < score->regions_count; i++) {
        const struct entry_region *region = &score->regions[i];
        json_array_append_new(
            array, json_pack("{s:i, s:i, s:i, s:i, s:i, s:f}", "image", (int)region->image_index,
                             "x", (int)region->x, "y", (int)region->y, "width", (int)region->width,
                             "height", (int)region->height, "score", region->score));
    }
    json_object_set_new(out, "regions", array);
    array = json_array();
    for (uint32_t i = 0; i < score->inputs_count; i++) {
        json_array_append_new(array, inputs_json(score, &score->inputs[i]));
    }
    json_object_set_new(out, "inputs", array);
}

/* What it says stands apart: nobody shall take it for the score of the item. */
static void add_shadow_score(json_t *out, const struct entry_shadow_score *shadow)
{
    json_t *score = json_object();
    add_score(score, &shadow->score);
    set_text(out, "place", shadow->place);
    set_hash(out, "model", shadow->sha256);
    json_object_set_new(out, "score", score);
}

static void add_decision(json_t *out, const struct entry_decision *decision)
{
    set_text(out, "decision", decision->decision);
    set_text(out, "arm", decision->arm);
    set_number(out, "propensity", decision->propensity);
    set_number(out, "random_rate", decision->random_rate);
    set_number(out, "probability", decision->probability);
    set_number(out, "cutoff", decision->cutoff);
    set_number(out, "priority", decision->priority);
    set_number(out, "capacity_per_hour", decision->capacity_per_hour);
    set_number(out, "arrivals_per_hour", decision->arrivals_per_hour);
    set_count(out, "rank", decision->rank);
    set_count(out, "window_count", decision->window_count);
    set_hash(out, "policy", decision->policy_sha256);
    json_t *rng = json_object();
    set_text(rng, "scheme", decision->draw_scheme);
    set_text(rng, "day", decision->draw_day);
    set_text(rng, "stratum", decision->draw_stratum);
    json_object_set_new(rng, "draw", json_hex("", decision->draw, HASH_BYTES));
    json_object_set_new(out, "rng", rng);
    json_t *reasons = json_array();
    for (uint32_t i = 0; i < decision->reasons_count; i++) {
        json_array_append_new(reasons, json_text(decision->reasons[i]));
    }
    json_object_set_new(out, "reasons", reasons);
    set_text(out, "label", decision->label);
    set_text(out, "mode", mode_text(decision->mode));
    set_text(out, "site", decision->site);
    set_text(out, "lane", decision->lane);
    set_text(out, "hold_ended_by", decision->hold_ended_by);
    json_object_set_new(out, "shadow", json_boolean(decision->shadow));
    set_number(out, "ageing_per_hour", decision->ageing_per_hour);
    set_number(out, "perishable_per_hour", decision->perishable_per_hour);
}

static void add_operation(json_t *out, const struct entry_operation *operation)
{
    set_text(out, "name", operation->name);
    set_text(out, "step", operation->step);
    set_text(out, "request_id", operation->request_id);
    if (operation->step != NULL && strcmp(operation->step, "close") == 0) {
        set_text(out, "reason", operation->reason);
        set_count(out, "numerator", operation->numerator);
        set_count(out, "denominator", operation->denominator);
        set_count(out, "comparator_numerator", operation->comparator_numerator);
        set_count(out, "comparator_denominator", operation->comparator_denominator);
        return;
    }
    set_text(out, "mode", operation->mode == MODE_UNKNOWN ? "" : mode_text(operation->mode));
    set_text(out, "site", operation->site);
    set_text(out, "lane", operation->lane);
    json_object_set_new(out, "from", json_time(operation->from_ns));
    json_object_set_new(out, "to", json_time(operation->to_ns));
    set_text(out, "hypothesis", operation->hypothesis);
    set_text(out, "metric", operation->metric);
    set_text(out, "comparator", operation->comparator);
    set_text(out, "stop_rule", operation->stop_rule);
}

static void add_outcome(json_t *out, const struct entry_outcome *outcome)
{
    set_text(out, "exam_level", outcome->exam_level);
    set_text(out, "result", outcome->result);
    set_text(out, "seizure_class", outcome->seizure_class);
    if (outcome->quantity != 0.0) {
        set_number(out, "quantity", outcome->quantity);
        set_text(out, "unit", outcome->unit);
    }
    if (outcome->has_region) {
        json_object_set_new(out, "region",
                            json_pack("{s:i, s:i, s:i, s:i, s:i}", "image",
                                      (int)outcome->image_index, "x", (int)outcome->region_x, "y",
                                      (int)outcome->region_y, "width", (int)outcome->region_width,
                                      "height", (int)outcome->region_height));
    }
    set_text(out, "request_id", outcome->request_id);
    set_count(out, "version", outcome->version);
    if (outcome->again != NULL && outcome->again[0] != '\0') {
        set_text(out, "again", outcome->again);
        set_text(out, "code", outcome->code);
        set_count(out, "corrects", outcome->corrects);
        json_object_set_new(out, "aside", json_boolean(outcome->aside));
    }
}

static void add_action(json_t *out, const struct entry_officer_action *action)
{
    set_text(out, "action", action->action);
    set_text(out, "code", action->code);
    set_text(out, "to_state", action->to_state);
    if (action->reason != NULL && action->reason[0] != '\0') {
        set_text(out, "reason", action->reason);
    }
    set_text(out, "request_id", action->request_id);
    set_count(out, "version", action->version);
}

static void add_seal(json_t *out, const struct entry_archive_seal *seal)
{
    set_text(out, "path", seal->path);
    set_count(out, "file_bytes", seal->file_bytes);
    set_hash(out, "file", seal->sha256);
    set_count(out, "first_index", seal->first_index);
    set_count(out, "last_index", seal->last_index);
    set_text(out, "hdf5_version", seal->hdf5_version);
    set_text(out, "filters", seal->filters);
    set_hash(out, "metrics", seal->metrics_sha256);
}

static void add_capacity(json_t *out, const struct entry_time_tick *tick)
{
    json_t *places = json_array();
    for (uint32_t i = 0; i < tick->capacity_count; i++) {
        const struct entry_capacity *capacity = &tick->capacity[i];
        json_t *place = json_object();
        set_text(place, "mode", mode_text(capacity->mode));
        set_text(place, "site", capacity->site);
        set_number(place, "capacity_per_hour", capacity->capacity_per_hour);
        set_number(place, "arrivals_per_hour", capacity->arrivals_per_hour);
        set_number(place, "cutoff", capacity->cutoff);
        set_number(place, "cutoff_lowest", capacity->cutoff_lowest);
        set_number(place, "cutoff_highest", capacity->cutoff_highest);
        set_count(place, "queue", capacity->queue);
        set_count(place, "queue_max", capacity->queue_max);
        set_count(place, "items", capacity->items);
        set_count(place, "target", capacity->target);
        set_count(place, "random", capacity->random);
        set_count(place, "below", capacity->below);
        set_count(place, "just_below", capacity->just_below);
        set_number(place, "finds_lost", capacity->finds_lost);
        json_array_append_new(places, place);
    }
    json_object_set_new(out, "capacity", places);
}

static void add_draw_commit(json_t *out, const struct entry_draw_commit *commit)
{
    set_text(out, "day", commit->day);
    set_text(out, "scheme", commit->scheme);
    set_hash(out, "commitment", commit->commitment);
    json_t *rates = json_object();
    for (uint32_t i = 0; i < commit->rates_count; i++) {
        set_number(rates, commit->rates[i].stratum == NULL ? "" : commit->rates[i].stratum,
                   commit->rates[i].rate);
    }
    json_object_set_new(out, "rates", rates);
    json_t *adapting = json_object();
    for (uint32_t i = 0; i < commit->rates_count; i++) {
        const struct entry_rate *rate = &commit->rates[i];
        if (rate->adapts) {
            json_t *one = json_object();
            set_number(one, "floor", rate->floor);
            set_text(one, "reason", rate->reason);
            json_object_set_new(adapting, rate->stratum == NULL ? "" : rate->stratum, one);
        }
    }
    if (json_object_size(adapting) > 0) {
        json_object_set_new(out, "adapting", adapting);
    } else {
        json_decref(adapting);
    }
}

static json_t *indices_json(const uint64_t *indices, uint32_t count)
{
    json_t *array = json_array();
    for (uint32_t i = 0; i < count; i++) {
        char text[24];
        (void)snprintf(text, sizeof text, "%" PRIu64, indices[i]);
        json_array_append_new(array, json_text(text));
    }
    return array;
}

static json_t *hashes_json(const uint8_t (*hashes)[HASH_BYTES], uint32_t count)
{
    json_t *array = json_array();
    for (uint32_t i = 0; i < count; i++) {
        json_array_append_new(array, json_hex("sha256:", hashes[i], HASH_BYTES));
    }
    return array;
}

static void add_access(json_t *out, const struct entry_access *access)
{
    set_text(out, "purpose", access->purpose);
    json_object_set_new(out, "entries", indices_json(access->entry_index, access->entries_count));
    json_t *names = json_array();
    for (uint32_t i = 0; i < access->names_count; i++) {
        json_array_append_new(names, json_text(access->names[i]));
    }
    json_object_set_new(out, "names", names);
    set_text(out, "request_id", access->request_id);
}

static void add_redact(json_t *out, const struct entry_redact *redact)
{
    set_text(out, "legal_basis", redact->legal_basis);
    json_object_set_new(out, "entries", indices_json(redact->entry_index, redact->entries_count));
    json_object_set_new(out, "digests", hashes_json(redact->digests, redact->digests_count));
    set_text(out, "request_id", redact->request_id);
}

/* What speaks of the log itself and of what it keeps. */
static void add_keeping(json_t *out, const struct entry *entry)
{
    if (entry->type == ENTRY_LOG_CLOSE) {
        set_text(out, "reason", entry->body.log_close.reason);
        set_text(out, "next_origin", entry->body.log_close.next_origin);
    } else if (entry->type == ENTRY_KEY_ROTATE) {
        set_text(out, "old_vkey", entry->body.key_rotate.old_vkey);
        set_text(out, "new_vkey", entry->body.key_rotate.new_vkey);
        set_text(out, "reason", entry->body.key_rotate.reason);
    } else if (entry->type == ENTRY_ACCESS) {
        add_access(out, &entry->body.access);
    } else if (entry->type == ENTRY_REDACT) {
        add_redact(out, &entry->body.redact);
    } else if (entry->type == ENTRY_BLOB_DISCARD) {
        const struct entry_blob_discard *discard = &entry->body.blob_discard;
        set_text(out, "reason", discard->reason);
        set_text(out, "kept_in", discard->kept_in);
        json_object_set_new(out, "blobs", hashes_json(discard->sha256, discard->blobs_count));
    } else if (entry->type == ENTRY_ARCHIVE_COPIED) {
        const struct entry_archive_copied *copied = &entry->body.archive_copied;
        set_text(out, "path", copied->path);
        set_count(out, "file_bytes", copied->file_bytes);
        set_hash(out, "file", copied->sha256);
        set_text(out, "place", copied->place);
        json_object_set_new(out, "same_device", json_boolean(copied->same_device));
    } else if (entry->type == ENTRY_HOLD) {
        json_object_set_new(out, "placed", json_boolean(entry->body.hold.placed));
        set_text(out, "reason", entry->body.hold.reason);
        set_text(out, "request_id", entry->body.hold.request_id);
    } else if (entry->type == ENTRY_OPERATION) {
        add_operation(out, &entry->body.operation);
    } else if (entry->type == ENTRY_WITNESS_RECEIPT) {
        set_text(out, "witness", entry->body.witness_receipt.witness);
        set_count(out, "size", entry->body.witness_receipt.size);
        set_hash(out, "root", entry->body.witness_receipt.root);
        set_text(out, "line", entry->body.witness_receipt.line);
    }
}

static void add_change(json_t *out, const struct entry *entry)
{
    if (entry->type == ENTRY_CONFIG_CHANGE) {
        set_hash(out, "config", entry->body.config_change.config_sha256);
        set_hash(out, "policy", entry->body.config_change.policy_sha256);
        set_text(out, "policy_version", entry->body.config_change.policy_version);
        set_text(out, "build", entry->body.config_change.build);
        set_text(out, "blas", entry->body.config_change.blas);
        set_text(out, "libm", entry->body.config_change.libm);
        set_text(out, "processor", entry->body.config_change.processor);
        set_text(out, "reason", entry->body.config_change.reason);
        set_text(out, "target", entry->body.config_change.target);
        json_object_set_new(out, "arm_hidden", json_boolean(entry->body.config_change.arm_hidden));
    } else if (entry->type == ENTRY_MODEL_CHANGE) {
        set_text(out, "name", entry->body.model_change.name);
        set_hash(out, "model", entry->body.model_change.sha256);
        set_count(out, "file_bytes", entry->body.model_change.file_bytes);
        set_text(out, "evaluation", entry->body.model_change.evaluation);
        set_text(out, "reason", entry->body.model_change.reason);
        set_text(out, "figures", entry->body.model_change.figures);
        json_object_set_new(out, "removed", json_boolean(entry->body.model_change.removed));
        json_object_set_new(out, "promoted", json_boolean(entry->body.model_change.promoted));
    } else if (entry->type == ENTRY_LOG_OPEN) {
        const struct entry_log_open *open = &entry->body.log_open;
        set_text(out, "origin", open->origin);
        set_small(out, "format_version", open->format_version);
        set_hash(out, "schema", open->schema_sha256);
        set_count(out, "first_n", open->first_n);
        if (open->previous_checkpoint_bytes > 0) {
            json_object_set_new(out, "previous_checkpoint",
                                json_stringn_nocheck((const char *)open->previous_checkpoint,
                                                     open->previous_checkpoint_bytes));
        }
    } else {
        add_keeping(out, entry);
    }
}

static void add_body(json_t *out, const struct entry *entry)
{
    switch (entry->type) {
    case ENTRY_SCAN_RECEIVED:
    case ENTRY_DECLARATION_RECEIVED:
        add_received(out, &entry->body.received, entry->type == ENTRY_SCAN_RECEIVED);
        break;
    case ENTRY_RECORD_REFUSED:
        add_refused(out, &entry->body.refused);
        break;
    case ENTRY_SCORE:
        add_score(out, &entry->body.score);
        break;
    case ENTRY_SHADOW_SCORE:
        add_shadow_score(out, &entry->body.shadow_score);
        break;
    case ENTRY_REFERRAL_DECISION:
        add_decision(out, &entry->body.decision);
        break;
    case ENTRY_OFFICER_ACTION:
        add_action(out, &entry->body.officer_action);
        break;
    case ENTRY_OUTCOME:
        add_outcome(out, &entry->body.outcome);
        break;
    case ENTRY_ARCHIVE_SEAL:
        add_seal(out, &entry->body.archive_seal);
        break;
    case ENTRY_WAL_RECOVERED:
        set_count(out, "torn_bytes", entry->body.wal_recovered.torn_bytes);
        set_hash(out, "torn", entry->body.wal_recovered.torn_sha256);
        break;
    case ENTRY_TIME_TICK:
        set_count(out, "received_scans", entry->body.time_tick.received_scans);
        set_count(out, "received_declarations", entry->body.time_tick.received_declarations);
        set_count(out, "refused", entry->body.time_tick.refused);
        set_count(out, "undecided", entry->body.time_tick.undecided);
        add_capacity(out, &entry->body.time_tick);
        break;
    case ENTRY_DRAW_COMMIT:
        add_draw_commit(out, &entry->body.draw_commit);
        break;
    case ENTRY_DRAW_REVEAL:
        set_text(out, "day", entry->body.draw_reveal.day);
        json_object_set_new(out, "key", json_hex("", entry->body.draw_reveal.key, HASH_BYTES));
        break;
    default:
        add_change(out, entry);
        break;
    }
}

struct json_t *entry_json(const struct entry *entry)
{
    json_t *out = json_object();
    set_small(out, "v", entry->v);
    set_count(out, "n", entry->n);
    json_object_set_new(out, "id", uuid_json(entry->id));
    json_object_set_new(out, "t", json_time(entry->t_ns));
    set_text(out, "type", entry_type_text(entry->type));
    if (entry->has_item) {
        json_object_set_new(out, "item", json_hex("", entry->item, ITEM_ID_BYTES));
    }
    if (entry->causes_count > 0) {
        json_t *causes = json_array();
        for (uint32_t i = 0; i < entry->causes_count; i++) {
            json_array_append_new(causes, uuid_json(entry->causes[i]));
        }
        json_object_set_new(out, "cause", causes);
    }
    set_text(out, "actor", entry->actor);
    if (entry->sd_count > 0) {
        set_text(out, "sd_alg", ENTRY_SD_ALG);
        json_object_set_new(out, "sd", hashes_json(entry->sd, entry->sd_count));
    }
    add_body(out, entry);
    return out;
}
