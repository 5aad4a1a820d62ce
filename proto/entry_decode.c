/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/entry.h"

#include <stdlib.h>
#include <string.h>

#include "proto/entry_keeping.h"
#include "proto/oversight.pb-c.h"
#include "proto/schema.h"

/* One reader a body: generated struct -> value. A verifier must not be talked into a value that the
 * bytes do not carry, so digests have exactly their length, a number's two spellings agree, and
 * words are known ones. */

#define ENTRY_FORMAT_BYTES_MAX 65535u /* of the bundle's length field */

static bool digest_read(ProtobufCBinaryData from, uint8_t out[HASH_BYTES])
{
    if (from.len != HASH_BYTES) {
        return false;
    }
    memcpy(out, from.data, HASH_BYTES);
    return true;
}

/* Absent is zeros: what is kept as a disclosure has no digest of its own in the log. */
static bool digest_read_if_any(ProtobufCBinaryData from, uint8_t out[HASH_BYTES])
{
    if (from.len == 0) {
        memset(out, 0, HASH_BYTES);
        return true;
    }
    return digest_read(from, out);
}

static bool id_read(ProtobufCBinaryData from, uint8_t out[ENTRY_ID_BYTES])
{
    if (from.len != ENTRY_ID_BYTES) {
        return false;
    }
    memcpy(out, from.data, ENTRY_ID_BYTES);
    return true;
}

/* An absent number is zero, as an absent double is. */
static bool number_read(const Triage__Oversight__V1__Number *from, double *out)
{
    if (from == NULL) {
        *out = 0.0;
        return true;
    }
    char *end = from->text;
    double spelled = strtod(from->text, &end);
    bool is_nan = spelled != spelled && from->value != from->value;
    if (end == from->text || *end != '\0' || (spelled != from->value && !is_nan)) {
        return false;
    }
    *out = from->value;
    return true;
}

static enum entry_fault log_open_read(const Triage__Oversight__V1__LogOpen *from,
                                      struct entry_log_open *out)
{
    out->origin = from->origin;
    out->format_version = from->format_version;
    out->previous_checkpoint = from->previous_checkpoint.data;
    out->previous_checkpoint_bytes = (uint32_t)from->previous_checkpoint.len;
    out->first_n = from->first_n;
    return digest_read(from->schema_sha256, out->schema_sha256) ? ENTRY_GOOD : ENTRY_BODY_MISMATCH;
}

static enum entry_fault config_change_read(const Triage__Oversight__V1__ConfigChange *from,
                                           struct entry_config_change *out)
{
    out->policy_version = from->policy_version;
    out->build = from->build;
    out->blas = from->blas;
    out->libm = from->libm;
    out->processor = from->processor;
    out->reason = from->reason;
    out->target = from->target;
    out->arm_hidden = from->arm_hidden != 0;
    bool good = digest_read(from->config_sha256, out->config_sha256) &&
                digest_read(from->policy_sha256, out->policy_sha256);
    return good ? ENTRY_GOOD : ENTRY_BODY_MISMATCH;
}

static enum entry_fault model_change_read(const Triage__Oversight__V1__ModelChange *from,
                                          struct entry_model_change *out)
{
    out->name = from->name;
    out->file_bytes = from->file_bytes;
    out->evaluation = from->evaluation;
    out->reason = from->reason;
    out->figures = from->figures;
    out->removed = from->removed != 0;
    out->promoted = from->promoted != 0;
    return digest_read(from->sha256, out->sha256) ? ENTRY_GOOD : ENTRY_BODY_MISMATCH;
}

static bool image_read(const Triage__Oversight__V1__ImageRef *from, struct entry_image *out)
{
    if (from->meaning > PIXEL_DISPLAY_INVERTED || from->energy > ENERGY_HIGH) {
        return false;
    }
    out->width = from->width;
    out->height = from->height;
    out->bits = from->bits;
    out->meaning = (enum pixel_meaning)from->meaning;
    out->energy = (enum energy)from->energy;
    out->view = from->view;
    out->payload_bytes = from->payload_bytes;
    return digest_read(from->sha256, out->sha256);
}

