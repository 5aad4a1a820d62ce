/* SPDX-License-Identifier: Apache-2.0 */
#include "feeds/image_sidecar.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/durable.h"

#define SIDECAR_BYTES_MAX (1u << 20)
#define WHY_BYTES 256

struct reading {
    struct arena *arena;
    struct scan *scan;
    struct image *images;
    char *why;
};

static bool complain(const struct reading *self, const char *key, const char *what)
{
    (void)snprintf(self->why, WHY_BYTES, "sidecar: %.60s: %s", key, what);
    return false;
}

static bool take_text(const struct reading *self, const char *key, const json_t *value,
                      const char **out)
{
    const char *text = json_string_value(value);
    if (text == NULL || strlen(text) > RECORD_TEXT_BYTES_MAX) {
        return complain(self, key, "a text of at most 512 bytes is wanted");
    }
    char *copy = arena_take(self->arena, strlen(text) + 1);
    if (copy == NULL) {
        return complain(self, key, "too much text");
    }
    memcpy(copy, text, strlen(text) + 1);
    *out = copy;
    return true;
}

bool image_sidecar_time(const char *text, int64_t *utc_ns)
{
    struct tm parts = {0};
    const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &parts);
    if (rest == NULL) {
        return false;
    }
    int64_t fraction_ns = 0;
    if (*rest == '.') {
        int64_t unit = NS_PER_S / 10;
        for (rest++; *rest >= '0' && *rest <= '9'; rest++, unit /= 10) {
            fraction_ns += unit * (*rest - '0');
        }
    }
    if (*rest == 'Z') {
        rest++;
    }
    time_t seconds = timegm(&parts);
    if (*rest != '\0' || seconds < 0 || seconds > INT64_C(4102444800)) {
        return false;
    }
    *utc_ns = (int64_t)seconds * NS_PER_S + fraction_ns;
    return true;
}

static bool take_keys(const struct reading *self, json_t *list)
{
    if (!json_is_array(list) || json_array_size(list) > RECORD_KEYS_MAX) {
        return complain(self, "keys", "a list of at most 8 keys is wanted");
    }
    struct item_key *keys = arena_take(self->arena, json_array_size(list) * sizeof *keys + 1);
    if (keys == NULL) {
        return complain(self, "keys", "too much text");
    }
    for (size_t i = 0; i < json_array_size(list); i++) {
        json_t *item = json_array_get(list, i);
        const char *scheme = json_string_value(json_object_get(item, "scheme"));
        keys[i].scheme = scheme != NULL ? key_scheme_parse(scheme) : KEY_UNKNOWN;
        if (keys[i].scheme == KEY_UNKNOWN) {
            return complain(self, "keys", "no such scheme");
        }
        if (!take_text(self, "keys", json_object_get(item, "value"), &keys[i].value)) {
            return false;
        }
    }
    self->scan->keys = keys;
    self->scan->keys_count = (uint32_t)json_array_size(list);
    return true;
}

static bool take_other(const struct reading *self, json_t *object)
{
    if (!json_is_object(object) || json_object_size(object) > RECORD_FIELDS_MAX) {
        return complain(self, "other", "an object of at most 64 texts is wanted");
    }
    struct field *fields = arena_take(self->arena, json_object_size(object) * sizeof *fields + 1);
    uint32_t count = 0;
    const char *name;
    json_t *value;
    json_object_foreach(object, name, value)
    {
        json_t *name_text = json_string(name);
        bool good = fields != NULL && name_text != NULL &&
                    take_text(self, "other", name_text, &fields[count].name) &&
                    take_text(self, name, value, &fields[count].value);
        json_decref(name_text);
        if (!good) {
            return fields == NULL ? complain(self, "other", "too much text") : false;
        }
        count++;
    }
    self->scan->other = fields;
    self->scan->other_count = count;
    return true;
}

