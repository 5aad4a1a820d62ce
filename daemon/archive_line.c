/* SPDX-License-Identifier: Apache-2.0 */
#include <linux/ioprio.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/counter.h"
#include "base/diag.h"
#include "oversight/tiles.h"
#include "pipeline_parts.h"

/* Row 10, behind everything: entries from the last seal on become one file, bounded by entries and
 * payload, and by the end of their shard, whose origin the file names; the seal itself is an entry
 * and lies in the next file. A file of our own seals alone is not worth making, unless they are the
 * rest of a closed shard. */

enum { ARCHIVE_WORTH_ENTRIES = 2, ARCHIVE_NICE = 19, ARCHIVE_IO_LEVEL = 7 };

struct archive_source {
    struct wal_reader *reader;
    struct arena arena;
    uint8_t arena_bytes[ENTRY_ARENA_BYTES];
    uint64_t entries_max;
    uint64_t payload_max;
    uint64_t until; /* first index that is not for this file */
    uint64_t entries;
    uint64_t payload;
    struct archive_tree tree; /* behind the file made last; first_n UINT64_MAX: of none */
};

static uint64_t archive_payload_of(struct archive_source *source, const struct wal_entry *at)
{
    struct entry entry;
    arena_reset(&source->arena);
    if (entry_decode(at->bytes, at->bytes_count, &source->arena, &entry) != ENTRY_GOOD ||
        entry.type != ENTRY_SCAN_RECEIVED) {
        return 0;
    }
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < entry.body.received.images_count; i++) {
        bytes += entry.body.received.images[i].payload_bytes;
    }
    return bytes;
}

static bool archive_source_next(void *arg, struct archive_entry *out, struct err *err)
{
    struct archive_source *source = arg;
    struct wal_entry at;
    bool got = false;
    *err = err_none;
    if (source->entries == source->entries_max || source->payload >= source->payload_max) {
        return false;
    }
    *err = wal_reader_next(source->reader, &at, &got);
    if (err_is(*err) || !got || at.entry_index >= source->until) {
        return false;
    }
    source->entries++;
    source->payload += archive_payload_of(source, &at);
    *out = (struct archive_entry){at.entry_index, at.bytes, at.bytes_count, at.private_bytes,
                                  at.private_count};
    return true;
}

static struct err archive_append_seal(struct pipeline *self, const struct archive_result *result)
{
    struct entry entry;
    pipeline_entry(&entry, ENTRY_ARCHIVE_SEAL);
    struct entry_archive_seal *seal = &entry.body.archive_seal;
    seal->path = result->path;
    seal->file_bytes = result->file_bytes;
    memcpy(seal->sha256, result->sha256, HASH_BYTES);
    seal->first_index = result->first_index;
    seal->last_index = result->last_index;
    seal->hdf5_version = result->hdf5_version;
    seal->filters = result->filters;
    memcpy(seal->metrics_sha256, self->metrics.sha256, HASH_BYTES);
    struct err err = pipeline_append(self, &entry, NULL);
    if (!err_is(err)) {
        counter_add(COUNTER_archive_files, 1);
        counter_add(COUNTER_archive_bytes, result->file_bytes);
        diag_info(archive, "path=%s entries=%llu..%llu images=%llu bytes=%llu", result->path,
                  (unsigned long long)result->first_index, (unsigned long long)result->last_index,
                  (unsigned long long)result->images_count, (unsigned long long)result->file_bytes);
    }
    return err;
}

/* What the tree of the shard has before `first`: known from the file before, or else from the
 * public tiles and the entries that they do not cover yet. */
static struct err archive_find_tree(struct pipeline *self, struct archive_source *source,
                                    const struct shard *shard, uint64_t first)
{
    char directory[PIPELINE_PATH_BYTES + SHARD_NAME_BYTES];
    struct archive_tree *tree = &source->tree;
    if (tree->first_n == shard->first_n && tree->range.size == first - shard->first_n) {
        return err_none;
    }
    tree->first_n = shard->first_n;
    (void)snprintf(directory, sizeof directory, "%s/%s", self->log_directory, shard->directory);
    struct err err = tiles_before(directory, first - shard->first_n, &tree->range);
    if (!err_is(err)) {
        err = wal_reader_seek(source->reader, shard->first_n + tree->range.size);
    }
    while (!err_is(err) && shard->first_n + tree->range.size < first) {
        struct wal_entry at;
        uint8_t leaf[HASH_BYTES];
        bool got = false;
        err = wal_reader_next(source->reader, &at, &got);
        if (!err_is(err) && !got) {
            err = err_make(ERR_NOT_FOUND, "entries before an archive file");
        }
        if (!err_is(err)) {
            merkle_leaf(at.bytes, at.bytes_count, leaf);
            merkle_range_append(&tree->range, leaf);
        }
    }
    return err;
}

