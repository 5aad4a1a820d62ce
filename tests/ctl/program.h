/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_CTL_PROGRAM_H
#define TESTS_CTL_PROGRAM_H

/* Program: triagectl run as a person or a script runs it, in a folder of the test's own. Header
 * only: each test is a program of its own. */

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "tests/test_folder.h"

static char workplace[64];
static char said[262144]; /* both streams of the last run */

static inline void workplace_make(void)
{
    test_folder_make("triage-ctl", workplace, sizeof workplace);
}

static inline int workplace_remove_one(const char *path, const struct stat *status, int flag,
                                       struct FTW *walk)
{
    (void)status;
    (void)flag;
    (void)walk;
    return remove(path);
}

static inline void workplace_remove(void)
{
    assert_int_equal(nftw(workplace, workplace_remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

/* Runs triagectl in the folder with these arguments; fills `said`, returns the exit code. */
static inline int run(const char *format, ...) __attribute__((format(printf, 1, 2)));
static inline int run(const char *format, ...)
{
    char arguments[2048];
    char command[4096];
    va_list list;
    va_start(list, format);
    int wanted_bytes = vsnprintf(arguments, sizeof arguments, format, list);
    va_end(list);
    assert_in_range(wanted_bytes, 0, sizeof arguments - 1);
    snprintf(command, sizeof command, "cd %s && %s/bin/triagectl %s 2>&1 </dev/null", workplace,
             BINARY_DIR, arguments);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    size_t bytes = fread(said, 1, sizeof said - 1, pipe);
    said[bytes] = '\0';
    int status = pclose(pipe);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* What was said, from its first brace on; the caller releases it. */
static inline json_t *said_json(void)
{
    const char *from = strchr(said, '{');
    json_t *json = from != NULL ? json_loads(from, 0, NULL) : NULL;
    if (json == NULL) {
        fail_msg("not JSON: %s", said);
    }
    return json;
}

static inline void assert_says(const char *words)
{
    if (strstr(said, words) == NULL) {
        fail_msg("expected \"%s\" in:\n%s", words, said);
    }
}

/* ---- files of the folder */

/* Good until the call after the next. */
static inline char *path_of(const char *name)
{
    static char paths[2][1024];
    static uint32_t calls;
    char *path = paths[calls++ % 2];
    int bytes = snprintf(path, sizeof paths[0], "%s/%s", workplace, name);
    assert_in_range(bytes, 0, sizeof paths[0] - 1);
    return path;
}

static inline void make_subfolder(const char *name)
{
    assert_int_equal(mkdir(path_of(name), 0755), 0);
}

static inline FILE *create(const char *name)
{
    FILE *file = fopen(path_of(name), "w");
    assert_non_null(file);
    return file;
}

static inline void write_text(const char *name, const char *text)
{
    FILE *file = create(name);
    fputs(text, file);
    fclose(file);
}

/* At most a mebibyte of it, with a zero byte behind; the caller frees it. */
static inline char *read_file(const char *name)
{
    FILE *file = fopen(path_of(name), "r");
    assert_non_null(file);
    char *text = calloc(1, 1 << 20);
    assert_non_null(text);
    (void)fread(text, 1, (1 << 20) - 1, file);
    fclose(file);
    return text;
}

#endif
