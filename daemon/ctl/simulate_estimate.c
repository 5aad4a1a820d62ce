/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "ctl/simulate.h"

/* What nobody examined can only be estimated: by chance, from drawn items that the other policy
 * would have chosen too, or by what the models said of them. The two are never mixed. */

static const double confidence = 0.95;

static void rate_add(struct statistics_rate *to, struct statistics_rate rate)
{
    to->hit_count += rate.hit_count;
    to->count += rate.count;
}

static void cutoff_add(struct simulate_cutoff *to, const struct simulate_cutoff *cutoff)
{
    to->sum += cutoff->sum;
    to->count += cutoff->count;
    to->full += cutoff->full;
}

static void sums_add(struct simulate_sums *to, const struct simulate_sums *sums)
{
    if (sums->drawn > 0) {
        to->rate_lowest =
            to->drawn == 0 ? sums->rate_lowest : fmin(to->rate_lowest, sums->rate_lowest);
        to->rate_highest = fmax(to->rate_highest, sums->rate_highest);
    }
    to->decided += sums->decided;
    to->agree += sums->agree;
    to->same_policy += sums->same_policy;
    to->by_hand += sums->by_hand;
    to->logged += sums->logged;
    to->simulated += sums->simulated;
    to->kept += sums->kept;
    to->dropped += sums->dropped;
    to->added += sums->added;
    rate_add(&to->kept_exams, sums->kept_exams);
    rate_add(&to->dropped_exams, sums->dropped_exams);
    to->model_won += sums->model_won;
    to->model_won_variance += sums->model_won_variance;
    to->model_lost += sums->model_lost;
    to->added_unscorable += sums->added_unscorable;
    to->drawn += sums->drawn;
    rate_add(&to->drawn_exams, sums->drawn_exams);
    to->drawn_excess += sums->drawn_excess;
    to->drawn_variance += sums->drawn_variance;
    to->drawn_hits += sums->drawn_hits;
    to->drawn_population += sums->drawn_population;
    cutoff_add(&to->cutoff_logged, &sums->cutoff_logged);
    cutoff_add(&to->cutoff_simulated, &sums->cutoff_simulated);
}

void simulate_total(const struct simulate *self, struct simulate_sums *out)
{
    uint32_t count = 0;
    const struct simulate_place *places = simulate_places(self, &count);
    *out = (struct simulate_sums){0};
    for (uint32_t i = 0; i < count; i++) {
        sums_add(out, &places[i].sums);
    }
}

static void by_normal(double won, double variance, struct simulate_estimate *out)
{
    double half = statistics_normal_quantile(0.5 + confidence / 2) * sqrt(variance);
    out->won = won;
    out->interval = (struct statistics_interval){fmax(won - half, 0), won + half};
}

static const char *design_fault(const struct simulate_sums *sums)
{
    uint64_t exams = sums->drawn_exams.count;
    if (exams < SIMULATE_EXAMS_MIN) {
        return "too few random exams";
    }
    if ((double)(sums->drawn - exams) > SIMULATE_UNEXAMINED_MAX * (double)sums->drawn) {
        return "too many drawn items without an exam";
    }
    /* The exact interval is of one rate. */
    if (sums->drawn_exams.hit_count < SIMULATE_FINDS_MIN &&
        sums->rate_highest > sums->rate_lowest) {
        return "too few random finds under unequal rates";
    }
    return NULL;
}

void simulate_by_design(const struct simulate_sums *sums, struct simulate_estimate *out)
{
    *out = (struct simulate_estimate){.method = "nothing added"};
    if (sums->added == 0) {
        return;
    }
    out->why = design_fault(sums);
    if (out->why != NULL) {
        out->method = NULL;
    } else if (sums->drawn_exams.hit_count >= SIMULATE_FINDS_MIN) {
        out->method = "Horvitz-Thompson";
        by_normal(sums->drawn_excess, sums->drawn_variance, out);
    } else {
        double added = (double)sums->added;
        struct statistics_interval rate = statistics_clopper_pearson(sums->drawn_exams, confidence);
        out->method = "Hajek, exact";
        out->won = added * sums->drawn_hits / sums->drawn_population;
        out->interval = (struct statistics_interval){added * rate.lower, added * rate.upper};
    }
}

void simulate_by_model(const struct simulate_sums *sums, struct simulate_estimate *out)
{
    *out = (struct simulate_estimate){.method = "calibrated probabilities"};
    by_normal(sums->model_won, sums->model_won_variance, out);
}
