/* SPDX-License-Identifier: Apache-2.0 */
#include "decide/policy_file.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/durable.h"

/* Every key must be there: a policy has no defaults, because what nobody wrote down nobody decided.
 * Those that came later may be left out, and say then what was done before they were. */

enum { POLICY_FILE_BYTES_MAX = 1 << 20, POLICY_PATH_BYTES = 64 };

struct policy_key {
    const char *name;
    size_t offset;
};

#define POLICY_KEY(field)                           \
    {                                               \
#field, offsetof(struct mode_policy, field) \
    }
static const struct policy_key policy_reals[] = {
    POLICY_KEY(hold_s),
    POLICY_KEY(late_s),
    POLICY_KEY(random_rate),
    POLICY_KEY(capacity_per_hour),
    POLICY_KEY(horizon_h),
    POLICY_KEY(initial_cutoff),
    POLICY_KEY(minimum_probability),
    POLICY_KEY(severity),
    POLICY_KEY(perishable_weight),
};
static const struct policy_key policy_bools[] = {POLICY_KEY(expects_scan),
                                                 POLICY_KEY(expects_declaration)};
/* May be left out: 0 then. */
static const struct policy_key policy_options[] = {POLICY_KEY(queue_max), POLICY_KEY(deadline_h),
                                                   POLICY_KEY(alarm_h), POLICY_KEY(grave_weight)};
enum {
    POLICY_REALS_COUNT = sizeof policy_reals / sizeof policy_reals[0],
    POLICY_BOOLS_COUNT = sizeof policy_bools / sizeof policy_bools[0],
    POLICY_OPTIONS_COUNT = sizeof policy_options / sizeof policy_options[0],
    POLICY_MODE_KEYS = POLICY_REALS_COUNT + POLICY_BOOLS_COUNT + POLICY_OPTIONS_COUNT +
                       2 /* unscorable, random_rate_max */
};

struct policy_reader {
    const struct conf_tree *tree;
    const char *file;
    char *why;
};

__attribute__((format(printf, 3, 4))) static struct err
policy_refuse(const struct policy_reader *reader, int line, const char *format, ...)
{
    char reason[256];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(reason, sizeof reason, format, arguments);
    va_end(arguments);
    if (line > 0) {
        (void)snprintf(reader->why, CONF_WHY_BYTES, "%s:%d: %s", reader->file, line, reason);
    } else {
        (void)snprintf(reader->why, CONF_WHY_BYTES, "%s: %s", reader->file, reason);
    }
    return err_make(ERR_CONF_INVALID, "policy");
}

static struct err policy_check_names(const struct policy_reader *reader, const char *path,
                                     const char *const *known, int known_count)
{
    int members = conf_tree_count(reader->tree, path);
    for (int i = 0; i < members; i++) {
        int line = 0;
        const char *name = conf_tree_name(reader->tree, path, i, &line);
        bool found = false;
        for (int k = 0; k < known_count && !found; k++) {
            found = strcmp(known[k], name) == 0;
        }
        if (!found) {
            return policy_refuse(reader, line, "unknown key '%s'", name);
        }
    }
    return err_none;
}

static struct err policy_take_numbers(const struct policy_reader *reader, const char *group,
                                      struct mode_policy *out)
{
    char path[2 * POLICY_PATH_BYTES];
    int line;
    for (int i = 0; i < POLICY_REALS_COUNT; i++) {
        (void)snprintf(path, sizeof path, "%.60s.%s", group, policy_reals[i].name);
        if (!conf_tree_real(reader->tree, path,
                            (double *)(void *)((char *)out + policy_reals[i].offset), &line)) {
            return policy_refuse(reader, line, "%s must be there and be a number", path);
        }
    }
    for (int i = 0; i < POLICY_BOOLS_COUNT; i++) {
        (void)snprintf(path, sizeof path, "%.60s.%s", group, policy_bools[i].name);
        if (!conf_tree_bool(reader->tree, path, (bool *)((char *)out + policy_bools[i].offset),
                            &line)) {
            return policy_refuse(reader, line, "%s must be there and be true or false", path);
        }
    }
    return err_none;
}

static struct err policy_take_mode_options(const struct policy_reader *reader, const char *group,
                                           struct mode_policy *out)
{
    char path[2 * POLICY_PATH_BYTES];
    for (int i = 0; i < POLICY_OPTIONS_COUNT; i++) {
        int line = 0;
        (void)snprintf(path, sizeof path, "%.60s.%s", group, policy_options[i].name);
        if (!conf_tree_real(reader->tree, path,
                            (double *)(void *)((char *)out + policy_options[i].offset), &line) &&
            line > 0) {
            return policy_refuse(reader, line, "%s must be a number", path);
        }
    }
    return err_none;
}

