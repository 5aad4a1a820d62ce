/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/feeds/feeds_test.h"

#include "base/clock.h"
#include "feeds/declaration_csv.h"
#include "feeds/declaration_mapping.h"
#include "feeds/record_json.h"

static const char mapping_text[] =
    "{\"format\":\"t\",\"fields\":{\"declaration_id\":\"Id\",\"mode\":{\"column\":\"Mode\","
    "\"codes\":{\"10\":\"sea\","
    "\"40\":\"air\"}},\"declared\":{\"column\":\"Day\",\"format\":\"%Y-%m-%d\"},\"importer\":{"
    "\"column\":\"Who\","
    "\"prefix\":\"imp-\"},\"net_mass_kg\":{\"column\":\"Grams\",\"scale\":0.001},\"description\":"
    "\"What\","
    "\"currency\":{\"constant\":\"EUR\"}},\"keys\":[{\"scheme\":\"declaration\",\"column\":\"Id\"}]"
    ","
    "\"other\":[{\"name\":\"note\",\"column\":\"Note\"}],"
    "\"labels\":{\"found\":\"Hit\",\"critical\":{\"column\":\"Grave\",\"at_least\":2}}}";

#define HEADER "Id,Mode,Day,Who,Grams,What,Note,Hit,Grave\n"

static struct declaration_csv *open_table(const char *text, bool follow)
{
    char error[CSV_ERROR_BYTES];
    char mapping[256];
    (void)snprintf(mapping, sizeof mapping, "%s", test_file("m.json", mapping_text));
    const struct declaration_csv_conf conf = {.path = test_file("t.csv", text),
                                              .mapping_path = mapping,
                                              .site = "quay",
                                              .lane = "",
                                              .follow = follow};
    struct declaration_csv *table = NULL;
    struct err err = declaration_csv_open(&conf, &table, error);
    if (err_is(err)) {
        fail_msg("%s", error);
    }
    return table;
}

static enum csv_step next(struct declaration_csv *table, struct declaration_row *row)
{
    char error[CSV_ERROR_BYTES];
    enum csv_step step = CSV_END;
    struct err err = declaration_csv_next(table, row, &step, error);
    if (err_is(err)) {
        fail_msg("%s", error);
    }
    return step;
}

static void row_with_every_field_is_mapped(void **state)
{
    (void)state;
    struct declaration_csv *table =
        open_table(HEADER "A1,10,2026-01-05,X9,2500,tea,hi,1,2\n", false);
    struct declaration_row row;
    assert_int_equal(next(table, &row), CSV_ROW);
    const struct declaration *declaration = &row.declaration;
    assert_null(row.problem);
    assert_string_equal(declaration->declaration_id, "A1");
    assert_int_equal(declaration->mode, MODE_SEA);
    assert_string_equal(declaration->site, "quay");
    assert_true(declaration->declared_ns == INT64_C(1767571200) * NS_PER_S);
    assert_string_equal(declaration->importer, "imp-X9");
    assert_string_equal(declaration->seller, "");
    assert_int_equal(declaration->lines_count, 1);
    assert_true(declaration->lines[0].net_mass_kg == 2.5);
    assert_string_equal(declaration->lines[0].currency, "EUR");
    assert_int_equal(declaration->keys_count, 1);
    assert_int_equal(declaration->other_count, 1);
    assert_string_equal(declaration->other[0].value, "hi");
    assert_true(row.labelled && row.found && row.critical);
    assert_int_equal(next(table, &row), CSV_END);
    declaration_csv_close(&table);
}

