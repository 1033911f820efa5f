/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of a class: a row for each file and register.
 *
 * A row is the only description of a register. The file's name and mode, text and raw access, the
 * guest's window, the lines of a state, the errors, the manual and the test of all rows come from
 * the row. A plain register names its field and its masks and needs no hook.
 */
#ifndef VIRTDEVFS_TABLE_H
#define VIRTDEVFS_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <virtdevfs/buf.h>
#include <virtdevfs/error.h>
#include <virtdevfs/log.h>
#include <virtdevfs/memory.h>

struct vdf_obj;
struct vdf_attr;
struct vdf_class;

/* The arguments of a hook: an object, a row, and the numbers of the row's path. */
struct vdf_at {
    struct vdf_obj *obj;
    void *priv; /* the object's private structure */
    const struct vdf_attr *attr;
    uint32_t i; /* value of the path's first '#' */
    uint32_t j; /* value of the second */
};

enum vdf_type {
    VDF_REG,     /* hex, zero-padded to `width` */
    VDF_UINT,    /* decimal */
    VDF_BOOL,    /* 0 or 1 */
    VDF_CHOICE,  /* one of `choices`; the number is its index */
    VDF_TEXT,    /* show and store hooks: names, lists, pairs */
    VDF_LOG,     /* stream of lines or records that keeps its last 64 KiB: a struct vdf_log field */
    VDF_STREAM,  /* stream with hooks that hold the writer back */
    VDF_RAW,     /* bytes at offsets: hooks, or a struct vdf_memory field */
    VDF_WINDOW,  /* `regs`: hardware accesses to the rows of a window */
    VDF_OBJECTS, /* directory of objects of another class */
};

/* struct vdf_attr.flags */
#define VDF_R 0x01u /* readable */
#define VDF_W 0x02u /* writable */
#define VDF_RW 0x03u
#define VDF_SAVE 0x04u    /* in `state` */
#define VDF_NO_FILE 0x08u /* not in the tree: a register of a window, or hidden state */
/* VDF_RAW: may be mapped (M): live with memory; with hooks see vdf_sync_mapped(). */
#define VDF_MAP 0x10u
#define VDF_HOLDS 0x20u  /* VDF_RAW: an open file of it makes rmdir answer EBUSY */
#define VDF_FIXED 0x40u  /* VDF_OBJECTS: mkdir and rmdir answer EPERM */
#define VDF_BINARY 0x80u /* VDF_STREAM: records, not text (manual only) */
/* A write is exclusive: it runs while no other thread is inside any device, and may touch others. Of
 * VDF_RAW and VDF_WINDOW files everything is: also open, read, the size in stat(2), and close. Reads of
 * values are not, since poll(2), stat(2) and a device's state render them under the device's lock. */
#define VDF_EXCLUSIVE 0x100u
/* VDF_RAW with memory: not in a state, and unchanged by a restore. */
#define VDF_UNSAVED 0x200u
/* A choice of this mount, such as a backend: not in a state. A restored device has the choice of the
 * device before, and has it before the rows of the state are set. */
#define VDF_LOCAL 0x400u
/* A value that changes without a hook of its device: it lies in shared memory or in the kernel, or
 * follows from time. */
#define VDF_LIVE 0x800u
/* VDF_TEXT: a list. A file that is opened with O_TRUNC and closed without a write becomes empty. With
 * `check_line`, consecutive writes are one value, which is stored at the close. */
#define VDF_LIST 0x1000u
/* VDF_TEXT: each line is a write of its own. */
#define VDF_LINES 0x2000u
/* VDF_RAW: a read is a hardware access, which may change the device. */
#define VDF_ACCESS 0x4000u

