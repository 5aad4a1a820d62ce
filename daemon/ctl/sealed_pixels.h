/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CTL_SEALED_PIXELS_H
#define CTL_SEALED_PIXELS_H

/* Sealed pixels: what a rebuild needs of a sealed range and was discarded from the blobs, taken out
 * of the sealed file (or a copy of it) into a scratch store. A blob that is missing without a
 * discard in the log stays missing. Main thread. */

#include "archive/blob.h"
#include "ctl/ctl.h"
#include "ctl/log_source.h"

struct json_t;

struct sealed_pixels {
    struct ctl *ctl;
    struct blob_store *blobs;
    struct log_source *log;
    char scratch[DURABLE_PATH_BYTES]; /* made below the directory of the rebuild when needed */
    uint64_t taken;                   /* images of the present file */
    char source[DURABLE_PATH_BYTES];  /* that they were taken from */
};

/* Whatever of this seal's range was discarded is readable through it when this returns. NOT_FOUND
 * when the pixels are in no sealed file at hand either. */
MUST_USE struct err sealed_pixels_take(struct sealed_pixels *self, const char *out_directory,
                                       const struct json_t *seal);
/* Removes the scratch store. */
void sealed_pixels_fini(struct sealed_pixels *self);

#endif
