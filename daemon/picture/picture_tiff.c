/* SPDX-License-Identifier: Apache-2.0 */
#include "picture/picture_format.h"

#include <stdlib.h>
#include <string.h>
#include <tiffio.h>

/* Grey TIFF, one sample a pixel: what scanners write. Values come out in the machine's order, which
 * is little-endian on every machine this runs on (static assertion below). MinIsWhite is turned so
 * that a larger number is always brighter. */

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "pixels are little-endian in memory");

#define ALLOCATION_BYTES_MAX (256 << 20)
#define PAGES_MAX 256u

struct stream {
    const uint8_t *bytes;
    uint64_t bytes_count;
    uint64_t at;
};

static tmsize_t stream_read(thandle_t handle, void *out, tmsize_t wanted)
{
    struct stream *self = handle;
    uint64_t left = self->at < self->bytes_count ? self->bytes_count - self->at : 0;
    uint64_t taken = wanted < 0 ? 0 : (uint64_t)wanted < left ? (uint64_t)wanted : left;
    if (taken > 0) {
        memcpy(out, self->bytes + self->at, taken);
    }
    self->at += taken;
    return (tmsize_t)taken;
}

static tmsize_t stream_write(thandle_t handle, void *bytes, tmsize_t bytes_count)
{
    (void)handle;
    (void)bytes;
    (void)bytes_count;
    return -1;
}

static toff_t stream_seek(thandle_t handle, toff_t offset, int whence)
{
    struct stream *self = handle;
    uint64_t base = whence == SEEK_CUR ? self->at : whence == SEEK_END ? self->bytes_count : 0;
    self->at =
        base + offset; /* unsigned: a wild offset lands behind the end, where reads give nothing */
    return self->at;
}

static int stream_close(thandle_t handle)
{
    (void)handle;
    return 0;
}

static toff_t stream_end(thandle_t handle)
{
    const struct stream *self = handle;
    return self->bytes_count;
}

static int keep_error(TIFF *tiff, void *arg, const char *module, const char *format,
                      va_list arguments)
{
    (void)tiff;
    (void)arg;
    (void)module;
    char words[200];
    (void)vsnprintf(words, sizeof words, format, arguments);
    picture_complain("TIFF: %s", words);
    return 1;
}

static int ignore_warning(TIFF *tiff, void *arg, const char *module, const char *format,
                          va_list arguments)
{
    (void)tiff;
    (void)arg;
    (void)module;
    (void)format;
    (void)arguments;
    return 1;
}

static bool read_strips(TIFF *tiff, struct picture *out)
{
    tmsize_t row_bytes = TIFFScanlineSize(tiff);
    uint64_t expected = (uint64_t)out->width * (out->bits / 8);
    if (row_bytes <= 0 || (uint64_t)row_bytes != expected) {
        picture_complain("TIFF: rows have %lld bytes instead of %llu", (long long)row_bytes,
                         (unsigned long long)expected);
        return false;
    }
    uint32_t rows_per_strip = 0;
    (void)TIFFGetFieldDefaulted(tiff, TIFFTAG_ROWSPERSTRIP, &rows_per_strip);
    if (rows_per_strip == 0) {
        picture_complain("TIFF: strips without rows");
        return false;
    }
    for (uint32_t y = 0; y < out->height;) {
        uint32_t rows = rows_per_strip < out->height - y ? rows_per_strip : out->height - y;
        tmsize_t wanted = (tmsize_t)rows * row_bytes;
        tmsize_t got = TIFFReadEncodedStrip(tiff, TIFFComputeStrip(tiff, y, 0),
                                            out->pixels + (uint64_t)y * expected, wanted);
        if (got != wanted) {
            if (got >= 0) {
                picture_complain("TIFF: strip at row %u is short", y);
            }
            return false;
        }
        y += rows;
    }
    return true;
}

static void copy_tile(const uint8_t *tile, const uint32_t place[4], struct picture *out)
{
    uint32_t left = place[0], top = place[1], tile_width = place[2], tile_height = place[3];
    uint32_t columns = tile_width < out->width - left ? tile_width : out->width - left;
    uint32_t rows = tile_height < out->height - top ? tile_height : out->height - top;
    size_t pixel_bytes = out->bits / 8;
    for (uint32_t y = 0; y < rows; y++) {
        memcpy(out->pixels + ((uint64_t)(top + y) * out->width + left) * pixel_bytes,
               tile + (uint64_t)y * tile_width * pixel_bytes, columns * pixel_bytes);
    }
}

