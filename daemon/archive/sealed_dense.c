/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "archive/sealed_block.h"

/* Links of a large group: a version 2 B-tree of type 5, ordered by the hash of the name, leads to
 * places in a fractal heap, where the link messages lie. Blocks of the heap are not checked by
 * themselves: a link found there must carry the name that was asked for, which is the digest of
 * what it leads to. */

enum {
    TREE_HEAD_BYTES = 38,
    TREE_TYPE_NAMES = 5,
    TREE_RECORD_BYTES = 11, /* hash, heap id */
    TREE_NODE_BYTES_MAX = 4096,
    TREE_NODE_FRAME_BYTES = 10, /* signature, version, type, checksum */
    TREE_DEPTH_MAX = 8,
    TREE_NODES_MAX = 64, /* looked at in one search: names of equal hash are neighbours */
    HEAP_HEAD_BYTES = 146,
    HEAP_ID_BYTES = 7,
    HEAP_LEVELS_MAX = 8,
    LINK_BYTES_MAX = 1024
};

/* ---- the heap */

struct heap {
    uint64_t width;
    uint64_t start_bytes;
    uint64_t direct_bytes_max;
    uint64_t root;
    uint32_t rows;         /* of the root; 0: the root is a direct block */
    uint32_t offset_bytes; /* of an offset in a heap id and in a block's head */
};

static unsigned log2_of(uint64_t value)
{
    return value == 0 ? 0 : 63u - (unsigned)__builtin_clzll(value);
}

static bool is_power(uint64_t value)
{
    return value != 0 && (value & (value - 1)) == 0;
}

static struct err heap_open(const struct sealed_file *file, uint64_t address, struct heap *out)
{
    uint8_t head[HEAP_HEAD_BYTES];
    struct err err = sealed_read_block(file, address, "FRHP", head, sizeof head);
    if (err_is(err)) {
        return err;
    }
    uint64_t heap_bits = sealed_number(head + 128, 2);
    *out = (struct heap){.width = sealed_number(head + 110, 2),
                         .start_bytes = sealed_number(head + 112, 8),
                         .direct_bytes_max = sealed_number(head + 120, 8),
                         .root = sealed_number(head + 132, 8),
                         .rows = (uint32_t)sealed_number(head + 140, 2),
                         .offset_bytes = (uint32_t)((heap_bits + 7) / 8)};
    if (!sealed_block_is_sound(head, sizeof head) || head[4] != 0 ||
        sealed_number(head + 5, 2) != HEAP_ID_BYTES || sealed_number(head + 7, 2) != 0 ||
        !is_power(out->width) || !is_power(out->start_bytes) || !is_power(out->direct_bytes_max) ||
        out->start_bytes > out->direct_bytes_max || out->direct_bytes_max > UINT32_MAX ||
        out->width > 4096 || heap_bits > 40 || out->offset_bytes < 1 ||
        out->offset_bytes + 2 > HEAP_ID_BYTES) {
        return sealed_differs("heap of a group");
    }
    return err_none;
}

/* Rows 0 and 1 have blocks of start_bytes, each further row has blocks of twice the size. */
static uint64_t heap_row_block_bytes(const struct heap *heap, uint32_t row)
{
    return row == 0 ? heap->start_bytes : heap->start_bytes << (row - 1);
}

static uint64_t heap_row_offset(const struct heap *heap, uint32_t row)
{
    return row == 0 ? 0 : (heap->start_bytes * heap->width) << (row - 1);
}

