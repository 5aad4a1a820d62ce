/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as an image file, first and second page, with a small bound on pixels so that the
 * fuzzer stays fast. */
#include <stddef.h>
#include <stdint.h>

#include "picture/picture.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t bytes_count);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t bytes_count)
{
    for (uint32_t page = 0; page < 2; page++) {
        struct picture picture;
        const char *why = NULL;
        struct err err = picture_decode(bytes, bytes_count, page, 1u << 18, &picture, &why);
        if (err_is(err)) {
            must(why != NULL && why[0] != '\0');
            continue;
        }
        must(picture.pixels_bytes == (uint64_t)picture.width * picture.height * (picture.bits / 8));
        must(page < picture.pages);
        picture_fini(&picture);
    }
    return 0;
}
