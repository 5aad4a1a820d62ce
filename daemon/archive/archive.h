/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ARCHIVE_H
#define ARCHIVE_H

/* Archive: sealed HDF5 files built from the log and the blobs. Schema: FORMAT.md beside this file.
 *
 * A file covers the entries first_index..last_index. It is written as <name>.h5.part, closed,
 * synced, opened again, every dataset read back from the disk and compared with what went in, every
 * image re-hashed against its entry, then renamed; the caller appends the archive.seal entry. The
 * same entries and blobs give the same bytes (object times off, no creation date inside), so a
 * crash costs only a rebuild. HDF5's library is not thread-safe in Debian: every function of this
 * module takes one process-wide lock. Threads: any; blocks on disk. */

#include <stdbool.h>
#include <stdint.h>

#include "archive/blob.h"
#include "base/err.h"
#include "proto/entry.h"
#include "proto/merkle.h"
#include "proto/note.h"

/* One entry on its way into a file; bytes live until archive_build returns from next(). */
struct archive_entry {
    uint64_t entry_index;
    const uint8_t *bytes;
    uint32_t bytes_count;
    const uint8_t
        *private_bytes; /* private record of a received entry (proto/disclosure.h), or NULL */
    uint32_t private_count;
};

/* Source of entries in order, so that this module knows nothing of the log: false at the end; *err
 * on failure. */
typedef bool (*archive_next)(void *source, struct archive_entry *out, struct err *err);

/* What the log's tree has before a range: the shard's first entry, and the subtrees over the leaves
 * from there to the range. */
struct archive_tree {
    uint64_t first_n;
    struct merkle_range range;
};

/* The tree behind a range, as a file states it. */
struct archive_tree_end {
    uint64_t first_n;
    uint64_t size;
    uint8_t root[HASH_BYTES];
};

struct metric_set;

struct archive_conf {
    const char *directory; /* archive/ */
    const char *origin;
    uint32_t deflate_level;       /* 0..2; 0 writes uncompressed */
    uint32_t threads;             /* that compress and check; up to 64, 0 is one */
    const uint8_t *pseudonym_key; /* 32 bytes: declarations enter with keyed pseudonyms only */
    /* What the file says of its making; NULL: of this build. A rebuild repeats what the seal says.
     */
    const char *filters;
    const char *hdf5_version;
    const struct archive_tree *tree; /* before the range; NULL: the file says nothing of the tree */
    const struct metric_set *metrics; /* in force; NULL: none are known */
    bool replace_unsealed; /* a file of that name that differs was never sealed: replace it */
};

#define ARCHIVE_FILTERS_BYTES 96u
#define ARCHIVE_DIFFERENCE_BYTES 256u

struct archive_result {
    char path[160]; /* below the archive directory: "2026/09/21/<origin>-<first>-<last>.h5" */
    uint64_t file_bytes;
    uint8_t sha256[HASH_BYTES];
    uint64_t first_index;
    uint64_t last_index;
    uint64_t images_count;
    char hdf5_version[16];
    char filters[ARCHIVE_FILTERS_BYTES];
    int64_t write_ns;         /* from the call until the part file was closed and synced */
    int64_t seal_ns;          /* until it was read back, hashed, and had its name */
    struct archive_tree tree; /* behind the range; of size 0 when nothing was known before it */
};

/* How a file of this build and level is stored: "fletcher32", or
 * "shuffle,deflate(2):isa-l/2.30.0+0a1b2c3d,fletcher32" (chunk.h tells the part behind the colon).
 * Two builds with the same text write the same bytes when HDF5's version is the same too. */
MUST_USE struct err archive_filters(uint32_t deflate_level, char out[ARCHIVE_FILTERS_BYTES]);
void archive_hdf5_version(char out[16]);
/* The level that such a text states; false when files like that are not made here. */
bool archive_filters_level(const char *filters, uint32_t *deflate_level);

/* Build and seal one file of the entries that `next` gives (at least one). ARCHIVE_WRITE,
 * ARCHIVE_DIFFERS, BLOB_MISSING, DISK_FULL: the part file is removed. A file of that name that is
 * already there is rebuilt and must be identical, unless conf says that it was never sealed. */
