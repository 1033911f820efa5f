/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The contract between the tree and the emulated devices.
 *
 *     struct vdf_component  a directory of the root, and the class of its devices
 *     struct vdf_class      a table, and hooks for the life of an object (class.h)
 *       struct vdf_attr     a row of the table: "queues/#/size" (table.h)
 *     struct vdf_obj        an instance in the tree: console/con0, console/con0/ports/3 (object.h)
 *       private structure   the state of the instance, owned by the component
 *     struct vdf_at         the arguments of a row's hook: object, row, the numbers of its path
 *
 * Locks and threads. The objects in the directories of the root are devices. A device has one lock
 * for itself and all objects below it. Every hook of a class, a row, a stream or a raw file and every
 * vdf_async function is called with that lock held. A hook does not block, touches no other device,
 * and takes no lock but those of rank VDF_RANK_HOST and above (lock.h).
 * After a hook that may have changed the device, the tree looks again at everything that waits for
 * the device (blocked readers and writers, poll(2), mtimes), so that a component wakes nobody.
 *
 * Restoring. The tree first builds the state into a new device outside of the tree: create, the rows,
 * restored. When all of these have succeeded, the private structures of the objects change places
 * with those of the device in the tree, and `priv->obj` follows. An object that is not in the tree,
 * before start and after stop, has no vdf_async.
 */
#ifndef VIRTDEVFS_COMPONENT_H
#define VIRTDEVFS_COMPONENT_H

#include <virtdevfs/async.h>
#include <virtdevfs/class.h>
#include <virtdevfs/object.h>
#include <virtdevfs/table.h>

#endif