static bool read_tiles(TIFF *tiff, struct picture *out)
{
    uint32_t tile_width = 0, tile_height = 0;
    (void)TIFFGetField(tiff, TIFFTAG_TILEWIDTH, &tile_width);
    (void)TIFFGetField(tiff, TIFFTAG_TILELENGTH, &tile_height);
    tmsize_t tile_bytes = TIFFTileSize(tiff);
    if (tile_width == 0 || tile_height == 0 || tile_width > 65536 || tile_height > 65536 ||
        tile_bytes <= 0 || tile_bytes > ALLOCATION_BYTES_MAX ||
        (uint64_t)tile_bytes != (uint64_t)tile_width * tile_height * (out->bits / 8)) {
        picture_complain("TIFF: tiles of %u x %u", tile_width, tile_height);
        return false;
    }
    uint8_t *tile = calloc(1, (size_t)tile_bytes);
    if (tile == NULL) {
        picture_complain("TIFF: no memory for a tile");
        return false;
    }
    bool good = true;
    for (uint32_t top = 0; good && top < out->height; top += tile_height) {
        for (uint32_t left = 0; good && left < out->width; left += tile_width) {
            good = TIFFReadTile(tiff, tile, left, top, 0, 0) == tile_bytes;
            if (good) {
                copy_tile(tile, (uint32_t[]){left, top, tile_width, tile_height}, out);
            }
        }
    }
    free(tile);
    return good;
}

static void turn_white(struct picture *out)
{
    for (uint64_t i = 0; i < out->pixels_bytes; i++) {
        out->pixels[i] = (uint8_t)~out->pixels[i];
    }
}

static bool read_page(TIFF *tiff, const struct picture_source *source, struct picture *out)
{
    uint32_t width = 0, height = 0;
    uint16_t bits = 0, samples = 0, format = 0, photometric = PHOTOMETRIC_MINISBLACK;
    (void)TIFFGetField(tiff, TIFFTAG_IMAGEWIDTH, &width);
    (void)TIFFGetField(tiff, TIFFTAG_IMAGELENGTH, &height);
    (void)TIFFGetFieldDefaulted(tiff, TIFFTAG_BITSPERSAMPLE, &bits);
    (void)TIFFGetFieldDefaulted(tiff, TIFFTAG_SAMPLESPERPIXEL, &samples);
    (void)TIFFGetFieldDefaulted(tiff, TIFFTAG_SAMPLEFORMAT, &format);
    (void)TIFFGetField(tiff, TIFFTAG_PHOTOMETRIC, &photometric);
    if ((bits != 8 && bits != 16) || samples != 1 || format != SAMPLEFORMAT_UINT ||
        (photometric != PHOTOMETRIC_MINISBLACK && photometric != PHOTOMETRIC_MINISWHITE)) {
        picture_complain("TIFF: %u bits, %u samples a pixel, photometric %u: only grey with 8 or "
                         "16 unsigned bits",
                         bits, samples, photometric);
        return false;
    }
    if (!picture_allocate(source, width, height, bits, out)) {
        return false;
    }
    if (!(TIFFIsTiled(tiff) ? read_tiles(tiff, out) : read_strips(tiff, out))) {
        picture_fini(out);
        return false;
    }
    if (photometric == PHOTOMETRIC_MINISWHITE) {
        turn_white(out);
    }
    return true;
}

static uint32_t count_pages(TIFF *tiff)
{
    uint32_t pages = 1;
    while (pages < PAGES_MAX &&
           TIFFReadDirectory(tiff)) { /* the library stops at directory loops */
        pages++;
    }
    return pages;
}

bool picture_decode_tiff(const struct picture_source *source, struct picture *out)
{
    struct stream stream = {source->bytes, source->bytes_count, 0};
    TIFFOpenOptions *options = TIFFOpenOptionsAlloc();
    if (options == NULL) {
        picture_complain("TIFF: no memory");
        return false;
    }
    TIFFOpenOptionsSetMaxSingleMemAlloc(options, ALLOCATION_BYTES_MAX);
    TIFFOpenOptionsSetErrorHandlerExtR(options, keep_error, NULL);
    TIFFOpenOptionsSetWarningHandlerExtR(options, ignore_warning, NULL);
    TIFF *tiff = TIFFClientOpenExt("scan", "rm", &stream, stream_read, stream_write, stream_seek,
                                   stream_close, stream_end, NULL, NULL, options);
    TIFFOpenOptionsFree(options);
    if (tiff == NULL) {
        return false;
    }
    uint32_t pages = count_pages(tiff);
    struct picture picture = {0};
    bool good = false;
    if (source->page >= pages) {
        picture_complain("TIFF: page %u of %u", source->page + 1, pages);
    } else if (TIFFSetDirectory(tiff, (tdir_t)source->page)) {
        good = read_page(tiff, source, &picture);
    }
    TIFFClose(tiff);
    if (good) {
        picture.pages = pages;
        *out = picture;
    }
    return good;
}
