/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel's objects: from /dev/iommu to the hardware queues. */
#ifndef VDF_HWQUEUE_KERNEL_H
#define VDF_HWQUEUE_KERNEL_H

#include <stdbool.h>
#include <stdint.h>
#include <virtdevfs/error.h>

struct vdf_hwqueue;

/* A kind of IOMMU in the kernel. */
struct vdf_kernel_kind;
extern const struct vdf_kernel_kind vdf_kernel_tegra, vdf_kernel_selftest;

/* Those behind a device: from /dev/iommu on. */
struct vdf_kernel;

/** vdf_kernel_open() - make them all, for the mappings, virtual devices and queues that there are.
 *  On failure there is none. */
int vdf_kernel_open(struct vdf_hwqueue *dev, struct vdf_err *err);
/** vdf_kernel_close() - destroy them all; nothing when there are none. */
void vdf_kernel_close(struct vdf_hwqueue *dev);
/** vdf_kernel_reopen() - the same in one: something that they were made from has changed. On
 *  failure there are none, and the model goes on. */
int vdf_kernel_reopen(struct vdf_hwqueue *dev, struct vdf_err *err);

/* The device of the host whose IOMMU is used. */
struct vdf_host {
    struct vdf_host *next;
    char address[16]; /* "mock", or of PCI */
    unsigned refs;
    bool taken;      /* it is attached, for a device in the tree */
    int iommu;       /* /dev/iommu */
    int device;      /* VFIO's; -1: the mock's, which is made in an address space */
    int request;     /* eventfd that the kernel writes when it wants the device back; or -1 */
    uint32_t dev_id; /* in the iommufd */
};

/** vdf_host_open() - open and bind it, or share what is open. ENODEV where it is not there. */
int vdf_host_open(const char *address, struct vdf_host **host, struct vdf_err *err);
/** vdf_host_take() - be the one who attaches it: EBUSY while another device of the tree is. */
int vdf_host_take(struct vdf_host *host, struct vdf_err *err);
/** vdf_host_leave() - another may. */
void vdf_host_leave(struct vdf_host *host);
/** vdf_host_close() - the last one unbinds it. */
void vdf_host_close(struct vdf_host *host);

#endif
