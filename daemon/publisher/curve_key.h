/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CURVE_KEY_H
#define CURVE_KEY_H

/* Curve key: files of CURVE keys, for daemon, publishers and tools. Any thread; they block on
 * the disk. */

#include "base/err.h"

#define CURVE_Z85_BYTES 41u /* 40 characters and the zero */

/* New pair: `file` (mode 0600, two lines of Z85: public, secret) and `file`.pub (public alone). A
 * file that is already there is left alone: ERR_CONFLICT. */
MUST_USE struct err curve_key_create(const char *file);
/* ERR_KEY when missing, malformed, or readable by others. */
MUST_USE struct err curve_key_read(const char *file, char public_key[CURVE_Z85_BYTES],
                                   char secret_key[CURVE_Z85_BYTES]);
/* First line of a .pub file (a pair file will do too). */
MUST_USE struct err curve_public_read(const char *file, char public_key[CURVE_Z85_BYTES]);

#endif
