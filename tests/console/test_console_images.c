/* SPDX-License-Identifier: Apache-2.0 */
#include "console/console.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/durable.h"

/* Pictures are made by the test: one that is not finished holds up nobody but who asked for it. */

#define TOKEN "0123456789abcdef"
#define LARGE_BYTES ((size_t)8 << 20)

static sem_t started; /* posted by the maker */
static sem_t may_end; /* waited for by the maker, where it is to wait */
static _Atomic bool maker_waits;
static char directory[64];
static struct viewers *viewers;

static bool test_health(void *arg, char *out, uint32_t out_capacity)
{
    (void)arg;
    (void)snprintf(out, out_capacity, "{}");
    return true;
}

static void make(void *arg, uint32_t thread, const struct console_ask *ask,
                 struct console_picture *out)
{
    (void)arg;
    assert_true(thread < 2);
    assert_string_equal(ask->viewer->name, "anna");
    assert_string_equal(ask->viewer->purpose, "to look");
    assert_int_equal(ask->sha256[0], 0xaa);
    must(sem_post(&started) == 0);
    if (maker_waits) {
        must(sem_wait(&may_end) == 0);
    }
    out->status = 200;
    out->bytes_count = LARGE_BYTES;
    out->bytes = malloc(LARGE_BYTES);
    must(out->bytes != NULL);
    memset(out->bytes, 'p', LARGE_BYTES);
    out->type = "image/png";
    out->checked = "sha256";
    (void)snprintf(out->etag, sizeof out->etag, "\"%u\"", ask->query.x);
}

static void write_viewer(const char *name, const char *text, mode_t mode)
{
    char path[128];
    (void)snprintf(path, sizeof path, "%s/%s", directory, name);
    assert_false(err_is(durable_replace(path, text, strlen(text), mode)));
}

static void remove_viewer(const char *name)
{
    char path[128];
    (void)snprintf(path, sizeof path, "%s/%s", directory, name);
    assert_int_equal(unlink(path), 0);
}

static int open_viewers(void **state)
{
    uint8_t digest[HASH_BYTES];
    char text[HASH_HEX_BYTES + 16];
    char why[VIEWER_WHY_BYTES];
    (void)state;
    (void)snprintf(directory, sizeof directory, "/tmp/triage-viewers-XXXXXX");
    assert_non_null(mkdtemp(directory));
    sha256_of(TOKEN, strlen(TOKEN), digest);
    hex_encode(digest, HASH_BYTES, text);
    strcat(text, "\nto look\n");
    write_viewer("anna.token", text, 0600);
    assert_false(err_is(viewers_read(directory, &viewers, why)));
    assert_int_equal(viewers_count(viewers), 1);
    assert_int_equal(sem_init(&started, 0, 0), 0);
    assert_int_equal(sem_init(&may_end, 0, 0), 0);
    return 0;
}

static int close_viewers(void **state)
{
    (void)state;
    viewers_free(&viewers);
    remove_viewer("anna.token");
    return rmdir(directory);
}

static struct console *open_console(uint32_t images_max)
{
    const struct console_images_conf images = {
        .viewers = viewers, .threads = 2, .images_max = images_max, .make = make};
    const struct console_conf conf = {
        .address = "127.0.0.1", .connections_max = 16, .health = test_health, .images = &images};
    struct console *console = NULL;
    assert_int_equal(console_open(&conf, &console).code, ERR_NONE);
    return console;
}

/* Sends a request; the answer is the caller's to read. */
static int ask(uint16_t port, const char *path, const char *token)
{
    char request[512];
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    const struct timeval patience = {.tv_sec = 60};
    assert_int_equal(inet_pton(AF_INET, "127.0.0.1", &address.sin_addr), 1);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    int small = 4096;
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    (void)snprintf(request, sizeof request,
                   "GET %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n"
                   "Connection: close\r\n\r\n",
                   path, token);
    assert_int_equal(send(fd, request, strlen(request), 0), (ssize_t)strlen(request));
    return fd;
}

/* Reads to the end and closes; returns the status and how many bytes there were after the head. */
static unsigned answer(int fd, size_t *body_bytes)
{
    static char page[LARGE_BYTES + 8192];
    size_t used = 0;
    ssize_t got = 0;
    while ((got = recv(fd, page + used, sizeof page - used, 0)) > 0) {
        used += (size_t)got;
    }
    (void)close(fd);
    char *body = memmem(page, used, "\r\n\r\n", 4);
    *body_bytes = body == NULL ? 0 : used - (size_t)(body + 4 - page);
    return used < 12 ? 0 : (unsigned)strtoul(page + 9, NULL, 10);
}

static const char image_path[] =
    "/images/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

static void an_image_in_the_making_holds_up_nobody(void **state)
{
    size_t bytes = 0;
    (void)state;
    struct console *console = open_console(3);
    uint16_t port = console_port(console);
    maker_waits = true;
    int images[3];
    for (int i = 0; i < 3; i++) {
        images[i] = ask(port, image_path, TOKEN);
        if (i < 2) {
            assert_int_equal(sem_wait(&started), 0); /* both threads are at work */
        }
    }
    assert_int_equal(answer(ask(port, "/health", ""), &bytes), 200);
    /* The third waits in line: it was taken when the health request, sent later, is answered. */
    assert_int_equal(answer(ask(port, image_path, TOKEN), &bytes), 503);
    assert_int_equal(answer(ask(port, image_path, "x" TOKEN), &bytes), 401);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(sem_post(&may_end), 0);
    }
    for (int i = 0; i < 3; i++) {
        assert_int_equal(answer(images[i], &bytes), 200);
        assert_int_equal(bytes, LARGE_BYTES);
    }
    assert_int_equal(sem_wait(&started), 0);
    console_close(&console);
}

