/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory that guests, files and devices share, and address spaces made of it.
 *
 * A struct vdf_memory is a sealed memfd that is made when it is first touched, so that an unused
 * device costs no descriptor. Other processes may map its pages (FUSE passthrough, a KVM slot), so
 * its content may change at any time: read a word once (vdf_load*), decide, and use the value that
 * was read.
 *
 * A struct vdf_space is the address space of a device's DMA: regions, each at a guest address. A
 * region has memory here, or another process answers for it by messages. Addresses and lengths come
 * from guests; every access is checked without overflow.
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
    uint64_t length;   /* bytes of the file, up to the end of its last page; the mapping has all of
                       * that page */
    bool view;         /* of another owner's mapping: never made, never freed */
    bool prefer_huge;  /* set before the first touch: use huge pages if the machine has free ones.
                       * Their memfd can neither be written nor passed to others. */
    int fd;            /* valid while `base` is set; -1: a view has none */
    uint8_t *base;     /* NULL until first touched, and in a view of nothing */
    uint64_t huge;     /* bytes of a huge page; 0: the pages are ordinary */
    const struct vdf_memory *whole; /* that a view is a part of; NULL: not known */
};

/** vdf_memory_init() - describe memory of @size bytes, rounded up to whole pages; touches nothing. */
void vdf_memory_init(struct vdf_memory *mem, const char *label, uint64_t size);

/** vdf_memory_free() - unmap and close, or forget a view; the structure may be initialised again.
 */
void vdf_memory_free(struct vdf_memory *mem);

/** vdf_memory_view() - describe @size bytes at @base that have another owner. @mem has no memory of
 *  its own. */
void vdf_memory_view(struct vdf_memory *mem, const char *label, void *base, uint64_t size);

/** vdf_memory_part() - describe a part of @whole, which has been touched, as a view. */
void vdf_memory_part(struct vdf_memory *mem, const char *label, const struct vdf_memory *whole,
                     uint64_t offset, uint64_t size);

/**
 * vdf_memory_file() - the descriptor by which another process can map the memory.
 * @offset: result: where the memory begins in the file
 *
 * Return: -1: there is none. The memory has not been touched, is a view of memory without a
 * descriptor, or has huge pages.
 */
int vdf_memory_file(const struct vdf_memory *mem, uint64_t *offset);

/**
 * vdf_memory_touch() - make the memfd and map it, if that has not been done.
 * Return: 0, -ENOMEM, or -errno of memfd_create(2), ftruncate(2) and mmap(2).
 */
int vdf_memory_touch(struct vdf_memory *mem);

/** vdf_memory_touch_both() - the same for two memories; a failure makes neither. */
int vdf_memory_touch_both(struct vdf_memory *a, struct vdf_memory *b);

/**
 * vdf_memory_at() - the address of @len bytes at @offset; touches the memory if necessary.
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
 * vdf_memory_data() - find the next part that has been written to, without touching any. The
 * memory outside of such parts is zero and has no pages.
 * @offset: bytes; where to begin
 * @end:    result: offset of the part's end
 *
 * Return: offset of its start; the memory's size when there is none.
 */
uint64_t vdf_memory_data(const struct vdf_memory *mem, uint64_t offset, uint64_t *end);

/** vdf_memory_same_kind() - can one keep its descriptor and its mappings when it gets the content of
 *  the other? Both have the same size, and both have memory of their own or both are views. */
bool vdf_memory_same_kind(const struct vdf_memory *a, const struct vdf_memory *b);

/** vdf_memory_swap_in() - give @mem the content of @other, keeping @mem's descriptor if the sizes
 *  agree, so that existing mappings see the new content. The caller frees @other. */
int vdf_memory_swap_in(struct vdf_memory *mem, struct vdf_memory *other);

/* Memory of another process, by descriptor; `mem` may be a region of a space until it is closed. */
struct vdf_import {
    struct vdf_memory mem; /* not for vdf_memory_free() and vdf_memory_swap_in() */
    void *map;             /* NULL: closed */
    size_t map_len;
    int slot;
};

/**
 * vdf_import_open() - map a part of another process's file; the descriptor may be closed afterwards.
 * @offset, @size: bytes; the part has to lie within the file as it is now
 * @write: for stores too; otherwise a descriptor that can only be read suffices
 *
 * The owner may truncate the file later. Accesses beyond its end then meet zero pages, and
 * vdf_import_lost() returns true.
 *
 * Return: 0, -EINVAL, -EACCES (no descriptor for stores), -ENOSPC, or -errno of mmap(2).
 */
int vdf_import_open(struct vdf_import *import, int fd, uint64_t offset, uint64_t size, bool write,
                    struct vdf_err *err);

/** vdf_import_close() - unmap; nothing when it is closed. */
void vdf_import_close(struct vdf_import *import);

