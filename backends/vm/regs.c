/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `cpu/N/regs`: the registers of a stopped processor as text, one a line. */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <virtdevfs/text.h>

#include "boot.h"
#include "probe.h"
#include "regs.h"
#include "vm.h"

struct registers {
    struct kvm_regs regs;
    struct kvm_sregs sregs;
};

struct reg {
    const char *name;
    size_t offset; /* in struct registers */
    unsigned width;
};

#define REG(name)                                       \
    {                                                   \
#name, offsetof(struct registers, regs.name), 8 \
    }
#define SREG(name)                                       \
    {                                                    \
#name, offsetof(struct registers, sregs.name), 8 \
    }
#define SEGMENT(name)                                                 \
    { #name, offsetof(struct registers, sregs.name.selector), 2 },    \
    {                                                                 \
#name "_base", offsetof(struct registers, sregs.name.base), 8 \
    }
#define TABLE(name)                                                     \
    { #name "_base", offsetof(struct registers, sregs.name.base), 8 },  \
    {                                                                   \
#name "_limit", offsetof(struct registers, sregs.name.limit), 2 \
    }

static const struct reg list[] = {
    REG(rax),    REG(rbx),   REG(rcx),    REG(rdx),    REG(rsi),    REG(rdi),    REG(rsp),
    REG(rbp),    REG(r8),    REG(r9),     REG(r10),    REG(r11),    REG(r12),    REG(r13),
    REG(r14),    REG(r15),   REG(rip),    REG(rflags), SREG(cr0),   SREG(cr2),   SREG(cr3),
    SREG(cr4),   SREG(efer), SEGMENT(cs), SEGMENT(ss), SEGMENT(ds), SEGMENT(es), SEGMENT(fs),
    SEGMENT(gs), TABLE(gdt), TABLE(idt),
};

#define N_REGS (sizeof(list) / sizeof(list[0]))

static int load(struct vdf_vcpu *cpu, struct registers *r)
{
    const struct vdf_vm *vm = cpu->vm;

    memset(r, 0, sizeof(*r));
    if (vm->made && (vdf_kvm_ioctl(cpu->fd, KVM_GET_REGS, &r->regs) < 0 ||
                     vdf_kvm_ioctl(cpu->fd, KVM_GET_SREGS, &r->sregs) < 0))
        return -errno;
    /* The registers that will be loaded when it runs. */
    if (!vm->booted)
        vdf_vm_boot_registers(vm, cpu->index, &r->regs, &r->sregs);
    return 0;
}

void vdf_vcpu_show_regs(struct vdf_vcpu *cpu, struct vdf_buf *out)
{
    struct registers r;

    if (load(cpu, &r) < 0)
        return;
    for (size_t k = 0; k < N_REGS; k++) {
        uint64_t value = 0;
        memcpy(&value, (const char *)&r + list[k].offset, list[k].width);
        vdf_buf_printf(out, "%s = 0x%0*" PRIx64 "\n", list[k].name, (int)list[k].width * 2, value);
    }
}

/* --- writing ---------------------------------------------------------------------------------- */

static int set_one(struct registers *r, const char *line, size_t len, struct vdf_err *err)
{
    const char *equals = memchr(line, '=', len);
    size_t name_len = equals ? (size_t)(equals - line) : 0;

    while (name_len && isspace((unsigned char)line[name_len - 1]))
        name_len--;
    for (size_t k = 0; k < N_REGS && name_len; k++) {
        if (strlen(list[k].name) != name_len || memcmp(list[k].name, line, name_len) != 0)
            continue;
        const char *digits = equals + 1;
        while (isspace((unsigned char)*digits) && *digits != '\n')
            digits++;
        size_t n = (size_t)(line + len - digits);
        while (n && isspace((unsigned char)digits[n - 1]))
            n--;
        uint64_t value;
        int ret = vdf_number_parse(digits, n, &value);
        if (ret == -EINVAL)
            return vdf_fail(err, EINVAL, "%s: \"%.*s\" is not a number", list[k].name, (int)n,
                            digits);
        if (ret == -ERANGE || (list[k].width < 8 && value >> list[k].width * 8))
            return vdf_fail(err, ERANGE, "%s does not fit into %u bits", list[k].name,
                            list[k].width * 8);
        memcpy((char *)r + list[k].offset, &value, list[k].width);
        return 0;
    }
    return vdf_fail(err, EINVAL, "\"%.*s\" is not a line \"REGISTER = VALUE\"",
                    len > 40 ? 40 : (int)len, line);
}

static int put(struct vdf_vcpu *cpu, const struct registers *r, struct vdf_err *err)
{
    struct kvm_sregs before;

    if (vdf_kvm_ioctl(cpu->fd, KVM_GET_SREGS, &before) < 0 ||
        vdf_kvm_ioctl(cpu->fd, KVM_SET_SREGS, &r->sregs) < 0)
        return vdf_fail(err, EINVAL, "KVM refuses these control registers or segments");
    if (vdf_kvm_ioctl(cpu->fd, KVM_SET_REGS, &r->regs) < 0) {
        vdf_kvm_ioctl(cpu->fd, KVM_SET_SREGS, &before);
        return vdf_fail(err, EINVAL, "KVM refuses these registers");
    }
    return 0;
}

int vdf_vcpu_store_regs(struct vdf_vcpu *cpu, const char *text, size_t len, struct vdf_err *err)
{
    struct registers r;
    int ret = load(cpu, &r);

    if (ret < 0)
        return vdf_fail(err, -ret, "the registers cannot be read");
    for (const char *line = text; ret == 0 && line < text + len;) {
        size_t n = strcspn(line, "\n");
        size_t skip = strspn(line, " \t\r");
        if (skip < n)
            ret = set_one(&r, line + skip, n - skip, err);
        line += n + (line[n] == '\n');
    }
    return ret < 0 ? ret : put(cpu, &r, err);
}
