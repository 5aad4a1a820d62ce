/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCORE_QUALITY_TREND_H
#define SCORE_QUALITY_TREND_H

/* Quality trend: what one scanner delivers from day to day (image_quality.h), and since when it is
 * not what it was. MODELS.md, section 7, has the methods and how often they are wrong.
 *
 * One thread an object; nothing is allocated after quality_trend_open(). */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "kernels/trend.h"

#define QUALITY_DAYS_MAX 400u   /* the newest ones that the caller asks about */
#define QUALITY_CHANGES_MAX 16u /* a figure; a scanner that changes more often has no level */
/* A day with fewer images has no median worth comparing; with a dead line in every tenth image by
 * chance, three of five have one on one day of 120. */
#define QUALITY_IMAGES_MIN 5u
/* Certain, but too little to send somebody: a change of goods does as much. */
#define QUALITY_ALARM_SHARE 0.1
/* Silent for longer than this: a scanner that is out of use raises no alarm. */
#define QUALITY_SILENT_DAYS 14

enum quality_figure {
    QUALITY_SHARPNESS,
    QUALITY_CONTRAST,
    QUALITY_SATURATED,
    QUALITY_DEAD_LINES,
    QUALITY_FIGURES
};

struct quality_day {
    int64_t day; /* since 1970, UTC */
    uint64_t images;
    struct trend_estimate median;
};

struct quality_change {
    int64_t since_day;
    int64_t told_day; /* when it was certain */
    bool higher;
    bool worse;                  /* a lower sharpness or contrast; more of black is neither */
    struct trend_estimate shift; /* a share of what it was; of `saturated`, points of a share. NaN:
                                    not to be told as one */
};

struct quality_series {
    struct quality_day days[QUALITY_DAYS_MAX]; /* with images enough, ascending */
    uint32_t days_count;
    struct quality_change changes[QUALITY_CHANGES_MAX]; /* ascending; none of dead lines */
    uint32_t changes_count;
};

/* Lines that are dead in more than half of the images of each of the newest days. */
struct quality_dead {
    bool present;
    int64_t since_day;
    double lines; /* median of the newest day */
};

struct quality_trend;

MUST_USE struct err quality_trend_open(struct quality_trend **out);
void quality_trend_close(struct quality_trend **self);
/* Begin with a scanner; what was there is forgotten. */
void quality_trend_start(struct quality_trend *self);
/* So many images of a day had this value. Days ascending, figure after figure within a day, values
 * ascending; more days than QUALITY_DAYS_MAX are our own bug. */
void quality_trend_add(struct quality_trend *self, int64_t day, enum quality_figure figure,
                       double value, uint64_t images);
/* After the last one. */
void quality_trend_finish(struct quality_trend *self);

/* Live until the next start. */
const struct quality_series *quality_trend_series(const struct quality_trend *self,
                                                  enum quality_figure figure);
struct quality_dead quality_trend_dead(const struct quality_trend *self);
const char *quality_figure_text(enum quality_figure figure);
/* Whether somebody should look at the scanner, as of this day: dead lines, or the newest change of
 * sharpness or contrast is for the worse by QUALITY_ALARM_SHARE or more. */
bool quality_trend_alarm(const struct quality_trend *self, int64_t today);
/* "sharpness down 18% (12% to 24%) since 2026-11-03", and the like. */
#define QUALITY_WORDS_TOLD 160u
void quality_change_words(enum quality_figure figure, const struct quality_change *change,
                          char out[QUALITY_WORDS_TOLD]);
void quality_dead_words(const struct quality_dead *dead, char out[QUALITY_WORDS_TOLD]);
/* The reason of an alarm. */
void quality_trend_words(const struct quality_trend *self, char out[QUALITY_WORDS_TOLD]);

#endif
