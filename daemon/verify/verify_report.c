/* SPDX-License-Identifier: Apache-2.0 */
#include "verify/verify_report.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

/* Text of the log gets into lines: what is not printable is shown as '?', so that a hostile entry
 * cannot steer a terminal. */

static const struct {
    const char *name;
    const char *title;
    const char *advice;
} steps[STEP_COUNT] = {
#define STEP(name, title, advice) {#name, title, advice},
#include "verify/verify_step_table.h"
#undef STEP
};

const int64_t verify_age_limits_ns[VERIFY_AGES - 1] = {INT64_C(3600) * NS_PER_S,
                                                       INT64_C(86400) * NS_PER_S};

const char *verify_step_name(enum verify_step step)
{
    return steps[step].name;
}

const char *verify_step_title(enum verify_step step)
{
    return steps[step].title;
}

const char *verify_step_advice(enum verify_step step)
{
    return steps[step].advice;
}

struct err verify_lines_init(struct verify_lines *self, uint32_t kept_max)
{
    self->count = 0;
    self->kept_max = kept_max;
    self->kept = 0;
    self->lines = calloc(kept_max, sizeof *self->lines);
    return self->lines != NULL || kept_max == 0 ? err_none : err_make(ERR_MEMORY, "lines");
}

void verify_lines_fini(struct verify_lines *self)
{
    free(self->lines);
    self->lines = NULL;
    self->count = 0;
}

struct err verify_report_init(struct verify_report *self)
{
    memset(self, 0, sizeof *self);
    struct err err = verify_lines_init(&self->problems, VERIFY_LINES_KEPT);
    if (!err_is(err)) {
        err = verify_lines_init(&self->warnings, VERIFY_LINES_KEPT);
    }
    if (err_is(err)) {
        verify_report_fini(self);
    }
    return err;
}

void verify_report_fini(struct verify_report *self)
{
    verify_lines_fini(&self->problems);
    verify_lines_fini(&self->warnings);
}

enum verify_step verify_report_step(struct verify_report *self, enum verify_step step)
{
    enum verify_step before = self->step;
    self->step = step;
    return before;
}

static void lines_add(struct verify_lines *self, enum verify_step step, const char *format,
                      va_list arguments)
{
    if (self->kept < self->kept_max) {
        struct verify_line *line = &self->lines[self->kept++];
        line->step = step;
        (void)vsnprintf(line->text, sizeof line->text, format, arguments);
        for (char *c = line->text; *c != '\0'; c++) {
            if (*c < ' ' || *c > '~') {
                *c = '?';
            }
        }
    }
    self->count++;
}

void verify_lines_add(struct verify_lines *self, enum verify_step step, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    lines_add(self, step, format, arguments);
    va_end(arguments);
}

void verify_problem(struct verify_report *self, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    lines_add(&self->problems, self->step, format, arguments);
    va_end(arguments);
}

void verify_warning(struct verify_report *self, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    lines_add(&self->warnings, self->step, format, arguments);
    va_end(arguments);
}

void verify_report_take(struct verify_report *self, struct verify_lines *lines)
{
    for (uint32_t i = 0; i < lines->kept && self->problems.kept < self->problems.kept_max; i++) {
        self->problems.lines[self->problems.kept++] = lines->lines[i];
    }
    self->problems.count += lines->count;
    lines->count = 0;
    lines->kept = 0;
}
