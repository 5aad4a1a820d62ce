/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/feeds/feeds_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "feeds/marks.h"

#define assert_good(expression) assert_int_equal((expression).code, ERR_NONE)

static struct marks_box boxes[MARKS_BOXES_MAX];
static char why[MARKS_WHY_BYTES];

static struct err decode(const char *text, uint32_t *count)
{
    return marks_decode((const uint8_t *)text, strlen(text), 100, 80, boxes, count, why);
}

#define BOX(xmin, ymin, xmax, ymax)                                                       \
    "<object><name>a</name><bndbox><xmin>" xmin "</xmin><xmax>" xmax "</xmax><ymin>" ymin \
    "</ymin><ymax>" ymax "</ymax></bndbox></object>"
#define VOC(inside)                                                                       \
    "<annotation><folder/><size><width>100</width><height>80</height></size>" inside "</" \
    "annotation>"

static void boxes_of_a_voc_file_are_read(void **state)
{
    (void)state;
    uint32_t count = 9;
    assert_good(decode(VOC(BOX("1", "2", "30.5", "40") BOX(" 90 ", "70", "130", "90")), &count));
    assert_int_equal(count, 2);
    assert_true(boxes[0].left == 1 && boxes[0].top == 2);
    assert_true(boxes[0].right == 30.5 && boxes[0].bottom == 40);
    assert_true(boxes[1].right == 100 && boxes[1].bottom == 80); /* cut to the picture */
    assert_good(decode(VOC(""), &count));
    assert_int_equal(count, 0);
    /* Parts of objects have boxes of their own in some sets; a size of 0 is not known. */
    assert_good(decode("<?xml version=\"1.0\"?><annotation><size><width>0</width></size>"
                       "<object><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>5</xmax><ymax>6</ymax>"
                       "</bndbox></object></annotation>",
                       &count));
    assert_int_equal(count, 1);
}

/* One thing wrong -> the words that name it. */
static void a_broken_voc_file_is_refused_by_name(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *why;
    } rows[] = {
        {"", "no element"},
        {"<annotation>", "no element"},
        {"<html></html>", "not a Pascal-VOC"},
        {"\x89PNG\r\n", "not well-formed"},
        {VOC(BOX("x", "2", "30", "40")), "a number that is none"},
        {VOC(BOX("", "2", "30", "40")), "a number that is none"},
        {VOC(BOX("nan", "2", "30", "40")), "a number that is none"},
        {VOC(BOX("inf", "2", "30", "40")), "a number that is none"},
        {VOC(BOX("0x10", "2", "30", "40")), "a number that is none"},
        {VOC(BOX("1e300", "2", "30", "40")), "a number that is none"},
        {VOC(BOX("1 2", "2", "30", "40")), "a number that is none"},
        {VOC(BOX("1111111111111111111111111111111111", "2", "30", "40")), "a number that is none"},
        {VOC(BOX("30", "2", "30", "40")), "without an area"},
        {VOC(BOX("30", "2", "20", "40")), "without an area"},
        {VOC(BOX("130", "2", "150", "40")), "outside the picture"},
        {VOC(BOX("-30", "-20", "-1", "-2")), "outside the picture"},
        {VOC("<object><bndbox><xmin>1</xmin></bndbox></object>"), "a side missing"},
        {"<annotation><size><width>99</width><height>80</height></size></annotation>",
         "another size"},
        {"<!DOCTYPE annotation [<!ENTITY a \"1\">]><annotation>&a;</annotation>",
         "a document type"},
        {"<!DOCTYPE annotation SYSTEM \"file:///etc/passwd\"><annotation/>", "a document type"},
        {"<annotation>&undefined;</annotation>", "undefined entity"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint32_t count = 7;
        struct err err = decode(rows[i].text, &count);
        if (err.code != ERR_TABLE_UNREADABLE || strstr(why, rows[i].why) == NULL) {
            fail_msg("%s: %s", rows[i].text, why);
        }
        assert_int_equal(count, 7);
    }
}

