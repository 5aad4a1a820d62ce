/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINE_PARTS_H
#define PIPELINE_PARTS_H

/* Pipeline parts: what pipeline.c and the files of its stages share. Nobody else includes this.
 *
 * Which thread owns what: receive: ingest. intake: blobs (writing), intake arena, recent. judge:
 * state, join, score, decide, draw, both readers, jobs. archiver: its own reader. keeper: packs,
 * old segments, a reader of the state. retention: copies of sealed files, blobs (removing), a
 * reader of the state. Everything else is set before the threads start and then only read. */

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "archive/archive.h"
#include "archive/blob.h"
#include "archive/metric_set.h"
#include "base/conf.h"
#include "base/clock.h"
#include "base/queue.h"
#include "console/console.h"
#include "decide/adapt.h"
#include "decide/decide.h"
#include "ingest/ingest.h"
#include "join/join.h"
#include "ledger/ledger.h"
#include "ledger/operation.h"
#include "oversight/oversight.h"
#include "score/score.h"
#include "state/state.h"

#define PIPELINE_BATCH 256u
#define PIPELINE_PATH_BYTES 512u
#define PIPELINE_HEALTH_BYTES 20480u /* as much as the console has for it */
#define JUDGE_ENTRIES 512u           /* applied in one transaction of the read model */

/* The thread that copies sealed files and discards payloads; NULL when there is nothing to do. */
struct retention;

/* Keys of the port, read once; wiped at close. */
#define KEYS_REASON_BYTES 129u
struct keys {
    struct sign_key signing;
    struct sign_key next; /* that the log is to go on to; valid with has_next */
    bool has_next;
    char rotate_reason[KEYS_REASON_BYTES];
    uint8_t pseudonym[HASH_BYTES];
};
MUST_USE struct err keys_read(const struct conf *conf, struct keys *out, char *why);
/* The log has gone on to the next key: its file becomes signing.seed, the old seed is destroyed. A
 * directory that does not allow it is told of and tried again at the next start. */
void keys_change(const struct conf *conf);
void keys_wipe(struct keys *self);

/* Digests of recent records: the same record under a new sequence number is refused. Owned by
 * intake. */
struct recent;
MUST_USE struct err recent_open(uint32_t capacity, struct recent **out);
void recent_close(struct recent **self);
bool recent_has(const struct recent *self, const uint8_t digest[HASH_BYTES]);
/* True when it was not there yet; it is now. */
bool recent_add(struct recent *self, const uint8_t digest[HASH_BYTES]);

/* The coin of the day. Owned by the judge line. */
struct draw_day {
    char day[CLOCK_DAY_BYTES]; /* "": none yet */
    uint8_t key[HASH_BYTES];
    char next_day[CLOCK_DAY_BYTES]; /* its key is committed a day before it opens */
    uint8_t next_key[HASH_BYTES];
    _Atomic int64_t ends_ns; /* of `day`, UTC; 0: none. For those who watch from other threads */
    char directory[PIPELINE_PATH_BYTES];
};

/* What share the coin has today where the share adapts, and why. Owned by the judge line. */
struct explore {
    double shares[MODE_COUNT]; /* 0: the floor */
    char reasons[MODE_COUNT][ADAPT_REASON_BYTES];
};

/* Referrals that wait too long. What is due is found at a tick and ended a few a turn. */
#define AGEING_DUE_MAX 256u
#define AGEING_PLACES_MAX 16u
struct ageing {
    uint8_t due[AGEING_DUE_MAX][ITEM_ID_BYTES]; /* the judge line's, as the next two */
    uint32_t due_count;
    uint32_t due_next;
    pthread_mutex_t lock; /* guards what follows, which health shows */
    struct state_overdue places[AGEING_PLACES_MAX];
    uint32_t places_count;
    uint64_t total;
};

