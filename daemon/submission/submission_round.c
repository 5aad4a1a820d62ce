/* SPDX-License-Identifier: Apache-2.0 */
#include "submission/submission.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/counter.h"
#include "base/diag.h"
#include "proto/cosignature.h"
#include "submission/submission_inside.h"

/* A round asks all due witnesses at once, from the size each is thought to hold; those that hold
 * another size say so and are asked a second time. Nothing about witnesses is kept over a restart:
 * their own answers are better than our memory. */

#define FAILURES_SHIFT_MAX 10u
#define PAUSE_NS_MAX (900 * NS_PER_S)
#define SIZE_TYPE "text/x.tlog.size"

enum reply { REPLY_DONE, REPLY_FAILED, REPLY_AGAIN, REPLY_ROLLED_BACK };

static void round_failed(struct submission *self, uint32_t i, const char *why)
{
    struct submission_witness *witness = &self->witnesses[i];
    must(pthread_mutex_lock(&self->lock) == 0);
    witness->failures++;
    uint32_t shift =
        witness->failures < FAILURES_SHIFT_MAX ? witness->failures : FAILURES_SHIFT_MAX;
    int64_t pause_ns = self->conf.interval_ns << shift;
    witness->due_ns = clock_monotonic_ns() + (pause_ns < PAUSE_NS_MAX ? pause_ns : PAUSE_NS_MAX);
    (void)snprintf(witness->why, sizeof witness->why, "%s", why);
    must(pthread_mutex_unlock(&self->lock) == 0);
    counter_add(COUNTER_witness_failures, 1);
    if (witness->failures == 1) {
        diag_warn(witness, "name=%s failed=\"%s\"", self->quorum.witnesses[i].vkey.name, why);
    }
}

static void round_done(struct submission *self, uint32_t i)
{
    struct submission_witness *witness = &self->witnesses[i];
    if (witness->failures > 0) {
        diag_info(witness, "name=%s back_after=%" PRIu32, self->quorum.witnesses[i].vkey.name,
                  witness->failures);
    }
    must(pthread_mutex_lock(&self->lock) == 0);
    witness->size = self->note.checkpoint.size;
    witness->failures = 0;
    witness->due_ns = 0;
    witness->why[0] = '\0';
    must(pthread_mutex_unlock(&self->lock) == 0);
    counter_add(COUNTER_witness_cosignatures, 1);
}

/* The body for witness i, with a proof that was checked here first: so a witness that does not take
 * it has seen another tree. False when the tiles do not give it. */
static bool round_write(struct submission *self, uint32_t i, uint64_t old_size)
{
    const struct checkpoint *checkpoint = &self->note.checkpoint;
    uint8_t hashes[MERKLE_LEVELS_MAX][HASH_BYTES];
    uint8_t old_root[HASH_BYTES];
    uint32_t count = 0;
    if (!merkle_consistency(tile_files_hash, &self->tiles, old_size, checkpoint->size, hashes,
                            &count) ||
        !merkle_root(tile_files_hash, &self->tiles, old_size, old_root) ||
        !merkle_check_consistency(old_size, checkpoint->size, old_root, checkpoint->root,
                                  (const uint8_t(*)[HASH_BYTES])hashes, count) ||
        count > WITNESS_PROOF_HASHES_MAX) {
        return false;
    }
    struct witness_request *request = &self->request;
    request->old_size = old_size;
    request->hashes_count = count;
    memcpy(request->hashes, hashes, (size_t)count * HASH_BYTES);
    request->note = self->note.text;
    request->note_bytes = self->note.bytes;
    self->old_sizes[i] = old_size;
    self->answers[i].url = self->witnesses[i].url;
    self->answers[i].body = self->bodies[i];
    self->answers[i].body_bytes = witness_request_write(request, self->bodies[i]);
    return true;
}

