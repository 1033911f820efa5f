/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The vfio-user server of a function. */
#ifndef VDF_PCI_VFU_H
#define VDF_PCI_VFU_H

#include "pci.h"

/* These are exclusive, except the two that show something: those run with the function's lock. */

/** vdf_vfu_open() - make the socket. Clients that connect wait for vdf_vfu_start(). */
int vdf_vfu_open(struct vdf_pci *pci, const char *path, struct vdf_vfu **vfu, struct vdf_err *err);
/** vdf_vfu_start() - serve the function, which is attached, to one client after the other. */
int vdf_vfu_start(struct vdf_vfu *vfu, struct vdf_err *err);
/** vdf_vfu_stop() - disconnect the client, end its thread, remove the socket, free @vfu. */
void vdf_vfu_stop(struct vdf_vfu *vfu);
/** vdf_vfu_moved() - the function has another private structure: a client has loaded a state. NULL is
 *  allowed. */
void vdf_vfu_moved(struct vdf_vfu *vfu, struct vdf_pci *pci);
/** vdf_vfu_path_check() - whether a socket could be at @path. It looks at no file. */
int vdf_vfu_path_check(const char *path, struct vdf_err *err);

/** vdf_vfu_show_client() - who is connected: "pid=812 uid=0 qemu-system-x86"; nothing: nobody. */
void vdf_vfu_show_client(const struct vdf_vfu *vfu, struct vdf_buf *out);
/** vdf_vfu_show_dma() - the client's memory, a mapping a line: address, bytes, access, and whether it
 *  is mapped here or accessed by messages. */
void vdf_vfu_show_dma(const struct vdf_vfu *vfu, struct vdf_buf *out);

#endif
