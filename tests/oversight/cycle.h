/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_OVERSIGHT_CYCLE_H
#define TESTS_OVERSIGHT_CYCLE_H

/* Cycle: a small program that lives the log's life through oversight.h alone, and tells on standard
 * output, one line a write(2), what it was promised. A test keeps these lines outside of the file
 * system that it hurts: the ledger.
 *
 *   ack INDEX SHA256 PRIVATE_SHA256   an entry came back; "-" when it has no private record
 *   seen SIZE ROOT                    somebody outside saw a checkpoint (written by the tests)
 *   opened SIZE TORN_BYTES            the log is open
 *   failed NAME WHERE                 the log stopped; nothing may be acknowledged behind this line
 *   closed                            the end of a run that met no error
 *
 * Statuses: 0 good; 2 the log refused or failed, as it must when something is wrong; 1 a broken
 * promise; 64 wrong usage or out of memory. */

#include "base/clock.h"
#include "base/durable.h"
#include "oversight/oversight.h"

enum { CYCLE_GOOD = 0, CYCLE_BROKEN = 1, CYCLE_REFUSED = 2, CYCLE_USAGE = 64 };

#define CYCLE_ORIGIN "oversight.test/port/2026"

struct cycle {
    char wal[DURABLE_PATH_BYTES];
    char log_directory[DURABLE_PATH_BYTES];
    char published[DURABLE_PATH_BYTES];
    char packs[DURABLE_PATH_BYTES];
    struct wal_places places;
    struct sign_key key;
    struct oversight_conf conf;
    struct oversight *log;
};

/* Paths, key and configuration of the log below a directory. */
void cycle_init(struct cycle *self, const char *directory);
/* Opens the log and says so, or says why not. */
bool cycle_open(struct cycle *self);

/* Every line of the ledger against the log: each acknowledged entry byte for byte at its index with
 * its private record, each checkpoint somebody saw the root of a prefix. Prints what it found. */
int ledger_check(const struct wal_places *places, const char *ledger_path);

/* The whole log as the ledger that would promise it. */
int ledger_list(const struct wal_places *places);

/* Build the program with breakage.c and the linker's --wrap to break it on purpose: takes the name
 * of what is left out. The plain program has none. */
bool breakage_choose(const char *name) __attribute__((weak));

#endif
