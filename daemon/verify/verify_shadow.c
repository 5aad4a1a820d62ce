/* SPDX-License-Identifier: Apache-2.0 */
#include "verify/verify_shadow.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define SHADOW_PLACE_BYTES 128u

/* One model in shadow, from its entry to the one that ended it. */
struct shadow {
    char place[SHADOW_PLACE_BYTES];
    uint8_t sha256[HASH_BYTES];
    uint64_t from_n;
    uint64_t until_n; /* UINT64_MAX: it still is */
};

struct verify_shadow {
    struct verify_report *report;
    const struct verify_ids *ids;
    struct verify_items *items;
    struct shadow *list; /* in the order of the log */
    uint32_t count;
    uint32_t capacity;
};

struct err verify_shadow_open(struct verify_report *report, const struct verify_ids *ids,
                              struct verify_items *items, struct verify_shadow **out)
{
    struct verify_shadow *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return err_make(ERR_MEMORY, "verify_shadow_open");
    }
    self->report = report;
    self->ids = ids;
    self->items = items;
    *out = self;
    return err_none;
}

void verify_shadow_close(struct verify_shadow **self)
{
    if (*self != NULL) {
        free((*self)->list);
        free(*self);
    }
    *self = NULL;
}

static bool unknown_may_count(const struct verify_shadow *self)
{
    return self->ids->gap || (self->ids->first_n > 0 && self->count == 0);
}

/* That of this place which is in shadow; NULL when none is. */
static struct shadow *shadow_of(struct verify_shadow *self, const char *place)
{
    for (uint32_t i = self->count; i > 0; i--) {
        struct shadow *one = &self->list[i - 1];
        if (one->until_n == UINT64_MAX && strcmp(one->place, place) == 0) {
            return one;
        }
    }
    return NULL;
}

static struct err shadow_begins(struct verify_shadow *self, const char *place,
                                const struct entry *entry)
{
    if (self->count == self->capacity) {
        uint32_t capacity = self->capacity == 0 ? 16 : 2 * self->capacity;
        struct shadow *list = reallocarray(self->list, capacity, sizeof *list);
        if (list == NULL) {
            return err_make(ERR_MEMORY, "verify_shadow");
        }
        self->list = list;
        self->capacity = capacity;
    }
    struct shadow *one = &self->list[self->count++];
    *one = (struct shadow){.from_n = entry->n, .until_n = UINT64_MAX};
    (void)snprintf(one->place, sizeof one->place, "%s", place);
    memcpy(one->sha256, entry->body.model_change.sha256, HASH_BYTES);
    return err_none;
}

/* By removal or promotion. */
static void shadow_ends(struct verify_shadow *self, const char *place, const struct entry *entry)
{
    const struct entry_model_change *change = &entry->body.model_change;
    struct shadow *one = shadow_of(self, place);
    const char *what = change->promoted ? "promotes" : "takes away";
    if ((one == NULL || !hash_equal(one->sha256, change->sha256)) && !unknown_may_count(self)) {
        verify_problem(self->report, "entry %" PRIu64 ": %s a model '%s' that was not in shadow",
                       entry->n, what, place);
    }
    if (change->reason == NULL || change->reason[0] == '\0') {
        verify_problem(self->report, "entry %" PRIu64 ": %s a model in shadow without a reason",
                       entry->n, what);
    }
    if (one != NULL) {
        one->until_n = entry->n;
    }
}

struct err verify_shadow_model(struct verify_shadow *self, const struct entry *entry)
{
    const struct entry_model_change *change = &entry->body.model_change;
    const size_t prefix = strlen(ENTRY_SHADOW_PREFIX);
    if (change->promoted) {
        shadow_ends(self, change->name, entry);
        return err_none;
    }
    if (strncmp(change->name, ENTRY_SHADOW_PREFIX, prefix) != 0) {
        return err_none;
    }
    const char *place = change->name + prefix;
    if (change->removed) {
        shadow_ends(self, place, entry);
        return err_none;
    }
    struct shadow *before = shadow_of(self, place);
    if (before != NULL) {
        before->until_n = entry->n;
    }
    return shadow_begins(self, place, entry);
}

static bool was_in_shadow(const struct verify_shadow *self, const struct entry_shadow_score *score,
                          uint64_t decision_n)
{
    for (uint32_t i = 0; i < self->count; i++) {
        const struct shadow *one = &self->list[i];
        if (strcmp(one->place, score->place) == 0 && hash_equal(one->sha256, score->sha256) &&
            one->from_n < decision_n && decision_n < one->until_n) {
            return true;
        }
    }
    return false;
}

static void check_names(struct verify_shadow *self, const struct entry *entry)
{
    const struct entry_shadow_score *shadow = &entry->body.shadow_score;
    for (uint32_t i = 0; i < shadow->score.models_count; i++) {
        const struct entry_model *model = &shadow->score.models[i];
        if (strcmp(model->name, shadow->place) == 0 && !hash_equal(model->sha256, shadow->sha256)) {
            verify_problem(self->report,
                           "entry %" PRIu64 ": scored in shadow by a model '%s' other than it says",
                           entry->n, model->name);
        }
    }
}

struct err verify_shadow_score(struct verify_shadow *self, const struct entry *entry)
{
    bool decided = false;
    uint64_t decision_n = 0;
    struct err err = verify_items_shadow(self->items, entry, &decided, &decision_n);
    if (err_is(err)) {
        return err;
    }
    check_names(self, entry);
    if (decided && !unknown_may_count(self) &&
        !was_in_shadow(self, &entry->body.shadow_score, decision_n)) {
        verify_problem(self->report,
                       "entry %" PRIu64 ": scored by a model '%s' that was not in shadow when entry"
                       " %" PRIu64 " decided the item",
                       entry->n, entry->body.shadow_score.place, decision_n);
    }
    return err_none;
}
