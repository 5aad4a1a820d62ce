/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/ctl.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "archive/archive.h"
#include "archive/archive_read.h"
#include "ctl/archive_publication.h"
#include "ctl/archive_seals.h"
#include "ctl/json_text.h"
#include "ctl/marks_export.h"
#include "ctl/rows.h"
#include "export/export_csv.h"
#include "export/export_publication.h"

/* Sealed files as tables for people with other tools, or as a copy for everybody. Both show no more
 * than the sealed file does, which has no personal data: no access entry is written. A file that
 * is not the one of its seal is never opened. */

enum { OPTION_OUT = 'o', OPTION_DEIDENTIFIED = 'd', OPTION_THRESHOLD = 'k' };
enum { OPTION_KEY = 'K', OPTION_IMAGES = 'i', OPTION_HDF5 = 'H', OPTION_MARKS = 'm' };

#define EXPORT_K_MAX 1000000u

struct export_options {
    const char *text; /* FILE or DAY; NULL: all */
    bool threshold;   /* copy.k was given */
    bool deidentified;
    bool marks;
    struct archive_publication copy; /* its directory of an export of tables as they are, too */
};

static error_t parse_export(int key, char *text, struct argp_state *state)
{
    struct export_options *options = state->input;
    switch (key) {
    case OPTION_OUT:
        options->copy.directory = text;
        return 0;
    case OPTION_DEIDENTIFIED:
        options->deidentified = true;
        return 0;
    case OPTION_THRESHOLD:
        options->copy.k = ctl_number(state, "threshold", text, EXPORT_K_MAX);
        options->threshold = true;
        return 0;
    case OPTION_KEY:
        options->copy.key_file = text;
        return 0;
    case OPTION_IMAGES:
        options->copy.images = true;
        return 0;
    case OPTION_HDF5:
        options->copy.hdf5 = true;
        return 0;
    case OPTION_MARKS:
        options->marks = true;
        return 0;
    case ARGP_KEY_ARG:
        if (options->text != NULL) {
            argp_error(state, "one FILE or DAY at a time");
        }
        options->text = text;
        return 0;
    case ARGP_KEY_END:
        if (options->copy.directory == NULL) {
            argp_error(state, "where to: --out DIR");
        } else if (options->marks && options->deidentified) {
            argp_error(state, "--marks has images as they are: not for --deidentified");
        } else if (options->copy.k < EXPORT_K_MIN) {
            argp_error(state, "a threshold below %u hides nothing", EXPORT_K_MIN);
        } else if (!options->deidentified &&
                   (options->copy.hdf5 || options->copy.images || options->threshold ||
                    options->copy.key_file != NULL)) {
            argp_error(state, "--threshold, --hdf5, --images and --key are for --deidentified");
        } else if (options->copy.images && !options->copy.hdf5) {
            argp_error(state, "--images needs --hdf5 to put them into");
        }
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* An export never mixes with what is there. */
static bool make_directory(const char *path)
{
    DIR *folder = opendir(path);
    bool empty = true;
    for (struct dirent *found; folder != NULL && (found = readdir(folder)) != NULL;) {
        empty = empty && (strcmp(found->d_name, ".") == 0 || strcmp(found->d_name, "..") == 0);
    }
    if (folder != NULL) {
        closedir(folder);
    }
    if (!empty) {
        ctl_refuse("%s is not empty", path);
        return false;
    }
    struct err err = durable_directory(path, 0755);
    if (err_is(err)) {
        ctl_fail(path, err);
    }
    return !err_is(err);
}

/* Is the file there, and the very one of its seal? path has DURABLE_PATH_BYTES. */
static bool sealed_path(const char *archive, const json_t *seal, char *path)
{
    char hex[HASH_HEX_BYTES];
    uint8_t sha256[HASH_BYTES];
    uint64_t file_bytes = 0;
    const char *state = archive_seal_state(archive, seal, path);
    if (strcmp(state, "present") != 0) {
        ctl_refuse("%s: %s", member_text(seal, "path"), state);
        return false;
    }
    struct err err = archive_hash_file(path, sha256, &file_bytes);
    if (err_is(err)) {
        ctl_fail(path, err);
        return false;
    }
    hex_encode(sha256, HASH_BYTES, hex);
    if (strcmp(hex, member_text(seal, "sha256")) != 0) {
        ctl_refuse("%s: SHA-256 is not that of its seal", member_text(seal, "path"));
        return false;
    }
    return true;
}

static bool read_files(const char *archive, json_t *seals, struct archive_tables *tables)
{
    size_t index;
    json_t *seal;
    json_array_foreach(seals, index, seal)
    {
        char path[DURABLE_PATH_BYTES];
        if (!sealed_path(archive, seal, path)) {
            return false;
        }
        struct err err = archive_tables_append(tables, path);
        if (err_is(err)) {
            ctl_fail(path, err);
            return false;
        }
    }
    return true;
}

/* What these files are, and the seals by which anybody can check it; NULL without memory. */
static char *plain_words(json_t *seals)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *to = open_memstream(&text, &bytes);
    if (to == NULL) {
        return NULL;
    }
    (void)fputs("All tables of sealed archive files, cell by cell, in the order of the log. Not "
                "here: the bytes of the entries with their\nleaves, and the images. The HDF5 files "
                "are the evidence, this is a convenience. Written from:\n\n",
                to);
    size_t index;
    json_t *seal;
    json_array_foreach(seals, index, seal)
    {
        (void)fprintf(to, "  %s, entries %lld to %lld, sealed by entry %lld,\n    SHA-256 %s\n",
                      member_text(seal, "path"), member_integer(seal, "first_index"),
                      member_integer(seal, "last_index"), member_integer(seal, "entry"),
                      member_text(seal, "sha256"));
    }
    return fclose(to) == 0 ? text : NULL;
}

static int export_plain(const struct ctl *ctl, const struct export_options *options, json_t *seals,
                        const struct archive_tables *tables)
{
    const struct archive_table *list[TABLE_COUNT];
    json_t *counts = json_object();
    for (uint32_t i = 0; i < TABLE_COUNT; i++) {
        list[i] = &tables->tables[i];
        json_object_set_new(counts, list[i]->spec->name,
                            json_integer((json_int_t)list[i]->rows_count));
    }
    char *words = plain_words(seals);
    const struct export_page page = {.directory = options->copy.directory,
                                     .title = "triaged: tables of sealed archive files",
                                     .words = words == NULL ? "" : words,
                                     .tables = list,
                                     .tables_count = TABLE_COUNT};
    struct err err = words == NULL ? err_make(ERR_MEMORY, "README.txt") : export_csv_write(&page);
    free(words);
    int result = err_is(err) ? ctl_fail(options->copy.directory, err) : CTL_GOOD;
    if (result == CTL_GOOD && ctl->json) {
        json_incref(seals);
        json_incref(counts);
        result = json_print(json_pack("{s:s, s:o, s:o}", "directory", options->copy.directory,
                                      "files", seals, "rows", counts),
                            true);
    } else if (result == CTL_GOOD) {
        (void)printf("%s: %u tables of %zu sealed files\n", options->copy.directory, TABLE_COUNT,
                     json_array_size(seals));
    }
    json_decref(counts);
    return result;
}

/* Outcomes of the seals that were asked for; what their scans were made with may lie in others. */
static int export_marks(struct ctl *ctl, const struct export_options *options, const char *archive,
                        json_t *seals)
{
    struct archive_tables *tables = calloc(1, sizeof *tables);
    json_t *all = tables == NULL ? NULL : archive_seals_find(ctl, NULL);
    int result = CTL_REFUSED;
    if (tables != NULL) {
        archive_tables_init(tables);
        if (all != NULL && read_files(archive, all, tables) &&
            make_directory(options->copy.directory)) {
            const struct marks_export order = {options->copy.directory, seals, tables};
            result = marks_export_run(ctl, &order);
        }
        archive_tables_fini(tables);
    }
    free(tables);
    json_decref(all);
    return result;
}

int ctl_archive_export(struct ctl *ctl, int argc, char **argv)
{
    static const struct argp_option table[] = {
        {"out", OPTION_OUT, "DIR", 0, "where to: new or empty (required)", 1},
        {"marks", OPTION_MARKS, 0, 0,
         "instead of tables: images with what officers marked on them, to train models by", 1},
        {"deidentified", OPTION_DEIDENTIFIED, 0, 0, "a copy for publication", 2},
        {"threshold", OPTION_THRESHOLD, "K", 0,
         "of it: no cell of fewer than K rows (default 5, at least 3)", 2},
        {"hdf5", OPTION_HDF5, 0, 0, "of it: publication.h5, too", 2},
        {"images", OPTION_IMAGES, 0, 0, "of it: with images, which may show plates and people", 2},
        {"key", OPTION_KEY, "FILE", 0,
         "of it: 64 hexadecimal digits for its pseudonyms; without, a key that is not kept", 2},
        {0}};
    static const struct argp argp = {
        table,
        parse_export,
        "[FILE|DAY]",
        "Sealed archive files as CSV with a data dictionary: all, or one FILE, or those of a DAY "
        "(2026-09-21). With --deidentified a copy for publication, in which nobody should be "
        "recognised.",
        NULL,
        NULL,
        NULL};
    struct export_options options = {.copy = {.k = EXPORT_K_DEFAULT}};
    struct archive_tables *tables = calloc(1, sizeof *tables);
    char archive[DURABLE_PATH_BYTES];
    ctl_parse(ctl, &argp, &options, argc, argv);
    if (tables == NULL || !ctl_path(ctl, "archive", archive)) {
        free(tables);
        return CTL_REFUSED;
    }
    archive_tables_init(tables);
    json_t *seals = archive_seals_find(ctl, options.text);
    int result = CTL_REFUSED;
    if (seals != NULL && json_array_size(seals) == 0) {
        ctl_refuse("no archive file was sealed yet");
    } else if (seals != NULL && options.marks) {
        result = export_marks(ctl, &options, archive, seals);
    } else if (seals != NULL && read_files(archive, seals, tables) &&
               make_directory(options.copy.directory)) {
        options.copy.archive = archive;
        options.copy.seals = seals;
        result = options.deidentified ? archive_publication_write(ctl, &options.copy, tables)
                                      : export_plain(ctl, &options, seals, tables);
    }
    archive_tables_fini(tables);
    free(tables);
    json_decref(seals);
    return result;
}
