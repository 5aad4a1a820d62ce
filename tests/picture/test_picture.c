/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include <jpeglib.h>
#include <tiffio.h>

#include "picture/picture.h"

#define PIXELS_MAX (UINT64_C(1) << 24)

static char folder[64];

static int folder_open(void **state)
{
    (void)state;
    (void)snprintf(folder, sizeof folder, "/tmp/picture-XXXXXX");
    return mkdtemp(folder) != NULL ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *place)
{
    (void)status;
    (void)kind;
    (void)place;
    return remove(path);
}

static int folder_close(void **state)
{
    (void)state;
    return nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static const char *path_of(const char *name)
{
    static char path[256];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void fill(uint16_t *pixels, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        pixels[i] = (uint16_t)(i * 2654435761u >> 13);
    }
}

struct tiff_shape {
    uint16_t bits, photometric, samples, compression;
    uint32_t tile;
    const char *mode;
};

static void write_tiff_page(TIFF *tiff, const struct tiff_shape *shape, const uint8_t *pixels,
                            uint32_t width, uint32_t height)
{
    assert_int_equal(TIFFSetField(tiff, TIFFTAG_IMAGEWIDTH, width), 1);
    assert_int_equal(TIFFSetField(tiff, TIFFTAG_IMAGELENGTH, height), 1);
    assert_int_equal(TIFFSetField(tiff, TIFFTAG_BITSPERSAMPLE, shape->bits), 1);
    assert_int_equal(TIFFSetField(tiff, TIFFTAG_SAMPLESPERPIXEL, shape->samples), 1);
    assert_int_equal(TIFFSetField(tiff, TIFFTAG_PHOTOMETRIC, shape->photometric), 1);
    assert_int_equal(TIFFSetField(tiff, TIFFTAG_COMPRESSION, shape->compression), 1);
    assert_int_equal(TIFFSetField(tiff, TIFFTAG_PLANARCONFIG, PLANARCONFIG_CONTIG), 1);
    uint32_t pixel_bytes = shape->bits / 8u * shape->samples;
    if (shape->tile > 0) {
        assert_int_equal(TIFFSetField(tiff, TIFFTAG_TILEWIDTH, shape->tile), 1);
        assert_int_equal(TIFFSetField(tiff, TIFFTAG_TILELENGTH, shape->tile), 1);
        uint8_t *tile = calloc(shape->tile * shape->tile, pixel_bytes);
        for (uint32_t top = 0; top < height; top += shape->tile) {
            for (uint32_t left = 0; left < width; left += shape->tile) {
                for (uint32_t y = top; y < top + shape->tile && y < height; y++) {
                    uint32_t columns = width - left < shape->tile ? width - left : shape->tile;
                    memcpy(tile + (y - top) * shape->tile * pixel_bytes,
                           pixels + (y * width + left) * pixel_bytes, columns * pixel_bytes);
                }
                assert_true(TIFFWriteTile(tiff, tile, left, top, 0, 0) > 0);
            }
        }
        free(tile);
    } else {
        assert_int_equal(TIFFSetField(tiff, TIFFTAG_ROWSPERSTRIP, 3), 1);
        for (uint32_t y = 0; y < height; y++) {
            uint8_t row[4096];
            memcpy(row, pixels + y * width * pixel_bytes, width * pixel_bytes);
            assert_int_equal(TIFFWriteScanline(tiff, row, y, 0), 1);
        }
    }
    assert_int_equal(TIFFWriteDirectory(tiff), 1);
}

static void write_jpeg(const char *path, const uint8_t *grey, uint32_t width, uint32_t height,
                       int components)
{
    struct jpeg_compress_struct jpeg;
    struct jpeg_error_mgr errors;
    jpeg.err = jpeg_std_error(&errors);
    jpeg_create_compress(&jpeg);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    jpeg_stdio_dest(&jpeg, file);
    jpeg.image_width = width;
    jpeg.image_height = height;
    jpeg.input_components = components;
    jpeg.in_color_space = components == 1 ? JCS_GRAYSCALE : components == 3 ? JCS_RGB : JCS_CMYK;
    jpeg_set_defaults(&jpeg);
    jpeg_set_quality(&jpeg, 100, TRUE);
    jpeg_start_compress(&jpeg, TRUE);
    uint8_t row[4096];
    for (uint32_t y = 0; y < height; y++) {
        for (uint32_t x = 0; x < width; x++) {
            memset(row + x * (uint32_t)components, grey[y * width + x], (size_t)components);
        }
        JSAMPROW rows = row;
        (void)jpeg_write_scanlines(&jpeg, &rows, 1);
    }
    jpeg_finish_compress(&jpeg);
    jpeg_destroy_compress(&jpeg);
    assert_int_equal(fclose(file), 0);
}

/* ---- PNG ---- */

static void png_16_bits_written_reads_the_same(void **state)
{
    (void)state;
    enum { WIDTH = 61, HEIGHT = 17 };
    uint16_t pixels[WIDTH * HEIGHT];
    fill(pixels, WIDTH * HEIGHT);
    const char *path = path_of("a.png");
    assert_false(err_is(picture_write_png(path, (const uint8_t *)pixels, WIDTH, HEIGHT, 1, 16)));
    struct picture picture;
    const char *why = NULL;
    assert_false(err_is(picture_read(path, 0, PIXELS_MAX, &picture, &why)));
    assert_int_equal(picture.width, WIDTH);
    assert_int_equal(picture.height, HEIGHT);
    assert_int_equal(picture.bits, 16);
    assert_int_equal(picture.pages, 1);
    assert_memory_equal(picture.pixels, pixels, sizeof pixels);
    picture_fini(&picture);
    assert_int_equal(picture_read(path, 1, PIXELS_MAX, &picture, &why).code, ERR_IMAGE_UNREADABLE);
}

static void png_colour_becomes_luminance(void **state)
{
    (void)state;
    uint8_t rgb[2 * 2 * 3] = {255, 255, 255, 0, 0, 0, 0, 255, 0, 0, 0, 255};
    const char *path = path_of("rgb.png");
    assert_false(err_is(picture_write_png(path, rgb, 2, 2, 3, 8)));
    struct picture picture;
    const char *why = NULL;
    assert_false(err_is(picture_read(path, 0, PIXELS_MAX, &picture, &why)));
    assert_int_equal(picture.bits, 8);
    assert_int_equal(picture.pixels_bytes, 4);
    assert_int_equal(picture.pixels[0], 255);
    assert_int_equal(picture.pixels[1], 0);
    assert_true(picture.pixels[2] > 100);               /* green weighs more than half */
    assert_true(picture.pixels[3] < picture.pixels[2]); /* blue the least */
    picture_fini(&picture);
}

static void png_write_with_bad_shape_refuses(void **state)
{
    (void)state;
    uint8_t grey[4] = {0};
    assert_int_equal(picture_write_png(path_of("x.png"), grey, 0, 2, 1, 8).code, ERR_ARGUMENT);
    assert_int_equal(picture_write_png(path_of("x.png"), grey, 2, 2, 2, 8).code, ERR_ARGUMENT);
    assert_int_equal(picture_write_png(path_of("x.png"), grey, 2, 2, 1, 12).code, ERR_ARGUMENT);
    assert_int_equal(access(path_of("x.png"), F_OK), -1);
}

/* ---- JPEG ---- */

static void jpeg_grey_and_colour_read_alike(void **state)
{
    (void)state;
    enum { WIDTH = 40, HEIGHT = 24 };
    uint8_t grey[WIDTH * HEIGHT];
    for (int i = 0; i < WIDTH * HEIGHT; i++) {
        grey[i] = (uint8_t)(i % WIDTH * 6);
    }
    for (int components = 1; components <= 3; components += 2) {
        const char *path = path_of("a.jpg");
        write_jpeg(path, grey, WIDTH, HEIGHT, components);
        struct picture picture;
        const char *why = NULL;
        assert_false(err_is(picture_read(path, 0, PIXELS_MAX, &picture, &why)));
        assert_int_equal(picture.width, WIDTH);
        assert_int_equal(picture.height, HEIGHT);
        for (int i = 0; i < WIDTH * HEIGHT; i++) {
            assert_true(abs((int)picture.pixels[i] - (int)grey[i]) <= 3);
        }
        picture_fini(&picture);
    }
}

static void jpeg_cmyk_refuses(void **state)
{
    (void)state;
    uint8_t grey[64] = {0};
    write_jpeg(path_of("cmyk.jpg"), grey, 8, 8, 4);
    struct picture picture;
    const char *why = NULL;
    assert_int_equal(picture_read(path_of("cmyk.jpg"), 0, PIXELS_MAX, &picture, &why).code,
                     ERR_IMAGE_UNREADABLE);
    assert_non_null(strstr(why, "JPEG"));
}

/* ---- TIFF ---- */

static void tiff_layouts_read_the_same_pixels(void **state)
{
    (void)state;
    enum { WIDTH = 37, HEIGHT = 23 };
    uint16_t pixels[WIDTH * HEIGHT];
    fill(pixels, WIDTH * HEIGHT);
    const struct tiff_shape shapes[] = {
        {16, PHOTOMETRIC_MINISBLACK, 1, COMPRESSION_NONE, 0, "wl"},
        {16, PHOTOMETRIC_MINISBLACK, 1, COMPRESSION_NONE, 0, "wb"},
        {16, PHOTOMETRIC_MINISBLACK, 1, COMPRESSION_LZW, 0, "wb"},
        {16, PHOTOMETRIC_MINISBLACK, 1, COMPRESSION_ADOBE_DEFLATE, 16, "wl"},
        {16, PHOTOMETRIC_MINISBLACK, 1, COMPRESSION_NONE, 0, "wl8"},
        {8, PHOTOMETRIC_MINISBLACK, 1, COMPRESSION_PACKBITS, 0, "wl"},
    };
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        const char *path = path_of("a.tif");
        TIFF *tiff = TIFFOpen(path, shapes[i].mode);
        assert_non_null(tiff);
        write_tiff_page(tiff, &shapes[i], (const uint8_t *)pixels, WIDTH, HEIGHT);
        TIFFClose(tiff);
        struct picture picture;
        const char *why = NULL;
        assert_false(err_is(picture_read(path, 0, PIXELS_MAX, &picture, &why)));
        assert_int_equal(picture.bits, shapes[i].bits);
        assert_int_equal(picture.pixels_bytes, WIDTH * HEIGHT * shapes[i].bits / 8);
        assert_memory_equal(picture.pixels, pixels, picture.pixels_bytes);
        picture_fini(&picture);
    }
}

