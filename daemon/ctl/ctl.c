/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/ctl.h"

#include <errno.h>
#include <math.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "state/state.h"

enum { OPTION_DIR = 0x1000, OPTION_CONFIG, OPTION_ENDPOINT, OPTION_ACTOR, OPTION_JSON };

static const struct argp_option global_options[] = {
    {0, 0, 0, 0, "Options of every command:", 90},
    {"dir", OPTION_DIR, "STORE", 0,
     "the daemon's store (default: the configuration's, /var/lib/triaged)", 90},
    {"config", OPTION_CONFIG, "FILE", 0,
     "the daemon's configuration (default: " CTL_CONFIG_FILE " when there)", 90},
    {"endpoint", OPTION_ENDPOINT, "ENDPOINT", 0, "command socket of the daemon: ipc://PATH", 90},
    {"actor", OPTION_ACTOR, "NAME", 0, "who acts (default: your login name)", 90},
    {"json", OPTION_JSON, 0, 0, "print JSON for programs", 90},
    {0, 0, 0, 0, 0, 0},
};

static error_t parse_global(int key, char *text, struct argp_state *state)
{
    struct ctl *ctl = state->input;
    switch (key) {
    case OPTION_DIR:
        ctl->directory = text;
        return 0;
    case OPTION_CONFIG:
        ctl->config_file = text;
        return 0;
    case OPTION_ENDPOINT:
        ctl->endpoint = text;
        return 0;
    case OPTION_ACTOR:
        ctl->actor = text;
        return 0;
    case OPTION_JSON:
        ctl->json = true;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

const struct argp ctl_argp = {global_options, parse_global, NULL, NULL, NULL, NULL, NULL};

/* argp hands inputs to children through the parent's ARGP_KEY_INIT: this parent does nothing else.
 */
struct parse_inputs {
    struct ctl *ctl;
    void *options;
};

static error_t parse_parent(int key, char *text, struct argp_state *state)
{
    (void)text;
    const struct parse_inputs *inputs = state->input;
    if (key == ARGP_KEY_INIT) {
        state->child_inputs[0] = inputs->options;
        state->child_inputs[1] = inputs->ctl;
        return 0;
    }
    return ARGP_ERR_UNKNOWN;
}

void ctl_parse(struct ctl *ctl, const struct argp *own, void *options, int argc, char **argv)
{
    struct argp command = *own; /* its words belong to the parent, or argp prints them twice */
    command.args_doc = NULL;
    command.doc = NULL;
    const struct argp_child children[] = {
        {&command, 0, NULL, 0}, {&ctl_argp, 0, NULL, 90}, {NULL, 0, NULL, 0}};
    const struct argp parent = {NULL, parse_parent, own->args_doc, own->doc, children, NULL, NULL};
    struct parse_inputs inputs = {ctl, options};
    argp_parse(&parent, argc, argv, 0, NULL, &inputs);
}

static error_t parse_nothing(int key, char *text, struct argp_state *state)
{
    if (key == ARGP_KEY_ARG) {
        argp_error(state, "unexpected argument %s", text);
    }
    return ARGP_ERR_UNKNOWN;
}

void ctl_parse_nothing(struct ctl *ctl, const char *sentence, int argc, char **argv)
{
    const struct argp own = {NULL, parse_nothing, "", sentence, NULL, NULL, NULL};
    ctl_parse(ctl, &own, NULL, argc, argv);
}

int ctl_fail(const char *what, struct err err)
{
    char text[ERR_TEXT_BYTES];
    (void)fprintf(stderr, "triagectl: %s: %s\n", what, err_text(err, text));
    return CTL_REFUSED;
}

int ctl_refuse(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)fputs("triagectl: ", stderr);
    (void)vfprintf(stderr, format, arguments);
    (void)fputc('\n', stderr);
    va_end(arguments);
    return CTL_REFUSED;
}

bool ctl_settle(struct ctl *ctl)
{
    if (ctl->settled) {
        return true;
    }
    const char *file = ctl->config_file;
    if (file == NULL && access(CTL_CONFIG_FILE, R_OK) == 0) {
        file = CTL_CONFIG_FILE;
    }
    if (file == NULL) {
        conf_defaults(&ctl->conf);
    } else {
        char why[CONF_WHY_BYTES] = "";
        struct err err = conf_read(file, &ctl->conf, why);
        if (err_is(err)) {
            if (why[0] != '\0') {
                ctl_refuse("%s", why);
            } else {
                ctl_fail(file, err);
            }
            return false;
        }
    }
    if (ctl->directory != NULL) {
        if (strlen(ctl->directory) >= sizeof ctl->conf.store_directory) {
            ctl_refuse("--dir is longer than %zu bytes", sizeof ctl->conf.store_directory - 1);
            return false;
        }
        strcpy(ctl->conf.store_directory, ctl->directory);
    }
    ctl->settled = true;
    return true;
}

bool ctl_path(struct ctl *ctl, const char *name, char *out)
{
    if (!ctl_settle(ctl)) {
        return false;
    }
    struct err err = conf_path(&ctl->conf, name, out, DURABLE_PATH_BYTES);
    if (err_is(err)) {
        ctl_fail(name, err);
        return false;
    }
    return true;
}

bool ctl_endpoint(struct ctl *ctl, const char *configured, char *out)
{
    static const char ipc[] = "ipc://";
    const size_t ipc_bytes = sizeof ipc - 1;
    if (strncmp(configured, ipc, ipc_bytes) != 0) {
        int bytes = snprintf(out, DURABLE_PATH_BYTES, "%s", configured);
        return bytes >= 0 && (size_t)bytes < DURABLE_PATH_BYTES;
    }
    char path[DURABLE_PATH_BYTES];
    if (!ctl_path(ctl, configured + ipc_bytes, path)) {
        return false;
    }
    int bytes = snprintf(out, DURABLE_PATH_BYTES, "%s%s", ipc, path);
    if (bytes < 0 || (size_t)bytes >= DURABLE_PATH_BYTES) {
        ctl_refuse("endpoint is too long: %s", configured);
        return false;
    }
    return true;
}

const char *ctl_actor(struct ctl *ctl)
{
    if (ctl->actor != NULL) {
        return ctl->actor;
    }
    const struct passwd *user = getpwuid(getuid());
    return user != NULL ? user->pw_name : "unknown";
}

struct state *ctl_open_state(struct ctl *ctl)
{
    char path[DURABLE_PATH_BYTES];
    if (!ctl_path(ctl, "state.db", path)) {
        return NULL;
    }
    if (access(path, R_OK) != 0) {
        ctl_refuse("%s: %s (is --dir the daemon's store, and has the daemon run?)", path,
                   strerror(errno));
        return NULL;
    }
    struct state *state = NULL;
    struct err err = state_open_readonly(path, &state);
    if (err_is(err)) {
        ctl_fail(path, err);
        return NULL;
    }
    return state;
}

struct found_items {
    uint32_t count;
    char first[2 * ITEM_ID_BYTES + 1];
};

static void take_item(void *arg, uint32_t columns_count, const char *const *names,
                      const char *const *values)
{
    (void)columns_count, (void)names;
    struct found_items *found = arg;
    if (found->count++ == 0) {
        (void)snprintf(found->first, sizeof found->first, "%s", values[0]);
    }
}

static bool is_hex(const char *text)
{
    return text[0] != '\0' && text[strspn(text, "0123456789abcdefABCDEF")] == '\0';
}

/* Labels first: a label that happens to be hexadecimal is what somebody reads off a container or a
 * parcel. Ids are compared as a range of blobs, which the primary key answers at once. */
bool ctl_find_item(struct state *state, const char *text, uint8_t item[ITEM_ID_BYTES])
{
    struct found_items found = {0};
    struct err err = state_query(state, "SELECT item FROM items WHERE label = ?1 LIMIT 2", text,
                                 (uint32_t)strlen(text), true, take_item, &found);
    size_t digits = strlen(text);
    if (!err_is(err) && found.count == 0 && is_hex(text) && digits >= 6 &&
        digits <= (size_t)2 * ITEM_ID_BYTES) {
        static const char last[] = "ffffffffffffffffffffffffffffffff";
        char sql[256];
        int even = (int)(digits & ~(size_t)1);
        (void)snprintf(sql, sizeof sql,
                       "SELECT item FROM items WHERE item BETWEEN x'%.*s' AND x'%.*s%s'"
                       " AND lower(hex(item)) LIKE lower(?1) || '%%' LIMIT 2",
                       even, text, even, text, last + even);
        err = state_query(state, sql, text, (uint32_t)digits, true, take_item, &found);
    }
    if (err_is(err)) {
        ctl_fail("find item", err);
        return false;
    }
    if (found.count != 1) {
        ctl_refuse(
            found.count == 0
                ? "no item with the label, or an id that begins with, \"%s\" (at least 6 digits)"
                : "more than one item is called \"%s\"; give more digits of its id",
            text);
        return false;
    }
    must(hex_decode(found.first, item, ITEM_ID_BYTES));
    return true;
}

bool ctl_parse_time(const char *text, int64_t *t_ns)
{
    static const char *const forms[] = {"%Y-%m-%d", "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%MZ"};
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        struct tm parts = {0};
        const char *end = strptime(text, forms[i], &parts);
        if (end != NULL && *end == '\0' && parts.tm_year >= 70 && parts.tm_year < 300) {
            *t_ns = (int64_t)timegm(&parts) * NS_PER_S;
            return true;
        }
    }
    return false;
}

uint64_t ctl_number(struct argp_state *state, const char *option, const char *text, uint64_t max)
{
    char *end = NULL;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || value > max) {
        argp_error(state, "--%s takes a whole number from 0 to %llu, not %s", option,
                   (unsigned long long)max, text);
    }
    return value;
}

double ctl_real(struct argp_state *state, const char *option, const char *text)
{
    char *end = NULL;
    double value = strtod(text, &end);
    if (text[0] == '\0' || *end != '\0' || !isfinite(value) || value < 0.0) {
        argp_error(state, "--%s takes a number that is not negative, not %s", option, text);
    }
    return value;
}
