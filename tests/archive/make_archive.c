/* SPDX-License-Identifier: Apache-2.0 */
/* Builds one archive file from synthetic entries below the given directory and prints its path:
 * what check_archive.py opens. */
#include <stdio.h>
#include <stdlib.h>

#include "archive/metric_set.h"
#include "range.h"

int main(int argc, char **argv)
{
    static const uint8_t pseudonym_key[HASH_BYTES] = {7};
    static struct range range;
    char blobs_directory[256];
    char archive_directory[256];
    struct blob_store *blobs = NULL;
    struct archive_result result;
    uint8_t items[3][ITEM_ID_BYTES];
    if (argc != 2) {
        (void)fprintf(stderr, "usage: make_archive DIRECTORY\n");
        return 2;
    }
    (void)snprintf(blobs_directory, sizeof blobs_directory, "%s/blobs", argv[1]);
    (void)snprintf(archive_directory, sizeof archive_directory, "%s/archive", argv[1]);
    static struct archive_tree tree;
    struct metric_set metrics;
    range_tree_before(200, 500, &tree);
    must(!err_is(metric_set_load(SOURCE_DIR "/config/metrics", &metrics)));
    const struct archive_conf conf = {.directory = archive_directory,
                                      .origin = "oversight.example/rotterdam/2026",
                                      .deflate_level = 1,
                                      .threads = 2,
                                      .pseudonym_key = pseudonym_key,
                                      .tree = &tree,
                                      .metrics = &metrics};
    must(!err_is(blob_store_open(blobs_directory, 0, &blobs)));
    range_init(&range, 500);
    range_add_draw_commit(&range);
    (void)range_add_item(&range, items[0], 1, blobs);
    (void)range_add_item(&range, items[1], 2, blobs);
    (void)range_add_item(&range, items[2], 1, blobs);
    range_add_action(&range, items[0], "in_exam", 2);
    range_add_outcome(&range, items[0], 3);
    range_add_refusal(&range);
    must(!err_is(blob_commit(blobs)));
    struct err err = archive_build(&conf, blobs, range_next, &range, &result);
    blob_store_close(&blobs);
    range_fini(&range);
    metric_set_fini(&metrics);
    if (err_is(err)) {
        char text[ERR_TEXT_BYTES];
        (void)fprintf(stderr, "make_archive: %s\n", err_text(err, text));
        return 1;
    }
    (void)printf("%s/%s\n", archive_directory, result.path);
    return 0;
}
