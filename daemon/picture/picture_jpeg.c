/* SPDX-License-Identifier: Apache-2.0 */
#include "picture/picture_format.h"

#include <setjmp.h>
#include <stdio.h>

#include <jpeglib.h>
#include <jerror.h>

/* libjpeg turns a cut file into grey rows and a warning. A scan that lost its lower half must not
 * pass for a whole one, so warnings that mean lost content are errors here; the harmless ones
 * (extra bytes before a marker) stay warnings. */

#define SCANS_MAX 500               /* progressive files with more passes are made to burn time */
#define WORK_BYTES_MAX (512L << 20) /* coefficient memory of a progressive file */

struct reading {
    struct jpeg_decompress_struct jpeg;
    struct jpeg_error_mgr errors;
    struct jpeg_progress_mgr progress;
    jmp_buf leave;
    const struct picture_source *source;
    struct picture picture;
};

static void complain_jpeg(j_common_ptr common)
{
    struct reading *self = common->client_data;
    char words[JMSG_LENGTH_MAX];
    common->err->format_message(common, words);
    picture_complain("JPEG: %s", words);
    longjmp(self->leave, 1);
}

static void judge_warning(j_common_ptr common, int level)
{
    int code = common->err->msg_code;
    if (level < 0 && (code == JWRN_JPEG_EOF || code == JWRN_HIT_MARKER ||
                      code == JWRN_HUFF_BAD_CODE || code == JWRN_MUST_RESYNC)) {
        complain_jpeg(common);
    }
}

static void stay_silent(j_common_ptr common)
{
    (void)common;
}

static void bound_scans(j_common_ptr common)
{
    struct reading *self = common->client_data;
    if (self->jpeg.input_scan_number > SCANS_MAX) {
        picture_complain("JPEG: more than %d progressive scans", SCANS_MAX);
        longjmp(self->leave, 1);
    }
}

static bool read_jpeg(struct reading *self)
{
    if (setjmp(self->leave) != 0) {
        return false;
    }
    struct jpeg_decompress_struct *jpeg = &self->jpeg;
    jpeg_create_decompress(jpeg);
    jpeg->mem->max_memory_to_use = WORK_BYTES_MAX;
    jpeg->progress = &self->progress;
    jpeg_mem_src(jpeg, self->source->bytes, (unsigned long)self->source->bytes_count);
    if (jpeg_read_header(jpeg, TRUE) != JPEG_HEADER_OK) {
        picture_complain("JPEG: no image in the file");
        return false;
    }
    if (!picture_allocate(self->source, jpeg->image_width, jpeg->image_height, 8, &self->picture)) {
        return false;
    }
    jpeg->out_color_space =
        JCS_GRAYSCALE;             /* CMYK has no conversion and is refused by the library */
    jpeg->dct_method = JDCT_ISLOW; /* the same bits on every processor */
    if (!jpeg_start_decompress(jpeg) || jpeg->output_width != self->picture.width ||
        jpeg->output_height != self->picture.height || jpeg->output_components != 1) {
        picture_complain("JPEG: cannot be turned into grey pixels");
        return false;
    }
    while (jpeg->output_scanline < jpeg->output_height) {
        JSAMPROW row = self->picture.pixels + (size_t)jpeg->output_scanline * self->picture.width;
        (void)jpeg_read_scanlines(jpeg, &row, 1);
    }
    (void)jpeg_finish_decompress(jpeg);
    return true;
}

bool picture_decode_jpeg(const struct picture_source *source, struct picture *out)
{
    if (source->page != 0) {
        picture_complain("JPEG: there is only one page");
        return false;
    }
    struct reading reading = {.source = source};
    reading.jpeg.err = jpeg_std_error(&reading.errors);
    reading.errors.error_exit = complain_jpeg;
    reading.errors.emit_message = judge_warning;
    reading.errors.output_message = stay_silent;
    reading.progress.progress_monitor = bound_scans;
    reading.jpeg.client_data = &reading;
    bool good = read_jpeg(&reading);
    jpeg_destroy_decompress(&reading.jpeg);
    if (!good) {
        picture_fini(&reading.picture);
        return false;
    }
    *out = reading.picture;
    return true;
}
