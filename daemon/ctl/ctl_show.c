/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/ctl.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "ctl/item_picture.h"
#include "ctl/json_text.h"
#include "ctl/rows.h"
#include "ctl/table.h"
#include "referral/referral.h"

/* Everything known of an item, in the order of its life: records, images, score with its parts,
 * decision, referral. */

struct section {
    const char *name;
    bool is_one; /* an object instead of an array */
    const char *types;
    const char *sql;
};

static const struct section sections[] = {
    {"records", false, "intttttttttttb",
     "SELECT entry, t_ns, kind, record_id, publisher, stream, mode, site, lane, label, scanner, "
     "scanner_type,"
     " lower(hex(sha256)) AS sha256, late FROM records WHERE item = ?1 ORDER BY entry"},
    {"images", false, "iiiiitiih",
     "SELECT images.entry AS entry, position, width, height, bits, energy, view, payload_bytes, "
     "images.sha256 AS sha256"
     " FROM records JOIN images ON images.entry = records.entry WHERE records.item = ?1 ORDER BY "
     "images.entry, position"},
    {"score", true, "inrrrrt",
     "SELECT scores.entry AS entry, t_ns, probability, logit, quality, grave, unscorable FROM "
     "items JOIN "
     "scores"
     " ON scores.entry = items.score_entry WHERE items.item = ?1"},
    {"contributions", false, "trt",
     "SELECT name, logit, words FROM items JOIN contributions ON contributions.score = "
     "items.score_entry"
     " WHERE items.item = ?1 ORDER BY position"},
    {"models", false, "th",
     "SELECT name, sha256 FROM items JOIN score_models ON score_models.score = items.score_entry"
     " WHERE items.item = ?1 ORDER BY position"},
    {"regions", false, "iiiiir",
     "SELECT image_index, x, y, width, height, value FROM items JOIN regions ON regions.score = "
     "items.score_entry"
     " WHERE items.item = ?1 ORDER BY position"},
    {"decision", true, "inttrrrrrrriihttthtw",
     "SELECT entry, t_ns, decision, arm, propensity, random_rate, probability, cutoff, priority, "
     "capacity_per_hour,"
     " arrivals_per_hour, rank, window_count, policy_sha256, draw_scheme, draw_day, draw_stratum, "
     "draw, hold_ended_by,"
     " reasons FROM decisions WHERE entry = (SELECT decision_entry FROM items WHERE item = ?1)"},
    {"referral", true, "tittnnn",
     "SELECT state, version, actor, code, opened_ns, claimed_ns, closed_ns FROM referrals WHERE "
     "item = ?1"},
    {"actions", false, "inttttit",
     "SELECT entry, t_ns, actor, action, code, to_state, version, request_id FROM actions WHERE "
     "item = ?1 ORDER BY entry"},
    {"outcomes", false, "intttbtrtbiiiiiittib",
     "SELECT entry, t_ns, actor, exam_level, result, found, seizure_class, quantity, unit, "
     "has_region, image_index,"
     " region_x, region_y, region_width, region_height, version, again, code, corrects, standing"
     " FROM outcomes WHERE item = ?1 "
     "ORDER BY entry"},
};
enum { SECTIONS_COUNT = sizeof sections / sizeof sections[0] };

static const struct section item_section = {
    "item", true, "httttn",
    "SELECT item, label, mode, site, lane, first_ns FROM items WHERE item = ?1"};

static bool add_section(struct state *state, const struct section *section,
                        const uint8_t item[ITEM_ID_BYTES], json_t *out)
{
    json_t *rows = rows_of_item(state, section->sql, section->types, item);
    if (rows == NULL) {
        return false;
    }
    if (!section->is_one) {
        json_object_set_new(out, section->name, rows);
        return true;
    }
    if (json_array_size(rows) > 0) {
        json_object_set(out, section->name, json_array_get(rows, 0));
    }
    json_decref(rows);
    return true;
}

