/* SPDX-License-Identifier: Apache-2.0 */
#include "console/viewers.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/durable.h"
#include "proto/member.h"

/* Tokens are random and long, so that their plain digest tells nothing of them, and comparing
 * digests nothing of how near a guess came. */

#define TOKEN_BYTES_MAX 128u
#define FILE_BYTES_MAX 1024u

struct viewers {
    uint32_t count;
    struct viewer list[VIEWERS_MAX];
};

static struct err viewers_refuse(char why[VIEWER_WHY_BYTES], const char *path, const char *reason)
{
    (void)snprintf(why, VIEWER_WHY_BYTES, "%.150s: %s", path, reason);
    return err_make(ERR_KEY, "list of viewers");
}

static bool purpose_is_sound(const char *purpose)
{
    size_t bytes = strlen(purpose);
    for (size_t i = 0; i < bytes; i++) {
        if ((unsigned char)purpose[i] < ' ' || purpose[i] == 0x7f) {
            return false;
        }
    }
    /* It goes into an entry, whose texts every reader of protobuf must be able to read. */
    return bytes >= 1 && bytes < VIEWER_PURPOSE_BYTES &&
           text_valid((const uint8_t *)purpose, bytes);
}

/* Two lines; nothing behind them. */
static bool viewer_parse(char *text, struct viewer *out)
{
    char *end = strchr(text, '\n');
    if (end == NULL) {
        return false;
    }
    *end = '\0';
    char *purpose = end + 1;
    end = strchr(purpose, '\n');
    if (end != NULL && end[1] != '\0') {
        return false;
    }
    purpose[strcspn(purpose, "\n")] = '\0';
    if (!hex_decode(text, out->token_sha256, HASH_BYTES) || !purpose_is_sound(purpose)) {
        return false;
    }
    (void)snprintf(out->purpose, sizeof out->purpose, "%s", purpose);
    return true;
}

static struct err viewer_read(const char *directory, const char *file, size_t name_bytes,
                              struct viewer *out, char why[VIEWER_WHY_BYTES])
{
    char path[DURABLE_PATH_BYTES];
    struct stat status;
    uint8_t *text = NULL;
    size_t text_bytes = 0;
    if (name_bytes >= VIEWER_NAME_BYTES ||
        snprintf(path, sizeof path, "%s/%s", directory, file) >= (int)sizeof path) {
        return viewers_refuse(why, file, "name is too long");
    }
    if (stat(path, &status) != 0 || (status.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
        return viewers_refuse(why, path, "is open to others than its owner (chmod 600)");
    }
    struct err err = durable_read(path, FILE_BYTES_MAX, &text, &text_bytes);
    if (err_is(err)) {
        return viewers_refuse(why, path, "cannot be read");
    }
    (void)snprintf(out->name, sizeof out->name, "%.*s", (int)name_bytes, file);
    bool good = viewer_parse((char *)text, out);
    free(text);
    return good ? err_none
                : viewers_refuse(why, path, "is not a digest in hexadecimal and a purpose");
}

struct err viewers_read(const char *directory, struct viewers **out, char why[VIEWER_WHY_BYTES])
{
    static const char ending[] = ".token";
    struct viewers *self = calloc(1, sizeof *self);
    DIR *folder = opendir(directory);
    struct err err = self == NULL ? err_make(ERR_MEMORY, "viewers_read") : err_none;
    if (folder == NULL && errno != ENOENT && !err_is(err)) {
        err = viewers_refuse(why, directory, "cannot be read");
    }
    for (struct dirent *found;
         folder != NULL && !err_is(err) && (found = readdir(folder)) != NULL;) {
        size_t bytes = strlen(found->d_name);
        if (bytes < sizeof ending ||
            strcmp(found->d_name + bytes - (sizeof ending - 1), ending) != 0) {
            continue;
        }
        if (self->count == VIEWERS_MAX) {
            err = viewers_refuse(why, directory, "has more than 1024 viewers");
            break;
        }
        err = viewer_read(directory, found->d_name, bytes - (sizeof ending - 1),
                          &self->list[self->count], why);
        self->count++;
    }
    if (folder != NULL) {
        (void)closedir(folder);
    }
    if (err_is(err)) {
        viewers_free(&self);
        return err;
    }
    *out = self;
    return err_none;
}

void viewers_free(struct viewers **self)
{
    free(*self);
    *self = NULL;
}

uint32_t viewers_count(const struct viewers *self)
{
    return self->count;
}

const struct viewer *viewers_find(const struct viewers *self, const char *authorization)
{
    static const char scheme[] = "Bearer ";
    uint8_t digest[HASH_BYTES];
    if (authorization == NULL || strncasecmp(authorization, scheme, sizeof scheme - 1) != 0) {
        return NULL;
    }
    const char *token = authorization + sizeof scheme - 1;
    size_t token_bytes = strlen(token);
    if (token_bytes < 1 || token_bytes > TOKEN_BYTES_MAX) {
        return NULL;
    }
    sha256_of(token, token_bytes, digest);
    for (uint32_t i = 0; i < self->count; i++) {
        if (hash_equal(self->list[i].token_sha256, digest)) {
            return &self->list[i];
        }
    }
    return NULL;
}
