/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/feeds/feeds_test.h"

#include "base/clock.h"
#include "feeds/image_folder.h"
#include "feeds/image_sidecar.h"
#include "feeds/sent_list.h"
#include "picture/picture.h"

static void make_png(const char *name, uint16_t value)
{
    uint16_t pixels[6] = {value, 1, 2, 3, 4, 5};
    assert_false(err_is(picture_write_png(test_path(name), (const uint8_t *)pixels, 3, 2, 1, 16)));
}

static struct image_folder_conf conf_of(void)
{
    return (struct image_folder_conf){.directory = test_folder,
                                      .pixels_max = 1000,
                                      .mode = MODE_SEA,
                                      .site = "quay",
                                      .lane = "2",
                                      .scanner = "s1",
                                      .scanner_type = "container-portal"};
}

static struct image_folder *open_folder(const struct image_folder_conf *conf)
{
    struct image_folder *folder = NULL;
    char why[FOLDER_WHY_BYTES];
    if (err_is(image_folder_open(conf, &folder, why))) {
        fail_msg("%s", why);
    }
    return folder;
}

static void clear_folder(void)
{
    assert_int_equal(test_folder_close(NULL), 0);
    assert_int_equal(mkdir(test_folder, 0700), 0);
}

static void pairs_are_one_scan_and_names_are_sorted(void **state)
{
    (void)state;
    clear_folder();
    make_png("b_high.png", 2);
    make_png("b_low.png", 1);
    make_png("c_high.png", 3); /* alone: a scan of its own */
    make_png("a.png", 4);
    (void)test_file("notes.txt", "no image");
    (void)test_file(".hidden.png", "no image either");
    struct image_folder_conf conf = conf_of();
    struct image_folder *folder = open_folder(&conf);
    assert_int_equal(image_folder_count(folder), 3);
    assert_string_equal(image_folder_name(folder, 0), "a.png");
    assert_string_equal(image_folder_name(folder, 1), "b_low.png");
    assert_string_equal(image_folder_name(folder, 2), "c_high.png");
    struct folder_scan *scan = NULL;
    char why[FOLDER_WHY_BYTES];
    assert_false(err_is(image_folder_read(folder, 1, &scan, why)));
    assert_int_equal(scan->scan.images_count, 2);
    assert_int_equal(scan->images[0].energy, ENERGY_LOW);
    assert_int_equal(scan->images[1].energy, ENERGY_HIGH);
    assert_int_equal(((const uint16_t *)scan->pixels[0])[0], 1);
    assert_int_equal(((const uint16_t *)scan->pixels[1])[0], 2);
    assert_int_equal(scan->images[0].meaning, PIXEL_DISPLAY);
    assert_int_equal(scan->scan.mode, MODE_SEA);
    assert_string_equal(scan->scan.site, "quay");
    assert_memory_equal(scan->scan.scan_id, "b-", 2);
    assert_int_equal(strlen(scan->scan.scan_id), 2 + 12);
    folder_scan_close(&scan);
    image_folder_close(&folder);
}

static void scan_id_follows_the_pixels(void **state)
{
    (void)state;
    clear_folder();
    char ids[3][80], why[FOLDER_WHY_BYTES];
    for (int i = 0; i < 3; i++) {
        make_png("x.png", i == 1 ? 9 : 8);
        struct image_folder_conf conf = conf_of();
        struct image_folder *folder = open_folder(&conf);
        struct folder_scan *scan = NULL;
        assert_false(err_is(image_folder_read(folder, 0, &scan, why)));
        (void)snprintf(ids[i], sizeof ids[i], "%s", scan->scan.scan_id);
        folder_scan_close(&scan);
        image_folder_close(&folder);
    }
    assert_string_equal(ids[0], ids[2]);
    assert_string_not_equal(ids[0], ids[1]);
}

static void lists_and_every_split_the_folder_without_overlap(void **state)
{
    (void)state;
    clear_folder();
    char name[16];
    for (uint16_t i = 0; i < 9; i++) {
        (void)snprintf(name, sizeof name, "n%u.png", i);
        make_png(name, i);
    }
    unsigned seen[9] = {0};
    for (uint32_t offset = 0; offset < 2; offset++) {
        struct image_folder_conf conf = conf_of();
        conf.every = 2;
        conf.offset = offset;
        struct image_folder *folder = open_folder(&conf);
        assert_int_equal(image_folder_count(folder), offset == 0 ? 5 : 4);
        for (uint32_t i = 0; i < image_folder_count(folder); i++) {
            seen[image_folder_name(folder, i)[1] - '0']++;
        }
        image_folder_close(&folder);
    }
    for (int i = 0; i < 9; i++) {
        assert_int_equal(seen[i], 1);
    }
    struct image_folder_conf conf = conf_of();
    conf.list_path = test_file("list.txt", "# chosen\nn3.png\nn1.png\r\nn7.png\nnowhere.png\n");
    conf.skip_list_path = test_file("skip.txt", "n7.png");
    struct image_folder *folder = open_folder(&conf);
    assert_int_equal(image_folder_count(folder), 2);
    assert_string_equal(image_folder_name(folder, 0), "n1.png");
    assert_string_equal(image_folder_name(folder, 1), "n3.png");
    image_folder_close(&folder);
}

