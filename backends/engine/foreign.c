/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Recognising and closing descriptors of other processes. See virtdevfs/foreign.h. */
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <virtdevfs/foreign.h>
#include <virtdevfs/lock.h>

#define THREADS_MAX 8u
#define STACK_SIZE (PTHREAD_STACK_MIN + 65536)

enum vdf_foreign vdf_foreign_kind(int fd)
{
    static const char eventfd[] = "anon_inode:[eventfd]", sock[] = "socket:[";
    char link[32], target[64] = { 0 };
    int domain;
    socklen_t size = sizeof(domain);

    if (fcntl(fd, F_GET_SEALS) >= 0)
        return VDF_FOREIGN_MEMORY;
    /* These names are the kernel's; names of files begin with a slash. */
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    if (readlink(link, target, sizeof(target) - 1) < 0)
        return VDF_FOREIGN_OTHER;
    if (!strcmp(target, eventfd))
        return VDF_FOREIGN_EVENTFD;
    if (!strncmp(target, sock, sizeof(sock) - 1) &&
        !getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) && domain == AF_UNIX)
        return VDF_FOREIGN_SOCKET;
    return VDF_FOREIGN_OTHER;
}

/* --- closing ---------------------------------------------------------------------------------- */

struct job {
    struct job *next;
    int done;
    unsigned n;
    int fds[];
};

static struct vdf_lock jobs_lock = VDF_LOCK_INIT(VDF_RANK_FOREIGN);
static struct job *jobs;
static unsigned threads;

/* A stream that is closed for sending at the other end, and has no unread data. */
static bool is_spent(int fd)
{
    struct pollfd poll_fd = { .fd = fd, .events = POLLRDHUP };
    int type, unread;
    socklen_t size = sizeof(type);

    return !getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) && type == SOCK_STREAM &&
           poll(&poll_fd, 1, 0) == 1 && poll_fd.revents & POLLRDHUP &&
           !ioctl(fd, FIONREAD, &unread) && !unread;
}

static bool may_block(int fd)
{
    switch (vdf_foreign_kind(fd)) {
    case VDF_FOREIGN_EVENTFD:
    case VDF_FOREIGN_MEMORY:
        return false;
    case VDF_FOREIGN_SOCKET:
        return !is_spent(fd);
    default:
        return true;
    }
}

static void *run(void *arg)
{
    vdf_lock(&jobs_lock);
    while (jobs) {
        struct job *job = jobs;

        jobs = job->next;
        vdf_unlock(&jobs_lock);
        for (unsigned i = 0; i < job->n; i++)
            close(job->fds[i]);
        if (job->done >= 0) {
            eventfd_write(job->done, 1);
            close(job->done);
        }
        free(job);
        vdf_lock(&jobs_lock);
    }
    threads--;
    vdf_unlock(&jobs_lock);
    return NULL;
}

/* Start another thread, up to THREADS_MAX. The lock is held. */
static void start_thread(void)
{
    sigset_t all, old;
    pthread_attr_t attr;
    pthread_t thread;

    if (threads >= THREADS_MAX || pthread_attr_init(&attr))
        return;
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attr, STACK_SIZE);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    /* Without a thread the job stays for the next one. */
    if (!pthread_create(&thread, &attr, run, NULL))
        threads++;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    pthread_attr_destroy(&attr);
}

bool vdf_foreign_close(const int *fds, unsigned n, int done)
{
    struct job *job = NULL, **end;

    for (unsigned i = 0; i < n; i++) {
        if (!may_block(fds[i])) {
            close(fds[i]);
            continue;
        }
        if (!job)
            job = calloc(1, sizeof(*job) + n * sizeof(*fds));
        /* Without memory the descriptor stays open, which is better than a blocked thread. */
        if (job)
            job->fds[job->n++] = fds[i];
    }
    if (!job)
        return false;
    job->done = done >= 0 ? fcntl(done, F_DUPFD_CLOEXEC, 3) : -1;
    bool notifies = job->done >= 0;

    vdf_lock(&jobs_lock);
    for (end = &jobs; *end; end = &(*end)->next)
        ;
    *end = job;
    start_thread();
    vdf_unlock(&jobs_lock);
    return notifies;
}