MUST_USE struct err archive_build(const struct archive_conf *conf, struct blob_store *blobs,
                                  archive_next next, void *source, struct archive_result *out);
/* Where two sealed files of our own making differ first, as words; out holds
 * ARCHIVE_DIFFERENCE_BYTES;
 * "" when every object is the same and only the file's structure differs. */
MUST_USE struct err archive_compare(const char *path, const char *other_path,
                                    char out[ARCHIVE_DIFFERENCE_BYTES]);
/* Length and SHA-256 of a file. ARCHIVE_DIFFERS when it cannot be read. */
MUST_USE struct err archive_hash_file(const char *path, uint8_t sha256[HASH_BYTES],
                                      uint64_t *file_bytes);
/* Remove part files that an earlier process left. */
MUST_USE struct err archive_sweep(const char *directory);
/* The last index of a file that begins with first_index, when there is one: what a crash between
 * the name and the seal left, if no seal covers first_index. Such a file is to be made again, of
 * the same range. False when there is none. */
bool archive_find_begun(const char *directory, const char *origin, uint64_t first_index,
                        uint64_t *last_index);

/* ---- reading sealed files of our own making (never foreign ones inside the daemon) ---- */

struct archive_file;

struct archive_summary {
    uint64_t first_index;
    uint64_t last_index;
    uint64_t entries_count;
    uint64_t items_count;
    uint64_t scans_count;
    uint64_t images_count;
    uint64_t declarations_count;
    uint64_t decisions_count;
    uint64_t outcomes_count;
    char origin[NOTE_ORIGIN_BYTES_MAX + 1];
};

MUST_USE struct err archive_file_open(const char *path, struct archive_file **out);
void archive_file_close(struct archive_file **self);
MUST_USE struct err archive_file_summary(struct archive_file *self, struct archive_summary *out);
/* Raw bytes of the entry as it stands in the file; borrowed until the next call. NOT_FOUND outside
 * the range. */
MUST_USE struct err archive_file_entry(struct archive_file *self, uint64_t entry_index,
                                       const uint8_t **bytes, uint32_t *bytes_count);
/* Pixels of the image with this payload digest, canonical bytes; the caller frees *out. NOT_FOUND
 * when not inside. */
MUST_USE struct err archive_file_image(struct archive_file *self, const uint8_t digest[HASH_BYTES],
                                       uint8_t **out, uint64_t *out_bytes);
/* Its width, height and bits. */
struct image;
MUST_USE struct err archive_file_image_shape(struct archive_file *self,
                                             const uint8_t digest[HASH_BYTES], struct image *out);
/* The tree behind the file's last entry. NOT_FOUND for a file that says nothing of it. */
MUST_USE struct err archive_file_tree(struct archive_file *self, struct archive_tree_end *out);
/* Re-hash every image against its digest and every entry against its stored leaf hash, and these
 * with what was before them against the stated root; *bad_path
 * (caller's, 128 bytes) names the first dataset that differs, "" when all agree. */
MUST_USE struct err archive_file_check(struct archive_file *self, uint64_t *images_checked,
                                       uint64_t *entries_checked, char *bad_path);

/* Whether the tables that follow from the entries alone (all but /declarations, /metrics,
 * /calibration and /scan_images, whose calibration is in the private record) say what the entries
 * of the same file say: *bad_table names the first that does not, "" when all do (static).
 * ARCHIVE_DIFFERS when an entry cannot be read. */
MUST_USE struct err archive_file_check_tables(struct archive_file *self, const char **bad_table);

/* What the entry of a scan leaves out of its images and scoring needs. */
struct archive_calibration {
    uint64_t entry_index; /* of scan.received; rows ascend by it, then by image_index */
    uint64_t image_index;
    double pixel_pitch_mm;
    uint32_t air_level;
    uint32_t dark_level;
};
/* All of the file; the caller frees *out. NOT_FOUND in files of before these columns. */
MUST_USE struct err archive_file_calibrations(struct archive_file *self,
                                              struct archive_calibration **out,
                                              uint64_t *out_count);

#endif
