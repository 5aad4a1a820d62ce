/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/wire.h"

#include <string.h>

#include "proto/schema.h"
#include "proto/triage.pb-c.h"

/* Generated structs on the stack, packed once. What exceeds a bound of wire.h encodes to nothing.
 */

static size_t message_pack(const void *message, uint8_t *out, size_t out_capacity)
{
    size_t limit = out_capacity < WIRE_MESSAGE_BYTES_MAX ? out_capacity : WIRE_MESSAGE_BYTES_MAX;
    return schema_pack(message, out, limit);
}

size_t wire_hello_encode(const struct wire_hello *hello, uint8_t *out, size_t out_capacity)
{
    Triage__V1__Hello message;
    triage__v1__hello__init(&message);
    message.protocol = hello->protocol;
    message.stream = schema_text(hello->stream);
    message.software = schema_text(hello->software);
    return message_pack(&message, out, out_capacity);
}

size_t wire_welcome_encode(const struct wire_welcome *welcome, uint8_t *out, size_t out_capacity)
{
    Triage__V1__Welcome message;
    triage__v1__welcome__init(&message);
    message.protocol = welcome->protocol;
    message.next_sequence = welcome->next_sequence;
    message.credit_records = welcome->credit_records;
    message.credit_bytes = welcome->credit_bytes;
    message.record_bytes_max = welcome->record_bytes_max;
    message.image_bytes_max = welcome->image_bytes_max;
    message.records_per_message_max = welcome->records_per_message_max;
    message.publisher = schema_text(welcome->publisher);
    return message_pack(&message, out, out_capacity);
}

size_t wire_ack_encode(const struct wire_ack *ack, uint8_t *out, size_t out_capacity)
{
    if (ack->count > WIRE_RECORDS_MAX || ack->refused_count > WIRE_RECORDS_MAX) {
        return 0;
    }
    Triage__V1__Ack message;
    triage__v1__ack__init(&message);
    Triage__V1__Refusal refused[WIRE_RECORDS_MAX];
    Triage__V1__Refusal *refused_list[WIRE_RECORDS_MAX];
    uint64_t
        entry_index[WIRE_RECORDS_MAX]; /* the generated struct wants memory that it may write */
    for (uint32_t i = 0; i < ack->count; i++) {
        entry_index[i] = ack->entry_index[i];
    }
    for (uint32_t i = 0; i < ack->refused_count; i++) {
        triage__v1__refusal__init(&refused[i]);
        refused[i].sequence = ack->refused[i].sequence;
        refused[i].entry_index = ack->refused[i].entry_index;
        refused[i].code = (uint32_t)ack->refused[i].code;
        refused[i].name = schema_text(refusal_name(ack->refused[i].code));
        refused[i].reason = schema_text(ack->refused[i].reason);
        refused_list[i] = &refused[i];
    }
    message.first_sequence = ack->first_sequence;
    message.n_entry_index = ack->count;
    message.entry_index = entry_index;
    message.n_refused = ack->refused_count;
    message.refused = refused_list;
    message.duplicate = ack->duplicate;
    return message_pack(&message, out, out_capacity);
}

size_t wire_resend_encode(uint64_t next_sequence, uint8_t *out, size_t out_capacity)
{
    Triage__V1__Resend message;
    triage__v1__resend__init(&message);
    message.next_sequence = next_sequence;
    return message_pack(&message, out, out_capacity);
}

size_t wire_bye_encode(const struct wire_bye *bye, uint8_t *out, size_t out_capacity)
{
    Triage__V1__Bye message;
    triage__v1__bye__init(&message);
    message.code = (uint32_t)bye->code;
    message.name = schema_text(bye_name(bye->code));
    message.reason = schema_text(bye->reason);
    return message_pack(&message, out, out_capacity);
}

