/* SPDX-License-Identifier: Apache-2.0 */
#ifndef POLICY_FILE_H
#define POLICY_FILE_H

/* Policy file: config/policy.conf as a struct policy. Unknown keys, missing keys and values out of
 * range refuse the file with its line. */

#include "base/conf.h"
#include "decide/policy.h"

/* why: CONF_WHY_BYTES; says file:line and reason when the error is CONF_INVALID. */
MUST_USE struct err policy_file_read(const char *path, struct policy *out, char *why);

#endif
