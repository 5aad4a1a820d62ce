/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CTL_QR_H
#define CTL_QR_H

/* Qr: text as a QR code (ISO/IEC 18004), for receipts and checkpoints on paper. The only file that
 * knows libqrencode. Any thread. */

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/err.h"

#define QR_BYTES_MAX 2953u /* version 40, lowest error correction */

/* A grey PNG: six pixels a module, four modules of margin. Errors: ARGUMENT (longer than
 * QR_BYTES_MAX), MEMORY, IO. */
MUST_USE struct err qr_write_png(const char *path, const char *text, size_t text_bytes);
/* In half-block characters of a terminal, black on white by ANSI colours. */
MUST_USE struct err qr_print(FILE *to, const char *text, size_t text_bytes);

#endif
