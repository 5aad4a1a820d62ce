/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/entry_json.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char *or_dash(const char *text)
{
    return text == NULL || text[0] == '\0' ? "-" : text;
}

static void received_words(const struct entry_received *received, char *out, size_t out_bytes)
{
    (void)snprintf(out, out_bytes, "%s/%s %" PRIu64 ": %s, %s %s/%s, %" PRIu64 " B, %u images",
                   or_dash(received->publisher), or_dash(received->stream), received->sequence,
                   or_dash(received->record_id), mode_text(received->mode), or_dash(received->site),
                   or_dash(received->lane), received->record_bytes, received->images_count);
}

static void shadow_words(const struct entry_shadow_score *shadow, char *out, size_t out_bytes)
{
    const char *why = shadow->score.unscorable;
    if (why != NULL && why[0] != '\0') {
        (void)snprintf(out, out_bytes, "in shadow of %s: no score: %s", or_dash(shadow->place),
                       why);
    } else {
        (void)snprintf(out, out_bytes, "in shadow of %s: probability %.4f, used for nothing",
                       or_dash(shadow->place), shadow->score.probability);
    }
}

static const char *model_end(const struct entry_model_change *change)
{
    return change->removed ? "taken away: " : change->promoted ? "out of shadow: " : "";
}

static void decision_words(const struct entry_decision *decision, char *out, size_t out_bytes)
{
    (void)snprintf(out, out_bytes, "%s (%s), probability %.4f, propensity %.4f, %s, %s %s/%s",
                   or_dash(decision->decision), or_dash(decision->arm), decision->probability,
                   decision->propensity, or_dash(decision->label), mode_text(decision->mode),
                   or_dash(decision->site), or_dash(decision->lane));
}

static void item_words(const struct entry *entry, char *out, size_t out_bytes)
{
    if (entry->type == ENTRY_SCORE) {
        const struct entry_score *score = &entry->body.score;
        if (score->unscorable != NULL && score->unscorable[0] != '\0') {
            (void)snprintf(out, out_bytes, "no score: %s", score->unscorable);
        } else {
            (void)snprintf(out, out_bytes, "probability %.4f from %u parts", score->probability,
                           score->contributions_count);
        }
    } else if (entry->type == ENTRY_SHADOW_SCORE) {
        shadow_words(&entry->body.shadow_score, out, out_bytes);
    } else if (entry->type == ENTRY_REFERRAL_DECISION) {
        decision_words(&entry->body.decision, out, out_bytes);
    } else if (entry->type == ENTRY_OFFICER_ACTION) {
        const struct entry_officer_action *action = &entry->body.officer_action;
        (void)snprintf(out, out_bytes, "%s %s by %s: now %s, version %" PRIu64,
                       or_dash(action->action), action->code == NULL ? "" : action->code,
                       or_dash(entry->actor), or_dash(action->to_state), action->version);
    } else {
        const struct entry_outcome *outcome = &entry->body.outcome;
        char why[96] = "";
        if (outcome->corrects != 0) {
            (void)snprintf(why, sizeof why, "correction (%.32s) of entry %" PRIu64 ": ",
                           or_dash(outcome->code), outcome->corrects);
        } else if (outcome->again != NULL && outcome->again[0] != '\0') {
            (void)snprintf(why, sizeof why, "second exam: ");
        }
        (void)snprintf(out, out_bytes, "%s%s exam by %s: %s %s", why, or_dash(outcome->exam_level),
                       or_dash(entry->actor), or_dash(outcome->result),
                       outcome->seizure_class == NULL ? "" : outcome->seizure_class);
    }
}

static void operation_words(const struct entry *entry, char *out, size_t out_bytes)
{
    const struct entry_operation *operation = &entry->body.operation;
    if (operation->step != NULL && strcmp(operation->step, "close") == 0) {
        (void)snprintf(out, out_bytes,
                       "%s closed by %s: %s; %" PRIu64 " of %" PRIu64 ", comparator %" PRIu64
                       " of %" PRIu64,
                       or_dash(operation->name), or_dash(entry->actor), or_dash(operation->reason),
                       operation->numerator, operation->denominator,
                       operation->comparator_numerator, operation->comparator_denominator);
    } else {
        (void)snprintf(out, out_bytes, "%s registered by %s: %s; %s against %s",
                       or_dash(operation->name), or_dash(entry->actor),
                       or_dash(operation->hypothesis), or_dash(operation->metric),
                       or_dash(operation->comparator));
    }
}

