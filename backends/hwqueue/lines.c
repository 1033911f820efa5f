/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lines of several numbers, as `ioas/map` and `iotlb/insert` take them. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <virtdevfs/text.h>

#include "hwqueue.h"

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

bool vdf_hwqueue_more(const char **text)
{
    while (is_space(**text))
        (*text)++;
    return **text != '\0';
}

int vdf_hwqueue_number(const char **text, const char *what, uint64_t max, uint64_t *value,
                       struct vdf_err *err)
{
    if (!vdf_hwqueue_more(text))
        return vdf_fail(err, EINVAL, "%s is missing", what);

    const char *word = *text;
    const char *end = word;
    while (*end && !is_space(*end))
        end++;
    int len = end - word > 40 ? 40 : (int)(end - word);

    uint64_t n;
    int ret = vdf_number_parse(word, (size_t)(end - word), &n);
    if (ret == -EINVAL)
        return vdf_fail(err, EINVAL, "%.*s: %s is a decimal, 0x or 0b number", len, word, what);
    if (ret < 0)
        return vdf_fail(err, ERANGE, "%.*s: %s has 64 bits", len, word, what);
    if (n > max)
        return vdf_fail(err, EINVAL, "%.*s: %s is at most 0x%" PRIx64, len, word, what, max);
    *value = n;
    *text = end;
    return 0;
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
