/* SPDX-License-Identifier: Apache-2.0 */
/* A publisher with a good key and bad records: flow_bad_publisher ENDPOINT KEY DAEMON_KEY DIRECTORY
 * Prints a line "<sequence> <name of the refusal>" for each record that must be refused. Speaks the
 * wire by hand, so that nothing in the publisher library can hide what is wrong. Fails when the
 * daemon answers otherwise than documented. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zmq.h>

#include "proto/wire.h"
#include "publisher/curve_key.h"

enum { PATIENCE_MS = 10000, BODY_BYTES = 4096 };

struct bad {
    void *context;
    void *socket;
    uint64_t sequence;
    uint64_t answered;
    uint8_t arena_bytes[1 << 20];
    uint8_t message[1 << 17];
};

static struct bad bad;

_Noreturn static void fail(const char *words)
{
    (void)fprintf(stderr, "flow_bad_publisher: %s\n", words);
    exit(1);
}

static void *open_socket(const char *endpoint, const char *public_key, const char *secret_key,
                         const char *daemon_key)
{
    void *socket = zmq_socket(bad.context, ZMQ_DEALER);
    int patience = PATIENCE_MS;
    int linger = 0;
    (void)zmq_setsockopt(socket, ZMQ_RCVTIMEO, &patience, sizeof patience);
    (void)zmq_setsockopt(socket, ZMQ_LINGER, &linger, sizeof linger);
    (void)zmq_setsockopt(socket, ZMQ_CURVE_PUBLICKEY, public_key, 41);
    (void)zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, secret_key, 41);
    (void)zmq_setsockopt(socket, ZMQ_CURVE_SERVERKEY, daemon_key, 41);
    if (zmq_connect(socket, endpoint) != 0) {
        fail("cannot connect");
    }
    return socket;
}

static void send_part(void *socket, const void *bytes, size_t bytes_count, bool more)
{
    if (zmq_send(socket, bytes, bytes_count, more ? ZMQ_SNDMORE : 0) < 0) {
        fail("cannot send");
    }
}

/* Receives one message; its part 1 lies in bad.message. */
static enum wire_tag receive(void *socket, size_t *bytes_count)
{
    char tag[8];
    int tag_bytes = zmq_recv(socket, tag, sizeof tag, 0);
    if (tag_bytes < 0) {
        return WIRE_UNKNOWN;
    }
    int got = zmq_recv(socket, bad.message, sizeof bad.message, 0);
    *bytes_count = got > 0 ? (size_t)got : 0;
    return wire_tag_parse(tag, (size_t)tag_bytes);
}

static void say_hello(void *socket, const char *stream)
{
    uint8_t bytes[256];
    struct wire_hello hello = {WIRE_PROTOCOL, stream, "flow_bad_publisher"};
    size_t bytes_count = wire_hello_encode(&hello, bytes, sizeof bytes);
    send_part(socket, wire_tag_text(WIRE_HELLO), WIRE_TAG_BYTES, true);
    send_part(socket, bytes, bytes_count, false);
}

struct part {
    const void *bytes;
    size_t bytes_count;
};

static void publish(enum record_kind kind, const uint8_t *body, size_t body_bytes,
                    const uint8_t *digest, const struct part *image)
{
    static struct wire_publish publish;
    static uint8_t bytes[1 << 17];
    memset(&publish, 0, sizeof publish);
    publish.first_sequence = ++bad.sequence;
    publish.records_count = 1;
    publish.records[0].kind = kind;
    publish.records[0].body = body;
    publish.records[0].body_bytes = (uint32_t)body_bytes;
    publish.records[0].has_digest = true;
    sha256_of(body, body_bytes, publish.records[0].digest);
    if (digest != NULL) {
        memcpy(publish.records[0].digest, digest, HASH_BYTES);
    }
    size_t bytes_count = wire_publish_encode(&publish, bytes, sizeof bytes);
    if (bytes_count == 0) {
        fail("publish does not fit");
    }
    send_part(bad.socket, wire_tag_text(WIRE_PUBLISH), WIRE_TAG_BYTES, true);
    send_part(bad.socket, bytes, bytes_count, image != NULL);
    if (image != NULL) {
        send_part(bad.socket, image->bytes, image->bytes_count, false);
    }
}

