/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_VERIFY_LOG_MAKER_H
#define TESTS_VERIFY_LOG_MAKER_H

/* Log maker: writes the public files of a log (key, bundles, tiles, checkpoints) from a range of
 * entries, by the text of the format alone and without the daemon's log. Aborts on any failure. */

#include "proto/sign.h"
#include "range.h"

struct log_maker {
    char directory[256]; /* the shard */
    const char *origin;
    struct sign_key key;
    uint8_t leaves[RANGE_ENTRIES_MAX][HASH_BYTES];
    uint8_t subtrees[RANGE_ENTRIES_MAX / 256][HASH_BYTES];
};

void log_maker_init(struct log_maker *self, const char *directory, const char *origin,
                    uint8_t key_seed);
/* What the log publishes when it has `size` entries; `range` starts at entry 0. Earlier partial
 * files stay. */
void log_maker_publish(struct log_maker *self, const struct range *range, uint64_t size);
/* Signed by this maker's key. */
void log_maker_write_checkpoint(const struct log_maker *self, const char *name, uint64_t size,
                                const uint8_t root[HASH_BYTES]);
void log_maker_root(const struct log_maker *self, uint64_t size, uint8_t root[HASH_BYTES]);

#endif
