/* SPDX-License-Identifier: Apache-2.0 */
#include "feeds/csv_table.h"

#include <csv.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* libcsv pushes: it is fed up to the end of one line at a time, so that at most one row comes out
 * and the place behind it is known exactly. A row may span lines (a quoted newline), a line is
 * never shared by two rows. */

#define CHUNK_BYTES 65536u
/* libcsv's own FIELD_BEGUN: csv_fini only looks at it in strict mode, which would refuse a lone
 * quote inside a field. */
#define PARSER_IN_FIELD 2

struct csv_table {
    int fd;
    bool follow;
    bool parser_open;
    struct csv_parser parser;
    uint8_t chunk[CHUNK_BYTES];
    size_t chunk_count;
    size_t chunk_at;
    uint64_t offset; /* of the next byte to be fed */
    uint64_t line;   /* of the next byte to be fed */
    uint64_t row_line;
    uint64_t row_offset;
    size_t row_bytes; /* fed since the last row ended */
    char text[CSV_ROW_BYTES_MAX + CSV_COLUMNS_MAX + 2];
    size_t text_count;
    char *fields[CSV_COLUMNS_MAX];
    uint32_t fields_count;
    bool too_many;
    bool row_done;
    char *column_text;
    char *columns[CSV_COLUMNS_MAX];
    uint32_t columns_count;
};

static void take_field(void *bytes, size_t bytes_count, void *arg)
{
    struct csv_table *self = arg;
    if (self->fields_count >= CSV_COLUMNS_MAX ||
        bytes_count >= sizeof self->text - self->text_count) {
        self->too_many = true;
        return;
    }
    char *field = self->text + self->text_count;
    if (bytes_count > 0) {
        memcpy(field, bytes, bytes_count);
    }
    field[bytes_count] = '\0';
    self->text_count += bytes_count + 1;
    self->fields[self->fields_count++] = field;
}

static void take_row(int terminator, void *arg)
{
    (void)terminator;
    struct csv_table *self = arg;
    self->row_done = true;
}

static void start_row(struct csv_table *self)
{
    self->fields_count = 0;
    self->text_count = 0;
    self->row_bytes = 0;
    self->too_many = false;
    self->row_done = false;
    self->row_line = self->line;
    self->row_offset = self->offset;
}

static struct err restart_parser(struct csv_table *self, char delimiter)
{
    if (csv_init(&self->parser, CSV_APPEND_NULL) != 0) {
        return err_make(ERR_MEMORY, "open table");
    }
    self->parser_open = true;
    csv_set_delim(&self->parser, (unsigned char)delimiter);
    start_row(self);
    return err_none;
}

static struct err complain(const struct csv_table *self, const char *what, char *error)
{
    (void)snprintf(error, CSV_ERROR_BYTES, "line %llu: %s", (unsigned long long)self->row_line,
                   what);
    return err_make(ERR_TABLE_UNREADABLE, "read table");
}

/* Bytes up to and with the next line end in the chunk, all of it when there is none. */
static size_t line_bytes(const struct csv_table *self)
{
    size_t left = self->chunk_count - self->chunk_at;
    const uint8_t *from = self->chunk + self->chunk_at;
    const uint8_t *newline = memchr(from, '\n', left);
    size_t bytes = newline != NULL ? (size_t)(newline - from) + 1 : left;
    const uint8_t *carriage = memchr(from, '\r', bytes);
    return carriage != NULL ? (size_t)(carriage - from) + 1 : bytes;
}

static struct err feed_line(struct csv_table *self, char *error)
{
    size_t bytes = line_bytes(self);
    const uint8_t *from = self->chunk + self->chunk_at;
    if (self->row_bytes == 0 && (from[0] == '\n' || from[0] == '\r')) {
        /* Between rows: libcsv skips it as well; the row begins behind it. */
        self->line += from[0] == '\n' ? 1 : 0;
        self->chunk_at++;
        self->offset++;
        start_row(self);
        return err_none;
    }
    if (bytes > CSV_ROW_BYTES_MAX - self->row_bytes) {
        return complain(self, "row is longer than 65536 bytes (is a quote left open?)", error);
    }
    if (csv_parse(&self->parser, from, bytes, take_field, take_row, self) != bytes) {
        return complain(self, csv_strerror(csv_error(&self->parser)), error);
    }
    self->row_bytes += bytes;
    self->chunk_at += bytes;
    self->offset += bytes;
    self->line += from[bytes - 1] == '\n' ? 1 : 0;
    return err_none;
}

static struct err fill_chunk(struct csv_table *self)
{
    ssize_t got = pread(self->fd, self->chunk, sizeof self->chunk, (off_t)self->offset);
    if (got < 0) {
        return err_os(ERR_IO, "read table");
    }
    self->chunk_count = (size_t)got;
    self->chunk_at = 0;
    return err_none;
}

/* At the end of the file: a last row without a newline counts, unless more may be appended to it.
 */