static void keeping_words(const struct entry *entry, char *out, size_t out_bytes)
{
    switch (entry->type) {
    case ENTRY_LOG_CLOSE:
        (void)snprintf(out, out_bytes, "%s; goes on in %s", or_dash(entry->body.log_close.reason),
                       or_dash(entry->body.log_close.next_origin));
        break;
    case ENTRY_KEY_ROTATE:
        (void)snprintf(out, out_bytes, "%s; from now on %s", or_dash(entry->body.key_rotate.reason),
                       or_dash(entry->body.key_rotate.new_vkey));
        break;
    case ENTRY_ACCESS:
        (void)snprintf(out, out_bytes, "%s looks at %u entries: %s", or_dash(entry->actor),
                       entry->body.access.entries_count, or_dash(entry->body.access.purpose));
        break;
    case ENTRY_BLOB_DISCARD:
        (void)snprintf(
            out, out_bytes, "%u payloads: %s; kept in %s", entry->body.blob_discard.blobs_count,
            or_dash(entry->body.blob_discard.reason), or_dash(entry->body.blob_discard.kept_in));
        break;
    case ENTRY_ARCHIVE_COPIED:
        (void)snprintf(out, out_bytes, "%s, %" PRIu64 " B, now also in %s%s",
                       or_dash(entry->body.archive_copied.path),
                       entry->body.archive_copied.file_bytes,
                       or_dash(entry->body.archive_copied.place),
                       entry->body.archive_copied.same_device ? " (the same device)" : "");
        break;
    case ENTRY_HOLD:
        (void)snprintf(out, out_bytes, "%s %s by %s: %s",
                       entry->has_item ? "payloads of the item" : "every payload",
                       entry->body.hold.placed ? "held" : "no longer held", or_dash(entry->actor),
                       or_dash(entry->body.hold.reason));
        break;
    case ENTRY_OPERATION:
        operation_words(entry, out, out_bytes);
        break;
    case ENTRY_REDACT:
        (void)snprintf(out, out_bytes, "%u disclosures of %u entries by %s: %s",
                       entry->body.redact.digests_count, entry->body.redact.entries_count,
                       or_dash(entry->actor), or_dash(entry->body.redact.legal_basis));
        break;
    case ENTRY_WITNESS_RECEIPT:
        (void)snprintf(out, out_bytes, "%s has cosigned size %" PRIu64,
                       or_dash(entry->body.witness_receipt.witness),
                       entry->body.witness_receipt.size);
        break;
    default:
        (void)snprintf(out, out_bytes, "a type of a later version");
        break;
    }
}

static void house_words(const struct entry *entry, char *out, size_t out_bytes)
{
    switch (entry->type) {
    case ENTRY_LOG_OPEN:
        (void)snprintf(out, out_bytes, "%s", or_dash(entry->body.log_open.origin));
        break;
    case ENTRY_CONFIG_CHANGE:
        (void)snprintf(out, out_bytes, "policy %s, scored by %s, %s",
                       or_dash(entry->body.config_change.policy_version),
                       or_dash(entry->body.config_change.build),
                       or_dash(entry->body.config_change.blas));
        break;
    case ENTRY_MODEL_CHANGE:
        (void)snprintf(out, out_bytes, "%s: %s%s", or_dash(entry->body.model_change.name),
                       model_end(&entry->body.model_change),
                       entry->body.model_change.removed || entry->body.model_change.promoted
                           ? or_dash(entry->body.model_change.reason)
                           : or_dash(entry->body.model_change.evaluation));
        break;
    case ENTRY_ARCHIVE_SEAL:
        (void)snprintf(out, out_bytes, "%s, entries %" PRIu64 " to %" PRIu64 ", %" PRIu64 " B",
                       or_dash(entry->body.archive_seal.path), entry->body.archive_seal.first_index,
                       entry->body.archive_seal.last_index, entry->body.archive_seal.file_bytes);
        break;
    case ENTRY_WAL_RECOVERED:
        (void)snprintf(out, out_bytes, "%" PRIu64 " unacknowledged bytes cut",
                       entry->body.wal_recovered.torn_bytes);
        break;
    case ENTRY_TIME_TICK:
        (void)snprintf(out, out_bytes,
                       "%" PRIu64 " scans, %" PRIu64 " declarations, %" PRIu64 " refused so far",
                       entry->body.time_tick.received_scans,
                       entry->body.time_tick.received_declarations, entry->body.time_tick.refused);
        break;
    case ENTRY_DRAW_COMMIT:
        (void)snprintf(out, out_bytes, "day %s", or_dash(entry->body.draw_commit.day));
        break;
    case ENTRY_DRAW_REVEAL:
        (void)snprintf(out, out_bytes, "day %s", or_dash(entry->body.draw_reveal.day));
        break;
    default:
        keeping_words(entry, out, out_bytes);
        break;
    }
}

void entry_words(const struct entry *entry, char *out, size_t out_bytes)
{
    switch (entry->type) {
    case ENTRY_SCAN_RECEIVED:
    case ENTRY_DECLARATION_RECEIVED:
        received_words(&entry->body.received, out, out_bytes);
        break;
    case ENTRY_RECORD_REFUSED:
        (void)snprintf(out, out_bytes, "%s/%s %" PRIu64 ": %s: %s",
                       or_dash(entry->body.refused.publisher), or_dash(entry->body.refused.stream),
                       entry->body.refused.sequence, or_dash(entry->body.refused.name),
                       or_dash(entry->body.refused.reason));
        break;
    case ENTRY_SCORE:
    case ENTRY_SHADOW_SCORE:
    case ENTRY_REFERRAL_DECISION:
    case ENTRY_OFFICER_ACTION:
    case ENTRY_OUTCOME:
        item_words(entry, out, out_bytes);
        break;
    default:
        house_words(entry, out, out_bytes);
        break;
    }
}
