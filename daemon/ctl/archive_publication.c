/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/archive_publication.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <jansson.h>

#include "archive/archive.h"
#include "archive/archive_extract.h"
#include "ctl/archive_seals.h"
#include "ctl/json_text.h"
#include "ctl/rows.h"
#include "export/export_csv.h"
#include "export/export_publication.h"

/* The page says what was done, and names the sealed files by which anybody who has them can make
 * the same rows again. */

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
    const struct archive_publication *options;
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
        (void)archive_seal_state(self->options->archive, json_array_get(self->seals, i), path);
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
    if (!err_is(err) && snprintf(path, sizeof path, "%s/%s", self->options->directory,
                                 page->other) >= (int)sizeof path) {
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
        return json_print(
            json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I}", "directory", self->options->directory,
                      "threshold", (json_int_t)self->options->k, "items", (json_int_t)items,
                      "items_withheld", (json_int_t)(published->decided_count - items), "goods",
                      (json_int_t)goods, "goods_withheld",
                      (json_int_t)(published->declared_count - goods), "images",
                      (json_int_t)published->images_count),
            true);
    }
    (void)printf("%s: %" PRIu64 " items, %" PRIu64 " goods, %" PRIu64
                 " images; no cell below %" PRIu64 "\n",
                 self->options->directory, items, goods, published->images_count, self->options->k);
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
    struct export_page page = {.directory = self->options->directory,
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

int archive_publication_write(const struct ctl *ctl, const struct archive_publication *options,
                              const struct archive_tables *tables)
{
    struct publication publication = {.options = options, .seals = options->seals};
    struct publication *self = &publication;
    uint8_t key[HASH_BYTES];
    if (!export_key(self->options->key_file, key)) {
        return CTL_REFUSED;
    }
    const struct export_publication order = {
        .from = tables, .key = key, .k = self->options->k, .images = self->options->images};
    struct err err = export_publish(&order, &self->published);
    explicit_bzero(key, sizeof key);
    if (err_is(err)) {
        return ctl_fail(self->options->directory, err);
    }
    err = write_publication(self, ctl);
    int result =
        err_is(err) ? ctl_fail(self->options->directory, err) : tell_publication(self, ctl);
    export_published_fini(&self->published);
    return result;
}
