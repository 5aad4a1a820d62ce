/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/table.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/err.h"

/* Cells are kept whole until the end, because the widest decides. A report of a port has thousands
 * of rows, not millions. */

#define GAP 2u              /* spaces between columns */
#define LAST_COLUMN_MIN 24u /* less is unreadable as a column */
#define UNDER_INDENT 4u

struct table {
    const struct table_column *columns;
    uint32_t columns_count;
    char **cells;
    size_t cells_count;
    size_t cells_capacity;
    bool lost;
};

struct table *table_open(const struct table_column *columns, uint32_t columns_count)
{
    must(columns_count >= 1 && columns_count <= TABLE_COLUMNS_MAX);
    struct table *self = calloc(1, sizeof *self);
    if (self != NULL) {
        self->columns = columns;
        self->columns_count = columns_count;
    }
    return self;
}

void table_close(struct table **self)
{
    if (self == NULL || *self == NULL) {
        return;
    }
    for (size_t i = 0; i < (*self)->cells_count; i++) {
        free((*self)->cells[i]);
    }
    free((*self)->cells);
    free(*self);
    *self = NULL;
}

void table_cell(struct table *self, const char *text)
{
    if (self->cells_count == self->cells_capacity) {
        size_t capacity = self->cells_capacity == 0 ? 256 : 2 * self->cells_capacity;
        char **cells = reallocarray(self->cells, capacity, sizeof *cells);
        if (cells == NULL) {
            self->lost = true;
            return;
        }
        self->cells = cells;
        self->cells_capacity = capacity;
    }
    char *copy = strdup(text == NULL ? "" : text);
    self->lost |= copy == NULL;
    self->cells[self->cells_count++] = copy;
}

void table_cellf(struct table *self, const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    table_cell(self, text);
}

uint32_t table_rows(const struct table *self)
{
    return (uint32_t)(self->cells_count / self->columns_count);
}

/* Bytes of the character at text, at most the rest of a UTF-8 sequence; 1 for anything broken. */
static size_t character_bytes(const char *text)
{
    size_t bytes = 1;
    while (bytes < 4 && ((unsigned char)text[bytes] & 0xc0u) == 0x80u) {
        bytes++;
    }
    return bytes;
}

/* C0, DEL and the C1 range (U+0080 to U+009F): what a terminal would obey. */
static bool is_control(const char *text)
{
    const unsigned char *at = (const unsigned char *)text;
    return at[0] < 0x20 || at[0] == 0x7f || (at[0] == 0xc2 && at[1] >= 0x80 && at[1] <= 0x9f);
}

static uint32_t width_of(const char *text, size_t text_bytes)
{
    uint32_t width = 0;
    for (size_t at = 0; at < text_bytes; at += character_bytes(text + at)) {
        width++;
    }
    return width;
}

static void put_text(FILE *to, const char *text, size_t text_bytes)
{
    for (size_t at = 0; at < text_bytes;) {
        size_t bytes = character_bytes(text + at);
        if (bytes > text_bytes - at) {
            bytes = text_bytes - at;
        }
        if (is_control(text + at)) {
            (void)fputc('?', to);
        } else {
            (void)fwrite(text + at, 1, bytes, to);
        }
        at += bytes;
    }
}

static void put_spaces(FILE *to, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        (void)fputc(' ', to);
    }
}

/* Takes one line of at most width columns off the text: returns its bytes, *next is where the
 * following line starts. Breaks at the last space that fits, or inside a word that is longer than
 * the line. */
static size_t take_line(const char *text, uint32_t width, const char **next)
{
    size_t line_bytes = strcspn(text, "\n");
    size_t fits = 0;
    size_t last_space = 0;
    uint32_t used = 0;
    while (fits < line_bytes && (width == 0 || used < width)) {
        if (text[fits] == ' ') {
            last_space = fits;
        }
        fits += character_bytes(text + fits);
        used++;
    }
    if (fits >= line_bytes) {
        *next = text + line_bytes + (text[line_bytes] == '\n');
        return line_bytes;
    }
    if (text[fits] == ' ' || last_space == 0) {
        last_space = fits;
    }
    *next = text + last_space + (text[last_space] == ' ');
    return last_space;
}

