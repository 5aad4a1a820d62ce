/* SPDX-License-Identifier: Apache-2.0 */
/* Writes the log of a small port's day into a shard's directory, for tests by other people's
 * programs. usage: verify_log_writer DIRECTORY ITEMS; prints the number of entries. */
#include <stdio.h>
#include <stdlib.h>

#include "log_maker.h"

int main(int argc, char **argv)
{
    static struct range range;
    static struct log_maker maker;
    uint8_t item[ITEM_ID_BYTES];
    if (argc != 3) {
        (void)fprintf(stderr, "usage: verify_log_writer DIRECTORY ITEMS\n");
        return 2;
    }
    range_init(&range, 0);
    range_add_log_open(&range, "oversight.example/rotterdam/2026");
    range_add_draw_commit(&range);
    for (long i = 0; i < strtol(argv[2], NULL, 10); i++) {
        if (range_add_item(&range, item, 1, NULL)) {
            range_add_action(&range, item, "in_exam", 2);
            range_add_outcome(&range, item, 3);
        }
    }
    range_add_draw_reveal(&range);
    log_maker_init(&maker, argv[1], "oversight.example/rotterdam/2026", 1);
    log_maker_publish(&maker, &range, range.count);
    (void)printf("%u\n", (unsigned)range.count);
    range_fini(&range);
    return 0;
}
