/* SPDX-License-Identifier: Apache-2.0 */
#include "verify/verify_minimum.h"

#include <inttypes.h>

#include "base/durable.h"
#include "base/tile_minimum.h"
#include "verify/verify_file.h"

void verify_minimum_read(struct verify_report *report, struct verify_shard *shard)
{
    char path[DURABLE_PATH_BYTES + sizeof TILE_MINIMUM_NAME];
    struct verify_file file = {0};
    uint64_t minimum = 0;
    (void)verify_report_step(report, STEP_tree);
    (void)snprintf(path, sizeof path, "%s/" TILE_MINIMUM_NAME, shard->path);
    enum verify_read read = verify_file_read(&file, path, TILE_MINIMUM_BYTES_MAX);
    shard->minimum = 0;
    if (read == READ_GOOD &&
        tile_minimum_parse((const char *)file.bytes, file.bytes_count, &minimum)) {
        shard->minimum = minimum;
    } else if (read != READ_MISSING) {
        verify_problem(report, "%s: %s", path,
                       read == READ_GOOD ? "not one line of a number of whole bundles"
                                         : verify_read_text(read));
    }
    verify_file_fini(&file);
}

void verify_minimum_finish(struct verify_report *report, bool whole)
{
    (void)verify_report_step(report, STEP_tree);
    for (uint32_t i = 0; i < report->shards_count; i++) {
        const struct verify_shard *shard = &report->shards[i];
        uint64_t n = shard->first_n + shard->minimum;
        if (shard->minimum == 0 || n <= report->pruned_below) {
            continue;
        }
        if (shard->minimum > shard->size) {
            verify_problem(report, "%s/" TILE_MINIMUM_NAME ": lies beyond the %" PRIu64 " entries",
                           shard->path, shard->size);
        } else if (whole) {
            verify_problem(report,
                           "%s/" TILE_MINIMUM_NAME ": no entry says that the log was pruned below "
                           "entry %" PRIu64,
                           shard->path, n);
        } else {
            verify_warning(report,
                           "%s/" TILE_MINIMUM_NAME ": no entry here says that the log was pruned "
                           "below entry %" PRIu64 ": a later shard must",
                           shard->path, n);
        }
    }
}