void text_print(FILE *to, const char *text, uint32_t width, uint32_t indent)
{
    uint32_t line_width = width == 0 ? 0 : width > indent + 8 ? width - indent : 8;
    bool first = true;
    do {
        const char *next;
        size_t bytes = take_line(text, line_width, &next);
        if (!first) {
            put_spaces(to, indent);
        }
        put_text(to, text, bytes);
        (void)fputc('\n', to);
        text = next;
        first = false;
    } while (*text != '\0');
}

/* Widest line of a cell. */
static uint32_t cell_width(const char *cell)
{
    uint32_t widest = 0;
    while (cell != NULL && *cell != '\0') {
        size_t line_bytes = strcspn(cell, "\n");
        uint32_t width = width_of(cell, line_bytes);
        widest = width > widest ? width : widest;
        cell += line_bytes + (cell[line_bytes] == '\n');
    }
    return widest;
}

struct layout {
    uint32_t widths[TABLE_COLUMNS_MAX];
    uint32_t before_last; /* columns of the terminal in front of the last table column */
    bool last_under;      /* the last column goes on lines of its own */
    bool hidden[TABLE_COLUMNS_MAX];
};

/* Leaves out columns, the most easily spared first, until the row fits. */
static void hide_columns(const struct table *self, uint32_t width, struct layout *layout)
{
    uint32_t last = self->columns_count - 1;
    while (layout->before_last > width + GAP) {
        uint32_t chosen = last;
        uint32_t spare = 0;
        for (uint32_t c = 0; c < last; c++) {
            if (!layout->hidden[c] && self->columns[c].spare > spare) {
                chosen = c;
                spare = self->columns[c].spare;
            }
        }
        if (chosen == last) {
            return; /* nothing can be spared: the terminal breaks the lines */
        }
        layout->hidden[chosen] = true;
        layout->before_last -= layout->widths[chosen] + GAP;
    }
}

static void lay_out(const struct table *self, uint32_t width, struct layout *layout)
{
    must(self->columns_count > 0 && self->columns_count <= TABLE_COLUMNS_MAX);
    uint32_t last = self->columns_count - 1;
    *layout = (struct layout){0};
    for (uint32_t c = 0; c < self->columns_count; c++) {
        layout->widths[c] = cell_width(self->columns[c].name);
    }
    for (size_t i = 0; i < self->cells_count; i++) {
        uint32_t c = (uint32_t)(i % self->columns_count);
        uint32_t wide = cell_width(self->cells[i]);
        layout->widths[c] = wide > layout->widths[c] ? wide : layout->widths[c];
    }
    for (uint32_t c = 0; c < last; c++) {
        layout->before_last += layout->widths[c] + GAP;
    }
    if (width > 0) {
        hide_columns(self, width, layout);
    }
    if (width > 0 && layout->before_last + layout->widths[last] > width) {
        layout->last_under = layout->before_last + LAST_COLUMN_MIN > width;
        uint32_t left = layout->last_under ? UNDER_INDENT : layout->before_last;
        layout->widths[last] = width > left + 8 ? width - left : 8;
    }
}

/* Spaces are owed until something follows them: no line ends in spaces. */
static void put_cell(FILE *to, const char *text, size_t bytes, const struct table_column *column,
                     uint32_t width, uint32_t *owed)
{
    uint32_t used = width_of(text, bytes);
    uint32_t pad = width > used ? width - used : 0;
    bool right = column->align == TABLE_RIGHT;
    if (bytes > 0) {
        put_spaces(to, *owed + (right ? pad : 0));
        put_text(to, text, bytes);
        *owed = right ? 0 : pad;
    } else {
        *owed += pad;
    }
    *owed += GAP;
}

/* A line that had to be broken goes on further in: the next one begins something new. */
static void put_under(FILE *to, const char *text, uint32_t width)
{
    while (*text != '\0') {
        size_t line_bytes = strcspn(text, "\n");
        char *line = strndup(text, line_bytes);
        put_spaces(to, UNDER_INDENT);
        text_print(to, line == NULL ? "?" : line, width, UNDER_INDENT + 2);
        free(line);
        text += line_bytes + (text[line_bytes] == '\n');
    }
}

