/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/counter.h"
#include "base/diag.h"
#include "base/durable.h"
#include "pipeline.h"
#include "pipeline_parts.h"
#include "score/computing.h"

/* Opening in the order in which one thing needs the other: keys, stores, log (with its recovery),
 * read model brought up to the log, models, memories, and the sockets last: nobody is answered
 * before everything behind the answer stands. */

enum { PIPELINE_STREAMS_MAX = 65536 };

static struct err open_directory(struct pipeline *self, const char *name, char *out)
{
    struct err err = conf_path(&self->conf, name, out, PIPELINE_PATH_BYTES);
    return err_is(err) ? err : durable_directory(out, 0755);
}

static struct err open_origin(struct pipeline *self)
{
    int written =
        snprintf(self->origin, sizeof self->origin, "oversight.%s/%s/%d",
                 self->conf.site_organisation, self->conf.site_name, clock_year(clock_utc_ns()));
    if (written < 0 || (size_t)written >= sizeof self->origin || !note_origin_valid(self->origin)) {
        (void)snprintf(self->why, sizeof self->why,
                       "site.organisation and site.name make no valid origin: no spaces, no '+', "
                       "not too long");
        return err_make(ERR_CONF_INVALID, "origin");
    }
    return err_none;
}

static struct err open_log(struct pipeline *self)
{
    const char *wal = self->wal_directory;
    const char *log_directory = self->log_directory;
    struct err err = open_directory(self, "wal", self->wal_directory);
    if (!err_is(err)) {
        err = conf_path(&self->conf, "packs", self->packs_directory, PIPELINE_PATH_BYTES);
    }
    self->places =
        (struct wal_places){self->wal_directory, self->log_directory, self->packs_directory};
    if (!err_is(err)) {
        err = open_directory(self, "log", self->log_directory);
    }
    if (!err_is(err) && self->conf.oversight_mirror[0] != '\0') {
        err = conf_path(&self->conf, self->conf.oversight_mirror, self->mirror_directory,
                        PIPELINE_PATH_BYTES);
    }
    if (err_is(err)) {
        return err;
    }
    struct oversight_conf conf = {
        .wal_directory = wal,
        .log_directory = log_directory,
        .origin = self->origin,
        .key = &self->keys.signing,
        .next_key = self->keys.has_next ? &self->keys.next : NULL,
        .rotate_reason = self->keys.rotate_reason,
        .mirror_directory = self->mirror_directory[0] == '\0' ? NULL : self->mirror_directory,
        .segment_bytes = (uint64_t)self->conf.oversight_segment_mib << 20,
        .queue_entries = (uint32_t)self->conf.oversight_queue,
        .checkpoint_interval_ns = (int64_t)(self->conf.oversight_checkpoint_s * (double)NS_PER_S),
        .publish_grace_ns = (int64_t)(self->conf.oversight_unpublished_s * (double)NS_PER_S)};
    struct oversight_recovery recovery;
    err = oversight_open(&conf, &self->oversight, &recovery);
    if (!err_is(err) && recovery.key_changed) {
        keys_change(&self->conf);
    }
    if (!err_is(err)) {
        const struct shards *shards = oversight_shards(self->oversight);
        strcpy(self->origin, shards->list[shards->count - 1].origin);
        diag_info(recovered, "entries=%llu torn_bytes=%llu created=%d",
                  (unsigned long long)recovery.size, (unsigned long long)recovery.torn_bytes,
                  (int)recovery.created);
        err = wal_reader_open_store(&self->places, &self->follow);
    }
    return err_is(err) ? err : wal_reader_open_store(&self->places, &self->lookup);
}

/* The definitions that reports are made by, kept by their digest: seals name it, and a file can be
 * made again when there are other definitions long since. Without any, files say so. */
