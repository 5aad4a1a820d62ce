/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include "oversight/publication.h"

/* Checkpoints at every size around the borders of tiles, each checked against a tree made from the
 * bundles alone. */
static void tiles_around_full_sizes_match_a_naive_tree(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_make(&fixture);
    fixture_open(&fixture);
    static const uint64_t sizes[] = {2, 3, 254, 255, 256, 257, 258, 511, 512, 513, 767, 1024, 1030};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        uint64_t size = oversight_size(fixture.log);
        fixture_append(&fixture, size, sizes[i] - size, 40);
        assert_false(err_is(oversight_publish(fixture.log)));
        assert_int_equal(oversight_published(fixture.log), sizes[i]);
        naive_check(&fixture, sizes[i]);
    }
    /* Partial files are gone once the full one is there. */
    fixture_run("! ls -d '%s'/tile/0/000.p '%s'/tile/entries/003.p 2>/dev/null", fixture.published,
                fixture.published);
    fixture_remove(&fixture);
}

static void tree_of_three_levels_matches_a_naive_tree(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_make(&fixture);
    fixture_open(&fixture);
    fixture_append(&fixture, 1, 65600, 32);
    assert_false(err_is(oversight_publish(fixture.log)));
    naive_check(&fixture, 65601);
    oversight_close(&fixture.log);
    fixture_open(&fixture); /* continues from the tiles of two levels */
    fixture_append(&fixture, 65601, 700, 32);
    oversight_close(&fixture.log);
    naive_check(&fixture, 66301);
    fixture_remove(&fixture);
}

static void published_files_that_are_missing_are_made_again(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_make(&fixture);
    fixture_open(&fixture);
    fixture_append(&fixture, 1, 1300, 40);
    oversight_close(&fixture.log);
    static const char *const losses[] = {"tile/0/002",      "tile/entries/001", "tile/entries/004",
                                         "tile/1/000.p/5",  "checkpoint",       "tile",
                                         "checkpoints/1301"};
    for (size_t i = 0; i < sizeof losses / sizeof *losses; i++) {
        fixture_run("rm -rf '%s/%s'", fixture.published, losses[i]);
        fixture_open(&fixture);
        oversight_close(&fixture.log);
        naive_check(&fixture, 1301);
    }
    fixture_remove(&fixture);
}

/* A tile that is read at the start lies: the log has the last word, and says so before anything is
 * signed. */
static void published_file_that_was_changed_refuses(void **state)
{
    (void)state;
    static const char *const changes[] = {"tile/0/002", "tile/0/005.p/21", "tile/entries/005.p/21",
                                          "tile/1/000.p/5"};
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        struct fixture fixture;
        char path[200];
        fixture_make(&fixture);
        fixture_open(&fixture);
        fixture_append(&fixture, 1, 1300, 40);
        oversight_close(&fixture.log);
        (void)snprintf(path, sizeof path, "%s/%s", fixture.published, changes[i]);
        fixture_run("chmod u+w '%s'", path);
        fixture_flip(path, 3);
        struct err err = fixture_try_open(&fixture);
        assert_string_equal(err_name(err.code), err_name(ERR_TILE_DIFFERS));
        assert_int_equal(naive_checkpoint(&fixture, "checkpoint").size, 1301);
        fixture_remove(&fixture);
    }
}

/* The last gate before a signature, without recovery in front of it: a tree that does not contain
 * the signed one. */
static void tree_from_a_false_tile_is_never_signed(void **state)
{
    (void)state;
    struct fixture fixture;
    char path[200];
    fixture_make(&fixture);
    fixture_open(&fixture);
    fixture_append(&fixture, 1, 1300, 40);
    oversight_close(&fixture.log);
    (void)snprintf(path, sizeof path, "%s/tile/0/002", fixture.published);
    fixture_run("chmod u+w '%s' && cp '%s/last-signed' '%s/before'", path, fixture.wal,
                fixture.root);
    fixture_flip(path, 3);
    struct publication_conf conf = {.wal_directory = fixture.wal,
                                    .public_directory = fixture.published,
                                    .origin = FIXTURE_ORIGIN,
                                    .key = &fixture.key};
    struct publication *publication = NULL;
    struct merkle_range range;
    assert_false(err_is(publication_open(&conf, &publication)));
    assert_false(err_is(publication_resume(publication, &range)));
    assert_string_equal(publication_step(publication, 1301).where,
                        "tiles do not give the signed root");
    publication_close(&publication);
    fixture_run("cmp '%s/last-signed' '%s/before'", fixture.wal, fixture.root);
    fixture_remove(&fixture);
}

