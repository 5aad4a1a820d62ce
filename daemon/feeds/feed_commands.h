/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FEED_COMMANDS_H
#define FEED_COMMANDS_H

/* Feed commands: the subcommands of triage-feed. Each parses its own arguments (argv[0] is
 * "triage-feed NAME"), runs and returns an exit code of enum feed_exit. Main thread. */

int feed_images(int argc, char **argv);
int feed_declarations(int argc, char **argv);
int feed_sim(int argc, char **argv);

#endif
