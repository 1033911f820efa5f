/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * FUSE operations on open files. A request that has to wait (for bytes or room in a stream, or for
 * an open) becomes a struct vdf_pending among its device's waiters. Each thread that changes the
 * device tries the request again and answers it when that succeeds.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cache.h"
#include "errors.h"
#include "hash.h"
#include "node.h"
#include "ring.h"
#include "task.h"
#include "value.h"

enum kind { OPEN, READ, WRITE, POLL };

struct vdf_pending {
    struct vdf_waiter waiter; /* first: the waiter's pointer is this one */
    enum kind kind;
    fuse_req_t req;
    struct vdf_fuse *fuse;
    struct vdf_handle *handle;
    struct fuse_pollhandle *ph;
    unsigned events; /* POLL: these end the wait */
    bool interrupted;
    bool borrowed; /* `bytes` is the ring's, until the reply */
    char *bytes;
    size_t n, done;
    uint64_t offset;
    ssize_t result;
    struct vdf_err err;
};

static struct vdf_handle *handle_of(const struct fuse_file_info *fi)
{
    return (struct vdf_handle *)(uintptr_t)fi->fh;
}

static struct vdf_device *device_of(const struct vdf_handle *handle)
{
    return handle->file.place.obj->device;
}

/* --- handles ---------------------------------------------------------------------------------- */

static struct vdf_handle *new_handle(struct vdf_fuse *fuse, struct vdf_node *node, int flags)
{
    struct vdf_handle *handle = calloc(1, sizeof(*handle));
    if (!handle)
        return NULL;
    vdf_file_init(&handle->file, &node->place, flags);
    handle->node = node;
    vdf_lock(&fuse->nodes);
    handle->next = fuse->handles;
    handle->prev = &fuse->handles;
    if (handle->next)
        handle->next->prev = &handle->next;
    fuse->handles = handle;
    vdf_unlock(&fuse->nodes);
    return handle;
}

static void free_handle(struct vdf_fuse *fuse, struct vdf_handle *handle)
{
    vdf_lock(&fuse->nodes);
    *handle->prev = handle->next;
    if (handle->next)
        handle->next->prev = handle->prev;
    vdf_unlock(&fuse->nodes);
    vdf_file_release(&handle->file);
    free(handle);
}

#if FUSE_VERSION >= FUSE_MAKE_VERSION(3, 17)
/* All open files of an inode share one backing file, which stays until the last of them closes. */
static int get_backing(struct vdf_fuse *fuse, fuse_req_t req, struct vdf_handle *handle, int fd)
{
    struct vdf_node *node = handle->node;
    struct stat st;
    int id = 0;

    if (fstat(fd, &st) < 0)
        return 0;
    vdf_lock(&fuse->nodes);
    if (node->backing_opens == 0) {
        id = fuse_passthrough_open(req, fd);
        node->backing_id = id;
        node->backing_ino = st.st_ino;
    } else if (node->backing_ino == st.st_ino) {
        id = node->backing_id;
    }
    if (id > 0) {
        node->backing_opens++;
        handle->passthrough = true;
    }
    vdf_unlock(&fuse->nodes);
    return id > 0 ? id : 0;
}

static void put_backing(struct vdf_fuse *fuse, fuse_req_t req, struct vdf_handle *handle)
{
    struct vdf_node *node = handle->node;

    if (!handle->passthrough)
        return;
    vdf_lock(&fuse->nodes);
    if (--node->backing_opens == 0)
        fuse_passthrough_close(req, node->backing_id);
    vdf_unlock(&fuse->nodes);
}
#else
static int get_backing(struct vdf_fuse *fuse, fuse_req_t req, struct vdf_handle *handle, int fd)
{
    return 0;
}

static void put_backing(struct vdf_fuse *fuse, fuse_req_t req, struct vdf_handle *handle)
{
}
#endif

/* Lock held: the memfd of a file that may be mapped; -1: the daemon serves the file. */
static int mappable_fd(const struct vdf_handle *handle)
{
    const struct vdf_place *place = &handle->file.place;
    const struct vdf_attr *attr = place->entry->attr;

    if (place->entry->special != VDF_PLAIN || !(attr->flags & VDF_MAP))
        return -1;
    struct vdf_at at = vdf_place_at(place);
    struct vdf_memory *mem = vdf_row_memory(&at);
    return mem && vdf_memory_touch(mem) == 0 && !mem->huge ? mem->fd : -1;
}

