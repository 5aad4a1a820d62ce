/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/counter.h"
#include "base/diag.h"
#include "base/durable.h"
#include "base/random.h"
#include "pipeline_parts.h"

/* The coin of the day (STATISTICS.md, section 4). A day's key is made, kept in a file of the store,
 * and its SHA-256 committed in the log while the day before still runs: whoever makes it knows none
 * of the items that it will draw, and signed checkpoints cover the commitment long before the first
 * draw. When the day opens the same key is committed once more, with the rates of that moment; then
 * the key of the day before is revealed. Days are UTC: no hour of them is there twice.
 *
 * Where the machine may stop: a key without its commitment is used, not replaced; a commitment
 * without its reveal is found in the read model and revealed at the next start; a rate that was
 * committed for a day that is not open yet is committed again when it opens. A day whose key file
 * is lost cannot be proven any more: that stops the daemon, because going on with a new key would
 * be a way to roll the dice again. */

enum { DRAW_DAYS_OPEN_MAX = 8 };
#define DRAW_DAY_NS (INT64_C(86400) * NS_PER_S)
#define DRAW_OVERDUE_NS                                                       \
    (INT64_C(600) * NS_PER_S) /* a turn of the judge line never takes as long \
                               */

static struct err draw_path(const struct pipeline *self, const char *day, char *out,
                            size_t out_capacity)
{
    int written = snprintf(out, out_capacity, "%s/%s.key", self->draw.directory, day);
    bool fits = written > 0 && (size_t)written < out_capacity;
    return fits ? err_none : err_make(ERR_CONF_INVALID, "path too long");
}

static struct err draw_read_key(const struct pipeline *self, const char *day,
                                uint8_t out[HASH_BYTES])
{
    char path[PIPELINE_PATH_BYTES + 32];
    uint8_t *text = NULL;
    size_t text_bytes = 0;
    struct err err = draw_path(self, day, path, sizeof path);
    if (!err_is(err)) {
        err = durable_read(path, 256, &text, &text_bytes);
    }
    if (err_is(err)) {
        return err;
    }
    text[strcspn((char *)text, "\n")] = '\0';
    bool good = hex_decode((const char *)text, out, HASH_BYTES);
    explicit_bzero(text, text_bytes);
    free(text);
    return good ? err_none : err_make(ERR_KEY, "draw key of the day is malformed");
}

/* The file of a key that was made before a crash came between it and its commitment is used, not
 * replaced. */
static struct err draw_make_key(struct pipeline *self, const char *day, uint8_t out[HASH_BYTES])
{
    char path[PIPELINE_PATH_BYTES + 32];
    struct err err = draw_path(self, day, path, sizeof path);
    if (err_is(err)) {
        return err;
    }
    bool exists = false;
    err = durable_exists(path, &exists);
    if (err_is(err) || exists) {
        return err_is(err) ? err : draw_read_key(self, day, out);
    }
    char text[2 * HASH_BYTES + 2];
    random_bytes(out, HASH_BYTES);
    hex_encode(out, HASH_BYTES, text);
    text[(size_t)2 * HASH_BYTES] = '\n';
    text[2 * HASH_BYTES + 1] = '\0';
    err = durable_replace(path, text, strlen(text), 0600);
    explicit_bzero(text, sizeof text);
    return err;
}

/* The rates of a day: those of the policy in force when it is committed, and of a mode whose share
 * adapts what was chosen for the day that is open; the next one is committed again when it opens. A
 * site or lane with a rate of its own keeps it. */
