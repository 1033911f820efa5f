/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The format of facts, in memory and in the pipe of a part's process: strings that end with a NUL. The
 * first byte of the first string is the kind.
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
