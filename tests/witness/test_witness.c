/* SPDX-License-Identifier: Apache-2.0 */
#include "witness/witness.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/diag.h"
#include "base/durable.h"
#include "proto/cosignature.h"
#include "proto/merkle.h"
#include "proto/witness_request.h"
#include "witness/witness_http.h"
#include "witness/witness_key.h"
#include "witness/witness_offline.h"

#define ORIGIN "oversight.example.org/port/2026"
#define LEAVES 40u

static char folder[64];
static struct sign_key log_key;
static struct sign_key next_key;
static uint8_t leaves[LEAVES][HASH_BYTES];

/* RFC 6962 section 2.1 over the leaves [first, first + count), word for word. */
static void mth(uint64_t first, uint64_t count, uint8_t out[HASH_BYTES])
{
    uint8_t left[HASH_BYTES];
    uint8_t right[HASH_BYTES];
    if (count == 1) {
        memcpy(out, leaves[first], HASH_BYTES);
        return;
    }
    uint64_t k = 1;
    while (k * 2 < count) {
        k *= 2;
    }
    mth(first, k, left);
    mth(first + k, count - k, right);
    merkle_node(left, right, out);
}

static bool hash_at(void *source, uint32_t level, uint64_t index, uint8_t out[HASH_BYTES])
{
    (void)source;
    mth(index << level, UINT64_C(1) << level, out);
    return true;
}

struct rig {
    char directory[96];
    struct witness_key key;
    struct witness_logs logs;
    struct witness_memory *memory;
    struct witness *witness;
    char why[ERR_TEXT_BYTES];
};

static void rig_make(struct rig *rig, const char *name)
{
    memset(rig, 0, sizeof *rig);
    (void)snprintf(rig->directory, sizeof rig->directory, "%s/%s", folder, name);
    assert_int_equal(witness_key_make(rig->directory, "witness.example.org/lab").code, ERR_NONE);
}

static void rig_logs(struct rig *rig, const char *text, enum err_code expected)
{
    char path[128];
    (void)snprintf(path, sizeof path, "%s/logs", rig->directory);
    assert_int_equal(durable_replace(path, text, strlen(text), 0644).code, ERR_NONE);
    assert_int_equal(witness_logs_read(path, &rig->logs, rig->why).code, expected);
}

static void rig_open(struct rig *rig)
{
    char path[128];
    char vkey_text[NOTE_VKEY_BYTES_MAX + 2];
    struct note_vkey vkey;
    assert_int_equal(witness_key_read(rig->directory, &rig->key, rig->why).code, ERR_NONE);
    if (rig->logs.count == 0) {
        note_vkey_make(&vkey, ORIGIN, log_key.public_key);
        note_vkey_encode(&vkey, vkey_text);
        strcpy(vkey_text + strlen(vkey_text), "\n");
        rig_logs(rig, vkey_text, ERR_NONE);
    }
    (void)snprintf(path, sizeof path, "%s/memory", rig->directory);
    assert_int_equal(witness_memory_open(path, &rig->key.vkey, &rig->memory).code, ERR_NONE);
    struct witness_conf conf = {.name = rig->key.vkey.name,
                                .key = &rig->key.key,
                                .logs = &rig->logs,
                                .memory = rig->memory};
    assert_int_equal(witness_open(&conf, &rig->witness).code, ERR_NONE);
}

static void rig_close(struct rig *rig)
{
    witness_close(&rig->witness);
    witness_memory_close(&rig->memory);
    witness_key_wipe(&rig->key);
}

static size_t checkpoint_of(uint64_t size, const struct sign_key *key, char *out)
{
    struct checkpoint checkpoint = {.origin = ORIGIN, .size = size};
    if (size == 0) {
        sha256_of("", 0, checkpoint.root);
    } else {
        mth(0, size, checkpoint.root);
    }
    return checkpoint_sign(&checkpoint, key, out);
}

static struct witness_answer ask(struct rig *rig, uint64_t old_size, const char *note,
                                 uint64_t size, uint64_t now_s)
{
    static char body[WITNESS_REQUEST_BYTES_MAX];
    uint8_t proof[MERKLE_LEVELS_MAX][HASH_BYTES];
    struct witness_request request = {
        .old_size = old_size, .note = note, .note_bytes = strlen(note)};
    struct witness_answer answer;
    if (old_size <= size) {
        assert_true(
            merkle_consistency(hash_at, NULL, old_size, size, proof, &request.hashes_count));
        memcpy(request.hashes, proof, (size_t)request.hashes_count * HASH_BYTES);
    }
    size_t bytes = witness_request_write(&request, body);
    assert_int_equal(witness_add_checkpoint(rig->witness, body, bytes, now_s, &answer).code,
                     ERR_NONE);
    assert_int_equal(answer.text_bytes, strlen(answer.text));
    return answer;
}