/* The numbers of a '#'. All zero: the row has no such '#'. */
struct vdf_range {
    uint32_t first;
    uint32_t step;                                  /* 0 means 1 */
    uint32_t count;                                 /* numbers, when fixed */
    uint32_t (*counted)(const void *priv);          /* numbers, when they depend on the object */
    bool (*has)(const void *priv, uint32_t number); /* leaves out some of them; NULL: none */
    /* Only so many numbers, from the first, can differ from the row's reset value; a state contains no
     * others. NULL: all can differ. */
    uint32_t (*used)(const void *priv);
    const char *text; /* for the manual: "1..srcs" */
};

/* Streams with back-pressure. Positions and buffers belong to the component. */
struct vdf_stream_ops {
    /* A file was opened for both directions, or a file of one direction is read, written or polled for
     * the first time. @flags: O_ACCMODE of open(2). -EAGAIN makes the caller wait until the hook
     * answers otherwise. NULL: every open is allowed. */
    int (*open)(const struct vdf_at *at, int flags, struct vdf_err *err);
    /* One was closed; not called for a removed object. */
    void (*close)(const struct vdf_at *at, int flags);
    /* Return up to @n bytes, @n being at least 1; 0: end of file; -EAGAIN: nothing yet; other -errno. */
    ssize_t (*read)(const struct vdf_at *at, void *bytes, size_t n, struct vdf_err *err);
    /* Return the bytes taken, up to @n, which is at least 1; -EAGAIN: no room; other -errno. */
    ssize_t (*write)(const struct vdf_at *at, const void *bytes, size_t n, struct vdf_err *err);
    /* poll(2) events that hold now, from POLLIN, POLLOUT, POLLHUP, POLLERR. */
    unsigned (*poll)(const struct vdf_at *at);
};

/* Raw files. A row with a struct vdf_memory as its field and no hooks is that memory. */
struct vdf_raw_ops {
    uint64_t (*size)(const struct vdf_at *at); /* bytes */
    /* @n bytes at @offset, which lie within the size. Return 0 or -errno. */
    int (*read)(const struct vdf_at *at, void *bytes, size_t n, uint64_t offset,
                struct vdf_err *err);
    int (*write)(const struct vdf_at *at, const void *bytes, size_t n, uint64_t offset,
                 struct vdf_err *err);
    /* After the first open file of this row (@open true) or the last close (@open false). */
    void (*opened)(const struct vdf_at *at, bool open);
};

/*
 * Windows: the rows with this `window` number at their `offset` (and `stride` for each '#').
 * vdf_window_read() and vdf_window_write() find the row. The window of a row without these operations
 * has 4096 bytes, takes accesses of 4 bytes, and reads 0 and drops writes where no register is.
 */
struct vdf_window_ops {
    uint64_t bytes;                            /* st_size of the file */
    uint64_t (*size)(const struct vdf_at *at); /* the same, where it depends on the object */
    unsigned align; /* accesses of this many bytes; wider rows: their width */
    int miss;       /* positive errno where no row is; 0: reads 0, drops writes */
    bool halves;    /* an aligned access of 4 bytes reaches one half of a row of 8 bytes */
    /* Does @offset, where no row is, read 0 and drop writes whatever `miss` is? NULL: never. */
    bool (*reserved)(const struct vdf_at *at, uint64_t offset);
    /* Refuses every access while it returns -errno (ENODEV before `init`); NULL: never. */
    int (*ready)(const struct vdf_at *at, struct vdf_err *err);
};

struct vdf_objects {
    const struct vdf_class *cls;
    /* May an object with this name, which is valid and free, be made now? NULL: yes. */
    int (*allow)(struct vdf_obj *parent, const char *name, struct vdf_err *err);
    const char *text; /* for the manual: "NAME", "0..31" */
};

struct vdf_attr {
    const char *path; /* "aia/mode", "imsic/#/eip/#" */
    enum vdf_type type;
    unsigned flags;  /* VDF_R, VDF_W, ... */
    unsigned width;  /* bytes of the value: 1, 2, 4, 8; a larger number is ERANGE */
    const char *doc; /* one line for the manual */

