/* SPDX-License-Identifier: Apache-2.0 */
/* triagectl model train declarations, score and evaluate, as a person runs them. */
#include "program.h"

#include "kernels/rng.h"

#define LABELLESS                                                                             \
    "Declaration ID,Date,Office ID,Process Type,Import Type,Import Use,Payment Type,Mode of " \
    "Transport,Declarant ID,Importer ID,Seller ID,Courier ID,HS6 Code,Country of Departure,"  \
    "Country of Origin,Tax Rate,Tax Type,Country of Origin Indicator,Net Mass,Item Price"
#define HEADER LABELLESS ",Fraud,Critical Fraud\n"
#define GOOD "40,B,11,21,11,10,D1,I7,S1,,610910,CN,CN,8.0,A,Y,12.5,310"

static char model[160];

/* labels: 'r' right, 'w' the other way round, 'n' no such columns. */
static void write_table(const char *name, unsigned from, unsigned to, char labels)
{
    FILE *file = create(name);
    fputs(labels == 'n' ? LABELLESS "\n" : HEADER, file);
    for (unsigned i = from; i < to; i++) {
        struct rng rng;
        rng_init(&rng, 9, i);
        unsigned importer = (unsigned)rng_below(&rng, 100);
        int found = rng_uniform(&rng) < (importer % 5 == 0 ? 0.8 : 0.05);
        fprintf(file, "%u,2025-%02u-%02u,40,B,11,21,11,10,D%u,I%u,S%u,,%u,CN,CN,8.0,A,Y,%u.5,%u", i,
                i / 280 % 12 + 1, i % 280 / 10 + 1, importer % 7, importer, importer % 13,
                610910 + (unsigned)rng_below(&rng, 4) * 1000, (unsigned)rng_below(&rng, 900),
                100 + (unsigned)rng_below(&rng, 9000));
        if (labels != 'n') {
            found = labels == 'w' ? !found : found;
            fprintf(file, ",%d,%d", found, found && i % 3 == 0 ? 2 : 0);
        }
        fputc('\n', file);
    }
    fclose(file);
}

static int set_up(void **unused)
{
    (void)unused;
    workplace_make();
    write_table("past.csv", 0, 2240, 'r');
    write_table("later.csv", 2240, 3000, 'r');
    if (run("model train declarations --declarations past.csv --out m --json") != 0) {
        return -1;
    }
    json_t *json = said_json();
    snprintf(model, sizeof model, "%s", json_string_value(json_object_get(json, "path")));
    json_decref(json);
    return 0;
}

static int tear_down(void **unused)
{
    (void)unused;
    workplace_remove();
    return 0;
}

static void scores_do_not_depend_on_labels(void **unused)
{
    (void)unused;
    write_table("wrong.csv", 2240, 3000, 'w');
    write_table("none.csv", 2240, 3000, 'n');
    static const char *const tables[] = {"later", "wrong", "none"};
    char *first = NULL;
    for (int i = 0; i < 3; i++) {
        char out[32];
        assert_int_equal(run("model score --model %s --declarations %s.csv --out %s.out "
                             "--details --reasons 3",
                             model, tables[i], tables[i]),
                         0);
        snprintf(out, sizeof out, "%s.out", tables[i]);
        char *text = read_file(out);
        if (i == 0) {
            first = text;
            assert_non_null(strstr(first, "declaration_id,score,logit,lower,upper,critical,"
                                          "data_quality,reason_1,reason_2,reason_3\n2240,"));
            assert_non_null(strstr(first, " exams since "));
        } else {
            assert_string_equal(first, text);
            free(text);
        }
    }
    free(first);
}

