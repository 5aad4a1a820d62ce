/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HTTP_POST_H
#define HTTP_POST_H

/* HTTP post: small requests to several servers at a time, over libcurl. Times and answers are
 * bounded; connections are kept for the next run; redirects, proxies of the environment and other
 * schemes than http and https are not followed. One thread; blocks until all are answered or given
 * up. */

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define HTTP_ANSWER_BYTES_MAX 8192u
#define HTTP_WHY_BYTES 96u

struct http_posts;

struct http_post {
    const char *url;
    const char *body;
    size_t body_bytes;
    /* written by http_posts_run */
    unsigned status;                        /* 0: no answer, why says more */
    char type[64];                          /* Content-Type; "" when none */
    char answer[HTTP_ANSWER_BYTES_MAX + 1]; /* zero-terminated */
    size_t answer_bytes;
    char why[HTTP_WHY_BYTES];
};

/* places: posts that may run at a time. */
MUST_USE struct err http_posts_open(uint32_t places, int64_t timeout_ns, struct http_posts **out);
void http_posts_close(struct http_posts **self);
/* All of them at once; post i keeps its connection for the next run's post with the same url. */
MUST_USE struct err http_posts_run(struct http_posts *self, struct http_post *const *posts,
                                   uint32_t count);

#endif
