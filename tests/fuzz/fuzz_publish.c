/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "proto/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t bytes_count);

/* Everything that a socket can bring: the publish walk stays inside its input and survives a round;
 * the other decoders must only come back. */
static void publish_try(const uint8_t *bytes, size_t bytes_count)
{
    static struct wire_publish publish;
    static struct wire_publish again;
    static uint8_t encoded[WIRE_MESSAGE_BYTES_MAX];
    if (!wire_publish_decode(bytes, bytes_count, &publish)) {
        return;
    }
    for (uint32_t i = 0; i < publish.records_count; i++) {
        const struct wire_record *record = &publish.records[i];
        if (record->body < bytes || record->body > bytes + bytes_count ||
            record->body_bytes > (size_t)(bytes + bytes_count - record->body)) {
            abort();
        }
    }
    size_t length = wire_publish_encode(&publish, encoded, sizeof encoded);
    if (length != 0 && (!wire_publish_decode(encoded, length, &again) ||
                        again.records_count != publish.records_count ||
                        again.first_sequence != publish.first_sequence)) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t bytes_count)
{
    static uint8_t arena_bytes[1 << 19];
    struct arena arena;
    static union {
        struct wire_hello hello;
        struct wire_welcome welcome;
        struct wire_ack ack;
        uint64_t next_sequence;
        struct wire_bye bye;
        struct wire_verdict verdict;
        struct wire_command command;
        struct wire_answer answer;
    } out;
    publish_try(bytes, bytes_count);
    (void)wire_tag_parse(bytes, bytes_count);
    arena_init(&arena, arena_bytes, sizeof arena_bytes);
    (void)wire_hello_decode(bytes, bytes_count, &arena, &out.hello);
    arena_reset(&arena);
    (void)wire_welcome_decode(bytes, bytes_count, &arena, &out.welcome);
    arena_reset(&arena);
    (void)wire_ack_decode(bytes, bytes_count, &arena, &out.ack);
    arena_reset(&arena);
    (void)wire_resend_decode(bytes, bytes_count, &arena, &out.next_sequence);
    arena_reset(&arena);
    (void)wire_bye_decode(bytes, bytes_count, &arena, &out.bye);
    arena_reset(&arena);
    (void)wire_verdict_decode(bytes, bytes_count, &arena, &out.verdict);
    arena_reset(&arena);
    (void)wire_command_decode(bytes, bytes_count, &arena, &out.command);
    arena_reset(&arena);
    (void)wire_answer_decode(bytes, bytes_count, &arena, &out.answer);
    return 0;
}
