/* SPDX-License-Identifier: Apache-2.0 */
#include "archive/archive_rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "archive/archive_items.h"
#include "proto/disclosure.h"
#include "proto/merkle.h"

/* One function an entry type; each fills rows in the order of archive_schema.c. What stands in the
 * public entry is taken from there; the private record gives only what an archive file may hold:
 * goods, masses, countries, and persons as keyed pseudonyms. Names, plates and the raw record never
 * get here. */

#define ARCHIVE_ENTRY_BYTES_MAX 65535u
#define ARCHIVE_MODELS_BYTES 1024u

/* received maps an entry's id to row * 2, plus 1 for a declaration. */
#define RECEIVED_IS_DECLARATION 1u

struct err archive_rows_init(struct archive_rows *self, const uint8_t *pseudonym_key)
{
    memset(self, 0, sizeof *self);
    for (uint32_t i = 0; i < TABLE_COUNT; i++) {
        archive_table_init(&self->tables[i], &archive_tables[i]);
    }
    id_map_init(&self->received);
    id_map_init(&self->items);
    self->pseudonym_key = pseudonym_key;
    self->arena_memory = malloc(ENTRY_ARENA_BYTES + RECORD_ARENA_BYTES);
    return self->arena_memory == NULL ? err_make(ERR_MEMORY, "archive_rows_init") : err_none;
}

void archive_rows_fini(struct archive_rows *self)
{
    for (uint32_t i = 0; i < TABLE_COUNT; i++) {
        archive_table_fini(&self->tables[i]);
    }
    id_map_fini(&self->received);
    id_map_fini(&self->items);
    free(self->bytes);
    free(self->offsets);
    free(self->leaves);
    free(self->images);
    free(self->arena_memory);
    memset(self, 0, sizeof *self);
}

/* The raw bytes, their place and their leaf hash. */
static struct err rows_keep_bytes(struct archive_rows *self, const struct archive_entry *entry)
{
    void *bytes = self->bytes;
    void *offsets = self->offsets;
    void *leaves = self->leaves;
    uint64_t end = self->bytes_count + entry->bytes_count;
    bool kept = archive_grow(&bytes, &self->bytes_capacity, end, 1);
    self->bytes = bytes;
    kept = kept && archive_grow(&offsets, &self->offsets_capacity, self->entries_count + 2,
                                sizeof *self->offsets);
    self->offsets = offsets;
    kept =
        kept && archive_grow(&leaves, &self->leaves_capacity, self->entries_count + 1, HASH_BYTES);
    self->leaves = leaves;
    if (!kept) {
        return err_make(ERR_MEMORY, "archive entries");
    }
    memcpy(self->bytes + self->bytes_count, entry->bytes, entry->bytes_count);
    merkle_leaf(entry->bytes, entry->bytes_count, self->leaves + self->entries_count * HASH_BYTES);
    self->offsets[self->entries_count] = self->bytes_count;
    self->offsets[self->entries_count + 1] = end;
    self->bytes_count = end;
    self->entries_count++;
    return err_none;
}

static void rows_put_item(struct archive_table *table, const struct entry *entry)
{
    archive_put_hex(table, entry->item, entry->has_item ? ITEM_ID_BYTES : 0);
}

static void rows_add_entry(struct archive_rows *self, const struct entry *entry)
{
    struct archive_table *table = &self->tables[TABLE_ENTRIES];
    archive_put_number(table, entry->n);
    archive_put_time(table, entry->t_ns);
    archive_put_text(table, entry_type_text(entry->type));
    archive_put_hex(table, entry->id, ENTRY_ID_BYTES);
    rows_put_item(table, entry);
    archive_row_end(table);
}

static struct err rows_remember_received(struct archive_rows *self, const struct entry *entry,
                                         uint64_t row, uint64_t kind)
{
    bool added = false;
    struct err err = id_map_add(&self->received, entry->id, row * 2 + kind, &added);
    if (!err_is(err) && !added) {
        err = err_make(ERR_ARCHIVE_DIFFERS, "entry id twice");
    }
    return err;
}

