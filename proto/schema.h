/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROTO_SCHEMA_H
#define PROTO_SCHEMA_H

/* Schema: the one place that calls the general protobuf coder. Inside proto/ only. Pointers are
 * void because the library's types stay out of headers: `descriptor` is a generated
 * `..._descriptor`, `message` starts with the library's message base, as every generated struct
 * does.
 *
 * Unpacking: everything lives in the arena, strings are well-formed UTF-8 without zero bytes and
 * never NULL. Unknown fields cost arena room, so a message stuffed with them ends as SCHEMA_FULL,
 * not as an allocation. */

#include <stddef.h>
#include <stdint.h>

#include "proto/arena.h"

enum schema_fault { SCHEMA_GOOD, SCHEMA_MALFORMED, SCHEMA_BAD_TEXT, SCHEMA_FULL };

/* NULL when anything is wrong; *fault says what and, for SCHEMA_BAD_TEXT, *where names the field
 * (static). */
const void *schema_unpack(const void *descriptor, const uint8_t *bytes, size_t bytes_count,
                          struct arena *arena, enum schema_fault *fault, const char **where);

/* Length of the packed message; 0 and nothing written when it exceeds the capacity. An empty
 * message is 0 as well. */
size_t schema_pack(const void *message, uint8_t *out, size_t out_capacity);
size_t schema_pack_bytes(const void *message);

/* The generated structs have no const: these hand borrowed memory to the packer, which only reads.
 * NULL becomes "". */
char *schema_text(const char *text);
uint8_t *schema_bytes(const uint8_t *bytes);
float *schema_floats(const float *values);

#endif