static void draw_fill_rates(const struct pipeline *self, struct entry_draw_commit *commit)
{
    for (int mode = 1; mode < MODE_COUNT; mode++) {
        struct entry_rate *rate = &commit->rates[commit->rates_count++];
        rate->stratum = mode_text((enum mode)mode);
        rate->rate = explore_rate(self, (enum mode)mode);
        rate->adapts = explore_adapts(&self->policy, (enum mode)mode);
        rate->floor = self->policy.modes[mode].random_rate;
        rate->reason = rate->adapts ? explore_reason(self, (enum mode)mode) : "";
    }
    for (uint32_t i = 0; i < self->policy.rates_count; i++) {
        must(commit->rates_count < ENTRY_RATES_MAX);
        struct entry_rate *rate = &commit->rates[commit->rates_count++];
        rate->stratum = self->policy.rates[i].stratum;
        rate->rate = self->policy.rates[i].rate;
    }
}

static struct err draw_commit(struct pipeline *self, const char *day, const uint8_t key[HASH_BYTES])
{
    struct entry entry;
    pipeline_entry(&entry, ENTRY_DRAW_COMMIT);
    struct entry_draw_commit *commit = &entry.body.draw_commit;
    commit->day = day;
    commit->scheme = DRAW_SCHEME;
    sha256_of(key, HASH_BYTES, commit->commitment);
    draw_fill_rates(self, commit);
    struct err err = pipeline_append(self, &entry, NULL);
    if (!err_is(err)) {
        diag_info(draw, "day=%s committed=1", day);
    }
    return err;
}

static struct err draw_reveal(struct pipeline *self, const char *day)
{
    struct entry entry;
    pipeline_entry(&entry, ENTRY_DRAW_REVEAL);
    entry.body.draw_reveal.day = day;
    struct err err = draw_read_key(self, day, entry.body.draw_reveal.key);
    if (!err_is(err)) {
        err = pipeline_append(self, &entry, NULL);
    }
    if (!err_is(err)) {
        diag_info(draw, "day=%s revealed=1", day);
    }
    return err;
}

static void draw_set_end(struct pipeline *self)
{
    int64_t start_ns = 0;
    bool known = clock_day_ns(self->draw.day, &start_ns);
    atomic_store(&self->draw.ends_ns, known ? start_ns + DRAW_DAY_NS : 0);
}

/* The days that were open when the daemon stopped go on, or are revealed at the first turn. */
static struct err draw_load(struct pipeline *self)
{
    char days[DRAW_DAYS_OPEN_MAX][CLOCK_DAY_BYTES];
    uint32_t count = 0;
    struct err err = state_open_draws(self->state, days, DRAW_DAYS_OPEN_MAX, &count);
    if (!err_is(err) && count > 2) { /* a day and the next one: there is no way to a third */
        err = err_make(ERR_WAL_DAMAGED, "more than two draw days are open");
    }
    if (err_is(err) || count == 0) {
        return err;
    }
    err = draw_read_key(self, days[0], self->draw.key);
    if (!err_is(err) && count == 2) {
        err = draw_read_key(self, days[1], self->draw.next_key);
    }
    if (err_is(err)) {
        return (struct err){ERR_KEY, err.os_errno, "key of a committed draw day is lost"};
    }
    memcpy(self->draw.day, days[0], sizeof self->draw.day);
    if (count == 2) {
        memcpy(self->draw.next_day, days[1], sizeof self->draw.next_day);
    }
    draw_set_end(self);
    return err_none;
}

struct err draw_day_open(struct pipeline *self)
{
    struct err err =
        conf_path(&self->conf, "draw", self->draw.directory, sizeof self->draw.directory);
    if (!err_is(err)) {
        err = durable_directory(self->draw.directory, 0700);
    }
    return err_is(err) ? err : draw_load(self);
}

void draw_day_close(struct pipeline *self)
{
    explicit_bzero(self->draw.key, HASH_BYTES);
    explicit_bzero(self->draw.next_key, HASH_BYTES);
}

bool draw_day_overdue(const struct pipeline *self, int64_t utc_ns)
{
    int64_t ends_ns = atomic_load(&self->draw.ends_ns);
    return ends_ns != 0 && utc_ns > ends_ns + DRAW_OVERDUE_NS;
}

