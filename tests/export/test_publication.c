/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "export/export_csv.h"
#include "export/export_publication.h"

static const uint8_t key[HASH_BYTES] = {3};

/* A decided item with a declaration; found: NULL for no exam. */
struct item_maker {
    uint32_t number;
    const char *mode;
    const char *site;
    const char *hs_code;
    const char *origin;
    const char *result;
    double rate;    /* of the random arm; 0: that of the mode */
    bool by_target; /* with certainty, whatever the rate */
    uint32_t days;  /* after the first */
};

static double rate_of_mode(const char *mode)
{
    return strcmp(mode, "truck") == 0 ? 0.25 : strcmp(mode, "mail") == 0 ? 0.05 : 0.01;
}

/* Cells of a row by name, all others 0 or "". */
static uint64_t add_row(struct archive_table *table)
{
    for (uint32_t c = 0; c < table->spec->columns_count; c++) {
        switch (table->spec->columns[c].type) {
        case H5_TEXT:
            archive_put_text(table, "");
            break;
        case H5_I64:
            archive_put_signed(table, 0);
            break;
        case H5_F64:
            archive_put_real(table, 0);
            break;
        default:
            archive_put_number(table, 0);
            break;
        }
    }
    archive_row_end(table);
    return table->rows_count - 1;
}

static void add_item(struct archive_tables *tables, const struct item_maker *maker)
{
    char item[40];
    (void)snprintf(item, sizeof item, "%032x", maker->number + 1);
    struct archive_table *table = &tables->tables[TABLE_DECISIONS];
    uint64_t row = add_row(table);
    archive_table_set_text(table, row, "item", item);
    archive_table_set_time(table, row, "t",
                           INT64_C(1789982400000000000) + maker->number +
                               maker->days * INT64_C(86400000000000));
    archive_table_set_text(table, row, "decision", "refer");
    archive_table_set_text(table, row, "arm", maker->by_target ? "target" : "random");
    archive_table_set_text(table, row, "mode", maker->mode);
    archive_table_set_text(table, row, "site", maker->site);
    archive_table_set_text(table, row, "label", "B MM 1234");
    double rate = maker->rate > 0 ? maker->rate : rate_of_mode(maker->mode);
    archive_table_set_real(table, row, "random_rate", rate);
    archive_table_set_real(table, row, "propensity", maker->by_target ? 1 : rate);
    archive_table_set_real(table, row, "probability", 0.123456);
    table = &tables->tables[TABLE_DECLARATIONS];
    row = add_row(table);
    archive_table_set_text(table, row, "item", item);
    archive_table_set_number(table, row, "body_present", 1);
    archive_table_set_text(table, row, "hs_code", maker->hs_code);
    archive_table_set_text(table, row, "origin_country", maker->origin);
    archive_table_set_text(table, row, "importer", "p0123456789abcdef");
    if (maker->result != NULL) {
        table = &tables->tables[TABLE_OUTCOMES];
        row = add_row(table);
        archive_table_set_text(table, row, "item", item);
        archive_table_set_text(table, row, "result", maker->result);
        archive_table_set_text(table, row, "seizure_class", "fentanyl");
    }
}

static int setup(void **state)
{
    struct archive_tables *tables = calloc(1, sizeof *tables);
    assert_non_null(tables);
    archive_tables_init(tables);
    for (uint32_t i = 0; i < 40; i++) {
        struct item_maker maker = {i,
                                   i < 30 ? "truck" : "mail",
                                   i % 10 == 9 ? "south" : "north",
                                   i % 2 == 0 ? "0803.90" : "8471.30",
                                   i < 20 ? "EC" : "NL",
                                   NULL,
                                   0,
                                   false,
                                   0};
        if (i == 0) {
            maker.result = "found";
        }
        add_item(tables, &maker);
    }
    *state = tables;
    return 0;
}

static int teardown(void **state)
{
    archive_tables_fini(*state);
    free(*state);
    return 0;
}

