/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_PORT_H
#define BENCH_PORT_H

/* Port: a port of entry for a measurement: keys, configuration, policy and a real daemon as a child
 * process, in a fresh directory that is gone afterwards, also when the program ends early. On a
 * real disk: the default parent lies beside the build, and a memory file system is refused. Every
 * failure ends the program with a sentence. One port at a time, one thread. */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "proto/wire.h"

#define PORT_PATH_BYTES 256u
#define PORT_PUBLISHERS_MAX 4u

struct port_conf {
    const char *directory; /* parent of the fresh directory; NULL for the one beside the build */
    uint32_t publishers_count; /* key pairs made: publisher-0, publisher-1, ... */
    bool judge;
    bool archive;
    double hold_s; /* of every mode */
};

struct port {
    char directory[PORT_PATH_BYTES];
    char store[PORT_PATH_BYTES];
    char publisher_endpoint[64];
    char verdict_endpoint[64];
    char command_endpoint[PORT_PATH_BYTES + 32];
    char daemon_key_file[PORT_PATH_BYTES + 32]; /* public half */
    char subscriber_key_file[PORT_PATH_BYTES + 32];
    char publisher_key_files[PORT_PUBLISHERS_MAX][PORT_PATH_BYTES + 32];
    pid_t daemon;
};

/* What the daemon says of itself (ORDER_HEALTH), as far as a bench needs it. */
struct port_health {
    uint64_t log_entries;
    uint64_t judged;
    uint64_t held_items;
    uint64_t unscorable;
};

/* Where fresh directories go when nobody says: beside the build of this program. */
void port_default_parent(char out[PORT_PATH_BYTES]);
/* Path of a program of this build; ends the program when it is not there. */
void port_program(const char *name, char out[PORT_PATH_BYTES]);
/* Makes the directory, starts the daemon, returns when it answers. */
void port_open(const struct port_conf *conf, struct port *out);
/* SIGTERM, waits for a clean end, removes the directory. */
void port_close(struct port *self);
void port_health(const struct port *self, struct port_health *out);
/* Waits until everything durable is judged. */
void port_await_judged(const struct port *self);
/* Processor time of the daemon so far. */
double port_cpu_seconds(const struct port *self);
/* The archiver's share of it: all but what the daemon's other threads have used. Whatever a thread
 * of another name used that has ended is counted here too. */
double port_archive_cpu_seconds(const struct port *self);
/* Bytes of the archive files sealed so far. */
uint64_t port_archive_bytes(const struct port *self);
/* Ends the program when the daemon refuses. */
void port_install_model(const struct port *self, const char *path);
/* Removes a directory and what is in it. */
void port_remove_tree(const char *path);
/* A fresh directory below parent (NULL: the default), removed at the end of the program if it is
 * still there. */
void port_fresh_directory(const char *parent, char out[PORT_PATH_BYTES]);

#endif
