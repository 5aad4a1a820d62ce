/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/feeds/feeds_test.h"

#include <math.h>

#include "feeds/declaration_csv.h"
#include "feeds/record_json.h"
#include "feeds/sim_truth.h"
#include "feeds/sim_world.h"
#include "proto/checkdigit.h"

static struct sim_conf conf_of(uint64_t seed)
{
    return (struct sim_conf){.seed = seed,
                             .mode_weights = {0, 1, 1, 1, 1, 1, 1},
                             .contraband_rate = 0.2,
                             .misdeclare_rate = 0.2,
                             .history_factor = 4,
                             .oddity_rate = 0.3,
                             .mail_declarations_per_scan = 2,
                             .scale = 0.08,
                             .mail_scale = 0.3,
                             .dead_rows_max = 2,
                             .start_ns = INT64_C(1767592800000000000),
                             .interval_s = 20,
                             .site = "port-1",
                             .lane = ""};
}

static struct sim_world *open_world(const struct sim_conf *conf)
{
    struct sim_world *world = NULL;
    assert_false(err_is(sim_world_open(conf, &world)));
    return world;
}

/* Everything about an item as text, pixels as digests. */
static void item_text(const struct sim_item *item, struct text_buffer *out)
{
    char *line = record_json_declaration(&item->declaration);
    text_buffer_add(out, "%s\n", line);
    record_json_free(&line);
    if (item->has_scan) {
        line = record_json_scan(&item->scan, item->pixels);
        text_buffer_add(out, "%s\n", line);
        record_json_free(&line);
    }
}

static void same_seed_gives_the_same_bytes_in_any_order(void **state)
{
    (void)state;
    struct text_buffer texts[3] = {
        {.bytes_max = 1 << 20}, {.bytes_max = 1 << 20}, {.bytes_max = 1 << 20}};
    for (int run = 0; run < 3; run++) {
        struct sim_conf conf = conf_of(run == 2 ? 8 : 7);
        struct sim_world *world = open_world(&conf);
        struct sim_item item;
        for (uint64_t i = 0; run == 1 && i < 9; i++) { /* what was made before must not matter */
            assert_false(err_is(sim_world_item(world, 100 - i, &item)));
        }
        for (uint64_t i = 0; i < 12; i++) {
            assert_false(err_is(sim_world_item(world, i, &item)));
            item_text(&item, &texts[run]);
            sim_truth_json_line(&item, &texts[run]);
        }
        sim_world_close(&world);
    }
    assert_int_equal(texts[0].bytes_count, texts[1].bytes_count);
    assert_memory_equal(texts[0].bytes, texts[1].bytes, texts[0].bytes_count);
    assert_true(texts[0].bytes_count != texts[2].bytes_count ||
                memcmp(texts[0].bytes, texts[2].bytes, texts[0].bytes_count) != 0);
    for (int i = 0; i < 3; i++) {
        text_buffer_fini(&texts[i]);
    }
}

static void knobs_change_only_their_own_items(void **state)
{
    (void)state;
    struct sim_conf conf = conf_of(3);
    struct sim_world *with = open_world(&conf);
    conf.contraband_rate = 0;
    struct sim_world *without = open_world(&conf);
    unsigned same = 0, differing = 0;
    for (uint64_t i = 0; i < 60; i++) {
        struct text_buffer texts[2] = {{.bytes_max = 1 << 20}, {.bytes_max = 1 << 20}};
        struct sim_item items[2];
        assert_false(err_is(sim_world_item(with, i, &items[0])));
        assert_false(err_is(sim_world_item(without, i, &items[1])));
        assert_null(items[1].truth.hidden.what);
        for (int k = 0; k < 2; k++) {
            item_text(&items[k], &texts[k]);
        }
        bool equal = texts[0].bytes_count == texts[1].bytes_count &&
                     memcmp(texts[0].bytes, texts[1].bytes, texts[0].bytes_count) == 0;
        if (items[0].truth.hidden.what == NULL) {
            assert_true(equal);
            same++;
        } else if (!equal) {
            differing++;
        }
        text_buffer_fini(&texts[0]);
        text_buffer_fini(&texts[1]);
    }
    assert_true(same > 30 && differing > 3);
    sim_world_close(&with);
    sim_world_close(&without);
}

