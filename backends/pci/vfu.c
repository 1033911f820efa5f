/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The vfio-user server of a function. */
#include "vfu.h"

#include <errno.h>

int vdf_vfu_start(struct vdf_pci *pci, const char *path, struct vdf_vfu **vfu, struct vdf_err *err)
{
    *vfu = NULL;
    return vdf_fail(err, EOPNOTSUPP, "no server yet");
}

void vdf_vfu_stop(struct vdf_vfu *vfu)
{
}

void vdf_vfu_moved(struct vdf_vfu *vfu, struct vdf_pci *pci)
{
}

int vdf_vfu_path_check(const char *path, struct vdf_err *err)
{
    return 0;
}

void vdf_vfu_show_client(const struct vdf_vfu *vfu, struct vdf_buf *out)
{
}

void vdf_vfu_show_dma(const struct vdf_vfu *vfu, struct vdf_buf *out)
{
}
