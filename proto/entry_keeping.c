/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/entry_keeping.h"

#include <assert.h>
#include <string.h>

#include "proto/oversight.pb-c.h"
#include "proto/schema.h"

struct keeping {
    union {
        Triage__Oversight__V1__LogClose log_close;
        Triage__Oversight__V1__KeyRotate key_rotate;
        Triage__Oversight__V1__Access access;
        Triage__Oversight__V1__BlobDiscard blob_discard;
        Triage__Oversight__V1__ArchiveCopied archive_copied;
        Triage__Oversight__V1__Operation operation;
        Triage__Oversight__V1__Hold hold;
        Triage__Oversight__V1__Redact redact;
        Triage__Oversight__V1__WitnessReceipt witness_receipt;
    } message;
    ProtobufCBinaryData digests[ENTRY_DIGESTS_MAX];
    uint64_t indices[ENTRY_INDICES_MAX];
    char *names[ENTRY_NAMES_MAX];
};
static_assert(sizeof(struct keeping) <= KEEPING_SLOT_BYTES, "room for a body");
static_assert(_Alignof(struct keeping) <= 16, "alignment of a body");

static ProtobufCBinaryData digest_view(const uint8_t digest[HASH_BYTES])
{
    return (ProtobufCBinaryData){.len = HASH_BYTES, .data = schema_bytes(digest)};
}

static void digests_fill(const uint8_t (*from)[HASH_BYTES], uint32_t count, struct keeping *slots)
{
    for (uint32_t i = 0; i < count; i++) {
        slots->digests[i] = digest_view(from[i]);
    }
}

static bool access_fill(const struct entry_access *from, struct keeping *slots)
{
    if (from->entries_count > ENTRY_INDICES_MAX || from->names_count > ENTRY_NAMES_MAX) {
        return false;
    }
    Triage__Oversight__V1__Access *to = &slots->message.access;
    triage__oversight__v1__access__init(to);
    memcpy(slots->indices, from->entry_index, from->entries_count * sizeof slots->indices[0]);
    for (uint32_t i = 0; i < from->names_count; i++) {
        slots->names[i] = schema_text(from->names[i]);
    }
    to->purpose = schema_text(from->purpose);
    to->n_entry_index = from->entries_count;
    to->entry_index = slots->indices;
    to->n_names = from->names_count;
    to->names = slots->names;
    to->request_id = schema_text(from->request_id);
    return true;
}

static bool blob_discard_fill(const struct entry_blob_discard *from, struct keeping *slots)
{
    if (from->blobs_count > ENTRY_DIGESTS_MAX) {
        return false;
    }
    Triage__Oversight__V1__BlobDiscard *to = &slots->message.blob_discard;
    triage__oversight__v1__blob_discard__init(to);
    digests_fill(from->sha256, from->blobs_count, slots);
    to->n_sha256 = from->blobs_count;
    to->sha256 = slots->digests;
    to->reason = schema_text(from->reason);
    to->kept_in = schema_text(from->kept_in);
    return true;
}

static void archive_copied_fill(const struct entry_archive_copied *from,
                                Triage__Oversight__V1__ArchiveCopied *to)
{
    triage__oversight__v1__archive_copied__init(to);
    to->path = schema_text(from->path);
    to->file_bytes = from->file_bytes;
    to->sha256 = digest_view(from->sha256);
    to->place = schema_text(from->place);
    to->same_device = from->same_device;
}

static void hold_fill(const struct entry_hold *from, Triage__Oversight__V1__Hold *to)
{
    triage__oversight__v1__hold__init(to);
    to->placed = from->placed;
    to->reason = schema_text(from->reason);
    to->request_id = schema_text(from->request_id);
}

static void operation_fill(const struct entry_operation *from, Triage__Oversight__V1__Operation *to)
{
    triage__oversight__v1__operation__init(to);
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
    to->numerator = from->numerator;
    to->denominator = from->denominator;
    to->comparator_numerator = from->comparator_numerator;
    to->comparator_denominator = from->comparator_denominator;
    to->request_id = schema_text(from->request_id);
}

static enum entry_fault operation_read(const Triage__Oversight__V1__Operation *from,
                                       struct entry_operation *out)
{
    if (from->mode >= MODE_COUNT) {
        return ENTRY_BODY_MISMATCH;
    }
    *out = (struct entry_operation){
        .name = from->name,
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
        .reason = from->reason,
        .numerator = from->numerator,
        .denominator = from->denominator,
        .comparator_numerator = from->comparator_numerator,
        .comparator_denominator = from->comparator_denominator,
        .request_id = from->request_id,
    };
    return ENTRY_GOOD;
}

static bool redact_fill(const struct entry_redact *from, struct keeping *slots)
{
    if (from->entries_count > ENTRY_INDICES_MAX || from->digests_count > ENTRY_DIGESTS_MAX) {
        return false;
    }
    Triage__Oversight__V1__Redact *to = &slots->message.redact;
    triage__oversight__v1__redact__init(to);
    memcpy(slots->indices, from->entry_index, from->entries_count * sizeof slots->indices[0]);
    digests_fill(from->digests, from->digests_count, slots);
    to->n_entry_index = from->entries_count;
    to->entry_index = slots->indices;
    to->n_digest = from->digests_count;
    to->digest = slots->digests;
    to->legal_basis = schema_text(from->legal_basis);
    to->request_id = schema_text(from->request_id);
    return true;
}

