/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/entry.h"

#include "proto/entry_keeping.h"
#include "proto/oversight.pb-c.h"
#include "proto/schema.h"

/* One filler a body: value -> generated struct. All generated structs of one entry lie in a struct
 * on the stack, so encoding takes no memory from anywhere. A filler returns false when a count is
 * beyond its bound. */

struct number_slot {
    Triage__Oversight__V1__Number message;
    char text[32];
};

struct received_slots {
    Triage__Oversight__V1__Received message;
    Triage__Oversight__V1__ImageRef images[ENTRY_IMAGES_MAX];
    Triage__Oversight__V1__ImageRef *image_list[ENTRY_IMAGES_MAX];
};

struct score_slots {
    Triage__Oversight__V1__Score message;
    struct number_slot probability;
    struct number_slot logit;
    struct number_slot grave;
    Triage__Oversight__V1__Contribution contributions[ENTRY_CONTRIBUTIONS_MAX];
    Triage__Oversight__V1__Contribution *contribution_list[ENTRY_CONTRIBUTIONS_MAX];
    struct number_slot contribution_logits[ENTRY_CONTRIBUTIONS_MAX];
    Triage__Oversight__V1__ModelRef models[ENTRY_MODELS_MAX];
    Triage__Oversight__V1__ModelRef *model_list[ENTRY_MODELS_MAX];
    Triage__Oversight__V1__ModelInputs inputs[ENTRY_INPUTS_MAX];
    Triage__Oversight__V1__ModelInputs *input_list[ENTRY_INPUTS_MAX];
    Triage__Oversight__V1__AnomalyRegion regions[ENTRY_REGIONS_MAX];
    Triage__Oversight__V1__AnomalyRegion *region_list[ENTRY_REGIONS_MAX];
};

struct decision_slots {
    Triage__Oversight__V1__Decision message;
    struct number_slot propensity;
    struct number_slot random_rate;
    struct number_slot probability;
    struct number_slot cutoff;
    struct number_slot priority;
    char *reason_list[ENTRY_REASONS_MAX];
};

struct shadow_score_slots {
    Triage__Oversight__V1__ShadowScore message;
    struct score_slots score;
};

struct outcome_slots {
    Triage__Oversight__V1__Outcome message;
    struct number_slot quantity;
};

struct draw_commit_slots {
    Triage__Oversight__V1__DrawCommit message;
    Triage__Oversight__V1__StratumRate rates[ENTRY_RATES_MAX];
    Triage__Oversight__V1__StratumRate *rate_list[ENTRY_RATES_MAX];
    struct number_slot rate_numbers[ENTRY_RATES_MAX];
    struct number_slot floor_numbers[ENTRY_RATES_MAX];
};

struct time_tick_slots {
    Triage__Oversight__V1__TimeTick message;
    Triage__Oversight__V1__CapacityState capacity[ENTRY_CAPACITY_MAX];
    Triage__Oversight__V1__CapacityState *capacity_list[ENTRY_CAPACITY_MAX];
};

union body_slots {
    Triage__Oversight__V1__LogOpen log_open;
    Triage__Oversight__V1__ConfigChange config_change;
    Triage__Oversight__V1__ModelChange model_change;
    struct received_slots received;
    Triage__Oversight__V1__Refused refused;
    struct score_slots score;
    struct shadow_score_slots shadow_score;
    struct decision_slots decision;
    Triage__Oversight__V1__OfficerAction officer_action;
    struct outcome_slots outcome;
    Triage__Oversight__V1__ArchiveSeal archive_seal;
    Triage__Oversight__V1__WalRecovered wal_recovered;
    struct time_tick_slots time_tick;
    struct draw_commit_slots draw_commit;
    Triage__Oversight__V1__DrawReveal draw_reveal;
    struct keeping_slots keeping;
};

static ProtobufCBinaryData view_of(const uint8_t *bytes, size_t bytes_count)
{
    return (ProtobufCBinaryData){.len = bytes_count, .data = schema_bytes(bytes)};
}

