/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/cache.h"

#include <unistd.h>

/* Some virtual machines and C libraries say 0 or nothing, some processors more than one core may
 * use: hence the bounds. */

static size_t bounded(size_t bytes, size_t least, size_t usual, size_t most)
{
    size_t known = bytes > 0 ? bytes : usual;
    return known < least ? least : known > most ? most : known;
}

static size_t system_says(int name)
{
    long bytes = sysconf(name);
    return bytes > 0 ? (size_t)bytes : 0;
}

struct cache cache_of_machine(void)
{
#if defined(_SC_LEVEL1_DCACHE_SIZE) && defined(_SC_LEVEL2_CACHE_SIZE)
    const struct cache said = {system_says(_SC_LEVEL1_DCACHE_SIZE),
                               system_says(_SC_LEVEL2_CACHE_SIZE)};
#else
    const struct cache said = {0, 0};
#endif
    return cache_bounded(&said);
}

struct cache cache_bounded(const struct cache *told)
{
    if (told == NULL) {
        return cache_of_machine();
    }
    return (struct cache){
        bounded(told->first_bytes, CACHE_FIRST_LEAST, CACHE_FIRST_USUAL, CACHE_FIRST_MOST),
        bounded(told->second_bytes, CACHE_SECOND_LEAST, CACHE_SECOND_USUAL, CACHE_SECOND_MOST)};
}