/* Where an offset of the heap lies in the file, and how many bytes of its block follow. */
static struct err heap_locate(const struct sealed_file *file, const struct heap *heap,
                              uint64_t offset, uint64_t *address, uint64_t *left)
{
    uint32_t direct_rows = log2_of(heap->direct_bytes_max) - log2_of(heap->start_bytes) + 2;
    uint64_t block = heap->root;
    uint32_t rows = heap->rows;
    uint64_t block_bytes = heap->start_bytes;
    for (uint32_t level = 0; rows > 0; level++) {
        uint64_t in_rows = offset / (heap->start_bytes * heap->width);
        uint32_t row = in_rows == 0 ? 0 : log2_of(in_rows) + 1;
        if (level == HEAP_LEVELS_MAX || row >= rows || row > 40) {
            return sealed_differs("offset in the heap of a group");
        }
        block_bytes = heap_row_block_bytes(heap, row);
        uint64_t column = (offset - heap_row_offset(heap, row)) / block_bytes;
        uint64_t entry = row * heap->width + column; /* direct and indirect alike: an address */
        uint64_t head_bytes = 4 + 1 + 8 + heap->offset_bytes;
        uint8_t found[8];
        uint8_t signature[4];
        struct err err = sealed_read_block(file, block, "FHIB", signature, sizeof signature);
        if (!err_is(err)) {
            err = sealed_read(file, block + head_bytes + 8 * entry, found, sizeof found);
        }
        if (err_is(err)) {
            return err;
        }
        block = sealed_number(found, 8);
        offset -= heap_row_offset(heap, row) + column * block_bytes;
        rows = row < direct_rows
                   ? 0
                   : log2_of(block_bytes) - log2_of(heap->start_bytes * heap->width) + 1;
    }
    if (block == SEALED_NONE || offset >= block_bytes) {
        return sealed_differs("offset in the heap of a group");
    }
    *address = block + offset;
    *left = block_bytes - offset;
    return err_none;
}

static struct err heap_link(const struct sealed_file *file, const struct heap *heap,
                            const uint8_t id[HEAP_ID_BYTES], const char *name, bool *found,
                            uint64_t *address)
{
    uint8_t link[LINK_BYTES_MAX];
    uint64_t at = 0;
    uint64_t left = 0;
    uint64_t offset = sealed_number(id + 1, heap->offset_bytes);
    uint64_t bytes =
        sealed_number(id + 1 + heap->offset_bytes, HEAP_ID_BYTES - 1 - heap->offset_bytes);
    if (id[0] != 0) { /* version 0, managed by the heap: our names are too long to be tiny */
        return sealed_differs("heap id of a link");
    }
    struct err err = heap_locate(file, heap, offset, &at, &left);
    if (!err_is(err) && (bytes > left || bytes > sizeof link)) {
        err = sealed_differs("length of a link");
    }
    if (!err_is(err)) {
        err = sealed_read(file, at, link, (size_t)bytes);
    }
    return err_is(err) ? err : sealed_link_read(link, (size_t)bytes, name, found, address);
}

/* ---- the tree */

struct tree {
    const struct sealed_file *file;
    const struct heap *heap;
    const char *name;
    uint32_t hash;
    uint32_t node_bytes;
    uint32_t nodes_left;
    uint32_t count_bytes;                     /* of a number of records in a pointer */
    uint32_t total_bytes[TREE_DEPTH_MAX + 1]; /* of a number of records of a whole subtree */
    uint8_t node[TREE_DEPTH_MAX + 1][TREE_NODE_BYTES_MAX];
    bool found;
    uint64_t address;
};

static uint32_t bytes_for(uint64_t limit)
{
    return log2_of(limit) / 8 + 1;
}

/* How wide pointers are follows from how many records fit below them. */
static struct err tree_measure(struct tree *self, uint32_t depth)
{
    if (self->node_bytes > TREE_NODE_BYTES_MAX || depth > TREE_DEPTH_MAX ||
        self->node_bytes < TREE_NODE_FRAME_BYTES + 2 * TREE_RECORD_BYTES + 48) {
        return sealed_differs("tree of a group");
    }
    uint64_t most = (self->node_bytes - TREE_NODE_FRAME_BYTES) / TREE_RECORD_BYTES;
    uint64_t below = most;
    self->count_bytes = bytes_for(most);
    self->total_bytes[0] = 0;
    for (uint32_t level = 1; level <= depth; level++) {
        uint32_t pointer_bytes = 8 + self->count_bytes + self->total_bytes[level - 1];
        most = (self->node_bytes - TREE_NODE_FRAME_BYTES - pointer_bytes) /
               (TREE_RECORD_BYTES + pointer_bytes);
        if (below > UINT64_MAX / (most + 2)) {
            return sealed_differs("tree of a group");
        }
        below = (most + 1) * below + most;
        self->total_bytes[level] = bytes_for(below);
    }
    return err_none;
}