static Triage__Oversight__V1__Number *number_fill(struct number_slot *slot, double value)
{
    triage__oversight__v1__number__init(&slot->message);
    if (value == 0.0) {
        value = 0.0; /* proto3 leaves zero out, minus zero too with some encoders: text and double
                        must agree */
    }
    number_format(value, slot->text);
    slot->message.value = value;
    slot->message.text = slot->text;
    return &slot->message;
}

static void log_open_fill(const struct entry_log_open *from, Triage__Oversight__V1__LogOpen *to)
{
    triage__oversight__v1__log_open__init(to);
    to->origin = schema_text(from->origin);
    to->format_version = from->format_version;
    to->schema_sha256 = view_of(from->schema_sha256, HASH_BYTES);
    to->previous_checkpoint = view_of(from->previous_checkpoint, from->previous_checkpoint_bytes);
    to->first_n = from->first_n;
}

static void config_change_fill(const struct entry_config_change *from,
                               Triage__Oversight__V1__ConfigChange *to)
{
    triage__oversight__v1__config_change__init(to);
    to->config_sha256 = view_of(from->config_sha256, HASH_BYTES);
    to->policy_sha256 = view_of(from->policy_sha256, HASH_BYTES);
    to->policy_version = schema_text(from->policy_version);
    to->build = schema_text(from->build);
    to->blas = schema_text(from->blas);
    to->libm = schema_text(from->libm);
    to->processor = schema_text(from->processor);
    to->reason = schema_text(from->reason);
    to->target = schema_text(from->target);
    to->arm_hidden = from->arm_hidden;
}

static void model_change_fill(const struct entry_model_change *from,
                              Triage__Oversight__V1__ModelChange *to)
{
    triage__oversight__v1__model_change__init(to);
    to->name = schema_text(from->name);
    to->sha256 = view_of(from->sha256, HASH_BYTES);
    to->file_bytes = from->file_bytes;
    to->evaluation = schema_text(from->evaluation);
    to->reason = schema_text(from->reason);
    to->figures = schema_text(from->figures);
    to->removed = from->removed;
    to->promoted = from->promoted;
}

static void image_fill(const struct entry_image *from, Triage__Oversight__V1__ImageRef *to)
{
    triage__oversight__v1__image_ref__init(to);
    to->width = from->width;
    to->height = from->height;
    to->bits = from->bits;
    to->meaning = (uint32_t)from->meaning;
    to->energy = (uint32_t)from->energy;
    to->view = from->view;
    to->payload_bytes = from->payload_bytes;
    to->sha256 = view_of(from->sha256, HASH_BYTES);
}

static bool received_fill(const struct entry_received *from, struct received_slots *slots)
{
    if (from->images_count > ENTRY_IMAGES_MAX) {
        return false;
    }
    Triage__Oversight__V1__Received *to = &slots->message;
    triage__oversight__v1__received__init(to);
    to->publisher = schema_text(from->publisher);
    to->stream = schema_text(from->stream);
    to->sequence = from->sequence;
    to->mode = (uint32_t)from->mode;
    to->site = schema_text(from->site);
    to->lane = schema_text(from->lane);
    static const uint8_t none[HASH_BYTES];
    to->record_sha256 =
        view_of(from->record_sha256, hash_equal(from->record_sha256, none) ? 0 : HASH_BYTES);
    to->record_bytes = from->record_bytes;
    to->record_id = schema_text(from->record_id);
    to->item_key = schema_text(from->item_key);
    to->scanner = schema_text(from->scanner);
    to->scanner_type = schema_text(from->scanner_type);
    to->acquired_ns = from->acquired_ns;
    for (uint32_t i = 0; i < from->images_count; i++) {
        image_fill(&from->images[i], &slots->images[i]);
        slots->image_list[i] = &slots->images[i];
    }
    to->n_images = from->images_count;
    to->images = slots->image_list;
    return true;
}

static void refused_fill(const struct entry_refused *from, Triage__Oversight__V1__Refused *to)
{
    triage__oversight__v1__refused__init(to);
    to->publisher = schema_text(from->publisher);
    to->stream = schema_text(from->stream);
    to->sequence = from->sequence;
    to->code = from->code;
    to->name = schema_text(from->name);
    to->reason = schema_text(from->reason);
    to->record_sha256 = view_of(from->record_sha256, HASH_BYTES);
    to->record_bytes = from->record_bytes;
    to->quarantined = from->quarantined;
}