    struct vdf_range range[2];
    bool (*when)(const void *priv); /* the row exists only while this holds; NULL: always */
    /* The file exists only while this holds too; a state has the row in either case. NULL: always. */
    bool (*shown)(const void *priv);
    const char *needs; /* the condition of `when` or `shown`, for the error of a missing file */

    /* The field with the value: an unsigned integer of `width` bytes (bool and enums too), a struct
     * vdf_log or a struct vdf_memory. VDF_FIELD() sets has_field, field and width. */
    bool has_field;
    size_t field;
    size_t each; /* bytes between the fields of two numbers of the first '#'; 0: one for all */
    /* The structure that has the field; NULL: the private structure. */
    void *(*locate)(const struct vdf_at *at);
    uint64_t reset; /* value of a field in a new object; not saved for a '#' that has it */
    const char *const *choices; /* NULL-terminated words of a VDF_CHOICE */

    /* The bits of a register. A write of the file or of the window is refused (EINVAL) with a
     * `reserved` bit, and stores to the field all bits but these. */
    const struct vdf_bits *bits; /* the names of all; ends with a NULL name */
    uint64_t ro;                 /* bits that a write leaves as they are */
    uint64_t w1c; /* bits that writing 1 clears; a store to the other half does not change them */
    uint64_t reserved;
    /* Other numbers are refused (EINVAL). Both 0: the width is the limit. */
    uint64_t min, max;

    /* Numbers. `get` and `set` replace the field, `check` may refuse a value before the masks do, and
     * `after` runs when the value has been stored. A row without hooks loads and stores its field. */
    int (*get)(const struct vdf_at *at, uint64_t *value);
    int (*set)(const struct vdf_at *at, uint64_t value, struct vdf_err *err);
    int (*check)(const struct vdf_at *at, uint64_t value, struct vdf_err *err);
    void (*after)(const struct vdf_at *at, uint64_t value);
    /* Text. `show` appends the value without the final newline; lines of a list have newlines between
     * them. `store` takes a value, NUL-terminated and without white space around. */
    void (*show)(const struct vdf_at *at, struct vdf_buf *out);
    int (*store)(const struct vdf_at *at, const char *text, size_t len, struct vdf_err *err);
    /* VDF_LIST: may the value have this line, which is trimmed and not empty? */
    int (*check_line)(const struct vdf_at *at, const char *line, size_t len, struct vdf_err *err);
    /* Restoring. By default a number is checked as in a write and stored to its field, without `set`
     * and `after`; numbers without a field, and text, are written as their files are. These hooks
     * replace the default; vdf_restore_by_write() is one for numbers. */
    int (*restore)(const struct vdf_at *at, uint64_t value, struct vdf_err *err);
    int (*restore_text)(const struct vdf_at *at, const char *text, size_t len, struct vdf_err *err);
    /* A hardware read with a side effect, through a window only; NULL: as get. */
    int (*read_side)(const struct vdf_at *at, uint64_t *value);

    const struct vdf_stream_ops *stream;
    const struct vdf_raw_ops *raw;
    const struct vdf_window_ops *window_ops; /* VDF_WINDOW */
    const struct vdf_objects *objects;

    unsigned window; /* number of the window that the register lies in; 0: none */
    uint64_t offset; /* bytes from the window's start, for the first number of '#' */
    uint64_t stride; /* bytes between two numbers of the first '#' */
};

/* A field of a register, named as in its specification. */
struct vdf_bits {
    const char *name; /* "IE" */
    unsigned low;     /* its lowest bit */
    unsigned width;   /* bits; 0 means 1 */
    const char *doc;  /* a few words for the manual; NULL: none */
};

/** vdf_bits_width() - bits of a field. */
static inline unsigned vdf_bits_width(const struct vdf_bits *bits)
{
    return bits->width ? bits->width : 1;
}

/** vdf_bits_mask() - the bits that a field has in its register. */
static inline uint64_t vdf_bits_mask(const struct vdf_bits *bits)
{
    return UINT64_MAX >> (64 - vdf_bits_width(bits)) << bits->low;
}

