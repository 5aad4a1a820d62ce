/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FEED_WATCH_H
#define FEED_WATCH_H

/* Feed watch: wait until a folder or a file changes (inotify), or until a time has passed,
 * whichever comes first. Where inotify is not to be had (network file systems, exhausted watches)
 * it is the time alone. One thread. */

#include <stdint.h>

struct feed;

struct feed_watch {
    int fd; /* -1: polling only */
};

void feed_watch_init(struct feed_watch *self, const char *path);
/* Keeps exchanging with the daemon meanwhile. */
void feed_watch_wait(struct feed_watch *self, struct feed *feed, int64_t wait_ms);
void feed_watch_fini(struct feed_watch *self);

#endif
