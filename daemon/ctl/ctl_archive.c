/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/ctl.h"

#include <string.h>

#include <jansson.h>

#include "ctl/archive_seals.h"
#include "ctl/json_text.h"
#include "ctl/rows.h"
#include "ctl/table.h"

/* What the log says was sealed, beside what lies in the archive directory. Whether the bytes are
 * the sealed ones is for `archive verify`; a length that differs shows here already. */

static int print_seals(json_t *seals)
{
    static const struct table_column columns[] = {
        {"DAY", TABLE_LEFT, 0},        {"BYTES", TABLE_RIGHT, 0}, {"ENTRIES", TABLE_LEFT, 2},
        {"ITEMS", TABLE_RIGHT, 0},     {"FILE", TABLE_LEFT, 0},   {"COPIES", TABLE_RIGHT, 0},
        {"SEALED BY", TABLE_RIGHT, 1}, {"SEALED", TABLE_LEFT, 4}, {"SHA-256", TABLE_LEFT, 3},
        {"PATH", TABLE_LEFT, 0},
    };
    struct table *table = table_open(columns, sizeof columns / sizeof columns[0]);
    if (table == NULL) {
        return ctl_refuse("no memory");
    }
    size_t index;
    json_t *seal;
    json_array_foreach(seals, index, seal)
    {
        char bytes[TABLE_CELL_BYTES];
        format_bytes((uint64_t)member_integer(seal, "file_bytes"), bytes);
        table_cell(table, member_text(seal, "day"));
        table_cell(table, bytes);
        table_cellf(table, "%lld - %lld", member_integer(seal, "first_index"),
                    member_integer(seal, "last_index"));
        table_cellf(table, "%lld", member_integer(seal, "items"));
        table_cell(table, member_text(seal, "file"));
        table_cellf(table, "%lld", member_integer(seal, "copies"));
        table_cellf(table, "%lld", member_integer(seal, "entry"));
        table_cellf(table, "%.19sZ", member_text(seal, "t"));
        table_cellf(table, "%.12s", member_text(seal, "sha256"));
        table_cell(table, member_text(seal, "path"));
    }
    bool whole = table_print(table, stdout, terminal_width(stdout));
    if (table_rows(table) == 0) {
        puts("No archive file was sealed yet.");
    }
    table_close(&table);
    return whole ? CTL_GOOD : ctl_refuse("no memory for the whole table");
}

int ctl_archive_list(struct ctl *ctl, int argc, char **argv)
{
    ctl_parse_nothing(
        ctl,
        "Sealed archive files, from the log: day, length, entries, items, copies in other places "
        "that were read back, and whether they are there. Exit 1 when one is not.",
        argc, argv);
    char archive[DURABLE_PATH_BYTES];
    if (!ctl_path(ctl, "archive", archive)) {
        return CTL_REFUSED;
    }
    json_t *seals = archive_seals_find(ctl, NULL);
    if (seals == NULL) {
        return CTL_REFUSED;
    }
    bool all_present = true;
    size_t index;
    json_t *seal;
    json_array_foreach(seals, index, seal)
    {
        char path[DURABLE_PATH_BYTES];
        const char *file = archive_seal_state(archive, seal, path);
        all_present = all_present && strcmp(file, "present") == 0;
        char day[11] = ""; /* the folders of the path */
        (void)snprintf(day, sizeof day, "%.10s", member_text(seal, "path"));
        for (char *at = day; (at = strchr(at, '/')) != NULL;) {
            *at = '-';
        }
        json_object_set_new(seal, "day", json_text(day));
        json_object_set_new(seal, "entries",
                            json_integer(member_integer(seal, "last_index") + 1 -
                                         member_integer(seal, "first_index")));
        json_object_set_new(seal, "file", json_text(file));
    }
    int result;
    if (ctl->json) {
        result = json_print(seals, true);
    } else {
        result = print_seals(seals);
        json_decref(seals);
    }
    return all_present ? result : CTL_REFUSED;
}
