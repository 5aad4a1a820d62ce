/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/quorum.h"

#include <stdio.h>
#include <string.h>

#include "proto/cosignature.h"

/* One pass, line by line. A line may only name what stands above it, so groups cannot turn in
 * circles and are counted in the order in which they stand. */

#define WORDS_MAX (3u + QUORUM_WITNESSES_MAX + QUORUM_GROUPS_MAX)

_Static_assert(QUORUM_WITNESSES_MAX + QUORUM_GROUPS_MAX <= 64, "a set of names is 64 bits");

struct word {
    const char *text;
    size_t bytes;
};

struct reading {
    struct quorum *out;
    uint64_t used; /* names that are members of a group already */
    bool has_quorum;
};

const char *quorum_fault_text(enum quorum_fault fault)
{
    static const char *const texts[] = {
        [QUORUM_GOOD] = "good",
        [QUORUM_TOO_LONG] = "file, name or URL is too long",
        [QUORUM_BYTE] = "control characters other than tab and newline are not allowed",
        [QUORUM_CUT] = "the last line has no newline",
        [QUORUM_WORD] = "a line begins with log, witness, group, quorum or #",
        [QUORUM_ITEMS] = "too few or too many words",
        [QUORUM_KEY] = "not a verifier key: logs have type 01, witnesses type 04",
        [QUORUM_KEY_TWICE] = "this public key stands on a line above",
        [QUORUM_NAME_TWICE] = "this name is taken",
        [QUORUM_NAME_UNDEFINED] = "a name that no line above defines",
        [QUORUM_MEMBER_TWICE] = "a name can be a member of one group only, and once",
        [QUORUM_THRESHOLD] = "a group needs any, all, or a number from 1 to its members",
        [QUORUM_TOO_MANY] = "more than 32 logs, witnesses or groups",
        [QUORUM_MISSING] = "no quorum line",
        [QUORUM_TWICE] = "two quorum lines",
    };
    return texts[fault];
}

const char *quorum_verdict_text(enum quorum_verdict verdict)
{
    static const char *const texts[] = {
        [QUORUM_MET] = "the quorum is met",
        [QUORUM_MISSED] = "too few witnesses have signed",
        [QUORUM_NO_NOTE] = "not a signed checkpoint of three lines",
        [QUORUM_NO_LOG] = "not signed by a log of the policy",
        [QUORUM_LOG_FORGED] = "the log's signature does not fit the text",
        [QUORUM_WITNESS_FORGED] = "the signature of a witness does not fit the text",
    };
    return texts[verdict];
}

/* ---- reading ---- */

static bool word_is(struct word word, const char *text)
{
    return word.bytes == strlen(text) && memcmp(word.text, text, word.bytes) == 0;
}

static bool word_copy(struct word word, char *out, size_t bytes_max)
{
    if (word.bytes > bytes_max) {
        return false;
    }
    memcpy(out, word.text, word.bytes);
    out[word.bytes] = '\0';
    return true;
}

/* The bit of a name; 0 when nothing has it. */
static uint64_t name_find(const struct quorum *self, struct word word)
{
    for (uint32_t i = 0; i < self->witnesses_count; i++) {
        if (word_is(word, self->witnesses[i].name)) {
            return UINT64_C(1) << i;
        }
    }
    for (uint32_t i = 0; i < self->groups_count; i++) {
        if (word_is(word, self->groups[i].name)) {
            return UINT64_C(1) << (QUORUM_WITNESSES_MAX + i);
        }
    }
    return 0;
}

static enum quorum_fault name_take(const struct quorum *self, struct word word, char *out)
{
    if (!word_copy(word, out, QUORUM_NAME_BYTES_MAX)) {
        return QUORUM_TOO_LONG;
    }
    return word_is(word, "none") || name_find(self, word) != 0 ? QUORUM_NAME_TWICE : QUORUM_GOOD;
}

static enum quorum_fault key_take(enum note_key_type type, struct word word, struct note_vkey *out)
{
    char text[NOTE_VKEY_BYTES_MAX];
    return word_copy(word, text, sizeof text - 1) && note_vkey_decode_typed(type, text, out)
               ? QUORUM_GOOD
               : QUORUM_KEY;
}

static enum quorum_fault url_take(const struct word *words, uint32_t count, uint32_t at, char *out)
{
    out[0] = '\0';
    return count <= at || word_copy(words[at], out, QUORUM_URL_BYTES_MAX) ? QUORUM_GOOD
                                                                          : QUORUM_TOO_LONG;
}

static enum quorum_fault log_line(struct quorum *self, const struct word *words, uint32_t count)
{
    if (count < 2 || count > 3) {
        return QUORUM_ITEMS;
    }
    if (self->logs_count == QUORUM_LOGS_MAX) {
        return QUORUM_TOO_MANY;
    }
    struct quorum_log *log = &self->logs[self->logs_count];
    enum quorum_fault fault = key_take(NOTE_KEY_LOG, words[1], &log->vkey);
    for (uint32_t i = 0; fault == QUORUM_GOOD && i < self->logs_count; i++) {
        const uint8_t *other = self->logs[i].vkey.public_key;
        fault = memcmp(other, log->vkey.public_key, SIGN_PUBLIC_BYTES) == 0 ? QUORUM_KEY_TWICE
                                                                            : QUORUM_GOOD;
    }
    if (fault == QUORUM_GOOD) {
        fault = url_take(words, count, 2, log->url);
    }
    self->logs_count += fault == QUORUM_GOOD;
    return fault;
}

