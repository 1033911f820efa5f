/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Open files: what read(2), write(2), poll(2) and close(2) do for each kind of row. */
#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "errors.h"
#include "file.h"
#include "hash.h"
#include "state.h"
#include "value.h"
#include "window.h"

/* How many files of a raw row are open. */
struct vdf_open_count {
    const struct vdf_attr *attr;
    uint32_t i;
    unsigned count;
    struct vdf_open_count *next;
};

static bool is_state(const struct vdf_file *file)
{
    return file->place.entry->special == VDF_STATE;
}

/* The row that decides how the file behaves; NULL for `state` and NAME_lost, which are values. */
static const struct vdf_attr *row_of(const struct vdf_file *file)
{
    return file->place.entry->special == VDF_PLAIN ? file->place.entry->attr : NULL;
}

static bool is_type(const struct vdf_file *file, enum vdf_type type)
{
    const struct vdf_attr *attr = row_of(file);
    return attr && attr->type == type;
}

bool vdf_file_is_stream(const struct vdf_file *file)
{
    return is_type(file, VDF_STREAM) || is_type(file, VDF_LOG);
}

/* Reads of the root's `state` are exclusive. */
static bool is_root_state(const struct vdf_file *file)
{
    return is_state(file) && !file->place.obj->parent;
}

void vdf_file_enter(struct vdf_file *file)
{
    if (is_root_state(file))
        vdf_tree_enter_exclusive(file->place.obj->device->tree);
    else
        vdf_place_enter(&file->place);
}

bool vdf_file_used(struct vdf_file *file)
{
    bool used = file->used;

    file->used = false;
    return used;
}

void vdf_file_leave(struct vdf_file *file, bool changed)
{
    changed |= vdf_file_used(file);
    if (is_root_state(file))
        vdf_tree_leave_exclusive(file->place.obj->device->tree, NULL);
    else
        vdf_place_leave(&file->place, changed);
}

static bool is_exclusive(const struct vdf_file *file)
{
    const struct vdf_attr *attr = row_of(file);
    return attr && attr->flags & VDF_EXCLUSIVE;
}

void vdf_file_enter_write(struct vdf_file *file)
{
    if (is_exclusive(file))
        vdf_tree_enter_exclusive(file->place.obj->device->tree);
    else
        vdf_file_enter(file);
}

void vdf_file_leave_write(struct vdf_file *file, bool changed)
{
    struct vdf_device *device = file->place.obj->device;

    if (is_exclusive(file)) {
        device->touched |= changed;
        vdf_tree_leave_exclusive(device->tree, NULL);
    } else {
        vdf_file_leave(file, changed);
    }
}

void vdf_file_init(struct vdf_file *file, const struct vdf_place *place, int flags)
{
    *file = (struct vdf_file){ .place = *place, .flags = flags };
    vdf_obj_ref(place->obj);
    vdf_lock_init(&file->state_lock, VDF_RANK_STATE_FILE);
}

/* --- opening and closing ---------------------------------------------------------------------- */

static int check_access(const struct vdf_file *file, struct vdf_err *err)
{
    unsigned mode = vdf_place_mode(&file->place);
    int access = file->flags & O_ACCMODE;

    int ret = 0;

    if (access != O_WRONLY && !(mode & 0444))
        ret = vdf_fail(err, EACCES, "opened for reading, but it can only be written");
    else if (access != O_RDONLY && !(mode & 0222))
        ret = vdf_fail(err, EACCES, "opened for writing, but it can only be read");
    err->routine = ret < 0;
    return ret;
}

static int count_raw_open(struct vdf_file *file, struct vdf_err *err)
{
    struct vdf_at at = vdf_place_at(&file->place);
    struct vdf_open_count *count = at.obj->opens;

    while (count && (count->attr != at.attr || count->i != at.i))
        count = count->next;
    if (!count) {
        count = calloc(1, sizeof(*count));
        if (!count)
            return vdf_fail(err, ENOMEM, "no memory");
        count->attr = at.attr;
        count->i = at.i;
        count->next = at.obj->opens;
        at.obj->opens = count;
    }
    if (count->count++ == 0)
        at.attr->raw->opened(&at, true);
    return 0;
}

static void uncount_raw_open(struct vdf_file *file)
{
    struct vdf_at at = vdf_place_at(&file->place);
    struct vdf_open_count **link = &at.obj->opens, *count;

    while ((count = *link) && (count->attr != at.attr || count->i != at.i))
        link = &count->next;
    assert(count);
    if (--count->count > 0)
        return;
    *link = count->next;
    free(count);
    if (!at.obj->dead)
        at.attr->raw->opened(&at, false);
}

