/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/ctl.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/tile_files.h"
#include "ctl/ctl_order.h"
#include "proto/cosignature.h"
#include "proto/quorum.h"
#include "proto/witness_request.h"

/* The road of a witness without a network: `triagectl log checkpoint` and `log proof` go out on a
 * stick or on paper, a line comes back, and `log cosign` hands it to the daemon, which checks it
 * and writes it into the log. */

enum { COPIES_TRIED_MAX = 1000000 };

struct witness_options {
    const char *file;
    uint64_t size;
    bool has_size;
};

static error_t parse_witness(int key, char *text, struct argp_state *state)
{
    struct witness_options *options = state->input;
    switch (key) {
    case 'f':
    case 's':
        options->size = ctl_number(state, key == 'f' ? "from" : "size", text, INT64_MAX);
        options->has_size = true;
        return 0;
    case ARGP_KEY_ARG:
        if (options->file != NULL) {
            argp_error(state, "unexpected argument %s", text);
        }
        options->file = text;
        return 0;
    case ARGP_KEY_END:
        if (options->file == NULL) {
            argp_error(state, "which FILE?");
        }
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* The shard of an origin: below log/, named by what stands behind its last slash. */
static bool shard_of(struct ctl *ctl, const char *origin, char *out)
{
    char directory[DURABLE_PATH_BYTES];
    const char *year = strrchr(origin, '/');
    if (year == NULL) {
        ctl_refuse("%s is no log of a port", origin);
        return false;
    }
    if (!ctl_path(ctl, "log", directory)) {
        return false;
    }
    int bytes = snprintf(out, DURABLE_PATH_BYTES, "%s%s", directory, year);
    if (bytes < 0 || bytes >= (int)DURABLE_PATH_BYTES) {
        ctl_refuse("%s: path is too long", directory);
        return false;
    }
    return true;
}

static bool checkpoint_take(const char *path, struct checkpoint *out)
{
    uint8_t *text = NULL;
    size_t text_bytes = 0;
    size_t signed_bytes = 0;
    size_t lines_at = 0;
    struct err err = durable_read(path, NOTE_BYTES_MAX, &text, &text_bytes);
    if (err_is(err)) {
        ctl_fail(path, err);
        return false;
    }
    bool good = checkpoint_split((const char *)text, text_bytes, out, &signed_bytes, &lines_at);
    free(text);
    if (!good) {
        ctl_refuse("%s: not a signed checkpoint of three lines", path);
    }
    return good;
}

static int proof_print(const char *shard, uint64_t from, const struct checkpoint *checkpoint)
{
    static struct tile_files tiles; /* large: a tile a level */
    static char text[WITNESS_REQUEST_BYTES_MAX];
    uint8_t hashes[MERKLE_LEVELS_MAX][HASH_BYTES];
    uint8_t root[HASH_BYTES];
    struct witness_request request = {.old_size = from};
    if (from > checkpoint->size) {
        return ctl_refuse("the checkpoint has %" PRIu64 " entries, less than %" PRIu64,
                          checkpoint->size, from);
    }
    if (!tile_files_init(&tiles, shard, checkpoint->size) ||
        !merkle_root(tile_files_hash, &tiles, checkpoint->size, root) ||
        !hash_equal(root, checkpoint->root)) {
        return ctl_refuse("%s: its tiles do not give the checkpoint's root", shard);
    }
    if (!merkle_consistency(tile_files_hash, &tiles, from, checkpoint->size, hashes,
                            &request.hashes_count) ||
        request.hashes_count > WITNESS_PROOF_HASHES_MAX) {
        return ctl_refuse("%s: no proof can be made of its tiles", shard);
    }
    memcpy(request.hashes, hashes, (size_t)request.hashes_count * HASH_BYTES);
    (void)witness_request_write_proof(&request, text);
    return fputs(text, stdout) >= 0 ? CTL_GOOD : CTL_REFUSED;
}

int ctl_log_proof(struct ctl *ctl, int argc, char **argv)
{
    static const struct argp_option options_table[] = {
        {"from", 'f', "SIZE", 0, "size that the witness cosigned last (default 0: none)", 1},
        {0, 0, 0, 0, 0, 0},
    };
    static const struct argp own = {
        options_table,
        parse_witness,
        "CHECKPOINT",
        "Proof that the log of the checkpoint in this file only grew since SIZE, for "
        "triage-witness cosign --proof.",
        NULL,
        NULL,
        NULL};
    struct witness_options options = {0};
    struct checkpoint checkpoint;
    char shard[DURABLE_PATH_BYTES];
    ctl_parse(ctl, &own, &options, argc, argv);
    if (!checkpoint_take(options.file, &checkpoint) || !shard_of(ctl, checkpoint.origin, shard)) {
        return CTL_REFUSED;
    }
    return proof_print(shard, options.size, &checkpoint);
}

/* ---- the way home ---- */

/* Does the line verify over the checkpoint in this file? */
static bool line_covers(const char *path, const struct note_signature *line,
                        const struct quorum *quorum, uint64_t *size)
{
    uint8_t *text = NULL;
    size_t text_bytes = 0;
    size_t signed_bytes = 0;
    size_t lines_at = 0;
    uint64_t time_s = 0;
    struct checkpoint checkpoint;
    if (err_is(durable_read(path, NOTE_BYTES_MAX, &text, &text_bytes))) {
        return false;
    }
    bool covers = false;
    if (checkpoint_split((const char *)text, text_bytes, &checkpoint, &signed_bytes, &lines_at)) {
        for (uint32_t i = 0; !covers && i < quorum->witnesses_count; i++) {
            covers = cosignature_check((const char *)text, signed_bytes, line,
                                       &quorum->witnesses[i].vkey, &time_s) == COSIGNATURE_GOOD;
        }
    }
    free(text);
    if (covers) {
        *size = checkpoint.size;
    }
    return covers;
}

/* A line does not say which checkpoint it covers; all of the shard are tried. */
static bool size_in(const char *shard, const struct note_signature *line,
                    const struct quorum *quorum, uint64_t *size)
{
    char folder[DURABLE_PATH_BYTES + 16];
    (void)snprintf(folder, sizeof folder, "%s/checkpoints", shard);
    DIR *listing = opendir(folder);
    bool found = false;
    int tried = 0;
    for (struct dirent *name;
         !found && tried < COPIES_TRIED_MAX && listing != NULL && (name = readdir(listing)) != NULL;
         tried++) {
        char path[DURABLE_PATH_BYTES + 300];
        (void)snprintf(path, sizeof path, "%s/%s", folder, name->d_name);
        found = name->d_name[0] != '.' && strlen(path) < DURABLE_PATH_BYTES &&
                line_covers(path, line, quorum, size);
    }
    if (listing != NULL) {
        closedir(listing);
    }
    return found;
}

static bool size_find(struct ctl *ctl, const char *lines, size_t lines_bytes, uint64_t *size)
{
    static struct quorum quorum; /* large: keys and addresses of 64 */
    char directory[DURABLE_PATH_BYTES];
    char policy[DURABLE_PATH_BYTES];
    struct note_signature line;
    size_t at = 0;
    uint32_t fault_line = 0;
    uint8_t *text = NULL;
    size_t text_bytes = 0;
    if (!sign_init() || !note_signature_next(lines, lines_bytes, &at, &line)) {
        ctl_refuse("not a signature line");
        return false;
    }
    if (!ctl_settle(ctl) || !ctl_path(ctl, ctl->conf.oversight_witness_policy, policy) ||
        !ctl_path(ctl, "log", directory)) {
        return false;
    }
    struct err err = durable_read(policy, QUORUM_FILE_BYTES_MAX, &text, &text_bytes);
    bool good = !err_is(err) &&
                quorum_read((const char *)text, text_bytes, &quorum, &fault_line) == QUORUM_GOOD;
    free(text);
    if (!good) {
        ctl_refuse("%s: no readable quorum file (oversight.witness_policy)", policy);
        return false;
    }
    DIR *listing = opendir(directory);
    bool found = false;
    for (struct dirent *shard; !found && listing != NULL && (shard = readdir(listing)) != NULL;) {
        char path[DURABLE_PATH_BYTES + 300];
        (void)snprintf(path, sizeof path, "%s/%s", directory, shard->d_name);
        found = shard->d_name[0] != '.' && strlen(path) < DURABLE_PATH_BYTES - 16 &&
                size_in(path, &line, &quorum, size);
    }
    if (listing != NULL) {
        closedir(listing);
    }
    if (!found) {
        ctl_refuse("by no witness of %s over any checkpoint below %s", policy, directory);
    }
    return found;
}

int ctl_log_cosign(struct ctl *ctl, int argc, char **argv)
{
    static const struct argp_option options_table[] = {
        {"size", 's', "SIZE", 0, "of the checkpoint (default: all are tried)", 1},
        {0, 0, 0, 0, 0, 0},
    };
    static const struct argp own = {
        options_table,
        parse_witness,
        "FILE",
        "Bring cosignature lines home that a witness without a network made of one checkpoint: the "
        "daemon checks them and writes each into the log.",
        NULL,
        NULL,
        NULL};
    struct witness_options options = {0};
    uint8_t *lines = NULL;
    size_t lines_bytes = 0;
    ctl_parse(ctl, &own, &options, argc, argv);
    struct err err = durable_read(options.file, WIRE_COSIGNATURES_BYTES_MAX, &lines, &lines_bytes);
    if (err_is(err)) {
        return ctl_fail(options.file, err);
    }
    int result = CTL_REFUSED;
    if (options.has_size || size_find(ctl, (const char *)lines, lines_bytes, &options.size)) {
        struct wire_command command = {.order = ORDER_COSIGN,
                                       .cosignatures = (const char *)lines,
                                       .cosigned_size = options.size};
        result = ctl_order(ctl, &command);
    }
    free(lines);
    return result;
}