static struct err open_metrics(struct pipeline *self)
{
    char directory[PIPELINE_PATH_BYTES];
    char kept[PIPELINE_PATH_BYTES];
    struct err err = conf_path(&self->conf, "metrics", kept, sizeof kept);
    if (err_is(err) || !metric_directory(directory)) {
        return err;
    }
    err = metric_set_load(directory, &self->metrics);
    if (err_is(err)) {
        (void)snprintf(self->why, sizeof self->why, "definitions of metrics in %.300s", directory);
        return err;
    }
    return metric_set_keep(&self->metrics, kept);
}

static struct err open_blobs(struct pipeline *self)
{
    char blobs[PIPELINE_PATH_BYTES];
    char archive[PIPELINE_PATH_BYTES];
    char models[PIPELINE_PATH_BYTES];
    struct err err = open_directory(self, "blobs", blobs);
    if (!err_is(err)) {
        err = open_directory(self, "archive", archive);
    }
    if (!err_is(err)) {
        err = open_directory(self, self->conf.store_models, models);
    }
    if (!err_is(err)) {
        err = archive_sweep(archive);
    }
    return err_is(err) ? err
                       : blob_store_open(blobs, (uint64_t)self->conf.store_quarantine_mib << 20,
                                         &self->blobs);
}

/* The read model, applied up to the log's end. One that is ahead of the log belongs to another log:
 * made anew. */
static struct err open_state(struct pipeline *self)
{
    char path[PIPELINE_PATH_BYTES];
    bool rebuilt = false;
    struct err err = conf_path(&self->conf, "state.db", path, sizeof path);
    if (!err_is(err)) {
        err = state_open(path, &self->state, &rebuilt);
    }
    if (!err_is(err) && state_applied(self->state) > oversight_size(self->oversight)) {
        state_close(&self->state);
        err = durable_remove(path);
        err = err_is(err) ? err : state_open(path, &self->state, &rebuilt);
        rebuilt = true;
    }
    if (err_is(err)) {
        return err;
    }
    uint64_t applied = state_applied(self->state);
    atomic_store(&self->judged, applied);
    if (rebuilt && oversight_size(self->oversight) > 1) {
        diag_warn(state, "read_model=rebuilt entries=%llu",
                  (unsigned long long)oversight_size(self->oversight));
    }
    err = wal_reader_seek(self->follow, applied);
    uint32_t entries = 1;
    while (!err_is(err) && entries > 0) {
        err = judge_catch_up(self, JUDGE_ENTRIES, &entries);
    }
    uint64_t sealed = 0;
    if (!err_is(err)) {
        err = state_sealed_until(self->state, &sealed);
    }
    atomic_store(&self->sealed, sealed);
    atomic_store(&self->prunes, 1);
    return err;
}

static struct err open_models(struct pipeline *self)
{
    struct state_model models[SCORE_MODELS_MAX];
    uint32_t count = 0;
    char directory[PIPELINE_PATH_BYTES];
    struct err err = conf_path(&self->conf, self->conf.store_models, directory, sizeof directory);
    if (!err_is(err)) {
        err = state_models(self->state, models, SCORE_MODELS_MAX, &count);
    }
    for (uint32_t i = 0; !err_is(err) && i < count; i++) {
        char hex[HASH_HEX_BYTES];
        char path[PIPELINE_PATH_BYTES + HASH_HEX_BYTES + 8];
        hex_encode(models[i].sha256, HASH_BYTES, hex);
        (void)snprintf(path, sizeof path, "%s/%s.h5", directory, hex);
        err = score_install(self->score, path, models[i].sha256, NULL);
        if (err_is(err)) {
            (void)snprintf(self->why, sizeof self->why,
                           "model %s (%.300s) is installed by the log but cannot be read",
                           models[i].name, path);
        } else {
            diag_info(model, "name=%s sha256=%.16s", models[i].name, hex);
        }
    }
    return err;
}

static struct err open_score(struct pipeline *self)
{
    struct score_conf conf = {.image_bytes_max = (uint64_t)self->conf.ingest_image_mib << 20,
                              .history_slots = (uint64_t)self->conf.judge_history_slots,
                              .working_height = (uint32_t)self->conf.judge_working_height,
                              .pseudonym_key = self->keys.pseudonym};
    struct err err = score_open(&conf, &self->score);
    if (!err_is(err)) {
        err = open_models(self);
    }
    return err_is(err)
               ? err
               : decide_open(&self->policy, (uint32_t)self->conf.judge_strata, &self->decide);
}

