/* SPDX-License-Identifier: Apache-2.0 */
#include "score/part_key.h"

#include <string.h>

#include "base/err.h"
#include "proto/hash.h"
#include "score/part_read.h"

const struct part_key part_key_plain = {.keyed = false};

/* Words of SHA-256(secret, number of the block): nobody who sees some of them learns another. */
static void fill(const uint8_t *secret, uint64_t *words, size_t words_count, uint8_t stream)
{
    uint8_t message[PART_SECRET_BYTES + 3];
    memcpy(message, secret, PART_SECRET_BYTES);
    message[PART_SECRET_BYTES] = stream;
    for (size_t i = 0; i < words_count; i++) {
        uint8_t digest[HASH_BYTES];
        message[PART_SECRET_BYTES + 1] = (uint8_t)(i >> 8);
        message[PART_SECRET_BYTES + 2] = (uint8_t)i;
        sha256_of(message, sizeof message, digest);
        words[i] = 0;
        for (int byte = 0; byte < 8; byte++) {
            words[i] = words[i] << 8 | digest[byte];
        }
    }
}

void part_key_init(struct part_key *self, const uint8_t *secret)
{
    memset(self, 0, sizeof *self);
    if (secret == NULL) {
        return;
    }
    self->keyed = true;
    memcpy(self->secret, secret, PART_SECRET_BYTES);
    for (uint32_t field = 0; field < TEXT_DIGEST_FIELDS; field++) {
        uint64_t words[6];
        fill(secret, words, 6, (uint8_t)field);
        memcpy(&self->texts.fields[field], words, sizeof words);
    }
    fill(secret, self->texts.blocks, sizeof self->texts.blocks / sizeof(uint64_t), UINT8_MAX);
    must(text_names_make(part_names, PART_NAMES, &self->names));
}

bool part_key_is(const struct part_key *self, const struct part_key *other)
{
    return self->keyed == other->keyed &&
           memcmp(self->secret, other->secret, PART_SECRET_BYTES) == 0;
}
