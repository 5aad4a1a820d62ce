/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "archive/sealed_block.h"

/* A group of a few links keeps them in its header; of more than eight in a heap, with a tree over
 * the hashes of their names (sealed_dense.c). */

enum {
    SUPERBLOCK_BYTES = 48,
    MESSAGE_LINK_INFO = 0x02,
    MESSAGE_LINK = 0x06,
    LINK_NAME_SIZE = 0x03, /* flags of a link message */
    LINK_ORDERED = 0x04,
    LINK_TYPED = 0x08,
    LINK_CHARSET = 0x10,
    INFO_ORDERED = 0x01
};

struct err sealed_root(const struct sealed_file *self, uint64_t *address)
{
    static const uint8_t signature[8] = {0x89, 'H', 'D', 'F', '\r', '\n', 0x1a, '\n'};
    uint8_t block[SUPERBLOCK_BYTES];
    struct err err = sealed_read(self, 0, block, sizeof block);
    if (err_is(err)) {
        return err;
    }
    if (memcmp(block, signature, sizeof signature) != 0 || block[8] != 2 || block[9] != 8 ||
        block[10] != 8 || sealed_number(block + 12, 8) != 0 ||
        !sealed_block_is_sound(block, sizeof block)) {
        return sealed_differs("superblock");
    }
    if (sealed_number(block + 28, 8) != self->file_bytes) {
        return sealed_differs("sealed file is shorter or longer than it says");
    }
    *address = sealed_number(block + 36, 8);
    return err_none;
}

struct err sealed_link_read(const uint8_t *body, size_t body_bytes, const char *name, bool *found,
                            uint64_t *address)
{
    *found = false;
    if (body_bytes < 2 || body[0] != 1) {
        return sealed_differs("link of another version");
    }
    unsigned flags = body[1];
    size_t size_bytes = (size_t)1 << (flags & LINK_NAME_SIZE);
    size_t at = 2;
    size_t before = ((flags & LINK_TYPED) != 0 ? 1u : 0u) +
                    ((flags & LINK_ORDERED) != 0 ? 8u : 0u) +
                    ((flags & LINK_CHARSET) != 0 ? 1u : 0u);
    if (body_bytes - at < before + size_bytes) {
        return sealed_differs("link is cut off");
    }
    bool hard = (flags & LINK_TYPED) == 0 || body[at] == 0;
    at += before;
    uint64_t name_bytes = sealed_number(body + at, size_bytes);
    at += size_bytes;
    if (name_bytes > body_bytes - at || body_bytes - at - name_bytes < 8) {
        return sealed_differs("link is cut off");
    }
    if (!hard || name_bytes != strlen(name) || memcmp(body + at, name, (size_t)name_bytes) != 0) {
        return err_none;
    }
    *address = sealed_number(body + at + name_bytes, 8);
    *found = true;
    return err_none;
}

/* In the object's header. */
static struct err group_find_compact(const struct sealed_object *group, const char *name,
                                     bool *found, uint64_t *address)
{
    struct sealed_walk walk = {0, 0};
    const uint8_t *body = NULL;
    size_t body_bytes = 0;
    struct err err = err_none;
    *found = false;
    while (!err_is(err) && !*found &&
           sealed_object_next(group, MESSAGE_LINK, &walk, &body, &body_bytes)) {
        err = sealed_link_read(body, body_bytes, name, found, address);
    }
    return err;
}

struct err sealed_group_find(const struct sealed_file *self, uint64_t group_address,
                             const char *name, uint64_t *address)
{
    struct sealed_object group;
    struct sealed_walk walk = {0, 0};
    const uint8_t *info = NULL;
    size_t info_bytes = 0;
    bool found = false;
    struct err err = sealed_object_read(self, group_address, &group);
    if (!err_is(err)) {
        err = group_find_compact(&group, name, &found, address);
    }
    if (err_is(err) || found) {
        return err;
    }
    if (!sealed_object_next(&group, MESSAGE_LINK_INFO, &walk, &info, &info_bytes) ||
        info_bytes < 2 || info[0] != 0) {
        return sealed_differs("group of another kind");
    }
    size_t at = 2 + ((info[1] & INFO_ORDERED) != 0 ? 8u : 0u);
    if (info_bytes - 2 < at - 2 + 16) {
        return sealed_differs("group of another kind");
    }
    uint64_t heap = sealed_number(info + at, 8);
    if (heap == SEALED_NONE) {
        return err_make(ERR_NOT_FOUND, "name in a sealed file");
    }
    return sealed_dense_find(self, heap, sealed_number(info + at + 8, 8), name, address);
}
