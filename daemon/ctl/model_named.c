/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/model_named.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "archive/model_file.h"

void model_named_kind(int argc, char **argv, char kind[MODEL_NAMED_KIND_BYTES])
{
    const char *path = NULL;
    for (int i = 1; i < argc; i++) {
        path = strncmp(argv[i], "--model=", 8) == 0              ? argv[i] + 8
               : strcmp(argv[i], "--model") == 0 && i + 1 < argc ? argv[i + 1]
                                                                 : path;
    }
    kind[0] = '\0';
    struct model_file *file = NULL;
    if (path != NULL && !err_is(model_file_open(path, NULL, &file))) {
        const char *text = model_file_text(file, "kind");
        (void)snprintf(kind, MODEL_NAMED_KIND_BYTES, "%s", text != NULL ? text : "");
    }
    model_file_close(&file);
}
