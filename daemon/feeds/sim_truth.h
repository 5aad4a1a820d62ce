/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIM_TRUTH_H
#define SIM_TRUTH_H

/* Sim truth: files that tell what a simulated port knows: labels as CSV, the same as lines of JSON,
 * and the labelled past in the columns of config/mappings/customs-import.json. Pure but for memory.
 */

#include "feeds/sim_world.h"
#include "feeds/text_buffer.h"

void sim_truth_csv_header(struct text_buffer *out);
void sim_truth_csv_row(const struct sim_item *item, struct text_buffer *out);
void sim_truth_json_line(const struct sim_item *item, struct text_buffer *out);
/* What is declared of each scan, as `triagectl model train consistency --declarations` takes it:
 * image (the scan's id), hs_code, net_mass_kg. It is no truth: a misdeclared ware stands as
 * declared. */
void sim_truth_declared_header(struct text_buffer *out);
void sim_truth_declared_row(const struct sim_item *item, struct text_buffer *out);
void sim_truth_past_header(struct text_buffer *out);
void sim_truth_past_row(const struct sim_past *past, struct text_buffer *out);

#endif
