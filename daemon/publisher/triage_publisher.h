/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRIAGE_PUBLISHER_H
#define TRIAGE_PUBLISHER_H

/* libtriage-publisher: send scans and declarations to a triaged daemon without losing or doubling
 * any.
 *
 * A record handed to triage_publisher_declaration() or _scan() is written to a spool directory
 * first and gets the next sequence number of its stream. From then on it survives the end of this
 * process: it is sent, sent again after a lost connection or a restart on either side, and leaves
 * the spool only when the daemon has acknowledged it as durable.
 * A refused record leaves the spool too; the refusal is told to on_refusal and counted.
 * Promises: at-least-once delivery by us and recognition of duplicates by the daemon make exactly
 * once; order is kept.
 * Does not promise: that a record survives a power cut of this machine unless sync is set.
 * Threads: a handle belongs to one thread; the library runs one ZeroMQ I/O thread of its own.
 * Sending happens inside the calls below; none blocks longer than its timeout. Bounds: see
 * proto/record.h and the Welcome of the daemon.
 *
 * Build with pkg-config triage-publisher. Example: publisher_example_main.c (installed as
 * publisher_example.c).
 * Bytes of the spool: FORMAT.md. */

#include <stdbool.h>
#include <stdint.h>

#include "proto/record.h"

#ifdef __cplusplus
extern "C" {
#endif

struct triage_publisher;

struct triage_publisher_conf {
    const char *endpoint;        /* "tcp://host:5701" */
    const char *stream;          /* name of the numbered stream, 1..32 bytes of [a-z0-9.-] */
    const char *software;        /* who is speaking, for the daemon's diag lines */
    const char *key_file;        /* CURVE pair of this publisher */
    const char *daemon_key_file; /* public key of the daemon */
    const char *spool_directory; /* made when missing; one publisher a directory (locked) */
    uint64_t spool_bytes_max;    /* records are refused with SPOOL_FULL beyond */
    bool sync;                   /* fdatasync the spool before a call returns */
    void (*on_refusal)(void *arg, uint64_t sequence, const char *name,
                       const char *reason); /* may be NULL */
    void *on_refusal_arg;
};

enum triage_publisher_status {
    TRIAGE_PUBLISHER_OK = 0,
    TRIAGE_PUBLISHER_TIMEOUT, /* not everything was acknowledged in time; it stays in the spool */
    TRIAGE_PUBLISHER_INVALID, /* the record breaks a rule of record.h; not spooled; see _error() */
    TRIAGE_PUBLISHER_SPOOL_FULL,
    TRIAGE_PUBLISHER_SPOOL_ERROR, /* disk; see _error() */
    TRIAGE_PUBLISHER_KEY_ERROR,
    TRIAGE_PUBLISHER_BYE /* the daemon refuses this connection; see _error() */
};

struct triage_publisher_counts {
    uint64_t spooled;      /* records handed in by this process or found in the spool */
    uint64_t acknowledged; /* by this process, refused ones included */
    uint64_t refused;
    uint64_t waiting; /* in the spool */
    uint64_t resent;
    uint64_t connections;      /* welcomes seen */
    uint64_t last_entry_index; /* of the newest acknowledged record */
};

/* On anything but OK *out stays NULL and error (256 bytes, may be NULL) says why. */
enum triage_publisher_status triage_publisher_open(const struct triage_publisher_conf *conf,
                                                   struct triage_publisher **out, char *error);
void triage_publisher_close(struct triage_publisher **self);

/* Spool one record and send what the credit allows. images: the pixels of each image in order,
 * borrowed for the call; the digests and payload_bytes in scan->images are computed here, what they
 * held is ignored. sequence may be NULL; the number is preliminary until the first welcome when a
 * new spool takes over the stream of one that was lost. An image larger than the daemon takes is
 * sent as a scan without pixels, so that the refusal is recorded. */
enum triage_publisher_status triage_publisher_declaration(struct triage_publisher *self,
                                                          const struct declaration *declaration,
                                                          uint64_t *sequence);
enum triage_publisher_status triage_publisher_scan(struct triage_publisher *self,
                                                   const struct scan *scan,
                                                   const void *const *images, uint64_t *sequence);
/* The same for a record that is already encoded: sent as it is, valid or not (tests of refusals;
 * relays). */
enum triage_publisher_status
triage_publisher_raw(struct triage_publisher *self, enum record_kind kind, const uint8_t *body,
                     uint32_t body_bytes, const uint8_t digest[32], const void *const *images,
                     const uint64_t *images_bytes, uint32_t images_count, uint64_t *sequence);
/* Send and take answers for up to timeout_ms, or until at most waiting_max records are
 * unacknowledged. */
enum triage_publisher_status triage_publisher_drain(struct triage_publisher *self,
                                                    uint64_t waiting_max, int64_t timeout_ms);
void triage_publisher_counts(const struct triage_publisher *self,
                             struct triage_publisher_counts *out);
/* Sentence about the last thing that went wrong; "" when nothing did. Lives until the next call. */
const char *triage_publisher_error(const struct triage_publisher *self);

#ifdef __cplusplus
}
#endif
#endif
