/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/record.h"

#include "proto/schema.h"
#include "proto/triage.pb-c.h"

/* The generated structs of one record lie on the stack: about 60 KiB for a declaration with every
 * list full. What is beyond a bound encodes to nothing, as the reader would refuse it. */

struct shared_slots {
    Triage__V1__ItemKey keys[RECORD_KEYS_MAX];
    Triage__V1__ItemKey *key_list[RECORD_KEYS_MAX];
    Triage__V1__Field fields[RECORD_FIELDS_MAX];
    Triage__V1__Field *field_list[RECORD_FIELDS_MAX];
};

struct declaration_slots {
    struct shared_slots shared;
    Triage__V1__GoodsLine lines[RECORD_LINES_MAX];
    Triage__V1__GoodsLine *line_list[RECORD_LINES_MAX];
};

struct scan_slots {
    struct shared_slots shared;
    Triage__V1__Image images[RECORD_IMAGES_MAX];
    Triage__V1__Image *image_list[RECORD_IMAGES_MAX];
};

static void keys_fill(const struct item_key *keys, uint32_t keys_count, struct shared_slots *slots)
{
    for (uint32_t i = 0; i < keys_count; i++) {
        triage__v1__item_key__init(&slots->keys[i]);
        slots->keys[i].scheme = (Triage__V1__KeyScheme)keys[i].scheme;
        slots->keys[i].value = schema_text(keys[i].value);
        slots->key_list[i] = &slots->keys[i];
    }
}

static void fields_fill(const struct field *fields, uint32_t fields_count,
                        struct shared_slots *slots)
{
    for (uint32_t i = 0; i < fields_count; i++) {
        triage__v1__field__init(&slots->fields[i]);
        slots->fields[i].name = schema_text(fields[i].name);
        slots->fields[i].value = schema_text(fields[i].value);
        slots->field_list[i] = &slots->fields[i];
    }
}

static void lines_fill(const struct goods_line *lines, uint32_t lines_count,
                       struct declaration_slots *slots)
{
    for (uint32_t i = 0; i < lines_count; i++) {
        Triage__V1__GoodsLine *to = &slots->lines[i];
        triage__v1__goods_line__init(to);
        to->hs_code = schema_text(lines[i].hs_code);
        to->description = schema_text(lines[i].description);
        to->origin_country = schema_text(lines[i].origin_country);
        to->net_mass_kg = lines[i].net_mass_kg;
        to->value = lines[i].value;
        to->currency = schema_text(lines[i].currency);
        to->quantity = lines[i].quantity;
        to->quantity_unit = schema_text(lines[i].quantity_unit);
        to->tax_rate_percent = lines[i].tax_rate_percent;
        slots->line_list[i] = to;
    }
}

static void images_fill(const struct image *images, uint32_t images_count, struct scan_slots *slots)
{
    for (uint32_t i = 0; i < images_count; i++) {
        Triage__V1__Image *to = &slots->images[i];
        triage__v1__image__init(to);
        to->width = images[i].width;
        to->height = images[i].height;
        to->bits = images[i].bits;
        to->meaning = (Triage__V1__PixelMeaning)images[i].meaning;
        to->energy = (Triage__V1__Energy)images[i].energy;
        to->energy_kev = images[i].energy_kev;
        to->view = images[i].view;
        to->payload_bytes = images[i].payload_bytes;
        to->sha256.data = schema_bytes(images[i].sha256);
        to->sha256.len = HASH_BYTES;
        to->pixel_pitch_mm = images[i].pixel_pitch_mm;
        to->air_level = images[i].air_level;
        to->dark_level = images[i].dark_level;
        slots->image_list[i] = to;
    }
}

static size_t message_pack(const void *message, uint8_t *out, size_t out_capacity)
{
    size_t bytes = schema_pack_bytes(message);
    if (out != NULL && bytes <= out_capacity) {
        (void)schema_pack(message, out, out_capacity);
    }
    return bytes;
}

size_t declaration_encode(const struct declaration *declaration, uint8_t *out, size_t out_capacity)
{
    struct declaration_slots slots;
    if (declaration->keys_count > RECORD_KEYS_MAX || declaration->lines_count > RECORD_LINES_MAX ||
        declaration->other_count > RECORD_FIELDS_MAX) {
        return 0;
    }
    Triage__V1__Declaration message;
    triage__v1__declaration__init(&message);
    keys_fill(declaration->keys, declaration->keys_count, &slots.shared);
    fields_fill(declaration->other, declaration->other_count, &slots.shared);
    lines_fill(declaration->lines, declaration->lines_count, &slots);
    message.declaration_id = schema_text(declaration->declaration_id);
    message.mode = (Triage__V1__Mode)declaration->mode;
    message.site = schema_text(declaration->site);
    message.lane = schema_text(declaration->lane);
    message.n_keys = declaration->keys_count;
    message.keys = slots.shared.key_list;
    message.declared_ns = declaration->declared_ns;
    message.n_lines = declaration->lines_count;
    message.lines = slots.line_list;
    message.importer = schema_text(declaration->importer);
    message.seller = schema_text(declaration->seller);
    message.declarant = schema_text(declaration->declarant);
    message.courier = schema_text(declaration->courier);
    message.departure_country = schema_text(declaration->departure_country);
    message.declared_empty = declaration->declared_empty;
    message.gross_mass_kg = declaration->gross_mass_kg;
    message.n_other = declaration->other_count;
    message.other = slots.shared.field_list;
    message.raw_format = schema_text(declaration->raw_format);
    message.raw.data = schema_bytes(declaration->raw);
    message.raw.len = declaration->raw_bytes;
    return message_pack(&message, out, out_capacity);
}

size_t scan_encode(const struct scan *scan, uint8_t *out, size_t out_capacity)
{
    struct scan_slots slots;
    if (scan->keys_count > RECORD_KEYS_MAX || scan->images_count > RECORD_IMAGES_MAX ||
        scan->other_count > RECORD_FIELDS_MAX) {
        return 0;
    }
    Triage__V1__Scan message;
    triage__v1__scan__init(&message);
    keys_fill(scan->keys, scan->keys_count, &slots.shared);
    fields_fill(scan->other, scan->other_count, &slots.shared);
    images_fill(scan->images, scan->images_count, &slots);
    message.scan_id = schema_text(scan->scan_id);
    message.mode = (Triage__V1__Mode)scan->mode;
    message.site = schema_text(scan->site);
    message.lane = schema_text(scan->lane);
    message.scanner = schema_text(scan->scanner);
    message.scanner_type = schema_text(scan->scanner_type);
    message.n_keys = scan->keys_count;
    message.keys = slots.shared.key_list;
    message.acquired_ns = scan->acquired_ns;
    message.n_images = scan->images_count;
    message.images = slots.image_list;
    message.n_other = scan->other_count;
    message.other = slots.shared.field_list;
    return message_pack(&message, out, out_capacity);
}
