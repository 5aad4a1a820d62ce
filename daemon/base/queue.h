/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_QUEUE_H
#define BASE_QUEUE_H

/* Queue: a bounded line of pointers between threads. Every point where data waits is one of these,
 * so its depth is counted. Any number of putters and takers. All memory is taken in queue_open. */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct queue;

MUST_USE struct err queue_open(uint32_t capacity, struct queue **out);
/* The same with a descriptor that polls readable while anything is inside, for threads that wait on
 * sockets too. */
MUST_USE struct err queue_open_polled(uint32_t capacity, struct queue **out);
/* The descriptor; -1 when the queue was not opened polled. The queue owns it. */
int queue_fd(const struct queue *self);
/* Everybody must have left; what is still inside is the caller's to have taken. Accepts NULL. */
void queue_free(struct queue **self);

/* Waits for room. ERR_CLOSED after queue_stop. */
MUST_USE struct err queue_put(struct queue *self, void *thing);
/* ERR_QUEUE_FULL at once when there is no room. */
MUST_USE struct err queue_try_put(struct queue *self, void *thing);
/* All of them, one behind the other, or ERR_QUEUE_FULL at once when there is no room for all. */
MUST_USE struct err queue_try_put_many(struct queue *self, void *const *things, uint32_t count);
/* Waits up to timeout_ns (negative: for ever; 0: not at all) for one, then takes up to out_capacity
 * without waiting more. Returns how many; 0 on timeout, or when stopped and empty. */
uint32_t queue_take(struct queue *self, void **out, uint32_t out_capacity, int64_t timeout_ns);
/* Puts are refused from now on; takers drain what is there. */
void queue_stop(struct queue *self);
bool queue_is_stopped(struct queue *self);
uint32_t queue_depth(struct queue *self);

#endif
