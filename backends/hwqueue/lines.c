/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lines of several numbers, as `ioas/map` and `iotlb/insert` take them. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <virtdevfs/text.h>

#include "hwqueue.h"

bool vdf_hwqueue_more(const char **text)
{
    *text += strspn(*text, " \t\n\r");
    return **text != '\0';
}

int vdf_hwqueue_number(const char **text, const char *what, uint64_t max, uint64_t *value,
                       struct vdf_err *err)
{
    if (!vdf_hwqueue_more(text))
        return vdf_fail(err, EINVAL, "%s is missing", what);
    int ret = vdf_number_word(text, UINT64_MAX, what, value, err);
    if (ret == 0 && *value > max)
        return vdf_fail(err, EINVAL, "%s 0x%" PRIx64 " is above 0x%" PRIx64, what, *value, max);
    return ret;
}

int vdf_hwqueue_end(const char **text, const char *form, struct vdf_err *err)
{
    if (vdf_hwqueue_more(text))
        return vdf_fail(err, EINVAL, "%.40s: a line is %s and no more", *text, form);
    return 0;
}

int vdf_hwqueue_split(const char *text,
                      int (*take)(struct vdf_hwqueue *dev, const char *item, struct vdf_err *err),
                      struct vdf_hwqueue *dev, struct vdf_err *err)
{
    while (vdf_hwqueue_more(&text)) {
        char item[128];
        size_t len = strcspn(text, ",");
        if (len >= sizeof(item))
            return vdf_fail(err, EINVAL, "%.40s...: an item is shorter than %zu characters", text,
                            sizeof(item));
        memcpy(item, text, len);
        item[len] = '\0';
        int ret = take(dev, item, err);
        if (ret < 0)
            return ret;
        text += len + (text[len] == ',');
    }
    return 0;
}