static void a_voc_file_without_end_is_refused(void **state)
{
    (void)state;
    uint32_t count;
    static char text[300000];
    char *at = text;
    for (int i = 0; i < 40; i++) { /* nested */
        at = stpcpy(at, "<annotation>");
    }
    assert_int_equal(decode(text, &count).code, ERR_TABLE_UNREADABLE);
    assert_non_null(strstr(why, "nested deeper"));
    at = stpcpy(text, "<annotation>");
    for (uint32_t i = 0; i <= MARKS_BOXES_MAX; i++) {
        at = stpcpy(at, BOX("1", "2", "30", "40"));
    }
    stpcpy(at, "</annotation>");
    assert_int_equal(decode(text, &count).code, ERR_TABLE_UNREADABLE);
    assert_non_null(strstr(why, "more boxes"));
    assert_int_equal(marks_decode((const uint8_t *)text, (size_t)MARKS_FILE_BYTES_MAX + 1, 100, 80,
                                  boxes, &count, why)
                         .code,
                     ERR_TABLE_UNREADABLE);
}

/* Every beginning of a good file is refused, and nothing of it is given out. */
static void a_cut_voc_file_is_refused_everywhere(void **state)
{
    (void)state;
    const char *text = VOC(BOX("1", "2", "30", "40"));
    for (size_t bytes = 0; bytes < strlen(text); bytes++) {
        uint32_t count = 3;
        struct err err = marks_decode((const uint8_t *)text, bytes, 100, 80, boxes, &count, why);
        assert_int_equal(err.code, ERR_TABLE_UNREADABLE);
        assert_int_equal(count, 3);
    }
}

static char path[128];

static void write_table(const char *text)
{
    (void)snprintf(path, sizeof path, "%s/marks.csv", test_folder);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void boxes_of_a_table_are_found_by_image(void **state)
{
    (void)state;
    struct marks *marks = NULL;
    uint32_t count;
    write_table("y,image,height,x,width\n2,b.png,10,1,20\n70,a.png,50,90,40\n5,b.png,4,3,2\n"
                ",c.png,,,\n");
    assert_good(marks_open(path, &marks, why));
    assert_good(marks_of(marks, "b.png", 100, 80, boxes, &count, why));
    assert_int_equal(count, 2);
    assert_true(boxes[0].left == 1 && boxes[0].top == 2);
    assert_true(boxes[0].right == 21 && boxes[0].bottom == 12);
    assert_true(boxes[1].left == 3 && boxes[1].bottom == 9);
    assert_good(marks_of(marks, "a.png", 100, 80, boxes, &count, why));
    assert_true(count == 1 && boxes[0].right == 100 && boxes[0].bottom == 80);
    assert_good(marks_of(marks, "c.png", 100, 80, boxes, &count, why));
    assert_int_equal(count, 0);
    assert_int_equal(marks_of(marks, "d.png", 100, 80, boxes, &count, why).code, ERR_NOT_FOUND);
    assert_int_equal(marks_of(marks, "a.png", 80, 80, boxes, &count, why).code,
                     ERR_TABLE_UNREADABLE);
    assert_non_null(strstr(why, "outside"));
    marks_close(&marks);
}

static void a_broken_table_is_refused_by_name(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"image,x,y,width\na,1,2,3\n", "image,x,y,width,height"},
        {"image,x,y,width,height\na,1,2,3,q\n", "line 2: a number"},
        {"image,x,y,width,height\na,1,2,3,4\nb,1,2,0,4\n", "line 3: a box without an area"},
        {"image,x,y,width,height\na,1,2\n", "line 2: a column"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct marks *marks = NULL;
        write_table(rows[i][0]);
        assert_int_equal(marks_open(path, &marks, why).code, ERR_TABLE_UNREADABLE);
        assert_null(marks);
        if (strstr(why, rows[i][1]) == NULL) {
            fail_msg("%s: %s", rows[i][0], why);
        }
    }
    struct marks *marks = NULL;
    assert_int_equal(marks_open("/nonexistent/marks", &marks, why).code, ERR_IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(boxes_of_a_voc_file_are_read),
        cmocka_unit_test(a_broken_voc_file_is_refused_by_name),
        cmocka_unit_test(a_voc_file_without_end_is_refused),
        cmocka_unit_test(a_cut_voc_file_is_refused_everywhere),
        cmocka_unit_test(boxes_of_a_table_are_found_by_image),
        cmocka_unit_test(a_broken_table_is_refused_by_name),
    };
    return cmocka_run_group_tests(tests, test_folder_open, test_folder_close);
}