/* Waits for the answer to the newest sequence and holds it against what must come. */
static void expect(const char *name)
{
    struct arena arena;
    static struct wire_ack ack;
    size_t bytes_count;
    arena_init(&arena, bad.arena_bytes, sizeof bad.arena_bytes);
    if (receive(bad.socket, &bytes_count) != WIRE_ACK ||
        !wire_ack_decode(bad.message, bytes_count, &arena, &ack)) {
        fail(name != NULL ? name : "no acknowledgement");
    }
    if (ack.first_sequence != bad.sequence || ack.count != 1) {
        fail("acknowledgement of another record");
    }
    if (name == NULL && ack.refused_count != 0) {
        fail("a good record was refused");
    }
    if (name != NULL) {
        bool right = ack.refused_count == 1 &&
                     strcmp(refusal_name(ack.refused[0].code), name) == 0 &&
                     ack.refused[0].reason[0] != '\0';
        if (!right) {
            (void)fprintf(
                stderr, "sequence %llu: wanted %s, got %s\n", (unsigned long long)bad.sequence,
                name, ack.refused_count == 1 ? refusal_name(ack.refused[0].code) : "an acceptance");
            exit(1);
        }
        (void)printf("%llu %s\n", (unsigned long long)bad.sequence, name);
    }
}

static void bad_declarations(void)
{
    uint8_t body[BODY_BYTES];
    uint8_t digest[HASH_BYTES] = {1};
    struct declaration declaration = {.declaration_id = "BAD-1",
                                      .mode = MODE_MAIL,
                                      .site = "post",
                                      .lane = "",
                                      .importer = "",
                                      .seller = "",
                                      .declarant = "",
                                      .courier = "",
                                      .departure_country = "",
                                      .raw_format = ""};
    size_t bytes = declaration_encode(&declaration, body, sizeof body);
    publish(RECORD_DECLARATION, body, bytes, NULL, NULL);
    expect(NULL);
    publish(RECORD_DECLARATION, body, bytes, NULL,
            NULL); /* the same, byte for byte, under a new number */
    expect("duplicate");
    declaration.declaration_id = "BAD-2";
    bytes = declaration_encode(&declaration, body, sizeof body);
    publish(RECORD_DECLARATION, body, bytes, digest, NULL);
    expect("digest_mismatch");
    declaration.declaration_id = "";
    bytes = declaration_encode(&declaration, body, sizeof body);
    publish(RECORD_DECLARATION, body, bytes, NULL, NULL);
    expect("no_id");
    declaration.declaration_id = "BAD-3";
    declaration.mode = (enum mode)77;
    bytes = declaration_encode(&declaration, body, sizeof body);
    publish(RECORD_DECLARATION, body, bytes, NULL, NULL);
    expect("unknown_mode");
    declaration.mode = MODE_MAIL;
    declaration.gross_mass_kg = -4;
    bytes = declaration_encode(&declaration, body, sizeof body);
    publish(RECORD_DECLARATION, body, bytes, NULL, NULL);
    expect("bad_number");
    publish(RECORD_DECLARATION, (const uint8_t *)"\x0a\xff\xff\xff\xff\x0f garbage", 14, NULL,
            NULL);
    expect("malformed");
    publish((enum record_kind)9, body, bytes, NULL, NULL);
    expect("unknown_kind");
}

static void bad_scans(void)
{
    static uint8_t pixels[64 * 32];
    uint8_t body[BODY_BYTES];
    struct image image = {.width = 64,
                          .height = 32,
                          .bits = 8,
                          .meaning = PIXEL_DISPLAY,
                          .payload_bytes = sizeof pixels};
    struct scan scan = {.scan_id = "BAD-SCAN",
                        .mode = MODE_TRUCK,
                        .site = "gate",
                        .lane = "",
                        .scanner = "s",
                        .scanner_type = "t",
                        .images = &image,
                        .images_count = 1};
    memset(pixels, 90, sizeof pixels);
    sha256_of(pixels, sizeof pixels, image.sha256);
    size_t bytes = scan_encode(&scan, body, sizeof body);
    publish(RECORD_SCAN, body, bytes, NULL, &(struct part){pixels, sizeof pixels - 1});
    expect("image_truncated");
    publish(RECORD_SCAN, body, bytes, NULL, NULL); /* the part is missing altogether */
    expect("image_truncated");
    image.sha256[0] ^= 1;
    bytes = scan_encode(&scan, body, sizeof body);
    publish(RECORD_SCAN, body, bytes, NULL, &(struct part){pixels, sizeof pixels});
    expect("digest_mismatch");
    image.width = 0;
    image.payload_bytes = 0;
    bytes = scan_encode(&scan, body, sizeof body);
    publish(RECORD_SCAN, body, bytes, NULL, &(struct part){"", 0});
    expect("empty_image");
    image.width = 65000; /* a length field of 5 GB over a part of 2 KiB */
    image.height = 38462;
    image.bits = 16;
    image.payload_bytes = UINT64_C(65000) * 38462 * 2;
    bytes = scan_encode(&scan, body, sizeof body);
    publish(RECORD_SCAN, body, bytes, NULL, &(struct part){pixels, sizeof pixels});
    expect("image_truncated");
    image.bits = 12;
    bytes = scan_encode(&scan, body, sizeof body);
    publish(RECORD_SCAN, body, bytes, NULL, &(struct part){pixels, sizeof pixels});
    expect("image_format");
}

