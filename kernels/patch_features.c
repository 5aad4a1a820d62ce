/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/patch_features.h"

#include <math.h>
#include <string.h>

/* Every sum runs in four lanes of double, pixel i in lane i mod 4, so that additions need not wait
 * for each other; four doubles are a register of AVX2. There a patch without an invalid pixel is
 * read twice, for the mean and for everything else: the same operations on the same numbers in the
 * same order as the plain loops, no two of them fused. */

#if defined(__x86_64__)
#include <immintrin.h>
#endif

enum { LANES = 4 };

static double sum_of(const double lanes[LANES])
{
    return (lanes[0] + lanes[1]) + (lanes[2] + lanes[3]);
}

/* What the pixels are made of once the mean is known. */
struct measures {
    double mean;
    double sd;
    double across; /* root mean squares of neighbour differences */
    double down;
};

/* The appended features. Returns what a pixel's distance from the mean is multiplied by. */
static double append(const struct patch_rule *rule, const struct measures *measures,
                     float *features)
{
    double weight = (double)rule->level_weight;
    float *appended = features + rule->side * rule->side;
    appended[0] = (float)(weight * measures->mean);
    appended[1] = (float)(weight * measures->sd);
    appended[2] = (float)(weight * measures->across);
    appended[3] = (float)(weight * measures->down);
    return 1.0 / (measures->sd + (double)rule->contrast_floor);
}

static int is_left_out(const struct patch_rule *rule, double mean)
{
    return (double)(float)((double)rule->level_weight * mean) < rule->level_min;
}

/* ---- plain ---- */

/* Copy the valid pixels, the others as NaN, and return how many are valid. */
static size_t copy_patch(const struct patch_corner *corner, size_t side, float *pixels,
                         double *mean)
{
    double lanes[LANES] = {0};
    size_t valid_count = 0;
    for (size_t j = 0; j < side; j++) {
        const float *row = corner->pixels + j * corner->stride;
        for (size_t i = 0; i < side; i++) {
            int kept = corner->valid == NULL || corner->valid[j * corner->valid_stride + i];
            pixels[j * side + i] = kept ? row[i] : NAN;
            lanes[i % LANES] += kept ? (double)row[i] : 0.0;
            valid_count += (size_t)kept;
        }
    }
    *mean = valid_count > 0 ? sum_of(lanes) / (double)valid_count : 0.0;
    return valid_count;
}

static double root_mean_square_step(const float *pixels, size_t side, size_t step)
{
    size_t rows = step == 1 ? side : side - 1;
    size_t columns = step == 1 ? side - 1 : side;
    double lanes[LANES] = {0};
    for (size_t j = 0; j < rows; j++) {
        for (size_t i = 0; i < columns; i++) {
            const float *pixel = pixels + j * side + i;
            double difference = (double)pixel[step] - (double)pixel[0];
            lanes[i % LANES] += difference * difference;
        }
    }
    return sqrt(sum_of(lanes) / (double)(rows * columns));
}

static int features_plain(const struct patch_corner *corner, const struct patch_rule *rule,
                          float *features)
{
    size_t pixel_count = rule->side * rule->side;
    struct measures measures;
    size_t valid_count = copy_patch(corner, rule->side, features, &measures.mean);
    double invalid_share = (double)(pixel_count - valid_count) / (double)pixel_count;
    if (valid_count == 0 || invalid_share > (double)rule->invalid_share_max ||
        is_left_out(rule, measures.mean)) {
        return 0;
    }
    double lanes[LANES] = {0};
    for (size_t i = 0; i < pixel_count; i++) {
        if (corner->valid != NULL && isnan(features[i])) {
            features[i] = (float)measures.mean;
        }
        double from_mean = (double)features[i] - measures.mean;
        lanes[i % LANES] += from_mean * from_mean;
    }
    measures.sd = sqrt(sum_of(lanes) / (double)valid_count);
    measures.across = root_mean_square_step(features, rule->side, 1);
    measures.down = root_mean_square_step(features, rule->side, rule->side);
    double scale = append(rule, &measures, features);
    for (size_t i = 0; i < pixel_count; i++) {
        features[i] = (float)(((double)features[i] - measures.mean) * scale);
    }
    return 1;
}

/* ---- AVX2 ---- */

#if defined(__x86_64__)
#define AVX2 PATH_TARGET_AVX2
#define AVX2_INLINE AVX2 __attribute__((always_inline)) static inline

AVX2_INLINE __m256d four(const float *pixels)
{
    return _mm256_cvtps_pd(_mm_loadu_ps(pixels));
}

AVX2_INLINE double lanes_sum(__m256d sums)
{
    double lanes[LANES];
    _mm256_storeu_pd(lanes, sums);
    return sum_of(lanes);
}