/* The scan body gives what the entry leaves out of an image: pitch, levels, end-point energy. */
static struct err rows_add_image(struct archive_rows *self, const struct entry *entry,
                                 uint32_t image_index, const struct scan *body)
{
    const struct entry_image *stated = &entry->body.received.images[image_index];
    struct archive_table *table = &self->tables[TABLE_SCAN_IMAGES];
    void *images = self->images;
    if (!archive_grow(&images, &self->images_capacity, self->images_count + 1,
                      sizeof *self->images)) {
        return err_make(ERR_MEMORY, "archive images");
    }
    self->images = images;
    struct archive_image *image = &self->images[self->images_count++];
    memset(image, 0, sizeof *image);
    bool told = body != NULL && image_index < body->images_count &&
                hash_equal(body->images[image_index].sha256, stated->sha256);
    if (told) {
        image->image = body->images[image_index];
    }
    archive_calibration_add(self, entry, image_index, told ? &image->image : NULL);
    image->entry_index = entry->n;
    image->image.width = stated->width;
    image->image.height = stated->height;
    image->image.bits = stated->bits;
    image->image.meaning = stated->meaning;
    image->image.energy = stated->energy;
    image->image.view = stated->view;
    image->image.payload_bytes = stated->payload_bytes;
    memcpy(image->image.sha256, stated->sha256, HASH_BYTES);

    archive_put_number(table, entry->n);
    archive_put_number(table, image_index);
    archive_put_hex(table, stated->sha256, HASH_BYTES);
    archive_put_number(table, stated->width);
    archive_put_number(table, stated->height);
    archive_put_number(table, stated->bits);
    archive_put_text(table, pixel_meaning_text(stated->meaning));
    archive_put_text(table, energy_text(stated->energy));
    archive_put_number(table, stated->view);
    archive_put_real(table, image->image.pixel_pitch_mm);
    archive_put_number(table, image->image.air_level);
    archive_put_number(table, image->image.dark_level);
    archive_row_end(table);
    return err_none;
}

static struct err rows_add_scan(struct archive_rows *self, const struct entry *entry,
                                const struct scan *body)
{
    const struct entry_received *received = &entry->body.received;
    struct archive_table *table = &self->tables[TABLE_SCANS];
    struct err err = rows_remember_received(self, entry, table->rows_count, 0);
    if (err_is(err)) {
        return err;
    }
    archive_put_number(table, entry->n);
    archive_put_text(table, received->record_id);
    rows_put_item(table, entry);
    archive_put_text(table, mode_text(received->mode));
    archive_put_text(table, received->site);
    archive_put_text(table, received->lane);
    archive_put_text(table, received->scanner);
    archive_put_text(table, received->scanner_type);
    archive_put_time(table, received->acquired_ns);
    archive_put_number(table, self->tables[TABLE_SCAN_IMAGES].rows_count);
    archive_put_number(table, received->images_count);
    archive_row_end(table);
    for (uint32_t i = 0; i < received->images_count && !err_is(err); i++) {
        err = rows_add_image(self, entry, i, body);
    }
    return err;
}

static void rows_put_pseudonym(struct archive_rows *self, const char *field, const char *value)
{
    char pseudonym[PSEUDONYM_BYTES] = "";
    if (value != NULL && value[0] != '\0') {
        pseudonym_of(self->pseudonym_key, field, value, pseudonym);
    }
    archive_put_text(&self->tables[TABLE_DECLARATIONS], pseudonym);
}

/* `body` is empty, not NULL, when the record is no longer held. */
static void rows_put_body(struct archive_rows *self, const struct declaration *body, bool present)
{
    static const struct goods_line no_line = {.hs_code = "", .origin_country = "", .currency = ""};
    struct archive_table *table = &self->tables[TABLE_DECLARATIONS];
    const struct goods_line *first = body->lines_count > 0 ? &body->lines[0] : &no_line;
    double net_mass_kg = 0;
    double value = 0;
    for (uint32_t i = 0; i < body->lines_count; i++) {
        net_mass_kg += body->lines[i].net_mass_kg;
        value += body->lines[i].value;
    }
    archive_put_number(table, present);
    archive_put_time(table, body->declared_ns);
    archive_put_number(table, body->lines_count);
    archive_put_text(table, first->hs_code);
    archive_put_text(table, first->origin_country);
    archive_put_text(table, body->departure_country);
    archive_put_real(table, net_mass_kg);
    archive_put_real(table, body->gross_mass_kg);
    archive_put_real(table, value);
    archive_put_text(table, first->currency);
    archive_put_number(table, body->declared_empty);
    rows_put_pseudonym(self, "importer", body->importer);
    rows_put_pseudonym(self, "seller", body->seller);
    rows_put_pseudonym(self, "declarant", body->declarant);
    rows_put_pseudonym(self, "courier", body->courier);
}