static int render(struct vdf_file *file)
{
    vdf_buf_reset(&file->value);
    if (is_state(file)) {
        file->seen = vdf_state_version(file->place.obj);
        return vdf_state_save(file->place.obj, &file->value);
    }
    int ret = vdf_value_render(&file->place, &file->value);
    if (ret == 0)
        file->seen = vdf_hash(file->value.data, file->value.len);
    return ret;
}

/*
 * Reports to the row of a stream that it is open: at an open(2) for both directions, or, for one
 * direction, at the first read, write or poll. A program that copies a tree opens every file for
 * reading and reads nothing of a stream, which must not change the device.
 */
static int use_stream(struct vdf_file *file, struct vdf_err *err)
{
    struct vdf_at at = vdf_place_at(&file->place);
    int ret;

    if (file->counted || !at.attr->stream->open)
        return 0;
    ret = at.attr->stream->open(&at, file->flags & O_ACCMODE, err);
    file->counted = ret == 0;
    file->used = true;
    return ret;
}

int vdf_file_open(struct vdf_file *file, struct vdf_err *err)
{
    const struct vdf_attr *attr = row_of(file);
    struct vdf_at at = vdf_place_at(&file->place);
    int ret;

    if (!vdf_place_exists(&file->place))
        return vdf_fail(err, ENODEV, "it was removed");
    ret = check_access(file, err);
    if (ret < 0)
        return ret;
    if (attr && attr->type == VDF_LOG)
        return 0;
    if (attr && attr->type == VDF_STREAM)
        return (file->flags & O_ACCMODE) == O_RDWR ? use_stream(file, err) : 0;
    if (attr && (attr->type == VDF_RAW || attr->type == VDF_WINDOW)) {
        if (attr->raw && attr->raw->opened) {
            ret = count_raw_open(file, err);
            if (ret < 0)
                return ret;
            file->counted = true;
        }
        if (attr->flags & VDF_HOLDS) {
            at.obj->holds++;
            atomic_fetch_add(&at.obj->device->tree->n_holds, 1);
            file->holds = true;
        }
        vdf_file_note(file);
        return 0;
    }
    if ((file->flags & O_ACCMODE) == O_WRONLY)
        return 0;
    file->fresh = true;
    return render(file);
}

void vdf_file_close(struct vdf_file *file)
{
    struct vdf_err err = { 0 };

    /* Only `errors` can report a refusal now. */
    if (vdf_file_is_list(file))
        vdf_place_refused(&file->place, NULL, vdf_file_flush(file, &err), &err);
    if (!file->counted && !file->holds)
        return;
    vdf_file_enter(file);
    struct vdf_at at = vdf_place_at(&file->place);
    if (file->holds) {
        at.obj->holds--;
        atomic_fetch_sub(&at.obj->device->tree->n_holds, 1);
    }
    if (file->counted && at.attr->type != VDF_STREAM)
        uncount_raw_open(file);
    else if (file->counted && !at.obj->dead && at.attr->stream->close)
        at.attr->stream->close(&at, file->flags & O_ACCMODE);
    vdf_file_leave(file, file->counted);
}

void vdf_file_release(struct vdf_file *file)
{
    vdf_buf_free(&file->value);
    vdf_state_free(file->loading);
    vdf_buf_free(&file->lines);
    vdf_lock_destroy(&file->state_lock);
    vdf_obj_unref(file->place.obj);
}

/* --- raw files -------------------------------------------------------------------------------- */

uint64_t vdf_row_raw_size(const struct vdf_at *at)
{
    const struct vdf_attr *attr = at->attr;

    if (attr->type == VDF_WINDOW)
        return vdf_window_size(at->obj, attr->window);
    if (attr->raw && attr->raw->size)
        return attr->raw->size(at);
    return vdf_row_memory(at)->length;
}

static bool is_later(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec > b->tv_sec || (a->tv_sec == b->tv_sec && a->tv_nsec > b->tv_nsec);
}

/* The kernel writes to a memfd for processes that map it, and sets the memfd's mtime. */
uint64_t vdf_row_raw_version(const struct vdf_at *at, struct timespec *changed)
{
    const struct vdf_memory *mem = vdf_row_memory(at);
    uint64_t version = at->obj->device->generation;
    struct stat st;

    if (!mem || !mem->base || mem->fd < 0 || fstat(mem->fd, &st) < 0)
        return version;
    if (changed && is_later(&st.st_mtim, changed))
        *changed = st.st_mtim;
    return version + vdf_hash(&st.st_mtim, sizeof(st.st_mtim));
}