/* May be left out as well: then oversight's rate is the rate. */
static struct err policy_take_ceiling(const struct policy_reader *reader, const char *group,
                                      struct mode_policy *out)
{
    char path[2 * POLICY_PATH_BYTES];
    int line = 0;
    out->random_rate_max = out->random_rate;
    for (int i = 0; i < conf_tree_count(reader->tree, group); i++) {
        if (strcmp(conf_tree_name(reader->tree, group, i, &line), "random_rate_max") != 0) {
            continue;
        }
        (void)snprintf(path, sizeof path, "%.60s.random_rate_max", group);
        if (!conf_tree_real(reader->tree, path, &out->random_rate_max, &line) ||
            !(out->random_rate_max >= out->random_rate)) {
            return policy_refuse(reader, line, "%s must be a number, at least random_rate", path);
        }
    }
    return err_none;
}

static struct err policy_take_mode(const struct policy_reader *reader, enum mode mode,
                                   struct mode_policy *out)
{
    char group[POLICY_PATH_BYTES];
    char path[POLICY_PATH_BYTES + 16];
    const char *known[POLICY_MODE_KEYS];
    for (int i = 0; i < POLICY_REALS_COUNT; i++) {
        known[i] = policy_reals[i].name;
    }
    for (int i = 0; i < POLICY_BOOLS_COUNT; i++) {
        known[POLICY_REALS_COUNT + i] = policy_bools[i].name;
    }
    for (int i = 0; i < POLICY_OPTIONS_COUNT; i++) {
        known[POLICY_REALS_COUNT + POLICY_BOOLS_COUNT + i] = policy_options[i].name;
    }
    known[POLICY_MODE_KEYS - 2] = "random_rate_max";
    known[POLICY_MODE_KEYS - 1] = "unscorable";
    (void)snprintf(group, sizeof group, "modes.%s", mode_text(mode));
    if (conf_tree_count(reader->tree, group) < 0) {
        return policy_refuse(reader, 0, "group %s is missing", group);
    }
    struct err err = policy_check_names(reader, group, known, POLICY_MODE_KEYS);
    if (!err_is(err)) {
        err = policy_take_numbers(reader, group, out);
    }
    if (!err_is(err)) {
        err = policy_take_ceiling(reader, group, out);
    }
    if (!err_is(err)) {
        err = policy_take_mode_options(reader, group, out);
    }
    if (err_is(err)) {
        return err;
    }
    int line = 0;
    (void)snprintf(path, sizeof path, "%.60s.unscorable", group);
    const char *word = conf_tree_text(reader->tree, path, &line);
    if (word != NULL && strcmp(word, "refer") == 0) {
        out->unscorable = UNSCORABLE_REFER;
    } else if (word != NULL && strcmp(word, "release") == 0) {
        out->unscorable = UNSCORABLE_RELEASE;
    } else {
        return policy_refuse(reader, line, "%s must be \"refer\" or \"release\"", path);
    }
    return err_none;
}

/* Of a list that may be left out; what stands there and is none is not passed over. */
static struct err policy_count(const struct policy_reader *reader, const char *list, uint32_t most,
                               uint32_t *out)
{
    int line = 0;
    int count = conf_tree_count(reader->tree, list);
    (void)conf_tree_text(reader->tree, list, &line); /* 0: it is not there */
    if (count < 0 && line > 0) {
        return policy_refuse(reader, line, "%s must be a list", list);
    }
    if (count > (int)most) {
        return policy_refuse(reader, 0, "more than %u %s", most, list);
    }
    *out = count > 0 ? (uint32_t)count : 0;
    return err_none;
}

static struct err policy_take_site(const struct policy_reader *reader, int index,
                                   struct site_policy *out)
{
    static const char *const known[] = {"site", "mode", "capacity_per_hour"};
    char path[POLICY_PATH_BYTES];
    int line = 0;
    (void)snprintf(path, sizeof path, "sites.[%d]", index);
    struct err err = policy_check_names(reader, path, known, 3);
    if (err_is(err)) {
        return err;
    }
    (void)snprintf(path, sizeof path, "sites.[%d].site", index);
    const char *site = conf_tree_text(reader->tree, path, &line);
    if (site == NULL || strlen(site) >= sizeof out->site) {
        return policy_refuse(reader, line, "%s must be a name of at most %zu bytes", path,
                             sizeof out->site - 1);
    }
    strcpy(out->site, site);
    (void)snprintf(path, sizeof path, "sites.[%d].mode", index);
    const char *mode = conf_tree_text(reader->tree, path, &line);
    out->mode = mode == NULL ? MODE_UNKNOWN : mode_parse(mode);
    if (out->mode == MODE_UNKNOWN) {
        return policy_refuse(reader, line, "%s must name a mode", path);
    }
    (void)snprintf(path, sizeof path, "sites.[%d].capacity_per_hour", index);
    if (!conf_tree_real(reader->tree, path, &out->capacity_per_hour, &line)) {
        return policy_refuse(reader, line, "%s must be a number", path);
    }
    return err_none;
}

