/* SPDX-License-Identifier: Apache-2.0 */
#include "picture/picture_format.h"

#include <png.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/durable.h"

/* libpng reports an error by longjmp. Whatever has to survive the jump lives in a struct that the
 * jump does not touch, so no local needs to be volatile. */

#define CHUNK_BYTES_MAX \
    (8u << 20) /* text and profile chunks larger than this have no place in a scan */

struct reading {
    const struct picture_source *source;
    uint64_t at;
    png_structp png;
    png_infop header;
    png_bytep *rows;
    struct picture picture;
};

static void complain_png(png_structp png, png_const_charp words)
{
    picture_complain("PNG: %s", words);
    png_longjmp(png, 1);
}

static void ignore_png(png_structp png, png_const_charp words)
{
    (void)png;
    (void)words;
}

static void take_bytes(png_structp png, png_bytep out, png_size_t wanted)
{
    struct reading *self = png_get_io_ptr(png);
    if (wanted > self->source->bytes_count - self->at) {
        png_error(png, "file ends too early");
    }
    memcpy(out, self->source->bytes + self->at, wanted);
    self->at += wanted;
}

static void ask_for_grey(struct reading *self)
{
    png_byte colour = png_get_color_type(self->png, self->header);
    if (colour == PNG_COLOR_TYPE_PALETTE) {
        png_set_palette_to_rgb(self->png);
    }
    if (colour == PNG_COLOR_TYPE_GRAY && png_get_bit_depth(self->png, self->header) < 8) {
        png_set_expand_gray_1_2_4_to_8(self->png);
    }
    if ((colour & PNG_COLOR_MASK_COLOR) != 0) {
        png_set_rgb_to_gray_fixed(self->png, PNG_ERROR_ACTION_NONE, -1, -1);
    }
    png_set_strip_alpha(self->png);
    if (png_get_bit_depth(self->png, self->header) == 16) {
        png_set_swap(self->png); /* PNG is big-endian */
    }
    (void)png_set_interlace_handling(self->png);
    png_read_update_info(self->png, self->header);
}

static bool read_png(struct reading *self)
{
    if (setjmp(png_jmpbuf(self->png)) != 0) {
        return false;
    }
    png_set_user_limits(self->png, 65535, 65535);
    png_set_chunk_malloc_max(self->png, CHUNK_BYTES_MAX);
    png_set_read_fn(self->png, self, take_bytes);
    png_read_info(self->png, self->header);
    ask_for_grey(self);
    uint32_t width = png_get_image_width(self->png, self->header);
    uint32_t height = png_get_image_height(self->png, self->header);
    uint32_t bits = png_get_bit_depth(self->png, self->header);
    size_t row_bytes = png_get_rowbytes(self->png, self->header);
    if ((bits != 8 && bits != 16) || row_bytes != (size_t)width * (bits / 8)) {
        png_error(self->png, "cannot be turned into grey pixels");
    }
    if (!picture_allocate(self->source, width, height, bits, &self->picture)) {
        return false;
    }
    self->rows = calloc(height, sizeof *self->rows);
    if (self->rows == NULL) {
        png_error(self->png, "no memory for the rows");
    }
    for (uint32_t y = 0; y < height; y++) {
        self->rows[y] = self->picture.pixels + y * row_bytes;
    }
    png_read_image(self->png, self->rows);
    png_read_end(self->png, NULL);
    return true;
}

bool picture_decode_png(const struct picture_source *source, struct picture *out)
{
    if (source->page != 0) {
        picture_complain("PNG: there is only one page");
        return false;
    }
    struct reading reading = {.source = source};
    bool good = false;
    reading.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &reading, complain_png, ignore_png);
    reading.header = reading.png != NULL ? png_create_info_struct(reading.png) : NULL;
    if (reading.header != NULL) {
        good = read_png(&reading);
    }
    png_destroy_read_struct(&reading.png, &reading.header, NULL);
    free(reading.rows);
    if (!good) {
        picture_fini(&reading.picture);
        return false;
    }
    *out = reading.picture;
    return true;
}

/* ---- writing ---- */

