/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Numbers from text. */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>

#include <virtdevfs/text.h>

#define SPACES " \t\n\v\f\r"
#define SHOWN 40 /* bytes of a wrong word that its sentence quotes */

static unsigned digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return (unsigned)(c - '0');
    c |= 'a' ^ 'A';
    return c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10 : UINT_MAX;
}

int vdf_number_parse(const char *text, size_t len, uint64_t *value)
{
    unsigned base = 10;

    char kind = len > 2 && text[0] == '0' ? text[1] | ('a' ^ 'A') : 0;
    if (kind == 'x' || kind == 'b') {
        base = kind == 'x' ? 16 : 2;
        text += 2;
        len -= 2;
    }
    if (len == 0)
        return -EINVAL;

    uint64_t v = 0;
    bool overflow = false;
    for (size_t k = 0; k < len; k++) {
        unsigned digit = digit_of(text[k]);
        if (digit >= base)
            return -EINVAL;
        overflow |= __builtin_mul_overflow(v, base, &v);
        overflow |= __builtin_add_overflow(v, digit, &v);
    }
    if (overflow)
        return -ERANGE;
    *value = v;
    return 0;
}

int vdf_number_word(const char **text, uint64_t max, const char *what, uint64_t *value,
                    struct vdf_err *err)
{
    const char *word = *text;
    size_t len = strcspn(word, SPACES);
    int shown = len > SHOWN ? SHOWN : (int)len;
    uint64_t number;
    int ret = vdf_number_parse(word, len, &number);

    if (ret == -EINVAL)
        return vdf_fail(err, EINVAL, "%s \"%.*s\" is not a number: decimal, 0x hex or 0b binary",
                        what, shown, word);
    if (ret == -ERANGE || number > max)
        return vdf_fail(err, ERANGE, "%s %.*s is above 0x%" PRIx64, what, shown, word, max);
    *text = word + len + strspn(word + len, SPACES);
    *value = number;
    return 0;
}

int vdf_number_name(const char *name, uint32_t max, uint32_t *number)
{
    size_t len = strlen(name);
    uint64_t value;

    if (strspn(name, "0123456789") != len || (name[0] == '0' && len > 1) ||
        vdf_number_parse(name, len, &value) < 0 || value > max)
        return -EINVAL;
    *number = (uint32_t)value;
    return 0;
}
