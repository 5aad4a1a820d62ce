/* SPDX-License-Identifier: Apache-2.0 */
/* A program that forces its BLAS core, linked with a pretended library instead of the real one. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/blas.h"
#include "score/blas_core.h"

const char *blas_core_name(void)
{
    const char *asked = getenv("OPENBLAS_CORETYPE");
    if (asked == NULL || getenv("PROBE_DEAF") != NULL) {
        return "Prescott";
    }
    return getenv("PROBE_OLD") != NULL && strcmp(asked, "Cooperlake") == 0 ? "Prescott" : asked;
}

void blas_use_one_thread(void)
{
}

int main(int argc, char **argv)
{
    blas_core_force(argv);
    for (int i = 1; i < argc; i++) {
        printf("%s|", argv[i]);
    }
    printf("%s\n", blas_core_text());
    return 0;
}