static enum entry_fault received_read(const Triage__Oversight__V1__Received *from,
                                      struct entry_received *out)
{
    if (from->n_images > ENTRY_IMAGES_MAX) {
        return ENTRY_TOO_LONG;
    }
    if (from->mode >= MODE_COUNT || !digest_read_if_any(from->record_sha256, out->record_sha256)) {
        return ENTRY_BODY_MISMATCH;
    }
    out->publisher = from->publisher;
    out->stream = from->stream;
    out->sequence = from->sequence;
    out->mode = (enum mode)from->mode;
    out->site = from->site;
    out->lane = from->lane;
    out->record_bytes = from->record_bytes;
    out->record_id = from->record_id;
    out->item_key = from->item_key;
    out->scanner = from->scanner;
    out->scanner_type = from->scanner_type;
    out->acquired_ns = from->acquired_ns;
    for (size_t i = 0; i < from->n_images; i++) {
        if (!image_read(from->images[i], &out->images[i])) {
            return ENTRY_BODY_MISMATCH;
        }
    }
    out->images_count = (uint32_t)from->n_images;
    return ENTRY_GOOD;
}

static enum entry_fault refused_read(const Triage__Oversight__V1__Refused *from,
                                     struct entry_refused *out)
{
    out->publisher = from->publisher;
    out->stream = from->stream;
    out->sequence = from->sequence;
    out->code = from->code;
    out->name = from->name;
    out->reason = from->reason;
    out->record_bytes = from->record_bytes;
    out->quarantined = from->quarantined != 0;
    return digest_read(from->record_sha256, out->record_sha256) ? ENTRY_GOOD : ENTRY_BODY_MISMATCH;
}

static bool score_parts_read(const Triage__Oversight__V1__Score *from, struct entry_score *out)
{
    for (size_t i = 0; i < from->n_contributions; i++) {
        out->contributions[i].name = from->contributions[i]->name;
        out->contributions[i].words = from->contributions[i]->words;
        if (!number_read(from->contributions[i]->logit, &out->contributions[i].logit)) {
            return false;
        }
    }
    for (size_t i = 0; i < from->n_models; i++) {
        out->models[i].name = from->models[i]->name;
        if (!digest_read(from->models[i]->sha256, out->models[i].sha256)) {
            return false;
        }
    }
    for (size_t i = 0; i < from->n_regions; i++) {
        out->regions[i].image_index = from->regions[i]->image_index;
        out->regions[i].x = from->regions[i]->x;
        out->regions[i].y = from->regions[i]->y;
        out->regions[i].width = from->regions[i]->width;
        out->regions[i].height = from->regions[i]->height;
        out->regions[i].score = from->regions[i]->score;
    }
    return true;
}

static enum entry_fault score_inputs_read(const Triage__Oversight__V1__Score *from,
                                          struct entry_score *out)
{
    for (size_t i = 0; i < from->n_inputs; i++) {
        if (from->inputs[i]->n_values > ENTRY_INPUT_VALUES_MAX) {
            return ENTRY_TOO_LONG;
        }
        out->inputs[i] = (struct entry_inputs){.model = from->inputs[i]->model,
                                               .values = from->inputs[i]->values,
                                               .values_count = (uint32_t)from->inputs[i]->n_values};
        if (!entry_inputs_are_sound(out, (uint32_t)i)) {
            return ENTRY_BODY_MISMATCH;
        }
    }
    out->inputs_count = (uint32_t)from->n_inputs;
    return ENTRY_GOOD;
}

static enum entry_fault score_read(const Triage__Oversight__V1__Score *from,
                                   struct entry_score *out)
{
    if (from->n_contributions > ENTRY_CONTRIBUTIONS_MAX || from->n_models > ENTRY_MODELS_MAX ||
        from->n_regions > ENTRY_REGIONS_MAX || from->n_inputs > ENTRY_INPUTS_MAX) {
        return ENTRY_TOO_LONG;
    }
    if (!number_read(from->probability, &out->probability) ||
        !number_read(from->logit, &out->logit) || !score_parts_read(from, out)) {
        return ENTRY_BODY_MISMATCH;
    }
    out->contributions_count = (uint32_t)from->n_contributions;
    out->models_count = (uint32_t)from->n_models;
    out->regions_count = (uint32_t)from->n_regions;
    out->unscorable = from->unscorable;
    out->quality = from->quality;
    out->grave = 0;
    if (from->grave != NULL &&
        (!number_read(from->grave, &out->grave) || !(out->grave > 0) || out->grave > 1)) {
        return ENTRY_BODY_MISMATCH;
    }
    return score_inputs_read(from, out);
}