static void score_parts_fill(const struct entry_score *from, struct score_slots *slots)
{
    for (uint32_t i = 0; i < from->contributions_count; i++) {
        Triage__Oversight__V1__Contribution *part = &slots->contributions[i];
        triage__oversight__v1__contribution__init(part);
        part->name = schema_text(from->contributions[i].name);
        part->logit = number_fill(&slots->contribution_logits[i], from->contributions[i].logit);
        part->words = schema_text(from->contributions[i].words);
        slots->contribution_list[i] = part;
    }
    for (uint32_t i = 0; i < from->models_count; i++) {
        Triage__Oversight__V1__ModelRef *model = &slots->models[i];
        triage__oversight__v1__model_ref__init(model);
        model->name = schema_text(from->models[i].name);
        model->sha256 = view_of(from->models[i].sha256, HASH_BYTES);
        slots->model_list[i] = model;
    }
    for (uint32_t i = 0; i < from->regions_count; i++) {
        Triage__Oversight__V1__AnomalyRegion *region = &slots->regions[i];
        triage__oversight__v1__anomaly_region__init(region);
        region->image_index = from->regions[i].image_index;
        region->x = from->regions[i].x;
        region->y = from->regions[i].y;
        region->width = from->regions[i].width;
        region->height = from->regions[i].height;
        region->score = from->regions[i].score;
        slots->region_list[i] = region;
    }
}

static bool score_inputs_fill(const struct entry_score *from, struct score_slots *slots)
{
    for (uint32_t i = 0; i < from->inputs_count; i++) {
        const struct entry_inputs *inputs = &from->inputs[i];
        if (!entry_inputs_are_sound(from, i)) {
            return false;
        }
        Triage__Oversight__V1__ModelInputs *to = &slots->inputs[i];
        triage__oversight__v1__model_inputs__init(to);
        to->model = inputs->model;
        to->n_values = inputs->values_count;
        to->values = schema_floats(inputs->values);
        slots->input_list[i] = to;
    }
    return true;
}

static bool score_fill(const struct entry_score *from, struct score_slots *slots)
{
    if (from->contributions_count > ENTRY_CONTRIBUTIONS_MAX ||
        from->models_count > ENTRY_MODELS_MAX || from->regions_count > ENTRY_REGIONS_MAX ||
        from->inputs_count > ENTRY_INPUTS_MAX || !score_inputs_fill(from, slots)) {
        return false;
    }
    Triage__Oversight__V1__Score *to = &slots->message;
    triage__oversight__v1__score__init(to);
    score_parts_fill(from, slots);
    to->probability = number_fill(&slots->probability, from->probability);
    to->logit = number_fill(&slots->logit, from->logit);
    to->n_contributions = from->contributions_count;
    to->contributions = slots->contribution_list;
    to->n_models = from->models_count;
    to->models = slots->model_list;
    to->n_regions = from->regions_count;
    to->regions = slots->region_list;
    to->unscorable = schema_text(from->unscorable);
    to->quality = from->quality;
    to->grave = from->grave > 0 ? number_fill(&slots->grave, from->grave) : NULL;
    to->n_inputs = from->inputs_count;
    to->inputs = slots->input_list;
    return true;
}

static bool shadow_score_fill(const struct entry_shadow_score *from,
                              struct shadow_score_slots *slots)
{
    Triage__Oversight__V1__ShadowScore *to = &slots->message;
    triage__oversight__v1__shadow_score__init(to);
    to->place = schema_text(from->place);
    to->sha256 = view_of(from->sha256, HASH_BYTES);
    to->score = &slots->score.message;
    return score_fill(&from->score, &slots->score);
}

