/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/archive_seals.h"

#include <string.h>
#include <sys/stat.h>

#include <jansson.h>

#include "ctl/rows.h"

static const char seals_sql[] =
    "SELECT entry, t_ns, path, file_bytes, sha256, first_index, last_index, hdf5_version, filters,"
    " (SELECT count(*) FROM"
    "  (SELECT item FROM scores WHERE entry BETWEEN first_index AND last_index"
    "   UNION SELECT item FROM decisions WHERE entry BETWEEN first_index AND last_index"
    "   UNION SELECT item FROM actions WHERE entry BETWEEN first_index AND last_index"
    "   UNION SELECT item FROM outcomes WHERE entry BETWEEN first_index AND last_index)) AS items,"
    " (SELECT count(*) FROM copies WHERE copies.path = seals.path"
    "  AND copies.file_bytes = seals.file_bytes AND copies.sha256 = seals.sha256) AS copies"
    " FROM seals ORDER BY entry";

const char *archive_seal_state(const char *archive, const json_t *seal, char *full)
{
    struct stat found;
    const char *name = member_text(seal, "path");
    if (name[0] == '/' || strstr(name, "..") != NULL ||
        snprintf(full, DURABLE_PATH_BYTES, "%s/%s", archive, name) >= (int)DURABLE_PATH_BYTES ||
        stat(full, &found) != 0) {
        return "missing";
    }
    return (long long)found.st_size == member_integer(seal, "file_bytes") ? "present"
                                                                          : "wrong size";
}

static bool ends_with(const char *text, const char *end)
{
    size_t text_bytes = strlen(text);
    size_t end_bytes = strlen(end);
    return text_bytes >= end_bytes && strcmp(text + text_bytes - end_bytes, end) == 0 &&
           (text_bytes == end_bytes || text[text_bytes - end_bytes - 1] == '/');
}

/* "2026-09-21" as "2026/09/21/"; false for anything else. */
static bool day_folder(const char *text, char out[12])
{
    if (strlen(text) != 10 || text[4] != '-' || text[7] != '-' ||
        strspn(text, "0123456789-") != 10) {
        return false;
    }
    (void)snprintf(out, 12, "%.4s/%.2s/%.2s/", text, text + 5, text + 8);
    return true;
}

static bool seal_is_meant(const json_t *seal, const char *text)
{
    char folder[12];
    const char *path = member_text(seal, "path");
    if (text == NULL) {
        return true;
    }
    return day_folder(text, folder) ? strncmp(path, folder, strlen(folder)) == 0
                                    : ends_with(text, path) || ends_with(path, text);
}

json_t *archive_seals_find(struct ctl *ctl, const char *text)
{
    struct state *state = ctl_open_state(ctl);
    if (state == NULL) {
        return NULL;
    }
    json_t *all = rows_of(state, seals_sql, "intihiittii");
    state_close(&state);
    if (all == NULL) {
        return NULL;
    }
    json_t *meant = json_array();
    size_t index;
    json_t *seal;
    json_array_foreach(all, index, seal)
    {
        if (seal_is_meant(seal, text)) {
            json_array_append(meant, seal);
        }
    }
    json_decref(all);
    if (text != NULL && json_array_size(meant) == 0) {
        json_decref(meant);
        ctl_refuse("the log seals no archive file of '%s'", text);
        return NULL;
    }
    return meant;
}

bool archive_place_next(struct ctl *ctl, const char **at, char out[DURABLE_PATH_BYTES])
{
    char name[CONF_TEXT_BYTES];
    if (*at == NULL) { /* first of all the archive itself */
        *at = ctl_settle(ctl) ? ctl->conf.archive_copy : "";
        return ctl_path(ctl, "archive", out);
    }
    *at += strspn(*at, ":");
    size_t bytes = strcspn(*at, ":");
    (void)snprintf(name, sizeof name, "%.*s", (int)bytes, *at);
    *at += bytes;
    return bytes > 0 && ctl_path(ctl, name, out);
}

bool archive_seal_anywhere(struct ctl *ctl, const json_t *seal, archive_found found, void *arg)
{
    char directory[DURABLE_PATH_BYTES];
    char path[DURABLE_PATH_BYTES];
    const char *at = NULL;
    while (archive_place_next(ctl, &at, directory)) {
        if (strcmp(archive_seal_state(directory, seal, path), "present") == 0 && found(arg, path)) {
            return true;
        }
    }
    return false;
}