/* One item on its way from decision to log: two drafts that come back on judge_done. */
struct judge_job {
    struct oversight_draft score;
    struct oversight_draft decision;
    uint32_t pending;     /* drafts not yet back */
    int64_t last_part_ns; /* UTC of the item's newest record */
    bool in_use;
};

/* When the newest record of an item became durable, by the id of its decision: to tell how long it
 * took until the decision was visible. A table of fixed size: what is overwritten is only not
 * measured. */
#define JUDGE_TRACES 4096u
struct judge_trace {
    uint8_t decision_id[ENTRY_ID_BYTES];
    int64_t last_part_ns;
};

/* A command on its way through the judge line; the answer's strings live here until it is sent. */
struct command_job {
    struct oversight_draft
        draft; /* first member; owner NULL tells receive that this is a command, not an arrival */
    struct ingest_command *command;
    struct wire_answer answer;
    char reason[ERR_TEXT_BYTES];
    char json[16384];
    uint8_t revealed[WIRE_REVEALED_BYTES_MAX];
    uint32_t revealed_bytes;
};

struct image_line;
struct shadow_line;

/* The thread that takes checkpoints to witnesses; NULL when oversight.witness_policy is empty. */
struct witness_line;

/* The last policy put in force by an order: config.change holds no request id, so this is what
 * answers an order that is asked again. Forgotten at a restart. */
struct policy_order {
    char request_id[WIRE_REQUEST_ID_BYTES_MAX + 1];
    char actor[PSEUDONYM_BYTES];
    uint64_t entry_index;
};

struct pipeline {
    struct conf conf;
    struct policy policy;
    struct keys keys;
    char why[CONF_WHY_BYTES];
    char origin[NOTE_ORIGIN_BYTES_MAX + 1];
    int64_t started_ns; /* monotonic */

    struct ingest *ingest;
    struct blob_store *blobs;
    struct metric_set metrics; /* in force while this process runs */
    struct oversight *oversight;
    struct state *state;
    struct join *join;
    struct score *score;
    struct decide *decide;
    struct console *console;
    struct image_line *images; /* NULL without console.images */
    struct witness_line *witnesses;
    struct shadow_line *shadow;
    struct recent *recent;

    struct queue *intake;         /* arrivals, receive -> intake */
    struct queue *done;           /* drafts, log -> receive; polled */
    struct queue *commands;       /* ingest commands, receive -> judge */
    struct queue *judge_done;     /* drafts, log -> judge */
    struct queue *archive_asks;   /* wakes the archiver */
    struct queue *keeper_asks;    /* wakes the keeper */
    struct queue *retention_asks; /* nothing is put: its end ends a wait there */

    struct arena intake_arena;
    struct sha256 *intake_sha256;

    char wal_directory[PIPELINE_PATH_BYTES];
    char mirror_directory[PIPELINE_PATH_BYTES]; /* empty: no second copy */
    char log_directory[PIPELINE_PATH_BYTES];
    char packs_directory[PIPELINE_PATH_BYTES];
    struct wal_places places; /* the three above */

    struct wal_reader *follow; /* judge: reads on behind the log */
    struct wal_reader *lookup; /* judge: single records, by index */
    struct arena judge_arena;  /* of the entry at hand */
    struct arena body_arena;   /* of the record at hand */
    struct arena *item_arenas; /* one an item of a batch */
    uint8_t *arena_bytes;      /* what the arenas stand on */
    struct judge_job *jobs;
    uint32_t jobs_count;
    uint8_t *pixels; /* pixels of a batch */
    uint64_t pixels_capacity;
    struct score_input *inputs;
    struct score_result *results;
    struct join_item **items;
    struct declaration *declarations; /* SCORE_PARTS_MAX an item of a batch */
    struct scan *scans;               /* the same */
    struct draw_day draw;
    struct decide_minute minutes[ENTRY_CAPACITY_MAX]; /* of a tick */
    struct explore explore;
    struct ageing ageing;
    struct judge_trace traces[JUDGE_TRACES];
    struct command_job *command_jobs;
    uint32_t command_jobs_next;
    int64_t next_tick_ns;
    bool live; /* judge: past the catch-up */

