/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROTO_ENTRY_KEEPING_H
#define PROTO_ENTRY_KEEPING_H

/* Entry keeping: bodies of the entries that speak of the log and what it keeps (closing, keys,
 * access, redaction, discards, witnesses), for entry_encode.c and entry_decode.c. Inside proto/
 * only. */

#include <stdbool.h>

#include "proto/entry.h"

#define KEEPING_SLOT_BYTES 3072u

/* Room for the generated structs of one body; the library's types stay out of headers. */
struct keeping_slots {
    _Alignas(16) uint8_t bytes[KEEPING_SLOT_BYTES];
};

/* `message` is the generated Entry. False when the type is none of these or a count is beyond its
 * bound. The slots live as long as the message is used. */
bool keeping_fill(const struct entry *entry, struct keeping_slots *slots, void *message);
/* The generated number of the body that the type must carry; that of no body when the type is none
 * of these. */
int keeping_body_case(enum entry_type type);
/* `message` is the generated Entry, whose body is the one of out->type. */
enum entry_fault keeping_read(const void *message, struct arena *arena, struct entry *out);

#endif