static struct err rows_add_declaration(struct archive_rows *self, const struct entry *entry,
                                       const struct declaration *body)
{
    static const struct declaration no_body = {.lines_count = 0};
    const struct entry_received *received = &entry->body.received;
    struct archive_table *table = &self->tables[TABLE_DECLARATIONS];
    struct err err =
        rows_remember_received(self, entry, table->rows_count, RECEIVED_IS_DECLARATION);
    if (err_is(err)) {
        return err;
    }
    archive_put_number(table, entry->n);
    if (body != NULL) {
        rows_put_pseudonym(self, "declaration", body->declaration_id);
    } else {
        archive_put_text(table, received->record_id);
    }
    rows_put_item(table, entry);
    archive_put_text(table, mode_text(received->mode));
    archive_put_text(table, received->site);
    archive_put_text(table, received->lane);
    rows_put_body(self, body != NULL ? body : &no_body, body != NULL);
    archive_row_end(table);
    return err_none;
}

/* What rides beside the entry must be what the entry has digests of. A record that was redacted
 * leaves the columns empty that only it could fill. */
static struct err rows_add_received(struct archive_rows *self, const struct archive_entry *raw,
                                    const struct entry *entry)
{
    bool is_scan = entry->type == ENTRY_SCAN_RECEIVED;
    const uint8_t *record = NULL;
    uint32_t record_bytes = 0;
    if (raw->private_bytes != NULL &&
        received_check(entry, raw->private_bytes, raw->private_count) != RECEIVED_GOOD) {
        return err_make(ERR_ARCHIVE_DIFFERS, "record has another digest than its entry states");
    }
    if (!received_record(entry, raw->private_bytes, raw->private_count, &record, &record_bytes)) {
        return is_scan ? rows_add_scan(self, entry, NULL) : rows_add_declaration(self, entry, NULL);
    }
    struct arena arena;
    const char *where = NULL;
    arena_init(&arena, (uint8_t *)self->arena_memory + ENTRY_ARENA_BYTES, RECORD_ARENA_BYTES);
    if (is_scan) {
        struct scan scan;
        if (scan_decode(record, record_bytes, &arena, &scan, &where) != REFUSAL_NONE) {
            return err_make(ERR_ARCHIVE_DIFFERS, "scan record cannot be read");
        }
        return rows_add_scan(self, entry, &scan);
    }
    struct declaration declaration;
    if (declaration_decode(record, record_bytes, &arena, &declaration, &where) != REFUSAL_NONE) {
        return err_make(ERR_ARCHIVE_DIFFERS, "declaration record cannot be read");
    }
    return rows_add_declaration(self, entry, &declaration);
}

/* A score says which received entries its item was made of: that is how scans and declarations get
 * their item. */
static void rows_spread_item(struct archive_rows *self, const struct entry *entry)
{
    char item[2 * ITEM_ID_BYTES + 1];
    if (!entry->has_item) {
        return;
    }
    hex_encode(entry->item, ITEM_ID_BYTES, item);
    for (uint32_t i = 0; i < entry->causes_count; i++) {
        uint64_t place = 0;
        if (!id_map_find(&self->received, entry->causes[i], &place)) {
            continue;
        }
        bool is_declaration = (place & RECEIVED_IS_DECLARATION) != 0;
        struct archive_table *table =
            &self->tables[is_declaration ? TABLE_DECLARATIONS : TABLE_SCANS];
        if (archive_table_text(table, place / 2, "item")[0] == '\0') {
            archive_table_set_text(table, place / 2, "item", item);
        }
    }
}

static void rows_put_models(struct archive_table *table, const struct entry_score *score)
{
    char text[ARCHIVE_MODELS_BYTES] = "";
    size_t used = 0;
    for (uint32_t i = 0; i < score->models_count && used < sizeof text; i++) {
        char hex[HASH_HEX_BYTES];
        hex_encode(score->models[i].sha256, HASH_BYTES, hex);
        int more = snprintf(text + used, sizeof text - used, "%s%s=%s", i == 0 ? "" : ";",
                            score->models[i].name, hex);
        used += more > 0 ? (size_t)more : 0;
    }
    archive_put_text(table, text);
}

static void rows_add_inputs(struct archive_table *table, const struct entry *entry,
                            const struct entry_score *score)
{
    for (uint32_t i = 0; i < score->inputs_count; i++) {
        const struct entry_inputs *inputs = &score->inputs[i];
        for (uint32_t at = 0; at < inputs->values_count; at++) {
            archive_put_number(table, entry->n);
            archive_put_text(table, score->models[inputs->model].name);
            archive_put_number(table, at);
            archive_put_real(table, (double)inputs->values[at]);
            archive_row_end(table);
        }
    }
}