static enum quorum_fault witness_line(struct quorum *self, const struct word *words, uint32_t count)
{
    if (count < 3 || count > 4) {
        return QUORUM_ITEMS;
    }
    if (self->witnesses_count == QUORUM_WITNESSES_MAX) {
        return QUORUM_TOO_MANY;
    }
    struct quorum_witness *witness = &self->witnesses[self->witnesses_count];
    enum quorum_fault fault = name_take(self, words[1], witness->name);
    if (fault == QUORUM_GOOD) {
        fault = key_take(NOTE_KEY_WITNESS, words[2], &witness->vkey);
    }
    for (uint32_t i = 0; fault == QUORUM_GOOD && i < self->witnesses_count; i++) {
        const uint8_t *other = self->witnesses[i].vkey.public_key;
        fault = memcmp(other, witness->vkey.public_key, SIGN_PUBLIC_BYTES) == 0 ? QUORUM_KEY_TWICE
                                                                                : QUORUM_GOOD;
    }
    if (fault == QUORUM_GOOD) {
        fault = url_take(words, count, 3, witness->url);
    }
    self->witnesses_count += fault == QUORUM_GOOD;
    return fault;
}

static enum quorum_fault threshold_take(struct word word, uint32_t members, uint32_t *out)
{
    uint64_t number = 0;
    if (word_is(word, "any")) {
        number = 1;
    } else if (word_is(word, "all")) {
        number = members;
    } else if (!note_decimal_read(word.text, word.bytes, &number)) {
        return QUORUM_THRESHOLD;
    }
    if (number < 1 || number > members) {
        return QUORUM_THRESHOLD;
    }
    *out = (uint32_t)number;
    return QUORUM_GOOD;
}

static enum quorum_fault group_line(struct reading *reading, const struct word *words,
                                    uint32_t count)
{
    struct quorum *self = reading->out;
    if (count < 4) {
        return QUORUM_ITEMS;
    }
    if (self->groups_count == QUORUM_GROUPS_MAX) {
        return QUORUM_TOO_MANY;
    }
    struct quorum_group *group = &self->groups[self->groups_count];
    enum quorum_fault fault = name_take(self, words[1], group->name);
    group->members = 0;
    for (uint32_t i = 3; fault == QUORUM_GOOD && i < count; i++) {
        uint64_t member = name_find(self, words[i]);
        if (member == 0) {
            fault = QUORUM_NAME_UNDEFINED;
        } else if ((reading->used & member) != 0) {
            fault = QUORUM_MEMBER_TWICE;
        }
        group->members |= member;
        reading->used |= member;
    }
    if (fault == QUORUM_GOOD) {
        fault = threshold_take(words[2], count - 3, &group->threshold);
    }
    self->groups_count += fault == QUORUM_GOOD;
    return fault;
}

static enum quorum_fault quorum_line(struct reading *reading, const struct word *words,
                                     uint32_t count)
{
    if (count != 2) {
        return QUORUM_ITEMS;
    }
    if (reading->has_quorum) {
        return QUORUM_TWICE;
    }
    reading->has_quorum = true;
    reading->out->wanted = name_find(reading->out, words[1]);
    return reading->out->wanted != 0 || word_is(words[1], "none") ? QUORUM_GOOD
                                                                  : QUORUM_NAME_UNDEFINED;
}

