/* SPDX-License-Identifier: Apache-2.0 */
/* Small pictures: whatever lies in them, the domes are those of the plain twin. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/err.h"
#include "kernels/ref/dome_ref.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t bytes_count);

enum { HEAD_BYTES = 6, SIDE_MAX = 9, AREA_MAX = 32, LEVELS = 48 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t bytes_count)
{
    static uint16_t levels[SIDE_MAX * SIDE_MAX];
    static uint32_t workspace[8 * (SIDE_MAX + 3) * (SIDE_MAX + 3) + AREA_MAX];
    static struct dome found[DOME_CANDIDATES], expected[DOME_CANDIDATES];
    if (bytes_count < HEAD_BYTES) {
        return 0;
    }
    const size_t width = 1 + bytes[0] % SIDE_MAX, height = 1 + bytes[1] % SIDE_MAX;
    const struct dome_rule rule = {.level_min = 1 + bytes[2] % 32,
                                   .rise_min = 1 + bytes[3] % 8,
                                   .area_max = 1 + bytes[4] % AREA_MAX,
                                   .margin = bytes[5] % 4,
                                   .air_part = 1 + bytes[5] / 4 % 32};
    must(dome_workspace_words(width, height, rule.area_max) <=
         sizeof workspace / sizeof workspace[0]);
    for (size_t i = 0; i < width * height; i++) {
        levels[i] = HEAD_BYTES + i < bytes_count ? bytes[HEAD_BYTES + i] % LEVELS : 0;
    }
    size_t count = dome_find(levels, width, height, &rule, workspace, DOME_CANDIDATES, found);
    must(count == dome_ref_find(levels, width, height, &rule, DOME_CANDIDATES, expected));
    must(memcmp(found, expected, count * sizeof found[0]) == 0);
    return 0;
}
