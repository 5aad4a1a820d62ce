/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/ceiling.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/durable.h"
#include "bench/figure.h"
#include "proto/hash.h"

enum { CEILING_PIECE_BYTES = 1048576, CEILING_FILE_PIECES = 256, CEILING_REPEATS = 64 };

static uint8_t *ceiling_pieces(void)
{
    static uint8_t *pieces; /* two of them */
    if (pieces == NULL) {
        pieces = aligned_alloc(4096, (size_t)2 * CEILING_PIECE_BYTES);
        bench_check(pieces != NULL, "no memory");
        memset(pieces, 0x5a, (size_t)2 * CEILING_PIECE_BYTES);
    }
    return pieces;
}

static double pass_over(int fd)
{
    int64_t began_ns = clock_monotonic_ns();
    for (uint64_t i = 0; i < CEILING_FILE_PIECES; i++) {
        struct err err =
            durable_write_at(fd, ceiling_pieces(), CEILING_PIECE_BYTES, i * CEILING_PIECE_BYTES);
        bench_check(!err_is(err), "direct write: %s", strerror(err.os_errno));
    }
    double took_s = (double)(clock_monotonic_ns() - began_ns) / 1e9;
    return (double)CEILING_FILE_PIECES * CEILING_PIECE_BYTES / took_s;
}

double ceiling_disk(const char *directory)
{
    static int fd = -1;
    if (fd < 0) {
        char path[512];
        (void)snprintf(path, sizeof path, "%s/disk", directory);
        fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_DIRECT | O_DSYNC | O_CLOEXEC, 0600);
        bench_check(fd >= 0, "%s: %s", path, strerror(errno));
        (void)unlink(path);
        (void)pass_over(fd); /* fills it: later passes find their blocks allocated */
    }
    return pass_over(fd);
}

double ceiling_hash(void)
{
    uint8_t digest[HASH_BYTES];
    int64_t began_ns = clock_monotonic_ns();
    for (int i = 0; i < CEILING_REPEATS; i++) {
        sha256_of(ceiling_pieces(), CEILING_PIECE_BYTES, digest);
    }
    return (double)CEILING_REPEATS * CEILING_PIECE_BYTES /
           ((double)(clock_monotonic_ns() - began_ns) / 1e9);
}

double ceiling_copy(void)
{
    enum { COPY_BYTES = 67108864 };
    uint8_t *from = malloc(COPY_BYTES);
    uint8_t *to = malloc(COPY_BYTES);
    bench_check(from != NULL && to != NULL, "no memory");
    memset(from, 1, COPY_BYTES);
    memset(to, 2, COPY_BYTES);
    int64_t began_ns = clock_monotonic_ns();
    memcpy(to, from, COPY_BYTES);
    __asm__ volatile("" ::"r"(to) : "memory"); /* or the compiler leaves the copy out */
    double took_s = (double)(clock_monotonic_ns() - began_ns) / 1e9;
    free(from);
    free(to);
    return COPY_BYTES / took_s;
}
