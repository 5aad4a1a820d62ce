/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "public_check.h"
#include "run.h"
#include "sim_memory.h"

/* One damage to bytes that were synced, then a start. The start may refuse, with the error that
 * belongs to the file; or it succeeds, and then everything promised must be there, read by the
 * reader, and the signed root must be that of the entries. Damage where recovery looks must be
 * refused: "the log opened and nothing was lost" is not enough there, because the next entry would
 * stand on a damaged one.
 *
 * Not looked at by a start, and so allowed to pass: segments that end before the newest full tile
 * under last-signed, the padding behind a group and the zeros behind the last one, slots of older
 * groups, full tiles and bundles, partial ones of other sizes, copies of older checkpoints, saved
 * tails, packs. The newest slot may go: its group still tells. */

#define FILES_MAX 512u

enum { PATH_BYTES = 160 };

enum rot_class {
    ROT_SEGMENT,
    ROT_INDEX,
    ROT_SIGNED,
    ROT_CHECKPOINT,
    ROT_VKEY,
    ROT_REMOVED,
    ROT_PACK,
    ROT_PUBLIC, /* tiles, bundles, copies */
    ROT_OTHER   /* saved tails, left-over temporary files */
};

struct rot {
    struct run *run;
    char paths[FILES_MAX][PATH_BYTES];
    struct sim_file *files[FILES_MAX];
    uint32_t files_count;
    uint32_t chosen;
    enum rot_class class;
    uint64_t at; /* the damaged bytes */
    uint64_t bytes_count;
    bool cut; /* the file lost its end instead */
    bool must_refuse;
};

static void rot_list(struct rot *self, const char *path, const struct sim_file *directory)
{
    for (uint32_t i = 0; i < directory->visible_names.count; i++) {
        const struct sim_name *name = &directory->visible_names.rows[i];
        char below[PATH_BYTES];
        (void)snprintf(below, sizeof below, "%s/%s", path, name->text);
        if (name->file->is_directory) {
            rot_list(self, below, name->file);
        } else if (name->file->visible.bytes_count > 0 && self->files_count < FILES_MAX &&
                   strcmp(name->text, "shards") != 0) { /* not read by oversight_open */
            strcpy(self->paths[self->files_count], below);
            self->files[self->files_count++] = name->file;
        }
    }
}

static enum rot_class rot_classify(const char *path)
{
    const char *name = strrchr(path, '/') + 1;
    size_t name_bytes = strlen(name);
    if (name_bytes == 24 && strcmp(name + 20, ".seg") == 0) {
        return ROT_SEGMENT;
    }
    if (strcmp(name, "commit.idx") == 0) {
        return ROT_INDEX;
    }
    if (strcmp(name, "last-signed") == 0) {
        return ROT_SIGNED;
    }
    if (strcmp(name, "checkpoint") == 0) {
        return ROT_CHECKPOINT;
    }
    if (strcmp(name, "vkey") == 0) {
        return ROT_VKEY;
    }
    if (strcmp(name, "removed") == 0) {
        return ROT_REMOVED;
    }
    if (name_bytes == 25 && strcmp(name + 20, ".pack") == 0) {
        return ROT_PACK;
    }
    bool is_other = strncmp(path, WORK_PUBLIC, strlen(WORK_PUBLIC)) != 0 || strstr(name, ".tmp");
    return is_other ? ROT_OTHER : ROT_PUBLIC;
}

/* Kinds of files are chosen as often as one another: there are many tiles and one index. */
static void rot_choose_file(struct rot *self)
{
    struct sim_random *random = &self->run->work.random;
    enum rot_class wanted = (enum rot_class)sim_random_below(random, ROT_OTHER + 2);
    wanted = wanted > ROT_OTHER ? ROT_SEGMENT : wanted;
    uint32_t first = (uint32_t)sim_random_below(random, self->files_count);
    self->chosen = first;
    for (uint32_t i = 0; i < self->files_count; i++) {
        uint32_t at = (first + i) % self->files_count;
        if (rot_classify(self->paths[at]) == wanted) {
            self->chosen = at;
            break;
        }
    }
    self->class = rot_classify(self->paths[self->chosen]);
}

/* The last byte that is not zero, and a little more: a segment is mostly zeros. */
static uint64_t rot_used(const uint8_t *bytes, uint64_t bytes_count)
{
    uint64_t used = bytes_count;
    while (used > 0 && bytes[used - 1] == 0) {
        used--;
    }
    used += 2 * SIM_BLOCK_BYTES;
    return used > bytes_count ? bytes_count : used;
}