static void recent_row(void *arg, uint32_t columns_count, const char *const *names,
                       const char *const *values)
{
    uint8_t digest[HASH_BYTES];
    (void)names;
    if (columns_count == 1 && values[0] != NULL && hex_decode(values[0], digest, HASH_BYTES)) {
        (void)recent_add(arg, digest);
    }
}

static struct err open_recent(struct pipeline *self)
{
    static const char sql[] =
        "SELECT digest FROM (SELECT lower(hex(sha256)) AS digest, entry FROM records "
        "ORDER BY entry DESC LIMIT CAST(?1 AS INTEGER)) ORDER BY entry";
    char limit[24];
    struct err err = recent_open((uint32_t)self->conf.ingest_remembered, &self->recent);
    (void)snprintf(limit, sizeof limit, "%lld", (long long)self->conf.ingest_remembered);
    return err_is(err) ? err
                       : state_query(self->state, sql, limit, (uint32_t)strlen(limit), true,
                                     recent_row, self->recent);
}

static struct err open_queues(struct pipeline *self)
{
    uint32_t arrivals = (uint32_t)self->conf.ingest_arrivals;
    uint32_t commands = (uint32_t)self->conf.ingest_commands;
    self->jobs_count = 2 * (uint32_t)self->conf.judge_batch;
    struct err err = queue_open(arrivals, &self->intake);
    if (!err_is(err)) {
        err = queue_open_polled(arrivals + commands, &self->done);
    }
    if (!err_is(err)) {
        err = queue_open(commands, &self->commands);
    }
    if (!err_is(err)) {
        err = queue_open(2 * self->jobs_count, &self->judge_done);
    }
    if (!err_is(err)) {
        err = queue_open(4, &self->archive_asks);
    }
    if (!err_is(err)) {
        err = queue_open(4, &self->keeper_asks);
    }
    return err_is(err) ? err : queue_open(4, &self->retention_asks);
}

/* Everything the lines work in, taken now: neither line asks for memory of ours later. */
static struct err open_memory(struct pipeline *self)
{
    uint32_t batch = (uint32_t)self->conf.judge_batch;
    size_t item_arena_bytes = (size_t)RECORD_ARENA_BYTES * JOIN_PARTS_MAX;
    self->pixels_capacity = (uint64_t)self->conf.judge_pixels_mib << 20;
    self->jobs = calloc(self->jobs_count, sizeof *self->jobs);
    self->pixels = aligned_alloc(64, self->pixels_capacity);
    self->inputs = calloc(batch, sizeof *self->inputs);
    self->results = calloc(batch, sizeof *self->results);
    self->items = calloc(batch, sizeof(struct join_item *));
    self->declarations = calloc((size_t)batch * SCORE_PARTS_MAX, sizeof *self->declarations);
    self->scans = calloc((size_t)batch * SCORE_PARTS_MAX, sizeof *self->scans);
    self->item_arenas = calloc(batch, sizeof *self->item_arenas);
    self->command_jobs = calloc((size_t)self->conf.ingest_commands, sizeof *self->command_jobs);
    self->arena_bytes =
        calloc(1, (size_t)2 * RECORD_ARENA_BYTES + ENTRY_ARENA_BYTES + batch * item_arena_bytes);
    bool got = self->jobs != NULL && self->pixels != NULL && self->inputs != NULL &&
               self->results != NULL && self->items != NULL && self->declarations != NULL &&
               self->scans != NULL && self->item_arenas != NULL && self->command_jobs != NULL &&
               self->arena_bytes != NULL;
    if (!got) {
        return err_make(ERR_MEMORY, "pipeline_open");
    }
    self->intake_sha256 = sha256_open();
    uint8_t *at = self->arena_bytes;
    arena_init(&self->intake_arena, at, RECORD_ARENA_BYTES);
    arena_init(&self->body_arena, at + RECORD_ARENA_BYTES, RECORD_ARENA_BYTES);
    arena_init(&self->judge_arena, at + (size_t)2 * RECORD_ARENA_BYTES, ENTRY_ARENA_BYTES);
    at += (size_t)2 * RECORD_ARENA_BYTES + ENTRY_ARENA_BYTES;
    for (uint32_t i = 0; i < batch; i++) {
        arena_init(&self->item_arenas[i], at + i * item_arena_bytes, item_arena_bytes);
    }
    return err_none;
}