size_t wire_verdict_encode(const struct wire_verdict *verdict, uint8_t *out, size_t out_capacity)
{
    if (verdict->reasons_count > ENTRY_REASONS_MAX) {
        return 0;
    }
    Triage__V1__Verdict message;
    triage__v1__verdict__init(&message);
    Triage__V1__Reason reasons[ENTRY_REASONS_MAX];
    Triage__V1__Reason *reason_list[ENTRY_REASONS_MAX];
    for (uint32_t i = 0; i < verdict->reasons_count; i++) {
        triage__v1__reason__init(&reasons[i]);
        reasons[i].name = schema_text(verdict->reasons[i].name);
        reasons[i].logit = verdict->reasons[i].logit;
        reasons[i].words = schema_text(verdict->reasons[i].words);
        reason_list[i] = &reasons[i];
    }
    message.item.data = schema_bytes(verdict->item);
    message.item.len = ITEM_ID_BYTES;
    message.label = schema_text(verdict->label);
    message.mode = (Triage__V1__Mode)verdict->mode;
    message.site = schema_text(verdict->site);
    message.lane = schema_text(verdict->lane);
    message.decision = schema_text(verdict->decision);
    message.arm = schema_text(verdict->arm);
    message.probability = verdict->probability;
    message.propensity = verdict->propensity;
    message.priority = verdict->priority;
    message.n_reasons = verdict->reasons_count;
    message.reasons = reason_list;
    message.entry_index = verdict->entry_index;
    message.t_ns = verdict->t_ns;
    return message_pack(&message, out, out_capacity);
}

union order_slots {
    Triage__V1__CosignCommand cosign;
    Triage__V1__PruneCommand prune;
    Triage__V1__HoldCommand hold;
    Triage__V1__PolicyCommand policy;
    Triage__V1__ReferCommand refer;
    Triage__V1__OperationCommand operation;
    Triage__V1__ClaimCommand claim;
    Triage__V1__ReleaseCommand release;
    Triage__V1__OutcomeCommand outcome;
    Triage__V1__ModelCommand model;
    Triage__V1__HealthCommand health;
    Triage__V1__CheckpointCommand checkpoint;
    Triage__V1__ArchiveCommand archive;
    Triage__V1__CloseCommand close;
    struct {
        union {
            Triage__V1__RevealCommand reveal;
            Triage__V1__RedactCommand redact;
        } message;
        uint64_t entries[ENTRY_INDICES_MAX];
        char *names[ENTRY_NAMES_MAX];
    } disclosed;
};

static void outcome_fill(const struct wire_command *command, Triage__V1__OutcomeCommand *to)
{
    const struct entry_outcome *outcome = &command->outcome;
    triage__v1__outcome_command__init(to);
    to->item.data = schema_bytes(command->item);
    to->item.len = ITEM_ID_BYTES;
    to->exam_level = schema_text(outcome->exam_level);
    to->result = schema_text(outcome->result);
    to->seizure_class = schema_text(outcome->seizure_class);
    to->quantity = outcome->quantity;
    to->unit = schema_text(outcome->unit);
    to->again = schema_text(outcome->again);
    to->code = schema_text(outcome->code);
    if (outcome->has_region) {
        to->image_index = outcome->image_index;
        to->region_x = outcome->region_x;
        to->region_y = outcome->region_y;
        to->region_width = outcome->region_width;
        to->region_height = outcome->region_height;
    }
}

static void operation_fill(const struct entry_operation *from, Triage__V1__OperationCommand *to)
{
    triage__v1__operation_command__init(to);
    to->name = schema_text(from->name);
    to->step = schema_text(from->step);
    to->mode = (uint32_t)from->mode;
    to->site = schema_text(from->site);
    to->lane = schema_text(from->lane);
    to->from_ns = from->from_ns;
    to->to_ns = from->to_ns;
    to->hypothesis = schema_text(from->hypothesis);
    to->metric = schema_text(from->metric);
    to->comparator = schema_text(from->comparator);
    to->stop_rule = schema_text(from->stop_rule);
    to->reason = schema_text(from->reason);
}

