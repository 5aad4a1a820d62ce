/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/score_images.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/durable.h"
#include "ctl/json_text.h"
#include "ctl/progress.h"
#include "export/export_csv.h"
#include "score/image_scorer.h"

/* Tables grow in memory until every image was read: 20 rows of some 60 bytes an image. */

struct run {
    const struct score_images_options *options;
    struct image_scorer *scorer;
    FILE *marks;
    FILE *scores;
    uint32_t refused;
    uint32_t scored;
    uint64_t rows;
};

int score_deliver(const char *out, const char *text, size_t text_bytes)
{
    if (strcmp(out, "-") == 0) {
        bool good = fwrite(text, 1, text_bytes, stdout) == text_bytes && fflush(stdout) == 0;
        return good ? CTL_GOOD : ctl_fail("standard output", err_os(ERR_IO, "write scores"));
    }
    struct err err = durable_replace(out, text, text_bytes, 0644);
    return err_is(err) ? ctl_fail(out, err) : CTL_GOOD;
}

int score_tell(const struct ctl *ctl, const struct score_summary *summary)
{
    const char *out = summary->out;
    const char *scores = summary->scores;
    if ((out != NULL && strcmp(out, "-") == 0) || (scores != NULL && strcmp(scores, "-") == 0)) {
        return CTL_GOOD;
    }
    if (ctl->json) {
        return json_print(json_pack("{s:I, s:I, s:I, s:s?, s:s?}", "images",
                                    (json_int_t)summary->images, "refused",
                                    (json_int_t)summary->refused, "rows", (json_int_t)summary->rows,
                                    "out", out, "image_scores", scores),
                          true);
    }
    (void)printf("%" PRIu32 " images scored, %" PRIu32 " refused: %" PRIu64 " rows in %s%s%s\n",
                 summary->images, summary->refused, summary->rows, out != NULL ? out : scores,
                 out != NULL && scores != NULL ? ", the highest of each in " : "",
                 out != NULL && scores != NULL ? scores : "");
    return CTL_GOOD;
}

static void print_scan(struct run *run, const char *name, const struct image_marks *found)
{
    for (uint32_t i = 0; i < found->marks_count; i++) {
        const struct image_mark *mark = &found->marks[i];
        export_csv_put_text(run->marks, name);
        (void)fprintf(run->marks, ",%" PRIu32 ",%" PRIu32 ",%" PRIu32 ",%" PRIu32 ",%.12g\n",
                      mark->x, mark->y, mark->width, mark->height, mark->score);
    }
    run->rows += found->marks_count;
    export_csv_put_text(run->scores, name);
    (void)fprintf(run->scores, ",%.12g\n", found->score);
}

static void refuse(struct run *run, const char *name, const char *why)
{
    ctl_refuse("%s: %s", name, why);
    run->refused++;
}

static void score_folder(struct run *run, const struct image_folder *folder)
{
    uint32_t count = image_folder_count(folder);
    (void)fputs("image,x,y,width,height,score\n", run->marks);
    (void)fputs("image,score\n", run->scores);
    for (uint32_t i = 0; i < count; i++) {
        char why[FOLDER_WHY_BYTES] = "";
        const char *name = image_folder_name(folder, i);
        struct folder_scan *scan = NULL;
        struct err err = image_folder_read(folder, i, &scan, why);
        if (err_is(err)) {
            refuse(run, name, why);
        } else {
            struct image_marks found;
            image_scorer_run(run->scorer, &scan->scan, scan->pixels, &found);
            if (found.refused > 0) {
                refuse(run, name, found.refusal);
            }
            if (found.judged > 0) {
                print_scan(run, name, &found);
                run->scored++;
            }
            folder_scan_close(&scan);
        }
        progress_show("images", i + 1, count);
    }
    if (run->refused > 0) {
        (void)fprintf(stderr, "triagectl: %" PRIu32 " of %" PRIu32 " images refused\n",
                      run->refused, count);
    }
}

/* Each table goes out when both are whole. */
static int run_folder(struct run *run, const struct image_folder *folder)
{
    const struct score_images_options *options = run->options;
    char *texts[2] = {NULL, NULL};
    size_t texts_bytes[2] = {0, 0};
    run->marks = open_memstream(&texts[0], &texts_bytes[0]);
    run->scores = open_memstream(&texts[1], &texts_bytes[1]);
    bool room = run->marks != NULL && run->scores != NULL;
    if (room) {
        score_folder(run, folder);
    }
    room = run->marks != NULL && fclose(run->marks) == 0 && room;
    room = run->scores != NULL && fclose(run->scores) == 0 && room;
    int result = !room ? ctl_refuse("no memory")
                 : run->scored == 0
                     ? ctl_refuse("%s: no image could be scored", options->folder.directory)
                     : CTL_GOOD;
    if (result == CTL_GOOD && options->out != NULL) {
        result = score_deliver(options->out, texts[0], texts_bytes[0]);
    }
    if (result == CTL_GOOD && options->scores != NULL) {
        result = score_deliver(options->scores, texts[1], texts_bytes[1]);
    }
    free(texts[0]);
    free(texts[1]);
    return result;
}

int score_images(const struct ctl *ctl, const struct score_images_options *options)
{
    char why[FOLDER_WHY_BYTES] = "";
    struct run run = {.options = options};
    struct err err = image_scorer_open(options->model, &run.scorer);
    if (err_is(err)) {
        return ctl_fail(options->model, err);
    }
    struct image_folder_conf conf = options->folder;
    conf.scanner_type = image_scorer_scanner_type(run.scorer);
    struct image_folder *folder = NULL;
    err = image_folder_open(&conf, &folder, why);
    int result = err_is(err) ? ctl_refuse("%s: %s", conf.directory, why) : run_folder(&run, folder);
    image_folder_close(&folder);
    image_scorer_close(&run.scorer);
    const struct score_summary summary = {options->out, options->scores, run.rows, run.scored,
                                          run.refused};
    return result == CTL_GOOD ? score_tell(ctl, &summary) : result;
}
