/* SPDX-License-Identifier: Apache-2.0 */
#include "ledger/operation.h"

#include <string.h>

#define DAY_NS (INT64_C(86400) * 1000000000)

static bool is_one_of(const char *text, const char *first, const char *second, const char *third)
{
    return text != NULL &&
           (strcmp(text, first) == 0 || strcmp(text, second) == 0 || strcmp(text, third) == 0);
}

bool operation_metric_known(const char *metric)
{
    return is_one_of(metric, "hit_rate", "exam_rate", "find_rate");
}

bool operation_comparator_known(const char *comparator)
{
    return is_one_of(comparator, "before", "others", "random");
}

/* Names go into commands and tables: small letters, digits and dashes. */
static bool is_name(const char *name)
{
    size_t bytes = name == NULL ? 0 : strlen(name);
    return bytes > 0 && bytes <= 64 &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == bytes && name[0] != '-';
}

static bool is_empty(const char *text)
{
    return text == NULL || text[0] == '\0';
}

const char *operation_fault(const struct entry_operation *operation, int64_t now_ns)
{
    if (!is_name(operation->name)) {
        return "a name is 1 to 64 small letters, digits and dashes";
    }
    if (operation->from_ns <= now_ns + OPERATION_AHEAD_NS) {
        return "an operation is registered before it starts, by a minute at least";
    }
    if (operation->to_ns <= operation->from_ns ||
        operation->to_ns - operation->from_ns > OPERATION_DAYS_MAX * DAY_NS) {
        return "an operation ends after it starts, and within two years";
    }
    if (is_empty(operation->hypothesis) || is_empty(operation->stop_rule)) {
        return "a hypothesis and a stop rule are needed";
    }
    if (!operation_metric_known(operation->metric)) {
        return "the metric is not one of hit_rate, exam_rate, find_rate";
    }
    if (!operation_comparator_known(operation->comparator)) {
        return "the comparator is not one of before, others, random";
    }
    if (strcmp(operation->comparator, "others") == 0 && is_empty(operation->site)) {
        return "other sites are no comparator of an operation at every site";
    }
    if (!is_empty(operation->lane) && is_empty(operation->site)) {
        return "a lane is one of a site";
    }
    return NULL;
}

static struct err consider_register(const struct entry_operation *asked, bool known, int64_t now_ns,
                                    struct entry *entry, struct ledger_answer *answer)
{
    const char *fault = operation_fault(asked, now_ns);
    if (fault != NULL) {
        return ledger_refuse(answer, ERR_ARGUMENT, fault);
    }
    if (known) {
        return ledger_refuse(answer, ERR_CONFLICT,
                             "there is an operation of this name; what is registered stays");
    }
    entry->body.operation = *asked;
    entry->body.operation.reason = "";
    return err_none;
}

static struct err consider_close(struct state *state, const struct entry_operation *asked,
                                 bool known, const struct state_operation *operation,
                                 int64_t now_ns, struct entry *entry, struct ledger_answer *answer)
{
    if (!known) {
        return ledger_refuse(answer, ERR_NOT_FOUND, "no operation of this name");
    }
    if (operation->closed) {
        return ledger_refuse(answer, ERR_ILLEGAL_TRANSITION, "the operation is closed");
    }
    if (is_empty(asked->reason)) {
        return ledger_refuse(answer, ERR_ARGUMENT, "why is it closed? A reason is needed");
    }
    struct state_figures figures;
    struct err err = state_operation_figures(state, asked->name, now_ns, &figures);
    if (err_is(err)) {
        return err;
    }
    entry->body.operation = (struct entry_operation){
        .name = asked->name,
        .step = "close",
        .reason = asked->reason,
        .numerator = figures.numerator,
        .denominator = figures.denominator,
        .comparator_numerator = figures.comparator_numerator,
        .comparator_denominator = figures.comparator_denominator,
    };
    return err_none;
}

struct err operation_consider(struct state *state, const struct wire_command *command,
                              const char *actor, int64_t now_ns, struct entry *entry,
                              struct ledger_answer *answer)
{
    const struct entry_operation *asked = &command->operation;
    memset(answer, 0, sizeof *answer);
    memset(entry, 0, sizeof *entry);
    if (is_empty(command->actor)) {
        return ledger_refuse(answer, ERR_ARGUMENT, "an actor must be named");
    }
    struct state_operation operation = {.closed = false};
    struct err err = state_operation(state, asked->name == NULL ? "" : asked->name, &operation);
    bool known = !err_is(err);
    if (err_is(err) && err.code != ERR_NOT_FOUND) {
        return err;
    }
    bool closes = asked->step != NULL && strcmp(asked->step, "close") == 0;
    if (!closes && (asked->step == NULL || strcmp(asked->step, "register") != 0)) {
        return ledger_refuse(answer, ERR_ARGUMENT, "an operation is registered or closed");
    }
    answer->verdict = LEDGER_ENTRY;
    entry->type = ENTRY_OPERATION;
    entry->actor = actor;
    err = closes ? consider_close(state, asked, known, &operation, now_ns, entry, answer)
                 : consider_register(asked, known, now_ns, entry, answer);
    entry->body.operation.request_id = command->request_id;
    return err;
}
