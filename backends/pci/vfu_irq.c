/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Interrupts of a vfio-user client: DEVICE_GET_IRQ_INFO and DEVICE_SET_IRQS. */
#include <errno.h>
#include <fcntl.h>
#include <linux/vfio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include "vfu_server.h"

/* --- DEVICE_GET_IRQ_INFO ------------------------------------------------------------------------ */

static int check_index(uint32_t index, struct vdf_err *err)
{
    return index < VDF_PCI_IRQS ? 0
                                : vdf_fail(err, EINVAL, "interrupts of index %u: they are 0 to %u",
                                           index, VDF_PCI_IRQS - 1);
}

/* Vectors of MSI-X can be added one after the other, so that VFIO_IRQ_INFO_NORESIZE is not set. */
static uint32_t irq_flags(uint32_t index)
{
    return VFIO_IRQ_INFO_EVENTFD |
           (index == VDF_PCI_INTX || index == VDF_PCI_MSIX ? VFIO_IRQ_INFO_MASKABLE : 0) |
           (index == VDF_PCI_INTX ? VFIO_IRQ_INFO_AUTOMASKED : 0);
}

/* QEMU warns of a function that cannot report an error. This one can, and never has one. */
static unsigned count_irqs(const struct vdf_vfu *vfu, uint32_t index)
{
    return index == VDF_PCI_ERR ? 1 : vdf_pci_irqs(vfu->pci, index);
}

int vdf_vfu_irq_info(struct vdf_vfu *vfu, struct vdf_vfu_call *call, struct vdf_err *err)
{
    struct vdf_vfu_irq_info in, *out;

    memcpy(&in, call->in->payload, sizeof(in));
    int ret = check_index(in.index, err);
    if (ret < 0)
        return ret;
    if (in.flags || in.count)
        return vdf_fail(err, EINVAL, "flags 0x%x, count %u: both are 0", in.flags, in.count);
    out = vdf_vfu_room(vfu, call, sizeof(*out));
    if (!out)
        return vdf_fail(err, ENOMEM, "no memory for the reply");
    *out = (struct vdf_vfu_irq_info){
        .argsz = sizeof(*out),
        .index = in.index,
        .count = count_irqs(vfu, in.index),
    };
    out->flags = out->count ? irq_flags(in.index) : 0;
    return 0;
}

static void set_error_signal(struct vdf_vfu *vfu, struct vdf_signal *signal)
{
    vdf_signal_close(vfu->error_signal);
    vfu->error_signal = signal;
}

/* --- eventfds of masks -------------------------------------------------------------------------- */

/* Events of INTx are first, then those of the vectors. */
static unsigned event_index(uint32_t index, uint32_t n)
{
    return index == VDF_PCI_INTX ? 0 : 1 + n;
}

static bool is_masked(struct vdf_vfu *vfu, unsigned event)
{
    struct vdf_pci_irqs *irqs = &vfu->pci->irqs;

    vdf_lock(&irqs->lock);
    bool masked = event ? irqs->vectors[event - 1].masked : irqs->intx_masked;
    vdf_unlock(&irqs->lock);
    return masked;
}

static int set_mask_event(struct vdf_vfu *vfu, unsigned event, bool mask, struct vdf_signal *signal)
{
    struct vdf_vfu_mask_event *at;

    if (!vfu->mask_events && !signal)
        return 0;
    if (!vfu->mask_events) {
        vfu->n_mask_events = 1 + vdf_pci_irqs(vfu->pci, VDF_PCI_MSIX);
        vfu->mask_events = calloc(vfu->n_mask_events, sizeof(*vfu->mask_events));
    }
    if (!vfu->mask_events)
        return -ENOMEM;
    at = &vfu->mask_events[event];
    if (!at->mask && !at->unmask)
        at->masked = is_masked(vfu, event);
    vdf_signal_close(mask ? at->mask : at->unmask);
    if (mask)
        at->mask = signal;
    else
        at->unmask = signal;
    return 0;
}

void vdf_vfu_irq_masks(struct vdf_vfu *vfu)
{
    for (unsigned k = 0; vfu->mask_events && k < vfu->n_mask_events; k++) {
        struct vdf_vfu_mask_event *event = &vfu->mask_events[k];

        if ((!event->mask && !event->unmask) || is_masked(vfu, k) == event->masked)
            continue;
        event->masked = !event->masked;
        struct vdf_signal *signal = event->masked ? event->mask : event->unmask;
        if (signal)
            vdf_signal_raise(signal);
    }
}

/* --- the eventfd that unmasks INTx -------------------------------------------------------------- */

/* The engine's thread holds the function's lock, and can enter no device. */
static bool on_unmask(struct vdf_obj *obj, void *ctx, uint64_t count)
{
    struct vdf_vfu *vfu = ctx;

    atomic_store(&vfu->unmask_due, true);
    eventfd_write(vfu->link.wake, 1);
    return false;
}

