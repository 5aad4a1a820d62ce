/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/schema.h"

#include <protobuf-c/protobuf-c.h>

#include "proto/member.h"

/* protobuf-c hands strings out without their length, so a zero byte inside one would silently cut
 * it: the value that we judge would differ from the bytes that we hash. Therefore texts are checked
 * on the bytes, before unpacking. */

static void *arena_allocate(void *arena, size_t bytes)
{
    return arena_take(arena, bytes);
}

static void arena_keep(void *arena, void *taken)
{
    (void)arena; /* the caller resets the arena as a whole */
    (void)taken;
}

/* Recursion ends: it goes down the schema, and no message of ours contains itself. */
static enum schema_fault texts_check(const ProtobufCMessageDescriptor *descriptor,
                                     const uint8_t *bytes, size_t bytes_count, const char **where)
{
    size_t at = 0;
    while (at < bytes_count) {
        struct member member;
        if (!member_next(bytes, bytes_count, &at, &member)) {
            return SCHEMA_MALFORMED;
        }
        const ProtobufCFieldDescriptor *field =
            protobuf_c_message_descriptor_get_field(descriptor, member.number);
        if (member.form != MEMBER_BYTES || field == NULL) {
            continue;
        }
        if (field->type == PROTOBUF_C_TYPE_STRING &&
            !text_valid(member.bytes, member.bytes_count)) {
            *where = field->name;
            return SCHEMA_BAD_TEXT;
        }
        if (field->type == PROTOBUF_C_TYPE_MESSAGE) {
            enum schema_fault fault =
                texts_check(field->descriptor, member.bytes, member.bytes_count, where);
            if (fault != SCHEMA_GOOD) {
                return fault;
            }
        }
    }
    return SCHEMA_GOOD;
}

const void *schema_unpack(const void *descriptor, const uint8_t *bytes, size_t bytes_count,
                          struct arena *arena, enum schema_fault *fault, const char **where)
{
    *fault = texts_check(descriptor, bytes, bytes_count, where);
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