static bool reveal_fill(const struct wire_command *command, union order_slots *slots,
                        Triage__V1__Command *message)
{
    if (command->entries_count > ENTRY_INDICES_MAX || command->names_count > ENTRY_NAMES_MAX) {
        return false;
    }
    memcpy(slots->disclosed.entries, command->entries,
           command->entries_count * sizeof command->entries[0]);
    for (uint32_t i = 0; i < command->names_count; i++) {
        slots->disclosed.names[i] = schema_text(command->names[i]);
    }
    if (command->order == ORDER_REVEAL) {
        Triage__V1__RevealCommand *to = &slots->disclosed.message.reveal;
        triage__v1__reveal_command__init(to);
        to->n_entry_index = command->entries_count;
        to->entry_index = slots->disclosed.entries;
        to->n_names = command->names_count;
        to->names = slots->disclosed.names;
        to->purpose = schema_text(command->sentence);
        message->order_case = TRIAGE__V1__COMMAND__ORDER_REVEAL;
        message->reveal = to;
        return true;
    }
    Triage__V1__RedactCommand *to = &slots->disclosed.message.redact;
    triage__v1__redact_command__init(to);
    to->n_entry_index = command->entries_count;
    to->entry_index = slots->disclosed.entries;
    to->n_names = command->names_count;
    to->names = slots->disclosed.names;
    to->legal_basis = schema_text(command->sentence);
    message->order_case = TRIAGE__V1__COMMAND__ORDER_REDACT;
    message->redact = to;
    return true;
}

/* Orders about the log and what is kept. */
static bool keeping_fill(const struct wire_command *command, union order_slots *slots,
                         Triage__V1__Command *message)
{
    switch (command->order) {
    case ORDER_CLOSE:
        triage__v1__close_command__init(&slots->close);
        slots->close.reason = schema_text(command->close_reason);
        message->order_case = TRIAGE__V1__COMMAND__ORDER_CLOSE;
        message->close = &slots->close;
        return true;
    case ORDER_COSIGN:
        triage__v1__cosign_command__init(&slots->cosign);
        slots->cosign.size = command->cosigned_size;
        slots->cosign.lines = schema_text(command->cosignatures);
        message->order_case = TRIAGE__V1__COMMAND__ORDER_COSIGN;
        message->cosign = &slots->cosign;
        return true;
    case ORDER_PRUNE:
        triage__v1__prune_command__init(&slots->prune);
        slots->prune.below = command->prune_below;
        slots->prune.reason = schema_text(command->sentence);
        slots->prune.dry_run = command->dry_run;
        message->order_case = TRIAGE__V1__COMMAND__ORDER_PRUNE;
        message->prune = &slots->prune;
        return true;
    case ORDER_HOLD:
        triage__v1__hold_command__init(&slots->hold);
        slots->hold.item.data = schema_bytes(command->item);
        slots->hold.item.len = command->hold_all ? 0 : ITEM_ID_BYTES;
        slots->hold.reason = schema_text(command->sentence);
        slots->hold.placed = command->hold_placed;
        message->order_case = TRIAGE__V1__COMMAND__ORDER_HOLD;
        message->hold = &slots->hold;
        return true;
    case ORDER_POLICY:
        triage__v1__policy_command__init(&slots->policy);
        slots->policy.reason = schema_text(command->sentence);
        message->order_case = TRIAGE__V1__COMMAND__ORDER_POLICY;
        message->policy = &slots->policy;
        return true;
    case ORDER_REFER:
        triage__v1__refer_command__init(&slots->refer);
        slots->refer.item.data = schema_bytes(command->item);
        slots->refer.item.len = ITEM_ID_BYTES;
        slots->refer.reason = schema_text(command->sentence);
        message->order_case = TRIAGE__V1__COMMAND__ORDER_REFER;
        message->refer = &slots->refer;
        return true;
    case ORDER_OPERATION:
        operation_fill(&command->operation, &slots->operation);
        message->order_case = TRIAGE__V1__COMMAND__ORDER_OPERATION;
        message->operation = &slots->operation;
        return true;
    default:
        return false;
    }
}