static void checkpoint_is_remembered_before_it_is_shown(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_make(&fixture);
    fixture_open(&fixture);
    fixture_append(&fixture, 1, 10, 40);
    /* The public file cannot be replaced: a directory stands in its way. */
    fixture_run("rm '%s/checkpoint' && mkdir -p '%s/checkpoint/x'", fixture.published,
                fixture.published);
    assert_true(err_is(oversight_publish(fixture.log)));
    assert_true(err_is(oversight_failure(fixture.log)));
    oversight_close(&fixture.log);
    fixture_run("grep -q '^11$' '%s/last-signed'", fixture.wal);
    fixture_run("rm -r '%s/checkpoint'", fixture.published);
    fixture_open(&fixture);
    naive_check(&fixture, 11);
    fixture_remove(&fixture);
}

static void checkpoint_comes_by_itself_after_the_interval(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_make(&fixture);
    fixture.conf.checkpoint_interval_ns = 1;
    fixture_open(&fixture);
    fixture_append(&fixture, 1, 10, 40);
    int64_t deadline_ns = clock_monotonic_ns() + 60 * NS_PER_S;
    while (oversight_published(fixture.log) < 11 && clock_monotonic_ns() < deadline_ns) {
        (void)oversight_wait(fixture.log, 11, NS_PER_MS);
    }
    assert_int_equal(oversight_published(fixture.log), 11);
    naive_check(&fixture, 11);
    fixture_remove(&fixture);
}

/* vkey and checkpoint by a program that shares no code with us. */
static void checkpoint_verifies_with_openssl(void **state)
{
    (void)state;
    if (system("openssl version >/dev/null 2>&1") != 0) {
        print_message("SKIP: no openssl program\n");
        skip();
    }
    struct fixture fixture;
    fixture_make(&fixture);
    fixture_open(&fixture);
    fixture_append(&fixture, 1, 300, 40);
    oversight_close(&fixture.log);
    /* DER of an Ed25519 public key is a fixed prefix and the 32 bytes of the vkey behind its type
     * byte. */
    fixture_run(
        "cd '%s' && { printf '\\060\\052\\060\\005\\006\\003\\053\\145\\160\\003\\041\\000'; "
        "cut -d+ -f3- log/2026/vkey | base64 -d | tail -c 32; } > public.der && "
        "head -n 3 log/2026/checkpoint > text && "
        "tail -n 1 log/2026/checkpoint | cut -d' ' -f3 | base64 -d | tail -c 64 > signature && "
        "openssl pkeyutl -verify -rawin -pubin -keyform DER -inkey public.der -in text -sigfile "
        "signature "
        ">verdict && grep -q Success verdict",
        fixture.root);
    /* And the root by hand: sha256(1 || tile root || rest) is too long for a shell, but a leaf is
     * not. */
    fixture_run("cd '%s/log/2026/tile' && n=$(head -c 2 entries/000 | od -An -tu1 | awk '{print "
                "$1*256+$2}') && "
                "{ printf '\\000'; tail -c +3 entries/000 | head -c $n; } | sha256sum | cut -d' ' "
                "-f1 > a && "
                "head -c 32 0/000 | od -An -tx1 -v | tr -d ' \\n' > b && echo >> b && cmp a b",
                fixture.root);
    fixture_remove(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tiles_around_full_sizes_match_a_naive_tree),
        cmocka_unit_test(tree_of_three_levels_matches_a_naive_tree),
        cmocka_unit_test(published_files_that_are_missing_are_made_again),
        cmocka_unit_test(published_file_that_was_changed_refuses),
        cmocka_unit_test(tree_from_a_false_tile_is_never_signed),
        cmocka_unit_test(checkpoint_is_remembered_before_it_is_shown),
        cmocka_unit_test(checkpoint_comes_by_itself_after_the_interval),
        cmocka_unit_test(checkpoint_verifies_with_openssl),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
