/* SPDX-License-Identifier: Apache-2.0 */
/* triage-feed: adapters that turn files (and a simulator) into records and hand them to the daemon.
 */
#include <argp.h>
#include <stdio.h>
#include <string.h>

#include "feeds/feed_commands.h"
#include "feeds/feed_options.h"

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *sentence;
} commands[] = {
    {"images", feed_images, "scans from a folder of JPEG, PNG and TIFF files"},
    {"declarations", feed_declarations, "declarations from a table"},
    {"sim", feed_sim, "a simulated port: scans, declarations and the truth about them"},
};

static void print_help(FILE *to)
{
    (void)fputs("Usage: triage-feed SUBCOMMAND [OPTION...] [ARGUMENT]\n"
                "Send scans and declarations to a triaged daemon.\n\n",
                to);
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        (void)fprintf(to, "  %-14s%s\n", commands[i].name, commands[i].sentence);
    }
    (void)fputs("\n`triage-feed SUBCOMMAND --help` tells the options. Records wait in a spool "
                "directory until the daemon\n"
                "has acknowledged them: a restart on either side loses and doubles nothing.\n"
                "Exit: 0 all acknowledged, 1 some refused or skipped, 2 usage, 3 not everything "
                "acknowledged.\n",
                to);
}

int main(int argc, char **argv)
{
    argp_err_exit_status = FEED_EXIT_USAGE;
    if (argc < 2) {
        print_help(stderr);
        return FEED_EXIT_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "help") == 0) {
        print_help(stdout);
        return 0;
    }
    if (strcmp(argv[1], "--version") == 0) {
        (void)puts("triage-feed " TRIAGED_VERSION);
        return 0;
    }
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        if (strcmp(commands[i].name, argv[1]) == 0) {
            char name[64];
            (void)snprintf(name, sizeof name, "triage-feed %s", commands[i].name);
            argv[1] = name; /* argp prints it as the program's name */
            return commands[i].run(argc - 1, argv + 1);
        }
    }
    (void)fprintf(stderr, "triage-feed: no subcommand %s\n\n", argv[1]);
    print_help(stderr);
    return FEED_EXIT_USAGE;
}
