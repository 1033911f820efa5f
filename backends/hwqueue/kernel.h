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

/* The objects behind a device, from /dev/iommu on. */
struct vdf_kernel;

/** vdf_kernel_open() - make all objects, for the existing mappings, virtual devices and queues. A
 *  failure leaves none. */
int vdf_kernel_open(struct vdf_hwqueue *dev, struct vdf_err *err);
/** vdf_kernel_close() - destroy all objects; does nothing without any. */
void vdf_kernel_close(struct vdf_hwqueue *dev);
/** vdf_kernel_reopen() - make all objects again, after a change of something that they were made from.
 *  A failure leaves none, and the model takes over. */
int vdf_kernel_reopen(struct vdf_hwqueue *dev, struct vdf_err *err);

/* The device of the host whose IOMMU is used. */
struct vdf_host {
    struct vdf_host *next;
    char address[16]; /* "mock", or of PCI */
    unsigned refs;
    bool taken;      /* a device of the tree has attached it */
    int iommu;       /* /dev/iommu */
    int device;      /* of VFIO; -1: the mock, whose device is made in an address space */
    int request;     /* eventfd of the kernel's request to return the device; or -1 */
    uint32_t dev_id; /* in the iommufd */
};

/** vdf_host_open() - open and bind the device, or share an open one. ENODEV: there is no such
 *  device. */
int vdf_host_open(const char *address, struct vdf_host **host, struct vdf_err *err);
/** vdf_host_take() - become the owner of the attachment; EBUSY while another device of the tree
 *  is. */
int vdf_host_take(struct vdf_host *host, struct vdf_err *err);
/** vdf_host_leave() - end the ownership. */
void vdf_host_leave(struct vdf_host *host);
/** vdf_host_close() - the last close unbinds the device. */
void vdf_host_close(struct vdf_host *host);

#endif