static void publish(struct archive_tables *tables, uint64_t k, struct export_published *out)
{
    const struct export_publication order = {.from = tables, .key = key, .k = k};
    struct err err = export_publish(&order, out);
    assert_false(err_is(err));
}

static uint64_t count_text(const struct archive_table *table, const char *column, const char *text)
{
    uint64_t count = 0;
    for (uint64_t row = 0; row < table->rows_count; row++) {
        count += strcmp(archive_table_text(table, row, column), text) == 0;
    }
    return count;
}

/* 3 trucks and 1 parcel at the south site: both small, each pooled with its north. */
static void small_sites_are_pooled_and_all_items_stay(void **state)
{
    struct export_published out;
    publish(*state, 5, &out);
    const struct archive_table *items = &out.tables[PUBLISHED_ITEMS];
    assert_int_equal(items->rows_count, 40);
    assert_int_equal(out.decided_count, 40);
    assert_int_equal(count_text(items, "site", "*"), 40);
    assert_int_equal(count_text(items, "mode", "truck"), 30);
    assert_int_equal(count_text(items, "day", "2026-09-21"), 40);
    assert_int_equal(count_text(items, "seizure_class", "*"), 1); /* one find is a small class */
    assert_int_equal(count_text(items, "result", "found"), 1);
    assert_true(archive_table_real(items, 0, "probability") == 0.12);
    export_published_fini(&out);
    publish(*state, 3, &out); /* 3 trucks are enough now; the parcel is not */
    assert_int_equal(count_text(&out.tables[PUBLISHED_ITEMS], "site", "south"), 3);
    export_published_fini(&out);
}

/* The one truck with a find can be told in items: its goods must not be told beside its result. */
static void goods_of_a_lone_find_are_not_told(void **state)
{
    struct export_published out;
    publish(*state, 5, &out);
    const struct archive_table *goods = &out.tables[PUBLISHED_GOODS];
    assert_int_equal(goods->rows_count, 40);
    uint64_t finds = 0;
    for (uint64_t row = 0; row < goods->rows_count; row++) {
        if (archive_table_number(goods, row, "found") == 1) {
            finds++;
            assert_string_equal(archive_table_text(goods, row, "hs_chapter"), "*");
            assert_string_equal(archive_table_text(goods, row, "origin_country"), "*");
        }
    }
    assert_int_equal(finds, 1);
    assert_true(count_text(goods, "hs_chapter", "84") >= 15); /* and others are */
    export_published_fini(&out);
}

/* All parcels come from NL: who knows that one of them is in the copy would know its origin. */
static void what_all_rows_of_a_class_say_is_not_told(void **state)
{
    struct export_published out;
    publish(*state, 5, &out);
    const struct archive_table *goods = &out.tables[PUBLISHED_GOODS];
    for (uint64_t row = 0; row < goods->rows_count; row++) {
        if (strcmp(archive_table_text(goods, row, "mode"), "mail") == 0) {
            assert_string_equal(archive_table_text(goods, row, "origin_country"), "*");
        }
    }
    assert_true(count_text(goods, "origin_country", "EC") > 0);
    export_published_fini(&out);
}

/* Rows that tell the rate, or a propensity that is the rate. */
static uint64_t count_rates(const struct archive_table *table, const char *column, double rate)
{
    uint64_t count = 0;
    for (uint64_t row = 0; row < table->rows_count; row++) {
        double told = archive_table_real(table, row, column);
        bool same = isnan(rate) ? isnan(told) != 0 : told == rate;
        count += same;
    }
    return count;
}

static void add_some(struct archive_tables *tables, uint32_t count, struct item_maker maker)
{
    for (uint32_t i = 0; i < count; i++) {
        maker.number = (uint32_t)tables->tables[TABLE_DECISIONS].rows_count;
        add_item(tables, &maker);
    }
}