static struct witness_answer ask_plain(struct rig *rig, uint64_t old_size, uint64_t size,
                                       uint64_t now_s)
{
    char note[NOTE_BYTES_MAX];
    (void)checkpoint_of(size, &log_key, note);
    return ask(rig, old_size, note, size, now_s);
}

static uint64_t time_of(const struct rig *rig, uint64_t size, const char *line_text)
{
    char note[NOTE_BYTES_MAX];
    struct note_signature line;
    size_t at = 0;
    uint64_t time_s = 0;
    (void)checkpoint_of(size, &log_key, note);
    size_t signed_bytes = (size_t)(strstr(note, "\n\n") - note) + 1;
    assert_true(note_signature_next(line_text, strlen(line_text), &at, &line));
    assert_int_equal(cosignature_check(note, signed_bytes, &line, &rig->key.vkey, &time_s),
                     COSIGNATURE_GOOD);
    return time_s;
}

static void every_growth_is_cosigned_and_nothing_else(void **state)
{
    (void)state;
    struct rig rig;
    rig_make(&rig, "growth");
    rig_open(&rig);
    uint64_t held = 0;
    for (uint64_t size = 0; size <= LEAVES; size += 1 + size / 3) {
        struct witness_answer answer = ask_plain(&rig, held, size, 100 + size);
        assert_int_equal(answer.status, WITNESS_COSIGNED);
        assert_true(time_of(&rig, size, answer.text) == 100 + size);
        held = size;
        for (uint64_t other = 0; other <= LEAVES; other++) { /* every other old size is answered */
            answer = ask_plain(&rig, other, other < held ? held : other, 1);
            char told[32];
            (void)snprintf(told, sizeof told, "%llu\n", (unsigned long long)held);
            if (other != held) {
                assert_int_equal(answer.status, WITNESS_CONFLICT);
                assert_true(answer.is_size);
                assert_string_equal(answer.text, told);
            }
        }
    }
    rig_close(&rig);
}

static void memory_outlives_the_process_and_its_clock(void **state)
{
    (void)state;
    struct rig rig;
    rig_make(&rig, "again");
    rig_open(&rig);
    assert_int_equal(ask_plain(&rig, 0, 7, 5000).status, WITNESS_COSIGNED);
    rig_close(&rig);
    rig_open(&rig);
    struct witness_answer answer = ask_plain(&rig, 0, 5, 6000);
    assert_int_equal(answer.status, WITNESS_CONFLICT);
    assert_string_equal(answer.text, "7\n");
    answer = ask_plain(&rig, 7, 9, 4000); /* the clock was set back meanwhile */
    assert_int_equal(answer.status, WITNESS_COSIGNED);
    assert_true(time_of(&rig, 9, answer.text) == 5000);
    struct witness_remembered last;
    assert_int_equal(witness_memory_of(rig.memory, ORIGIN, &last).code, ERR_NONE);
    assert_true(last.size == 9 && last.time_s == 5000);
    rig_close(&rig);
}

static void forks_and_false_proofs_are_refused(void **state)
{
    (void)state;
    struct rig rig;
    char note[NOTE_BYTES_MAX];
    rig_make(&rig, "forks");
    rig_open(&rig);
    assert_int_equal(ask_plain(&rig, 0, 7, 1).status, WITNESS_COSIGNED);
    leaves[6][0] ^= 1;
    struct witness_answer answer = ask_plain(&rig, 7, 7, 2);
    assert_int_equal(answer.status, WITNESS_CONFLICT);
    assert_false(answer.is_size);
    assert_int_equal(ask_plain(&rig, 7, 12, 2).status, WITNESS_INCONSISTENT);
    leaves[6][0] ^= 1;
    (void)checkpoint_of(12, &log_key, note);
    leaves[11][0] ^= 1; /* the right checkpoint with the proof of another tree */
    assert_int_equal(ask(&rig, 7, note, 12, 2).status, WITNESS_INCONSISTENT);
    leaves[11][0] ^= 1;
    assert_int_equal(ask(&rig, 7, note, 12, 2).status, WITNESS_COSIGNED);
    rig_close(&rig);
}