/* The configuration and policy in force, and what computes scores, in the log before anything is
 * decided by them. */
static struct err open_config_entry(struct pipeline *self)
{
    struct state_config logged;
    struct score_computing computing;
    char computing_text[STATE_COMPUTING_BYTES];
    uint8_t config[HASH_BYTES];
    score_computing(&computing);
    (void)snprintf(computing_text, sizeof computing_text, "%s\n%s\n%s\n%s", computing.build,
                   computing.blas, computing.libm, computing.processor);
    struct err err = conf_digest(&self->conf, config);
    if (!err_is(err)) {
        err = state_config(self->state, &logged);
    }
    if (err_is(err) ||
        (hash_equal(config, logged.config) && hash_equal(self->policy.sha256, logged.policy) &&
         strcmp(computing_text, logged.computing) == 0)) {
        return err;
    }
    err = policy_entry_append(self, "daemon", "", NULL);
    bool rates_may_differ = !hash_equal(self->policy.sha256, logged.policy);
    return err_is(err) || !rates_may_differ ? err : draw_day_renew(self);
}

/* An ipc socket may be named relative to the store; libzmq knows nothing of that. */
static struct err open_command_endpoint(struct pipeline *self, char *out)
{
    const char *endpoint = self->conf.ingest_command_endpoint;
    char path[PIPELINE_PATH_BYTES];
    if (strncmp(endpoint, "ipc://", 6) != 0) {
        (void)snprintf(out, PIPELINE_PATH_BYTES + 8, "%s", endpoint);
        return err_none;
    }
    struct err err = conf_path(&self->conf, endpoint + 6, path, sizeof path);
    if (!err_is(err) && strlen(path) > 100) {
        (void)snprintf(self->why, sizeof self->why,
                       "%.300s: a path of a socket can have 107 bytes at most", path);
        err = err_make(ERR_CONF_INVALID, "ingest.command_endpoint");
    }
    if (!err_is(err)) {
        (void)snprintf(out, PIPELINE_PATH_BYTES + 8, "ipc://%s", path);
    }
    return err;
}

static struct err open_streams(struct pipeline *self, struct ingest_stream **out, uint32_t *count)
{
    uint32_t capacity = (uint32_t)self->conf.ingest_streams;
    must(capacity <= PIPELINE_STREAMS_MAX);
    struct state_stream *rows = calloc(capacity, sizeof *rows);
    struct ingest_stream *streams = calloc(capacity, sizeof *streams);
    struct err err = rows == NULL || streams == NULL
                         ? err_make(ERR_MEMORY, "streams")
                         : state_streams(self->state, rows, capacity, count);
    for (uint32_t i = 0; !err_is(err) && i < *count && i < capacity; i++) {
        memcpy(streams[i].publisher, rows[i].publisher, sizeof streams[i].publisher);
        memcpy(streams[i].stream, rows[i].stream, sizeof streams[i].stream);
        streams[i].next_sequence = rows[i].next_sequence;
    }
    if (!err_is(err) && *count > capacity) {
        (void)snprintf(self->why, sizeof self->why,
                       "the log holds %u streams, ingest.streams allows %u", *count, capacity);
        err = err_make(ERR_CONF_INVALID, "ingest.streams");
    }
    free(rows);
    if (err_is(err)) {
        free(streams);
        return err;
    }
    *out = streams;
    return err_none;
}

