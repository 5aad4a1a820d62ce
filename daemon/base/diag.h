/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_DIAG_H
#define BASE_DIAG_H

/* Diag: operational messages on standard error, one line each: "level event=name key=value ...".
 * Never payload, keys or personal data; what matters for accountability is an oversight entry
 * instead. Lines above 200 a second and event are counted and summed up in one line. Any thread;
 * does not block beyond write(2). */

enum diag_level { DIAG_ERR, DIAG_WARN, DIAG_INFO, DIAG_DEBUG };

enum diag_event {
#define DIAG(event) DIAG_EVENT_##event,
#include "base/diag_table.h"
#undef DIAG
    DIAG_EVENT_COUNT
};

void diag_set_level(enum diag_level highest_shown);
/* format gives the "key=value ..." part. */
void diag_line(enum diag_level level, enum diag_event event, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#define diag_err(event, ...) diag_line(DIAG_ERR, DIAG_EVENT_##event, __VA_ARGS__)
#define diag_warn(event, ...) diag_line(DIAG_WARN, DIAG_EVENT_##event, __VA_ARGS__)
#define diag_info(event, ...) diag_line(DIAG_INFO, DIAG_EVENT_##event, __VA_ARGS__)
#define diag_debug(event, ...) diag_line(DIAG_DEBUG, DIAG_EVENT_##event, __VA_ARGS__)

#endif