static void stop_unmasking(struct vdf_vfu *vfu)
{
    vdf_async_free(vfu->unmask_async);
    vfu->unmask_async = NULL;
    vfu->link.watched = false;
}

/* As the kernel's VFIO: writing the eventfd unmasks. QEMU has KVM write it at the end of each
 * interrupt. @fd: -1: none. */
static int set_unmasking(struct vdf_vfu *vfu, int fd, struct vdf_err *err)
{
    struct vdf_obj *obj = vfu->pci->priv.obj;
    int ret = 0;

    if (fd >= 0 &&
        (vdf_foreign_kind(fd) != VDF_FOREIGN_EVENTFD || fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK)))
        return vdf_fail(err, EINVAL, "the descriptor is no eventfd");
    if (!vdf_pci_enter(obj, &vfu->stop))
        return vdf_fail(err, ESHUTDOWN, "the function is no longer served");
    stop_unmasking(vfu);
    if (fd >= 0) {
        vfu->unmask_async = vdf_async_eventfd(obj, on_unmask, vfu, fd);
        vfu->link.watched = vfu->unmask_async != NULL;
        if (!vfu->unmask_async)
            ret = vdf_fail(err, errno, "the eventfd cannot be waited for: %s", strerror(errno));
    }
    vdf_pci_leave(obj, false, &vfu->stop);
    return ret;
}

void vdf_vfu_irq_woken(struct vdf_vfu *vfu)
{
    if (atomic_exchange(&vfu->unmask_due, false))
        vdf_pci_irq_mask(vfu->pci, VDF_PCI_INTX, 0, false, &vfu->stop);
}

int vdf_vfu_irq_drop(struct vdf_vfu *vfu, const atomic_bool *stop)
{
    struct vdf_obj *obj = vfu->pci->priv.obj;

    if (vfu->unmask_async) {
        if (!vdf_pci_enter(obj, stop))
            return -ESHUTDOWN;
        stop_unmasking(vfu);
        vdf_pci_leave(obj, false, stop);
    }
    atomic_store(&vfu->unmask_due, false);
    for (unsigned k = 0; k < vfu->n_mask_events; k++) {
        vdf_signal_close(vfu->mask_events[k].mask);
        vdf_signal_close(vfu->mask_events[k].unmask);
    }
    free(vfu->mask_events);
    vfu->mask_events = NULL;
    vfu->n_mask_events = 0;
    set_error_signal(vfu, NULL);
    vdf_pci_irq_disconnect_all(vfu->pci);
    return 0;
}

/* --- DEVICE_SET_IRQS ---------------------------------------------------------------------------- */

#define ONE_OF(flags, a, b, c) ((flags) == (a) || (flags) == (b) || (flags) == (c))

static int check_flags(const struct vdf_vfu_irq_set *in, struct vdf_err *err)
{
    uint32_t data = in->flags & VFIO_IRQ_SET_DATA_TYPE_MASK;
    uint32_t action = in->flags & VFIO_IRQ_SET_ACTION_TYPE_MASK;

    if (in->flags != (data | action) ||
        !ONE_OF(data, VFIO_IRQ_SET_DATA_NONE, VFIO_IRQ_SET_DATA_BOOL, VFIO_IRQ_SET_DATA_EVENTFD) ||
        !ONE_OF(action, VFIO_IRQ_SET_ACTION_MASK, VFIO_IRQ_SET_ACTION_UNMASK,
                VFIO_IRQ_SET_ACTION_TRIGGER))
        return vdf_fail(err, EINVAL, "flags 0x%x: one of data and one of action", in->flags);
    return 0;
}

static int check_set(const struct vdf_vfu *vfu, const struct vdf_vfu_irq_set *in,
                     const struct vdf_vfu_message *message, struct vdf_err *err)
{
    int ret = check_flags(in, err);
    if (ret == 0)
        ret = check_index(in->index, err);
    if (ret < 0)
        return ret;
    unsigned have = count_irqs(vfu, in->index);
    if (in->start > have || in->count > have - in->start)
        return vdf_fail(err, EINVAL, "interrupts %u + %u of index %u: there are %u", in->start,
                        in->count, in->index, have);
    if (!in->count &&
        (in->start || in->flags != (VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER)))
        return vdf_fail(err, EINVAL,
                        "no interrupts, from %u, with flags 0x%x: that is for disabling all",
                        in->start, in->flags);
    if (in->index == VDF_PCI_ERR && !(in->flags & VFIO_IRQ_SET_ACTION_TRIGGER))
        return vdf_fail(err, EINVAL, "flags 0x%x: the interrupt of errors has no mask", in->flags);
    bool wants_fds = in->flags & VFIO_IRQ_SET_DATA_EVENTFD;
    if (message->n_fds && (!wants_fds || message->n_fds != in->count))
        return vdf_fail(err, EINVAL, "%u descriptors for %u interrupts with flags 0x%x",
                        message->n_fds, in->count, in->flags);
    size_t bytes = message->len - sizeof(*in);
    if (bytes != (in->flags & VFIO_IRQ_SET_DATA_BOOL ? in->count : 0) || in->argsz < message->len)
        return vdf_fail(err, EINVAL, "argsz %u, %zu bytes of data for %u interrupts", in->argsz,
                        bytes, in->count);
    return 0;
}