static void quotes_commas_and_newlines_stay_inside_a_field(void **state)
{
    (void)state;
    struct declaration_csv *table = open_table(
        "\xef\xbb\xbf" HEADER "A1,10,2026-01-05,X,1,\"tea, green\nand \"\"black\"\"\",n,0,1\r\n"
        "\r\nA2,40,2026-01-06,,0,a \"quoted\" word,,1,1",
        false);
    struct declaration_row row;
    assert_int_equal(next(table, &row), CSV_ROW);
    assert_null(row.problem);
    assert_string_equal(row.declaration.lines[0].description, "tea, green\nand \"black\"");
    assert_int_equal(row.line, 2);
    assert_int_equal(row.end_line,
                     3); /* a CR ends the row; its LF is skipped before the next one */
    assert_false(row.found || row.critical);
    assert_int_equal(next(table, &row), CSV_ROW);
    assert_string_equal(row.declaration.declaration_id, "A2");
    assert_string_equal(row.declaration.lines[0].description, "a \"quoted\" word");
    assert_string_equal(row.declaration.importer, "");
    assert_int_equal(row.declaration.other_count, 0);
    assert_int_equal(row.line, 5);
    assert_true(row.found && !row.critical);
    assert_int_equal(next(table, &row), CSV_END);
    declaration_csv_close(&table);
}