/* The kernel wrote to the memfd itself: let the device's waiters look at it. */
static void end_passthrough(struct vdf_handle *handle)
{
    if (!handle->passthrough || (handle->file.flags & O_ACCMODE) == O_RDONLY)
        return;
    vdf_device_enter(device_of(handle));
    vdf_device_leave(device_of(handle), true);
}

/* A mapping of a file without memory of its own uses the kernel's page cache. All other files bypass
 * the page cache. */
static bool is_mapped_by_pages(const struct vdf_fuse *fuse, const struct vdf_handle *handle)
{
    const struct vdf_entry *entry = handle->file.place.entry;

    return fuse->can_passthrough && entry->special == VDF_PLAIN && entry->attr->flags & VDF_MAP &&
           !entry->attr->has_field;
}

void vdf_fuse_write_back(void *arg, const struct vdf_obj *obj, const struct vdf_attr *attr)
{
    struct vdf_fuse *fuse = arg;
    fuse_ino_t ino = 0;

    vdf_lock(&fuse->nodes);
    for (const struct vdf_handle *h = fuse->handles; h && !ino && !fuse->cache_stops; h = h->next)
        if (h->file.place.obj == obj && h->file.place.entry->attr == attr)
            ino = (uintptr_t)h->node;
    if (ino)
        atomic_fetch_add(&fuse->writing_back, 1);
    vdf_unlock(&fuse->nodes);
    if (!ino)
        return;
    /* The kernel writes dirty pages back before it drops them. It ignores a node that is gone. */
    fuse_lowlevel_notify_inval_inode(fuse->session, ino, 0, 0);
    atomic_fetch_sub(&fuse->writing_back, 1);
}

static bool wants_flush(const struct vdf_handle *handle)
{
    return handle->file.place.entry->special == VDF_STATE || vdf_file_is_list(&handle->file);
}

/* A stream that is open for both directions has no file position, so that a reader and a writer of
 * one open file do not wait for each other. libfuse has no flag for FOPEN_STREAM, so the reply is
 * built here. A stream that is open for one direction has a position without a meaning, for programs
 * like head(1) that seek back. */
static int reply_open(fuse_req_t req, struct vdf_handle *handle, int backing_id)
{
    struct fuse_open_out out = { .fh = (uintptr_t)handle };

#if FUSE_VERSION >= FUSE_MAKE_VERSION(3, 17)
    if (backing_id > 0) {
        /* Not direct_io, with which only mappings would bypass the daemon. */
        struct fuse_file_info fi = { .fh = (uintptr_t)handle, .noflush = 1 };
        fi.backing_id = backing_id;
        return fuse_reply_open(req, &fi);
    }
#endif
    if (handle->cached)
        out.open_flags = FOPEN_KEEP_CACHE | FOPEN_NOFLUSH;
    else if (!is_mapped_by_pages(vdf_fuse_of(req), handle))
        out.open_flags = FOPEN_DIRECT_IO | FOPEN_PARALLEL_DIRECT_WRITES;
    /* Only `state` and lists need the flush of a close(2); without FOPEN_DIRECT_IO the flush also
     * writes mapped pages back. */
    if (out.open_flags && !wants_flush(handle))
        out.open_flags |= FOPEN_NOFLUSH;
    if (vdf_file_is_stream(&handle->file) && (handle->file.flags & O_ACCMODE) == O_RDWR)
        out.open_flags |= FOPEN_STREAM;
    return fuse_reply_buf(req, (const char *)&out, sizeof(out));
}

static void send_open(struct vdf_reply *reply)
{
    struct vdf_handle *handle = (struct vdf_handle *)reply;
    fuse_req_t req = handle->open_req;
    struct vdf_fuse *fuse = vdf_fuse_of(req);
    int backing_id = 0;

    if (fuse->can_passthrough) {
        vdf_file_enter(&handle->file);
        int fd = mappable_fd(handle);
        if (fd >= 0)
            backing_id = get_backing(fuse, req, handle, fd);
        /* Reads of this file bypass the daemon. */
        if (backing_id > 0)
            vdf_file_note(&handle->file);
        vdf_file_leave(&handle->file, false);
    }
    if (reply_open(req, handle, backing_id) < 0) {
        /* open(2) was interrupted: the kernel sends no release. */
        put_backing(fuse, req, handle);
        vdf_file_close(&handle->file);
        free_handle(fuse, handle);
    }
}

