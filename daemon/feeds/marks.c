/* SPDX-License-Identifier: Apache-2.0 */
#include "feeds/marks.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/durable.h"
#include "feeds/csv_table.h"
#include "feeds/marks_check.h"

/* A table is held as one row a box, sorted by the name of the image and then by its place in the
 * file; a folder's files are read when they are asked for. */

struct table_row {
    char *image;
    struct marks_box box; /* left NAN: looked at, has none */
    uint32_t order;
};

struct marks {
    char *folder; /* or NULL */
    struct table_row *rows;
    uint32_t row_count;
    uint32_t row_room;
};

static const double number_max = 1e9;

bool marks_number(const char *text, double *out)
{
    char *end = NULL;
    size_t leading = strspn(text, " \t\r\n");
    size_t digits = strspn(text + leading, "+-.0123456789eE"); /* not hexadecimal nor infinite */
    double value = strtod(text + leading, &end);
    if (digits == 0 || end != text + leading + digits || end[strspn(end, " \t\r\n")] != '\0' ||
        !(fabs(value) <= number_max)) {
        return false;
    }
    *out = value;
    return true;
}

const char *marks_check(struct marks_box *box, uint32_t width, uint32_t height)
{
    if (!isfinite(box->left) || !isfinite(box->top) || !isfinite(box->right) ||
        !isfinite(box->bottom)) {
        return "a box with a side missing";
    }
    if (box->right <= box->left || box->bottom <= box->top) {
        return "a box without an area";
    }
    if (width == 0) {
        return NULL;
    }
    box->left = fmax(box->left, 0);
    box->top = fmax(box->top, 0);
    box->right = fmin(box->right, width);
    box->bottom = fmin(box->bottom, height);
    return box->right <= box->left || box->bottom <= box->top ? "a box outside the picture" : NULL;
}

/* ---- tables */

enum { IMAGE, X, Y, WIDTH, HEIGHT, COLUMNS };
static const char *const column_names[COLUMNS] = {"image", "x", "y", "width", "height"};

static bool find_columns(const struct csv_table *table, uint32_t at[COLUMNS])
{
    uint32_t count;
    char *const *names = csv_table_columns(table, &count);
    for (int i = 0; i < COLUMNS; i++) {
        at[i] = count;
        for (uint32_t k = 0; k < count; k++) {
            at[i] = strcmp(names[k], column_names[i]) == 0 ? k : at[i];
        }
        if (at[i] == count) {
            return false;
        }
    }
    return true;
}

static const char *read_row(const struct csv_row *row, const uint32_t at[COLUMNS],
                            struct marks_box *box)
{
    double numbers[COLUMNS] = {0};
    for (int i = 0; i < COLUMNS; i++) {
        if (at[i] >= row->fields_count) {
            return "a column is missing";
        }
    }
    bool is_empty = true;
    for (int i = X; i < COLUMNS; i++) {
        is_empty = is_empty && row->fields[at[i]][0] == '\0';
    }
    if (is_empty) {
        *box = (struct marks_box){NAN, NAN, NAN, NAN};
        return NULL;
    }
    for (int i = X; i < COLUMNS; i++) {
        if (!marks_number(row->fields[at[i]], &numbers[i])) {
            return "a number that is none";
        }
    }
    *box = (struct marks_box){numbers[X], numbers[Y], numbers[X] + numbers[WIDTH],
                              numbers[Y] + numbers[HEIGHT]};
    return marks_check(box, 0, 0);
}

static struct err add_row(struct marks *self, const char *image, const struct marks_box *box)
{
    if (self->row_count == MARKS_TABLE_ROWS_MAX) {
        return err_make(ERR_TABLE_UNREADABLE, "marks_open: too many rows");
    }
    if (self->row_count == self->row_room) {
        uint32_t room = 2 * self->row_room + 256;
        struct table_row *rows = realloc(self->rows, room * sizeof *rows);
        if (rows == NULL) {
            return err_make(ERR_MEMORY, "marks_open");
        }
        self->rows = rows;
        self->row_room = room;
    }
    char *name = strdup(image);
    if (name == NULL) {
        return err_make(ERR_MEMORY, "marks_open");
    }
    self->rows[self->row_count] = (struct table_row){name, *box, self->row_count};
    self->row_count++;
    return err_none;
}

static int compare_rows(const void *a, const void *b)
{
    const struct table_row *first = a;
    const struct table_row *second = b;
    int by_name = strcmp(first->image, second->image);
    return by_name != 0 ? by_name : (first->order > second->order) - (first->order < second->order);
}

static struct err read_table(struct marks *self, struct csv_table *table, char *why)
{
    char error[CSV_ERROR_BYTES] = "";
    uint32_t at[COLUMNS];
    enum csv_step step = CSV_ROW;
    if (!find_columns(table, at)) {
        (void)snprintf(why, MARKS_WHY_BYTES, "the columns image,x,y,width,height are needed");
        return err_make(ERR_TABLE_UNREADABLE, "marks_open");
    }
    while (step != CSV_END) {
        struct csv_row row;
        struct marks_box box;
        struct err err = csv_table_next(table, &row, &step, error);
        if (err_is(err)) {
            (void)snprintf(why, MARKS_WHY_BYTES, "%.200s", error);
            return err;
        }
        if (step != CSV_ROW) {
            continue;
        }
        const char *wrong = read_row(&row, at, &box);
        if (wrong != NULL) {
            (void)snprintf(why, MARKS_WHY_BYTES, "line %llu: %s", (unsigned long long)row.line,
                           wrong);
            return err_make(ERR_TABLE_UNREADABLE, "marks_open");
        }
        err = add_row(self, row.fields[at[IMAGE]], &box);
        if (err_is(err)) {
            return err;
        }
    }
    if (self->row_count > 0) {
        qsort(self->rows, self->row_count, sizeof *self->rows, compare_rows);
    }
    return err_none;
}

