/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory of another process, passed by descriptor.
 *
 * The owner can truncate the file at any time, and a load or store behind the new end is a SIGBUS.
 * Seals would rule that out, but common front ends pass plain files. So each mapping is in a table that
 * a SIGBUS handler searches: the handler puts zero pages in place of the whole mapping and marks the
 * mapping lost. The access goes on with the zero pages, and users of the mapping check the mark.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <virtdevfs/lock.h>
#include <virtdevfs/memory.h>

#define SLOTS 4096u

/*
 * The handler reads this table in any thread while others change rows of it, but never the row of
 * the mapping that it was called for: no mapping is closed during an access. `base` is written first
 * and read twice, so that a row which changes in between is skipped.
 */
static struct slot {
    uintptr_t base; /* 0: free */
    size_t len;
    int socket; /* to shut down; -1: none */
    bool lost;
} slots[SLOTS];

static struct vdf_lock slots_lock = VDF_LOCK_INIT(VDF_RANK_HOST); /* for writing rows */
static struct sigaction next_action; /* the handler of SIGBUS before this one */

static void on_sigbus(int sig, siginfo_t *info, void *context)
{
    uintptr_t at = (uintptr_t)info->si_addr;
    int saved = errno;

    for (unsigned i = 0; i < SLOTS; i++) {
        struct slot *slot = &slots[i];
        uintptr_t base = __atomic_load_n(&slot->base, __ATOMIC_ACQUIRE);
        size_t len = __atomic_load_n(&slot->len, __ATOMIC_ACQUIRE);

        if (!base || at < base || at - base >= len ||
            __atomic_load_n(&slot->base, __ATOMIC_ACQUIRE) != base)
            continue;
        if (mmap((void *)base, len, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) == MAP_FAILED)
            break;
        __atomic_store_n(&slot->lost, true, __ATOMIC_RELEASE);
        int socket = __atomic_load_n(&slot->socket, __ATOMIC_ACQUIRE);
        if (socket >= 0)
            shutdown(socket, SHUT_RDWR);
        errno = saved;
        return;
    }
    /* Not in the table: act as if this handler did not exist. */
    if (next_action.sa_flags & SA_SIGINFO) {
        next_action.sa_sigaction(sig, info, context);
        return;
    }
    if (next_action.sa_handler != SIG_DFL && next_action.sa_handler != SIG_IGN) {
        next_action.sa_handler(sig);
        return;
    }
    signal(sig, SIG_DFL);
    raise(sig);
}

static void install_handler(void)
{
    struct sigaction action = { .sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO | SA_NODEFER };

    sigemptyset(&action.sa_mask);
    sigaction(SIGBUS, &action, &next_action);
}

/* Index of a row, or -1 when all are taken. */
static int take_slot(void *base, size_t len)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    int found = -1;

    pthread_once(&once, install_handler);
    vdf_lock(&slots_lock);
    for (unsigned i = 0; i < SLOTS && found < 0; i++) {
        if (slots[i].base)
            continue;
        slots[i].lost = false;
        slots[i].socket = -1;
        __atomic_store_n(&slots[i].base, (uintptr_t)base, __ATOMIC_RELEASE);
        __atomic_store_n(&slots[i].len, len, __ATOMIC_RELEASE);
        found = (int)i;
    }
    vdf_unlock(&slots_lock);
    return found;
}

static void free_slot(int index)
{
    vdf_lock(&slots_lock);
    __atomic_store_n(&slots[index].len, 0, __ATOMIC_RELEASE);
    __atomic_store_n(&slots[index].base, 0, __ATOMIC_RELEASE);
    vdf_unlock(&slots_lock);
}

/* Local file systems whose device number is not that of a disk. */
static const char *const local_types[] = { "bcachefs", "btrfs", "overlay", "ramfs", "zfs" };

static bool is_local_type(const char *type)
{
    size_t len = strcspn(type, " ");

    for (size_t i = 0; i < sizeof(local_types) / sizeof(local_types[0]); i++)
        if (strlen(local_types[i]) == len && !memcmp(type, local_types[i], len))
            return true;
    return false;
}

