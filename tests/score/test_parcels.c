/* SPDX-License-Identifier: Apache-2.0 */
/* Appearance on real scans of boxes with planted foreign objects: trained on half of the source
 * scans without using their marks, looked at on the other half. Nearly every training image has
 * objects in it too, so this is hard on purpose. */
#include "fixture.h"

#include <dirent.h>
#include <math.h>

#include "kernels/statistics.h"
#include "picture/picture.h"
#include "score/score.h"
#include "score/train.h"

enum { IMAGES_MAX = 600, BOXES_MAX = 64, CELLS_MAX = 1 << 21 };

struct box {
    int left;
    int top;
    int right;
    int bottom;
};

static char *names[IMAGES_MAX];
static int names_count;
static double scores[CELLS_MAX];
static uint8_t labels[CELLS_MAX];
static uint32_t order[CELLS_MAX];

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void list_images(const char *folder)
{
    char path[FIXTURE_PATH_BYTES + 16];
    snprintf(path, sizeof path, "%s/images", folder);
    DIR *directory = opendir(path);
    assert_non_null(directory);
    for (struct dirent *entry = readdir(directory); entry != NULL; entry = readdir(directory)) {
        if (strstr(entry->d_name, ".jpg") != NULL && names_count < IMAGES_MAX) {
            names[names_count++] = strdup(entry->d_name);
        }
    }
    closedir(directory);
    qsort(names, (size_t)names_count, sizeof names[0], compare_names);
}

/* Versions of one source scan share the name before "_jpg.rf.": they must not stand on both sides.
 */
static size_t group_bytes(const char *name)
{
    const char *end = strstr(name, "_jpg.rf.");
    return end != NULL ? (size_t)(end - name) : strlen(name);
}

static int group_of(int index)
{
    int group = 0;
    for (int i = 1; i <= index; i++) {
        size_t bytes = group_bytes(names[i]);
        group += bytes != group_bytes(names[i - 1]) || memcmp(names[i], names[i - 1], bytes) != 0;
    }
    return group;
}

static void read_picture(const char *folder, const char *name, struct picture *picture,
                         struct image *image)
{
    char path[FIXTURE_PATH_BYTES * 2];
    const char *why = "";
    snprintf(path, sizeof path, "%s/images/%s", folder, name);
    assert_good(picture_read(path, 0, UINT64_C(1) << 26, picture, &why));
    *image = (struct image){.width = picture->width,
                            .height = picture->height,
                            .bits = picture->bits,
                            .meaning = PIXEL_DISPLAY,
                            .payload_bytes = picture->pixels_bytes};
}

static int tag_value(const char **at, const char *tag)
{
    const char *found = strstr(*at, tag);
    if (found == NULL) {
        return -1;
    }
    *at = found + strlen(tag);
    return atoi(*at);
}

static int read_boxes(const char *folder, const char *name, struct box boxes[BOXES_MAX])
{
    char path[FIXTURE_PATH_BYTES * 2];
    static char text[65536];
    snprintf(path, sizeof path, "%s/annotations/%.*s.xml", folder, (int)(strlen(name) - 4), name);
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        return 0;
    }
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    int count = 0;
    for (const char *at = strstr(text, "<bndbox>"); at != NULL && count < BOXES_MAX;
         at = strstr(at, "<bndbox>")) {
        const char *inside = at;
        struct box box;
        box.left = tag_value(&inside, "<xmin>");
        inside = at;
        box.top = tag_value(&inside, "<ymin>");
        inside = at;
        box.right = tag_value(&inside, "<xmax>");
        inside = at;
        box.bottom = tag_value(&inside, "<ymax>");
        boxes[count++] = box;
        at++;
    }
    return count;
}

static void train(const char *folder, const char *directory, struct train_report *report)
{
    struct train_appearance_conf conf = {.scanner_type = "parcel-line",
                                         .bank_patches_max = 2048,
                                         .dimensions = 64,
                                         .working_height = 640,
                                         .seed = 3};
    struct train_appearance *self = NULL;
    assert_good(train_appearance_open(&conf, &self));
    int before = -1;
    for (int i = 0; i < names_count; i++) {
        int group = group_of(i);
        /* One version of each source scan: its sister would make its objects look usual. */
        if (group % 2 != 0 || group == before) {
            continue;
        }
        before = group;
        struct picture picture;
        struct image image;
        read_picture(folder, names[i], &picture, &image);
        struct train_image training = {.image = &image, .pixels = picture.pixels, .name = names[i]};
        assert_good(train_appearance_add(self, &training));
        picture_fini(&picture);
    }
    assert_good(train_appearance_write(self, directory, report));
    train_appearance_close(&self);
}

