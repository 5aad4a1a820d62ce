/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/trees_link.h"

static void run_script(char **arguments, unsigned threads, const int asks[2], const int tells[2])
{
    char text[16];
    (void)snprintf(text, sizeof text, "%u", threads);
    (void)dup2(asks[0], STDIN_FILENO);
    (void)dup2(tells[1], STDOUT_FILENO);
    (void)close(asks[1]);
    (void)close(tells[0]);
    (void)execl(arguments[0], arguments[0], arguments[1], arguments[2], text, (char *)NULL);
    _exit(77);
}

/* Passes on what is meant for people. Returns false at the end of the script. */
static bool read_until(struct trees_link *self, const char *word)
{
    char line[256];
    while (fgets(line, sizeof line, self->from) != NULL) {
        char name[64] = "";
        double clock;
        double processor;
        if (strncmp(line, word, strlen(word)) == 0) {
            return true;
        }
        if (sscanf(line, "%63s %lf %lf", name, &clock, &processor) != 3) {
            (void)fputs(line, stdout);
            continue;
        }
        uint32_t at = 0;
        while (at < self->peers_count && strcmp(self->peers[at].name, name) != 0) {
            at++;
        }
        bench_check(at < TREES_PEERS_MAX, "too many peers");
        self->peers_count = at < self->peers_count ? self->peers_count : at + 1;
        (void)snprintf(self->peers[at].name, sizeof self->peers[at].name, "%s", name);
        rounds_add(&self->peers[at].clock, clock * 1e-6);
        rounds_add(&self->peers[at].processor, processor * 1e-6);
    }
    return false;
}

void trees_link_open(struct trees_link *self, char **arguments, unsigned threads)
{
    int asks[2];
    int tells[2];
    *self = (struct trees_link){.peers_count = 0};
    (void)fflush(stdout);
    (void)signal(SIGPIPE, SIG_IGN);
    bench_check(pipe(asks) == 0 && pipe(tells) == 0, "pipe: %s", strerror(errno));
    self->child = fork();
    bench_check(self->child >= 0, "fork: %s", strerror(errno));
    if (self->child == 0) {
        run_script(arguments, threads, asks, tells);
    }
    (void)close(asks[0]);
    (void)close(tells[1]);
    self->to = fdopen(asks[1], "w");
    self->from = fdopen(tells[0], "r");
    bench_check(self->to != NULL && self->from != NULL, "fdopen: %s", strerror(errno));
    if (!read_until(self, "ready")) {
        trees_link_close(self);
    }
}

void trees_link_round(struct trees_link *self)
{
    if (self->from != NULL && fputs("\n", self->to) >= 0 && fflush(self->to) == 0) {
        (void)read_until(self, "end");
    }
}

void trees_link_close(struct trees_link *self)
{
    if (self->from == NULL) {
        return;
    }
    (void)fclose(self->to);
    (void)fclose(self->from);
    self->from = NULL;
    int status = 0;
    bench_check(waitpid(self->child, &status, 0) == self->child && WIFEXITED(status) &&
                    (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 77),
                "the script of the peers failed");
}

const struct trees_peer *trees_link_fastest(const struct trees_link *self)
{
    const struct trees_peer *best = NULL;
    for (uint32_t i = 0; i < self->peers_count; i++) {
        const struct trees_peer *peer = &self->peers[i];
        if (best == NULL || rounds_most(&peer->processor) > rounds_most(&best->processor)) {
            best = peer;
        }
    }
    return best;
}
