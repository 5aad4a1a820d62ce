/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/wire.h"

#include <math.h>
#include <string.h>

#include "proto/schema.h"
#include "proto/triage.pb-c.h"

/* Every message but publish, by the general decoder. Texts without a bound of their own in wire.h
 * are bound by RECORD_TEXT_BYTES_MAX. */

static const void *message_unpack(const void *descriptor, const uint8_t *bytes, size_t bytes_count,
                                  struct arena *arena)
{
    if (bytes_count > WIRE_MESSAGE_BYTES_MAX) {
        return NULL;
    }
    enum schema_fault fault;
    const char *where = "";
    return schema_unpack(descriptor, bytes, bytes_count, arena, &fault, &where);
}

static bool fits(const char *text, size_t bytes_max)
{
    return strnlen(text, bytes_max + 1) <= bytes_max;
}

static bool item_read(ProtobufCBinaryData from, uint8_t out[ITEM_ID_BYTES])
{
    if (from.len != ITEM_ID_BYTES) {
        return false;
    }
    memcpy(out, from.data, ITEM_ID_BYTES);
    return true;
}

bool wire_hello_decode(const uint8_t *bytes, size_t n, struct arena *arena, struct wire_hello *out)
{
    const Triage__V1__Hello *message =
        message_unpack(&triage__v1__hello__descriptor, bytes, n, arena);
    if (message == NULL || !fits(message->stream, WIRE_STREAM_BYTES_MAX) ||
        !fits(message->software, RECORD_TEXT_BYTES_MAX)) {
        return false;
    }
    out->protocol = message->protocol;
    out->stream = message->stream;
    out->software = message->software;
    return true;
}

bool wire_welcome_decode(const uint8_t *bytes, size_t n, struct arena *arena,
                         struct wire_welcome *out)
{
    const Triage__V1__Welcome *message =
        message_unpack(&triage__v1__welcome__descriptor, bytes, n, arena);
    if (message == NULL || !fits(message->publisher, WIRE_PUBLISHER_BYTES_MAX)) {
        return false;
    }
    out->protocol = message->protocol;
    out->next_sequence = message->next_sequence;
    out->credit_records = message->credit_records;
    out->credit_bytes = message->credit_bytes;
    out->record_bytes_max = message->record_bytes_max;
    out->image_bytes_max = message->image_bytes_max;
    out->records_per_message_max = message->records_per_message_max;
    out->publisher = message->publisher;
    return true;
}

/* A refusal outside the range that it rides in would let the publisher drop a record that was never
 * answered. */
static bool refusals_read(const Triage__V1__Ack *from, struct wire_ack *out)
{
    for (size_t i = 0; i < from->n_refused; i++) {
        const Triage__V1__Refusal *refusal = from->refused[i];
        if (refusal->sequence < from->first_sequence ||
            refusal->sequence - from->first_sequence >= from->n_entry_index ||
            refusal->code == REFUSAL_NONE || !fits(refusal->name, RECORD_TEXT_BYTES_MAX) ||
            !fits(refusal->reason, RECORD_TEXT_BYTES_MAX)) {
            return false;
        }
        out->refused[i].sequence = refusal->sequence;
        out->refused[i].entry_index = refusal->entry_index;
        out->refused[i].code =
            refusal->code < REFUSAL_COUNT ? (enum refusal)refusal->code : REFUSAL_COUNT;
        out->refused[i].reason = refusal->reason;
    }
    out->refused_count = (uint32_t)from->n_refused;
    return true;
}

bool wire_ack_decode(const uint8_t *bytes, size_t n, struct arena *arena, struct wire_ack *out)
{
    const Triage__V1__Ack *message = message_unpack(&triage__v1__ack__descriptor, bytes, n, arena);
    if (message == NULL || message->first_sequence == 0 || message->n_entry_index == 0 ||
        message->n_entry_index > WIRE_RECORDS_MAX || message->n_refused > WIRE_RECORDS_MAX ||
        message->first_sequence > UINT64_MAX - message->n_entry_index ||
        !refusals_read(message, out)) {
        return false;
    }
    out->first_sequence = message->first_sequence;
    out->count = (uint32_t)message->n_entry_index;
    memcpy(out->entry_index, message->entry_index, out->count * sizeof out->entry_index[0]);
    out->duplicate = message->duplicate != 0;
    return true;
}

bool wire_resend_decode(const uint8_t *bytes, size_t n, struct arena *arena,
                        uint64_t *next_sequence)
{
    const Triage__V1__Resend *message =
        message_unpack(&triage__v1__resend__descriptor, bytes, n, arena);
    if (message == NULL || message->next_sequence == 0) {
        return false;
    }
    *next_sequence = message->next_sequence;
    return true;
}

