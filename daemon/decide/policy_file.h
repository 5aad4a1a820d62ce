/* SPDX-License-Identifier: Apache-2.0 */
#ifndef POLICY_FILE_H
#define POLICY_FILE_H

/* Policy file: config/policy.conf as a struct policy. Unknown keys, missing keys and values out of
 * range refuse the file with its line. */

#include "base/conf.h"
#include "decide/policy.h"

/* why: CONF_WHY_BYTES; says file:line and reason when the error is CONF_INVALID. */
/* Where it is: relative to the configuration file, the two travel together. */
MUST_USE struct err policy_file_path(const struct conf *conf, char *out, size_t out_capacity);
MUST_USE struct err policy_file_read(const char *path, struct policy *out, char *why);

#endif
