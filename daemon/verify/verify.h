/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VERIFY_H
#define VERIFY_H

/* Verify: check a copy of a port's log and archive, offline, with none of the code that wrote them
 * but the hashes, the formats, and the archive reader. Reads only. Threads of its own while it
 * runs. Memory: about 150 bytes an entry of the largest shard. */

#include "verify/verify_day.h"
#include "verify/verify_report.h"

struct verify_conf {
    const char *directory; /* holds log/<shard>/ and archive/, or is a shard itself */
    const char *vkey; /* a verifier key or the name of a file that holds one; NULL: the key beside
                         the log */
    const char *const *against;  /* files of checkpoints that somebody kept */
    uint32_t against_count;      /* at most VERIFY_KEPT_MAX */
    const struct quorum *quorum; /* NULL: witnesses are not looked at */
    int64_t now_ns;              /* UTC */
    bool progress;               /* a bar on standard error */
    struct verify_day *day; /* NULL, or what is to be told of one day; archive files stay unread */
};

/* NOT_FOUND when there is no log below the directory or no file of a kept checkpoint, MEMORY, IO;
 * what is wrong with the log goes into the report. */
MUST_USE struct err verify_run(const struct verify_conf *conf, struct verify_report *report);

#endif
