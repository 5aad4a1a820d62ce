/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/merkle.h"

#include <string.h>

/* RFC 6962 section 2.1 defines tree and proofs by recursion on the largest power of two below the
 * size. Here the same splits are walked in a loop, so that a hostile size costs at most 64 steps.
 * The checks are those of RFC 9162 sections 2.1.3.2 and 2.1.4.2. */

#define LEAF_PREFIX 0x00u
#define NODE_PREFIX 0x01u

void merkle_leaf(const void *entry, size_t entry_bytes, uint8_t out[HASH_BYTES])
{
    sha256_of_prefixed(LEAF_PREFIX, entry, entry_bytes, out);
}

void merkle_node(const uint8_t left[HASH_BYTES], const uint8_t right[HASH_BYTES],
                 uint8_t out[HASH_BYTES])
{
    uint8_t both[2 * HASH_BYTES]; /* out may be left or right */
    memcpy(both, left, HASH_BYTES);
    memcpy(both + HASH_BYTES, right, HASH_BYTES);
    sha256_of_prefixed(NODE_PREFIX, both, sizeof both, out);
}

void merkle_range_init(struct merkle_range *self)
{
    self->size = 0;
    self->roots_count = 0;
}

void merkle_range_append(struct merkle_range *self, const uint8_t leaf[HASH_BYTES])
{
    uint8_t root[HASH_BYTES];
    memcpy(root, leaf, HASH_BYTES);
    /* Each trailing one bit of the size is a perfect subtree that the new leaf completes to twice
     * its size. */
    for (uint64_t size = self->size; (size & 1u) != 0; size >>= 1) {
        self->roots_count--;
        merkle_node(self->roots[self->roots_count], root, root);
    }
    memcpy(self->roots[self->roots_count], root, HASH_BYTES);
    self->roots_count++;
    self->size++;
}

void merkle_range_root(const struct merkle_range *self, uint8_t out[HASH_BYTES])
{
    if (self->roots_count == 0) {
        sha256_of("", 0, out);
        return;
    }
    uint32_t at = self->roots_count - 1;
    memcpy(out, self->roots[at], HASH_BYTES);
    while (at > 0) {
        at--;
        merkle_node(self->roots[at], out, out);
    }
}

void merkle_fold(const uint8_t (*hashes)[HASH_BYTES], uint32_t count, uint8_t out[HASH_BYTES])
{
    struct merkle_range range;
    merkle_range_init(&range);
    for (uint32_t i = 0; i < count; i++) {
        merkle_range_append(&range, hashes[i]);
    }
    merkle_range_root(&range, out);
}

/* Largest power of two below width, for width >= 2. */
static uint64_t split_of(uint64_t width)
{
    return (uint64_t)1 << (63 - __builtin_clzll(width - 1));
}

/* MTH(D[first : first + width]) for a width >= 1 and a first that the splits of the tree lead to.
 */
static bool subtree_hash(merkle_hash_at at, void *source, uint64_t first, uint64_t width,
                         uint8_t out[HASH_BYTES])
{
    uint8_t parts[MERKLE_LEVELS_MAX][HASH_BYTES];
    uint32_t parts_count = 0;
    do { /* one perfect subtree a bit of the width, biggest first */
        uint32_t level = 63u - (uint32_t)__builtin_clzll(width);
        if (!at(source, level, first >> level, parts[parts_count])) {
            return false;
        }
        parts_count++;
        first += (uint64_t)1 << level;
        width -= (uint64_t)1 << level;
    } while (width > 0);
    parts_count--;
    memcpy(out, parts[parts_count], HASH_BYTES);
    while (parts_count > 0) {
        parts_count--;
        merkle_node(parts[parts_count], out, out);
    }
    return true;
}

bool merkle_root(merkle_hash_at at, void *source, uint64_t size, uint8_t out[HASH_BYTES])
{
    if (size == 0) {
        sha256_of("", 0, out);
        return true;
    }
    uint8_t root[HASH_BYTES];
    if (!subtree_hash(at, source, 0, size, root)) {
        return false;
    }
    memcpy(out, root, HASH_BYTES);
    return true;
}

/* One hash of a proof: which leaves it covers. Proofs are found from the root downwards and sent
 * from the leaf up. */
struct proof_part {
    uint64_t first;
    uint64_t width;
};

static bool proof_hash(merkle_hash_at at, void *source, const struct proof_part *parts,
                       uint32_t parts_count, uint8_t (*out)[HASH_BYTES])
{
    for (uint32_t i = 0; i < parts_count; i++) {
        const struct proof_part *part = &parts[parts_count - 1 - i];
        if (!subtree_hash(at, source, part->first, part->width, out[i])) {
            return false;
        }
    }
    return true;
}

bool merkle_inclusion(merkle_hash_at at, void *source, uint64_t index, uint64_t size,
                      uint8_t (*out)[HASH_BYTES], uint32_t *out_count)
{
    if (index >= size) {
        return false;
    }
    struct proof_part parts[MERKLE_LEVELS_MAX];
    uint32_t parts_count = 0;
    uint64_t first = 0;
    uint64_t width = size;
    while (width > 1) { /* the split at least halves a power of two: 64 rounds at most */
        uint64_t split = split_of(width);
        if (index - first < split) {
            parts[parts_count++] = (struct proof_part){first + split, width - split};
            width = split;
        } else {
            parts[parts_count++] = (struct proof_part){first, split};
            first += split;
            width -= split;
        }
    }
    if (!proof_hash(at, source, parts, parts_count, out)) {
        return false;
    }
    *out_count = parts_count;
    return true;
}

