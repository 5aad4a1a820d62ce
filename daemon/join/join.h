/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JOIN_H
#define JOIN_H

/* Join: scans and declarations that speak of the same thing become one item.
 *
 * The key is (mode, site, join key of record.h as its keyed pseudonym). An item is ready when all
 * that its mode's policy expects is there, or when its hold has run out. The item id is fixed by
 * the first record: first 16 bytes of SHA-256("triaged item v2\n" mode "\n" site "\n" key "\n" ||
 * record_key_of the first record). No salt goes in, so that nobody rolls it again; the port's key
 * does, so that nobody searches it for a plate. Decided items are remembered (bounded, oldest
 * forgotten) so that a late record is known to be late and does not become an item of its own.
 * Bodies are copied within a bound. One thread a handle. Time comes in as an argument. */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "decide/policy.h"
#include "proto/entry.h"

#define JOIN_PARTS_MAX 8u

struct join_conf {
    uint32_t items_max;      /* held at a time */
    uint64_t bytes_max;      /* of record bodies held */
    uint32_t remembered_max; /* decided items remembered */
};

/* One received record, as the log has it. */
struct join_record {
    enum record_kind kind;
    enum mode mode;
    const char *site;
    const char *lane;
    const char *key; /* pseudonym of the join key */
    uint64_t entry_index;
    uint8_t entry_id[ENTRY_ID_BYTES];
    uint8_t record_key[HASH_BYTES]; /* record_key_of */
    const uint8_t *body;            /* encoded Declaration or Scan; copied */
    uint32_t body_bytes;
    int64_t t_ns; /* UTC of the entry */
};

struct join_part {
    enum record_kind kind;
    uint64_t entry_index;
    uint8_t entry_id[ENTRY_ID_BYTES];
    uint8_t *body;
    uint32_t body_bytes;
};

struct join_item {
    uint8_t id[ITEM_ID_BYTES];
    enum mode mode;
    char site[65];
    char lane[65];
    char key[65];
    int64_t first_ns; /* of the first and the newest record, UTC */
    int64_t last_ns;
    int64_t deadline_ns;
    struct join_part parts[JOIN_PARTS_MAX];
    uint32_t parts_count;
    bool complete; /* all that is expected came; otherwise the hold ended by deadline or for want of
                      room */
};

enum join_result {
    JOIN_HELD, /* waits for more, or joined to an item that waits or is ready */
    JOIN_LATE, /* its item was decided already: *late_item tells which */
    JOIN_FULL /* no room: the oldest held items are ready now; take and release them, then add again
               */
};

struct join;

MUST_USE struct err join_open(const struct join_conf *conf, const struct policy *policy,
                              struct join **out);
void join_close(struct join **self);
/* A new policy; items that are held keep the deadline that they have. */
void join_set_policy(struct join *self, const struct policy *policy);
/* late_item: ITEM_ID_BYTES, written on JOIN_LATE. */
enum join_result join_add(struct join *self, const struct join_record *record, uint8_t *late_item);
/* Up to capacity items that are ready at now_ns, oldest first; they stay valid until join_release.
 */
uint32_t join_take_ready(struct join *self, int64_t now_ns, struct join_item **out,
                         uint32_t capacity);
/* An item that was taken and not decided stands first in line again. */
void join_put_back(struct join *self, struct join_item *item);
/* The item is decided: remember its key, free the rest. */
void join_release(struct join *self, struct join_item *item, int64_t decided_ns);
/* Restart: an item that the log has decided already. */
void join_remember(struct join *self, enum mode mode, const char *site, const char *key,
                   const uint8_t id[ITEM_ID_BYTES], int64_t decided_ns);
/* When the next hold ends; INT64_MAX when nothing waits. */
int64_t join_next_deadline_ns(struct join *self);
uint32_t join_held(struct join *self);
void join_item_id(enum mode mode, const char *site, const char *key,
                  const uint8_t record_key[HASH_BYTES], uint8_t out[ITEM_ID_BYTES]);

#endif
