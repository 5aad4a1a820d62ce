/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/share_tell.h"

#include <jansson.h>

#include "ctl/json_text.h"
#include "ctl/rows.h"
#include "ctl/table.h"

struct json_t *share_json(struct state *state)
{
    return rows_of(state,
                   "SELECT day, stratum, rate, floor, reason FROM draw_rates WHERE day ="
                   " (SELECT min(day) FROM draws WHERE reveal_entry IS NULL) ORDER BY stratum",
                   "ttrrt");
}

static bool adapts(const json_t *share)
{
    return json_object_get(share, "floor") != NULL;
}

static int print_rows(const json_t *shares, bool only_adapting)
{
    static const struct table_column columns[] = {{"COIN", TABLE_LEFT, 0},
                                                  {"TODAY", TABLE_RIGHT, 0},
                                                  {"FLOOR", TABLE_RIGHT, 0},
                                                  {"WHY", TABLE_LEFT, 0}};
    struct table *table = table_open(columns, 4);
    if (table == NULL) {
        return ctl_refuse("no memory");
    }
    size_t index;
    json_t *share;
    json_array_foreach(shares, index, share)
    {
        if (only_adapting && !adapts(share)) {
            continue;
        }
        double rate = member_real(share, "rate");
        table_cell(table, member_text(share, "stratum"));
        table_cellf(table, "%.4g%%", 100 * rate);
        table_cellf(table, "%.4g%%", 100 * (adapts(share) ? member_real(share, "floor") : rate));
        table_cell(table, adapts(share) ? member_text(share, "reason") : "as set");
    }
    bool whole = table_print(table, stdout, terminal_width(stdout));
    table_close(&table);
    return whole ? CTL_GOOD : ctl_refuse("no memory");
}

int share_print(const struct json_t *shares, bool only_adapting)
{
    size_t shown = 0;
    size_t index;
    json_t *share;
    json_array_foreach(shares, index, share)
    {
        shown += !only_adapting || adapts(share);
    }
    if (shown == 0) {
        return CTL_GOOD;
    }
    puts("");
    return print_rows(shares, only_adapting);
}