static void rot_damage(struct rot *self, uint8_t *bytes, uint64_t bytes_count)
{
    struct sim_random *random = &self->run->work.random;
    uint64_t used = sim_random_one_in(random, 16) ? bytes_count : rot_used(bytes, bytes_count);
    uint64_t kind = sim_random_below(random, 16);
    self->at = sim_random_below(random, used);
    if (kind < 8) {
        self->bytes_count = 1;
        bytes[self->at] ^= (uint8_t)(1u << sim_random_below(random, 8));
    } else if (kind < 15) {
        uint64_t unit = kind < 13 ? SIM_SECTOR_BYTES : SIM_BLOCK_BYTES;
        self->at = self->at / unit * unit;
        self->bytes_count = bytes_count - self->at < unit ? bytes_count - self->at : unit;
        if (kind % 2 == 0) {
            sim_random_fill(random, bytes + self->at, self->bytes_count);
        } else {
            memset(bytes + self->at, 0, self->bytes_count);
        }
    } else {
        self->cut = true;
    }
}

static uint32_t little_endian(const uint8_t *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static bool bytes_differ(const struct rot *self, const uint8_t *old, const uint8_t *now,
                         uint64_t from, uint64_t to)
{
    uint64_t first = from > self->at ? from : self->at;
    uint64_t end = self->at + self->bytes_count < to ? self->at + self->bytes_count : to;
    return first < end && memcmp(old + first, now + first, end - first) != 0;
}

/* Did the damage strike the header of a segment, or the header or payload of a group? Written from
 * FORMAT.md, sections 2.1 and 2.2. */
static bool rot_strikes_group(const struct rot *self, const uint8_t *old, const uint8_t *now,
                              uint64_t bytes_count)
{
    bool strikes = self->cut ? false : bytes_differ(self, old, now, 0, 128);
    for (uint64_t at = 4096; at + 4096 <= bytes_count && memcmp(old + at, "OVG1", 4) == 0;) {
        uint64_t written = 64 + (uint64_t)little_endian(old + at + 28);
        strikes = strikes || (self->cut ? self->at < at + written
                                        : bytes_differ(self, old, now, at, at + written));
        at += (written + 4095) / 4096 * 4096;
    }
    return strikes;
}

/* Something was retired. */
static bool rot_has_removed(const struct rot *self)
{
    for (uint32_t i = 0; i < self->files_count; i++) {
        if (rot_classify(self->paths[i]) == ROT_REMOVED) {
            return true;
        }
    }
    return false;
}

/* A start reads this segment: it is the last one, or no full tile lets it begin later. */
static bool rot_is_scanned(const struct rot *self)
{
    struct ledger_checkpoint is_signed;
    char path[PATH_BYTES];
    (void)snprintf(path, sizeof path, "%s/last-signed", WORK_WAL);
    bool any = public_read(sim_machine_disk(), path, &self->run->work.vkey, &is_signed);
    bool last = true;
    for (uint32_t i = 0; i < self->files_count; i++) {
        last = last && (rot_classify(self->paths[i]) != ROT_SEGMENT ||
                        strcmp(self->paths[i], self->paths[self->chosen]) <= 0);
    }
    return last || !any || is_signed.size < TILE_WIDTH;
}

static void rot_strike(struct rot *self, bool all_promised)
{
    size_t bytes_count = 0;
    struct sim_file *file = self->files[self->chosen];
    uint8_t *old = sim_disk_read(sim_machine_disk(), self->paths[self->chosen], &bytes_count);
    uint8_t *now = sim_disk_read(sim_machine_disk(), self->paths[self->chosen], &bytes_count);
    bool scanned = self->class == ROT_SEGMENT && all_promised && rot_is_scanned(self);
    rot_damage(self, now, bytes_count);
    bool changed = self->cut || memcmp(old, now, bytes_count) != 0;
    if (self->class == ROT_SEGMENT) {
        self->must_refuse = scanned && rot_strikes_group(self, old, now, bytes_count);
    } else {
        self->must_refuse =
            changed && (self->class == ROT_SIGNED || self->class == ROT_CHECKPOINT ||
                        self->class == ROT_VKEY || self->class == ROT_REMOVED);
    }
    sim_image_clear(&file->durable);
    sim_image_write(&file->durable, 0, now, self->cut ? self->at : bytes_count);
    sim_image_assign(&file->visible, &file->durable);
    sim_memory_free(old);
    sim_memory_free(now);
}

static bool rot_may_refuse(const struct rot *self, enum err_code code)
{
    switch (self->class) {
    case ROT_SEGMENT:
    case ROT_INDEX:
    case ROT_REMOVED:
        return code == ERR_WAL_DAMAGED;
    case ROT_SIGNED:
        return code == ERR_KEY || code == ERR_LOG_ROLLED_BACK;
    case ROT_CHECKPOINT:
        return code == ERR_KEY || code == ERR_TILE_DIFFERS || code == ERR_LOG_ROLLED_BACK;
    case ROT_VKEY:
        return code == ERR_KEY;
    case ROT_PUBLIC:
        /* Without its first segments the log cannot tell a tile that lies from a log that does. */
        return code == ERR_TILE_DIFFERS ||
               (rot_has_removed(self) && (code == ERR_LOG_ROLLED_BACK || code == ERR_WAL_DAMAGED));
    case ROT_PACK: /* its reader finds it */
    case ROT_OTHER:
        break;
    }
    return false;
}

/* What is signed now is the tree of the entries that the reader gave. */
static void rot_check_signed(const struct rot *self)
{
    const struct ledger *ledger = &self->run->work.ledger;
    struct ledger_checkpoint now;
    uint8_t root[HASH_BYTES];
    char path[PATH_BYTES];
    (void)snprintf(path, sizeof path, "%s/checkpoint", WORK_PUBLIC);
    if (!public_read(sim_machine_disk(), path, &self->run->work.vkey, &now) ||
        now.size != ledger->entries_count) {
        sim_violated("%s: the log opened and signed nothing, or another size",
                     self->paths[self->chosen]);
    }
    uint8_t(*leaves)[HASH_BYTES] = sim_memory_take((size_t)(now.size + 1) * HASH_BYTES);
    for (uint64_t i = 0; i < now.size; i++) {
        memcpy(leaves[i], ledger->entries[i].leaf, HASH_BYTES);
    }
    ledger_root((const uint8_t(*)[HASH_BYTES])leaves, now.size, root);
    sim_memory_free(leaves);
    if (memcmp(root, now.root, HASH_BYTES) != 0) {
        sim_violated("%s: the signed root is not that of the entries", self->paths[self->chosen]);
    }
}

static void rot_judge(const struct rot *self)
{
    const struct work *work = &self->run->work;
    const char *path = self->paths[self->chosen];
    if (err_is(work->refusal)) {
        char text[ERR_TEXT_BYTES];
        if (!rot_may_refuse(self, work->refusal.code)) {
            sim_violated("%s damaged at %llu: %s", path, (unsigned long long)self->at,
                         err_text(work->refusal, text));
        }
        self->run->counts->refusals++;
        return;
    }
    if (self->must_refuse) {
        sim_violated("%s damaged at %llu: the log opens all the same", path,
                     (unsigned long long)self->at);
    }
    if (work->broke) {
        self->run->counts->rot_late++;
        return;
    }
    self->run->counts->rot_harmless++;
    rot_check_signed(self);
}

void run_rot(struct run *self)
{
    static struct rot rot; /* large */
    static const struct sim_plan nothing = {.crash_at = SIM_NEVER, .error_at = SIM_NEVER};
    struct sim_plan plan = nothing;
    memset(&rot, 0, sizeof rot);
    rot.run = self;
    plan.crash_at = run_choose_step(self);
    work_choose_habit(&self->work);
    (void)run_live(self, &plan);
    run_stop(self, true);
    bool all_promised = sim_random_one_in(&self->work.random, 2);
    if (all_promised) {
        run_last(self);
    }
    rot_list(&rot, "", sim_machine_disk()->root);
    if (rot.files_count == 0) {
        return; /* the crash came before the first file */
    }
    rot_choose_file(&rot);
    rot_strike(&rot, all_promised);
    if (sim_machine_tells()) {
        (void)printf("-- rot in %s at %llu%s\n", rot.paths[rot.chosen], (unsigned long long)rot.at,
                     rot.cut ? ": cut" : "");
    }
    /* what was retired is read from packs and bundles */
    bool may_break = rot.class == ROT_SEGMENT || rot.class == ROT_PACK ||
                     (rot.class == ROT_PUBLIC && rot_has_removed(&rot));
    work_choose_look(&self->work, may_break);
    (void)sim_machine_live(&nothing, work_live, &self->work);
    rot_judge(&rot);
}