static bool order_fill(const struct wire_command *command, union order_slots *slots,
                       Triage__V1__Command *message)
{
    switch (command->order) {
    case ORDER_CLAIM:
        triage__v1__claim_command__init(&slots->claim);
        slots->claim.item.data = schema_bytes(command->item);
        slots->claim.item.len = ITEM_ID_BYTES;
        message->order_case = TRIAGE__V1__COMMAND__ORDER_CLAIM;
        message->claim = &slots->claim;
        return true;
    case ORDER_RELEASE:
        triage__v1__release_command__init(&slots->release);
        slots->release.item.data = schema_bytes(command->item);
        slots->release.item.len = ITEM_ID_BYTES;
        slots->release.code = schema_text(command->code);
        message->order_case = TRIAGE__V1__COMMAND__ORDER_RELEASE;
        message->release = &slots->release;
        return true;
    case ORDER_OUTCOME:
        outcome_fill(command, &slots->outcome);
        message->order_case = TRIAGE__V1__COMMAND__ORDER_OUTCOME;
        message->outcome = &slots->outcome;
        return true;
    case ORDER_MODEL:
        triage__v1__model_command__init(&slots->model);
        slots->model.file = schema_text(command->file);
        slots->model.shadow = command->model_step == MODEL_SHADOW;
        slots->model.promote = command->model_step == MODEL_PROMOTE;
        slots->model.withdraw = command->model_step == MODEL_WITHDRAW;
        slots->model.reason = schema_text(command->sentence);
        slots->model.figures = schema_text(command->figures);
        message->order_case = TRIAGE__V1__COMMAND__ORDER_MODEL;
        message->model = &slots->model;
        return true;
    case ORDER_HEALTH:
        triage__v1__health_command__init(&slots->health);
        message->order_case = TRIAGE__V1__COMMAND__ORDER_HEALTH;
        message->health = &slots->health;
        return true;
    case ORDER_CHECKPOINT:
        triage__v1__checkpoint_command__init(&slots->checkpoint);
        message->order_case = TRIAGE__V1__COMMAND__ORDER_CHECKPOINT;
        message->checkpoint = &slots->checkpoint;
        return true;
    case ORDER_ARCHIVE:
        triage__v1__archive_command__init(&slots->archive);
        message->order_case = TRIAGE__V1__COMMAND__ORDER_ARCHIVE;
        message->archive = &slots->archive;
        return true;
    case ORDER_REVEAL:
    case ORDER_REDACT:
        return reveal_fill(command, slots, message);
    case ORDER_CLOSE:
    case ORDER_COSIGN:
    case ORDER_PRUNE:
    case ORDER_HOLD:
    case ORDER_POLICY:
    case ORDER_REFER:
    case ORDER_OPERATION:
        return keeping_fill(command, slots, message);
    case ORDER_NONE:
        break;
    }
    return false;
}

size_t wire_command_encode(const struct wire_command *command, uint8_t *out, size_t out_capacity)
{
    Triage__V1__Command message;
    triage__v1__command__init(&message);
    union order_slots slots;
    if (!order_fill(command, &slots, &message)) {
        return 0;
    }
    message.request_id = schema_text(command->request_id);
    message.actor = schema_text(command->actor);
    message.expected_version = command->expected_version;
    return message_pack(&message, out, out_capacity);
}

size_t wire_answer_encode(const struct wire_answer *answer, uint8_t *out, size_t out_capacity)
{
    Triage__V1__CommandAnswer message;
    triage__v1__command_answer__init(&message);
    message.request_id = schema_text(answer->request_id);
    message.done = answer->done;
    message.name = schema_text(answer->name);
    message.reason = schema_text(answer->reason);
    message.entry_index = answer->entry_index;
    message.json = schema_text(answer->json);
    Triage__V1__Revealed revealed[WIRE_REVEALED_MAX];
    Triage__V1__Revealed *revealed_list[WIRE_REVEALED_MAX];
    if (answer->revealed_count > WIRE_REVEALED_MAX) {
        return 0;
    }
    for (uint32_t i = 0; i < answer->revealed_count; i++) {
        triage__v1__revealed__init(&revealed[i]);
        revealed[i].entry_index = answer->revealed[i].entry_index;
        revealed[i].disclosure.data = schema_bytes(answer->revealed[i].disclosure);
        revealed[i].disclosure.len = answer->revealed[i].disclosure_bytes;
        revealed_list[i] = &revealed[i];
    }
    message.n_revealed = answer->revealed_count;
    message.revealed = revealed_list;
    return message_pack(&message, out, out_capacity);
}
