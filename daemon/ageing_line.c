/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "base/counter.h"
#include "base/diag.h"
#include "base/random.h"
#include "pipeline_parts.h"

/* Referrals that wait too long: past deadline_h of their mode what nobody claimed ends as expired,
 * past alarm_h what is open is told of. A claimed referral never expires: the ledger is asked about
 * each at the moment that it would end, not when it was found. */

enum { AGEING_TURN_MAX = 8 }; /* each waits for the disk, and commands wait meanwhile */

void ageing_open(struct pipeline *self)
{
    must(pthread_mutex_init(&self->ageing.lock, NULL) == 0);
}

void ageing_close(struct pipeline *self)
{
    must(pthread_mutex_destroy(&self->ageing.lock) == 0);
}

/* False when no mode has such a limit. */
static bool limit_set(struct state_before *before, enum mode mode, double hours, int64_t utc_ns)
{
    int64_t opened_ns = utc_ns - (int64_t)(hours * 3600 * (double)NS_PER_S);
    before->opened_ns[mode] = hours > 0 && opened_ns > 0 ? opened_ns : 0;
    return before->opened_ns[mode] > 0;
}

static struct err find_due(struct pipeline *self, int64_t utc_ns)
{
    struct ageing *ageing = &self->ageing;
    struct state_before before = {{0}};
    bool any = false;
    for (int mode = 1; mode < MODE_COUNT; mode++) {
        double hours = self->policy.modes[mode].deadline_h;
        any = limit_set(&before, (enum mode)mode, hours, utc_ns) || any;
    }
    ageing_forget(self);
    if (!any || !self->conf.judge_enabled) {
        return err_none;
    }
    return state_unclaimed(self->state, &before, ageing->due, AGEING_DUE_MAX, &ageing->due_count);
}

static struct err raise_alarm(struct pipeline *self, int64_t utc_ns)
{
    struct ageing *ageing = &self->ageing;
    struct state_overdue places[AGEING_PLACES_MAX];
    struct state_before before = {{0}};
    uint32_t count = 0;
    uint64_t total = 0;
    bool any = false;
    for (int mode = 1; mode < MODE_COUNT; mode++) {
        double hours = self->policy.modes[mode].alarm_h;
        any = limit_set(&before, (enum mode)mode, hours, utc_ns) || any;
    }
    struct err err =
        any ? state_overdue(self->state, &before, places, AGEING_PLACES_MAX, &count, &total)
            : err_none;
    if (err_is(err)) {
        return err;
    }
    must(pthread_mutex_lock(&ageing->lock) == 0);
    bool rises = ageing->total == 0 && total > 0;
    memcpy(ageing->places, places, count * sizeof places[0]);
    ageing->places_count = count;
    ageing->total = total;
    must(pthread_mutex_unlock(&ageing->lock) == 0);
    counter_set(COUNTER_referrals_overdue, total);
    if (rises) {
        diag_warn(ageing, "overdue=%llu mode=%s oldest_h=%.2f", (unsigned long long)total,
                  mode_text(places[0].mode),
                  (double)(utc_ns - places[0].oldest_ns) / (3600 * (double)NS_PER_S));
    }
    return err_none;
}

struct err ageing_tick(struct pipeline *self, int64_t utc_ns)
{
    struct err err = find_due(self, utc_ns);
    return err_is(err) ? err : raise_alarm(self, utc_ns);
}

void ageing_forget(struct pipeline *self)
{
    self->ageing.due_count = 0;
    self->ageing.due_next = 0;
}

struct err ageing_turn(struct pipeline *self)
{
    struct ageing *ageing = &self->ageing;
    struct err err = err_none;
    for (int i = 0; !err_is(err) && i < AGEING_TURN_MAX; i++) {
        if (ageing->due_next == ageing->due_count) {
            break;
        }
        struct entry entry;
        struct ledger_answer answer;
        uint64_t entry_index = 0;
        err = ledger_expire(self->state, ageing->due[ageing->due_next++], &entry, &answer);
        if (err_is(err) || answer.verdict != LEDGER_ENTRY) {
            continue; /* somebody was faster than its deadline */
        }
        random_uuid7(entry.id);
        err = pipeline_append(self, &entry, &entry_index);
        while (!err_is(err) && atomic_load(&self->judged) <= entry_index) {
            uint32_t applied;
            err = judge_catch_up(self, JUDGE_ENTRIES, &applied);
        }
        counter_add(COUNTER_referrals_expired, !err_is(err));
    }
    return err;
}

/* Names of places are the publishers' own: what JSON does not take as it is becomes a question
 * mark. */
static void plain(const char *text, char out[65])
{
    size_t bytes = strnlen(text, 64);
    for (size_t i = 0; i < bytes; i++) {
        bool good = (unsigned char)text[i] >= ' ' && text[i] != '"' && text[i] != '\\';
        out[i] = (char)(good ? text[i] : '?');
    }
    out[bytes] = '\0';
}

void ageing_health(struct pipeline *self, char *out, size_t out_capacity)
{
    must(out_capacity >= AGEING_HEALTH_BYTES);
    struct ageing *ageing = &self->ageing;
    int64_t now_ns = clock_utc_ns();
    must(pthread_mutex_lock(&ageing->lock) == 0);
    size_t used = (size_t)snprintf(out, out_capacity, ",\"referrals_overdue\":%llu,\"overdue\":[",
                                   (unsigned long long)ageing->total);
    for (uint32_t i = 0; i < ageing->places_count; i++) {
        const struct state_overdue *place = &ageing->places[i];
        char site[65];
        plain(place->site, site);
        used +=
            (size_t)snprintf(out + used, out_capacity - used,
                             "%s{\"site\":\"%s\",\"mode\":\"%s\",\"count\":%u,\"oldest_h\":%.4f}",
                             i > 0 ? "," : "", site, mode_text(place->mode), place->count,
                             (double)(now_ns - place->oldest_ns) / (3600 * (double)NS_PER_S));
    }
    must(pthread_mutex_unlock(&ageing->lock) == 0);
    used += (size_t)snprintf(out + used, out_capacity - used, "]");
    must(used < out_capacity);
}
