/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "score/score.h"

/* The daemon of the flow tests whose model in shadow can be made to hang, or to give what is no
 * number. Linked with --wrap=score_items. While the file TRIAGED_TEST_STALL exists the shadow's
 * thread stays in its scorer, and says so by the file of that name with ".in" behind it. While
 * TRIAGED_TEST_NAN exists it gives NaN. */

void __real_score_items(struct score *self, const struct score_input *inputs,
                        struct score_result *results, uint32_t count);
void __wrap_score_items(struct score *self, const struct score_input *inputs,
                        struct score_result *results, uint32_t count);

static bool is_there(const char *variable)
{
    const char *path = getenv(variable);
    return path != NULL && access(path, F_OK) == 0;
}

static void stall(void)
{
    char path[512];
    (void)snprintf(path, sizeof path, "%s.in", getenv("TRIAGED_TEST_STALL"));
    FILE *mark = fopen(path, "w");
    if (mark != NULL) {
        (void)fclose(mark);
    }
    while (is_there("TRIAGED_TEST_STALL")) {
        struct timespec nap = {.tv_nsec = 2000000};
        (void)nanosleep(&nap, NULL);
    }
}

void __wrap_score_items(struct score *self, const struct score_input *inputs,
                        struct score_result *results, uint32_t count)
{
    char name[16] = "";
    (void)pthread_getname_np(pthread_self(), name, sizeof name);
    bool shadow = strcmp(name, "shadow") == 0;
    if (shadow && is_there("TRIAGED_TEST_STALL")) {
        stall();
    }
    __real_score_items(self, inputs, results, count);
    if (shadow && is_there("TRIAGED_TEST_NAN")) {
        for (uint32_t i = 0; i < count; i++) {
            results[i].score.probability = (double)NAN;
            results[i].score.contributions[0].logit = (double)INFINITY;
        }
    }
}
