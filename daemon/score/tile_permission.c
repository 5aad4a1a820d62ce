/* SPDX-License-Identifier: Apache-2.0 */
#include "score/tile_permission.h"

#include <sys/syscall.h>
#include <unistd.h>

#include "kernels/nearest.h"

void tile_permission_ask(void)
{
#if defined(__x86_64__)
    /* ARCH_REQ_XCOMP_PERM and XFEATURE_XTILEDATA of the kernel, which older headers lack. */
    enum { ARCH_REQUEST_PERMISSION = 0x1023, STATE_TILE_DATA = 18 };
    /* An older kernel, or a processor without tiles, refuses: then the next best path it is. */
    if (syscall(SYS_arch_prctl, ARCH_REQUEST_PERMISSION, STATE_TILE_DATA) == 0) {
        (void)nearest_amx_allow();
    }
#endif
}
