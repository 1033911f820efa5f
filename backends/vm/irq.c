/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Interrupts of a slot.
 *
 *     device sends   irq   path to the guest
 *     line           GSI   irqfd with a resamplefd: a rise asserts the GSI; the guest's EOI lowers
 *                          the GSI and notifies the device, which raises it again if the line is
 *                          still asserted
 *     line           msi   irqfd on a GSI of the slot's own, which is routed to an MSI
 *     message        GSI   irqfd: a message is an edge
 *     message        msi   KVM_SIGNAL_MSI
 *
 * The sinks are called with the device's lock held and only write to an eventfd or do one ioctl(2).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "irq.h"
#include "probe.h"
#include "vm.h"

#define MSI_ADDRESS 0xfee00000u
#define MSI_CPU_BITS 0xff000u /* the processor, in an MSI's address */
#define MSI_CPU_SHIFT 12u
#define VECTORS VDF_VM_VECTORS
#define PIC_PINS 8u /* of each of the two */

/* --- routing ---------------------------------------------------------------------------------- */

static uint32_t own_gsi(const struct vdf_slot *slot)
{
    return VDF_VM_PINS + slot->number;
}

static struct kvm_irq_routing_entry *add_pin(struct kvm_irq_routing *table, uint32_t gsi,
                                             uint32_t chip, uint32_t pin)
{
    struct kvm_irq_routing_entry *entry = &table->entries[table->nr++];

    entry->gsi = gsi;
    entry->type = KVM_IRQ_ROUTING_IRQCHIP;
    entry->u.irqchip.irqchip = chip;
    entry->u.irqchip.pin = pin;
    return entry;
}

static void add_message(struct kvm_irq_routing *table, const struct vdf_slot *slot)
{
    struct kvm_irq_routing_entry *entry = &table->entries[table->nr++];

    entry->gsi = own_gsi(slot);
    entry->type = KVM_IRQ_ROUTING_MSI;
    entry->u.msi.address_lo = MSI_ADDRESS;
    entry->u.msi.data = slot->vector;
}

/* Have KVM route GSIs as the slots want them now; @leaving: without this slot. KVM exchanges the whole
 * table at once, and the GSIs of other slots go on as they were. */
static int route(struct vdf_vm *vm, const struct vdf_slot *leaving)
{
    size_t most = 2 * VDF_VM_PINS + VDF_VM_SLOTS;
    struct kvm_irq_routing *table = calloc(1, sizeof(*table) + most * sizeof(table->entries[0]));
    int ret = 0;

    if (!table)
        return -ENOMEM;
    for (uint32_t gsi = 0; gsi < 2 * PIC_PINS; gsi++)
        add_pin(table, gsi,
                gsi < PIC_PINS ? (uint32_t)KVM_IRQCHIP_PIC_MASTER : (uint32_t)KVM_IRQCHIP_PIC_SLAVE,
                gsi % PIC_PINS);
    for (uint32_t gsi = 0; gsi < VDF_VM_PINS; gsi++)
        add_pin(table, gsi, KVM_IRQCHIP_IOAPIC, gsi);
    for (unsigned k = 0; k < VDF_VM_SLOTS; k++)
        if (vm->slots[k] && vm->slots[k] != leaving && vm->slots[k]->irq == VDF_SLOT_MSI)
            add_message(table, vm->slots[k]);
    ret = leaving ? vdf_kvm_undo(vm->fd, KVM_SET_GSI_ROUTING, table)
                  : vdf_kvm_ioctl(vm->fd, KVM_SET_GSI_ROUTING, table);
    ret = ret < 0 ? -errno : 0;
    free(table);
    return ret;
}

/* --- sinks ------------------------------------------------------------------------------------ */

/* eventfd_write() fails only when the counter is full, and then the reader has work already. */
static void pulse(int fd)
{
    if (fd >= 0)
        eventfd_write(fd, 1);
}

