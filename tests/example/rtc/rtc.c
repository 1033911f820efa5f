/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A real-time clock with an alarm: the worked example of HACKING.md. */
#include <time.h>
#include <virtdevfs/guest.h>

#define NS_PER_S INT64_C(1000000000)
#define AF UINT64_C(1) /* alarm flag */
#define AE UINT64_C(2) /* alarm enable */

struct rtc {
    struct vdf_priv priv;
    struct vdf_guest guest;
    int64_t offset; /* nanoseconds from the host's clock to the device's */
    uint32_t alarm, control;
};

static int64_t now(const struct rtc *rtc)
{
    struct timespec host;

    clock_gettime(CLOCK_REALTIME, &host);
    return host.tv_sec * NS_PER_S + host.tv_nsec + rtc->offset;
}

static int get_time(const struct vdf_at *at, uint64_t *value)
{
    *value = (uint32_t)(now(at->priv) / NS_PER_S);
    return 0;
}

static int set_time(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    ((struct rtc *)at->priv)->offset += (int64_t)value * NS_PER_S - now(at->priv);
    return 0;
}

static bool line(const void *priv)
{
    return ((const struct rtc *)priv)->control & AF;
}

static uint64_t timer_due(const void *priv)
{
    const struct rtc *rtc = priv;
    int64_t left = rtc->alarm * NS_PER_S - now(rtc);

    return !(rtc->control & AE) ? UINT64_MAX : left > 0 ? (uint64_t)left : 0;
}

static void on_timer(struct vdf_obj *obj)
{
    ((struct rtc *)vdf_obj_priv(obj))->control = AF;
}

static const struct vdf_bits control_bits[] = {
    { "AF", 0, 1, "alarm flag and interrupt; the alarm sets AF, writing 1 clears it" },
    { "AE", 1, 1, "alarm enable; the alarm clears AE" },
    { 0 },
};

static const struct vdf_attr rows[] = {
    { VDF_REGISTER("time", 0, VDF_LIVE, "seconds"), .width = 4, .get = get_time, .set = set_time },
    { VDF_REGISTER("alarm", 4, 0, "the second of the alarm"), VDF_FIELD(struct rtc, alarm) },
    { VDF_REGISTER("control", 8, 0, "alarm control"), VDF_FIELD(struct rtc, control),
      .bits = control_bits, .w1c = AF, .reserved = ~(AE | AF) },
    VDF_REGS_ROW,
};

static const struct vdf_guest_ops guest_ops = { .interrupts = VDF_GUEST_LINE,
                                                .guest = offsetof(struct rtc, guest),
                                                .line = line };

static const struct vdf_class rtc_class = { VDF_CLASS("rtc", "real-time clock", struct rtc, rows),
                                            .timer_due = timer_due, .on_timer = on_timer,
                                            .guest = &guest_ops };

const struct vdf_component vdf_rtc_component = { .cls = &rtc_class, .default_name = "rtc0" };
