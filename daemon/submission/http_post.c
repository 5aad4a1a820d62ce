/* SPDX-License-Identifier: Apache-2.0 */
#include "submission/http_post.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>

#include "base/clock.h"

struct http_posts {
    CURLM *multi;
    struct curl_slist *headers;
    uint32_t places;
    CURL **easy;
};

static size_t posts_take(char *bytes, size_t one, size_t count, void *arg)
{
    struct http_post *post = arg;
    (void)one; /* always 1 */
    if (count > HTTP_ANSWER_BYTES_MAX - post->answer_bytes) {
        return 0; /* the library gives this one up */
    }
    memcpy(post->answer + post->answer_bytes, bytes, count);
    post->answer_bytes += count;
    post->answer[post->answer_bytes] = '\0';
    return count;
}

static struct err posts_prepare(struct http_posts *self, CURL *easy, int64_t timeout_ns)
{
    long timeout_ms = (long)(timeout_ns / NS_PER_MS);
    bool good = curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
                curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
                curl_easy_setopt(easy, CURLOPT_PROXY, "") == CURLE_OK &&
                curl_easy_setopt(easy, CURLOPT_POST, 1L) == CURLE_OK &&
                curl_easy_setopt(easy, CURLOPT_HTTPHEADER, self->headers) == CURLE_OK &&
                curl_easy_setopt(easy, CURLOPT_USERAGENT, "triaged/" TRIAGED_VERSION) == CURLE_OK &&
                curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, timeout_ms) == CURLE_OK &&
                curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, timeout_ms) == CURLE_OK &&
                curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, posts_take) == CURLE_OK;
    return good ? err_none : err_make(ERR_SOCKET, "http client");
}

struct err http_posts_open(uint32_t places, int64_t timeout_ns, struct http_posts **out)
{
    struct http_posts *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return err_make(ERR_MEMORY, "http_posts_open");
    }
    struct err err = err_none;
    bool global = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
    self->places = places;
    self->easy = calloc(places, sizeof(CURL *));
    self->multi = global ? curl_multi_init() : NULL;
    self->headers = curl_slist_append(NULL, "Content-Type: text/plain; charset=utf-8");
    if (!global || self->easy == NULL || self->multi == NULL || self->headers == NULL) {
        err = err_make(ERR_MEMORY, "http_posts_open");
    }
    for (uint32_t i = 0; !err_is(err) && i < places; i++) {
        self->easy[i] = curl_easy_init();
        err = self->easy[i] == NULL ? err_make(ERR_MEMORY, "http_posts_open")
                                    : posts_prepare(self, self->easy[i], timeout_ns);
    }
    if (err_is(err)) {
        http_posts_close(&self);
        return err;
    }
    *out = self;
    return err_none;
}

void http_posts_close(struct http_posts **pointer)
{
    struct http_posts *self = *pointer;
    if (self == NULL) {
        return;
    }
    for (uint32_t i = 0; self->easy != NULL && i < self->places; i++) {
        curl_easy_cleanup(self->easy[i]);
    }
    (void)curl_multi_cleanup(self->multi);
    curl_slist_free_all(self->headers);
    free(self->easy);
    free(self);
    curl_global_cleanup();
    *pointer = NULL;
}

static bool posts_add(struct http_posts *self, CURL *easy, struct http_post *post)
{
    post->status = 0;
    post->type[0] = '\0';
    post->answer[0] = '\0';
    post->answer_bytes = 0;
    (void)snprintf(post->why, sizeof post->why, "was not sent");
    return curl_easy_setopt(easy, CURLOPT_URL, post->url) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)post->body_bytes) ==
               CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_POSTFIELDS, post->body) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_WRITEDATA, post) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_PRIVATE, post) == CURLE_OK &&
           curl_multi_add_handle(self->multi, easy) == CURLM_OK;
}

static void posts_finish(CURL *easy, CURLcode code)
{
    void *arg = NULL;
    long status = 0;
    const char *type = NULL;
    if (curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&arg) != CURLE_OK || arg == NULL) {
        return;
    }
    struct http_post *post = arg;
    if (code != CURLE_OK || curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status) != CURLE_OK) {
        (void)snprintf(post->why, sizeof post->why, "%.90s", curl_easy_strerror(code));
        return;
    }
    if (curl_easy_getinfo(easy, CURLINFO_CONTENT_TYPE, &type) == CURLE_OK && type != NULL) {
        (void)snprintf(post->type, sizeof post->type, "%.60s", type);
    }
    post->status = status > 0 && status < 1000 ? (unsigned)status : 0;
    (void)snprintf(post->why, sizeof post->why, "answered %u", post->status);
}

struct err http_posts_run(struct http_posts *self, struct http_post *const *posts, uint32_t count)
{
    must(count <= self->places);
    struct err err = err_none;
    for (uint32_t i = 0; !err_is(err) && i < count; i++) {
        err = posts_add(self, self->easy[i], posts[i]) ? err_none
                                                       : err_make(ERR_MEMORY, "http_posts_run");
    }
    int running = 1;
    while (!err_is(err) && running > 0) { /* ends: every transfer has a timeout */
        if (curl_multi_perform(self->multi, &running) != CURLM_OK ||
            (running > 0 && curl_multi_poll(self->multi, NULL, 0, 1000, NULL) != CURLM_OK)) {
            err = err_make(ERR_SOCKET, "http client");
        }
        int left = 0;
        for (CURLMsg *done = curl_multi_info_read(self->multi, &left); done != NULL;
             done = curl_multi_info_read(self->multi, &left)) {
            posts_finish(done->easy_handle, done->data.result);
        }
    }
    for (uint32_t i = 0; i < count; i++) { /* one that was never added is no error here */
        (void)curl_multi_remove_handle(self->multi, self->easy[i]);
    }
    return err;
}
