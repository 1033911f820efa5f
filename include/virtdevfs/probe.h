/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The capabilities of the host: `virtdevfs --probe`.
 *
 * A part of the program that uses a capability of the host (an engine, KVM, a device file) reports
 * here, as named facts, whether the host has it. A part runs in a process of its own for a bounded
 * time, and all that it opens or makes ends with the process. It makes no lasting change, loads no
 * module and prints nothing.
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
    const char *title; /* a heading for people */
    void (*run)(struct vdf_probe *probe);
};

/** vdf_probe_have() - the host has @name, which is unique in its part; @fmt: may be "". */
void vdf_probe_have(struct vdf_probe *probe, const char *name, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/** vdf_probe_lack() - the host lacks @name; @fmt: the reason, with the system call and its answer. */
void vdf_probe_lack(struct vdf_probe *probe, const char *name, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/** vdf_probe_remedy() - the remedy for the last one: a kernel option, a package, a permission. */
void vdf_probe_remedy(struct vdf_probe *probe, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/** vdf_probe_value() - a property of the last one, for scripts and people: cdev=vfio0. */
void vdf_probe_value(struct vdf_probe *probe, const char *key, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/** vdf_probe_cure() - the remedy for an exhausted resource (open files, memory) that @code means, else
 *  @remedy, which may be NULL. */
const char *vdf_probe_cure(int code, const char *remedy);

/**
 * vdf_probe_refused() - the host lacks @name, because a system call has failed.
 * @call:   "open(2) of /dev/kvm", "KVM_CREATE_VM"
 * @code:   positive errno
 * @remedy: used unless vdf_probe_cure() has one
 */
void vdf_probe_refused(struct vdf_probe *probe, const char *name, const char *call, int code,
                       const char *remedy);

/**
 * vdf_probe_open() - open the device file of a driver, which is neither loaded nor waited for.
 * @name:   of the fact that a failure reports
 * @path:   "/dev/kvm"
 * @driver: its name in /proc/misc; NULL: it has none there, and the file exists with the driver
 * @remedy: for a missing driver
 *
 * Return: a descriptor, read and write, close-on-exec, non-blocking; or -errno, which is reported.
 */
int vdf_probe_open(struct vdf_probe *probe, const char *name, const char *path, const char *driver,
                   const char *remedy);

/* The part that belongs to no component (component.h). */
extern const struct vdf_probe_part vdf_engine_probe;

/* --- running parts ---------------------------------------------------------------------------- */

/* The facts of one part, in the order of the reports. Zero it and set `part` to begin. */
struct vdf_probe {
    const struct vdf_probe_part *part;
    struct vdf_buf facts; /* see probe.c */
    int fd; /* in the part's process: the facts are written here; 0: they stay in `facts` */
};

#define VDF_PROBE_MS 5000 /* for all parts together, in milliseconds */

/** vdf_probe_run() - run @n parts, all at once, and gather their facts. A part that does not end in
 *  time has a fact "probe" that says so. */
void vdf_probe_run(struct vdf_probe *probes, unsigned n);
/** vdf_probe_text() - a table: yes or no, name, detail. */
void vdf_probe_text(const struct vdf_probe *probes, unsigned n, struct vdf_buf *out);
/** vdf_probe_json() - one object; virtdevfs(8) has its keys. @version: of the program */
void vdf_probe_json(const struct vdf_probe *probes, unsigned n, const char *version,
                    struct vdf_buf *out);
/** vdf_probe_free() - free the facts. */
void vdf_probe_free(struct vdf_probe *probes, unsigned n);

#endif
