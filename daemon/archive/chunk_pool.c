/* SPDX-License-Identifier: Apache-2.0 */
#include "archive/chunk_pool.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "archive/chunk.h"

/* A ring of slots with three hands: put, run, take. Slots between take and put belong to the
 * workers (from run on) or wait for one; the caller owns the rest. A lock guards the hands and the
 * marks of what is done; the work itself is done outside of it. */

#define POOL_HOLDER 1u /* of the first thread; 0 is the caller's */

_Static_assert(CHUNK_POOL_THREADS_MAX + POOL_HOLDER <= REREAD_HOLDERS_MAX, "a holder a thread");

enum slot_kind { SLOT_CHUNK, SLOT_IMAGE };

struct slot {
    enum slot_kind kind;
    bool done;
    struct chunk_source source;
    struct chunk_image image;
    uint8_t *bytes;
    uint8_t *stored;
    size_t stored_bytes;
    struct err err; /* of a chunk */
    bool good;      /* of an image */
};

struct chunk_pool {
    struct chunk_pool_conf conf;
    struct slot slots[CHUNK_POOL_SLOTS];
    pthread_t threads[CHUNK_POOL_THREADS_MAX];
    struct chunk_coder *coders[CHUNK_POOL_THREADS_MAX];
    struct sha256 *hashes[CHUNK_POOL_THREADS_MAX];
    uint32_t threads_started;
    uint32_t threads_numbered; /* lock: each thread takes its number when it begins */
    pthread_mutex_t lock;
    pthread_cond_t work; /* something to run, or stopping */
    pthread_cond_t done;
    uint64_t put; /* the caller's */
    uint64_t run; /* lock */
    uint64_t taken;
    uint64_t offered; /* lock: put, as the workers see it */
    bool stopping;    /* lock */
};

static struct slot *pool_slot(struct chunk_pool *self, uint64_t number)
{
    return &self->slots[number % CHUNK_POOL_SLOTS];
}

/* ---- the workers */

/* Where a chunk's plain bytes go; without compression that is where they are stored: a copy less.
 */
static uint8_t *pool_plain(const struct chunk_pool *self, const struct slot *slot)
{
    return self->conf.deflate_level == 0 ? slot->stored : slot->bytes;
}

static struct err pool_encode(struct chunk_pool *self, struct slot *slot, struct chunk_coder *coder)
{
    const struct chunk_source *source = &slot->source;
    const uint8_t *bytes = source->bytes;
    if (bytes == NULL || source->bytes_count < source->chunk_bytes) {
        uint8_t *gathered = pool_plain(self, slot);
        struct err err = err_none;
        if (bytes == NULL) {
            err = blob_read_part(self->conf.blobs, source->digest, source->blob_bytes,
                                 source->blob_offset, gathered, source->bytes_count);
        } else {
            memcpy(gathered, bytes, source->bytes_count);
        }
        if (err_is(err)) {
            return err;
        }
        memset(gathered + source->bytes_count, 0, source->chunk_bytes - source->bytes_count);
        bytes = gathered;
    }
    return chunk_encode(coder, bytes, source->chunk_bytes, source->cell_bytes, slot->stored,
                        &slot->stored_bytes);
}

static bool pool_check_chunks(const struct chunk_pool *self, struct slot *slot, uint32_t number)
{
    const struct chunk_image *image = &slot->image;
    struct sha256 *hash = self->hashes[number];
    uint8_t found[HASH_BYTES];
    uint64_t left = image->bytes_count;
    sha256_reset(hash);
    for (uint64_t i = 0; i < image->places_count; i++) {
        const struct chunk_place *place = &image->places[i];
        const uint8_t *stored = NULL;
        size_t count = left < image->chunk_bytes ? (size_t)left : image->chunk_bytes;
        if (place->stored_bytes == 0 ||
            place->stored_bytes > chunk_stored_bytes_max(self->conf.chunk_bytes_max)) {
            return false;
        }
        reread_hold(image->file, POOL_HOLDER + number, place->offset);
        if (err_is(reread_get(image->file, place->offset, (size_t)place->stored_bytes, slot->stored,
                              &stored))) {
            return false;
        }
        const uint8_t *plain = chunk_view(self->coders[number], stored, (size_t)place->stored_bytes,
                                          image->cell_bytes, slot->bytes, image->chunk_bytes);
        if (plain == NULL) {
            return false;
        }
        sha256_add(hash, plain, count);
        left -= count;
    }
    sha256_finish(hash, found);
    return left == 0 && hash_equal(found, image->digest);
}