/* Whether the mount's file system is one of them; does not ask the file system itself. */
static bool is_local_mount(uint64_t id)
{
    FILE *mounts = fopen("/proc/self/mountinfo", "re");
    char *line = NULL;
    size_t size = 0;
    bool local = false;

    if (!mounts)
        return false;
    while (getline(&line, &size, mounts) >= 0) {
        const char *type = strstr(line, " - ");

        if (type && strtoull(line, NULL, 10) == id) {
            local = is_local_type(type + 3);
            break;
        }
    }
    free(line);
    fclose(mounts);
    return local;
}

/*
 * A page of a file that another process or machine serves may never come, and the thread that waits
 * for the page holds a lock. fstat(2) may block as well. Files in memory are recognised by their seals,
 * files on a disk by their device number, the rest by the type of their mount; none of these checks
 * asks the file system.
 */
static int check_file(int fd, uint64_t *size, uint64_t *align, struct vdf_err *err)
{
    bool in_memory = fcntl(fd, F_GET_SEALS) >= 0;
    struct statfs fs;
    struct statx st;

    if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE | STATX_SIZE | STATX_MNT_ID,
              &st))
        return vdf_fail(err, errno, "the memory's descriptor: %s", strerror(errno));
    if (!S_ISREG(st.stx_mode))
        return vdf_fail(err, EINVAL, "the memory's descriptor is not a file that can be mapped");
    if (!in_memory && !st.stx_dev_major && !is_local_mount(st.stx_mnt_id))
        return vdf_fail(err, EINVAL,
                        "memory in a file system that is not local: tmpfs, "
                        "hugetlbfs, a memfd or a local file system is needed");
    if (fstatfs(fd, &fs))
        return vdf_fail(err, errno, "the memory's descriptor: %s", strerror(errno));
    if ((uint32_t)fs.f_type == FUSE_SUPER_MAGIC)
        return vdf_fail(err, EINVAL, "memory in a FUSE file system: a process serves it");
    *size = st.stx_size;
    *align = (uint32_t)fs.f_type == HUGETLBFS_MAGIC ? (uint64_t)fs.f_bsize : VDF_PAGE_SIZE;
    return 0;
}

int vdf_import_open(struct vdf_import *import, int fd, uint64_t offset, uint64_t size, bool write,
                    struct vdf_err *err)
{
    uint64_t align, file_size, start, end, len;
    void *map;
    int slot, r = check_file(fd, &file_size, &align, err);

    if (r)
        return r;
    if (!size || __builtin_add_overflow(offset, size, &end) || end > file_size)
        return vdf_fail(err, EINVAL,
                        "memory of 0x%" PRIx64 " bytes at 0x%" PRIx64 " of a file of 0x%" PRIx64
                        ": it must lie within the file",
                        size, offset, file_size);
    start = offset & ~(align - 1);
    if (__builtin_add_overflow(end - start, align - 1, &len) || len > SIZE_MAX / 2)
        return vdf_fail(err, EINVAL, "memory of 0x%" PRIx64 " bytes is too large", size);
    len &= ~(align - 1);

    map = mmap(NULL, len, write ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED | MAP_NORESERVE,
               fd, (off_t)start);
    if (map == MAP_FAILED)
        return vdf_fail(err, errno, "memory of 0x%" PRIx64 " bytes cannot be mapped: %s", size,
                        strerror(errno));
    slot = take_slot(map, len);
    if (slot < 0) {
        munmap(map, len);
        return vdf_fail(err, ENOSPC, "%u mappings of other processes' memory are in use, the limit",
                        SLOTS);
    }
    *import = (struct vdf_import){
        .mem = { .label = "import",
                 .size = size,
                 .length = size,
                 .view = true,
                 .fd = -1,
                 .base = (uint8_t *)map + (offset - start) },
        .map = map,
        .map_len = len,
        .slot = slot,
    };
    return 0;
}

void vdf_import_close(struct vdf_import *import)
{
    if (!import->map)
        return;
    free_slot(import->slot);
    munmap(import->map, import->map_len);
    *import = (struct vdf_import){ 0 };
}

void vdf_import_hang_up(struct vdf_import *import, int socket)
{
    if (import->map)
        __atomic_store_n(&slots[import->slot].socket, socket, __ATOMIC_RELEASE);
}

bool vdf_import_lost(const struct vdf_import *import)
{
    return import->map && __atomic_load_n(&slots[import->slot].lost, __ATOMIC_ACQUIRE);
}
