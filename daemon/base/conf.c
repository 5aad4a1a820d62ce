/* SPDX-License-Identifier: Apache-2.0 */
#include "base/conf.h"

#include <libconfig.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/durable.h"
#include "proto/entry.h"

/* libconfig reads the syntax, refuses repeated keys and knows the line of everything; the table
 * knows the keys. */

enum { CONF_FILE_BYTES_MAX = 1 << 20 };

enum conf_type { CONF_TYPE_TEXT, CONF_TYPE_INT, CONF_TYPE_REAL, CONF_TYPE_BOOL };

struct conf_row {
    const char *group;
    const char *key;
    enum conf_type type;
    size_t offset;
    const char *standard_text;
    double standard;
    double min;
    double max;
    const char *unit;
    const char *sentence;
};

static const struct conf_row conf_rows[] = {
#define CONF_TEXT(group, key, standard, reloadable, sentence)                            \
    {#group, #key, CONF_TYPE_TEXT, offsetof(struct conf, group##_##key), standard, 0, 0, \
     0,      "",   sentence},
#define CONF_INT(group, key, standard, min, max, unit, reloadable, sentence) \
    {#group,                                                                 \
     #key,                                                                   \
     CONF_TYPE_INT,                                                          \
     offsetof(struct conf, group##_##key),                                   \
     "",                                                                     \
     (double)(standard),                                                     \
     (double)(min),                                                          \
     (double)(max),                                                          \
     unit,                                                                   \
     sentence},
#define CONF_REAL(group, key, standard, min, max, unit, reloadable, sentence)               \
    {#group, #key, CONF_TYPE_REAL, offsetof(struct conf, group##_##key), "", standard, min, \
     max,    unit, sentence},
#define CONF_BOOL(group, key, standard, reloadable, sentence)                             \
    {#group, #key, CONF_TYPE_BOOL, offsetof(struct conf, group##_##key), "", standard, 0, \
     1,      "",   sentence},
#include "base/conf_table.h"
#undef CONF_TEXT
#undef CONF_INT
#undef CONF_REAL
#undef CONF_BOOL
};
enum { CONF_ROWS_COUNT = sizeof conf_rows / sizeof conf_rows[0] };

static void *conf_place(struct conf *conf, const struct conf_row *row)
{
    return (char *)conf + row->offset;
}

static const void *conf_value(const struct conf *conf, const struct conf_row *row)
{
    return (const char *)conf + row->offset;
}

void conf_defaults(struct conf *out)
{
    memset(out, 0, sizeof *out);
    for (int i = 0; i < CONF_ROWS_COUNT; i++) {
        const struct conf_row *row = &conf_rows[i];
        switch (row->type) {
        case CONF_TYPE_TEXT:
            must(strlen(row->standard_text) < CONF_TEXT_BYTES);
            strcpy(conf_place(out, row), row->standard_text);
            break;
        case CONF_TYPE_INT:
            *(int64_t *)conf_place(out, row) = (int64_t)row->standard;
            break;
        case CONF_TYPE_REAL:
            *(double *)conf_place(out, row) = row->standard;
            break;
        case CONF_TYPE_BOOL:
            *(bool *)conf_place(out, row) = row->standard != 0;
            break;
        }
    }
}

__attribute__((format(printf, 2, 3))) static struct err conf_refuse(char *why, const char *format,
                                                                    ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(why, CONF_WHY_BYTES, format, arguments);
    va_end(arguments);
    return err_make(ERR_CONF_INVALID, "configuration");
}

static const struct conf_row *conf_row_find(const char *group, const char *key)
{
    for (int i = 0; i < CONF_ROWS_COUNT; i++) {
        if (strcmp(conf_rows[i].group, group) == 0 && strcmp(conf_rows[i].key, key) == 0) {
            return &conf_rows[i];
        }
    }
    return NULL;
}

/* Libconfig tells numbers apart by how they are written; a person does not care whether 60 is a
 * real. */
static bool conf_number(const config_setting_t *setting, double *out)
{
    switch (config_setting_type(setting)) {
    case CONFIG_TYPE_INT:
        *out = config_setting_get_int(setting);
        return true;
    case CONFIG_TYPE_INT64:
        *out = (double)config_setting_get_int64(setting);
        return true;
    case CONFIG_TYPE_FLOAT:
        *out = config_setting_get_float(setting);
        return true;
    default:
        return false;
    }
}

static struct err conf_take_text(struct conf *out, const struct conf_row *row,
                                 const config_setting_t *setting, const char *path, char *why)
{
    int line = (int)config_setting_source_line(setting);
    if (config_setting_type(setting) != CONFIG_TYPE_STRING) {
        return conf_refuse(why, "%s:%d: %s.%s must be text in quotes", path, line, row->group,
                           row->key);
    }
    const char *text = config_setting_get_string(setting);
    if (strlen(text) >= CONF_TEXT_BYTES) {
        return conf_refuse(why, "%s:%d: %s.%s is longer than %u bytes", path, line, row->group,
                           row->key, CONF_TEXT_BYTES - 1);
    }
    for (const char *at = text; *at != '\0'; at++) {
        if ((unsigned char)*at < 0x20) {
            return conf_refuse(why, "%s:%d: %s.%s has a control character", path, line, row->group,
                               row->key);
        }
    }
    strcpy(conf_place(out, row), text);
    return err_none;
}

static struct err conf_take(struct conf *out, const struct conf_row *row,
                            const config_setting_t *setting, const char *path, char *why)
{
    int line = (int)config_setting_source_line(setting);
    if (row->type == CONF_TYPE_TEXT) {
        return conf_take_text(out, row, setting, path, why);
    }
    if (row->type == CONF_TYPE_BOOL) {
        if (config_setting_type(setting) != CONFIG_TYPE_BOOL) {
            return conf_refuse(why, "%s:%d: %s.%s must be true or false", path, line, row->group,
                               row->key);
        }
        *(bool *)conf_place(out, row) = config_setting_get_bool(setting) != 0;
        return err_none;
    }
    double number;
    if (!conf_number(setting, &number) || !isfinite(number)) {
        return conf_refuse(why, "%s:%d: %s.%s must be a number", path, line, row->group, row->key);
    }
    if (number < row->min || number > row->max) {
        return conf_refuse(why, "%s:%d: %s.%s must be between %.15g and %.15g %s, not %.15g", path,
                           line, row->group, row->key, row->min, row->max, row->unit, number);
    }
    if (row->type == CONF_TYPE_INT) {
        if (number != floor(number)) {
            return conf_refuse(why, "%s:%d: %s.%s must be a whole number", path, line, row->group,
                               row->key);
        }
        *(int64_t *)conf_place(out, row) = (int64_t)number;
    } else {
        *(double *)conf_place(out, row) = number;
    }
    return err_none;
}

static struct err conf_take_group(struct conf *out, const config_setting_t *group, const char *path,
                                  char *why)
{
    const char *name = config_setting_name(group);
    int line = (int)config_setting_source_line(group);
    if (!config_setting_is_group(group)) {
        return conf_refuse(why, "%s:%d: '%s' stands outside a group", path, line, name);
    }
    int members = config_setting_length(group);
    for (int i = 0; i < members; i++) {
        const config_setting_t *setting = config_setting_get_elem(group, (unsigned)i);
        const struct conf_row *row = conf_row_find(name, config_setting_name(setting));
        if (row == NULL) {
            return conf_refuse(why, "%s:%d: unknown key '%s.%s'", path,
                               (int)config_setting_source_line(setting), name,
                               config_setting_name(setting));
        }
        struct err err = conf_take(out, row, setting, path, why);
        if (err_is(err)) {
            return err;
        }
    }
    return err_none;
}

/* An @include would make the digest of one file mean another: refused, as libconfig itself would
 * follow it. Returns its line, 0 when there is none. */
static int conf_include_line(const char *text)
{
    int line = 1;
    while (text != NULL && *text != '\0') {
        if (strncmp(text + strspn(text, " \t"), "@include", 8) == 0) {
            return line;
        }
        text = strchr(text, '\n');
        text = text != NULL ? text + 1 : NULL;
        line++;
    }
    return 0;
}

static struct err conf_parse(const char *path, config_t *config, char *why)
{
    uint8_t *text = NULL;
    size_t text_bytes = 0;
    why[0] = '\0';
    struct err err = durable_read(path, CONF_FILE_BYTES_MAX, &text, &text_bytes);
    if (err_is(err)) {
        char reason[ERR_TEXT_BYTES];
        return conf_refuse(why, "%s: %s", path, err_text(err, reason));
    }
    int include_line = conf_include_line((const char *)text);
    if (strlen((const char *)text) != text_bytes) {
        err = conf_refuse(why, "%s: holds a zero byte", path);
    } else if (include_line > 0) {
        err = conf_refuse(why, "%s:%d: @include is not allowed here", path, include_line);
    } else if (config_read_string(config, (const char *)text) != CONFIG_TRUE) {
        err = conf_refuse(why, "%s:%d: %s", path, config_error_line(config),
                          config_error_text(config));
    }
    free(text);
    return err;
}

struct err conf_read(const char *path, struct conf *out, char *why)
{
    struct conf conf;
    conf_defaults(&conf);
    config_t config;
    config_init(&config);
    struct err err = conf_parse(path, &config, why);
    const config_setting_t *root = config_root_setting(&config);
    for (int i = 0; !err_is(err) && i < config_setting_length(root); i++) {
        err = conf_take_group(&conf, config_setting_get_elem(root, (unsigned)i), path, why);
    }
    if (!err_is(err) && strlen(path) >= sizeof conf.file) {
        err = conf_refuse(why, "%s: path too long", path);
    }
    if (!err_is(err)) {
        strcpy(conf.file, path);
        *out = conf;
    }
    config_destroy(&config);
    return err;
}

static void conf_print_text(FILE *page, const char *text)
{
    (void)fputc('"', page);
    for (const char *at = text; *at != '\0'; at++) {
        if (*at == '"' || *at == '\\') {
            (void)fputc('\\', page);
        }
        (void)fputc(*at, page);
    }
    (void)fputc('"', page);
}

static void conf_print_row(FILE *page, const struct conf *conf, const struct conf_row *row)
{
    char number[32];
    (void)fprintf(page, "  # %s", row->sentence);
    if (row->type == CONF_TYPE_INT || row->type == CONF_TYPE_REAL) {
        (void)fprintf(page, " (%s, %.15g .. %.15g)", row->unit, row->min, row->max);
    }
    (void)fprintf(page, "\n  %s = ", row->key);
    switch (row->type) {
    case CONF_TYPE_TEXT:
        conf_print_text(page, conf_value(conf, row));
        break;
    case CONF_TYPE_INT:
        (void)fprintf(page, "%lld", (long long)*(const int64_t *)conf_value(conf, row));
        break;
    case CONF_TYPE_REAL:
        number_format(*(const double *)conf_value(conf, row), number);
        /* Libconfig takes 60 for an integer; that is fine on reading, but a real should look like
         * one. */
        (void)fprintf(page, "%s%s", number, strpbrk(number, ".e") == NULL ? ".0" : "");
        break;
    case CONF_TYPE_BOOL:
        (void)fputs(*(const bool *)conf_value(conf, row) ? "true" : "false", page);
        break;
    }
    (void)fputs(";\n", page);
}

struct err conf_print(const struct conf *conf, char **out)
{
    char *text = NULL;
    size_t text_bytes = 0;
    FILE *page = open_memstream(&text, &text_bytes);
    if (page == NULL) {
        return err_os(ERR_MEMORY, "conf_print");
    }
    (void)fputs("# Configuration of triaged. Keys that are left out have the values shown by "
                "triaged --print-config.\n",
                page);
    const char *group = "";
    for (int i = 0; i < CONF_ROWS_COUNT; i++) {
        if (strcmp(group, conf_rows[i].group) != 0) {
            (void)fprintf(page, "%s\n%s:\n{\n", *group == '\0' ? "" : "};\n", conf_rows[i].group);
            group = conf_rows[i].group;
        }
        conf_print_row(page, conf, &conf_rows[i]);
    }
    (void)fputs("};\n", page);
    if (fclose(page) != 0) {
        free(text);
        return err_os(ERR_MEMORY, "conf_print");
    }
    *out = text;
    return err_none;
}

struct err conf_digest(const struct conf *conf, uint8_t out[HASH_BYTES])
{
    char *text = NULL;
    struct err err = conf_print(conf, &text);
    if (!err_is(err)) {
        sha256_of(text, strlen(text), out);
        free(text);
    }
    return err;
}

struct err conf_path(const struct conf *conf, const char *path, char *out, size_t out_capacity)
{
    int written = path[0] == '/'
                      ? snprintf(out, out_capacity, "%s", path)
                      : snprintf(out, out_capacity, "%s/%s", conf->store_directory, path);
    if (written < 0 || (size_t)written >= out_capacity) {
        return err_make(ERR_CONF_INVALID, "path too long");
    }
    return err_none;
}

struct conf_tree {
    config_t config;
};

struct err conf_tree_open(const char *path, struct conf_tree **out, char *why)
{
    struct conf_tree *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return err_make(ERR_MEMORY, "conf_tree_open");
    }
    config_init(&self->config);
    struct err err = conf_parse(path, &self->config, why);
    if (err_is(err)) {
        conf_tree_close(&self);
        return err;
    }
    *out = self;
    return err_none;
}

