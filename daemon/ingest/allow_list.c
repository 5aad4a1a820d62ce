/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/allow_list.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#include "base/clock.h"
#include "base/diag.h"
#include "base/durable.h"
#include "proto/wire.h"
#include "publisher/curve_key.h"

#define ALLOW_MAX 4096u /* one port has tens of adapters; more only makes a handshake slower */
#define ALLOW_SCAN_NS NS_PER_S

struct allow_row {
    uint8_t key[ALLOW_KEY_BYTES];
    char name[WIRE_PUBLISHER_BYTES_MAX + 1];
};

struct allow_list {
    char directory[DURABLE_PATH_BYTES];
    int64_t scanned_ns;
    uint32_t rows_count;
    struct allow_row rows[ALLOW_MAX];
};

static struct err list_scan(struct allow_list *self);

struct err allow_list_open(const char *directory, struct allow_list **out)
{
    if (strlen(directory) >= DURABLE_PATH_BYTES) {
        return err_make(ERR_KEY, "allow-list path");
    }
    struct allow_list *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return err_make(ERR_MEMORY, "allow_list_open");
    }
    memcpy(self->directory, directory, strlen(directory) + 1);
    struct err err = list_scan(self);
    if (err_is(err)) {
        allow_list_close(&self);
        return err;
    }
    self->scanned_ns = clock_monotonic_ns();
    *out = self;
    return err_none;
}

void allow_list_close(struct allow_list **self)
{
    free(*self);
    *self = NULL;
}

/* "<name>.pub": copies the name; false when the file is not meant for us or the name is not one. */
static bool name_parse(const char *file, char name[WIRE_PUBLISHER_BYTES_MAX + 1])
{
    static const char good[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    size_t bytes = strlen(file);
    if (bytes < 5 || bytes - 4 > WIRE_PUBLISHER_BYTES_MAX ||
        strcmp(file + bytes - 4, ".pub") != 0 || file[0] == '.' || strspn(file, good) != bytes) {
        return false;
    }
    memcpy(name, file, bytes - 4);
    name[bytes - 4] = '\0';
    return true;
}

static int row_compare(const void *a, const void *b)
{
    const struct allow_row *left = a;
    const struct allow_row *right = b;
    return strcmp(left->name, right->name);
}

static void file_take(struct allow_list *self, const char *file)
{
    char name[WIRE_PUBLISHER_BYTES_MAX + 1];
    char path[DURABLE_PATH_BYTES + 64];
    char text[CURVE_Z85_BYTES];
    if (!name_parse(file, name)) {
        return;
    }
    if (self->rows_count == ALLOW_MAX) {
        diag_warn(config, "allow_list_full name=%s", name);
        return;
    }
    (void)snprintf(path, sizeof path, "%s/%s", self->directory, file);
    struct err err = curve_public_read(path, text);
    if (err_is(err)) {
        diag_warn(config, "key_unreadable name=%s error=%s", name, err_name(err.code));
        return;
    }
    struct allow_row *row = &self->rows[self->rows_count];
    must(zmq_z85_decode(row->key, text) != NULL); /* curve_public_read did it before */
    memcpy(row->name, name, sizeof name);
    self->rows_count++;
}

static struct err list_scan(struct allow_list *self)
{
    DIR *directory = opendir(self->directory);
    if (directory == NULL) {
        return err_os(ERR_KEY, "open allow-list directory");
    }
    self->rows_count = 0;
    const struct dirent *entry;
    while ((entry = readdir(directory)) != NULL) {
        file_take(self, entry->d_name);
    }
    (void)closedir(directory);
    /* By name, so that a key that stands there twice belongs to the same name every time. */
    qsort(self->rows, self->rows_count, sizeof *self->rows, row_compare);
    return err_none;
}

const char *allow_list_find(struct allow_list *self, const uint8_t key[ALLOW_KEY_BYTES],
                            int64_t now_ns)
{
    if (now_ns - self->scanned_ns >= ALLOW_SCAN_NS) {
        self->scanned_ns = now_ns;
        struct err err = list_scan(self);
        if (err_is(err)) { /* nobody is let in on the word of a list that cannot be read */
            self->rows_count = 0;
            diag_warn(config, "allow_list_unreadable error=%s", err_name(err.code));
        }
    }
    for (uint32_t i = 0; i < self->rows_count; i++) {
        if (memcmp(self->rows[i].key, key, ALLOW_KEY_BYTES) == 0) {
            return self->rows[i].name;
        }
    }
    return NULL;
}
