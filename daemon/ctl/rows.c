/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/rows.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "ctl/json_text.h"

struct rows {
    json_t *array;
    const char *types;
};

static json_t *words_json(const char *text)
{
    json_t *array = json_array();
    while (*text != '\0') {
        size_t bytes = strcspn(text, "\n");
        char *line = strndup(text, bytes);
        must(line != NULL);
        json_array_append_new(array, json_text(line));
        free(line);
        text += bytes + (text[bytes] == '\n');
    }
    return array;
}

static json_t *value_json(char type, const char *value)
{
    switch (type) {
    case 'i':
        return json_integer((json_int_t)strtoll(value, NULL, 10));
    case 'r':
        return json_real(strtod(value, NULL));
    case 'b':
        return json_boolean(strcmp(value, "0") != 0);
    case 'n':
        return json_time(strtoll(value, NULL, 10));
    case 'w':
        return words_json(value);
    default:
        must(type == 't' || type == 'h');
        return json_text(value);
    }
}

static void take_row(void *arg, uint32_t columns_count, const char *const *names,
                     const char *const *values)
{
    struct rows *rows = arg;
    must(strlen(rows->types) == columns_count);
    json_t *object = json_object();
    for (uint32_t i = 0; i < columns_count; i++) {
        if (values[i] == NULL) {
            continue;
        }
        size_t name_bytes = strlen(names[i]);
        if (rows->types[i] == 'n' && name_bytes > 3 &&
            strcmp(names[i] + name_bytes - 3, "_ns") == 0) {
            name_bytes -= 3;
        }
        char name[64];
        (void)snprintf(name, sizeof name, "%.*s", (int)name_bytes, names[i]);
        json_object_set_new(object, name, value_json(rows->types[i], values[i]));
    }
    json_array_append_new(rows->array, object);
}

static struct json_t *finish(struct rows *rows, struct err err)
{
    if (err_is(err)) {
        ctl_fail("read model", err);
        json_decref(rows->array);
        return NULL;
    }
    return rows->array;
}

struct json_t *rows_of_item(struct state *state, const char *sql, const char *types,
                            const uint8_t item[ITEM_ID_BYTES])
{
    struct rows rows = {json_array(), types};
    return finish(&rows, state_query(state, sql, item, ITEM_ID_BYTES, false, take_row, &rows));
}

struct json_t *rows_of(struct state *state, const char *sql, const char *types)
{
    struct rows rows = {json_array(), types};
    return finish(&rows, state_metric(state, sql, take_row, &rows));
}

const char *member_text(const struct json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text == NULL ? "" : text;
}

double member_real(const struct json_t *object, const char *name)
{
    return json_number_value(json_object_get(object, name));
}

long long member_integer(const struct json_t *object, const char *name)
{
    return json_integer_value(json_object_get(object, name));
}
