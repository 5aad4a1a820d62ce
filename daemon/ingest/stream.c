/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/stream.h"

#include <stdlib.h>
#include <string.h>

/* Connections are found by a hash of what the socket calls them; names only at a hello, one by one.
 */

#define STREAM_NONE UINT32_MAX

struct stream_table {
    struct stream *streams;
    uint32_t *buckets;
    uint32_t streams_count;
    uint32_t streams_max;
    uint32_t buckets_count; /* a power of two */
};

struct err stream_table_open(uint32_t streams_max, struct stream_table **out)
{
    must(streams_max > 0 && streams_max <= (1u << 24));
    struct stream_table *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return err_make(ERR_MEMORY, "stream_table_open");
    }
    self->streams_max = streams_max;
    self->buckets_count = 16;
    while (self->buckets_count < 2 * streams_max) {
        self->buckets_count *= 2;
    }
    self->streams = calloc(streams_max, sizeof *self->streams);
    self->buckets = calloc(self->buckets_count, sizeof *self->buckets);
    if (self->streams == NULL || self->buckets == NULL) {
        stream_table_close(&self);
        return err_make(ERR_MEMORY, "stream_table_open");
    }
    memset(self->buckets, 0xff, self->buckets_count * sizeof *self->buckets); /* STREAM_NONE */
    *out = self;
    return err_none;
}

void stream_table_close(struct stream_table **self)
{
    if (*self == NULL) {
        return;
    }
    free((*self)->streams);
    free((*self)->buckets);
    free(*self);
    *self = NULL;
}

bool stream_name_is_good(const char *name)
{
    size_t bytes = strlen(name);
    return bytes > 0 && bytes <= WIRE_STREAM_BYTES_MAX &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789.-") == bytes;
}

struct stream *stream_get(struct stream_table *self, const char *publisher, const char *name)
{
    must(strlen(publisher) <= WIRE_PUBLISHER_BYTES_MAX && strlen(name) <= WIRE_STREAM_BYTES_MAX);
    for (uint32_t i = 0; i < self->streams_count; i++) {
        struct stream *stream = &self->streams[i];
        if (strcmp(stream->name, name) == 0 && strcmp(stream->publisher, publisher) == 0) {
            return stream;
        }
    }
    if (self->streams_count == self->streams_max) {
        return NULL;
    }
    struct stream *stream = &self->streams[self->streams_count++];
    *stream = (struct stream){.expected = 1,
                              .answered = 1,
                              .oldest_slot = STREAM_NO_SLOT,
                              .newest_slot = STREAM_NO_SLOT,
                              .next_in_bucket = STREAM_NONE};
    memcpy(stream->publisher, publisher, strlen(publisher) + 1);
    memcpy(stream->name, name, strlen(name) + 1);
    return stream;
}

uint32_t stream_index(const struct stream_table *self, const struct stream *stream)
{
    return (uint32_t)(stream - self->streams);
}

struct stream *stream_at(struct stream_table *self, uint32_t index)
{
    must(index < self->streams_count);
    return &self->streams[index];
}

uint32_t stream_count(const struct stream_table *self)
{
    return self->streams_count;
}

/* FNV-1a: the names are libzmq's own random numbers, or chosen by somebody on the allow-list who
 * can only slow himself. */
static uint32_t *bucket_of(struct stream_table *self, const struct server_peer *peer)
{
    uint32_t hash = 2166136261u;
    for (uint32_t i = 0; i < peer->bytes_count; i++) {
        hash = (hash ^ peer->bytes[i]) * 16777619u;
    }
    return &self->buckets[hash & (self->buckets_count - 1)];
}

struct stream *stream_of_peer(struct stream_table *self, const struct server_peer *peer)
{
    for (uint32_t i = *bucket_of(self, peer); i != STREAM_NONE;
         i = self->streams[i].next_in_bucket) {
        const struct server_peer *there = &self->streams[i].peer;
        if (there->bytes_count == peer->bytes_count &&
            memcmp(there->bytes, peer->bytes, peer->bytes_count) == 0) {
            return &self->streams[i];
        }
    }
    return NULL;
}

void stream_disconnect(struct stream_table *self, struct stream *stream)
{
    if (!stream->is_connected) {
        return;
    }
    uint32_t index = stream_index(self, stream);
    uint32_t *link = bucket_of(self, &stream->peer);
    while (*link != index) {
        must(*link != STREAM_NONE);
        link = &self->streams[*link].next_in_bucket;
    }
    *link = stream->next_in_bucket;
    stream->next_in_bucket = STREAM_NONE;
    stream->is_connected = false;
}

void stream_connect(struct stream_table *self, struct stream *stream,
                    const struct server_peer *peer)
{
    struct stream *before = stream_of_peer(self, peer);
    if (before != NULL) {
        stream_disconnect(self, before);
    }
    stream_disconnect(self, stream);
    uint32_t *bucket = bucket_of(self, peer);
    stream->peer = *peer;
    stream->next_in_bucket = *bucket;
    *bucket = stream_index(self, stream);
    stream->is_connected = true;
}