struct writing {
    png_structp png;
    png_infop header;
    uint8_t *bytes;
    size_t bytes_count;
    size_t capacity;
    bool hurried; /* somebody waits for it, and nobody keeps it */
};

static void keep_bytes(png_structp png, png_bytep bytes, png_size_t bytes_count)
{
    struct writing *self = png_get_io_ptr(png);
    if (bytes_count > self->capacity - self->bytes_count) {
        size_t capacity = 2 * (self->bytes_count + bytes_count);
        uint8_t *larger = realloc(self->bytes, capacity);
        if (larger == NULL) {
            png_error(png, "no memory");
        }
        self->bytes = larger;
        self->capacity = capacity;
    }
    memcpy(self->bytes + self->bytes_count, bytes, bytes_count);
    self->bytes_count += bytes_count;
}

static void flush_nothing(png_structp png)
{
    (void)png;
}

static bool write_png(struct writing *self, const struct picture *shape, uint32_t channels)
{
    if (setjmp(png_jmpbuf(self->png)) != 0) {
        return false;
    }
    png_set_write_fn(self->png, self, keep_bytes, flush_nothing);
    png_set_user_limits(self->png, 65535, 65535);
    png_set_IHDR(self->png, self->header, shape->width, shape->height, (int)shape->bits,
                 channels == 1 ? PNG_COLOR_TYPE_GRAY : PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_BASE, PNG_FILTER_TYPE_BASE);
    /* Noise does not compress: the fast level costs a few per cent of size and saves most of the
     * time. */
    png_set_compression_level(self->png, 1);
    png_set_filter(self->png, 0, self->hurried ? PNG_FILTER_UP : PNG_FILTER_SUB);
    if (self->hurried) {
        /* Runs are what there is to find in a scan beside noise: half of the time, no larger. */
        png_set_compression_strategy(self->png, Z_RLE);
    }
    png_write_info(self->png, self->header);
    if (shape->bits == 16) {
        png_set_swap(self->png);
    }
    size_t row_bytes = (size_t)shape->width * channels * (shape->bits / 8);
    for (uint32_t y = 0; y < shape->height; y++) {
        png_write_row(self->png, shape->pixels + y * row_bytes);
    }
    png_write_end(self->png, NULL);
    return true;
}

static struct err encode_png(const struct picture *shape, uint32_t channels,
                             struct writing *writing)
{
    bool good = false;
    if (shape->width == 0 || shape->height == 0 || shape->width > 65535 || shape->height > 65535 ||
        (channels != 1 && channels != 3) || (shape->bits != 8 && shape->bits != 16)) {
        return err_make(ERR_ARGUMENT, "write PNG");
    }
    writing->png =
        png_create_write_struct(PNG_LIBPNG_VER_STRING, writing, complain_png, ignore_png);
    writing->header = writing->png != NULL ? png_create_info_struct(writing->png) : NULL;
    if (writing->header != NULL) {
        good = write_png(writing, shape, channels);
    }
    png_destroy_write_struct(&writing->png, &writing->header);
    return good ? err_none : err_make(ERR_MEMORY, "encode PNG");
}

struct err picture_write_png(const char *path, const uint8_t *pixels, uint32_t width,
                             uint32_t height, uint32_t channels, uint32_t bits)
{
    struct picture shape = {.width = width, .height = height, .bits = bits};
    uintptr_t address =
        (uintptr_t)pixels; /* libpng only reads, but its rows are not const before 1.6 */
    shape.pixels = (uint8_t *)address;
    struct writing writing = {0};
    struct err err = encode_png(&shape, channels, &writing);
    if (!err_is(err)) {
        err = durable_replace(path, writing.bytes, writing.bytes_count, 0644);
    }
    free(writing.bytes);
    return err;
}

struct err picture_encode_png(const struct picture *grey, uint8_t **out, size_t *out_bytes)
{
    struct writing writing = {.hurried = true};
    struct err err = encode_png(grey, 1, &writing);
    if (err_is(err)) {
        free(writing.bytes);
        return err;
    }
    *out = writing.bytes;
    *out_bytes = writing.bytes_count;
    return err_none;
}
