/* SPDX-License-Identifier: Apache-2.0 */
#include "base/tile_files.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* A tree of 70,000 entries, the example of tlog-tiles: 273 full tiles and one of 112 at level 0,
 * one full and one of 17 at level 1, one of 1 at level 2. Written here from its leaves, read there
 * from its tiles. */

#define TREE 70000u
#define LEVELS 3u

static uint8_t hashes[LEVELS][TREE][HASH_BYTES]; /* of tile levels */
static char directory[] = "/tmp/triaged-tile-files-XXXXXX";

static void fold(const uint8_t (*from)[HASH_BYTES], uint64_t count, uint8_t out[HASH_BYTES])
{
    struct merkle_range range;
    merkle_range_init(&range);
    for (uint64_t i = 0; i < count; i++) {
        merkle_range_append(&range, from[i]);
    }
    merkle_range_root(&range, out);
}

static void write_file(const char *name, const void *bytes, size_t bytes_count)
{
    char path[DURABLE_PATH_BYTES];
    (void)snprintf(path, sizeof path, "%s/%s", directory, name);
    char *slash = strrchr(path, '/');
    *slash = '\0';
    assert_false(err_is(durable_directory(path, 0755)));
    *slash = '/';
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, bytes_count, file), bytes_count);
    assert_int_equal(fclose(file), 0);
}

static void write_level(uint32_t level, uint64_t count)
{
    char name[TILE_PATH_BYTES_MAX];
    for (uint64_t n = 0; n * TILE_WIDTH < count; n++) {
        uint64_t left = count - n * TILE_WIDTH;
        uint32_t width = left < TILE_WIDTH ? (uint32_t)left : TILE_WIDTH;
        tile_path(level, n, width, name);
        write_file(name, hashes[level][n * TILE_WIDTH], (size_t)width * HASH_BYTES);
        if (level + 1 < LEVELS && width == TILE_WIDTH) {
            fold((const uint8_t(*)[HASH_BYTES])hashes[level] + n * TILE_WIDTH, TILE_WIDTH,
                 hashes[level + 1][n]);
        }
    }
}

static int set_up(void **state)
{
    (void)state;
    if (mkdtemp(directory) == NULL) {
        return -1;
    }
    for (uint32_t i = 0; i < TREE; i++) {
        merkle_leaf(&i, sizeof i, hashes[0][i]);
    }
    write_level(0, TREE);
    write_level(1, TREE / TILE_WIDTH);
    write_level(2, TREE / TILE_WIDTH / TILE_WIDTH);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    char command[128];
    (void)snprintf(command, sizeof command, "rm -rf '%s'", directory);
    return system(command);
}

static void proofs_from_tiles_lead_to_the_root(void **state)
{
    (void)state;
    static struct tile_files tiles;
    static const uint64_t indices[] = {0, 1, 255, 256, 257, 511, 65535, 65536, 69887, 69888, 69999};
    uint8_t root[HASH_BYTES];
    uint8_t proof[MERKLE_LEVELS_MAX][HASH_BYTES];
    uint32_t proof_count = 0;
    fold((const uint8_t(*)[HASH_BYTES])hashes[0], TREE, root);
    assert_true(tile_files_init(&tiles, directory, TREE));
    for (size_t i = 0; i < sizeof indices / sizeof indices[0]; i++) {
        assert_true(
            merkle_inclusion(tile_files_hash, &tiles, indices[i], TREE, proof, &proof_count));
        assert_true(merkle_check_inclusion(indices[i], TREE, hashes[0][indices[i]],
                                           (const uint8_t(*)[HASH_BYTES])proof, proof_count, root));
    }
    uint8_t whole[HASH_BYTES];
    assert_true(merkle_root(tile_files_hash, &tiles, TREE, whole));
    assert_memory_equal(whole, root, HASH_BYTES);
}

/* Tiles of a later tree serve an earlier one: the full tile holds more than is asked for. */
static void earlier_size_is_proved_by_full_tiles(void **state)
{
    (void)state;
    static struct tile_files tiles;
    static const uint64_t sizes[] = {1, 255, 256, 300, 65537, 69888};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        uint8_t expected[HASH_BYTES];
        uint8_t got[HASH_BYTES];
        fold((const uint8_t(*)[HASH_BYTES])hashes[0], sizes[i], expected);
        assert_true(tile_files_init(&tiles, directory, sizes[i]));
        assert_true(merkle_root(tile_files_hash, &tiles, sizes[i], got));
        assert_memory_equal(got, expected, HASH_BYTES);
        assert_false(tile_files_hash(&tiles, 0, sizes[i], got)); /* beyond this tree */
    }
}

static void what_is_missing_or_cut_short_is_told(void **state)
{
    (void)state;
    static struct tile_files tiles;
    char name[TILE_PATH_BYTES_MAX];
    uint8_t hash[HASH_BYTES];
    assert_true(tile_files_init(&tiles, directory, TREE + 1)); /* needs a partial of 113 */
    assert_false(tile_files_hash(&tiles, 0, TREE, hash));
    assert_false(tile_files_hash(&tiles, 0, UINT64_MAX, hash));
    assert_false(tile_files_hash(&tiles, 63, UINT64_MAX, hash));
    assert_false(tile_files_hash(&tiles, 64, 0, hash));
    tile_path(0, 273, 112, name);
    write_file(name, hashes[0][69888], 111u * HASH_BYTES);
    assert_true(tile_files_init(&tiles, directory, TREE));
    assert_false(tile_files_hash(&tiles, 0, 69888, hash));
    write_file(name, hashes[0][69888], 112u * HASH_BYTES);
    assert_true(tile_files_hash(&tiles, 0, 69888, hash));
    char long_path[DURABLE_PATH_BYTES];
    memset(long_path, 'd', sizeof long_path - 1);
    long_path[sizeof long_path - 1] = '\0';
    assert_false(tile_files_init(&tiles, long_path, 1));
}

static void entries_come_out_of_their_bundle(void **state)
{
    (void)state;
    static struct tile_files tiles;
    static const uint8_t bundle[] = {0,   1, 'a', 0,   2,  'b',
                                     'c', 0, 3,   'd', 'e'}; /* the last is cut */
    char name[TILE_PATH_BYTES_MAX];
    uint8_t *entry = NULL;
    uint32_t entry_bytes = 0;
    bundle_path(273, 112, name);
    write_file(name, bundle, sizeof bundle);
    assert_true(tile_files_init(&tiles, directory, TREE));
    assert_false(err_is(tile_files_entry(&tiles, 69889, &entry, &entry_bytes)));
    assert_int_equal(entry_bytes, 2);
    assert_memory_equal(entry, "bc", 2);
    free(entry);
    assert_int_equal(tile_files_entry(&tiles, 69890, &entry, &entry_bytes).code, ERR_WAL_DAMAGED);
    assert_int_equal(tile_files_entry(&tiles, TREE, &entry, &entry_bytes).code, ERR_NOT_FOUND);
    assert_int_equal(tile_files_entry(&tiles, 0, &entry, &entry_bytes).code, ERR_IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(proofs_from_tiles_lead_to_the_root),
        cmocka_unit_test(earlier_size_is_proved_by_full_tiles),
        cmocka_unit_test(what_is_missing_or_cut_short_is_told),
        cmocka_unit_test(entries_come_out_of_their_bundle),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
