/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/merkle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define LEAVES_MAX 300u

static uint8_t leaves[LEAVES_MAX][HASH_BYTES];

/* The definition of RFC 6962 section 2.1, by recursion and without any cleverness. */
static void naive_root(uint64_t first, uint64_t count, uint8_t out[HASH_BYTES])
{
    if (count == 0) {
        sha256_of("", 0, out);
        return;
    }
    if (count == 1) {
        memcpy(out, leaves[first], HASH_BYTES);
        return;
    }
    uint64_t split = 1;
    while (split * 2 < count) {
        split *= 2;
    }
    uint8_t both[2 * HASH_BYTES];
    naive_root(first, split, both);
    naive_root(first + split, count - split, both + HASH_BYTES);
    sha256_of_prefixed(0x01, both, sizeof both, out);
}

static uint32_t naive_path(uint64_t index, uint64_t first, uint64_t count,
                           uint8_t (*out)[HASH_BYTES])
{
    if (count <= 1) {
        return 0;
    }
    uint64_t split = 1;
    while (split * 2 < count) {
        split *= 2;
    }
    uint32_t written;
    if (index < split) {
        written = naive_path(index, first, split, out);
        naive_root(first + split, count - split, out[written]);
    } else {
        written = naive_path(index - split, first + split, count - split, out);
        naive_root(first, split, out[written]);
    }
    return written + 1;
}

static uint32_t naive_subproof(uint64_t old, uint64_t first, uint64_t count, bool known,
                               uint8_t (*out)[HASH_BYTES])
{
    if (old == count) {
        if (!known) {
            naive_root(first, count, out[0]);
        }
        return known ? 0 : 1;
    }
    uint64_t split = 1;
    while (split * 2 < count) {
        split *= 2;
    }
    uint32_t written;
    if (old <= split) {
        written = naive_subproof(old, first, split, known, out);
        naive_root(first + split, count - split, out[written]);
    } else {
        written = naive_subproof(old - split, first + split, count - split, false, out);
        naive_root(first, split, out[written]);
    }
    return written + 1;
}

/* Serves perfect subtrees of the leaves; counts what it was asked for beyond the tree. */
struct tree_source {
    uint64_t size;
    uint32_t misses;
};

static bool source_hash_at(void *source, uint32_t level, uint64_t index, uint8_t out[HASH_BYTES])
{
    struct tree_source *tree = source;
    if (level >= 63 || (index + 1) << level > tree->size) {
        tree->misses++;
        return false;
    }
    naive_root(index << level, (uint64_t)1 << level, out);
    return true;
}

static int leaves_prepare(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < LEAVES_MAX; i++) {
        uint8_t entry[4] = {(uint8_t)(i >> 8), (uint8_t)i, 'e', 'n'};
        merkle_leaf(entry, sizeof entry, leaves[i]);
    }
    return 0;
}

/* The reference tree of Certificate Transparency: inputs and roots as its implementations publish
 * them. */
static void range_reference_leaves_give_published_roots(void **state)
{
    (void)state;
    static const struct {
        const char *hex;
        const char *root;
    } rows[] = {
        {"", "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"},
        {"00", "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"},
        {"10", "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77"},
        {"2021", "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"},
        {"3031", "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4"},
        {"40414243", "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef"},
        {"5051525354555657", "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c"},
        {"606162636465666768696a6b6c6d6e6f",
         "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"},
    };
    struct merkle_range range;
    char text[HASH_HEX_BYTES];
    uint8_t root[HASH_BYTES];
    merkle_range_init(&range);
    merkle_range_root(&range, root);
    hex_encode(root, HASH_BYTES, text);
    assert_string_equal(text, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t entry[16];
        uint8_t leaf[HASH_BYTES];
        size_t entry_bytes = strlen(rows[i].hex) / 2;
        assert_true(hex_decode(rows[i].hex, entry, entry_bytes));
        merkle_leaf(entry, entry_bytes, leaf);
        merkle_range_append(&range, leaf);
        merkle_range_root(&range, root);
        hex_encode(root, HASH_BYTES, text);
        assert_string_equal(text, rows[i].root);
    }
}

static void range_every_size_equals_definition(void **state)
{
    (void)state;
    struct merkle_range range;
    merkle_range_init(&range);
    for (uint32_t size = 0; size <= LEAVES_MAX; size++) {
        uint8_t expected[HASH_BYTES];
        uint8_t root[HASH_BYTES];
        struct tree_source source = {.size = size};
        naive_root(0, size, expected);
        merkle_range_root(&range, root);
        assert_true(hash_equal(root, expected));
        memset(root, 0, sizeof root);
        assert_true(merkle_root(source_hash_at, &source, size, root));
        assert_true(hash_equal(root, expected));
        if (size < LEAVES_MAX) {
            merkle_range_append(&range, leaves[size]);
        }
    }
}