    _Atomic uint64_t judged;       /* entries the judge line has applied */
    _Atomic uint64_t sealed;       /* first entry that no archive file covers */
    _Atomic uint64_t held;         /* items held for data */
    _Atomic uint64_t intake_turns; /* odd while intake is between a put and its submission */
    _Atomic uint64_t prunes; /* times that files `minimum` may have grown, the start among them */

    pthread_t receive_thread;
    pthread_t intake_thread;
    pthread_t judge_thread;
    pthread_t archive_thread;
    pthread_t keeper_thread;
    pthread_t retention_thread;
    bool receive_started;
    bool intake_started;
    bool judge_started;
    bool archive_started;
    _Atomic bool close_asked; /* by close_job, which is the judge's before and main's after */
    struct command_job *close_job;
    struct policy_order policy_order; /* the judge's */
    bool keeper_started;
    bool retention_started;
    _Atomic bool stopping; /* receive takes nothing more */
    _Atomic bool stop_judge;
    _Atomic bool stop_archive;
    _Atomic bool stop_keeper;
    _Atomic bool stop_retention;
    pthread_mutex_t hold_lock; /* guards: no hold comes between a last look and its discard entry */
    struct retention *retention;

    pthread_mutex_t failure_lock; /* guards failure */
    struct err failure;           /* the first one; err_none while all is well */
};

/* Remember the first failure; the threads see it at their next turn. */
void pipeline_fail(struct pipeline *self, struct err err);
bool pipeline_failed(struct pipeline *self);
/* A new entry of this type, by the daemon, with an id. */
void pipeline_entry(struct entry *out, enum entry_type type);
/* Encode into the draft. Our own entries always fit: anything else is our bug. */
void pipeline_draft(const struct entry *entry, struct oversight_draft *out);
/* Append one entry and wait until it is durable. */
MUST_USE struct err pipeline_append(struct pipeline *self, const struct entry *entry,
                                    uint64_t *entry_index);

/* pipeline.c; opened and closed by pipeline_open.c */
MUST_USE struct err pipeline_start(struct pipeline *self);
void pipeline_stop(struct pipeline *self);
void pipeline_farewell(struct pipeline *self);

/* intake.c: validates an arrival, puts its pixels into blobs and makes its draft, which must not be
 * submitted before the blobs are durable. */
MUST_USE struct err intake_take(struct pipeline *self, struct arrival *arrival);

/* judge_apply.c: one durable entry into the read model and the memories of the judge line. */
MUST_USE struct err judge_apply(struct pipeline *self, const struct wal_entry *at);
struct judge_trace *judge_trace_of(struct pipeline *self,
                                   const uint8_t decision_id[ENTRY_ID_BYTES]);
/* One entry by its index; it lives until the next look-up. ERR_NOT_FOUND beyond the end. */
MUST_USE struct err judge_look_up(struct pipeline *self, uint64_t entry_index,
                                  struct wal_entry *out);
/* Fill join, decide and history from the read model after the catch-up. */
MUST_USE struct err judge_remember(struct pipeline *self);
/* Teach the scorer every outcome of the log again: at start, and when a new history model takes the
 * place of the old one (which outcomes it holds already is told by its own time). */
MUST_USE struct err judge_relearn(struct pipeline *self);
/* Everything durable now, applied. */
MUST_USE struct err judge_catch_up(struct pipeline *self, uint32_t entries_max, uint32_t *applied);

/* judge_items.c: score and decide what is ready; *decided tells how many. */
MUST_USE struct err judge_items(struct pipeline *self, uint32_t *decided);
MUST_USE struct err judge_collect(struct pipeline *self, int64_t timeout_ns);

/* draw_day.c: the key of this moment's day, committed in the log before it is used. */
MUST_USE struct err draw_day_open(struct pipeline *self);
void draw_day_close(struct pipeline *self);
/* Whether the open day is over for longer than a turn of the judge line may take, and its key not
 * revealed: an alarm. Any thread. */
