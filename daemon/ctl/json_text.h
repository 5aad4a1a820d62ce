/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CTL_JSON_TEXT_H
#define CTL_JSON_TEXT_H

/* Json text: how values become JSON here. Text that is not UTF-8 keeps its ASCII and loses the rest
 * to '?', because a record of evidence must not be missing from a listing for a broken letter. */

struct json_t;

/* New reference, never NULL; NULL text is "". */
struct json_t *json_text(const char *text);
/* Bytes as lower-case hexadecimal with an optional prefix ("sha256:"). */
struct json_t *json_hex(const char *prefix, const void *bytes, unsigned bytes_count);
/* UTC as "2026-09-21T11:22:33.123456789Z". */
struct json_t *json_time(long long t_ns);
/* One line (pretty false) or indented to standard output, then the reference is dropped; returns an
 * exit code. */
int json_print(struct json_t *value, int pretty);

#endif