/* May opening the file change the device, even if the open is refused or waits? */
static bool open_changes(const struct vdf_file *file)
{
    const struct vdf_entry *entry = file->place.entry;

    return file->counted || (entry->special == VDF_PLAIN && entry->attr->type == VDF_STREAM &&
                             (file->flags & O_ACCMODE) == O_RDWR);
}

/* After vdf_file_open() has answered 0. */
static void finish_open(struct vdf_fuse *fuse, fuse_req_t req, struct vdf_handle *handle)
{
    handle->open_req = req;
    handle->reply.send = send_open;
    if (open_changes(&handle->file))
        vdf_reply_later(fuse, &handle->reply);
    else
        send_open(&handle->reply);
}

/* --- requests that wait ----------------------------------------------------------------------- */

/* Lock held: try again. Return: is there a result? */
static bool try_again(struct vdf_waiter *waiter)
{
    struct vdf_pending *p = (struct vdf_pending *)waiter;
    struct vdf_file *file = &p->handle->file;
    bool changed;

    switch (p->kind) {
    case OPEN:
        p->result = vdf_file_open(file, &p->err);
        break;
    case READ:
        p->result = vdf_file_read(file, p->bytes, p->n, p->offset, &changed, &p->err);
        break;
    case WRITE:
        do {
            p->result =
                vdf_file_write(file, p->bytes + p->done, p->n - p->done, p->offset, &p->err);
            if (p->result > 0) {
                p->done += (size_t)p->result;
                p->waiter.progress = true;
            }
        } while (p->result > 0 && p->done < p->n);
        /* The bytes before the refusal have been written. */
        if (p->done && p->result != -EAGAIN)
            p->result = (ssize_t)p->done;
        break;
    case POLL:
        return vdf_file_poll(file) & p->events;
    }
    return p->result != -EAGAIN;
}

static void answer(struct vdf_pending *p)
{
    if (p->result < 0 && p->result != -EINTR)
        vdf_place_refused(&p->handle->file.place, NULL, (int)p->result, &p->err);
    if (p->kind == OPEN && p->result == 0) {
        finish_open(p->fuse, p->req, p->handle);
    } else if (p->result < 0) {
        fuse_reply_err(p->req, (int)-p->result);
        if (p->kind == OPEN)
            free_handle(p->fuse, p->handle);
    } else if (p->kind == READ) {
        vdf_reply_read(p->fuse, p->req, p->bytes, (size_t)p->result);
    } else {
        vdf_reply_write(p->fuse, p->req, (size_t)p->result);
    }
    if (!p->borrowed)
        free(p->bytes);
    free(p);
}

static void finish_request(struct vdf_waiter *waiter)
{
    struct vdf_pending *p = (struct vdf_pending *)waiter;

    /* This call waits for an interrupt that is being delivered; none comes afterwards. */
    fuse_req_interrupt_func(p->req, NULL, NULL);
    answer(p);
}

/* The waiting process got a signal. The bytes that were written so far stay written. */
static void interrupt(fuse_req_t req, void *data)
{
    struct vdf_pending *p = data;
    struct vdf_device *device = device_of(p->handle);

    vdf_device_enter(device);
    p->interrupted = true;
    bool was_waiting = vdf_waiter_remove(device, &p->waiter);
    vdf_device_leave(device, false);
    if (!was_waiting)
        return;
    p->result = p->done ? (ssize_t)p->done : -EINTR;
    answer(p);
}