static void every_row_has_a_score_whatever_is_in_it(void **unused)
{
    (void)unused;
    static const char *const rows[] = {
        "a1,2025-12-01," GOOD ",0,0",
        "a2,2041-03-01," GOOD ",0,0",
        "a3,2199-03-01," GOOD ",0,0",
        "a4,someday," GOOD ",0,0",
        "a5,2025-12-01,40,B,11,21,11,77,D1,I7,S1,,610910,CN,CN,8.0,A,Y,12.5,310,0,0",
        "a6,2025-12-01,40,B,11,21,11,10,D1,I7,S1,,610910,CN,CN,8.0,A,Y,-12.5,1e400,0,0",
        "a7,2025-12-01,40,B,11,21,11,10,D1,I7,S1,,610910,CN,CN,8.0,A,Y,nan,1e15,0,0",
        "a8,2025-12-01,,,,,,,,,,,,,,,,,,,,",
        "a9,2025-12-01,40",
        "a10,2025-12-01,40,B,11,21,11,10,D1,M\xfcller,S1,,610910,CN,CN,8.0,A,Y,12.5,310,0,0",
        "a11,2025-12-01,40,B,11,21,11,10,D1,I7,S1,,ABCDEF,Q?,ZZ,8.0,A,Y,12.5,310,x,y",
        "\"a,\"\"12\"\"\",2025-12-01," GOOD ",0,0",
        ",2025-12-01," GOOD ",0,0",
    };
    enum { ROWS = sizeof rows / sizeof rows[0] };
    FILE *file = create("odd.csv");
    fputs("\xef\xbb\xbf" HEADER, file);
    for (int i = 0; i < ROWS; i++) {
        fprintf(file, "%s%s", rows[i], i % 2 == 0 ? "\r\n" : "\n");
    }
    fclose(file);
    assert_int_equal(
        run("model score --model %s --declarations odd.csv --out odd.out --reasons 1", model), 0);
    char *text = read_file("odd.out");
    char *rest = text;
    char *lines[ROWS + 2];
    int count = 0;
    for (char *line; (line = strsep(&rest, "\n")) != NULL && line[0] != '\0';) {
        assert_true(count < ROWS + 1);
        lines[count++] = line;
    }
    assert_int_equal(count, ROWS + 1);
    double plain = atof(strchr(lines[1], ',') + 1);
    for (int i = 1; i < count; i++) {
        const char *score = i == 12 ? strstr(lines[i], "\"\"\",") + 4 : strchr(lines[i], ',') + 1;
        assert_true(atof(score) > 0 && atof(score) < 1);
    }
    /* The date is no input, so a date of one's own choosing moves nothing. */
    assert_true(atof(strchr(lines[3], ',') + 1) == plain);
    assert_non_null(strstr(lines[2], "date far from all"));
    assert_non_null(strstr(lines[3], "date outside 1970 to 2099: 2199-03-01"));
    assert_non_null(strstr(lines[4], "not a date"));
    assert_non_null(strstr(lines[5], "code is not in the mapping: 77"));
    assert_non_null(strstr(lines[6], "Net Mass: negative: -12.5"));
    assert_non_null(strstr(lines[7], "Net Mass: not a number: nan"));
    assert_non_null(strstr(lines[7], "absurd value"));
    assert_non_null(strstr(lines[8], "no importer; no seller"));
    assert_non_null(strstr(lines[9], "3 fields instead of 22"));
    assert_non_null(strstr(lines[10], "text is not UTF-8"));
    assert_non_null(strstr(lines[11], "HS code has less than six digits"));
    assert_non_null(strstr(lines[11], "never seen before"));
    assert_ptr_equal(strstr(lines[12], "\"a,\"\"12\"\"\","), lines[12]);
    assert_non_null(strstr(lines[13], "no declaration id"));
    free(text);
}

static double figure(json_t *json, const char *subset, const char *name)
{
    json_t *of = json_object_get(json_object_get(json, subset), name);
    assert_non_null(of);
    return json_number_value(json_is_object(of) ? json_object_get(of, "value") : of);
}

static void evaluation_ranks_calibrates_and_draws(void **unused)
{
    (void)unused;
    assert_int_equal(
        run("model evaluate --model %s --declarations later.csv --png r.png --json", model), 0);
    json_t *json = said_json();
    assert_int_equal((int)figure(json, "all", "rows"), 760);
    assert_true(figure(json, "all", "precision_10") > 0.6);
    assert_true(figure(json, "all", "calibration_error") < 0.08);
    double before = figure(json, "all", "auc");
    json_decref(json);
    char *png = read_file("r.png");
    assert_memory_equal(png, "\x89PNG", 4);
    free(png);
    write_table("wrong.csv", 2240, 3000, 'w');
    assert_int_equal(run("model evaluate --model %s --declarations wrong.csv --json", model), 0);
    json = said_json();
    assert_true(before > 0.75 && figure(json, "all", "auc") < 0.25);
    json_decref(json);
    write_table("none.csv", 2240, 3000, 'n');
    assert_int_equal(run("model evaluate --model %s --declarations none.csv", model), 1);
}

