/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CTL_RECEIPT_FILE_H
#define CTL_RECEIPT_FILE_H

/* Receipt file: makes the receipt of an entry out of the published tiles, under the newest
 * checkpoint, and checks it before anybody gets it. */

#include <stdbool.h>
#include <stdint.h>

#include "ctl/ctl.h"
#include "proto/receipt.h"

struct receipt_file {
    char *text; /* zero-terminated; receipt_file_fini frees */
    size_t text_bytes;
    struct checkpoint head; /* what it proves the entry to lie under */
    uint64_t entry_index;
};

/* public_directory: a shard (the directory with `checkpoint`). NOT_FOUND when the checkpoint does
 * not cover the entry yet; TILE_DIFFERS when tiles, entry and checkpoint do not fit; KEY; IO;
 * MEMORY. with_entry: the entry goes into the receipt's extra. */
MUST_USE struct err receipt_file_make(const char *public_directory, uint64_t entry_index,
                                      bool with_entry, struct receipt_file *out);
void receipt_file_fini(struct receipt_file *self);

/* For commands that just did something: has a checkpoint published when there is none yet that
 * covers the entry, makes the receipt, writes it to `path` ("-": standard output). Returns an exit
 * code; told. */
int receipt_file_save(struct ctl *ctl, uint64_t entry_index, const char *path);

#endif
