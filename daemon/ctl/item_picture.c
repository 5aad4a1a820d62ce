/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/item_picture.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "archive/model_file.h"
#include "ctl/item_pixels.h"
#include "ctl/log_source.h"
#include "ctl/overlay.h"
#include "ctl/rows.h"
#include "ctl/sheet.h"
#include "picture/picture.h"
#include "proto/disclosure.h"
#include "proto/record.h"
#include "score/appearance.h"
#include "score/score.h"

/* Images of an item are counted over all its scans in the order of their entries: that is how
 * regions name theirs. */

#define IMAGE_BYTES_MAX (UINT64_C(1) << 30)

struct chosen {
    uint32_t item_image_index; /* over all scans of the item */
    uint64_t entry_index;      /* of its scan */
    uint32_t position;         /* within its scan */
    uint8_t sha256[HASH_BYTES];
    uint64_t payload_bytes;
};

/* The image with the strongest region; without regions the largest, high or single energy before
 * low. */
static bool choose_image(const json_t *item, struct chosen *chosen)
{
    json_t *images = json_object_get(item, "images");
    json_t *best_region = json_array_get(json_object_get(item, "regions"), 0);
    json_int_t wanted = best_region == NULL ? -1 : member_integer(best_region, "image_index");
    size_t index;
    size_t best = json_array_size(images);
    long long best_rank = -1;
    json_t *image;
    json_array_foreach(images, index, image)
    {
        long long rank = member_integer(image, "width") * member_integer(image, "height");
        rank = strcmp(member_text(image, "energy"), "low") == 0 ? 0 : rank;
        rank = (json_int_t)index == wanted ? INT64_MAX : rank;
        if (rank > best_rank) {
            best = index;
            best_rank = rank;
        }
    }
    image = json_array_get(images, best);
    if (image == NULL) {
        ctl_refuse("the item has no image");
        return false;
    }
    chosen->item_image_index = (uint32_t)best;
    chosen->entry_index = (uint64_t)member_integer(image, "entry");
    chosen->position = (uint32_t)member_integer(image, "position");
    chosen->payload_bytes = (uint64_t)member_integer(image, "payload_bytes");
    return hex_decode(member_text(image, "sha256"), chosen->sha256, HASH_BYTES);
}

static bool read_record(const struct log_bytes *bytes, struct arena *arena, const uint8_t **record,
                        uint32_t *record_bytes)
{
    struct entry *entry = arena_take(arena, sizeof *entry);
    bool good =
        entry != NULL &&
        entry_decode(bytes->bytes, bytes->bytes_count, arena, entry) == ENTRY_GOOD &&
        received_record(entry, bytes->private_bytes, bytes->private_count, record, record_bytes);
    arena_reset(arena); /* the record lies in the log's bytes */
    return good;
}

/* The scan as its publisher sent it: calibration levels and pitch are in no entry. Only these are
 * used and shown; the keys of the record go nowhere. The memory behind *scan is the arena's. */
static bool read_scan(struct ctl *ctl, uint64_t entry_index, struct arena *arena, struct scan *scan)
{
    char wal[DURABLE_PATH_BYTES];
    struct log_source *source = NULL;
    struct log_bytes bytes;
    const uint8_t *record = NULL;
    uint32_t record_bytes = 0;
    bool got = false;
    if (!ctl_path(ctl, "wal", wal)) {
        return false;
    }
    struct err err = log_source_open_store(ctl->conf.store_directory, &source);
    if (!err_is(err)) {
        err = log_source_seek(source, entry_index);
    }
    if (!err_is(err)) {
        err = log_source_next(source, &bytes, &got);
    }
    bool read = false;
    if (err_is(err)) {
        ctl_fail(wal, err);
    } else if (!got || !read_record(&bytes, arena, &record, &record_bytes)) {
        ctl_refuse("the record of entry %" PRIu64 " is not kept any more", entry_index);
    } else {
        const char *where = "";
        enum refusal refusal = scan_decode(record, record_bytes, arena, scan, &where);
        read = refusal == REFUSAL_NONE;
        if (!read) {
            ctl_refuse("record of entry %" PRIu64 ": %s (%s)", entry_index,
                       refusal_sentence(refusal), where);
        }
    }
    log_source_close(&source);
    return read;
}

/* A region is marked where cells lie above the normal image score; the colour begins there too and
 * is full where normal images hardly ever come. */
