/* SPDX-License-Identifier: Apache-2.0 */
/* triagectl: the officer's, operator's and researcher's command line. One table of commands; each
 * has a file of its group. */
#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/ctl.h"
#include "ctl/ctl_consistency.h"
#include "ctl/ctl_emptiness.h"
#include "proto/sign.h"
#include "score/blas_core.h"

struct command {
    const char *words; /* as typed: "log cat" */
    int (*run)(struct ctl *ctl, int argc, char **argv);
    bool computes; /* trains or scores: wants the right BLAS kernels */
    const char *sentence;
};

static const struct command commands[] = {
    {"queue", ctl_queue, false, "the ranked referral queue"},
    {"show", ctl_show, true, "everything known of an item, and its image with the anomaly map"},
    {"claim", ctl_claim, false, "take an item into an exam"},
    {"release", ctl_release, false, "end a referral without an exam, by a coded reason"},
    {"outcome", ctl_outcome, false, "record what an exam found"},
    {"correct", ctl_correct, false,
     "correct the outcome of an item; the wrong one stays on record"},
    {"report", ctl_report, false, "funnel, hit rates and the other published metrics"},
    {"health", ctl_health, false, "ask the daemon how it is"},
    {"watch", ctl_watch, false, "print decisions as the daemon makes them"},
    {"log cat", ctl_log_cat, false, "entries of the oversight log"},
    {"log checkpoint", ctl_log_checkpoint, false, "the newest signed checkpoint"},
    {"log proof", ctl_log_proof, false, "proof for a witness that has no network"},
    {"log prune", ctl_log_prune, false, "take old entry bundles out of the public log"},
    {"log cosign", ctl_log_cosign, false, "bring the cosignature of such a witness home"},
    {"log publish", ctl_log_publish, false, "have a checkpoint published now"},
    {"log close", ctl_log_close, false, "close the log's shard for good; the daemon stops"},
    {"refer", ctl_refer, false, "refer an item by hand, with a reason"},
    {"policy load", ctl_policy_load, false, "put the policy file in force, with a reason"},
    {"policy simulate", ctl_policy_simulate, false,
     "what another policy would have referred on days that are over"},
    {"verify-day", ctl_verify_day, false,
     "make the random draws of a day again, from public files"},
    {"reveal", ctl_reveal, false, "show personal data behind an item; recorded before it is shown"},
    {"redact", ctl_redact, false, "delete personal data behind an item, on a legal basis"},
    {"receipt", ctl_receipt, false, "proof that an entry is in the signed log, to keep"},
    {"archive list", ctl_archive_list, false, "sealed archive files and whether they are there"},
    {"archive verify", ctl_archive_verify, false, "check sealed files against seals and log"},
    {"archive rebuild", ctl_archive_rebuild, false,
     "make sealed files again and compare with their seals"},
    {"archive export", ctl_archive_export, false,
     "sealed files as CSV, or as a copy for publication"},
    {"archive restore", ctl_archive_restore, false,
     "put sealed files back from a directory of copies"},
    {"archive retention", ctl_archive_retention, false,
     "what is copied, what is kept in blobs and why, and what would go"},
    {"archive seal", ctl_archive_seal, false, "have an archive file sealed now"},
    {"hold add", ctl_hold_add, false, "legal hold: nothing of an item is discarded"},
    {"hold remove", ctl_hold_remove, false, "lift a legal hold"},
    {"hold list", ctl_hold_list, false, "legal holds in force"},
    {"operation register", ctl_operation_register, false,
     "register a targeted operation before it starts"},
    {"operation close", ctl_operation_close, false, "close one, with its figures"},
    {"operation list", ctl_operation_list, false, "operations and what they have come to"},
    {"replay", ctl_replay, true, "compute scores again from archive and models, bit for bit"},
    {"model train appearance", ctl_model_train_appearance, true,
     "learn what normal images of a scanner type look like"},
    {"model train consistency", ctl_model_train_consistency, true,
     "learn what loads declared under each HS chapter look like"},
    {"model train emptiness", ctl_model_train_emptiness, true,
     "learn to tell empty containers from loaded ones"},
    {"model train history", ctl_model_train_history, true, "learn from labelled declarations"},
    {"model train declarations", ctl_model_train_declarations, true,
     "learn trees over histories and goods from labelled declarations"},
    {"model score", ctl_model_score, true,
     "score a table of declarations, with reasons, or a folder of images"},
    {"model evaluate", ctl_model_evaluate, true,
     "how good a model is on labelled declarations or marked images"},
    {"model retrain", ctl_model_retrain, false,
     "learn from the log's exams, compare with the model in use, install"},
    {"model drift", ctl_model_drift, false, "how far declarations differ from those before"},
    {"model list", ctl_model_list, false, "models in force and model files at hand"},
    {"model install", ctl_model_install, false,
     "put a model file into the store and in force, or with --shadow beside what is in force"},
    {"model shadow", ctl_model_shadow, false, "how the model in shadow ranks, by what exams found"},
    {"model promote", ctl_model_promote, false, "put the model in shadow in force, with a reason"},
    {"model withdraw", ctl_model_withdraw, false, "take the model in shadow away, with a reason"},
    {"model show", ctl_model_show, false, "what is in a model file"},
    {"keys init", ctl_keys_init, false, "make the daemon's keys"},
    {"keys rotate", ctl_keys_rotate, false,
     "make a new signing key, to which the log goes on at the next start"},
    {"keys publisher", ctl_keys_publisher, false, "make or allow the key of a publisher"},
    {"keys subscriber", ctl_keys_subscriber, false,
     "make or allow the key of a subscriber of verdicts"},
    {"keys viewer", ctl_keys_viewer, false, "make a token for somebody who may see images"},
    {"keys list", ctl_keys_list, false, "keys and allow-lists"},
};
enum { COMMANDS_COUNT = sizeof commands / sizeof commands[0] };

