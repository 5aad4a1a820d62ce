/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/ctl_order.h"

#include <string.h>

#include "ctl/model_store.h"
#include "ctl/shadow_tell.h"
#include "decide/policy_file.h"
#include "state/state.h"

/* A model in shadow: how it ranks beside the one in use, and the two ways out. The report reads the
 * read model and asks no daemon; the orders name the file that was looked at, so that another one
 * that went into shadow meanwhile is not promoted by mistake. */

struct shadow_options {
    const char *policy;
    const char *reason;
    bool wants_reason;
};

static error_t parse_shadow(int key, char *text, struct argp_state *state)
{
    struct shadow_options *options = state->input;
    switch (key) {
    case 'p':
        options->policy = text;
        return 0;
    case 'r':
        options->reason = text;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "unexpected argument %s", text);
        return 0;
    case ARGP_KEY_END:
        if (options->wants_reason && (options->reason == NULL || options->reason[0] == '\0')) {
            argp_error(state, "--reason TEXT: why? It goes into the log");
        }
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option policy_option = {
    "policy", 'p', "FILE", 0, "decide again by this policy (default: the configured one)", 1};
static const struct argp_option reason_option = {"reason", 'r', "TEXT", 0, "why, for the log", 1};

/* The policy named, or the configured one if it can be read. NULL and *fault: told. */
static const struct policy *read_policy(struct ctl *ctl, const char *named, struct policy *out,
                                        bool *fault)
{
    char why[CONF_WHY_BYTES] = "";
    char path[DURABLE_PATH_BYTES];
    *fault = false;
    struct err err = err_none;
    if (named != NULL) {
        (void)snprintf(path, sizeof path, "%s", named);
    } else {
        err = ctl_settle(ctl) ? policy_file_path(&ctl->conf, path, sizeof path)
                              : err_make(ERR_ARGUMENT, "");
    }
    err = err_is(err) ? err : policy_file_read(path, out, why);
    if (!err_is(err)) {
        return out;
    }
    if (named != NULL) {
        *fault = true;
        (void)(why[0] != '\0' ? ctl_refuse("%s", why) : ctl_fail(named, err));
    }
    return NULL;
}

/* False when told. */
static bool make_report(struct ctl *ctl, const char *named, struct shadow_report *out)
{
    static struct policy policy;
    bool fault = false;
    const struct policy *by = read_policy(ctl, named, &policy, &fault);
    struct state *state = fault ? NULL : ctl_open_state(ctl);
    if (state == NULL) {
        return false;
    }
    struct err err = shadow_report_make(state, by, (uint32_t)ctl->conf.judge_strata, out);
    state_close(&state);
    if (err.code == ERR_NOT_FOUND) {
        (void)ctl_refuse("no model is in shadow (triagectl model install --shadow FILE)");
    } else if (err_is(err)) {
        (void)ctl_fail("report of the shadow", err);
    }
    return !err_is(err);
}

int ctl_model_shadow(struct ctl *ctl, int argc, char **argv)
{
    const struct argp_option table[] = {policy_option, {0}};
    const struct argp own = {
        table,
        parse_shadow,
        "",
        "How the model in shadow ranks the items that were decided, beside the model in use: hit "
        "rates in the top shares with 95% intervals, by the coin's exams and by all, rank "
        "correlation, and what the policy would have referred. Nothing is changed, no daemon is "
        "asked.",
        NULL,
        NULL,
        NULL};
    static struct shadow_report report;
    struct shadow_options options = {0};
    ctl_parse(ctl, &own, &options, argc, argv);
    if (!make_report(ctl, options.policy, &report)) {
        return CTL_REFUSED;
    }
    return ctl->json ? shadow_json(&report) : shadow_print(&report);
}

static int order_end(struct ctl *ctl, enum model_step step, const char *reason,
                     const uint8_t sha256[HASH_BYTES], const char *figures)
{
    char name[MODEL_STORE_NAME_BYTES];
    hex_encode(sha256, HASH_BYTES, name);
    memcpy(name + HASH_HEX_BYTES - 1, ".h5", sizeof ".h5");
    struct wire_command command = {.order = ORDER_MODEL,
                                   .file = name,
                                   .model_step = step,
                                   .sentence = reason,
                                   .figures = figures};
    return ctl_order(ctl, &command);
}

int ctl_model_promote(struct ctl *ctl, int argc, char **argv)
{
    const struct argp_option table[] = {policy_option, reason_option, {0}};
    const struct argp own = {
        table,
        parse_shadow,
        "",
        "Put the model in shadow in use, in its place. Who, why and the figures of the report (by "
        "the policy of --policy) go into the log.",
        NULL,
        NULL,
        NULL};
    static struct shadow_report report;
    char figures[SHADOW_FIGURES_BYTES];
    struct shadow_options options = {.wants_reason = true};
    ctl_parse(ctl, &own, &options, argc, argv);
    if (!make_report(ctl, options.policy, &report)) {
        return CTL_REFUSED;
    }
    shadow_figures(&report, figures);
    return order_end(ctl, MODEL_PROMOTE, options.reason, report.shadow.sha256, figures);
}

int ctl_model_withdraw(struct ctl *ctl, int argc, char **argv)
{
    const struct argp_option table[] = {reason_option, {0}};
    const struct argp own = {table,
                             parse_shadow,
                             "",
                             "Take the model in shadow away. Who and why go into the log, and what "
                             "it said stays there.",
                             NULL,
                             NULL,
                             NULL};
    struct shadow_options options = {.wants_reason = true};
    struct state_shadow shadow;
    ctl_parse(ctl, &own, &options, argc, argv);
    struct state *state = ctl_open_state(ctl);
    if (state == NULL) {
        return CTL_REFUSED;
    }
    struct err err = state_shadow(state, &shadow);
    state_close(&state);
    if (err_is(err)) {
        return err.code == ERR_NOT_FOUND ? ctl_refuse("no model is in shadow")
                                         : ctl_fail("read model", err);
    }
    return order_end(ctl, MODEL_WITHDRAW, options.reason, shadow.sha256, NULL);
}