/* One file from `first` up to at most `until`; *next tells where the following one starts. */
static struct err archive_make(struct pipeline *self, struct archive_source *source, uint64_t first,
                               uint64_t until, uint64_t *next)
{
    char directory[PIPELINE_PATH_BYTES];
    const struct shard *shard = shards_find(oversight_shards(self->oversight), first);
    struct err err = conf_path(&self->conf, "archive", directory, sizeof directory);
    if (!err_is(err)) {
        err = archive_find_tree(self, source, shard, first);
    }
    if (!err_is(err)) {
        err = wal_reader_seek(source->reader, first);
    }
    if (err_is(err)) {
        return err;
    }
    source->entries_max = (uint64_t)self->conf.archive_file_entries;
    source->payload_max = (uint64_t)self->conf.archive_file_mib << 20;
    source->until = until;
    source->entries = 0;
    source->payload = 0;
    struct archive_conf conf = {.directory = directory,
                                .origin = shard->origin,
                                .deflate_level = (uint32_t)self->conf.archive_deflate_level,
                                .threads = (uint32_t)self->conf.archive_threads,
                                .pseudonym_key = self->keys.pseudonym,
                                .tree = &source->tree,
                                .metrics = &self->metrics,
                                .replace_unsealed = true};
    struct archive_result result;
    int64_t start_ns = clock_monotonic_ns();
    err = archive_build(&conf, self->blobs, archive_source_next, source, &result);
    stage_took(STAGE_archive, clock_monotonic_ns() - start_ns);
    if (!err_is(err)) {
        err = archive_append_seal(self, &result);
        wal_reader_rest(source->reader);
    }
    if (!err_is(err)) {
        source->tree = result.tree;
        *next = result.last_index + 1;
    }
    return err;
}

/* A crash after a file got its name and before its seal: the very range is built again, so that the
 * file gets its seal and no second one covers what it covers. */
static uint64_t archive_begun_until(struct pipeline *self, uint64_t first, uint64_t until)
{
    const struct shards *shards = oversight_shards(self->oversight);
    const char *origin = shards_find(shards, first)->origin;
    char directory[PIPELINE_PATH_BYTES];
    uint64_t last = 0;
    if (err_is(conf_path(&self->conf, "archive", directory, sizeof directory)) ||
        !archive_find_begun(directory, origin, first, &last) || last >= until) {
        return until;
    }
    return last + 1;
}

static bool archive_is_due(struct pipeline *self, uint64_t waiting, int64_t last_ns, bool asked)
{
    if (waiting < ARCHIVE_WORTH_ENTRIES) {
        return false;
    }
    int64_t age_ns = clock_monotonic_ns() - last_ns;
    return asked || waiting >= (uint64_t)self->conf.archive_file_entries ||
           age_ns >= (int64_t)(self->conf.archive_interval_s * (double)NS_PER_S);
}

/* Where a file from `first` on must end at the latest; `first` itself when none is worth making. */
static uint64_t archive_bound(struct pipeline *self, uint64_t first, uint64_t until)
{
    const struct shards *shards = oversight_shards(self->oversight);
    uint64_t end = shards_end(shards, shards_find(shards, first));
    if (end <= until) {
        return end;
    }
    return until - first >= ARCHIVE_WORTH_ENTRIES ? until : first;
}

static struct err archive_turns(struct pipeline *self, struct archive_source *source)
{
    int64_t last_ns = clock_monotonic_ns();
    struct err err = err_none;
    bool first_file = true;
    bool again = false; /* asked for while the file before was being entered */
    while (!err_is(err) && !atomic_load(&self->stop_archive) && !pipeline_failed(self)) {
        void *ask;
        bool asked = queue_take(self->archive_asks, &ask, 1, again ? 0 : 200 * NS_PER_MS) > 0;
        asked = asked || again;
        again = false;
        uint64_t first = atomic_load(&self->sealed);
        uint64_t until = atomic_load(&self->judged);
        counter_set(COUNTER_waiting_archive, until > first ? until - first : 0);
        if (until <= first || !archive_is_due(self, until - first, last_ns, asked)) {
            continue;
        }
        while (!err_is(err) && until > first && archive_bound(self, first, until) > first &&
               !atomic_load(&self->stop_archive)) {
            uint64_t bound = archive_bound(self, first, until);
            if (first_file) {
                bound = archive_begun_until(self, first, bound);
                first_file = false;
            }
            err = archive_make(self, source, first, bound, &first);
        }
        last_ns = clock_monotonic_ns();
        /* The judge line reads the seals and moves `sealed` on; until it has, the same range must
         * not be built again. */
        while (!err_is(err) && atomic_load(&self->sealed) < first && !pipeline_failed(self) &&
               !atomic_load(&self->stop_archive)) {
            again = queue_take(self->archive_asks, &ask, 1, 5 * NS_PER_MS) > 0 || again;
        }
    }
    return err;
}

/* Sealing compresses and hashes for seconds. On a machine with few cores it must not keep the lines
 * waiting that somebody waits for; priorities on Linux are the thread's own, and the threads that
 * it starts inherit them. The lowest that still gets its turns: this thread holds HDF5's lock at
 * times, and whoever waits for that must not wait for ever. The disk's least urgent best effort,
 * for the same reason not idle. That it cannot be lowered is no reason to stop. */
static void archive_step_back(void)
{
    (void)setpriority(PRIO_PROCESS, (id_t)gettid(), ARCHIVE_NICE);
    (void)syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0,
                  IOPRIO_PRIO_VALUE(IOPRIO_CLASS_BE, ARCHIVE_IO_LEVEL));
}

void *archive_line(void *arg)
{
    struct pipeline *self = arg;
    (void)pthread_setname_np(pthread_self(), "archive");
    archive_step_back();
    static struct archive_source source; /* one archiver a process; too large for a stack */
    memset(&source, 0, sizeof source);
    source.tree.first_n = UINT64_MAX;
    arena_init(&source.arena, source.arena_bytes, sizeof source.arena_bytes);
    struct err err = wal_reader_open_store(&self->places, &source.reader);
    if (!err_is(err)) {
        err = archive_turns(self, &source);
    }
    wal_reader_close(&source.reader);
    if (err_is(err)) {
        pipeline_fail(self, err);
    }
    return NULL;
}