void vdf_file_note(struct vdf_file *file)
{
    struct vdf_at at = vdf_place_at(&file->place);

    file->seen = vdf_row_raw_version(&at, NULL);
}

static ssize_t raw_read(const struct vdf_at *at, void *bytes, size_t n, uint64_t offset,
                        struct vdf_err *err)
{
    const struct vdf_raw_ops *ops = at->attr->raw;
    uint64_t size = vdf_row_raw_size(at);
    int ret;

    if (offset >= size)
        return 0;
    if (n > size - offset)
        n = size - offset;
    if (ops && ops->read)
        ret = ops->read(at, bytes, n, offset, err);
    else
        ret = vdf_memory_read(vdf_row_memory(at), offset, bytes, n);
    return ret < 0 ? ret : (ssize_t)n;
}

static int behind_end(uint64_t offset, uint64_t size, struct vdf_err *err)
{
    return vdf_fail(err, EFBIG, "offset 0x%" PRIx64 ": the file ends at 0x%" PRIx64, offset, size);
}

static ssize_t raw_write(const struct vdf_at *at, const void *bytes, size_t n, uint64_t offset,
                         struct vdf_err *err)
{
    const struct vdf_raw_ops *ops = at->attr->raw;
    uint64_t size = vdf_row_raw_size(at);

    if (offset >= size)
        return behind_end(offset, size, err);
    if (n > size - offset)
        n = size - offset;
    if (ops && ops->write) {
        int ret = ops->write(at, bytes, n, offset, err);
        return ret < 0 ? ret : (ssize_t)n;
    }
    void *to = vdf_memory_at(vdf_row_memory(at), offset, n);
    if (!to)
        return vdf_fail(err, errno, "no memory for %s: %s", at->attr->path, strerror(errno));
    memcpy(to, bytes, n);
    return (ssize_t)n;
}

/* --- windows ---------------------------------------------------------------------------------- */

static bool is_access_width(size_t n)
{
    return n == 1 || n == 2 || n == 4 || n == 8;
}

/* A copy without side effects; offsets without a register read as 0. */
static ssize_t window_copy(const struct vdf_at *at, uint8_t *bytes, size_t n, uint64_t offset,
                           uint64_t size, struct vdf_err *err)
{
    unsigned align = vdf_window_ops(at->attr)->align;
    uint64_t value;

    if (offset >= size)
        return 0;
    if (n > size - offset)
        n = size - offset;
    memset(bytes, 0, n);
    int ret = vdf_window_ready(at, err);
    if (ret < 0)
        return ret;
    for (size_t done = 0; done < n;) {
        /* Only the first register can begin before the copy does. */
        unsigned into = done ? 0 : vdf_window_into(at->obj, at->attr, offset);
        uint64_t begin = offset + done - into;
        unsigned width = vdf_window_width(at->obj, at->attr, begin);
        ret = width ? vdf_window_read(at->obj, at->attr->window, begin, width, true, &value, NULL)
                    : -ENODEV;
        if (ret < 0) {
            width = into + align;
            value = 0;
        }
        width -= into;
        value = htole64(value >> 8 * into);
        memcpy(bytes + done, &value, width < n - done ? width : n - done);
        done += width;
    }
    return (ssize_t)n;
}

static ssize_t window_read(const struct vdf_at *at, void *bytes, size_t n, uint64_t offset,
                           bool *changed, struct vdf_err *err)
{
    unsigned align = vdf_window_ops(at->attr)->align;
    uint64_t size = vdf_window_size(at->obj, at->attr->window), value;

    assert(align > 0);
    /* A program that reads a whole file may have an odd number of bytes left in its buffer at the end. */
    if (offset >= size && n < align)
        return vdf_window_ready(at, err);
    if (is_access_width(n)) {
        int ret =
            vdf_window_read(at->obj, at->attr->window, offset, (unsigned)n, false, &value, err);
        if (ret == 0 && offset >= size)
            return 0;
        if (ret == 0) {
            *changed = true;
            value = htole64(value);
            memcpy(bytes, &value, n);
            return (ssize_t)n;
        }
        /* A read as wide as two narrower registers is a copy, as a longer read is. */
        bool narrower = n == align && vdf_window_width(at->obj, at->attr, offset) == n / 2;
        if ((n <= align && !narrower) || offset % align)
            return ret;
    }
    if (offset % align || n < align)
        return vdf_fail(err, EOPNOTSUPP,
                        "%zu bytes at offset 0x%" PRIx64
                        ": reads begin at multiples of %u and have "
                        "at least %u bytes",
                        n, offset, align, align);
    return window_copy(at, bytes, n, offset, size, err);
}

