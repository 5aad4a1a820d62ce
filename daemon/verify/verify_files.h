/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VERIFY_FILES_H
#define VERIFY_FILES_H

/* Verify files: what lies in a shard's directory. Every name must be one that the format knows;
 * links, pipes and devices are problems, and are never followed or opened. One thread. */

#include "verify/verify_report.h"

MUST_USE struct err verify_files(struct verify_report *report, struct verify_shard *shard);

#endif