static bool decision_fill(const struct entry_decision *from, struct decision_slots *slots)
{
    if (from->reasons_count > ENTRY_REASONS_MAX) {
        return false;
    }
    Triage__Oversight__V1__Decision *to = &slots->message;
    triage__oversight__v1__decision__init(to);
    to->decision = schema_text(from->decision);
    to->arm = schema_text(from->arm);
    to->propensity = number_fill(&slots->propensity, from->propensity);
    to->random_rate = number_fill(&slots->random_rate, from->random_rate);
    to->probability = number_fill(&slots->probability, from->probability);
    to->cutoff = number_fill(&slots->cutoff, from->cutoff);
    to->priority = number_fill(&slots->priority, from->priority);
    to->capacity_per_hour = from->capacity_per_hour;
    to->arrivals_per_hour = from->arrivals_per_hour;
    to->rank = from->rank;
    to->window_count = from->window_count;
    to->policy_sha256 = view_of(from->policy_sha256, HASH_BYTES);
    to->draw_scheme = schema_text(from->draw_scheme);
    to->draw_day = schema_text(from->draw_day);
    to->draw = view_of(from->draw, HASH_BYTES);
    for (uint32_t i = 0; i < from->reasons_count; i++) {
        slots->reason_list[i] = schema_text(from->reasons[i]);
    }
    to->n_reasons = from->reasons_count;
    to->reasons = slots->reason_list;
    to->label = schema_text(from->label);
    to->mode = (uint32_t)from->mode;
    to->site = schema_text(from->site);
    to->lane = schema_text(from->lane);
    to->hold_ended_by = schema_text(from->hold_ended_by);
    to->draw_stratum = schema_text(from->draw_stratum);
    to->shadow = from->shadow;
    to->ageing_per_hour = from->ageing_per_hour;
    to->perishable_per_hour = from->perishable_per_hour;
    return true;
}

static void officer_action_fill(const struct entry_officer_action *from,
                                Triage__Oversight__V1__OfficerAction *to)
{
    triage__oversight__v1__officer_action__init(to);
    to->action = schema_text(from->action);
    to->code = schema_text(from->code);
    to->request_id = schema_text(from->request_id);
    to->version = from->version;
    to->to_state = schema_text(from->to_state);
    to->reason = schema_text(from->reason);
}

static void outcome_fill(const struct entry_outcome *from, struct outcome_slots *slots)
{
    Triage__Oversight__V1__Outcome *to = &slots->message;
    triage__oversight__v1__outcome__init(to);
    to->exam_level = schema_text(from->exam_level);
    to->result = schema_text(from->result);
    to->seizure_class = schema_text(from->seizure_class);
    to->quantity = number_fill(&slots->quantity, from->quantity);
    to->unit = schema_text(from->unit);
    to->has_region = from->has_region;
    to->image_index = from->image_index;
    to->region_x = from->region_x;
    to->region_y = from->region_y;
    to->region_width = from->region_width;
    to->region_height = from->region_height;
    to->request_id = schema_text(from->request_id);
    to->version = from->version;
    to->again = schema_text(from->again);
    to->code = schema_text(from->code);
    to->corrects = from->corrects;
    to->aside = from->aside;
}

static void archive_seal_fill(const struct entry_archive_seal *from,
                              Triage__Oversight__V1__ArchiveSeal *to)
{
    triage__oversight__v1__archive_seal__init(to);
    to->path = schema_text(from->path);
    to->file_bytes = from->file_bytes;
    to->sha256 = view_of(from->sha256, HASH_BYTES);
    to->first_index = from->first_index;
    to->last_index = from->last_index;
    to->hdf5_version = schema_text(from->hdf5_version);
    to->filters = schema_text(from->filters);
    static const uint8_t none[HASH_BYTES];
    to->metrics_sha256 =
        view_of(from->metrics_sha256, hash_equal(from->metrics_sha256, none) ? 0 : HASH_BYTES);
}

static void wal_recovered_fill(const struct entry_wal_recovered *from,
                               Triage__Oversight__V1__WalRecovered *to)
{
    triage__oversight__v1__wal_recovered__init(to);
    to->torn_bytes = from->torn_bytes;
    to->torn_sha256 = view_of(from->torn_sha256, HASH_BYTES);
}

