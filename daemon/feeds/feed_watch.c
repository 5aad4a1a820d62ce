/* SPDX-License-Identifier: Apache-2.0 */
#include "feeds/feed_watch.h"

#include <stdbool.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/clock.h"
#include "feeds/feed.h"

#define SLICE_MS 100

void feed_watch_init(struct feed_watch *self, const char *path)
{
    self->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (self->fd >= 0 &&
        inotify_add_watch(self->fd, path, IN_CREATE | IN_MOVED_TO | IN_CLOSE_WRITE | IN_MODIFY) <
            0) {
        feed_watch_fini(self);
    }
}

/* What exactly changed does not matter: the folder is read anew anyway. */
static bool changed(const struct feed_watch *self)
{
    char events[4096];
    bool any = false;
    while (self->fd >= 0 && read(self->fd, events, sizeof events) > 0) {
        any = true;
    }
    return any;
}

void feed_watch_wait(struct feed_watch *self, struct feed *feed, int64_t wait_ms)
{
    int64_t until_ns = clock_monotonic_ns() + wait_ms * NS_PER_MS;
    while (clock_monotonic_ns() < until_ns && feed_goes_on(feed) && !changed(self)) {
        feed_idle(feed, SLICE_MS);
    }
}

void feed_watch_fini(struct feed_watch *self)
{
    if (self->fd >= 0) {
        (void)close(self->fd);
    }
    self->fd = -1;
}
