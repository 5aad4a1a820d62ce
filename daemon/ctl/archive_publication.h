/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CTL_ARCHIVE_PUBLICATION_H
#define CTL_ARCHIVE_PUBLICATION_H

/* Archive publication: `triagectl archive export --deidentified`: a copy for everybody of what
 * sealed files say (daemon/export/PUBLICATION.md), as tables and, when wanted, as one HDF5 file.
 * Main thread. */

#include "archive/archive_read.h"
#include "ctl/ctl.h"

struct json_t;

struct archive_publication {
    const char *directory; /* exists and is empty */
    const char *key_file;  /* of the pseudonyms; NULL: a fresh key that nobody keeps */
    uint64_t k;            /* no cell of fewer rows */
    bool images;           /* into the HDF5 file */
    bool hdf5;
    const char *archive;  /* the directory of sealed files */
    struct json_t *seals; /* those that the tables were read from; borrowed */
};

/* An exit code; what was written and withheld is told on standard output. */
int archive_publication_write(const struct ctl *ctl, const struct archive_publication *options,
                              const struct archive_tables *tables);

#endif