bool draw_day_overdue(const struct pipeline *self, int64_t utc_ns);
/* The policy changed within the day: the same key is committed again, with the rates in force from
 * now. */
MUST_USE struct err draw_day_renew(struct pipeline *self);
/* Opens the day that utc_ns lies in and commits the key of the next one; reveals what is over.
 * commits false: nothing is drawn here, only what is over is revealed. */
MUST_USE struct err draw_day_turn(struct pipeline *self, int64_t utc_ns, bool commits);

/* explore_line.c: the coin's share, between the policy's floor and ceiling. _open: that of the day
 * that was open when the daemon stopped. _day: chosen anew for the day that begins at opens_ns; the
 * commitment of the day follows, before anything is drawn. _apply: after a new policy. */
MUST_USE struct err explore_open(struct pipeline *self);
MUST_USE struct err explore_day(struct pipeline *self, int64_t opens_ns);
void explore_apply(struct pipeline *self);
bool explore_adapts(const struct policy *policy, enum mode mode);
double explore_rate(const struct pipeline *self, enum mode mode);
/* Lives as long as the day. */
const char *explore_reason(const struct pipeline *self, enum mode mode);

/* ageing_line.c: _tick finds what is past its deadline and what raises an alarm; _turn ends some of
 * it, each an entry that the read model has before the next command is looked at. _forget: the
 * policy changed, the next tick looks anew. */
void ageing_open(struct pipeline *self);
void ageing_close(struct pipeline *self);
MUST_USE struct err ageing_tick(struct pipeline *self, int64_t utc_ns);
MUST_USE struct err ageing_turn(struct pipeline *self);
void ageing_forget(struct pipeline *self);
#define AGEING_HEALTH_BYTES 3072u
/* Members of a JSON object with a comma in front. Any thread. */
void ageing_health(struct pipeline *self, char *out, size_t out_capacity);

/* quality_line.c: which scanners deliver worse images than they did; asked by the keeper, seldom,
 * and only when something was judged since. */
#define QUALITY_SCANNERS_MAX 256u
struct quality_line {
    struct quality_trend *trend; /* NULL before the first look */
    int64_t next_ns;
    uint64_t judged; /* entries applied when it looked last */
    struct quality_told {
        uint64_t name; /* the beginning of its SHA-256: a new scanner moves the others' places */
        bool alarm;
    } told[QUALITY_SCANNERS_MAX]; /* of that look, in the order of the names */
    uint32_t told_count;
    bool too_many; /* told that there are more of them than it looks at */
};
MUST_USE struct err quality_line_turn(struct quality_line *self, struct pipeline *pipeline,
                                      struct state *state);
void quality_line_close(struct quality_line *self);

/* command.c: one command of an officer or operator, answered through done. */
void command_health(struct pipeline *self, struct ingest_command *command);
MUST_USE struct err command_run(struct pipeline *self, struct ingest_command *command);
MUST_USE struct err command_answer(struct pipeline *self, struct command_job *job);
MUST_USE struct err command_refuse(struct pipeline *self, struct command_job *job, struct err fault,
                                   const char *reason);
/* Was this asked before? *answered: the job is answered then, as it was, or with CONFLICT when the
 * request id belongs to something else than `what` (state_request) by this actor about this item,
 * or what state_asked_* gives in its place; item NULL: about none. */
MUST_USE struct err command_before(struct pipeline *self, struct command_job *job, const char *what,
                                   const uint8_t *item, bool *answered);
/* Append, bring the read model up to it, answer. */
MUST_USE struct err command_append(struct pipeline *self, struct command_job *job,
                                   const struct entry *entry);
