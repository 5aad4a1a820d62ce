/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VERIFY_SETTINGS_H
#define VERIFY_SETTINGS_H

/* Verify settings: decisions name the policy that the log says is in force, scores the models. What
 * was put in force before this shard began is not known here and not held against anybody. One
 * thread. */

#include "verify/verify_ids.h"

struct verify_settings;

MUST_USE struct err verify_settings_open(struct verify_report *report, struct verify_shard *shard,
                                         const struct verify_ids *ids,
                                         struct verify_settings **out);
void verify_settings_close(struct verify_settings **self);
void verify_settings_config(struct verify_settings *self, const struct entry *entry);
void verify_settings_model(struct verify_settings *self, const struct entry *entry);
void verify_settings_score(struct verify_settings *self, const struct entry *entry);
void verify_settings_decision(struct verify_settings *self, const struct entry *entry);

#endif