static void fold_every_part_equals_definition(void **state)
{
    (void)state;
    for (uint32_t count = 0; count <= 256; count++) {
        uint8_t folded[HASH_BYTES];
        uint8_t wanted[HASH_BYTES];
        naive_root(count % 44, count, wanted);
        merkle_fold((const uint8_t(*)[HASH_BYTES])leaves + count % 44, count, folded);
        assert_memory_equal(folded, wanted, HASH_BYTES);
    }
}

static void inclusion_check_alterations(uint64_t index, uint64_t size, uint8_t (*proof)[HASH_BYTES],
                                        uint32_t proof_count, const uint8_t root[HASH_BYTES])
{
    const uint8_t(*view)[HASH_BYTES] = (const uint8_t(*)[HASH_BYTES])proof;
    uint8_t other[HASH_BYTES];
    memcpy(other, leaves[index], HASH_BYTES);
    other[5] ^= 1;
    assert_false(merkle_check_inclusion(index, size, other, view, proof_count, root));
    memcpy(other, root, HASH_BYTES);
    other[0] ^= 0x80;
    assert_false(merkle_check_inclusion(index, size, leaves[index], view, proof_count, other));
    assert_false(merkle_check_inclusion(size, size, leaves[index], view, proof_count, root));
    if (proof_count > 0) {
        assert_false(
            merkle_check_inclusion(index, size, leaves[index], view, proof_count - 1, root));
        assert_false(
            merkle_check_inclusion(index ^ 1u, size, leaves[index], view, proof_count, root));
        proof[proof_count / 2][31] ^= 1;
        assert_false(merkle_check_inclusion(index, size, leaves[index], view, proof_count, root));
        proof[proof_count / 2][31] ^= 1;
    }
    memcpy(proof[proof_count], root, HASH_BYTES);
    assert_false(merkle_check_inclusion(index, size, leaves[index], view, proof_count + 1, root));
}

static void inclusion_every_leaf_of_every_size_proves(void **state)
{
    (void)state;
    for (uint64_t size = 1; size <= LEAVES_MAX; size += size < 70 ? 1 : 23) {
        uint8_t root[HASH_BYTES];
        naive_root(0, size, root);
        struct tree_source source = {.size = size};
        for (uint64_t index = 0; index < size; index++) {
            uint8_t proof[MERKLE_LEVELS_MAX][HASH_BYTES];
            uint8_t expected[MERKLE_LEVELS_MAX][HASH_BYTES];
            uint32_t proof_count = 99;
            assert_true(
                merkle_inclusion(source_hash_at, &source, index, size, proof, &proof_count));
            assert_int_equal(proof_count, naive_path(index, 0, size, expected));
            assert_memory_equal(proof, expected, (size_t)proof_count * HASH_BYTES);
            assert_true(merkle_check_inclusion(index, size, leaves[index],
                                               (const uint8_t(*)[HASH_BYTES])proof, proof_count,
                                               root));
            inclusion_check_alterations(index, size, proof, proof_count, root);
        }
        assert_int_equal(source.misses, 0);
    }
}

static void consistency_check_alterations(uint64_t old_size, uint64_t size,
                                          uint8_t (*proof)[HASH_BYTES], uint32_t proof_count,
                                          uint8_t roots[2][HASH_BYTES])
{
    const uint8_t(*view)[HASH_BYTES] = (const uint8_t(*)[HASH_BYTES])proof;
    for (int which = 0; which < 2; which++) {
        roots[which][9] ^= 4;
        assert_false(
            merkle_check_consistency(old_size, size, roots[0], roots[1], view, proof_count));
        roots[which][9] ^= 4;
    }
    if (proof_count > 0) {
        assert_false(
            merkle_check_consistency(old_size, size, roots[0], roots[1], view, proof_count - 1));
        for (uint32_t i = 0; i < proof_count; i++) {
            proof[i][0] ^= 1;
            assert_false(
                merkle_check_consistency(old_size, size, roots[0], roots[1], view, proof_count));
            proof[i][0] ^= 1;
        }
    }
    memcpy(proof[proof_count], roots[1], HASH_BYTES);
    assert_false(
        merkle_check_consistency(old_size, size, roots[0], roots[1], view, proof_count + 1));
    assert_false(merkle_check_consistency(size + 1, size, roots[0], roots[1], view, proof_count));
}

static void consistency_every_pair_of_sizes_proves(void **state)
{
    (void)state;
    for (uint64_t size = 0; size <= LEAVES_MAX; size += size < 66 ? 1 : 39) {
        uint8_t roots[2][HASH_BYTES];
        naive_root(0, size, roots[1]);
        struct tree_source source = {.size = size};
        for (uint64_t old_size = 0; old_size <= size; old_size++) {
            uint8_t proof[MERKLE_LEVELS_MAX + 1][HASH_BYTES];
            uint8_t expected[MERKLE_LEVELS_MAX + 1][HASH_BYTES];
            uint32_t proof_count = 99;
            uint32_t expected_count =
                old_size == 0 ? 0 : naive_subproof(old_size, 0, size, true, expected);
            naive_root(0, old_size, roots[0]);
            assert_true(
                merkle_consistency(source_hash_at, &source, old_size, size, proof, &proof_count));
            assert_int_equal(proof_count, expected_count);
            assert_memory_equal(proof, expected, (size_t)proof_count * HASH_BYTES);
            assert_true(merkle_check_consistency(old_size, size, roots[0], roots[1],
                                                 (const uint8_t(*)[HASH_BYTES])proof, proof_count));
            if (old_size > 0 && size > old_size) {
                consistency_check_alterations(old_size, size, proof, proof_count, roots);
            }
        }
        assert_int_equal(source.misses, 0);
    }
}