static void tiff_min_is_white_is_turned(void **state)
{
    (void)state;
    uint16_t pixels[4] = {0, 1, 0x1234, 0xffff};
    TIFF *tiff = TIFFOpen(path_of("w.tif"), "w");
    write_tiff_page(tiff,
                    &(struct tiff_shape){16, PHOTOMETRIC_MINISWHITE, 1, COMPRESSION_NONE, 0, "w"},
                    (const uint8_t *)pixels, 2, 2);
    TIFFClose(tiff);
    struct picture picture;
    const char *why = NULL;
    assert_false(err_is(picture_read(path_of("w.tif"), 0, PIXELS_MAX, &picture, &why)));
    uint16_t got[4];
    memcpy(got, picture.pixels, sizeof got);
    assert_int_equal(got[0], 0xffff);
    assert_int_equal(got[2], 0xffff - 0x1234);
    assert_int_equal(got[3], 0);
    picture_fini(&picture);
}

static void tiff_pages_are_told_apart(void **state)
{
    (void)state;
    uint16_t low[6] = {1, 2, 3, 4, 5, 6}, high[6] = {7, 8, 9, 10, 11, 12};
    const struct tiff_shape shape = {16, PHOTOMETRIC_MINISBLACK, 1, COMPRESSION_NONE, 0, "w"};
    TIFF *tiff = TIFFOpen(path_of("two.tif"), "w");
    write_tiff_page(tiff, &shape, (const uint8_t *)low, 3, 2);
    write_tiff_page(tiff, &shape, (const uint8_t *)high, 3, 2);
    TIFFClose(tiff);
    for (uint32_t page = 0; page < 2; page++) {
        struct picture picture;
        const char *why = NULL;
        assert_false(err_is(picture_read(path_of("two.tif"), page, PIXELS_MAX, &picture, &why)));
        assert_int_equal(picture.pages, 2);
        assert_memory_equal(picture.pixels, page == 0 ? low : high, sizeof low);
        picture_fini(&picture);
    }
    struct picture picture;
    const char *why = NULL;
    assert_int_equal(picture_read(path_of("two.tif"), 2, PIXELS_MAX, &picture, &why).code,
                     ERR_IMAGE_UNREADABLE);
    assert_non_null(strstr(why, "page 3 of 2"));
}