static void signal_msi(struct vdf_slot *slot, uint32_t cpu, uint32_t data)
{
    struct kvm_msi msi = { .address_lo = MSI_ADDRESS | cpu << MSI_CPU_SHIFT, .data = data };

    if (vdf_kvm_ioctl(slot->vm->fd, KVM_SIGNAL_MSI, &msi) < 0)
        vdf_vm_report(slot->priv.obj, &slot->reports, VDF_SLOT_LAST, errno,
                      "MSI 0x%08x to vCPU %u is not delivered: %s", data, cpu,
                      vdf_errno_name(errno));
}

/* Before the first run no vCPU can take an MSI. The vector waits for one as in the register of a local
 * APIC, where a vector is pending once. */
static void send_vector(struct vdf_slot *slot, uint32_t cpu, uint32_t data)
{
    if (slot->vm->made || cpu >= VDF_VM_CPUS)
        signal_msi(slot, cpu, data);
    else
        slot->early[cpu][data % VECTORS / 64] |= UINT64_C(1) << data % 64;
}

void vdf_slot_irq_begin(struct vdf_slot *slot)
{
    for (uint32_t cpu = 0; cpu < VDF_VM_CPUS; cpu++)
        for (uint32_t vector = 0; vector < VECTORS; vector++)
            if (slot->early[cpu][vector / 64] >> vector % 64 & 1)
                signal_msi(slot, cpu, vector);
    memset(slot->early, 0, sizeof(slot->early));
}

static void set_level(void *ctx, bool level)
{
    struct vdf_slot *slot = ctx;

    slot->level = level;
    if (level && slot->irq == VDF_SLOT_MSI && !slot->vm->made)
        send_vector(slot, 0, slot->vector);
    else if (level)
        pulse(slot->line_fd);
}

void vdf_slot_irq_again(struct vdf_slot *slot)
{
    if (slot->level && slot->irq == VDF_SLOT_GSI)
        pulse(slot->line_fd);
}

static void send_message(void *ctx, uint64_t address, uint32_t data)
{
    struct vdf_slot *slot = ctx;

    if (slot->irq == VDF_SLOT_GSI)
        pulse(slot->pulse_fd);
    else
        send_vector(slot, (uint32_t)(address & MSI_CPU_BITS) >> MSI_CPU_SHIFT, data);
}

/* --- irqfds ----------------------------------------------------------------------------------- */

static int set_irqfd(const struct vdf_slot *slot, uint32_t gsi, int fd, int resample_fd,
                     uint32_t flags)
{
    struct kvm_irqfd request = {
        .fd = (uint32_t)fd,
        .gsi = gsi,
        .flags = flags | (resample_fd >= 0 ? (uint32_t)KVM_IRQFD_FLAG_RESAMPLE : 0),
        .resamplefd = resample_fd >= 0 ? (uint32_t)resample_fd : 0,
    };
    int ret = flags & KVM_IRQFD_FLAG_DEASSIGN ? vdf_kvm_undo(slot->vm->fd, KVM_IRQFD, &request)
                                              : vdf_kvm_ioctl(slot->vm->fd, KVM_IRQFD, &request);
    return ret < 0 ? -errno : 0;
}

static int new_eventfd(int *fd)
{
    *fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return *fd < 0 ? -errno : 0;
}

static int connect_line(struct vdf_slot *slot)
{
    int ret = new_eventfd(&slot->line_fd);

    if (ret == 0 && slot->irq == VDF_SLOT_MSI) {
        ret = route(slot->vm, NULL);
        return ret < 0 ? ret : set_irqfd(slot, own_gsi(slot), slot->line_fd, -1, 0);
    }
    if (ret == 0)
        ret = new_eventfd(&slot->resample_fd);
    return ret < 0 ? ret : set_irqfd(slot, slot->gsi, slot->line_fd, slot->resample_fd, 0);
}

