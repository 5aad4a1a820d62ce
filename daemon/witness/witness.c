/* SPDX-License-Identifier: Apache-2.0 */
#include "witness/witness.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/diag.h"
#include "proto/cosignature.h"
#include "proto/merkle.h"
#include "proto/witness_request.h"

struct witness {
    struct witness_conf conf;
    struct note_vkey vkey;
};

struct err witness_open(const struct witness_conf *conf, struct witness **out)
{
    struct witness *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return err_make(ERR_MEMORY, "witness_open");
    }
    self->conf = *conf;
    note_vkey_make_typed(NOTE_KEY_WITNESS, &self->vkey, conf->name, conf->key->public_key);
    *out = self;
    return err_none;
}

void witness_close(struct witness **self)
{
    free(*self);
    *self = NULL;
}

static void answer_say(struct witness_answer *out, enum witness_status status, const char *words)
{
    out->status = status;
    out->is_size = false;
    out->text_bytes = (size_t)snprintf(out->text, sizeof out->text, "%s\n", words);
}

static void answer_size(struct witness_answer *out, uint64_t size)
{
    out->status = WITNESS_CONFLICT;
    out->is_size = true;
    out->text_bytes = (size_t)snprintf(out->text, sizeof out->text, "%" PRIu64 "\n", size);
}

/* The remembered tree against the new one: true when the new one continues it. */
static bool continues(const struct witness_remembered *last, const struct witness_request *request,
                      const struct checkpoint *checkpoint, struct witness_answer *out)
{
    if (request->old_size != last->size) {
        answer_size(out, last->size);
        return false;
    }
    if (last->size == checkpoint->size && !hash_equal(last->root, checkpoint->root)) {
        answer_say(out, WITNESS_CONFLICT, "another root was cosigned at this size");
        return false;
    }
    if (!merkle_check_consistency(last->size, checkpoint->size, last->root, checkpoint->root,
                                  request->hashes, request->hashes_count)) {
        answer_say(out, WITNESS_INCONSISTENT, "the proof does not lead from one tree to the other");
        return false;
    }
    return true;
}

/* Remember, then answer. */
static struct err cosign(struct witness *self, const struct checkpoint *checkpoint,
                         const char *text, size_t signed_bytes, const char *log_lines,
                         uint64_t time_s, struct witness_answer *out)
{
    char note[2 * NOTE_BYTES_MAX];
    char line[NOTE_LINE_BYTES_MAX];
    size_t line_bytes =
        cosignature_make(text, signed_bytes, self->conf.name, self->conf.key, time_s, line);
    int note_bytes =
        snprintf(note, sizeof note, "%.*s\n%s%s", (int)signed_bytes, text, log_lines, line);
    must(note_bytes > 0 && note_bytes < (int)sizeof note);
    if (note_bytes > (int)NOTE_BYTES_MAX) {
        answer_say(out, WITNESS_BAD_REQUEST, "too many signatures of the log");
        return err_none;
    }
    struct err err =
        witness_memory_keep(self->conf.memory, checkpoint->origin, note, (size_t)note_bytes);
    if (err_is(err)) {
        return err;
    }
    out->status = WITNESS_COSIGNED;
    out->is_size = false;
    memcpy(out->text, line, line_bytes + 1);
    out->text_bytes = line_bytes;
    return err_none;
}

static struct err judge(struct witness *self, const struct witness_request *request,
                        const struct checkpoint *checkpoint, uint64_t now_s,
                        struct witness_answer *out)
{
    char log_lines[NOTE_BYTES_MAX];
    switch (witness_logs_judge(self->conf.logs, request->note, request->note_bytes, log_lines)) {
    case WITNESS_UNKNOWN_ORIGIN:
        answer_say(out, WITNESS_NOT_FOUND, "no log of this origin is known here");
        return err_none;
    case WITNESS_UNTRUSTED:
        answer_say(out, WITNESS_FORBIDDEN, "no signature by a key known for this origin");
        return err_none;
    case WITNESS_TRUSTED:
        break;
    }
    struct witness_remembered last;
    struct err err = witness_memory_of(self->conf.memory, checkpoint->origin, &last);
    if (err_is(err) || !continues(&last, request, checkpoint, out)) {
        return err;
    }
    struct checkpoint again;
    size_t signed_bytes = 0;
    size_t lines_at = 0;
    bool split =
        checkpoint_split(request->note, request->note_bytes, &again, &signed_bytes, &lines_at);
    must(split); /* the request was read that way */
    uint64_t time_s = now_s > last.time_s ? now_s : last.time_s;
    return cosign(self, checkpoint, request->note, signed_bytes, log_lines, time_s, out);
}

struct err witness_add_checkpoint(struct witness *self, const char *body, size_t body_bytes,
                                  uint64_t now_s, struct witness_answer *out)
{
    struct witness_request request;
    struct checkpoint checkpoint;
    out->origin[0] = '\0';
    out->size = 0;
    enum witness_request_fault fault =
        witness_request_read(body, body_bytes, &request, &checkpoint);
    if (fault != WITNESS_REQUEST_GOOD) {
        answer_say(out, WITNESS_BAD_REQUEST, witness_request_fault_text(fault));
        diag_info(witness, "status=%d reason=\"%s\"", (int)out->status,
                  witness_request_fault_text(fault));
        return err_none;
    }
    memcpy(out->origin, checkpoint.origin, sizeof out->origin);
    out->size = checkpoint.size;
    struct err err = judge(self, &request, &checkpoint, now_s, out);
    if (!err_is(err)) {
        bool odd = out->status != WITNESS_COSIGNED && !out->is_size;
        diag_line(odd ? DIAG_WARN : DIAG_INFO, DIAG_EVENT_witness,
                  "status=%d origin=%s size=%" PRIu64 " old=%" PRIu64, (int)out->status,
                  checkpoint.origin, checkpoint.size, request.old_size);
    }
    return err;
}

struct err witness_page(const struct witness *self, char *out, size_t out_capacity)
{
    char key[NOTE_VKEY_BYTES_MAX];
    note_vkey_encode_typed(NOTE_KEY_WITNESS, &self->vkey, key);
    size_t at = (size_t)snprintf(out, out_capacity,
                                 "triage-witness %s\n%s\n\nPOST /add-checkpoint takes checkpoints "
                                 "of these logs (c2sp.org/tlog-witness):\n",
                                 TRIAGED_VERSION, key);
    for (uint32_t i = 0; i < self->conf.logs->count && at < out_capacity; i++) {
        const char *origin = self->conf.logs->keys[i].name;
        struct witness_remembered last;
        char when[CLOCK_TEXT_BYTES] = "never";
        struct err err = witness_memory_of(self->conf.memory, origin, &last);
        if (err_is(err)) {
            return err;
        }
        if (last.time_s > 0 && last.time_s < INT64_MAX / NS_PER_S) {
            clock_text((int64_t)last.time_s * NS_PER_S, when);
        }
        at += (size_t)snprintf(out + at, out_capacity - at, "%s %" PRIu64 " %.19s\n", origin,
                               last.size, when);
    }
    return err_none;
}
