/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIM_MEMORY_H
#define SIM_MEMORY_H

/* Sim memory: the simulator's own memory, apart from the product's.
 *
 * The product's allocations are counted and given back when its process "dies"; those of the
 * simulator live on. Never fails: aborts. */

#include <stddef.h>
#include <stdint.h>

void *sim_memory_take(size_t bytes_count); /* zeroed */
void sim_memory_free(void *memory);
/* Room for one more row in an array; capacity grows by doubling. */
void sim_memory_grow(void **rows, uint32_t count, uint32_t *capacity, size_t row_bytes);

/* What the product holds now. Called when a process ends by itself: nothing may be left. */
uint32_t sim_memory_held(void);
/* The process died: all of it is given back. */
void sim_memory_release(void);

#endif
