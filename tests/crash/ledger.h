/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEDGER_H
#define LEDGER_H

/* Ledger: what the log has promised, kept outside of it, and the comparison of the log with that.
 *
 * What must hold after every restart: a draft that came back is at its index with its bytes and its
 * private record; nothing is there that was not submitted, or twice; the drafts of one submitter
 * stand in their order without a hole; what one start has shown, no later start takes back. */

#include <stdbool.h>
#include <stdint.h>

#include "oversight/oversight.h"

#define LEDGER_NO_PRIVATE UINT32_MAX
#define LEDGER_LOG_ITSELF UINT64_MAX

struct ledger_row {
    uint32_t rest_bytes;
    uint32_t private_count; /* or LEDGER_NO_PRIVATE */
    uint32_t submitter;     /* a number of its own in every life */
    bool answered;
    uint64_t entry_index; /* valid with answered, or once found */
    bool found;           /* by the present check */
    int64_t t_ns;
};

/* An entry that the log has shown after a start, or that came back. */
struct ledger_entry {
    uint64_t row; /* LEDGER_LOG_ITSELF: log.open, wal.recovered */
    uint8_t leaf[HASH_BYTES];
};

/* A signed checkpoint that anybody may have seen. */
struct ledger_checkpoint {
    uint64_t size;
    uint8_t root[HASH_BYTES];
};

struct ledger {
    struct ledger_row *rows;
    uint32_t rows_count;
    uint32_t rows_capacity;
    struct ledger_entry *entries; /* of the newest check that began with a start */
    uint32_t entries_count;
    uint32_t entries_capacity;
    struct ledger_checkpoint *seen;
    uint32_t seen_count;
    uint32_t seen_capacity;
};

void ledger_init(struct ledger *self);
void ledger_fini(struct ledger *self);
void ledger_copy(struct ledger *self, const struct ledger *from);

/* A new draft; private_buffer takes private_count bytes and lives as long as the draft. Returns its
 * row. */
uint64_t ledger_submit(struct ledger *self, const struct ledger_row *shape,
                       struct oversight_draft *draft, uint8_t *private_buffer);
void ledger_answer(struct ledger *self, uint64_t row, uint64_t entry_index, int64_t t_ns);
void ledger_saw(struct ledger *self, uint64_t size, const uint8_t root[HASH_BYTES]);

/* Read the whole log with the product's reader and compare. `size`: how many entries the log says
 * that it has. Entries below `retired` come from the public log and the packs, which keep no digest
 * and no empty private record. With may_break the reader may stop with an error (true is returned
 * then), but never quietly. Everything read is promised from now on. */
bool ledger_check(struct ledger *self, const struct wal_places *places, uint64_t retired,
                  uint64_t size, bool may_break);

/* RFC 6962 section 2.1, word for word, over the entries' leaves. */
void ledger_root(const uint8_t (*leaves)[HASH_BYTES], uint64_t count, uint8_t out[HASH_BYTES]);

#endif