static void sidecar_overrides_the_defaults(void **state)
{
    (void)state;
    clear_folder();
    make_png("p_low.png", 1);
    make_png("p_high.png", 2);
    (void)test_file(
        "p.json",
        "{\"scan_id\":\"S-7\",\"mode\":\"mail\",\"site\":\"post\",\"scanner_type\":\"parcel-line\","
        "\"acquired\":\"2026-01-05T06:00:00.5Z\",\"keys\":[{\"scheme\":\"s10\",\"value\":\"CP1\"}],"
        "\"meaning\":\"transmission\",\"air_level\":60000,\"dark_level\":1200,\"pixel_pitch_mm\":1."
        "5,"
        "\"other\":{\"belt\":\"3\"},\"images\":[{\"energy_kev\":90},{\"energy_kev\":160,"
        "\"air_level\":61000}]}");
    struct image_folder_conf conf = conf_of();
    struct image_folder *folder = open_folder(&conf);
    struct folder_scan *scan = NULL;
    char why[FOLDER_WHY_BYTES];
    if (err_is(image_folder_read(folder, 0, &scan, why))) {
        fail_msg("%s", why);
    }
    assert_string_equal(scan->scan.scan_id, "S-7");
    assert_int_equal(scan->scan.mode, MODE_MAIL);
    assert_string_equal(scan->scan.site, "post");
    assert_string_equal(scan->scan.lane, "2"); /* not in the sidecar */
    assert_true(scan->scan.acquired_ns == INT64_C(1767592800) * NS_PER_S + NS_PER_S / 2);
    assert_int_equal(scan->scan.keys_count, 1);
    assert_int_equal(scan->scan.keys[0].scheme, KEY_S10);
    assert_string_equal(scan->scan.other[0].name, "belt");
    assert_int_equal(scan->images[0].meaning, PIXEL_TRANSMISSION);
    assert_int_equal(scan->images[0].air_level, 60000);
    assert_int_equal(scan->images[1].air_level, 61000);
    assert_true(scan->images[1].energy_kev == 160);
    assert_int_equal(scan->images[1].energy, ENERGY_HIGH);
    /* What is written reads back. */
    assert_false(err_is(image_sidecar_write(test_path("p.json"), &scan->scan)));
    struct folder_scan *again = NULL;
    assert_false(err_is(image_folder_read(folder, 0, &again, why)));
    assert_string_equal(again->scan.scan_id, "S-7");
    assert_true(again->scan.acquired_ns == scan->scan.acquired_ns);
    assert_memory_equal(&again->images[1].air_level, &scan->images[1].air_level, sizeof(uint32_t));
    assert_true(again->images[0].pixel_pitch_mm == 1.5);
    folder_scan_close(&again);
    folder_scan_close(&scan);
    image_folder_close(&folder);
}

static void bad_sidecars_refuse_by_reason(void **state)
{
    (void)state;
    clear_folder();
    make_png("q.png", 1);
    static const struct {
        const char *text;
        const char *reason;
    } rows[] = {
        {"{", "line 1"},
        {"[]", "a JSON object is wanted"},
        {"{\"mood\":1}", "mood: no such key"},
        {"{\"mode\":\"boat\"}", "mode: no such mode"},
        {"{\"acquired\":\"yesterday\"}", "acquired"},
        {"{\"keys\":[{\"scheme\":\"imei\",\"value\":\"1\"}]}", "no such scheme"},
        {"{\"air_level\":70000}", "air_level"},
        {"{\"energy_kev\":-1}", "energy_kev"},
        {"{\"images\":[{},{}]}", "not as many"},
        {"{\"images\":[{\"mode\":\"sea\"}]}", "no such key of an image"},
        {"{\"scan_id\":7}", "scan_id"},
        {"{\"mode\":\"sea\",\"mode\":\"air\"}", "duplicate"},
    };
    struct image_folder_conf conf = conf_of();
    struct image_folder *folder = open_folder(&conf);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        (void)test_file("q.png.json", rows[i].text);
        struct folder_scan *scan = NULL;
        char why[FOLDER_WHY_BYTES];
        assert_int_equal(image_folder_read(folder, 0, &scan, why).code, ERR_TABLE_UNREADABLE);
        assert_null(scan);
        if (strstr(why, rows[i].reason) == NULL) {
            fail_msg("%s instead of %s", why, rows[i].reason);
        }
    }
    image_folder_close(&folder);
}

