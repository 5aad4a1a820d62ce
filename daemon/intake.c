/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/counter.h"
#include "base/diag.h"
#include "base/random.h"
#include "pipeline_parts.h"
#include "proto/checkdigit.h"
#include "proto/disclosure.h"

/* Rows 2 and 3 of the life of a scan. What is wrong with a record is found here, before anything of
 * it is called received; a record that is refused is an entry all the same, so that a publisher's
 * count and ours can be compared. */

static enum refusal intake_refuse(struct arrival *arrival, enum refusal refusal, const char *where)
{
    arrival->refusal = refusal;
    arrival->refusal_where = where;
    return refusal;
}

/* The images that the record speaks of must be the parts that came with it. */
static enum refusal intake_match_images(struct arrival *arrival, const struct scan *scan)
{
    if (arrival->images_count != scan->images_count) {
        return intake_refuse(arrival, REFUSAL_IMAGE_TRUNCATED, "images: parts missing or too many");
    }
    for (uint32_t i = 0; i < scan->images_count; i++) {
        if (arrival->images_bytes[i] != scan->images[i].payload_bytes) {
            return intake_refuse(arrival, REFUSAL_IMAGE_TRUNCATED,
                                 "images: payload is not as long as it claims");
        }
    }
    return REFUSAL_NONE;
}

/* Keep what was refused, for a person to look at; within the quarantine's bound. */
static struct err intake_quarantine(struct pipeline *self, const struct arrival *arrival,
                                    const uint8_t record_key[HASH_BYTES])
{
    bool kept;
    struct err err =
        blob_quarantine(self->blobs, arrival->body, arrival->body_bytes, record_key, &kept);
    for (uint32_t i = 0; !err_is(err) && i < arrival->images_count; i++) {
        uint8_t digest[HASH_BYTES];
        sha256_of(arrival->images[i], (size_t)arrival->images_bytes[i], digest);
        err = blob_quarantine(self->blobs, arrival->images[i], arrival->images_bytes[i], digest,
                              &kept);
    }
    /* The quarantine is no evidence: that it is full stops nothing, only a disk that fails does. */
    return err_is(err) && err_class_of(err) == ERR_CLASS_HALT ? err : err_none;
}

static struct err intake_put_images(struct pipeline *self, struct arrival *arrival,
                                    const struct scan *scan)
{
    for (uint32_t i = 0; i < scan->images_count; i++) {
        uint8_t digest[HASH_BYTES];
        bool stored;
        struct err err = blob_put(self->blobs, arrival->images[i], arrival->images_bytes[i],
                                  scan->images[i].sha256, digest, &stored);
        if (err_is(err)) {
            return err;
        }
        if (!stored) {
            (void)intake_refuse(arrival, REFUSAL_DIGEST_MISMATCH,
                                "images: pixels do not have their digest");
            return err_none;
        }
        counter_add(COUNTER_blobs_written, 1);
        counter_add(COUNTER_blob_bytes, arrival->images_bytes[i]);
    }
    return err_none;
}

/* A record is decoded once: what it holds lies in the arena until its draft is made. */
union intake_record {
    struct scan scan;
    struct declaration declaration;
};

static struct err intake_scan(struct pipeline *self, struct arrival *arrival,
                              const uint8_t record_key[HASH_BYTES], struct scan *scan)
{
    const char *where = NULL;
    enum refusal refusal =
        scan_decode(arrival->body, arrival->body_bytes, &self->intake_arena, scan, &where);
    if (refusal != REFUSAL_NONE) {
        (void)intake_refuse(arrival, refusal, where);
        return err_none;
    }
    if (intake_match_images(arrival, scan) != REFUSAL_NONE) {
        return err_none;
    }
    /* Before its payloads lie in blobs/: the log would never name them there, and nothing remove.
     */
    if (recent_has(self->recent, record_key)) {
        (void)intake_refuse(arrival, REFUSAL_DUPLICATE, "record");
        return err_none;
    }
    return intake_put_images(self, arrival, scan);
}

static void intake_declaration(struct pipeline *self, struct arrival *arrival,
                               struct declaration *declaration)
{
    const char *where = NULL;
    enum refusal refusal = declaration_decode(arrival->body, arrival->body_bytes,
                                              &self->intake_arena, declaration, &where);
    if (refusal == REFUSAL_NONE && arrival->images_count > 0) {
        refusal = REFUSAL_MALFORMED;
        where = "a declaration carries no images";
    }
    if (refusal != REFUSAL_NONE) {
        (void)intake_refuse(arrival, refusal, where);
    }
}

