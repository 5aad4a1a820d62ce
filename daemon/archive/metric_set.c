/* SPDX-License-Identifier: Apache-2.0 */
#include "archive/metric_set.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/durable.h"

#define METRICS_MAX 64u
#define METRIC_NAME_BYTES 80u
#define METRIC_SET_BYTES_MAX ((size_t)METRICS_MAX * (METRIC_FILE_BYTES_MAX + 128u))

/* ---- one definition ---- */

/* A header of another file behind text_bytes is not looked at. */
static bool header_within(const char *text, size_t text_bytes, const char *key, char *out,
                          size_t out_capacity)
{
    char start[64];
    const char *end = text + text_bytes;
    (void)snprintf(start, sizeof start, "-- %s: ", key);
    const char *at = memmem(text, text_bytes, start, strlen(start));
    if (at == NULL || (at != text && at[-1] != '\n')) {
        return false;
    }
    at += strlen(start);
    size_t used = 0;
    bool more = true;
    while (more) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        size_t line_bytes = (size_t)((stop != NULL ? stop : end) - at);
        if (used + line_bytes + 2 > out_capacity) {
            return false;
        }
        if (used > 0) {
            out[used++] = ' ';
        }
        memcpy(out + used, at, line_bytes);
        used += line_bytes;
        at += line_bytes + (stop != NULL);
        more = end - at >= 5 && memcmp(at, "--   ", 5) == 0; /* continuation lines are indented */
        at += more ? 2 : 0;
        while (more && at < end && *at == ' ') {
            at++;
        }
    }
    out[used] = '\0';
    return used > 0;
}

bool metric_header(const char *text, const char *key, char *out, size_t out_capacity)
{
    return header_within(text, strlen(text), key, out, out_capacity);
}

static bool metric_parse(const char *text, size_t bytes, struct metric *out)
{
    out->text = text;
    out->text_bytes = bytes;
    return memchr(text, '\0', bytes) == NULL &&
           header_within(text, bytes, "name", out->name, sizeof out->name) &&
           header_within(text, bytes, "version", out->version, sizeof out->version) &&
           header_within(text, bytes, "definition", out->definition, sizeof out->definition) &&
           header_within(text, bytes, "numerator", out->numerator, sizeof out->numerator) &&
           header_within(text, bytes, "denominator", out->denominator, sizeof out->denominator);
}

bool metric_set_next(const struct metric_set *self, size_t *at, struct metric *out)
{
    char name[METRIC_NAME_BYTES];
    unsigned long bytes = 0;
    int head = 0;
    if (self->bytes == NULL || *at >= self->bytes_count ||
        sscanf((const char *)self->bytes + *at, "-- file: %79s %lu%n", name, &bytes, &head) != 2) {
        return false;
    }
    size_t from = *at + (size_t)head + 1;
    if (from > self->bytes_count || self->bytes[from - 1] != '\n' ||
        bytes > self->bytes_count - from ||
        !metric_parse((const char *)self->bytes + from, bytes, out)) {
        return false;
    }
    *at = from + bytes;
    return true;
}

/* ---- a set ---- */

static int compare_names(const void *a, const void *b)
{
    return strcmp(a, b);
}

static bool is_metric_file(const char *name)
{
    size_t bytes = strlen(name);
    return bytes > 4 && bytes < METRIC_NAME_BYTES && name[0] != '.' &&
           strpbrk(name, " \t\r\n") == NULL && strcmp(name + bytes - 4, ".sql") == 0;
}

static struct err list_files(const char *directory, char (*names)[METRIC_NAME_BYTES],
                             uint32_t *out_count)
{
    DIR *folder = opendir(directory);
    uint32_t count = 0;
    struct err err = err_none;
    for (struct dirent *found;
         folder != NULL && !err_is(err) && (found = readdir(folder)) != NULL;) {
        if (!is_metric_file(found->d_name)) {
            continue;
        }
        if (count == METRICS_MAX) {
            err = err_make(ERR_TABLE_UNREADABLE, "more than 64 metrics");
        } else {
            memcpy(names[count++], found->d_name, strlen(found->d_name) + 1);
        }
    }
    if (folder != NULL) {
        closedir(folder);
    }
    qsort(names, count, METRIC_NAME_BYTES, compare_names);
    *out_count = count;
    return err;
}

