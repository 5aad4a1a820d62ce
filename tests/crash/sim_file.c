/* SPDX-License-Identifier: Apache-2.0 */
#include "sim_file.h"

#include <stdlib.h>
#include <string.h>

#include "sim_memory.h"

/* Blocks are shared between the two images of a file, and between a prepared disk and its copies:
 * a run that changes little costs little. */

static struct sim_block *free_blocks;

static struct sim_block *block_take(void)
{
    struct sim_block *block = free_blocks;
    if (block != NULL) {
        free_blocks = block->head.next_free;
    } else {
        block = sim_memory_take(sizeof *block);
    }
    block->head.references = 1;
    return block;
}

static void block_drop(struct sim_block **block)
{
    if (*block != NULL && --(*block)->head.references == 0) {
        (*block)->head.next_free = free_blocks;
        free_blocks = *block;
    }
    *block = NULL;
}

static void image_reserve(struct sim_image *self, uint64_t bytes_count)
{
    uint32_t wanted = (uint32_t)((bytes_count + SIM_BLOCK_BYTES - 1) / SIM_BLOCK_BYTES);
    if (wanted > self->blocks_count) {
        struct sim_block **blocks = sim_memory_take(wanted * sizeof(struct sim_block *));
        if (self->blocks_count > 0) {
            memcpy(blocks, self->blocks, self->blocks_count * sizeof(struct sim_block *));
        }
        sim_memory_free(self->blocks);
        self->blocks = blocks;
        self->blocks_count = wanted;
    }
}

void sim_image_read(const struct sim_image *self, uint64_t offset, void *out, size_t bytes_count)
{
    uint8_t *at = out;
    while (bytes_count > 0) {
        size_t within = offset % SIM_BLOCK_BYTES;
        size_t run =
            SIM_BLOCK_BYTES - within < bytes_count ? SIM_BLOCK_BYTES - within : bytes_count;
        uint64_t number = offset / SIM_BLOCK_BYTES;
        const struct sim_block *block = number < self->blocks_count ? self->blocks[number] : NULL;
        if (block != NULL) {
            memcpy(at, block->bytes + within, run);
        } else {
            memset(at, 0, run);
        }
        at += run;
        offset += run;
        bytes_count -= run;
    }
}

static void image_write_block(struct sim_block **block, size_t within, const uint8_t *bytes,
                              size_t bytes_count)
{
    if (bytes == NULL && (*block == NULL || bytes_count == SIM_BLOCK_BYTES)) {
        block_drop(block);
        return;
    }
    if (*block == NULL || (*block)->head.references > 1) {
        struct sim_block *own = block_take();
        if (*block != NULL) {
            memcpy(own->bytes, (*block)->bytes, SIM_BLOCK_BYTES);
        } else {
            memset(own->bytes, 0, SIM_BLOCK_BYTES);
        }
        block_drop(block);
        *block = own;
    }
    if (bytes != NULL) {
        memcpy((*block)->bytes + within, bytes, bytes_count);
    } else {
        memset((*block)->bytes + within, 0, bytes_count);
    }
}

void sim_image_write(struct sim_image *self, uint64_t offset, const uint8_t *bytes,
                     uint64_t bytes_count)
{
    image_reserve(self, offset + bytes_count);
    if (offset + bytes_count > self->bytes_count) {
        self->bytes_count = offset + bytes_count;
    }
    while (bytes_count > 0) {
        size_t within = offset % SIM_BLOCK_BYTES;
        size_t run =
            SIM_BLOCK_BYTES - within < bytes_count ? SIM_BLOCK_BYTES - within : (size_t)bytes_count;
        image_write_block(&self->blocks[offset / SIM_BLOCK_BYTES], within, bytes, run);
        bytes = bytes == NULL ? NULL : bytes + run;
        offset += run;
        bytes_count -= run;
    }
}

void sim_image_clear(struct sim_image *self)
{
    for (uint32_t i = 0; i < self->blocks_count; i++) {
        block_drop(&self->blocks[i]);
    }
    sim_memory_free(self->blocks);
    *self = (struct sim_image){0};
}

void sim_image_assign(struct sim_image *self, const struct sim_image *from)
{
    if (self == from) {
        return;
    }
    sim_image_clear(self);
    image_reserve(self, (uint64_t)from->blocks_count * SIM_BLOCK_BYTES);
    self->bytes_count = from->bytes_count;
    for (uint32_t i = 0; i < from->blocks_count; i++) {
        self->blocks[i] = from->blocks[i];
        if (self->blocks[i] != NULL) {
            self->blocks[i]->head.references++;
        }
    }
}

struct sim_file *sim_file_make(uint32_t number, bool is_directory)
{
    struct sim_file *self = sim_memory_take(sizeof *self);
    self->number = number;
    self->is_directory = is_directory;
    return self;
}

