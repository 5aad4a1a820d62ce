/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KERNELS_CACHE_H
#define KERNELS_CACHE_H

/* Cache: how much of a matrix stays near the core, for the sizes of tiles.
 *
 * The caller says what its machine has. Only kernels whose bits do not depend on a tile ask:
 * nearest and patch_embed. Pure. */

#include <stddef.h>

struct cache {
    size_t first_bytes;  /* of one core's first level, data; 0: not known */
    size_t second_bytes; /* of its second level; 0: not known */
};

/* Some virtual machines say nothing or nonsense, and some processors more than one core may use. */
enum {
    CACHE_FIRST_LEAST = 16 << 10,
    CACHE_FIRST_USUAL = 48 << 10,
    CACHE_FIRST_MOST = 256 << 10,
    CACHE_SECOND_LEAST = 128 << 10,
    CACHE_SECOND_USUAL = 1 << 20,
    CACHE_SECOND_MOST = 2 << 20, /* workspaces are made for tiles of this one */
};

static inline size_t cache_held(size_t bytes, size_t least, size_t usual, size_t most)
{
    size_t known = bytes > 0 ? bytes : usual;
    return known < least ? least : known > most ? most : known;
}

/* `told` within the bounds, and the usual sizes for what is not known; NULL: nothing is. */
static inline struct cache cache_bounded(const struct cache *told)
{
    const struct cache said = told != NULL ? *told : (struct cache){0, 0};
    return (struct cache){
        cache_held(said.first_bytes, CACHE_FIRST_LEAST, CACHE_FIRST_USUAL, CACHE_FIRST_MOST),
        cache_held(said.second_bytes, CACHE_SECOND_LEAST, CACHE_SECOND_USUAL, CACHE_SECOND_MOST)};
}
#endif
