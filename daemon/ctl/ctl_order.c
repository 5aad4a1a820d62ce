/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/ctl_order.h"

#include <inttypes.h>
#include <string.h>
#include <sys/un.h>

#include <jansson.h>

#include "base/random.h"
#include "ctl/ctl_client.h"
#include "ctl/json_text.h"
#include "ctl/table.h"

/* Three tries of five seconds: a daemon that seals an archive or waits for its disk answers late,
 * one that is down never. */
static const struct client_patience patience = {.timeout_ms = 5000, .attempts = 3};
/* Closing waits for everything that was received, and for an archive file that is being built. */
static const struct client_patience long_patience = {.timeout_ms = 180000, .attempts = 1};
static const struct client_patience short_patience = {.timeout_ms = 3000, .attempts = 1};
static const struct client_patience no_patience = {.timeout_ms = 300, .attempts = 1};

static uint8_t arena_bytes[CLIENT_ARENA_BYTES];

/* Where the daemon is asked; false when told. */
static bool find_endpoint(struct ctl *ctl, char endpoint[DURABLE_PATH_BYTES])
{
    if (!ctl_settle(ctl) ||
        !ctl_endpoint(ctl,
                      ctl->endpoint != NULL ? ctl->endpoint : ctl->conf.ingest_command_endpoint,
                      endpoint)) {
        return false;
    }
    const size_t ipc_path_max = sizeof((struct sockaddr_un *)0)->sun_path - 1;
    if (strncmp(endpoint, "ipc://", 6) == 0 && strlen(endpoint + 6) > ipc_path_max) {
        ctl_refuse("%s: a socket path may have %zu bytes", endpoint, ipc_path_max);
        return false;
    }
    return true;
}

json_t *ctl_order_health(struct ctl *ctl)
{
    char endpoint[DURABLE_PATH_BYTES];
    struct wire_command command = {.order = ORDER_HEALTH, .request_id = NULL};
    struct wire_answer answer;
    struct arena arena;
    if (!find_endpoint(ctl, endpoint)) {
        return NULL;
    }
    command.actor = ctl_actor(ctl);
    arena_init(&arena, arena_bytes, sizeof arena_bytes);
    struct err err = client_ask(endpoint, no_patience, &command, &arena, &answer);
    return err_is(err) || answer.json == NULL ? NULL : json_loads(answer.json, 0, NULL);
}

/* Asks; false when told. */
static bool ask(struct ctl *ctl, struct wire_command *command, struct client_patience how,
                struct wire_answer *answer)
{
    static char endpoint[DURABLE_PATH_BYTES];
    static char request_id[37];
    struct arena arena;
    if (!find_endpoint(ctl, endpoint)) {
        return false;
    }
    uint8_t id[ENTRY_ID_BYTES];
    random_uuid7(id);
    uuid_format(id, request_id);
    command->request_id = request_id;
    command->actor = ctl_actor(ctl);
    arena_init(&arena, arena_bytes, sizeof arena_bytes);
    struct err err = client_ask(endpoint, how, command, &arena, answer);
    if (err.code == ERR_TIMED_OUT) {
        ctl_refuse("the daemon does not answer at %s (request %s)", endpoint, request_id);
    } else if (err_is(err)) {
        ctl_fail(endpoint, err);
    }
    return !err_is(err);
}

static const char *text_or_empty(const char *text)
{
    return text == NULL ? "" : text;
}

static json_t *answer_json(const struct wire_answer *answer)
{
    json_t *object = json_object();
    json_object_set_new(object, "request_id", json_text(answer->request_id));
    json_object_set_new(object, "done", json_boolean(answer->done));
    if (answer->done) {
        json_object_set_new(object, "entry", json_integer((json_int_t)answer->entry_index));
    } else {
        json_object_set_new(object, "name", json_text(answer->name));
        json_object_set_new(object, "reason", json_text(answer->reason));
    }
    return object;
}

static int refuse(struct ctl *ctl, const struct wire_answer *answer)
{
    if (ctl->json) {
        (void)json_print(answer_json(answer), true);
        return CTL_REFUSED;
    }
    return ctl_refuse("refused: %s: %s", text_or_empty(answer->name),
                      text_or_empty(answer->reason));
}

int ctl_order_quietly(struct ctl *ctl, struct wire_command *command)
{
    struct wire_answer answer;
    if (!ask(ctl, command, patience, &answer)) {
        return CTL_REFUSED;
    }
    return answer.done ? CTL_GOOD : refuse(ctl, &answer);
}

bool ctl_order_answer_briefly(struct ctl *ctl, struct wire_command *command,
                              struct wire_answer *answer)
{
    return ask(ctl, command, short_patience, answer);
}

int ctl_order_answer(struct ctl *ctl, struct wire_command *command, struct wire_answer *answer)
{
    if (!ask(ctl, command, patience, answer)) {
        return CTL_REFUSED;
    }
    return answer->done ? CTL_GOOD : refuse(ctl, answer);
}

static int order_patiently(struct ctl *ctl, struct wire_command *command,
                           struct client_patience how, uint64_t *entry_index)
{
    struct wire_answer answer;
    if (!ask(ctl, command, how, &answer)) {
        return CTL_REFUSED;
    }
    if (!answer.done) {
        return refuse(ctl, &answer);
    }
    *entry_index = answer.entry_index;
    if (ctl->json) {
        return json_print(answer_json(&answer), true);
    }
    if (answer.entry_index == 0) {
        puts("Done.");
    } else {
        printf("Done, entry %" PRIu64 ".\n", answer.entry_index);
    }
    return CTL_GOOD;
}

