/* SPDX-License-Identifier: Apache-2.0 */
/* One order under a request id of the caller's choice:
 * flow_ask ENDPOINT REQUEST_ID ACTOR ORDER ITEM|NAME|FILE|ENTRY|-
 * ORDER: policy, hold, lift, register, close, shadow, redact.
 * ITEM in hexadecimal, - is every item. Prints "done ENTRY" or "refused NAME: REASON". Fails when
 * nobody answers. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "ctl/ctl_client.h"
#include "proto/hash.h"

enum { PATIENCE_MS = 20000 };

static bool fill(struct wire_command *command, const char *order, const char *about)
{
    bool closes = strcmp(order, "close") == 0;
    command->sentence = "because";
    if (strcmp(order, "policy") == 0) {
        command->order = ORDER_POLICY;
        return true;
    }
    if (strcmp(order, "shadow") == 0) {
        command->order = ORDER_MODEL;
        command->model_step = MODEL_SHADOW;
        command->file = about;
        return true;
    }
    if (strcmp(order, "hold") == 0 || strcmp(order, "lift") == 0) {
        command->order = ORDER_HOLD;
        command->hold_placed = strcmp(order, "hold") == 0;
        command->hold_all = strcmp(about, "-") == 0;
        return command->hold_all || hex_decode(about, command->item, ITEM_ID_BYTES);
    }
    if (strcmp(order, "redact") == 0) {
        command->order = ORDER_REDACT;
        command->entries[0] = strtoull(about, NULL, 10);
        command->entries_count = 1;
        return true;
    }
    int64_t from_ns = clock_utc_ns() + 3600 * NS_PER_S;
    command->order = ORDER_OPERATION;
    command->operation = (struct entry_operation){.name = about,
                                                  .step = closes ? "close" : "register",
                                                  .mode = MODE_MAIL,
                                                  .site = "",
                                                  .lane = "",
                                                  .from_ns = closes ? 0 : from_ns,
                                                  .to_ns = closes ? 0 : from_ns + NS_PER_S,
                                                  .hypothesis = "more is found",
                                                  .metric = "hit_rate",
                                                  .comparator = "random",
                                                  .stop_rule = "at the end",
                                                  .reason = closes ? "withdrawn" : ""};
    return closes || strcmp(order, "register") == 0;
}

int main(int argc, char **argv)
{
    static uint8_t memory[CLIENT_ARENA_BYTES];
    const struct client_patience patience = {.timeout_ms = PATIENCE_MS, .attempts = 1};
    if (argc != 6) {
        return 2;
    }
    struct wire_command command = {.request_id = argv[2], .actor = argv[3]};
    struct wire_answer answer;
    struct arena arena;
    arena_init(&arena, memory, sizeof memory);
    if (!fill(&command, argv[4], argv[5]) ||
        err_is(client_ask(argv[1], patience, &command, &arena, &answer))) {
        return 1;
    }
    if (answer.done) {
        (void)printf("done %" PRIu64 "\n", answer.entry_index);
    } else {
        (void)printf("refused %s: %s\n", answer.name, answer.reason);
    }
    return 0;
}
