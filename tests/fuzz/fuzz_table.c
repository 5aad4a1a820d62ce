/* SPDX-License-Identifier: Apache-2.0 */
/* The text files of the feeds: the first byte says which ('t' table, 'd' table by the default
 * mapping without labels, 'm' mapping, 's' sidecar), the rest is the file. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "feeds/declaration_csv.h"
#include "feeds/declaration_mapping.h"
#include "feeds/image_sidecar.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t bytes_count);

static const char mapping_text[] =
    "{\"fields\":{\"declaration_id\":\"a\",\"mode\":{\"column\":\"b\",\"codes\":{\"1\":\"sea\"},"
    "\"unlisted\":\"air\"},"
    "\"declared\":\"c\",\"net_mass_kg\":\"d\",\"importer\":{\"column\":\"e\",\"prefix\":\"p\"}}}";

/* A file that lives in memory only. */
static int open_memory(const void *bytes, size_t bytes_count, char path[64])
{
    int fd = memfd_create("input", MFD_CLOEXEC);
    must(fd >= 0 && write(fd, bytes, bytes_count) == (ssize_t)bytes_count);
    (void)snprintf(path, 64, "/proc/self/fd/%d", fd);
    return fd;
}

static void read_all(const struct declaration_csv_conf *conf)
{
    char error[CSV_ERROR_BYTES];
    struct declaration_csv *table = NULL;
    if (!err_is(declaration_csv_open(conf, &table, error))) {
        struct declaration_row row;
        enum csv_step step = CSV_ROW;
        uint64_t offset = 0;
        while (!err_is(declaration_csv_next(table, &row, &step, error)) && step == CSV_ROW) {
            must(row.end_offset > offset && row.end_offset <= declaration_csv_bytes(table));
            offset = row.end_offset;
            must(!conf->blind || !(row.labelled || row.found || row.critical));
            (void)declaration_encode(&row.declaration, NULL, 0);
        }
        declaration_csv_close(&table);
    }
}

static void try_table(const char *path)
{
    char mapping_path[64];
    int fd = open_memory(mapping_text, sizeof mapping_text - 1, mapping_path);
    read_all(&(struct declaration_csv_conf){
        .path = path, .mapping_path = mapping_path, .site = "s", .lane = "l", .mode = MODE_SEA});
    (void)close(fd);
}

static void try_sidecar(const char *path)
{
    static uint8_t memory[65536];
    struct arena arena;
    arena_init(&arena, memory, sizeof memory);
    struct image images[2] = {{0}};
    struct scan scan = {.scan_id = "",
                        .site = "",
                        .lane = "",
                        .scanner = "",
                        .scanner_type = "",
                        .images = images,
                        .images_count = 2};
    char why[256];
    if (!err_is(image_sidecar_read(path, &arena, &scan, images, why))) {
        (void)scan_encode(&scan, NULL, 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t bytes_count)
{
    char path[64], error[MAPPING_ERROR_BYTES];
    if (bytes_count == 0) {
        return 0;
    }
    int fd = open_memory(bytes + 1, bytes_count - 1, path);
    struct declaration_mapping *mapping = NULL;
    if (bytes[0] == 't') {
        try_table(path);
    } else if (bytes[0] == 'd') {
        read_all(
            &(struct declaration_csv_conf){.path = path, .site = "s", .lane = "l", .blind = true});
    } else if (bytes[0] == 'm' && !err_is(declaration_mapping_open(path, &mapping, error))) {
        declaration_mapping_close(&mapping);
    } else if (bytes[0] == 's') {
        try_sidecar(path);
    }
    (void)close(fd);
    return 0;
}
