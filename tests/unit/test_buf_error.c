/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Growing buffers, and the refusals that functions hand back. */
#include <criterion/criterion.h>
#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <virtdevfs/buf.h>
#include <virtdevfs/error.h>
#include <virtdevfs/text.h>

static void holds(const struct vdf_buf *b, const char *text)
{
    cr_assert(!b->oom);
    cr_assert_eq(b->len, strlen(text));
    cr_assert_eq(memcmp(b->data, text, b->len), 0);
}

Test(buf, begins_empty)
{
    struct vdf_buf b = VDF_BUF_INIT;
    cr_assert_eq(b.len, 0);
    vdf_buf_free(&b);
    vdf_buf_free(&b);
}

Test(buf, small_values_stay_inside)
{
    struct vdf_buf b = VDF_BUF_INIT;
    vdf_buf_add(&b, "abc", 3);
    vdf_buf_printf(&b, "-%d", 42);
    holds(&b, "abc-42");
    cr_assert_eq(b.data, b.small);
    vdf_buf_reset(&b);
    cr_assert_eq(b.len, 0);
    vdf_buf_add(&b, "xyz", 3);
    holds(&b, "xyz");
    vdf_buf_free(&b);
}

Test(buf, numbers)
{
    struct vdf_buf b = VDF_BUF_INIT;

    vdf_buf_add_decimal(&b, 0);
    vdf_buf_add(&b, " ", 1);
    vdf_buf_add_decimal(&b, UINT64_MAX);
    holds(&b, "0 18446744073709551615");
    vdf_buf_reset(&b);
    vdf_buf_add_hex(&b, 0, 0);
    vdf_buf_add_hex(&b, 0, 8);
    vdf_buf_add_hex(&b, 0xabc, 2);
    vdf_buf_add_hex(&b, 0xabc, 4);
    vdf_buf_add_hex(&b, UINT64_MAX, 16);
    holds(&b, "0x00x000000000xabc0x0abc0xffffffffffffffff");
    vdf_buf_free(&b);
}

/* Around the size at which the inner array is outgrown, by both ways of appending. */
Test(buf, bytes_in_hex_and_back)
{
    struct vdf_buf b = VDF_BUF_INIT;
    struct vdf_err err = { 0 };
    uint8_t bytes[256], back[256];
    uint64_t value = 7;

    for (unsigned k = 0; k < 256; k++)
        bytes[k] = (uint8_t)k;
    vdf_buf_add_bytes(&b, bytes, sizeof(bytes));
    cr_assert_eq(b.len, 512);
    cr_assert_eq(memcmp(b.data + 0x9e * 2, "9e9fa0", 6), 0);
    cr_assert_eq(vdf_hex_bytes(b.data, b.len, back, &err), 0);
    cr_assert_eq(memcmp(bytes, back, sizeof(back)), 0);
    vdf_buf_free(&b);

    for (int c = CHAR_MIN; c <= CHAR_MAX; c++) {
        char pair[3] = { (char)c, '0' };
        bool digit = c > 0 && strchr("0123456789abcdef", c);
        cr_assert_eq(vdf_hex_digit((char)c) >= 0, digit, "%d", c);
        cr_assert_eq(vdf_hex_bytes(pair, 2, back, &err), digit ? 0 : -EINVAL, "%d", c);
    }
    cr_assert_eq(vdf_hex_bytes("abc", 3, back, &err), -EINVAL);
    cr_assert_eq(vdf_hex_parse("", 0, &value), -EINVAL);
    cr_assert_eq(vdf_hex_parse("0x1", 3, &value), -EINVAL);
    cr_assert_eq(vdf_hex_parse("10000000000000000", 17, &value), -ERANGE);
    cr_assert_eq(value, 7);
    cr_assert_eq(vdf_hex_parse("ffffffffffffffff", 16, &value), 0);
    cr_assert_eq(value, UINT64_MAX);
}

