/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VERDICT_FEED_H
#define VERDICT_FEED_H

/* Verdict feed: decisions for whoever may subscribe, on an XPUB. Parts of a message: the topic
 * "verdict.<mode>.<site>", the tag, the verdict. A slow subscriber loses verdicts, never slows
 * anybody; the log has them all.
 *
 * verdict_feed_put may be called from any thread; everything else belongs to the owner thread. */

#include "base/err.h"
#include "ingest/ingest.h"

struct verdict_feed;

MUST_USE struct err verdict_feed_open(const struct ingest_conf *conf, void *context,
                                      const char *secret_key, struct verdict_feed **out);
void verdict_feed_close(struct verdict_feed **self);
void *verdict_feed_socket(const struct verdict_feed *self);
const char *verdict_feed_endpoint(const struct verdict_feed *self);
/* Readable while verdicts wait to be sent. */
int verdict_feed_fd(const struct verdict_feed *self);
/* Never waits; the oldest waiting verdict goes when there is no room. */
void verdict_feed_put(struct verdict_feed *self, const struct wire_verdict *verdict);
/* Sends what waits. */
void verdict_feed_send(struct verdict_feed *self);
/* Takes subscriptions off the socket. */
void verdict_feed_read(struct verdict_feed *self);

#endif