/* 200: signature lines; one of them must be the witness's own. */
static enum reply reply_lines(struct submission *self, uint32_t i)
{
    const struct http_post *answer = &self->answers[i];
    size_t at = 0;
    struct note_signature line;
    while (note_signature_next(answer->answer, answer->answer_bytes, &at, &line)) {
        uint64_t time_s = 0;
        if (cosignature_check(self->note.text, self->note.signed_bytes, &line,
                              &self->quorum.witnesses[i].vkey, &time_s) == COSIGNATURE_GOOD) {
            submission_keep(self, i, &line, time_s);
            return REPLY_DONE;
        }
    }
    round_failed(self, i, "its answer has no cosignature by its key");
    return REPLY_FAILED;
}

/* Newest size that anybody outside can have seen. */
static uint64_t round_newest(const struct submission *self)
{
    char path[DURABLE_PATH_BYTES + 16];
    uint8_t *text = NULL;
    size_t text_bytes = 0;
    size_t signed_bytes = 0;
    size_t lines_at = 0;
    struct checkpoint checkpoint = {.size = 0};
    (void)snprintf(path, sizeof path, "%s/checkpoint", self->public_directory);
    struct err err = durable_read(path, NOTE_BYTES_MAX, &text, &text_bytes);
    bool good = !err_is(err) && checkpoint_split((const char *)text, text_bytes, &checkpoint,
                                                 &signed_bytes, &lines_at);
    free(text);
    return good && checkpoint.size > self->note.checkpoint.size ? checkpoint.size
                                                                : self->note.checkpoint.size;
}

/* 409 with a size: what the witness holds. */
static enum reply reply_size(struct submission *self, uint32_t i)
{
    const struct http_post *answer = &self->answers[i];
    uint64_t told = 0;
    if (answer->answer_bytes < 2 || answer->answer[answer->answer_bytes - 1] != '\n' ||
        !note_decimal_read(answer->answer, answer->answer_bytes - 1, &told) ||
        told == self->old_sizes[i]) {
        round_failed(self, i, "answered 409 with no size that helps");
        return REPLY_FAILED;
    }
    if (told > round_newest(self)) {
        diag_err(witness, "name=%s holds=%" PRIu64 " signed=%" PRIu64,
                 self->quorum.witnesses[i].vkey.name, told, round_newest(self));
        return REPLY_ROLLED_BACK;
    }
    must(pthread_mutex_lock(&self->lock) == 0);
    self->witnesses[i].size = told;
    must(pthread_mutex_unlock(&self->lock) == 0);
    return told <= self->note.checkpoint.size ? REPLY_AGAIN : REPLY_DONE; /* or the next round */
}

static enum reply round_reply(struct submission *self, uint32_t i)
{
    const struct http_post *answer = &self->answers[i];
    bool is_size = strncmp(answer->type, SIZE_TYPE, sizeof SIZE_TYPE - 1) == 0;
    if (answer->status == 200) {
        return reply_lines(self, i);
    }
    if (answer->status == 409 && is_size) {
        return reply_size(self, i);
    }
    bool same_size = self->old_sizes[i] == self->note.checkpoint.size;
    if ((answer->status == 422 || (answer->status == 409 && same_size)) && self->old_sizes[i] > 0) {
        diag_err(witness, "name=%s status=%u size=%" PRIu64 " reason=\"it has seen another tree\"",
                 self->quorum.witnesses[i].vkey.name, answer->status, self->old_sizes[i]);
        return REPLY_ROLLED_BACK;
    }
    round_failed(self, i, answer->why);
    return REPLY_FAILED;
}

/* Asks the witnesses of the set; *again are those to be asked once more. */
static struct err round_ask(struct submission *self, uint64_t set, uint64_t *again)
{
    struct http_post *posts[QUORUM_WITNESSES_MAX];
    uint32_t asked[QUORUM_WITNESSES_MAX];
    uint32_t count = 0;
    *again = 0;
    for (uint32_t i = 0; i < self->quorum.witnesses_count; i++) {
        if ((set >> i & 1) == 0) {
            continue;
        }
        if (!round_write(self, i, self->witnesses[i].size)) {
            round_failed(self, i, "no proof could be made of our own tiles");
            continue;
        }
        asked[count] = i;
        posts[count++] = &self->answers[i];
    }
    struct err err = count == 0 ? err_none : http_posts_run(self->posts, posts, count);
    for (uint32_t k = 0; !err_is(err) && k < count; k++) {
        switch (round_reply(self, asked[k])) {
        case REPLY_DONE:
            if (self->witnesses[asked[k]].line_size == self->note.checkpoint.size) {
                round_done(self, asked[k]);
            }
            break;
        case REPLY_AGAIN:
            *again |= UINT64_C(1) << asked[k];
            break;
        case REPLY_ROLLED_BACK:
            err = err_make(ERR_LOG_ROLLED_BACK, "a witness has seen what this log does not have");
            break;
        case REPLY_FAILED:
            break;
        }
    }
    return err;
}

