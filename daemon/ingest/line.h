/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LINE_H
#define LINE_H

/* Line: the publishers' socket and its protocol: hello, publish, duplicates, gaps, credit, answers
 * in order.
 *
 * Answers of a stream go out in order of sequence and only for what ingest_answer was called for;
 * they go to the connection that said hello last, so a publisher that came back gets the answers to
 * what it sent before. One thread. */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "ingest/ingest.h"
#include "ingest/server_socket.h"

struct line;

MUST_USE struct err line_open(const struct ingest_conf *conf, void *context, const char *secret_key,
                              const struct ingest_stream *streams, uint32_t streams_count,
                              struct line **out);
void line_close(struct line **self);
void *line_socket(const struct line *self);
const char *line_endpoint(const struct line *self);

/* False while slots or payload bytes are used up: leave the socket alone until answers make room.
 */
bool line_has_room(const struct line *self);
/* Reads what waits, up to a bound. */
void line_read(struct line *self);
/* Hands out arrivals that were read; returns how many. */
uint32_t line_take(struct line *self, struct arrival **arrivals, uint32_t arrivals_capacity);
void line_answer(struct line *self, struct arrival *const *arrivals, uint32_t count);
void line_say_bye(struct line *self);

#endif