/* The file behind what is there already. */
static struct err set_add(struct metric_set *self, const char *directory, const char *name)
{
    char path[DURABLE_PATH_BYTES];
    char head[METRIC_NAME_BYTES + 40];
    uint8_t *bytes = NULL;
    size_t bytes_count = 0;
    struct metric metric;
    if (snprintf(path, sizeof path, "%s/%s", directory, name) >= (int)sizeof path) {
        return err_make(ERR_ARGUMENT, "path of a metric");
    }
    struct err err = durable_read(path, METRIC_FILE_BYTES_MAX, &bytes, &bytes_count);
    if (err_is(err)) {
        return err;
    }
    if (!metric_parse((const char *)bytes, bytes_count, &metric)) {
        free(bytes);
        return err_make(
            ERR_TABLE_UNREADABLE,
            "metric has no header of name, version, definition, numerator, denominator");
    }
    size_t head_bytes = (size_t)snprintf(head, sizeof head, "-- file: %s %zu\n", name, bytes_count);
    uint8_t *grown = realloc(self->bytes, self->bytes_count + head_bytes + bytes_count + 1);
    if (grown == NULL) {
        free(bytes);
        return err_make(ERR_MEMORY, "metric_set_load");
    }
    memcpy(grown + self->bytes_count, head, head_bytes);
    memcpy(grown + self->bytes_count + head_bytes, bytes, bytes_count);
    self->bytes = grown;
    self->bytes_count += head_bytes + bytes_count;
    self->bytes[self->bytes_count] = '\0';
    free(bytes);
    return err_none;
}

struct err metric_set_load(const char *directory, struct metric_set *out)
{
    char names[METRICS_MAX][METRIC_NAME_BYTES];
    uint32_t count = 0;
    struct err err = list_files(directory, names, &count);
    memset(out, 0, sizeof *out);
    for (uint32_t i = 0; i < count && !err_is(err); i++) {
        err = set_add(out, directory, names[i]);
    }
    if (err_is(err)) {
        metric_set_fini(out);
    } else if (out->bytes != NULL) {
        sha256_of(out->bytes, out->bytes_count, out->sha256);
    }
    return err;
}

static bool set_path(const char *directory, const uint8_t sha256[HASH_BYTES],
                     char out[DURABLE_PATH_BYTES])
{
    char hex[HASH_HEX_BYTES];
    hex_encode(sha256, HASH_BYTES, hex);
    return snprintf(out, DURABLE_PATH_BYTES, "%s/%s", directory, hex) < (int)DURABLE_PATH_BYTES;
}

struct err metric_set_read(const char *store_metrics, const uint8_t sha256[HASH_BYTES],
                           struct metric_set *out)
{
    char path[DURABLE_PATH_BYTES];
    struct metric_set set = {.bytes = NULL};
    if (!set_path(store_metrics, sha256, path)) {
        return err_make(ERR_ARGUMENT, "path of the metrics");
    }
    struct err err = durable_read(path, METRIC_SET_BYTES_MAX, &set.bytes, &set.bytes_count);
    if (err_is(err)) {
        return err;
    }
    sha256_of(set.bytes, set.bytes_count, set.sha256);
    if (!hash_equal(set.sha256, sha256)) {
        metric_set_fini(&set);
        return err_make(ERR_ARCHIVE_DIFFERS, "kept metrics have another digest");
    }
    *out = set;
    return err_none;
}

struct err metric_set_keep(const struct metric_set *self, const char *store_metrics)
{
    char path[DURABLE_PATH_BYTES];
    bool differs = false;
    if (self->bytes == NULL) {
        return err_none;
    }
    struct err err = durable_directory(store_metrics, 0755);
    if (!err_is(err) && !set_path(store_metrics, self->sha256, path)) {
        err = err_make(ERR_ARGUMENT, "path of the metrics");
    }
    if (!err_is(err)) {
        err = durable_create(path, self->bytes, self->bytes_count, 0644, &differs);
    }
    /* The name is the digest of what belongs there. */
    return differs ? durable_replace(path, self->bytes, self->bytes_count, 0644) : err;
}

void metric_set_fini(struct metric_set *self)
{
    free(self->bytes);
    memset(self, 0, sizeof *self);
}

/* In the source tree's build folder, or where it was installed: both are known from where the
 * program lies. */
bool metric_directory(char *out)
{
    static const char *const places[] = {"../../config", TRIAGED_SHARE_FROM_BIN};
    char program[DURABLE_PATH_BYTES];
    ssize_t bytes = readlink("/proc/self/exe", program, sizeof program - 1);
    if (bytes <= 0) {
        return false;
    }
    program[bytes] = '\0';
    *strrchr(program, '/') = '\0';
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        int written = snprintf(out, DURABLE_PATH_BYTES, "%s/%s/metrics", program, places[i]);
        if (written > 0 && (size_t)written < DURABLE_PATH_BYTES && access(out, R_OK | X_OK) == 0) {
            return true;
        }
    }
    return false;
}