static void bad_rows_tell_line_column_and_reason(void **state)
{
    (void)state;
    static const struct {
        const char *row;
        uint32_t column;
        const char *reason;
    } rows[] = {
        {",10,2026-01-05,X,1,t,,0,0\n", 1, "Id: no declaration id"},
        {"A,99,2026-01-05,X,1,t,,0,0\n", 2, "Mode: code is not in the mapping: 99"},
        {"A,,2026-01-05,X,1,t,,0,0\n", 2, "Mode: mode is none of"},
        {"A,10,05.01.2026,X,1,t,,0,0\n", 3, "Day: not a date of the mapping's format: 05.01.2026"},
        {"A,10,,X,1,t,,0,0\n", 3, "Day: no date"},
        {"A,10,1969-12-31,X,1,t,,0,0\n", 3, "Day: date outside 1970 to 2099"},
        {"A,10,2026-01-05,X,12x,t,,0,0\n", 5, "Grams: not a number: 12x"},
        {"A,10,2026-01-05,X,nan,t,,0,0\n", 5, "Grams: not a number: nan"},
        {"A,10,2026-01-05,X,1e999,t,,0,0\n", 5, "Grams: not a number: 1e999"},
        {"A,10,2026-01-05,X,-1,t,,0,0\n", 5, "Grams: negative: -1"},
        {"A,10,2026-01-05\n", 0, "3 fields instead of 9"},
        {"A,10,2026-01-05,X,1,t,,0,0,more\n", 0, "10 fields instead of 9"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[512];
        (void)snprintf(text, sizeof text, HEADER "%sA2,10,2026-01-05,X,1,t,,0,0\n", rows[i].row);
        struct declaration_csv *table = open_table(text, false);
        struct declaration_row row;
        assert_int_equal(next(table, &row), CSV_ROW);
        assert_non_null(row.problem);
        assert_memory_equal(row.problem, rows[i].reason, strlen(rows[i].reason));
        assert_int_equal(row.line, 2);
        assert_int_equal(row.column, rows[i].column);
        assert_int_equal(next(table, &row), CSV_ROW); /* the next row is none the worse */
        assert_null(row.problem);
        declaration_csv_close(&table);
    }
}

static void endless_row_refuses(void **state)
{
    (void)state;
    char *text = malloc(200000);
    (void)strcpy(text, HEADER "A1,10,2026-01-05,X,1,\"never closed\n");
    size_t at = strlen(text);
    memset(text + at, 'x', 199000 - at);
    for (size_t i = at; i < 199000; i += 100) {
        text[i] = '\n';
    }
    text[199000] = '\0';
    struct declaration_csv *table = open_table(text, false);
    struct declaration_row row;
    enum csv_step step;
    char error[CSV_ERROR_BYTES];
    assert_int_equal(declaration_csv_next(table, &row, &step, error).code, ERR_TABLE_UNREADABLE);
    assert_non_null(strstr(error, "line 2: row is longer"));
    declaration_csv_close(&table);
    free(text);
}

static void file_ending_inside_a_quote_refuses(void **state)
{
    (void)state;
    struct declaration_csv *table = open_table(HEADER "A1,10,2026-01-05,X,1,\"tea", false);
    struct declaration_row row;
    enum csv_step step;
    char error[CSV_ERROR_BYTES];
    assert_int_equal(declaration_csv_next(table, &row, &step, error).code, ERR_TABLE_UNREADABLE);
    assert_non_null(strstr(error, "quoted field"));
    declaration_csv_close(&table);
}

static void followed_table_waits_for_the_end_of_the_row(void **state)
{
    (void)state;
    struct declaration_csv *table =
        open_table(HEADER "A1,10,2026-01-05,X,1,t,,0,0\nA2,10,2026-", true);
    struct declaration_row row;
    assert_int_equal(next(table, &row), CSV_ROW);
    uint64_t offset = row.end_offset, line = row.end_line;
    assert_int_equal(next(table, &row), CSV_WAIT);
    FILE *file = fopen(test_path("t.csv"), "ab");
    assert_non_null(file);
    assert_true(fputs("01-06,X,1,t,,0,0\nA3,40,2026-01-07,X,1,t,,0,0\n", file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(next(table, &row), CSV_ROW);
    assert_string_equal(row.declaration.declaration_id, "A2");
    assert_null(row.problem);
    assert_int_equal(row.line, 3);
    assert_false(err_is(declaration_csv_seek(table, offset, line))); /* as after a restart */
    assert_int_equal(next(table, &row), CSV_ROW);
    assert_string_equal(row.declaration.declaration_id, "A2");
    assert_int_equal(row.line, 3);
    assert_int_equal(next(table, &row), CSV_ROW);
    assert_string_equal(row.declaration.declaration_id, "A3");
    assert_int_equal(next(table, &row), CSV_WAIT);
    assert_true(err_is(declaration_csv_seek(table, 1 << 20, 1)));
    declaration_csv_close(&table);
}

static void bad_mappings_refuse_by_reason(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *reason;
    } rows[] = {
        {"[", "']' expected"},
        {"{\"fields\":{\"declaration_id\":\"Id\",\"orgin\":\"x\"}}", "orgin: no such field"},
        {"{\"fields\":{\"mode\":\"x\"}}", "declaration_id: must come from a column"},
        {"{\"fields\":{\"declaration_id\":\"Id\",\"mode\":{\"codes\":{}}}}",
         "either a column or a constant"},
        {"{\"fields\":{\"declaration_id\":\"Id\"},\"keys\":[{\"scheme\":\"imei\",\"column\":\"x\"}]"
         "}",
         "imei: no such"},
        {"{\"fields\":{\"declaration_id\":\"Id\"},\"surprise\":1}", "surprise: no such section"},
        {"{\"fields\":{\"declaration_id\":\"Id\",\"value\":\"Hit\"},\"labels\":{\"found\":\"Hit\"}"
         "}",
         "never sent"},
        {"{\"fields\":{\"declaration_id\":\"Id\"},\"other\":[{\"name\":\"h\",\"column\":\"Hit\"}],"
         "\"labels\":{\"critical\":\"Hit\"}}",
         "never sent"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct declaration_mapping *mapping = NULL;
        char error[MAPPING_ERROR_BYTES];
        assert_int_equal(
            declaration_mapping_open(test_file("bad.json", rows[i].text), &mapping, error).code,
            ERR_TABLE_UNREADABLE);
        assert_null(mapping);
        if (strstr(error, rows[i].reason) == NULL) {
            fail_msg("%s instead of %s", error, rows[i].reason);
        }
    }
}

/* More names than there is room for: as many as there is, and that there are more. */
static void missing_columns_without_room_are_told(void **state)
{
    (void)state;
    char error[CSV_ERROR_BYTES], mapping[256], text[4096];
    int used = snprintf(text, sizeof text,
                        "{\"format\":\"t\",\"fields\":{\"declaration_id\":\"Id\"},\"other\":[");
    for (int i = 0; i < 20; i++) {
        used += snprintf(
            text + used, sizeof text - (size_t)used,
            "%s{\"name\":\"n%d\",\"column\":\"a column of some forty characters, number %02d\"}",
            i > 0 ? "," : "", i, i);
    }
    (void)snprintf(text + used, sizeof text - (size_t)used, "]}");
    (void)snprintf(mapping, sizeof mapping, "%s", test_file("m.json", text));
    struct declaration_csv_conf conf = {.path = test_file("t.csv", "Id,Day\n"),
                                        .mapping_path = mapping,
                                        .lenient = true,
                                        .site = "q",
                                        .lane = ""};
    struct declaration_csv *table = NULL;
    assert_int_equal(declaration_csv_open(&conf, &table, error).code, ERR_NONE);
    const char *missing = declaration_csv_missing(table);
    size_t length = strlen(missing);
    assert_true(length > 400 && length < MAPPING_MISSING_BYTES);
    assert_string_equal(missing + length - 6, "\", ...");
    const char *first = strstr(missing, ", ...");
    assert_true(first == missing + length - 5);
    declaration_csv_close(&table);
}

static void missing_column_refuses_and_missing_label_does_not(void **state)
{
    (void)state;
    char error[CSV_ERROR_BYTES], mapping[256];
    (void)snprintf(mapping, sizeof mapping, "%s", test_file("m.json", mapping_text));
    struct declaration_csv_conf conf = {.path = test_file("t.csv", "Id,Mode,Day,Who,Grams,What\n"),
                                        .mapping_path = mapping,
                                        .site = "q",
                                        .lane = ""};
    struct declaration_csv *table = NULL;
    assert_int_equal(declaration_csv_open(&conf, &table, error).code, ERR_TABLE_UNREADABLE);
    assert_non_null(strstr(error, "no column \"Note\""));
    conf.lenient = true;
    assert_int_equal(declaration_csv_open(&conf, &table, error).code, ERR_NONE);
    assert_string_equal(declaration_csv_missing(table), "\"Note\"");
    declaration_csv_close(&table);
    /* A name within another's is named too. */
    (void)snprintf(mapping, sizeof mapping, "%s",
                   test_file("m.json", "{\"format\":\"t\",\"fields\":{\"declaration_id\":\"Id\","
                                       "\"importer\":\"Importer Code\",\"description\":\"Code\","
                                       "\"seller\":\"Importer Code\"}}"));
    conf.path = test_file("t.csv", "Id,Day\n");
    assert_int_equal(declaration_csv_open(&conf, &table, error).code, ERR_NONE);
    assert_string_equal(declaration_csv_missing(table), "\"Importer Code\", \"Code\"");
    declaration_csv_close(&table);
    (void)snprintf(mapping, sizeof mapping, "%s", test_file("m.json", mapping_text));
    conf.path = test_file("t.csv", "Ident,Mode,Day,Who,Grams,What\n");
    assert_int_equal(declaration_csv_open(&conf, &table, error).code, ERR_TABLE_UNREADABLE);
    assert_non_null(strstr(error, "no column \"Id\""));
    conf.lenient = false;
    conf.path = test_file("t.csv", "Id,Mode,Day,Who,Grams,What,Note\nA,10,2026-01-05,X,1,t,n\n");
    assert_false(err_is(declaration_csv_open(&conf, &table, error)));
    struct declaration_row row;
    assert_int_equal(next(table, &row), CSV_ROW);
    assert_false(row.labelled || row.found);
    declaration_csv_close(&table);
}

/* What is built in is what is installed; and labels that nobody may look at are not there. */
static void default_mapping_is_the_installed_one_and_blind_reading_sees_no_label(void **state)
{
    (void)state;
    static const char table_text[] =
        "Declaration ID,Date,Office ID,Process Type,Import Type,Import Use,Payment Type,Mode of "
        "Transport,Declarant ID,Importer ID,Seller ID,Courier ID,HS6 Code,Country of Departure,"
        "Country of Origin,Tax Rate,Tax Type,Country of Origin Indicator,Net Mass,Item Price,Fraud,"
        "Critical Fraud\n"
        "7,2021-01-01,40,B,11,21,43,40,D,I,S,C,760711,CN,BR,7.2,FCN1,E,901.2,41.5,1,2\n";
    char path[256];
    char *lines[2];
    (void)snprintf(path, sizeof path, "%s", test_file("t.csv", table_text));
    for (int own = 0; own < 2; own++) {
        const struct declaration_csv_conf conf = {
            .path = path,
            .mapping_path = own ? SOURCE_DIR "/config/mappings/customs-import.json" : NULL,
            .site = "",
            .lane = "",
            .blind = own == 1};
        struct declaration_csv *table = NULL;
        char error[CSV_ERROR_BYTES];
        struct declaration_row row;
        assert_false(err_is(declaration_csv_open(&conf, &table, error)));
        assert_int_equal(next(table, &row), CSV_ROW);
        assert_null(row.problem);
        assert_true(row.labelled == (own == 0) && row.found == (own == 0) &&
                    row.critical == (own == 0));
        lines[own] = record_json_declaration(&row.declaration);
        declaration_csv_close(&table);
    }
    assert_string_equal(lines[0], lines[1]);
    assert_non_null(strstr(lines[0], "transport_mode"));
    record_json_free(&lines[0]);
    record_json_free(&lines[1]);
}

static void label_that_is_no_number_is_none(void **state)
{
    (void)state;
    static const char *const labels[] = {"nan", "NaN", "-nan", "inf", "-INF", "1e999", "", "yes"};
    struct declaration_row row;
    for (size_t i = 0; i < sizeof labels / sizeof labels[0]; i++) {
        char text[128];
        (void)snprintf(text, sizeof text, HEADER "A1,10,2026-01-05,X9,2500,tea,hi,%s,%s\n",
                       labels[i], labels[i]);
        struct declaration_csv *table = open_table(text, false);
        assert_true(declaration_csv_is_dated(table));
        assert_int_equal(next(table, &row), CSV_ROW);
        assert_false(row.labelled || row.found || row.critical);
        declaration_csv_close(&table);
    }
}

static void real_declarations_read_without_a_label_in_any_record(void **state)
{
    (void)state;
    const char *path = test_shared("declarations/valid.csv");
    if (path == NULL) {
        skip();
    }
    const struct declaration_csv_conf conf = {.path = path,
                                              .mapping_path =
                                                  SOURCE_DIR "/config/mappings/customs-import.json",
                                              .site = "port-1",
                                              .lane = ""};
    struct declaration_csv *table = NULL;
    char error[CSV_ERROR_BYTES];
    assert_false(err_is(declaration_csv_open(&conf, &table, error)));
    struct declaration_row row;
    uint64_t rows = 0, found = 0, critical = 0, air = 0;
    while (next(table, &row) == CSV_ROW) {
        assert_null(row.problem);
        assert_true(row.labelled);
        rows++;
        found += row.found;
        critical += row.critical;
        air += row.declaration.mode == MODE_AIR;
        char *line = record_json_declaration(&row.declaration);
        assert_non_null(line);
        assert_null(strcasestr(line, "fraud"));
        record_json_free(&line);
        uint8_t bytes[RECORD_BODY_BYTES_MAX];
        assert_true(declaration_encode(&row.declaration, bytes, sizeof bytes) <= sizeof bytes);
    }
    /* The figures of the data set's own description. */
    assert_int_equal(rows, 8134);
    assert_int_equal(found, 1704);
    assert_int_equal(critical, 78);
    assert_true(air > 3000);
    declaration_csv_close(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(row_with_every_field_is_mapped),
        cmocka_unit_test(quotes_commas_and_newlines_stay_inside_a_field),
        cmocka_unit_test(bad_rows_tell_line_column_and_reason),
        cmocka_unit_test(endless_row_refuses),
        cmocka_unit_test(file_ending_inside_a_quote_refuses),
        cmocka_unit_test(followed_table_waits_for_the_end_of_the_row),
        cmocka_unit_test(bad_mappings_refuse_by_reason),
        cmocka_unit_test(missing_columns_without_room_are_told),
        cmocka_unit_test(missing_column_refuses_and_missing_label_does_not),
        cmocka_unit_test(default_mapping_is_the_installed_one_and_blind_reading_sees_no_label),
        cmocka_unit_test(label_that_is_no_number_is_none),
        cmocka_unit_test(real_declarations_read_without_a_label_in_any_record),
    };
    return cmocka_run_group_tests(tests, test_folder_open, test_folder_close);
}