/* Makes a request wait. @p is on the heap and owns its bytes. */
static void park(struct vdf_pending *p)
{
    struct vdf_device *device = device_of(p->handle);
    bool progress = false;

    p->waiter.ready = try_again;
    p->waiter.finish = finish_request;
    /* Not under the device's lock: this call delivers an interrupt that came earlier. */
    fuse_req_interrupt_func(p->req, interrupt, p);
    /* Interrupts come through /dev/fuse and can overtake a request in a ring. libfuse, which did not
     * know the request then, returned such an interrupt to a kernel that drops it, and Linux sends no
     * interrupt for a request that is not yet in a ring. From here on interrupts reach the request. */
    bool missed = vdf_ring_request() && vdf_task_interrupted(fuse_req_ctx(p->req)->pid);
    vdf_device_enter(device);
    if (p->interrupted || missed) {
        p->result = p->done ? (ssize_t)p->done : -EINTR;
    } else {
        if (!try_again(&p->waiter)) {
            progress = p->waiter.progress;
            p->waiter.progress = false;
            vdf_waiter_add(device, &p->waiter);
            vdf_device_leave(device, progress);
            return;
        }
        progress = true;
    }
    vdf_device_leave(device, progress);
    finish_request(&p->waiter);
}

static struct vdf_pending *new_pending(fuse_req_t req, enum kind kind, struct vdf_handle *handle)
{
    struct vdf_pending *p = calloc(1, sizeof(*p));
    if (!p)
        return NULL;
    p->kind = kind;
    p->req = req;
    p->fuse = vdf_fuse_of(req);
    p->handle = handle;
    return p;
}

/* --- operations ------------------------------------------------------------------------------- */

void vdf_fuse_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    struct vdf_fuse *fuse = vdf_fuse_of(req);
    struct vdf_handle *handle = new_handle(fuse, vdf_node_of(fuse, ino), fi->flags);
    struct vdf_err err = { 0 };

    if (!handle) {
        fuse_reply_err(req, ENOMEM);
        return;
    }
    if (wants_flush(handle))
        handle->opener = vdf_task_process(fuse_req_ctx(req)->pid);
    handle->cached = (fi->flags & O_ACCMODE) == O_RDONLY && vdf_cache_wants(fuse, handle->node);
    vdf_file_enter(&handle->file);
    int ret = vdf_file_open(&handle->file, &err);
    vdf_file_leave(&handle->file, open_changes(&handle->file));
    if (ret == -EAGAIN && !(fi->flags & O_NONBLOCK)) {
        struct vdf_pending *p = new_pending(req, OPEN, handle);
        if (p) {
            park(p);
            return;
        }
        ret = -ENOMEM;
    }
    if (ret < 0) {
        if (ret != -EAGAIN)
            vdf_place_refused(&handle->file.place, NULL, ret, &err);
        free_handle(fuse, handle);
        fuse_reply_err(req, -ret);
        return;
    }
    finish_open(fuse, req, handle);
}

/* A buffer for the bytes of a read: in the ring that the request came through, or on the heap. */
static char *read_buffer(size_t size, bool *borrowed)
{
    char *bytes = vdf_ring_buffer(size);

    *borrowed = bytes;
    return bytes ? bytes : malloc(size);
}

static ssize_t read_file(struct vdf_fuse *fuse, struct vdf_handle *handle, char *bytes, size_t size,
                         uint64_t offset, bool *changed, struct vdf_err *err)
{
    struct vdf_file *file = &handle->file;

    if (file->place.entry->special == VDF_STATE)
        return vdf_file_read_state(file, bytes, size, offset);
    /* The note and the drop come before the value is read, so that a change waits for the drop. The
     * drop waits for the page, and so for the reply. */
    if (handle->cached && !vdf_cache_note(fuse, handle->node, VDF_CACHE_PAGE))
        vdf_cache_drop_page(fuse, handle->node);
    vdf_file_enter(file);
    ssize_t ret = vdf_file_read(file, bytes, size, offset, changed, err);
    ssize_t stored = handle->cached && ret > 0 && offset == 0
                         ? vdf_cache_text(fuse, handle->node, bytes, size)
                         : 0;
    if (stored) {
        ret = stored;
        /* poll(2) compares with the text that was read. */
        file->seen = vdf_hash(bytes, (size_t)stored);
    }
    if (!handle->cached && offset == 0 && ret > 0 && (size_t)ret == file->value.len)
        vdf_cache_seen(fuse, handle->node);
    vdf_file_leave(file, *changed);
    return ret;
}

#define SMALL_READ 4096u

