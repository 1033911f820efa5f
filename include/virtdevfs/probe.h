/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the host offers: `virtdevfs --probe`.
 *
 * A part of the program that uses something of the host (an engine, KVM, a device file) says here
 * what it has found and what it has not, as facts with names. A part runs in a process of its own,
 * for a bounded time: whatever it opens or makes is gone with it. It changes nothing that outlives
 * it, loads no module and prints nothing.
 *
 *     vdf_probe_have(probe, "io_uring", "chosen");
 *
 *     vdf_probe_lack(probe, "libaio", "io_setup(2) answers EAGAIN");
 *     vdf_probe_remedy(probe, "a larger fs.aio-max-nr");
 */
#ifndef VIRTDEVFS_PROBE_H
#define VIRTDEVFS_PROBE_H

#include <stdbool.h>
#include <virtdevfs/buf.h>

struct vdf_probe;

struct vdf_probe_part {
    const char *name;  /* "kvm": a key of the JSON */
    const char *title; /* what it is, for people */
    void (*run)(struct vdf_probe *probe);
};

/** vdf_probe_have() - it is there. @name: one of its kind in its part; @fmt: may be "". */
void vdf_probe_have(struct vdf_probe *probe, const char *name, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/** vdf_probe_lack() - it is not; @fmt: the reason, with the system call and its answer. */
void vdf_probe_lack(struct vdf_probe *probe, const char *name, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/** vdf_probe_remedy() - what would bring the last one: a kernel option, a package, a permission. */
void vdf_probe_remedy(struct vdf_probe *probe, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/** vdf_probe_value() - a property of the last one, for scripts as for people: cdev=vfio0. */
void vdf_probe_value(struct vdf_probe *probe, const char *key, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/** vdf_probe_cure() - what brings more of what an errno says is used up (open files, memory), else
 *  @remedy, which may be NULL. */
const char *vdf_probe_cure(int code, const char *remedy);

/**
 * vdf_probe_refused() - it is not there, for a system call has failed.
 * @call:   "open(2) of /dev/kvm", "KVM_CREATE_VM"
 * @code:   positive errno
 * @remedy: what would bring it, unless vdf_probe_cure() knows better
 */
void vdf_probe_refused(struct vdf_probe *probe, const char *name, const char *call, int code,
                       const char *remedy);

/**
 * vdf_probe_open() - open the device file of a driver, which is neither loaded nor waited for.
 * @name:   of the fact, told when it cannot be opened
 * @path:   "/dev/kvm"
 * @driver: its name in /proc/misc; NULL: it has none there, and the file is there with the driver
 * @brings: what brings the driver
 *
 * Return: a descriptor, read and write, close-on-exec, non-blocking; or -errno, and it is told.
 */
int vdf_probe_open(struct vdf_probe *probe, const char *name, const char *path, const char *driver,
                   const char *brings);

/* Parts that are not a component's (component.h). */
extern const struct vdf_probe_part vdf_engine_probe;

/* --- who asks ------------------------------------------------------------------------------------
 */

/* The facts of one part, in the order in which they were told. Zero it and set `part` to begin. */
struct vdf_probe {
    const struct vdf_probe_part *part;
    struct vdf_buf facts; /* see probe.c */
    int fd;               /* in the part's process: where the facts go; 0: they stay here */
};

#define VDF_PROBE_MS 5000 /* that all parts have together, in milliseconds */

/** vdf_probe_run() - let @n parts look, all at once, and gather what they tell. A part that does
 *  not come to its end has a fact "probe" that says so. */
void vdf_probe_run(struct vdf_probe *probes, unsigned n);
/** vdf_probe_text() - a table: yes or no, name, detail. */
void vdf_probe_text(const struct vdf_probe *probes, unsigned n, struct vdf_buf *out);
/** vdf_probe_json() - one object; virtdevfs(8) has its keys. @version: of the program */
void vdf_probe_json(const struct vdf_probe *probes, unsigned n, const char *version,
                    struct vdf_buf *out);
/** vdf_probe_free() - what the facts take. */
void vdf_probe_free(struct vdf_probe *probes, unsigned n);

#endif
