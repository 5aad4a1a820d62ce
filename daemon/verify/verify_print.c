/* SPDX-License-Identifier: Apache-2.0 */
#include "verify/verify_print.h"

#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "proto/words.h"

#define PRINT_AGE_BYTES 32u

/* "3 d 4 h", "2 h 5 min", "40 s" */
static void print_age(int64_t age_ns, char out[PRINT_AGE_BYTES])
{
    int64_t s = age_ns / NS_PER_S;
    if (s >= 86400) {
        (void)snprintf(out, PRINT_AGE_BYTES, "%" PRId64 " d %" PRId64 " h", s / 86400,
                       s % 86400 / 3600);
    } else if (s >= 3600) {
        (void)snprintf(out, PRINT_AGE_BYTES, "%" PRId64 " h %" PRId64 " min", s / 3600,
                       s % 3600 / 60);
    } else if (s >= 60) {
        (void)snprintf(out, PRINT_AGE_BYTES, "%" PRId64 " min %" PRId64 " s", s / 60, s % 60);
    } else {
        (void)snprintf(out, PRINT_AGE_BYTES, "%" PRId64 " s", s);
    }
}

/* ---- the verdict ---- */

/* Says no more than was looked at. */
static void print_verdict(const struct verify_report *self, FILE *out)
{
    uint64_t unchecked = 0;
    uint64_t entries = 0;
    for (uint32_t i = 0; i < self->shards_count; i++) {
        unchecked += self->shards[i].seals_unchecked;
        entries += self->shards[i].entries;
    }
    if (self->problems.count > 0) {
        (void)fprintf(out, "bad: %" PRIu64 " problem%s\n", self->problems.count,
                      self->problems.count == 1 ? "" : "s");
    } else if (entries == 0) {
        (void)fprintf(out, "good: but the log has no entries yet\n");
    } else if (unchecked > 0) {
        (void)fprintf(out,
                      "good: every entry checks; %" PRIu64
                      " archive files are not here and were not checked\n",
                      unchecked);
    } else {
        (void)fprintf(out, "good: every entry and every archive file checks\n");
    }
}

/* ---- what was checked ---- */

static void print_types(const struct verify_shard *shard, FILE *out)
{
    const char *between = "";
    uint32_t column = 0;
    (void)fprintf(out, "  entries      ");
    for (uint32_t type = 1; type <= VERIFY_TYPES; type++) {
        char text[64];
        uint64_t count = type == VERIFY_TYPES ? shard->types[0] : shard->types[type];
        if (count == 0) {
            continue;
        }
        int text_bytes = snprintf(text, sizeof text, "%" PRIu64 " %s", count,
                                  type == VERIFY_TYPES ? "of later types"
                                                       : entry_type_text((enum entry_type)type));
        if (column > 0 && column + (uint32_t)text_bytes > 80) {
            between = ",\n               ";
            column = 0;
        }
        (void)fprintf(out, "%s%s", between, text);
        between = ", ";
        column += (uint32_t)text_bytes + 2;
    }
    (void)fputc('\n', out);
}

static void print_tree(const struct verify_shard *shard, FILE *out)
{
    char root[4 * ((HASH_BYTES + 2) / 3) + 1];
    base64_encode(shard->root, HASH_BYTES, root);
    (void)fprintf(out, "  key          %08" PRIx32 ", %s\n", shard->key_id,
                  shard->key_was_given ? "the one you gave" : "the one that lies beside the log");
    (void)fprintf(out, "  tree         %" PRIu64 " entries, root %s\n", shard->size, root);
    (void)fprintf(out, "  checkpoints  %" PRIu64 " signed, every root computed again",
                  shard->checkpoints);
    if (shard->checkpoints_unmet > 0) {
        (void)fprintf(out, " but %" PRIu64, shard->checkpoints_unmet);
    }
    if (shard->kept > 0) {
        (void)fprintf(out, "; %" PRIu64 " of %" PRIu64 " that you kept %s its beginning",
                      shard->kept_met, shard->kept, shard->kept_met == 1 ? "is" : "are");
    }
    (void)fprintf(out,
                  "\n  files        %" PRIu64 " of %.1f MB: %" PRIu64 " bundles, %" PRIu64
                  " tiles hashed again\n",
                  shard->files, (double)shard->files_bytes / 1e6, shard->bundles, shard->tiles);
}

