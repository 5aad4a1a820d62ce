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

/* True when each part that is to be held out, and all others beside it, have an object: else there
 * is nothing to judge by. */
static bool can_hold_out(const struct marked_images *images, const struct crossfit_conf *conf,
                         bool *can)
{
    uint8_t *fold_of = calloc((size_t)images->group_count + 1, 1);
    if (fold_of == NULL) {
        ctl_refuse("no memory");
        return false;
    }
    *can = conf->folds >= 2;
    if (*can) {
        marked_images_folds(images->group_count, conf->folds, conf->seed, fold_of);
    }
    for (uint32_t part = 0; part < conf->end && *can; part++) {
        uint32_t held_out = 0;
        for (uint32_t i = 0; i < images->set.image_count; i++) {
            bool is_held = fold_of[images->groups[i]] == part;
            held_out += is_held ? images->set.images[i].truth_count : 0;
        }
        *can = held_out > 0 && held_out < images->object_count;
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
    if (figures.gated) {
        add(words, "; by looks at every cell centre");
        for (int k = 0; k < FROC_RATES; k++) {
            add(words, " %.3f", figures.everywhere.recalls[FROC_CENTRE][k].value);
        }
    }
    return true;
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

static bool train_on_all(const struct train_finder_conf *conf, const struct marked_images *images,
                         uint32_t network, uint32_t networks, struct crossfit_kept *out)
{
    char what[64] = "all scans";
    if (networks > 1) {
        (void)snprintf(what, sizeof what, "all scans, network %u of %u", network + 1, networks);
    }
    const struct finder_train_conf train = {.set = &images->set,
                                            .epochs = conf->epochs,
                                            .seed = conf->seed + network,
                                            .threads = conf->threads,
                                            .progress = progress_tell,
                                            .argument = what};
    struct err err = finder_train(&train, &out->finder, &out->report);
    if (err_is(err)) {
        ctl_fail("finder", err);
    }
    return !err_is(err);
}

/* What was taught: the networks, and, when there was enough to hold out, their marks on that. */
struct taught {
    struct crossfit_kept networks[FINDER_NETWORKS_MAX];
    uint32_t count;
    bool held_out;
    struct crossfit fit;
};

/* One network learns from all scans, and another, which is not kept, without a part tells how good
 * such a one is. Several do both: each learns without a part of its own, which it is judged by, and
 * between them they have seen everything. */
static bool teach(const struct train_finder_conf *conf, const struct marked_images *images,
                  struct taught *out)
{
    struct crossfit_conf parts = {.folds =
                                      images->group_count < FOLDS ? images->group_count : FOLDS,
                                  .end = out->count,
                                  .epochs = conf->epochs,
                                  .seed = conf->seed,
                                  .threads = conf->threads};
    if (!can_hold_out(images, &parts, &out->held_out)) {
        return false;
    }
    if (out->held_out && out->count > 1) {
        parts.kept = out->networks;
        return crossfit_make(images, &parts, &out->fit);
    }
    for (uint32_t n = 0; n < out->count; n++) {
        if (!train_on_all(conf, images, n, out->count, &out->networks[n])) {
            return false;
        }
    }
    return !out->held_out || crossfit_make(images, &parts, &out->fit);
}

static void taught_fini(struct taught *self)
{
    for (uint32_t n = 0; n < self->count; n++) {
        finder_model_fini(&self->networks[n].finder);
    }
    crossfit_fini(&self->fit);
}

static void tell_taught(struct words *words, const struct train_finder_conf *conf,
                        const struct marked_images *images, const struct taught *taught)
{
    const struct finder_model *finder = &taught->networks[0].finder;
    add(words, "; finder: %u images, %u objects of %u scans, usual side %.1f, reduced %u times, ",
        images->set.image_count, images->object_count, images->group_count, finder->box,
        finder->reduction);
    if (taught->count > 1) {
        add(words, "mean of %u networks%s: ", taught->count,
            taught->held_out
                ? ", each taught without a part of its own, by which it alone is judged"
                : "");
    }
    for (uint32_t n = 0; n < taught->count; n++) {
        const struct finder_train_report *report = &taught->networks[n].report;
        add(words, "%s%llu steps, loss %.3f, in whole numbers %.3f", n > 0 ? "; " : "",
            (unsigned long long)report->steps, report->loss, report->whole_loss);
    }
    add(words, "; ");
    if (finder->views > 1 && finder->places > 0) {
        add(words, "%u places of an image are looked at %u ways; ", finder->places, finder->views);
    } else if (finder->views > 1) {
        add(words, "an image is looked at %u ways; ", finder->views);
    }
    const struct finder_gate_report *gate = &taught->networks[0].report.gate;
    if (finder->gate.depth > 0) {
        add(words,
            "a gate after %u layers passes 1 in %u of the cells on and lost %llu of %llu objects; ",
            finder->gate.depth, gate->share, (unsigned long long)gate->lost,
            (unsigned long long)gate->noticed);
    } else if (gate->images > 0) {
        add(words, "no gate (%llu of %llu objects lost); ", (unsigned long long)gate->lost,
            (unsigned long long)gate->noticed);
    }
    if (conf->marks == NULL) {
        add(words, "objects: threats put into images that nobody marked; ");
    }
    if (images->set.threat_count > 0) {
        add(words, "%u threats put into them, %.0f photons a pixel; ", images->set.threat_count,
            images->set.photons);
    }
}

/* Without anything held out scores stay as they are, and the words say so. */
static bool settle(const struct train_finder_conf *conf, const struct marked_images *images,
                   const struct taught *taught, struct words *words, struct finder_model *out)
{
    const struct finder_model *networks[FINDER_NETWORKS_MAX];
    double placing[2] = {1, 0};
    tell_taught(words, conf, images, taught);
    if (!taught->held_out) {
        add(words, "too few marked scans to hold any out: not judged, scores not placed");
    } else if (!judge_and_place(images, &taught->fit, placing, words)) {
        return false;
    }
    for (uint32_t n = 0; n < taught->count; n++) {
        networks[n] = &taught->networks[n].finder;
    }
    struct err err = finder_join(networks, taught->count, out);
    if (err_is(err)) {
        ctl_fail("finder", err);
        return false;
    }
    out->slope = placing[0];
    out->offset = placing[1];
    return true;
}

static bool fit(const struct train_finder_conf *conf, const struct marked_images *images,
                struct train_appearance *train)
{
    char text[TRAIN_MARKS_BYTES] = "";
    struct words words = {text, sizeof text};
    uint8_t digest[HASH_BYTES];
    struct finder_model finder;
    struct taught taught = {.count = finder_networks(images->set.calibrated)};
    bool good = teach(conf, images, &taught) && settle(conf, images, &taught, &words, &finder);
    if (good) {
        digest_marks(images, digest);
        struct err err = train_appearance_marks(train, &finder, text, digest);
        good = !err_is(err);
        if (!good) {
            ctl_fail("finder", err);
        }
        finder_model_fini(&finder);
    }
    taught_fini(&taught);
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
                                             .progress = progress_tell,
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