static bool take_whole_number(const struct reading *self, const char *key, const json_t *value,
                              uint32_t *out)
{
    if (!json_is_integer(value) || json_integer_value(value) < 0 ||
        json_integer_value(value) > 65535) {
        return complain(self, key, "a whole number from 0 to 65535 is wanted");
    }
    *out = (uint32_t)json_integer_value(value);
    return true;
}

static bool take_number(const struct reading *self, const char *key, const json_t *value,
                        double *out)
{
    if (!json_is_number(value) || json_number_value(value) < 0) {
        return complain(self, key, "a number from 0 on is wanted");
    }
    *out = json_number_value(value);
    return true;
}

/* One key of an image; *known tells whether it is one. */
static bool take_image_key(const struct reading *self, const char *key, json_t *value,
                           struct image *image, bool *known)
{
    *known = true;
    if (strcmp(key, "meaning") == 0) {
        const char *text = json_string_value(value);
        image->meaning = text != NULL ? pixel_meaning_parse(text) : PIXEL_UNKNOWN;
        return image->meaning != PIXEL_UNKNOWN ||
               complain(self, key, "transmission, display or display-inverted is wanted");
    }
    if (strcmp(key, "energy") == 0) {
        const char *text = json_string_value(value);
        int energy = text != NULL ? energy_parse(text) : -1;
        image->energy = energy >= 0 ? (enum energy)energy : image->energy;
        return energy >= 0 || complain(self, key, "single, low or high is wanted");
    }
    if (strcmp(key, "energy_kev") == 0) {
        return take_number(self, key, value, &image->energy_kev);
    }
    if (strcmp(key, "pixel_pitch_mm") == 0) {
        return take_number(self, key, value, &image->pixel_pitch_mm);
    }
    if (strcmp(key, "view") == 0) {
        return take_whole_number(self, key, value, &image->view);
    }
    if (strcmp(key, "air_level") == 0) {
        return take_whole_number(self, key, value, &image->air_level);
    }
    if (strcmp(key, "dark_level") == 0) {
        return take_whole_number(self, key, value, &image->dark_level);
    }
    *known = false;
    return true;
}

static bool take_images(const struct reading *self, json_t *list)
{
    if (!json_is_array(list) || json_array_size(list) != self->scan->images_count) {
        return complain(self, "images", "not as many as there are images");
    }
    for (uint32_t i = 0; i < self->scan->images_count; i++) {
        const char *key;
        json_t *value;
        json_object_foreach(json_array_get(list, i), key, value)
        {
            bool known = false;
            if (!take_image_key(self, key, value, &self->images[i], &known)) {
                return false;
            }
            if (!known) {
                return complain(self, key, "no such key of an image");
            }
        }
    }
    return true;
}

static bool take_key(const struct reading *self, const char *key, json_t *value)
{
    struct scan *scan = self->scan;
    const struct {
        const char *key;
        const char **place;
    } texts[] = {{"scan_id", &scan->scan_id},
                 {"site", &scan->site},
                 {"lane", &scan->lane},
                 {"scanner", &scan->scanner},
                 {"scanner_type", &scan->scanner_type}};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (strcmp(texts[i].key, key) == 0) {
            return take_text(self, key, value, texts[i].place);
        }
    }
    if (strcmp(key, "mode") == 0) {
        scan->mode = json_is_string(value) ? mode_parse(json_string_value(value)) : MODE_UNKNOWN;
        return scan->mode != MODE_UNKNOWN || complain(self, key, "no such mode");
    }
    if (strcmp(key, "acquired") == 0) {
        return (json_is_string(value) &&
                image_sidecar_time(json_string_value(value), &scan->acquired_ns)) ||
               complain(self, key, "a time like 2026-01-05T06:00:00Z is wanted");
    }
    if (strcmp(key, "keys") == 0) {
        return take_keys(self, value);
    }
    if (strcmp(key, "other") == 0) {
        return take_other(self, value);
    }
    if (strcmp(key, "images") == 0) {
        return true; /* after the keys for all images */
    }
    for (uint32_t i = 0; i < scan->images_count; i++) {
        bool known = false;
        if (!take_image_key(self, key, value, &self->images[i], &known)) {
            return false;
        }
        if (!known) {
            return complain(self, key, "no such key");
        }
    }
    return true;
}

