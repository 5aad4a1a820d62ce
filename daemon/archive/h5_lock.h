/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ARCHIVE_H5_LOCK_H
#define ARCHIVE_H5_LOCK_H

/* H5 lock: shared by the files h5*.c alone. Guards the whole HDF5 library. */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct part;

/* All attributes stay inside the object's header: the heap that HDF5 takes otherwise costs
 * kilobytes an image. */
#define H5_ATTRIBUTES_COMPACT 40u

/* Takes the lock, silences HDF5's error printing for this thread, clears errno. */
void h5_lock(void);
void h5_unlock(void);
/* What a failed HDF5 call means: errno still tells a full disk. To be called before h5_unlock(). */
struct err h5_write_err(const char *where);
struct err h5_read_err(const char *where);
/* Have files of this access list written by a part, which must outlive them. Under the lock. */
bool h5_part_use(int64_t list, struct part *part);

#endif
