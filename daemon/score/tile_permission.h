/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCORE_TILE_PERMISSION_H
#define SCORE_TILE_PERMISSION_H

/* Tile permission: Linux saves the large registers of AMX only for processes that ask. Asks, and
 * lets the kernels use them where it was granted. Once, before the first search; any thread.
 * Without such a processor nothing happens. */
void tile_permission_ask(void);

#endif
