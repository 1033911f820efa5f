/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lines of several numbers, as `ioas/map` takes them. */
#ifndef VDF_HWQUEUE_LINES_H
#define VDF_HWQUEUE_LINES_H

#include <virtdevfs/component.h>

struct vdf_hwqueue;

/**
 * vdf_hwqueue_number() - take the next number of a line.
 * @text:  moves behind the number
 * @what:  name of the number, for the error
 * @max:   largest value allowed; above: EINVAL
 *
 * Return: 0, -EINVAL, or -ERANGE when the number needs more than 64 bits.
 */
int vdf_hwqueue_number(const char **text, const char *what, uint64_t max, uint64_t *value,
                       struct vdf_err *err);
/** vdf_hwqueue_more() - is there anything but white space left? */
bool vdf_hwqueue_more(const char **text);
/** vdf_hwqueue_end() - refuse anything that is left; @form is the line's grammar. */
int vdf_hwqueue_end(const char **text, const char *form, struct vdf_err *err);
/** vdf_hwqueue_split() - call @take for each item of a list with commas, as `state` keeps it. */
int vdf_hwqueue_split(const char *text,
                      int (*take)(struct vdf_hwqueue *dev, const char *item, struct vdf_err *err),
                      struct vdf_hwqueue *dev, struct vdf_err *err);

#endif
