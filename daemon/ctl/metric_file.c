/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/metric_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "archive/metric_set.h"
#include "base/durable.h"

/* Longer than any number that can stand in its place. */
static const char *const bounds[] = {":from_ns", ":to_ns"};

/* A bound that is not set becomes NULL, as an unbound parameter would. */
static char *fill_period(const char *text, const struct metric_period *period)
{
    char values[2][24] = {"NULL", "NULL"};
    if (period->has_from) {
        (void)snprintf(values[0], sizeof values[0], "%lld", (long long)period->from_ns);
    }
    if (period->has_to) {
        (void)snprintf(values[1], sizeof values[1], "%lld", (long long)period->to_ns);
    }
    size_t places = 0;
    for (const char *at = text; (at = strchr(at, ':')) != NULL; at++) {
        places++;
    }
    char *out = malloc(strlen(text) + places * sizeof values[0] + 1);
    size_t used = 0;
    while (out != NULL && *text != '\0') {
        size_t which = strncmp(text, bounds[0], strlen(bounds[0])) == 0   ? 0
                       : strncmp(text, bounds[1], strlen(bounds[1])) == 0 ? 1
                                                                          : 2;
        if (which < 2) {
            size_t value_bytes = strlen(values[which]);
            memcpy(out + used, values[which], value_bytes + 1);
            used += value_bytes;
            text += strlen(bounds[which]);
        } else {
            out[used++] = *text++;
        }
    }
    if (out != NULL) {
        out[used] = '\0';
    }
    return out;
}

struct err metric_file_read(const char *path, const struct metric_period *period,
                            struct metric_file *out)
{
    uint8_t *bytes = NULL;
    size_t bytes_count = 0;
    struct err err = durable_read(path, METRIC_FILE_BYTES_MAX, &bytes, &bytes_count);
    if (err_is(err)) {
        return err;
    }
    const char *text = (const char *)bytes;
    struct metric_file file = {.sql = NULL};
    bool whole = strlen(text) == bytes_count &&
                 metric_header(text, "name", file.name, sizeof file.name) &&
                 metric_header(text, "version", file.version, sizeof file.version) &&
                 metric_header(text, "definition", file.definition, sizeof file.definition) &&
                 metric_header(text, "numerator", file.numerator, sizeof file.numerator) &&
                 metric_header(text, "denominator", file.denominator, sizeof file.denominator);
    if (whole) {
        file.sql = fill_period(text, period);
    }
    free(bytes);
    if (!whole) {
        return err_make(
            ERR_TABLE_UNREADABLE,
            "metric has no header of name, version, definition, numerator, denominator");
    }
    if (file.sql == NULL) {
        return err_make(ERR_MEMORY, "read metric");
    }
    *out = file;
    return err_none;
}

void metric_file_fini(struct metric_file *self)
{
    free(self->sql);
    self->sql = NULL;
}
