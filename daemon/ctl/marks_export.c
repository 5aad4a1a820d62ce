/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/marks_export.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "ctl/json_text.h"
#include "ctl/marks_folder.h"
#include "ctl/progress.h"
#include "ctl/rows.h"

/* Which outcome stands and which scans are an item's is asked of the read model, which the log
 * made: a scan and its outcome may lie in different sealed files. */

struct exporting {
    const struct marks_export *order;
    struct marks_folder folder;
    uint64_t marked;   /* images with a box */
    uint64_t opened;   /* images of items that were opened and clean */
    uint64_t unplaced; /* finds whose outcome has no region */
    uint64_t unseen;   /* regions on an image that the item does not have, or beyond its edge */
};

static bool same_view(const json_t *a, const json_t *b)
{
    static const char *const members[] = {"entry", "view", "width", "height", "meaning"};
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        if (member_integer(a, members[i]) != member_integer(b, members[i])) {
            return false;
        }
    }
    return true;
}

static bool has_energy(const json_t *image, enum energy energy)
{
    return strcmp(member_text(image, "energy"), energy_text(energy)) == 0;
}

/* The image and its other energy. */
static struct marks_scan pair_of(const json_t *images, size_t index, const char *item)
{
    const json_t *image = json_array_get(images, index);
    bool low = has_energy(image, ENERGY_LOW);
    struct marks_scan one = {.rows = {image}, .rows_count = 1, .item = item};
    (void)snprintf(one.stem, sizeof one.stem, "%.16s-%zu", item, index);
    for (size_t i = 0; i < json_array_size(images) && (low || has_energy(image, ENERGY_HIGH));
         i++) {
        const json_t *other = json_array_get(images, i);
        if (has_energy(other, low ? ENERGY_HIGH : ENERGY_LOW) && same_view(image, other)) {
            one.rows[0] = low ? image : other;
            one.rows[1] = low ? other : image;
            one.rows_count = 2;
            break;
        }
    }
    return one;
}

static bool inside(const json_t *image, const json_t *outcome)
{
    return member_integer(outcome, "region_width") > 0 &&
           member_integer(outcome, "region_height") > 0 &&
           member_integer(outcome, "region_x") < member_integer(image, "width") &&
           member_integer(outcome, "region_y") < member_integer(image, "height");
}

static bool export_find(struct exporting *self, const json_t *outcome, const json_t *images)
{
    size_t index = (size_t)member_integer(outcome, "image_index");
    if (index >= json_array_size(images) || !inside(json_array_get(images, index), outcome)) {
        self->unseen++;
        return true;
    }
    struct marks_scan one = pair_of(images, index, member_text(outcome, "item"));
    if (!marks_folder_add(&self->folder, &one, outcome)) {
        return false;
    }
    self->marked++;
    return true;
}

static bool export_clean(struct exporting *self, const json_t *outcome, const json_t *images)
{
    size_t index;
    json_t *image;
    json_array_foreach(images, index, image)
    {
        struct marks_scan one = pair_of(images, index, member_text(outcome, "item"));
        bool second = one.rows_count == 2 && has_energy(image, ENERGY_LOW);
        if (!second && !marks_folder_add(&self->folder, &one, NULL)) {
            return false;
        }
        self->opened += !second;
    }
    return true;
}

/* Levels at which somebody looked inside. */
static bool opened(const char *level)
{
    return strcmp(level, "tailgate") == 0 || strcmp(level, "partial") == 0 ||
           strcmp(level, "full") == 0;
}

static bool export_outcome(struct exporting *self, struct state *state, const json_t *outcome)
{
    bool found = member_integer(outcome, "found") != 0;
    bool placed = member_integer(outcome, "has_region") != 0;
    bool clean = strcmp(member_text(outcome, "result"), "nothing_found") == 0 &&
                 opened(member_text(outcome, "exam_level"));
    uint8_t item[ITEM_ID_BYTES];
    self->unplaced += found && !placed;
    if (!(found && placed) && !clean) {
        return true;
    }
    if (!hex_decode(member_text(outcome, "item"), item, ITEM_ID_BYTES)) {
        return ctl_refuse("the read model has an outcome without an item"), false;
    }
    json_t *images = rows_of_item(
        state,
        "SELECT images.entry AS entry, position, lower(hex(images.sha256)) AS sha256, width,"
        " height, images.bits AS bits, meaning, energy, view, mode, scanner_type FROM records JOIN"
        " images ON images.entry = records.entry WHERE records.item = ?1 AND records.kind = 'scan'"
        " ORDER BY images.entry, position",
        "iitiiiititt", item);
    bool good = images != NULL &&
                (found ? export_find(self, outcome, images) : export_clean(self, outcome, images));
    json_decref(images);
    return good;
}

