/* SPDX-License-Identifier: Apache-2.0 */
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "verify/verify.h"
#include "verify/verify_against.h"
#include "verify/verify_disclosure.h"
#include "verify/verify_print.h"
#include "verify/verify_quorum.h"
#include "verify/verify_receipt.h"

/* triage-verify: exit 0 when everything checks, 1 when something does not, 2 when it could not be
 * checked. */

static const char usage_text[] =
    "usage: triage-verify [--vkey KEY] [--against FILE]... [--quorum FILE] [--json] [--quiet]\n"
    "                     DIR\n"
    "       triage-verify receipt --vkey KEY [--entry FILE] [--json] FILE...\n"
    "       triage-verify disclosure --log DIR [--entry N] [--vkey KEY] [--json] FILE...\n"
    "\n"
    "Checks a copy of the oversight log and of the archive, offline, without trusting the daemon.\n"
    "DIR holds log/<shard>/ and archive/, or is a shard of the log itself. Nothing is changed.\n"
    "\n"
    "  --vkey KEY      verifier key of the log, or a file that holds it; without it the key that\n"
    "                  lies beside the log is used, which proves only that the files fit together\n"
    "  --against FILE  a checkpoint that you kept, as the log printed it or as text of a mail: "
    "the\n"
    "                  log must be a continuation of it; may be given up to 64 times\n"
    "  --quorum FILE   witnesses, and how many of them must have signed (C2SP tlog-policy)\n"
    "  --json          one JSON object on standard output\n"
    "  --quiet         verdict and problems only, no progress\n"
    "  --version       print the version\n"
    "\n"
    "A log that was cut at its end together with its checkpoints looks whole: only somebody who\n"
    "kept a later checkpoint, or a witness, can tell. Keep copies of log/<shard>/checkpoint.\n"
    "\n"
    "exit status: 0 everything checks, 1 problems, 2 it could not be checked\n";

struct arguments {
    struct verify_conf conf;
    const char *against[VERIFY_KEPT_MAX];
    const char *quorum_file;
    bool json;
    struct verify_print_conf print;
};

/* False: *status says how the program ends. */
static bool arguments_read(int argc, char **argv, struct arguments *out, int *status)
{
    static const struct option options[] = {
        {"vkey", required_argument, NULL, 'k'},   {"against", required_argument, NULL, 'a'},
        {"quorum", required_argument, NULL, 'w'}, {"json", no_argument, NULL, 'j'},
        {"quiet", no_argument, NULL, 'q'},        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'v'},      {NULL, 0, NULL, 0}};
    bool good = true;
    for (int option = getopt_long(argc, argv, "", options, NULL); option != -1;
         option = getopt_long(argc, argv, "", options, NULL)) {
        if (option == 'k') {
            out->conf.vkey = optarg;
        } else if (option == 'a' && out->conf.against_count < VERIFY_KEPT_MAX) {
            out->against[out->conf.against_count++] = optarg;
        } else if (option == 'w') {
            out->quorum_file = optarg;
        } else if (option == 'j') {
            out->json = true;
        } else if (option == 'q') {
            out->print.quiet = true;
        } else if (option == 'h' || option == 'v') {
            (void)fputs(option == 'h' ? usage_text : "triage-verify " TRIAGED_VERSION "\n", stdout);
            *status = 0;
            return false;
        } else {
            good = false;
        }
    }
    if (!good || optind + 1 != argc) {
        (void)fputs(usage_text, stderr);
        *status = 2;
        return false;
    }
    out->conf.directory = argv[optind];
    out->conf.against = out->against;
    out->conf.now_ns = clock_utc_ns();
    out->conf.progress = !out->print.quiet && isatty(STDERR_FILENO) == 1;
    return true;
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "receipt") == 0) {
        return verify_receipt_main(argc - 1, argv + 1);
    }
    if (argc > 1 && strcmp(argv[1], "disclosure") == 0) {
        return verify_disclosure_main(argc - 1, argv + 1);
    }
    static struct verify_report report; /* large: 64 logs */
    static struct arguments arguments;
    char text[ERR_TEXT_BYTES];
    int status = 0;
    if (!arguments_read(argc, argv, &arguments, &status)) {
        return status;
    }
    static struct quorum quorum; /* large: keys and addresses of 64 */
    char why[VERIFY_LINE_BYTES];
    if (arguments.quorum_file != NULL) {
        arguments.conf.quorum = &quorum;
        if (err_is(verify_quorum_read(arguments.quorum_file, &quorum, why))) {
            (void)fprintf(stderr, "triage-verify: %s\n", why);
            return 2;
        }
    }
    int64_t began_ns = clock_monotonic_ns();
    struct err err = verify_report_init(&report);
    if (!err_is(err)) {
        err = verify_run(&arguments.conf, &report);
    }
    if (err_is(err)) {
        (void)fprintf(stderr, "triage-verify: %s: could not be checked: %s\n",
                      arguments.conf.directory, err_text(err, text));
        verify_report_fini(&report);
        return 2;
    }
    arguments.print.seconds = (double)(clock_monotonic_ns() - began_ns) / 1e9;
    bool printed = true;
    if (arguments.json) {
        printed = verify_report_print_json(&report, arguments.print.seconds, stdout);
    } else {
        verify_report_print(&report, &arguments.print, stdout);
    }
    status = report.problems.count > 0 ? 1 : 0;
    verify_report_fini(&report);
    return fflush(stdout) == 0 && printed ? status : 2;
}
