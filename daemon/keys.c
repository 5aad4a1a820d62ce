/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/durable.h"
#include "pipeline_parts.h"

/* Secrets are files of 64 hexadecimal digits that nobody but their owner may read; triagectl keys
 * init makes them. */

static struct err keys_refuse(char *why, const char *path, const char *reason)
{
    (void)snprintf(why, CONF_WHY_BYTES, "%.300s: %s", path, reason);
    return err_make(ERR_KEY, "key file");
}

static struct err keys_read_secret(const struct conf *conf, const char *name,
                                   uint8_t out[HASH_BYTES], char *why)
{
    char directory[PIPELINE_PATH_BYTES];
    char path[PIPELINE_PATH_BYTES + 64];
    struct err err = conf_path(conf, conf->store_keys, directory, sizeof directory);
    if (err_is(err)) {
        return err;
    }
    (void)snprintf(path, sizeof path, "%s/%s", directory, name);
    struct stat status;
    if (stat(path, &status) != 0) {
        return keys_refuse(why, path, "is not there; make keys with: triagectl keys init");
    }
    if ((status.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
        return keys_refuse(why, path, "is open to others than its owner (chmod 600)");
    }
    uint8_t *text = NULL;
    size_t text_bytes = 0;
    err = durable_read(path, 256, &text, &text_bytes);
    if (err_is(err)) {
        return err;
    }
    text[strcspn((char *)text, "\r\n")] = '\0';
    bool good = hex_decode((const char *)text, out, HASH_BYTES);
    explicit_bzero(text, text_bytes);
    free(text);
    return good ? err_none : keys_refuse(why, path, "is not 64 hexadecimal digits");
}

struct err keys_read(const struct conf *conf, struct keys *out, char *why)
{
    uint8_t seed[SIGN_SEED_BYTES];
    if (!sign_init()) {
        return err_make(ERR_KEY, "libsodium");
    }
    struct err err = keys_read_secret(conf, "signing.seed", seed, why);
    if (!err_is(err)) {
        err = keys_read_secret(conf, "pseudonym.key", out->pseudonym, why);
    }
    if (!err_is(err)) {
        sign_key_lock(&out->signing);
        sign_key_from_seed(&out->signing, seed);
    }
    explicit_bzero(seed, sizeof seed);
    return err;
}

void keys_wipe(struct keys *self)
{
    sign_key_wipe(&self->signing);
    explicit_bzero(self->pseudonym, sizeof self->pseudonym);
}
