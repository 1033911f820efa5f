/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * VFIO's character devices: from a PCI address to a device whose DMA goes through an iommufd.
 *
 *     modprobe vfio-pci; cd /sys/bus/pci/devices/0000:00:03.0
 *     echo vfio-pci > driver_override; echo 0000:00:03.0 > /sys/bus/pci/drivers_probe; ls vfio-dev
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/vfio.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <virtdevfs/iommufd.h>
#include <virtdevfs/user.h>

#include "uapi.h"

#define SYSFS "/sys/bus/pci/devices"
#define ADDRESS_LEN 12u /* "0000:00:03.0" */

bool vdf_vfio_is_address(const char *text)
{
    static const char form[] = "xxxx:xx:xx.o";

    if (strlen(text) != ADDRESS_LEN)
        return false;
    for (unsigned k = 0; k < ADDRESS_LEN; k++) {
        bool right = text[k] == form[k];
        if (form[k] == 'x')
            right = text[k] && strchr("0123456789abcdef", text[k]);
        else if (form[k] == 'o')
            right = text[k] >= '0' && text[k] <= '7';
        if (!right)
            return false;
    }
    return true;
}

/* "vfio0" in the device's directory; empty when there is none. */
static int find_name(const char *address, char *name, size_t size, struct vdf_err *err)
{
    char path[64];
    struct dirent *entry;

    name[0] = '\0';
    snprintf(path, sizeof(path), SYSFS "/%s/vfio-dev", address);
    DIR *dir = opendir(path);
    if (!dir && errno != ENOENT)
        return vdf_fail(err, errno, "%s: %s", path, strerror(errno));
    if (!dir)
        return 0;
    while ((entry = readdir(dir)))
        if (!strncmp(entry->d_name, "vfio", 4) && strlen(entry->d_name) < size)
            strcpy(name, entry->d_name);
    closedir(dir);
    return 0;
}

/* The name of the driver that the device is bound to. */
static void find_driver(const char *address, char *name, size_t size)
{
    char path[64], target[256];

    snprintf(path, sizeof(path), SYSFS "/%s/driver", address);
    ssize_t n = readlink(path, target, sizeof(target) - 1);
    target[n < 0 ? 0 : n] = '\0';
    const char *last = strrchr(target, '/');
    snprintf(name, size, "%s", last ? last + 1 : "no driver");
}

static int fail_missing(const char *address, struct vdf_err *err)
{
    char path[64], driver[64];

    snprintf(path, sizeof(path), SYSFS "/%s", address);
    if (access(path, F_OK))
        return vdf_fail(err, ENODEV, "%s: this machine has no such PCI device", address);
    find_driver(address, driver, sizeof(driver));
    if (strcmp(driver, "vfio-pci"))
        return vdf_fail(err, ENODEV,
                        "%s: %s has it; cd " SYSFS "/%s; echo vfio-pci > driver_override; "
                        "echo %s > driver/unbind; echo %s > /sys/bus/pci/drivers_probe",
                        address, driver, address, address, address);
    return vdf_fail(err, ENODEV,
                    "%s: vfio-pci has no character device for it: a kernel with "
                    "CONFIG_VFIO_DEVICE_CDEV and an IOMMU makes one",
                    address);
}

/* The character device of a PCI device. */
static int find_device(const char *address, char *path, size_t size, struct vdf_err *err)
{
    char name[32];

    if (!vdf_vfio_is_address(address))
        return vdf_fail(err, EINVAL, "%.64s: a PCI address is written 0000:00:03.0", address);
    int ret = find_name(address, name, sizeof(name), err);
    if (ret < 0)
        return ret;
    if (!name[0])
        return fail_missing(address, err);
    snprintf(path, size, "/dev/vfio/devices/%s", name);
    return 0;
}

int vdf_vfio_open(const char *address, int *fd, struct vdf_err *err)
{
    char path[64];
    int ret = find_device(address, path, sizeof(path), err);

    if (ret == 0)
        ret = vdf_user_enter(err);
    if (ret < 0)
        return ret;
    *fd = open(path, O_RDWR | O_CLOEXEC);
    if (*fd < 0)
        ret = vdf_fail(err, errno, "%s: %s: %s", address, path, strerror(errno));
    vdf_user_leave();
    return ret;
}

int vdf_vfio_allowed(const char *address, struct vdf_err *err)
{
    char path[64];
    int ret = find_device(address, path, sizeof(path), err);

    if (ret == 0)
        ret = vdf_user_enter(err);
    if (ret < 0)
        return ret;
    if (faccessat(AT_FDCWD, path, R_OK | W_OK, AT_EACCESS) < 0)
        ret = vdf_fail(err, errno, "%s: %s: %s", address, path, strerror(errno));
    vdf_user_leave();
    return ret;
}

int vdf_vfio_command(int device, unsigned long request, void *arg, const char *name,
                     struct vdf_err *err)
{
    int ret;

    do {
        ret = ioctl(device, request, arg);
    } while (ret < 0 && errno == EINTR);
    return ret < 0 ? vdf_fail(err, errno, "%s: %s", name, strerror(errno)) : 0;
}

int vdf_vfio_bind(int device, int iommu, uint32_t *dev_id, struct vdf_err *err)
{
    struct uapi_bind_iommufd arg = { .argsz = sizeof(arg), .iommufd = iommu };
    int ret = vdf_vfio_command(device, UAPI_BIND_IOMMUFD, &arg, "VFIO_DEVICE_BIND_IOMMUFD", err);

    /* Nothing else in these arguments can be wrong. */
    if (ret == -EINVAL)
        return vdf_fail(err, EBUSY, "VFIO_DEVICE_BIND_IOMMUFD: the device is open elsewhere");
    if (ret == 0)
        *dev_id = arg.out_devid;
    return ret;
}

int vdf_vfio_attach(int device, uint32_t pt, struct vdf_err *err)
{
    struct uapi_attach_pt arg = { .argsz = sizeof(arg), .pt_id = pt };

    return vdf_vfio_command(device, UAPI_ATTACH_IOMMUFD_PT, &arg, "VFIO_DEVICE_ATTACH_IOMMUFD_PT",
                            err);
}

int vdf_vfio_detach(int device, struct vdf_err *err)
{
    struct uapi_detach_pt arg = { .argsz = sizeof(arg) };

    return vdf_vfio_command(device, UAPI_DETACH_IOMMUFD_PT, &arg, "VFIO_DEVICE_DETACH_IOMMUFD_PT",
                            err);
}

int vdf_vfio_set_eventfd(int device, uint32_t index, uint32_t action, int fd, const char *name,
                         struct vdf_err *err)
{
    union {
        struct vfio_irq_set set;
        uint8_t bytes[sizeof(struct vfio_irq_set) + sizeof(int32_t)];
    } arg = { .set = {
                  .argsz = sizeof(arg.bytes),
                  .flags = action | VFIO_IRQ_SET_DATA_EVENTFD,
                  .index = index,
                  .count = 1,
              } };
    int32_t value = fd;

    memcpy(arg.set.data, &value, sizeof(value));
    return vdf_vfio_command(device, VFIO_DEVICE_SET_IRQS, &arg, name, err);
}

int vdf_vfio_watch_request(int device, int fd, struct vdf_err *err)
{
    return vdf_vfio_set_eventfd(device, VFIO_PCI_REQ_IRQ_INDEX, VFIO_IRQ_SET_ACTION_TRIGGER, fd,
                                "VFIO_DEVICE_SET_IRQS of requests", err);
}
