/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/json_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/clock.h"
#include "ctl/ctl.h"
#include "proto/hash.h"

struct json_t *json_text(const char *text)
{
    json_t *value = json_string(text == NULL ? "" : text);
    if (value != NULL) {
        return value;
    }
    char *ascii = strdup(text);
    must(ascii != NULL);
    for (char *at = ascii; *at != '\0'; at++) {
        if ((unsigned char)*at >= 0x80) {
            *at = '?';
        }
    }
    value = json_string(ascii);
    free(ascii);
    must(value != NULL);
    return value;
}

struct json_t *json_hex(const char *prefix, const void *bytes, unsigned bytes_count)
{
    char text[160];
    size_t prefix_bytes = strlen(prefix);
    must(prefix_bytes + 2 * (size_t)bytes_count < sizeof text);
    memcpy(text, prefix, prefix_bytes);
    hex_encode(bytes, bytes_count, text + prefix_bytes);
    return json_text(text);
}

struct json_t *json_time(long long t_ns)
{
    char text[CLOCK_TEXT_BYTES];
    clock_text(t_ns, text);
    return json_text(text);
}

int json_print(struct json_t *value, int pretty)
{
    size_t flags = pretty ? JSON_INDENT(2) : JSON_COMPACT;
    int result = json_dumpf(value, stdout, flags);
    json_decref(value);
    if (result != 0 || fputc('\n', stdout) == EOF) {
        return ctl_refuse("output could not be written");
    }
    return CTL_GOOD;
}