static void print_items(const struct verify_shard *shard, FILE *out)
{
    static const char *const ages[VERIFY_AGES] = {"under an hour", "under a day", "older"};
    (void)fprintf(out, "  records      %" PRIu64 " received", shard->records);
    if (shard->records_unscored > 0) {
        (void)fprintf(out, "; %" PRIu64 " not scored: late, or their item still waits",
                      shard->records_unscored);
    }
    (void)fprintf(out, "\n  items        %" PRIu64 " decided, %" PRIu64 " referred",
                  shard->items_decided, shard->items_referred);
    if (shard->items_undecided > 0) {
        (void)fprintf(out, "; %" PRIu64 " scored and not decided", shard->items_undecided);
    }
    (void)fprintf(out, "\n  referrals    %" PRIu64 " ended, %" PRIu64 " open",
                  shard->referrals_closed, shard->referrals_open);
    const char *between = ": ";
    for (uint32_t i = 0; i < VERIFY_AGES; i++) {
        if (shard->open_by_age[i] > 0) {
            (void)fprintf(out, "%s%" PRIu64 " %s", between, shard->open_by_age[i], ages[i]);
            between = ", ";
        }
    }
    if (shard->referrals_open > 0) {
        char age[PRINT_AGE_BYTES];
        print_age(shard->open[0].age_ns, age);
        (void)fprintf(out, "; the oldest of entry %" PRIu64 ", %s", shard->open[0].decision_index,
                      age);
    }
    (void)fputc('\n', out);
}

static void print_rest(const struct verify_shard *shard, FILE *out)
{
    char from[CLOCK_TEXT_BYTES];
    char to[CLOCK_TEXT_BYTES];
    char age[PRINT_AGE_BYTES];
    clock_text(shard->first_t_ns, from);
    clock_text(shard->last_t_ns, to);
    (void)fprintf(out,
                  "  draws        %" PRIu64 " days committed, %" PRIu64 " revealed: %" PRIu64
                  " draws made again, %" PRIu64 " wait for their key\n",
                  shard->draw_days, shard->draw_days_revealed, shard->draws_checked,
                  shard->draws_waiting);
    (void)fprintf(out, "  settings     %" PRIu64 " policies, %" PRIu64 " models put in force\n",
                  shard->policies, shard->models);
    (void)fprintf(out, "  time         %.19s to %.19s", from, to);
    if (shard->tick_interval_ms > 0) {
        (void)fprintf(out, ", a tick every %.0f s", (double)shard->tick_interval_ms / 1000);
    }
    print_age((int64_t)shard->silence_s * NS_PER_S, age);
    (void)fprintf(out, shard->silences > 0 ? ", %" PRIu64 " silences of %s altogether\n" : "\n",
                  shard->silences, age);
    if (shard->accesses + shard->redactions + shard->payloads_discarded + shard->tails_recovered >
        0) {
        (void)fprintf(out,
                      "  keeping      %" PRIu64 " accesses, %" PRIu64 " redactions of %" PRIu64
                      " digests, %" PRIu64 " payloads discarded, %" PRIu64 " tails cut\n",
                      shard->accesses, shard->redactions, shard->digests_redacted,
                      shard->payloads_discarded, shard->tails_recovered);
    }
    (void)fprintf(out,
                  "  archive      %" PRIu64 " seals, %" PRIu64 " files: %" PRIu64
                  " entries and %" PRIu64 " images hashed again\n",
                  shard->seals, shard->archive_files, shard->archive_entries,
                  shard->archive_images);
}

