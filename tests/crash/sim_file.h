/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIM_FILE_H
#define SIM_FILE_H

/* Sim file: what one file or directory of the simulated disk holds, twice: as everybody sees it and
 * as a power cut would leave it, with the list of what lies between.
 *
 * Pure memory; single thread. Nothing here yields, fails or crashes: that is sim_call.c's. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sim_random.h"

#define SIM_BLOCK_BYTES 4096u
#define SIM_SECTOR_BYTES 512u
#define SIM_NAME_BYTES 64u

struct sim_block {
    union {
        uint32_t references; /* copied on write */
        struct sim_block *next_free;
    } head;
    uint8_t bytes[SIM_BLOCK_BYTES];
};

/* Bytes of a file; a NULL block is zeros. */
struct sim_image {
    struct sim_block **blocks;
    uint32_t blocks_count;
    uint64_t bytes_count;
};

/* A write that no sync has covered yet. */
struct sim_write {
    uint64_t offset;
    uint64_t bytes_count;
    uint8_t *bytes; /* NULL: zeros */
};

struct sim_file;

struct sim_name {
    char text[SIM_NAME_BYTES];
    struct sim_file *file;
};

struct sim_names {
    struct sim_name *rows;
    uint32_t count;
    uint32_t capacity;
};

/* A change of names that no sync of the directory has covered yet: `from` is empty when the name is
 * made, `to` when it is removed; both: a rename, which happens as a whole or not. */
struct sim_move {
    char from[SIM_NAME_BYTES];
    char to[SIM_NAME_BYTES];
    struct sim_file *file;
};

struct sim_file {
    uint32_t number;
    bool is_directory;
    bool lost_pages; /* visible holds bytes whose write-out failed: no later sync writes them */
    bool reached;    /* of the sweep after a power cut */
    char name[SIM_NAME_BYTES]; /* the newest one, for people who repeat a run */
    struct sim_image visible;
    struct sim_image durable;
    struct sim_write *writes; /* oldest first */
    uint32_t writes_count;
    uint32_t writes_capacity;
    struct sim_names visible_names; /* directories */
    struct sim_names durable_names;
    struct sim_move *moves; /* oldest first */
    uint32_t moves_count;
    uint32_t moves_capacity;
};

/* How a power cut treats what was not synced; shares of 256. */
struct sim_weather {
    uint32_t write_whole;    /* a write survives as a whole */
    uint32_t write_gone;     /* of the others: nothing of it survives; else it is torn */
    uint32_t sector_keeps;   /* of a torn write */
    uint32_t sector_garbage; /* of the sectors that did not survive: neither old nor new */
    uint32_t name_keeps;
};

void sim_image_read(const struct sim_image *self, uint64_t offset, void *out, size_t bytes_count);
void sim_image_write(struct sim_image *self, uint64_t offset, const uint8_t *bytes,
                     uint64_t bytes_count);
/* Share the blocks of another image. */
void sim_image_assign(struct sim_image *self, const struct sim_image *from);
void sim_image_clear(struct sim_image *self);

struct sim_file *sim_file_make(uint32_t number, bool is_directory);
void sim_file_free(struct sim_file *self);

/* Visible at once, durable by a sync. */
void sim_file_write(struct sim_file *self, uint64_t offset, const uint8_t *bytes,
                    uint64_t bytes_count);
/* Everything, or the names of a directory, becomes durable. */
void sim_file_sync(struct sim_file *self);
/* Of the newest writes_count writes: those of one O_DSYNC call. */
void sim_file_sync_newest(struct sim_file *self, uint32_t writes_count);
/* The write-out failed and the kernel marks the pages clean: they stay visible, and no later sync
 * writes them. */
void sim_file_lose(struct sim_file *self, uint32_t writes_count);
/* What a read past the page cache sees. Differs from the visible bytes after lost writes only. The
 * caller clears *out. */
void sim_file_device(const struct sim_file *self, struct sim_image *out);
void sim_file_power_cut(struct sim_file *self, struct sim_random *random,
                        const struct sim_weather *weather);

struct sim_file *sim_names_find(const struct sim_names *self, const char *name);
void sim_names_set(struct sim_names *self, const char *name, struct sim_file *file);
void sim_names_drop(struct sim_names *self, const char *name, const struct sim_file *file);
/* Change the visible names now, the durable ones at the next sync. from or to may be "". */
void sim_file_move(struct sim_file *self, const char *from, const char *to, struct sim_file *file);

#endif