/* As in the queue: before the outcome nothing shows whether the coin or the model chose the item.
 * Reasons stay: they are what the officer works with. */
static void hide_arm(json_t *out)
{
    static const char *const of_decision[] = {
        "arm",  "propensity", "random_rate",  "probability",  "cutoff",   "priority",
        "rank", "draw",       "draw_stratum", "window_count", "draw_day", "draw_scheme",
    };
    json_t *decision = json_object_get(out, "decision");
    json_t *score = json_object_get(out, "score");
    size_t index;
    json_t *part;
    for (size_t i = 0; i < sizeof of_decision / sizeof of_decision[0]; i++) {
        (void)json_object_del(decision, of_decision[i]);
    }
    json_object_set_new(decision, "arm", json_string("hidden"));
    (void)json_object_del(score, "probability");
    (void)json_object_del(score, "grave");
    (void)json_object_del(score, "logit");
    json_array_foreach(json_object_get(out, "contributions"), index, part)
    {
        (void)json_object_del(part, "logit");
    }
}

static bool arm_is_hidden(struct state *state, json_t *out)
{
    struct state_config config;
    json_t *referral = json_object_get(out, "referral");
    return referral != NULL && !err_is(state_config(state, &config)) && config.arm_hidden &&
           !referral_state_is_terminal(referral_state_parse(member_text(referral, "state")));
}

static json_t *item_json(struct state *state, const uint8_t item[ITEM_ID_BYTES])
{
    json_t *about = json_object();
    bool whole = add_section(state, &item_section, item, about);
    json_t *out = json_deep_copy(json_object_get(about, "item"));
    json_decref(about);
    for (size_t i = 0; i < SECTIONS_COUNT && whole && out != NULL; i++) {
        whole = add_section(state, &sections[i], item, out);
    }
    if (!whole) {
        json_decref(out);
        return NULL;
    }
    if (arm_is_hidden(state, out)) {
        hide_arm(out);
    }
    return out;
}

static void print_numbers(const json_t *decision)
{
    printf("            probability %.6g, cut-off %.6g, propensity %.6g, random rate %.6g, "
           "priority %.6g\n",
           member_real(decision, "probability"), member_real(decision, "cutoff"),
           member_real(decision, "propensity"), member_real(decision, "random_rate"),
           member_real(decision, "priority"));
    printf("            rank %lld of %lld, capacity %.6g/h, arrivals %.6g/h, hold ended by %s\n",
           member_integer(decision, "rank"), member_integer(decision, "window_count"),
           member_real(decision, "capacity_per_hour"), member_real(decision, "arrivals_per_hour"),
           member_text(decision, "hold_ended_by"));
}

static void print_referral(const json_t *referral)
{
    char line[512];
    if (referral == NULL) {
        return;
    }
    const char *actor = member_text(referral, "actor");
    const char *code = member_text(referral, "code");
    (void)snprintf(line, sizeof line, "Referral    %s, version %lld%s%s%s%s",
                   member_text(referral, "state"), member_integer(referral, "version"),
                   actor[0] == '\0' ? "" : ", by ", actor, code[0] == '\0' ? "" : ", code ", code);
    text_print(stdout, line, 0, 0);
}

static void print_head(json_t *out)
{
    json_t *decision = json_object_get(out, "decision");
    json_t *referral = json_object_get(out, "referral");
    char line[512];
    (void)snprintf(line, sizeof line, "%s  (item %s)", member_text(out, "label"),
                   member_text(out, "item"));
    text_print(stdout, line, 0, 0);
    (void)snprintf(line, sizeof line, "%s at %s/%s, first seen %.19sZ", member_text(out, "mode"),
                   member_text(out, "site"), member_text(out, "lane"), member_text(out, "first"));
    text_print(stdout, line, 0, 0);
    if (decision == NULL) {
        puts("Not decided yet.");
        return;
    }
    printf("Decision    %s, arm %s, entry %lld, %.19sZ\n", member_text(decision, "decision"),
           member_text(decision, "arm"), member_integer(decision, "entry"),
           member_text(decision, "t"));
    if (json_object_get(decision, "probability") == NULL) {
        puts("            hidden until the outcome is recorded");
    } else {
        print_numbers(decision);
    }
    print_referral(referral);
}

