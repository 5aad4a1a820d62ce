/* SPDX-License-Identifier: Apache-2.0 */
#include "score/say.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static const double largest = 999999999999.0;

void say_count(double value, char out[SAY_BYTES])
{
    double held = value > largest ? largest : value;
    held = held > 0 ? held : 0; /* NaN too */
    char digits[SAY_BYTES];
    int count = snprintf(digits, sizeof digits, "%" PRIu64, (uint64_t)llround(held));
    size_t at = 0;
    for (int i = 0; i < count; i++) {
        if (i > 0 && (count - i) % 3 == 0) {
            out[at++] = ',';
        }
        out[at++] = digits[i];
    }
    out[at] = '\0';
}

void say_about(double value, char out[SAY_BYTES])
{
    if (!(value >= 1)) {
        (void)snprintf(out, SAY_BYTES, "0");
        return;
    }
    double held = value > largest ? largest : value;
    double unit = pow(10, floor(log10(held)) - 1);
    say_count(unit > 1 ? round(held / unit) * unit : held, out);
}

const char *say_plural(uint64_t count, const char *one, const char *many)
{
    return count == 1 ? one : many;
}
