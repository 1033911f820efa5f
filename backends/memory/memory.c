/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory of devices and guests: sealed memfds, made when first touched.
 *
 * The seals fix the size: processes with a descriptor of it, by passthrough or from a VM, cannot
 * truncate the file and so make an access of this program fault.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <virtdevfs/memory.h>

void vdf_memory_init(struct vdf_memory *mem, const char *label, uint64_t size)
{
    uint64_t rounded;
    if (__builtin_add_overflow(size, VDF_PAGE_SIZE - 1, &rounded))
        rounded = UINT64_MAX; /* too large to be touched */
    *mem = (struct vdf_memory){
        .label = label,
        .size = rounded & ~(uint64_t)(VDF_PAGE_SIZE - 1),
        .length = size,
        .fd = -1,
    };
}

void vdf_memory_view(struct vdf_memory *mem, const char *label, void *base, uint64_t size)
{
    *mem = (struct vdf_memory){
        .label = label,
        .size = size,
        .length = size,
        .view = true,
        .fd = -1,
        .base = base,
    };
}

void vdf_memory_part(struct vdf_memory *mem, const char *label, const struct vdf_memory *whole,
                     uint64_t offset, uint64_t size)
{
    vdf_memory_view(mem, label, whole->base + offset, size);
    mem->whole = whole;
}

int vdf_memory_file(const struct vdf_memory *mem, uint64_t *offset)
{
    const struct vdf_memory *file = mem->whole ? mem->whole : mem;

    if (!mem->base || !file->base || file->huge)
        return -1;
    *offset = (uint64_t)(mem->base - file->base);
    return file->fd;
}

/* A mapping of huge pages is a whole number of them. */
static uint64_t mapped_size(const struct vdf_memory *mem)
{
    return mem->huge ? (mem->size + mem->huge - 1) & ~(mem->huge - 1) : mem->size;
}

void vdf_memory_free(struct vdf_memory *mem)
{
    if (mem->base && !mem->view) {
        munmap(mem->base, mapped_size(mem));
        close(mem->fd);
    }
    mem->base = NULL;
    mem->fd = -1;
    mem->huge = 0;
}

static int make(struct vdf_memory *mem, unsigned flags)
{
    int fd = memfd_create(mem->label, MFD_CLOEXEC | MFD_ALLOW_SEALING | flags);
    struct stat st;
    struct timespec never[2] = { { 0 }, { 0 } };

    if (fd < 0)
        return -errno;
    void *base = MAP_FAILED;
    mem->huge = 0;
    if (flags & MFD_HUGETLB && !fstat(fd, &st))
        mem->huge = (uint64_t)st.st_blksize;
    /* Mapping huge pages reserves them, so that a lack of pages shows here. */
    if (!ftruncate(fd, (off_t)(mem->huge ? mapped_size(mem) : mem->length)) &&
        !fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL))
        base = mmap(NULL, mapped_size(mem), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (base == MAP_FAILED) {
        int ret = -errno;
        mem->huge = 0;
        close(fd);
        return ret;
    }
    /* From now on its mtime changes only by a write(2) of another process. */
    futimens(fd, never);
    mem->fd = fd;
    mem->base = base;
    return 0;
}

int vdf_memory_touch(struct vdf_memory *mem)
{
    if (mem->base)
        return 0;
    if (mem->view || !mem->size || mem->size > VDF_MEMORY_MAX)
        return -ENOMEM;

    if (mem->prefer_huge && make(mem, MFD_HUGETLB) == 0)
        return 0;
    return make(mem, 0);
}

int vdf_memory_touch_both(struct vdf_memory *a, struct vdf_memory *b)
{
    bool there = a->base;
    int ret = vdf_memory_touch(a);

    if (ret < 0)
        return ret;
    ret = vdf_memory_touch(b);
    if (ret < 0 && !there)
        vdf_memory_free(a);
    return ret;
}

int vdf_memory_read(const struct vdf_memory *mem, uint64_t offset, void *to, size_t n)
{
    size_t done = 0;

    if (mem->base && mem->view) {
        memcpy(to, mem->base + offset, n);
        return 0;
    }
    while (mem->base && done < n) {
        ssize_t got = pread(mem->fd, (char *)to + done, n - done, (off_t)(offset + done));
        if (got < 0)
            return -errno;
        if (got == 0)
            break;
        done += (size_t)got;
    }
    memset((char *)to + done, 0, n - done);
    return 0;
}

void *vdf_memory_at(struct vdf_memory *mem, uint64_t offset, uint64_t len)
{
    int ret = -EFAULT;

    if (offset <= mem->size && len <= mem->size - offset)
        ret = vdf_memory_touch(mem);
    if (ret == 0)
        return mem->base + offset;
    errno = -ret;
    return NULL;
}

uint64_t vdf_memory_data(const struct vdf_memory *mem, uint64_t offset, uint64_t *end)
{
    *end = mem->size;
    if (offset >= mem->size || !mem->base)
        return mem->size;
    off_t data = lseek(mem->fd, (off_t)offset, SEEK_DATA);
    if (data < 0) /* ENXIO: only holes follow; other errors: not known */
        return errno == ENXIO ? mem->size : offset;
    off_t hole = lseek(mem->fd, data, SEEK_HOLE);
    if (hole > data && (uint64_t)hole < mem->size) /* huge pages may go beyond the size */
        *end = (uint64_t)hole;
    return (uint64_t)data;
}

/* Zero a range and free its pages. */
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

bool vdf_memory_same_kind(const struct vdf_memory *a, const struct vdf_memory *b)
{
    return a->size == b->size && a->view == b->view;
}

int vdf_memory_swap_in(struct vdf_memory *mem, struct vdf_memory *other)
{
    if (!mem->base || mem->size != other->size) {
        struct vdf_memory was = *mem;
        mem->size = other->size;
        mem->length = other->length;
        mem->fd = other->fd;
        mem->base = other->base;
        mem->huge = other->huge;
        other->size = was.size;
        other->length = was.length;
        other->fd = was.fd;
        other->base = was.base;
        other->huge = was.huge;
        return 0;
    }

    /* Pages that are zero in @other become holes. Holes are not read, which would fill them. */
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
