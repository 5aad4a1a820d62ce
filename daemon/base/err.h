/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

/* Err: what went wrong, 16 bytes by value, static strings. The class, not the code, drives the
 * pipeline: REJECT this input is bad, record a refusal, go on; RETRY the world is not ready, stop
 * reading and try again within bounds; HALT evidence could be lost or wrong, answer nothing more
 * and stop. Pure; any thread. */

#include <errno.h>
#include <stdbool.h>

#define MUST_USE __attribute__((warn_unused_result))

enum err_class { ERR_CLASS_NONE, ERR_CLASS_REJECT, ERR_CLASS_RETRY, ERR_CLASS_HALT };

enum err_code {
#define ERR(code, class, sentence) ERR_##code,
#include "base/err_table.h"
#undef ERR
    ERR_COUNT
};

struct err {
    enum err_code code;
    int os_errno;      /* 0 when the operating system did not complain */
    const char *where; /* static string: the operation that failed; never freed */
};

/* Static const, not a macro, so that `return err_none;` reads as it is. It and the two makers stand
 * here with their values, so that a static analyser knows which way every `if (err_is(err))` goes.
 */
static const struct err err_none = {ERR_NONE, 0, ""};

static inline bool err_is(struct err err)
{
    return err.code != ERR_NONE;
}
static inline struct err err_make(enum err_code code, const char *where)
{
    return (struct err){code, 0, where};
}
/* With errno as it is now; ENOSPC and EDQUOT become DISK_FULL when code is IO, WAL_WRITE,
 * BLOB_WRITE or ARCHIVE_WRITE. */
static inline struct err err_os(enum err_code code, const char *where)
{
    bool is_write = code == ERR_IO || code == ERR_WAL_WRITE || code == ERR_BLOB_WRITE ||
                    code == ERR_ARCHIVE_WRITE;
    bool is_full = errno == ENOSPC || errno == EDQUOT;
    return (struct err){is_write && is_full ? ERR_DISK_FULL : code, errno, where};
}
enum err_class err_class_of(struct err err);
const char *err_name(enum err_code code);
const char *err_sentence(enum err_code code);

#define ERR_TEXT_BYTES 256
/* "file operation failed: open blobs/incoming: No space left on device"; out needs ERR_TEXT_BYTES.
 * Returns out. */
const char *err_text(struct err err, char *out);

/* Always compiled in. For our own bugs only: prints expression and site, aborts. */
#define must(cond) ((cond) ? (void)0 : must_failed(#cond, __FILE__, __LINE__))
_Noreturn void must_failed(const char *expression, const char *file, int line);

#endif