static void tiff_with_two_samples_refuses(void **state)
{
    (void)state;
    uint16_t pixels[8] = {0};
    TIFF *tiff = TIFFOpen(path_of("s.tif"), "w");
    write_tiff_page(tiff,
                    &(struct tiff_shape){16, PHOTOMETRIC_MINISBLACK, 2, COMPRESSION_NONE, 0, "w"},
                    (const uint8_t *)pixels, 2, 2);
    TIFFClose(tiff);
    struct picture picture;
    const char *why = NULL;
    assert_int_equal(picture_read(path_of("s.tif"), 0, PIXELS_MAX, &picture, &why).code,
                     ERR_IMAGE_UNREADABLE);
    assert_non_null(strstr(why, "2 samples"));
}

/* ---- broken files ---- */

static uint8_t *file_bytes(const char *path, size_t *bytes_count)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    uint8_t *bytes = malloc(1 << 20);
    *bytes_count = fread(bytes, 1, 1 << 20, file);
    assert_int_equal(fclose(file), 0);
    return bytes;
}

static void cut_anywhere_refuses_or_reads_whole(void **state)
{
    (void)state;
    uint16_t pixels[32 * 32];
    uint8_t grey[32 * 32];
    fill(pixels, 32 * 32);
    for (int i = 0; i < 32 * 32; i++) {
        grey[i] = (uint8_t)pixels[i];
    }
    assert_false(
        err_is(picture_write_png(path_of("cut.png"), (const uint8_t *)pixels, 32, 32, 1, 16)));
    write_jpeg(path_of("cut.jpg"), grey, 32, 32, 1);
    TIFF *tiff = TIFFOpen(path_of("cut.tif"), "w");
    write_tiff_page(tiff,
                    &(struct tiff_shape){16, PHOTOMETRIC_MINISBLACK, 1, COMPRESSION_NONE, 0, "w"},
                    (const uint8_t *)pixels, 32, 32);
    TIFFClose(tiff);
    const char *names[] = {"cut.png", "cut.jpg", "cut.tif"};
    /* The last bytes of a PNG (end mark) and a JPEG (two bytes) carry no pixels; everything before
     * does. */
    for (size_t n = 0; n < 3; n++) {
        size_t bytes_count;
        uint8_t *bytes = file_bytes(path_of(names[n]), &bytes_count);
        for (size_t cut = 0; cut < bytes_count; cut++) {
            uint8_t *exact = malloc(
                cut + 1); /* its own allocation: a read behind the cut is seen by the sanitizer */
            memcpy(exact, bytes, cut);
            struct picture picture;
            const char *why = NULL;
            struct err err = picture_decode(exact, cut, 0, PIXELS_MAX, &picture, &why);
            if (!err_is(err)) {
                assert_true(cut + 2 >= bytes_count);
                picture_fini(&picture);
            } else {
                assert_int_equal(err.code, ERR_IMAGE_UNREADABLE);
                assert_true(strlen(why) > 3);
            }
            free(exact);
        }
        free(bytes);
    }
}

