/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCORE_MACHINE_CACHE_H
#define SCORE_MACHINE_CACHE_H

/* Machine cache: how large the caches of one core are, as the system says; 0 for what it does not.
 * Kernels make their tiles for it (kernels/cache.h); no result depends on it. Any thread. */

#include "kernels/cache.h"

struct cache machine_cache(void);

#endif
