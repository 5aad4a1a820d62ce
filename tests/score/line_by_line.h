/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_SCORE_LINE_BY_LINE_H
#define TESTS_SCORE_LINE_BY_LINE_H

/* Line by line: the features of one line by the plain functions, without columns or blocks. */

#include "score/history.h"
#include "score/history_kind.h"
#include "score/line_features.h"

static inline void features_of_line(const struct history *history, const struct goods_norms *norms,
                                    const struct declaration *declaration, uint32_t line,
                                    float out[LINE_FEATURES])
{
    struct history_parts parts;
    uint64_t keys[HISTORY_KINDS];
    struct line_subject subject;
    bool has_line = line < declaration->lines_count;
    history_parts_of_declaration(&history->key, declaration, &parts);
    if (has_line) {
        history_parts_add_line(&history->key, &declaration->lines[line], &parts);
    }
    for (uint32_t kind = 0; kind < HISTORY_KINDS; kind++) {
        keys[kind] = history_key(kind, &parts);
    }
    line_subject_of(declaration, has_line ? &declaration->lines[line] : NULL, keys, &subject);
    line_features(history, norms, &subject, out);
}

#endif
