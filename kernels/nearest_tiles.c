/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/nearest_scan.h"

/* What a query finds does not depend on what it shares a tile with, so tiles may be as large as the
 * caches of the machine at hand. */

enum {
    FLOATS_LEAST = 1 << 14,    /* of products: below this SGEMM packs more than it multiplies */
    QUERIES_MANY_FROM = 65536, /* products from which NEAREST_PRODUCT_QUERIES stand side by side */
    BESIDE_BYTES = 8192,       /* of the first level: limits, brackets, what has been found */
};

_Static_assert(CACHE_SECOND_MOST / 2 / sizeof(float) == NEAREST_PRODUCTS_MAX,
               "the largest tile of products has room in the workspace");

struct nearest_tiles nearest_tiles_of(const struct cache *told, size_t depth)
{
    struct cache cache = cache_bounded(told);
    size_t products = cache.second_bytes / 2 / sizeof(float);
    products = products < FLOATS_LEAST ? FLOATS_LEAST : products;
    size_t queries = products < QUERIES_MANY_FROM ? NEAREST_PRODUCT_QUERIES / 2
                                                  : (size_t)NEAREST_PRODUCT_QUERIES;
    size_t used = NEAREST_GROUP * depth + BESIDE_BYTES;
    size_t left = cache.first_bytes > used ? cache.first_bytes - used : 0;
    size_t tile = left / (depth > 0 ? depth : 1) / NEAREST_PAD * NEAREST_PAD;
    tile = tile < NEAREST_PAD ? NEAREST_PAD : tile;
    return (struct nearest_tiles){.byte_queries = tile < NEAREST_TILE ? tile : NEAREST_TILE,
                                  .queries = queries,
                                  .rows = products / queries};
}
