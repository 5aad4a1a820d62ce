/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/ctl.h"

#include <dirent.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include "base/random.h"
#include "ctl/json_text.h"
#include "ctl/table.h"
#include "proto/hash.h"
#include "proto/sign.h"
#include "proto/wire.h"
#include "publisher/curve_key.h"

/* The key directory:
 *   daemon.key, daemon.key.pub   CURVE pair of the daemon; publishers need the public half
 *   signing.seed                 64 hex digits: the Ed25519 seed that signs checkpoints
 *   signing.next                 the seed that the daemon goes on to at its next start, and a line:
 * why pseudonym.key                64 hex digits: the key of pseudonyms; destroyed, they speak of
 * nobody publishers/NAME.pub          allow-list of publishers, subscribers/NAME.pub the one of the
 * verdict feed private/NAME.key             pairs made here, to be carried to the publisher's
 * machine Nothing that is already there is ever written over: a lost signing seed is a new log. */

struct keys_options {
    const char *directory; /* NULL: store's */
    const char *name;
    const char *public_file; /* a key made elsewhere, to be allowed */
    const char *reason;
    bool takes_name;
};

static error_t parse_keys(int key, char *text, struct argp_state *state)
{
    struct keys_options *options = state->input;
    switch (key) {
    case 'k':
        options->directory = text;
        return 0;
    case 'p':
        options->public_file = text;
        return 0;
    case 'r':
        options->reason = text;
        return 0;
    case ARGP_KEY_ARG:
        if (options->name != NULL) {
            argp_error(state, "unexpected argument %s", text);
        }
        options->name = text;
        return 0;
    case ARGP_KEY_END:
        if (options->takes_name && options->name == NULL) {
            argp_error(state, "which NAME?");
        }
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* The key directory in use; out has DURABLE_PATH_BYTES. */
static bool keys_directory(struct ctl *ctl, const char *given, char *out)
{
    if (given != NULL) {
        return snprintf(out, DURABLE_PATH_BYTES, "%s", given) < (int)DURABLE_PATH_BYTES;
    }
    return ctl_settle(ctl) && ctl_path(ctl, ctl->conf.store_keys, out);
}

static bool key_path(const char *directory, const char *name, const char *ending, char *out)
{
    int bytes = snprintf(out, DURABLE_PATH_BYTES, "%s/%s%s", directory, name, ending);
    if (bytes < 0 || (size_t)bytes >= DURABLE_PATH_BYTES) {
        ctl_refuse("%s: path is too long", directory);
        return false;
    }
    return true;
}

#define REASON_BYTES_MAX 128u

/* 32 random bytes as hexadecimal, and `second` as a line behind them; the memory is wiped. */
static bool write_secret(const char *path, const char *second)
{
    uint8_t secret[HASH_BYTES];
    char digits[HASH_HEX_BYTES];
    char text[HASH_HEX_BYTES + REASON_BYTES_MAX + 2];
    random_bytes(secret, sizeof secret);
    hex_encode(secret, sizeof secret, digits);
    int bytes = snprintf(text, sizeof text, "%s\n%s%s", digits, second == NULL ? "" : second,
                         second == NULL ? "" : "\n");
    struct err err = durable_replace(path, text, (size_t)bytes, 0600);
    explicit_bzero(secret, sizeof secret);
    explicit_bzero(digits, sizeof digits);
    explicit_bzero(text, sizeof text);
    if (err_is(err)) {
        ctl_fail(path, err);
        return false;
    }
    printf("%s made\n", path);
    return true;
}

/* False when it cannot be told; then that has been printed: a key must not be replaced unseen. */
static bool find_key(const char *path, bool *exists)
{
    struct err err = durable_exists(path, exists);
    if (err_is(err)) {
        ctl_fail(path, err);
    }
    return !err_is(err);
}

/* Leaves a file that is there alone and says so. */
static bool make_secret(const char *directory, const char *name)
{
    char path[DURABLE_PATH_BYTES];
    bool exists = false;
    if (!key_path(directory, name, "", path) || !find_key(path, &exists)) {
        return false;
    }
    if (exists) {
        printf("%s is there already; kept\n", path);
        return true;
    }
    return write_secret(path, NULL);
}

static bool make_pair(const char *path)
{
    struct err err = curve_key_create(path);
    if (err.code == ERR_CONFLICT) {
        printf("%s is there already; kept\n", path);
        return true;
    }
    if (err_is(err)) {
        ctl_fail(path, err);
        return false;
    }
    printf("%s and %s.pub made\n", path, path);
    return true;
}

static bool make_directories(const char *directory)
{
    static const struct {
        const char *name;
        mode_t mode;
    } parts[] = {{"", 0755}, {"publishers", 0755}, {"subscribers", 0755}, {"private", 0700}};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        char path[DURABLE_PATH_BYTES];
        if (!key_path(directory, parts[i].name, "", path)) {
            return false;
        }
        struct err err = durable_directory(path, parts[i].mode);
        if (err_is(err)) {
            ctl_fail(path, err);
            return false;
        }
    }
    return true;
}

int ctl_keys_init(struct ctl *ctl, int argc, char **argv)
{
    static const struct argp own = {
        NULL,
        parse_keys,
        "[DIR]",
        "Make the daemon's keys in DIR (default: the store's key directory): a CURVE pair, the"
        " seed that signs checkpoints, the key of pseudonyms. What is there already is kept.",
        NULL,
        NULL,
        NULL};
    struct keys_options options = {0};
    char directory[DURABLE_PATH_BYTES];
    char path[DURABLE_PATH_BYTES];
    ctl_parse(ctl, &own, &options, argc, argv);
    bool made = keys_directory(ctl, options.name, directory) && make_directories(directory) &&
                key_path(directory, "daemon.key", "", path) && make_pair(path) &&
                make_secret(directory, "signing.seed") && make_secret(directory, "pseudonym.key");
    return made ? CTL_GOOD : CTL_REFUSED;
}

static bool reason_is_valid(const char *reason)
{
    size_t bytes = strlen(reason);
    for (size_t i = 0; i < bytes; i++) {
        if ((unsigned char)reason[i] < ' ' || reason[i] == 0x7f) {
            return false;
        }
    }
    return bytes >= 1 && bytes <= REASON_BYTES_MAX;
}

int ctl_keys_rotate(struct ctl *ctl, int argc, char **argv)
{
    static const struct argp_option options_table[] = {
        {"reason", 'r', "TEXT", 0, "why, for the key.rotate entry (default: rotation)", 1},
        {0, 0, 0, 0, 0, 0},
    };
    static const struct argp own = {
        options_table,
        parse_keys,
        "[DIR]",
        "Make the seed of a new signing key beside the old one (signing.next). At its next start "
        "the"
        " daemon tells of it in the log, has one checkpoint signed by both keys, signs with the new"
        " one from then on, and destroys the old seed.",
        NULL,
        NULL,
        NULL};
    struct keys_options options = {.reason = "rotation"};
    char directory[DURABLE_PATH_BYTES];
    char seed[DURABLE_PATH_BYTES];
    char next[DURABLE_PATH_BYTES];
    bool seed_exists = false;
    bool next_exists = false;
    ctl_parse(ctl, &own, &options, argc, argv);
    if (!reason_is_valid(options.reason)) {
        ctl_refuse("a reason is one line of 1 to %u bytes", REASON_BYTES_MAX);
        return CTL_USAGE;
    }
    if (!keys_directory(ctl, options.name, directory) ||
        !key_path(directory, "signing.seed", "", seed) ||
        !key_path(directory, "signing.next", "", next) || !find_key(seed, &seed_exists) ||
        !find_key(next, &next_exists)) {
        return CTL_REFUSED;
    }
    if (!seed_exists) {
        return ctl_refuse("%s: there is no key yet that could be rotated", seed);
    }
    if (next_exists) {
        return ctl_refuse("%s is there already: the daemon goes on to it at its next start", next);
    }
    if (!write_secret(next, options.reason)) {
        return CTL_REFUSED;
    }
    puts("The daemon goes on to it at its next start (systemctl restart triaged).");
    return CTL_GOOD;
}

/* Names become file names and stand in every entry: what the wire allows, and nothing that a path
 * could misread. */
static bool name_is_valid(const char *name)
{
    size_t bytes = strlen(name);
    return bytes >= 1 && bytes <= WIRE_PUBLISHER_BYTES_MAX && name[0] != '.' && name[0] != '-' &&
           name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789.-_")] == '\0';
}

/* The public half goes onto the list; one that differs from what is there is refused, for it would
 * lock somebody out. */
static int allow(const char *directory, const char *list, const char *name, const char *public_file)
{
    char public_key[CURVE_Z85_BYTES];
    char folder[DURABLE_PATH_BYTES];
    char path[DURABLE_PATH_BYTES];
    char text[CURVE_Z85_BYTES + 1];
    struct err err = curve_public_read(public_file, public_key);
    if (err_is(err)) {
        return ctl_fail(public_file, err);
    }
    if (!key_path(directory, list, "", folder) || !key_path(folder, name, ".pub", path)) {
        return CTL_REFUSED;
    }
    int text_bytes = snprintf(text, sizeof text, "%s\n", public_key);
    bool differs = false;
    err = durable_create(path, text, (size_t)text_bytes, 0644, &differs);
    if (err_is(err)) {
        return ctl_fail(path, err);
    }
    if (differs) {
        return ctl_refuse("%s holds another key; remove it first if %s really has a new one", path,
                          name);
    }
    printf("%s allows %s (the daemon reads its lists when it starts)\n", path, name);
    return CTL_GOOD;
}

static int add_name(struct ctl *ctl, const struct keys_options *options, const char *list)
{
    char directory[DURABLE_PATH_BYTES];
    char folder[DURABLE_PATH_BYTES];
    char pair[DURABLE_PATH_BYTES];
    char public_file[DURABLE_PATH_BYTES];
    if (!name_is_valid(options->name)) {
        ctl_refuse("a name has 1 to %u of a-z 0-9 . - _ and begins with a letter, digit or _",
                   WIRE_PUBLISHER_BYTES_MAX);
        return CTL_USAGE;
    }
    if (!keys_directory(ctl, options->directory, directory) || !make_directories(directory)) {
        return CTL_REFUSED;
    }
    if (options->public_file != NULL) {
        return allow(directory, list, options->name, options->public_file);
    }
    if (!key_path(directory, "private", "", folder) ||
        !key_path(folder, options->name, ".key", pair) ||
        !key_path(folder, options->name, ".key.pub", public_file) || !make_pair(pair)) {
        return CTL_REFUSED;
    }
    return allow(directory, list, options->name, public_file);
}

static const struct argp_option name_options[] = {
    {"keys", 'k', "DIR", 0, "key directory (default: the store's)", 1},
    {"public", 'p', "FILE", 0, "allow this public key, made elsewhere, instead of making a pair",
     1},
    {0, 0, 0, 0, 0, 0},
};

int ctl_keys_publisher(struct ctl *ctl, int argc, char **argv)
{
    static const struct argp own = {
        name_options, parse_keys,
        "NAME",       "Make a key pair for the publisher NAME (private/NAME.key) and allow it.",
        NULL,         NULL,
        NULL};
    struct keys_options options = {.takes_name = true};
    ctl_parse(ctl, &own, &options, argc, argv);
    return add_name(ctl, &options, "publishers");
}

int ctl_keys_subscriber(struct ctl *ctl, int argc, char **argv)
{
    static const struct argp own = {
        name_options, parse_keys,
        "NAME",       "Make a key pair for the subscriber NAME (private/NAME.key) and allow it.",
        NULL,         NULL,
        NULL};
    struct keys_options options = {.takes_name = true};
    ctl_parse(ctl, &own, &options, argc, argv);
    return add_name(ctl, &options, "subscribers");
}

static void add_key(json_t *array, const char *role, const char *name, const char *path)
{
    char public_key[CURVE_Z85_BYTES] = "";
    struct stat found;
    bool there = stat(path, &found) == 0;
    const char *remark = !there ? "missing" : "";
    if (there && (strcmp(role, "secret") == 0 || strcmp(role, "viewer") == 0)) {
        remark = (found.st_mode & (S_IRWXG | S_IRWXO)) != 0 ? "readable by others" : "";
    } else if (there && err_is(curve_public_read(path, public_key))) {
        remark = "unreadable";
    }
    json_t *object = json_object();
    json_object_set_new(object, "role", json_text(role));
    json_object_set_new(object, "name", json_text(name));
    json_object_set_new(object, "public_key", json_text(public_key));
    json_object_set_new(object, "remark", json_text(remark));
    json_array_append_new(array, object);
}

static void add_list(json_t *array, const char *role, const char *directory, const char *ending)
{
    size_t ending_bytes = strlen(ending);
    DIR *folder = opendir(directory);
    for (struct dirent *found; folder != NULL && (found = readdir(folder)) != NULL;) {
        char path[DURABLE_PATH_BYTES];
        size_t bytes = strlen(found->d_name);
        if (bytes <= ending_bytes || strcmp(found->d_name + bytes - ending_bytes, ending) != 0 ||
            !key_path(directory, found->d_name, "", path)) {
            continue;
        }
        char name[256];
        (void)snprintf(name, sizeof name, "%.*s", (int)(bytes - ending_bytes), found->d_name);
        add_key(array, role, name, path);
    }
    if (folder != NULL) {
        closedir(folder);
    }
}

static bool list_keys(const char *directory, json_t *array)
{
    static const struct {
        const char *role;
        const char *file;
    } own[] = {{"daemon", "daemon.key.pub"},
               {"secret", "daemon.key"},
               {"secret", "signing.seed"},
               {"secret", "pseudonym.key"}};
    char path[DURABLE_PATH_BYTES];
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) {
        if (!key_path(directory, own[i].file, "", path)) {
            return false;
        }
        add_key(array, own[i].role, own[i].file, path);
    }
    bool next_exists = false;
    if (!key_path(directory, "signing.next", "", path) || !find_key(path, &next_exists)) {
        return false;
    }
    if (next_exists) {
        add_key(array, "secret", "signing.next", path);
    }
    if (!key_path(directory, "publishers", "", path)) {
        return false;
    }
    add_list(array, "publisher", path, ".pub");
    if (!key_path(directory, "subscribers", "", path)) {
        return false;
    }
    add_list(array, "subscriber", path, ".pub");
    if (!key_path(directory, "viewers", "", path)) {
        return false;
    }
    add_list(array, "viewer", path, ".token");
    return true;
}