static struct err policy_take_rate(const struct policy_reader *reader, int index,
                                   struct rate_policy *out)
{
    static const char *const known[] = {"stratum", "rate"};
    char path[POLICY_PATH_BYTES];
    int line = 0;
    (void)snprintf(path, sizeof path, "random_rates.[%d]", index);
    struct err err = policy_check_names(reader, path, known, 2);
    if (err_is(err)) {
        return err;
    }
    (void)snprintf(path, sizeof path, "random_rates.[%d].stratum", index);
    const char *stratum = conf_tree_text(reader->tree, path, &line);
    if (stratum == NULL || strlen(stratum) >= sizeof out->stratum) {
        return policy_refuse(reader, line, "%s must be a name of at most %zu bytes", path,
                             sizeof out->stratum - 1);
    }
    strcpy(out->stratum, stratum);
    (void)snprintf(path, sizeof path, "random_rates.[%d].rate", index);
    if (!conf_tree_real(reader->tree, path, &out->rate, &line)) {
        return policy_refuse(reader, line, "%s must be a number", path);
    }
    return err_none;
}

/* "06:30" as minutes of the day; "24:00" closes. */
static bool policy_clock(const char *text, uint32_t *minutes)
{
    unsigned hour = 0;
    unsigned minute = 0;
    char rest = 0;
    bool good = text != NULL && strlen(text) == 5 && text[2] == ':' &&
                sscanf(text, "%2u:%2u%c", &hour, &minute, &rest) == 2 && minute < 60 &&
                (hour < 24 || (hour == 24 && minute == 0));
    *minutes = good ? hour * 60 + minute : 0;
    return good;
}

static struct err policy_take_exam(const struct policy_reader *reader, int index,
                                   struct exam_policy *out)
{
    static const char *const known[] = {"site", "mode", "exam", "per_hour", "opens", "closes"};
    char path[POLICY_PATH_BYTES];
    int line = 0;
    (void)snprintf(path, sizeof path, "exams.[%d]", index);
    struct err err = policy_check_names(reader, path, known, 6);
    if (err_is(err)) {
        return err;
    }
    const char *words[3]; /* site, mode, exam */
    for (int i = 0; i < 3; i++) {
        (void)snprintf(path, sizeof path, "exams.[%d].%s", index, known[i]);
        words[i] = conf_tree_text(reader->tree, path, &line);
        if (words[i] == NULL || strlen(words[i]) >= (i == 2 ? sizeof out->exam : 65)) {
            return policy_refuse(reader, line, "%s must be a name", path);
        }
    }
    strcpy(out->site, words[0]);
    strcpy(out->exam, words[2]);
    out->mode = mode_parse(words[1]);
    if (out->mode == MODE_UNKNOWN) {
        return policy_refuse(reader, line, "exams.[%d].mode must name a mode", index);
    }
    (void)snprintf(path, sizeof path, "exams.[%d].per_hour", index);
    if (!conf_tree_real(reader->tree, path, &out->per_hour, &line)) {
        return policy_refuse(reader, line, "%s must be a number", path);
    }
    uint32_t *const times[2] = {&out->opens_min, &out->closes_min};
    for (int i = 0; i < 2; i++) {
        (void)snprintf(path, sizeof path, "exams.[%d].%s", index, known[4 + i]);
        if (!policy_clock(conf_tree_text(reader->tree, path, &line), times[i])) {
            return policy_refuse(reader, line, "%s must be a UTC time as \"06:30\"", path);
        }
    }
    return err_none;
}

static struct err policy_take_exams(const struct policy_reader *reader, struct policy *out)
{
    struct err err = policy_count(reader, "exams", POLICY_EXAMS_MAX, &out->exams_count);
    for (uint32_t i = 0; !err_is(err) && i < out->exams_count; i++) {
        err = policy_take_exam(reader, (int)i, &out->exams[i]);
    }
    return err;
}

/* What may be left out: the line of a key that is there and of another kind is told. */
static struct err policy_take_options(const struct policy_reader *reader, struct policy *out)
{
    int line = 0;
    out->hysteresis = 0.1;
    out->ageing_per_hour = 0.1;
    out->target = TARGET_ON;
    if (!conf_tree_real(reader->tree, "hysteresis", &out->hysteresis, &line) && line > 0) {
        return policy_refuse(reader, line, "hysteresis must be a number");
    }
    if (!conf_tree_real(reader->tree, "ageing_per_hour", &out->ageing_per_hour, &line) &&
        line > 0) {
        return policy_refuse(reader, line, "ageing_per_hour must be a number");
    }
    if (!conf_tree_bool(reader->tree, "hide_arm", &out->hide_arm, &line) && line > 0) {
        return policy_refuse(reader, line, "hide_arm must be true or false");
    }
    const char *target = conf_tree_text(reader->tree, "target", &line);
    for (int i = TARGET_ON; target != NULL && i <= TARGET_OFF; i++) {
        if (strcmp(target, target_policy_text((enum target_policy)i)) == 0) {
            out->target = (enum target_policy)i;
            return err_none;
        }
    }
    return target == NULL && line == 0
               ? err_none
               : policy_refuse(reader, line, "target must be \"on\", \"shadow\" or \"off\"");
}