void conf_tree_close(struct conf_tree **self)
{
    if (*self != NULL) {
        config_destroy(&(*self)->config);
        free(*self);
        *self = NULL;
    }
}

static const config_setting_t *conf_tree_find(const struct conf_tree *self, const char *path,
                                              int *line)
{
    const config_setting_t *setting =
        path[0] == '\0' ? config_root_setting(&self->config) : config_lookup(&self->config, path);
    if (line != NULL) {
        *line = setting == NULL ? 0 : (int)config_setting_source_line(setting);
    }
    return setting;
}

bool conf_tree_real(const struct conf_tree *self, const char *path, double *out, int *line)
{
    const config_setting_t *setting = conf_tree_find(self, path, line);
    return setting != NULL && conf_number(setting, out) && isfinite(*out);
}

bool conf_tree_bool(const struct conf_tree *self, const char *path, bool *out, int *line)
{
    const config_setting_t *setting = conf_tree_find(self, path, line);
    if (setting == NULL || config_setting_type(setting) != CONFIG_TYPE_BOOL) {
        return false;
    }
    *out = config_setting_get_bool(setting) != 0;
    return true;
}

const char *conf_tree_text(const struct conf_tree *self, const char *path, int *line)
{
    const config_setting_t *setting = conf_tree_find(self, path, line);
    if (setting == NULL || config_setting_type(setting) != CONFIG_TYPE_STRING) {
        return NULL;
    }
    return config_setting_get_string(setting);
}

int conf_tree_count(const struct conf_tree *self, const char *path)
{
    const config_setting_t *setting = conf_tree_find(self, path, NULL);
    return setting != NULL && config_setting_is_aggregate(setting) ? config_setting_length(setting)
                                                                   : -1;
}

const char *conf_tree_name(const struct conf_tree *self, const char *path, int index, int *line)
{
    const config_setting_t *setting = conf_tree_find(self, path, NULL);
    if (setting == NULL || !config_setting_is_aggregate(setting) || index < 0 ||
        index >= config_setting_length(setting)) {
        return NULL;
    }
    const config_setting_t *member = config_setting_get_elem(setting, (unsigned)index);
    const char *name = config_setting_name(member);
    if (line != NULL) {
        *line = (int)config_setting_source_line(member);
    }
    return name != NULL ? name : "";
}
