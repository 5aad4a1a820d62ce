/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/ctl.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "archive/model_file.h"
#include "ctl/json_text.h"
#include "ctl/model_store.h"
#include "ctl/rows.h"
#include "ctl/table.h"

/* Models in force come from the log, model files from the directory. A file gets into force by a
 * logged command only. */

static const char in_force_sql[] =
    "SELECT name, sha256, entry, t_ns, file_bytes, evaluation FROM models"
    " WHERE ended_entry IS NULL ORDER BY name";

struct one_file {
    const char *path;
};

static error_t take_path(const char **path, int key, char *text, struct argp_state *state)
{
    switch (key) {
    case ARGP_KEY_ARG:
        if (*path != NULL) {
            argp_error(state, "one FILE at a time");
        }
        *path = text;
        return 0;
    case ARGP_KEY_END:
        if (*path == NULL) {
            argp_error(state, "which FILE?");
        }
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static error_t parse_file(int key, char *text, struct argp_state *state)
{
    struct one_file *options = state->input;
    return take_path(&options->path, key, text, state);
}

static const char *model_type_text(enum model_type type)
{
    switch (type) {
    case MODEL_F32:
        return "f32";
    case MODEL_F64:
        return "f64";
    case MODEL_U64:
        return "u64";
    case MODEL_U8:
        return "u8";
    }
    return "?";
}

static json_t *model_json(const struct model_file *file)
{
    json_t *texts = json_object();
    for (uint32_t i = 0; i < file->texts_count; i++) {
        json_object_set_new(texts, file->texts[i].name, json_text(file->texts[i].text));
    }
    json_t *arrays = json_array();
    for (uint32_t i = 0; i < file->arrays_count; i++) {
        const struct model_array *array = &file->arrays[i];
        json_t *dimensions = json_array();
        for (uint32_t d = 0; d < array->dimensions_count; d++) {
            json_array_append_new(dimensions, json_integer((json_int_t)array->dimensions[d]));
        }
        json_t *object = json_object();
        json_object_set_new(object, "name", json_text(array->name));
        json_object_set_new(object, "type", json_text(model_type_text(array->type)));
        json_object_set_new(object, "dimensions", dimensions);
        json_array_append_new(arrays, object);
    }
    json_t *out = json_object();
    json_object_set_new(out, "sha256", json_hex("", file->sha256, HASH_BYTES));
    json_object_set_new(out, "file_bytes", json_integer((json_int_t)file->file_bytes));
    json_object_set_new(out, "texts", texts);
    json_object_set_new(out, "arrays", arrays);
    return out;
}

static int print_model(const struct model_file *file)
{
    static const struct table_column columns[] = {{"", TABLE_LEFT, 0}, {"", TABLE_LEFT, 0}};
    struct table *table = table_open(columns, 2);
    if (table == NULL) {
        return ctl_refuse("no memory");
    }
    char hex[HASH_HEX_BYTES];
    hex_encode(file->sha256, HASH_BYTES, hex);
    table_cell(table, "sha256");
    table_cell(table, hex);
    for (uint32_t i = 0; i < file->texts_count; i++) {
        table_cell(table, file->texts[i].name);
        table_cell(table, file->texts[i].text);
    }
    for (uint32_t i = 0; i < file->arrays_count; i++) {
        const struct model_array *array = &file->arrays[i];
        char shape[128];
        size_t used = 0;
        shape[0] = '\0';
        for (uint32_t d = 0; d < array->dimensions_count && used < sizeof shape; d++) {
            used += (size_t)snprintf(shape + used, sizeof shape - used, "%s%" PRIu64,
                                     d > 0 ? " x " : "", array->dimensions[d]);
        }
        table_cell(table, array->name);
        table_cellf(table, "%s [%s]", model_type_text(array->type), shape);
    }
    bool whole = table_print(table, stdout, terminal_width(stdout));
    table_close(&table);
    return whole ? CTL_GOOD : ctl_refuse("no memory");
}

int ctl_model_show(struct ctl *ctl, int argc, char **argv)
{
    static const struct argp own = {NULL, parse_file, "FILE", "What is in a model file.",
                                    NULL, NULL,       NULL};
    struct one_file options = {0};
    ctl_parse(ctl, &own, &options, argc, argv);
    struct model_file *file = NULL;
    struct err err = model_file_open(options.path, NULL, &file);
    if (err_is(err)) {
        return ctl_fail(options.path, err);
    }
    int result = ctl->json ? json_print(model_json(file), true) : print_model(file);
    model_file_close(&file);
    return result;
}

struct install_options {
    const char *path;
    const char *reason;
    bool shadow;
};

static error_t parse_install(int key, char *text, struct argp_state *state)
{
    struct install_options *options = state->input;
    switch (key) {
    case 's':
        options->shadow = true;
        return 0;
    case 'r':
        options->reason = text;
        return 0;
    default:
        return take_path(&options->path, key, text, state);
    }
}

int ctl_model_install(struct ctl *ctl, int argc, char **argv)
{
    static const struct argp_option table[] = {
        {"shadow", 's', 0, 0,
         "beside the model in use: it scores what was decided, the log shows it, and nothing is "
         "decided by it",
         1},
        {"reason", 'r', "TEXT", 0, "why, for the log", 1},
        {0, 0, 0, 0, 0, 0}};
    static const struct argp own = {
        table,
        parse_install,
        "FILE",
        "Put a model file into the store and have the daemon use it from now on. The change is"
        " an entry of the log.",
        NULL,
        NULL,
        NULL};
    struct install_options options = {0};
    ctl_parse(ctl, &own, &options, argc, argv);
    /* A file that is no model never reaches the store. */
    struct model_file *file = NULL;
    struct err err = model_file_open(options.path, NULL, &file);
    model_file_close(&file);
    if (err_is(err)) {
        return ctl_fail(options.path, err);
    }
    return model_store_install_as(ctl, options.path, options.shadow, options.reason);
}

/* One of the files at hand as {file, name, in_force}. A file that cannot be read is listed with its
 * fault. */
static json_t *file_json(const char *directory, const char *name, json_t *in_force)
{
    char path[DURABLE_PATH_BYTES];
    json_t *out = json_object();
    json_object_set_new(out, "file", json_text(name));
    struct model_file *file = NULL;
    (void)snprintf(path, sizeof path, "%.250s/%.250s", directory, name);
    struct err err = model_file_open(path, NULL, &file);
    if (err_is(err)) {
        json_object_set_new(out, "name", json_text(err_sentence(err.code)));
    } else {
        const char *own_name = model_file_text(file, "name");
        json_object_set_new(out, "name", json_text(own_name == NULL ? "(no name)" : own_name));
        json_object_set_new(out, "file_bytes", json_integer((json_int_t)file->file_bytes));
    }
    model_file_close(&file);
    size_t index;
    json_t *model;
    bool used = false;
    json_array_foreach(in_force, index, model)
    {
        used |= strncmp(name, member_text(model, "sha256"), HASH_HEX_BYTES - 1) == 0;
    }
    json_object_set_new(out, "in_force", json_boolean(used));
    return out;
}

static json_t *list_files(const char *directory, json_t *in_force)
{
    json_t *files = json_array();
    DIR *folder = opendir(directory);
    for (struct dirent *found; folder != NULL && (found = readdir(folder)) != NULL;) {
        size_t bytes = strlen(found->d_name);
        if (bytes == HASH_HEX_BYTES + 2 && strcmp(found->d_name + bytes - 3, ".h5") == 0) {
            json_array_append_new(files, file_json(directory, found->d_name, in_force));
        }
    }
    if (folder != NULL) {
        closedir(folder);
    }
    return files;
}

static int print_models(json_t *models)
{
    static const struct table_column columns[] = {{"MODEL", TABLE_LEFT, 0},
                                                  {"IN FORCE SINCE", TABLE_LEFT, 0},
                                                  {"SHA-256", TABLE_LEFT, 0},
                                                  {"EVALUATION", TABLE_LEFT, 0}};
    struct table *table = table_open(columns, 4);
    if (table == NULL) {
        return ctl_refuse("no memory");
    }
    size_t index;
    json_t *model;
    json_array_foreach(json_object_get(models, "in_force"), index, model)
    {
        table_cell(table, member_text(model, "name"));
        table_cellf(table, "entry %lld, %.19sZ", member_integer(model, "entry"),
                    member_text(model, "t"));
        table_cellf(table, "%.12s", member_text(model, "sha256"));
        table_cell(table, member_text(model, "evaluation"));
    }
    json_array_foreach(json_object_get(models, "files"), index, model)
    {
        if (!json_is_true(json_object_get(model, "in_force"))) {
            table_cell(table, member_text(model, "name"));
            table_cell(table, "not in force");
            table_cellf(table, "%.12s", member_text(model, "file"));
            table_cell(table, "");
        }
    }
    bool whole = table_print(table, stdout, terminal_width(stdout));
    table_close(&table);
    return whole ? CTL_GOOD : ctl_refuse("no memory");
}

int ctl_model_list(struct ctl *ctl, int argc, char **argv)
{
    ctl_parse_nothing(ctl, "Models in force, from the log, and model files at hand.", argc, argv);
    char directory[DURABLE_PATH_BYTES];
    struct state *state = ctl_open_state(ctl);
    if (state == NULL || !ctl_path(ctl, ctl->conf.store_models, directory)) {
        state_close(&state);
        return CTL_REFUSED;
    }
    json_t *in_force = rows_of(state, in_force_sql, "thinit");
    state_close(&state);
    if (in_force == NULL) {
        return CTL_REFUSED;
    }
    json_t *models = json_object();
    json_object_set_new(models, "files", list_files(directory, in_force));
    json_object_set_new(models, "in_force", in_force);
    if (ctl->json) {
        return json_print(models, true);
    }
    int result = print_models(models);
    json_decref(models);
    return result;
}