/** vdf_import_hang_up() - shut down the owner's connection @socket as soon as an access finds that the
 *  memory is lost. The socket stays open until the import is closed. */
void vdf_import_hang_up(struct vdf_import *import, int socket);

/** vdf_import_lost() - has the owner truncated memory that was accessed? Then use no more of it. */
bool vdf_import_lost(const struct vdf_import *import);

/* Memory that another process reads and writes for this one. */
struct vdf_remote_memory {
    /* Copy @n bytes, at most `most`, at guest address @addr. Return: 0 or -errno. */
    int (*read)(void *ctx, uint64_t addr, void *to, size_t n);
    int (*write)(void *ctx, uint64_t addr, const void *from, size_t n);
    void *ctx;
    size_t most; /* bytes, at least 8 */
};

/* All words of a region's bitmap of dirty pages; page 0 begins at the region's first byte. */
#define VDF_DIRTY_PAGE 4096u
#define VDF_DIRTY_WORDS(len) (((len)-1) / VDF_DIRTY_PAGE / 64 + 1)

struct vdf_region {
    uint64_t addr;          /* guest address */
    uint64_t len;           /* bytes */
    struct vdf_memory *mem; /* NULL: `remote` has it */
    uint64_t offset;        /* of the region in `mem` */
    const struct vdf_remote_memory *remote;
    _Atomic uint64_t *dirty; /* bitmap of the pages that devices may have written; NULL: none */
    bool read_only;          /* for the device */
};

struct vdf_space {
    unsigned n;                       /* regions */
    const struct vdf_region *regions; /* sorted by address, without overlaps; NULL: `one` */
    struct vdf_region one;
};

/** vdf_space_of() - the space that is one memory from address 0. */
static inline struct vdf_space vdf_space_of(struct vdf_memory *mem)
{
    return (struct vdf_space){ .n = 1, .one = { .len = mem->size, .mem = mem } };
}

/** vdf_space_regions() - the space's `n` regions. */
static inline const struct vdf_region *vdf_space_regions(const struct vdf_space *space)
{
    return space->regions ? space->regions : &space->one;
}

/**
 * vdf_space_at() - the address of guest memory.
 * @addr, @len: guest address and bytes; the range has to lie in one region
 * @write: the device wants to write there; the pages become dirty
 *
 * Return: NULL when @len is 0, the range overflows, crosses or leaves a region, is read-only, or is
 * in a region without memory here.
 */
void *vdf_space_at(const struct vdf_space *space, uint64_t addr, uint64_t len, bool write);

/**
 * vdf_space_has() - whether a device can reach a range of guest memory. The range may cross from one
 * region into an adjacent one, since a guest sees memory that was plugged in later as one memory.
 * Otherwise false where vdf_space_at() returns NULL, except in regions of other processes.
 */
bool vdf_space_has(const struct vdf_space *space, uint64_t addr, uint64_t len, bool write);

/** vdf_space_copy_in() - copy guest memory to @to. False: vdf_space_has() is false, or another
 *  process has not answered for its part; @to may have been written to then. */
bool vdf_space_copy_in(const struct vdf_space *space, uint64_t addr, void *to, uint64_t len);

/** vdf_space_copy_out() - copy @from to guest memory; false as vdf_space_copy_in(). */
bool vdf_space_copy_out(const struct vdf_space *space, uint64_t addr, const void *from,
                        uint64_t len);

/*
 * vdf_space_load_le16() and the like load or store one word of guest memory as vdf_load_le16() and
 * the like below do; in a region of another process, with one message.
 * False: the word is not in the space, or not naturally aligned.
 */
#define VDF_SPACE_WORD(bits)                                                    \
    bool vdf_space_load_le##bits(const struct vdf_space *space, uint64_t addr,  \
                                 uint##bits##_t *value);                        \
    bool vdf_space_store_le##bits(const struct vdf_space *space, uint64_t addr, \
                                  uint##bits##_t value);
VDF_SPACE_WORD(16)
VDF_SPACE_WORD(32)
VDF_SPACE_WORD(64)
#undef VDF_SPACE_WORD

/**
 * vdf_dirty_take() - read and clear a part of the region's bitmap of dirty pages.
 * @first, @n: pages, all within the region
 * @bitmap: result, (@n + 7) / 8 bytes: bit i % 8 of byte i / 8 is page @first + i
 *
 * No thread is inside a device that uses the region: a page becomes dirty before it is written.
 */
void vdf_dirty_take(const struct vdf_region *region, uint64_t first, uint64_t n, uint8_t *bitmap);

/*
 * One load or one store of a word that others may change at the same time: naturally aligned, with
 * the byte order in the name; loads acquire and stores release, so that an index publishes the
 * writes before it.
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
/** vdf_exchange_le32() - store @now if the word is still @before. */
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
