/* SPDX-License-Identifier: Apache-2.0 */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/diag.h"
#include "pipeline.h"
#include "decide/policy_file.h"
#include "score/blas_core.h"
#include "submission/submission.h"

/* Signals, options, life and death. Exit codes: 0 stopped when asked, 1 a stage failed (HALT), 2
 * options, configuration or policy are not valid. */

enum { EXIT_HALT = 1, EXIT_USAGE = 2 };

static volatile bool main_stop;

static void main_on_signal(int signal_number)
{
    (void)signal_number;
    main_stop = true;
}

static void main_catch_signals(void)
{
    struct sigaction action = {.sa_handler = main_on_signal};
    must(sigaction(SIGTERM, &action, NULL) == 0);
    must(sigaction(SIGINT, &action, NULL) == 0);
    action.sa_handler = SIG_IGN;
    must(sigaction(SIGPIPE, &action, NULL) == 0);
}

static void main_usage(FILE *to)
{
    (void)fputs(
        "usage: triaged [--config FILE] [--print-config | --check]\n"
        "\n"
        "The triage daemon: takes scans and declarations from publishers, scores them, decides "
        "which item is\n"
        "opened next, and keeps an oversight log and an archive of everything.\n"
        "\n"
        "  -c, --config FILE   configuration (default /etc/triaged/triaged.conf)\n"
        "      --print-config  print the effective configuration with every key and stop\n"
        "      --check         read configuration and policy, say whether they are good, and stop\n"
        "      --version       print the version and stop\n"
        "  -h, --help          print this and stop\n"
        "\n"
        "See triaged(8), triagectl(1), triage-feed(1), triage-verify(1).\n",
        to);
}

struct main_options {
    const char *config_file;
    bool print_config;
    bool check;
};

/* Returns -1 to go on, else the exit code. */
static int main_read_options(int argc, char **argv, struct main_options *out)
{
    enum { OPTION_PRINT = 256, OPTION_CHECK, OPTION_VERSION };
    static const struct option options[] = {{"config", required_argument, NULL, 'c'},
                                            {"print-config", no_argument, NULL, OPTION_PRINT},
                                            {"check", no_argument, NULL, OPTION_CHECK},
                                            {"version", no_argument, NULL, OPTION_VERSION},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    int option;
    while ((option = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
        switch (option) {
        case 'c':
            out->config_file = optarg;
            break;
        case OPTION_PRINT:
            out->print_config = true;
            break;
        case OPTION_CHECK:
            out->check = true;
            break;
        case OPTION_VERSION:
            (void)puts("triaged " TRIAGED_VERSION);
            return 0;
        case 'h':
            main_usage(stdout);
            return 0;
        default:
            main_usage(stderr);
            return EXIT_USAGE;
        }
    }
    if (optind < argc) {
        (void)fprintf(stderr, "triaged: unexpected argument '%s'\n", argv[optind]);
        main_usage(stderr);
        return EXIT_USAGE;
    }
    return -1;
}

static struct err main_read(const char *config_file, struct conf *conf, struct policy *policy,
                            char *why)
{
    char policy_path[2 * CONF_TEXT_BYTES];
    why[0] = '\0';
    struct err err = conf_read(config_file, conf, why);
    if (!err_is(err)) {
        err = policy_file_path(conf, policy_path, sizeof policy_path);
    }
    return err_is(err) ? err : policy_file_read(policy_path, policy, why);
}

/* What pipeline_open would refuse later. */
static struct err main_check_witnesses(const struct conf *conf, char *why)
{
    static struct quorum quorum; /* large: keys and addresses of 64 */
    char path[2 * CONF_TEXT_BYTES];
    if (conf->oversight_witness_policy[0] == '\0') {
        return err_none;
    }
    struct err err = conf_path(conf, conf->oversight_witness_policy, path, sizeof path);
    return err_is(err) ? err : submission_policy_read(path, &quorum, why);
}

static void main_complain(struct err err, const char *why)
{
    char text[ERR_TEXT_BYTES];
    (void)fprintf(stderr, "triaged: %s\n", why[0] != '\0' ? why : err_text(err, text));
}

static int main_print_config(const char *config_file)
{
    struct conf conf;
    char why[CONF_WHY_BYTES] = "";
    char *text = NULL;
    conf_defaults(&conf);
    struct err err = config_file != NULL ? conf_read(config_file, &conf, why) : err_none;
    if (!err_is(err)) {
        err = conf_print(&conf, &text);
    }
    if (err_is(err)) {
        main_complain(err, why);
        return EXIT_USAGE;
    }
    (void)fputs(text, stdout);
    free(text);
    return 0;
}

static int main_run(const struct conf *conf, const struct policy *policy)
{
    struct pipeline *pipeline = NULL;
    char why[CONF_WHY_BYTES] = "";
    struct err err = pipeline_open(conf, policy, &pipeline, why);
    if (err_is(err)) {
        main_complain(err, why);
        return err.code == ERR_CONF_INVALID || err.code == ERR_KEY ? EXIT_USAGE : EXIT_HALT;
    }
    diag_info(started, "version=%s store=%s policy=%s", TRIAGED_VERSION, conf->store_directory,
              policy->version);
    err = pipeline_run(pipeline, &main_stop);
    diag_info(stopping, "asked=%d", (int)main_stop);
    pipeline_close(&pipeline);
    diag_info(stopped, "clean=%d", (int)!err_is(err));
    return err_is(err) ? EXIT_HALT : 0;
}

static enum diag_level main_level(const char *word)
{
    static const char *const words[] = {"err", "warn", "info", "debug"};
    for (int level = 0; level < 4; level++) {
        if (strcmp(words[level], word) == 0) {
            return (enum diag_level)level;
        }
    }
    return DIAG_INFO;
}

int main(int argc, char **argv)
{
    struct main_options options = {0};
    int code = main_read_options(argc, argv, &options);
    if (code >= 0) {
        return code;
    }
    if (options.print_config) {
        return main_print_config(options.config_file);
    }
    blas_core_force(argv); /* may run this program again, with the right core type for OpenBLAS */
    const char *config_file =
        options.config_file != NULL ? options.config_file : "/etc/triaged/triaged.conf";
    struct conf conf;
    struct policy policy;
    char why[CONF_WHY_BYTES];
    struct err err = main_read(config_file, &conf, &policy, why);
    if (err_is(err)) {
        main_complain(err, why);
        return EXIT_USAGE;
    }
    if (options.check) {
        err = main_check_witnesses(&conf, why);
        if (err_is(err)) {
            main_complain(err, why);
            return EXIT_USAGE;
        }
        (void)printf("%s: good; policy %s\n", config_file, policy.version);
        return 0;
    }
    diag_set_level(main_level(conf.diag_level));
    diag_info(blas, "%s", blas_core_text());
    main_catch_signals();
    return main_run(&conf, &policy);
}
