/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_TEST_FOLDER_H
#define TESTS_TEST_FOLDER_H

/* Test folder: where a test keeps its files. In memory when there is room: a test that syncs ten
 * thousand times waits minutes for a disk and learns nothing from it, because a process that is
 * killed loses nothing of what it gave to the kernel. What a disk does with it is for the tests of
 * power cuts and for those that stay below /tmp. TMPDIR names another place. */

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* Several times what the largest of these tests writes. */
#define TEST_FOLDER_ROOM_BYTES (512ull << 20)

static inline const char *test_folder_root(void)
{
    static const char memory[] = "/dev/shm";
    const char *wanted = getenv("TMPDIR");
    struct statvfs room;
    if (wanted != NULL && wanted[0] == '/' && strlen(wanted) <= 24) { /* buffers of 64 bytes */
        return wanted;
    }
    bool fits = access(memory, W_OK | X_OK) == 0 && statvfs(memory, &room) == 0 &&
                (uint64_t)room.f_bavail * room.f_frsize >= TEST_FOLDER_ROOM_BYTES;
    return fits ? memory : "/tmp";
}

/* Makes an empty folder; its path into out. `name` says whose it is. Without one there is no test:
 * then it aborts. */
static inline void test_folder_make(const char *name, char *out, size_t out_bytes)
{
    int path_bytes = snprintf(out, out_bytes, "%s/%s-XXXXXX", test_folder_root(), name);
    if (path_bytes < 0 || (size_t)path_bytes >= out_bytes || mkdtemp(out) == NULL) {
        perror("a folder for the test");
        abort();
    }
}

#endif