static void print_help(FILE *to)
{
    (void)fputs(
        "Usage: triagectl [OPTION...] COMMAND [OPTION...] [ARGUMENT]\n"
        "Look at, and act on, the referral queue of a triaged daemon; read its log, archive, "
        "models and keys.\n\n",
        to);
    for (size_t i = 0; i < COMMANDS_COUNT; i++) {
        (void)fprintf(to, "  %-26s%s\n", commands[i].words, commands[i].sentence);
    }
    (void)fputs("\nOptions of every command:\n"
                "  --dir STORE  --config FILE  --endpoint ENDPOINT  --actor NAME  --json\n"
                "`triagectl COMMAND --help` tells the others; triagectl(1) has examples.\n"
                "Exit: 0 done, 1 refused, not found or not reachable, 2 usage.\n",
                to);
}

/* How many of argv's words are the command's, 0 when it is another one. */
static int words_matched(const char *words, int argc, char **argv)
{
    int count = 0;
    while (*words != '\0') {
        size_t word_bytes = strcspn(words, " ");
        if (count >= argc || strncmp(argv[count], words, word_bytes) != 0 ||
            argv[count][word_bytes] != '\0') {
            return 0;
        }
        words += word_bytes;
        words += *words == ' ';
        count++;
    }
    return count;
}

static int run_command(struct ctl *ctl, int argc, char **argv, char **whole_argv)
{
    for (size_t i = 0; i < COMMANDS_COUNT; i++) {
        int matched = words_matched(commands[i].words, argc, argv);
        if (matched == 0) {
            continue;
        }
        if (commands[i].computes) {
            blas_core_force(
                whole_argv); /* may start this program again: before anything else was done */
        }
        char name[64];
        (void)snprintf(name, sizeof name, "triagectl %s", commands[i].words);
        argv[matched - 1] = name; /* argp prints it as the program's name */
        return commands[i].run(ctl, argc - (matched - 1), argv + (matched - 1));
    }
    (void)fprintf(stderr, "triagectl: no command");
    for (int i = 0; i < argc && i < 3 && argv[i][0] != '-'; i++) {
        (void)fprintf(stderr, " %s", argv[i]);
    }
    (void)fputs("\n\n", stderr);
    print_help(stderr);
    return CTL_USAGE;
}

struct leading {
    struct ctl *ctl;
    int command_index; /* of argv; 0: none found */
};

static error_t parse_leading(int key, char *text, struct argp_state *state)
{
    (void)text;
    struct leading *leading = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = leading->ctl;
        return 0;
    case ARGP_KEY_ARG:
        leading->command_index = state->next - 1;
        state->next = state->argc; /* the rest belongs to the command */
        return 0;
    case 'h':
        print_help(stdout);
        exit(CTL_GOOD);
    case 'V':
        puts("triagectl " TRIAGED_VERSION);
        exit(CTL_GOOD);
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

int main(int argc, char **argv)
{
    static const struct argp_option options[] = {
        {"help", 'h', 0, 0, "this list", 0},
        {"version", 'V', 0, 0, "version of the program", 0},
        {0, 0, 0, 0, 0, 0},
    };
    const struct argp_child children[] = {{&ctl_argp, 0, NULL, 0}, {NULL, 0, NULL, 0}};
    const struct argp argp = {options, parse_leading, "COMMAND", NULL, children, NULL, NULL};
    (void)setlocale(LC_CTYPE, "");
    argp_err_exit_status = CTL_USAGE;
    if (!sign_init()) {
        return ctl_refuse("the cryptographic library cannot be used");
    }
    struct ctl ctl = {0};
    struct leading leading = {.ctl = &ctl};
    argp_parse(&argp, argc, argv, ARGP_IN_ORDER | ARGP_NO_HELP, NULL, &leading);
    if (leading.command_index == 0) {
        print_help(stderr);
        return CTL_USAGE;
    }
    if (strcmp(argv[leading.command_index], "help") == 0) {
        print_help(stdout);
        return CTL_GOOD;
    }
    return run_command(&ctl, argc - leading.command_index, argv + leading.command_index, argv);
}
