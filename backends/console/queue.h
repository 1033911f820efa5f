/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The device's features, memory, queues and interrupts. */
#ifndef VDF_CONSOLE_QUEUE_H
#define VDF_CONSOLE_QUEUE_H

#include "console.h"

/** vdf_console_default_features() - the features that a new device of this kind offers. */
uint64_t vdf_console_default_features(unsigned device);
/** vdf_console_possible_features() - all features that a device of this kind can offer. */
uint64_t vdf_console_possible_features(unsigned device);
bool vdf_console_multiport(const struct vdf_console *con);
/** vdf_console_pool() - whether buffers and rings have to lie in the DMA pool. */
bool vdf_console_pool(const struct vdf_console *con);
/** vdf_console_pool_fits() - whether the last region of the space has room for the pool. */
bool vdf_console_pool_fits(const struct vdf_console *con, const struct vdf_space *space);
/** vdf_console_pool_addr() - guest address of the pool: the end of the memory. 0: it does not fit. */
uint64_t vdf_console_pool_addr(const struct vdf_console *con);
/** vdf_console_use_space() - let the device reach @space, or only the DMA pool in it. Its regions stay
 *  the caller's. */
void vdf_console_use_space(struct vdf_console *con, const struct vdf_space *space);
/** vdf_console_update_space() - to be called after a change of memory, pool or features. */
void vdf_console_update_space(struct vdf_console *con);

/** vdf_console_queues() - the number of queues that the device has. */
uint32_t vdf_console_queues(const struct vdf_console *con);
/** vdf_console_queue() - a queue to look at, all zero before it is set up. NULL past the end. */
const struct vdf_vq *vdf_console_queue(const struct vdf_console *con, uint32_t index);
/** vdf_console_queue_make() - a queue to change. NULL past the end, or without memory. */
struct vdf_vq *vdf_console_queue_make(struct vdf_console *con, uint32_t index);
/** vdf_console_modes() - vdf_vq.modes of the features that the driver has accepted. To be set
 *  before vdf_vq_check(). */
uint8_t vdf_console_modes(const struct vdf_console *con);
/** vdf_console_live() - the queue; NULL: the device may not use it now. */
struct vdf_vq *vdf_console_live(struct vdf_console *con, uint32_t index);

void vdf_console_set_interrupt(struct vdf_console *con, uint32_t int_status);
/** vdf_console_config_changed() - new generation, configuration change interrupt. */
void vdf_console_config_changed(struct vdf_console *con);
/** vdf_console_needs_reset() - the driver has broken the rules in this queue: report @err and stop
 *  the queue. The others go on. */
void vdf_console_needs_reset(struct vdf_console *con, uint32_t queue, int result,
                             const struct vdf_err *err);
/** vdf_console_complete() - give a chain back and interrupt the driver. False: the device needs a
 *  reset. */
bool vdf_console_complete(struct vdf_console *con, uint32_t index, uint16_t head, uint32_t len);
/**
 * vdf_console_take() - take the next chain of a queue. Chains with buffers outside of the DMA pool
 * are given back unused and counted.
 * @device_writes: a receive queue; a chain with buffers of the other direction breaks 5.3.6.1
 *
 * Return: 0; -EAGAIN: none, or the device stopped.
 */
int vdf_console_take(struct vdf_console *con, uint32_t index, bool device_writes,
                     struct vdf_vq_chain *chain);

#endif
