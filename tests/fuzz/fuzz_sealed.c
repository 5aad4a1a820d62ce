/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a sealed archive file: the reader that finds images in it without HDF5's library.
 * Seeds hold images of 2 x 3 pixels; theirs is the digest that is looked for. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "archive/sealed_image.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t bytes_count);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t bytes_count)
{
    static int fd = -1;
    uint8_t digest[HASH_BYTES];
    struct sealed_image image;
    memset(digest, 0x11, sizeof digest);
    if (fd < 0) {
        fd = memfd_create("sealed", MFD_CLOEXEC);
        must(fd >= 0);
    }
    must(ftruncate(fd, 0) == 0);
    must(pwrite(fd, bytes, bytes_count, 0) == (ssize_t)bytes_count);
    struct err err = sealed_image_find(fd, digest, &image);
    if (err_is(err)) {
        must(err.code == ERR_NOT_FOUND || err.code == ERR_ARCHIVE_DIFFERS);
        return 0;
    }
    must(image.width > 0 && image.height > 0 && image.chunk_rows > 0);
    for (uint32_t i = 0; i < image.chunks_count; i++) {
        must(image.chunks[i].offset <= bytes_count &&
             image.chunks[i].stored_bytes <= bytes_count - image.chunks[i].offset);
    }
    sealed_image_fini(&image);
    return 0;
}