bool wire_bye_decode(const uint8_t *bytes, size_t n, struct arena *arena, struct wire_bye *out)
{
    const Triage__V1__Bye *message = message_unpack(&triage__v1__bye__descriptor, bytes, n, arena);
    if (message == NULL || !fits(message->name, RECORD_TEXT_BYTES_MAX) ||
        !fits(message->reason, RECORD_TEXT_BYTES_MAX)) {
        return false;
    }
    /* A code of a later version still is a good-bye: its reason says more than we know. */
    out->code = message->code <= BYE_CREDIT ? (enum bye)message->code : BYE_NONE;
    out->reason = message->reason;
    return true;
}

static bool reasons_read(const Triage__V1__Verdict *from, struct wire_verdict *out)
{
    for (size_t i = 0; i < from->n_reasons; i++) {
        const Triage__V1__Reason *reason = from->reasons[i];
        if (!isfinite(reason->logit) || !fits(reason->name, RECORD_NAME_BYTES_MAX) ||
            !fits(reason->words, RECORD_TEXT_BYTES_MAX)) {
            return false;
        }
        out->reasons[i].name = reason->name;
        out->reasons[i].logit = reason->logit;
        out->reasons[i].words = reason->words;
    }
    out->reasons_count = (uint32_t)from->n_reasons;
    return true;
}

static bool verdict_check(const Triage__V1__Verdict *from)
{
    int64_t mode = (int64_t)from->mode;
    return mode >= 0 && mode < MODE_COUNT && from->n_reasons <= ENTRY_REASONS_MAX &&
           fits(from->label, RECORD_TEXT_BYTES_MAX) && fits(from->site, RECORD_NAME_BYTES_MAX) &&
           fits(from->lane, RECORD_NAME_BYTES_MAX) && fits(from->decision, RECORD_NAME_BYTES_MAX) &&
           fits(from->arm, RECORD_NAME_BYTES_MAX) && isfinite(from->probability) &&
           isfinite(from->propensity) && isfinite(from->priority);
}

bool wire_verdict_decode(const uint8_t *bytes, size_t n, struct arena *arena,
                         struct wire_verdict *out)
{
    const Triage__V1__Verdict *message =
        message_unpack(&triage__v1__verdict__descriptor, bytes, n, arena);
    if (message == NULL || !verdict_check(message) || !item_read(message->item, out->item) ||
        !reasons_read(message, out)) {
        return false;
    }
    out->label = message->label;
    out->mode = (enum mode)message->mode;
    out->site = message->site;
    out->lane = message->lane;
    out->decision = message->decision;
    out->arm = message->arm;
    out->probability = message->probability;
    out->propensity = message->propensity;
    out->priority = message->priority;
    out->entry_index = message->entry_index;
    out->t_ns = message->t_ns;
    return true;
}

static bool outcome_read(const Triage__V1__OutcomeCommand *from, struct wire_command *out)
{
    if (!fits(from->exam_level, RECORD_NAME_BYTES_MAX) ||
        !fits(from->result, RECORD_NAME_BYTES_MAX) ||
        !fits(from->seizure_class, RECORD_NAME_BYTES_MAX) ||
        !fits(from->unit, RECORD_NAME_BYTES_MAX) || !fits(from->again, RECORD_NAME_BYTES_MAX) ||
        !fits(from->code, RECORD_NAME_BYTES_MAX) || !isfinite(from->quantity) ||
        from->quantity < 0.0) {
        return false;
    }
    struct entry_outcome *outcome = &out->outcome;
    outcome->exam_level = from->exam_level;
    outcome->result = from->result;
    outcome->seizure_class = from->seizure_class;
    outcome->quantity = from->quantity;
    outcome->unit = from->unit;
    outcome->again = from->again;
    outcome->code = from->code;
    outcome->has_region = from->region_width > 0 && from->region_height > 0;
    if (outcome->has_region) {
        outcome->image_index = from->image_index;
        outcome->region_x = from->region_x;
        outcome->region_y = from->region_y;
        outcome->region_width = from->region_width;
        outcome->region_height = from->region_height;
    }
    return item_read(from->item, out->item);
}

struct reveal_fields { /* what reveal and redact have in common */
    size_t entries_count;
    const uint64_t *entries;
    size_t names_count;
    char *const *names;
    const char *sentence;
};