static enum entry_fault shadow_score_read(const Triage__Oversight__V1__ShadowScore *from,
                                          struct entry_shadow_score *out)
{
    out->place = from->place;
    if (from->score == NULL || !digest_read(from->sha256, out->sha256)) {
        return ENTRY_BODY_MISMATCH;
    }
    return score_read(from->score, &out->score);
}

static bool decision_numbers_read(const Triage__Oversight__V1__Decision *from,
                                  struct entry_decision *out)
{
    return number_read(from->propensity, &out->propensity) &&
           number_read(from->random_rate, &out->random_rate) &&
           number_read(from->probability, &out->probability) &&
           number_read(from->cutoff, &out->cutoff) && number_read(from->priority, &out->priority);
}

static enum entry_fault decision_read(const Triage__Oversight__V1__Decision *from,
                                      struct entry_decision *out)
{
    if (from->n_reasons > ENTRY_REASONS_MAX) {
        return ENTRY_TOO_LONG;
    }
    if (from->mode >= MODE_COUNT || !decision_numbers_read(from, out) ||
        !digest_read(from->policy_sha256, out->policy_sha256) ||
        !digest_read(from->draw, out->draw)) {
        return ENTRY_BODY_MISMATCH;
    }
    out->decision = from->decision;
    out->arm = from->arm;
    out->capacity_per_hour = from->capacity_per_hour;
    out->arrivals_per_hour = from->arrivals_per_hour;
    out->rank = from->rank;
    out->window_count = from->window_count;
    out->draw_scheme = from->draw_scheme;
    out->draw_day = from->draw_day;
    for (size_t i = 0; i < from->n_reasons; i++) {
        out->reasons[i] = from->reasons[i];
    }
    out->reasons_count = (uint32_t)from->n_reasons;
    out->label = from->label;
    out->mode = (enum mode)from->mode;
    out->site = from->site;
    out->lane = from->lane;
    out->hold_ended_by = from->hold_ended_by;
    out->draw_stratum = from->draw_stratum;
    out->shadow = from->shadow != 0;
    out->ageing_per_hour = from->ageing_per_hour;
    out->perishable_per_hour = from->perishable_per_hour;
    return ENTRY_GOOD;
}

static enum entry_fault officer_action_read(const Triage__Oversight__V1__OfficerAction *from,
                                            struct entry_officer_action *out)
{
    out->action = from->action;
    out->code = from->code;
    out->request_id = from->request_id;
    out->version = from->version;
    out->to_state = from->to_state;
    out->reason = from->reason;
    return ENTRY_GOOD;
}

static enum entry_fault outcome_read(const Triage__Oversight__V1__Outcome *from,
                                     struct entry_outcome *out)
{
    out->exam_level = from->exam_level;
    out->result = from->result;
    out->seizure_class = from->seizure_class;
    out->unit = from->unit;
    out->has_region = from->has_region != 0;
    out->image_index = from->image_index;
    out->region_x = from->region_x;
    out->region_y = from->region_y;
    out->region_width = from->region_width;
    out->region_height = from->region_height;
    out->request_id = from->request_id;
    out->version = from->version;
    out->again = from->again;
    out->code = from->code;
    out->corrects = from->corrects;
    out->aside = from->aside != 0;
    return number_read(from->quantity, &out->quantity) ? ENTRY_GOOD : ENTRY_BODY_MISMATCH;
}

