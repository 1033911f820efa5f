/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The host's device behind a vIOMMU: a PCI device that is bound to vfio-pci, or the mock's. A bound
 * device belongs to one iommufd until it is closed. A state that is tested before it replaces a device
 * of the tree therefore shares that device's iommufd. The attachment and the vDEVICE exist only once:
 * the object that has taken the host's device owns them, and receives the kernel's request to return
 * the device.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <virtdevfs/iommufd.h>
#include <virtdevfs/lock.h>

#include "hwqueue.h"

static struct vdf_lock lock = VDF_LOCK_INIT(VDF_RANK_HOST);
static struct vdf_host *hosts; /* the bound devices, which can be shared */

static int make_request(struct vdf_host *host, struct vdf_err *err)
{
    host->request = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (host->request < 0)
        return vdf_fail(err, errno, "eventfd: %s", strerror(errno));
    return vdf_vfio_watch_request(host->device, host->request, err);
}

static int open_device(struct vdf_host *host, struct vdf_err *err)
{
    int ret = vdf_vfio_open(host->address, &host->device, err);

    if (ret == 0)
        ret = vdf_vfio_bind(host->device, host->iommu, &host->dev_id, err);
    if (ret == 0)
        ret = make_request(host, err);
    return ret;
}

static void close_all(struct vdf_host *host)
{
    if (host->request >= 0)
        close(host->request);
    if (host->device >= 0)
        close(host->device);
    close(host->iommu);
}

static int open_all(struct vdf_host *host, struct vdf_err *err)
{
    int ret = vdf_iommufd_open(&host->iommu, err);

    host->device = host->request = -1;
    if (ret < 0 || strcmp(host->address, "mock") == 0)
        return ret;
    ret = open_device(host, err);
    if (ret < 0)
        close_all(host);
    return ret;
}

static int make(const char *address, struct vdf_host **result, struct vdf_err *err)
{
    struct vdf_host *host = calloc(1, sizeof(*host));

    if (!host)
        return vdf_fail(err, ENOMEM, "no memory for the host's device");
    strcpy(host->address, address);
    host->refs = 1;
    int ret = open_all(host, err);
    if (ret < 0) {
        free(host);
        return ret;
    }
    if (host->device >= 0) {
        host->next = hosts;
        hosts = host;
    }
    *result = host;
    return 0;
}

int vdf_host_open(const char *address, struct vdf_host **result, struct vdf_err *err)
{
    int ret = 0;

    vdf_lock(&lock);
    struct vdf_host *host = hosts;
    while (host && strcmp(host->address, address) != 0)
        host = host->next;
    if (!host)
        ret = make(address, result, err);
    else
        ret = vdf_vfio_allowed(address, err);
    if (host && ret == 0) {
        host->refs++;
        *result = host;
    }
    vdf_unlock(&lock);
    return ret;
}

int vdf_host_take(struct vdf_host *host, struct vdf_err *err)
{
    vdf_lock(&lock);
    bool was = host->taken;
    host->taken = true;
    vdf_unlock(&lock);
    return was ? vdf_fail(err, EBUSY, "%s: another device of the tree uses this device",
                          host->address)
               : 0;
}

void vdf_host_leave(struct vdf_host *host)
{
    vdf_lock(&lock);
    host->taken = false;
    vdf_unlock(&lock);
}

void vdf_host_close(struct vdf_host *host)
{
    vdf_lock(&lock);
    bool last = --host->refs == 0;
    if (last) {
        for (struct vdf_host **at = &hosts; *at; at = &(*at)->next) {
            if (*at != host)
                continue;
            *at = host->next;
            break;
        }
        close_all(host);
        free(host);
    }
    vdf_unlock(&lock);
}
