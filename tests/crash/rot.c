/* SPDX-License-Identifier: Apache-2.0 */
#include "run.h"
void run_rot(struct run *self)
{
    (void)self;
}