/* A rate belongs to a mode: where 3 rail items are pooled with the parcels, it would tell them. */
static void rates_do_not_tell_a_pooled_mode(void **state)
{
    struct export_published out;
    add_some(
        *state, 3,
        (struct item_maker){.mode = "rail", .site = "north", .hs_code = "0803.90", .origin = "NL"});
    add_some(*state, 3,
             (struct item_maker){.mode = "rail",
                                 .site = "north",
                                 .hs_code = "0803.90",
                                 .origin = "NL",
                                 .by_target = true});
    publish(*state, 7, &out);
    static const enum published_name tables[] = {PUBLISHED_ITEMS, PUBLISHED_GOODS};
    for (int i = 0; i < 2; i++) {
        const struct archive_table *table = &out.tables[tables[i]];
        assert_int_equal(count_text(table, "mode", "*"), 16);
        assert_int_equal(count_rates(table, "propensity", 0.01), 0);
        assert_int_equal(count_rates(table, "propensity", 0.05), 0);
        assert_int_equal(count_rates(table, "propensity", NAN), 13);
        assert_int_equal(count_rates(table, "propensity", 1), 3); /* that the arm says, too */
        assert_int_equal(count_rates(table, "propensity", 0.25), 30);
    }
    assert_int_equal(count_rates(&out.tables[PUBLISHED_ITEMS], "random_rate", NAN), 16);
    assert_int_equal(count_rates(&out.tables[PUBLISHED_ITEMS], "random_rate", 0.25), 30);
    export_published_fini(&out);
}

/* Nor a day of few items on which another policy was in force, nor the hour of its coming. */
static void rates_do_not_tell_a_pooled_day(void **state)
{
    for (uint32_t days = 0; days < 2; days++) {
        struct export_published out;
        assert_int_equal(teardown(state), 0);
        assert_int_equal(setup(state), 0);
        add_some(*state, 3,
                 (struct item_maker){.mode = "truck",
                                     .site = "north",
                                     .hs_code = "0803.90",
                                     .origin = "NL",
                                     .rate = 0.125,
                                     .days = days});
        publish(*state, 5, &out);
        const struct archive_table *items = &out.tables[PUBLISHED_ITEMS];
        assert_int_equal(count_text(items, "mode", "truck"), 33);
        assert_int_equal(count_text(items, "day", "*"), days == 0 ? 0 : 33);
        assert_int_equal(count_rates(items, "random_rate", NAN), 33);
        assert_int_equal(count_rates(items, "propensity", NAN), 33);
        assert_int_equal(count_rates(items, "random_rate", 0.05), 10);
        assert_int_equal(count_rates(&out.tables[PUBLISHED_GOODS], "propensity", NAN), 33);
        export_published_fini(&out);
    }
}

/* An item of the random arm with propensity 1 is of a mode in which all are drawn. */
static void certainty_of_a_draw_is_a_rate(void **state)
{
    struct export_published out;
    add_some(*state, 3,
             (struct item_maker){
                 .mode = "rail", .site = "north", .hs_code = "0803.90", .origin = "NL", .rate = 1});
    publish(*state, 5, &out);
    assert_int_equal(count_rates(&out.tables[PUBLISHED_ITEMS], "propensity", NAN), 13);
    assert_int_equal(count_rates(&out.tables[PUBLISHED_GOODS], "propensity", NAN), 13);
    export_published_fini(&out);
}

