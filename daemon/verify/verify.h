/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VERIFY_H
#define VERIFY_H

/* Verify: check a copy of a port's log and archive, offline, with none of the code that wrote them
 * but the hashes, the formats, and the archive reader. One thread; reads only. */

#include "verify/verify_report.h"

struct verify_conf {
    const char *directory; /* holds log/<shard>/ and archive/, or is a shard itself */
    const char *vkey; /* a verifier key or the name of a file that holds one; NULL: the key beside
                         the log */
    const struct quorum *quorum; /* NULL: witnesses are not looked at */
    int64_t now_ns;              /* UTC */
    bool progress;               /* counters on standard error */
};

/* NOT_FOUND when there is no log below the directory, MEMORY, IO; what is wrong with the log goes
 * into the report. */
MUST_USE struct err verify_run(const struct verify_conf *conf, struct verify_report *report);

#endif