static struct err open_ingest(struct pipeline *self)
{
    char keys[PIPELINE_PATH_BYTES];
    char key_file[PIPELINE_PATH_BYTES + 32];
    char publishers[PIPELINE_PATH_BYTES + 32];
    char subscribers[PIPELINE_PATH_BYTES + 32];
    char command_endpoint[PIPELINE_PATH_BYTES + 8];
    struct ingest_stream *streams = NULL;
    uint32_t streams_count = 0;
    struct err err = conf_path(&self->conf, self->conf.store_keys, keys, sizeof keys);
    if (!err_is(err)) {
        err = open_command_endpoint(self, command_endpoint);
    }
    if (!err_is(err)) {
        err = open_streams(self, &streams, &streams_count);
    }
    if (err_is(err)) {
        return err;
    }
    (void)snprintf(key_file, sizeof key_file, "%s/daemon.key", keys);
    (void)snprintf(publishers, sizeof publishers, "%s/publishers", keys);
    (void)snprintf(subscribers, sizeof subscribers, "%s/subscribers", keys);
    struct ingest_conf conf = {.publisher_endpoint = self->conf.ingest_publisher_endpoint,
                               .verdict_endpoint = self->conf.ingest_verdict_endpoint,
                               .command_endpoint = command_endpoint,
                               .key_file = key_file,
                               .publishers_directory = publishers,
                               .subscribers_directory = subscribers,
                               .arrivals_max = (uint32_t)self->conf.ingest_arrivals,
                               .payload_bytes_max = (uint64_t)self->conf.ingest_payload_mib << 20,
                               .image_bytes_max = (uint64_t)self->conf.ingest_image_mib << 20,
                               .credit_records = (uint32_t)self->conf.ingest_credit_records,
                               .credit_bytes = (uint64_t)self->conf.ingest_credit_mib << 20,
                               .streams_max = (uint32_t)self->conf.ingest_streams,
                               .commands_max = (uint32_t)self->conf.ingest_commands,
                               .verdicts_max = (uint32_t)self->conf.ingest_verdicts};
    err = ingest_open(&conf, streams, streams_count, &self->ingest);
    if (err.code == ERR_SOCKET) {
        char text[ERR_TEXT_BYTES];
        (void)snprintf(self->why, sizeof self->why, "one of %.120s, %.120s, %.120s: %.100s",
                       conf.publisher_endpoint, conf.verdict_endpoint, conf.command_endpoint,
                       err_text(err, text));
    }
    free(streams);
    return err;
}

static struct err open_console(struct pipeline *self)
{
    struct console_conf conf = {.address = self->conf.console_address,
                                .port = (uint16_t)self->conf.console_port,
                                .connections_max = (uint32_t)self->conf.console_connections,
                                .health = pipeline_health,
                                .health_arg = self};
    struct err err = self->conf.console_images ? image_line_open(self, &self->images) : err_none;
    conf.images = image_line_conf(self->images);
    if (!err_is(err)) {
        err = console_open(&conf, &self->console);
    }
    if (err.code == ERR_SOCKET) {
        char text[ERR_TEXT_BYTES];
        (void)snprintf(self->why, sizeof self->why, "console at %s port %u: %.200s", conf.address,
                       (unsigned)conf.port, err_text(err, text));
    }
    if (!err_is(err)) {
        diag_info(console, "url=http://%s:%u/metrics", self->conf.console_address,
                  console_port(self->console));
    }
    return err;
}

static struct err open_join(struct pipeline *self)
{
    struct join_conf conf = {.items_max = (uint32_t)self->conf.join_items,
                             .bytes_max = (uint64_t)self->conf.join_held_mib << 20,
                             .remembered_max = (uint32_t)self->conf.join_remembered};
    return join_open(&conf, &self->policy, &self->join);
}

/* The judge line wakes up with all its memories; the sockets come after them, so that what recovery
 * decides is not mixed with what arrives meanwhile. Undecided records are joined last: a full table
 * may already decide, hence the draw. */
