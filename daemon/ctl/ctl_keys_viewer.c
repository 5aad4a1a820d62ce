/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/ctl.h"

#include <string.h>
#include <unistd.h>

#include "base/random.h"
#include "proto/hash.h"
#include "proto/member.h"
#include "proto/wire.h"

/* viewers/NAME.token holds the digest of a token and a purpose (daemon/console/viewers.h). The
 * token is printed once and kept nowhere: who reads the file cannot ask for images with it. */

#define PURPOSE_BYTES_MAX 128u

struct viewer_options {
    const char *directory; /* NULL: store's */
    const char *name;
    const char *purpose;
};

static error_t parse_viewer(int key, char *text, struct argp_state *state)
{
    struct viewer_options *options = state->input;
    switch (key) {
    case 'k':
        options->directory = text;
        return 0;
    case 'p':
        options->purpose = text;
        return 0;
    case ARGP_KEY_ARG:
        if (options->name != NULL) {
            argp_error(state, "unexpected argument %s", text);
        }
        options->name = text;
        return 0;
    case ARGP_KEY_END:
        if (options->name == NULL || options->purpose == NULL) {
            argp_error(state, "give NAME, and --purpose: it stands in every access entry");
        }
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static bool is_plain(const char *name)
{
    size_t bytes = strlen(name);
    return bytes >= 1 && bytes <= WIRE_PUBLISHER_BYTES_MAX && name[0] != '.' && name[0] != '-' &&
           name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789.-_")] == '\0';
}

static bool is_line(const char *text)
{
    size_t bytes = strlen(text);
    for (size_t i = 0; i < bytes; i++) {
        if ((unsigned char)text[i] < ' ' || text[i] == 0x7f) {
            return false;
        }
    }
    return bytes >= 1 && bytes <= PURPOSE_BYTES_MAX && text_valid((const uint8_t *)text, bytes);
}

/* The digest goes to the file before the token goes to anybody. */
static int viewer_make(const char *path, const char *purpose)
{
    uint8_t secret[HASH_BYTES];
    uint8_t digest[HASH_BYTES];
    char token[HASH_HEX_BYTES];
    char hex[HASH_HEX_BYTES];
    char text[HASH_HEX_BYTES + PURPOSE_BYTES_MAX + 3];
    random_bytes(secret, sizeof secret);
    hex_encode(secret, sizeof secret, token);
    sha256_of(token, strlen(token), digest);
    hex_encode(digest, sizeof digest, hex);
    int bytes = snprintf(text, sizeof text, "%s\n%s\n", hex, purpose);
    struct err err = durable_replace(path, text, (size_t)bytes, 0600);
    if (!err_is(err)) {
        (void)fprintf(stderr, "%s made; this token is shown only now:\n", path);
        puts(token);
    }
    explicit_bzero(secret, sizeof secret);
    explicit_bzero(token, sizeof token);
    return err_is(err) ? ctl_fail(path, err) : CTL_GOOD;
}

int ctl_keys_viewer(struct ctl *ctl, int argc, char **argv)
{
    static const struct argp_option table[] = {
        {"keys", 'k', "DIR", 0, "key directory (default: the store's)", 1},
        {"purpose", 'p', "TEXT", 0, "why images are shown, for the access entries (required)", 1},
        {0, 0, 0, 0, 0, 0},
    };
    static const struct argp own = {
        table,
        parse_viewer,
        "NAME",
        "Make a token with which NAME, a person or a screen, may see images over HTTP "
        "(console.images), and print it. Remove viewers/NAME.token to take it back; the daemon "
        "reads its lists when it starts.",
        NULL,
        NULL,
        NULL};
    struct viewer_options options = {NULL, NULL, NULL};
    char directory[DURABLE_PATH_BYTES];
    char folder[DURABLE_PATH_BYTES + 16];
    char path[2 * DURABLE_PATH_BYTES];
    ctl_parse(ctl, &own, &options, argc, argv);
    if (!is_plain(options.name) || !is_line(options.purpose)) {
        ctl_refuse("a name has 1 to %u of a-z 0-9 . - _, a purpose is one line of 1 to %u bytes of "
                   "UTF-8",
                   WIRE_PUBLISHER_BYTES_MAX, PURPOSE_BYTES_MAX);
        return CTL_USAGE;
    }
    if (options.directory != NULL) {
        if (snprintf(directory, sizeof directory, "%s", options.directory) >=
            (int)sizeof directory) {
            return ctl_refuse("%s: path is too long", options.directory);
        }
    } else if (!ctl_settle(ctl) || !ctl_path(ctl, ctl->conf.store_keys, directory)) {
        return CTL_REFUSED;
    }
    (void)snprintf(folder, sizeof folder, "%s/viewers", directory);
    (void)snprintf(path, sizeof path, "%s/%s.token", folder, options.name);
    struct err err = durable_directory(folder, 0700);
    if (err_is(err)) {
        return ctl_fail(folder, err);
    }
    return access(path, F_OK) == 0
               ? ctl_refuse("%s is there already: remove it to give a new token", path)
               : viewer_make(path, options.purpose);
}