static struct err open_table(struct marks *self, const char *path, char *why)
{
    char error[CSV_ERROR_BYTES] = "";
    struct csv_table *table = NULL;
    struct err err = csv_table_open(path, ',', false, &table, error);
    if (err_is(err)) {
        (void)snprintf(why, MARKS_WHY_BYTES, "%.200s", error);
        return err;
    }
    err = read_table(self, table, why);
    csv_table_close(&table);
    return err;
}

MUST_USE struct err marks_open(const char *path, struct marks **out, char *why)
{
    struct stat stat_of;
    (void)snprintf(why, MARKS_WHY_BYTES, "no memory");
    struct marks *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return err_make(ERR_MEMORY, "marks_open");
    }
    struct err err = err_none;
    if (stat(path, &stat_of) != 0) {
        err = err_os(ERR_IO, "marks_open");
        (void)snprintf(why, MARKS_WHY_BYTES, "%s", strerror(errno));
    } else if (S_ISDIR(stat_of.st_mode)) {
        self->folder = strdup(path);
        err = self->folder == NULL ? err_make(ERR_MEMORY, "marks_open") : err_none;
    } else {
        err = open_table(self, path, why);
    }
    if (err_is(err)) {
        marks_close(&self);
        return err;
    }
    *out = self;
    return err_none;
}

void marks_close(struct marks **self)
{
    if (*self == NULL) {
        return;
    }
    for (uint32_t i = 0; i < (*self)->row_count; i++) {
        free((*self)->rows[i].image);
    }
    free((*self)->rows);
    free((*self)->folder);
    free(*self);
    *self = NULL;
}

static struct err of_file(const char *path, uint32_t width, uint32_t height,
                          struct marks_box *boxes, uint32_t *count, char *why)
{
    uint8_t *bytes = NULL;
    size_t bytes_count = 0;
    struct stat stat_of;
    if (stat(path, &stat_of) != 0 && (errno == ENOENT || errno == ENOTDIR)) {
        (void)snprintf(why, MARKS_WHY_BYTES, "no file of marks");
        return err_make(ERR_NOT_FOUND, "marks_of");
    }
    struct err err = durable_read(path, MARKS_FILE_BYTES_MAX, &bytes, &bytes_count);
    if (err_is(err)) {
        (void)snprintf(why, MARKS_WHY_BYTES, "file of marks: %s", err_sentence(err.code));
        return err.code == ERR_MEMORY ? err : err_make(ERR_TABLE_UNREADABLE, "marks_of");
    }
    err = marks_decode(bytes, bytes_count, width, height, boxes, count, why);
    free(bytes);
    return err;
}

/* The first row of this image, or row_count. */
static uint32_t first_row(const struct marks *self, const char *image)
{
    uint32_t low = 0;
    uint32_t high = self->row_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (strcmp(self->rows[middle].image, image) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static struct err of_table(const struct marks *self, const char *image, const uint32_t sides[2],
                           struct marks_box *boxes, uint32_t *count, char *why)
{
    uint32_t row = first_row(self, image);
    uint32_t found = 0;
    bool seen = false;
    for (; row < self->row_count && strcmp(self->rows[row].image, image) == 0; row++) {
        struct marks_box box = self->rows[row].box;
        seen = true;
        if (isnan(box.left)) {
            continue;
        }
        const char *wrong = marks_check(&box, sides[0], sides[1]);
        wrong =
            wrong == NULL && found == MARKS_BOXES_MAX ? "more boxes than an image may have" : wrong;
        if (wrong != NULL) {
            (void)snprintf(why, MARKS_WHY_BYTES, "%s", wrong);
            return err_make(ERR_TABLE_UNREADABLE, "marks_of");
        }
        boxes[found++] = box;
    }
    if (!seen) {
        (void)snprintf(why, MARKS_WHY_BYTES, "no row of marks");
        return err_make(ERR_NOT_FOUND, "marks_of");
    }
    *count = found;
    return err_none;
}

MUST_USE struct err marks_of(const struct marks *self, const char *image, uint32_t width,
                             uint32_t height, struct marks_box *boxes, uint32_t *count, char *why)
{
    *count = 0;
    if (self->folder == NULL) {
        const uint32_t sides[2] = {width, height};
        return of_table(self, image, sides, boxes, count, why);
    }
    char path[DURABLE_PATH_BYTES];
    const char *dot = strrchr(image, '.');
    size_t stem = dot != NULL ? (size_t)(dot - image) : strlen(image);
    if (strchr(image, '/') != NULL || snprintf(path, sizeof path, "%s/%.*s.xml", self->folder,
                                               (int)stem, image) >= (int)sizeof path) {
        (void)snprintf(why, MARKS_WHY_BYTES, "path of the marks is too long");
        return err_make(ERR_TABLE_UNREADABLE, "marks_of");
    }
    return of_file(path, width, height, boxes, count, why);
}
