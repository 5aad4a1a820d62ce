/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/image_groups.h"

#include <stdlib.h>
#include <string.h>

#include "ctl/ctl.h"
#include "ctl/marked_images.h"
#include "feeds/csv_table.h"

struct named {
    const char *name;
    uint32_t index;
};

static int compare_named(const void *a, const void *b)
{
    return strcmp(((const struct named *)a)->name, ((const struct named *)b)->name);
}

/* Both names of a pair of energies. */
struct lookup {
    struct named *sorted;
    uint32_t count;
};

/* Puts the table's group in the place of the one the name tells. */
static bool read_table(struct csv_table *table, const struct lookup *lookup, char **words,
                       char *error)
{
    uint32_t known = 0;
    uint32_t column_count;
    char *const *columns = csv_table_columns(table, &column_count);
    uint32_t image_column = column_count;
    uint32_t group_column = column_count;
    for (uint32_t i = 0; i < column_count; i++) {
        image_column = strcmp(columns[i], "image") == 0 ? i : image_column;
        group_column = strcmp(columns[i], "group") == 0 ? i : group_column;
    }
    if (image_column == column_count || group_column == column_count) {
        (void)snprintf(error, CSV_ERROR_BYTES, "the columns image,group are needed");
        return false;
    }
    enum csv_step step = CSV_ROW;
    while (step != CSV_END) {
        struct csv_row row;
        if (err_is(csv_table_next(table, &row, &step, error))) {
            return false;
        }
        if (step != CSV_ROW || image_column >= row.fields_count ||
            group_column >= row.fields_count) {
            continue;
        }
        const struct named key = {row.fields[image_column], 0};
        const struct named *found =
            bsearch(&key, lookup->sorted, lookup->count, sizeof *lookup->sorted, compare_named);
        if (found == NULL) {
            continue;
        }
        char *word = strdup(row.fields[group_column]);
        if (word == NULL) {
            (void)snprintf(error, CSV_ERROR_BYTES, "no memory");
            return false;
        }
        free(words[found->index]);
        words[found->index] = word;
        known++;
    }
    if (known == 0) {
        (void)snprintf(error, CSV_ERROR_BYTES, "none of its images is among those read");
    }
    return known > 0;
}

static bool use_table(const char *path, const struct lookup *lookup, char **words)
{
    char error[CSV_ERROR_BYTES] = "";
    struct csv_table *table = NULL;
    struct err err = csv_table_open(path, ',', false, &table, error);
    bool good = !err_is(err) && read_table(table, lookup, words, error);
    csv_table_close(&table);
    if (!good) {
        ctl_refuse("%s: %s", path, error);
    }
    return good;
}

static uint32_t number(struct named *sorted, uint32_t count, char *const *words, uint32_t *groups)
{
    uint32_t group = 0;
    for (uint32_t i = 0; i < count; i++) {
        sorted[i] = (struct named){words[i], i};
    }
    qsort(sorted, count, sizeof *sorted, compare_named);
    for (uint32_t i = 0; i < count; i++) {
        group += i > 0 && strcmp(sorted[i].name, sorted[i - 1].name) != 0;
        groups[sorted[i].index] = group;
    }
    return count > 0 ? group + 1 : 0;
}

static struct lookup sort_names(const struct image_groups_conf *conf, struct named *room)
{
    struct lookup lookup = {room, 0};
    for (uint32_t i = 0; i < conf->count; i++) {
        room[lookup.count++] = (struct named){conf->names[i], i};
        if (conf->second_names[i] != NULL) {
            room[lookup.count++] = (struct named){conf->second_names[i], i};
        }
    }
    qsort(room, lookup.count, sizeof *room, compare_named);
    return lookup;
}

bool image_groups_assign(const struct image_groups_conf *conf, uint32_t *groups,
                         uint32_t *group_count)
{
    struct named *room = calloc(2 * (size_t)conf->count + 1, sizeof *room);
    char **words = calloc((size_t)conf->count + 1, sizeof *words);
    bool good = room != NULL && words != NULL;
    for (uint32_t i = 0; good && i < conf->count; i++) {
        words[i] = strndup(conf->names[i], marked_images_stem(conf->names[i]));
        good = words[i] != NULL;
    }
    if (!good) {
        ctl_refuse("no memory");
    } else if (conf->path != NULL) {
        struct lookup lookup = sort_names(conf, room);
        good = use_table(conf->path, &lookup, words);
    }
    if (good) {
        *group_count = number(room, conf->count, words, groups);
    }
    for (uint32_t i = 0; words != NULL && i < conf->count; i++) {
        free(words[i]);
    }
    free(words);
    free(room);
    return good;
}
