/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The PCI devices of this host in sysfs: which of them are bound to VFIO, and which have an INTx. No
 * device is opened or accessed.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <virtdevfs/error.h>

#include "probe.h"

#define DEVICES "/sys/bus/pci/devices"
#define VFIO_PCI "/sys/bus/pci/drivers/vfio-pci"
#define VFIO_CLASS "/sys/class/vfio-dev"
#define CLASS_BRIDGE 0x06u /* base class */
#define CONFIG_PIN 0x3d    /* Interrupt Pin, PCI 3.0 section 6.2.4; 0: none */

struct pci_device {
    const char *address;
    int dir;
    unsigned vendor, device, class_code;
    char driver[64]; /* empty: none */
    char cdev[256];  /* "vfio0"; empty: none */
    bool iommu;      /* it is in an IOMMU's group */
    uint8_t pin;
};

static unsigned read_hex(int dir, const char *name)
{
    char text[32] = { 0 };
    int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return 0;
    ssize_t n = read(fd, text, sizeof(text) - 1);
    close(fd);
    return n > 0 ? (unsigned)strtoul(text, NULL, 16) : 0;
}

static void read_driver(struct pci_device *d)
{
    char target[256];
    ssize_t n = readlinkat(d->dir, "driver", target, sizeof(target) - 1);

    target[n > 0 ? n : 0] = '\0';
    const char *last = strrchr(target, '/');
    snprintf(d->driver, sizeof(d->driver), "%s", last ? last + 1 : "");
}

static void read_cdev(struct pci_device *d)
{
    int fd = openat(d->dir, "vfio-dev", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *entry;

    if (!dir) {
        if (fd >= 0)
            close(fd);
        return;
    }
    while ((entry = readdir(dir)))
        if (entry->d_name[0] != '.')
            snprintf(d->cdev, sizeof(d->cdev), "%s", entry->d_name);
    closedir(dir);
}

static int read_device(int devices, const char *address, struct pci_device *d)
{
    *d = (struct pci_device){ .address = address };
    d->dir = openat(devices, address, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (d->dir < 0)
        return -errno;
    d->vendor = read_hex(d->dir, "vendor");
    d->device = read_hex(d->dir, "device");
    d->class_code = read_hex(d->dir, "class");
    d->iommu = faccessat(d->dir, "iommu_group", F_OK, 0) == 0;
    read_driver(d);
    read_cdev(d);
    int config = openat(d->dir, "config", O_RDONLY | O_CLOEXEC);
    if (config < 0 || pread(config, &d->pin, 1, CONFIG_PIN) != 1)
        d->pin = 0;
    if (config >= 0)
        close(config);
    close(d->dir);
    return 0;
}

static void tell_missing(struct vdf_probe *probe, const struct pci_device *d)
{
    if (strcmp(d->driver, "vfio-pci") == 0) {
        vdf_probe_lack(probe, d->address, "vfio-pci has it, without a character device");
        vdf_probe_remedy(probe, "a kernel with CONFIG_VFIO_DEVICE_CDEV");
        return;
    }
    if (d->driver[0])
        vdf_probe_lack(probe, d->address, "the driver %s has it", d->driver);
    else
        vdf_probe_lack(probe, d->address, "no driver has it");
    if (!d->iommu)
        vdf_probe_remedy(probe, "an IOMMU (in QEMU -device intel-iommu), and then vfio-pci");
    else
        vdf_probe_remedy(probe, "vfio-pci bound to it instead, as virtdevfs(8) shows");
}

static void tell_device(struct vdf_probe *probe, const struct pci_device *d)
{
    char path[320];

    if (d->cdev[0]) {
        snprintf(path, sizeof(path), "/dev/vfio/devices/%s", d->cdev);
        if (access(path, R_OK | W_OK) == 0) {
            vdf_probe_have(probe, d->address, "%s", "");
        } else {
            vdf_probe_lack(probe, d->address, "access(2) to %s answers %s", path,
                           vdf_errno_name(errno));
            vdf_probe_remedy(probe, "root, or a right to %s", path);
        }
    } else {
        tell_missing(probe, d);
    }
    vdf_probe_value(probe, "id", "%04x:%04x", d->vendor, d->device);
    vdf_probe_value(probe, "driver", "%s", d->driver[0] ? d->driver : "none");
    vdf_probe_value(probe, "cdev", "%s", d->cdev[0] ? d->cdev : "none");
    vdf_probe_value(probe, "intx", "%s", d->pin ? "yes" : "no");
}

static void tell_driver(struct vdf_probe *probe)
{
    if (access(VFIO_PCI, F_OK) == 0) {
        vdf_probe_have(probe, "vfio-pci", "%s", "");
    } else {
        vdf_probe_lack(probe, "vfio-pci", "access(2) to " VFIO_PCI " answers %s",
                       vdf_errno_name(errno));
        vdf_probe_remedy(probe, "a kernel with CONFIG_VFIO_PCI, its module (vfio-pci)");
    }
    if (access(VFIO_CLASS, F_OK) == 0) {
        vdf_probe_have(probe, "cdev", "%s", "");
    } else {
        vdf_probe_lack(probe, "cdev", "access(2) to " VFIO_CLASS " answers %s",
                       vdf_errno_name(errno));
        vdf_probe_remedy(probe, "a kernel with CONFIG_VFIO_DEVICE_CDEV, its module (vfio)");
    }
}

static void run(struct vdf_probe *probe)
{
    struct dirent **names;
    struct pci_device device;

    tell_driver(probe);
    int dir = open(DEVICES, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int n = dir < 0 ? -1 : scandirat(dir, ".", &names, NULL, alphasort);
    if (n < 0) {
        vdf_probe_refused(probe, "devices", dir < 0 ? "open(2) of " DEVICES : "scandir(3)", errno,
                          "a machine with a PCI bus, and sysfs");
    }
    for (int k = 0; k < n; k++) {
        const char *name = names[k]->d_name;
        /* A bridge cannot be given to a guest. */
        if (name[0] != '.' && read_device(dir, name, &device) == 0 &&
            device.class_code >> 16 != CLASS_BRIDGE)
            tell_device(probe, &device);
        free(names[k]);
    }
    if (n >= 0)
        free(names);
    if (dir >= 0)
        close(dir);
}

const struct vdf_probe_part vdf_vfio_probe = {
    .name = "vfio",
    .title = "PCI devices, intx/NAME/devices/D/backend = vfio",
    .run = run,
};
