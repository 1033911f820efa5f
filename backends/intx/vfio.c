/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Commands of VFIO for one PCI device (Documentation/driver-api/vfio.rst of Linux). */
#include <errno.h>
#include <inttypes.h>
#include <linux/vfio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <virtdevfs/iommufd.h>

#include "config.h"
#include "vfio.h"

/* --- interrupts ------------------------------------------------------------------------------- */

static uint32_t index_of(enum vdf_vfio_irq irq)
{
    return irq == VDF_VFIO_MSI ? VFIO_PCI_MSI_IRQ_INDEX : VFIO_PCI_INTX_IRQ_INDEX;
}

/* A @count of 0 disables the kind of interrupt. */
static int set_irqs(const struct vdf_intx_vfio *vfio, uint32_t index, uint32_t flags,
                    uint32_t count, const char *name, struct vdf_err *err)
{
    struct vfio_irq_set set = {
        .argsz = sizeof(set),
        .flags = flags | VFIO_IRQ_SET_DATA_NONE,
        .index = index,
        .count = count,
    };

    return vdf_vfio_command(vfio->device, VFIO_DEVICE_SET_IRQS, &set, name, err);
}

static int set_unmask(const struct vdf_intx_vfio *vfio, int fd, struct vdf_err *err)
{
    return vdf_vfio_set_eventfd(vfio->device, VFIO_PCI_INTX_IRQ_INDEX, VFIO_IRQ_SET_ACTION_UNMASK,
                                fd, "VFIO_DEVICE_SET_IRQS, the eventfd that unmasks", err);
}

int vdf_intx_vfio_irq_on(struct vdf_intx_vfio *vfio, enum vdf_vfio_irq irq, bool unmasks,
                         struct vdf_err *err)
{
    struct vfio_irq_info info = { .argsz = sizeof(info), .index = index_of(irq) };
    const char *name = irq == VDF_VFIO_MSI ? "MSI" : "INTx";
    int ret = vdf_vfio_command(vfio->device, VFIO_DEVICE_GET_IRQ_INFO, &info,
                               "VFIO_DEVICE_GET_IRQ_INFO", err);

    if (ret < 0)
        return ret;
    if (!info.count)
        return vdf_fail(err, EOPNOTSUPP, "the device has no %s", name);
    vdf_intx_vfio_take(vfio); /* drop interrupts of an earlier use */
    ret = vdf_vfio_set_eventfd(
        vfio->device, info.index, VFIO_IRQ_SET_ACTION_TRIGGER, vfio->trigger,
        irq == VDF_VFIO_MSI ? "VFIO_DEVICE_SET_IRQS of MSI" : "VFIO_DEVICE_SET_IRQS of INTx", err);
    if (ret < 0)
        return ret;
    vfio->irq = irq;
    vfio->masked = irq == VDF_VFIO_INTX && vfio->bit10;
    vfio->unmasks = irq == VDF_VFIO_INTX && unmasks;
    if (vfio->unmasks && vfio->unmask >= 0)
        ret = set_unmask(vfio, vfio->unmask, err);
    if (ret < 0)
        vdf_intx_vfio_irq_off(vfio);
    return ret;
}

void vdf_intx_vfio_irq_off(struct vdf_intx_vfio *vfio)
{
    if (vfio->irq == VDF_VFIO_NO_IRQ)
        return;
    /* A device without a handler must not hold a line that others share. */
    if (vfio->irq == VDF_VFIO_INTX)
        vdf_intx_vfio_mask(vfio, NULL);
    set_irqs(vfio, index_of(vfio->irq), VFIO_IRQ_SET_ACTION_TRIGGER, 0, "VFIO_DEVICE_SET_IRQS, off",
             NULL);
    vfio->irq = VDF_VFIO_NO_IRQ;
    vfio->unmasks = false;
    vdf_intx_vfio_take(vfio);
}

int vdf_intx_vfio_mask(struct vdf_intx_vfio *vfio, struct vdf_err *err)
{
    int ret = set_irqs(vfio, VFIO_PCI_INTX_IRQ_INDEX, VFIO_IRQ_SET_ACTION_MASK, 1,
                       "VFIO_DEVICE_SET_IRQS, mask", err);

    if (ret == 0)
        vfio->masked = true;
    return ret;
}

