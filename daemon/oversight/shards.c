/* SPDX-License-Identifier: Apache-2.0 */
#include "oversight/shards.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/durable.h"

/* The list is short and read at every start, so it is one text that is replaced as a whole. It says
 * nothing that the entries do not: log.open has origin and first_n, log.close the next origin. */

#define ORIGIN_NAME "origin"
#define LINE_BYTES_MAX (20u + 1u + NOTE_ORIGIN_BYTES_MAX + 1u + SHARD_NAME_BYTES)
#define TEXT_BYTES_MAX ((size_t)SHARDS_MAX * LINE_BYTES_MAX)
#define YEAR_MAX 9999

/* A name, and never a way out of log/. */
static bool directory_valid(const char *name)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    size_t bytes = strnlen(name, SHARD_NAME_BYTES);
    return bytes > 0 && bytes < SHARD_NAME_BYTES && name[0] != '.' &&
           name[strspn(name, plain)] == '\0';
}

static bool line_add(struct shards *self, uint64_t first_n, const char *origin,
                     const char *directory)
{
    bool follows = self->count == 0 ? first_n == 0 : first_n > self->list[self->count - 1].first_n;
    if (self->count == SHARDS_MAX || !follows || !note_origin_valid(origin) ||
        !directory_valid(directory)) {
        return false;
    }
    for (uint32_t i = 0; i < self->count; i++) {
        if (strcmp(self->list[i].origin, origin) == 0 ||
            strcmp(self->list[i].directory, directory) == 0) {
            return false;
        }
    }
    struct shard *shard = &self->list[self->count++];
    memset(shard, 0, sizeof *shard);
    shard->first_n = first_n;
    strcpy(shard->origin, origin);
    strcpy(shard->directory, directory);
    return true;
}

/* The next word, up to `end`, which must follow it; cut out into out. */
static bool word_take(const char **at, const char *text_end, char end, char *out,
                      size_t out_capacity)
{
    const char *found = memchr(*at, end, (size_t)(text_end - *at));
    if (found == NULL || found == *at || (size_t)(found - *at) >= out_capacity) {
        return false;
    }
    size_t bytes = (size_t)(found - *at);
    memcpy(out, *at, bytes);
    out[bytes] = '\0';
    *at = found + 1;
    return strlen(out) == bytes; /* no zero inside */
}

static bool number_read(const char *digits, uint64_t *out)
{
    char again[24];
    char *end = NULL;
    errno = 0;
    *out = strtoull(digits, &end, 10);
    (void)snprintf(again, sizeof again, "%" PRIu64, *out);
    return errno == 0 && strcmp(again, digits) == 0; /* no sign, no leading zeros, nothing behind */
}

bool shards_parse(const char *text, size_t text_bytes, struct shards *out)
{
    const char *at = text;
    const char *end = text + text_bytes;
    memset(out, 0, sizeof *out);
    while (at < end) {
        char digits[24];
        char origin[NOTE_ORIGIN_BYTES_MAX + 1];
        char directory[SHARD_NAME_BYTES];
        uint64_t first_n = 0;
        if (!word_take(&at, end, ' ', digits, sizeof digits) ||
            !word_take(&at, end, ' ', origin, sizeof origin) ||
            !word_take(&at, end, '\n', directory, sizeof directory) ||
            !number_read(digits, &first_n) || !line_add(out, first_n, origin, directory)) {
            return false;
        }
    }
    return out->count > 0;
}

bool shards_add(struct shards *self, uint64_t first_n, const char *origin)
{
    const char *slash = strrchr(origin, '/');
    return slash != NULL && line_add(self, first_n, origin, slash + 1);
}

const struct shard *shards_find(const struct shards *self, uint64_t n)
{
    uint32_t i = self->count;
    while (i > 1 && self->list[i - 1].first_n > n) {
        i--;
    }
    return i == 0 ? NULL : &self->list[i - 1];
}

uint64_t shards_end(const struct shards *self, const struct shard *shard)
{
    uint32_t next = (uint32_t)(shard - self->list) + 1;
    must(shard >= self->list && next <= self->count);
    return next == self->count ? UINT64_MAX : self->list[next].first_n;
}

const struct shard *shards_of_origin(const struct shards *self, const char *origin)
{
    for (uint32_t i = 0; i < self->count; i++) {
        if (strcmp(self->list[i].origin, origin) == 0) {
            return &self->list[i];
        }
    }
    return NULL;
}