static struct err tree_read_node(struct tree *self, uint64_t address, uint64_t records_count,
                                 uint32_t level)
{
    uint32_t pointer_bytes = level == 0 ? 0 : 8 + self->count_bytes + self->total_bytes[level - 1];
    uint64_t bytes = TREE_NODE_FRAME_BYTES + records_count * TREE_RECORD_BYTES +
                     (level == 0 ? 0 : (records_count + 1) * pointer_bytes);
    uint8_t *node = self->node[level];
    if (self->nodes_left == 0 || records_count > self->node_bytes || bytes > self->node_bytes) {
        return sealed_differs("tree of a group");
    }
    self->nodes_left--;
    struct err err =
        sealed_read_block(self->file, address, level == 0 ? "BTLF" : "BTIN", node, (size_t)bytes);
    if (!err_is(err) && (node[4] != 0 || node[5] != TREE_TYPE_NAMES ||
                         !sealed_block_is_sound(node, (size_t)bytes))) {
        err = sealed_differs("node of the tree of a group");
    }
    return err;
}

/* Depth is bounded by TREE_DEPTH_MAX. Names of one hash may lie on both sides of a record. */
static struct err tree_search(struct tree *self, uint64_t address, uint64_t records_count,
                              uint32_t level)
{
    struct err err = tree_read_node(self, address, records_count, level);
    const uint8_t *records = self->node[level] + 6;
    const uint8_t *pointers = records + records_count * TREE_RECORD_BYTES;
    uint32_t pointer_bytes = level == 0 ? 0 : 8 + self->count_bytes + self->total_bytes[level - 1];
    for (uint64_t i = 0; i <= records_count && !err_is(err) && !self->found; i++) {
        const uint8_t *record = records + i * TREE_RECORD_BYTES;
        bool last = i == records_count;
        uint32_t hash = last ? UINT32_MAX : (uint32_t)sealed_number(record, 4);
        if (hash < self->hash && !last) {
            continue;
        }
        if (level > 0) {
            const uint8_t *pointer = pointers + i * pointer_bytes;
            err = tree_search(self, sealed_number(pointer, 8),
                              sealed_number(pointer + 8, self->count_bytes), level - 1);
        }
        if (!err_is(err) && !self->found && !last && hash == self->hash) {
            err = heap_link(self->file, self->heap, record + 4, self->name, &self->found,
                            &self->address);
        }
        if (hash > self->hash) {
            break;
        }
    }
    return err;
}

struct err sealed_dense_find(const struct sealed_file *self, uint64_t heap_address,
                             uint64_t tree_address, const char *name, uint64_t *address)
{
    struct heap heap;
    uint8_t head[TREE_HEAD_BYTES];
    struct err err = heap_open(self, heap_address, &heap);
    if (!err_is(err)) {
        err = sealed_read_block(self, tree_address, "BTHD", head, sizeof head);
    }
    if (err_is(err)) {
        return err;
    }
    uint32_t depth = (uint32_t)sealed_number(head + 12, 2);
    if (!sealed_block_is_sound(head, sizeof head) || head[4] != 0 || head[5] != TREE_TYPE_NAMES ||
        sealed_number(head + 10, 2) != TREE_RECORD_BYTES) {
        return sealed_differs("tree of a group");
    }
    struct tree *tree = calloc(1, sizeof *tree);
    if (tree == NULL) {
        return err_make(ERR_MEMORY, "sealed_dense_find");
    }
    tree->file = self;
    tree->heap = &heap;
    tree->name = name;
    tree->hash = sealed_checksum((const uint8_t *)name, strlen(name));
    tree->node_bytes = (uint32_t)sealed_number(head + 6, 4);
    tree->nodes_left = TREE_NODES_MAX;
    err = tree_measure(tree, depth);
    if (!err_is(err)) {
        err = tree_search(tree, sealed_number(head + 16, 8), sealed_number(head + 24, 2), depth);
    }
    if (!err_is(err) && !tree->found) {
        err = err_make(ERR_NOT_FOUND, "name in a sealed file");
    }
    if (!err_is(err)) {
        *address = tree->address;
    }
    free(tree);
    return err;
}
