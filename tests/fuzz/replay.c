/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a fuzz target over every file of the named folders, and over a few fixed mutations of each:
 * what the fuzzer once found stays found in every ordinary test run. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t bytes_count);

static void replay_mutations(const uint8_t *bytes, size_t bytes_count)
{
    uint8_t *copy = malloc(bytes_count + 1);
    if (copy == NULL) {
        abort();
    }
    for (size_t cut = 0; cut <= bytes_count && cut < 512; cut++) { /* cut at every byte */
        memcpy(copy, bytes, cut);
        (void)LLVMFuzzerTestOneInput(copy, cut);
    }
    for (size_t at = 0; at < bytes_count && at < 512; at++) { /* break one byte */
        memcpy(copy, bytes, bytes_count);
        copy[at] ^= 0xff;
        (void)LLVMFuzzerTestOneInput(copy, bytes_count);
    }
    free(copy);
}

static int replay_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        return 0;
    }
    static uint8_t bytes[1 << 20];
    size_t bytes_count = fread(bytes, 1, sizeof bytes, file);
    (void)fclose(file);
    (void)LLVMFuzzerTestOneInput(bytes, bytes_count);
    replay_mutations(bytes, bytes_count);
    return 1;
}

int main(int argc, char **argv)
{
    int files = 0;
    (void)LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
    for (int i = 1; i < argc; i++) {
        DIR *folder = opendir(argv[i]);
        if (folder == NULL) {
            fprintf(stderr, "no seeds in %s\n", argv[i]);
            return 1;
        }
        for (struct dirent *name = readdir(folder); name != NULL; name = readdir(folder)) {
            if (name->d_name[0] != '.') {
                char path[4096];
                (void)snprintf(path, sizeof path, "%s/%s", argv[i], name->d_name);
                files += replay_file(path);
            }
        }
        (void)closedir(folder);
    }
    printf("%d seeds replayed\n", files);
    return files > 0 ? 0 : 1;
}
