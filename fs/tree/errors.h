/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `errors`: the last refusals of all devices. */
#ifndef VDF_ERRORS_H
#define VDF_ERRORS_H

#include "place.h"

struct vdf_tree;

void vdf_errors_render(struct vdf_tree *tree, struct vdf_buf *out);
/** vdf_errors_clear() - the root's lock held. */
void vdf_errors_clear(struct vdf_tree *tree);
/** vdf_errors_publish() - no lock held: put new lines into the root's log and check its waiters. */
void vdf_errors_publish(struct vdf_tree *tree);
/** vdf_place_refused() - no lock held: if @result is negative, log a refusal at the place, or at @name
 *  below it. Return: @result. */
int vdf_place_refused(const struct vdf_place *place, const char *name, int result,
                      struct vdf_err *err);

#endif
