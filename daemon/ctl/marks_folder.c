/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/marks_folder.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "ctl/item_pixels.h"
#include "ctl/rows.h"
#include "feeds/image_sidecar.h"
#include "picture/picture.h"

/* Pixels come from where the console has them from, and are held against the digest in the log. */

enum { NAME_BYTES = MARKS_STEM_BYTES + 16 };

/* ---- tables of a scanner type ---- */

/* What a publisher calls its scanner is no path: what a file name should not have is replaced, and
 * then a digest keeps two such names apart. */
static void folder_of(const char *type, char out[MARKS_TYPE_BYTES])
{
    uint8_t digest[HASH_BYTES];
    char hex[HASH_HEX_BYTES];
    size_t bytes = strnlen(type, 64);
    bool plain = bytes > 0 && type[0] != '.';
    for (size_t i = 0; i < bytes; i++) {
        bool good = isalnum((unsigned char)type[i]) || strchr("-_.", type[i]) != NULL;
        out[i] = (char)(good ? type[i] : '_');
        plain = plain && good;
    }
    out[bytes] = '\0';
    if (!plain) {
        sha256_of(type, strlen(type), digest);
        hex_encode(digest, HASH_BYTES, hex);
        out[0] = (char)(out[0] == '.' || bytes == 0 ? '_' : out[0]);
        out[bytes > 0 ? bytes : 1] = '\0';
        (void)snprintf(out + strlen(out), 10, "-%.8s", hex);
    }
}

static bool make_folder(const struct marks_folder *self, const char *folder, const char *inside)
{
    char path[DURABLE_PATH_BYTES];
    bool fits =
        snprintf(path, sizeof path, "%s/%s%s", self->directory, folder, inside) < (int)sizeof path;
    struct err err = fits ? durable_directory(path, 0755) : err_make(ERR_ARGUMENT, "path");
    if (err_is(err)) {
        ctl_fail(path, err);
    }
    return !err_is(err);
}

static struct marks_type *type_of(struct marks_folder *self, const char *type)
{
    for (uint32_t i = 0; i < self->types_count; i++) {
        if (strncmp(self->types[i].type, type, MARKS_TYPE_BYTES - 1) == 0) {
            return &self->types[i];
        }
    }
    if (self->types_count == MARKS_TYPES_MAX) {
        ctl_refuse("more than %d scanner types", MARKS_TYPES_MAX);
        return NULL;
    }
    struct marks_type *made = &self->types[self->types_count];
    (void)snprintf(made->type, sizeof made->type, "%s", type);
    folder_of(type, made->folder);
    made->marks = open_memstream(&made->texts[0], &made->bytes[0]);
    made->groups = open_memstream(&made->texts[1], &made->bytes[1]);
    self->types_count++;
    if (made->marks == NULL || made->groups == NULL) {
        ctl_refuse("no memory");
        return NULL;
    }
    (void)fputs("image,x,y,width,height\n", made->marks);
    (void)fputs("image,group\n", made->groups);
    return make_folder(self, made->folder, "") && make_folder(self, made->folder, "/images") ? made
                                                                                             : NULL;
}

/* ---- one image ---- */

static uint64_t calibration_key(const struct archive_table *table, uint64_t row)
{
    return archive_table_number(table, row, "entry_index") * RECORD_IMAGES_MAX +
           archive_table_number(table, row, "image_index");
}

/* What the scanner said of this image; 0 where nothing is known. Rows stand in the order of the
 * log. */
static void add_calibration(const struct marks_folder *self, uint64_t entry, uint64_t position,
                            struct image *image)
{
    const struct archive_table *table = &self->tables->tables[TABLE_CALIBRATION];
    uint64_t wanted = entry * RECORD_IMAGES_MAX + position;
    uint64_t low = 0;
    uint64_t high = table->rows_count;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (calibration_key(table, middle) < wanted) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low < table->rows_count && calibration_key(table, low) == wanted) {
        image->energy_kev = archive_table_real(table, low, "energy_kev");
        image->pixel_pitch_mm = archive_table_real(table, low, "pixel_pitch_mm");
        image->air_level = (uint32_t)archive_table_number(table, low, "air_level");
        image->dark_level = (uint32_t)archive_table_number(table, low, "dark_level");
    }
}