int ctl_keys_list(struct ctl *ctl, int argc, char **argv)
{
    static const struct argp own = {
        NULL,    parse_keys,
        "[DIR]", "The daemon's keys and its allow-lists; secrets are named, never shown.",
        NULL,    NULL,
        NULL};
    static const struct table_column columns[] = {{"ROLE", TABLE_LEFT, 0},
                                                  {"NAME", TABLE_LEFT, 0},
                                                  {"PUBLIC KEY", TABLE_LEFT, 0},
                                                  {"", TABLE_LEFT, 0}};
    struct keys_options options = {0};
    char directory[DURABLE_PATH_BYTES];
    ctl_parse(ctl, &own, &options, argc, argv);
    json_t *keys = json_array();
    if (!keys_directory(ctl, options.name, directory) || !list_keys(directory, keys)) {
        json_decref(keys);
        return CTL_REFUSED;
    }
    if (ctl->json) {
        return json_print(keys, true);
    }
    struct table *table = table_open(columns, 4);
    bool whole = table != NULL;
    size_t index;
    json_t *key;
    json_array_foreach(keys, index, key)
    {
        static const char *const members[] = {"role", "name", "public_key", "remark"};
        for (size_t i = 0; i < 4 && table != NULL; i++) {
            table_cell(table, json_string_value(json_object_get(key, members[i])));
        }
    }
    whole = whole && table_print(table, stdout, terminal_width(stdout));
    table_close(&table);
    json_decref(keys);
    return whole ? CTL_GOOD : ctl_refuse("no memory");
}
