/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ZAP_H
#define ZAP_H

/* Zap: answers libzmq's question whether a CURVE key may connect (ZeroMQ RFC 27). One thread; must
 * be served whenever its socket is readable, also while reading of records is stopped, or nobody
 * new gets in. */

#include "base/err.h"
#include "ingest/allow_list.h"

#define ZAP_DOMAIN_PUBLISHERS "publishers"
#define ZAP_DOMAIN_SUBSCRIBERS "subscribers"

struct zap;

/* Before any socket of the context is bound. Borrows the lists; subscribers may be NULL. Errors:
 * SOCKET, MEMORY. */
MUST_USE struct err zap_open(void *context, struct allow_list *publishers,
                             struct allow_list *subscribers, struct zap **out);
void zap_close(struct zap **self);
/* The ZeroMQ socket to poll. */
void *zap_socket(const struct zap *self);
/* Answers what is waiting, up to a bound. */
void zap_serve(struct zap *self);

#endif
