/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/evaluation_json.h"

#include <math.h>

#include <jansson.h>

static json_t *real(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *rate(const struct evaluation_rate *rate)
{
    json_t *out = json_object();
    json_object_set_new(out, "value", real(rate->value));
    json_object_set_new(out, "lower", real(rate->lower));
    json_object_set_new(out, "upper", real(rate->upper));
    return out;
}

json_t *evaluation_json(const struct evaluation *evaluation)
{
    json_t *out = json_object();
    json_object_set_new(out, "rows", json_integer((json_int_t)evaluation->rows));
    json_object_set_new(out, "finds", json_integer((json_int_t)evaluation->finds));
    json_object_set_new(out, "precision_5", rate(&evaluation->precision_5));
    json_object_set_new(out, "precision_10", rate(&evaluation->precision_10));
    json_object_set_new(out, "auc", rate(&evaluation->auc));
    json_object_set_new(out, "log_loss", real(evaluation->loss));
    json_object_set_new(out, "calibration_error", real(evaluation->calibration_error));
    json_t *bins = json_array();
    for (uint32_t i = 0; i < EVALUATION_BINS; i++) {
        const struct evaluation_bin *bin = &evaluation->bins[i];
        json_t *object = json_object();
        json_object_set_new(object, "rows", json_integer((json_int_t)bin->rows));
        json_object_set_new(object, "finds", json_integer((json_int_t)bin->finds));
        json_object_set_new(object, "predicted", real(bin->predicted));
        json_array_append_new(bins, object);
    }
    json_object_set_new(out, "bins", bins);
    return out;
}

json_t *line_buckets_json(const struct line_bucket buckets[LINE_BUCKETS])
{
    json_t *out = json_array();
    for (uint32_t i = 0; i < LINE_BUCKETS; i++) {
        const struct line_bucket *bucket = &buckets[i];
        if (bucket->rows == 0) {
            continue;
        }
        json_t *object = json_object();
        json_object_set_new(object, "lines", json_string(line_bucket_names[i]));
        json_object_set_new(object, "rows", json_integer((json_int_t)bucket->rows));
        json_object_set_new(object, "finds", json_integer((json_int_t)bucket->finds));
        json_object_set_new(object, "predicted", real(bucket->predicted));
        json_object_set_new(object, "calibration_error", rate(&bucket->calibration_error));
        json_object_set_new(object, "by_chance", real(bucket->chance));
        json_array_append_new(out, object);
    }
    return out;
}