static void more_pixels_than_allowed_refuse(void **state)
{
    (void)state;
    uint8_t grey[100] = {0};
    assert_false(err_is(picture_write_png(path_of("big.png"), grey, 10, 10, 1, 8)));
    struct picture picture;
    const char *why = NULL;
    assert_int_equal(picture_read(path_of("big.png"), 0, 99, &picture, &why).code,
                     ERR_IMAGE_UNREADABLE);
    assert_non_null(strstr(why, "99"));
    assert_false(err_is(picture_read(path_of("big.png"), 0, 100, &picture, &why)));
    picture_fini(&picture);
}

static void other_files_refuse_by_reason(void **state)
{
    (void)state;
    struct picture picture;
    const char *why = NULL;
    assert_int_equal(
        picture_decode((const uint8_t *)"GIF89a", 6, 0, PIXELS_MAX, &picture, &why).code,
        ERR_IMAGE_UNREADABLE);
    assert_string_equal(why, "neither JPEG nor PNG nor TIFF");
    assert_int_equal(picture_decode((const uint8_t *)"", 0, 0, PIXELS_MAX, &picture, &why).code,
                     ERR_IMAGE_UNREADABLE);
    assert_true(err_is(picture_read(path_of("missing.png"), 0, PIXELS_MAX, &picture, &why)));
    assert_true(strlen(why) > 3);
}