/* Two images of each: the items that have some are counted, not the rows. */
static void images_of_few_items_are_withheld(void **state)
{
    struct archive_tables *tables = *state;
    for (uint64_t items_count = 4; items_count <= 5; items_count++) {
        struct export_published out;
        while (tables->tables[TABLE_SCANS].rows_count < items_count) {
            uint64_t scan = add_row(&tables->tables[TABLE_SCANS]);
            char item[40];
            (void)snprintf(item, sizeof item, "%032x", (unsigned)scan + 1);
            archive_table_set_text(&tables->tables[TABLE_SCANS], scan, "item", item);
            archive_table_set_number(&tables->tables[TABLE_SCANS], scan, "first_image", 2 * scan);
            archive_table_set_number(&tables->tables[TABLE_SCANS], scan, "images_count", 2);
            for (unsigned i = 0; i < 2; i++) {
                char sha256[HASH_HEX_BYTES];
                uint64_t image = add_row(&tables->tables[TABLE_SCAN_IMAGES]);
                (void)snprintf(sha256, sizeof sha256, "%08x%056d", (unsigned)image + 1, 0);
                archive_table_set_text(&tables->tables[TABLE_SCAN_IMAGES], image, "sha256", sha256);
            }
        }
        const struct export_publication order = {
            .from = tables, .key = key, .k = 5, .images = true};
        assert_false(err_is(export_publish(&order, &out)));
        uint64_t images_count = items_count < 5 ? 0 : 10;
        assert_int_equal(out.tables[PUBLISHED_IMAGES].rows_count, images_count);
        assert_int_equal(out.images_count, images_count);
        assert_int_equal(out.imaged_count, items_count);
        assert_int_equal(out.tables[PUBLISHED_ITEMS].rows_count, 40);
        export_published_fini(&out);
    }
}

static void copy_without_k_rows_has_none(void **state)
{
    struct export_published out;
    publish(*state, 41, &out);
    assert_int_equal(out.tables[PUBLISHED_ITEMS].rows_count, 0);
    assert_int_equal(out.tables[PUBLISHED_GOODS].rows_count, 0);
    assert_int_equal(out.decided_count, 40);
    export_published_fini(&out);
}

/* Labels, parties and ids of the source are in no cell of the copy; rows are not in the order of
 * the log. */
static void nothing_of_the_source_points_at_anybody(void **state)
{
    struct export_published out;
    bool ordered = true;
    publish(*state, 5, &out);
    for (uint32_t i = 0; i < PUBLISHED_COUNT; i++) {
        char *text = NULL;
        size_t bytes = 0;
        struct err err = export_csv_text(&out.tables[i], &text, &bytes);
        assert_false(err_is(err));
        assert_null(strstr(text, "B MM 1234"));
        assert_null(strstr(text, "p0123456789abcdef"));
        assert_null(strstr(text, "00000000000000000000000000000"));
        assert_null(strstr(text, "0803.90"));
        free(text);
    }
    const struct archive_table *items = &out.tables[PUBLISHED_ITEMS];
    for (uint64_t row = 0; row < 30; row++) {
        ordered = ordered && strcmp(archive_table_text(items, row, "mode"), "truck") == 0;
    }
    assert_false(ordered);
    export_published_fini(&out);
}

/* What publishers and parties wrote is never taken for a formula by who opens the copy. */
static void cells_that_begin_as_formulas_are_pooled(void **state)
{
    static const char *const starts[] = {"=", "+", "-", "@", "\t", "\r", "\n"};
    struct export_published out;
    for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++) {
        char text[40];
        (void)snprintf(text, sizeof text, "%scmd|' /C calc'!A0", starts[i]);
        add_some(*state, 12,
                 (struct item_maker){.mode = "sea", .site = text, .hs_code = text, .origin = text});
        add_some(*state, 12,
                 (struct item_maker){
                     .mode = "sea", .site = "north", .hs_code = "0803.90", .origin = "NL"});
    }
    struct archive_tables *tables = *state;
    for (uint64_t row = 40; row < tables->tables[TABLE_DECISIONS].rows_count; row++) {
        const char *item = archive_table_text(&tables->tables[TABLE_DECISIONS], row, "item");
        uint64_t at = add_row(&tables->tables[TABLE_ITEMS]);
        archive_table_set_text(&tables->tables[TABLE_ITEMS], at, "item", item);
        archive_table_set_text(&tables->tables[TABLE_ITEMS], at, "state", "released");
        archive_table_set_text(&tables->tables[TABLE_ITEMS], at, "code", "=1+1");
        at = add_row(&tables->tables[TABLE_OUTCOMES]);
        archive_table_set_text(&tables->tables[TABLE_OUTCOMES], at, "item", item);
        archive_table_set_text(&tables->tables[TABLE_OUTCOMES], at, "seizure_class", "@SUM(1)");
    }
    publish(*state, 5, &out);
    const struct archive_table *items = &out.tables[PUBLISHED_ITEMS];
    assert_int_equal(count_text(items, "mode", "sea"), 168);
    assert_int_equal(count_text(items, "code", "*"), 168);
    assert_int_equal(count_text(items, "seizure_class", "*"), 169); /* and the one find */
    assert_true(count_text(items, "site", "north") >= 84);
    assert_true(count_text(&out.tables[PUBLISHED_GOODS], "hs_chapter", "08") >= 84);
    for (int t = 0; t < 2; t++) {
        const struct archive_table *table = &out.tables[t == 0 ? PUBLISHED_ITEMS : PUBLISHED_GOODS];
        for (uint64_t row = 0; row < table->rows_count; row++) {
            for (uint32_t c = 0; c < table->spec->columns_count; c++) {
                bool text = table->spec->columns[c].type == H5_TEXT;
                const char *name = table->spec->columns[c].name;
                const char *cell = text ? archive_table_text(table, row, name) : "";
                assert_int_equal(strspn(cell, "=+-@\t\r\n"), 0);
            }
        }
    }
    export_published_fini(&out);
}