static void print_reasons(json_t *out)
{
    static const struct table_column columns[] = {
        {"PART", TABLE_LEFT, 0}, {"LOGIT", TABLE_RIGHT, 0}, {"IN WORDS", TABLE_LEFT, 0}};
    json_t *score = json_object_get(out, "score");
    if (score == NULL) {
        return;
    }
    bool hidden = json_object_get(score, "probability") == NULL;
    if (hidden) {
        printf("\nScore       hidden (image and data quality %.3g), entry %lld\n",
               member_real(score, "quality"), member_integer(score, "entry"));
    } else {
        printf("\nScore       %.6g (logit %.6g, image and data quality %.3g), entry %lld\n",
               member_real(score, "probability"), member_real(score, "logit"),
               member_real(score, "quality"), member_integer(score, "entry"));
        if (member_real(score, "grave") > 0) {
            printf("            of a grave find %.6g\n", member_real(score, "grave"));
        }
    }
    if (member_text(score, "unscorable")[0] != '\0') {
        (void)fputs("            not scorable: ", stdout);
        text_print(stdout, member_text(score, "unscorable"), 0, 0);
    }
    struct table *table = table_open(columns, 3);
    size_t index;
    json_t *part;
    json_array_foreach(json_object_get(out, "contributions"), index, part)
    {
        if (table != NULL) {
            table_cell(table, member_text(part, "name"));
            if (hidden) {
                table_cell(table, "-");
            } else {
                table_cellf(table, "%+.4f", member_real(part, "logit"));
            }
            table_cell(table, member_text(part, "words"));
        }
    }
    if (table != NULL && table_rows(table) > 0) {
        table_print(table, stdout, terminal_width(stdout));
    }
    table_close(&table);
}

struct listed {
    const char *section;
    const char *title;
    const char *members; /* separated by spaces */
};

/* One section as a table: members that are numbers are printed as they stand. */
static void print_list(json_t *out, const struct listed *listed)
{
    json_t *rows = json_object_get(out, listed->section);
    if (json_array_size(rows) == 0) {
        return;
    }
    char names[TABLE_COLUMNS_MAX][32];
    struct table_column columns[TABLE_COLUMNS_MAX];
    uint32_t count = 0;
    for (const char *at = listed->members; *at != '\0' && count < TABLE_COLUMNS_MAX;) {
        size_t bytes = strcspn(at, " ");
        (void)snprintf(names[count], sizeof names[count], "%.*s", (int)bytes, at);
        columns[count] = (struct table_column){names[count], TABLE_LEFT, 0};
        count++;
        at += bytes + (at[bytes] == ' ');
    }
    struct table *table = table_open(columns, count);
    if (table == NULL) {
        return;
    }
    size_t index;
    json_t *row;
    json_array_foreach(rows, index, row)
    {
        for (uint32_t c = 0; c < count; c++) {
            json_t *value = json_object_get(row, names[c]);
            if (json_is_string(value)) {
                table_cellf(table, "%.64s", json_string_value(value));
            } else if (json_is_number(value)) {
                table_cellf(table, "%.10g", json_number_value(value));
            } else {
                table_cell(table, json_is_true(value) ? "yes" : "");
            }
        }
    }
    printf("\n%s\n", listed->title);
    table_print(table, stdout, terminal_width(stdout));
    table_close(&table);
}

