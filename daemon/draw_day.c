/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/diag.h"
#include "base/durable.h"
#include "base/random.h"
#include "pipeline_parts.h"

/* The coin of the day (STATISTICS.md, section 4). At the first moment of a UTC day a fresh key is
 * made, kept in a file of the store, and its SHA-256 is committed in the log together with the
 * rates, durable before the first draw. The day before is revealed then. A day whose key file is
 * lost cannot be proven any more: that stops the daemon, because going on with a new key would be a
 * way to roll the dice again. */

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
static struct err draw_make_key(struct pipeline *self, const char *day)
{
    char path[PIPELINE_PATH_BYTES + 32];
    struct err err = draw_path(self, day, path, sizeof path);
    if (err_is(err)) {
        return err;
    }
    bool exists = false;
    err = durable_exists(path, &exists);
    if (err_is(err) || exists) {
        return err_is(err) ? err : draw_read_key(self, day, self->draw.key);
    }
    char text[2 * HASH_BYTES + 2];
    random_bytes(self->draw.key, HASH_BYTES);
    hex_encode(self->draw.key, HASH_BYTES, text);
    text[(size_t)2 * HASH_BYTES] = '\n';
    text[2 * HASH_BYTES + 1] = '\0';
    err = durable_replace(path, text, strlen(text), 0600);
    explicit_bzero(text, sizeof text);
    return err;
}

static struct err draw_commit(struct pipeline *self, const char *day)
{
    struct entry entry;
    pipeline_entry(&entry, ENTRY_DRAW_COMMIT);
    struct entry_draw_commit *commit = &entry.body.draw_commit;
    commit->day = day;
    commit->scheme = DRAW_SCHEME;
    sha256_of(self->draw.key, HASH_BYTES, commit->commitment);
    for (int mode = 1; mode < MODE_COUNT; mode++) {
        struct entry_rate *rate = &commit->rates[commit->rates_count++];
        rate->stratum = mode_text((enum mode)mode);
        rate->rate = explore_rate(self, (enum mode)mode);
        rate->adapts = explore_adapts(&self->policy, (enum mode)mode);
        rate->floor = self->policy.modes[mode].random_rate;
        rate->reason = rate->adapts ? explore_reason(self, (enum mode)mode) : "";
    }
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

struct err draw_day_open(struct pipeline *self)
{
    char last_day[CLOCK_DAY_BYTES] = "";
    bool revealed = true;
    struct err err =
        conf_path(&self->conf, "draw", self->draw.directory, sizeof self->draw.directory);
    if (!err_is(err)) {
        err = durable_directory(self->draw.directory, 0700);
    }
    if (!err_is(err)) {
        err = state_last_draw(self->state, last_day, &revealed);
    }
    if (err_is(err) || last_day[0] == '\0' || revealed) {
        return err;
    }
    /* The day that was open when the daemon stopped goes on, or is revealed at the first turn. */
    err = draw_read_key(self, last_day, self->draw.key);
    if (!err_is(err)) {
        memcpy(self->draw.day, last_day, sizeof self->draw.day);
    }
    return err_is(err) ? (struct err){ERR_KEY, err.os_errno, "key of a committed draw day is lost"}
                       : err;
}

struct err draw_day_renew(struct pipeline *self)
{
    return self->draw.day[0] == '\0' ? err_none : draw_commit(self, self->draw.day);
}

struct err draw_day_turn(struct pipeline *self, int64_t utc_ns)
{
    char day[CLOCK_DAY_BYTES];
    clock_day_text(utc_ns, day);
    /* Also when the clock goes back over midnight: the day that is committed stays until a later
     * one begins. */
    if (self->draw.day[0] != '\0' && strcmp(day, self->draw.day) <= 0) {
        return err_none;
    }
    if (self->draw.day[0] != '\0') {
        struct err err = draw_reveal(self, self->draw.day);
        if (err_is(err)) {
            return err;
        }
    }
    struct err err = draw_make_key(self, day);
    if (!err_is(err)) {
        err = explore_day(self, utc_ns - utc_ns % (INT64_C(86400) * NS_PER_S));
    }
    if (!err_is(err)) {
        err = draw_commit(self, day);
    }
    if (!err_is(err)) {
        memcpy(self->draw.day, day, sizeof day);
    }
    return err;
}