static void signatures_are_judged_by_the_list_of_logs(void **state)
{
    (void)state;
    struct rig rig;
    char note[2 * NOTE_BYTES_MAX];
    char both[3 * NOTE_VKEY_BYTES_MAX];
    char next[NOTE_BYTES_MAX];
    struct note_vkey vkey;
    rig_make(&rig, "logs");
    rig_open(&rig);
    (void)checkpoint_of(3, &next_key, note);
    assert_int_equal(ask(&rig, 0, note, 3, 1).status, WITNESS_FORBIDDEN);
    (void)checkpoint_of(3, &log_key, note);
    note[0] = 'O';
    assert_int_equal(ask(&rig, 0, note, 3, 1).status, WITNESS_NOT_FOUND);
    note[0] = 'o';
    strstr(note, "\n3\n")[1] = '4';
    assert_int_equal(ask(&rig, 0, note, 4, 1).status, WITNESS_FORBIDDEN);
    rig_close(&rig);
    /* While the key changes a checkpoint has two lines, and the list two keys. */
    note_vkey_make(&vkey, ORIGIN, log_key.public_key);
    note_vkey_encode(&vkey, both);
    strcpy(both + strlen(both), "\n# the next one\n\n  ");
    note_vkey_make(&vkey, ORIGIN, next_key.public_key);
    note_vkey_encode(&vkey, both + strlen(both));
    rig_logs(&rig, both, ERR_NONE);
    assert_int_equal(rig.logs.count, 2);
    rig_open(&rig);
    (void)checkpoint_of(3, &log_key, note);
    (void)checkpoint_of(3, &next_key, next);
    strcpy(note + strlen(note), strstr(next, "\n\n") + 2);
    assert_int_equal(ask(&rig, 0, note, 3, 1).status, WITNESS_COSIGNED);
    (void)checkpoint_of(5, &next_key, note);
    assert_int_equal(ask(&rig, 3, note, 5, 1).status, WITNESS_COSIGNED);
    /* One good line does not outweigh a forged one of a key that is known. */
    (void)checkpoint_of(6, &log_key, note);
    (void)checkpoint_of(7, &next_key, next);
    strcpy(note + strlen(note), strstr(next, "\n\n") + 2);
    assert_int_equal(ask(&rig, 5, note, 6, 1).status, WITNESS_FORBIDDEN);
    rig_close(&rig);
    rig_logs(&rig,
             "\nwitness.example.org/lab+dbdec3f9+BCmsuuFBvMrwsi4alNNNC8c2HlJtC/4SyJeUvJMilm3X\n",
             ERR_KEY);
    assert_non_null(strstr(rig.why, ":2:"));
}

static void memory_of_others_and_damaged_memory_are_recognised(void **state)
{
    (void)state;
    struct rig rig;
    struct rig other;
    char command[256];
    struct witness_remembered last;
    rig_make(&rig, "own");
    rig_make(&other, "foreign");
    rig_open(&other);
    assert_int_equal(ask_plain(&other, 0, 7, 1).status, WITNESS_COSIGNED);
    rig_close(&other);
    (void)snprintf(command, sizeof command, "cp -r %s/memory %s/memory", other.directory,
                   rig.directory);
    assert_int_equal(system(command), 0);
    rig_open(&rig);
    assert_int_equal(witness_memory_of(rig.memory, ORIGIN, &last).code, ERR_WITNESS_MEMORY);
    struct witness_memory *second = NULL;
    (void)snprintf(command, sizeof command, "%s/memory", rig.directory);
    assert_int_equal(witness_memory_open(command, &rig.key.vkey, &second).code, ERR_LOCKED);
    rig_close(&rig);
}

static void keys_are_made_once_and_guarded(void **state)
{
    (void)state;
    struct rig rig;
    char path[128];
    struct stat status;
    rig_make(&rig, "keys");
    assert_int_equal(witness_key_make(rig.directory, "witness.example.org/lab").code, ERR_CONFLICT);
    assert_int_equal(witness_key_make(folder, "two words").code, ERR_ARGUMENT);
    (void)snprintf(path, sizeof path, "%s/witness.seed", rig.directory);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    assert_int_equal(chmod(path, 0640), 0);
    assert_int_equal(witness_key_read(rig.directory, &rig.key, rig.why).code, ERR_KEY);
    assert_non_null(strstr(rig.why, "open to others"));
    assert_int_equal(chmod(path, 0600), 0);
    assert_int_equal(durable_replace(path, "00\n", 3, 0600).code, ERR_NONE);
    assert_int_equal(witness_key_read(rig.directory, &rig.key, rig.why).code, ERR_KEY);
    char seed[66] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n";
    assert_int_equal(durable_replace(path, seed, 65, 0600).code, ERR_NONE);
    assert_int_equal(witness_key_read(rig.directory, &rig.key, rig.why).code, ERR_KEY);
    assert_non_null(strstr(rig.why, "do not belong together"));
}

