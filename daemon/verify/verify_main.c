/* SPDX-License-Identifier: Apache-2.0 */
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "verify/verify.h"
#include "verify/verify_receipt.h"

/* triage-verify: exit 0 when everything checks, 1 when something does not, 2 when there was nothing
 * to check. */

static const char usage_text[] =
    "usage: triage-verify [--vkey KEY] [--json] [--quiet] DIR\n"
    "       triage-verify receipt --vkey KEY [--entry FILE] [--json] FILE...\n"
    "\n"
    "Checks a copy of the oversight log and of the archive, offline, without trusting the daemon.\n"
    "DIR holds log/<shard>/ and archive/, or is a shard of the log itself.\n"
    "\n"
    "  --vkey KEY  verifier key of the log, or a file that holds it; without it the key that\n"
    "              lies beside the log is used, which proves only that the files fit together\n"
    "  --json      one JSON object on standard output\n"
    "  --quiet     problems and the verdict only, no progress\n"
    "  --version   print the version\n"
    "\n"
    "A log that was cut at its end together with its checkpoints looks whole: only somebody who "
    "kept\n"
    "a later checkpoint, or a witness, can tell. Keep copies of log/<shard>/checkpoint.\n"
    "\n"
    "exit status: 0 everything checks, 1 problems, 2 nothing found or wrong usage\n";

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"vkey", required_argument, NULL, 'k'}, {"json", no_argument, NULL, 'j'},
        {"quiet", no_argument, NULL, 'q'},      {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'v'},    {NULL, 0, NULL, 0}};
    if (argc > 1 && strcmp(argv[1], "receipt") == 0) {
        return verify_receipt_main(argc - 1, argv + 1);
    }
    struct verify_conf conf = {.now_ns = clock_utc_ns()};
    bool json = false;
    bool quiet = false;
    for (int option = getopt_long(argc, argv, "", options, NULL); option != -1;
         option = getopt_long(argc, argv, "", options, NULL)) {
        if (option == 'k') {
            conf.vkey = optarg;
        } else if (option == 'j') {
            json = true;
        } else if (option == 'q') {
            quiet = true;
        } else if (option == 'h' || option == 'v') {
            (void)fputs(option == 'h' ? usage_text : "triage-verify " TRIAGED_VERSION "\n", stdout);
            return 0;
        } else {
            (void)fputs(usage_text, stderr);
            return 2;
        }
    }
    if (optind + 1 != argc) {
        (void)fputs(usage_text, stderr);
        return 2;
    }
    conf.directory = argv[optind];
    conf.progress = !quiet && isatty(STDERR_FILENO) == 1;

    static struct verify_report report; /* large: 64 logs */
    char text[ERR_TEXT_BYTES];
    struct err err = verify_report_init(&report);
    if (!err_is(err)) {
        err = verify_run(&conf, &report);
    }
    if (err_is(err)) {
        (void)fprintf(stderr, "triage-verify: %s: %s\n", conf.directory, err_text(err, text));
        verify_report_fini(&report);
        return 2;
    }
    bool printed = true;
    if (json) {
        printed = verify_report_print_json(&report, stdout);
    } else {
        verify_report_print(&report, quiet, stdout);
    }
    int status = report.problems.count > 0 ? 1 : 0;
    verify_report_fini(&report);
    return fflush(stdout) == 0 && printed ? status : 2;
}
