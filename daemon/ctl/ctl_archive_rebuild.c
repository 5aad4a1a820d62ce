/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/ctl.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include "archive/archive.h"
#include "archive/metric_set.h"
#include "ctl/archive_seals.h"
#include "ctl/json_text.h"
#include "ctl/log_shard.h"
#include "ctl/log_source.h"
#include "ctl/rows.h"
#include "oversight/shards.h"
#include "oversight/tiles.h"
#include "ctl/sealed_pixels.h"

/* A sealed file made once more from the log and the blobs, elsewhere: the same bytes, or it is told
 * what is not the same and why that may be. The archive itself is only read. */

struct rebuild_options {
    const char *text;
    const char *out;
};

static error_t parse_rebuild(int key, char *text, struct argp_state *state)
{
    struct rebuild_options *options = state->input;
    switch (key) {
    case 'o':
        options->out = text;
        return 0;
    case ARGP_KEY_ARG:
        if (options->text != NULL) {
            argp_error(state, "one FILE or DAY at a time");
        }
        options->text = text;
        return 0;
    case ARGP_KEY_END:
        if (options->text == NULL || options->out == NULL) {
            argp_error(state, "give FILE or DAY, and --out DIR");
        }
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

struct rebuild {
    struct ctl *ctl;
    struct log_source *log;
    struct blob_store *blobs;
    uint64_t last_index;
    uint8_t pseudonym_key[HASH_BYTES];
    const char *archive;
    const char *out;
    char metrics[DURABLE_PATH_BYTES]; /* definitions that were in force once */
    uint32_t threads;
    struct sealed_pixels pixels;
};

static bool rebuild_next(void *arg, struct archive_entry *out, struct err *err)
{
    struct rebuild *self = arg;
    struct log_bytes at;
    bool got = false;
    *err = log_source_next(self->log, &at, &got);
    if (err_is(*err) || !got || at.entry_index > self->last_index) {
        return false;
    }
    *out = (struct archive_entry){at.entry_index, at.bytes, at.bytes_count, at.private_bytes,
                                  at.private_count};
    return true;
}

/* The tree of the shard before the range, from the public tiles and the entries behind them. */
static struct err rebuild_tree(struct log_source *log, const struct shard *shard,
                               const char *directory, uint64_t first, struct archive_tree *tree)
{
    tree->first_n = shard->first_n;
    struct err err = tiles_before(directory, first - shard->first_n, &tree->range);
    uint64_t from = shard->first_n + tree->range.size;
    if (!err_is(err)) {
        err = log_source_seek(log, from);
    }
    for (uint64_t i = from; i < first && !err_is(err); i++) {
        struct log_bytes at;
        uint8_t leaf[HASH_BYTES];
        bool got = false;
        err = log_source_next(log, &at, &got);
        if (!err_is(err) && (!got || at.entry_index != i)) {
            err = err_make(ERR_NOT_FOUND, "entries before the file");
        }
        if (!err_is(err)) {
            merkle_leaf(at.bytes, at.bytes_count, leaf);
            merkle_range_append(&tree->range, leaf);
        }
    }
    return err;
}

/* The definitions of metrics that the seal names: as they were in force then. */
static struct err rebuild_metrics(struct rebuild *self, uint64_t seal_entry,
                                  struct metric_set *metrics)
{
    static uint8_t memory[ENTRY_ARENA_BYTES];
    static const uint8_t none[HASH_BYTES];
    struct arena arena;
    struct log_bytes at;
    struct entry entry;
    bool got = false;
    struct err err = log_source_seek(self->log, seal_entry);
    if (!err_is(err)) {
        err = log_source_next(self->log, &at, &got);
    }
    arena_init(&arena, memory, sizeof memory);
    if (!err_is(err) &&
        (!got || entry_decode(at.bytes, at.bytes_count, &arena, &entry) != ENTRY_GOOD ||
         entry.type != ENTRY_ARCHIVE_SEAL)) {
        err = err_make(ERR_NOT_FOUND, "entry of the seal");
    }
    if (err_is(err) || hash_equal(entry.body.archive_seal.metrics_sha256, none)) {
        return err;
    }
    return metric_set_read(self->metrics, entry.body.archive_seal.metrics_sha256, metrics);
}

/* Other libraries than those that sealed it: why bytes may differ though nothing is wrong. */
static void tell_settings(const json_t *seal, uint32_t deflate_level, char out[256])
{
    struct archive_result here = {.file_bytes = 0};
    archive_hdf5_version(here.hdf5_version);
    out[0] = '\0';
    if (err_is(archive_filters(deflate_level, here.filters))) {
        return;
    }
    const char *filters = member_text(seal, "filters");
    const char *version = member_text(seal, "hdf5_version");
    if (strcmp(filters, here.filters) != 0 || strcmp(version, here.hdf5_version) != 0) {
        (void)snprintf(out, 256, "sealed with HDF5 %.15s, %.90s; here HDF5 %.15s, %.90s", version,
                       filters, here.hdf5_version, here.filters);
    }
}

/* Only a file that still is the sealed one is opened. */
static void tell_difference(const struct rebuild *self, const json_t *seal, const char *made,
                            char out[ARCHIVE_DIFFERENCE_BYTES])
{
    char path[DURABLE_PATH_BYTES];
    char hex[HASH_HEX_BYTES] = "";
    uint8_t sha256[HASH_BYTES];
    uint64_t file_bytes = 0;
    if (strcmp(archive_seal_state(self->archive, seal, path), "present") == 0 &&
        !err_is(archive_hash_file(path, sha256, &file_bytes))) {
        hex_encode(sha256, HASH_BYTES, hex);
    }
    if (strcmp(hex, member_text(seal, "sha256")) != 0) {
        (void)snprintf(out, ARCHIVE_DIFFERENCE_BYTES,
                       "unknown: the sealed file is missing or damaged");
    } else if (err_is(archive_compare(path, made, out))) {
        (void)snprintf(out, ARCHIVE_DIFFERENCE_BYTES, "unknown: the files cannot be compared");
    } else if (out[0] == '\0') {
        (void)snprintf(out, ARCHIVE_DIFFERENCE_BYTES, "none: only the structure of the file");
    }
}

static int rebuild_tell(struct rebuild *self, json_t *seal, const struct archive_result *result,
                        uint32_t deflate_level)
{
    char hex[HASH_HEX_BYTES];
    char made[DURABLE_PATH_BYTES + 160];
    char difference[ARCHIVE_DIFFERENCE_BYTES] = "";
    char settings[256];
    hex_encode(result->sha256, HASH_BYTES, hex);
    (void)snprintf(made, sizeof made, "%s/%s", self->out, result->path);
    bool same = strcmp(hex, member_text(seal, "sha256")) == 0 &&
                strcmp(result->path, member_text(seal, "path")) == 0;
    tell_settings(seal, deflate_level, settings);
    if (!same) {
        tell_difference(self, seal, made, difference);
    }
    json_object_set_new(seal, "rebuilt", json_text(made));
    json_object_set_new(seal, "rebuilt_sha256", json_text(hex));
    json_object_set_new(seal, "identical", json_boolean(same));
    json_object_set_new(seal, "pixels_from_sealed", json_integer((json_int_t)self->pixels.taken));
    json_object_set_new(seal, "pixels_source",
                        json_text(self->pixels.taken > 0 ? self->pixels.source : ""));
    json_object_set_new(seal, "first_difference", json_text(difference));
    json_object_set_new(seal, "other_libraries", json_text(settings));
    return same ? CTL_GOOD : CTL_REFUSED;
}

static int rebuild_one(struct rebuild *self, json_t *seal)
{
    struct archive_result result;
    uint32_t deflate_level = 0;
    const char *path = member_text(seal, "path");
    const char *filters = member_text(seal, "filters");
    struct metric_set metrics = {.bytes = NULL};
    struct archive_tree tree;
    struct shard shard;
    char directory[DURABLE_PATH_BYTES];
    if (!archive_filters_level(filters, &deflate_level)) {
        return ctl_refuse("%s: filters '%s' are not made here", path, filters);
    }
    uint64_t first = (uint64_t)member_integer(seal, "first_index");
    self->last_index = (uint64_t)member_integer(seal, "last_index");
    if (!log_shard_find(self->ctl, first, &shard, directory)) {
        return CTL_REFUSED;
    }
    struct err err = sealed_pixels_take(&self->pixels, self->out, seal);
    if (!err_is(err)) {
        err = rebuild_metrics(self, (uint64_t)member_integer(seal, "entry"), &metrics);
    }
    if (!err_is(err)) {
        err = rebuild_tree(self->log, &shard, directory, first, &tree);
    }
    if (!err_is(err)) {
        err = log_source_seek(self->log, first);
    }
    const struct archive_conf conf = {.directory = self->out,
                                      .origin = shard.origin,
                                      .deflate_level = deflate_level,
                                      .threads = self->threads,
                                      .pseudonym_key = self->pseudonym_key,
                                      .filters = filters,
                                      .hdf5_version = member_text(seal, "hdf5_version"),
                                      .tree = &tree,
                                      .metrics = &metrics,
                                      .replace_unsealed = true};
    if (!err_is(err)) {
        err = archive_build(&conf, self->blobs, rebuild_next, self, &result);
    }
    metric_set_fini(&metrics);
    if (err_is(err)) {
        return ctl_fail(path, err);
    }
    return rebuild_tell(self, seal, &result, deflate_level);
}

static void print_one(const json_t *seal)
{
    bool same = json_is_true(json_object_get(seal, "identical"));
    (void)printf("%s: %s%s\n", member_text(seal, "rebuilt"),
                 same ? "identical" : "differs, first differing object: ",
                 member_text(seal, "first_difference"));
    if (member_integer(seal, "pixels_from_sealed") > 0) {
        (void)printf("  %lld images are no longer among the blobs: taken from %s\n",
                     member_integer(seal, "pixels_from_sealed"),
                     member_text(seal, "pixels_source"));
    }
    if (member_text(seal, "other_libraries")[0] != '\0') {
        (void)printf("  %s\n", member_text(seal, "other_libraries"));
    }
}

static bool rebuild_open(struct ctl *ctl, struct rebuild *self, char archive[DURABLE_PATH_BYTES])
{
    char blobs[DURABLE_PATH_BYTES];
    char keys[DURABLE_PATH_BYTES];
    char key[DURABLE_PATH_BYTES + 16];
    uint8_t *text = NULL;
    size_t text_bytes = 0;
    struct stat here;
    struct stat there;
    if (!ctl_path(ctl, "archive", archive) || !ctl_path(ctl, "blobs", blobs) ||
        !ctl_path(ctl, ctl->conf.store_keys, keys) || !ctl_path(ctl, "metrics", self->metrics)) {
        return false;
    }
    if (stat(archive, &here) == 0 && stat(self->out, &there) == 0 && here.st_dev == there.st_dev &&
        here.st_ino == there.st_ino) {
        ctl_refuse("%s is the archive itself: rebuild elsewhere", self->out);
        return false;
    }
    (void)snprintf(key, sizeof key, "%s/pseudonym.key", keys);
    struct err err = durable_read(key, 256, &text, &text_bytes);
    if (!err_is(err)) {
        text[strcspn((char *)text, "\r\n")] = '\0';
        err = hex_decode((const char *)text, self->pseudonym_key, HASH_BYTES)
                  ? err_none
                  : err_make(ERR_KEY, "not 64 hexadecimal digits");
        explicit_bzero(text, text_bytes);
        free(text);
    }
    if (err_is(err)) {
        ctl_fail(key, err);
        return false;
    }
    err = log_source_open_store(ctl->conf.store_directory, &self->log);
    if (!err_is(err)) {
        err = blob_store_open_to_read(blobs, &self->blobs);
    }
    if (err_is(err)) {
        ctl_fail("open the store", err);
    }
    self->pixels = (struct sealed_pixels){.ctl = ctl, .blobs = self->blobs, .log = self->log};
    self->archive = archive;
    self->threads = (uint32_t)ctl->conf.archive_threads;
    return !err_is(err);
}

int ctl_archive_rebuild(struct ctl *ctl, int argc, char **argv)
{
    static const struct argp_option table[] = {
        {"out", 'o', "DIR", 0, "where the rebuilt files go, below YYYY/MM/DD", 0}, {0}};
    static const struct argp argp = {
        table,
        parse_rebuild,
        "FILE|DAY",
        "Makes sealed archive files again from the log and the blobs, and compares them with their "
        "seals. The archive is only read. Exit 1 when one differs or cannot be made.",
        NULL,
        NULL,
        NULL};
    struct rebuild_options options = {NULL, NULL};
    struct rebuild self = {.log = NULL};
    char archive[DURABLE_PATH_BYTES];
    int result = CTL_REFUSED;
    ctl_parse(ctl, &argp, &options, argc, argv);
    self.ctl = ctl;
    self.out = options.out;
    json_t *seals = archive_seals_find(ctl, options.text);
    if (seals != NULL && rebuild_open(ctl, &self, archive)) {
        size_t index;
        json_t *seal;
        result = CTL_GOOD;
        json_array_foreach(seals, index, seal)
        {
            int one = rebuild_one(&self, seal);
            result = one == CTL_GOOD ? result : one;
            if (!ctl->json && json_object_get(seal, "rebuilt") != NULL) {
                print_one(seal);
            }
        }
        if (ctl->json) {
            json_incref(seals);
            int printed = json_print(seals, true);
            result = printed == CTL_GOOD ? result : printed;
        }
    }
    sealed_pixels_fini(&self.pixels);
    log_source_close(&self.log);
    blob_store_close(&self.blobs);
    explicit_bzero(self.pseudonym_key, sizeof self.pseudonym_key);
    json_decref(seals);
    return result;
}
