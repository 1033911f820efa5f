/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A vIOMMU with hardware queues: the device, its kinds, and the parties that answer for it.
 *
 *   rows.c      the rows of the device with their hooks, its life
 *   device.c    kind, interrupt, memory
 *   lines.c     lines of several numbers
 *   ioas.c      mappings of the device's memory at I/O virtual addresses
 *   iotlb.c     translations that the IOMMU and the devices have cached, and their invalidation
 *   smmu.c      SMMUv3 commands, as a VCMDQ executes them
 *   vcmdq.c     a Tegra241 VCMDQ: registers, register page, ring; vcmdq_rows.c: its files
 *   cmdqv.c     the Tegra241 CMDQV around the queues: errors, interrupt, the kind
 *   amdvi.c     the AMD IOMMU: command buffer, event log, PPR log
 *   vdevice.c   virtual devices: stream ids of the guest and of the machine
 *   veventq.c   records in iommufd's format
 *   guest.c     the side of the guest: registers, and pages of queues, mapped or trapped
 *   selftest.c  the model of the mock IOMMU in the kernel's selftests
 *   iommufd.c   the kernel's objects behind the same files; host.c: the device of the host that the
 *               objects need
 *
 * Shared code knows no kind. A kind is a struct vdf_hwqueue_kind, with the operations of its model; the
 * kernel's objects answer through the same operations. Each kind has a struct of its own in the device.
 *
 * Everything runs under the device's lock. Other processes may have memory mapped: each word of it is
 * loaded once.
 */
#ifndef VDF_HWQUEUE_H
#define VDF_HWQUEUE_H

#include <virtdevfs/component.h>
#include <virtdevfs/guest.h>
#include <virtdevfs/iommufd.h>

#include "amdvi.h"
#include "ioas.h"
#include "iotlb.h"
#include "kernel.h"
#include "lines.h"
#include "selftest.h"
#include "tegra.h"
#include "vdevice.h"
#include "veventq.h"

struct vdf_hwqueue;
struct vdf_vcmdq;
struct vdf_queue_ops;

/* --- kinds and operations --------------------------------------------------------------------- */

/* The arguments follow the grammar of their files. The operation checks ranges, indexes and
 * order. */
struct vdf_hwqueue_ops {
    struct vdf_backend backend;
    /* IOAS_MAP and IOAS_UNMAP. The list of the mappings is the caller's. */
    int (*map)(struct vdf_hwqueue *dev, const struct vdf_ioas_map *map, struct vdf_err *err);
    int (*unmap)(struct vdf_hwqueue *dev, uint64_t iova, uint64_t len, struct vdf_err *err);
    /* HW_QUEUE_ALLOC with the queue's values, and its end. */
    int (*alloc)(struct vdf_vcmdq *queue, struct vdf_err *err);
    int (*release)(struct vdf_vcmdq *queue, struct vdf_err *err);
    /* VDEVICE_ALLOC, and its end; NULL: always allowed. */
    int (*add_vdevice)(struct vdf_vdevice *vdevice, struct vdf_err *err);
    int (*drop_vdevice)(struct vdf_vdevice *vdevice, struct vdf_err *err);
    /* GET_HW_INFO, a "name = value" a line. */
    void (*show_hw_info)(struct vdf_hwqueue *dev, struct vdf_buf *out);
    /* The vEVENTQ. A read of 0 bytes is no event. settle_events fetches events that wait elsewhere;
     * NULL: none do. */
    ssize_t (*read_events)(struct vdf_hwqueue *dev, void *bytes, size_t n, struct vdf_err *err);
    bool (*has_events)(struct vdf_hwqueue *dev);
    void (*settle_events)(struct vdf_hwqueue *dev);
    int (*set_depth)(struct vdf_hwqueue *dev, uint32_t depth, struct vdf_err *err);
    /* Raise an event of a device; NULL: the kind has no such event. */
    int (*trigger)(struct vdf_hwqueue *dev, struct vdf_err *err);
    /* Make `page`, or move it. */
    int (*make_page)(struct vdf_vcmdq *queue);
};

/* A kind of IOMMU: a word of `type`. */
struct vdf_hwqueue_kind {
    struct vdf_hwqueue_ops model;         /* the operations without a kernel */
    const struct vdf_kernel_kind *kernel; /* the kind in the kernel; NULL: no kernel has it */
    const struct vdf_queue_ops *queue;    /* of the objects in queues/; NULL: there are none */
    unsigned queues;                      /* how many of them there can be */
    bool queues_in_order;                 /* made from 0 up, removed from the last down */
    bool registers;                       /* `regs` has registers */
    unsigned window;                      /* bytes of `regs` */
    unsigned event_payload;               /* bytes of a record of the vEVENTQ behind its header */
    const char *vsid;                     /* "the stream id": the name of a virtual device */
    uint32_t vsid_max;
    /* The device becomes of the kind, or of another one; NULL: nothing is to be done. A begin that
     * fails is followed by end. */
    int (*begin)(struct vdf_hwqueue *dev, struct vdf_err *err);
    void (*end)(struct vdf_hwqueue *dev);
    /* The level of the interrupt output; NULL: the kind has none. */
    bool (*irq_level)(const struct vdf_hwqueue *dev);
    /* A state has been loaded: check the kind's registers. @chosen: it is the device's kind. */
    int (*restored)(struct vdf_hwqueue *dev, bool chosen, struct vdf_err *err);
};

