/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/crossfit_bank.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl/ctl.h"
#include "ctl/progress.h"
#include "ctl/train_scans.h"

static bool learn(const struct marked_images *images, const struct image_folder *folder,
                  const struct marked_choice *choice, struct train_appearance *train)
{
    const uint32_t count = images->set.image_count;
    uint32_t skipped = 0;
    for (uint32_t i = 0; i < count; i++) {
        char why[FOLDER_WHY_BYTES] = "";
        struct folder_scan *scan = NULL;
        if (choice->chosen[i] == choice->value) {
            continue;
        }
        if (err_is(image_folder_read(folder, images->set.images[i].number, &scan, why))) {
            ctl_refuse("%s: %s", images->names[i], why);
            return false;
        }
        struct err err = train_scans_add(train, scan, images->names[i], &skipped);
        folder_scan_close(&scan);
        if (err_is(err)) {
            ctl_fail(images->names[i], err);
            return false;
        }
        progress_show("images learnt", i + 1, count);
    }
    return true;
}

bool crossfit_bank_learn(const struct marked_images *images, const struct crossfit_bank *bank,
                         uint64_t seed, const struct marked_choice *choice,
                         struct image_scorer **out)
{
    const char *above = getenv("TMPDIR");
    char folder[DURABLE_PATH_BYTES];
    struct train_appearance *train = NULL;
    struct train_report report;
    struct train_appearance_conf conf = bank->train;
    int bytes = snprintf(folder, sizeof folder, "%s/triagectl-XXXXXX",
                         above != NULL && above[0] != '\0' ? above : "/tmp");
    if (bytes < 0 || (size_t)bytes >= sizeof folder || mkdtemp(folder) == NULL) {
        ctl_refuse("a folder for a model: %s", strerror(errno));
        return false;
    }
    conf.seed = seed;
    struct err err = train_appearance_open(&conf, &train);
    bool told = !err_is(err) && !learn(images, bank->folder, choice, train);
    if (!err_is(err) && !told) {
        err = train_appearance_write(train, folder, &report);
        if (!err_is(err)) {
            err = image_scorer_open(report.path, out);
            struct err removed = durable_remove(report.path);
            err = err_is(err) ? err : removed;
        }
    }
    train_appearance_close(&train);
    (void)rmdir(folder);
    if (err_is(err)) {
        ctl_fail("bank", err);
    }
    return !err_is(err) && !told;
}