static struct err read_scale(const char *path, const uint8_t wanted[HASH_BYTES],
                             struct overlay_map *map)
{
    struct model_file *file = NULL;
    struct err err = model_file_open(path, wanted, &file);
    if (!err_is(err)) {
        struct appearance_model model;
        err = appearance_read(file, &model);
        if (!err_is(err)) {
            map->clear = (float)model.image_median;
            map->full = (float)(model.image_median + 4.0 * model.image_spread);
            appearance_model_fini(&model);
        }
    }
    model_file_close(&file);
    return err;
}

/* The score's own appearance model for this scanner type; NOT_FOUND when it used none. */
static struct err install_model(struct ctl *ctl, const json_t *item, const char *scanner_type,
                                struct score *score, struct overlay_map *map)
{
    char wanted_name[128];
    (void)snprintf(wanted_name, sizeof wanted_name, APPEARANCE_PREFIX "%s", scanner_type);
    size_t index;
    json_t *model;
    json_array_foreach(json_object_get(item, "models"), index, model)
    {
        char name[DURABLE_PATH_BYTES];
        char path[DURABLE_PATH_BYTES];
        uint8_t wanted[HASH_BYTES];
        if (strcmp(member_text(model, "name"), wanted_name) != 0 ||
            !hex_decode(member_text(model, "sha256"), wanted, HASH_BYTES)) {
            continue;
        }
        if (snprintf(name, sizeof name, "%s/%s.h5", ctl->conf.store_models,
                     member_text(model, "sha256")) >= (int)sizeof name ||
            !ctl_path(ctl, name, path)) {
            return err_make(ERR_ARGUMENT, "path of the model");
        }
        struct err err = read_scale(path, wanted, map);
        return err_is(err) ? err : score_install(score, path, wanted, NULL);
    }
    return err_make(ERR_NOT_FOUND, "the score used no appearance model of this scanner type");
}

/* A picture without its map is still worth showing: what is missing is told. */
static void paint_map(struct ctl *ctl, const json_t *item, const struct scan *scan,
                      const struct chosen *chosen, const uint8_t *pixels, struct overlay *overlay)
{
    const struct score_conf conf = {.image_bytes_max = IMAGE_BYTES_MAX,
                                    .history_slots = 1024,
                                    .working_height = (uint32_t)ctl->conf.judge_working_height};
    struct score *score = NULL;
    float *cells = NULL;
    struct overlay_map map = {0};
    struct err err = score_open(&conf, &score);
    if (!err_is(err)) {
        err = install_model(ctl, item, scan->scanner_type, score, &map);
    }
    if (!err_is(err)) {
        err = score_anomaly_map(score, scan, chosen->position, pixels, &cells, &map.width,
                                &map.height);
    }
    if (err_is(err)) {
        ctl_fail("picture without anomaly map", err);
    } else {
        map.cells = cells;
        overlay_paint_map(overlay, &map);
    }
    free(cells);
    score_close(&score);
}

static void paint_regions(const json_t *item, const struct chosen *chosen, struct overlay *overlay)
{
    size_t index;
    json_t *region;
    json_array_foreach(json_object_get(item, "regions"), index, region)
    {
        if (member_integer(region, "image_index") != (long long)chosen->item_image_index) {
            continue;
        }
        struct overlay_box box = {
            (uint32_t)member_integer(region, "x"), (uint32_t)member_integer(region, "y"),
            (uint32_t)member_integer(region, "width"), (uint32_t)member_integer(region, "height")};
        overlay_paint_box(overlay, &box);
    }
}

/* The picture as it is, and once more with map and boxes. */
static struct err write_sheet(struct ctl *ctl, const json_t *item, const struct scan *scan,
                              const struct chosen *chosen, const uint8_t *pixels, const char *path)
{
    const struct image *image = &scan->images[chosen->position];
    struct overlay overlay = {malloc(3 * (size_t)image->width * image->height), image->width,
                              image->height};
    struct sheet sheet = {0};
    struct err err = err_make(ERR_MEMORY, "draw picture");
    if (overlay.rgb != NULL && sheet_open(image->width, image->height, &sheet)) {
        overlay_paint_image(&overlay, image, pixels);
        sheet_place(&sheet, 0, &overlay);
        paint_map(ctl, item, scan, chosen, pixels, &overlay);
        paint_regions(item, chosen, &overlay);
        sheet_place(&sheet, 1, &overlay);
        err = picture_write_png(path, sheet.rgb, sheet.width, sheet.height, 3, 8);
    }
    sheet_close(&sheet);
    free(overlay.rgb);
    return err;
}

static struct image_wanted wanted_of(const struct image *image, const struct chosen *chosen)
{
    struct image_wanted wanted = {.image_width = image->width,
                                  .image_height = image->height,
                                  .bits = image->bits,
                                  .width = image->width,
                                  .height = image->height};
    memcpy(wanted.sha256, chosen->sha256, HASH_BYTES);
    return wanted;
}

