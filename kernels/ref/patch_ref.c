/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/ref/patch_ref.h"

#include <math.h>

static double mean_of_valid(const struct patch_level *level, size_t side, size_t x, size_t y,
                            double *count)
{
    double sum = 0;
    *count = 0;
    for (size_t j = y; j < y + side; j++) {
        for (size_t i = x; i < x + side; i++) {
            if (level->valid == NULL || level->valid[j * level->image.width + i]) {
                sum += (double)level->image.pixels[j * level->image.stride + i];
                *count += 1;
            }
        }
    }
    return sum / *count;
}

void patch_ref_features(const struct patch_level *level, const struct patch_rule *rule, size_t x,
                        size_t y, double *features)
{
    size_t side = rule->side;
    double count;
    double mean = mean_of_valid(level, side, x, y, &count);
    double squares = 0;
    for (size_t j = 0; j < side; j++) {
        for (size_t i = 0; i < side; i++) {
            int kept = level->valid == NULL || level->valid[(y + j) * level->image.width + x + i];
            double pixel = (double)level->image.pixels[(y + j) * level->image.stride + x + i];
            features[j * side + i] = kept ? pixel : mean;
            squares += pow(features[j * side + i] - mean, 2);
        }
    }
    double across = 0;
    double down = 0;
    for (size_t j = 0; j < side; j++) {
        for (size_t i = 0; i + 1 < side; i++) {
            across += pow(features[j * side + i + 1] - features[j * side + i], 2);
            down += pow(features[(i + 1) * side + j] - features[i * side + j], 2);
        }
    }
    double sd = sqrt(squares / count);
    double pairs = (double)(side * (side - 1));
    double weight = (double)rule->level_weight;
    for (size_t i = 0; i < side * side; i++) {
        features[i] = (features[i] - mean) / (sd + (double)rule->contrast_floor);
    }
    features[side * side] = weight * mean;
    features[side * side + 1] = weight * sd;
    features[side * side + 2] = weight * sqrt(across / pairs);
    features[side * side + 3] = weight * sqrt(down / pairs);
}

double patch_ref_embed(const struct patch_projection *projection, const float *features,
                       size_t component, double *magnitude)
{
    double sum = -(double)projection->bias[component];
    *magnitude = fabs(sum);
    for (size_t j = 0; j < projection->feature_count; j++) {
        double term = (double)features[j] *
                      (double)projection->weights[j * projection->embedding_count + component];
        sum += term;
        *magnitude += fabs(term);
    }
    return sum;
}
