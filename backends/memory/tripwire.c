/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A second mapping of a memfd, write-protected by userfaultfd(2) to catch a store. */
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <virtdevfs/tripwire.h>

static int watch(int fd, void *base, uint64_t size)
{
    struct uffdio_api api = { .api = UFFD_API, .features = UFFD_FEATURE_WP_HUGETLBFS_SHMEM };
    struct uffdio_register range = {
        .range = { .start = (uintptr_t)base, .len = size },
        .mode = UFFDIO_REGISTER_MODE_WP,
    };

    if (ioctl(fd, UFFDIO_API, &api) < 0 || ioctl(fd, UFFDIO_REGISTER, &range) < 0)
        return -errno;
    return 0;
}

int vdf_tripwire_open(struct vdf_tripwire *wire, const struct vdf_memory *mem)
{
    if (!mem->base || mem->fd < 0)
        return -EINVAL;
    /* A guest's processor faults in the kernel, and only privileged processes may handle that. */
    int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return -errno;
    void *base = mmap(NULL, mem->size, PROT_READ | PROT_WRITE, MAP_SHARED, mem->fd, 0);
    int ret = base == MAP_FAILED ? -errno : watch(fd, base, mem->size);
    if (ret < 0) {
        if (base != MAP_FAILED)
            munmap(base, mem->size);
        close(fd);
        return ret;
    }
    *wire = (struct vdf_tripwire){ .fd = fd };
    vdf_memory_view(&wire->mem, mem->label, base, mem->size);
    return 0;
}

void vdf_tripwire_close(struct vdf_tripwire *wire)
{
    if (!wire->mem.base)
        return;
    vdf_tripwire_clear(wire);
    close(wire->fd);
    munmap(wire->mem.base, wire->mem.size);
    *wire = (struct vdf_tripwire){ 0 };
}

static int protect(const struct vdf_tripwire *wire, uint64_t mode)
{
    struct uffdio_writeprotect range = {
        .range = { .start = (uintptr_t)wire->mem.base, .len = wire->mem.size },
        .mode = mode,
    };
    int ret;

    /* EAGAIN while the address space is being copied or changed. */
    do
        ret = ioctl(wire->fd, UFFDIO_WRITEPROTECT, &range);
    while (ret < 0 && (errno == EAGAIN || errno == EINTR));
    return ret;
}

void vdf_tripwire_set(struct vdf_tripwire *wire)
{
    if (wire->mem.base && !wire->set)
        wire->set = protect(wire, UFFDIO_WRITEPROTECT_MODE_WP) == 0;
}

/* This also wakes the suspended threads, and discards their unread events. */
void vdf_tripwire_clear(struct vdf_tripwire *wire)
{
    if (wire->set)
        protect(wire, 0);
    wire->set = false;
}
