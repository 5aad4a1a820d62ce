/* SPDX-License-Identifier: Apache-2.0 */
#include "decide/decide.h"

/* The coin of the random arm. HMAC-SHA-256 is a PRF: without the key nobody can tell an item's
 * draw, with it anybody can. 53 bits, because that is what a double holds exactly: u < rate is then
 * the same comparison in every language. */

void draw_prf(const uint8_t key[HASH_BYTES], const uint8_t item[ITEM_ID_BYTES],
              uint8_t out[HASH_BYTES])
{
    hmac_sha256_of(key, HASH_BYTES, item, ITEM_ID_BYTES, out);
}

double draw_uniform(const uint8_t draw[HASH_BYTES])
{
    uint64_t bits = 0;
    for (int i = 0; i < 8; i++) {
        bits = bits << 8 | draw[i];
    }
    return (double)(bits >> 11) * 0x1p-53;
}
