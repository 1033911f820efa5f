/* SPDX-License-Identifier: GPL-2.0-or-later */
/* White space and numbers in text. */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>

#include <virtdevfs/text.h>

#define SPACES " \t\n\v\f\r"
#define SHOWN 40 /* bytes of a wrong word that its sentence quotes */

void vdf_text_trim(const char **text, size_t *len)
{
    while (*len && isspace((unsigned char)(*text)[*len - 1]))
        --*len;
    while (*len && isspace((unsigned char)**text)) {
        ++*text;
        --*len;
    }
}

int vdf_hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int vdf_hex_parse(const char *text, size_t len, uint64_t *value)
{
    uint64_t v = 0;

    if (len == 0)
        return -EINVAL;
    for (size_t k = 0; k < len; k++) {
        int digit = vdf_hex_digit(text[k]);
        if (digit < 0)
            return -EINVAL;
        v = v << 4 | (unsigned)digit;
    }
    if (len > 2 * sizeof(v))
        return -ERANGE;
    *value = v;
    return 0;
}

int vdf_hex_bytes(const char *text, size_t len, void *bytes, struct vdf_err *err)
{
    uint8_t *to = bytes;

    if (len % 2)
        return vdf_fail(err, EINVAL, "%zu hex digits: a byte has two", len);
    for (size_t k = 0; k < len; k += 2) {
        int high = vdf_hex_digit(text[k]), low = vdf_hex_digit(text[k + 1]);
        if (high < 0 || low < 0)
            return vdf_fail(err, EINVAL, "\"%.2s\" is no byte in lower-case hex", text + k);
        *to++ = (uint8_t)(high << 4 | low);
    }
    return 0;
}

/* Numbers that people write may have capitals in them. */
static unsigned digit_of(char c)
{
    if (c >= 'A' && c <= 'F')
        c = (char)(c - 'A' + 'a');
    int digit = vdf_hex_digit(c);
    return digit < 0 ? UINT_MAX : (unsigned)digit;
}

int vdf_number_parse(const char *text, size_t len, uint64_t *value)
{
    unsigned base = 10;

    int kind = len > 2 && text[0] == '0' ? text[1] | ('a' ^ 'A') : 0;
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
