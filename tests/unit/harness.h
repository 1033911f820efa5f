/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A tree without a mount, for unit tests: the same paths, the same text and the same errnos as
 * through FUSE, by function call. One tree a test program, without an engine unless it is asked
 * for: what the engine would call (timers, pollers of open pages) is not called.
 */
#ifndef VDF_TEST_HARNESS_H
#define VDF_TEST_HARNESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <virtdevfs/component.h>
#include <virtdevfs/engine.h>

/* A fresh tree with the default devices ("con0", ...) or, if @empty, none; frees an earlier one. */
void vdf_test_tree(bool empty);
/* The same with an engine, whose thread runs until the tree is freed. Return: false, and a line of
 * output says why, when the kernel has no such engine. */
bool vdf_test_tree_with_engine(enum vdf_engine_kind kind, bool empty);
/* Free the tree; what is leaked then is a failure under ASan. */
void vdf_test_tree_free(void);

/* 0 or -errno, as the system call on the mount would answer. */
int vdf_test_mkdir(const char *path);
int vdf_test_rmdir(const char *path);
bool vdf_test_exists(const char *path);
/* Every path of the tree, breadth first, those of directories with a '/' at the end; @n of them. */
char **vdf_test_paths(size_t *n);

/* Write @text to a value file or a `state`. */
int vdf_test_write(const char *path, const char *text);
int vdf_test_write_u64(const char *path, uint64_t value);
/* The content of a value file without its final newline, in a static buffer that the next call
 * reuses (copy what has to last, state files above all); "-ENOENT" and the like on failure. */
const char *vdf_test_read(const char *path);
/* The number in a value file; fails the program when it is none. */
uint64_t vdf_test_read_u64(const char *path);

/* Raw files and windows. Bytes moved or -errno. */
ssize_t vdf_test_pread(const char *path, void *bytes, size_t n, uint64_t offset);
ssize_t vdf_test_pwrite(const char *path, const void *bytes, size_t n, uint64_t offset);
/* A hardware access of 1, 2, 4 or 8 bytes, little-endian. 0 or -errno. */
int vdf_test_reg_read(const char *path, uint64_t offset, unsigned width, uint64_t *value);
int vdf_test_reg_write(const char *path, uint64_t offset, unsigned width, uint64_t value);

/* Streams and logs, never waiting: a handle of open files. Bytes moved or -errno (-EAGAIN). */
struct vdf_test_file;
struct vdf_test_file *vdf_test_open(const char *path, int flags, int *error);
ssize_t vdf_test_file_read(struct vdf_test_file *file, void *bytes, size_t n);
ssize_t vdf_test_file_write(struct vdf_test_file *file, const void *bytes, size_t n);
unsigned vdf_test_file_poll(struct vdf_test_file *file);
void vdf_test_close(struct vdf_test_file *file);

/* The numbers of open descriptors and of mappings of memfds. */
struct vdf_test_resources {
    unsigned fds, memfds;
};
struct vdf_test_resources vdf_test_resources(void);

/* Last line of /errors without its newline, in a static buffer; "" when there is none. */
const char *vdf_test_last_error(void);
/* Find an object, to call a component's functions. NULL when there is none. */
struct vdf_obj *vdf_test_obj(const char *path);

/* The place of a path from the root of @from, as "console/con0/size". Takes a reference to the place's
 * object. 0 or -errno. */
struct vdf_tree;
struct vdf_place;
int vdf_test_resolve(struct vdf_tree *from, const char *path, struct vdf_place *place);

#endif
