/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMAND_LINE_H
#define COMMAND_LINE_H

/* Command line: the local socket of officers' and operators' tools. Who may open the socket file
 * may command: its mode is 0600, and the directory's mode keeps others out before that. REQ and
 * DEALER clients are both served. One thread. */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "ingest/ingest.h"

struct command_line;

MUST_USE struct err command_line_open(const struct ingest_conf *conf, void *context,
                                      struct command_line **out);
void command_line_close(struct command_line **self);
void *command_line_socket(const struct command_line *self);
/* False while every slot waits for its answer: leave the socket alone. */
bool command_line_has_room(const struct command_line *self);
/* Reads up to commands_capacity commands; what is none is answered here. Returns how many. */
uint32_t command_line_read(struct command_line *self, struct ingest_command **commands,
                           uint32_t commands_capacity);
/* Answers and gives the slot back. */
void command_line_answer(struct command_line *self, struct ingest_command *command,
                         const struct wire_answer *answer);

#endif
