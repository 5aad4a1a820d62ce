/* SPDX-License-Identifier: Apache-2.0 */
#include "feeds/record_json.h"

#include <string.h>

#include <jansson.h>
#include <stdlib.h>

#include "base/clock.h"
#include "proto/hash.h"

static void set_text(json_t *object, const char *name, const char *value)
{
    if (value[0] != '\0') {
        (void)json_object_set_new(object, name, json_string(value));
    }
}

static void set_number(json_t *object, const char *name, double value)
{
    if (value != 0) {
        (void)json_object_set_new(object, name, json_real(value));
    }
}

static void set_integer(json_t *object, const char *name, uint64_t value)
{
    (void)json_object_set_new(object, name, json_integer((json_int_t)value));
}

static void set_time(json_t *object, const char *name, int64_t utc_ns)
{
    char text[CLOCK_TEXT_BYTES];
    clock_text(utc_ns, text);
    set_text(object, name, text);
}

static void set_keys(json_t *object, const struct item_key *keys, uint32_t keys_count)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < keys_count; i++) {
        (void)json_array_append_new(list, json_pack("{s:s, s:s}", "scheme",
                                                    key_scheme_text(keys[i].scheme), "value",
                                                    keys[i].value));
    }
    (void)json_object_set_new(object, "keys", list);
}

static void set_other(json_t *object, const struct field *other, uint32_t other_count)
{
    if (other_count == 0) {
        return;
    }
    json_t *fields = json_object();
    for (uint32_t i = 0; i < other_count; i++) {
        (void)json_object_set_new(fields, other[i].name, json_string(other[i].value));
    }
    (void)json_object_set_new(object, "other", fields);
}

static char *finish(json_t *object)
{
    char *line = json_dumps(object, JSON_COMPACT);
    json_decref(object);
    return line;
}

static json_t *line_json(const struct goods_line *line)
{
    json_t *object = json_object();
    set_text(object, "hs_code", line->hs_code);
    set_text(object, "description", line->description);
    set_text(object, "origin_country", line->origin_country);
    set_number(object, "net_mass_kg", line->net_mass_kg);
    set_number(object, "value", line->value);
    set_text(object, "currency", line->currency);
    set_number(object, "quantity", line->quantity);
    set_text(object, "quantity_unit", line->quantity_unit);
    set_number(object, "tax_rate_percent", line->tax_rate_percent);
    return object;
}

char *record_json_declaration(const struct declaration *declaration)
{
    json_t *object = json_object();
    set_text(object, "record", "declaration");
    set_text(object, "declaration_id", declaration->declaration_id);
    set_text(object, "mode", mode_text(declaration->mode));
    set_text(object, "site", declaration->site);
    set_text(object, "lane", declaration->lane);
    set_keys(object, declaration->keys, declaration->keys_count);
    set_time(object, "declared", declaration->declared_ns);
    json_t *lines = json_array();
    for (uint32_t i = 0; i < declaration->lines_count; i++) {
        (void)json_array_append_new(lines, line_json(&declaration->lines[i]));
    }
    (void)json_object_set_new(object, "lines", lines);
    set_text(object, "importer", declaration->importer);
    set_text(object, "seller", declaration->seller);
    set_text(object, "declarant", declaration->declarant);
    set_text(object, "courier", declaration->courier);
    set_text(object, "departure_country", declaration->departure_country);
    (void)json_object_set_new(object, "declared_empty", json_boolean(declaration->declared_empty));
    set_number(object, "gross_mass_kg", declaration->gross_mass_kg);
    set_other(object, declaration->other, declaration->other_count);
    set_text(object, "raw_format", declaration->raw_format);
    return finish(object);
}

static json_t *image_json(const struct image *image, const void *pixels)
{
    uint64_t payload_bytes = (uint64_t)image->width * image->height * (image->bits / 8);
    uint8_t digest[HASH_BYTES];
    char hex[HASH_HEX_BYTES];
    if (pixels != NULL) {
        sha256_of(pixels, payload_bytes, digest);
    } else {
        memcpy(digest, image->sha256, HASH_BYTES);
    }
    hex_encode(digest, sizeof digest, hex);
    json_t *object = json_object();
    set_integer(object, "width", image->width);
    set_integer(object, "height", image->height);
    set_integer(object, "bits", image->bits);
    set_text(object, "meaning", pixel_meaning_text(image->meaning));
    set_text(object, "energy", energy_text(image->energy));
    set_number(object, "energy_kev", image->energy_kev);
    set_integer(object, "view", image->view);
    set_integer(object, "payload_bytes", payload_bytes);
    set_text(object, "sha256", hex);
    set_number(object, "pixel_pitch_mm", image->pixel_pitch_mm);
    set_integer(object, "air_level", image->air_level);
    set_integer(object, "dark_level", image->dark_level);
    return object;
}

char *record_json_scan(const struct scan *scan, const void *const *images)
{
    json_t *object = json_object();
    set_text(object, "record", "scan");
    set_text(object, "scan_id", scan->scan_id);
    set_text(object, "mode", mode_text(scan->mode));
    set_text(object, "site", scan->site);
    set_text(object, "lane", scan->lane);
    set_text(object, "scanner", scan->scanner);
    set_text(object, "scanner_type", scan->scanner_type);
    set_keys(object, scan->keys, scan->keys_count);
    set_time(object, "acquired", scan->acquired_ns);
    json_t *list = json_array();
    for (uint32_t i = 0; i < scan->images_count; i++) {
        (void)json_array_append_new(
            list, image_json(&scan->images[i], images == NULL ? NULL : images[i]));
    }
    (void)json_object_set_new(object, "images", list);
    set_other(object, scan->other, scan->other_count);
    return finish(object);
}

void record_json_free(char **line)
{
    free(*line);
    *line = NULL;
}