static bool reveal_read(const struct reveal_fields *from, struct wire_command *out)
{
    if (from->entries_count == 0 || from->entries_count > ENTRY_INDICES_MAX ||
        from->names_count > ENTRY_NAMES_MAX || from->sentence[0] == '\0' ||
        !fits(from->sentence, WIRE_SENTENCE_BYTES_MAX)) {
        return false;
    }
    for (size_t i = 0; i < from->entries_count; i++) {
        out->entries[i] = from->entries[i];
    }
    for (size_t i = 0; i < from->names_count; i++) {
        if (from->names[i][0] == '\0' || !fits(from->names[i], RECORD_NAME_BYTES_MAX)) {
            return false;
        }
        out->names[i] = from->names[i];
    }
    out->entries_count = (uint32_t)from->entries_count;
    out->names_count = (uint32_t)from->names_count;
    out->sentence = from->sentence;
    return true;
}

static bool operation_read(const Triage__V1__OperationCommand *from, struct entry_operation *out)
{
    if (from->mode >= MODE_COUNT || !fits(from->name, RECORD_NAME_BYTES_MAX) ||
        !fits(from->step, RECORD_NAME_BYTES_MAX) || !fits(from->site, RECORD_NAME_BYTES_MAX) ||
        !fits(from->lane, RECORD_NAME_BYTES_MAX) || !fits(from->metric, RECORD_NAME_BYTES_MAX) ||
        !fits(from->comparator, RECORD_NAME_BYTES_MAX) ||
        !fits(from->hypothesis, RECORD_TEXT_BYTES_MAX) ||
        !fits(from->stop_rule, RECORD_TEXT_BYTES_MAX) ||
        !fits(from->reason, RECORD_TEXT_BYTES_MAX)) {
        return false;
    }
    *out = (struct entry_operation){.name = from->name,
                                    .step = from->step,
                                    .mode = (enum mode)from->mode,
                                    .site = from->site,
                                    .lane = from->lane,
                                    .from_ns = from->from_ns,
                                    .to_ns = from->to_ns,
                                    .hypothesis = from->hypothesis,
                                    .metric = from->metric,
                                    .comparator = from->comparator,
                                    .stop_rule = from->stop_rule,
                                    .reason = from->reason};
    return true;
}

/* What oversight and operators order about the log, payloads, policy and operations. */
static bool house_order_read(const Triage__V1__Command *from, struct wire_command *out)
{
    switch (from->order_case) {
    case TRIAGE__V1__COMMAND__ORDER_PRUNE:
        out->order = ORDER_PRUNE;
        out->sentence = from->prune->reason;
        out->prune_below = from->prune->below;
        out->dry_run = from->prune->dry_run;
        return fits(out->sentence, RECORD_TEXT_BYTES_MAX);
    case TRIAGE__V1__COMMAND__ORDER_HOLD:
        out->order = ORDER_HOLD;
        out->sentence = from->hold->reason;
        out->hold_placed = from->hold->placed;
        out->hold_all = from->hold->item.len == 0;
        return fits(out->sentence, RECORD_TEXT_BYTES_MAX) &&
               (out->hold_all || item_read(from->hold->item, out->item));
    case TRIAGE__V1__COMMAND__ORDER_POLICY:
        out->order = ORDER_POLICY;
        out->sentence = from->policy->reason;
        return fits(out->sentence, RECORD_TEXT_BYTES_MAX);
    case TRIAGE__V1__COMMAND__ORDER_REFER:
        out->order = ORDER_REFER;
        out->sentence = from->refer->reason;
        return fits(out->sentence, RECORD_TEXT_BYTES_MAX) &&
               item_read(from->refer->item, out->item);
    case TRIAGE__V1__COMMAND__ORDER_OPERATION:
        out->order = ORDER_OPERATION;
        return operation_read(from->operation, &out->operation);
    default:
        return false;
    }
}

/* One step at a time: an order that says two is none. */
static bool model_read(const Triage__V1__ModelCommand *from, struct wire_command *out)
{
    out->order = ORDER_MODEL;
    out->file = from->file;
    out->sentence = from->reason;
    out->figures = from->figures;
    out->model_step = from->shadow     ? MODEL_SHADOW
                      : from->promote  ? MODEL_PROMOTE
                      : from->withdraw ? MODEL_WITHDRAW
                                       : MODEL_INSTALL;
    return (from->shadow != 0) + (from->promote != 0) + (from->withdraw != 0) <= 1 &&
           fits(out->file, RECORD_TEXT_BYTES_MAX) && fits(out->sentence, RECORD_TEXT_BYTES_MAX) &&
           fits(out->figures, WIRE_FIGURES_BYTES_MAX);
}