static bool cell_in_box(uint32_t x, uint32_t y, uint32_t cell, const struct box *boxes,
                        int boxes_count)
{
    int middle_x = (int)(x * cell + cell / 2);
    int middle_y = (int)(y * cell + cell / 2);
    int half = (int)cell / 2;
    for (int i = 0; i < boxes_count; i++) {
        if (middle_x + half >= boxes[i].left && middle_x - half <= boxes[i].right &&
            middle_y + half >= boxes[i].top && middle_y - half <= boxes[i].bottom) {
            return true;
        }
    }
    return false;
}

struct tally {
    size_t cells;
    int objects;
    int hit;
    int regions;
    int images;
};

static void look_at(struct score *scorer, const char *folder, const char *name, struct tally *tally)
{
    struct picture picture;
    struct image image;
    struct box boxes[BOXES_MAX];
    static struct score_result result;
    read_picture(folder, name, &picture, &image);
    int boxes_count = read_boxes(folder, name, boxes);
    struct scan scan = {.scan_id = "s",
                        .mode = MODE_MAIL,
                        .site = "",
                        .lane = "",
                        .scanner = "",
                        .scanner_type = "parcel-line",
                        .images = &image,
                        .images_count = 1};
    float *map = NULL;
    uint32_t width = 0;
    uint32_t height = 0;
    assert_good(score_anomaly_map(scorer, &scan, 0, picture.pixels, &map, &width, &height));
    uint32_t cell = image.width / width;
    for (uint32_t i = 0; i < width * height && tally->cells < CELLS_MAX; i++) {
        scores[tally->cells] = (double)map[i];
        labels[tally->cells++] = cell_in_box(i % width, i / width, cell, boxes, boxes_count);
    }
    struct score_input input = {.scans = {{.scan = &scan, .pixels = {picture.pixels}}},
                                .scans_count = 1};
    score_items(scorer, &input, &result, 1);
    for (int b = 0; b < boxes_count; b++) {
        int hit = 0;
        for (uint32_t r = 0; r < result.score.regions_count; r++) {
            const struct entry_region *region = &result.score.regions[r];
            hit |= (int)region->x <= boxes[b].right &&
                   (int)(region->x + region->width) >= boxes[b].left &&
                   (int)region->y <= boxes[b].bottom &&
                   (int)(region->y + region->height) >= boxes[b].top;
        }
        tally->hit += hit;
    }
    tally->objects += boxes_count;
    tally->regions += (int)result.score.regions_count;
    tally->images++;
    free(map);
    picture_fini(&picture);
}

static void parcels_map_is_higher_at_foreign_objects_than_elsewhere(void **state)
{
    (void)state;
    char folder[FIXTURE_PATH_BYTES];
    char directory[FIXTURE_PATH_BYTES];
    if (!fixture_shared("parcels", folder)) {
        skip();
    }
    fixture_make_directory(directory);
    list_images(folder);
    struct train_report report;
    train(folder, directory, &report);
    printf("    %s\n", report.evaluation);
    struct score *scorer = NULL;
    struct score_conf conf = {
        .image_bytes_max = 1 << 24, .history_slots = 1, .working_height = 640};
    assert_good(score_open(&conf, &scorer));
    assert_good(score_install(scorer, report.path, report.sha256, NULL));
    struct tally tally = {0};
    int before = -1;
    for (int i = 0; i < names_count; i++) {
        int group = group_of(i);
        if (group % 2 == 1 && group != before) {
            look_at(scorer, folder, names[i], &tally);
        }
        before = group;
    }
    double auc = statistics_auc(scores, labels, tally.cells, order);
    printf("    %d images of other source scans: AUC of cells at marked objects against all others "
           "%.3f; %d of %d objects "
           "touched by %d regions\n",
           tally.images, auc, tally.hit, tally.objects, tally.regions);
    assert_true(auc > 0.6);
    assert_true(10 * tally.hit > 3 * tally.objects);
    score_close(&scorer);
    fixture_remove_directory(directory);
    for (int i = 0; i < names_count; i++) {
        free(names[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parcels_map_is_higher_at_foreign_objects_than_elsewhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