static void wrong_use_and_wrong_files_are_told(void **unused)
{
    (void)unused;
    assert_int_equal(run("model score --model %s", model), 2);
    assert_int_equal(run("model train declarations --declarations past.csv"), 2);
    assert_int_equal(run("model train declarations --declarations past.csv --out m "
                         "--leave-out history.nobody"),
                     2);
    static const char *const verbs[] = {"score --out x", "evaluate", "train declarations --out x"};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(run("model %s %s%s --declarations past.csv --mode bogus", verbs[i],
                             i < 2 ? "--model " : "", i < 2 ? model : ""),
                         2);
        assert_says("mail, not bogus");
    }
    assert_int_equal(run("model score --model past.csv --declarations past.csv --out x"), 1);
    assert_int_equal(run("model score --model %s --declarations nowhere.csv --out x", model), 1);
    FILE *file = create("short.csv");
    fputs("Declaration ID,Date\n1,2025-01-01\n", file);
    fclose(file);
    assert_int_equal(run("model score --model %s --declarations short.csv --out x", model), 1);
    assert_says("the table has no column");
    assert_int_equal(run("model train declarations --declarations later.csv --validate past.csv "
                         "--out m"),
                     1);
    assert_says("not later");
}

static void labelled_rows_of_the_future_are_left_out_and_told(void **unused)
{
    (void)unused;
    char evaluations[2][1024];
    char *past = read_file("past.csv");
    FILE *file = create("mistyped.csv");
    fprintf(file, "%sz1,2091-03-01," GOOD ",1,2\nz2,2092-03-01," GOOD ",0,0\n", past);
    fclose(file);
    free(past);
    static const char *const tables[2] = {"past.csv", "mistyped.csv"};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(
            run("model train declarations --declarations %s --out f --json", tables[i]), 0);
        json_t *json = said_json();
        snprintf(evaluations[i], sizeof evaluations[i], "%s",
                 json_string_value(json_object_get(json, "evaluation")));
        json_decref(json);
    }
    assert_says("mistyped.csv:2242: labelled, but dated in the future; "
                "2 such rows are not learnt");
    /* The files differ in the secret of their digests, which comes from the whole table. */
    assert_string_equal(evaluations[0], evaluations[1]);
}

static void table_without_dates_teaches_nothing(void **unused)
{
    (void)unused;
    FILE *file = create("undated.json");
    fputs("{\"format\":\"t\",\"fields\":{\"declaration_id\":\"Declaration ID\",\"mode\":"
          "{\"constant\":\"sea\"},\"hs_code\":\"HS6 Code\"},\"labels\":{\"found\":\"Fraud\"}}",
          file);
    fclose(file);
    assert_int_equal(run("model train declarations --declarations past.csv --mapping undated.json "
                         "--out u"),
                     1);
    assert_says("past.csv: the mapping names no column for \"declared\"");
}

static void validation_alone_cannot_be_kept_out(void **unused)
{
    (void)unused;
    FILE *file = create("empty.csv");
    fputs(HEADER, file);
    fclose(file);
    assert_int_equal(run("model train declarations --declarations empty.csv --validate later.csv "
                         "--keep-validate-out --out e"),
                     1);
    assert_says("no training rows, and the validation rows are kept out");
}

static void validation_is_judged_by_a_model_that_has_not_seen_it(void **unused)
{
    (void)unused;
    assert_int_equal(run("model train declarations --declarations past.csv --validate later.csv "
                         "--keep-validate-out --out k --json"),
                     0);
    json_t *json = said_json();
    assert_int_equal((int)figure(json, "later", "rows"), 760);
    double told = figure(json, "later", "auc");
    char kept[160];
    snprintf(kept, sizeof kept, "%s", json_string_value(json_object_get(json, "path")));
    json_decref(json);
    /* The file that is written scores those rows as the report said. */
    assert_int_equal(run("model evaluate --model %s --declarations later.csv --json", kept), 0);
    json = said_json();
    double seen = figure(json, "all", "auc");
    assert_true(seen - told < 0.001 && told - seen < 0.001);
    json_decref(json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scores_do_not_depend_on_labels),
        cmocka_unit_test(every_row_has_a_score_whatever_is_in_it),
        cmocka_unit_test(evaluation_ranks_calibrates_and_draws),
        cmocka_unit_test(wrong_use_and_wrong_files_are_told),
        cmocka_unit_test(labelled_rows_of_the_future_are_left_out_and_told),
        cmocka_unit_test(table_without_dates_teaches_nothing),
        cmocka_unit_test(validation_alone_cannot_be_kept_out),
        cmocka_unit_test(validation_is_judged_by_a_model_that_has_not_seen_it),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
