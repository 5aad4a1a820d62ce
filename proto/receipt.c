/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/receipt.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* One spelling only, as with notes: a receipt that was checked once must not have a twin that reads
 * differently elsewhere. */

#define RECEIPT_HEADER "c2sp.org/tlog-proof@v1\n"
#define HASH_TEXT_BYTES 44u

const char *receipt_fault_text(enum receipt_fault fault)
{
    switch (fault) {
    case RECEIPT_GOOD:
        return "good";
    case RECEIPT_MALFORMED:
        return "not a receipt (c2sp.org/tlog-proof@v1)";
    case RECEIPT_TOO_LONG:
        return "longer than a receipt can be";
    case RECEIPT_CHECKPOINT:
        return "its checkpoint does not hold";
    case RECEIPT_NOT_INCLUDED:
        return "the entry is not in the tree of its checkpoint";
    }
    return "unknown";
}

/* ---- writing ---- */

struct receipt_out {
    char *text;
    size_t capacity;
    size_t bytes;
    bool full;
};

static void out_put(struct receipt_out *out, const char *text, size_t bytes)
{
    if (out->full || bytes >= out->capacity - out->bytes) {
        out->full = true;
        return;
    }
    memcpy(out->text + out->bytes, text, bytes);
    out->bytes += bytes;
    out->text[out->bytes] = '\0';
}

static void out_put_base64(struct receipt_out *out, const uint8_t *bytes, size_t bytes_count)
{
    size_t text_bytes = 4 * ((bytes_count + 2) / 3);
    if (out->full || text_bytes + 1 >= out->capacity - out->bytes) {
        out->full = true;
        return;
    }
    base64_encode(bytes, bytes_count, out->text + out->bytes);
    out->bytes += text_bytes;
    out_put(out, "\n", 1);
}

size_t receipt_write(const struct receipt *receipt, const uint8_t *extra, size_t extra_bytes,
                     char *out_text, size_t out_capacity)
{
    char index[32];
    struct receipt_out out = {.text = out_text, .capacity = out_capacity};
    if (out_capacity == 0 || receipt->hashes_count > MERKLE_LEVELS_MAX ||
        extra_bytes > RECEIPT_EXTRA_BYTES_MAX || receipt->checkpoint_bytes > NOTE_BYTES_MAX) {
        return 0;
    }
    int index_bytes = snprintf(index, sizeof index, "index %" PRIu64 "\n", receipt->leaf_index);
    out_put(&out, RECEIPT_HEADER, strlen(RECEIPT_HEADER));
    if (extra != NULL) {
        out_put(&out, "extra ", 6);
        out_put_base64(&out, extra, extra_bytes);
    }
    out_put(&out, index, (size_t)index_bytes);
    for (uint32_t i = 0; i < receipt->hashes_count; i++) {
        out_put_base64(&out, receipt->hashes[i], HASH_BYTES);
    }
    out_put(&out, "\n", 1);
    out_put(&out, receipt->checkpoint, receipt->checkpoint_bytes);
    return out.full ? 0 : out.bytes;
}

/* ---- reading ---- */

struct receipt_line {
    const char *text;
    size_t bytes;
};

static bool line_take(const char **at, const char *end, struct receipt_line *out)
{
    const char *newline = *at == end ? NULL : memchr(*at, '\n', (size_t)(end - *at));
    if (newline == NULL) {
        return false;
    }
    *out = (struct receipt_line){*at, (size_t)(newline - *at)};
    *at = newline + 1;
    return true;
}

static bool line_starts(const struct receipt_line *line, const char *word)
{
    size_t word_bytes = strlen(word);
    return line->bytes > word_bytes && memcmp(line->text, word, word_bytes) == 0;
}

static bool index_read(const struct receipt_line *line, uint64_t *out)
{
    const size_t word_bytes = strlen("index ");
    return line_starts(line, "index ") &&
           note_decimal_read(line->text + word_bytes, line->bytes - word_bytes, out);
}

/* The hashes and the empty line behind them. */
static bool hashes_read(const char **at, const char *end, struct receipt *out)
{
    struct receipt_line line;
    while (line_take(at, end, &line)) {
        size_t bytes = 0;
        if (line.bytes == 0) {
            return true;
        }
        if (out->hashes_count == MERKLE_LEVELS_MAX || line.bytes != HASH_TEXT_BYTES ||
            !base64_decode(line.text, line.bytes, out->hashes[out->hashes_count], HASH_BYTES,
                           &bytes) ||
            bytes != HASH_BYTES) {
            return false;
        }
        out->hashes_count++;
    }
    return false;
}

enum receipt_fault receipt_read(const char *text, size_t text_bytes, struct receipt *out)
{
    const char *at = text;
    const char *end = text + text_bytes;
    struct receipt receipt = {0};
    struct receipt_line line;
    if (text_bytes >= RECEIPT_BYTES_MAX) {
        return RECEIPT_TOO_LONG;
    }
    if (!line_take(&at, end, &line) || line.bytes + 1 != strlen(RECEIPT_HEADER) ||
        memcmp(line.text, RECEIPT_HEADER, line.bytes) != 0 || !line_take(&at, end, &line)) {
        return RECEIPT_MALFORMED;
    }
    if (line_starts(&line, "extra ")) {
        receipt.extra_text = line.text + strlen("extra ");
        receipt.extra_text_bytes = line.bytes - strlen("extra ");
        if (!line_take(&at, end, &line)) {
            return RECEIPT_MALFORMED;
        }
    }
    if (!index_read(&line, &receipt.leaf_index) || !hashes_read(&at, end, &receipt) || at == end) {
        return RECEIPT_MALFORMED;
    }
    receipt.checkpoint = at;
    receipt.checkpoint_bytes = (size_t)(end - at);
    *out = receipt;
    return RECEIPT_GOOD;
}

bool receipt_extra(const struct receipt *receipt, uint8_t *out, size_t out_capacity,
                   size_t *out_bytes)
{
    return receipt->extra_text != NULL &&
           base64_decode(receipt->extra_text, receipt->extra_text_bytes, out, out_capacity,
                         out_bytes);
}

enum receipt_fault receipt_check(const struct receipt *receipt, const uint8_t leaf[HASH_BYTES],
                                 const struct note_vkey *vkey, struct checkpoint *head,
                                 enum note_fault *note)
{
    *note = checkpoint_open(receipt->checkpoint, receipt->checkpoint_bytes, vkey, head);
    if (*note != NOTE_GOOD) {
        return RECEIPT_CHECKPOINT;
    }
    const uint8_t(*hashes)[HASH_BYTES] = (const uint8_t(*)[HASH_BYTES])receipt->hashes;
    return merkle_check_inclusion(receipt->leaf_index, head->size, leaf, hashes,
                                  receipt->hashes_count, head->root)
               ? RECEIPT_GOOD
               : RECEIPT_NOT_INCLUDED;
}