static void print_item(json_t *out)
{
    static const struct listed lists[] = {
        {"regions", "Regions that stand out", "image_index x y width height value"},
        {"records", "Records", "entry t kind record_id publisher scanner scanner_type late"},
        {"images", "Images", "entry position width height bits energy view sha256"},
        {"models", "Models", "name sha256"},
        {"actions", "Actions", "entry t actor action code to_state version"},
        {"outcomes", "Outcomes",
         "entry t actor exam_level result seizure_class quantity unit again standing"},
    };
    print_head(out);
    print_reasons(out);
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        print_list(out, &lists[i]);
    }
}

struct show_options {
    const char *item;
    struct item_picture picture; /* path NULL: none is wanted */
};

/* Up to four numbers of up to five digits with a mark between them, and nothing else. */
static bool read_numbers(const char *text, char mark, uint32_t *out, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        size_t digits = strspn(text, "0123456789");
        if (digits < 1 || digits > 5 || text[digits] != (i + 1 < count ? mark : '\0')) {
            return false;
        }
        out[i] = (uint32_t)strtoul(text, NULL, 10);
        text += digits + 1;
    }
    return true;
}

static void parse_region(const char *text, struct item_picture *picture, struct argp_state *state)
{
    picture->has_region = true;
    if (!read_numbers(text, ',', picture->region, 4) || picture->region[2] == 0 ||
        picture->region[3] == 0) {
        argp_error(state, "--region is X,Y,WIDTH,HEIGHT in pixels of the image");
    }
}

static void parse_size(const char *text, struct item_picture *picture, struct argp_state *state)
{
    uint32_t size[2];
    if (!read_numbers(text, 'x', size, 2) || size[0] == 0 || size[1] == 0) {
        argp_error(state, "--size is WIDTHxHEIGHT, for example 1024x768");
        return;
    }
    picture->width = size[0];
    picture->height = size[1];
}

static error_t parse_show(int key, char *text, struct argp_state *state)
{
    struct show_options *options = state->input;
    switch (key) {
    case 'p':
        options->picture.path = text;
        return 0;
    case 'r':
        parse_region(text, &options->picture, state);
        return 0;
    case 's':
        parse_size(text, &options->picture, state);
        return 0;
    case ARGP_KEY_ARG:
        if (options->item != NULL) {
            argp_error(state, "one ITEM at a time");
        }
        options->item = text;
        return 0;
    case ARGP_KEY_END:
        if (options->item == NULL) {
            argp_error(state, "which ITEM? Give its label or at least six digits of its id");
        }
        if (options->picture.path == NULL &&
            (options->picture.has_region || options->picture.width > 0)) {
            argp_error(state, "--region and --size go with --png FILE");
        }
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

int ctl_show(struct ctl *ctl, int argc, char **argv)
{
    static const struct argp_option options_table[] = {
        {"png", 'p', "FILE", 0,
         "write its image with the anomaly map in colour and the regions as boxes", 1},
        {"region", 'r', "X,Y,W,H", 0, "of the image only this part, without map and boxes", 1},
        {"size", 's', "WxH", 0,
         "the image or region reduced to at most this, without map and boxes", 1},
        {0, 0, 0, 0, 0, 0},
    };
    static const struct argp own = {
        options_table,
        parse_show,
        "ITEM",
        "Everything known of an item: records, score with its parts, decision, referral.",
        NULL,
        NULL,
        NULL};
    struct show_options options = {0};
    uint8_t item[ITEM_ID_BYTES];
    ctl_parse(ctl, &own, &options, argc, argv);
    struct state *state = ctl_open_state(ctl);
    if (state == NULL) {
        return CTL_REFUSED;
    }
    json_t *out = ctl_find_item(state, options.item, item) ? item_json(state, item) : NULL;
    state_close(&state);
    if (out == NULL) {
        return CTL_REFUSED;
    }
    int result = CTL_GOOD;
    if (ctl->json) {
        result = json_print(json_incref(out), true);
    } else {
        print_item(out);
    }
    if (options.picture.path != NULL && result == CTL_GOOD) {
        result = item_picture_write(ctl, out, &options.picture);
    }
    json_decref(out);
    return result;
}