void vdf_fuse_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
                   struct fuse_file_info *fi)
{
    struct vdf_fuse *fuse = vdf_fuse_of(req);
    struct vdf_handle *handle = handle_of(fi);
    struct vdf_err err = { 0 };
    bool changed = false, borrowed = true;
    char small[SMALL_READ], *bytes = size > sizeof(small) ? read_buffer(size, &borrowed) : small;

    if (!bytes) {
        fuse_reply_err(req, ENOMEM);
        return;
    }
    ssize_t ret = read_file(fuse, handle, bytes, size, (uint64_t)offset, &changed, &err);
    if (ret == -EAGAIN && !(fi->flags & O_NONBLOCK)) {
        struct vdf_pending *p = new_pending(req, READ, handle);
        char *buffer = bytes != small ? bytes : read_buffer(size, &borrowed);
        if (p && buffer) {
            p->bytes = buffer;
            p->borrowed = borrowed;
            p->n = size;
            park(p);
            return;
        }
        if (buffer && buffer != bytes && !borrowed)
            free(buffer);
        free(p);
        ret = -ENOMEM;
    }
    if (ret >= 0) {
        /* A reply that reveals a new value waits for the drop of the old page. A reply that fills the
         * page does not wait: the reader has locked the page, and the drop waits for that. */
        if (handle->cached)
            fuse_reply_buf(req, bytes, (size_t)ret);
        else
            vdf_reply_read(fuse, req, bytes, (size_t)ret);
    } else {
        if (ret != -EAGAIN)
            vdf_place_refused(&handle->file.place, NULL, (int)ret, &err);
        fuse_reply_err(req, (int)-ret);
    }
    if (bytes != small && !borrowed)
        free(bytes);
}

void vdf_fuse_write(fuse_req_t req, fuse_ino_t ino, const char *bytes, size_t size, off_t offset,
                    struct fuse_file_info *fi)
{
    struct vdf_handle *handle = handle_of(fi);
    bool stream = vdf_file_is_stream(&handle->file);
    struct vdf_user user = vdf_user_of(req);
    struct vdf_err err = { 0 };
    ssize_t ret;

    vdf_user_serve(&user);
    if (handle->file.place.entry->special == VDF_STATE) {
        ret = vdf_file_write_state(&handle->file, bytes, size, (uint64_t)offset, &err);
    } else {
        vdf_file_enter_write(&handle->file);
        ret = vdf_file_write(&handle->file, bytes, size, (uint64_t)offset, &err);
        vdf_file_leave_write(&handle->file, ret >= 0);
    }
    vdf_user_serve(NULL);
    bool more = stream && (ret == -EAGAIN || (ret > 0 && (size_t)ret < size));
    if (more && !(fi->flags & O_NONBLOCK)) {
        size_t done = ret > 0 ? (size_t)ret : 0;
        struct vdf_pending *p = new_pending(req, WRITE, handle);
        if (p && (p->bytes = malloc(size))) {
            memcpy(p->bytes, bytes, size);
            p->n = size;
            p->done = done;
            park(p);
            return;
        }
        free(p);
        if (!done)
            ret = -ENOMEM;
    }
    if (ret >= 0) {
        vdf_reply_write(vdf_fuse_of(req), req, (size_t)ret);
        return;
    }
    if (ret != -EAGAIN)
        vdf_place_refused(&handle->file.place, NULL, (int)ret, &err);
    fuse_reply_err(req, (int)-ret);
}

/* In `{ sed ...; echo ...; } > state` the shell opens the file, each command closes its own copy of
 * the descriptor, and the shell closes the descriptor that it has moved to 1: only the last close ends
 * the value. If the descriptors are not known, a state ends at the first close, so that close(2)
 * reports its error, and a list ends at the release, since an early end would empty the list. */
static bool is_last_close(const struct vdf_handle *handle)
{
    struct vdf_buf path = VDF_BUF_INIT;

    vdf_place_path(&handle->file.place, &path);
    int held = path.oom ? -1 : vdf_task_holds(handle->opener, path.data, path.len);
    vdf_buf_free(&path);
    return held < 0 ? !vdf_file_is_list(&handle->file) : !held;
}