/* Who has an address, is due, and has not signed this very tree yet. */
static uint64_t round_due(const struct submission *self, bool only_well)
{
    uint64_t set = 0;
    int64_t now_ns = clock_monotonic_ns();
    for (uint32_t i = 0; i < self->quorum.witnesses_count; i++) {
        const struct submission_witness *witness = &self->witnesses[i];
        bool has_signed = witness->line_size == self->note.checkpoint.size &&
                          hash_equal(witness->line_root, self->note.checkpoint.root);
        bool due = only_well ? witness->failures == 0 : witness->due_ns <= now_ns;
        set |= witness->url[0] != '\0' && due && !has_signed ? UINT64_C(1) << i : 0;
    }
    return set;
}

struct err submission_round(struct submission *self, bool only_well)
{
    struct err err = submission_load(self, "checkpoint");
    if (err_is(err) || (self->met && self->asked_size == self->note.checkpoint.size)) {
        return err;
    }
    uint64_t set = round_due(self, only_well);
    uint64_t again = 0;
    if (set == 0) {
        return err_none;
    }
    if (!tile_files_init(&self->tiles, self->public_directory, self->note.checkpoint.size)) {
        return err_make(ERR_ARGUMENT, "path of the log is too long");
    }
    counter_add(COUNTER_witness_rounds, 1);
    err = round_ask(self, set, &again);
    if (!err_is(err) && again != 0) {
        uint64_t never = 0;
        err = round_ask(self, again, &never);
        for (uint32_t i = 0; !err_is(err) && i < self->quorum.witnesses_count; i++) {
            if ((never >> i & 1) != 0) {
                round_failed(self, i, "names a new size at every request");
            }
        }
    }
    return err_is(err) ? err : submission_settle(self);
}

struct err submission_bring(struct submission *self, uint64_t size, const char *lines,
                            size_t lines_bytes, char *why)
{
    char name[48];
    (void)snprintf(name, sizeof name, "checkpoints/%" PRIu64, size);
    struct err err = submission_load(self, name);
    if (err_is(err) || self->note.checkpoint.size != size) {
        (void)snprintf(why, CONF_WHY_BYTES, "no checkpoint of %" PRIu64 " entries was published",
                       size);
        return err_make(ERR_ARGUMENT, "submission_bring");
    }
    for (int pass = 0; pass < 2; pass++) { /* all are looked at before the first is taken */
        size_t at = 0;
        uint32_t taken = 0;
        struct note_signature line;
        while (note_signature_next(lines, lines_bytes, &at, &line)) {
            uint64_t time_s = 0;
            uint32_t i = 0;
            while (i < self->quorum.witnesses_count &&
                   cosignature_check(self->note.text, self->note.signed_bytes, &line,
                                     &self->quorum.witnesses[i].vkey,
                                     &time_s) != COSIGNATURE_GOOD) {
                i++;
            }
            if (i == self->quorum.witnesses_count || self->witnesses[i].line_size > size) {
                taken = 0; /* or a newer one of this witness is here already */
                break;
            }
            taken++;
            if (pass == 1) {
                submission_keep(self, i, &line, time_s);
            }
        }
        if (taken == 0 || at != lines_bytes) {
            (void)snprintf(why, CONF_WHY_BYTES,
                           "not a cosignature by a witness of the policy over the checkpoint of "
                           "%" PRIu64 " entries",
                           size);
            return err_make(ERR_ARGUMENT, "submission_bring");
        }
    }
    return submission_settle(self);
}
