/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FEEDS_TEST_H
#define FEEDS_TEST_H

/* What the tests of this folder share: a temporary folder that goes away, and files in it. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/test_folder.h"

static char test_folder[64];

static inline int test_folder_open(void **state)
{
    (void)state;
    test_folder_make("feeds", test_folder, sizeof test_folder);
    return 0;
}

static inline int test_remove(const char *path, const struct stat *status, int kind,
                              struct FTW *place)
{
    (void)status;
    (void)kind;
    (void)place;
    return remove(path);
}

static inline int test_folder_close(void **state)
{
    (void)state;
    return nftw(test_folder, test_remove, 16, FTW_DEPTH | FTW_PHYS);
}

/* Lives until four later calls. */
static inline const char *test_path(const char *name)
{
    static char paths[4][256];
    static unsigned at;
    char *path = paths[at++ % 4];
    (void)snprintf(path, 256, "%s/%s", test_folder, name);
    return path;
}

static inline const char *test_file(const char *name, const char *text)
{
    const char *path = test_path(name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    assert_int_equal(fclose(file), 0);
    return path;
}

/* The shared folder of real inputs, or NULL after saying that the test is skipped. */
static inline const char *test_shared(const char *name)
{
    static char path[512];
    const char *folder = getenv("TRIAGED_SHARED_DATA");
    (void)snprintf(path, sizeof path, "%s/%s",
                   folder != NULL ? folder : SOURCE_DIR "/../shared/data", name);
    if (access(path, R_OK) != 0) {
        printf("SKIP no folder %s (TRIAGED_SHARED_DATA names another place)\n", path);
        return NULL;
    }
    return path;
}

#endif