static void capacity_fill(const struct entry_capacity *from,
                          Triage__Oversight__V1__CapacityState *to)
{
    triage__oversight__v1__capacity_state__init(to);
    to->mode = (uint32_t)from->mode;
    to->site = schema_text(from->site);
    to->capacity_per_hour = from->capacity_per_hour;
    to->arrivals_per_hour = from->arrivals_per_hour;
    to->cutoff = from->cutoff;
    to->queue = from->queue;
    to->queue_max = from->queue_max;
    to->items = from->items;
    to->target = from->target;
    to->random = from->random;
    to->below = from->below;
    to->just_below = from->just_below;
    to->finds_lost = from->finds_lost;
    to->cutoff_lowest = from->cutoff_lowest;
    to->cutoff_highest = from->cutoff_highest;
}

static bool time_tick_fill(const struct entry_time_tick *from, struct time_tick_slots *slots)
{
    Triage__Oversight__V1__TimeTick *to = &slots->message;
    triage__oversight__v1__time_tick__init(to);
    if (from->capacity_count > ENTRY_CAPACITY_MAX) {
        return false;
    }
    for (uint32_t i = 0; i < from->capacity_count; i++) {
        capacity_fill(&from->capacity[i], &slots->capacity[i]);
        slots->capacity_list[i] = &slots->capacity[i];
    }
    to->n_capacity = from->capacity_count;
    to->capacity = slots->capacity_list;
    to->received_scans = from->received_scans;
    to->received_declarations = from->received_declarations;
    to->refused = from->refused;
    to->undecided = from->undecided;
    return true;
}

static bool draw_commit_fill(const struct entry_draw_commit *from, struct draw_commit_slots *slots)
{
    if (from->rates_count > ENTRY_RATES_MAX) {
        return false;
    }
    Triage__Oversight__V1__DrawCommit *to = &slots->message;
    triage__oversight__v1__draw_commit__init(to);
    to->day = schema_text(from->day);
    to->scheme = schema_text(from->scheme);
    to->commitment = view_of(from->commitment, HASH_BYTES);
    for (uint32_t i = 0; i < from->rates_count; i++) {
        triage__oversight__v1__stratum_rate__init(&slots->rates[i]);
        slots->rates[i].stratum = schema_text(from->rates[i].stratum);
        slots->rates[i].rate = number_fill(&slots->rate_numbers[i], from->rates[i].rate);
        if (from->rates[i].adapts) {
            slots->rates[i].floor = number_fill(&slots->floor_numbers[i], from->rates[i].floor);
            slots->rates[i].reason = schema_text(from->rates[i].reason);
        }
        slots->rate_list[i] = &slots->rates[i];
    }
    to->n_rates = from->rates_count;
    to->rates = slots->rate_list;
    return true;
}

static void draw_reveal_fill(const struct entry_draw_reveal *from,
                             Triage__Oversight__V1__DrawReveal *to)
{
    triage__oversight__v1__draw_reveal__init(to);
    to->day = schema_text(from->day);
    to->key = view_of(from->key, HASH_BYTES);
}

/* A body is one pointer in the generated union, and every generated struct starts with the same
 * base: the member that is named does not matter to the packer, only body_case does. It is named
 * all the same, for the reader. */
#define BODY(CASE, member, slot)                                    \
    message->body_case = TRIAGE__OVERSIGHT__V1__ENTRY__BODY_##CASE; \
    message->member = (slot)