/* Its contributions stand in the entry alone: whoever adds up reasons shall not meet them. */
static void rows_add_shadow_score(struct archive_rows *self, const struct entry *entry)
{
    const struct entry_shadow_score *shadow = &entry->body.shadow_score;
    struct archive_table *table = &self->tables[TABLE_SHADOW_SCORES];
    archive_put_number(table, entry->n);
    rows_put_item(table, entry);
    archive_put_text(table, shadow->place);
    archive_put_hex(table, shadow->sha256, HASH_BYTES);
    archive_put_real(table, shadow->score.probability);
    archive_put_real(table, shadow->score.logit);
    archive_put_real(table, shadow->score.quality);
    archive_put_text(table, shadow->score.unscorable);
    rows_put_models(table, &shadow->score);
    archive_row_end(table);
    rows_add_inputs(&self->tables[TABLE_SHADOW_INPUTS], entry, &shadow->score);
    archive_models_add_shadow(self, entry);
}

static void rows_add_score(struct archive_rows *self, const struct entry *entry)
{
    const struct entry_score *score = &entry->body.score;
    struct archive_table *table = &self->tables[TABLE_SCORES];
    archive_put_number(table, entry->n);
    rows_put_item(table, entry);
    archive_put_real(table, score->probability);
    archive_put_real(table, score->logit);
    archive_put_real(table, score->quality);
    archive_put_real(table, score->grave);
    archive_put_text(table, score->unscorable);
    rows_put_models(table, score);
    archive_row_end(table);
    table = &self->tables[TABLE_CONTRIBUTIONS];
    for (uint32_t i = 0; i < score->contributions_count; i++) {
        archive_put_number(table, entry->n);
        archive_put_text(table, score->contributions[i].name);
        archive_put_real(table, score->contributions[i].logit);
        archive_put_text(table, score->contributions[i].words);
        archive_row_end(table);
    }
    table = &self->tables[TABLE_REGIONS];
    for (uint32_t i = 0; i < score->regions_count; i++) {
        archive_put_number(table, entry->n);
        archive_put_number(table, score->regions[i].image_index);
        archive_put_number(table, score->regions[i].x);
        archive_put_number(table, score->regions[i].y);
        archive_put_number(table, score->regions[i].width);
        archive_put_number(table, score->regions[i].height);
        archive_put_real(table, score->regions[i].score);
        archive_row_end(table);
    }
    archive_models_add_score(self, entry);
    rows_add_inputs(&self->tables[TABLE_SCORE_INPUTS], entry, score);
    rows_spread_item(self, entry);
}

static void rows_add_decision(struct archive_rows *self, const struct entry *entry)
{
    const struct entry_decision *decision = &entry->body.decision;
    struct archive_table *table = &self->tables[TABLE_DECISIONS];
    archive_put_number(table, entry->n);
    archive_put_time(table, entry->t_ns);
    rows_put_item(table, entry);
    archive_put_text(table, decision->decision);
    archive_put_text(table, decision->arm);
    archive_put_real(table, decision->propensity);
    archive_put_real(table, decision->random_rate);
    archive_put_real(table, decision->probability);
    archive_put_real(table, decision->cutoff);
    archive_put_real(table, decision->priority);
    archive_put_real(table, decision->capacity_per_hour);
    archive_put_real(table, decision->arrivals_per_hour);
    archive_put_number(table, decision->rank);
    archive_put_number(table, decision->window_count);
    archive_put_hex(table, decision->policy_sha256, HASH_BYTES);
    archive_put_text(table, decision->draw_scheme);
    archive_put_hex(table, decision->draw, HASH_BYTES);
    archive_put_text(table, decision->draw_day);
    archive_put_text(table, decision->draw_stratum);
    archive_put_text(table, mode_text(decision->mode));
    archive_put_text(table, decision->site);
    archive_put_text(table, decision->lane);
    archive_put_text(table, decision->label);
    archive_put_text(table, decision->hold_ended_by);
    archive_row_end(table);
    table = &self->tables[TABLE_DECISION_REASONS];
    for (uint32_t i = 0; i < decision->reasons_count; i++) {
        archive_put_number(table, entry->n);
        archive_put_number(table, i);
        archive_put_text(table, decision->reasons[i]);
        archive_row_end(table);
    }
}

static void rows_add_officer_action(struct archive_rows *self, const struct entry *entry)
{
    const struct entry_officer_action *action = &entry->body.officer_action;
    struct archive_table *table = &self->tables[TABLE_REFERRAL_EVENTS];
    archive_put_number(table, entry->n);
    archive_put_time(table, entry->t_ns);
    rows_put_item(table, entry);
    archive_put_text(table, action->action);
    archive_put_text(table, action->code);
    archive_put_text(table, action->to_state);
    archive_put_text(table, entry->actor);
    archive_put_number(table, action->version);
    archive_put_number(table, 0); /* archive_items_finish fills these two */
    archive_put_real(table, -1);
    archive_row_end(table);
}

