/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/diag.h"
#include "base/durable.h"
#include "pipeline_parts.h"

/* Secrets are files of 64 hexadecimal digits that nobody but their owner may read; triagectl keys
 * init makes them, triagectl keys rotate makes signing.next, whose second line says why.
 *
 * A change of the signing key ends here, when the log has gone on to the new key for good:
 * signing.seed becomes signing.old, signing.next becomes signing.seed, signing.old is destroyed.
 * Where a stop came between, what is there tells how far it came, and the next start goes on from
 * there. */

#define SEED_NAME "signing.seed"
#define NEXT_NAME "signing.next"
#define OLD_NAME "signing.old"
#define SECRET_BYTES_MAX 256u

static struct err keys_refuse(char *why, const char *path, const char *reason)
{
    (void)snprintf(why, CONF_WHY_BYTES, "%.300s: %s", path, reason);
    return err_make(ERR_KEY, "key file");
}

static struct err keys_path(const struct conf *conf, const char *name, char out[DURABLE_PATH_BYTES])
{
    char directory[PIPELINE_PATH_BYTES];
    struct err err = conf_path(conf, conf->store_keys, directory, sizeof directory);
    if (err_is(err)) {
        return err;
    }
    int bytes = snprintf(out, DURABLE_PATH_BYTES, "%s/%s", directory, name);
    return bytes > 0 && bytes < (int)DURABLE_PATH_BYTES ? err_none
                                                        : err_make(ERR_CONF_INVALID, "store.keys");
}

/* second: what the second line says; may be NULL. */
static struct err keys_read_secret(const struct conf *conf, const char *name,
                                   uint8_t out[HASH_BYTES], char *second, char *why)
{
    char path[DURABLE_PATH_BYTES];
    struct err err = keys_path(conf, name, path);
    if (err_is(err)) {
        return err;
    }
    struct stat status;
    if (stat(path, &status) != 0) {
        return keys_refuse(why, path, "is not there; make keys with: triagectl keys init");
    }
    if ((status.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
        return keys_refuse(why, path, "is open to others than its owner (chmod 600)");
    }
    uint8_t *text = NULL;
    size_t text_bytes = 0;
    err = durable_read(path, SECRET_BYTES_MAX, &text, &text_bytes);
    if (err_is(err)) {
        return err;
    }
    char *line = (char *)text;
    size_t line_bytes = strcspn(line, "\r\n");
    const char *rest = line[line_bytes] == '\0' ? "" : line + line_bytes + 1;
    line[line_bytes] = '\0';
    bool good = hex_decode(line, out, HASH_BYTES);
    if (second != NULL) {
        (void)snprintf(second, KEYS_REASON_BYTES, "%.*s", (int)strcspn(rest, "\r\n"), rest);
    }
    explicit_bzero(text, text_bytes);
    free(text);
    return good ? err_none : keys_refuse(why, path, "is not 64 hexadecimal digits");
}

static struct err keys_exists(const struct conf *conf, const char *name, bool *exists)
{
    char path[DURABLE_PATH_BYTES];
    struct err err = keys_path(conf, name, path);
    return err_is(err) ? err : durable_exists(path, exists);
}

static struct err keys_move(const struct conf *conf, const char *from, const char *to)
{
    char from_path[DURABLE_PATH_BYTES];
    char to_path[DURABLE_PATH_BYTES];
    struct err err = keys_path(conf, from, from_path);
    if (!err_is(err)) {
        err = keys_path(conf, to, to_path);
    }
    return err_is(err) ? err : durable_rename(from_path, to_path);
}

static struct err keys_finish_change(const struct conf *conf)
{
    char path[DURABLE_PATH_BYTES];
    bool seed = false;
    bool old = false;
    bool next = false;
    struct err err = keys_exists(conf, SEED_NAME, &seed);
    err = err_is(err) ? err : keys_exists(conf, OLD_NAME, &old);
    err = err_is(err) ? err : keys_exists(conf, NEXT_NAME, &next);
    if (!err_is(err) && !seed && old && next) {
        err = keys_move(conf, NEXT_NAME, SEED_NAME);
        seed = true;
    }
    if (err_is(err) || !seed || !old) {
        return err;
    }
    err = keys_path(conf, OLD_NAME, path);
    if (!err_is(err)) {
        err = durable_wipe(path);
    }
    if (!err_is(err)) {
        diag_info(key, "old_seed=destroyed");
    }
    return err;
}

static void keys_tell_left(struct err err)
{
    char text[ERR_TEXT_BYTES];
    if (err_is(err)) {
        diag_warn(key, "old_seed=still_there reason=\"%s\"", err_text(err, text));
    }
}

void keys_change(const struct conf *conf)
{
    struct err err = keys_move(conf, SEED_NAME, OLD_NAME);
    keys_tell_left(err_is(err) ? err : keys_finish_change(conf));
}

static struct err keys_read_signing(const struct conf *conf, struct keys *out, char *why)
{
    uint8_t seed[SIGN_SEED_BYTES];
    keys_tell_left(keys_finish_change(conf));
    struct err err = keys_read_secret(conf, SEED_NAME, seed, NULL, why);
    if (!err_is(err)) {
        sign_key_lock(&out->signing);
        sign_key_from_seed(&out->signing, seed);
    }
    bool next = false;
    err = err_is(err) ? err : keys_exists(conf, NEXT_NAME, &next);
    if (!err_is(err) && next) {
        err = keys_read_secret(conf, NEXT_NAME, seed, out->rotate_reason, why);
        if (!err_is(err)) {
            sign_key_lock(&out->next);
            sign_key_from_seed(&out->next, seed);
            out->has_next = true;
        }
    }
    explicit_bzero(seed, sizeof seed);
    return err;
}

struct err keys_read(const struct conf *conf, struct keys *out, char *why)
{
    if (!sign_init()) {
        return err_make(ERR_KEY, "libsodium");
    }
    struct err err = keys_read_signing(conf, out, why);
    return err_is(err) ? err : keys_read_secret(conf, "pseudonym.key", out->pseudonym, NULL, why);
}

void keys_wipe(struct keys *self)
{
    sign_key_wipe(&self->signing);
    sign_key_wipe(&self->next);
    explicit_bzero(self->pseudonym, sizeof self->pseudonym);
}
