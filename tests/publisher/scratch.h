/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_PUBLISHER_SCRATCH_H
#define TESTS_PUBLISHER_SCRATCH_H

/* Scratch: a directory of the test's own, removed with everything in it, and small files. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/test_folder.h"

#define SCRATCH_BYTES 64u

static inline void scratch_make(char directory[SCRATCH_BYTES])
{
    test_folder_make("triaged_test", directory, SCRATCH_BYTES);
}

static inline int scratch_remove_one(const char *path, const struct stat *status, int flag,
                                     struct FTW *walk)
{
    (void)status;
    (void)flag;
    (void)walk;
    return remove(path);
}

static inline void scratch_remove(const char *directory)
{
    assert_int_equal(nftw(directory, scratch_remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

static inline void scratch_write(const char *path, const char *text, mode_t mode)
{
    FILE *stream = fopen(path, "w");
    assert_non_null(stream);
    assert_true(fputs(text, stream) >= 0);
    assert_int_equal(fclose(stream), 0);
    assert_int_equal(chmod(path, mode), 0);
}

/* How many names in the directory end like this. */
static inline uint32_t scratch_count(const char *directory, const char *ending)
{
    DIR *names = opendir(directory);
    assert_non_null(names);
    uint32_t count = 0;
    const struct dirent *name;
    while ((name = readdir(names)) != NULL) {
        size_t bytes = strlen(name->d_name);
        count +=
            bytes >= strlen(ending) && strcmp(name->d_name + bytes - strlen(ending), ending) == 0;
    }
    assert_int_equal(closedir(names), 0);
    return count;
}

#endif