static void log_close_fill(const struct entry_log_close *from, Triage__Oversight__V1__LogClose *to)
{
    triage__oversight__v1__log_close__init(to);
    to->reason = schema_text(from->reason);
    to->next_origin = schema_text(from->next_origin);
}

static void key_rotate_fill(const struct entry_key_rotate *from,
                            Triage__Oversight__V1__KeyRotate *to)
{
    triage__oversight__v1__key_rotate__init(to);
    to->old_vkey = schema_text(from->old_vkey);
    to->new_vkey = schema_text(from->new_vkey);
    to->reason = schema_text(from->reason);
}

static void witness_receipt_fill(const struct entry_witness_receipt *from,
                                 Triage__Oversight__V1__WitnessReceipt *to)
{
    triage__oversight__v1__witness_receipt__init(to);
    to->witness = schema_text(from->witness);
    to->size = from->size;
    to->root = digest_view(from->root);
    to->line = schema_text(from->line);
}

int keeping_body_case(enum entry_type type)
{
    switch (type) {
    case ENTRY_LOG_CLOSE:
        return TRIAGE__OVERSIGHT__V1__ENTRY__BODY_LOG_CLOSE;
    case ENTRY_KEY_ROTATE:
        return TRIAGE__OVERSIGHT__V1__ENTRY__BODY_KEY_ROTATE;
    case ENTRY_ACCESS:
        return TRIAGE__OVERSIGHT__V1__ENTRY__BODY_ACCESS;
    case ENTRY_BLOB_DISCARD:
        return TRIAGE__OVERSIGHT__V1__ENTRY__BODY_BLOB_DISCARD;
    case ENTRY_ARCHIVE_COPIED:
        return TRIAGE__OVERSIGHT__V1__ENTRY__BODY_ARCHIVE_COPIED;
    case ENTRY_HOLD:
        return TRIAGE__OVERSIGHT__V1__ENTRY__BODY_HOLD;
    case ENTRY_OPERATION:
        return TRIAGE__OVERSIGHT__V1__ENTRY__BODY_OPERATION;
    case ENTRY_REDACT:
        return TRIAGE__OVERSIGHT__V1__ENTRY__BODY_REDACT;
    case ENTRY_WITNESS_RECEIPT:
        return TRIAGE__OVERSIGHT__V1__ENTRY__BODY_WITNESS_RECEIPT;
    default:
        return TRIAGE__OVERSIGHT__V1__ENTRY__BODY__NOT_SET;
    }
}

bool keeping_fill(const struct entry *entry, struct keeping_slots *memory, void *generated)
{
    struct keeping *slots = (struct keeping *)(void *)memory;
    Triage__Oversight__V1__Entry *message = generated;
    message->body_case = (Triage__Oversight__V1__Entry__BodyCase)keeping_body_case(entry->type);
    switch (entry->type) {
    case ENTRY_LOG_CLOSE:
        log_close_fill(&entry->body.log_close, &slots->message.log_close);
        message->log_close = &slots->message.log_close;
        return true;
    case ENTRY_KEY_ROTATE:
        key_rotate_fill(&entry->body.key_rotate, &slots->message.key_rotate);
        message->key_rotate = &slots->message.key_rotate;
        return true;
    case ENTRY_ACCESS:
        message->access = &slots->message.access;
        return access_fill(&entry->body.access, slots);
    case ENTRY_BLOB_DISCARD:
        message->blob_discard = &slots->message.blob_discard;
        return blob_discard_fill(&entry->body.blob_discard, slots);
    case ENTRY_ARCHIVE_COPIED:
        archive_copied_fill(&entry->body.archive_copied, &slots->message.archive_copied);
        message->archive_copied = &slots->message.archive_copied;
        return true;
    case ENTRY_HOLD:
        hold_fill(&entry->body.hold, &slots->message.hold);
        message->hold = &slots->message.hold;
        return true;
    case ENTRY_OPERATION:
        operation_fill(&entry->body.operation, &slots->message.operation);
        message->operation = &slots->message.operation;
        return true;
    case ENTRY_REDACT:
        message->redact = &slots->message.redact;
        return redact_fill(&entry->body.redact, slots);
    case ENTRY_WITNESS_RECEIPT:
        witness_receipt_fill(&entry->body.witness_receipt, &slots->message.witness_receipt);
        message->witness_receipt = &slots->message.witness_receipt;
        return true;
    default:
        return false;
    }
}

/* ---- reading ---- */

