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

bool metric_header(const char *text, const char *key, char *out, size_t out_capacity)
{
    char start[64];
    (void)snprintf(start, sizeof start, "-- %s: ", key);
    const char *at = strstr(text, start);
    if (at == NULL || (at != text && at[-1] != '\n')) {
        return false;
    }
    at += strlen(start);
    size_t used = 0;
    bool more = true;
    while (more) {
        size_t line_bytes = strcspn(at, "\n");
        if (used + line_bytes + 2 > out_capacity) {
            return false;
        }
        if (used > 0) {
            out[used++] = ' ';
        }
        memcpy(out + used, at, line_bytes);
        used += line_bytes;
        at += line_bytes + (at[line_bytes] == '\n');
        more = strncmp(at, "--   ", 5) == 0; /* continuation lines are indented */
        at += more ? 2 + strspn(at + 2, " ") : 0;
    }
    out[used] = '\0';
    return used > 0;
}

static bool metric_parse(const char *text, size_t text_bytes, struct metric *out)
{
    char *copy = strndup(text, text_bytes); /* a header must not be found in the file behind */
    must(copy != NULL);                     /* 64 KiB, once a start */
    out->text = text;
    out->text_bytes = text_bytes;
    bool whole = strlen(copy) == text_bytes &&
                 metric_header(copy, "name", out->name, sizeof out->name) &&
                 metric_header(copy, "version", out->version, sizeof out->version) &&
                 metric_header(copy, "definition", out->definition, sizeof out->definition) &&
                 metric_header(copy, "numerator", out->numerator, sizeof out->numerator) &&
                 metric_header(copy, "denominator", out->denominator, sizeof out->denominator);
    free(copy);
    return whole;
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

static uint32_t list_files(const char *directory, char (*names)[METRIC_NAME_BYTES])
{
    DIR *folder = opendir(directory);
    uint32_t count = 0;
    for (struct dirent *found;
         folder != NULL && (found = readdir(folder)) != NULL && count < METRICS_MAX;) {
        size_t bytes = strlen(found->d_name);
        if (bytes > 4 && bytes < METRIC_NAME_BYTES && found->d_name[0] != '.' &&
            strpbrk(found->d_name, " \t\r\n") == NULL &&
            strcmp(found->d_name + bytes - 4, ".sql") == 0) {
            memcpy(names[count], found->d_name, bytes + 1);
            count++;
        }
    }
    if (folder != NULL) {
        closedir(folder);
    }
    qsort(names, count, METRIC_NAME_BYTES, compare_names);
    return count;
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
    uint32_t count = list_files(directory, names);
    struct err err = err_none;
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
    bool exists = false;
    if (self->bytes == NULL) {
        return err_none;
    }
    struct err err = durable_directory(store_metrics, 0755);
    if (!err_is(err) && !set_path(store_metrics, self->sha256, path)) {
        err = err_make(ERR_ARGUMENT, "path of the metrics");
    }
    if (!err_is(err)) {
        err = durable_exists(path, &exists);
    }
    return err_is(err) || exists ? err
                                 : durable_replace(path, self->bytes, self->bytes_count, 0644);
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