static void rows_add_outcome(struct archive_rows *self, const struct entry *entry)
{
    const struct entry_outcome *outcome = &entry->body.outcome;
    struct archive_table *table = &self->tables[TABLE_OUTCOMES];
    archive_put_number(table, entry->n);
    archive_put_time(table, entry->t_ns);
    rows_put_item(table, entry);
    archive_put_text(table, outcome->exam_level);
    archive_put_text(table, outcome->result);
    archive_put_text(table, outcome->seizure_class);
    archive_put_real(table, outcome->quantity);
    archive_put_text(table, outcome->unit);
    archive_put_number(table, outcome->has_region);
    archive_put_number(table, outcome->image_index);
    archive_put_number(table, outcome->region_x);
    archive_put_number(table, outcome->region_y);
    archive_put_number(table, outcome->region_width);
    archive_put_number(table, outcome->region_height);
    archive_put_text(table, entry->actor);
    archive_put_number(table, outcome->version);
    archive_put_text(table, outcome->again);
    archive_put_text(table, outcome->code);
    archive_put_number(table, outcome->corrects);
    archive_put_number(table, outcome->aside);
    archive_put_real(table, -1);
    archive_row_end(table);
}

static void rows_add_refusal(struct archive_rows *self, const struct entry *entry)
{
    const struct entry_refused *refused = &entry->body.refused;
    struct archive_table *table = &self->tables[TABLE_REFUSALS];
    archive_put_number(table, entry->n);
    archive_put_text(table, refused->publisher);
    archive_put_text(table, refused->stream);
    archive_put_number(table, refused->sequence);
    archive_put_number(table, refused->code);
    archive_put_text(table, refused->name);
    archive_put_text(table, refused->reason);
    archive_put_hex(table, refused->record_sha256, HASH_BYTES);
    archive_row_end(table);
}

/* Types without a table of their own stand in `entries` alone. */
static struct err rows_add_by_type(struct archive_rows *self, const struct archive_entry *raw,
                                   const struct entry *entry)
{
    switch (entry->type) {
    case ENTRY_SCAN_RECEIVED:
    case ENTRY_DECLARATION_RECEIVED:
        return rows_add_received(self, raw, entry);
    case ENTRY_SCORE:
        rows_add_score(self, entry);
        return err_none;
    case ENTRY_SHADOW_SCORE:
        rows_add_shadow_score(self, entry);
        return err_none;
    case ENTRY_REFERRAL_DECISION:
        rows_add_decision(self, entry);
        return err_none;
    case ENTRY_OFFICER_ACTION:
        rows_add_officer_action(self, entry);
        return err_none;
    case ENTRY_OUTCOME:
        rows_add_outcome(self, entry);
        return err_none;
    case ENTRY_RECORD_REFUSED:
        rows_add_refusal(self, entry);
        return err_none;
    case ENTRY_MODEL_CHANGE:
        archive_models_add_change(self, entry);
        return err_none;
    default:
        return err_none;
    }
}

struct err archive_rows_add(struct archive_rows *self, const struct archive_entry *raw)
{
    struct arena arena;
    struct entry entry;
    if (raw->bytes_count == 0 || raw->bytes_count > ARCHIVE_ENTRY_BYTES_MAX) {
        return err_make(ERR_ARCHIVE_DIFFERS, "entry length");
    }
    arena_init(&arena, self->arena_memory, ENTRY_ARENA_BYTES);
    enum entry_fault fault = entry_decode(raw->bytes, raw->bytes_count, &arena, &entry);
    if (fault != ENTRY_GOOD && fault != ENTRY_UNKNOWN_TYPE) {
        return err_make(ERR_ARCHIVE_DIFFERS, entry_fault_text(fault));
    }
    if (self->entries_count == 0) {
        self->first_index = raw->entry_index;
        self->first_t_ns = entry.t_ns;
    }
    if (raw->entry_index != self->first_index + self->entries_count ||
        entry.n != raw->entry_index) {
        return err_make(ERR_ARCHIVE_DIFFERS, "entry is not the next one");
    }
    self->last_t_ns = entry.t_ns;
    struct err err = rows_keep_bytes(self, raw);
    if (err_is(err)) {
        return err;
    }
    rows_add_entry(self, &entry);
    if (entry.has_item) {
        err = archive_items_add(self, entry.item);
    }
    return err_is(err) || fault == ENTRY_UNKNOWN_TYPE ? err : rows_add_by_type(self, raw, &entry);
}
