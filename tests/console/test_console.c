/* SPDX-License-Identifier: Apache-2.0 */
#include "console/console.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/counter.h"

static _Atomic bool test_well; /* set here, read by the console's thread */
static char test_page[1 << 17];

static bool test_health(void *arg, char *out, uint32_t out_capacity)
{
    (void)arg;
    (void)snprintf(out, out_capacity, "{\"well\":%s}", test_well ? "true" : "false");
    return test_well;
}

/* Sends a request as it stands and reads the whole answer. */
static const char *ask(uint16_t port, const char *request)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    assert_int_equal(inet_pton(AF_INET, "127.0.0.1", &address.sin_addr), 1);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(send(fd, request, strlen(request), 0), (ssize_t)strlen(request));
    size_t used = 0;
    ssize_t got;
    while ((got = recv(fd, test_page + used, sizeof test_page - 1 - used, 0)) > 0) {
        used += (size_t)got;
    }
    test_page[used] = '\0';
    (void)close(fd);
    return test_page;
}

static struct console *open_console(void)
{
    struct console_conf conf = {
        .address = "127.0.0.1", .port = 0, .connections_max = 4, .health = test_health};
    struct console *console = NULL;
    assert_int_equal(console_open(&conf, &console).code, ERR_NONE);
    assert_true(console_port(console) != 0);
    return console;
}

static void metrics_are_prometheus_text(void **state)
{
    (void)state;
    struct console *console = open_console();
    counter_add(COUNTER_gaps, 3);
    stage_took(STAGE_ack, 20000);
    const char *page =
        ask(console_port(console), "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    assert_non_null(strstr(page, "HTTP/1.1 200"));
    assert_non_null(strstr(page, "text/plain; version=0.0.4"));
    assert_non_null(strstr(page, "# TYPE triaged_gaps_total counter\ntriaged_gaps_total 3\n"));
    assert_non_null(strstr(page, "triaged_stage_ack_seconds_bucket{le=\"+Inf\"} 1\n"));
    assert_non_null(strstr(page, "# TYPE triaged_waiting_join gauge\n"));
    console_close(&console);
}

static void health_tells_by_status(void **state)
{
    (void)state;
    struct console *console = open_console();
    test_well = true;
    assert_non_null(strstr(ask(console_port(console), "GET /health HTTP/1.0\r\n\r\n"), "200 OK"));
    test_well = false;
    assert_non_null(strstr(ask(console_port(console), "GET /health HTTP/1.0\r\n\r\n"), " 503 "));
    console_close(&console);
}

static void other_requests_are_refused(void **state)
{
    (void)state;
    struct console *console = open_console();
    uint16_t port = console_port(console);
    assert_non_null(strstr(ask(port, "GET /etc/passwd HTTP/1.0\r\n\r\n"), " 404 "));
    assert_non_null(strstr(ask(port, "DELETE /metrics HTTP/1.0\r\n\r\n"), " 405 "));
    assert_null(strstr(ask(port, "\x01\x02garbage\r\n\r\n"), " 200 "));
    assert_non_null(strstr(ask(port, "GET /health HTTP/1.0\r\n\r\n"), " 503 "));
    console_close(&console);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(metrics_are_prometheus_text),
        cmocka_unit_test(health_tells_by_status),
        cmocka_unit_test(other_requests_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
