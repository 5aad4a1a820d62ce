/* SPDX-License-Identifier: Apache-2.0 */
#include "console/image_query.h"

#include <stdio.h>
#include <string.h>

#define SIDE_MAX 65535u
#define DIGITS_MAX 5u
#define SHOWN_MAX 24u

enum parameter {
    PARAMETER_X,
    PARAMETER_Y,
    PARAMETER_W,
    PARAMETER_H,
    PARAMETER_WIDTH,
    PARAMETER_HEIGHT,
    PARAMETER_FORMAT,
    PARAMETER_COUNT
};

static const char *const names[PARAMETER_COUNT] = {"x", "y", "w", "h", "width", "height", "format"};

bool image_path_read(const char *path, uint8_t digest[HASH_BYTES])
{
    static const char before[] = "/images/";
    return strncmp(path, before, sizeof before - 1) == 0 &&
           hex_decode(path + sizeof before - 1, digest, HASH_BYTES);
}

void image_query_init(struct image_query *out)
{
    memset(out, 0, sizeof *out);
}

static bool was_given(const struct image_query *self, enum parameter parameter)
{
    return (self->given >> parameter & 1u) != 0;
}

/* What a stranger sent comes back in an error only as far as it is harmless text. */
static void tell_unknown(const char *name, size_t name_bytes, char why[IMAGE_QUERY_WHY_BYTES])
{
    char shown[SHOWN_MAX + 1];
    size_t count = name_bytes < SHOWN_MAX ? name_bytes : SHOWN_MAX;
    for (size_t i = 0; i < count; i++) {
        bool plain = (name[i] >= 'a' && name[i] <= 'z') || (name[i] >= 'A' && name[i] <= 'Z') ||
                     (name[i] >= '0' && name[i] <= '9') || name[i] == '_' || name[i] == '-';
        shown[i] = '?';
        if (plain) {
            shown[i] = name[i];
        }
    }
    shown[count] = '\0';
    (void)snprintf(why, IMAGE_QUERY_WHY_BYTES, "parameter '%s' is not known", shown);
}

static bool read_number(const char *value, size_t value_bytes, uint32_t *out)
{
    uint32_t number = 0;
    if (value == NULL || value_bytes < 1 || value_bytes > DIGITS_MAX) {
        return false;
    }
    for (size_t i = 0; i < value_bytes; i++) {
        if (value[i] < '0' || value[i] > '9') {
            return false;
        }
        number = number * 10 + (uint32_t)(value[i] - '0');
    }
    *out = number;
    return number <= SIDE_MAX;
}

static bool is_text(const char *value, size_t value_bytes, const char *text)
{
    return value != NULL && value_bytes == strlen(text) && memcmp(value, text, value_bytes) == 0;
}

bool image_query_add(struct image_query *self, const char *name, size_t name_bytes,
                     const char *value, size_t value_bytes, char why[IMAGE_QUERY_WHY_BYTES])
{
    uint32_t *const numbers[] = {&self->x, &self->y,     &self->w,
                                 &self->h, &self->width, &self->height};
    unsigned found = 0;
    while (found < PARAMETER_COUNT && !is_text(name, name_bytes, names[found])) {
        found++;
    }
    if (found == PARAMETER_COUNT) {
        tell_unknown(name, name_bytes, why);
        return false;
    }
    if (was_given(self, (enum parameter)found)) {
        (void)snprintf(why, IMAGE_QUERY_WHY_BYTES, "parameter '%s' is given twice", names[found]);
        return false;
    }
    self->given |= 1u << found;
    if (found == PARAMETER_FORMAT) {
        bool raw = is_text(value, value_bytes, "raw");
        self->format = raw ? IMAGE_FORMAT_RAW : IMAGE_FORMAT_PNG;
        (void)snprintf(why, IMAGE_QUERY_WHY_BYTES, "parameter 'format' is png or raw");
        return raw || is_text(value, value_bytes, "png");
    }
    bool least = found >= PARAMETER_W; /* sides; corners may be 0 */
    if (!read_number(value, value_bytes, numbers[found]) || (least && *numbers[found] == 0)) {
        (void)snprintf(why, IMAGE_QUERY_WHY_BYTES, "parameter '%s' is a number from %u to %u",
                       names[found], least ? 1u : 0u, SIDE_MAX);
        return false;
    }
    return true;
}

static bool settle_side(const char *name, uint32_t at, uint32_t *side, bool given,
                        uint32_t image_side, char why[IMAGE_QUERY_WHY_BYTES])
{
    if (at >= image_side || (given && *side > image_side - at)) {
        (void)snprintf(why, IMAGE_QUERY_WHY_BYTES, "the region ends outside of the image's %s, %u",
                       name, image_side);
        return false;
    }
    *side = given ? *side : image_side - at;
    return true;
}

/* side / region, of a region as long as `other_region`; at least one pixel. */
static uint32_t keep_shape(uint32_t side, uint32_t region, uint32_t other_region)
{
    uint64_t kept = ((uint64_t)side * other_region + region / 2) / region;
    kept = kept < 1 ? 1 : kept;
    return kept > other_region ? other_region : (uint32_t)kept;
}

bool image_query_settle(struct image_query *self, uint32_t image_width, uint32_t image_height,
                        char why[IMAGE_QUERY_WHY_BYTES])
{
    bool has_width = was_given(self, PARAMETER_WIDTH);
    bool has_height = was_given(self, PARAMETER_HEIGHT);
    if (!settle_side("width", self->x, &self->w, was_given(self, PARAMETER_W), image_width, why) ||
        !settle_side("height", self->y, &self->h, was_given(self, PARAMETER_H), image_height,
                     why)) {
        return false;
    }
    if ((has_width && self->width > self->w) || (has_height && self->height > self->h)) {
        (void)snprintf(why, IMAGE_QUERY_WHY_BYTES,
                       "parameter '%s' is more than the region has: nothing is enlarged",
                       has_width && self->width > self->w ? "width" : "height");
        return false;
    }
    if (!has_width) {
        self->width = has_height ? keep_shape(self->height, self->h, self->w) : self->w;
    }
    if (!has_height) {
        self->height = has_width ? keep_shape(self->width, self->w, self->h) : self->h;
    }
    if ((uint64_t)self->width * self->height > IMAGE_QUERY_PIXELS_MAX) {
        (void)snprintf(why, IMAGE_QUERY_WHY_BYTES,
                       "more than %llu pixels: ask for a smaller width and height",
                       (unsigned long long)IMAGE_QUERY_PIXELS_MAX);
        return false;
    }
    return true;
}

void image_query_etag(const struct image_query *self, const uint8_t digest[HASH_BYTES],
                      char out[IMAGE_ETAG_BYTES])
{
    char hex[HASH_HEX_BYTES];
    hex_encode(digest, HASH_BYTES, hex);
    (void)snprintf(out, IMAGE_ETAG_BYTES, "\"%s-%u-%u-%u-%u-%ux%u-%s\"", hex, self->x, self->y,
                   self->w, self->h, self->width, self->height,
                   self->format == IMAGE_FORMAT_RAW ? "raw" : "png");
}
