/* SPDX-License-Identifier: Apache-2.0 */
/* Boxes drawn on an image, as a Pascal-VOC file: whatever the bytes, what is given out lies in the
 * picture and has an area. */
#include <stddef.h>
#include <stdint.h>

#include "feeds/marks.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t bytes_count);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t bytes_count)
{
    static struct marks_box boxes[MARKS_BOXES_MAX];
    char why[MARKS_WHY_BYTES] = "";
    uint32_t count = 0;
    struct err err = marks_decode(bytes, bytes_count, 640, 480, boxes, &count, why);
    must(err_is(err) ? count == 0 && why[0] != '\0' : count <= MARKS_BOXES_MAX);
    for (uint32_t i = 0; i < count; i++) {
        must(boxes[i].left >= 0 && boxes[i].left < boxes[i].right && boxes[i].right <= 640);
        must(boxes[i].top >= 0 && boxes[i].top < boxes[i].bottom && boxes[i].bottom <= 480);
    }
    return 0;
}
