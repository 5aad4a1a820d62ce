/* SPDX-License-Identifier: Apache-2.0 */
#include "publisher/curve_key.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>

#include "base/durable.h"

/* A key file is two lines of Z85, so that an operator can read and copy it, and 84 bytes at most:
 * it is read into a buffer on the stack, because the daemon reads keys while it runs. */

enum { CURVE_KEY_CHARACTERS = 40, CURVE_KEY_FILE_BYTES_MAX = 256 };

struct err curve_key_create(const char *file)
{
    char public_file[DURABLE_PATH_BYTES];
    int path_bytes = snprintf(public_file, sizeof public_file, "%s.pub", file);
    if (path_bytes < 0 || (size_t)path_bytes >= sizeof public_file) {
        return err_make(ERR_ARGUMENT, "key file path");
    }
    if (access(file, F_OK) == 0 || access(public_file, F_OK) == 0) {
        return err_make(ERR_CONFLICT, "key file is already there");
    }
    char public_key[CURVE_Z85_BYTES];
    char secret_key[CURVE_Z85_BYTES];
    if (zmq_curve_keypair(public_key, secret_key) != 0) {
        return err_make(ERR_KEY, "make a CURVE key pair");
    }
    char text[CURVE_KEY_FILE_BYTES_MAX];
    /* The public half first: a crash in between leaves a file that nobody's secret can be mistaken
     * for. */
    int text_bytes = snprintf(text, sizeof text, "%s\n", public_key);
    struct err err = durable_replace(public_file, text, (size_t)text_bytes, 0644);
    if (!err_is(err)) {
        text_bytes = snprintf(text, sizeof text, "%s\n%s\n", public_key, secret_key);
        err = durable_replace(file, text, (size_t)text_bytes, 0600);
    }
    explicit_bzero(secret_key, sizeof secret_key);
    explicit_bzero(text, sizeof text);
    return err;
}

/* Reads a small file whole and ends it with a zero. */
static struct err curve_file_read(const char *file, bool must_be_private,
                                  char text[CURVE_KEY_FILE_BYTES_MAX])
{
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        return err_os(ERR_KEY, "open key file");
    }
    struct err err = err_none;
    struct stat status;
    if (fstat(fd, &status) != 0) {
        err = err_os(ERR_KEY, "stat key file");
    } else if (!S_ISREG(status.st_mode)) {
        err = err_make(ERR_KEY, "key file is not a regular file");
    } else if (must_be_private && (status.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
        err = err_make(ERR_KEY, "key file is open to others (mode must be 0600)");
    } else if (status.st_size <= 0 || status.st_size >= CURVE_KEY_FILE_BYTES_MAX) {
        err = err_make(ERR_KEY, "key file has the wrong length");
    } else {
        err = durable_read_at(fd, text, (size_t)status.st_size, 0);
        text[err_is(err) ? 0 : status.st_size] = '\0';
    }
    (void)close(fd); /* read only: nothing can be lost here */
    return err;
}

/* Copies the key that starts at *at and moves past its line. False when that is no Z85 key. */
static bool curve_line_take(const char **at, char key[CURVE_Z85_BYTES])
{
    size_t characters = strcspn(*at, "\r\n");
    if (characters != CURVE_KEY_CHARACTERS) {
        return false;
    }
    memcpy(key, *at, CURVE_KEY_CHARACTERS);
    key[CURVE_KEY_CHARACTERS] = '\0';
    uint8_t raw[32];
    bool valid = zmq_z85_decode(raw, key) != NULL;
    explicit_bzero(raw, sizeof raw);
    *at += characters;
    *at += strspn(*at, "\r\n");
    return valid;
}

struct err curve_key_read(const char *file, char public_key[CURVE_Z85_BYTES],
                          char secret_key[CURVE_Z85_BYTES])
{
    char text[CURVE_KEY_FILE_BYTES_MAX];
    struct err err = curve_file_read(file, true, text);
    if (err_is(err)) {
        return err;
    }
    const char *at = text;
    char public_read[CURVE_Z85_BYTES];
    char secret_read[CURVE_Z85_BYTES];
    char derived[CURVE_Z85_BYTES];
    if (!curve_line_take(&at, public_read) || !curve_line_take(&at, secret_read)) {
        err = err_make(ERR_KEY, "key file is not two lines of Z85");
    } else if (zmq_curve_public(derived, secret_read) != 0 || strcmp(derived, public_read) != 0) {
        err = err_make(ERR_KEY, "the two lines of the key file are not one pair");
    } else {
        memcpy(public_key, public_read, CURVE_Z85_BYTES);
        memcpy(secret_key, secret_read, CURVE_Z85_BYTES);
    }
    explicit_bzero(text, sizeof text);
    explicit_bzero(secret_read, sizeof secret_read);
    return err;
}

struct err curve_public_read(const char *file, char public_key[CURVE_Z85_BYTES])
{
    char text[CURVE_KEY_FILE_BYTES_MAX];
    struct err err = curve_file_read(file, false, text);
    if (err_is(err)) {
        return err;
    }
    const char *at = text;
    char public_read[CURVE_Z85_BYTES];
    if (!curve_line_take(&at, public_read)) {
        err = err_make(ERR_KEY, "first line of the key file is not a CURVE key");
    } else {
        memcpy(public_key, public_read, CURVE_Z85_BYTES);
    }
    explicit_bzero(text, sizeof text);
    return err;
}