static bool pool_check(const struct chunk_pool *self, struct slot *slot, uint32_t number)
{
    bool good = pool_check_chunks(self, slot, number);
    reread_hold(slot->image.file, POOL_HOLDER + number, REREAD_NOTHING);
    return good;
}

static void *pool_work(void *arg)
{
    struct chunk_pool *self = arg;
    must(pthread_mutex_lock(&self->lock) == 0);
    uint32_t number = self->threads_numbered++;
    for (;;) {
        while (!self->stopping && self->run == self->offered) {
            must(pthread_cond_wait(&self->work, &self->lock) == 0);
        }
        if (self->stopping) {
            break;
        }
        struct slot *slot = pool_slot(self, self->run);
        self->run++;
        must(pthread_mutex_unlock(&self->lock) == 0);
        if (slot->kind == SLOT_CHUNK) {
            slot->err = pool_encode(self, slot, self->coders[number]);
        } else {
            slot->good = pool_check(self, slot, number);
        }
        must(pthread_mutex_lock(&self->lock) == 0);
        slot->done = true;
        must(pthread_cond_signal(&self->done) == 0);
    }
    must(pthread_mutex_unlock(&self->lock) == 0);
    return NULL;
}

/* ---- open and close */

static struct err pool_allocate(struct chunk_pool *self)
{
    const size_t bytes_max = self->conf.chunk_bytes_max;
    struct err err = err_none;
    for (uint32_t i = 0; i < CHUNK_POOL_SLOTS && !err_is(err); i++) {
        self->slots[i].bytes = malloc(bytes_max);
        self->slots[i].stored = malloc(chunk_stored_bytes_max(bytes_max));
        if (self->slots[i].bytes == NULL || self->slots[i].stored == NULL) {
            err = err_make(ERR_MEMORY, "chunk_pool_open");
        }
    }
    for (uint32_t i = 0; i < self->conf.threads && !err_is(err); i++) {
        self->hashes[i] = sha256_open();
        err = chunk_coder_open(bytes_max, self->conf.deflate_level, &self->coders[i]);
    }
    return err;
}

struct err chunk_pool_open(const struct chunk_pool_conf *conf, struct chunk_pool **out)
{
    must(conf->threads >= 1 && conf->threads <= CHUNK_POOL_THREADS_MAX);
    must(conf->chunk_bytes_max > 0 &&
         chunk_stored_bytes_max(conf->chunk_bytes_max) < REREAD_PIECE_BYTES);
    struct chunk_pool *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return err_make(ERR_MEMORY, "chunk_pool_open");
    }
    self->conf = *conf;
    must(pthread_mutex_init(&self->lock, NULL) == 0);
    must(pthread_cond_init(&self->work, NULL) == 0);
    must(pthread_cond_init(&self->done, NULL) == 0);
    struct err err = pool_allocate(self);
    for (uint32_t i = 0; i < conf->threads && !err_is(err); i++) {
        int fault = pthread_create(&self->threads[i], NULL, pool_work, self);
        if (fault != 0) {
            err = (struct err){.code = ERR_IO, .os_errno = fault, .where = "start a pool thread"};
        } else {
            (void)pthread_setname_np(self->threads[i], "archive-chunks");
            self->threads_started++;
        }
    }
    if (err_is(err)) {
        chunk_pool_close(&self);
        return err;
    }
    *out = self;
    return err_none;
}