static int disable(struct vdf_vfu *vfu, uint32_t index, struct vdf_err *err)
{
    unsigned n = vdf_pci_irqs(vfu->pci, index);
    int ret = index == VDF_PCI_INTX ? set_unmasking(vfu, -1, err) : 0;

    if (index == VDF_PCI_ERR)
        set_error_signal(vfu, NULL);

    for (unsigned k = 0; ret == 0 && k < n; k++) {
        set_mask_event(vfu, event_index(index, k), true, NULL);
        set_mask_event(vfu, event_index(index, k), false, NULL);
    }
    return ret < 0 ? ret : vdf_pci_irq_disable(vfu->pci, index, &vfu->stop);
}

/* Carry out the action for one interrupt. */
static int act(struct vdf_vfu *vfu, const struct vdf_vfu_irq_set *in, uint32_t n)
{
    if (in->index == VDF_PCI_ERR)
        return vfu->error_signal ? vdf_signal_raise(vfu->error_signal) : 0;
    if (in->flags & VFIO_IRQ_SET_ACTION_TRIGGER)
        return vdf_pci_irq_trigger(vfu->pci, in->index, n, &vfu->stop);
    return vdf_pci_irq_mask(vfu->pci, in->index, n, in->flags & VFIO_IRQ_SET_ACTION_MASK,
                            &vfu->stop);
}

static int act_on_all(struct vdf_vfu *vfu, const struct vdf_vfu_irq_set *in, const uint8_t *wanted)
{
    int ret = 0;

    for (uint32_t k = 0; ret == 0 && k < in->count; k++)
        if (!wanted || wanted[k])
            ret = act(vfu, in, in->start + k);
    return ret;
}

/* The signal is taken over where 0 is returned. */
static int connect_one(struct vdf_vfu *vfu, const struct vdf_vfu_irq_set *in, uint32_t n,
                       struct vdf_signal *signal)
{
    if (in->index == VDF_PCI_ERR) {
        set_error_signal(vfu, signal);
        return 0;
    }
    if (in->flags & VFIO_IRQ_SET_ACTION_TRIGGER)
        return vdf_pci_irq_connect(vfu->pci, in->index, n, signal, &vfu->stop);
    return set_mask_event(vfu, event_index(in->index, n), in->flags & VFIO_IRQ_SET_ACTION_MASK,
                          signal);
}

/* @signals: as many as @fds; those made are to be closed after a failure too. */
static int open_signals(struct vdf_vfu *vfu, const int *fds, unsigned n,
                        struct vdf_signal **signals, struct vdf_err *err)
{
    for (unsigned k = 0; k < n; k++) {
        signals[k] = vdf_async_signal(vfu->pci->priv.obj, fds[k]);
        if (!signals[k])
            return vdf_fail(err, errno, "descriptor %u cannot be signalled: %s", k,
                            errno == EINVAL ? "it is no eventfd" : strerror(errno));
    }
    return 0;
}

/* All or none of the descriptors are taken. */
static int set_signals(struct vdf_vfu *vfu, const struct vdf_vfu_irq_set *in,
                       const struct vdf_vfu_message *message, struct vdf_err *err)
{
    struct vdf_signal *signals[VDF_VFU_FDS_MAX] = { 0 };
    int ret = open_signals(vfu, message->fds, message->n_fds, signals, err);

    for (uint32_t k = 0; ret == 0 && k < in->count; k++) {
        ret = connect_one(vfu, in, in->start + k, k < message->n_fds ? signals[k] : NULL);
        if (ret == 0 && k < message->n_fds)
            signals[k] = NULL;
    }
    for (unsigned k = 0; k < VDF_VFU_FDS_MAX; k++)
        vdf_signal_close(signals[k]);
    return ret;
}

int vdf_vfu_irq_set(struct vdf_vfu *vfu, struct vdf_vfu_call *call, struct vdf_err *err)
{
    const struct vdf_vfu_message *message = call->in;
    struct vdf_vfu_irq_set in;

    memcpy(&in, message->payload, sizeof(in));
    int ret = check_set(vfu, &in, message, err);
    if (ret < 0)
        return ret;
    if (!in.count)
        return disable(vfu, in.index, err);
    if (in.flags & VFIO_IRQ_SET_DATA_NONE)
        return act_on_all(vfu, &in, NULL);
    if (in.flags & VFIO_IRQ_SET_DATA_BOOL)
        return act_on_all(vfu, &in, message->payload + sizeof(in));
    if (in.index == VDF_PCI_INTX && in.flags & VFIO_IRQ_SET_ACTION_UNMASK)
        return set_unmasking(vfu, message->n_fds ? message->fds[0] : -1, err);
    return set_signals(vfu, &in, message, err);
}