static int connect_pulse(struct vdf_slot *slot)
{
    int ret = new_eventfd(&slot->pulse_fd);
    return ret < 0 ? ret : set_irqfd(slot, slot->gsi, slot->pulse_fd, -1, 0);
}

int vdf_slot_irq_connect(struct vdf_slot *slot, struct vdf_irq *irq, struct vdf_err *err)
{
    int ret = 0;

    *irq = (struct vdf_irq){ .ctx = slot };
    if (slot->irq == VDF_SLOT_NO_IRQ)
        return 0;
    if (slot->ops->interrupts & VDF_GUEST_LINE) {
        irq->set_level = set_level;
        ret = connect_line(slot);
    }
    if (slot->ops->interrupts & VDF_GUEST_MESSAGE) {
        irq->message = send_message;
        if (ret == 0 && slot->irq == VDF_SLOT_GSI)
            ret = connect_pulse(slot);
    }
    if (ret < 0) {
        vdf_slot_irq_disconnect(slot);
        return vdf_fail(err, -ret, "KVM refuses an irqfd: %s", vdf_errno_name(-ret));
    }
    return 0;
}

/* The guest has ended the interrupt, and KVM has lowered the line. */
static bool resample(struct vdf_obj *obj, void *ctx, uint64_t value)
{
    struct vdf_slot *slot = ctx;

    if (slot->ops->eoi)
        slot->ops->eoi(obj, slot->part);
    else if (slot->level)
        pulse(slot->line_fd);
    return true;
}

/* An irqfd has one resamplefd, and the engine watches that of the line. */
static int connect_eoi(struct vdf_slot *slot, struct vdf_err *err)
{
    int fd = -1;
    int ret = slot->ops->eoi_fd ? slot->ops->eoi_fd(slot->target, slot->part, &fd, err) : 0;

    if (ret < 0 || fd < 0)
        return ret;
    ret = new_eventfd(&slot->eoi_fd);
    if (ret == 0)
        ret = set_irqfd(slot, slot->gsi, slot->eoi_fd, fd, 0);
    if (ret < 0)
        return vdf_fail(err, -ret, "KVM refuses an irqfd for the ends of interrupts: %s",
                        vdf_errno_name(-ret));
    return 0;
}

int vdf_slot_irq_listen(struct vdf_slot *slot, struct vdf_err *err)
{
    if (slot->resample_fd < 0)
        return 0;
    slot->resample = vdf_async_eventfd(slot->target, resample, slot, slot->resample_fd);
    if (!slot->resample)
        return vdf_fail(err, errno, "the ends of interrupts cannot be watched: %s",
                        vdf_errno_name(errno));
    return connect_eoi(slot, err);
}

static void close_irqfd(const struct vdf_slot *slot, uint32_t gsi, int *fd)
{
    if (*fd < 0)
        return;
    set_irqfd(slot, gsi, *fd, -1, KVM_IRQFD_FLAG_DEASSIGN);
    close(*fd);
    *fd = -1;
}

void vdf_slot_irq_disconnect(struct vdf_slot *slot)
{
    bool own = slot->irq == VDF_SLOT_MSI;

    vdf_async_free(slot->resample);
    slot->resample = NULL;
    bool routed = own && slot->line_fd >= 0;
    close_irqfd(slot, own ? own_gsi(slot) : slot->gsi, &slot->line_fd);
    close_irqfd(slot, slot->gsi, &slot->pulse_fd);
    close_irqfd(slot, slot->gsi, &slot->eoi_fd);
    if (slot->resample_fd >= 0)
        close(slot->resample_fd);
    slot->resample_fd = -1;
    slot->level = false;
    /* A failure leaves an unused route, which does no harm. */
    if (routed)
        route(slot->vm, slot);
}

unsigned vdf_slot_irqfds(const struct vdf_slot *slot)
{
    return (slot->line_fd >= 0) + (slot->pulse_fd >= 0) + (slot->eoi_fd >= 0);
}
