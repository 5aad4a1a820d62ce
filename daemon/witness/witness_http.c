/* SPDX-License-Identifier: Apache-2.0 */
#include "witness/witness_http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/diag.h"
#include "proto/witness_request.h"

/* After the memory could not be written nothing is cosigned any more: whoever asks meanwhile is
 * told 503, and main stops the program. */

enum { HTTP_PAGE_BYTES = 65536, HTTP_TIMEOUT_S = 10, HTTP_MEMORY_BYTES = 16384 };

struct witness_http {
    struct witness_http_conf conf;
    struct MHD_Daemon *daemon;
    uint16_t port;
    bool broken; /* this thread's */
};

/* A request while its body comes in. */
struct http_request {
    bool too_long;
    size_t bytes;
    char body[WITNESS_REQUEST_BYTES_MAX];
};

static enum MHD_Result http_send(struct MHD_Connection *connection, unsigned status,
                                 const char *type, const char *text, size_t text_bytes)
{
    union {
        const char *text;
        void *bytes;
    } body = {.text = text}; /* the library copies it and takes no const */
    struct MHD_Response *response =
        MHD_create_response_from_buffer(text_bytes, body.bytes, MHD_RESPMEM_MUST_COPY);
    if (response == NULL) {
        return MHD_NO;
    }
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    (void)MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    if (status == MHD_HTTP_METHOD_NOT_ALLOWED) {
        (void)MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD, POST");
    }
    enum MHD_Result result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result http_say(struct MHD_Connection *connection, unsigned status,
                                const char *words)
{
    return http_send(connection, status, "text/plain; charset=utf-8", words, strlen(words));
}

static enum MHD_Result http_break(struct witness_http *self, struct MHD_Connection *connection,
                                  struct err err)
{
    if (!self->broken) {
        self->broken = true;
        self->conf.failed(err);
    }
    return http_say(connection, MHD_HTTP_SERVICE_UNAVAILABLE, "this witness has stopped\n");
}

static enum MHD_Result http_add(struct witness_http *self, struct MHD_Connection *connection,
                                const struct http_request *request)
{
    struct witness_answer answer;
    if (request->too_long) {
        return http_say(connection, MHD_HTTP_CONTENT_TOO_LARGE, "longer than a request can be\n");
    }
    if (self->broken) {
        return http_break(self, connection, err_none);
    }
    uint64_t now_s = (uint64_t)(clock_utc_ns() / NS_PER_S);
    struct err err =
        witness_add_checkpoint(self->conf.witness, request->body, request->bytes, now_s, &answer);
    if (err_is(err)) {
        return http_break(self, connection, err);
    }
    return http_send(connection, (unsigned)answer.status,
                     answer.is_size ? "text/x.tlog.size" : "text/plain; charset=utf-8", answer.text,
                     answer.text_bytes);
}

static enum MHD_Result http_page(struct witness_http *self, struct MHD_Connection *connection)
{
    char *page = malloc(HTTP_PAGE_BYTES);
    if (page == NULL) {
        return MHD_NO;
    }
    struct err err = witness_page(self->conf.witness, page, HTTP_PAGE_BYTES);
    enum MHD_Result result =
        err_is(err) ? http_break(self, connection, err) : http_say(connection, MHD_HTTP_OK, page);
    free(page);
    return result;
}

static enum MHD_Result http_route(struct witness_http *self, struct MHD_Connection *connection,
                                  const char *url, const char *method,
                                  const struct http_request *request)
{
    bool adds = strcmp(url, "/add-checkpoint") == 0;
    bool reads =
        strcmp(method, MHD_HTTP_METHOD_GET) == 0 || strcmp(method, MHD_HTTP_METHOD_HEAD) == 0;
    if (adds && strcmp(method, MHD_HTTP_METHOD_POST) == 0) {
        return http_add(self, connection, request);
    }
    if (strcmp(url, "/") == 0 && reads) {
        return http_page(self, connection);
    }
    if (adds || strcmp(url, "/") == 0) {
        return http_say(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "another method\n");
    }
    return http_say(connection, MHD_HTTP_NOT_FOUND, "there is POST /add-checkpoint and GET /\n");
}

static enum MHD_Result http_answer(void *arg, struct MHD_Connection *connection, const char *url,
                                   const char *method, const char *version, const char *upload,
                                   size_t *upload_bytes, void **state)
{
    (void)version;
    struct http_request *request = *state;
    if (request == NULL) { /* headers only; the library calls again with the rest */
        request = malloc(sizeof *request);
        if (request == NULL) {
            return MHD_NO;
        }
        request->bytes = 0;
        request->too_long = false;
        *state = request;
        return MHD_YES;
    }
    if (*upload_bytes == 0) {
        return http_route(arg, connection, url, method, request);
    }
    if (*upload_bytes > sizeof request->body - request->bytes) {
        request->too_long = true; /* what comes after this is swallowed, not kept */
    } else {
        memcpy(request->body + request->bytes, upload, *upload_bytes);
        request->bytes += *upload_bytes;
    }
    *upload_bytes = 0;
    return MHD_YES;
}

static void http_done(void *arg, struct MHD_Connection *connection, void **state,
                      enum MHD_RequestTerminationCode how)
{
    (void)arg;
    (void)connection;
    (void)how;
    free(*state);
    *state = NULL;
}

static struct err http_address(const struct witness_http_conf *conf, struct sockaddr_in *v4,
                               struct sockaddr_in6 *v6, unsigned *flags)
{
    *v4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(conf->port)};
    *v6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(conf->port)};
    if (inet_pton(AF_INET, conf->address, &v4->sin_addr) == 1) {
        return err_none;
    }
    *flags |= MHD_USE_IPv6;
    return inet_pton(AF_INET6, conf->address, &v6->sin6_addr) == 1
               ? err_none
               : err_make(ERR_ARGUMENT, "not an IP address");
}

struct err witness_http_open(const struct witness_http_conf *conf, struct witness_http **out)
{
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    unsigned flags = MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL;
    struct err err = http_address(conf, &v4, &v6, &flags);
    if (err_is(err)) {
        return err;
    }
    struct witness_http *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return err_make(ERR_MEMORY, "witness_http_open");
    }
    self->conf = *conf;
    struct sockaddr *address =
        (flags & MHD_USE_IPv6) != 0 ? (struct sockaddr *)&v6 : (struct sockaddr *)&v4;
    errno = 0;
    self->daemon = MHD_start_daemon(
        flags, conf->port, NULL, NULL, http_answer, self, MHD_OPTION_SOCK_ADDR, address,
        MHD_OPTION_NOTIFY_COMPLETED, http_done, NULL, MHD_OPTION_CONNECTION_LIMIT,
        conf->connections_max, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)HTTP_TIMEOUT_S,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HTTP_MEMORY_BYTES, MHD_OPTION_END);
    if (self->daemon == NULL) {
        err = err_os(ERR_SOCKET, "witness: listen");
        free(self);
        return err;
    }
    const union MHD_DaemonInfo *bound =
        MHD_get_daemon_info(self->daemon, MHD_DAEMON_INFO_BIND_PORT);
    self->port = bound != NULL ? bound->port : conf->port;
    *out = self;
    return err_none;
}

uint16_t witness_http_port(const struct witness_http *self)
{
    return self->port;
}

void witness_http_close(struct witness_http **self)
{
    if (*self != NULL) {
        MHD_stop_daemon((*self)->daemon);
        free(*self);
        *self = NULL;
    }
}