static bool is_sealed(const struct exporting *self, long long entry)
{
    size_t index;
    json_t *seal;
    json_array_foreach(self->order->seals, index, seal)
    {
        if (entry >= member_integer(seal, "first_index") &&
            entry <= member_integer(seal, "last_index")) {
            return true;
        }
    }
    return false;
}

static bool export_all(struct exporting *self)
{
    struct state *state = ctl_open_state(self->folder.ctl);
    json_t *outcomes =
        state == NULL
            ? NULL
            : rows_of(state,
                      "SELECT entry, lower(hex(item)) AS item, exam_level, result, found,"
                      " has_region, image_index, region_x, region_y, region_width, region_height"
                      " FROM outcomes WHERE standing = 1 ORDER BY entry",
                      "itttiiiiiii");
    bool good = outcomes != NULL;
    size_t index;
    json_t *outcome;
    json_array_foreach(outcomes, index, outcome)
    {
        if (is_sealed(self, member_integer(outcome, "entry"))) {
            good = good && export_outcome(self, state, outcome);
        }
        progress_show("outcomes", index + 1, json_array_size(outcomes));
    }
    json_decref(outcomes);
    state_close(&state);
    return good;
}

/* As one word of a shell, whatever is in it: ' becomes '\''. */
static void print_word(const char *const parts[], uint32_t count)
{
    (void)putchar('\'');
    for (uint32_t i = 0; i < count; i++) {
        for (const char *at = parts[i]; *at != '\0'; at++) {
            (void)fputs(*at == '\'' ? "'\\''" : (const char[]){*at, '\0'}, stdout);
        }
    }
    (void)putchar('\'');
}

/* What learns from the folder of one type. */
static void print_command(const char *directory, const struct marks_type *type)
{
    static const char *const files[][2] = {
        {" --images ", "/images"}, {" --marks ", "/marks.csv"}, {" --groups ", "/groups.csv"}};
    (void)printf("triagectl model train appearance --scanner-type ");
    print_word((const char *const[]){type->type}, 1);
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        (void)fputs(files[i][0], stdout);
        print_word((const char *const[]){directory, "/", type->folder, files[i][1]}, 4);
    }
    (void)puts(" --out DIR");
}

static int tell(const struct exporting *self)
{
    if (self->folder.ctl->json) {
        json_t *folders = json_array();
        for (uint32_t i = 0; i < self->folder.types_count; i++) {
            json_array_append_new(folders, json_pack("{s:o, s:s}", "scanner_type",
                                                     json_text(self->folder.types[i].type),
                                                     "directory", self->folder.types[i].folder));
        }
        return json_print(
            json_pack("{s:s, s:o, s:I, s:I, s:I, s:I}", "directory", self->order->directory,
                      "types", folders, "images_marked", (json_int_t)self->marked, "images_without",
                      (json_int_t)self->opened, "finds_without_region", (json_int_t)self->unplaced,
                      "regions_without_image", (json_int_t)self->unseen),
            true);
    }
    (void)printf("%s: %" PRIu64 " images with a mark, %" PRIu64
                 " of items that were opened and clean\n",
                 self->order->directory, self->marked, self->opened);
    if (self->unplaced > 0) {
        (void)printf("Left out: %" PRIu64 " finds that nobody marked on an image\n",
                     self->unplaced);
    }
    if (self->unseen > 0) {
        (void)printf("Left out: %" PRIu64 " regions outside the images of their item\n",
                     self->unseen);
    }
    for (uint32_t i = 0; i < self->folder.types_count; i++) {
        print_command(self->order->directory, &self->folder.types[i]);
    }
    return CTL_GOOD;
}

int marks_export_run(struct ctl *ctl, const struct marks_export *order)
{
    struct exporting *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return ctl_refuse("no memory");
    }
    self->order = order;
    self->folder =
        (struct marks_folder){.ctl = ctl, .directory = order->directory, .tables = order->tables};
    int result = export_all(self) && marks_folder_write(&self->folder) ? CTL_GOOD : CTL_REFUSED;
    if (result == CTL_GOOD && self->marked == 0) {
        result =
            ctl_refuse("no sealed outcome of a find has a region (%" PRIu64 " finds have none)",
                       self->unplaced);
    }
    if (result == CTL_GOOD) {
        result = tell(self);
    }
    marks_folder_fini(&self->folder);
    free(self);
    return result;
}