/* command_private.c: what private records hold, shown or deleted. */
MUST_USE struct err command_reveal(struct pipeline *self, struct command_job *job);
MUST_USE struct err command_redact(struct pipeline *self, struct command_job *job);
/* command_prune.c */
MUST_USE struct err command_prune(struct pipeline *self, struct command_job *job);
/* Answers a job that another thread took over; fault err_none: done. */
MUST_USE struct err command_finish(struct pipeline *self, struct command_job *job, struct err fault,
                                   const char *reason);
bool pipeline_health(void *arg, char *out, uint32_t out_capacity);

/* witness_line.c: asks the witnesses once, so that a log that was put back to an earlier state is
 * stopped before anybody is answered, and starts the thread. LOG_ROLLED_BACK, CONF_INVALID, ... */
MUST_USE struct err witness_line_open(struct pipeline *self);
/* When all others have stopped and the log is still open: last receipts, a last checkpoint, a last
 * round, and the thread's end. Accepts that it was never opened. */
void witness_line_close(struct pipeline *self);
/* After that, when log.close has become the last entry: the final checkpoint of the shard goes to
 * the witnesses. */
MUST_USE struct err witness_line_final(struct pipeline *self);
void witness_line_free(struct pipeline *self);
/* Takes the job over: the thread answers it. RETRY when it has one already. */
MUST_USE struct err witness_line_ask(struct pipeline *self, struct command_job *job);
/* Members of a JSON object with a comma in front; "" without witnesses. Any thread. */
void witness_line_health(struct pipeline *self, char *out, size_t out_capacity);

/* shadow_line.c: the thread on which a model in shadow scores what was decided. _ask takes over an
 * order of a model (MODEL_SHADOW, MODEL_WITHDRAW): the thread answers it; RETRY when it has one
 * already. _busy: it has one. */
MUST_USE struct err shadow_line_open(struct pipeline *self);
/* Before the judge line stops; accepts that it was never opened. */
void shadow_line_close(struct pipeline *self);
void shadow_line_free(struct pipeline *self);
MUST_USE struct err shadow_line_ask(struct pipeline *self, struct command_job *job);
bool shadow_line_busy(struct pipeline *self);
#define SHADOW_HEALTH_BYTES 1024u
/* Members of a JSON object with a comma in front; "" when no model is in shadow. Any thread. */
void shadow_line_health(struct pipeline *self, char *out, size_t out_capacity);

/* command_model.c */
MUST_USE struct err command_model(struct pipeline *self, struct command_job *job);
/* The hash in the name of a model file; false for another name. */
bool command_model_file(const char *file, uint8_t sha256[HASH_BYTES]);

/* image_line.c: images for viewers of the console, on the console's threads; only with
 * console.images. CONF_INVALID when the address is not a loopback one, KEY when the list of viewers
 * cannot be read. */
MUST_USE struct err image_line_open(struct pipeline *self, struct image_line **out);
/* NULL of NULL. Lives as long as the line. */
const struct console_images_conf *image_line_conf(const struct image_line *self);
/* After the console. Accepts NULL. */
void image_line_close(struct image_line **self);

/* archive_line.c */
void *archive_line(void *arg);

/* command_policy.c: the config.change of what is in force now; actor: as in an entry. */
MUST_USE struct err policy_entry_append(struct pipeline *self, const char *actor,
                                        const char *reason, uint64_t *entry_index);
MUST_USE struct err command_policy(struct pipeline *self, struct command_job *job);

/* command_hold.c */
MUST_USE struct err command_hold(struct pipeline *self, struct command_job *job);

/* retention_line.c: after the read model has caught up, before anything is received: what a stop
 * left of a discard is finished. CONF_INVALID with self->why. */
MUST_USE struct err retention_open(struct pipeline *self);
void retention_free(struct pipeline *self);
void *retention_line(void *arg);
#define RETENTION_HEALTH_BYTES 6144u /* eight places and the rest */
/* Members of a JSON object with a comma in front; "" without. Any thread. */
void retention_health(struct pipeline *self, char *out, size_t out_capacity);

/* keeper_line.c */
void *keeper_line(void *arg);

#endif
