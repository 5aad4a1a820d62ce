/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VERIFY_RECEIPT_H
#define VERIFY_RECEIPT_H

/* Verify receipt: checks c2sp.org/tlog-proof files without any log at hand. What a receipt proves:
 * whoever holds the key of the log has signed a tree with this entry in it. One thread. */

/* The program `triage-verify receipt`; argv[0] is that word. Returns the exit status: 0 all good, 1
 * a receipt does not hold, 2 wrong usage or nothing could be checked. */
int verify_receipt_main(int argc, char **argv);

#endif
