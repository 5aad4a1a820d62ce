/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/ctl.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include <jansson.h>

#include "base/clock.h"
#include "base/team.h"
#include "ctl/drift_tell.h"
#include "ctl/evaluation_json.h"
#include "ctl/json_text.h"
#include "ctl/logged_declarations.h"
#include "ctl/model_store.h"
#include "ctl/retrain.h"
#include "ctl/retrain_tidy.h"

/* `triagectl model retrain`: what the timer runs. A model that is worse beyond noise is never
 * installed, whoever asks; installing goes the way of `model install`, so that the log has the
 * comparison beside the file's digest. */

enum { THREADS_MAX = 8, LATER_DAYS = 28, LATER_DAYS_MAX = 3650 };

struct options {
    struct retrain_conf retrain;
    bool dry_run;
    bool install;
    bool own_directory; /* the store's: old files in it are removed */
};

struct told {
    const struct train_declarations_report *made; /* NULL: nothing was made */
    bool installed;
    uint32_t removed;
};

enum {
    OPTION_DRY_RUN = 0x2000,
    OPTION_INSTALL,
    OPTION_OUT,
    OPTION_DAYS,
    OPTION_SEED,
    OPTION_NEWEST
};

static error_t parse(int key, char *text, struct argp_state *state)
{
    struct options *options = state->input;
    switch (key) {
    case OPTION_DRY_RUN:
        options->dry_run = true;
        return 0;
    case OPTION_INSTALL:
        options->install = true;
        return 0;
    case OPTION_OUT:
        options->retrain.directory = text;
        return 0;
    case OPTION_DAYS:
        options->retrain.later_days = (int64_t)ctl_number(state, "days", text, LATER_DAYS_MAX);
        return 0;
    case OPTION_SEED:
        options->retrain.seed = ctl_number(state, "seed", text, UINT32_MAX);
        return 0;
    case OPTION_NEWEST:
        options->retrain.newest = ctl_number(state, "newest", text, LOGGED_MAX);
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "unexpected argument %s", text);
        return 0;
    case ARGP_KEY_END:
        if (options->dry_run == options->install) {
            argp_error(state, "either --dry-run or --install");
        }
        if (options->retrain.later_days == 0) {
            argp_error(state, "--days takes at least 1");
        }
        if (options->retrain.newest == 0) {
            argp_error(state, "--newest takes at least 1");
        }
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static bool may_install(const struct retrain *retrain)
{
    return retrain->compared && retrain->compare.verdict == COMPARE_NO_WORSE;
}

static const char *verdict_name(const struct retrain *retrain)
{
    static const char *const names[] = {
        [COMPARE_TOO_FEW] = "too_few", [COMPARE_WORSE] = "worse", [COMPARE_NO_WORSE] = "no_worse"};
    return names[retrain->compared ? retrain->compare.verdict : COMPARE_TOO_FEW];
}

static const char *verdict_words(const struct retrain *retrain, bool installed)
{
    if (may_install(retrain)) {
        return installed
                   ? "No worse than what is in use, beyond noise: installed."
                   : "No worse than what is in use, beyond noise: --install would install it.";
    }
    if (!retrain->compared || retrain->compare.verdict == COMPARE_TOO_FEW) {
        return "Too few exams to tell, before the cut or after it: what is in use stays.";
    }
    return "Worse than what is in use, beyond noise: what is in use stays.";
}

static json_t *set_json(const struct compare_set *set)
{
    json_t *object = json_object();
    json_object_set_new(object, "new", evaluation_json(&set->of_new));
    json_object_set_new(object, "in_use", evaluation_json(&set->of_old));
    json_object_set_new(object, "exams", json_integer((json_int_t)set->exams));
    json_object_set_new(object, "exams_found", json_integer((json_int_t)set->exams_found));
    json_object_set_new(object, "difference", json_real(set->difference));
    bool bounded = isfinite(set->lower) && isfinite(set->upper);
    json_object_set_new(object, "lower", bounded ? json_real(set->lower) : json_null());
    json_object_set_new(object, "upper", bounded ? json_real(set->upper) : json_null());
    return object;
}

static int tell_json(const struct retrain *retrain, const struct told *told)
{
    const struct train_declarations_report *made = told->made;
    json_t *out = json_object();
    json_object_set_new(out, "verdict", json_text(verdict_name(retrain)));
    json_object_set_new(out, "installed", json_boolean(told->installed));
    json_object_set_new(out, "removed_files", json_integer((json_int_t)told->removed));
    json_object_set_new(out, "in_use",
                        retrain->has_model ? json_hex("", retrain->in_use, HASH_BYTES)
                                           : json_null());
    json_object_set_new(out, "cut", json_time(retrain->cut_ns));
    json_object_set_new(out, "training_rows", json_integer((json_int_t)retrain->training_count));
    json_object_set_new(out, "later_rows", json_integer((json_int_t)retrain->later_count));
    json_object_set_new(out, "random_rows", json_integer((json_int_t)retrain->random_count));
    json_object_set_new(out, "lost_rows", json_integer((json_int_t)retrain->lost_count));
    if (retrain->compared) {
        json_object_set_new(out, "all", set_json(&retrain->compare.all));
        bool drawn = retrain->compare.random.of_new.rows > 0;
        json_object_set_new(out, "random",
                            drawn ? set_json(&retrain->compare.random) : json_null());
        json_object_set_new(out, "random_counts", json_boolean(retrain->compare.random_counts));
        json_object_set_new(out, "words", json_text(retrain->note));
        json_object_set_new(out, "drift", drift_json(retrain->drift, retrain->drift_count));
    }
    if (made != NULL) {
        json_object_set_new(out, "path", json_text(made->model.path));
        json_object_set_new(out, "sha256", json_hex("", made->model.sha256, HASH_BYTES));
        json_object_set_new(out, "evaluation", json_text(made->model.evaluation));
    }
    return json_print(out, true);
}

static int tell(const struct ctl *ctl, const struct retrain *retrain, const struct told *told)
{
    if (ctl->json) {
        return tell_json(retrain, told);
    }
    char day[CLOCK_DAY_BYTES];
    clock_day_text(retrain->cut_ns, day);
    printf("%" PRIu64 " exams told before %s, %" PRIu64 " declarations were decided from then on"
           " and examined, %" PRIu64 " of them drawn by the coin; %" PRIu64 " are no longer kept\n",
           retrain->training_count, day, retrain->later_count, retrain->random_count,
           retrain->lost_count);
    if (retrain->compared) {
        printf("%s\n\n", retrain->note);
        int result = drift_print(retrain->drift, retrain->drift_count);
        if (result != CTL_GOOD) {
            return result;
        }
    }
    printf("\n%s\n", verdict_words(retrain, told->installed));
    if (told->made != NULL) {
        printf("%s\n", told->made->model.path);
    }
    if (told->removed > 0) {
        printf("%" PRIu32 " old model files removed, %u stay\n", told->removed, RETRAIN_KEEP);
    }
    return CTL_GOOD;
}

static int run(struct ctl *ctl, const struct options *options)
{
    static struct retrain retrain;
    struct train_declarations_report made;
    struct told told = {.made = NULL};
    if (!retrain_compare(ctl, &options->retrain, &retrain)) {
        return CTL_REFUSED;
    }
    if (options->install && may_install(&retrain)) {
        if (!retrain_write(ctl, &options->retrain, &retrain, &made)) {
            return CTL_REFUSED;
        }
        int result = model_store_install(ctl, made.model.path, true);
        if (result != CTL_GOOD) {
            return result;
        }
        told.made = &made;
        told.installed = true;
    }
    /* What was decided is told even if the folder cannot be tidied. */
    bool tidy = !options->install || !options->own_directory ||
                retrain_tidy(ctl, options->retrain.directory, &told.removed);
    int result = tell(ctl, &retrain, &told);
    return tidy ? result : CTL_REFUSED;
}

int ctl_model_retrain(struct ctl *ctl, int argc, char **argv)
{
    static const struct argp_option options_table[] = {
        {"dry-run", OPTION_DRY_RUN, 0, 0, "compare and tell, make nothing", 1},
        {"install", OPTION_INSTALL, 0, 0, "install the new model unless it is worse", 1},
        {"days", OPTION_DAYS, "N", 0, "of the end of the log that both are judged on (default 28)",
         1},
        {"out", OPTION_OUT, "DIR", 0, "where the model file goes (default: retrain/ of the store)",
         1},
        {"newest", OPTION_NEWEST, "N", 0,
         "look only at the newest N declarations that were examined (default 4194304, the most)",
         1},
        {"seed", OPTION_SEED, "N", 0, "of the trees (default 1)", 1},
        {0, 0, 0, 0, 0, 0},
    };
    static const struct argp own = {
        options_table,
        parse,
        "",
        "Teach a model of declarations by the outcomes of exams in the log, and compare it with"
        " the one in use on later days that neither has learnt. What is worse beyond noise is"
        " never installed.",
        NULL,
        NULL,
        NULL};
    char directory[DURABLE_PATH_BYTES];
    struct options options = {.retrain = {.later_days = LATER_DAYS,
                                          .seed = 1,
                                          .newest = LOGGED_MAX,
                                          .threads = (uint32_t)team_threads(THREADS_MAX)}};
    ctl_parse(ctl, &own, &options, argc, argv);
    if (options.retrain.directory == NULL) {
        if (!ctl_path(ctl, "retrain", directory)) {
            return CTL_REFUSED;
        }
        options.retrain.directory = directory;
        options.own_directory = true;
    }
    return run(ctl, &options);
}