struct err draw_day_renew(struct pipeline *self)
{
    struct draw_day *draw = &self->draw;
    struct err err = err_none;
    if (draw->day[0] != '\0') {
        err = draw_commit(self, draw->day, draw->key);
    }
    return err_is(err) || draw->next_day[0] == '\0'
               ? err
               : draw_commit(self, draw->next_day, draw->next_key);
}

/* The next day becomes the open one. It is committed again before the old key is out: a stop in
 * between finds both days open and does this once more. */
static struct err draw_open_next(struct pipeline *self, const char *today, bool commits)
{
    struct draw_day *draw = &self->draw;
    struct err err = err_none;
    int64_t opens_ns = 0;
    if (commits && strcmp(draw->next_day, today) == 0 && clock_day_ns(today, &opens_ns)) {
        err = explore_day(self, opens_ns);
    }
    if (!err_is(err) && opens_ns != 0) {
        err = draw_commit(self, draw->next_day, draw->next_key);
    }
    if (!err_is(err)) {
        err = draw_reveal(self, draw->day);
    }
    if (!err_is(err)) {
        memcpy(draw->day, draw->next_day, sizeof draw->day);
        memcpy(draw->key, draw->next_key, HASH_BYTES);
        draw->next_day[0] = '\0';
        explicit_bzero(draw->next_key, HASH_BYTES);
        draw_set_end(self);
    }
    return err;
}

/* The first day of a log, and the one on which a daemon comes back that was away over midnight: its
 * key is younger than the day, and a reader is to know. What is recorded already could be known to
 * whoever made the key; a checkpoint is signed at once, so that no draw is older than it. */
static struct err draw_open_late(struct pipeline *self, const char *today)
{
    struct draw_day *draw = &self->draw;
    int64_t opens_ns = 0;
    struct err err = draw_make_key(self, today, draw->key);
    if (!err_is(err) && clock_day_ns(today, &opens_ns)) {
        err = explore_day(self, opens_ns);
    }
    if (!err_is(err)) {
        err = draw_commit(self, today, draw->key);
    }
    if (err_is(err)) {
        return err;
    }
    memcpy(draw->day, today, sizeof draw->day);
    draw_set_end(self);
    counter_add(COUNTER_draw_days_late, 1);
    err = oversight_publish(self->oversight);
    if (err_is(err) && !err_is(oversight_failure(self->oversight))) {
        diag_warn(draw, "day=%s checkpoint=0",
                  today); /* told by health too, for as long as it is */
        err = err_none;
    }
    return err;
}

static struct err draw_commit_next(struct pipeline *self)
{
    struct draw_day *draw = &self->draw;
    char next_day[CLOCK_DAY_BYTES];
    clock_day_text(atomic_load(&draw->ends_ns), next_day);
    struct err err = draw_make_key(self, next_day, draw->next_key);
    if (!err_is(err)) {
        err = draw_commit(self, next_day, draw->next_key);
    }
    if (!err_is(err)) {
        memcpy(draw->next_day, next_day, sizeof next_day);
    }
    return err;
}

struct err draw_day_turn(struct pipeline *self, int64_t utc_ns, bool commits)
{
    struct draw_day *draw = &self->draw;
    char today[CLOCK_DAY_BYTES];
    clock_day_text(utc_ns, today);
    struct err err = err_none;
    /* Also when the clock goes back over midnight: the day that is open stays until a later one
     * begins. */
    while (!err_is(err) && draw->day[0] != '\0' && strcmp(today, draw->day) > 0) {
        err = draw_open_next(self, today, commits);
    }
    if (!err_is(err) && commits && draw->day[0] == '\0') {
        err = draw_open_late(self, today);
    }
    if (!err_is(err) && commits && draw->next_day[0] == '\0') {
        err = draw_commit_next(self);
    }
    counter_set(COUNTER_draws_overdue, draw_day_overdue(self, utc_ns));
    return err;
}