static enum entry_fault archive_seal_read(const Triage__Oversight__V1__ArchiveSeal *from,
                                          struct entry_archive_seal *out)
{
    out->path = from->path;
    out->file_bytes = from->file_bytes;
    out->first_index = from->first_index;
    out->last_index = from->last_index;
    out->hdf5_version = from->hdf5_version;
    out->filters = from->filters;
    bool good = digest_read(from->sha256, out->sha256) &&
                digest_read_if_any(from->metrics_sha256, out->metrics_sha256);
    return good ? ENTRY_GOOD : ENTRY_BODY_MISMATCH;
}

static enum entry_fault wal_recovered_read(const Triage__Oversight__V1__WalRecovered *from,
                                           struct entry_wal_recovered *out)
{
    out->torn_bytes = from->torn_bytes;
    return digest_read(from->torn_sha256, out->torn_sha256) ? ENTRY_GOOD : ENTRY_BODY_MISMATCH;
}

static bool capacity_read(const Triage__Oversight__V1__CapacityState *from,
                          struct entry_capacity *out)
{
    *out = (struct entry_capacity){.mode = (enum mode)from->mode,
                                   .site = from->site,
                                   .capacity_per_hour = from->capacity_per_hour,
                                   .arrivals_per_hour = from->arrivals_per_hour,
                                   .cutoff = from->cutoff,
                                   .queue = from->queue,
                                   .queue_max = from->queue_max,
                                   .items = from->items,
                                   .target = from->target,
                                   .random = from->random,
                                   .below = from->below,
                                   .just_below = from->just_below,
                                   .finds_lost = from->finds_lost,
                                   .cutoff_lowest = from->cutoff_lowest,
                                   .cutoff_highest = from->cutoff_highest};
    return from->mode < MODE_COUNT;
}

static enum entry_fault time_tick_read(const Triage__Oversight__V1__TimeTick *from,
                                       struct entry_time_tick *out)
{
    out->received_scans = from->received_scans;
    out->received_declarations = from->received_declarations;
    out->refused = from->refused;
    out->undecided = from->undecided;
    if (from->n_capacity > ENTRY_CAPACITY_MAX) {
        return ENTRY_TOO_LONG;
    }
    for (size_t i = 0; i < from->n_capacity; i++) {
        if (!capacity_read(from->capacity[i], &out->capacity[i])) {
            return ENTRY_BODY_MISMATCH;
        }
    }
    out->capacity_count = (uint32_t)from->n_capacity;
    return ENTRY_GOOD;
}

static enum entry_fault draw_commit_read(const Triage__Oversight__V1__DrawCommit *from,
                                         struct entry_draw_commit *out)
{
    if (from->n_rates > ENTRY_RATES_MAX) {
        return ENTRY_TOO_LONG;
    }
    if (!digest_read(from->commitment, out->commitment)) {
        return ENTRY_BODY_MISMATCH;
    }
    out->day = from->day;
    out->scheme = from->scheme;
    for (size_t i = 0; i < from->n_rates; i++) {
        out->rates[i].stratum = from->rates[i]->stratum;
        out->rates[i].adapts = from->rates[i]->floor != NULL;
        out->rates[i].reason = from->rates[i]->reason;
        if (!number_read(from->rates[i]->rate, &out->rates[i].rate) ||
            !number_read(from->rates[i]->floor, &out->rates[i].floor)) {
            return ENTRY_BODY_MISMATCH;
        }
    }
    out->rates_count = (uint32_t)from->n_rates;
    return ENTRY_GOOD;
}

static enum entry_fault draw_reveal_read(const Triage__Oversight__V1__DrawReveal *from,
                                         struct entry_draw_reveal *out)
{
    out->day = from->day;
    return digest_read(from->key, out->key) ? ENTRY_GOOD : ENTRY_BODY_MISMATCH;
}

