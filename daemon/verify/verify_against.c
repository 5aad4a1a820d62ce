/* SPDX-License-Identifier: Apache-2.0 */
#include "verify/verify_against.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "verify/verify_file.h"

/* What mail programs and typists do to a text is undone first: quoting marks and blanks in front,
 * blanks behind, carriage returns, empty lines in front. Lines that are not of the note, such as a
 * greeting, stay an error: what is compared must be plain. A copy without a signature is compared
 * as well, because it is the keeper's own word for what he saw. */

#define KEPT_FILE_BYTES_MAX ((size_t)2 * NOTE_BYTES_MAX)

static void kept_clean(const char *text, struct verify_kept *self)
{
    size_t used = 0;
    for (const char *line = text; *line != '\0' && used <= NOTE_BYTES_MAX;) {
        size_t line_bytes = strcspn(line, "\n");
        size_t first = strspn(line, " \t\r>");
        size_t end = line_bytes;
        while (end > first && strchr(" \t\r", line[end - 1]) != NULL) {
            end--;
        }
        bool is_empty = first >= end;
        if (!is_empty || used > 0) {
            size_t count = is_empty ? 0 : end - first;
            count = count < NOTE_BYTES_MAX - used ? count : NOTE_BYTES_MAX - used;
            memcpy(self->text + used, line + first, count);
            used += count;
            self->text[used++] = '\n';
        }
        line += line_bytes + (line[line_bytes] == '\n');
    }
    while (used > 1 && self->text[used - 1] == '\n' && self->text[used - 2] == '\n') {
        used--; /* empty lines behind */
    }
    self->text[used] = '\0';
    self->text_bytes = used;
}

/* The first three lines: origin, size, root. */
static bool kept_parse(struct verify_kept *self)
{
    const char *size_line = strchr(self->text, '\n');
    const char *root_line = size_line == NULL ? NULL : strchr(size_line + 1, '\n');
    const char *end = root_line == NULL ? NULL : strchr(root_line + 1, '\n');
    char *number_end = NULL;
    size_t root_bytes = 0;
    if (end == NULL || (size_t)(size_line - self->text) > NOTE_ORIGIN_BYTES_MAX) {
        return false;
    }
    memcpy(self->origin, self->text, (size_t)(size_line - self->text));
    self->origin[size_line - self->text] = '\0';
    self->size = strtoull(size_line + 1, &number_end, 10);
    return number_end == root_line && size_line[1] >= '0' && size_line[1] <= '9' &&
           base64_decode(root_line + 1, (size_t)(end - root_line - 1), self->root, HASH_BYTES,
                         &root_bytes) &&
           root_bytes == HASH_BYTES && note_origin_valid(self->origin);
}

struct err verify_kept_read(struct verify_report *report, const char *const *paths,
                            uint32_t paths_count, struct verify_kept *out)
{
    (void)verify_report_step(report, STEP_against);
    for (uint32_t i = 0; i < paths_count; i++) {
        struct verify_file file = {.bytes = NULL};
        struct verify_kept *kept = &out[i];
        memset(kept, 0, sizeof *kept);
        kept->path = paths[i];
        enum verify_read read = verify_file_read(&file, paths[i], KEPT_FILE_BYTES_MAX);
        if (read == READ_GOOD) {
            kept_clean((const char *)file.bytes, kept);
            kept->usable = kept_parse(kept);
        }
        verify_file_fini(&file);
        if (read == READ_MISSING) {
            return err_make(ERR_NOT_FOUND, "a file given with --against");
        }
        if (!kept->usable) {
            verify_problem(report, "%s: %s", paths[i],
                           read != READ_GOOD ? verify_read_text(read)
                                             : "not a checkpoint: origin, size and root in three "
                                               "lines, then its signatures");
        }
    }
    return err_none;
}

static void kept_check_signature(struct verify_report *report, const struct verify_keys *keys,
                                 struct verify_kept *kept)
{
    struct checkpoint checkpoint;
    const char *fault = verify_keys_check(keys, kept->text, kept->text_bytes, &checkpoint);
    bool has_signatures = strstr(kept->text, "\n\n") != NULL;
    if (!has_signatures) {
        verify_warning(report,
                       "%s: has no signature: it is compared, but would convince nobody else",
                       kept->path);
    } else if (fault != NULL) {
        verify_problem(report, "%s: %s", kept->path, fault);
        kept->usable = false;
    }
}

struct err verify_kept_claim(struct verify_report *report, struct verify_shard *shard,
                             struct verify_heads *heads, struct verify_kept *kept,
                             uint32_t kept_count)
{
    struct err err = err_none;
    (void)verify_report_step(report, STEP_against);
    for (uint32_t i = 0; i < kept_count && !err_is(err); i++) {
        if (!kept[i].usable || strcmp(kept[i].origin, shard->origin) != 0) {
            continue;
        }
        kept[i].claimed = true;
        shard->kept++;
        kept_check_signature(report, &heads->keys, &kept[i]);
        if (kept[i].usable && kept[i].size > shard->size) {
            verify_problem(report,
                           "%s: is of %" PRIu64 " entries, the log has %" PRIu64
                           ": it was cut at its end",
                           kept[i].path, kept[i].size, shard->size);
        } else if (kept[i].usable) {
            struct verify_head head = {.size = kept[i].size, .kept = &kept[i]};
            memcpy(head.root, kept[i].root, HASH_BYTES);
            err = verify_heads_add(heads, &head);
        }
    }
    verify_heads_sort(heads);
    return err;
}

void verify_kept_met(struct verify_kept *self, bool same)
{
    self->met = true;
    self->same = same;
}

void verify_kept_finish(struct verify_report *report, struct verify_shard *shard,
                        const struct verify_kept *kept, uint32_t kept_count)
{
    (void)verify_report_step(report, STEP_against);
    for (uint32_t i = 0; i < kept_count; i++) {
        bool here = kept[i].usable && strcmp(kept[i].origin, shard->origin) == 0 &&
                    kept[i].size <= shard->size;
        if (!here) {
            continue;
        }
        shard->kept_met += kept[i].met && kept[i].same;
        if (!kept[i].met) {
            verify_problem(report,
                           "%s: cannot be compared, because the entries below it are missing",
                           kept[i].path);
        } else if (!kept[i].same) {
            verify_problem(report,
                           "%s: root of the first %" PRIu64
                           " entries is another one: the log was changed, or two were signed",
                           kept[i].path, kept[i].size);
        }
    }
}

void verify_kept_unclaimed(struct verify_report *report, const struct verify_kept *kept,
                           uint32_t kept_count)
{
    (void)verify_report_step(report, STEP_against);
    for (uint32_t i = 0; i < kept_count; i++) {
        if (kept[i].usable && !kept[i].claimed) {
            verify_problem(report, "%s: is of the log %s, which is not here", kept[i].path,
                           kept[i].origin);
        }
    }
}