static enum quorum_fault words_judge(struct reading *reading, const struct word *words,
                                     uint32_t count)
{
    if (count == 0) {
        return QUORUM_GOOD;
    }
    if (word_is(words[0], "log")) {
        return log_line(reading->out, words, count);
    }
    if (word_is(words[0], "witness")) {
        return witness_line(reading->out, words, count);
    }
    if (word_is(words[0], "group")) {
        return group_line(reading, words, count);
    }
    return word_is(words[0], "quorum") ? quorum_line(reading, words, count) : QUORUM_WORD;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* A line without its newline, cut into words; a comment has none. */
static enum quorum_fault line_judge(struct reading *reading, const char *line, size_t line_bytes)
{
    struct word words[WORDS_MAX + 1];
    uint32_t count = 0;
    for (size_t at = 0; at < line_bytes;) {
        size_t first = at;
        while (at < line_bytes && !is_blank(line[at])) {
            at++;
        }
        if (at > first && count == 0 && line[first] == '#') {
            return QUORUM_GOOD;
        }
        if (at > first && count == WORDS_MAX) {
            return QUORUM_ITEMS;
        }
        if (at > first) {
            words[count++] = (struct word){line + first, at - first};
        }
        at++;
    }
    return words_judge(reading, words, count);
}

static enum quorum_fault bytes_judge(const char *line, size_t line_bytes)
{
    for (size_t i = 0; i < line_bytes; i++) {
        unsigned char c = (unsigned char)line[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f) {
            return QUORUM_BYTE;
        }
    }
    return QUORUM_GOOD;
}

enum quorum_fault quorum_read(const char *text, size_t text_bytes, struct quorum *out,
                              uint32_t *line)
{
    struct reading reading = {.out = out};
    *line = 0;
    if (text_bytes > QUORUM_FILE_BYTES_MAX) {
        return QUORUM_TOO_LONG;
    }
    memset(out, 0, sizeof *out);
    for (size_t at = 0; at < text_bytes;) {
        const char *end = memchr(text + at, '\n', text_bytes - at);
        size_t line_bytes = end == NULL ? 0 : (size_t)(end - (text + at));
        (*line)++;
        enum quorum_fault fault = end == NULL ? QUORUM_CUT : bytes_judge(text + at, line_bytes);
        if (fault == QUORUM_GOOD) {
            fault = line_judge(&reading, text + at, line_bytes);
        }
        if (fault != QUORUM_GOOD) {
            return fault;
        }
        at += line_bytes + 1;
    }
    *line = 0;
    return reading.has_quorum ? QUORUM_GOOD : QUORUM_MISSING;
}

/* ---- judging ---- */

bool quorum_is_met(const struct quorum *quorum, const enum quorum_vote *votes)
{
    uint64_t met = 0;
    for (uint32_t i = 0; i < quorum->witnesses_count; i++) {
        met |= votes[i] == QUORUM_SIGNED ? UINT64_C(1) << i : 0;
    }
    for (uint32_t i = 0; i < quorum->groups_count; i++) {
        const struct quorum_group *group = &quorum->groups[i];
        uint32_t count = (uint32_t)__builtin_popcountll(group->members & met);
        met |= count >= group->threshold ? UINT64_C(1) << (QUORUM_WITNESSES_MAX + i) : 0;
    }
    return quorum->wanted == 0 || (met & quorum->wanted) != 0;
}

/* A line of a log of the policy: *signed_here when it verifies; false when it is forged. */
static bool log_count(const struct quorum *quorum, const char *note, size_t signed_bytes,
                      const struct note_signature *line, const char *origin, bool *signed_here)
{
    for (uint32_t i = 0; i < quorum->logs_count; i++) {
        const struct note_vkey *vkey = &quorum->logs[i].vkey;
        if (strcmp(vkey->name, origin) != 0 || !note_signature_is_by(line, vkey)) {
            continue;
        }
        if (line->bytes_count != SIGN_SIGNATURE_BYTES ||
            !sign_verify(vkey->public_key, note, signed_bytes, line->bytes)) {
            return false;
        }
        *signed_here = true;
    }
    return true;
}

static void witness_count(const struct quorum *quorum, const char *note, size_t signed_bytes,
                          const struct note_signature *line, struct quorum_tally *tally)
{
    for (uint32_t i = 0; i < quorum->witnesses_count; i++) {
        uint64_t time_s = 0;
        switch (cosignature_check(note, signed_bytes, line, &quorum->witnesses[i].vkey, &time_s)) {
        case COSIGNATURE_OTHER_KEY:
            break;
        case COSIGNATURE_GOOD:
            if (tally->votes[i] == QUORUM_ABSENT) {
                tally->votes[i] = QUORUM_SIGNED;
            }
            tally->times_s[i] = time_s > tally->times_s[i] ? time_s : tally->times_s[i];
            break;
        default:
            tally->votes[i] = QUORUM_FORGED;
            break;
        }
    }
}

enum quorum_verdict quorum_judge(const struct quorum *quorum, const char *note, size_t note_bytes,
                                 struct quorum_tally *tally)
{
    size_t signed_bytes = 0;
    size_t at = 0;
    bool log_signed = quorum->logs_count == 0;
    bool log_forged = false;
    bool witness_forged = false;
    memset(tally, 0, sizeof *tally);
    if (!checkpoint_split(note, note_bytes, &tally->checkpoint, &signed_bytes, &at)) {
        return QUORUM_NO_NOTE;
    }
    while (at < note_bytes) {
        struct note_signature line;
        if (!note_signature_next(note, note_bytes, &at, &line)) {
            return QUORUM_NO_NOTE;
        }
        log_forged |=
            !log_count(quorum, note, signed_bytes, &line, tally->checkpoint.origin, &log_signed);
        witness_count(quorum, note, signed_bytes, &line, tally);
    }
    for (uint32_t i = 0; i < quorum->witnesses_count; i++) {
        tally->signed_count += tally->votes[i] == QUORUM_SIGNED;
        witness_forged |= tally->votes[i] == QUORUM_FORGED;
    }
    if (log_forged) {
        return QUORUM_LOG_FORGED;
    }
    if (!log_signed) {
        return QUORUM_NO_LOG;
    }
    if (witness_forged) {
        return QUORUM_WITNESS_FORGED;
    }
    return quorum_is_met(quorum, tally->votes) ? QUORUM_MET : QUORUM_MISSED;
}
