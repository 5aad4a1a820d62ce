/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "proto/note.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t bytes_count);

/* The key of the seed note. A note that passes has exactly the signed text; a key that decodes has
 * one spelling. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t bytes_count)
{
    static const char vkey_text[] =
        "oversight.example.org/port/2026+83515680+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4";
    static const char signed_text[] = "oversight.example.org/port/2026\n70000\n"
                                      "SBNJTRN+FjG7owHVrKtue7eqdM4RhdRWVl71HXN2d7I=\n";
    struct note_vkey vkey;
    struct checkpoint checkpoint;
    if (!sign_init() || !note_vkey_decode(vkey_text, &vkey)) {
        abort();
    }
    if (checkpoint_open((const char *)bytes, bytes_count, &vkey, &checkpoint) == NOTE_GOOD &&
        memcmp(bytes, signed_text, sizeof signed_text - 1) != 0) {
        abort();
    }
    char text[2 * NOTE_VKEY_BYTES_MAX] = {0};
    char spelled[NOTE_VKEY_BYTES_MAX];
    memcpy(text, bytes, bytes_count < sizeof text - 1 ? bytes_count : sizeof text - 1);
    if (note_vkey_decode(text, &vkey)) {
        note_vkey_encode(&vkey, spelled);
        if (strcasecmp(spelled, text) != 0) { /* the key id may come in upper-case digits */
            abort();
        }
    }
    return 0;
}
