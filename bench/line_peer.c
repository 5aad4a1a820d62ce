/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/line_peer.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/figure.h"

/* A forced core without the instructions for it ends in a signal, and a peer that is not installed
 * in a message nobody needs: both are "no such peer". */
static void become(const char *const *arguments, const char *core, unsigned threads)
{
    char count[16];
    (void)snprintf(count, sizeof count, "%u", threads);
    (void)setenv("OMP_NUM_THREADS", count, 1);
    (void)setenv("OPENBLAS_NUM_THREADS", count, 1);
    if (core[0] == '\0') {
        (void)unsetenv("OPENBLAS_CORETYPE");
    } else {
        (void)setenv("OPENBLAS_CORETYPE", core, 1);
    }
    (void)execvp(arguments[0], (char *const *)(uintptr_t)arguments);
    _exit(127);
}

bool line_peer_open(struct line_peer *self, const char *const *arguments, const char *core,
                    unsigned threads)
{
    int to[2]; /* closed in every peer but the one that it is for, or its end would never be seen */
    int from[2];
    bench_check(pipe2(to, O_CLOEXEC) == 0 && pipe2(from, O_CLOEXEC) == 0, "pipe");
    self->child = fork();
    bench_check(self->child >= 0, "fork");
    if (self->child == 0) {
        bool ours = dup2(to[0], 0) == 0 && dup2(from[1], 1) == 1;
        if (ours) {
            become(arguments, core, threads);
        }
        _exit(127);
    }
    (void)close(to[0]);
    (void)close(from[1]);
    self->questions = fdopen(to[1], "w");
    self->answers = fdopen(from[0], "r");
    bench_check(self->questions != NULL && self->answers != NULL, "fdopen");
    char line[LINE_PEER_NAME_BYTES + 16];
    if (fgets(line, sizeof line, self->answers) == NULL || strncmp(line, "ready ", 6) != 0) {
        line_peer_close(self);
        return false;
    }
    line[strcspn(line, "\n")] = '\0';
    (void)snprintf(self->name, sizeof self->name, "%.63s", line + 6);
    return true;
}

double line_peer_ask(struct line_peer *self)
{
    char line[64];
    if (fputs("go\n", self->questions) == EOF || fflush(self->questions) != 0 ||
        fgets(line, sizeof line, self->answers) == NULL) {
        return -1;
    }
    return strtod(line, NULL);
}

void line_peer_close(struct line_peer *self)
{
    (void)fclose(self->questions);
    (void)fclose(self->answers);
    (void)kill(self->child, SIGKILL); /* it keeps nothing, and must not be waited for for ever */
    (void)waitpid(self->child, NULL, 0);
}