/* Hardware accesses in order, each of its register's width, up to the first refusal. */
static ssize_t window_write(const struct vdf_at *at, const uint8_t *bytes, size_t n,
                            uint64_t offset, struct vdf_err *err)
{
    unsigned align = vdf_window_ops(at->attr)->align;
    int ready = vdf_window_ready(at, err);
    uint64_t value, size = vdf_window_size(at->obj, at->attr->window);
    size_t done = 0;

    if (ready < 0)
        return ready;
    if (offset >= size && !vdf_window_ops(at->attr)->miss)
        return behind_end(offset, size, err);
    if (offset % align || n % align)
        return vdf_fail(err, EOPNOTSUPP,
                        "%zu bytes at offset 0x%" PRIx64 ": registers take aligned writes of "
                        "multiples of %u bytes",
                        n, offset, align);
    while (done < n) {
        unsigned width = vdf_window_width(at->obj, at->attr, offset + done);
        if (!width)
            width = align;
        if (width > n - done)
            width = (unsigned)(n - done);
        value = 0;
        memcpy(&value, bytes + done, width);
        int ret =
            vdf_window_write(at->obj, at->attr->window, offset + done, width, le64toh(value), err);
        if (ret < 0)
            return done ? (ssize_t)done : ret;
        done += width;
    }
    return (ssize_t)n;
}

/* --- reading and writing ---------------------------------------------------------------------- */

static ssize_t copy_value(const struct vdf_file *file, void *bytes, size_t n, uint64_t offset)
{
    if (offset >= file->value.len)
        return 0;
    if (n > file->value.len - offset)
        n = file->value.len - offset;
    memcpy(bytes, file->value.data + offset, n);
    return (ssize_t)n;
}

static ssize_t value_read(struct vdf_file *file, void *bytes, size_t n, uint64_t offset)
{
    int ret = offset == 0 ? render(file) : 0;

    return ret < 0 ? ret : copy_value(file, bytes, n, offset);
}

ssize_t vdf_file_read(struct vdf_file *file, void *bytes, size_t n, uint64_t offset, bool *changed,
                      struct vdf_err *err)
{
    const struct vdf_attr *attr = row_of(file);
    struct vdf_at at = vdf_place_at(&file->place);
    ssize_t ret;

    assert(!is_state(file));
    if (!vdf_place_exists(&file->place))
        return -ENODEV;
    if (n == 0)
        return 0;
    switch (attr ? attr->type : VDF_TEXT) {
    case VDF_LOG:
        ret = (ssize_t)vdf_log_read(vdf_row_log(&at), &file->log_position, bytes, n);
        return ret ? ret : -EAGAIN;
    case VDF_STREAM:
        ret = use_stream(file, err);
        if (ret == 0)
            ret = attr->stream->read(&at, bytes, n, err);
        *changed = ret > 0;
        return ret;
    case VDF_RAW:
        vdf_file_note(file);
        return raw_read(&at, bytes, n, offset, err);
    case VDF_WINDOW:
        vdf_file_note(file);
        return window_read(&at, bytes, n, offset, changed, err);
    default:
        return value_read(file, bytes, n, offset);
    }
}

ssize_t vdf_file_write(struct vdf_file *file, const void *bytes, size_t n, uint64_t offset,
                       struct vdf_err *err)
{
    const struct vdf_attr *attr = row_of(file);
    struct vdf_at at = vdf_place_at(&file->place);

    assert(!is_state(file));
    if (!vdf_place_exists(&file->place))
        return vdf_fail(err, ENODEV, "it was removed");
    if (n == 0)
        return 0;
    switch (attr->type) {
    case VDF_STREAM: {
        int ret = use_stream(file, err);
        return ret < 0 ? ret : attr->stream->write(&at, bytes, n, err);
    }
    case VDF_RAW:
        return raw_write(&at, bytes, n, offset, err);
    case VDF_WINDOW:
        return window_write(&at, bytes, n, offset, err);
    default:
        return vdf_value_add(file, bytes, n, offset, err);
    }
}

/* --- state ------------------------------------------------------------------------------------ */

static int check_there(struct vdf_obj *obj)
{
    vdf_device_enter(obj->device);
    int ret = obj->dead ? -ENODEV : 0;
    vdf_device_leave(obj->device, false);
    return ret;
}