/* A disk that takes nothing: the witness must not have cosigned. */
static void an_unwritten_memory_is_an_error(void **state)
{
    (void)state;
    struct rig rig;
    char path[128];
    char body[WITNESS_REQUEST_BYTES_MAX];
    struct witness_answer answer = {.text = ""};
    rig_make(&rig, "full");
    rig_open(&rig);
    (void)snprintf(path, sizeof path, "%s/memory", rig.directory);
    assert_int_equal(rmdir(path), 0);
    char note[NOTE_BYTES_MAX];
    struct witness_request request = {.note = note, .note_bytes = checkpoint_of(4, &log_key, note)};
    size_t bytes = witness_request_write(&request, body);
    assert_int_equal(witness_add_checkpoint(rig.witness, body, bytes, 1, &answer).code, ERR_IO);
    assert_string_equal(answer.text, "");
    rig_close(&rig);
}

static _Atomic int failures;
static void http_failed(struct err err)
{
    assert_int_equal(err.code, ERR_IO);
    failures++;
}

static void post(uint16_t port, const char *body_path, char *out, size_t capacity)
{
    char command[256];
    (void)snprintf(
        command, sizeof command,
        "curl -s -w ' %%{http_code}' --data-binary @%s http://127.0.0.1:%u/add-checkpoint",
        body_path, port);
    FILE *answer = popen(command, "r");
    assert_non_null(answer);
    size_t got = fread(out, 1, capacity - 1, answer);
    out[got] = '\0';
    assert_int_equal(pclose(answer), 0);
}

static void http_answers_nothing_more_after_a_failed_write(void **state)
{
    (void)state;
    struct rig rig;
    char path[160];
    char out[512];
    char note[NOTE_BYTES_MAX];
    char body[WITNESS_REQUEST_BYTES_MAX];
    if (system("curl --version >/dev/null 2>&1") != 0) {
        skip();
    }
    rig_make(&rig, "http");
    rig_open(&rig);
    struct witness_http *http = NULL;
    struct witness_http_conf conf = {.address = "127.0.0.1",
                                     .connections_max = 4,
                                     .witness = rig.witness,
                                     .failed = http_failed};
    assert_int_equal(witness_http_open(&conf, &http).code, ERR_NONE);
    struct witness_request request = {.note = note, .note_bytes = checkpoint_of(4, &log_key, note)};
    size_t bytes = witness_request_write(&request, body);
    (void)snprintf(path, sizeof path, "%s/body", rig.directory);
    assert_int_equal(durable_replace(path, body, bytes, 0600).code, ERR_NONE);
    post(witness_http_port(http), path, out, sizeof out);
    assert_non_null(strstr(out, " 200"));
    (void)snprintf(out, sizeof out, "rm -r %s/memory", rig.directory);
    assert_int_equal(system(out), 0);
    post(witness_http_port(http), path, out, sizeof out);
    assert_non_null(strstr(out, " 503"));
    assert_int_equal(failures, 1);
    char back[160];
    (void)snprintf(back, sizeof back, "%s/memory", rig.directory);
    assert_int_equal(durable_directory(back, 0700).code, ERR_NONE);
    post(witness_http_port(http), path, out, sizeof out); /* room again, but the trust is gone */
    assert_non_null(strstr(out, " 503"));
    assert_int_equal(failures, 1);
    witness_http_close(&http);
    rig_close(&rig);
}

static int folder_make(void **state)
{
    (void)state;
    uint8_t seed[SIGN_SEED_BYTES];
    strcpy(folder, "/tmp/triage-witness.XXXXXX");
    assert_non_null(mkdtemp(folder));
    assert_true(sign_init());
    diag_set_level(DIAG_ERR);
    memset(seed, 1, sizeof seed);
    sign_key_from_seed(&log_key, seed);
    memset(seed, 2, sizeof seed);
    sign_key_from_seed(&next_key, seed);
    for (uint8_t i = 0; i < LEAVES; i++) {
        merkle_leaf(&i, 1, leaves[i]);
    }
    return 0;
}

static int folder_remove(void **state)
{
    (void)state;
    char command[96];
    (void)snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_growth_is_cosigned_and_nothing_else),
        cmocka_unit_test(memory_outlives_the_process_and_its_clock),
        cmocka_unit_test(forks_and_false_proofs_are_refused),
        cmocka_unit_test(signatures_are_judged_by_the_list_of_logs),
        cmocka_unit_test(memory_of_others_and_damaged_memory_are_recognised),
        cmocka_unit_test(keys_are_made_once_and_guarded),
        cmocka_unit_test(an_unwritten_memory_is_an_error),
        cmocka_unit_test(http_answers_nothing_more_after_a_failed_write),
    };
    return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
