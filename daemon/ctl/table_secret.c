/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/table_secret.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/random.h"
#include "proto/hash.h"

/* Not the digest by which the table itself may be known elsewhere: that one can be public. */
static const char purpose[] = "secret of the digests in a model file\n";

static bool is_plain_file(const char *path)
{
    struct stat about;
    return stat(path, &about) == 0 && S_ISREG(about.st_mode);
}

void table_secret(const char *path, uint8_t out[PART_SECRET_BYTES])
{
    _Static_assert(PART_SECRET_BYTES == HASH_BYTES, "one digest");
    static char bytes[1 << 16];
    struct sha256 *hash = sha256_open();
    FILE *file = is_plain_file(path) ? fopen(path, "rb") : NULL;
    sha256_add(hash, purpose, sizeof purpose);
    size_t count = 1;
    while (file != NULL && count > 0) {
        count = fread(bytes, 1, sizeof bytes, file);
        sha256_add(hash, bytes, count);
    }
    bool whole = file != NULL && ferror(file) == 0;
    if (file != NULL) {
        (void)fclose(file);
    }
    sha256_finish(hash, out);
    sha256_close(&hash);
    if (!whole) {
        random_bytes(out, PART_SECRET_BYTES);
    }
}

static void add_text(struct sha256 *hash, const char *text)
{
    sha256_add(hash, text == NULL ? "" : text, text == NULL ? 1 : strlen(text) + 1);
}

struct err logged_secret(struct logged_declarations *logged, uint8_t out[PART_SECRET_BYTES])
{
    struct sha256 *hash = sha256_open();
    struct err err = err_none;
    uint64_t count = logged_declarations_count(logged);
    uint64_t read = 0;
    sha256_add(hash, purpose, sizeof purpose);
    for (uint64_t i = 0; i < count && read < SECRET_ROWS && !err_is(err); i++) {
        const struct declaration *declaration = NULL;
        err = logged_declarations_read(logged, i, &declaration);
        if (!err_is(err) && declaration != NULL) {
            read++;
            add_text(hash, declaration->declaration_id);
            add_text(hash, declaration->importer);
            add_text(hash, declaration->seller);
            add_text(hash, declaration->declarant);
            sha256_add(hash, &declaration->gross_mass_kg, sizeof declaration->gross_mass_kg);
        }
    }
    sha256_finish(hash, out);
    sha256_close(&hash);
    if (read == 0) { /* nothing was hashed: everybody could do that */
        random_bytes(out, PART_SECRET_BYTES);
    }
    return err;
}
