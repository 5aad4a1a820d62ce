/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_PEER_H
#define BENCH_PEER_H

/* Peer: what plain libzmq does with messages of the same size over the same transport: tcp on
 * loopback, DEALER to ROUTER, two processes. The receiver counts and drops; nothing is decoded,
 * hashed, ordered or written. Its high-water marks are its flow control.
 *
 * To be called while no ZeroMQ context is open in this process: it forks. */

#include <stdbool.h>
#include <stdint.h>

struct peer_conf {
    bool curve;
    uint64_t message_bytes;
    uint64_t count; /* of the run that is timed for the rate: first send to the receiver's word that
                       all are there */
    uint32_t round_trips; /* one message and a short answer at a time, before the run */
};

struct peer_result {
    double messages_per_s;
    double p50_us; /* of the round trips */
    double p99_us;
};

void peer_run(const struct peer_conf *conf, struct peer_result *out);

#endif