int ctl_order_entry(struct ctl *ctl, struct wire_command *command, uint64_t *entry_index)
{
    return order_patiently(ctl, command, patience, entry_index);
}

int ctl_order(struct ctl *ctl, struct wire_command *command)
{
    uint64_t entry_index = 0;
    return order_patiently(ctl, command, patience, &entry_index);
}

/* Nested objects become "outer.inner". */
static void add_members(struct table *table, const char *prefix, json_t *object);

/* An array of objects: witnesses.0.name, witnesses.1.name, ... */
static void add_members_of_all(struct table *table, const char *prefix, json_t *array)
{
    size_t index;
    json_t *value;
    json_array_foreach(array, index, value)
    {
        char path[160];
        (void)snprintf(path, sizeof path, "%.128s.%zu", prefix, index);
        add_members(table, path, value);
    }
}

static void add_members(struct table *table, const char *prefix, json_t *object)
{
    const char *name;
    json_t *value;
    json_object_foreach(object, name, value)
    {
        char path[256];
        (void)snprintf(path, sizeof path, "%s%s%s", prefix, prefix[0] == '\0' ? "" : ".", name);
        if (json_is_object(value) && strlen(path) < 128) {
            add_members(table, path, value);
            continue;
        }
        if (json_is_array(value)) {
            add_members_of_all(table, path, value);
            continue;
        }
        table_cell(table, path);
        if (json_is_string(value)) {
            table_cell(table, json_string_value(value));
        } else if (json_is_integer(value)) {
            table_cellf(table, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        } else if (json_is_real(value)) {
            table_cellf(table, "%.6g", json_real_value(value));
        } else {
            table_cell(table, json_is_true(value) ? "yes" : json_is_false(value) ? "no" : "-");
        }
    }
}

int ctl_order_report(struct ctl *ctl, struct wire_command *command)
{
    static const struct table_column columns[] = {{"", TABLE_LEFT, 0}, {"", TABLE_LEFT, 0}};
    struct wire_answer answer;
    if (!ask(ctl, command, short_patience, &answer)) {
        return CTL_REFUSED;
    }
    json_error_t error;
    json_t *report = json_loads(text_or_empty(answer.json), JSON_REJECT_DUPLICATES, &error);
    if (report == NULL) {
        return answer.done ? ctl_refuse("the daemon's report is not JSON: %s", error.text)
                           : refuse(ctl, &answer);
    }
    int result;
    if (ctl->json) {
        result = json_print(report, true);
    } else {
        struct table *table = table_open(columns, 2);
        bool whole = table != NULL;
        if (whole) {
            add_members(table, "", report);
            whole = table_print(table, stdout, terminal_width(stdout));
        }
        table_close(&table);
        json_decref(report);
        result = whole ? CTL_GOOD : ctl_refuse("no memory for the whole report");
    }
    return answer.done ? result : CTL_REFUSED;
}

int ctl_health(struct ctl *ctl, int argc, char **argv)
{
    ctl_parse_nothing(ctl,
                      "Ask the daemon how it is. Exit 1 when it does not answer or is not well.",
                      argc, argv);
    struct wire_command command = {.order = ORDER_HEALTH};
    return ctl_order_report(ctl, &command);
}

int ctl_log_publish(struct ctl *ctl, int argc, char **argv)
{
    ctl_parse_nothing(ctl, "Have a checkpoint of everything that is durable published now.", argc,
                      argv);
    struct wire_command command = {.order = ORDER_CHECKPOINT};
    return ctl_order(ctl, &command);
}

int ctl_archive_seal(struct ctl *ctl, int argc, char **argv)
{
    ctl_parse_nothing(
        ctl, "Have an archive file of everything not yet sealed built and sealed now.", argc, argv);
    struct wire_command command = {.order = ORDER_ARCHIVE};
    return ctl_order(ctl, &command);
}

static error_t parse_close(int key, char *text, struct argp_state *state)
{
    const char **reason = state->input;
    switch (key) {
    case 'r':
        *reason = text;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "unexpected argument %s", text);
        return 0;
    case ARGP_KEY_END:
        if (*reason == NULL || **reason == '\0') {
            argp_error(state, "--reason TEXT is needed: it stands in the log for ever");
        }
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

int ctl_log_close(struct ctl *ctl, int argc, char **argv)
{
    static const struct argp_option options_table[] = {
        {"reason", 'r', "TEXT", 0, "why, for the log.close entry", 1},
        {0, 0, 0, 0, 0, 0},
    };
    static const struct argp own = {
        options_table,
        parse_close,
        "",
        "Close the shard of the log that is open: log.close becomes its last entry, its final"
        " checkpoint is published, and the daemon stops. Its next start opens a new shard.",
        NULL,
        NULL,
        NULL};
    const char *reason = NULL;
    ctl_parse(ctl, &own, &reason, argc, argv);
    struct wire_command command = {.order = ORDER_CLOSE, .close_reason = reason};
    uint64_t entry_index = 0;
    return order_patiently(ctl, &command, long_patience, &entry_index);
}
