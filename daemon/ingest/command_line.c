/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/command_line.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zmq.h>

#include "base/counter.h"
#include "base/diag.h"
#include "ingest/server_socket.h"

enum {
    COMMAND_BYTES_MAX = 8192,
    COMMAND_ARENA_BYTES = 32768,
    COMMAND_ANSWER_BYTES_MAX = WIRE_REVEALED_BYTES_MAX + 16384,
    COMMAND_MESSAGES_PER_TURN = 64
};

struct command_slot {
    struct ingest_command command; /* first, so that a command is its slot */
    struct server_peer peer;
    bool is_delimited;
    bool is_used;
    uint32_t next_free;
    struct arena arena;
    uint8_t arena_bytes[COMMAND_ARENA_BYTES];
};

struct command_line {
    void *socket;
    char endpoint[SERVER_ENDPOINT_BYTES];
    struct command_slot *slots;
    uint32_t slots_count;
    uint32_t slots_free;
    uint32_t first_free;
    uint8_t question[COMMAND_BYTES_MAX];
    uint8_t answer[COMMAND_ANSWER_BYTES_MAX];
};

struct err command_line_open(const struct ingest_conf *conf, void *context,
                             struct command_line **out)
{
    must(conf->commands_max > 0);
    struct command_line *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return err_make(ERR_MEMORY, "command_line_open");
    }
    self->slots = calloc(conf->commands_max, sizeof *self->slots);
    if (self->slots == NULL) {
        free(self);
        return err_make(ERR_MEMORY, "command_line_open");
    }
    self->slots_count = self->slots_free = conf->commands_max;
    for (uint32_t i = 0; i < self->slots_count; i++) {
        self->slots[i].next_free = i + 1;
        self->slots[i].command.slot_index = i;
    }
    struct server_socket_conf socket_conf = {.context = context,
                                             .kind = SERVER_ROUTER,
                                             .endpoint = conf->command_endpoint,
                                             .part_bytes_max = COMMAND_BYTES_MAX,
                                             .receive_messages = 64,
                                             .send_messages = 64};
    struct err err = server_socket_open(&socket_conf, &self->socket, self->endpoint);
    if (!err_is(err) && strncmp(self->endpoint, "ipc://", 6) == 0 &&
        chmod(self->endpoint + 6, 0600) != 0) {
        err = err_os(ERR_SOCKET, "close command socket to others");
    }
    if (err_is(err)) {
        command_line_close(&self);
        return err;
    }
    *out = self;
    return err_none;
}

void command_line_close(struct command_line **self)
{
    if (*self == NULL) {
        return;
    }
    server_socket_close(&(*self)->socket, 200);
    free((*self)->slots);
    free(*self);
    *self = NULL;
}

void *command_line_socket(const struct command_line *self)
{
    return self->socket;
}

bool command_line_has_room(const struct command_line *self)
{
    return self->slots_free > 0;
}

static void answer_send(struct command_line *self, const struct server_peer *peer,
                        bool is_delimited, const struct wire_answer *answer)
{
    size_t bytes = wire_answer_encode(answer, self->answer, sizeof self->answer);
    if (bytes == 0) {
        struct wire_answer cut = {.request_id = answer->request_id,
                                  .done = answer->done,
                                  .name = answer->done ? "" : "too_large",
                                  .reason = "the answer does not fit into a message",
                                  .entry_index = answer->entry_index,
                                  .json = ""};
        bytes = wire_answer_encode(&cut, self->answer, sizeof self->answer);
        must(bytes > 0);
    }
    /* A tool that went away is not waited for. */
    if (is_delimited) {
        (void)server_send_delimited(self->socket, peer, WIRE_ANSWER, self->answer, bytes);
    } else {
        (void)server_send(self->socket, peer, WIRE_ANSWER, self->answer, bytes);
    }
}

static void question_refuse(struct command_line *self, const struct command_slot *slot)
{
    counter_add(COUNTER_wire_errors, 1);
    diag_warn(command, "error=malformed");
    struct wire_answer answer = {
        .request_id = "", .name = "malformed", .reason = "the command cannot be read", .json = ""};
    answer_send(self, &slot->peer, slot->is_delimited, &answer);
}

/* Reads one message into the slot. False when nothing waits; *good when the slot holds a command.
 */
static bool question_read(struct command_line *self, struct command_slot *slot, bool *good)
{
    *good = false;
    if (!server_peer_read(self->socket, &slot->peer)) {
        return false;
    }
    uint8_t tag[WIRE_TAG_BYTES + 1];
    int tag_bytes = 0;
    int question_bytes = -1;
    slot->is_delimited = false;
    if (server_has_more(self->socket)) {
        tag_bytes = zmq_recv(self->socket, tag, sizeof tag, ZMQ_DONTWAIT);
    }
    if (tag_bytes == 0 && server_has_more(self->socket)) { /* REQ puts an empty part in front */
        slot->is_delimited = true;
        tag_bytes = zmq_recv(self->socket, tag, sizeof tag, ZMQ_DONTWAIT);
    }
    if (server_has_more(self->socket)) {
        question_bytes =
            zmq_recv(self->socket, self->question, sizeof self->question, ZMQ_DONTWAIT);
    }
    bool whole = !server_has_more(self->socket);
    server_drain(self->socket);
    arena_init(&slot->arena, slot->arena_bytes, sizeof slot->arena_bytes);
    *good = whole && tag_bytes == (int)WIRE_TAG_BYTES &&
            wire_tag_parse(tag, WIRE_TAG_BYTES) == WIRE_COMMAND && question_bytes >= 0 &&
            question_bytes <= (int)sizeof self->question &&
            wire_command_decode(self->question, (size_t)question_bytes, &slot->arena,
                                &slot->command.command);
    return true;
}

uint32_t command_line_read(struct command_line *self, struct ingest_command **commands,
                           uint32_t commands_capacity)
{
    uint32_t count = 0;
    for (int i = 0;
         i < COMMAND_MESSAGES_PER_TURN && count < commands_capacity && self->slots_free > 0; i++) {
        struct command_slot *slot = &self->slots[self->first_free];
        bool good = false;
        if (!question_read(self, slot, &good)) {
            break;
        }
        if (!good) {
            question_refuse(self, slot);
            continue;
        }
        must(!slot->is_used);
        slot->is_used = true;
        self->first_free = slot->next_free;
        self->slots_free--;
        commands[count++] = &slot->command;
        counter_add(COUNTER_commands, 1);
    }
    return count;
}

void command_line_answer(struct command_line *self, struct ingest_command *command,
                         const struct wire_answer *answer)
{
    must(command->slot_index < self->slots_count);
    struct command_slot *slot = &self->slots[command->slot_index];
    must(&slot->command == command && slot->is_used);
    answer_send(self, &slot->peer, slot->is_delimited, answer);
    slot->is_used = false;
    slot->next_free = self->first_free;
    self->first_free = command->slot_index;
    self->slots_free++;
}