static void broken_image_is_told_and_the_rest_read(void **state)
{
    (void)state;
    clear_folder();
    make_png("a.png", 1);
    (void)test_file("b.png", "\x89PNG\r\n\x1a\nnot really");
    make_png("c.png", 1);
    struct image_folder_conf conf = conf_of();
    struct image_folder *folder = open_folder(&conf);
    struct folder_scan *scan = NULL;
    char why[FOLDER_WHY_BYTES];
    assert_int_equal(image_folder_read(folder, 1, &scan, why).code, ERR_IMAGE_UNREADABLE);
    assert_non_null(strstr(why, "PNG"));
    assert_false(err_is(image_folder_read(folder, 2, &scan, why)));
    folder_scan_close(&scan);
    image_folder_close(&folder);
}

static void sent_list_waits_for_a_file_to_rest_and_remembers(void **state)
{
    (void)state;
    struct sent_list list = {0};
    assert_false(sent_list_due(&list, "a.png", 5, 100)); /* seen for the first time */
    assert_false(sent_list_due(&list, "a.png", 5, 200)); /* grew, though its time says nothing */
    assert_true(sent_list_due(&list, "a.png", 5, 200));
    sent_list_mark(&list, "a.png");
    assert_false(sent_list_due(&list, "a.png", 5, 200));
    assert_false(sent_list_due(&list, "b.png", 1, 1));
    assert_false(err_is(sent_list_write(&list, test_path("sent"))));
    sent_list_fini(&list);
    sent_list_read(&list, test_path("sent"));
    assert_false(sent_list_due(&list, "a.png", 5, 200));
    assert_false(sent_list_due(&list, "a.png", 5, 200));
    assert_false(sent_list_due(&list, "b.png", 1, 1)); /* was not sent: new again */
    assert_true(sent_list_due(&list, "b.png", 1, 1));
    sent_list_fini(&list);
}

static void check_real(const char *name, uint32_t images, uint32_t bits)
{
    const char *path = test_shared(name);
    if (path == NULL) {
        skip();
    }
    struct image_folder_conf conf = conf_of();
    conf.directory = path;
    conf.pixels_max = UINT64_C(1) << 28;
    struct image_folder *folder = open_folder(&conf);
    assert_int_equal(image_folder_count(folder), images);
    for (uint32_t i = 0; i < images; i += 16) {
        struct folder_scan *scan = NULL;
        char why[FOLDER_WHY_BYTES];
        if (err_is(image_folder_read(folder, i, &scan, why))) {
            fail_msg("%s: %s", image_folder_name(folder, i), why);
        }
        assert_int_equal(scan->images[0].bits, bits);
        assert_true(scan->images[0].width >= 600 && scan->images[0].height >= 600);
        uint64_t sum = 0;
        for (uint64_t at = 0; at < scan->images[0].payload_bytes; at++) {
            sum += ((const uint8_t *)scan->pixels[0])[at];
        }
        assert_in_range(sum / scan->images[0].payload_bytes, 20, 250); /* neither black nor white */
        folder_scan_close(&scan);
    }
    image_folder_close(&folder);
}

static void real_containers_read(void **state)
{
    (void)state;
    check_real("containers/images", 190, 8);
}

static void real_parcels_read(void **state)
{
    (void)state;
    check_real("parcels/images", 504, 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pairs_are_one_scan_and_names_are_sorted),
        cmocka_unit_test(scan_id_follows_the_pixels),
        cmocka_unit_test(lists_and_every_split_the_folder_without_overlap),
        cmocka_unit_test(sidecar_overrides_the_defaults),
        cmocka_unit_test(bad_sidecars_refuse_by_reason),
        cmocka_unit_test(broken_image_is_told_and_the_rest_read),
        cmocka_unit_test(sent_list_waits_for_a_file_to_rest_and_remembers),
        cmocka_unit_test(real_containers_read),
        cmocka_unit_test(real_parcels_read),
    };
    return cmocka_run_group_tests(tests, test_folder_open, test_folder_close);
}
