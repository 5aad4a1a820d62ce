/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCORE_PART_KEY_H
#define SCORE_PART_KEY_H

/* Part key: by which digests the parts of a declaration become the keys of histories. A model file
 * names its own.
 *
 * Unkeyed (linear models, and model files of kinds_version 2): SHA-256 cut to 64 bits. Keyed
 * (kinds_version 3): kernels/text_digest.h under a secret of the model file, which is some twenty
 * times faster and as hard to steer into somebody else's history for who does not have the file;
 * model files are internal. A key is written once; any thread may read it. */

#include <stdbool.h>
#include <stdint.h>

#include "kernels/text_digest.h"

#define PART_SECRET_BYTES 32u

struct part_key {
    bool keyed;
    uint8_t secret[PART_SECRET_BYTES];
    struct text_digest_key texts;
    struct text_names names; /* of codes that have no field of their own in a record */
};

/* secret NULL: unkeyed. */
void part_key_init(struct part_key *self, const uint8_t *secret);
/* True when both make the same keys. */
bool part_key_is(const struct part_key *self, const struct part_key *other);
/* Unkeyed; lives for ever. */
extern const struct part_key part_key_plain;

#endif
