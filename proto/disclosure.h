/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROTO_DISCLOSURE_H
#define PROTO_DISCLOSURE_H

/* Disclosure: what a digest in Entry.sd stands for: salt, name, value (oversight.proto), encoded
 * once, hashed as encoded, kept beside the log and never in it.
 *
 * A private record is a run of frames, each a u32 little-endian length and one encoded message.
 * Reading takes what is written here and nothing else: the three fields once each, in their order,
 * the value last. Pure; any thread; views live as long as the bytes they were read from. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/entry.h"

#define DISCLOSURE_FRAME_BYTES 4u
#define DISCLOSURE_SALT_BYTES 16u
#define DISCLOSURE_SALT_BYTES_MAX 64u
#define DISCLOSURE_NAME_BYTES_MAX 32u
#define DISCLOSURE_BYTES_MAX 131072u /* encoded */
/* All that disclosure_head writes: frame, salt, name, and tag and length of the value. */
#define DISCLOSURE_HEAD_BYTES_MAX \
    (DISCLOSURE_FRAME_BYTES + 2 + DISCLOSURE_SALT_BYTES + 2 + DISCLOSURE_NAME_BYTES_MAX + 4)

/* Names that received entries disclose, in this order. */
#define DISCLOSURE_RECORD "record"       /* the encoded Declaration or Scan */
#define DISCLOSURE_ITEM_KEY "item_key"   /* the key that joins it, as the publisher wrote it */
#define DISCLOSURE_RECORD_ID "record_id" /* declaration_id; not for scans, whose id is public */

struct disclosure {
    const uint8_t *encoded; /* what the digest covers */
    uint32_t encoded_bytes;
    const uint8_t *salt;
    uint32_t salt_bytes;
    char name[DISCLOSURE_NAME_BYTES_MAX + 1];
    const uint8_t *value;
    uint32_t value_bytes;
};

/* Writes everything of a framed disclosure that stands in front of its value, so that a large value
 * need not be copied. Returns its length; the digest covers all but the first
 * DISCLOSURE_FRAME_BYTES of it, then the value. The name is one of ours: 1 to
 * DISCLOSURE_NAME_BYTES_MAX letters, digits and underscores. */
size_t disclosure_head(const uint8_t salt[DISCLOSURE_SALT_BYTES], const char *name,
                       size_t value_bytes, uint8_t out[DISCLOSURE_HEAD_BYTES_MAX]);
/* The whole of it, framed, behind one another; 0 when it does not fit. */
size_t disclosure_write(const uint8_t salt[DISCLOSURE_SALT_BYTES], const char *name,
                        const void *value, size_t value_bytes, uint8_t *out, size_t out_capacity);

/* One encoded message without its frame. */
bool disclosure_parse(const uint8_t *encoded, size_t encoded_bytes, struct disclosure *out);

/* A walk over a private record. */
struct disclosure_walk {
    const uint8_t *at;
    size_t left;
    bool broken; /* it ended because a frame is not one */
};
void disclosure_walk_open(const uint8_t *bytes, size_t bytes_count, struct disclosure_walk *out);
bool disclosure_next(struct disclosure_walk *self, struct disclosure *out);

void disclosure_digest(const struct disclosure *disclosure, uint8_t out[HASH_BYTES]);
/* The disclosure of this name; false when it is not there or the record is broken before it. */
bool disclosure_find(const uint8_t *bytes, size_t bytes_count, const char *name,
                     struct disclosure *out);

/* The encoded Declaration or Scan of a received entry, from the private record beside it: as it
 * stands in logs from before there were digests, else the disclosure "record". False when it was
 * redacted or never there. The digest is not looked at. */
bool received_record(const struct entry *entry, const uint8_t *private_bytes,
                     uint32_t private_count, const uint8_t **record, uint32_t *record_bytes);

enum received_fault {
    RECEIVED_GOOD,
    RECEIVED_BROKEN, /* the private record is no run of disclosures */
    RECEIVED_DIFFERS /* its digest is not among those of the entry */
};
/* Is this private record, or what was left of it, the one that the entry speaks of? */
enum received_fault received_check(const struct entry *entry, const uint8_t *private_bytes,
                                   uint32_t private_count);

#endif