int shard_year(const char *origin)
{
    const char *slash = strrchr(origin, '/');
    char *end = NULL;
    if (slash == NULL || slash[1] < '1' || slash[1] > '9') {
        return -1;
    }
    long year = strtol(slash + 1, &end, 10);
    return (*end == '\0' || *end == '-') && year <= YEAR_MAX ? (int)year : -1;
}

bool shards_next_origin(const struct shards *self, int year, char *out)
{
    must(self->count > 0);
    const char *last = self->list[self->count - 1].origin;
    const char *slash = strrchr(last, '/');
    int last_year = shard_year(last);
    int named = year > last_year ? year : last_year;
    int bytes = slash == NULL ? -1 : (int)(slash - last);
    for (uint32_t turn = 1; bytes >= 0 && turn <= SHARDS_MAX + 1; turn++) {
        char behind[16] = "";
        if (turn > 1) {
            (void)snprintf(behind, sizeof behind, "-%" PRIu32, turn);
        }
        int written =
            snprintf(out, NOTE_ORIGIN_BYTES_MAX + 1, "%.*s/%d%s", bytes, last, named, behind);
        if (written < 0 || written > (int)NOTE_ORIGIN_BYTES_MAX) {
            return false;
        }
        if (shards_of_origin(self, out) == NULL) {
            return note_origin_valid(out);
        }
    }
    return false;
}

/* ---- files ---- */

static struct err list_path(const char *log_directory, const char *name,
                            char out[DURABLE_PATH_BYTES])
{
    int bytes = snprintf(out, DURABLE_PATH_BYTES, "%s/%s", log_directory, name);
    return bytes > 0 && bytes < (int)DURABLE_PATH_BYTES ? err_none
                                                        : err_make(ERR_ARGUMENT, "path length");
}

/* log/origin: the origin alone, with or without a newline. */
static struct err read_old(const char *log_directory, struct shards *out)
{
    char path[DURABLE_PATH_BYTES];
    uint8_t *text = NULL;
    size_t text_bytes = 0;
    struct err err = list_path(log_directory, ORIGIN_NAME, path);
    if (!err_is(err)) {
        err = durable_read(path, NOTE_ORIGIN_BYTES_MAX + 1, &text, &text_bytes);
    }
    if (err_is(err)) {
        return err.os_errno == ENOENT ? err_make(ERR_NOT_FOUND, "log/shards") : err;
    }
    text[strcspn((char *)text, "\n")] = '\0';
    memset(out, 0, sizeof *out);
    bool good = shards_add(out, 0, (const char *)text);
    free(text);
    return good ? err_none : err_make(ERR_TILE_DIFFERS, "log/origin");
}

struct err shards_read(const char *log_directory, struct shards *out)
{
    char path[DURABLE_PATH_BYTES];
    uint8_t *text = NULL;
    size_t text_bytes = 0;
    struct err err = list_path(log_directory, SHARDS_NAME, path);
    if (!err_is(err)) {
        err = durable_read(path, TEXT_BYTES_MAX, &text, &text_bytes);
    }
    if (err_is(err)) {
        return err.os_errno == ENOENT ? read_old(log_directory, out) : err;
    }
    bool good = shards_parse((const char *)text, text_bytes, out);
    free(text);
    return good ? err_none : err_make(ERR_TILE_DIFFERS, "log/shards");
}

struct err shards_write(const char *log_directory, const struct shards *self)
{
    char path[DURABLE_PATH_BYTES];
    char *text = malloc(TEXT_BYTES_MAX + 1);
    if (text == NULL) {
        return err_make(ERR_MEMORY, "shards_write");
    }
    size_t at = 0;
    for (uint32_t i = 0; i < self->count; i++) {
        const struct shard *shard = &self->list[i];
        int bytes = snprintf(text + at, TEXT_BYTES_MAX + 1 - at, "%" PRIu64 " %s %s\n",
                             shard->first_n, shard->origin, shard->directory);
        must(bytes > 0 && (size_t)bytes <= TEXT_BYTES_MAX - at);
        at += (size_t)bytes;
    }
    struct err err = list_path(log_directory, SHARDS_NAME, path);
    if (!err_is(err)) {
        err = durable_replace(path, text, at, 0644);
    }
    free(text);
    if (!err_is(err)) {
        err = list_path(log_directory, ORIGIN_NAME, path);
    }
    return err_is(err) ? err : durable_remove(path);
}
