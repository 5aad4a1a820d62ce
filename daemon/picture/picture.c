/* SPDX-License-Identifier: Apache-2.0 */
#include "picture/picture.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/durable.h"
#include "picture/picture_format.h"
#include "proto/record.h"

/* A file is read whole before it is looked at: the decoders then never wait for a disk in the
 * middle of a longjmp, and the fuzzer exercises the same code as the feeds. */

#define FILE_BYTES_MAX (UINT64_C(1) << 30)

static _Thread_local char complaint[256];

void picture_complain(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(complaint, sizeof complaint, format, arguments);
    va_end(arguments);
    for (char *at = complaint; *at != '\0'; at++) {
        if (*at == '\n' || *at == '\r') {
            *at = ' '; /* library messages must not break a diag line */
        }
    }
}

struct err picture_read(const char *path, uint32_t page, uint64_t pixels_max, struct picture *out,
                        const char **why)
{
    must(path != NULL && out != NULL && why != NULL);
    uint8_t *bytes = NULL;
    size_t bytes_count = 0;
    struct err err = durable_read(path, FILE_BYTES_MAX, &bytes, &bytes_count);
    if (err_is(err)) {
        char text[ERR_TEXT_BYTES];
        picture_complain("%s", err_text(err, text));
        *why = complaint;
        return err;
    }
    err = picture_decode(bytes, bytes_count, page, pixels_max, out, why);
    free(bytes);
    return err;
}

struct err picture_decode(const uint8_t *bytes, uint64_t bytes_count, uint32_t page,
                          uint64_t pixels_max, struct picture *out, const char **why)
{
    must(bytes != NULL && out != NULL && why != NULL);
    static const uint8_t png_mark[] = {0x89, 'P', 'N', 'G', 0x0d, 0x0a, 0x1a, 0x0a};
    static const uint8_t jpeg_mark[] = {0xff, 0xd8, 0xff};
    const struct picture_source source = {bytes, bytes_count, page, pixels_max};
    struct picture picture = {0};
    bool good = false;
    complaint[0] = '\0';
    if (bytes_count > FILE_BYTES_MAX) {
        picture_complain("file is larger than 1 GiB");
    } else if (bytes_count >= sizeof png_mark && memcmp(bytes, png_mark, sizeof png_mark) == 0) {
        good = picture_decode_png(&source, &picture);
    } else if (bytes_count >= sizeof jpeg_mark && memcmp(bytes, jpeg_mark, sizeof jpeg_mark) == 0) {
        good = picture_decode_jpeg(&source, &picture);
    } else if (bytes_count >= 4 && (memcmp(bytes, "II", 2) == 0 || memcmp(bytes, "MM", 2) == 0)) {
        good = picture_decode_tiff(&source, &picture);
    } else {
        picture_complain("neither JPEG nor PNG nor TIFF");
    }
    if (!good) {
        if (complaint[0] == '\0') {
            picture_complain("unreadable");
        }
        *why = complaint;
        return err_make(ERR_IMAGE_UNREADABLE, "decode image");
    }
    must(picture.pixels != NULL && picture.pages > page);
    *out = picture;
    return err_none;
}

bool picture_allocate(const struct picture_source *source, uint32_t width, uint32_t height,
                      uint32_t bits, struct picture *out)
{
    must(bits == 8 || bits == 16);
    if (width == 0 || height == 0 || width > IMAGE_SIDE_MAX || height > IMAGE_SIDE_MAX) {
        picture_complain("%u x %u pixels: sides must be 1 to %u", width, height, IMAGE_SIDE_MAX);
        return false;
    }
    uint64_t pixels_count = (uint64_t)width * height;
    if (pixels_count > source->pixels_max) {
        picture_complain("%u x %u pixels are more than the %llu allowed", width, height,
                         (unsigned long long)source->pixels_max);
        return false;
    }
    uint64_t pixels_bytes = pixels_count * (bits / 8);
    uint8_t *pixels = calloc(1, pixels_bytes);
    if (pixels == NULL) {
        picture_complain("no memory for %u x %u pixels", width, height);
        return false;
    }
    *out = (struct picture){.width = width,
                            .height = height,
                            .bits = bits,
                            .pages = 1,
                            .pixels = pixels,
                            .pixels_bytes = pixels_bytes};
    return true;
}

void picture_fini(struct picture *self)
{
    free(self->pixels);
    *self = (struct picture){0};
}