/* Only strata that have a rate of their own stand there: without any, each has that of its mode. */
static struct err policy_take_rates(const struct policy_reader *reader, struct policy *out)
{
    struct err err = policy_count(reader, "random_rates", POLICY_RATES_MAX, &out->rates_count);
    for (uint32_t i = 0; !err_is(err) && i < out->rates_count; i++) {
        err = policy_take_rate(reader, (int)i, &out->rates[i]);
    }
    return err;
}

static struct err policy_take_head(const struct policy_reader *reader, struct policy *out)
{
    static const char *const known[] = {"version",    "window_count",    "warmup_count", "modes",
                                        "sites",      "random_rates",    "exams",        "target",
                                        "hysteresis", "ageing_per_hour", "hide_arm"};
    struct err err = policy_check_names(reader, "", known, sizeof known / sizeof known[0]);
    if (err_is(err)) {
        return err;
    }
    int line = 0;
    const char *version = conf_tree_text(reader->tree, "version", &line);
    if (version == NULL || strlen(version) >= sizeof out->version) {
        return policy_refuse(reader, line, "version must be text of at most %zu bytes",
                             sizeof out->version - 1);
    }
    strcpy(out->version, version);
    double window = 0;
    double warmup = 0;
    bool got = conf_tree_real(reader->tree, "window_count", &window, &line) && window >= 0 &&
               window <= 65536;
    if (!got) {
        return policy_refuse(reader, line, "window_count must be a number up to 65536");
    }
    got = conf_tree_real(reader->tree, "warmup_count", &warmup, &line) && warmup >= 0 &&
          warmup <= 65536;
    if (!got) {
        return policy_refuse(reader, line, "warmup_count must be a number up to 65536");
    }
    out->window_count = (uint32_t)window;
    out->warmup_count = (uint32_t)warmup;
    return err_none;
}

static struct err policy_take(const struct policy_reader *reader, struct policy *out)
{
    struct err err = policy_take_head(reader, out);
    for (int mode = 1; !err_is(err) && mode < MODE_COUNT; mode++) {
        err = policy_take_mode(reader, (enum mode)mode, &out->modes[mode]);
    }
    if (!err_is(err)) {
        err = policy_count(reader, "sites", POLICY_SITES_MAX, &out->sites_count);
    }
    for (uint32_t i = 0; !err_is(err) && i < out->sites_count; i++) {
        err = policy_take_site(reader, (int)i, &out->sites[i]);
    }
    if (!err_is(err)) {
        err = policy_take_rates(reader, out);
    }
    if (!err_is(err)) {
        err = policy_take_exams(reader, out);
    }
    if (!err_is(err)) {
        err = policy_take_options(reader, out);
    }
    const char *fault = err_is(err) ? NULL : policy_check(out);
    return fault == NULL ? err : policy_refuse(reader, 0, "%s", fault);
}

struct err policy_file_path(const struct conf *conf, char *out, size_t out_capacity)
{
    const char *slash = strrchr(conf->file, '/');
    int directory_bytes =
        slash == NULL || conf->policy_file[0] == '/' ? 0 : (int)(slash - conf->file) + 1;
    int written =
        snprintf(out, out_capacity, "%.*s%s", directory_bytes, conf->file, conf->policy_file);
    bool fits = written > 0 && (size_t)written < out_capacity;
    return fits ? err_none : err_make(ERR_CONF_INVALID, "policy path too long");
}

struct err policy_file_read(const char *path, struct policy *out, char *why)
{
    struct policy policy = {0};
    uint8_t *bytes = NULL;
    size_t bytes_count = 0;
    struct conf_tree *tree = NULL;
    struct err err = conf_tree_open(path, &tree, why);
    if (err_is(err)) {
        return err;
    }
    struct policy_reader reader = {tree, path, why};
    err = policy_take(&reader, &policy);
    conf_tree_close(&tree);
    if (err_is(err)) {
        return err;
    }
    err = durable_read(path, POLICY_FILE_BYTES_MAX, &bytes, &bytes_count);
    if (err_is(err)) {
        return err;
    }
    sha256_of(bytes, bytes_count, policy.sha256);
    free(bytes);
    *out = policy;
    return err_none;
}