static void file_forget_writes(struct sim_file *self, uint32_t from)
{
    for (uint32_t i = from; i < self->writes_count; i++) {
        sim_memory_free(self->writes[i].bytes);
    }
    self->writes_count = from;
}

void sim_file_free(struct sim_file *self)
{
    file_forget_writes(self, 0);
    sim_image_clear(&self->visible);
    sim_image_clear(&self->durable);
    sim_memory_free(self->writes);
    sim_memory_free(self->visible_names.rows);
    sim_memory_free(self->durable_names.rows);
    sim_memory_free(self->moves);
    sim_memory_free(self);
}

static bool bytes_are_zero(const uint8_t *bytes, uint64_t bytes_count)
{
    return bytes_count > 0 && bytes[0] == 0 && memcmp(bytes, bytes + 1, bytes_count - 1) == 0;
}

void sim_file_write(struct sim_file *self, uint64_t offset, const uint8_t *bytes,
                    uint64_t bytes_count)
{
    struct sim_write write = {offset, bytes_count, NULL};
    if (!bytes_are_zero(bytes, bytes_count)) {
        write.bytes = sim_memory_take(bytes_count + 1);
        memcpy(write.bytes, bytes, bytes_count);
    }
    sim_memory_grow((void **)&self->writes, self->writes_count, &self->writes_capacity,
                    sizeof write);
    self->writes[self->writes_count++] = write;
    sim_image_write(&self->visible, offset, write.bytes, bytes_count);
}

/* A piece of a write that waits, as a write of its own at the end of the list. */
static void file_add_piece(struct sim_file *self, const struct sim_write *of, uint64_t from,
                           uint64_t to)
{
    if (from >= to) {
        return;
    }
    struct sim_write piece = {from, to - from, NULL};
    if (of->bytes != NULL) {
        piece.bytes = sim_memory_take(to - from);
        memcpy(piece.bytes, of->bytes + (from - of->offset), to - from);
    }
    sim_memory_grow((void **)&self->writes, self->writes_count, &self->writes_capacity,
                    sizeof piece);
    self->writes[self->writes_count++] = piece;
}

/* No disk writes old bytes over newer ones that it has promised: what waits loses this range. The
 * pieces go behind the others, which is right as long as those that wait do not overlap. */
static void file_overtake(struct sim_file *self, uint64_t from, uint64_t to)
{
    uint32_t count = self->writes_count;
    for (uint32_t i = 0; i < count; i++) {
        struct sim_write write = self->writes[i];
        if (write.offset < to && from < write.offset + write.bytes_count) {
            uint64_t end = write.offset + write.bytes_count;
            file_add_piece(self, &write, write.offset, from < end ? from : end);
            file_add_piece(self, &write, to > write.offset ? to : write.offset, end);
            self->writes[i].bytes_count = 0;
        }
    }
}

void sim_file_sync_newest(struct sim_file *self, uint32_t writes_count)
{
    uint32_t from = self->writes_count - writes_count;
    uint64_t first = UINT64_MAX;
    uint64_t end = 0;
    for (uint32_t i = from; i < self->writes_count; i++) {
        const struct sim_write *write = &self->writes[i];
        sim_image_write(&self->durable, write->offset, write->bytes, write->bytes_count);
        first = write->offset < first ? write->offset : first;
        end = write->offset + write->bytes_count > end ? write->offset + write->bytes_count : end;
    }
    file_forget_writes(self, from);
    file_overtake(self, first, end); /* the writes of one call are one range */
}

static void file_apply_move(struct sim_names *names, const struct sim_move *move)
{
    if (move->from[0] != '\0') {
        sim_names_drop(names, move->from, move->file);
    }
    if (move->to[0] != '\0') {
        sim_names_set(names, move->to, move->file);
    }
}

void sim_file_sync(struct sim_file *self)
{
    for (uint32_t i = 0; i < self->moves_count; i++) {
        file_apply_move(&self->durable_names, &self->moves[i]);
    }
    self->moves_count = 0;
    sim_file_sync_newest(self, self->writes_count);
}

void sim_file_lose(struct sim_file *self, uint32_t writes_count)
{
    if (writes_count > 0) {
        self->lost_pages = true;
    }
    file_forget_writes(self, self->writes_count - writes_count);
}

void sim_file_device(const struct sim_file *self, struct sim_image *out)
{
    sim_image_assign(out, &self->durable);
    for (uint32_t i = 0; i < self->writes_count; i++) {
        const struct sim_write *write = &self->writes[i];
        sim_image_write(out, write->offset, write->bytes, write->bytes_count);
    }
    /* a size that the kernel knows stays known */
    if (out->bytes_count < self->visible.bytes_count) {
        out->bytes_count = self->visible.bytes_count;
    }
}

