/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lines of several numbers, as `ioas/map` and `iotlb/insert` take them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "hwqueue.h"

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return 16;
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

    const char *p = word;
    unsigned base = 10;
    if (p[0] == '0' && (p[1] == 'x' || p[1] == 'X'))
        base = 16;
    else if (p[0] == '0' && (p[1] == 'b' || p[1] == 'B'))
        base = 2;
    if (base != 10)
        p += 2;

    uint64_t n = 0;
    bool valid = p < end, fits = true;
    for (; p < end && valid; p++) {
        unsigned d = (unsigned)digit(*p);
        valid = d < base;
        fits = fits && !__builtin_mul_overflow(n, (uint64_t)base, &n) &&
               !__builtin_add_overflow(n, (uint64_t)d, &n);
    }
    if (!valid)
        return vdf_fail(err, EINVAL, "%.*s: %s is a decimal, 0x or 0b number", len, word, what);
    if (!fits)
        return vdf_fail(err, ERANGE, "%.*s: %s has 64 bits", len, word, what);
    if (n > max)
        return vdf_fail(err, EINVAL, "%.*s: %s is at most 0x%llx", len, word, what,
                        (unsigned long long)max);
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

int vdf_hwqueue_name_number(const char *name, uint64_t *value)
{
    size_t len = strspn(name, "0123456789");

    if (len == 0 || name[len] || len > 9 || (name[0] == '0' && len > 1))
        return -EINVAL;
    *value = strtoul(name, NULL, 10);
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