static void keys_have_right_check_digits_and_join_both_records(void **state)
{
    (void)state;
    struct sim_conf conf = conf_of(11);
    conf.scans = SIM_SCANS_ALL;
    struct sim_world *world = open_world(&conf);
    unsigned modes[MODE_COUNT] = {0};
    for (uint64_t i = 0; i < 60; i++) {
        struct sim_item item;
        assert_false(err_is(sim_world_item(world, i, &item)));
        modes[item.truth.mode]++;
        enum check check = check_key(item.key.scheme, item.key.value);
        assert_true(check == CHECK_GOOD ||
                    (check == CHECK_NONE &&
                     (item.key.scheme == KEY_PLATE || item.key.scheme == KEY_RAILCAR)));
        enum key_scheme schemes[2];
        assert_string_equal(declaration_join_key(&item.declaration, &schemes[0]),
                            scan_join_key(&item.scan, &schemes[1]));
        assert_int_equal(schemes[0], schemes[1]);
    }
    for (int mode = MODE_TRUCK; mode < MODE_COUNT; mode++) {
        assert_true(modes[mode] > 0);
    }
    sim_world_close(&world);
}

static void records_pass_the_rules_of_their_kind(void **state)
{
    (void)state;
    struct sim_conf conf = conf_of(12);
    struct sim_world *world = open_world(&conf);
    uint8_t bytes[RECORD_BODY_BYTES_MAX], *memory = malloc(RECORD_ARENA_BYTES);
    for (uint64_t i = 0; i < 40; i++) {
        struct sim_item item;
        assert_false(err_is(sim_world_item(world, i, &item)));
        struct arena arena;
        struct declaration declaration;
        struct scan scan;
        const char *where = "";
        arena_init(&arena, memory, RECORD_ARENA_BYTES);
        size_t bytes_count = declaration_encode(&item.declaration, bytes, sizeof bytes);
        assert_int_equal(declaration_decode(bytes, bytes_count, &arena, &declaration, &where),
                         REFUSAL_NONE);
        if (item.has_scan) {
            bytes_count = scan_encode(&item.scan, bytes, sizeof bytes);
            assert_int_equal(scan_decode(bytes, bytes_count, &arena, &scan, &where), REFUSAL_NONE);
            assert_int_equal(scan.images_count, 2);
        }
    }
    free(memory);
    sim_world_close(&world);
}

static void declared_mass_is_the_true_mass_unless_misdeclared(void **state)
{
    (void)state;
    struct sim_conf conf = conf_of(13);
    conf.scans = SIM_SCANS_NONE;
    struct sim_world *world = open_world(&conf);
    double sum = 0;
    unsigned honest = 0, lied = 0, empty = 0;
    for (uint64_t i = 0; i < 600; i++) {
        struct sim_item item;
        assert_false(err_is(sim_world_item(world, i, &item)));
        const struct sim_truth *truth = &item.truth;
        if (item.declaration.declared_empty) {
            empty++;
            assert_int_equal(item.declaration.lines_count, 0);
            assert_true((truth->true_net_kg > 0) ==
                        (truth->misdeclared != NULL && strcmp(truth->misdeclared, "empty") == 0));
            continue;
        }
        double ratio = item.declaration.lines[0].net_mass_kg / truth->true_net_kg;
        if (truth->misdeclared != NULL && strcmp(truth->misdeclared, "mass") == 0) {
            assert_true(ratio < 0.85 || ratio > 1.25);
            lied++;
        } else {
            assert_true(fabs(ratio - 1) < 0.12);
            sum += ratio;
            honest++;
            assert_true(item.declaration.gross_mass_kg >= item.declaration.lines[0].net_mass_kg);
        }
        if (truth->misdeclared == NULL) {
            assert_string_equal(item.declaration.lines[0].hs_code, truth->true_hs6);
        } else if (strcmp(truth->misdeclared, "goods") == 0) {
            assert_string_not_equal(item.declaration.lines[0].hs_code, truth->true_hs6);
        }
    }
    assert_true(honest > 300 && lied > 10 && empty > 30);
    assert_true(fabs(sum / honest - 1) < 0.004); /* 2 per cent of weighing, no bias */
    sim_world_close(&world);
}

