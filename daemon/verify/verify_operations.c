/* SPDX-License-Identifier: Apache-2.0 */
#include "verify/verify_operations.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct operation {
    char name[65];
    bool closed;
};

struct verify_operations {
    struct verify_report *report;
    const struct verify_ids *ids;
    struct operation *operations;
    uint64_t count;
    uint64_t capacity;
};

struct err verify_operations_open(struct verify_report *report, const struct verify_ids *ids,
                                  struct verify_operations **out)
{
    struct verify_operations *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return err_make(ERR_MEMORY, "verify_operations_open");
    }
    self->report = report;
    self->ids = ids;
    *out = self;
    return err_none;
}

void verify_operations_close(struct verify_operations **self)
{
    if (*self != NULL) {
        free((*self)->operations);
        free(*self);
    }
    *self = NULL;
}

static struct operation *find(struct verify_operations *self, const char *name)
{
    for (uint64_t i = 0; i < self->count; i++) {
        if (strcmp(self->operations[i].name, name) == 0) {
            return &self->operations[i];
        }
    }
    return NULL;
}

static struct err take_registration(struct verify_operations *self, const struct entry *entry,
                                    const char *name)
{
    const struct entry_operation *operation = &entry->body.operation;
    if (operation->from_ns <= entry->t_ns) {
        verify_problem(self->report,
                       "entry %" PRIu64 ": operation '%s' was registered after it had begun",
                       entry->n, name);
    }
    if (find(self, name) != NULL) {
        verify_problem(self->report, "entry %" PRIu64 ": operation '%s' was registered before",
                       entry->n, name);
        return err_none;
    }
    if (self->count == self->capacity) {
        uint64_t capacity = self->capacity == 0 ? 64 : self->capacity * 2;
        struct operation *grown =
            reallocarray(self->operations, (size_t)capacity, sizeof *self->operations);
        if (grown == NULL) {
            return err_make(ERR_MEMORY, "verify_operations");
        }
        self->operations = grown;
        self->capacity = capacity;
    }
    struct operation *added = &self->operations[self->count++];
    memset(added, 0, sizeof *added);
    (void)snprintf(added->name, sizeof added->name, "%s", name);
    return err_none;
}

static void take_close(struct verify_operations *self, const struct entry *entry, const char *name)
{
    const struct entry_operation *closed = &entry->body.operation;
    struct operation *operation = find(self, name);
    if (operation == NULL && !self->ids->gap) {
        verify_problem(self->report,
                       "entry %" PRIu64 ": operation '%s' is closed and was never registered",
                       entry->n, name);
    } else if (operation != NULL && operation->closed) {
        verify_problem(self->report, "entry %" PRIu64 ": operation '%s' was closed before",
                       entry->n, name);
    }
    if (closed->numerator > closed->denominator ||
        closed->comparator_numerator > closed->comparator_denominator) {
        verify_problem(self->report, "entry %" PRIu64 ": operation '%s' counts more than there is",
                       entry->n, name);
    }
    if (operation != NULL) {
        operation->closed = true;
    }
}

struct err verify_operations_entry(struct verify_operations *self, const struct entry *entry)
{
    const struct entry_operation *operation = &entry->body.operation;
    char name[65];
    (void)snprintf(name, sizeof name, "%s", operation->name == NULL ? "" : operation->name);
    if (operation->step != NULL && strcmp(operation->step, "close") == 0) {
        take_close(self, entry, name);
        return err_none;
    }
    return take_registration(self, entry, name);
}
