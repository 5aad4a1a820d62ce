/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CTL_ENTRY_JSON_H
#define CTL_ENTRY_JSON_H

/* Entry json: one entry of the oversight log as JSON for people, and as one line of words. It is
 * never hashed and never an input. Numbers that matter are text with all their digits; 64-bit
 * counters are text too, since a reader in JavaScript would round them; digests begin with
 * "sha256:". Any thread. */

#include <stddef.h>

#include "proto/entry.h"

struct json_t;

/* New reference. */
struct json_t *entry_json(const struct entry *entry);
/* What happened, in at most out_bytes - 1 bytes: "refer by target, probability 0.81, truck
 * north/lane1". */
void entry_words(const struct entry *entry, char *out, size_t out_bytes);

#endif