void chunk_pool_close(struct chunk_pool **pool)
{
    struct chunk_pool *self = *pool;
    if (self == NULL) {
        return;
    }
    must(pthread_mutex_lock(&self->lock) == 0);
    self->stopping = true;
    must(pthread_cond_broadcast(&self->work) == 0);
    must(pthread_mutex_unlock(&self->lock) == 0);
    for (uint32_t i = 0; i < self->threads_started; i++) {
        must(pthread_join(self->threads[i], NULL) == 0);
    }
    for (uint32_t i = 0; i < self->conf.threads; i++) {
        chunk_coder_close(&self->coders[i]);
        sha256_close(&self->hashes[i]);
    }
    for (uint32_t i = 0; i < CHUNK_POOL_SLOTS; i++) {
        free(self->slots[i].bytes);
        free(self->slots[i].stored);
    }
    (void)pthread_cond_destroy(&self->done);
    (void)pthread_cond_destroy(&self->work);
    (void)pthread_mutex_destroy(&self->lock);
    free(self);
    *pool = NULL;
}

uint32_t chunk_pool_deflate_level(const struct chunk_pool *self)
{
    return self->conf.deflate_level;
}

/* ---- the caller */

bool chunk_pool_has_room(const struct chunk_pool *self)
{
    return self->put - self->taken < CHUNK_POOL_SLOTS;
}

bool chunk_pool_is_empty(const struct chunk_pool *self)
{
    return self->put == self->taken;
}

bool chunk_pool_is_ready(struct chunk_pool *self)
{
    if (chunk_pool_is_empty(self)) {
        return false;
    }
    must(pthread_mutex_lock(&self->lock) == 0);
    bool ready = pool_slot(self, self->taken)->done;
    must(pthread_mutex_unlock(&self->lock) == 0);
    return ready;
}

static struct slot *pool_next_slot(struct chunk_pool *self, enum slot_kind kind)
{
    must(chunk_pool_has_room(self));
    struct slot *slot = pool_slot(self, self->put);
    slot->kind = kind;
    slot->done = false;
    return slot;
}

static void pool_offer(struct chunk_pool *self)
{
    self->put++;
    must(pthread_mutex_lock(&self->lock) == 0);
    self->offered = self->put;
    must(pthread_cond_signal(&self->work) == 0);
    must(pthread_mutex_unlock(&self->lock) == 0);
}

void chunk_pool_put(struct chunk_pool *self, const struct chunk_source *source)
{
    must(source->bytes_count <= source->chunk_bytes &&
         source->chunk_bytes <= self->conf.chunk_bytes_max);
    pool_next_slot(self, SLOT_CHUNK)->source = *source;
    pool_offer(self);
}

void chunk_pool_put_image(struct chunk_pool *self, const struct chunk_image *image)
{
    must(image->chunk_bytes > 0 && image->chunk_bytes <= self->conf.chunk_bytes_max);
    pool_next_slot(self, SLOT_IMAGE)->image = *image;
    pool_offer(self);
}

static struct slot *pool_take(struct chunk_pool *self, enum slot_kind kind)
{
    must(!chunk_pool_is_empty(self));
    struct slot *slot = pool_slot(self, self->taken);
    must(slot->kind == kind);
    must(pthread_mutex_lock(&self->lock) == 0);
    while (!slot->done) {
        must(pthread_cond_wait(&self->done, &self->lock) == 0);
    }
    must(pthread_mutex_unlock(&self->lock) == 0);
    self->taken++;
    return slot;
}

struct err chunk_pool_take(struct chunk_pool *self, const uint8_t **stored, size_t *stored_bytes)
{
    const struct slot *slot = pool_take(self, SLOT_CHUNK);
    if (!err_is(slot->err)) {
        *stored = slot->stored;
        *stored_bytes = slot->stored_bytes;
    }
    return slot->err;
}

bool chunk_pool_take_image(struct chunk_pool *self)
{
    return pool_take(self, SLOT_IMAGE)->good;
}