/* Of what the truth knows, nothing may be found in a record: neither its words nor its numbers. */
static void truth_never_enters_a_record(void **state)
{
    (void)state;
    static const char *const words[] = {"contraband", "hidden", "violation", "misdecl",    "oddity",
                                        "fraud",      "truth",  "label",     "propensity", "true_"};
    struct sim_conf conf = conf_of(14);
    conf.contraband_rate = 0.9;
    conf.oddity_rate = 1;
    struct sim_world *world = open_world(&conf);
    unsigned hidden = 0;
    for (uint64_t i = 0; i < 60; i++) {
        struct sim_item item;
        struct text_buffer text = {.bytes_max = 1 << 20};
        assert_false(err_is(sim_world_item(world, i, &item)));
        item_text(&item, &text);
        for (size_t w = 0; w < sizeof words / sizeof words[0]; w++) {
            assert_null(strcasestr(text.bytes, words[w]));
        }
        assert_non_null(item.truth.oddity.what);
        assert_null(strstr(text.bytes, item.truth.oddity.what));
        if (item.truth.hidden.what != NULL) {
            hidden++;
            assert_null(strstr(text.bytes, item.truth.hidden.what));
        }
        assert_int_equal(item.scan.other_count, 0);
        assert_int_equal(item.declaration.other_count, 0);
        text_buffer_fini(&text);
    }
    assert_true(hidden > 30);
    sim_world_close(&world);
}

/* The box that the truth names is where the image differs from the same item without contraband,
 * and nowhere else. */
static void box_of_the_hidden_is_where_the_image_differs(void **state)
{
    (void)state;
    struct sim_conf conf = conf_of(15);
    conf.contraband_rate = 0.9;
    conf.scans = SIM_SCANS_ALL;
    struct sim_world *with = open_world(&conf);
    conf.contraband_rate = 0;
    struct sim_world *without = open_world(&conf);
    unsigned seen = 0;
    for (uint64_t i = 0; i < 24; i++) {
        struct sim_item items[2];
        assert_false(err_is(sim_world_item(with, i, &items[0])));
        assert_false(err_is(sim_world_item(without, i, &items[1])));
        if (items[0].truth.hidden.what == NULL) {
            continue;
        }
        const int32_t *box = items[0].truth.hidden_px;
        const struct image *image = &items[0].images[0];
        assert_true(box[0] >= 0 && box[1] >= 0 && box[2] <= (int32_t)image->width &&
                    box[3] <= (int32_t)image->height);
        assert_true(box[0] < box[2] && box[1] < box[3]);
        assert_true(items[0].truth.hidden.mass_kg > 0);
        const uint16_t *a = items[0].pixels[0], *b = items[1].pixels[0];
        bool inside = false;
        for (int32_t y = 0; y < (int32_t)image->height; y++) {
            for (int32_t x = 0; x < (int32_t)image->width; x++) {
                uint32_t at = (uint32_t)y * image->width + (uint32_t)x;
                bool differs =
                    abs(a[at] - b[at]) > 3; /* one material more: other rounding in the sums */
                bool in_box = x >= box[0] - 1 && x <= box[2] && y >= box[1] - 1 && y <= box[3];
                assert_true(!differs || in_box);
                inside = inside || differs;
            }
        }
        seen += inside;
    }
    assert_true(seen > 10);
    sim_world_close(&with);
    sim_world_close(&without);
}

static void rates_are_kept_and_bad_parties_stand_out(void **state)
{
    (void)state;
    struct sim_conf conf = conf_of(16);
    conf.contraband_rate = 0.05;
    conf.misdeclare_rate = 0.05;
    struct sim_world *world = open_world(&conf);
    enum { COUNT = 20000 };
    double found = 0, bad_found = 0, bad = 0;
    for (uint64_t i = 0; i < COUNT; i++) {
        struct sim_past past;
        sim_world_past(world, i, COUNT, &past);
        assert_true(past.declaration.declared_ns < conf.start_ns);
        assert_true(!past.critical || past.found);
        found += past.found;
        if (past.parties.propensity > 2) {
            bad++;
            bad_found += past.found;
        }
    }
    assert_true(found / COUNT > 0.2 &&
                found / COUNT < 0.5); /* examined items: four times the 10 per cent, capped */
    assert_true(bad > 500 && bad_found / bad > 1.6 * (found - bad_found) / (COUNT - bad));
    sim_world_close(&world);
}