bool merkle_consistency(merkle_hash_at at, void *source, uint64_t old_size, uint64_t size,
                        uint8_t (*out)[HASH_BYTES], uint32_t *out_count)
{
    if (old_size > size) {
        return false;
    }
    if (old_size == 0 || old_size == size) {
        *out_count = 0; /* nothing to prove: every tree continues the empty one and itself */
        return true;
    }
    struct proof_part parts[MERKLE_LEVELS_MAX + 1];
    uint32_t parts_count = 0;
    uint64_t first = 0;
    uint64_t width = size;
    uint64_t old_width = old_size;
    while (old_width != width) {
        uint64_t split = split_of(width);
        if (old_width <= split) {
            parts[parts_count++] = (struct proof_part){first + split, width - split};
            width = split;
        } else {
            parts[parts_count++] = (struct proof_part){first, split};
            first += split;
            width -= split;
            old_width -= split;
        }
    }
    if (first > 0) { /* otherwise the old tree is a subtree whose root the reader holds */
        parts[parts_count++] = (struct proof_part){first, width};
    }
    if (parts_count > MERKLE_LEVELS_MAX || !proof_hash(at, source, parts, parts_count, out)) {
        return false;
    }
    *out_count = parts_count;
    return true;
}

bool merkle_check_inclusion(uint64_t index, uint64_t size, const uint8_t leaf[HASH_BYTES],
                            const uint8_t (*proof)[HASH_BYTES], uint32_t proof_count,
                            const uint8_t root[HASH_BYTES])
{
    if (index >= size || proof_count > MERKLE_LEVELS_MAX) {
        return false;
    }
    uint64_t node = index;
    uint64_t last = size - 1;
    uint8_t hash[HASH_BYTES];
    memcpy(hash, leaf, HASH_BYTES);
    for (uint32_t i = 0; i < proof_count; i++) {
        if (last == 0) {
            return false;
        }
        if ((node & 1u) != 0 || node == last) {
            merkle_node(proof[i], hash, hash);
            while ((node & 1u) == 0 && node != 0) {
                node >>= 1;
                last >>= 1;
            }
        } else {
            merkle_node(hash, proof[i], hash);
        }
        node >>= 1;
        last >>= 1;
    }
    return last == 0 && hash_equal(hash, root);
}

/* Both roots, computed from a proof that starts with a node of the old tree. */
static bool consistency_fold(uint64_t old_size, uint64_t size, const uint8_t (*proof)[HASH_BYTES],
                             uint32_t proof_count, uint8_t roots[2][HASH_BYTES])
{
    uint64_t node = old_size - 1;
    uint64_t last = size - 1;
    while ((node & 1u) != 0) {
        node >>= 1;
        last >>= 1;
    }
    memcpy(roots[0], proof[0], HASH_BYTES);
    memcpy(roots[1], proof[0], HASH_BYTES);
    for (uint32_t i = 1; i < proof_count; i++) {
        if (last == 0) {
            return false;
        }
        if ((node & 1u) != 0 || node == last) {
            merkle_node(proof[i], roots[0], roots[0]);
            merkle_node(proof[i], roots[1], roots[1]);
            while ((node & 1u) == 0 && node != 0) {
                node >>= 1;
                last >>= 1;
            }
        } else {
            merkle_node(roots[1], proof[i], roots[1]);
        }
        node >>= 1;
        last >>= 1;
    }
    return last == 0;
}

bool merkle_check_consistency(uint64_t old_size, uint64_t size, const uint8_t old_root[HASH_BYTES],
                              const uint8_t root[HASH_BYTES], const uint8_t (*proof)[HASH_BYTES],
                              uint32_t proof_count)
{
    if (old_size > size || proof_count > MERKLE_LEVELS_MAX) {
        return false;
    }
    uint8_t empty_root[HASH_BYTES];
    sha256_of("", 0, empty_root);
    if (old_size == 0) {
        return proof_count == 0 && hash_equal(old_root, empty_root) &&
               (size != 0 || hash_equal(root, empty_root));
    }
    if (old_size == size) {
        return proof_count == 0 && hash_equal(old_root, root);
    }
    uint8_t path[MERKLE_LEVELS_MAX + 1][HASH_BYTES];
    uint32_t path_count = 0;
    if ((old_size & (old_size - 1)) ==
        0) { /* a perfect old tree is itself the first node of the path */
        memcpy(path[path_count++], old_root, HASH_BYTES);
    }
    if (proof_count > 0) {
        memcpy(path[path_count], proof, (size_t)proof_count * HASH_BYTES);
        path_count += proof_count;
    }
    uint8_t roots[2][HASH_BYTES];
    const uint8_t(*whole)[HASH_BYTES] = (const uint8_t(*)[HASH_BYTES])path;
    return proof_count > 0 && consistency_fold(old_size, size, whole, path_count, roots) &&
           hash_equal(roots[0], old_root) && hash_equal(roots[1], root);
}