static bool order_read(const Triage__V1__Command *from, struct wire_command *out)
{
    switch (from->order_case) {
    case TRIAGE__V1__COMMAND__ORDER_CLAIM:
        out->order = ORDER_CLAIM;
        return item_read(from->claim->item, out->item);
    case TRIAGE__V1__COMMAND__ORDER_RELEASE:
        out->order = ORDER_RELEASE;
        out->code = from->release->code;
        return fits(out->code, RECORD_NAME_BYTES_MAX) && item_read(from->release->item, out->item);
    case TRIAGE__V1__COMMAND__ORDER_OUTCOME:
        out->order = ORDER_OUTCOME;
        return outcome_read(from->outcome, out);
    case TRIAGE__V1__COMMAND__ORDER_MODEL:
        return model_read(from->model, out);
    case TRIAGE__V1__COMMAND__ORDER_HEALTH:
        out->order = ORDER_HEALTH;
        return true;
    case TRIAGE__V1__COMMAND__ORDER_CHECKPOINT:
        out->order = ORDER_CHECKPOINT;
        return true;
    case TRIAGE__V1__COMMAND__ORDER_ARCHIVE:
        out->order = ORDER_ARCHIVE;
        return true;
    case TRIAGE__V1__COMMAND__ORDER_CLOSE:
        out->order = ORDER_CLOSE;
        out->close_reason = from->close->reason;
        return fits(out->close_reason, RECORD_TEXT_BYTES_MAX);
    case TRIAGE__V1__COMMAND__ORDER_REVEAL:
        out->order = ORDER_REVEAL;
        return reveal_read(&(struct reveal_fields){from->reveal->n_entry_index,
                                                   from->reveal->entry_index, from->reveal->n_names,
                                                   from->reveal->names, from->reveal->purpose},
                           out);
    case TRIAGE__V1__COMMAND__ORDER_REDACT:
        out->order = ORDER_REDACT;
        return reveal_read(&(struct reveal_fields){from->redact->n_entry_index,
                                                   from->redact->entry_index, from->redact->n_names,
                                                   from->redact->names, from->redact->legal_basis},
                           out);
    case TRIAGE__V1__COMMAND__ORDER_COSIGN:
        out->order = ORDER_COSIGN;
        out->cosignatures = from->cosign->lines;
        out->cosigned_size = from->cosign->size;
        return fits(out->cosignatures, WIRE_COSIGNATURES_BYTES_MAX);
    default:
        return house_order_read(from, out);
    }
}

bool wire_command_decode(const uint8_t *bytes, size_t n, struct arena *arena,
                         struct wire_command *out)
{
    const Triage__V1__Command *message =
        message_unpack(&triage__v1__command__descriptor, bytes, n, arena);
    if (message == NULL || message->request_id[0] == '\0' ||
        !fits(message->request_id, WIRE_REQUEST_ID_BYTES_MAX) ||
        !fits(message->actor, RECORD_NAME_BYTES_MAX)) {
        return false;
    }
    struct wire_command command = {
        .request_id = message->request_id,
        .actor = message->actor,
        .expected_version = message->expected_version,
        .code = "",
        .file = "",
        .close_reason = "",
        .sentence = "",
        .figures = "",
        .cosignatures = "",
        .outcome = {.exam_level = "",
                    .result = "",
                    .seizure_class = "",
                    .unit = "",
                    .again = "",
                    .code = ""},
    };
    command.outcome.request_id = message->request_id;
    if (!order_read(message, &command)) {
        return false;
    }
    *out = command;
    return true;
}

bool wire_answer_decode(const uint8_t *bytes, size_t n, struct arena *arena,
                        struct wire_answer *out)
{
    const Triage__V1__CommandAnswer *message =
        message_unpack(&triage__v1__command_answer__descriptor, bytes, n, arena);
    if (message == NULL || !fits(message->request_id, WIRE_REQUEST_ID_BYTES_MAX) ||
        !fits(message->name, RECORD_NAME_BYTES_MAX) ||
        !fits(message->reason, RECORD_TEXT_BYTES_MAX) ||
        !fits(message->json, WIRE_JSON_BYTES_MAX) || message->n_revealed > WIRE_REVEALED_MAX) {
        return false;
    }
    out->revealed_count = (uint32_t)message->n_revealed;
    for (uint32_t i = 0; i < out->revealed_count; i++) {
        out->revealed[i] = (struct wire_revealed){message->revealed[i]->entry_index,
                                                  message->revealed[i]->disclosure.data,
                                                  (uint32_t)message->revealed[i]->disclosure.len};
    }
    out->request_id = message->request_id;
    out->done = message->done != 0;
    out->name = message->name;
    out->reason = message->reason;
    out->entry_index = message->entry_index;
    out->json = message->json;
    return true;
}
