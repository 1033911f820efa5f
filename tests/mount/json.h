/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VDF_TEST_JSON_H
#define VDF_TEST_JSON_H

#include <stddef.h>

/**
 * json_flatten() - print what a JSON text (RFC 8259) holds, a line `PATH TEXT` for each string,
 * number and word, as they are written: `parts.kvm.0.name "device"`.
 * @text: @len bytes and a NUL behind them
 *
 * Return: -1, or the offset of the first byte that is wrong.
 */
long json_flatten(const char *text, size_t len);

#endif
