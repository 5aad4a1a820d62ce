/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/receipt_file.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/tile_files.h"
#include "ctl/ctl_order.h"
#include "ctl/log_shard.h"
#include "ctl/log_source.h"

/* What is built here: the proof of one leaf, from three sources that must agree: the bundle gives
 * the entry, the tiles give the path, the signed checkpoint gives the root. */
struct receipt_parts {
    struct note_vkey vkey;
    struct tile_files tiles;
    struct receipt receipt;
    char *checkpoint;
    uint8_t *entry;
    uint32_t entry_bytes;
    uint8_t leaf[HASH_BYTES];
};

static struct err parts_read_vkey(const char *public_directory, struct note_vkey *out)
{
    char path[DURABLE_PATH_BYTES];
    uint8_t *text = NULL;
    size_t text_bytes = 0;
    if (snprintf(path, sizeof path, "%s/vkey", public_directory) >= (int)sizeof path) {
        return err_make(ERR_ARGUMENT, "path of the log is too long");
    }
    struct err err = durable_read(path, NOTE_VKEY_BYTES_MAX, &text, &text_bytes);
    if (err_is(err)) {
        return err;
    }
    text[strcspn((char *)text, "\n")] = '\0';
    bool good = note_vkey_decode((const char *)text, out);
    free(text);
    return good ? err_none : err_make(ERR_KEY, "vkey of the log");
}

/* The entry itself; of one that was pruned only the leaf hash is left, enough for a bare receipt.
 */
static struct err parts_read_leaf(struct receipt_parts *parts, uint64_t leaf_index, bool with_entry)
{
    struct err err =
        tile_files_entry(&parts->tiles, leaf_index, &parts->entry, &parts->entry_bytes);
    if (!err_is(err)) {
        merkle_leaf(parts->entry, parts->entry_bytes, parts->leaf);
    } else if (err.code == ERR_PRUNED && !with_entry) {
        err = tile_files_hash(&parts->tiles, 0, leaf_index, parts->leaf)
                  ? err_none
                  : err_make(ERR_TILE_DIFFERS, "tiles of the entry are missing");
    }
    return err;
}

static struct err parts_read(const char *public_directory, uint64_t entry_index, bool with_entry,
                             struct receipt_parts *parts)
{
    char path[DURABLE_PATH_BYTES];
    uint64_t tree_size = 0;
    if (snprintf(path, sizeof path, "%s/checkpoint", public_directory) >= (int)sizeof path) {
        return err_make(ERR_ARGUMENT, "path of the log is too long");
    }
    struct err err = checkpoint_read(path, &tree_size, &parts->checkpoint);
    if (!err_is(err)) {
        err = parts_read_vkey(public_directory, &parts->vkey);
    }
    if (err_is(err)) {
        return err;
    }
    if (!tile_files_init(&parts->tiles, public_directory, tree_size)) {
        return err_make(ERR_ARGUMENT, "path of the log is too long");
    }
    uint64_t first_n = 0;
    err = log_shard_first_n(public_directory, tree_size, &first_n);
    if (!err_is(err) && entry_index < first_n) {
        err = err_make(ERR_NOT_FOUND, "entry is in an earlier shard");
    }
    if (err_is(err)) {
        return err;
    }
    uint64_t leaf_index = entry_index - first_n;
    parts->receipt.leaf_index = leaf_index;
    parts->receipt.checkpoint = parts->checkpoint;
    parts->receipt.checkpoint_bytes = strlen(parts->checkpoint);
    err = parts_read_leaf(parts, leaf_index, with_entry);
    if (!err_is(err) && !merkle_inclusion(tile_files_hash, &parts->tiles, leaf_index, tree_size,
                                          parts->receipt.hashes, &parts->receipt.hashes_count)) {
        err = err_make(ERR_TILE_DIFFERS, "tiles of the entry are missing");
    }
    return err;
}

static struct err parts_write(const struct receipt_parts *parts, uint64_t entry_index,
                              bool with_entry, struct receipt_file *out)
{
    struct checkpoint head;
    enum note_fault note = NOTE_GOOD;
    if (receipt_check(&parts->receipt, parts->leaf, &parts->vkey, &head, &note) != RECEIPT_GOOD) {
        return err_make(ERR_TILE_DIFFERS, "entry, tiles and checkpoint do not fit together");
    }
    char *text = malloc(RECEIPT_BYTES_MAX);
    if (text == NULL) {
        return err_make(ERR_MEMORY, "receipt");
    }
    size_t text_bytes = receipt_write(&parts->receipt, with_entry ? parts->entry : NULL,
                                      parts->entry_bytes, text, RECEIPT_BYTES_MAX);
    must(text_bytes > 0); /* the capacity is that of the longest one */
    *out = (struct receipt_file){
        .text = text, .text_bytes = text_bytes, .head = head, .entry_index = entry_index};
    return err_none;
}

struct err receipt_file_make(const char *public_directory, uint64_t entry_index, bool with_entry,
                             struct receipt_file *out)
{
    struct receipt_parts *parts = calloc(1, sizeof *parts); /* 70 KB of tiles */
    if (parts == NULL) {
        return err_make(ERR_MEMORY, "receipt");
    }
    struct err err = parts_read(public_directory, entry_index, with_entry, parts);
    if (!err_is(err)) {
        err = parts_write(parts, entry_index, with_entry, out);
    }
    free(parts->checkpoint);
    free(parts->entry);
    free(parts);
    return err;
}

void receipt_file_fini(struct receipt_file *self)
{
    free(self->text);
    *self = (struct receipt_file){0};
}

int receipt_file_save(struct ctl *ctl, uint64_t entry_index, const char *path)
{
    char directory[DURABLE_PATH_BYTES];
    struct receipt_file receipt;
    if (!log_shard_of(ctl, entry_index, directory)) {
        return CTL_REFUSED;
    }
    struct err err = receipt_file_make(directory, entry_index, true, &receipt);
    if (err.code == ERR_NOT_FOUND) { /* durable already, but no checkpoint covers it yet */
        struct wire_command command = {.order = ORDER_CHECKPOINT};
        if (ctl_order_quietly(ctl, &command) != CTL_GOOD) {
            return CTL_REFUSED;
        }
        err = receipt_file_make(directory, entry_index, true, &receipt);
    }
    if (err_is(err)) {
        return ctl_fail("receipt", err);
    }
    int result = CTL_GOOD;
    if (strcmp(path, "-") == 0) {
        (void)fputs(receipt.text, stdout);
    } else {
        err = durable_replace(path, receipt.text, receipt.text_bytes, 0644);
        result = err_is(err) ? ctl_fail(path, err) : CTL_GOOD;
    }
    receipt_file_fini(&receipt);
    return result;
}
