/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Text of values, lists and names: white space and numbers. */
#ifndef VIRTDEVFS_TEXT_H
#define VIRTDEVFS_TEXT_H

#include <stddef.h>
#include <stdint.h>
#include <virtdevfs/error.h>

/** vdf_text_trim() - leave out the white space at both ends. */
void vdf_text_trim(const char **text, size_t *len);

/**
 * vdf_number_parse() - decimal, 0x hex or 0b binary, without white space.
 * @text, @len: bytes, need not be NUL-terminated
 *
 * Return: 0, -EINVAL when it is no number, -ERANGE when it needs more than 64 bits.
 */
int vdf_number_parse(const char *text, size_t len, uint64_t *value);

/**
 * vdf_number_word() - the next word of a text of words.
 * @text: not at its end and not at white space; moves behind the word and the white space after it
 * @max:  largest number allowed; above: ERANGE
 * @what: name of the number in the sentence: "address"
 *
 * Return: 0 or -errno with a sentence; @text is where it was then.
 */
int vdf_number_word(const char **text, uint64_t max, const char *what, uint64_t *value,
                    struct vdf_err *err);

/**
 * vdf_number_name() - a number as the name of an object or a file: decimal, no leading zeros.
 * Return: 0, or -EINVAL when it is none or above @max.
 */
int vdf_number_name(const char *name, uint32_t max, uint32_t *number);

/** vdf_hex_digit() - value of a digit in lower-case hex; -1: @c is none. */
int vdf_hex_digit(char c);

/**
 * vdf_hex_parse() - a number in lower-case hex without "0x", as states have them.
 * Return: 0, -EINVAL when it is none, -ERANGE when it has more than 16 digits.
 */
int vdf_hex_parse(const char *text, size_t len, uint64_t *value);

/**
 * vdf_hex_bytes() - bytes of two digits each, as vdf_buf_add_bytes() writes them.
 * @len:   digits
 * @bytes: room for @len / 2; on failure those before the wrong one are there
 *
 * Return: 0, or -EINVAL with a sentence.
 */
int vdf_hex_bytes(const char *text, size_t len, void *bytes, struct vdf_err *err);

#endif
