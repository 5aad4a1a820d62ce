/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/qr.h"

#include <errno.h>
#include <qrencode.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "picture/picture.h"

#define MARGIN 4  /* modules; the standard asks for it */
#define ZOOM 6    /* pixels a module */
#define DARK 0x01 /* bit of a module in the library's bytes */
#define EASY 101  /* modules a side that a telephone still reads at a glance: version 21 */

/* The strongest error correction that keeps the modules large, because paper gets dirty; a long
 * text gets the lowest. */
static struct err qr_make(const char *text, size_t text_bytes, QRcode **out)
{
    static const QRecLevel levels[] = {QR_ECLEVEL_Q, QR_ECLEVEL_M, QR_ECLEVEL_L};
    if (text_bytes == 0 || text_bytes > QR_BYTES_MAX) {
        return err_make(ERR_ARGUMENT, "text is too long for a QR code");
    }
    for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++) {
        *out = QRcode_encodeData((int)text_bytes, (const unsigned char *)text, 0, levels[i]);
        if (*out != NULL && ((*out)->width <= EASY || levels[i] == QR_ECLEVEL_L)) {
            return err_none;
        }
        QRcode_free(*out);
    }
    *out = NULL;
    return errno == ENOMEM ? err_make(ERR_MEMORY, "QR code")
                           : err_make(ERR_ARGUMENT, "text is too long for a QR code");
}

/* x and y count modules and may lie in the margin. */
static bool qr_is_dark(const QRcode *code, int x, int y)
{
    return x >= 0 && y >= 0 && x < code->width && y < code->width &&
           (code->data[y * code->width + x] & DARK) != 0;
}

struct err qr_write_png(const char *path, const char *text, size_t text_bytes)
{
    QRcode *code = NULL;
    struct err err = qr_make(text, text_bytes, &code);
    if (err_is(err)) {
        return err;
    }
    int side = (code->width + 2 * MARGIN) * ZOOM;
    uint8_t *pixels = malloc((size_t)side * (size_t)side);
    if (pixels == NULL) {
        QRcode_free(code);
        return err_make(ERR_MEMORY, "QR code");
    }
    for (int y = 0; y < side; y++) {
        for (int x = 0; x < side; x++) {
            bool dark = qr_is_dark(code, x / ZOOM - MARGIN, y / ZOOM - MARGIN);
            pixels[(size_t)y * (size_t)side + (size_t)x] = dark ? 0 : 255;
        }
    }
    err = picture_write_png(path, pixels, (uint32_t)side, (uint32_t)side, 1, 8);
    free(pixels);
    QRcode_free(code);
    return err;
}

struct err qr_print(FILE *to, const char *text, size_t text_bytes)
{
    /* Two rows of modules a line: upper, lower. */
    static const char *const halves[] = {" ", "\xe2\x96\x84", "\xe2\x96\x80", "\xe2\x96\x88"};
    QRcode *code = NULL;
    struct err err = qr_make(text, text_bytes, &code);
    if (err_is(err)) {
        return err;
    }
    for (int y = -MARGIN; y < code->width + MARGIN; y += 2) {
        (void)fputs("\033[30;107m", to);
        for (int x = -MARGIN; x < code->width + MARGIN; x++) {
            unsigned half = (qr_is_dark(code, x, y) ? 2u : 0u) | qr_is_dark(code, x, y + 1);
            (void)fputs(halves[half], to);
        }
        (void)fputs("\033[0m\n", to);
    }
    QRcode_free(code);
    return ferror(to) ? err_make(ERR_IO, "print QR code") : err_none;
}