AVX2_INLINE __m256d add_square(__m256d sums, __m256d difference)
{
    return _mm256_add_pd(sums, _mm256_mul_pd(difference, difference));
}

static int all_are_valid(const struct patch_corner *corner, size_t side)
{
    unsigned missing = 0;
    for (size_t j = 0; corner->valid != NULL && j < side; j++) {
        const uint8_t *valid = corner->valid + j * corner->valid_stride;
        for (size_t i = 0; i < side; i += sizeof(uint32_t)) {
            uint32_t word;
            memcpy(&word, valid + i, sizeof word);
            missing |= (word - 0x01010101U) & ~word & 0x80808080U; /* a byte of 0 in it? */
        }
    }
    return missing == 0;
}

AVX2 static double mean_avx2(const struct patch_corner *corner, size_t side)
{
    __m256d sums = _mm256_setzero_pd();
    for (size_t j = 0; j < side; j++) {
        const float *row = corner->pixels + j * corner->stride;
        for (size_t i = 0; i < side; i += LANES) {
            sums = _mm256_add_pd(sums, four(row + i));
        }
    }
    return lanes_sum(sums) / (double)(side * side);
}

AVX2 static void measure_avx2(const struct patch_corner *corner, size_t side,
                              struct measures *measures)
{
    const __m256d mean = _mm256_set1_pd(measures->mean);
    /* The last pixel of a row has no right neighbour. */
    const __m256d inner = _mm256_castsi256_pd(_mm256_set_epi64x(0, -1, -1, -1));
    __m256d squares = _mm256_setzero_pd();
    __m256d across = squares;
    __m256d down = squares;
    for (size_t j = 0; j < side; j++) {
        const float *row = corner->pixels + j * corner->stride;
        size_t i = 0;
        for (; i + LANES < side; i += LANES) {
            __m256d pixels = four(row + i);
            squares = add_square(squares, _mm256_sub_pd(pixels, mean));
            across = add_square(across, _mm256_sub_pd(four(row + i + 1), pixels));
            if (j + 1 < side) {
                down = add_square(down, _mm256_sub_pd(four(row + corner->stride + i), pixels));
            }
        }
        __m256d pixels = four(row + i);
        __m256d right = _mm256_permute4x64_pd(pixels, 0xf9); /* lanes 1, 2, 3, 3 */
        squares = add_square(squares, _mm256_sub_pd(pixels, mean));
        across = add_square(across, _mm256_and_pd(_mm256_sub_pd(right, pixels), inner));
        if (j + 1 < side) {
            down = add_square(down, _mm256_sub_pd(four(row + corner->stride + i), pixels));
        }
    }
    double steps = (double)(side * (side - 1));
    measures->sd = sqrt(lanes_sum(squares) / (double)(side * side));
    measures->across = sqrt(lanes_sum(across) / steps);
    measures->down = sqrt(lanes_sum(down) / steps);
}

AVX2 static void spread_avx2(const struct patch_corner *corner, size_t side, double mean,
                             double scale, float *features)
{
    const __m256d middle = _mm256_set1_pd(mean);
    const __m256d scales = _mm256_set1_pd(scale);
    for (size_t j = 0; j < side; j++) {
        const float *row = corner->pixels + j * corner->stride;
        for (size_t i = 0; i < side; i += LANES) {
            __m256d from_mean = _mm256_sub_pd(four(row + i), middle);
            _mm_storeu_ps(features + j * side + i,
                          _mm256_cvtpd_ps(_mm256_mul_pd(from_mean, scales)));
        }
    }
}

/* Only of patches whose pixels are all valid and numbers; tells in *whole whether it is one. */
AVX2 static int features_avx2(const struct patch_corner *corner, const struct patch_rule *rule,
                              float *features, int *whole)
{
    struct measures measures;
    *whole = 0;
    if (rule->side % LANES != 0 || !all_are_valid(corner, rule->side)) {
        return 0;
    }
    measures.mean = mean_avx2(corner, rule->side);
    if (isnan(measures.mean)) {
        return 0;
    }
    *whole = 1;
    if (0.0 > (double)rule->invalid_share_max || is_left_out(rule, measures.mean)) {
        return 0;
    }
    measure_avx2(corner, rule->side, &measures);
    double scale = append(rule, &measures, features);
    spread_avx2(corner, rule->side, measures.mean, scale, features);
    return 1;
}
#endif

int patch_features(enum path path, const struct patch_corner *corner, const struct patch_rule *rule,
                   float *restrict features)
{
#if defined(__x86_64__)
    if (path >= PATH_AVX2) {
        int whole;
        int kept = features_avx2(corner, rule, features, &whole);
        if (whole) {
            return kept;
        }
    }
#endif
    (void)path;
    return features_plain(corner, rule, features);
}