void vdf_fuse_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    struct vdf_handle *handle = handle_of(fi);
    struct vdf_user user = vdf_user_of(req);
    struct vdf_err err = { 0 };
    int ret = 0;

    vdf_user_serve(&user);
    if (handle->opener && vdf_task_process(fuse_req_ctx(req)->pid) == handle->opener &&
        is_last_close(handle))
        ret = vdf_file_flush(&handle->file, &err);
    vdf_user_serve(NULL);
    vdf_reply_err(vdf_fuse_of(req), req, -vdf_place_refused(&handle->file.place, NULL, ret, &err));
}

/* --- poll ------------------------------------------------------------------------------------- */

/* The notice has no result: the kernel polls again. */
static void finish_poll(struct vdf_waiter *waiter)
{
    struct vdf_pending *p = (struct vdf_pending *)waiter;

    fuse_lowlevel_notify_poll(p->ph);
    fuse_pollhandle_destroy(p->ph);
    free(p);
}

static bool poll_ready(struct vdf_waiter *waiter)
{
    struct vdf_pending *p = (struct vdf_pending *)waiter;

    if (!try_again(waiter))
        return false;
    p->handle->poller = NULL;
    return true;
}

/* Lock held. The caller frees the result after unlocking. */
static struct vdf_pending *take_poller(struct vdf_handle *handle)
{
    struct vdf_pending *p = handle->poller;

    if (p)
        vdf_waiter_remove(device_of(handle), &p->waiter);
    handle->poller = NULL;
    return p;
}

static void free_poller(struct vdf_pending *p)
{
    if (!p)
        return;
    fuse_pollhandle_destroy(p->ph);
    free(p);
}

void vdf_fuse_poll(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi,
                   struct fuse_pollhandle *ph)
{
    struct vdf_handle *handle = handle_of(fi);
    unsigned wanted =
        (fi->poll_events ? fi->poll_events : POLLIN | POLLOUT | POLLPRI) | POLLHUP | POLLERR;
    struct vdf_pending *p = NULL, *old = NULL;

    if (ph) {
        p = new_pending(req, POLL, handle);
        if (!p) {
            fuse_pollhandle_destroy(ph);
            fuse_reply_err(req, ENOMEM);
            return;
        }
        p->ph = ph;
        p->events = wanted;
        p->waiter.ready = poll_ready;
        p->waiter.finish = finish_poll;
    }
    vdf_device_enter(device_of(handle));
    /* POLLPRI needs the reads of this file to reach the daemon. */
    if (handle->cached)
        vdf_cache_never(vdf_fuse_of(req), handle->node);
    unsigned ready = vdf_file_poll(&handle->file);
    /* Reads bypass the daemon, so this poll counts as the read. */
    if (handle->passthrough && ready & wanted & POLLPRI)
        vdf_file_note(&handle->file);
    if (p) {
        /* Also if the file is ready: a waiter for edges (EPOLLET) needs the next one. Other threads
         * may sleep on the same open file; the notice wakes all of them, and each polls again. */
        old = take_poller(handle);
        if (old)
            p->events |= old->events;
        handle->poller = p;
        vdf_waiter_add(device_of(handle), &p->waiter);
        p = NULL;
    }
    vdf_device_leave(device_of(handle), vdf_file_used(&handle->file));
    free_poller(old);
    free_poller(p);
    /* A reader that learns of a change reads the new value next. */
    if (ready & POLLPRI)
        vdf_reply_poll(vdf_fuse_of(req), req, ready);
    else
        fuse_reply_poll(req, ready);
}

/* --- the end of an open file ------------------------------------------------------------------ */

static void drop_poller(struct vdf_handle *handle)
{
    vdf_device_enter(device_of(handle));
    struct vdf_pending *p = take_poller(handle);
    vdf_device_leave(device_of(handle), false);
    free_poller(p);
}

void vdf_fuse_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    struct vdf_handle *handle = handle_of(fi);
    struct vdf_fuse *fuse = vdf_fuse_of(req);

    drop_poller(handle);
    put_backing(fuse, req, handle);
    end_passthrough(handle);
    vdf_file_close(&handle->file);
    free_handle(fuse, handle);
    fuse_reply_err(req, 0);
}

void vdf_handles_free(struct vdf_fuse *fuse)
{
    while (fuse->handles) {
        struct vdf_handle *handle = fuse->handles;
        drop_poller(handle);
        vdf_file_close(&handle->file);
        free_handle(fuse, handle);
    }
}