static bool body_fill(const struct entry *entry, union body_slots *slots,
                      Triage__Oversight__V1__Entry *message)
{
    switch (entry->type) {
    case ENTRY_LOG_OPEN:
        log_open_fill(&entry->body.log_open, &slots->log_open);
        BODY(LOG_OPEN, log_open, &slots->log_open);
        return true;
    case ENTRY_CONFIG_CHANGE:
        config_change_fill(&entry->body.config_change, &slots->config_change);
        BODY(CONFIG_CHANGE, config_change, &slots->config_change);
        return true;
    case ENTRY_MODEL_CHANGE:
        model_change_fill(&entry->body.model_change, &slots->model_change);
        BODY(MODEL_CHANGE, model_change, &slots->model_change);
        return true;
    case ENTRY_SCAN_RECEIVED:
    case ENTRY_DECLARATION_RECEIVED:
        BODY(RECEIVED, received, &slots->received.message);
        return received_fill(&entry->body.received, &slots->received);
    case ENTRY_RECORD_REFUSED:
        refused_fill(&entry->body.refused, &slots->refused);
        BODY(REFUSED, refused, &slots->refused);
        return true;
    case ENTRY_SCORE:
        BODY(SCORE, score, &slots->score.message);
        return score_fill(&entry->body.score, &slots->score);
    case ENTRY_SHADOW_SCORE:
        BODY(SHADOW_SCORE, shadow_score, &slots->shadow_score.message);
        return shadow_score_fill(&entry->body.shadow_score, &slots->shadow_score);
    case ENTRY_REFERRAL_DECISION:
        BODY(DECISION, decision, &slots->decision.message);
        return decision_fill(&entry->body.decision, &slots->decision);
    case ENTRY_OFFICER_ACTION:
        officer_action_fill(&entry->body.officer_action, &slots->officer_action);
        BODY(OFFICER_ACTION, officer_action, &slots->officer_action);
        return true;
    case ENTRY_OUTCOME:
        outcome_fill(&entry->body.outcome, &slots->outcome);
        BODY(OUTCOME, outcome, &slots->outcome.message);
        return true;
    case ENTRY_ARCHIVE_SEAL:
        archive_seal_fill(&entry->body.archive_seal, &slots->archive_seal);
        BODY(ARCHIVE_SEAL, archive_seal, &slots->archive_seal);
        return true;
    case ENTRY_WAL_RECOVERED:
        wal_recovered_fill(&entry->body.wal_recovered, &slots->wal_recovered);
        BODY(WAL_RECOVERED, wal_recovered, &slots->wal_recovered);
        return true;
    case ENTRY_TIME_TICK:
        BODY(TIME_TICK, time_tick, &slots->time_tick.message);
        return time_tick_fill(&entry->body.time_tick, &slots->time_tick);
    case ENTRY_DRAW_COMMIT:
        BODY(DRAW_COMMIT, draw_commit, &slots->draw_commit.message);
        return draw_commit_fill(&entry->body.draw_commit, &slots->draw_commit);
    case ENTRY_DRAW_REVEAL:
        draw_reveal_fill(&entry->body.draw_reveal, &slots->draw_reveal);
        BODY(DRAW_REVEAL, draw_reveal, &slots->draw_reveal);
        return true;
    default:
        return keeping_fill(entry, &slots->keeping, message);
    }
}

size_t entry_encode_rest(const struct entry *entry, uint8_t *out, size_t out_capacity)
{
    Triage__Oversight__V1__Entry message;
    triage__oversight__v1__entry__init(&message);
    ProtobufCBinaryData causes[ENTRY_CAUSES_MAX];
    ProtobufCBinaryData sd[ENTRY_DISCLOSURES_MAX];
    union body_slots slots;
    if (entry->causes_count > ENTRY_CAUSES_MAX || entry->sd_count > ENTRY_DISCLOSURES_MAX ||
        !body_fill(entry, &slots, &message)) {
        return 0;
    }
    message.id = view_of(entry->id, ENTRY_ID_BYTES);
    message.type = (Triage__Oversight__V1__EntryType)entry->type;
    if (entry->has_item) {
        message.item = view_of(entry->item, ITEM_ID_BYTES);
    }
    for (uint32_t i = 0; i < entry->causes_count; i++) {
        causes[i] = view_of(entry->causes[i], ENTRY_ID_BYTES);
    }
    message.n_cause = entry->causes_count;
    message.cause = causes;
    message.actor = schema_text(entry->actor);
    for (uint32_t i = 0; i < entry->sd_count; i++) {
        sd[i] = view_of(entry->sd[i], HASH_BYTES);
    }
    message.n_sd = entry->sd_count;
    message.sd = sd;
    message.sd_alg = schema_text(entry->sd_count > 0 ? ENTRY_SD_ALG : "");
    return schema_pack(&message, out, out_capacity);
}
