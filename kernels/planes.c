/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/planes.h"

#include <string.h>

#include "kernels/round.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

/* A pixel's step and whether it is valid share a word, and so do the sums of a column of 33 of
 * them: one addition and one subtraction move the window down a row. Sums along the row are
 * differences of two running sums, which may wrap: what they differ by is below 2^32. Every loop
 * but the running sums is independent from pixel to pixel; all float operations are single and in a
 * stated order (-ffp-contract=off). */

enum {
    STEP_MAX = 255 * PLANES_FINE,
    WINDOW = 2 * PLANES_RADIUS + 1,
    VALID_SHIFT = 20,
    VALID = 1 << VALID_SHIFT, /* in a word: a valid pixel; in a column's sum: how many */
    STEP_MASK = VALID - 1,
};

_Static_assert(WINDOW *STEP_MAX < VALID, "a column's steps leave its count alone");
_Static_assert(WINDOW *WINDOW *STEP_MAX < 1 << 24, "a window's sum is exact in a float");

struct space {
    uint32_t *words;   /* [WINDOW][width]: a ring of rows; 0 where not valid */
    uint32_t *columns; /* [width]: sums over the ring */
    uint32_t *steps;   /* [width + WINDOW]: running sums of steps, padded to either side */
    uint32_t *counts;  /* of valid pixels, likewise */
};

size_t planes_workspace_bytes(size_t width)
{
    return (WINDOW * width + width + 2 * (width + WINDOW)) * sizeof(uint32_t);
}

static struct space place(void *workspace, size_t width)
{
    struct space space = {.words = workspace};
    space.columns = space.words + WINDOW * width;
    space.steps = space.columns + width;
    space.counts = space.steps + width + WINDOW;
    memset(workspace, 0, planes_workspace_bytes(width));
    return space;
}

/* A row takes the place of the one that leaves the window. pixels NULL: below the image. */
PATH_BODY void enter_body(const float *pixels, const uint8_t *valid, size_t width, float scale,
                          uint32_t *restrict words, uint32_t *restrict columns)
{
    if (pixels == NULL) {
        for (size_t x = 0; x < width; x++) {
            columns[x] -= words[x];
            words[x] = 0;
        }
        return;
    }
    for (size_t x = 0; x < width; x++) {
        uint32_t step = round_even(round_hold(pixels[x] * scale, 0, STEP_MAX));
        uint32_t word = valid[x] != 0 ? step + VALID : 0;
        columns[x] += word - words[x];
        words[x] = word;
    }
}

typedef void run_sums(const struct space *space, size_t width);

/* The last sums stand behind the last pixel, too. */
static void pad_sums(const struct space *space, size_t width)
{
    const size_t last = PLANES_RADIUS + width;
    for (size_t x = last + 1; x < width + WINDOW; x++) {
        space->steps[x] = space->steps[last];
        space->counts[x] = space->counts[last];
    }
}

static void run_sums_plain(const struct space *space, size_t width)
{
    uint32_t steps = 0;
    uint32_t counts = 0;
    for (size_t x = 0; x < width; x++) {
        steps += space->columns[x] & STEP_MASK;
        counts += space->columns[x] >> VALID_SHIFT;
        space->steps[PLANES_RADIUS + 1 + x] = steps;
        space->counts[PLANES_RADIUS + 1 + x] = counts;
    }
    pad_sums(space, width);
}

#if defined(__x86_64__)
enum { LANES = 16 };

/* Each lane and all before it, in four steps. */
PATH_TARGET_AVX512 __attribute__((always_inline)) static inline __m512i run_lanes(__m512i values)
{
    const __m512i none = _mm512_setzero_si512();
    values = _mm512_add_epi32(values, _mm512_alignr_epi32(values, none, LANES - 1));
    values = _mm512_add_epi32(values, _mm512_alignr_epi32(values, none, LANES - 2));
    values = _mm512_add_epi32(values, _mm512_alignr_epi32(values, none, LANES - 4));
    return _mm512_add_epi32(values, _mm512_alignr_epi32(values, none, LANES - 8));
}

