/* SPDX-License-Identifier: Apache-2.0 */
#include "score/quality_trend.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

/* Days are compared, not images: images of one day resemble each other by what was driven through
 * that day, and a test that took them as independent would find a change every week. */

/* What image_quality.h can give, at three digits, is a few thousand values a figure; what a foreign
 * log has beyond is left out of its day. */
enum { VALUES_MAX = 16384 };

#define DAY_NS INT64_C(86400000000000)
#define CONFIDENCE 0.95

struct quality_trend {
    struct quality_series series[QUALITY_FIGURES];
    struct quality_dead dead;
    /* the day and figure that is being added */
    int64_t day;
    enum quality_figure figure;
    double values[VALUES_MAX];
    uint64_t counts[VALUES_MAX];
    size_t values_count;
    double medians[QUALITY_DAYS_MAX];
    double pairs[(size_t)QUALITY_DAYS_MAX * QUALITY_DAYS_MAX / 4]; /* m n <= (m + n)^2 / 4 */
};

MUST_USE struct err quality_trend_open(struct quality_trend **out)
{
    struct quality_trend *self = malloc(sizeof *self);
    if (self == NULL) {
        return err_make(ERR_MEMORY, "quality trend");
    }
    quality_trend_start(self);
    *out = self;
    return err_none;
}

void quality_trend_close(struct quality_trend **self)
{
    free(*self);
    *self = NULL;
}

void quality_trend_start(struct quality_trend *self)
{
    for (int figure = 0; figure < QUALITY_FIGURES; figure++) {
        self->series[figure].days_count = 0;
        self->series[figure].changes_count = 0;
    }
    self->dead = (struct quality_dead){0};
    self->values_count = 0;
}

static void end_day(struct quality_trend *self)
{
    struct quality_series *series = &self->series[self->figure];
    uint64_t images = 0;
    for (size_t i = 0; i < self->values_count; i++) {
        images += self->counts[i];
    }
    if (images >= QUALITY_IMAGES_MIN) {
        must(series->days_count < QUALITY_DAYS_MAX);
        const struct trend_counts seen = {self->values, self->counts, self->values_count};
        series->days[series->days_count++] =
            (struct quality_day){self->day, images, trend_median(&seen, CONFIDENCE)};
    }
    self->values_count = 0;
}

void quality_trend_add(struct quality_trend *self, int64_t day, enum quality_figure figure,
                       double value, uint64_t images)
{
    if (self->values_count > 0 && (day != self->day || figure != self->figure)) {
        end_day(self);
    }
    self->day = day;
    self->figure = figure;
    if (self->values_count < VALUES_MAX) {
        self->values[self->values_count] = value;
        self->counts[self->values_count++] = images;
    }
}

static struct trend_estimate shift_of(struct quality_trend *self, enum quality_figure figure,
                                      const size_t bounds[3])
{
    bool ratio = figure != QUALITY_SATURATED;
    for (size_t i = bounds[0]; i < bounds[2] && ratio; i++) {
        if (self->medians[i] <= 0) {
            return (struct trend_estimate){NAN, {NAN, NAN}};
        }
    }
    const struct trend_shift_question question = {
        .before = self->medians + bounds[0],
        .before_count = bounds[1] - bounds[0],
        .after = self->medians + bounds[1],
        .after_count = bounds[2] - bounds[1],
        .as_ratio = ratio,
        .confidence = CONFIDENCE,
    };
    struct trend_estimate shift = trend_shift(&question, self->pairs);
    double zero = ratio ? 1 : 0;
    return (struct trend_estimate){shift.value - zero,
                                   {shift.interval.lower - zero, shift.interval.upper - zero}};
}

static void find_changes(struct quality_trend *self, enum quality_figure figure)
{
    struct quality_series *series = &self->series[figure];
    struct trend_change found[QUALITY_CHANGES_MAX];
    for (uint32_t i = 0; i < series->days_count; i++) {
        self->medians[i] = series->days[i].median.value;
    }
    size_t count = trend_changes(self->medians, series->days_count, found, QUALITY_CHANGES_MAX);
    for (size_t i = 0; i < count; i++) {
        const size_t bounds[3] = {i > 0 ? found[i - 1].first : 0, found[i].first,
                                  i + 1 < count ? found[i + 1].first : series->days_count};
        bool higher = found[i].direction > 0;
        series->changes[i] = (struct quality_change){
            .since_day = series->days[found[i].first].day,
            .told_day = series->days[found[i].found].day,
            .higher = higher,
            .worse = !higher && figure != QUALITY_SATURATED,
            .shift = shift_of(self, figure, bounds),
        };
    }
    series->changes_count = (uint32_t)count;
}

