/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_TREES_LINK_H
#define BENCH_TREES_LINK_H

/* Trees link: other libraries of trees in a program of their own (trees_peer.py), which predicts
 * when it is told to, so that their rounds and ours come in turns. Ends the program when something
 * fails; peers that are not installed are none. One thread. */

#include <sys/types.h>

#include "bench/figure.h"

enum { TREES_PEERS_MAX = 4 };

struct trees_peer {
    char name[64];
    struct rounds clock;     /* millions of rows a second */
    struct rounds processor; /* of so many processors that do nothing else */
};

struct trees_link {
    struct trees_peer peers[TREES_PEERS_MAX];
    uint32_t peers_count; /* that have said something */
    FILE *to;
    FILE *from; /* NULL: there is nobody */
    pid_t child;
};

/* arguments: PYTHON SCRIPT DIRECTORY. Waits until they are taught. */
void trees_link_open(struct trees_link *self, char **arguments, unsigned threads);
/* One round of each. */
void trees_link_round(struct trees_link *self);
void trees_link_close(struct trees_link *self);
/* The one with the best round by processor time; NULL of nobody. */
const struct trees_peer *trees_link_fastest(const struct trees_link *self);

#endif