static void print_quorum(const struct verify_quorum_result *quorum, FILE *out)
{
    (void)fprintf(out,
                  "  witnesses    %" PRIu64
                  " cosigned checkpoints that meet the quorum, the newest of %" PRIu64
                  " entries; %" PRIu64 " receipts\n",
                  quorum->cosigned, quorum->size, quorum->receipts);
    for (uint32_t i = 0; i < quorum->witnesses_count; i++) {
        char when[CLOCK_TEXT_BYTES] = "did not sign that one";
        if (quorum->times_s[i] > 0 && quorum->times_s[i] < (uint64_t)(INT64_MAX / NS_PER_S)) {
            clock_text((int64_t)quorum->times_s[i] * NS_PER_S, when);
            strcpy(when + 19, "Z"); /* whole seconds */
        }
        (void)fprintf(out, "               %s %s\n", quorum->witnesses[i], when);
    }
}

static void print_shard(const struct verify_shard *shard, FILE *out)
{
    (void)fprintf(out, "\n%s in %s\n", shard->origin[0] == '\0' ? "a log" : shard->origin,
                  shard->path);
    if (shard->entries == 0) {
        return;
    }
    print_tree(shard, out);
    print_types(shard, out);
    print_items(shard, out);
    print_rest(shard, out);
    if (shard->quorum.asked) {
        print_quorum(&shard->quorum, out);
    }
}

/* ---- lines ---- */

/* Lines in the order in which they were found; what to do stands behind the last one of a step. */
static void print_lines(const struct verify_lines *lines, const char *word, bool with_advice,
                        FILE *out)
{
    uint64_t kept = lines->kept;
    for (uint32_t step = 0; step < STEP_COUNT; step++) {
        bool any = false;
        for (uint64_t i = 0; i < kept; i++) {
            if (lines->lines[i].step == (enum verify_step)step) {
                (void)fprintf(out, "%s: %s\n", word, lines->lines[i].text);
                any = true;
            }
        }
        if (any && with_advice) {
            (void)fprintf(out, "  do: %s\n", verify_step_advice((enum verify_step)step));
        }
    }
    if (kept < lines->count) {
        (void)fprintf(out, "%s: and %" PRIu64 " more\n", word, lines->count - kept);
    }
}

static void print_limits(const struct verify_report *self, FILE *out)
{
    bool key_given = true;
    bool kept = true;
    uint64_t waiting = 0;
    for (uint32_t i = 0; i < self->shards_count; i++) {
        key_given &= self->shards[i].key_was_given;
        kept &= self->shards[i].kept > 0 || self->shards[i].quorum.cosigned > 0;
        waiting += self->shards[i].draws_waiting;
    }
    (void)fputs("\nwhat this cannot tell\n", out);
    if (!key_given) {
        (void)fputs("  whether the key is the port's: pass --vkey with the one that you know\n",
                    out);
    }
    if (!kept) {
        (void)fputs("  whether the log was cut at its end, or another one was shown to others: "
                    "pass --against with a\n  checkpoint that you kept, or --quorum; keep one "
                    "now\n",
                    out);
    }
    if (waiting > 0) {
        (void)fputs("  whether draws are right whose day's key is not revealed yet\n", out);
    }
    (void)fputs("  what was never written into the log, and whether what was written is true\n",
                out);
}

void verify_report_print(const struct verify_report *self, const struct verify_print_conf *conf,
                         FILE *out)
{
    uint64_t entries = 0;
    print_verdict(self, out);
    for (uint32_t i = 0; i < self->shards_count; i++) {
        entries += self->shards[i].entries;
        if (!conf->quiet) {
            print_shard(&self->shards[i], out);
        }
    }
    if (self->problems.count > 0) {
        (void)fputs(conf->quiet ? "" : "\n", out);
        print_lines(&self->problems, "problem", !conf->quiet, out);
    }
    if (conf->quiet) {
        return;
    }
    if (self->warnings.count > 0) {
        (void)fputc('\n', out);
        print_lines(&self->warnings, "to know", false, out);
    }
    print_limits(self, out);
    if (conf->seconds >= 0) {
        (void)fprintf(out, "\nchecked in %.2f s, %.0f entries a second\n", conf->seconds,
                      conf->seconds > 0 ? (double)entries / conf->seconds : 0.0);
    }
}
