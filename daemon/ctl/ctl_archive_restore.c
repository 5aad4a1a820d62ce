/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/ctl.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "archive/archive.h"
#include "archive/archive_copy.h"
#include "ctl/archive_seals.h"
#include "ctl/json_text.h"
#include "ctl/rows.h"

/* Sealed files that are lost or damaged come back from a place of copies: only the very bytes of
 * the seal get the name, and what is good stays as it is. No entry tells of it: the archive is
 * again what the log says that it is. */

struct restore_options {
    const char *text;
    const char *from;
};

static error_t parse_restore(int key, char *text, struct argp_state *state)
{
    struct restore_options *options = state->input;
    switch (key) {
    case 'f':
        options->from = text;
        return 0;
    case ARGP_KEY_ARG:
        if (options->text != NULL) {
            argp_error(state, "one FILE or DAY at a time");
        }
        options->text = text;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static struct err restore_from(const char *from, const char *archive, const json_t *seal,
                               bool *made)
{
    uint8_t sha256[HASH_BYTES];
    if (!hex_decode(member_text(seal, "sha256"), sha256, HASH_BYTES)) {
        return err_make(ERR_ARGUMENT, "digest of a seal");
    }
    const struct archive_sealed sealed = {member_text(seal, "path"),
                                          (uint64_t)member_integer(seal, "file_bytes"), sha256};
    return archive_copy_make(from, archive, &sealed, NULL, made);
}

/* A good file needs no copy, and none that can be reached. */
static bool is_good(const char *archive, const json_t *seal)
{
    char path[DURABLE_PATH_BYTES];
    char hex[HASH_HEX_BYTES];
    uint8_t sha256[HASH_BYTES];
    uint64_t file_bytes = 0;
    if (strcmp(archive_seal_state(archive, seal, path), "present") != 0 ||
        err_is(archive_hash_file(path, sha256, &file_bytes))) {
        return false;
    }
    hex_encode(sha256, HASH_BYTES, hex);
    return strcmp(hex, member_text(seal, "sha256")) == 0;
}

/* "good", "restored from ...", or why not; *good tells which. */
static void restore_one(struct ctl *ctl, const char *from, const char *archive, json_t *seal,
                        bool *good)
{
    char directory[DURABLE_PATH_BYTES];
    char words[DURABLE_PATH_BYTES + ERR_TEXT_BYTES] = "";
    char text[ERR_TEXT_BYTES];
    const char *at = NULL;
    bool made = false;
    bool more = true;
    *good = is_good(archive, seal);
    (void)snprintf(words, sizeof words, "%s", *good ? "good" : "");
    (void)archive_place_next(ctl, &at, directory); /* the archive itself */
    while (!*good && more) {
        if (from != NULL) {
            (void)snprintf(directory, sizeof directory, "%s", from);
            more = false;
        } else {
            more = archive_place_next(ctl, &at, directory);
        }
        if (from == NULL && !more) {
            break;
        }
        struct err err = restore_from(directory, archive, seal, &made);
        *good = !err_is(err);
        if (*good) {
            (void)snprintf(words, sizeof words, "%s%s", made ? "restored from " : "good",
                           made ? directory : "");
        } else {
            (void)snprintf(words, sizeof words, "not restored: %s: %s", directory,
                           err_text(err, text));
        }
    }
    json_object_set_new(
        seal, "restore",
        json_text(words[0] == '\0' ? "not restored: archive.copy is empty" : words));
    json_object_set_new(seal, "restored", json_boolean(made && *good));
    json_object_set_new(seal, "good", json_boolean(*good));
}

int ctl_archive_restore(struct ctl *ctl, int argc, char **argv)
{
    static const struct argp_option table[] = {
        {"from", 'f', "DIR", 0, "a directory of copies (default: those of archive.copy)", 0}, {0}};
    static const struct argp own = {
        table,
        parse_restore,
        "[FILE|DAY]",
        "Puts sealed files back that are missing from the archive or damaged, from a directory of "
        "copies. A file is written beside its name, read back and held against its seal before it "
        "gets the name; a good one is left alone. Exit 1 when one cannot be restored.",
        NULL,
        NULL,
        NULL};
    struct restore_options options = {NULL, NULL};
    char archive[DURABLE_PATH_BYTES];
    ctl_parse(ctl, &own, &options, argc, argv);
    json_t *seals =
        ctl_path(ctl, "archive", archive) ? archive_seals_find(ctl, options.text) : NULL;
    if (seals == NULL) {
        return CTL_REFUSED;
    }
    bool all = true;
    size_t index;
    json_t *seal;
    json_array_foreach(seals, index, seal)
    {
        bool good = false;
        restore_one(ctl, options.from, archive, seal, &good);
        all = all && good;
        if (!ctl->json) {
            (void)printf("%s: %s\n", member_text(seal, "path"), member_text(seal, "restore"));
        }
    }
    if (ctl->json) {
        json_incref(seals);
        all = json_print(seals, true) == CTL_GOOD && all;
    }
    json_decref(seals);
    return all ? CTL_GOOD : CTL_REFUSED;
}
