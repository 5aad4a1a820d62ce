/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CTL_H
#define CTL_H

/* Ctl: what every command of triagectl shares: global options, where the store lies, how errors are
 * told.
 *
 * Nothing in this module writes the store but model files and keys; every action goes through the
 * command socket, so that the daemon checks and records it. Main thread only. */

#include <argp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/conf.h"
#include "base/durable.h"
#include "base/err.h"
#include "proto/entry.h"

/* Exit codes of every command; the man page repeats them. */
enum ctl_exit {
    CTL_GOOD = 0,
    CTL_REFUSED = 1, /* refused, not found, or not reachable */
    CTL_USAGE = 2
};

struct ctl {
    const char *directory;   /* --dir; NULL: the configuration's */
    const char *config_file; /* --config; NULL: CTL_CONFIG_FILE when it is there */
    const char *endpoint;    /* --endpoint; NULL: the configuration's command endpoint */
    const char *actor;       /* --actor; NULL: the login name */
    bool json;
    bool settled; /* conf is filled */
    struct conf conf;
};

#define CTL_CONFIG_FILE "/etc/triaged/triaged.conf"

/* Global options, as a child parser of every command's argp; its input is the struct ctl. */
extern const struct argp ctl_argp;
/* A command's own parser with the global options beside it. argv[0] is "triagectl queue". own: its
 * input is `options`; with children of its own it answers ARGP_KEY_INIT. Exits by itself on --help
 * and usage errors. */
void ctl_parse(struct ctl *ctl, const struct argp *own, void *options, int argc, char **argv);
/* For a command without options or arguments of its own. */
void ctl_parse_nothing(struct ctl *ctl, const char *sentence, int argc, char **argv);

/* "triagectl: what: file operation failed: ..." on standard error; returns CTL_REFUSED. */
int ctl_fail(const char *what, struct err err);
int ctl_refuse(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Reads the configuration once: false when it was told why it cannot be. */
bool ctl_settle(struct ctl *ctl);
/* Absolute or store-relative path below the store: out has DURABLE_PATH_BYTES. False when too long
 * (told). */
bool ctl_path(struct ctl *ctl, const char *name, char *out);
/* The command endpoint, ipc paths made absolute by the store; out has DURABLE_PATH_BYTES. */
bool ctl_endpoint(struct ctl *ctl, const char *configured, char *out);
/* Who acts: --actor or the login name. Lives as long as the process. */
const char *ctl_actor(struct ctl *ctl);

struct state;
/* The read model, for reading; NULL when it could not be opened (told). */
struct state *ctl_open_state(struct ctl *ctl);
/* An item by label or by at least six digits of its id; false when there is none or more than one
 * (told). */
bool ctl_find_item(struct state *state, const char *text, uint8_t item[ITEM_ID_BYTES]);

/* "2026-09-21", "2026-09-21T11:22:33Z" as UTC ns; false for anything else. */
bool ctl_parse_time(const char *text, int64_t *t_ns);
/* Whole decimal number that fits; for parsers of options: argp_error (exit 2) when it is not. */
uint64_t ctl_number(struct argp_state *state, const char *option, const char *text, uint64_t max);
double ctl_real(struct argp_state *state, const char *option, const char *text);

/* ---- commands: argv[0] is "triagectl NAME"; each returns an exit code */

int ctl_queue(struct ctl *ctl, int argc, char **argv);
int ctl_show(struct ctl *ctl, int argc, char **argv);
int ctl_claim(struct ctl *ctl, int argc, char **argv);
int ctl_release(struct ctl *ctl, int argc, char **argv);
int ctl_outcome(struct ctl *ctl, int argc, char **argv);
int ctl_correct(struct ctl *ctl, int argc, char **argv);
int ctl_operation_register(struct ctl *ctl, int argc, char **argv);
int ctl_operation_close(struct ctl *ctl, int argc, char **argv);
int ctl_operation_list(struct ctl *ctl, int argc, char **argv);
int ctl_report(struct ctl *ctl, int argc, char **argv);
int ctl_health(struct ctl *ctl, int argc, char **argv);
int ctl_watch(struct ctl *ctl, int argc, char **argv);
int ctl_log_cat(struct ctl *ctl, int argc, char **argv);
int ctl_log_checkpoint(struct ctl *ctl, int argc, char **argv);
int ctl_policy_load(struct ctl *ctl, int argc, char **argv);
int ctl_policy_simulate(struct ctl *ctl, int argc, char **argv);
int ctl_refer(struct ctl *ctl, int argc, char **argv);
int ctl_verify_day(struct ctl *ctl, int argc, char **argv);
int ctl_reveal(struct ctl *ctl, int argc, char **argv);
int ctl_redact(struct ctl *ctl, int argc, char **argv);
/* Redactions and what of them is still on the disk. */
int ctl_redact_status(struct ctl *ctl);
int ctl_receipt(struct ctl *ctl, int argc, char **argv);
int ctl_log_proof(struct ctl *ctl, int argc, char **argv);
int ctl_log_cosign(struct ctl *ctl, int argc, char **argv);
int ctl_log_prune(struct ctl *ctl, int argc, char **argv);
int ctl_log_publish(struct ctl *ctl, int argc, char **argv);
int ctl_log_close(struct ctl *ctl, int argc, char **argv);
int ctl_archive_list(struct ctl *ctl, int argc, char **argv);
int ctl_archive_verify(struct ctl *ctl, int argc, char **argv);
int ctl_archive_rebuild(struct ctl *ctl, int argc, char **argv);
int ctl_archive_export(struct ctl *ctl, int argc, char **argv);
int ctl_archive_restore(struct ctl *ctl, int argc, char **argv);
int ctl_archive_retention(struct ctl *ctl, int argc, char **argv);
int ctl_archive_seal(struct ctl *ctl, int argc, char **argv);
int ctl_hold_add(struct ctl *ctl, int argc, char **argv);
int ctl_hold_remove(struct ctl *ctl, int argc, char **argv);
int ctl_hold_list(struct ctl *ctl, int argc, char **argv);
int ctl_replay(struct ctl *ctl, int argc, char **argv);
int ctl_model_train_appearance(struct ctl *ctl, int argc, char **argv);
int ctl_model_train_history(struct ctl *ctl, int argc, char **argv);
int ctl_model_train_declarations(struct ctl *ctl, int argc, char **argv);
int ctl_model_evaluate(struct ctl *ctl, int argc, char **argv);
int ctl_model_score(struct ctl *ctl, int argc, char **argv);
int ctl_model_retrain(struct ctl *ctl, int argc, char **argv);
int ctl_model_drift(struct ctl *ctl, int argc, char **argv);
int ctl_model_list(struct ctl *ctl, int argc, char **argv);
int ctl_model_install(struct ctl *ctl, int argc, char **argv);
int ctl_model_show(struct ctl *ctl, int argc, char **argv);
int ctl_model_shadow(struct ctl *ctl, int argc, char **argv);
int ctl_model_promote(struct ctl *ctl, int argc, char **argv);
int ctl_model_withdraw(struct ctl *ctl, int argc, char **argv);
int ctl_keys_init(struct ctl *ctl, int argc, char **argv);
int ctl_keys_rotate(struct ctl *ctl, int argc, char **argv);
int ctl_keys_publisher(struct ctl *ctl, int argc, char **argv);
int ctl_keys_subscriber(struct ctl *ctl, int argc, char **argv);
int ctl_keys_viewer(struct ctl *ctl, int argc, char **argv);
int ctl_keys_list(struct ctl *ctl, int argc, char **argv);

#endif