static void intake_draft_refused(const struct arrival *arrival,
                                 const uint8_t record_key[HASH_BYTES], struct entry *entry)
{
    struct entry_refused *refused = &entry->body.refused;
    entry->type = ENTRY_RECORD_REFUSED;
    refused->publisher = arrival->publisher;
    refused->stream = arrival->stream;
    refused->sequence = arrival->sequence;
    refused->code = (uint32_t)arrival->refusal;
    refused->name = refusal_name(arrival->refusal);
    refused->reason = arrival->refusal_where != NULL ? arrival->refusal_where
                                                     : refusal_sentence(arrival->refusal);
    memcpy(refused->record_sha256, record_key, HASH_BYTES);
    refused->record_bytes = arrival->body_bytes;
    refused->quarantined = arrival->refusal != REFUSAL_DUPLICATE;
}

/* Pseudonym of a key under its scheme's name: joins entries without telling a plate. */
static void intake_pseudonym(const struct pipeline *self, enum key_scheme scheme, const char *key,
                             char *out)
{
    char normal[RECORD_KEY_BYTES_MAX + RECORD_ID_BYTES_MAX + 1];
    bool fits = key_normalise(key, normal, sizeof normal);
    pseudonym_of(self->keys.pseudonym, key_scheme_text(scheme), fits ? normal : key, out);
}

struct intake_words { /* what the entry's strings point to until it is encoded */
    char record_id[PSEUDONYM_BYTES];
    char item_key[PSEUDONYM_BYTES];
    const char *plain_item_key;  /* what these two stand for */
    const char *plain_record_id; /* NULL: the id is public */
};

static void intake_draft_scan(struct pipeline *self, const struct scan *scan,
                              struct intake_words *words, struct entry_received *received)
{
    enum key_scheme scheme;
    const char *key = scan_join_key(scan, &scheme);
    intake_pseudonym(self, scheme, key, words->item_key);
    received->item_key = words->item_key;
    words->plain_item_key = key;
    words->plain_record_id = NULL;
    received->mode = scan->mode;
    received->site = scan->site;
    received->lane = scan->lane;
    received->record_id = scan->scan_id;
    received->scanner = scan->scanner;
    received->scanner_type = scan->scanner_type;
    received->acquired_ns = scan->acquired_ns;
    received->images_count = scan->images_count;
    for (uint32_t i = 0; i < scan->images_count; i++) {
        const struct image *image = &scan->images[i];
        struct entry_image *out = &received->images[i];
        *out = (struct entry_image){.width = image->width,
                                    .height = image->height,
                                    .bits = image->bits,
                                    .meaning = image->meaning,
                                    .energy = image->energy,
                                    .view = image->view,
                                    .payload_bytes = image->payload_bytes};
        memcpy(out->sha256, image->sha256, HASH_BYTES);
    }
}

static void intake_draft_declaration(struct pipeline *self, const struct declaration *declaration,
                                     struct intake_words *words, struct entry_received *received)
{
    enum key_scheme scheme;
    const char *key = declaration_join_key(declaration, &scheme);
    intake_pseudonym(self, scheme, key, words->item_key);
    received->item_key = words->item_key;
    words->plain_item_key = key;
    words->plain_record_id = declaration->declaration_id;
    pseudonym_of(self->keys.pseudonym, "declaration", declaration->declaration_id,
                 words->record_id);
    received->mode = declaration->mode;
    received->site = declaration->site;
    received->lane = declaration->lane;
    received->record_id = words->record_id;
}

/* One short disclosure behind the record, its digest into the entry. */
static void intake_disclose_word(const char *name, const char *value, struct entry *entry,
                                 struct oversight_draft *draft)
{
    uint8_t salt[DISCLOSURE_SALT_BYTES];
    random_salt(salt, sizeof salt);
    uint8_t *at = draft->private_tail + draft->private_tail_bytes;
    size_t framed = disclosure_write(salt, name, value, strlen(value), at,
                                     sizeof draft->private_tail - draft->private_tail_bytes);
    must(framed > 0); /* decoding bounded the value; the tail has room for two of the longest */
    sha256_of(at + DISCLOSURE_FRAME_BYTES, framed - DISCLOSURE_FRAME_BYTES,
              entry->sd[entry->sd_count++]);
    draft->private_tail_bytes += (uint32_t)framed;
}

/* The entry carries digests of salted disclosures; what they stand for rides beside it. The record
 * is hashed and written from where it was received. */
