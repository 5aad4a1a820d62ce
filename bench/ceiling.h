/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_CEILING_H
#define BENCH_CEILING_H

/* Ceiling: what this machine can do at most of the things that every record needs. Rates in bytes a
 * second of one core or of the disk; each call is one round. Failure ends the program. */

/* Writes of 1 MiB, O_DIRECT|O_DSYNC, one after another into a file below `directory` that was
 * filled before, as the log's segments are. The file is made at the first call and removed at the
 * end of the program. */
double ceiling_disk(const char *directory);
double ceiling_hash(void);
double ceiling_copy(void);

#endif