/* Trained on a history at the traffic's own rate, scores mean the chance in that traffic. */
static void history_with_factor_one_has_the_rate_of_traffic(void **state)
{
    (void)state;
    struct sim_conf conf = conf_of(18);
    conf.contraband_rate = 0.04;
    conf.misdeclare_rate = 0.06;
    conf.history_factor = 1;
    conf.scans = SIM_SCANS_NONE;
    struct sim_world *world = open_world(&conf);
    enum { COUNT = 20000, TRAFFIC_COUNT = 4000 };
    double found = 0, critical = 0, violations = 0;
    for (uint64_t i = 0; i < COUNT; i++) {
        struct sim_past past;
        sim_world_past(world, i, COUNT, &past);
        found += past.found;
        critical += past.critical;
    }
    for (uint64_t i = 0; i < TRAFFIC_COUNT; i++) {
        struct sim_item item;
        assert_false(err_is(sim_world_item(world, i, &item)));
        violations += item.truth.violation;
    }
    double rate = found / COUNT, traffic_rate = violations / TRAFFIC_COUNT;
    assert_true(rate > traffic_rate - 0.02 && rate < traffic_rate + 0.02);
    assert_true(critical / found > 0.35 && critical / found < 0.45);
    sim_world_close(&world);
}

static void history_is_readable_through_the_shipped_mapping(void **state)
{
    (void)state;
    struct sim_conf conf = conf_of(17);
    struct sim_world *world = open_world(&conf);
    struct text_buffer text = {.bytes_max = 1 << 24};
    sim_truth_past_header(&text);
    for (uint64_t i = 0; i < 300; i++) {
        struct sim_past past;
        sim_world_past(world, i, 300, &past);
        sim_truth_past_row(&past, &text);
    }
    assert_false(err_is(text_buffer_write(&text, test_path("past.csv"))));
    text_buffer_fini(&text);
    const struct declaration_csv_conf table_conf = {.path = test_path("past.csv"),
                                                    .mapping_path = SOURCE_DIR
                                                    "/config/mappings/customs-import.json",
                                                    .site = "port-1",
                                                    .lane = "",
                                                    .mode = MODE_UNKNOWN};
    struct declaration_csv *table = NULL;
    char error[CSV_ERROR_BYTES];
    assert_false(err_is(declaration_csv_open(&table_conf, &table, error)));
    enum csv_step step = CSV_ROW;
    int64_t before_ns = 0;
    for (uint64_t i = 0; i < 300; i++) {
        struct declaration_row row;
        struct sim_past past;
        assert_false(err_is(declaration_csv_next(table, &row, &step, error)));
        sim_world_past(world, i, 300, &past);
        assert_int_equal(step, CSV_ROW);
        assert_null(row.problem);
        assert_int_equal(row.found, past.found);
        assert_int_equal(row.critical, past.critical);
        assert_int_equal(row.declaration.mode, past.declaration.mode);
        assert_string_equal(row.declaration.importer, past.declaration.importer);
        assert_true(row.declaration.declared_ns >= before_ns);
        before_ns = row.declaration.declared_ns;
    }
    declaration_csv_close(&table);
    sim_world_close(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_seed_gives_the_same_bytes_in_any_order),
        cmocka_unit_test(knobs_change_only_their_own_items),
        cmocka_unit_test(keys_have_right_check_digits_and_join_both_records),
        cmocka_unit_test(records_pass_the_rules_of_their_kind),
        cmocka_unit_test(declared_mass_is_the_true_mass_unless_misdeclared),
        cmocka_unit_test(truth_never_enters_a_record),
        cmocka_unit_test(box_of_the_hidden_is_where_the_image_differs),
        cmocka_unit_test(rates_are_kept_and_bad_parties_stand_out),
        cmocka_unit_test(history_with_factor_one_has_the_rate_of_traffic),
        cmocka_unit_test(history_is_readable_through_the_shipped_mapping),
    };
    return cmocka_run_group_tests(tests, test_folder_open, test_folder_close);
}