static struct err open_judge(struct pipeline *self)
{
    struct err err = open_score(self);
    if (!err_is(err)) {
        err = draw_day_open(self);
    }
    if (!err_is(err)) {
        err = explore_open(self);
    }
    if (!err_is(err)) {
        err = open_config_entry(self);
    }
    if (!err_is(err)) {
        err = draw_day_turn(self, clock_utc_ns(), self->conf.judge_enabled);
    }
    if (!err_is(err)) {
        self->live = true;
        err = judge_remember(self);
    }
    return err;
}

static struct err open_witnesses(struct pipeline *self)
{
    return self->conf.oversight_witness_policy[0] == '\0' ? err_none : witness_line_open(self);
}

typedef struct err (*open_step)(struct pipeline *self);

static struct err open_keys(struct pipeline *self)
{
    return keys_read(&self->conf, &self->keys, self->why);
}

static struct err open_steps(struct pipeline *self)
{
    static const open_step steps[] = {
        open_origin, open_keys,        open_queues, open_memory,  open_blobs,     open_metrics,
        open_log,    open_witnesses,   open_join,   open_state,   retention_open, open_judge,
        open_recent, shadow_line_open, open_ingest, open_console, pipeline_start};
    struct err err = err_none;
    for (size_t i = 0; !err_is(err) && i < sizeof steps / sizeof steps[0]; i++) {
        err = steps[i](self);
    }
    return err;
}

struct err pipeline_open(const struct conf *conf, const struct policy *policy,
                         struct pipeline **out, char *why)
{
    struct pipeline *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return err_make(ERR_MEMORY, "pipeline_open");
    }
    self->conf = *conf;
    self->policy = *policy;
    self->failure = err_none;
    self->started_ns = clock_monotonic_ns();
    self->next_tick_ns = self->started_ns;
    must(pthread_mutex_init(&self->failure_lock, NULL) == 0);
    must(pthread_mutex_init(&self->hold_lock, NULL) == 0);
    ageing_open(self);
    struct err err = durable_directory(conf->store_directory, 0755);
    if (!err_is(err)) {
        err = open_steps(self);
    }
    if (err_is(err)) {
        (void)snprintf(why, CONF_WHY_BYTES, "%s", self->why);
        pipeline_close(&self);
        return err;
    }
    *out = self;
    return err_none;
}

static void close_memory(struct pipeline *self)
{
    free(self->jobs);
    free(self->pixels);
    free(self->inputs);
    free(self->results);
    free(self->items);
    free(self->declarations);
    free(self->scans);
    free(self->item_arenas);
    free(self->command_jobs);
    free(self->arena_bytes);
    sha256_close(&self->intake_sha256);
}

void pipeline_close(struct pipeline **pointer)
{
    struct pipeline *self = *pointer;
    if (self == NULL) {
        return;
    }
    pipeline_stop(self);
    console_close(&self->console); /* its health page asks the log and the witness line */
    image_line_close(&self->images);
    witness_line_free(self);
    /* The log before the sockets: drafts on their way point into received messages. */
    oversight_close(&self->oversight);
    pipeline_farewell(self);
    shadow_line_free(self);
    ingest_close(&self->ingest);
    wal_reader_close(&self->follow);
    wal_reader_close(&self->lookup);
    state_close(&self->state);
    score_close(&self->score);
    decide_close(&self->decide);
    join_close(&self->join);
    recent_close(&self->recent);
    blob_store_close(&self->blobs);
    metric_set_fini(&self->metrics);
    queue_free(&self->intake);
    queue_free(&self->done);
    queue_free(&self->commands);
    queue_free(&self->judge_done);
    queue_free(&self->archive_asks);
    queue_free(&self->keeper_asks);
    queue_free(&self->retention_asks);
    retention_free(self);
    close_memory(self);
    draw_day_close(self);
    keys_wipe(&self->keys);
    must(pthread_mutex_destroy(&self->failure_lock) == 0);
    must(pthread_mutex_destroy(&self->hold_lock) == 0);
    ageing_close(self);
    free(self);
    *pointer = NULL;
}
