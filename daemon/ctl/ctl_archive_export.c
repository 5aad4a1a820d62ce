/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/ctl.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <jansson.h>

#include "archive/archive.h"
#include "archive/archive_extract.h"
#include "archive/archive_read.h"
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
    const char *out;
    const char *key_file;
    uint64_t k;
    bool threshold; /* k was given */
    bool deidentified;
    bool images;
    bool hdf5;
    bool marks;
};

static error_t parse_export(int key, char *text, struct argp_state *state)
{
    struct export_options *options = state->input;
    switch (key) {
    case OPTION_OUT:
        options->out = text;
        return 0;
    case OPTION_DEIDENTIFIED:
        options->deidentified = true;
        return 0;
    case OPTION_THRESHOLD:
        options->k = ctl_number(state, "threshold", text, EXPORT_K_MAX);
        options->threshold = true;
        return 0;
    case OPTION_KEY:
        options->key_file = text;
        return 0;
    case OPTION_IMAGES:
        options->images = true;
        return 0;
    case OPTION_HDF5:
        options->hdf5 = true;
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
        if (options->out == NULL) {
            argp_error(state, "where to: --out DIR");
        } else if (options->marks && options->deidentified) {
            argp_error(state, "--marks has images as they are: not for --deidentified");
        } else if (options->k < EXPORT_K_MIN) {
            argp_error(state, "a threshold below %u hides nothing", EXPORT_K_MIN);
        } else if (!options->deidentified && (options->hdf5 || options->images ||
                                              options->threshold || options->key_file != NULL)) {
            argp_error(state, "--threshold, --hdf5, --images and --key are for --deidentified");
        } else if (options->images && !options->hdf5) {
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

/* ---- tables as they are ---- */

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
    const struct export_page page = {.directory = options->out,
                                     .title = "triaged: tables of sealed archive files",
                                     .words = words == NULL ? "" : words,
                                     .tables = list,
                                     .tables_count = TABLE_COUNT};
    struct err err = words == NULL ? err_make(ERR_MEMORY, "README.txt") : export_csv_write(&page);
    free(words);
    int result = err_is(err) ? ctl_fail(options->out, err) : CTL_GOOD;
    if (result == CTL_GOOD && ctl->json) {
        json_incref(seals);
        json_incref(counts);
        result = json_print(
            json_pack("{s:s, s:o, s:o}", "directory", options->out, "files", seals, "rows", counts),
            true);
    } else if (result == CTL_GOOD) {
        (void)printf("%s: %u tables of %zu sealed files\n", options->out, TABLE_COUNT,
                     json_array_size(seals));
    }
    json_decref(counts);
    return result;
}

/* ---- a copy for everybody ---- */

/* A fresh key that nobody keeps, or the one that the caller keeps, 64 hexadecimal digits. */
static bool export_key(const char *key_file, uint8_t key[HASH_BYTES])
{
    uint8_t *text = NULL;
    size_t text_bytes = 0;
    if (key_file == NULL) {
        return getrandom(key, HASH_BYTES, 0) == (ssize_t)HASH_BYTES ||
               (ctl_refuse("no random bytes for a key"), false);
    }
    struct err err = durable_read(key_file, 256, &text, &text_bytes);
    if (!err_is(err)) {
        text[strcspn((char *)text, "\r\n")] = '\0';
        err = hex_decode((const char *)text, key, HASH_BYTES)
                  ? err_none
                  : err_make(ERR_KEY, "not 64 hexadecimal digits");
        explicit_bzero(text, text_bytes);
        free(text);
    }
    if (err_is(err)) {
        ctl_fail(key_file, err);
    }
    return !err_is(err);
}

struct publication {
    const struct export_options *options;
    const char *archive;
    json_t *seals;
    struct export_published published;
    char words[4096];
};

/* Before the page, whose sums name it. */
static struct err write_hdf5(struct publication *self, const struct ctl *ctl,
                             struct export_page *page)
{
    char path[DURABLE_PATH_BYTES];
    char k[24];
    const struct archive_table *list[PUBLISHED_COUNT];
    uint32_t files_count = (uint32_t)json_array_size(self->seals);
    struct archive_file **files = calloc((size_t)files_count + 1, sizeof(struct archive_file *));
    struct err err = files == NULL ? err_make(ERR_MEMORY, "publication") : err_none;
    (void)snprintf(k, sizeof k, "%" PRIu64, self->options->k);
    for (uint32_t i = 0; i < PUBLISHED_COUNT; i++) {
        list[i] = &self->published.tables[i];
    }
    for (uint32_t i = 0; i < files_count && self->options->images && !err_is(err); i++) {
        (void)archive_seal_state(self->archive, json_array_get(self->seals, i), path);
        err = archive_file_open(path, &files[i]);
    }
    const struct archive_extract_text texts[] = {
        {"format", "triaged-publication"},
        {"format_version", "1"},
        {"NX_class", "NXroot"},
        {"creator", "triaged"},
        {"threshold", k},
        {"rules", export_rules},
    };
    const struct archive_extract copy = {.texts = texts,
                                         .texts_count = sizeof texts / sizeof texts[0],
                                         .tables = list,
                                         .tables_count = PUBLISHED_COUNT,
                                         .images =
                                             (const uint8_t(*)[HASH_BYTES])self->published.images,
                                         .images_count = self->published.images_count,
                                         .files = files,
                                         .files_count = self->options->images ? files_count : 0,
                                         .deflate_level = (uint32_t)ctl->conf.archive_deflate_level,
                                         .threads = (uint32_t)ctl->conf.archive_threads};
    if (!err_is(err) &&
        snprintf(path, sizeof path, "%s/%s", self->options->out, page->other) >= (int)sizeof path) {
        err = err_make(ERR_ARGUMENT, "path of the export");
    }
    if (!err_is(err)) {
        err = archive_extract_write(&copy, path);
    }
    if (!err_is(err)) {
        uint64_t file_bytes = 0;
        err = archive_hash_file(path, page->other_sha256, &file_bytes);
    }
    for (uint32_t i = 0; files != NULL && i < files_count; i++) {
        archive_file_close(&files[i]);
    }
    free(files);
    return err;
}

static int tell_publication(const struct publication *self, const struct ctl *ctl)
{
    const struct export_published *published = &self->published;
    uint64_t items = published->tables[PUBLISHED_ITEMS].rows_count;
    uint64_t goods = published->tables[PUBLISHED_GOODS].rows_count;
    if (ctl->json) {
        return json_print(json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I}", "directory",
                                    self->options->out, "threshold", (json_int_t)self->options->k,
                                    "items", (json_int_t)items, "items_withheld",
                                    (json_int_t)(published->decided_count - items), "goods",
                                    (json_int_t)goods, "goods_withheld",
                                    (json_int_t)(published->declared_count - goods), "images",
                                    (json_int_t)published->images_count),
                          true);
    }
    (void)printf("%s: %" PRIu64 " items, %" PRIu64 " goods, %" PRIu64
                 " images; no cell below %" PRIu64 "\n",
                 self->options->out, items, goods, published->images_count, self->options->k);
    if (items < published->decided_count || goods < published->declared_count) {
        (void)printf("Withheld, because there are too few: %" PRIu64 " items, %" PRIu64 " goods\n",
                     published->decided_count - items, published->declared_count - goods);
    }
    if (published->images_count == 0 && published->imaged_count > 0) {
        (void)printf("Withheld, because only %" PRIu64 " items have any: images\n",
                     published->imaged_count);
    }
    (void)puts(self->options->key_file == NULL
                   ? "The key of its pseudonyms is gone: nobody can join this copy with another."
                   : "Who has the key can tell the items, and join copies made with it.");
    return CTL_GOOD;
}

