/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONSOLE_VIEWERS_H
#define CONSOLE_VIEWERS_H

/* Viewers: who may see images over HTTP: one file a person or screen, <directory>/<name>.token,
 * open to nobody but the daemon's account. Its first line is SHA-256 of the bearer token in
 * hexadecimal (the token itself is kept nowhere), its second the purpose that stands in the log's
 * access entries. triagectl keys viewer makes them; they are read when the daemon starts.
 *
 * Read once, then shared read-only by any threads. */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "proto/hash.h"

#define VIEWERS_MAX 1024u
#define VIEWER_NAME_BYTES 65u
#define VIEWER_PURPOSE_BYTES 129u
#define VIEWER_WHY_BYTES 256u

struct viewer {
    char name[VIEWER_NAME_BYTES];
    char purpose[VIEWER_PURPOSE_BYTES];
    uint8_t token_sha256[HASH_BYTES];
};

struct viewers;

/* A directory that is not there is a list of nobody. KEY with the file and the fault in why: a list
 * that cannot be read whole is not used. */
MUST_USE struct err viewers_read(const char *directory, struct viewers **out,
                                 char why[VIEWER_WHY_BYTES]);
void viewers_free(struct viewers **self);
uint32_t viewers_count(const struct viewers *self);
/* The value of an Authorization header (may be NULL); NULL when it is nobody's. */
const struct viewer *viewers_find(const struct viewers *self, const char *authorization);

#endif