static bool write_image(const struct marks_folder *self, const json_t *row, const char *path,
                        struct image *image)
{
    struct view view;
    struct image_wanted wanted = {.image_width = (uint32_t)member_integer(row, "width"),
                                  .image_height = (uint32_t)member_integer(row, "height"),
                                  .bits = (uint32_t)member_integer(row, "bits")};
    wanted.width = wanted.image_width;
    wanted.height = wanted.image_height;
    int energy = energy_parse(member_text(row, "energy"));
    if (!hex_decode(member_text(row, "sha256"), wanted.sha256, HASH_BYTES)) {
        return ctl_refuse("%s: no digest in the read model", path), false;
    }
    *image = (struct image){.width = wanted.width,
                            .height = wanted.height,
                            .bits = wanted.bits,
                            .meaning = (enum pixel_meaning)member_integer(row, "meaning"),
                            .energy = energy < 0 ? ENERGY_SINGLE : (enum energy)energy,
                            .view = (uint32_t)member_integer(row, "view")};
    add_calibration(self, (uint64_t)member_integer(row, "entry"),
                    (uint64_t)member_integer(row, "position"), image);
    if (!item_pixels_read(self->ctl, &wanted, (uint64_t)member_integer(row, "entry"), wanted.width,
                          wanted.height, &view)) {
        (void)fprintf(stderr, "triagectl: that was image %s of entry %lld\n",
                      member_text(row, "sha256"), member_integer(row, "entry"));
        return false;
    }
    struct err err = picture_write_png(path, view.pixels, view.width, view.height, 1, view.bits);
    view_fini(&view);
    if (err_is(err)) {
        ctl_fail(path, err);
    }
    return !err_is(err);
}

/* Its files; name gets that of the first image, by which marks call it. */
static bool write_files(const struct marks_folder *self, const struct marks_type *type,
                        const struct marks_scan *one, char name[NAME_BYTES])
{
    static const char *const endings[2][2] = {{"", ""}, {"_low", "_high"}};
    struct image images[2];
    char path[DURABLE_PATH_BYTES];
    const char *directory = self->directory;
    for (uint32_t i = 0; i < one->rows_count; i++) {
        const char *ending = endings[one->rows_count - 1][i];
        if (i == 0) {
            (void)snprintf(name, NAME_BYTES, "%s%s.png", one->stem, ending);
        }
        if (snprintf(path, sizeof path, "%s/%s/images/%s%s.png", directory, type->folder, one->stem,
                     ending) >= (int)sizeof path ||
            !write_image(self, one->rows[i], path, &images[i])) {
            return false;
        }
    }
    const struct scan scan = {.scan_id = one->stem,
                              .mode = mode_parse(member_text(one->rows[0], "mode")),
                              .site = "",
                              .lane = "",
                              .scanner = "",
                              .scanner_type = member_text(one->rows[0], "scanner_type"),
                              .images = images,
                              .images_count = one->rows_count};
    struct err err = err_make(ERR_ARGUMENT, "path");
    if (snprintf(path, sizeof path, "%s/%s/images/%s.json", directory, type->folder, one->stem) <
        (int)sizeof path) {
        err = image_sidecar_write(path, &scan);
    }
    if (err_is(err)) {
        ctl_fail(path, err);
    }
    return !err_is(err);
}

bool marks_folder_add(struct marks_folder *self, const struct marks_scan *one, const json_t *box)
{
    char name[NAME_BYTES];
    struct marks_type *type = type_of(self, member_text(one->rows[0], "scanner_type"));
    if (type == NULL || !write_files(self, type, one, name)) {
        return false;
    }
    (void)fprintf(type->groups, "%s,%.16s\n", name, one->item);
    if (box == NULL) {
        (void)fprintf(type->marks, "%s,,,,\n", name);
    } else {
        (void)fprintf(type->marks, "%s,%lld,%lld,%lld,%lld\n", name,
                      member_integer(box, "region_x"), member_integer(box, "region_y"),
                      member_integer(box, "region_width"), member_integer(box, "region_height"));
    }
    return true;
}

/* ---- the end ---- */

bool marks_folder_write(struct marks_folder *self)
{
    static const char *const names[2] = {"marks.csv", "groups.csv"};
    for (uint32_t i = 0; i < self->types_count; i++) {
        struct marks_type *type = &self->types[i];
        bool whole = fclose(type->marks) == 0;
        whole = fclose(type->groups) == 0 && whole;
        type->marks = type->groups = NULL;
        for (int k = 0; k < 2; k++) {
            char path[DURABLE_PATH_BYTES];
            struct err err = err_make(ERR_MEMORY, "tables of marks");
            if (whole && snprintf(path, sizeof path, "%s/%s/%s", self->directory, type->folder,
                                  names[k]) < (int)sizeof path) {
                err = durable_replace(path, type->texts[k], type->bytes[k], 0644);
            }
            if (err_is(err)) {
                ctl_fail(path, err);
                return false;
            }
        }
    }
    return true;
}

void marks_folder_fini(struct marks_folder *self)
{
    for (uint32_t i = 0; i < self->types_count; i++) {
        struct marks_type *type = &self->types[i];
        if (type->marks != NULL) {
            (void)fclose(type->marks);
        }
        if (type->groups != NULL) {
            (void)fclose(type->groups);
        }
        free(type->texts[0]);
        free(type->texts[1]);
    }
}