static void proofs_out_of_range_refuse(void **state)
{
    (void)state;
    struct tree_source source = {.size = 5};
    uint8_t proof[MERKLE_LEVELS_MAX][HASH_BYTES];
    uint8_t root[HASH_BYTES];
    uint32_t count = 0;
    assert_false(merkle_inclusion(source_hash_at, &source, 0, 0, proof, &count));
    assert_false(merkle_inclusion(source_hash_at, &source, 5, 5, proof, &count));
    assert_false(merkle_consistency(source_hash_at, &source, 6, 5, proof, &count));
    /* The source knows five leaves only. */
    assert_false(merkle_inclusion(source_hash_at, &source, 0, 6, proof, &count));
    assert_false(merkle_consistency(source_hash_at, &source, 2, 6, proof, &count));
    assert_false(merkle_root(source_hash_at, &source, 6, root));
    assert_false(
        merkle_check_inclusion(0, 0, leaves[0], (const uint8_t(*)[HASH_BYTES])proof, 0, leaves[0]));
}

/* The right hashes under a size that asks for more of them: every step fits, the end is missing. */
static void proofs_under_another_size_refuse(void **state)
{
    (void)state;
    struct tree_source source = {.size = 4};
    uint8_t proof[MERKLE_LEVELS_MAX][HASH_BYTES];
    uint8_t roots[2][HASH_BYTES];
    uint32_t count = 0;
    const uint8_t(*view)[HASH_BYTES] = (const uint8_t(*)[HASH_BYTES])proof;
    naive_root(0, 2, roots[0]);
    naive_root(0, 4, roots[1]);
    assert_true(merkle_inclusion(source_hash_at, &source, 0, 4, proof, &count));
    assert_true(merkle_check_inclusion(0, 4, leaves[0], view, count, roots[1]));
    for (uint64_t size = 5; size < 20; size++) {
        assert_false(merkle_check_inclusion(0, size, leaves[0], view, count, roots[1]));
    }
    assert_true(merkle_consistency(source_hash_at, &source, 2, 4, proof, &count));
    assert_true(merkle_check_consistency(2, 4, roots[0], roots[1], view, count));
    for (uint64_t size = 5; size < 20; size++) {
        assert_false(merkle_check_consistency(2, size, roots[0], roots[1], view, count));
    }
}

static bool any_hash_at(void *source, uint32_t level, uint64_t index, uint8_t out[HASH_BYTES])
{
    (void)source;
    memset(out, (int)(level + index), HASH_BYTES);
    return true;
}

/* Sizes that no log will reach still end within the bounds of the arrays. */
static void proofs_of_enormous_sizes_stay_within_bounds(void **state)
{
    (void)state;
    const uint64_t sizes[] = {UINT64_MAX, UINT64_MAX - 1, (uint64_t)1 << 63,
                              ((uint64_t)1 << 63) + 1};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        uint8_t proof[MERKLE_LEVELS_MAX][HASH_BYTES];
        uint8_t root[HASH_BYTES];
        uint32_t count = 0;
        assert_true(merkle_root(any_hash_at, NULL, sizes[i], root));
        assert_true(merkle_inclusion(any_hash_at, NULL, 0, sizes[i], proof, &count));
        assert_true(count <= MERKLE_LEVELS_MAX);
        assert_true(merkle_inclusion(any_hash_at, NULL, sizes[i] - 1, sizes[i], proof, &count));
        assert_true(count <= MERKLE_LEVELS_MAX);
        (void)merkle_consistency(any_hash_at, NULL, sizes[i] - 1, sizes[i], proof, &count);
        (void)merkle_consistency(any_hash_at, NULL, 1, sizes[i], proof, &count);
        assert_true(count <= MERKLE_LEVELS_MAX);
        assert_false(merkle_check_consistency(sizes[i] - 1, sizes[i], root, root,
                                              (const uint8_t(*)[HASH_BYTES])proof, count));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(range_reference_leaves_give_published_roots),
        cmocka_unit_test(range_every_size_equals_definition),
        cmocka_unit_test(fold_every_part_equals_definition),
        cmocka_unit_test(inclusion_every_leaf_of_every_size_proves),
        cmocka_unit_test(consistency_every_pair_of_sizes_proves),
        cmocka_unit_test(proofs_out_of_range_refuse),
        cmocka_unit_test(proofs_under_another_size_refuse),
        cmocka_unit_test(proofs_of_enormous_sizes_stay_within_bounds),
    };
    return cmocka_run_group_tests(tests, leaves_prepare, NULL);
}