Test(buf, grows_at_the_border)
{
    char text[3 * VDF_BUF_INLINE + 1];
    for (size_t n = VDF_BUF_INLINE - 2; n <= 3 * VDF_BUF_INLINE; n++) {
        memset(text, 'a' + (int)(n % 26), n);
        text[n] = 0;
        for (size_t first = 0; first <= n; first += n / 3) {
            struct vdf_buf added = VDF_BUF_INIT, printed = VDF_BUF_INIT;
            vdf_buf_add(&added, text, first);
            vdf_buf_add(&added, text + first, n - first);
            holds(&added, text);
            vdf_buf_printf(&printed, "%.*s", (int)first, text);
            vdf_buf_printf(&printed, "%s", text + first);
            holds(&printed, text);
            vdf_buf_free(&added);
            vdf_buf_free(&printed);
        }
    }
}

Test(buf, keeps_zero_bytes)
{
    struct vdf_buf b = VDF_BUF_INIT;
    vdf_buf_add(&b, "a\0b", 3);
    vdf_buf_printf(&b, "%s", "");
    vdf_buf_add(&b, NULL, 0);
    cr_assert_eq(b.len, 3);
    cr_assert_eq(memcmp(b.data, "a\0b", 3), 0);
    vdf_buf_free(&b);
}

Test(buf, takes_a_megabyte_in_small_pieces)
{
    struct vdf_buf b = VDF_BUF_INIT;
    for (unsigned i = 0; i < (1u << 20) / 8; i++)
        vdf_buf_printf(&b, "%07x\n", i);
    cr_assert_eq(b.len, 1u << 20);
    for (unsigned i = 0; i < (1u << 20) / 8; i += 4097) {
        char line[9];
        snprintf(line, sizeof(line), "%07x\n", i);
        cr_assert_eq(memcmp(b.data + (size_t)i * 8, line, 8), 0);
    }
    vdf_buf_reset(&b);
    cr_assert_eq(b.len, 0);
    vdf_buf_free(&b);
    cr_assert_eq(b.len, 0);
}

Test(buf, a_length_that_cannot_be_is_no_memory)
{
    struct vdf_buf b = VDF_BUF_INIT;
    vdf_buf_add(&b, "abc", 3);
    vdf_buf_add(&b, "", SIZE_MAX);
    cr_assert(b.oom);
    cr_assert_eq(b.len, 3);
    vdf_buf_add(&b, "d", 1);
    vdf_buf_printf(&b, "e");
    cr_assert_eq(b.len, 3, "what follows is ignored, so that no hole stays unseen");
    vdf_buf_free(&b);
}

Test(error, fail_fills_in_and_returns_the_negative)
{
    struct vdf_err err = { 0 };
    cr_assert_eq(vdf_fail(&err, EINVAL, "%u: harts are 1 to %u", 17u, 16u), -EINVAL);
    cr_assert_eq(err.code, EINVAL);
    cr_assert_str_eq(err.text, "17: harts are 1 to 16");
    cr_assert_eq(vdf_fail(&err, EBUSY, "later"), -EBUSY);
    cr_assert_eq(err.code, EBUSY);
    cr_assert_str_eq(err.text, "later");
}

Test(error, fail_needs_nobody_to_ask)
{
    cr_assert_eq(vdf_fail(NULL, ENODEV, "%s", "nobody reads this"), -ENODEV);
}

Test(error, long_sentences_are_cut)
{
    char text[2 * VDF_ERR_TEXT];
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = 0;
    struct {
        struct vdf_err err;
        char after[8];
    } it = { .after = "canary" };
    cr_assert_eq(vdf_fail(&it.err, ERANGE, "%s", text), -ERANGE);
    cr_assert_eq(strlen(it.err.text), VDF_ERR_TEXT - 1);
    cr_assert_str_eq(it.after, "canary");
}

Test(error, errnos_have_their_names)
{
    cr_assert_str_eq(vdf_errno_name(EINVAL), "EINVAL");
    cr_assert_str_eq(vdf_errno_name(EOPNOTSUPP), "EOPNOTSUPP");
    cr_assert_str_eq(vdf_errno_name(EAGAIN), "EAGAIN");
    cr_assert_str_eq(vdf_errno_name(ENODEV), "ENODEV");
    cr_assert_str_eq(vdf_errno_name(0), "E?");
    cr_assert_str_eq(vdf_errno_name(-1), "E?");
    cr_assert_str_eq(vdf_errno_name(99999), "E?");
}