static void intake_disclose(struct pipeline *self, const struct arrival *arrival,
                            const struct intake_words *words, struct entry *entry,
                            struct oversight_draft *draft)
{
    uint8_t salt[DISCLOSURE_SALT_BYTES];
    random_salt(salt, sizeof salt);
    size_t head_bytes =
        disclosure_head(salt, DISCLOSURE_RECORD, arrival->body_bytes, draft->private_head);
    sha256_reset(self->intake_sha256);
    sha256_add(self->intake_sha256, draft->private_head + DISCLOSURE_FRAME_BYTES,
               head_bytes - DISCLOSURE_FRAME_BYTES);
    sha256_add(self->intake_sha256, arrival->body, arrival->body_bytes);
    sha256_finish(self->intake_sha256, entry->sd[0]);
    entry->sd_count = 1;
    draft->private_head_bytes = (uint32_t)head_bytes;
    draft->private_bytes = arrival->body;
    draft->private_count = arrival->body_bytes;
    draft->private_tail_bytes = 0;
    memcpy(draft->private_sha256, arrival->digest, HASH_BYTES);
    intake_disclose_word(DISCLOSURE_ITEM_KEY, words->plain_item_key, entry, draft);
    if (words->plain_record_id != NULL) {
        intake_disclose_word(DISCLOSURE_RECORD_ID, words->plain_record_id, entry, draft);
    }
}

static void intake_draft(struct pipeline *self, struct arrival *arrival,
                         const uint8_t record_key[HASH_BYTES], const union intake_record *record)
{
    struct entry entry;
    struct intake_words words;
    struct oversight_draft *draft = &arrival->draft;
    draft->private_bytes = NULL;
    pipeline_entry(&entry, ENTRY_DECLARATION_RECEIVED);
    if (arrival->refusal != REFUSAL_NONE) {
        intake_draft_refused(arrival, record_key, &entry);
        diag_info(record_refused, "publisher=%s stream=%s sequence=%llu reason=%s field=\"%s\"",
                  arrival->publisher, arrival->stream, (unsigned long long)arrival->sequence,
                  refusal_name(arrival->refusal),
                  arrival->refusal_where != NULL ? arrival->refusal_where : "");
    } else {
        struct entry_received *received = &entry.body.received;
        received->publisher = arrival->publisher;
        received->stream = arrival->stream;
        received->sequence = arrival->sequence;
        received->record_bytes = arrival->body_bytes;
        if (arrival->kind == RECORD_SCAN) {
            entry.type = ENTRY_SCAN_RECEIVED;
            intake_draft_scan(self, &record->scan, &words, received);
        } else {
            intake_draft_declaration(self, &record->declaration, &words, received);
        }
        intake_disclose(self, arrival, &words, &entry, draft);
    }
    size_t rest_bytes = entry_encode_rest(&entry, draft->rest, sizeof draft->rest);
    must(rest_bytes > 0); /* our own entries always fit */
    draft->rest_bytes = (uint32_t)rest_bytes;
    draft->done = self->done;
    draft->owner = arrival;
}

struct err intake_take(struct pipeline *self, struct arrival *arrival)
{
    struct err err = err_none;
    union intake_record record;
    uint8_t record_key[HASH_BYTES];
    arena_reset(&self->intake_arena);
    arrival->refusal = REFUSAL_NONE;
    arrival->refusal_where = NULL;
    sha256_of(arrival->body, arrival->body_bytes, arrival->digest);
    record_key_of(self->keys.pseudonym, arrival->digest, record_key);
    if (arrival->body_bytes > RECORD_BODY_BYTES_MAX) {
        (void)intake_refuse(arrival, REFUSAL_TOO_LARGE, "body");
    } else if (!arrival->has_digest || !hash_equal(arrival->digest, arrival->digest_claimed)) {
        (void)intake_refuse(arrival, REFUSAL_DIGEST_MISMATCH, "body does not have its digest");
    } else if (arrival->kind == RECORD_DECLARATION) {
        intake_declaration(self, arrival, &record.declaration);
    } else if (arrival->kind == RECORD_SCAN) {
        err = intake_scan(self, arrival, record_key, &record.scan);
    } else {
        (void)intake_refuse(arrival, REFUSAL_UNKNOWN_KIND, "kind");
    }
    if (!err_is(err) && arrival->refusal == REFUSAL_NONE && !recent_add(self->recent, record_key)) {
        (void)intake_refuse(arrival, REFUSAL_DUPLICATE, "record");
    }
    if (!err_is(err) && arrival->refusal != REFUSAL_NONE && arrival->refusal != REFUSAL_DUPLICATE) {
        err = intake_quarantine(self, arrival, record_key);
    }
    if (!err_is(err)) {
        intake_draft(self, arrival, record_key, &record);
    }
    return err;
}