extern const struct vdf_hwqueue_kind vdf_tegra_kind;    /* cmdqv.c */
extern const struct vdf_hwqueue_kind vdf_amdvi_kind;    /* amdvi.c */
extern const struct vdf_hwqueue_kind vdf_selftest_kind; /* selftest.c */

/* --- the device ------------------------------------------------------------------------------- */

enum vdf_hwqueue_type {
    VDF_HWQUEUE_TEGRA241,
    VDF_HWQUEUE_AMD,
    VDF_HWQUEUE_SELFTEST,
};

/* `backend` */
enum {
    VDF_HWQUEUE_SOFT,
    VDF_HWQUEUE_IOMMUFD,
};

/* `vm_memory`: the memory comes and goes while the guest runs. A mapping may be of memory that is not
 * there; an access by way of it then fails as one to an address that is not mapped. */
#define VDF_MEMORY_CHANGES UINT64_MAX

/* `doorbell` */
enum vdf_doorbell {
    VDF_DOORBELL_MAPPED,
    VDF_DOORBELL_TRAPPED,
};

struct vdf_hwqueue {
    struct vdf_priv priv; /* its backend is a struct vdf_hwqueue_ops: the model's or the kernel's */
    const struct vdf_hwqueue_kind *kind; /* of `type` */
    uint8_t type;
    uint8_t backend;
    uint8_t doorbell;
    char host[16];             /* `host`: a PCI address, "mock", or empty */
    bool linked;               /* in the tree, not a state that is loaded */
    struct vdf_kernel *kernel; /* while `backend` is iommufd and the device is linked */
    uint64_t memory_size;
    struct vdf_memory memory;
    bool memory_open; /* `memory` has open files */
    struct vdf_ioas ioas;
    struct vdf_iotlb iotlb; /* the IOMMU's */
    struct vdf_iotlb atc;   /* in the devices behind it */
    struct vdf_veventq veventq;
    struct vdf_log events;
    struct vdf_irq irq;
    bool irq_level;
    const struct vdf_space *space; /* of a guest, instead of `memory`, while `attached` */
    uint64_t vm_memory;            /* where it ends, or VDF_MEMORY_CHANGES; 0: mappings are of
                                    * `memory` */
    unsigned attached;             /* slots of a guest */
    uint64_t commands, tlbi, atc_inv, sync, illegal;

    struct vdf_vdevice *vdevices[VDF_VDEVICES]; /* by slot; NULL: free */
    struct vdf_vcmdq *vcmdqs[VDF_QUEUES];       /* NULL: not made */
    /* The registers of each kind. Those of the other kinds rest at their reset values. */
    struct vdf_tegra tegra;
    struct vdf_amdvi amdvi;
    struct vdf_selftest selftest;
};

extern const struct vdf_guest_ops vdf_hwqueue_guest_ops;
/** vdf_hwqueue_ops() - the operations of the party that answers for the device. */
static inline const struct vdf_hwqueue_ops *vdf_hwqueue_ops(const struct vdf_hwqueue *dev)
{
    return (const struct vdf_hwqueue_ops *)dev->priv.backend;
}

/** vdf_hwqueue_kind() - the kind of a `type`. */
const struct vdf_hwqueue_kind *vdf_hwqueue_kind(unsigned type);
/** vdf_hwqueue_choose() - the device is of this type, and its model answers. */
void vdf_hwqueue_choose(struct vdf_hwqueue *dev, uint8_t type);
/** vdf_hwqueue_soft_map() - the `map` of a model without limits of its own. */
int vdf_hwqueue_soft_map(struct vdf_hwqueue *dev, const struct vdf_ioas_map *map,
                         struct vdf_err *err);
/** vdf_hwqueue_space() - the memory that mappings are of: the guest's, or the device's own as @own. */
const struct vdf_space *vdf_hwqueue_space(struct vdf_hwqueue *dev, struct vdf_space *own);
/** vdf_hwqueue_memory_absent() - are mappings of the memory of a guest that is not attached yet, or
 *  has none now? */
bool vdf_hwqueue_memory_absent(const struct vdf_hwqueue *dev);
/** vdf_hwqueue_memory_end() - the end of that memory, also before the guest is attached. */
uint64_t vdf_hwqueue_memory_end(const struct vdf_hwqueue *dev);
void vdf_hwqueue_after_doorbell(const struct vdf_at *at, uint64_t value);
/** vdf_hwqueue_update_irq() - set the interrupt output to the level that the registers give. */
void vdf_hwqueue_update_irq(struct vdf_hwqueue *dev);
bool vdf_hwqueue_irq_level(const struct vdf_hwqueue *dev);

/** vdf_hwqueue_move_memory() - move `memory` to huge pages if possible, or to ordinary pages. Memory
 *  that is open stays where it is, and so does memory while a guest is attached. Return: 0 or -errno. */
int vdf_hwqueue_move_memory(struct vdf_hwqueue *dev, bool huge);

#endif
