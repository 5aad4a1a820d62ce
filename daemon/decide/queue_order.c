/* SPDX-License-Identifier: Apache-2.0 */
#include "decide/queue_order.h"

#include <math.h>

double queue_priority(const struct queue_place *place, double waited_h)
{
    double waited = fmax(waited_h, 0); /* a clock that went back takes nothing away */
    return place->priority + place->ageing * waited +
           place->perishable * fmin(waited, QUEUE_PERISHABLE_HOURS);
}

double queue_overtake_hours(const struct queue_place *place, double priority_most,
                            double perishable_most)
{
    double lead = priority_most + perishable_most * QUEUE_PERISHABLE_HOURS - place->priority;
    if (lead <= 0) {
        return 0;
    }
    return place->ageing > 0 ? lead / place->ageing : INFINITY;
}