static bool take_root(const struct reading *self, json_t *root)
{
    if (!json_is_object(root)) {
        return complain(self, "file", "a JSON object is wanted");
    }
    const char *key;
    json_t *value;
    json_object_foreach(root, key, value)
    {
        if (!take_key(self, key, value)) {
            return false;
        }
    }
    json_t *images = json_object_get(root, "images");
    return images == NULL || take_images(self, images);
}

struct err image_sidecar_read(const char *path, struct arena *arena, struct scan *scan,
                              struct image *images, char *why)
{
    why[0] = '\0';
    if (access(path, F_OK) != 0) {
        return err_make(ERR_NOT_FOUND, "read sidecar");
    }
    uint8_t *bytes = NULL;
    size_t bytes_count = 0;
    struct err err = durable_read(path, SIDECAR_BYTES_MAX, &bytes, &bytes_count);
    if (err_is(err)) {
        (void)err_text(err, why);
        return err;
    }
    json_error_t problem;
    json_t *root = json_loadb((const char *)bytes, bytes_count, JSON_REJECT_DUPLICATES, &problem);
    free(bytes);
    bool good = false;
    if (root == NULL) {
        (void)snprintf(why, WHY_BYTES, "sidecar: line %d: %.160s", problem.line, problem.text);
    } else {
        good = take_root(&(struct reading){arena, scan, images, why}, root);
    }
    json_decref(root);
    return good ? err_none : err_make(ERR_TABLE_UNREADABLE, "read sidecar");
}

static json_t *image_keys(const struct image *image)
{
    return json_pack("{s:s, s:s, s:f, s:i, s:i, s:i, s:f}", "meaning",
                     pixel_meaning_text(image->meaning), "energy", energy_text(image->energy),
                     "energy_kev", image->energy_kev, "view", (int)image->view, "air_level",
                     (int)image->air_level, "dark_level", (int)image->dark_level, "pixel_pitch_mm",
                     image->pixel_pitch_mm);
}

struct err image_sidecar_write(const char *path, const struct scan *scan)
{
    char acquired[CLOCK_TEXT_BYTES];
    clock_text(scan->acquired_ns, acquired);
    json_t *root =
        json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "scan_id", scan->scan_id, "mode",
                  mode_text(scan->mode), "site", scan->site, "lane", scan->lane, "scanner",
                  scan->scanner, "scanner_type", scan->scanner_type, "acquired", acquired);
    json_t *keys = json_array();
    for (uint32_t i = 0; i < scan->keys_count; i++) {
        (void)json_array_append_new(keys, json_pack("{s:s, s:s}", "scheme",
                                                    key_scheme_text(scan->keys[i].scheme), "value",
                                                    scan->keys[i].value));
    }
    (void)json_object_set_new(root, "keys", keys);
    json_t *other = json_object();
    for (uint32_t i = 0; i < scan->other_count; i++) {
        (void)json_object_set_new(other, scan->other[i].name, json_string(scan->other[i].value));
    }
    (void)json_object_set_new(root, "other", other);
    json_t *images = json_array();
    for (uint32_t i = 0; i < scan->images_count; i++) {
        (void)json_array_append_new(images, image_keys(&scan->images[i]));
    }
    (void)json_object_set_new(root, "images", images);
    char *text = json_dumps(root, JSON_INDENT(1));
    json_decref(root);
    if (text == NULL) {
        return err_make(ERR_MEMORY, "write sidecar");
    }
    struct err err = durable_replace(path, text, strlen(text), 0644);
    free(text);
    return err;
}