/* What was begun when images stop is answered, what comes later is told so, the rest goes on. */
static void *stop_images(void *console)
{
    console_stop_images(console);
    return NULL;
}

static void stopping_answers_what_was_begun(void **state)
{
    size_t bytes = 0;
    pthread_t thread;
    (void)state;
    struct console *console = open_console(3);
    uint16_t port = console_port(console);
    maker_waits = true;
    int image = ask(port, image_path, TOKEN);
    assert_int_equal(sem_wait(&started), 0);
    assert_int_equal(pthread_create(&thread, NULL, stop_images, console), 0);
    assert_int_equal(sem_post(&may_end), 0);
    assert_int_equal(answer(image, &bytes), 200);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(answer(ask(port, image_path, TOKEN), &bytes), 503);
    assert_int_equal(answer(ask(port, "/health", ""), &bytes), 200);
    console_close(&console);
}

/* Clients that ask and read nothing, or go away, keep their place and nothing else; closing does
 * not wait for them. */
static void clients_that_do_not_read_block_no_closing(void **state)
{
    size_t bytes = 0;
    char head[16];
    (void)state;
    struct console *console = open_console(2);
    uint16_t port = console_port(console);
    maker_waits = false;
    int gone = ask(port, image_path, TOKEN);
    assert_int_equal(recv(gone, head, 12, MSG_WAITALL), 12);
    int silent = ask(port, image_path, TOKEN);
    assert_int_equal(recv(silent, head, 12, MSG_WAITALL), 12);
    assert_int_equal(answer(ask(port, image_path, TOKEN), &bytes), 503); /* both places are taken */
    assert_int_equal(answer(ask(port, "/health", ""), &bytes), 200);
    (void)close(gone); /* its place is free again as soon as the console sees that */
    unsigned status = 503;
    for (int i = 0; i < 2000 && status == 503; i++) {
        status = answer(ask(port, image_path, TOKEN), &bytes);
    }
    assert_int_equal(status, 200);
    console_close(&console);
    (void)close(silent);
    while (sem_trywait(&started) == 0) {
    }
}

static void without_images_there_is_no_such_page(void **state)
{
    size_t bytes = 0;
    (void)state;
    const struct console_conf conf = {
        .address = "127.0.0.1", .connections_max = 4, .health = test_health};
    struct console *console = NULL;
    assert_int_equal(console_open(&conf, &console).code, ERR_NONE);
    assert_int_equal(answer(ask(console_port(console), image_path, TOKEN), &bytes), 404);
    console_close(&console);
}

static void lists_of_viewers_are_read_whole_or_not(void **state)
{
    static const char digits[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    static const char *const bad[] = {"",         "short\npurpose\n", "@\n",
                                      "@",        "@\n\x01\n",        "@ \npurpose\n",
                                      "@b\nto\n", "@\nto\nmore\n",    "@\ncaf\xe9\n"};
    char why[VIEWER_WHY_BYTES];
    struct viewers *found = NULL;
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char text[160];
        (void)snprintf(text, sizeof text, "%s%s", bad[i][0] == '@' ? digits : "",
                       bad[i] + (bad[i][0] == '@'));
        write_viewer("bert.token", text, 0600);
        assert_int_equal(viewers_read(directory, &found, why).code, ERR_KEY);
        assert_non_null(strstr(why, "bert.token"));
    }
    char good[160];
    (void)snprintf(good, sizeof good, "%s\npurpose\n", digits);
    write_viewer("bert.token", good, 0640);
    assert_int_equal(viewers_read(directory, &found, why).code, ERR_KEY);
    write_viewer("bert.token", good, 0600);
    write_viewer("notes.txt", "no list", 0644);
    assert_int_equal(viewers_read(directory, &found, why).code, ERR_NONE);
    assert_int_equal(viewers_count(found), 2);
    assert_null(viewers_find(found, NULL));
    assert_null(viewers_find(found, "Bearer "));
    assert_null(viewers_find(found, "Basic " TOKEN));
    assert_null(viewers_find(found, "Bearer " TOKEN " "));
    assert_string_equal(viewers_find(found, "bearer " TOKEN)->name, "anna");
    viewers_free(&found);
    remove_viewer("bert.token");
    remove_viewer("notes.txt");
    assert_int_equal(viewers_read("/tmp/there/is/none", &found, why).code, ERR_NONE);
    assert_int_equal(viewers_count(found), 0);
    viewers_free(&found);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_image_in_the_making_holds_up_nobody),
        cmocka_unit_test(stopping_answers_what_was_begun),
        cmocka_unit_test(clients_that_do_not_read_block_no_closing),
        cmocka_unit_test(without_images_there_is_no_such_page),
        cmocka_unit_test(lists_of_viewers_are_read_whole_or_not),
    };
    return cmocka_run_group_tests(tests, open_viewers, close_viewers);
}
