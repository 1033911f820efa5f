/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory that guests, files and devices share, and address spaces made of it.
 *
 * A struct vdf_memory is a sealed memfd that comes into being when it is first touched, so that a
 * device that nobody uses costs no descriptor. Its pages may be mapped by others (FUSE passthrough,
 * a KVM slot), hence its content may change at any moment: read a word once (vdf_load*), decide,
 * and never read it again to use it.
 *
 * A struct vdf_space is what a device's DMA sees: a few regions, each at a guest address. Addresses
 * and lengths come from guests; every access is checked without overflow.
 */
#ifndef VIRTDEVFS_MEMORY_H
#define VIRTDEVFS_MEMORY_H

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <virtdevfs/buf.h>
#include <virtdevfs/error.h>

#define VDF_MEMORY_MAX (UINT64_C(1) << 30) /* bytes a device may own */
#define VDF_PAGE_SIZE 4096u

struct vdf_memory {
    const char *label; /* memfd name, seen in /proc/PID/maps */
    uint64_t size;     /* bytes, a multiple of VDF_PAGE_SIZE */
    uint64_t length;  /* of the memfd as a file, up to the end of its last page; the mapping has all
                       * of  that page */
    bool view;        /* of what somebody else has mapped: never made, never freed */
    int fd;           /* valid while `base` is set; -1: a view has none */
    uint8_t *base;    /* NULL until first touched, and in a view of nothing */
    bool prefer_huge; /* set before it is touched: of huge pages, where the machine has them free.
                       * Their memfd can neither be written nor given to others to map. */
    uint64_t huge;    /* bytes of such a page; 0: it is of ordinary ones */
};

/** vdf_memory_init() - describe memory of @size bytes, and what is left of the last page; touches
 *  nothing. */
void vdf_memory_init(struct vdf_memory *mem, const char *label, uint64_t size);

/** vdf_memory_free() - unmap and close, or forget a view; the structure may be initialised again.
 */
void vdf_memory_free(struct vdf_memory *mem);

/** vdf_memory_view() - describe @size bytes at @base, which stay somebody else's. @mem has no
 *  memory of its own. */
void vdf_memory_view(struct vdf_memory *mem, const char *label, void *base, uint64_t size);

/**
 * vdf_memory_touch() - make the memfd and map it, if that has not been done.
 * Return: 0, -ENOMEM, or -errno of memfd_create(2), ftruncate(2) and mmap(2).
 */
int vdf_memory_touch(struct vdf_memory *mem);

/** vdf_memory_touch_both() - the same for two, or for neither. */
int vdf_memory_touch_both(struct vdf_memory *a, struct vdf_memory *b);

/**
 * vdf_memory_at() - where @len bytes at @offset lie, touching the memory if need be.
 * Return: NULL, with errno set, when any byte lies outside, or when the memory cannot be made.
 */
void *vdf_memory_at(struct vdf_memory *mem, uint64_t offset, uint64_t len);

/**
 * vdf_memory_read() - copy @n bytes at @offset, all within the size, to @to. Pages that have never
 * been touched are read as zeros and not made.
 * Return: 0 or -errno of pread(2).
 */
int vdf_memory_read(const struct vdf_memory *mem, uint64_t offset, void *to, size_t n);

/**
 * vdf_memory_data() - find the next part that has been written to, without touching any; what lies
 * outside of such parts is zero and has no pages.
 * @offset: bytes; where to begin
 * @end:    result: offset of the part's end
 *
 * Return: offset of its start; the memory's size when there is none.
 */
uint64_t vdf_memory_data(const struct vdf_memory *mem, uint64_t offset, uint64_t *end);

/** vdf_memory_same_kind() - may the one keep its descriptor and its mappings when it gets the
 * content of the other? Both are of one size, and both memory of their own or both views. */
bool vdf_memory_same_kind(const struct vdf_memory *a, const struct vdf_memory *b);

/** vdf_memory_swap_in() - give @mem the content of @other, keeping @mem's descriptor if the sizes
 *  agree, so that whoever has it mapped sees the new content. @other is left to be freed. */
int vdf_memory_swap_in(struct vdf_memory *mem, struct vdf_memory *other);

