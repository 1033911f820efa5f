/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How facts are kept, and sent by the process of a part: strings that end with a NUL, the first
 * byte of the first one says what it is.
 *
 *     + name \0 detail \0      it is there
 *     - name \0 reason \0      it is not
 *     = key \0 value \0        about the one before
 *     ! remedy \0              about the one before
 */
#ifndef VDF_PROBE_PRIVATE_H
#define VDF_PROBE_PRIVATE_H

#include <virtdevfs/probe.h>

#define VDF_PROBE_HAVE '+'
#define VDF_PROBE_LACK '-'
#define VDF_PROBE_VALUE '='
#define VDF_PROBE_REMEDY '!'

#endif
