/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Open files. */
#ifndef VDF_FILE_H
#define VDF_FILE_H

#include "place.h"

struct vdf_state_load;

struct vdf_file {
    struct vdf_place place; /* holds a reference to the object */
    int flags;              /* of open(2) */
    bool counted;           /* the row knows of the open file */
    bool used;              /* the same since the last vdf_file_used() */
    bool holds;             /* counted in obj->holds */
    struct vdf_buf value;   /* the text that the reader got at offset 0 */
    bool fresh;             /* `value` is a state of the open(2) that is not read yet */
    atomic_ullong seen;     /* hash or version of the content that the reader knows, for POLLPRI */
    uint64_t log_position;
    struct vdf_lock state_lock;     /* of a state that is read (value, fresh) or written */
    struct vdf_state_load *loading; /* a state being written; NULL: none */
    uint64_t written;               /* where the last write ended, 0: there was none */
    struct vdf_buf lines;           /* a list being written */
    enum { VDF_UNTOUCHED, VDF_TAKEN, VDF_COMPLETE, VDF_SPOILT } list; /* the same */
    bool line_ended; /* the last write of a value ended with a newline */
};

/** vdf_file_init() - a file that is not open yet; takes a reference to the place's object. */
void vdf_file_init(struct vdf_file *file, const struct vdf_place *place, int flags);
/** vdf_file_open() - lock held. Return: 0, -EACCES, -ENODEV, an errno of the row, or -EAGAIN: a stream
 *  makes the open wait. */
int vdf_file_open(struct vdf_file *file, struct vdf_err *err);
/** vdf_file_used() - lock held. Return: has the row of a stream learned since the last call that it is
 *  open? vdf_file_leave() takes that for a change. */
bool vdf_file_used(struct vdf_file *file);
/** vdf_file_close() - lock not held. */
void vdf_file_close(struct vdf_file *file);
/** vdf_file_release() - free what the file holds; the object's reference too. */
void vdf_file_release(struct vdf_file *file);
/** vdf_file_read() - lock held; not for `state`. Bytes, 0 at the end, or -errno; -EAGAIN: a stream
 * is empty.
 *  @changed is set when the read was one with a side effect. */
ssize_t vdf_file_read(struct vdf_file *file, void *bytes, size_t n, uint64_t offset, bool *changed,
                      struct vdf_err *err);
/** vdf_file_read_state() - lock not held. Each read at offset 0, except the first, renders the state
 *  again. Bytes, 0 at the end, or -errno. */
ssize_t vdf_file_read_state(struct vdf_file *file, void *bytes, size_t n, uint64_t offset);
/** vdf_file_write() - lock held; not for `state`. Bytes or -errno; -EAGAIN: a stream is full. */
ssize_t vdf_file_write(struct vdf_file *file, const void *bytes, size_t n, uint64_t offset,
                       struct vdf_err *err);
/** vdf_file_write_state() - lock not held; collects and applies a state. */
ssize_t vdf_file_write_state(struct vdf_file *file, const void *bytes, size_t n, uint64_t offset,
                             struct vdf_err *err);
/** vdf_file_is_list() - is it a list that is open for writing, and stored at the close? */
bool vdf_file_is_list(const struct vdf_file *file);
/** vdf_file_flush() - lock not held; the last close(2) of the process that opened the file. Refuses an
 *  incomplete state, and stores a list. */
int vdf_file_flush(struct vdf_file *file, struct vdf_err *err);
/** vdf_value_add() - lock held; one write to a value. Bytes or -errno. */
ssize_t vdf_value_add(struct vdf_file *file, const char *bytes, size_t n, uint64_t offset,
                      struct vdf_err *err);
/** vdf_list_end() - lock held; stores a list that has been written. */
int vdf_list_end(struct vdf_file *file, struct vdf_err *err);
/** vdf_file_note() - lock held; the reader of a raw file knows its present content. */
void vdf_file_note(struct vdf_file *file);
/** vdf_file_poll() - lock held; poll(2) events that hold now. */
unsigned vdf_file_poll(struct vdf_file *file);
bool vdf_file_is_stream(const struct vdf_file *file);
/** vdf_file_enter(), vdf_file_leave() - take and release the locks for operations on this file. */
void vdf_file_enter(struct vdf_file *file);
void vdf_file_leave(struct vdf_file *file, bool changed);
/** vdf_file_enter_write(), vdf_file_leave_write() - the same for a write. */
void vdf_file_enter_write(struct vdf_file *file);
void vdf_file_leave_write(struct vdf_file *file, bool changed);

#endif
