/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The least that a FUSE file system can be: what ours is compared with. Single-threaded over
 * /dev/fuse; with `-o io_uring` libfuse serves it over io_uring.
 *
 *     bench_empty -f [-o io_uring] MOUNTPOINT
 *
 *     value      text that reads and writes go past the page cache to
 *     cached     text that stays in the page cache
 *     transport  `io_uring` or `dev`: what this read has come through
 */
#define FUSE_USE_VERSION 314
#include <errno.h>
#include <fuse_lowlevel.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define ROOM 4096u
#define TIMEOUT 3600.0 /* seconds that names and attributes stay true */

static const char *const names[] = { "value", "cached", "transport" };
enum { VALUE = FUSE_ROOT_ID + 1, CACHED, TRANSPORT, FILES = 3 };

static char text[ROOM] = "0x80000104\n";
static size_t length = 11;

static bool attributes(fuse_ino_t ino, struct stat *st)
{
    *st = (struct stat){ .st_ino = ino, .st_nlink = 1 };
    if (ino == FUSE_ROOT_ID) {
        st->st_mode = S_IFDIR | 0755;
        st->st_nlink = 2;
    } else {
        st->st_mode = S_IFREG | 0644;
        st->st_size = (off_t)length;
    }
    return ino < VALUE + FILES;
}

static void look_up(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    struct fuse_entry_param e = { .attr_timeout = TIMEOUT, .entry_timeout = TIMEOUT };

    for (unsigned k = 0; parent == FUSE_ROOT_ID && k < FILES; k++)
        if (strcmp(name, names[k]) == 0)
            e.ino = VALUE + k;
    if (!e.ino) {
        fuse_reply_err(req, ENOENT);
        return;
    }
    attributes(e.ino, &e.attr);
    fuse_reply_entry(req, &e);
}

static void get_attributes(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    struct stat st;

    if (attributes(ino, &st))
        fuse_reply_attr(req, &st, TIMEOUT);
    else
        fuse_reply_err(req, ENOENT);
}

/* open(2) with O_TRUNC; the text stays. */
static void set_attributes(fuse_req_t req, fuse_ino_t ino, struct stat *st, int which,
                           struct fuse_file_info *fi)
{
    get_attributes(req, ino, fi);
}

static void open_file(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    fi->direct_io = ino != CACHED;
    fi->keep_cache = !fi->direct_io;
    fuse_reply_open(req, fi);
}

static const char *transport_of(fuse_req_t req)
{
#if FUSE_VERSION >= FUSE_MAKE_VERSION(3, 18)
    if (fuse_req_is_uring(req))
        return "io_uring\n";
#endif
    return "dev\n";
}

static void read_file(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
                      struct fuse_file_info *fi)
{
    const char *bytes = ino == TRANSPORT ? transport_of(req) : text;
    size_t n = ino == TRANSPORT ? strlen(bytes) : length;
    size_t at = (size_t)offset < n ? (size_t)offset : n;

    fuse_reply_buf(req, bytes + at, size < n - at ? size : n - at);
}

static void write_file(fuse_req_t req, fuse_ino_t ino, const char *bytes, size_t size, off_t offset,
                       struct fuse_file_info *fi)
{
    if (size > ROOM || (size_t)offset > ROOM - size) {
        fuse_reply_err(req, ENOSPC);
        return;
    }
    memcpy(text + offset, bytes, size);
    if ((size_t)offset + size > length)
        length = (size_t)offset + size;
    fuse_reply_write(req, size);
}

static const struct fuse_lowlevel_ops ops = {
    .lookup = look_up,
    .getattr = get_attributes,
    .setattr = set_attributes,
    .open = open_file,
    .read = read_file,
    .write = write_file,
};

int main(int argc, char **argv)
{
    struct fuse_args args = FUSE_ARGS_INIT(argc, argv);
    struct fuse_cmdline_opts options;
    int status = 1;

    if (fuse_parse_cmdline(&args, &options) || !options.mountpoint) {
        fprintf(stderr, "usage: bench_empty -f [-o io_uring] MOUNTPOINT\n");
        return 2;
    }
    struct fuse_session *session = fuse_session_new(&args, &ops, sizeof(ops), NULL);
    if (session && fuse_set_signal_handlers(session) == 0) {
        if (fuse_session_mount(session, options.mountpoint) == 0) {
            status = fuse_session_loop(session) < 0;
            fuse_session_unmount(session);
        }
        fuse_remove_signal_handlers(session);
    }
    if (session)
        fuse_session_destroy(session);
    free(options.mountpoint);
    fuse_opt_free_args(&args);
    return status;
}
