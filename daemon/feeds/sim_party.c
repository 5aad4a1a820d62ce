/* SPDX-License-Identifier: Apache-2.0 */
#include "feeds/sim_party.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "proto/checkdigit.h"

static const struct {
    uint64_t population;
    double bad_share;  /* of the population */
    double bad_factor; /* on the odds of a violation */
    char letter;
} kinds[SIM_PARTY_KINDS] = {
    [SIM_IMPORTER] = {600, 0.08, 6.0, 'I'},
    [SIM_SELLER] = {900, 0.08, 4.0, 'S'},
    [SIM_DECLARANT] = {80, 0.10, 2.0, 'D'},
    [SIM_COURIER] = {8, 0, 1, 'C'},
};

/* Index of a party with frequency about 1 / (index + 3): inverse of the integral of that law. */
static uint64_t draw_index(uint64_t population, struct rng *rng)
{
    double at = 3 * pow((double)(population + 3) / 3, rng_uniform(rng)) - 3;
    uint64_t index = at > 0 ? (uint64_t)at : 0;
    return index < population ? index : population - 1;
}

static void write_name(uint64_t hash, char letter, char out[SIM_PARTY_BYTES])
{
    static const char letters[] = "0123456789ABCDEFGHJKLMNPQRSTUVWXYZ";
    out[0] = letter;
    for (int i = 1; i < 8; i++) {
        out[i] = letters[hash % (sizeof letters - 1)];
        hash /= sizeof letters - 1;
    }
    out[8] = '\0';
}

void sim_parties_draw(uint64_t seed, enum mode mode, struct rng *rng, struct sim_parties *out)
{
    out->propensity = 1;
    for (int kind = 0; kind < SIM_PARTY_KINDS; kind++) {
        uint64_t index = draw_index(kinds[kind].population, rng);
        if (kind == SIM_COURIER && mode != MODE_MAIL && mode != MODE_AIR) {
            out->name[kind][0] = '\0';
            continue;
        }
        struct rng own;
        rng_init(&own, seed ^ UINT64_C(0x7061727479), (uint64_t)kind << 32 | index);
        write_name(rng_next(&own), kinds[kind].letter, out->name[kind]);
        double share = kinds[kind].bad_share, factor = kinds[kind].bad_factor;
        double mean = 1 - share + share * factor;
        out->propensity *= (rng_uniform(&own) < share ? factor : 1) / mean;
    }
}

/* ---- keys: the last digit is found by asking the checker, which has tests of its own ---- */

static void fill_check_digit(enum key_scheme scheme, char *text, size_t at)
{
    for (int digit = '0'; digit <= '9'; digit++) {
        text[at] = (char)digit;
        if (check_key(scheme, text) == CHECK_GOOD) {
            return;
        }
    }
    text[at] = '\0'; /* ISO 6346 remainder 10: the caller draws again */
}

static void draw_digits(struct rng *rng, char *out, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        out[i] = (char)('0' + rng_below(rng, 10));
    }
}

static const char *pick(struct rng *rng, const char *const *words, uint64_t count)
{
    return words[rng_below(rng, count)];
}

static void draw_container(struct rng *rng, char out[SIM_KEY_BYTES])
{
    static const char *const owners[] = {"SIMU", "TSTU", "XQZU", "ZZSU"}; /* none of a large line */
    do {
        (void)snprintf(out, SIM_KEY_BYTES, "%s0000000", pick(rng, owners, 4));
        draw_digits(rng, out + 4, 6);
        fill_check_digit(KEY_CONTAINER, out, 10);
    } while (out[10] == '\0');
}

static void draw_mail(struct rng *rng, char out[SIM_KEY_BYTES])
{
    static const char *const services[] = {"CP", "EE", "LX", "RR", "HB", "CV"};
    static const char *const origins[] = {"CN", "US", "DE", "GB", "NL", "TR", "TH", "BR"};
    (void)snprintf(out, SIM_KEY_BYTES, "%s000000000%s", pick(rng, services, 6),
                   pick(rng, origins, 8));
    draw_digits(rng, out + 2, 8);
    fill_check_digit(KEY_S10, out, 10);
}

enum key_scheme sim_key_draw(enum mode mode, struct rng *rng, char out[SIM_KEY_BYTES])
{
    static const char *const marks[] = {"SIMX", "TSTX", "ZZRX"};
    static const char *const prefixes[] = {"999", "990", "991"}; /* not of a large airline */
    switch (mode) {
    case MODE_SEA:
        draw_container(rng, out);
        return KEY_CONTAINER;
    case MODE_MAIL:
        draw_mail(rng, out);
        return KEY_S10;
    case MODE_AIR:
        (void)snprintf(out, SIM_KEY_BYTES, "%s00000000", pick(rng, prefixes, 3));
        draw_digits(rng, out + 3, 7);
        fill_check_digit(KEY_AWB, out, 10);
        return KEY_AWB;
    case MODE_RAIL:
        (void)snprintf(out, SIM_KEY_BYTES, "%s000000", pick(rng, marks, 3));
        draw_digits(rng, out + 4, 6);
        return KEY_RAILCAR;
    case MODE_TRUCK:
    case MODE_PASSENGER:
        (void)snprintf(out, SIM_KEY_BYTES, "SIM%c%c0000", (char)('A' + rng_below(rng, 26)),
                       (char)('A' + rng_below(rng, 26)));
        draw_digits(rng, out + 5, 4);
        return KEY_PLATE;
    default:
        must(false);
        return KEY_UNKNOWN;
    }
}