/* Digests lie one after another in the arena, so that the value is an array and not a list. */
static enum entry_fault digests_read(const ProtobufCBinaryData *from, size_t count,
                                     struct arena *arena, const uint8_t (**out)[HASH_BYTES])
{
    if (count > ENTRY_DIGESTS_MAX) {
        return ENTRY_TOO_LONG;
    }
    uint8_t(*digests)[HASH_BYTES] = arena_take(arena, count * HASH_BYTES);
    if (digests == NULL) {
        return ENTRY_TOO_LONG;
    }
    for (size_t i = 0; i < count; i++) {
        if (from[i].len != HASH_BYTES) {
            return ENTRY_BODY_MISMATCH;
        }
        memcpy(digests[i], from[i].data, HASH_BYTES);
    }
    *out = (const uint8_t(*)[HASH_BYTES])digests;
    return ENTRY_GOOD;
}

static enum entry_fault access_read(const Triage__Oversight__V1__Access *from,
                                    struct entry_access *out)
{
    if (from->n_entry_index > ENTRY_INDICES_MAX || from->n_names > ENTRY_NAMES_MAX) {
        return ENTRY_TOO_LONG;
    }
    out->purpose = from->purpose;
    for (size_t i = 0; i < from->n_entry_index; i++) {
        out->entry_index[i] = from->entry_index[i];
    }
    out->entries_count = (uint32_t)from->n_entry_index;
    for (size_t i = 0; i < from->n_names; i++) {
        out->names[i] = from->names[i];
    }
    out->names_count = (uint32_t)from->n_names;
    out->request_id = from->request_id;
    return ENTRY_GOOD;
}

static enum entry_fault blob_discard_read(const Triage__Oversight__V1__BlobDiscard *from,
                                          struct arena *arena, struct entry_blob_discard *out)
{
    out->blobs_count = (uint32_t)from->n_sha256;
    out->reason = from->reason;
    out->kept_in = from->kept_in;
    return digests_read(from->sha256, from->n_sha256, arena, &out->sha256);
}

static enum entry_fault archive_copied_read(const Triage__Oversight__V1__ArchiveCopied *from,
                                            struct entry_archive_copied *out)
{
    if (from->sha256.len != HASH_BYTES) {
        return ENTRY_BODY_MISMATCH;
    }
    out->path = from->path;
    out->file_bytes = from->file_bytes;
    memcpy(out->sha256, from->sha256.data, HASH_BYTES);
    out->place = from->place;
    out->same_device = from->same_device;
    return ENTRY_GOOD;
}

static enum entry_fault redact_read(const Triage__Oversight__V1__Redact *from, struct arena *arena,
                                    struct entry_redact *out)
{
    if (from->n_entry_index > ENTRY_INDICES_MAX) {
        return ENTRY_TOO_LONG;
    }
    for (size_t i = 0; i < from->n_entry_index; i++) {
        out->entry_index[i] = from->entry_index[i];
    }
    out->entries_count = (uint32_t)from->n_entry_index;
    out->digests_count = (uint32_t)from->n_digest;
    out->legal_basis = from->legal_basis;
    out->request_id = from->request_id;
    return digests_read(from->digest, from->n_digest, arena, &out->digests);
}

static enum entry_fault witness_receipt_read(const Triage__Oversight__V1__WitnessReceipt *from,
                                             struct entry_witness_receipt *out)
{
    if (from->root.len != HASH_BYTES) {
        return ENTRY_BODY_MISMATCH;
    }
    out->witness = from->witness;
    out->size = from->size;
    memcpy(out->root, from->root.data, HASH_BYTES);
    out->line = from->line;
    return ENTRY_GOOD;
}

enum entry_fault keeping_read(const void *message, struct arena *arena, struct entry *out)
{
    const Triage__Oversight__V1__Entry *from = message;
    switch (out->type) {
    case ENTRY_LOG_CLOSE:
        out->body.log_close = (struct entry_log_close){.reason = from->log_close->reason,
                                                       .next_origin = from->log_close->next_origin};
        return ENTRY_GOOD;
    case ENTRY_KEY_ROTATE:
        out->body.key_rotate = (struct entry_key_rotate){.old_vkey = from->key_rotate->old_vkey,
                                                         .new_vkey = from->key_rotate->new_vkey,
                                                         .reason = from->key_rotate->reason};
        return ENTRY_GOOD;
    case ENTRY_ACCESS:
        return access_read(from->access, &out->body.access);
    case ENTRY_BLOB_DISCARD:
        return blob_discard_read(from->blob_discard, arena, &out->body.blob_discard);
    case ENTRY_ARCHIVE_COPIED:
        return archive_copied_read(from->archive_copied, &out->body.archive_copied);
    case ENTRY_HOLD:
        out->body.hold = (struct entry_hold){.placed = from->hold->placed,
                                             .reason = from->hold->reason,
                                             .request_id = from->hold->request_id};
        return ENTRY_GOOD;
    case ENTRY_OPERATION:
        return operation_read(from->operation, &out->body.operation);
    case ENTRY_REDACT:
        return redact_read(from->redact, arena, &out->body.redact);
    case ENTRY_WITNESS_RECEIPT:
        return witness_receipt_read(from->witness_receipt, &out->body.witness_receipt);
    default:
        return ENTRY_BODY_MISMATCH;
    }
}
