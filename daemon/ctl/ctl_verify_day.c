/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/ctl.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/durable.h"
#include "verify/verify.h"

/* The random draws of a day, made again from public files alone: the log and the key that it
 * reveals. The whole log is checked as triage-verify does, because a day's draws prove nothing in a
 * log that does not hold together; archive files are not looked at. */

struct verify_day_options {
    const char *day;
    const char *log_directory;
    const char *vkey;
};

static error_t parse_verify_day(int key, char *text, struct argp_state *state)
{
    struct verify_day_options *options = state->input;
    int64_t start_ns = 0;
    switch (key) {
    case 'l':
        options->log_directory = text;
        return 0;
    case 'k':
        options->vkey = text;
        return 0;
    case ARGP_KEY_ARG:
        if (options->day != NULL || !clock_day_ns(text, &start_ns)) {
            argp_error(state, "one DAY, as 2026-09-21");
        }
        options->day = text;
        return 0;
    case ARGP_KEY_END:
        if (options->day == NULL) {
            argp_error(state, "which DAY?");
        }
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static int tell_day(const struct ctl *ctl, const struct verify_day *day,
                    const struct verify_report *report)
{
    uint64_t problems = report->problems.count;
    bool good = verify_day_good(day) && problems == 0;
    bool told = true;
    if (ctl->json) {
        told = verify_day_print_json(day, problems, stdout);
    } else {
        verify_day_print(day, problems, stdout);
        for (uint32_t i = 0; i < report->shards_count; i++) {
            const struct verify_shard *shard = &report->shards[i];
            printf("the log     %s: %llu entries hash to the signed root, %llu checkpoints; key "
                   "%08x, %s\n",
                   shard->origin, (unsigned long long)shard->entries,
                   (unsigned long long)shard->checkpoints, shard->key_id,
                   shard->key_was_given ? "which you gave"
                                        : "which lies beside the log: --vkey takes your own");
        }
    }
    for (uint32_t i = 0; i < report->problems.kept && i < 20; i++) {
        (void)fprintf(stderr, "problem: %s\n", report->problems.lines[i].text);
    }
    if (problems > 20) {
        (void)fprintf(stderr, "problem: and %llu more; triage-verify lists them\n",
                      (unsigned long long)(problems - 20));
    }
    return good && told && fflush(stdout) == 0 ? CTL_GOOD : CTL_REFUSED;
}

int ctl_verify_day(struct ctl *ctl, int argc, char **argv)
{
    static const struct argp_option options_table[] = {
        {"log", 'l', "DIR", 0,
         "directory with a copy of log/, or one shard of it (default: the store)", 1},
        {"vkey", 'k', "KEY", 0, "verifier key of the log, or a file that holds it", 1},
        {0, 0, 0, 0, 0, 0},
    };
    static const struct argp own = {
        options_table,
        parse_verify_day,
        "DAY",
        "Make every random draw of a day again, from the public log and the key that it reveals, "
        "and say in words what was checked.",
        NULL,
        NULL,
        NULL};
    struct verify_day_options options = {0};
    char store[DURABLE_PATH_BYTES];
    char text[ERR_TEXT_BYTES];
    ctl_parse(ctl, &own, &options, argc, argv);
    if (options.log_directory == NULL) {
        if (!ctl_settle(ctl) || !ctl_path(ctl, ".", store)) {
            return CTL_REFUSED;
        }
        options.log_directory = store;
    }
    struct verify_report *report = calloc(1, sizeof *report);
    struct verify_day *day = calloc(1, sizeof *day);
    struct err err = report == NULL || day == NULL ? err_make(ERR_MEMORY, "verify-day")
                                                   : verify_report_init(report);
    int result = CTL_REFUSED;
    if (!err_is(err)) {
        memcpy(day->day, options.day, sizeof day->day);
        const struct verify_conf conf = {.directory = options.log_directory,
                                         .vkey = options.vkey,
                                         .now_ns = clock_utc_ns(),
                                         .day = day};
        err = verify_run(&conf, report);
        if (!err_is(err)) {
            result = tell_day(ctl, day, report);
        }
        verify_report_fini(report);
    }
    if (err_is(err)) {
        result =
            ctl_refuse("%s: could not be checked: %s", options.log_directory, err_text(err, text));
    }
    free(report);
    free(day);
    return result;
}