/* A key that is on no list gets no answer at all. */
static void unknown_key(const char *endpoint, const char *daemon_key)
{
    char public_key[41];
    char secret_key[41];
    size_t bytes_count;
    int patience = 700;
    if (zmq_curve_keypair(public_key, secret_key) != 0) {
        fail("no CURVE in libzmq");
    }
    void *socket = open_socket(endpoint, public_key, secret_key, daemon_key);
    (void)zmq_setsockopt(socket, ZMQ_RCVTIMEO, &patience, sizeof patience);
    say_hello(socket, "stranger");
    if (receive(socket, &bytes_count) != WIRE_UNKNOWN) {
        fail("an unknown key was answered");
    }
    (void)zmq_close(socket);
}

/* Not even ZMTP: a greeting and then a frame that claims five gigabytes. */
static void raw_garbage(const char *endpoint)
{
    static const uint8_t frame[] = {0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 3, 0,    'N', 'U', 'L',
                                    'L',  0, 0, 0, 0, 0, 0, 0, 0, 0,    0, 0,    0,   0,   0,
                                    0,    0, 0, 0, 0, 0, 0, 0, 0, 0,    0, 0,    0,   0,   0,
                                    0,    0, 0, 0, 0, 0, 0, 0, 0, 0,    0, 0,    0,   0,   0,
                                    0,    0, 0, 0, 2, 0, 0, 0, 1, 0x2a, 5, 0xf2, 0};
    const char *port = strrchr(endpoint, ':');
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)strtoul(port + 1, NULL, 10))};
    (void)inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        fail("cannot connect by plain TCP");
    }
    (void)send(fd, frame, sizeof frame, MSG_NOSIGNAL);
    (void)close(fd);
}

/* Garbage where a message should be ends the connection with BYEE, not the daemon. */
static void bad_messages(const char *endpoint, const char *public_key, const char *secret_key,
                         const char *daemon_key)
{
    size_t bytes_count;
    void *socket = open_socket(endpoint, public_key, secret_key, daemon_key);
    send_part(socket, "PUBL", 4, true);
    send_part(socket, "\x08\x01", 2, false);
    if (receive(socket, &bytes_count) != WIRE_BYE) {
        fail("a publish before hello was not refused");
    }
    (void)zmq_close(socket);
    socket = open_socket(endpoint, public_key, secret_key, daemon_key);
    say_hello(socket, "bad-messages");
    if (receive(socket, &bytes_count) != WIRE_WELCOME) {
        fail("no welcome");
    }
    send_part(socket, "PUBL", 4, true);
    send_part(socket, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 11, false);
    if (receive(socket, &bytes_count) != WIRE_BYE) {
        fail("garbage was not refused");
    }
    (void)zmq_close(socket);
}

int main(int argc, char **argv)
{
    char public_key[CURVE_Z85_BYTES];
    char secret_key[CURVE_Z85_BYTES];
    char daemon_key[CURVE_Z85_BYTES];
    size_t bytes_count;
    if (argc < 4 || err_is(curve_key_read(argv[2], public_key, secret_key)) ||
        err_is(curve_public_read(argv[3], daemon_key))) {
        fail("usage: flow_bad_publisher ENDPOINT KEY DAEMON_KEY");
    }
    bad.context = zmq_ctx_new();
    raw_garbage(argv[1]);
    unknown_key(argv[1], daemon_key);
    bad_messages(argv[1], public_key, secret_key, daemon_key);
    bad.socket = open_socket(argv[1], public_key, secret_key, daemon_key);
    say_hello(bad.socket, "bad");
    if (receive(bad.socket, &bytes_count) != WIRE_WELCOME) {
        fail("no welcome");
    }
    bad_declarations();
    bad_scans();
    (void)zmq_close(bad.socket);
    (void)zmq_ctx_term(bad.context);
    return 0;
}
