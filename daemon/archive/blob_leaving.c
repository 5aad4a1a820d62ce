/* SPDX-License-Identifier: Apache-2.0 */
#include "archive/blob_leaving.h"

#include <string.h>

#include "base/durable.h"

void blob_leaving_init(struct blob_leaving *self)
{
    must(pthread_mutex_init(&self->lock, NULL) == 0);
    atomic_store(&self->count, 0);
}

void blob_leaving_fini(struct blob_leaving *self)
{
    must(pthread_mutex_destroy(&self->lock) == 0);
}

void blob_leaving_begin(struct blob_leaving *self, const uint8_t (*digests)[HASH_BYTES],
                        uint32_t count)
{
    must(count <= BLOB_LEAVING_MAX);
    must(pthread_mutex_lock(&self->lock) == 0);
    must(atomic_load(&self->count) == 0);
    for (uint32_t i = 0; i < count; i++) {
        memcpy(self->digest[i], digests[i], HASH_BYTES);
        self->marked[i] = true;
        self->gone[i] = false;
    }
    atomic_store(&self->count, count);
    must(pthread_mutex_unlock(&self->lock) == 0);
}

void blob_leaving_stay(struct blob_leaving *self, const uint8_t digest[HASH_BYTES])
{
    if (atomic_load(&self->count) == 0) {
        return;
    }
    must(pthread_mutex_lock(&self->lock) == 0);
    for (uint32_t i = 0; i < atomic_load(&self->count); i++) {
        if (hash_equal(self->digest[i], digest)) {
            self->marked[i] = false;
        }
    }
    must(pthread_mutex_unlock(&self->lock) == 0);
}

struct err blob_leaving_remove(struct blob_leaving *self, const uint8_t digest[HASH_BYTES],
                               const char *path, bool *gone)
{
    struct err err = err_none;
    *gone = false;
    must(pthread_mutex_lock(&self->lock) == 0);
    for (uint32_t i = 0; i < atomic_load(&self->count) && !err_is(err); i++) {
        if (self->marked[i] && hash_equal(self->digest[i], digest)) {
            err = durable_remove_unsynced(path);
            self->gone[i] = !err_is(err);
            *gone = self->gone[i];
        }
    }
    must(pthread_mutex_unlock(&self->lock) == 0);
    return err;
}

void blob_leaving_end(struct blob_leaving *self, bool touched[256])
{
    memset(touched, 0, 256 * sizeof touched[0]);
    must(pthread_mutex_lock(&self->lock) == 0);
    for (uint32_t i = 0; i < atomic_load(&self->count); i++) {
        touched[self->digest[i][0]] |= self->gone[i];
    }
    atomic_store(&self->count, 0);
    must(pthread_mutex_unlock(&self->lock) == 0);
}