/** vdf_row_mask() - the bits of a row's value: 64 where the field is wider (a log) or the width is 0. */
static inline uint64_t vdf_row_mask(const struct vdf_attr *attr)
{
    return attr->width && attr->width < 8 ? UINT64_MAX >> (64 - 8 * attr->width) : UINT64_MAX;
}

/** vdf_restore_unchecked() - for `restore`: store the field without the checks of a write. The class's
 *  `restored` then checks the rows against each other. */
int vdf_restore_unchecked(const struct vdf_at *at, uint64_t value, struct vdf_err *err);
/** vdf_restore_by_write() - for `restore`: the same as a write of the file. */
int vdf_restore_by_write(const struct vdf_at *at, uint64_t value, struct vdf_err *err);
/** vdf_row_check() - refuse a value by the row's `check`, `reserved`, `min` and `max`, for hooks of a
 *  backend. */
int vdf_row_check(const struct vdf_at *at, uint64_t value, struct vdf_err *err);
/** vdf_row_load_field() - the value of the row's field, for hooks that do more than the default. */
uint64_t vdf_row_load_field(const struct vdf_at *at);
/** vdf_row_store_field() - store the value as it is: without checks, masks and hooks. */
void vdf_row_store_field(const struct vdf_at *at, uint64_t value);

/*
 * Hooks of a backend, which replace a row's field and hooks. The members are those of struct vdf_attr;
 * a NULL member leaves the row's own in force, and `set` restores too where `restore` is NULL. `read`
 * and `write` are for a VDF_WINDOW: accesses of the window's alignment, at any offset.
 */
struct vdf_hooks {
    int (*get)(const struct vdf_at *at, uint64_t *value);
    int (*set)(const struct vdf_at *at, uint64_t value, struct vdf_err *err);
    int (*restore)(const struct vdf_at *at, uint64_t value, struct vdf_err *err);
    void (*show)(const struct vdf_at *at, struct vdf_buf *out);
    int (*store)(const struct vdf_at *at, const char *text, size_t len, struct vdf_err *err);
    int (*read)(const struct vdf_at *at, uint64_t offset, uint64_t *value, struct vdf_err *err);
    int (*write)(const struct vdf_at *at, uint64_t offset, uint64_t value, struct vdf_err *err);
};

#define VDF_REGS 1u /* the window of the file `regs`, which is the guest's too */

/* The beginning of a row. */
#define VDF_ROW(name, kind, flags_, text) \
    .path = (name), .type = (kind), .flags = (flags_), .doc = (text)
/* A plain register of the file `regs`: hexadecimal, written, saved. Its width comes with VDF_FIELD(),
 * or is named. @more: further flags; @text: the line of documentation */
#define VDF_REGISTER(name, at, more, text) \
    VDF_ROW(name, VDF_REG, VDF_RW | VDF_SAVE | (more), text), .window = VDF_REGS, .offset = (at)
/* The file `regs`. */
#define VDF_REGS_ROW                                                             \
    {                                                                            \
        .path = "regs", .type = VDF_WINDOW, .flags = VDF_RW, .window = VDF_REGS, \
        .doc = "the registers, by accesses of their widths",                     \
    }

#define VDF_FIELD(type, member) \
    .has_field = true, .field = offsetof(type, member), .width = sizeof(((type *)0)->member)
/* An array in the structure, or a member of an array of structures, by the first '#' from 0. */
#define VDF_ARRAY(type, member)                                                                  \
    .has_field = true, .field = offsetof(type, member), .width = sizeof(((type *)0)->member[0]), \
    .each = sizeof(((type *)0)->member[0])
#define VDF_MEMBERS(type, array, member)                                                  \
    .has_field = true,                                                                    \
    .field = offsetof(type, array) + offsetof(__typeof__(((type *)0)->array[0]), member), \
    .width = sizeof(((type *)0)->array[0].member), .each = sizeof(((type *)0)->array[0])

#endif
