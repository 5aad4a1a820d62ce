/* SPDX-License-Identifier: Apache-2.0 */
#include "witness/witness_key.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/durable.h"
#include "base/random.h"

#define SEED_NAME "witness.seed"
#define VKEY_NAME "witness.vkey"

static struct err key_path(const char *directory, const char *name, char out[DURABLE_PATH_BYTES])
{
    int bytes = snprintf(out, DURABLE_PATH_BYTES, "%s/%s", directory, name);
    return bytes > 0 && bytes < (int)DURABLE_PATH_BYTES - 4 /* ".tmp" */
               ? err_none
               : err_make(ERR_ARGUMENT, "path of the key is too long");
}

/* The seed first: a verifier key without its seed would be published and could never sign. */
static struct err key_write(const char *seed_path, const char *vkey_path, const char *name)
{
    struct sign_key key;
    struct note_vkey vkey;
    uint8_t seed[SIGN_SEED_BYTES];
    char text[HASH_HEX_BYTES + 1];
    char vkey_text[NOTE_VKEY_BYTES_MAX + 1];
    random_bytes(seed, sizeof seed);
    sign_key_lock(&key);
    sign_key_from_seed(&key, seed);
    note_vkey_make_typed(NOTE_KEY_WITNESS, &vkey, name, key.public_key);
    note_vkey_encode_typed(NOTE_KEY_WITNESS, &vkey, vkey_text);
    size_t vkey_bytes = strlen(vkey_text);
    vkey_text[vkey_bytes] = '\n';
    hex_encode(seed, sizeof seed, text);
    text[HASH_HEX_BYTES - 1] = '\n';
    struct err err = durable_replace(seed_path, text, HASH_HEX_BYTES, 0600);
    sign_key_wipe(&key);
    explicit_bzero(seed, sizeof seed);
    explicit_bzero(text, sizeof text);
    return err_is(err) ? err : durable_replace(vkey_path, vkey_text, vkey_bytes + 1, 0644);
}

struct err witness_key_make(const char *directory, const char *name)
{
    char seed_path[DURABLE_PATH_BYTES];
    char vkey_path[DURABLE_PATH_BYTES];
    if (!note_origin_valid(name)) { /* names of keys follow the rules of origins */
        return err_make(ERR_ARGUMENT, "name: 1 to 128 printable characters, no space, no '+'");
    }
    struct err err = key_path(directory, SEED_NAME, seed_path);
    if (!err_is(err)) {
        err = key_path(directory, VKEY_NAME, vkey_path);
    }
    if (!err_is(err)) {
        err = durable_directory(directory, 0755);
    }
    if (err_is(err)) {
        return err;
    }
    bool seed_exists = false;
    bool vkey_exists = false;
    err = durable_exists(seed_path, &seed_exists);
    err = err_is(err) ? err : durable_exists(vkey_path, &vkey_exists);
    if (err_is(err)) {
        return err;
    }
    if (seed_exists || vkey_exists) {
        return err_make(ERR_CONFLICT, "a key is there already");
    }
    return sign_init() ? key_write(seed_path, vkey_path, name)
                       : err_make(ERR_KEY, "signature library");
}

static struct err key_line(const char *path, size_t bytes_max, char *out)
{
    uint8_t *bytes = NULL;
    size_t bytes_count = 0;
    struct err err = durable_read(path, bytes_max, &bytes, &bytes_count);
    if (err_is(err)) {
        return err;
    }
    bytes[strcspn((char *)bytes, "\r\n")] = '\0';
    memcpy(out, bytes, strlen((char *)bytes) + 1);
    explicit_bzero(bytes, bytes_count);
    free(bytes);
    return err_none;
}

static struct err key_refuse(char *why, const char *path, const char *reason)
{
    (void)snprintf(why, ERR_TEXT_BYTES, "%.150s: %s", path, reason);
    return err_make(ERR_KEY, "key file");
}

static struct err seed_read(const char *path, uint8_t seed[SIGN_SEED_BYTES], char *why)
{
    struct stat status;
    char text[NOTE_VKEY_BYTES_MAX];
    if (stat(path, &status) != 0) {
        return key_refuse(why, path, "is not there; triage-witness keygen makes it");
    }
    if ((status.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
        return key_refuse(why, path, "is open to others than its owner (chmod 600)");
    }
    struct err err = key_line(path, NOTE_VKEY_BYTES_MAX - 1, text);
    bool good = !err_is(err) && hex_decode(text, seed, SIGN_SEED_BYTES);
    explicit_bzero(text, sizeof text);
    return good ? err_none : key_refuse(why, path, "is not 64 hexadecimal digits");
}

struct err witness_key_text(const char *directory, char *out)
{
    char path[DURABLE_PATH_BYTES];
    struct err err = key_path(directory, VKEY_NAME, path);
    return err_is(err) ? err : key_line(path, NOTE_VKEY_BYTES_MAX - 1, out);
}

struct err witness_key_read(const char *directory, struct witness_key *out, char *why)
{
    char path[DURABLE_PATH_BYTES];
    char text[NOTE_VKEY_BYTES_MAX];
    uint8_t seed[SIGN_SEED_BYTES];
    (void)snprintf(why, ERR_TEXT_BYTES, "%.150s: no key", directory);
    if (!sign_init()) {
        return err_make(ERR_KEY, "signature library");
    }
    struct err err = witness_key_text(directory, text);
    if (!err_is(err) && !note_vkey_decode_typed(NOTE_KEY_WITNESS, text, &out->vkey)) {
        err = key_refuse(why, directory, VKEY_NAME " is not the verifier key of a witness");
    }
    if (!err_is(err)) {
        err = key_path(directory, SEED_NAME, path);
    }
    if (!err_is(err)) {
        err = seed_read(path, seed, why);
    }
    if (err_is(err)) {
        return err;
    }
    sign_key_lock(&out->key);
    sign_key_from_seed(&out->key, seed);
    explicit_bzero(seed, sizeof seed);
    if (memcmp(out->key.public_key, out->vkey.public_key, SIGN_PUBLIC_BYTES) != 0) {
        witness_key_wipe(out);
        return key_refuse(why, directory, SEED_NAME " and " VKEY_NAME " do not belong together");
    }
    return err_none;
}

void witness_key_wipe(struct witness_key *self)
{
    sign_key_wipe(&self->key);
}
