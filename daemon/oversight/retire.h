/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RETIRE_H
#define RETIRE_H

/* Retire: takes segments out of the write-ahead log when nobody needs them there any more: the
 * entries are in the public log, the private records go into a pack. And makes a pack anew without
 * what was redacted.
 *
 * Order: the bundles are held against the segment, the pack becomes durable and is read back, then
 * wal/removed, then the segment goes. May stop at any line and be done again. One thread; blocks on
 * disk; allocates. The caller has made sure that every consumer of the log is past the segment. */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "oversight/oversight.h"

/* What may be kept of an entry's private record, written to out (PACK_RECORD_BYTES_MAX bytes);
 * *out_bytes 0 for nothing. bytes of the entry are NULL when it was pruned. Borrows all for the
 * call. */
typedef struct err (*retire_keep)(void *arg, const struct wal_entry *entry, uint8_t *out,
                                  uint32_t *out_bytes);

struct retire_segment {
    uint64_t first_index;
    uint64_t end_index;   /* first entry of the segment behind it; UINT64_MAX: it is the last one */
    uint64_t next_number; /* of the segment behind it */
    int64_t ended_ns;     /* when that one began, UTC */
};

/* The oldest segment. *found false when there is none. */
MUST_USE struct err retire_oldest(const char *wal_directory, struct retire_segment *out,
                                  bool *found);
/* First entry of the first segment that begins at `least` or behind it. */
MUST_USE struct err retire_boundary(const char *wal_directory, uint64_t least,
                                    uint64_t *first_index, bool *found);
/* Errors: TILE_DIFFERS (the bundles do not hold these entries), WAL_DAMAGED, IO, DISK_FULL, MEMORY,
 * those of keep. */
MUST_USE struct err retire_segment(const struct wal_places *places,
                                   const struct retire_segment *segment, retire_keep keep,
                                   void *arg);
/* Segments below wal/removed that a crash left; then what lies there is as it should be. */
MUST_USE struct err retire_leftovers(const char *wal_directory);
/* Saved torn tails that the log has told of, from before this time. */
MUST_USE struct err retire_torn(const char *wal_directory, int64_t before_ns);

/* Hold the kept record of this entry against `keep`; when it holds more, its pack is made anew, all
 * its records held against keep. Nothing happens when no pack holds the entry. */
MUST_USE struct err retire_redact(const struct wal_places *places, uint64_t entry_index,
                                  retire_keep keep, void *arg, bool *changed);

#endif
