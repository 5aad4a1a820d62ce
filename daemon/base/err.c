/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One table gives code, class and sentence, so that none of the three can be forgotten for a new
 * error. */

struct err_row {
    enum err_class class;
    const char *name;
    const char *sentence;
};

static const struct err_row err_rows[ERR_COUNT] = {
#define ERR(code, class, sentence) [ERR_##code] = {ERR_CLASS_##class, #code, sentence},
#include "base/err_table.h"
#undef ERR
};

enum err_class err_class_of(struct err err)
{
    must(err.code >= 0 && err.code < ERR_COUNT);
    return err_rows[err.code].class;
}

const char *err_name(enum err_code code)
{
    must(code >= 0 && code < ERR_COUNT);
    return err_rows[code].name;
}

const char *err_sentence(enum err_code code)
{
    must(code >= 0 && code < ERR_COUNT);
    return err_rows[code].sentence;
}

const char *err_text(struct err err, char *out)
{
    char reason[96] = "";
    if (err.os_errno != 0) {
        /* GNU strerror_r may return a static string instead of filling the buffer. */
        const char *text = strerror_r(err.os_errno, reason, sizeof reason);
        (void)snprintf(out, ERR_TEXT_BYTES, "%s: %s: %s", err_sentence(err.code), err.where, text);
    } else {
        (void)snprintf(out, ERR_TEXT_BYTES, "%s: %s", err_sentence(err.code), err.where);
    }
    return out;
}

_Noreturn void must_failed(const char *expression, const char *file, int line)
{
    (void)fprintf(stderr, "event=bug expression=\"%s\" site=%s:%d\n", expression, file, line);
    abort();
}
