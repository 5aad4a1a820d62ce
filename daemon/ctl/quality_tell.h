/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CTL_QUALITY_TELL_H
#define CTL_QUALITY_TELL_H

/* Quality tell: what each scanner delivers, by day, and since when it is not what it was. From the
 * read model; MODELS.md, section 7. */

#include "ctl/metric_file.h"
#include "state/state.h"

struct json_t;

#define QUALITY_REPORT "image_quality" /* its name beside the metrics */

/* New reference: an object with an array of scanners, and "cut": true when there are more than the
 * 256 that are looked at; NULL when told. */
struct json_t *quality_json(struct state *state, const struct metric_period *period);
/* The lines for people. Returns an exit code. */
int quality_print(const struct json_t *quality);

#endif
