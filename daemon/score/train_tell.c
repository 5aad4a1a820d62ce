/* SPDX-License-Identifier: Apache-2.0 */
#include "score/train_tell.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static void rate_text(const char *name, const struct evaluation_rate *rate, char out[64])
{
    out[0] = '\0';
    if (isfinite(rate->value)) {
        (void)snprintf(out, 64, "%s %.3f (%.3f-%.3f), ", name, rate->value, rate->lower,
                       rate->upper);
    }
}

static void group_text(const char *name, const struct evaluation *of, char out[64])
{
    out[0] = '\0';
    if (of->rows > 0) {
        (void)snprintf(out, 64, ", %s %.4f of %" PRIu64 " rows", name, of->calibration_error,
                       of->rows);
    }
}

enum { LINES_BYTES = 400 };

/* What was not learnt of wide rows is said, and what follows from that. */
static void lines_text(const struct train_declarations_report *report, char out[LINES_BYTES])
{
    uint64_t wide = report->later.rows - report->by_lines[0].rows;
    size_t used = 0;
    if (wide == 0) {
        (void)snprintf(out, LINES_BYTES,
                       "no later row has several lines, so the riskiest line of a wide "
                       "declaration speaks alone; ");
        return;
    }
    used = (size_t)snprintf(out, LINES_BYTES, "calibration error by lines:");
    for (uint32_t i = 0; i < LINE_BUCKETS; i++) {
        const struct line_bucket *bucket = &report->by_lines[i];
        if (bucket->rows > 0) {
            used += (size_t)snprintf(
                out + used, LINES_BYTES - used, " %s %.4f (%.4f-%.4f) of %" PRIu64 ",",
                line_bucket_names[i], bucket->calibration_error.value,
                bucket->calibration_error.lower, bucket->calibration_error.upper, bucket->rows);
        }
    }
    if (!report->lines.known) {
        (void)snprintf(out + used, LINES_BYTES - used,
                       " too few of several lines to learn from, so the riskiest line of a wide "
                       "declaration speaks alone; ");
        return;
    }
    (void)snprintf(out + used, LINES_BYTES - used, " growth %+.2f, %+.2f, %+.2f, slope %+.3f; ",
                   report->lines.growth[0], report->lines.growth[1], report->lines.growth[2],
                   report->lines.slope);
}

void train_tell(const struct train_told *told, char out[TRAIN_TOLD_BYTES])
{
    const struct train_declarations_conf *conf = told->conf;
    const struct train_declarations_report *report = told->report;
    const struct evaluation *later = &report->later;
    char at_5[64];
    char at_10[64];
    char auc[64];
    char known[64];
    char newcomers[64];
    char critical[64];
    char lines[LINES_BYTES];
    rate_text("precision at 5%", &later->precision_5, at_5);
    rate_text("at 10%", &later->precision_10, at_10);
    rate_text("AUC", &later->auc, auc);
    group_text("known importers", &report->known, known);
    group_text("newcomers", &report->newcomers, newcomers);
    rate_text("grave finds: AUC", &report->critical.auc, critical);
    lines_text(report, lines);
    (void)snprintf(out, TRAIN_TOLD_BYTES,
                   "%s%srows %" PRIu64 ", entities %" PRIu64 "; %s (%" PRIu64 " rows, %" PRIu64
                   " finds) by trees that had not seen them: %s%s%slog loss %.4f, calibration "
                   "error %.4f%s%s; %s%scalibration scale %.3f, offset %+.3f; %" PRIu32
                   " trees; %s",
                   conf->note != NULL ? conf->note : "", conf->note != NULL ? "; " : "", told->rows,
                   told->entities, told->validated ? "validation rows" : "last block", later->rows,
                   later->finds, at_5, at_10, auc, later->loss, later->calibration_error, known,
                   newcomers, lines, critical, report->scale, report->offset, report->trees,
                   conf->keep_validation_out && told->validated ? "they have not been learnt"
                                                                : "then all rows were learnt");
}
