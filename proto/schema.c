/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/schema.h"

#include <protobuf-c/protobuf-c.h>

#include "proto/member.h"

/* protobuf-c hands strings out without their length, so a zero byte inside one would silently cut
 * it; and decoders differ about a field that comes twice: some merge, some let the last one win.
 * Either way the value that we judge could differ from the one that somebody else reads from the
 * same hashed bytes. Therefore the bytes are checked before unpacking: texts are well-formed, and
 * what is not a list comes once. */

#define NUMBERS_MAX \
    64u /* our schemas stay below; a higher number would only miss the check for repetition */

static void *arena_allocate(void *arena, size_t bytes)
{
    return arena_take(arena, bytes);
}

static void arena_keep(void *arena, void *taken)
{
    (void)arena; /* the caller resets the arena as a whole */
    (void)taken;
}

/* One bit a field, bit 0 for the choice of a oneof. False when a field that is no list comes again.
 */
static bool member_once(const ProtobufCFieldDescriptor *field, uint64_t *seen)
{
    if (field->label == PROTOBUF_C_LABEL_REPEATED || field->id >= NUMBERS_MAX) {
        return true;
    }
    bool is_choice = (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0;
    uint64_t bit = is_choice ? 1u : (uint64_t)1 << field->id;
    bool is_first = (*seen & bit) == 0;
    *seen |= bit;
    return is_first;
}

/* Recursion ends: it goes down the schema, and no message of ours contains itself. */
static enum schema_fault members_check(const ProtobufCMessageDescriptor *descriptor,
                                       const uint8_t *bytes, size_t bytes_count, const char **where)
{
    uint64_t seen = 0;
    size_t at = 0;
    while (at < bytes_count) {
        struct member member;
        if (!member_next(bytes, bytes_count, &at, &member)) {
            return SCHEMA_MALFORMED;
        }
        const ProtobufCFieldDescriptor *field =
            protobuf_c_message_descriptor_get_field(descriptor, member.number);
        if (field == NULL) {
            continue;
        }
        if (!member_once(field, &seen)) {
            return SCHEMA_MALFORMED;
        }
        if (member.form != MEMBER_BYTES) {
            continue;
        }
        enum schema_fault fault = SCHEMA_GOOD;
        if (field->type == PROTOBUF_C_TYPE_STRING &&
            !text_valid(member.bytes, member.bytes_count)) {
            *where = field->name;
            fault = SCHEMA_BAD_TEXT;
        } else if (field->type == PROTOBUF_C_TYPE_MESSAGE) {
            fault = members_check(field->descriptor, member.bytes, member.bytes_count, where);
        }
        if (fault != SCHEMA_GOOD) {
            return fault;
        }
    }
    return SCHEMA_GOOD;
}

const void *schema_unpack(const void *descriptor, const uint8_t *bytes, size_t bytes_count,
                          struct arena *arena, enum schema_fault *fault, const char **where)
{
    *fault = members_check(descriptor, bytes, bytes_count, where);
    if (*fault != SCHEMA_GOOD) {
        return NULL;
    }
    ProtobufCAllocator allocator = {
        .alloc = arena_allocate,
        .free = arena_keep,
        .allocator_data = arena,
    };
    const void *message = protobuf_c_message_unpack(descriptor, &allocator, bytes_count, bytes);
    if (message == NULL) {
        *fault = arena->overflow ? SCHEMA_FULL : SCHEMA_MALFORMED;
    }
    return message;
}

size_t schema_pack_bytes(const void *message)
{
    return protobuf_c_message_get_packed_size(message);
}

size_t schema_pack(const void *message, uint8_t *out, size_t out_capacity)
{
    /* The packer knows no capacity, so the length comes first. */
    size_t bytes = protobuf_c_message_get_packed_size(message);
    if (bytes > out_capacity) {
        return 0;
    }
    return protobuf_c_message_pack(message, out);
}

char *schema_text(const char *text)
{
    return (char *)(uintptr_t)(text == NULL ? "" : text);
}

uint8_t *schema_bytes(const uint8_t *bytes)
{
    return (uint8_t *)(uintptr_t)bytes;
}

float *schema_floats(const float *values)
{
    return (float *)(uintptr_t)values;
}
