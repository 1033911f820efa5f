/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Run a program to which io_uring is forbidden, as the seccomp profiles of containers do:
 *
 *     noring virtdevfs /mnt && cat /mnt/engine/kind
 *
 * The filter answers EPERM to io_uring_setup(2), io_uring_enter(2) and io_uring_register(2), in the
 * program and in all that it starts. Exit status 125 when it cannot be set, 127 when the program
 * cannot be run.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static int forbid_io_uring(void)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 3, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_enter, 2, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_register, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
    };
    const struct sock_fprog program = { .len = sizeof(code) / sizeof(code[0]), .filter = code };

    /* Without CAP_SYS_ADMIN a filter needs no_new_privs, which keeps fusermount3 from mounting. */
    if (!syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program))
        return 0;
    if (errno != EACCES || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        return -1;
    return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: noring PROGRAM [ARGUMENT...]\n");
        return 125;
    }
    if (forbid_io_uring()) {
        fprintf(stderr, "noring: seccomp: %s\n", strerror(errno));
        return 125;
    }
    execvp(argv[1], argv + 1);
    fprintf(stderr, "noring: %s: %s\n", argv[1], strerror(errno));
    return 127;
}
