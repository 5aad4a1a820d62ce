/* SPDX-License-Identifier: Apache-2.0 */
#include "feeds/sent_list.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "base/durable.h"
#include "feeds/text_buffer.h"

#define LIST_BYTES_MAX (256u << 20)

struct sent_name {
    char *name;
    int64_t changed_ns;
    uint64_t files_bytes;
    bool sent;
};

static int compare(const void *a, const void *b)
{
    return strcmp(((const struct sent_name *)a)->name, ((const struct sent_name *)b)->name);
}

/* The entry of a name, made when it is new; NULL when there is no room. */
static struct sent_name *entry_of(struct sent_list *self, const char *name, bool *is_new)
{
    char *copy = strdup(name);
    struct sent_name wanted = {.name = copy};
    struct sent_name **found = copy != NULL ? tfind(&wanted, &self->root, compare) : NULL;
    *is_new = found == NULL;
    if (found != NULL || copy == NULL || self->count >= SENT_NAMES_MAX) {
        free(copy);
        return found != NULL ? *found : NULL;
    }
    struct sent_name *entry = calloc(1, sizeof *entry);
    if (entry != NULL) {
        entry->name = copy;
    }
    if (entry == NULL || tsearch(entry, &self->root, compare) == NULL) {
        free(copy);
        free(entry);
        return NULL;
    }
    self->count++;
    return entry;
}

bool sent_list_due(struct sent_list *self, const char *name, int64_t changed_ns,
                   uint64_t files_bytes)
{
    bool is_new = false;
    struct sent_name *entry = entry_of(self, name, &is_new);
    if (entry == NULL || entry->sent) {
        return false;
    }
    bool same = !is_new && entry->changed_ns == changed_ns && entry->files_bytes == files_bytes;
    entry->changed_ns = changed_ns;
    entry->files_bytes = files_bytes;
    return same;
}

void sent_list_mark(struct sent_list *self, const char *name)
{
    bool is_new = false;
    struct sent_name *entry = entry_of(self, name, &is_new);
    if (entry != NULL) {
        entry->sent = true;
    }
}

void sent_list_read(struct sent_list *self, const char *path)
{
    uint8_t *bytes = NULL;
    size_t bytes_count = 0;
    if (err_is(durable_read(path, LIST_BYTES_MAX, &bytes, &bytes_count))) {
        return;
    }
    char *rest = (char *)bytes;
    for (char *line = strsep(&rest, "\n"); line != NULL; line = strsep(&rest, "\n")) {
        if (line[0] != '\0') {
            sent_list_mark(self, line);
        }
    }
    free(bytes);
}

static void print_sent(const void *node, VISIT visit, void *arg)
{
    const struct sent_name *entry = *(const struct sent_name *const *)node;
    if ((visit == postorder || visit == leaf) && entry->sent) {
        text_buffer_add(arg, "%s\n", entry->name);
    }
}

struct err sent_list_write(const struct sent_list *self, const char *path)
{
    struct text_buffer text = {.bytes_max = LIST_BYTES_MAX};
    twalk_r(self->root, print_sent, &text);
    struct err err = text_buffer_write(&text, path);
    text_buffer_fini(&text);
    return err;
}

static void free_entry(void *node)
{
    struct sent_name *entry = node;
    free(entry->name);
    free(entry);
}

void sent_list_fini(struct sent_list *self)
{
    tdestroy(self->root, free_entry);
    *self = (struct sent_list){0};
}