static struct err finish_row(struct csv_table *self, enum csv_step *step, char *error)
{
    if (self->follow) {
        *step = CSV_WAIT;
        return err_none;
    }
    if (self->row_bytes > 0 && self->parser.quoted && self->parser.pstate == PARSER_IN_FIELD) {
        return complain(self, "the file ends inside a quoted field", error);
    }
    if (self->row_bytes > 0 && csv_fini(&self->parser, take_field, take_row, self) != 0) {
        return complain(self, csv_strerror(csv_error(&self->parser)), error);
    }
    *step = self->row_done ? CSV_ROW : CSV_END;
    return err_none;
}

static struct err next_row(struct csv_table *self, enum csv_step *step, char *error)
{
    if (self->row_done) {
        start_row(self);
    }
    while (!self->row_done) {
        if (self->chunk_at == self->chunk_count) {
            struct err err = fill_chunk(self);
            if (err_is(err)) {
                return err;
            }
            if (self->chunk_count == 0) {
                return finish_row(self, step, error);
            }
        }
        struct err err = feed_line(self, error);
        if (err_is(err)) {
            return err;
        }
    }
    *step = CSV_ROW;
    return err_none;
}

struct err csv_table_next(struct csv_table *self, struct csv_row *out, enum csv_step *step,
                          char *error)
{
    struct err err = next_row(self, step, error);
    if (err_is(err) || *step != CSV_ROW) {
        return err;
    }
    if (self->too_many) {
        return complain(self, "more than 256 columns", error);
    }
    *out = (struct csv_row){self->fields, self->fields_count, self->row_line, self->offset,
                            self->line};
    return err_none;
}

static struct err read_columns(struct csv_table *self, char *error)
{
    struct csv_row row;
    enum csv_step step = CSV_END;
    struct err err = csv_table_next(self, &row, &step, error);
    if (err_is(err)) {
        return err;
    }
    if (step != CSV_ROW) {
        return complain(self, "no header row", error);
    }
    const char *first = row.fields_count > 0 ? row.fields[0] : "";
    if (strncmp(first, "\xff\xfe", 2) == 0 || strncmp(first, "\xfe\xff", 2) == 0) {
        return complain(self, "the table is UTF-16: save it as UTF-8", error);
    }
    if (row.fields_count > 0 && strncmp(row.fields[0], "\xef\xbb\xbf", 3) == 0) {
        memmove(row.fields[0], row.fields[0] + 3,
                strlen(row.fields[0]) - 2); /* byte order mark of spreadsheets */
    }
    self->column_text = malloc(self->text_count);
    if (self->column_text == NULL) {
        return err_make(ERR_MEMORY, "open table");
    }
    memcpy(self->column_text, self->text, self->text_count);
    for (uint32_t i = 0; i < row.fields_count; i++) {
        self->columns[i] = self->column_text + (row.fields[i] - self->text);
    }
    self->columns_count = row.fields_count;
    return err_none;
}

struct err csv_table_open(const char *path, char delimiter, bool follow, struct csv_table **out,
                          char *error)
{
    error[0] = '\0';
    struct csv_table *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return err_make(ERR_MEMORY, "open table");
    }
    self->follow = follow;
    self->line = 1;
    self->fd = open(path, O_RDONLY | O_CLOEXEC);
    struct err err = self->fd >= 0 ? err_none : err_os(ERR_IO, "open table");
    if (!err_is(err)) {
        err = restart_parser(self, delimiter);
    }
    if (!err_is(err)) {
        err = read_columns(self, error);
    }
    if (err_is(err)) {
        if (error[0] == '\0') {
            (void)err_text(err, error);
        }
        csv_table_close(&self);
        return err;
    }
    *out = self;
    return err_none;
}

void csv_table_close(struct csv_table **self)
{
    if (*self == NULL) {
        return;
    }
    if ((*self)->parser_open) {
        csv_free(&(*self)->parser);
    }
    if ((*self)->fd >= 0) {
        (void)close((*self)->fd);
    }
    free((*self)->column_text);
    free(*self);
    *self = NULL;
}

char *const *csv_table_columns(const struct csv_table *self, uint32_t *columns_count)
{
    *columns_count = self->columns_count;
    return self->columns;
}

struct err csv_table_seek(struct csv_table *self, uint64_t offset, uint64_t line)
{
    char delimiter = (char)csv_get_delim(&self->parser);
    if (offset > csv_table_bytes(self)) {
        return err_make(ERR_ARGUMENT, "resume behind the end of the table");
    }
    csv_free(&self->parser);
    self->parser_open = false;
    self->chunk_count = 0;
    self->chunk_at = 0;
    self->offset = offset;
    self->line = line;
    return restart_parser(self, delimiter);
}

uint64_t csv_table_bytes(const struct csv_table *self)
{
    struct stat status;
    return fstat(self->fd, &status) == 0 && status.st_size > 0 ? (uint64_t)status.st_size : 0;
}