static void put_row(const struct table *self, const struct layout *layout, const char *const *cells,
                    FILE *to)
{
    must(self->columns_count > 0 && self->columns_count <= TABLE_COLUMNS_MAX);
    const char *rest[TABLE_COLUMNS_MAX];
    uint32_t last = self->columns_count - 1;
    uint32_t beside = layout->last_under ? last : self->columns_count;
    bool more = true;
    for (uint32_t c = 0; c < self->columns_count; c++) {
        rest[c] = cells[c] == NULL ? "?" : cells[c];
    }
    while (more) {
        uint32_t owed = 0;
        more = false;
        for (uint32_t c = 0; c < beside; c++) {
            if (layout->hidden[c]) {
                continue;
            }
            const char *next;
            size_t bytes = take_line(rest[c], c == last ? layout->widths[c] : 0, &next);
            put_cell(to, rest[c], bytes, &self->columns[c], layout->widths[c], &owed);
            rest[c] = next;
            more |= *next != '\0';
        }
        (void)fputc('\n', to);
    }
    if (layout->last_under && *rest[last] != '\0') {
        put_under(to, rest[last], layout->widths[last] + UNDER_INDENT);
    }
}

bool table_print(const struct table *self, FILE *to, uint32_t width)
{
    struct layout layout;
    lay_out(self, width, &layout);
    const char *names[TABLE_COLUMNS_MAX];
    bool has_heading = false;
    for (uint32_t c = 0; c < self->columns_count; c++) {
        names[c] = self->columns[c].name;
        has_heading |= names[c][0] != '\0';
    }
    if (layout.last_under) {
        names[self->columns_count - 1] = "";
    }
    if (has_heading) {
        put_row(self, &layout, names, to);
    }
    for (size_t i = 0; i + self->columns_count <= self->cells_count; i += self->columns_count) {
        put_row(self, &layout, (const char *const *)&self->cells[i], to);
    }
    return !self->lost;
}

uint32_t terminal_width(FILE *to)
{
    struct winsize window;
    int fd = fileno(to);
    if (fd < 0 || !isatty(fd) || ioctl(fd, TIOCGWINSZ, &window) != 0) {
        const char *columns = getenv("COLUMNS");
        unsigned long width = columns == NULL ? 0 : strtoul(columns, NULL, 10);
        return width > 0 && width <= 10000 ? (uint32_t)width : 0;
    }
    return window.ws_col > 0 ? window.ws_col : 80;
}

void format_age(int64_t ns, char out[TABLE_CELL_BYTES])
{
    double s = (double)ns / 1e9;
    if (s < 0.0) {
        s = 0.0; /* clocks of two machines may differ a little */
    }
    if (s < 90.0) {
        (void)snprintf(out, TABLE_CELL_BYTES, "%.0f s", s);
    } else if (s < 90.0 * 60.0) {
        (void)snprintf(out, TABLE_CELL_BYTES, "%.0f min", s / 60.0);
    } else if (s < 48.0 * 3600.0) {
        (void)snprintf(out, TABLE_CELL_BYTES, "%.1f h", s / 3600.0);
    } else {
        (void)snprintf(out, TABLE_CELL_BYTES, "%.0f d", s / 86400.0);
    }
}

void format_bytes(uint64_t bytes, char out[TABLE_CELL_BYTES])
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    double value = (double)bytes;
    size_t unit = 0;
    while (value >= 1024.0 && unit + 1 < sizeof units / sizeof units[0]) {
        value /= 1024.0;
        unit++;
    }
    (void)snprintf(out, TABLE_CELL_BYTES, unit == 0 ? "%.0f %s" : "%.1f %s", value, units[unit]);
}

void format_share(double share, char out[TABLE_CELL_BYTES])
{
    double percent = 100.0 * share;
    (void)snprintf(out, TABLE_CELL_BYTES, percent < 10.0 ? "%.2f%%" : "%.1f%%", percent);
}
