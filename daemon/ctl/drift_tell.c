/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/drift_tell.h"

#include <jansson.h>

#include "ctl/ctl.h"
#include "ctl/json_text.h"
#include "ctl/table.h"

struct json_t *drift_json(const struct drift_field *fields, uint32_t count)
{
    json_t *array = json_array();
    for (uint32_t i = 0; i < count; i++) {
        const struct drift_field *field = &fields[i];
        json_t *object = json_object();
        json_object_set_new(object, "field", json_text(field->name));
        json_object_set_new(object, "index", json_real(field->index));
        json_object_set_new(object, "chance", json_real(field->chance));
        json_object_set_new(object, "bins", json_integer((json_int_t)field->bins));
        json_object_set_new(object, "missing_then", json_real(field->missing_then));
        json_object_set_new(object, "missing_now", json_real(field->missing_now));
        json_object_set_new(object, "verdict", json_text(drift_words(field->verdict)));
        json_array_append_new(array, object);
    }
    return array;
}

int drift_print(const struct drift_field *fields, uint32_t count)
{
    static const struct table_column columns[] = {
        {"FIELD", TABLE_LEFT, 0},        {"INDEX", TABLE_RIGHT, 0},
        {"CHANCE", TABLE_RIGHT, 2},      {"MISSING THEN", TABLE_RIGHT, 3},
        {"MISSING NOW", TABLE_RIGHT, 1}, {"", TABLE_LEFT, 0}};
    struct table *table = table_open(columns, sizeof columns / sizeof columns[0]);
    if (table == NULL) {
        return ctl_refuse("no memory");
    }
    for (uint32_t i = 0; i < count; i++) {
        const struct drift_field *field = &fields[i];
        table_cell(table, field->name);
        table_cellf(table, "%.4f", field->index);
        table_cellf(table, "%.4f", field->chance);
        table_cellf(table, "%.1f%%", 100 * field->missing_then);
        table_cellf(table, "%.1f%%", 100 * field->missing_now);
        table_cell(table, field->bins < 2 ? "always the same" : drift_words(field->verdict));
    }
    bool whole = table_print(table, stdout, terminal_width(stdout));
    table_close(&table);
    if (!whole) {
        return ctl_refuse("no memory");
    }
    puts(
        "\nIndex: population stability index; 0.1 and 0.25 are convention, not law. Chance: what it"
        " reaches\nonce in twenty when nothing has changed.");
    return CTL_GOOD;
}
