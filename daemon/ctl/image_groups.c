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

/* Puts the table's group in the place of the one the name tells. */
static bool read_table(struct csv_table *table, struct named *sorted, uint32_t count, char **words,
                       char *error)
{
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
        const struct named *found = bsearch(&key, sorted, count, sizeof *sorted, compare_named);
        char *word = found != NULL ? strdup(row.fields[group_column]) : NULL;
        if (word != NULL) {
            free(words[found->index]);
            words[found->index] = word;
        }
    }
    return true;
}

static bool use_table(const char *path, struct named *sorted, uint32_t count, char **words)
{
    char error[CSV_ERROR_BYTES] = "";
    struct csv_table *table = NULL;
    struct err err = csv_table_open(path, ',', false, &table, error);
    bool good = !err_is(err) && read_table(table, sorted, count, words, error);
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

bool image_groups_assign(const char *path, char *const *names, uint32_t count, uint32_t *groups,
                         uint32_t *group_count)
{
    struct named *sorted = calloc((size_t)count + 1, sizeof *sorted);
    char **words = calloc((size_t)count + 1, sizeof *words);
    bool good = sorted != NULL && words != NULL;
    for (uint32_t i = 0; good && i < count; i++) {
        sorted[i] = (struct named){names[i], i};
        words[i] = strndup(names[i], marked_images_stem(names[i]));
        good = words[i] != NULL;
    }
    if (!good) {
        ctl_refuse("no memory");
    } else if (path != NULL) {
        qsort(sorted, count, sizeof *sorted, compare_named);
        good = use_table(path, sorted, count, words);
    }
    if (good) {
        *group_count = number(sorted, count, words, groups);
    }
    for (uint32_t i = 0; words != NULL && i < count; i++) {
        free(words[i]);
    }
    free(words);
    free(sorted);
    return good;
}
