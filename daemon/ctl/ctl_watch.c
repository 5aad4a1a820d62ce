/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/ctl.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/clock.h"
#include "ctl/ctl_client.h"
#include "ctl/json_text.h"
#include "ctl/table.h"

/* Decisions as they are made, from the verdict feed: what a gate, a sorter or a dispatcher would
 * subscribe to. */

struct watch_options {
    const char *key_file;
    const char *daemon_key_file;
    const char *topic;
    uint64_t count; /* 0: until interrupted */
};

static error_t parse_watch(int key, char *text, struct argp_state *state)
{
    struct watch_options *options = state->input;
    switch (key) {
    case 'k':
        options->key_file = text;
        return 0;
    case 's':
        options->daemon_key_file = text;
        return 0;
    case 't':
        options->topic = text;
        return 0;
    case 'n':
        options->count = ctl_number(state, "count", text, INT64_MAX);
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "unexpected argument %s", text);
        return 0;
    case ARGP_KEY_END:
        if (options->key_file == NULL) {
            argp_error(state, "--key FILE is required: the feed is for allowed subscribers "
                              "(triagectl keys subscriber)");
        }
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static int print_json(const struct wire_verdict *verdict)
{
    json_t *reasons = json_array();
    for (uint32_t i = 0; i < verdict->reasons_count; i++) {
        json_t *reason = json_object();
        json_object_set_new(reason, "name", json_text(verdict->reasons[i].name));
        json_object_set_new(reason, "logit", json_real(verdict->reasons[i].logit));
        json_object_set_new(reason, "words", json_text(verdict->reasons[i].words));
        json_array_append_new(reasons, reason);
    }
    json_t *object = json_object();
    json_object_set_new(object, "entry", json_integer((json_int_t)verdict->entry_index));
    json_object_set_new(object, "t", json_time(verdict->t_ns));
    json_object_set_new(object, "item", json_hex("", verdict->item, ITEM_ID_BYTES));
    json_object_set_new(object, "label", json_text(verdict->label));
    json_object_set_new(object, "mode", json_text(mode_text(verdict->mode)));
    json_object_set_new(object, "site", json_text(verdict->site));
    json_object_set_new(object, "lane", json_text(verdict->lane));
    json_object_set_new(object, "decision", json_text(verdict->decision));
    json_object_set_new(object, "arm", json_text(verdict->arm));
    json_object_set_new(object, "score", json_real(verdict->probability));
    json_object_set_new(object, "propensity", json_real(verdict->propensity));
    json_object_set_new(object, "priority", json_real(verdict->priority));
    json_object_set_new(object, "reasons", reasons);
    return json_print(object, false);
}

static int print_line(const struct wire_verdict *verdict)
{
    char t[CLOCK_TEXT_BYTES];
    char item[2 * ITEM_ID_BYTES + 1];
    char line[1024];
    clock_text(verdict->t_ns, t);
    hex_encode(verdict->item, ITEM_ID_BYTES, item);
    (void)snprintf(line, sizeof line, "%.19sZ  %-8s %-8s %.8s  %.4f  %s %s/%s  %s  %s", t,
                   verdict->decision, verdict->arm, item, verdict->probability,
                   mode_text(verdict->mode), verdict->site, verdict->lane, verdict->label,
                   verdict->reasons_count > 0 ? verdict->reasons[0].words : "");
    text_print(stdout, line, 0, 0);
    return CTL_GOOD;
}

static int watch_feed(const struct ctl *ctl, struct client_feed *feed, uint64_t count)
{
    uint8_t *memory = malloc(CLIENT_ARENA_BYTES);
    if (memory == NULL) {
        return ctl_refuse("no memory");
    }
    struct arena arena;
    arena_init(&arena, memory, CLIENT_ARENA_BYTES);
    int result = CTL_GOOD;
    for (uint64_t seen = 0; result == CTL_GOOD && (count == 0 || seen < count); seen++) {
        struct wire_verdict verdict;
        struct err err = client_feed_next(feed, -1, &arena, &verdict);
        if (err_is(err)) {
            result = ctl_fail("verdict feed", err);
            break;
        }
        result = ctl->json ? print_json(&verdict) : print_line(&verdict);
        if (fflush(stdout) != 0) {
            result = CTL_REFUSED;
        }
    }
    free(memory);
    return result;
}

int ctl_watch(struct ctl *ctl, int argc, char **argv)
{
    static const struct argp_option options_table[] = {
        {"key", 'k', "FILE", 0, "CURVE pair of an allowed subscriber (required)", 1},
        {"daemon-key", 's', "FILE", 0, "public key of the daemon (default: KEYS/daemon.key.pub)",
         1},
        {"topic", 't', "PREFIX", 0, "only verdicts whose topic begins so", 1},
        {"count", 'n', "N", 0, "stop after N verdicts", 1},
        {0, 0, 0, 0, 0, 0},
    };
    static const struct argp own = {
        options_table,
        parse_watch,
        "",
        "Print decisions as the daemon makes them, until interrupted. --endpoint is the verdict"
        " feed's here.",
        NULL,
        NULL,
        NULL};
    struct watch_options options = {.topic = ""};
    char endpoint[DURABLE_PATH_BYTES];
    char keys[DURABLE_PATH_BYTES];
    char daemon_key[DURABLE_PATH_BYTES + 32];
    ctl_parse(ctl, &own, &options, argc, argv);
    if (!ctl_settle(ctl) || !ctl_path(ctl, ctl->conf.store_keys, keys) ||
        !ctl_endpoint(ctl,
                      ctl->endpoint != NULL ? ctl->endpoint : ctl->conf.ingest_verdict_endpoint,
                      endpoint)) {
        return CTL_REFUSED;
    }
    if (endpoint[0] == '\0') {
        return ctl_refuse("the configuration names no verdict endpoint");
    }
    (void)snprintf(daemon_key, sizeof daemon_key, "%s/daemon.key.pub", keys);
    struct client_feed *feed = NULL;
    struct err err =
        client_feed_open(endpoint, options.key_file,
                         options.daemon_key_file != NULL ? options.daemon_key_file : daemon_key,
                         options.topic, &feed);
    if (err_is(err)) {
        return ctl_fail(endpoint, err);
    }
    int result = watch_feed(ctl, feed, options.count);
    client_feed_close(&feed);
    return result;
}