/* The largest size of the region's shape that fits; nothing is enlarged. */
static void fit(const struct image_wanted *wanted, const struct item_picture *options,
                uint32_t *width, uint32_t *height)
{
    uint64_t w = wanted->width;
    uint64_t h = wanted->height;
    if (options->width > 0 && w > options->width) {
        h = h * options->width / w;
        w = options->width;
    }
    if (options->width > 0 && h > options->height) {
        w = w * options->height / h;
        h = options->height;
    }
    *width = w < 1 ? 1 : (uint32_t)w;
    *height = h < 1 ? 1 : (uint32_t)h;
}

/* A region, or the whole at another size, as it is: the map has cells larger than what is looked
 * at.
 */
static int write_part(struct ctl *ctl, const struct item_picture *options,
                      const struct image *image, const struct chosen *chosen,
                      struct image_wanted *wanted)
{
    struct view view;
    struct image part = *image;
    if (options->has_region) {
        wanted->x = options->region[0];
        wanted->y = options->region[1];
        wanted->width = options->region[2];
        wanted->height = options->region[3];
    }
    if (wanted->x >= image->width || wanted->width > image->width - wanted->x ||
        wanted->y >= image->height || wanted->height > image->height - wanted->y) {
        return ctl_refuse("the image is %ux%u: the region ends outside of it", image->width,
                          image->height);
    }
    fit(wanted, options, &part.width, &part.height);
    if (!item_pixels_read(ctl, wanted, chosen->entry_index, part.width, part.height, &view)) {
        return CTL_REFUSED; /* it has been told why */
    }
    struct overlay overlay = {malloc(3 * (size_t)part.width * part.height), part.width,
                              part.height};
    struct err err = err_make(ERR_MEMORY, "draw picture");
    if (overlay.rgb != NULL) {
        overlay_paint_image(&overlay, &part, view.pixels);
        err = picture_write_png(options->path, overlay.rgb, part.width, part.height, 3, 8);
    }
    free(overlay.rgb);
    view_fini(&view);
    if (err_is(err)) {
        return ctl_fail(options->path, err);
    }
    (void)fprintf(stderr, "%s: image %u of the item, %ux%u pixels from %u,%u, as %ux%u\n",
                  options->path, chosen->item_image_index + 1, wanted->width, wanted->height,
                  wanted->x, wanted->y, part.width, part.height);
    return CTL_GOOD;
}

static int write_picture(struct ctl *ctl, const json_t *item, const struct scan *scan,
                         const struct chosen *chosen, const struct item_picture *options)
{
    if (chosen->position >= scan->images_count) {
        return ctl_refuse("the scan's record has no image %u", chosen->position);
    }
    const struct image *image = &scan->images[chosen->position];
    uint64_t pixels_count = (uint64_t)image->width * image->height;
    if (chosen->payload_bytes != pixels_count * image->bits / 8) {
        return ctl_refuse("the image's size does not fit its pixels");
    }
    struct image_wanted wanted = wanted_of(image, chosen);
    struct view view;
    if (options->has_region || options->width > 0) {
        return write_part(ctl, options, image, chosen, &wanted);
    }
    if (!item_pixels_read(ctl, &wanted, chosen->entry_index, image->width, image->height, &view)) {
        return CTL_REFUSED; /* it has been told why */
    }
    struct err err = write_sheet(ctl, item, scan, chosen, view.pixels, options->path);
    view_fini(&view);
    if (err_is(err)) {
        return ctl_fail(options->path, err);
    }
    (void)fprintf(
        stderr,
        "%s: image %u of the item, %ux%u, as it is and with what stands out: colour is how far "
        "the load is from normal loads\n",
        options->path, chosen->item_image_index + 1, image->width, image->height);
    return CTL_GOOD;
}

int item_picture_write(struct ctl *ctl, const struct json_t *item,
                       const struct item_picture *options)
{
    struct chosen chosen = {0};
    struct arena arena;
    struct scan scan;
    if (!choose_image(item, &chosen)) {
        return CTL_REFUSED;
    }
    void *memory = malloc(RECORD_ARENA_BYTES);
    if (memory == NULL) {
        return ctl_refuse("no memory");
    }
    arena_init(&arena, memory, RECORD_ARENA_BYTES);
    int result = CTL_REFUSED;
    if (read_scan(ctl, chosen.entry_index, &arena, &scan)) {
        result = write_picture(ctl, item, &scan, &chosen, options);
    }
    free(memory);
    return result;
}
