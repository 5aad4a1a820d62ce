/* SPDX-License-Identifier: Apache-2.0 */
#include "witness/witness_offline.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/tile_files.h"
#include "proto/witness_request.h"

/* What is on the stick is put together to the very request a log would have sent, and judged the
 * same way. */

static struct err offline_read(const char *path, size_t bytes_max, uint8_t **out, size_t *out_bytes,
                               char *why)
{
    (void)snprintf(why, ERR_TEXT_BYTES, "%.200s: cannot be read", path);
    return durable_read(path, bytes_max, out, out_bytes);
}

/* The proof from the remembered size, by the tiles of the copy. */
static struct err offline_prove(const char *log_directory, uint64_t tree_size,
                                struct witness_request *request, char *why)
{
    uint8_t hashes[MERKLE_LEVELS_MAX][HASH_BYTES];
    uint32_t count = 0;
    struct tile_files *tiles = malloc(sizeof *tiles); /* large: a tile a level */
    if (tiles == NULL) {
        return err_make(ERR_MEMORY, "witness_offline_cosign");
    }
    bool made =
        tile_files_init(tiles, log_directory, tree_size) &&
        merkle_consistency(tile_files_hash, tiles, request->old_size, tree_size, hashes, &count) &&
        count <= WITNESS_PROOF_HASHES_MAX;
    free(tiles);
    if (!made) {
        (void)snprintf(why, ERR_TEXT_BYTES, "%.200s: no proof can be made of these tiles",
                       log_directory);
        return err_make(ERR_NOT_FOUND, "tiles");
    }
    memcpy(request->hashes, hashes, (size_t)count * HASH_BYTES);
    request->hashes_count = count;
    return err_none;
}

static struct err offline_body(const struct witness_memory *memory,
                               const struct witness_files *files, const char *note,
                               size_t note_bytes, char *out, char *why)
{
    struct checkpoint checkpoint;
    struct witness_remembered last;
    struct witness_request request = {.note = note, .note_bytes = note_bytes};
    size_t signed_bytes = 0;
    size_t lines_at = 0;
    if (!checkpoint_split(note, note_bytes, &checkpoint, &signed_bytes, &lines_at)) {
        (void)snprintf(why, ERR_TEXT_BYTES, "not a signed checkpoint of three lines");
        return err_make(ERR_ARGUMENT, "checkpoint");
    }
    struct err err = witness_memory_of(memory, checkpoint.origin, &last);
    if (err_is(err)) {
        return err;
    }
    request.old_size = last.size;
    if (last.size > checkpoint.size) {
        (void)snprintf(why, ERR_TEXT_BYTES,
                       "the checkpoint has %llu entries, but %llu were cosigned before",
                       (unsigned long long)checkpoint.size, (unsigned long long)last.size);
        return err_make(ERR_CONFLICT, "older than what was cosigned");
    }
    if (files->log_directory != NULL) {
        err = offline_prove(files->log_directory, checkpoint.size, &request, why);
    }
    if (!err_is(err)) {
        (void)witness_request_write(&request, out);
    }
    return err;
}

/* A proof file stands in the request as it is. */
static struct err offline_join(const char *proof_path, const char *note, size_t note_bytes,
                               char *out, char *why)
{
    uint8_t *proof = NULL;
    size_t proof_bytes = 0;
    size_t room = WITNESS_REQUEST_BYTES_MAX - NOTE_BYTES_MAX - 2;
    struct err err = offline_read(proof_path, room, &proof, &proof_bytes, why);
    if (!err_is(err)) {
        int bytes = snprintf(out, WITNESS_REQUEST_BYTES_MAX, "%s\n%.*s", (const char *)proof,
                             (int)note_bytes, note);
        must(bytes >= 0);
    }
    free(proof);
    return err;
}

struct err witness_offline_cosign(struct witness *self, const struct witness_memory *memory,
                                  const struct witness_files *files, uint64_t now_s,
                                  struct witness_answer *out, char *why)
{
    char path[DURABLE_PATH_BYTES];
    uint8_t *note = NULL;
    size_t note_bytes = 0;
    (void)snprintf(path, sizeof path, "%s/checkpoint",
                   files->log_directory != NULL ? files->log_directory : ".");
    struct err err = offline_read(files->checkpoint != NULL ? files->checkpoint : path,
                                  NOTE_BYTES_MAX, &note, &note_bytes, why);
    if (err_is(err)) {
        return err;
    }
    char *body = malloc(WITNESS_REQUEST_BYTES_MAX);
    if (body == NULL) {
        err = err_make(ERR_MEMORY, "witness_offline_cosign");
    } else if (files->proof != NULL) {
        err = offline_join(files->proof, (const char *)note, note_bytes, body, why);
    } else {
        err = offline_body(memory, files, (const char *)note, note_bytes, body, why);
    }
    if (!err_is(err)) {
        why[0] = '\0';
        err = witness_add_checkpoint(self, body, strlen(body), now_s, out);
    }
    free(body);
    free(note);
    return err;
}
