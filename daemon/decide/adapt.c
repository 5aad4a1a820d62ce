/* SPDX-License-Identifier: Apache-2.0 */
#include "decide/adapt.h"

#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>

/* Counts of finds are about Poisson: their spread is the root of what was promised. One-sided 5%,
 * so that an arm in order speaks up one day in twenty, and then quietly. */
static const double chance_z = 1.6448536269514722;

/* Rates are told and compared as decimals. */
static const double steps_of_one = 1e6;

static double within(double value, double low, double high)
{
    return !(value > low) ? low : value > high ? high : value; /* also of NaN: low */
}

static double shortfall_of(const struct adapt_figures *figures)
{
    double promised = figures->target_promised;
    if (figures->target_exams < ADAPT_EXAMS_MIN || !(promised > 0)) {
        return 0;
    }
    double missing = promised - chance_z * sqrt(promised) - (double)figures->target_finds;
    return within(missing / promised, 0, 1);
}

static double surprise_of(const struct adapt_figures *figures)
{
    double promised = figures->random_promised;
    double finds = (double)figures->random_finds;
    if (figures->random_exams < ADAPT_EXAMS_MIN || !(promised >= 0) || !(finds > 0)) {
        return 0;
    }
    return within((finds - promised - chance_z * sqrt(promised)) / finds, 0, 1);
}

static double drift_of(const struct adapt_figures *figures)
{
    bool speaks = figures->drift > figures->drift_chance;
    return speaks ? within(figures->drift / ADAPT_DRIFT_OTHER, 0, 1) : 0;
}

void adapt_choose(const struct adapt_limits *limits, const struct adapt_figures *figures,
                  double present, struct adapt_choice *out)
{
    double span = limits->ceiling > limits->floor ? limits->ceiling - limits->floor : 0;
    double from = within(present, limits->floor, limits->floor + span);
    *out = (struct adapt_choice){.shortfall = shortfall_of(figures),
                                 .surprise = surprise_of(figures),
                                 .drift = drift_of(figures),
                                 .loudest = ""};
    double loudest = 0;
    const struct {
        double value;
        const char *name;
    } voices[] = {
        {out->shortfall, "shortfall"}, {out->surprise, "surprise"}, {out->drift, "drift"}};
    for (size_t i = 0; i < sizeof voices / sizeof voices[0]; i++) {
        if (voices[i].value > loudest) {
            loudest = voices[i].value;
            out->loudest = voices[i].name;
        }
    }
    double share = from + ADAPT_STEP * (limits->floor + span * loudest - from);
    /* The last hundredth of the way back is not worth an entry a day. */
    if (share - limits->floor < span / 100) {
        share = limits->floor;
    }
    share = floor(share * steps_of_one + 0.5) / steps_of_one;
    out->share = within(share, limits->floor, limits->floor + span);
}

void adapt_describe(const struct adapt_limits *limits, const struct adapt_figures *figures,
                    const struct adapt_choice *choice, char out[ADAPT_REASON_BYTES])
{
    (void)snprintf(
        out, ADAPT_REASON_BYTES,
        "%s: targeted exams found %" PRIu64 " of %.1f promised (%" PRIu64 "), the coin %" PRIu64
        " of %.1f (%" PRIu64
        "), score drift %.3f (chance %.3f); shortfall %.2f, surprise %.2f, drift %.2f; floor %.6g,"
        " ceiling %.6g",
        choice->loudest[0] != '\0' ? choice->loudest : "as promised", figures->target_finds,
        figures->target_promised, figures->target_exams, figures->random_finds,
        figures->random_promised, figures->random_exams, figures->drift, figures->drift_chance,
        choice->shortfall, choice->surprise, choice->drift, limits->floor, limits->ceiling);
}
