/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KERNELS_CACHE_H
#define KERNELS_CACHE_H

/* Cache: how much of a matrix stays near the core, for the sizes of tiles.
 *
 * Only kernels whose bits do not depend on a tile ask: nearest and patch_embed. Any thread; a few
 * nanoseconds, the C library asked the processor when it was loaded. */

#include <stddef.h>

struct cache {
    size_t first_bytes;  /* of one core's first level, data */
    size_t second_bytes; /* of its second level */
};

enum {
    CACHE_FIRST_LEAST = 16 << 10,
    CACHE_FIRST_USUAL = 32 << 10, /* where the system does not say */
    CACHE_FIRST_MOST = 256 << 10,
    CACHE_SECOND_LEAST = 128 << 10,
    CACHE_SECOND_USUAL = 512 << 10,
    CACHE_SECOND_MOST = 2 << 20, /* workspaces are made for tiles of this one */
};

/* This machine's, within the bounds. */
struct cache cache_of_machine(void);
/* `told` within the bounds, 0 for what is not known; NULL: this machine's. */
struct cache cache_bounded(const struct cache *told);
#endif
