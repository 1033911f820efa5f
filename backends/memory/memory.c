/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory of devices and guests: sealed memfds, made when first touched.
 *
 * The seals keep the size: who has a descriptor of it, by passthrough or from a VM, cannot cut the
 * file and so make an access of ours fault.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <virtdevfs/memory.h>

void vdf_memory_init(struct vdf_memory *mem, const char *label, uint64_t size)
{
    uint64_t rounded;
    if (__builtin_add_overflow(size, VDF_PAGE_SIZE - 1, &rounded))
        rounded = UINT64_MAX; /* too much to be touched, as it is */
    *mem = (struct vdf_memory){
        .label = label,
        .size = rounded & ~(uint64_t)(VDF_PAGE_SIZE - 1),
        .fd = -1,
    };
}

void vdf_memory_free(struct vdf_memory *mem)
{
    if (mem->base) {
        munmap(mem->base, mem->size);
        close(mem->fd);
    }
    mem->base = NULL;
    mem->fd = -1;
}

int vdf_memory_touch(struct vdf_memory *mem)
{
    if (mem->base)
        return 0;
    if (!mem->size || mem->size > VDF_MEMORY_MAX)
        return -ENOMEM;

    int fd = memfd_create(mem->label, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return -errno;
    void *base = MAP_FAILED;
    if (!ftruncate(fd, (off_t)mem->size) &&
        !fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL))
        base = mmap(NULL, mem->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (base == MAP_FAILED) {
        int rc = -errno;
        close(fd);
        return rc;
    }
    mem->fd = fd;
    mem->base = base;
    return 0;
}

void *vdf_memory_at(struct vdf_memory *mem, uint64_t offset, uint64_t len)
{
    if (offset > mem->size || len > mem->size - offset)
        return NULL;
    return vdf_memory_touch(mem) ? NULL : mem->base + offset;
}

uint64_t vdf_memory_data(const struct vdf_memory *mem, uint64_t offset, uint64_t *end)
{
    *end = mem->size;
    if (offset >= mem->size || !mem->base)
        return mem->size;
    off_t data = lseek(mem->fd, (off_t)offset, SEEK_DATA);
    if (data < 0) /* ENXIO: nothing but holes from here on; else this file does not tell */
        return errno == ENXIO ? mem->size : offset;
    off_t hole = lseek(mem->fd, data, SEEK_HOLE);
    if (hole > data)
        *end = (uint64_t)hole;
    return (uint64_t)data;
}

/* Zero a range and give its pages back. */
static void clear(struct vdf_memory *mem, uint64_t offset, uint64_t end)
{
    uint64_t data, data_end;
    if (offset == end || !fallocate(mem->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                                    (off_t)offset, (off_t)(end - offset)))
        return;
    for (; (data = vdf_memory_data(mem, offset, &data_end)) < end; offset = data_end) {
        if (data_end > end)
            data_end = end;
        memset(mem->base + data, 0, data_end - data);
    }
}

static bool is_zero(const uint8_t *page)
{
    return !page[0] && !memcmp(page, page + 1, VDF_PAGE_SIZE - 1);
}

int vdf_memory_swap_in(struct vdf_memory *mem, struct vdf_memory *other)
{
    if (!mem->base || mem->size != other->size) {
        struct vdf_memory was = *mem;
        mem->size = other->size;
        mem->fd = other->fd;
        mem->base = other->base;
        other->size = was.size;
        other->fd = was.fd;
        other->base = was.base;
        return 0;
    }

    /* Pages that are zero in @other become holes. Neither's holes are read, which would fill them.
     */
    uint64_t done = 0; /* up to here @mem has the new content */
    uint64_t data, end;
    for (uint64_t from = 0; (data = vdf_memory_data(other, from, &end)) < other->size; from = end) {
        for (uint64_t at = data; at < end; at += VDF_PAGE_SIZE) {
            if (is_zero(other->base + at))
                continue;
            clear(mem, done, at);
            memcpy(mem->base + at, other->base + at, VDF_PAGE_SIZE);
            done = at + VDF_PAGE_SIZE;
        }
    }
    clear(mem, done, mem->size);
    return 0;
}