static void find_dead(struct quality_trend *self)
{
    const struct quality_series *series = &self->series[QUALITY_DEAD_LINES];
    uint32_t i = series->days_count;
    while (i > 0 && series->days[i - 1].median.value > 0) {
        i--;
        self->dead.present = true;
        self->dead.since_day = series->days[i].day;
    }
    if (self->dead.present) {
        self->dead.lines = series->days[series->days_count - 1].median.value;
    }
}

void quality_trend_finish(struct quality_trend *self)
{
    if (self->values_count > 0) {
        end_day(self);
    }
    for (int figure = 0; figure < QUALITY_DEAD_LINES; figure++) {
        find_changes(self, (enum quality_figure)figure);
    }
    find_dead(self);
}

const struct quality_series *quality_trend_series(const struct quality_trend *self,
                                                  enum quality_figure figure)
{
    return &self->series[figure];
}

struct quality_dead quality_trend_dead(const struct quality_trend *self)
{
    return self->dead;
}

const char *quality_figure_text(enum quality_figure figure)
{
    static const char *const texts[QUALITY_FIGURES] = {
        [QUALITY_SHARPNESS] = "sharpness",
        [QUALITY_CONTRAST] = "contrast to noise",
        [QUALITY_SATURATED] = "share of black",
        [QUALITY_DEAD_LINES] = "dead lines",
    };
    return texts[figure];
}

/* The newest change of a figure, when it is one that somebody should look after. A change that has
 * no share, because something was nothing, is no small one. */
static const struct quality_change *alarming(const struct quality_trend *self, int figure)
{
    const struct quality_series *series = &self->series[figure];
    const struct quality_change *last =
        series->changes_count > 0 ? &series->changes[series->changes_count - 1] : NULL;
    bool small = last != NULL && last->shift.value > -QUALITY_ALARM_SHARE;
    return last != NULL && last->worse && !small ? last : NULL;
}

void quality_trend_words(const struct quality_trend *self, char out[QUALITY_WORDS_TOLD])
{
    out[0] = '\0';
    if (self->dead.present) {
        quality_dead_words(&self->dead, out);
        return;
    }
    for (int figure = 0; figure <= QUALITY_CONTRAST && out[0] == '\0'; figure++) {
        const struct quality_change *last = alarming(self, figure);
        if (last != NULL) {
            quality_change_words((enum quality_figure)figure, last, out);
        }
    }
}

bool quality_trend_alarm(const struct quality_trend *self, int64_t today)
{
    const struct quality_series *dead = &self->series[QUALITY_DEAD_LINES];
    if (dead->days_count == 0 ||
        dead->days[dead->days_count - 1].day < today - QUALITY_SILENT_DAYS) {
        return false;
    }
    bool alarm = self->dead.present;
    for (int figure = 0; figure <= QUALITY_CONTRAST; figure++) {
        alarm = alarm || alarming(self, figure) != NULL;
    }
    return alarm;
}

void quality_change_words(enum quality_figure figure, const struct quality_change *change,
                          char out[QUALITY_WORDS_TOLD])
{
    char day[CLOCK_DAY_BYTES];
    char interval[48] = "";
    const struct trend_estimate *shift = &change->shift;
    const char *unit = figure == QUALITY_SATURATED ? " points" : "%";
    double sign = change->higher ? 100 : -100;
    double ends[2] = {sign * shift->interval.lower, sign * shift->interval.upper};
    clock_day_text(change->since_day * DAY_NS, day);
    if (!isnan(ends[0])) {
        (void)snprintf(interval, sizeof interval, " (%.3g%s to %.3g%s)", fmin(ends[0], ends[1]),
                       unit, fmax(ends[0], ends[1]), unit);
    }
    if (isnan(shift->value)) {
        (void)snprintf(out, QUALITY_WORDS_TOLD, "%s %s since %s", quality_figure_text(figure),
                       change->higher ? "up" : "down", day);
    } else {
        (void)snprintf(out, QUALITY_WORDS_TOLD, "%s %s %.3g%s%s since %s",
                       quality_figure_text(figure), change->higher ? "up" : "down",
                       sign * shift->value, unit, interval, day);
    }
}

void quality_dead_words(const struct quality_dead *dead, char out[QUALITY_WORDS_TOLD])
{
    char day[CLOCK_DAY_BYTES];
    clock_day_text(dead->since_day * DAY_NS, day);
    (void)snprintf(out, QUALITY_WORDS_TOLD, "%.3g dead line%s in most images since %s", dead->lines,
                   dead->lines > 1 ? "s" : "", day);
}
