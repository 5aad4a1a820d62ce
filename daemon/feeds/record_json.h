/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RECORD_JSON_H
#define RECORD_JSON_H

/* Record JSON: a record as one line of JSON, field names as in triage.proto, fields that are empty
 * left out, fields in a fixed order. Images are told by geometry, payload_bytes and SHA-256 of the
 * payload; without images (NULL) by the digest that the record states. Pure but for memory; NULL
 * when there is none, or when a text is not UTF-8. Free with record_json_free. */

#include "proto/record.h"

char *record_json_declaration(const struct declaration *declaration);
char *record_json_scan(const struct scan *scan, const void *const *images);
void record_json_free(char **line);

#endif