/* Memory of another process, by descriptor; `mem` may be a region of a space until it is closed. */
struct vdf_import {
    struct vdf_memory mem; /* not to be given to vdf_memory_free() and vdf_memory_swap_in() */
    void *map;             /* NULL: closed */
    size_t map_len;
    int slot;
};

/**
 * vdf_import_open() - map a part of somebody's file; the descriptor may be closed afterwards.
 * @offset, @size: bytes; the part has to lie within the file as it is now
 *
 * The owner may cut the file later. Accesses to what is no longer there then meet zero pages, and
 * vdf_import_lost() tells.
 *
 * Return: 0, -EINVAL, -EACCES (read-only), -ENOSPC, or -errno of mmap(2).
 */
int vdf_import_open(struct vdf_import *import, int fd, uint64_t offset, uint64_t size,
                    struct vdf_err *err);

/** vdf_import_close() - unmap; nothing when it is closed. */
void vdf_import_close(struct vdf_import *import);

/** vdf_import_lost() - the owner has taken away memory that was accessed: use no more of it. */
bool vdf_import_lost(const struct vdf_import *import);

#define VDF_SPACE_REGIONS 32

struct vdf_region {
    uint64_t addr; /* guest address */
    uint64_t len;  /* bytes */
    struct vdf_memory *mem;
    uint64_t offset; /* of the region in `mem` */
    bool read_only;  /* for the device */
};

struct vdf_space {
    unsigned n;
    struct vdf_region regions[VDF_SPACE_REGIONS];
};

/**
 * vdf_space_at() - where guest memory lies for the device.
 * @addr, @len: guest address and bytes; the range has to lie in one region
 * @write: the device wants to write there
 *
 * Return: NULL when @len is 0, the range overflows, crosses or leaves a region, or is read-only.
 */
void *vdf_space_at(const struct vdf_space *space, uint64_t addr, uint64_t len, bool write);

/**
 * vdf_space_has() - whether a device can reach a range of guest memory, which may go from one
 * region into the next where they touch, as a guest with memory that was plugged in later sees one
 * memory. False as NULL of vdf_space_at(), but for a range that crosses into another region.
 */
bool vdf_space_has(const struct vdf_space *space, uint64_t addr, uint64_t len, bool write);

/** vdf_space_copy_in() - copy guest memory to @to; false when vdf_space_has() says so. */
bool vdf_space_copy_in(const struct vdf_space *space, uint64_t addr, void *to, uint64_t len);

/** vdf_space_copy_out() - copy @from to guest memory; false when vdf_space_has() says so. */
bool vdf_space_copy_out(const struct vdf_space *space, uint64_t addr, const void *from,
                        uint64_t len);

/*
 * One load or one store of a word that others may change at the same time: naturally aligned, with
 * the byte order in the name; loads acquire and stores release, so that an index publishes what was
 * written before it.
 */
#define VDF_SHARED_WORD(bits, order)                                                           \
    static inline uint##bits##_t vdf_load_##order##bits(const void *p)                         \
    {                                                                                          \
        return order##bits##toh(__atomic_load_n((const uint##bits##_t *)p, __ATOMIC_ACQUIRE)); \
    }                                                                                          \
    static inline void vdf_store_##order##bits(void *p, uint##bits##_t value)                  \
    {                                                                                          \
        __atomic_store_n((uint##bits##_t *)p, hto##order##bits(value), __ATOMIC_RELEASE);      \
    }
/** vdf_exchange_le32() - one store of @now, if the word is @before until then. */
static inline void vdf_exchange_le32(void *p, uint32_t before, uint32_t now)
{
    uint32_t expected = htole32(before);
    __atomic_compare_exchange_n((uint32_t *)p, &expected, htole32(now), false, __ATOMIC_RELEASE,
                                __ATOMIC_RELAXED);
}
VDF_SHARED_WORD(16, le)
VDF_SHARED_WORD(32, le)
VDF_SHARED_WORD(64, le)
VDF_SHARED_WORD(16, be)
VDF_SHARED_WORD(32, be)
VDF_SHARED_WORD(64, be)
#undef VDF_SHARED_WORD

#endif
