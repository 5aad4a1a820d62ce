/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VERIFY_DISCLOSURE_H
#define VERIFY_DISCLOSURE_H

/* Verify disclosure: is a piece of personal data that somebody shows the one that the log has a
 * digest of? The log is checked first, as triage-verify does it, so that the entry found lies in a
 * tree that was signed. One thread of its own. */

/* The program `triage-verify disclosure`; argv[0] is that word. Returns the exit status: 0 every
 * disclosure is in the log and the log checks, 1 not, 2 wrong usage or it could not be checked. */
int verify_disclosure_main(int argc, char **argv);

#endif
