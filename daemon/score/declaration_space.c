/* SPDX-License-Identifier: Apache-2.0 */
#include "score/declaration_space.h"

#include <stdlib.h>
#include <string.h>

enum { ALIGNED = 64 };

static void *make(size_t bytes)
{
    size_t rounded = (bytes + ALIGNED) / ALIGNED * ALIGNED;
    void *made = aligned_alloc(ALIGNED, rounded);
    if (made != NULL) {
        memset(made, 0, rounded);
    }
    return made;
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

static size_t workspace_bytes(const struct oblivious_model *trees)
{
    return larger(oblivious_workspace_bytes(trees), oblivious_block_bytes(trees));
}

static uint64_t kinds_of(const struct oblivious_plan *plan)
{
    uint64_t kinds = UINT64_C(1) << HISTORY_ALL;
    for (uint32_t i = 0; i < plan->used_count; i++) {
        if (plan->used[i] < LINE_HISTORY_FEATURES) {
            kinds |= UINT64_C(1) << (plan->used[i] / 2 + 1);
        }
    }
    /* Parents stand before their children. */
    for (uint32_t kind = HISTORY_KINDS; kind-- > 0;) {
        for (uint32_t i = 0; i < history_kinds[kind].parents_count; i++) {
            kinds |= (kinds >> kind & 1) << history_kinds[kind].parents[i];
        }
    }
    return kinds;
}

MUST_USE struct err declaration_space_open(const struct oblivious_model *found,
                                           const struct oblivious_model *critical,
                                           struct declaration_space **out)
{
    struct declaration_space *self = make(sizeof *self);
    if (self == NULL) {
        return err_make(ERR_MEMORY, "space of a model");
    }
    self->found_memory = make(oblivious_plan_bytes(found, LINE_GROUPS));
    self->critical_memory = make(oblivious_plan_bytes(critical, LINE_GROUPS));
    self->workspace = make(larger(workspace_bytes(found), workspace_bytes(critical)));
    if (self->found_memory == NULL || self->critical_memory == NULL || self->workspace == NULL) {
        declaration_space_close(&self);
        return err_make(ERR_MEMORY, "space of a model");
    }
    uint16_t groups[LINE_FEATURES];
    for (uint32_t feature = 0; feature < LINE_FEATURES; feature++) {
        groups[feature] = (uint16_t)line_group_of(feature);
    }
    oblivious_plan_make(found, groups, LINE_GROUPS, self->found_memory, &self->found);
    oblivious_plan_make(critical, groups, LINE_GROUPS, self->critical_memory, &self->critical);
    self->kinds_asked = kinds_of(&self->found) | kinds_of(&self->critical);
    *out = self;
    return err_none;
}

void declaration_space_close(struct declaration_space **self)
{
    if (*self != NULL) {
        free((*self)->found_memory);
        free((*self)->critical_memory);
        free((*self)->workspace);
    }
    free(*self);
    *self = NULL;
}
