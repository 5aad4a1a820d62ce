/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "base/clock.h"
#include "ctl/ctl.h"
#include "ctl/simulate_tell.h"
#include "decide/policy_file.h"
#include "state/state.h"

/* `triagectl policy simulate`: reads the read model, changes nothing, asks no daemon. */

enum { PAGE = 4096 };
/* Windows hold at most 65536 scores of a place, and tokens forget within a horizon. */
static const uint64_t warm_decisions_max = UINT64_C(1) << 19;
static const int64_t day_ns = INT64_C(86400) * NS_PER_S;

struct simulate_options {
    const char *policy;
    int64_t from_ns;
    int64_t to_ns; /* as given: the beginning of the last day */
    bool has_from;
    bool has_to;
};

static bool parse_day(const char *text, int64_t *t_ns)
{
    return ctl_parse_time(text, t_ns) && *t_ns % day_ns == 0;
}

static error_t parse_simulate(int key, char *text, struct argp_state *state)
{
    struct simulate_options *options = state->input;
    switch (key) {
    case 'p':
        options->policy = text;
        return 0;
    case 'f':
        options->has_from = parse_day(text, &options->from_ns);
        if (!options->has_from) {
            argp_error(state, "--from takes a day, 2026-09-21, not %s", text);
        }
        return 0;
    case 't':
        options->has_to = parse_day(text, &options->to_ns);
        if (!options->has_to) {
            argp_error(state, "--to takes a day, 2026-09-21, not %s", text);
        }
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "unexpected argument %s", text);
        return 0;
    case ARGP_KEY_END:
        if (options->policy == NULL || !options->has_from || !options->has_to) {
            argp_error(state, "--policy FILE, --from DAY and --to DAY: which policy, which days?");
        }
        if (options->to_ns < options->from_ns) {
            argp_error(state, "--to is before --from");
        }
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static struct err simulate_days(struct state *state, struct simulate *simulate, int64_t from_ns,
                                int64_t until_ns)
{
    uint64_t from = 0;
    uint32_t count = PAGE;
    struct state_past *page = calloc(PAGE, sizeof *page);
    struct err err = page == NULL ? err_make(ERR_MEMORY, "simulate")
                                  : state_past_first(state, from_ns, warm_decisions_max, &from);
    while (!err_is(err) && count == PAGE) {
        err = state_pasts(state, from, until_ns, page, PAGE, &count);
        for (uint32_t i = 0; !err_is(err) && i < count; i++) {
            err = simulate_add(simulate, &page[i]);
            from = page[i].entry_index + 1;
        }
    }
    free(page);
    return err;
}

static int simulate_tell(struct ctl *ctl, struct state *state, const struct policy *policy,
                         const struct simulate_options *options)
{
    struct simulate *simulate = NULL;
    const struct simulate_told told = {.policy = policy,
                                       .file = options->policy,
                                       .from_ns = options->from_ns,
                                       .to_ns = options->to_ns + day_ns};
    struct err err =
        simulate_open(policy, (uint32_t)ctl->conf.judge_strata, options->from_ns, &simulate);
    if (!err_is(err)) {
        err = simulate_days(state, simulate, told.from_ns, told.to_ns);
    }
    int result = CTL_REFUSED;
    if (err_is(err)) {
        ctl_fail("simulation", err);
    } else {
        result = ctl->json ? simulate_json(simulate, &told) : simulate_print(simulate, &told);
    }
    simulate_close(&simulate);
    return result;
}

int ctl_policy_simulate(struct ctl *ctl, int argc, char **argv)
{
    static const struct argp_option options_table[] = {
        {"policy", 'p', "FILE", 0, "the policy to decide by", 1},
        {"from", 'f', "DAY", 0, "the first day (UTC)", 1},
        {"to", 't', "DAY", 0, "the last day (UTC), which counts too", 1},
        {0, 0, 0, 0, 0, 0},
    };
    static const struct argp own = {
        options_table,
        parse_simulate,
        "",
        "What another policy would have referred on days that are over, and which finds that would "
        "have lost or won. The coin stays as it fell. Nothing is changed, no daemon is asked.",
        NULL,
        NULL,
        NULL};
    struct simulate_options options = {0};
    ctl_parse(ctl, &own, &options, argc, argv);
    char why[CONF_WHY_BYTES] = "";
    struct policy policy;
    struct err err = policy_file_read(options.policy, &policy, why);
    if (err_is(err)) {
        return why[0] != '\0' ? ctl_refuse("%s", why) : ctl_fail(options.policy, err);
    }
    struct state *state = ctl_open_state(ctl);
    if (state == NULL) {
        return CTL_REFUSED;
    }
    int result = simulate_tell(ctl, state, &policy, &options);
    state_close(&state);
    return result;
}
