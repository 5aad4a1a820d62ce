/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_MODEL_SET_H
#define BENCH_MODEL_SET_H

/* Model set: the models that a port needs to score bench traffic, trained from it in seconds: an
 * appearance model a scanner type, history and fusion. They are models like any other in shape and
 * cost; what they say is worth nothing. */

#include <stdint.h>

#include "bench/port.h"
#include "bench/traffic.h"

/* Train the appearance model of this shape's scanner type and install it in the running port. */
void model_set_appearance(const struct port *port, const struct traffic_shape *shape);
/* The same for history and fusion, from declarations with labels by chance. */
void model_set_history(const struct port *port);

#endif
