/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROJECT_REPORT_H
#define PROJECT_REPORT_H

/* Project report: what came of projections, by mass and background. Allocates; one thread. */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define PROJECT_ROWS_MAX 10000000u

struct project_conf {
    double false_share;     /* of clean scans beyond the threshold, at most */
    double attenuation_min; /* where threats are put */
};

struct project_row {
    double mass_kg;    /* NaN: not told */
    double background; /* attenuation in the middle of the place, before */
    double logit;      /* NaN: could not be scored */
    bool marked;       /* a region of the score touches the threat */
};

struct project_report {
    struct project_conf conf;
    double *clean;
    uint64_t clean_count;
    uint64_t clean_room;
    struct project_row *rows;
    uint64_t rows_count;
    uint64_t rows_room;
    uint64_t unplaced;
};

/* ERR_MEMORY. */
MUST_USE struct err project_report_add_clean(struct project_report *self, double logit);
MUST_USE struct err project_report_add(struct project_report *self, const struct project_row *row);
void project_report_fini(struct project_report *self);

/* A table, or one JSON object. Returns an exit code of ctl.h. */
int project_report_tell(struct project_report *self, bool json);
MUST_USE struct err project_report_draw(struct project_report *self, const char *path);
/* CSV: mass_kg,background,score,detected,marked. */
MUST_USE struct err project_report_write(struct project_report *self, const char *path);

#endif