/* The body that a type must carry; NOT_SET for a type of a later version. */
static Triage__Oversight__V1__Entry__BodyCase body_case_of(enum entry_type type)
{
    switch (type) {
    case ENTRY_LOG_OPEN:
        return TRIAGE__OVERSIGHT__V1__ENTRY__BODY_LOG_OPEN;
    case ENTRY_CONFIG_CHANGE:
        return TRIAGE__OVERSIGHT__V1__ENTRY__BODY_CONFIG_CHANGE;
    case ENTRY_MODEL_CHANGE:
        return TRIAGE__OVERSIGHT__V1__ENTRY__BODY_MODEL_CHANGE;
    case ENTRY_SCAN_RECEIVED:
    case ENTRY_DECLARATION_RECEIVED:
        return TRIAGE__OVERSIGHT__V1__ENTRY__BODY_RECEIVED;
    case ENTRY_RECORD_REFUSED:
        return TRIAGE__OVERSIGHT__V1__ENTRY__BODY_REFUSED;
    case ENTRY_SCORE:
        return TRIAGE__OVERSIGHT__V1__ENTRY__BODY_SCORE;
    case ENTRY_SHADOW_SCORE:
        return TRIAGE__OVERSIGHT__V1__ENTRY__BODY_SHADOW_SCORE;
    case ENTRY_REFERRAL_DECISION:
        return TRIAGE__OVERSIGHT__V1__ENTRY__BODY_DECISION;
    case ENTRY_OFFICER_ACTION:
        return TRIAGE__OVERSIGHT__V1__ENTRY__BODY_OFFICER_ACTION;
    case ENTRY_OUTCOME:
        return TRIAGE__OVERSIGHT__V1__ENTRY__BODY_OUTCOME;
    case ENTRY_ARCHIVE_SEAL:
        return TRIAGE__OVERSIGHT__V1__ENTRY__BODY_ARCHIVE_SEAL;
    case ENTRY_WAL_RECOVERED:
        return TRIAGE__OVERSIGHT__V1__ENTRY__BODY_WAL_RECOVERED;
    case ENTRY_TIME_TICK:
        return TRIAGE__OVERSIGHT__V1__ENTRY__BODY_TIME_TICK;
    case ENTRY_DRAW_COMMIT:
        return TRIAGE__OVERSIGHT__V1__ENTRY__BODY_DRAW_COMMIT;
    case ENTRY_DRAW_REVEAL:
        return TRIAGE__OVERSIGHT__V1__ENTRY__BODY_DRAW_REVEAL;
    default:
        return (Triage__Oversight__V1__Entry__BodyCase)keeping_body_case(type);
    }
}

static enum entry_fault body_read(const Triage__Oversight__V1__Entry *from, struct arena *arena,
                                  struct entry *out)
{
    switch (from->body_case) {
    case TRIAGE__OVERSIGHT__V1__ENTRY__BODY_LOG_OPEN:
        return log_open_read(from->log_open, &out->body.log_open);
    case TRIAGE__OVERSIGHT__V1__ENTRY__BODY_CONFIG_CHANGE:
        return config_change_read(from->config_change, &out->body.config_change);
    case TRIAGE__OVERSIGHT__V1__ENTRY__BODY_MODEL_CHANGE:
        return model_change_read(from->model_change, &out->body.model_change);
    case TRIAGE__OVERSIGHT__V1__ENTRY__BODY_RECEIVED:
        return received_read(from->received, &out->body.received);
    case TRIAGE__OVERSIGHT__V1__ENTRY__BODY_REFUSED:
        return refused_read(from->refused, &out->body.refused);
    case TRIAGE__OVERSIGHT__V1__ENTRY__BODY_SCORE:
        return score_read(from->score, &out->body.score);
    case TRIAGE__OVERSIGHT__V1__ENTRY__BODY_SHADOW_SCORE:
        return shadow_score_read(from->shadow_score, &out->body.shadow_score);
    case TRIAGE__OVERSIGHT__V1__ENTRY__BODY_DECISION:
        return decision_read(from->decision, &out->body.decision);
    case TRIAGE__OVERSIGHT__V1__ENTRY__BODY_OFFICER_ACTION:
        return officer_action_read(from->officer_action, &out->body.officer_action);
    case TRIAGE__OVERSIGHT__V1__ENTRY__BODY_OUTCOME:
        return outcome_read(from->outcome, &out->body.outcome);
    case TRIAGE__OVERSIGHT__V1__ENTRY__BODY_ARCHIVE_SEAL:
        return archive_seal_read(from->archive_seal, &out->body.archive_seal);
    case TRIAGE__OVERSIGHT__V1__ENTRY__BODY_WAL_RECOVERED:
        return wal_recovered_read(from->wal_recovered, &out->body.wal_recovered);
    case TRIAGE__OVERSIGHT__V1__ENTRY__BODY_TIME_TICK:
        return time_tick_read(from->time_tick, &out->body.time_tick);
    case TRIAGE__OVERSIGHT__V1__ENTRY__BODY_DRAW_COMMIT:
        return draw_commit_read(from->draw_commit, &out->body.draw_commit);
    case TRIAGE__OVERSIGHT__V1__ENTRY__BODY_DRAW_REVEAL:
        return draw_reveal_read(from->draw_reveal, &out->body.draw_reveal);
    default:
        return keeping_read(from, arena, out);
    }
}

