/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/train_finder.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/team.h"
#include "ctl/crossfit.h"
#include "ctl/ctl.h"
#include "ctl/progress.h"
#include "proto/hash.h"
#include "score/finder_train.h"

enum { FOLDS = 5 };

static void show(void *argument, uint64_t done, uint64_t total)
{
    progress_show(argument, done, total);
}

/* Text that grows to its end and is cut there. */
struct words {
    char *text;
    size_t bytes;
};

static void __attribute__((format(printf, 2, 3))) add(struct words *words, const char *format, ...)
{
    size_t used = strlen(words->text);
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(words->text + used, words->bytes - used, format, arguments);
    va_end(arguments);
}

static void tell_recalls(struct words *words, const struct crossfit_figures *figures)
{
    for (int i = 0; i < FROC_HITS; i++) {
        add(words, "%s %s", i > 0 ? "," : "", froc_hit_words[i]);
        for (int k = 0; k < FROC_RATES; k++) {
            add(words, " %.3f", figures->froc.recalls[i][k].value);
        }
    }
}

/* Objects in the part that would be held out, and in all the others. */
static bool count_objects(const struct marked_images *images, const struct crossfit_conf *conf,
                          uint32_t *held_out, uint32_t *others)
{
    uint8_t *fold_of = calloc((size_t)images->group_count + 1, 1);
    if (fold_of == NULL) {
        ctl_refuse("no memory");
        return false;
    }
    *held_out = 0;
    *others = 0;
    if (conf->folds >= 2) {
        marked_images_folds(images->group_count, conf->folds, conf->seed, fold_of);
    }
    for (uint32_t i = 0; i < images->set.image_count; i++) {
        bool is_held = conf->folds >= 2 && fold_of[images->groups[i]] == 0;
        *(is_held ? held_out : others) += images->set.images[i].truth_count;
    }
    free(fold_of);
    return true;
}

static bool judge_and_place(const struct marked_images *images, const struct crossfit *fit,
                            double placing[2], struct words *words)
{
    struct crossfit_figures figures;
    if (!crossfit_judge(images, fit, &figures) ||
        !crossfit_place(images, fit, &placing[0], &placing[1])) {
        return false;
    }
    add(words,
        "held out %u scans, %u images, %u objects: recall at 0.1 0.5 1 2 5 false marks an image"
        " by",
        figures.groups, figures.images, figures.objects);
    tell_recalls(words, &figures);
    add(words, "; AUC of cells %.4f", figures.auc_cells);
    return true;
}

/* A fifth held out. Without objects on either side there is nothing to judge by: scores stay as
 * they are, and the words say so. */
static bool hold_out(const struct marked_images *images, const struct crossfit_conf *conf,
                     double placing[2], struct words *words)
{
    struct crossfit fit;
    uint32_t held_out, others;
    placing[0] = 1;
    placing[1] = 0;
    if (!count_objects(images, conf, &held_out, &others)) {
        return false;
    }
    if (held_out == 0 || others == 0) {
        add(words, "too few marked scans to hold any out: not judged, scores not placed");
        return true;
    }
    if (!crossfit_make(images, conf, &fit)) {
        return false;
    }
    bool good = judge_and_place(images, &fit, placing, words);
    crossfit_fini(&fit);
    return good;
}

/* What was drawn where: with the digests of the pixels it says what was learnt from. */
static void digest_marks(const struct marked_images *images, uint8_t out[HASH_BYTES])
{
    struct sha256 *digest = sha256_open();
    for (uint32_t i = 0; i < images->set.image_count; i++) {
        const struct finder_set_image *image = &images->set.images[i];
        sha256_add(digest, images->names[i], strlen(images->names[i]) + 1);
        sha256_add(digest, image->truths, image->truth_count * sizeof *image->truths);
    }
    sha256_finish(digest, out);
    sha256_close(&digest);
}

static bool fit_all(const struct train_finder_conf *conf, const struct marked_images *images,
                    struct finder_model *out, struct words *words)
{
    static char what[] = "all scans";
    struct finder_train_report report;
    const struct finder_train_conf train = {.set = &images->set,
                                            .epochs = conf->epochs,
                                            .seed = conf->seed,
                                            .threads = conf->threads,
                                            .progress = show,
                                            .argument = what};
    struct err err = finder_train(&train, out, &report);
    if (err_is(err)) {
        ctl_fail("finder", err);
        return false;
    }
    add(words,
        "; finder: %u images, %u objects of %u scans, usual side %.1f, reduced %u times, %llu"
        " steps, loss %.3f, in whole numbers %.3f; ",
        report.images, images->object_count, images->group_count, out->box, out->reduction,
        (unsigned long long)report.steps, report.loss, report.whole_loss);
    if (out->views > 1) {
        add(words, "an image is looked at %u ways; ", out->views);
    }
    if (conf->marks == NULL) {
        add(words, "objects: threats put into images that nobody marked; ");
    }
    if (images->set.threat_count > 0) {
        add(words, "%u threats put into them, %.0f photons a pixel; ", images->set.threat_count,
            images->set.photons);
    }
    return true;
}

static bool fit(const struct train_finder_conf *conf, const struct marked_images *images,
                struct train_appearance *train)
{
    char text[TRAIN_MARKS_BYTES] = "";
    struct words words = {text, sizeof text};
    double placing[2];
    uint8_t digest[HASH_BYTES];
    struct finder_model finder;
    const struct crossfit_conf parts = {.folds = images->group_count < FOLDS ? images->group_count
                                                                             : FOLDS,
                                        .end = 1,
                                        .epochs = conf->epochs,
                                        .seed = conf->seed,
                                        .threads = conf->threads};
    if (!fit_all(conf, images, &finder, &words)) {
        return false;
    }
    bool good = hold_out(images, &parts, placing, &words);
    if (good) {
        finder.slope = placing[0];
        finder.offset = placing[1];
        digest_marks(images, digest);
        struct err err = train_appearance_marks(train, &finder, text, digest);
        good = !err_is(err);
        if (!good) {
            ctl_fail("finder", err);
        }
    }
    finder_model_fini(&finder);
    return good;
}

bool train_finder(const struct train_finder_conf *conf, const struct image_folder *folder,
                  struct train_appearance *train)
{
    static char reading[] = "images and marks";
    const struct marked_images_conf about = {.folder = folder,
                                             .marks = conf->marks,
                                             .groups = conf->groups,
                                             .threats = conf->threats,
                                             .seed = conf->seed,
                                             .progress = show,
                                             .argument = reading};
    struct train_finder_conf settled = *conf;
    struct marked_images images;
    settled.threads = conf->threads > 0 ? conf->threads : (uint32_t)team_threads(4);
    if (!marked_images_open(&about, &images)) {
        return false;
    }
    bool good = fit(&settled, &images, train);
    marked_images_close(&images);
    return good;
}