int vdf_intx_vfio_unmask(struct vdf_intx_vfio *vfio, struct vdf_err *err)
{
    int ret = set_irqs(vfio, VFIO_PCI_INTX_IRQ_INDEX, VFIO_IRQ_SET_ACTION_UNMASK, 1,
                       "VFIO_DEVICE_SET_IRQS, unmask", err);

    if (ret == 0)
        vfio->masked = vfio->bit10;
    return ret;
}

int vdf_intx_vfio_unmask_fd(struct vdf_intx_vfio *vfio, bool on, struct vdf_err *err)
{
    int ret = 0;

    if (on == (vfio->unmask >= 0))
        return 0;
    if (on) {
        vfio->unmask = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (vfio->unmask < 0)
            return vdf_fail(err, errno, "eventfd: %s", strerror(errno));
        if (vfio->unmasks)
            ret = set_unmask(vfio, vfio->unmask, err);
        if (ret == 0)
            return 0;
    } else if (vfio->unmasks) {
        set_unmask(vfio, -1, NULL);
    }
    close(vfio->unmask);
    vfio->unmask = -1;
    return ret;
}

uint64_t vdf_intx_vfio_take(struct vdf_intx_vfio *vfio)
{
    eventfd_t count;

    return eventfd_read(vfio->trigger, &count) == 0 ? count : 0;
}

/* --- registers -------------------------------------------------------------------------------- */

static int transfer(const struct vdf_intx_vfio *vfio, bool write, void *bytes, size_t n,
                    uint64_t place, const char *name, struct vdf_err *err)
{
    ssize_t done;

    do {
        done = write ? pwrite(vfio->device, bytes, n, (off_t)place)
                     : pread(vfio->device, bytes, n, (off_t)place);
    } while (done < 0 && errno == EINTR);
    if (done < 0)
        return vdf_fail(err, errno, "%s: %s", name, strerror(errno));
    if ((size_t)done != n)
        return vdf_fail(err, EIO, "%s: %zd bytes of %zu", name, done, n);
    return 0;
}

int vdf_intx_vfio_config_read(const struct vdf_intx_vfio *vfio, void *bytes, size_t n,
                              uint64_t offset, struct vdf_err *err)
{
    return transfer(vfio, false, bytes, n, vfio->config_offset + offset, "configuration space",
                    err);
}

int vdf_intx_vfio_config_write(struct vdf_intx_vfio *vfio, const void *bytes, size_t n,
                               uint64_t offset, struct vdf_err *err)
{
    int ret = transfer(vfio, true, (void *)bytes, n, vfio->config_offset + offset,
                       "configuration space", err);
    uint8_t high;

    /* The kernel masks and unmasks with bit 10 of the command register. */
    if (ret == 0 && offset <= VDF_PCI_COMMAND + 1 && offset + n > VDF_PCI_COMMAND + 1) {
        ret = vdf_intx_vfio_config_read(vfio, &high, 1, VDF_PCI_COMMAND + 1, err);
        if (ret == 0 && vfio->bit10 != !!(high & VDF_PCI_COMMAND_INTX_DISABLE >> 8)) {
            vfio->bit10 = !vfio->bit10;
            vfio->masked = vfio->bit10;
        }
    }
    return ret;
}

int vdf_intx_vfio_bar(const struct vdf_intx_vfio *vfio, uint32_t bar, bool write, void *bytes,
                      size_t n, uint64_t offset, struct vdf_err *err)
{
    /* The effect of a longer access on hardware registers is not known. */
    if ((n != 1 && n != 2 && n != 4 && n != 8) || offset % n)
        return vdf_fail(err, EOPNOTSUPP,
                        "%zu bytes at 0x%" PRIx64 ": a BAR takes 1, 2, 4 or 8 bytes, aligned", n,
                        offset);
    return transfer(vfio, write, bytes, n, vfio->bars[bar].offset + offset, "BAR", err);
}

/* --- the device ------------------------------------------------------------------------------- */