/* The same sums: only this addition of the next 16 to those before waits for the one before it. */
PATH_TARGET_AVX512 static void run_sums_avx512(const struct space *space, size_t width)
{
    const __m512i last = _mm512_set1_epi32(LANES - 1);
    __m512i steps = _mm512_setzero_si512();
    __m512i counts = steps;
    for (size_t x = 0; x < width; x += LANES) {
        const __mmask16 there =
            (__mmask16)(width - x < LANES ? (1U << (width - x)) - 1 : UINT16_MAX);
        const __m512i columns = _mm512_maskz_loadu_epi32(there, space->columns + x);
        const __m512i more_steps =
            run_lanes(_mm512_and_si512(columns, _mm512_set1_epi32(STEP_MASK)));
        const __m512i more_counts = run_lanes(_mm512_srli_epi32(columns, VALID_SHIFT));
        uint32_t *to = space->steps + PLANES_RADIUS + 1 + x;
        _mm512_mask_storeu_epi32(to, there, _mm512_add_epi32(steps, more_steps));
        to = space->counts + PLANES_RADIUS + 1 + x;
        _mm512_mask_storeu_epi32(to, there, _mm512_add_epi32(counts, more_counts));
        steps = _mm512_add_epi32(steps, _mm512_permutexvar_epi32(last, more_steps));
        counts = _mm512_add_epi32(counts, _mm512_permutexvar_epi32(last, more_counts));
    }
    pad_sums(space, width);
}
#endif

PATH_BODY void write_body(const struct space *space, const uint32_t *words, size_t width,
                          float contrast, uint8_t *restrict out)
{
    const uint32_t *steps = space->steps;
    const uint32_t *counts = space->counts;
    for (size_t x = 0; x < width; x++) {
        int32_t sum = (int32_t)(steps[x + WINDOW] - steps[x]);
        int32_t count = (int32_t)(counts[x + WINDOW] - counts[x]);
        uint32_t step = words[x] & STEP_MASK;
        float mean = (float)sum / (float)count; /* not valid: of 0 pixels, perhaps */
        uint32_t local =
            round_even(round_hold(128 + contrast * ((float)(int32_t)step - mean), 0, 255));
        uint32_t word = (step + PLANES_FINE / 2U) / PLANES_FINE | local << 8 | 255U << 24;
        word = words[x] >= VALID ? word : 0;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
        memcpy(out + x * PLANES_COUNT, &word, sizeof word);
#else
        for (size_t plane = 0; plane < PLANES_COUNT; plane++) {
            out[x * PLANES_COUNT + plane] = (uint8_t)(word >> 8 * plane);
        }
#endif
    }
}

PATH_BODY void make_body(const struct planes_rule *rule, const struct image_view *image,
                         const uint8_t *valid, run_sums *run, void *restrict workspace,
                         uint8_t *restrict planes)
{
    const size_t width = image->width;
    struct space space = place(workspace, width);
    for (size_t y = 0; y < image->height + PLANES_RADIUS; y++) {
        int inside = y < image->height;
        enter_body(inside ? image->pixels + y * image->stride : NULL, valid + y * width, width,
                   rule->scale, space.words + y % WINDOW * width, space.columns);
        if (y >= PLANES_RADIUS) {
            size_t row = y - PLANES_RADIUS;
            run(&space, width);
            write_body(&space, space.words + row % WINDOW * width, width, rule->contrast,
                       planes + row * width * PLANES_COUNT);
        }
    }
}

#define MAKE_ON(name, run, target)                                                                 \
    target static void make_##name(const struct planes_rule *rule, const struct image_view *image, \
                                   const uint8_t *valid, void *restrict workspace,                 \
                                   uint8_t *restrict planes)                                       \
    {                                                                                              \
        make_body(rule, image, valid, run, workspace, planes);                                     \
    }

MAKE_ON(portable, run_sums_plain, )
#if defined(__x86_64__)
MAKE_ON(avx2, run_sums_plain, PATH_TARGET_AVX2)
MAKE_ON(avx512, run_sums_avx512, PATH_TARGET_AVX512)
#endif

void planes_make_by(enum path path, const struct planes_rule *rule, const struct image_view *image,
                    const uint8_t *valid, void *restrict workspace, uint8_t *restrict planes)
{
#if defined(__x86_64__)
    if (path == PATH_AVX512) {
        make_avx512(rule, image, valid, workspace, planes);
        return;
    }
    if (path == PATH_AVX2) {
        make_avx2(rule, image, valid, workspace, planes);
        return;
    }
#endif
    (void)path;
    make_portable(rule, image, valid, workspace, planes);
}

void planes_make(const struct planes_rule *rule, const struct image_view *image,
                 const uint8_t *valid, void *restrict workspace, uint8_t *restrict planes)
{
    planes_make_by(path_best(), rule, image, valid, workspace, planes);
}