static void csv_quotes_what_rfc_4180_says(void **state)
{
    static const struct archive_column columns[] = {
        {"words", H5_TEXT, "", "w"}, {"real", H5_F64, "kg", "r"}, {"signed_ns", H5_I64, "ns", "s"}};
    static const struct archive_table_spec spec = {"t", "test", columns, 3};
    static const char *const texts[] = {"plain", "a,b", "say \"no\"", "two\nlines", ""};
    struct archive_table table;
    char *text = NULL;
    size_t bytes = 0;
    (void)state;
    archive_table_init(&table, &spec);
    for (int i = 0; i < 5; i++) {
        archive_put_text(&table, texts[i]);
        archive_put_real(&table, i == 0 ? 0.1 : 1.0 / 3);
        archive_put_signed(&table, -i);
        archive_row_end(&table);
    }
    static const double none[] = {NAN, -NAN, INFINITY, -INFINITY};
    for (int i = 0; i < 4; i++) {
        archive_put_text(&table, "none");
        archive_put_real(&table, none[i]);
        archive_put_signed(&table, 0);
        archive_row_end(&table);
    }
    assert_false(err_is(export_csv_text(&table, &text, &bytes)));
    assert_string_equal(text, "words,real,signed_ns\r\nplain,0.1,0\r\n\"a,b\",0.3333333333333333,-1"
                              "\r\n\"say \"\"no\"\"\",0.3333333333333333,-2\r\n"
                              "\"two\nlines\",0.3333333333333333,-3\r\n,0.3333333333333333,-4\r\n"
                              "none,NaN,0\r\nnone,NaN,0\r\nnone,INF,0\r\nnone,-INF,0\r\n");
    assert_int_equal(bytes, strlen(text));
    free(text);
    archive_table_fini(&table);
}

int main(void)
{
#define WITH_ITEMS(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        WITH_ITEMS(small_sites_are_pooled_and_all_items_stay),
        WITH_ITEMS(goods_of_a_lone_find_are_not_told),
        WITH_ITEMS(what_all_rows_of_a_class_say_is_not_told),
        WITH_ITEMS(rates_do_not_tell_a_pooled_mode),
        WITH_ITEMS(rates_do_not_tell_a_pooled_day),
        WITH_ITEMS(certainty_of_a_draw_is_a_rate),
        WITH_ITEMS(images_of_few_items_are_withheld),
        WITH_ITEMS(copy_without_k_rows_has_none),
        WITH_ITEMS(nothing_of_the_source_points_at_anybody),
        WITH_ITEMS(cells_that_begin_as_formulas_are_pooled),
        cmocka_unit_test(csv_quotes_what_rfc_4180_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