static int get_region(const struct vdf_intx_vfio *vfio, uint32_t index, uint64_t *offset,
                      uint64_t *size, struct vdf_err *err)
{
    struct vfio_region_info info = { .argsz = sizeof(info), .index = index };
    int ret = vdf_vfio_command(vfio->device, VFIO_DEVICE_GET_REGION_INFO, &info,
                               "VFIO_DEVICE_GET_REGION_INFO", err);

    if (ret == 0) {
        *offset = info.offset;
        *size = info.size;
    }
    return ret;
}

static int get_regions(struct vdf_intx_vfio *vfio, struct vdf_err *err)
{
    struct vfio_device_info info = { .argsz = sizeof(info) };
    uint64_t size;
    int ret =
        vdf_vfio_command(vfio->device, VFIO_DEVICE_GET_INFO, &info, "VFIO_DEVICE_GET_INFO", err);

    if (ret == 0 && !(info.flags & VFIO_DEVICE_FLAGS_PCI))
        return vdf_fail(err, ENODEV, "it is not a PCI device");
    if (ret == 0)
        ret = get_region(vfio, VFIO_PCI_CONFIG_REGION_INDEX, &vfio->config_offset, &size, err);
    if (ret == 0 && size < VDF_PCI_CONFIG_SIZE)
        return vdf_fail(err, ENODEV, "its configuration space has %" PRIu64 " bytes", size);
    for (uint32_t k = 0; ret == 0 && k < VDF_VFIO_BARS; k++)
        ret = get_region(vfio, VFIO_PCI_BAR0_REGION_INDEX + k, &vfio->bars[k].offset,
                         &vfio->bars[k].size, err);
    return ret;
}

static int make_eventfd(int *fd, struct vdf_err *err)
{
    *fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return *fd < 0 ? vdf_fail(err, errno, "eventfd: %s", strerror(errno)) : 0;
}

static int open_all(struct vdf_intx_vfio *vfio, const char *host, struct vdf_err *err)
{
    uint32_t id, ioas;
    uint8_t high = 0;
    int ret = make_eventfd(&vfio->trigger, err);

    if (ret == 0)
        ret = make_eventfd(&vfio->request, err);
    if (ret == 0)
        ret = vdf_iommufd_open(&vfio->iommu, err);
    if (ret == 0)
        ret = vdf_vfio_open(host, &vfio->device, err);
    if (ret == 0)
        ret = vdf_vfio_bind(vfio->device, vfio->iommu, &id, err);
    if (ret == 0)
        ret = vdf_iommufd_ioas_alloc(vfio->iommu, &ioas, err);
    if (ret == 0)
        ret = vdf_vfio_attach(vfio->device, ioas, err);
    if (ret == 0)
        ret = get_regions(vfio, err);
    if (ret == 0)
        ret = vdf_vfio_watch_request(vfio->device, vfio->request, err);
    if (ret == 0)
        ret = vdf_intx_vfio_config_read(vfio, &high, 1, VDF_PCI_COMMAND + 1, err);
    vfio->bit10 = high & VDF_PCI_COMMAND_INTX_DISABLE >> 8;
    vfio->masked = vfio->bit10;
    return ret;
}

static void close_fd(int fd)
{
    if (fd >= 0)
        close(fd);
}

int vdf_intx_vfio_open(const char *host, struct vdf_intx_vfio **result, struct vdf_err *err)
{
    struct vdf_intx_vfio *vfio = calloc(1, sizeof(*vfio));

    if (!vfio)
        return vdf_fail(err, ENOMEM, "no memory for the device");
    vfio->iommu = vfio->device = vfio->trigger = vfio->unmask = vfio->request = -1;
    int ret = open_all(vfio, host, err);
    if (ret < 0) {
        vdf_intx_vfio_close(vfio);
        return ret;
    }
    *result = vfio;
    return 0;
}

/* Closing the device detaches and unbinds it, and its address space goes with the iommufd. */
void vdf_intx_vfio_close(struct vdf_intx_vfio *vfio)
{
    if (!vfio)
        return;
    vdf_intx_vfio_irq_off(vfio);
    close_fd(vfio->device);
    close_fd(vfio->iommu);
    close_fd(vfio->unmask);
    close_fd(vfio->request);
    close_fd(vfio->trigger);
    free(vfio);
}
