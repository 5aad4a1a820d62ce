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

void say_begin(struct say_line *self, char *text, size_t bytes)
{
    *self = (struct say_line){text, bytes, 0};
    text[0] = '\0';
}

static void add_bytes(struct say_line *self, const char *piece, size_t count)
{
    size_t room = self->bytes - 1 - self->used;
    size_t fits = count < room ? count : room;
    memcpy(self->text + self->used, piece, fits);
    self->used += fits;
    self->text[self->used] = '\0';
}

void say_add(struct say_line *self, const char *piece)
{
    add_bytes(self, piece, strlen(piece));
}

void say_add_number(struct say_line *self, uint64_t number)
{
    char digits[20];
    size_t first = sizeof digits;
    do {
        digits[--first] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    add_bytes(self, digits + first, sizeof digits - first);
}

const char *say_plural(uint64_t count, const char *one, const char *many)
{
    return count == 1 ? one : many;
}