ssize_t vdf_file_read_state(struct vdf_file *file, void *bytes, size_t n, uint64_t offset)
{
    struct vdf_obj *obj = file->place.obj;
    uint64_t version;
    ssize_t ret = 0;

    vdf_lock(&file->state_lock);
    if (offset == 0 && !file->fresh) {
        vdf_buf_reset(&file->value);
        ret = vdf_state_snapshot(obj, &file->value, &version);
        if (ret < 0)
            vdf_buf_reset(&file->value);
        else
            file->seen = version;
    } else {
        ret = check_there(obj);
    }
    if (ret == 0 && n > 0) {
        ret = copy_value(file, bytes, n, offset);
        file->fresh = file->fresh && offset != 0;
    }
    vdf_unlock(&file->state_lock);
    return ret;
}

/* state_lock is held. */
static void end_state(struct vdf_file *file)
{
    vdf_state_free(file->loading);
    file->loading = NULL;
    file->written = 0;
}

static int take_state(struct vdf_file *file, const char *bytes, size_t n, struct vdf_err *err)
{
    int ret = file->loading ? 0 : vdf_state_begin(file->place.obj, &file->loading, err);

    if (ret == 0)
        ret = vdf_state_feed(file->loading, bytes, n, err);
    file->written += n;
    if (ret == 0 && !vdf_state_whole(file->loading))
        return 0;
    if (ret == 0)
        ret = vdf_state_finish(file->loading, err);
    end_state(file);
    return ret;
}

ssize_t vdf_file_write_state(struct vdf_file *file, const void *bytes, size_t n, uint64_t offset,
                             struct vdf_err *err)
{
    int ret;

    if (check_there(file->place.obj) < 0)
        return vdf_fail(err, ENODEV, "it was removed");
    vdf_lock(&file->state_lock);
    if (offset == 0)
        end_state(file);
    bool in_place = offset == file->written || file->flags & O_APPEND;
    if (!in_place && !file->loading)
        ret = vdf_fail(err, EINVAL,
                       "offset %" PRIu64 ": a state begins at offset 0 and ends with its checksum",
                       offset);
    else if (!in_place)
        ret = vdf_fail(err, EINVAL,
                       "offset %" PRIu64
                       ": a state is written from its begin to its end, and %" PRIu64
                       " bytes are written so far",
                       offset, file->written);
    else
        ret = n ? take_state(file, bytes, n, err) : 0;
    vdf_unlock(&file->state_lock);
    return ret < 0 ? ret : (ssize_t)n;
}

int vdf_file_flush(struct vdf_file *file, struct vdf_err *err)
{
    int ret = 0;

    if (vdf_file_is_list(file)) {
        vdf_file_enter_write(file);
        ret = vdf_list_end(file, err);
        vdf_file_leave_write(file, ret >= 0);
    }
    if (!is_state(file))
        return ret;
    vdf_lock(&file->state_lock);
    bool ends = file->loading && vdf_state_ends(file->loading);
    if (file->loading)
        ret = vdf_state_finish(file->loading, err);
    /* An incomplete state stays: another process that has the file open may write the rest. */
    if (ends)
        end_state(file);
    vdf_unlock(&file->state_lock);
    return ret;
}

/* --- poll ------------------------------------------------------------------------------------- */

unsigned vdf_file_poll(struct vdf_file *file)
{
    const struct vdf_attr *attr = row_of(file);
    struct vdf_at at = vdf_place_at(&file->place);
    struct vdf_buf now = VDF_BUF_INIT;
    unsigned mode = vdf_place_mode(&file->place);
    unsigned ready = (mode & 0444 ? POLLIN : 0) | (mode & 0222 ? POLLOUT : 0);

    if (!vdf_place_exists(&file->place))
        return POLLERR | POLLHUP;
    switch (attr ? attr->type : VDF_TEXT) {
    case VDF_LOG:
        return vdf_row_log(&at)->end > file->log_position ? POLLIN : 0;
    case VDF_STREAM:
        return use_stream(file, NULL) < 0 ? POLLERR : attr->stream->poll(&at);
    case VDF_RAW:
    case VDF_WINDOW:
        return ready | (file->seen != vdf_row_raw_version(&at, NULL) ? POLLPRI : 0);
    default:
        break;
    }
    if (is_state(file)) {
        /* Set before the comparison, so that a change in between wakes the poll. */
        if (is_root_state(file))
            atomic_store(&at.obj->device->tree->state_polled, true);
        return ready | (file->seen != vdf_state_version(at.obj) ? POLLPRI : 0);
    }
    if (!(ready & POLLIN))
        return ready;
    if (vdf_value_render(&file->place, &now) == 0 && vdf_hash(now.data, now.len) != file->seen)
        ready |= POLLPRI;
    vdf_buf_free(&now);
    return ready;
}
