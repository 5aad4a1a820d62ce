/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CTL_MODEL_STORE_H
#define CTL_MODEL_STORE_H

/* Model store: model files of a port, by their hashes, and which of them is in use. Blocks on the
 * disk. Everything that goes wrong is told. */

#include "ctl/ctl.h"

#define MODEL_STORE_NAME_BYTES (HASH_HEX_BYTES + 3)

/* Puts the file into models/ under its hash; name gets "<hex>.h5". False when told. */
bool model_store_put(struct ctl *ctl, const char *path, char name[MODEL_STORE_NAME_BYTES]);
/* The same, and has the daemon use it from now on. Returns an exit code; quiet: says nothing when
 * it is done. */
int model_store_install(struct ctl *ctl, const char *path, bool quiet);
/* The same; shadow: beside the one in use. reason may be NULL. */
int model_store_install_as(struct ctl *ctl, const char *path, bool shadow, const char *reason);
/* The newest model.change of this name. False when told. */
bool model_store_in_use(struct ctl *ctl, const char *name, uint8_t sha256[HASH_BYTES], bool *found);

#endif