static struct err write_publication(struct publication *self, const struct ctl *ctl)
{
    const struct archive_table *list[PUBLISHED_COUNT];
    struct err err = err_none;
    size_t index;
    json_t *seal;
    json_array_foreach(self->seals, index, seal)
    {
        err = export_published_source(
            &self->published, (uint64_t)member_integer(seal, "entry"), member_text(seal, "path"),
            (uint64_t)member_integer(seal, "file_bytes"), member_text(seal, "sha256"));
        if (err_is(err)) {
            return err;
        }
    }
    for (uint32_t i = 0; i < PUBLISHED_COUNT; i++) {
        list[i] = &self->published.tables[i];
    }
    (void)snprintf(self->words, sizeof self->words,
                   "A copy for publication of what sealed archive files say. What was done to it, "
                   "with k = %" PRIu64 ":\n%s\n\nsources.csv names the sealed files. Who has them "
                   "can make the copy again: the same rows but for the\npseudonyms and their "
                   "order, which follow from a key%s.",
                   self->options->k, export_rules,
                   self->options->key_file == NULL ? " that nobody kept" : "");
    struct export_page page = {.directory = self->options->out,
                               .title = "triaged: de-identified copy",
                               .words = self->words,
                               .tables = list,
                               .tables_count = PUBLISHED_COUNT};
    if (self->options->hdf5) {
        page.other = "publication.h5";
        page.other_words = "all of these tables, and images that were asked for, as HDF5";
        err = write_hdf5(self, ctl, &page);
    }
    return err_is(err) ? err : export_csv_write(&page);
}

static int export_deidentified(const struct ctl *ctl, struct publication *self,
                               const struct archive_tables *tables)
{
    uint8_t key[HASH_BYTES];
    if (!export_key(self->options->key_file, key)) {
        return CTL_REFUSED;
    }
    const struct export_publication order = {
        .from = tables, .key = key, .k = self->options->k, .images = self->options->images};
    struct err err = export_publish(&order, &self->published);
    explicit_bzero(key, sizeof key);
    if (err_is(err)) {
        return ctl_fail(self->options->out, err);
    }
    err = write_publication(self, ctl);
    int result = err_is(err) ? ctl_fail(self->options->out, err) : tell_publication(self, ctl);
    export_published_fini(&self->published);
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
        if (all != NULL && read_files(archive, all, tables) && make_directory(options->out)) {
            const struct marks_export order = {options->out, seals, tables};
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
    struct export_options options = {.k = EXPORT_K_DEFAULT};
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
    } else if (seals != NULL && read_files(archive, seals, tables) && make_directory(options.out)) {
        struct publication publication = {.options = &options, .archive = archive, .seals = seals};
        result = options.deidentified ? export_deidentified(ctl, &publication, tables)
                                      : export_plain(ctl, &options, seals, tables);
    }
    archive_tables_fini(tables);
    free(tables);
    json_decref(seals);
    return result;
}
