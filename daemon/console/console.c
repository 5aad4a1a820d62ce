/* SPDX-License-Identifier: Apache-2.0 */
#include "console/console.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/counter.h"
#include "console/console_images.h"

/* One internal polling thread: a scrape every few seconds and a health check need no more, and
 * nothing here can hold up the receive line. Images are made by other threads (console_images.h).
 */

enum { CONSOLE_HEALTH_BYTES = 20480, CONSOLE_TIMEOUT_S = 10, CONSOLE_MEMORY_BYTES = 16384 };

struct console {
    struct console_conf conf;
    struct MHD_Daemon *daemon;
    struct console_images *images; /* NULL: none are shown */
    uint16_t port;
};

/* What *request points to: nothing at the first call, this at the second, then an image's job. */
static char first_call;

static enum MHD_Result console_send(struct MHD_Connection *connection, unsigned status,
                                    const char *type, char *body, size_t body_bytes)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(body_bytes, body, MHD_RESPMEM_MUST_FREE);
    if (response == NULL) {
        free(body);
        return MHD_NO;
    }
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    (void)MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    if (status == MHD_HTTP_METHOD_NOT_ALLOWED) {
        (void)MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
    }
    if (status == MHD_HTTP_UNAUTHORIZED) {
        (void)MHD_add_response_header(response, MHD_HTTP_HEADER_WWW_AUTHENTICATE,
                                      "Bearer realm=\"images\"");
    }
    if (status == MHD_HTTP_SERVICE_UNAVAILABLE) {
        (void)MHD_add_response_header(response, MHD_HTTP_HEADER_RETRY_AFTER, "1");
    }
    enum MHD_Result result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result console_send_text(struct MHD_Connection *connection, unsigned status,
                                         const char *text)
{
    char *body = strdup(text);
    return body == NULL
               ? MHD_NO
               : console_send(connection, status, "text/plain; charset=utf-8", body, strlen(body));
}

static enum MHD_Result console_metrics(struct MHD_Connection *connection)
{
    char *body = malloc(COUNTER_RENDER_BYTES);
    if (body == NULL) {
        return MHD_NO;
    }
    size_t body_bytes = counter_render(body, COUNTER_RENDER_BYTES);
    return console_send(connection, MHD_HTTP_OK, "text/plain; version=0.0.4; charset=utf-8", body,
                        body_bytes);
}

static enum MHD_Result console_health(struct console *self, struct MHD_Connection *connection)
{
    char *body = malloc(CONSOLE_HEALTH_BYTES);
    if (body == NULL) {
        return MHD_NO;
    }
    bool well = self->conf.health(self->conf.health_arg, body, CONSOLE_HEALTH_BYTES);
    return console_send(connection, well ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE,
                        "application/json", body, strlen(body));
}

static enum MHD_Result console_image(struct console *self, struct MHD_Connection *connection,
                                     const char *url, void **request)
{
    char why[IMAGE_QUERY_WHY_BYTES];
    char line[sizeof why + 1];
    unsigned status = 0;
    if (console_images_take(self->images, connection, url, request, &status, why)) {
        return MHD_YES; /* set aside; the library comes back when the picture is there */
    }
    (void)snprintf(line, sizeof line, "%s\n", why);
    return console_send_text(connection, status, line);
}

static enum MHD_Result console_answer(void *arg, struct MHD_Connection *connection, const char *url,
                                      const char *method, const char *version, const char *upload,
                                      size_t *upload_bytes, void **request)
{
    struct console *self = arg;
    (void)version;
    (void)upload;
    if (*request == NULL) { /* headers only; the library calls again with the rest */
        *request = &first_call;
        return MHD_YES;
    }
    if (*upload_bytes !=
        0) { /* nothing here takes a body: swallow what the library already bounded */
        *upload_bytes = 0;
        return MHD_YES;
    }
    bool reads =
        strcmp(method, MHD_HTTP_METHOD_GET) == 0 || strcmp(method, MHD_HTTP_METHOD_HEAD) == 0;
    if (!reads) {
        return console_send_text(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET and HEAD\n");
    }
    if (*request != &first_call) {
        return console_images_answer(connection, *request) ? MHD_YES : MHD_NO;
    }
    if (self->images != NULL && strncmp(url, "/images/", 8) == 0) {
        return console_image(self, connection, url, request);
    }
    if (strcmp(url, "/metrics") == 0) {
        return console_metrics(connection);
    }
    if (strcmp(url, "/health") == 0) {
        return console_health(self, connection);
    }
    return console_send_text(connection, MHD_HTTP_NOT_FOUND, "there is /metrics and /health\n");
}

static void console_completed(void *arg, struct MHD_Connection *connection, void **request,
                              enum MHD_RequestTerminationCode how)
{
    (void)arg;
    (void)connection;
    (void)how;
    if (*request != NULL && *request != &first_call) {
        console_images_drop(*request);
    }
    *request = NULL;
}

struct err console_open(const struct console_conf *conf, struct console **out)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(conf->port)};
    if (inet_pton(AF_INET, conf->address, &address.sin_addr) != 1) {
        return err_make(ERR_CONF_INVALID, "console.address is not an IPv4 address");
    }
    struct console *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return err_make(ERR_MEMORY, "console_open");
    }
    self->conf = *conf;
    if (conf->images != NULL) {
        struct err err = console_images_open(conf->images, &self->images);
        if (err_is(err)) {
            free(self);
            return err;
        }
    }
    errno = 0;
    self->daemon = MHD_start_daemon(
        MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL | MHD_ALLOW_SUSPEND_RESUME, conf->port, NULL,
        NULL, console_answer, self, MHD_OPTION_SOCK_ADDR, (struct sockaddr *)&address,
        MHD_OPTION_CONNECTION_LIMIT, conf->connections_max, MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned)CONSOLE_TIMEOUT_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)CONSOLE_MEMORY_BYTES, MHD_OPTION_NOTIFY_COMPLETED, console_completed, NULL,
        MHD_OPTION_END);
    if (self->daemon == NULL) {
        struct err err = err_os(ERR_SOCKET, "console: listen");
        console_images_close(&self->images);
        free(self);
        return err;
    }
    const union MHD_DaemonInfo *bound =
        MHD_get_daemon_info(self->daemon, MHD_DAEMON_INFO_BIND_PORT);
    self->port = bound != NULL ? bound->port : conf->port;
    *out = self;
    return err_none;
}

uint16_t console_port(const struct console *self)
{
    return self->port;
}

void console_stop_images(struct console *self)
{
    if (self != NULL && self->images != NULL) {
        console_images_stop(self->images);
    }
}

void console_close(struct console **self)
{
    if (*self != NULL) {
        console_stop_images(*self);
        MHD_stop_daemon((*self)->daemon);
        console_images_close(&(*self)->images);
        free(*self);
        *self = NULL;
    }
}