static void png_in_memory_reads_back(void **state)
{
    (void)state;
    for (uint32_t bits = 8; bits <= 16; bits += 8) {
        uint8_t pixels[2 * 37 * 11];
        struct picture grey = {.width = 37, .height = 11, .bits = bits, .pixels = pixels};
        struct picture back;
        uint8_t *bytes = NULL;
        size_t bytes_count = 0;
        const char *why = NULL;
        for (size_t i = 0; i < sizeof pixels; i++) {
            pixels[i] = (uint8_t)(i * i / 7 + 31 * i);
        }
        assert_false(err_is(picture_encode_png(&grey, &bytes, &bytes_count)));
        assert_false(err_is(picture_decode(bytes, bytes_count, 0, 1000, &back, &why)));
        assert_true(back.width == 37 && back.height == 11 && back.bits == bits);
        assert_memory_equal(back.pixels, pixels, back.pixels_bytes);
        picture_fini(&back);
        free(bytes);
        grey.width = 0;
        assert_int_equal(picture_encode_png(&grey, &bytes, &bytes_count).code, ERR_ARGUMENT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(png_in_memory_reads_back),
        cmocka_unit_test(png_16_bits_written_reads_the_same),
        cmocka_unit_test(png_colour_becomes_luminance),
        cmocka_unit_test(png_write_with_bad_shape_refuses),
        cmocka_unit_test(jpeg_grey_and_colour_read_alike),
        cmocka_unit_test(jpeg_cmyk_refuses),
        cmocka_unit_test(tiff_layouts_read_the_same_pixels),
        cmocka_unit_test(tiff_min_is_white_is_turned),
        cmocka_unit_test(tiff_pages_are_told_apart),
        cmocka_unit_test(tiff_with_two_samples_refuses),
        cmocka_unit_test(cut_anywhere_refuses_or_reads_whole),
        cmocka_unit_test(more_pixels_than_allowed_refuse),
        cmocka_unit_test(other_files_refuse_by_reason),
    };
    return cmocka_run_group_tests(tests, folder_open, folder_close);
}
