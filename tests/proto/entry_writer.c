/* SPDX-License-Identifier: Apache-2.0 */
/* Writes one encoded entry of every type into a folder, for decode_entry.py: a decoder that is not
 * ours. */
#include <stdio.h>
#include <stdlib.h>

#include "tests/proto/entry_samples.h"

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: proto_entry_writer FOLDER\n");
        return 2;
    }
    for (size_t i = 0; i < SAMPLE_TYPES_COUNT; i++) {
        struct entry entry;
        uint8_t bytes[ENTRY_BYTES_MAX];
        char path[4096];
        entry_sample(sample_types[i], &entry);
        size_t bytes_count = entry_sample_encode(&entry, bytes, sizeof bytes);
        (void)snprintf(path, sizeof path, "%s/%s", argv[1], entry_type_text(sample_types[i]));
        FILE *file = fopen(path, "wb");
        if (bytes_count == 0 || file == NULL ||
            fwrite(bytes, 1, bytes_count, file) != bytes_count || fclose(file) != 0) {
            perror(path);
            return 1;
        }
    }
    return 0;
}
