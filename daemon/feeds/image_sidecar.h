/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IMAGE_SIDECAR_H
#define IMAGE_SIDECAR_H

/* Image sidecar: the JSON file beside an image that says what the pixels cannot. Every key is
 * optional; one that is not known is refused. Keys: scan_id, mode, site, lane, scanner,
 * scanner_type, keys [{scheme, value}], acquired
 * ("2026-01-05T06:00:00Z"), other {name: text}; of every image meaning, energy, energy_kev, view,
 * air_level, dark_level, pixel_pitch_mm; and images [{...}], the same per image in their order,
 * stronger than the former. Any thread; blocks on the disk. */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "proto/arena.h"
#include "proto/record.h"

/* Overwrites in *scan, and in its images (writable, images_count of them), what the file says;
 * texts are copied into the arena. Errors: NOT_FOUND (no such file), TABLE_UNREADABLE with a
 * sentence in why (256 bytes), IO. */
MUST_USE struct err image_sidecar_read(const char *path, struct arena *arena, struct scan *scan,
                                       struct image *images, char *why);
/* The file for a scan, as image_sidecar_read takes it; written whole. */
MUST_USE struct err image_sidecar_write(const char *path, const struct scan *scan);
/* "2026-01-05T06:00:00Z", with or without fraction and Z; false when it is not of this form. */
bool image_sidecar_time(const char *text, int64_t *utc_ns);

#endif