/* One sector of a torn write. */
static void file_cut_sector(struct sim_file *self, const struct sim_write *write, uint64_t from,
                            uint64_t to, struct sim_random *random,
                            const struct sim_weather *weather)
{
    if (sim_random_share(random, weather->sector_keeps)) {
        const uint8_t *bytes = write->bytes == NULL ? NULL : write->bytes + (from - write->offset);
        sim_image_write(&self->durable, from, bytes, to - from);
    } else if (sim_random_share(random, weather->sector_garbage)) {
        uint8_t garbage[SIM_SECTOR_BYTES];
        uint64_t sector = from / SIM_SECTOR_BYTES * SIM_SECTOR_BYTES;
        uint64_t end = sector + SIM_SECTOR_BYTES < to ? to : sector + SIM_SECTOR_BYTES;
        end = end > self->visible.bytes_count ? self->visible.bytes_count : end;
        sim_random_fill(random, garbage, sizeof garbage);
        sim_image_write(&self->durable, sector, garbage, end - sector);
    }
}

static void file_cut_write(struct sim_file *self, const struct sim_write *write,
                           struct sim_random *random, const struct sim_weather *weather)
{
    uint64_t end = write->offset + write->bytes_count;
    if (sim_random_share(random, weather->write_whole)) {
        sim_image_write(&self->durable, write->offset, write->bytes, write->bytes_count);
        return;
    }
    if (sim_random_share(random, weather->write_gone)) {
        /* the new length may be known although no byte of it is */
        if (end > self->durable.bytes_count && sim_random_one_in(random, 2)) {
            image_reserve(&self->durable, end);
            self->durable.bytes_count = end;
        }
        return;
    }
    for (uint64_t from = write->offset; from < end;) {
        uint64_t to = (from / SIM_SECTOR_BYTES + 1) * SIM_SECTOR_BYTES;
        to = to > end ? end : to;
        file_cut_sector(self, write, from, to, random, weather);
        from = to;
    }
}

void sim_file_power_cut(struct sim_file *self, struct sim_random *random,
                        const struct sim_weather *weather)
{
    for (uint32_t i = 0; i < self->writes_count; i++) {
        file_cut_write(self, &self->writes[i], random, weather);
    }
    for (uint32_t i = 0; i < self->moves_count; i++) {
        if (sim_random_share(random, weather->name_keeps)) {
            file_apply_move(&self->durable_names, &self->moves[i]);
        }
    }
    bool changed = self->writes_count > 0 || self->lost_pages;
    file_forget_writes(self, 0);
    if (changed) {
        sim_image_assign(&self->visible, &self->durable);
    }
    self->lost_pages = false;
    if (self->moves_count > 0) {
        self->moves_count = 0;
        self->visible_names.count = 0;
        for (uint32_t i = 0; i < self->durable_names.count; i++) {
            sim_names_set(&self->visible_names, self->durable_names.rows[i].text,
                          self->durable_names.rows[i].file);
        }
    }
}

struct sim_file *sim_names_find(const struct sim_names *self, const char *name)
{
    for (uint32_t i = 0; i < self->count; i++) {
        if (strcmp(self->rows[i].text, name) == 0) {
            return self->rows[i].file;
        }
    }
    return NULL;
}

void sim_names_drop(struct sim_names *self, const char *name, const struct sim_file *file)
{
    for (uint32_t i = 0; i < self->count; i++) {
        if (self->rows[i].file == file && strcmp(self->rows[i].text, name) == 0) {
            self->rows[i] = self->rows[--self->count];
            return;
        }
    }
}

void sim_names_set(struct sim_names *self, const char *name, struct sim_file *file)
{
    for (uint32_t i = 0; i < self->count; i++) {
        if (strcmp(self->rows[i].text, name) == 0) {
            self->rows[i].file = file;
            return;
        }
    }
    sim_memory_grow((void **)&self->rows, self->count, &self->capacity, sizeof *self->rows);
    struct sim_name *row = &self->rows[self->count++];
    memset(row, 0, sizeof *row);
    strcpy(row->text, name); /* sim_disk.c refuses longer ones */
    row->file = file;
}

void sim_file_move(struct sim_file *self, const char *from, const char *to, struct sim_file *file)
{
    struct sim_move move = {.file = file};
    strcpy(move.from, from);
    strcpy(move.to, to);
    if (to[0] != '\0') {
        strcpy(file->name, to);
    }
    sim_memory_grow((void **)&self->moves, self->moves_count, &self->moves_capacity, sizeof move);
    self->moves[self->moves_count++] = move;
    file_apply_move(&self->visible_names, &move);
}