static enum entry_fault sd_read(const Triage__Oversight__V1__Entry *from, struct entry *out)
{
    if (from->n_sd > ENTRY_DISCLOSURES_MAX) {
        return ENTRY_TOO_LONG;
    }
    if (strcmp(from->sd_alg, from->n_sd > 0 ? ENTRY_SD_ALG : "") != 0) {
        return ENTRY_MALFORMED;
    }
    for (size_t i = 0; i < from->n_sd; i++) {
        if (!digest_read(from->sd[i], out->sd[i])) {
            return ENTRY_MALFORMED;
        }
    }
    out->sd_count = (uint32_t)from->n_sd;
    return ENTRY_GOOD;
}

/* Everything but the body. */
static enum entry_fault header_read(const Triage__Oversight__V1__Entry *from, struct entry *out)
{
    out->v = from->v;
    out->n = from->n;
    out->t_ns = from->t_ns;
    out->type = (enum entry_type)from->type;
    out->actor = from->actor;
    if (from->v != ENTRY_VERSION) {
        return ENTRY_WRONG_VERSION;
    }
    if (from->n_cause > ENTRY_CAUSES_MAX) {
        return ENTRY_TOO_LONG;
    }
    if (!id_read(from->id, out->id)) {
        return ENTRY_MALFORMED;
    }
    out->has_item = from->item.len != 0;
    if (out->has_item && !id_read(from->item, out->item)) {
        return ENTRY_MALFORMED;
    }
    for (size_t i = 0; i < from->n_cause; i++) {
        if (!id_read(from->cause[i], out->causes[i])) {
            return ENTRY_MALFORMED;
        }
    }
    out->causes_count = (uint32_t)from->n_cause;
    return sd_read(from, out);
}

enum entry_fault entry_decode(const uint8_t *bytes, size_t bytes_count, struct arena *arena,
                              struct entry *out)
{
    if (bytes_count > ENTRY_FORMAT_BYTES_MAX) {
        return ENTRY_TOO_LONG;
    }
    enum schema_fault unpacked;
    const char *where = "";
    const Triage__Oversight__V1__Entry *message = schema_unpack(
        &triage__oversight__v1__entry__descriptor, bytes, bytes_count, arena, &unpacked, &where);
    if (message == NULL) {
        return unpacked == SCHEMA_FULL ? ENTRY_TOO_LONG : ENTRY_MALFORMED;
    }
    struct entry entry = {.v = 0};
    enum entry_fault fault = header_read(message, &entry);
    if (fault != ENTRY_GOOD) {
        return fault;
    }
    if (entry.type == ENTRY_UNKNOWN) {
        return ENTRY_BODY_MISMATCH;
    }
    Triage__Oversight__V1__Entry__BodyCase expected = body_case_of(entry.type);
    if (expected == TRIAGE__OVERSIGHT__V1__ENTRY__BODY__NOT_SET) {
        *out = entry;
        return ENTRY_UNKNOWN_TYPE;
    }
    if (message->body_case != expected) {
        return ENTRY_BODY_MISMATCH;
    }
    fault = body_read(message, arena, &entry);
    if (fault == ENTRY_GOOD) {
        *out = entry;
    }
    return fault;
}
