/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/metric_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/durable.h"

#define METRIC_FILE_BYTES_MAX 65536u

/* The value of "-- key: value", continued by following comment lines that name no other key. */
static bool read_header(const char *text, const char *key, char *out, size_t out_capacity)
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
                 read_header(text, "name", file.name, sizeof file.name) &&
                 read_header(text, "version", file.version, sizeof file.version) &&
                 read_header(text, "definition", file.definition, sizeof file.definition) &&
                 read_header(text, "numerator", file.numerator, sizeof file.numerator) &&
                 read_header(text, "denominator", file.denominator, sizeof file.denominator);
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
