/* SPDX-License-Identifier: Apache-2.0 */
/* A spool whose only segment is the input: whatever lies on the disk, opening ends, and what it
 * then gives out is whole. */
#include <fcntl.h>
#include <ftw.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "publisher/spool.h"
#include "tests/test_folder.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t bytes_count);

static int remove_one(const char *path, const struct stat *status, int flag, struct FTW *walk)
{
    (void)status;
    (void)flag;
    (void)walk;
    return remove(path);
}

static void demand(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void walk(struct spool *spool)
{
    struct spool_place place;
    demand(!err_is(spool_seek(spool, spool_released(spool), &place)));
    uint64_t records = 0;
    uint64_t sum = 0;
    for (;;) {
        struct spool_record record;
        struct spool_place begins = place;
        bool got = false;
        demand(!err_is(spool_read(spool, &place, true, &record, &got)));
        if (!got) {
            break;
        }
        records++;
        for (uint32_t i = 0; i < record.body_bytes; i++) {
            sum += record.body[i];
        }
        for (uint32_t i = 0; i < record.images_count; i++) {
            uint8_t *pixels = malloc((size_t)record.images_bytes[i] + 1);
            demand(pixels != NULL);
            demand(!err_is(spool_read_image(spool, &begins, &record, i, pixels)));
            free(pixels);
        }
    }
    demand(records == spool_next(spool) - spool_released(spool) && sum != UINT64_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t bytes_count)
{
    char directory[64];
    test_folder_make("triaged_fuzz", directory, sizeof directory);
    char path[128];
    (void)snprintf(path, sizeof path, "%s/%020d.spool", directory, 1);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    demand(fd >= 0 && write(fd, bytes, bytes_count) == (ssize_t)bytes_count && close(fd) == 0);
    struct spool_conf conf = {.directory = directory, .stream = "s", .bytes_max = 1u << 20};
    struct spool *spool = NULL;
    struct err err = spool_open(&conf, &spool);
    if (!err_is(err)) {
        walk(spool);
        const struct spool_record record = {
            .kind = RECORD_SCAN, .body = (const uint8_t *)"x", .body_bytes = 1};
        demand(!err_is(spool_append(spool, &record)) || bytes_count > 500000);
        spool_close(&spool);
    }
    (void)nftw(directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    return 0;
}
