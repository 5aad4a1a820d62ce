/* SPDX-License-Identifier: Apache-2.0 */
#include "score/machine_cache.h"

#include <unistd.h>

static size_t system_says(int name)
{
    long bytes = sysconf(name);
    return bytes > 0 ? (size_t)bytes : 0;
}

struct cache machine_cache(void)
{
#if defined(_SC_LEVEL1_DCACHE_SIZE) && defined(_SC_LEVEL2_CACHE_SIZE)
    return (struct cache){system_says(_SC_LEVEL1_DCACHE_SIZE), system_says(_SC_LEVEL2_CACHE_SIZE)};
#else
    return (struct cache){0, 0};
#endif
}
