/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target: any messages of vfio-user clients, with any memory and any descriptors behind them.
 *
 * The tree has two functions: a virtio console with memory in a BAR, and an INTx device with a page of a
 * queue and the registers of an APLIC. Each has a client here. The input is a sequence of operations of
 * the clients, well formed or not, and of the tree. A byte says which operation, of which client (bit
 * 7), and that a new connection begins without VERSION (bit 6).
 *
 * The server replies to every command, in order, and closes a connection only for a reason; what a
 * stopped function saves, it can load, and saves again. When the clients have gone nothing of theirs is
 * left, another one is served, and the tree's state can be restored and is the same.
 */
#include <dirent.h>
#include <linux/kcmp.h>
#include <linux/vfio.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "backends/console/virtio.h"
#include "backends/pci/pci.h"
#include "harness.h"
#include "plant.h"
#include "vfio_user.h"

#define MAX_OPERATIONS 100
#define MAX_BATCH 8u
#define CON 0
#define DEV 1

static char dir[32];
static struct client *client; /* of the operation */
static unsigned batch;        /* messages that are sent before the next reply is waited for */

/* --- descriptors to pass ---------------------------------------------------------------------- */

/* Memory, also to read only and too small; events, one of them full; others. */
static int passed[10];

static bool same_file(int a, int b)
{
    return syscall(SYS_kcmp, getpid(), getpid(), KCMP_FILE, a, b) == 0;
}

static bool is_ours(int fd)
{
    for (unsigned k = 0; k < COUNT(passed); k++)
        if (passed[k] == fd)
            return true;
    return false;
}

static bool was_passed(int fd)
{
    for (unsigned k = 0; k < COUNT(passed); k++)
        if (same_file(fd, passed[k]))
            return true;
    return false;
}

/* Whether the process has another descriptor of a file that was passed. Where the kernel cannot compare
 * files it has none. */
static bool has_passed_descriptors(void)
{
    DIR *fds = opendir("/proc/self/fd");
    bool found = false;

    if (!fds)
        abort();
    for (const struct dirent *entry = readdir(fds); entry; entry = readdir(fds)) {
        int fd = atoi(entry->d_name);
        found |= fd != dirfd(fds) && !is_ours(fd) && was_passed(fd);
    }
    closedir(fds);
    return found;
}

static bool has_passed_mappings(void)
{
    FILE *maps = fopen("/proc/self/maps", "re");
    char line[512];
    bool found = false;

    if (!maps)
        abort();
    while (fgets(line, sizeof(line), maps))
        found |= strstr(line, "memfd:fuzz-client") != NULL;
    fclose(maps);
    return found;
}

static void make_descriptors(void)
{
    int pipe_ends[2], ends[2];
    char path[32];

    memory = memfd_create("fuzz-client", MFD_CLOEXEC);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", memory);
    if (memory < 0 || pipe(pipe_ends) || socketpair(AF_UNIX, SOCK_STREAM, 0, ends))
        abort();
    const int fds[] = {
        memory,
        open(path, O_RDONLY | O_CLOEXEC),
        memfd_create("fuzz-client-small", MFD_CLOEXEC),
        eventfd(0, EFD_NONBLOCK),
        eventfd(0, 0),
        open("/dev/null", O_RDWR | O_CLOEXEC),
        pipe_ends[0],
        pipe_ends[1],
        ends[0],
        open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC),
    };
    for (unsigned k = 0; k < COUNT(fds); k++) {
        if (fds[k] < 0)
            abort();
        passed[k] = fds[k];
    }
    if (ftruncate(passed[2], VDF_VFU_PAGE) || eventfd_write(passed[4], UINT64_MAX - 1))
        abort();
    close(ends[1]);
}

/* As many as the byte's low half, of a kind of its high half; 15: one of each. */
static unsigned take_fds(struct input *in, int fds[16])
{
    unsigned how = (unsigned)take(in, 1), n = how & 15;

    for (unsigned k = 0; k < 16; k++)
        fds[k] = passed[(how / 16 == 15 ? k : how / 16) % COUNT(passed)];
    return how ? n : 0;
}

/* --- the tree --------------------------------------------------------------------------------- */

static void remove_dir(void)
{
    rmdir(dir);
}

static void prepare(void)
{
    strcpy(dir, "/tmp/vdf-fuzz.XXXXXX");
    if (!mkdtemp(dir) || atexit(remove_dir))
        abort();
    clients[CON].function = "pci/con";
    clients[DEV].function = "pci/dev";
    snprintf(clients[CON].socket, sizeof(clients[CON].socket), "%s/con", dir);
    snprintf(clients[DEV].socket, sizeof(clients[DEV].socket), "%s/dev", dir);
    make_descriptors();
}

static const char *of_function(const struct client *of, const char *file)
{
    static char path[64];

    snprintf(path, sizeof(path), "%s/%s", of->function, file);
    return path;
}

static void serve(const struct client *of)
{
    must(vdf_test_write(of_function(of, "vfio_user"), of->socket));
}

static void plant(void)
{
    static const char *const objects[] = {
        "console/c", "aplic/d",          "hwqueue/q",      "hwqueue/q/queues/0",
        "intx/b",    "intx/b/devices/a", "pci/con",        "pci/con/bars/2",
        "pci/dev",   "pci/dev/bars/0",   "pci/dev/bars/1",
    };
    static const struct step steps[] = {
        { "console/c/max_ports", "2" },
        { "aplic/d/delivery", "direct" },
        { "aplic/d/aia/srcs", "40" },
        { "aplic/d/init", "1" },
        { "hwqueue/q/memory_size", "131072" },
        { "hwqueue/q/queues/0/log2size", "4" },
        { "intx/b/devices/a/enabled", "1" },
        { "pci/con/function", "console/c" },
        { "pci/con/bars/2/device", "memory" },
        { "pci/dev/function", "intx/b/devices/a" },
        { "pci/dev/bars/0/device", "hwqueue/q/queues/0" },
        { "pci/dev/bars/1/device", "aplic/d" },
        { "pci/dev/msix/vectors", "40" },
        { "pci/dev/express", "1" },
    };

    for (unsigned k = 0; k < COUNT(objects); k++)
        must(vdf_test_mkdir(objects[k]));
    take_steps(steps, COUNT(steps));
    serve(&clients[CON]);
    serve(&clients[DEV]);
}

/* Run a function that enters devices, while the clients answer those that wait for them. */
struct errand {
    void (*run)(void *arg);
    void *arg;
    int done;
};

static void *run_errand(void *arg)
{
    const struct errand *errand = arg;

    errand->run(errand->arg);
    eventfd_write(errand->done, 1);
    return NULL;
}

static void send_errand(void (*run)(void *arg), void *arg)
{
    struct errand errand = { run, arg, eventfd(0, EFD_CLOEXEC) };
    struct pollfd done = { .fd = errand.done, .events = POLLIN };
    pthread_t thread;

    if (errand.done < 0 || pthread_create(&thread, NULL, run_errand, &errand))
        abort();
    while (!poll(&done, 1, 0))
        pump(NULL, errand.done);
    pthread_join(thread, NULL);
    close(errand.done);
}

/* --- values ----------------------------------------------------------------------------------- */

static uint64_t number(struct input *in)
{
    static const uint64_t numbers[] = {
        0x0fff,
        0x1000,
        0x1001,
        0x2000,
        0x3000,
        0x10000,
        0x11000,
        0x20000,
        MEMORY_SIZE - 0x1000,
        MEMORY_SIZE,
        VDF_VFU_DATA_MAX,
        VDF_VFU_DATA_MAX + 1,
        INT32_MAX,
        UINT32_MAX,
        UINT64_C(1) << 32,
        UINT64_C(1) << 40,
        UINT64_C(1) << 52,
        UINT64_C(1) << 63,
        UINT64_MAX - 0xfff,
        UINT64_MAX,
    };
    unsigned how = (unsigned)take(in, 1);

    if (how < 0xe0)
        return how;
    return how == 0xff ? take(in, 8) : numbers[(how - 0xe0) % COUNT(numbers)];
}

/* The size that a structure says it has: mostly the right one. */
static uint32_t argsz(struct input *in, size_t right)
{
    unsigned how = (unsigned)take(in, 1);

    return how < 0x80 ? (uint32_t)right : how < 0xc0 ? 4096 : (uint32_t)number(in);
}

/* --- messages --------------------------------------------------------------------------------- */

static void settle(void)
{
    if (batch)
        batch--;
    else
        sync_with(client);
}

static void command(uint16_t number, const void *payload, size_t n, const int *fds, unsigned n_fds)
{
    if (client->n_owed > OWED_MAX / 2)
        sync_with(client);
    if (client->sock >= 0)
        post(client, number, payload, n, fds, n_fds);
    settle();
}

static void send_raw(struct input *in)
{
    static const uint32_t sizes[] = {
        0, 15, VDF_VFU_MESSAGE_MAX, VDF_VFU_MESSAGE_MAX + 1, 1u << 31, UINT32_MAX
    };
    uint8_t payload[256];
    int fds[16];
    struct vdf_vfu_header header = { .id = ++client->id, .command = (uint16_t)take(in, 1) };

    header.flags = (uint32_t)take(in, 1);
    unsigned n_fds = take_fds(in, fds), adjust = (unsigned)take(in, 1);
    size_t n = take(in, 1);
    take_bytes(in, payload, n);
    header.size = (uint32_t)(sizeof(header) + n + (adjust & 0x3f));
    if (adjust & 0x80)
        header.size = (uint32_t)(sizeof(header) + n - (adjust & 7));
    if (adjust & 0x40)
        header.size = sizes[adjust % COUNT(sizes)];
    post_framed(client, client->sock, &header, payload, n, fds, n_fds);
    settle();
}

static const char good[] = "{\"capabilities\":{\"max_msg_fds\":8,\"max_data_xfer_size\":1048576,"
                           "\"pgsizes\":4096,\"write_multiple\":true}}";

static void negotiate(struct input *in)
{
    static const char *const texts[] = {
        good,
        "{\"capabilities\":{\"max_msg_fds\":8,\"twin_socket\":{\"supported\":true}}}",
        "{\"capabilities\":{\"max_data_xfer_size\":8}}",
        "{\"capabilities\":{\"max_msg_fds\":0,\"max_data_xfer_size\":100,"
        "\"twin_socket\":{\"supported\":true}}}",
        "{\"capabilities\":{\"max_msg_fds\":1,\"max_dma_maps\":1}}",
        "{\"a\":[[{\"b\":[1,-2.5e+3,null,true,\"\\u00e9\\\"\"]}]]}",
        "{\"capabilities\":{\"max_data_xfer_size\":7}}",
        "{\"a\":[[[[[[[[[[[[]]]]]]]]]]]]}",
        "{",
        "",
    };
    uint8_t payload[512];
    struct vdf_vfu_version version = { .minor = (uint16_t)take(in, 1) };
    const char *text = PICK(in, texts);
    size_t n = strlen(text) + 1;
    unsigned how = (unsigned)take(in, 1);

    version.major = how & 3 ? 0 : (uint16_t)(how >> 7);
    memcpy(payload, &version, sizeof(version));
    memcpy(payload + sizeof(version), text, n);
    if (how & 4)
        payload[sizeof(version) + take(in, 1) % n] = (uint8_t)take(in, 1);
    n = how & 8 ? 0 : n - (how >> 4 & 1);
    command(VDF_VFU_VERSION, payload, sizeof(version) + n, NULL, 0);
}

static void map(struct input *in)
{
    int fds[16];
    struct vdf_vfu_dma_map map = { .argsz = argsz(in, sizeof(map)) };

    map.flags = (uint32_t)take(in, 1);
    map.address = number(in);
    map.size = number(in);
    map.offset = map.flags & 0x80 ? number(in) : map.address;
    map.flags &= 0x7f;
    unsigned n = take_fds(in, fds);
    command(VDF_VFU_DMA_MAP, &map, sizeof(map), fds, n);
}

static void map_part(uint64_t address, uint64_t size, bool with_fd)
{
    const struct vdf_vfu_dma_map map = { sizeof(map), 3, with_fd ? address : 0, address, size };

    command(VDF_VFU_DMA_MAP, &map, sizeof(map), &memory, with_fd);
}

static void unmap(struct input *in)
{
    struct vdf_vfu_dma_unmap unmap = { .argsz = argsz(in, sizeof(unmap)) };

    unmap.flags = (uint32_t)take(in, 1);
    unmap.address = number(in);
    unmap.size = number(in);
    command(VDF_VFU_DMA_UNMAP, &unmap, sizeof(unmap), NULL, 0);
}

static void get_info(struct input *in)
{
    static const uint16_t commands[] = { VDF_VFU_DEVICE_GET_INFO, VDF_VFU_DEVICE_GET_REGION_INFO,
                                         VDF_VFU_DEVICE_GET_REGION_IO_FDS,
                                         VDF_VFU_DEVICE_GET_IRQ_INFO };
    static const size_t sizes[] = { sizeof(struct vdf_vfu_device_info),
                                    sizeof(struct vdf_vfu_region_info),
                                    sizeof(struct vdf_vfu_io_fds),
                                    sizeof(struct vdf_vfu_irq_info) };
    unsigned how = (unsigned)take(in, 1);
    uint32_t words[8] = { argsz(in, sizes[how & 3]) };

    words[1] = how & 0x80 ? (uint32_t)take(in, 1) : 0;
    words[2] = how & 3 ? (uint32_t)number(in) : 0;
    words[3] = how & 0x40 ? (uint32_t)number(in) : 0;
    command(commands[how & 3], words, sizes[how & 3], NULL, 0);
}

static void set_irqs(struct input *in)
{
    uint8_t payload[sizeof(struct vdf_vfu_irq_set) + 64];
    int fds[16];
    unsigned how = (unsigned)take(in, 1), n_fds = take_fds(in, fds);
    struct vdf_vfu_irq_set set = {
        .flags = 1u << how % 3 | 8u << (how >> 2 & 3) % 3,
        .index = how >> 4 & 7,
        .start = (uint32_t)number(in),
        .count = (uint32_t)number(in),
    };
    size_t n = set.flags & VFIO_IRQ_SET_DATA_BOOL ? set.count % 64 : 0;

    if (how & 0x80)
        set.flags = (uint32_t)take(in, 1);
    else if (set.flags & VFIO_IRQ_SET_DATA_EVENTFD && n_fds)
        set.count = n_fds;
    else
        n_fds = 0;
    set.argsz = argsz(in, sizeof(set) + n);
    memcpy(payload, &set, sizeof(set));
    take_bytes(in, payload + sizeof(set), n);
    command(VDF_VFU_DEVICE_SET_IRQS, payload, sizeof(set) + n, fds, n_fds);
}

static void access_region(struct input *in)
{
    static uint8_t payload[sizeof(struct vdf_vfu_region_access) + VDF_VFU_DATA_MAX];
    unsigned how = (unsigned)take(in, 1);
    struct vdf_vfu_region_access access = { .region = how % 16, .offset = number(in) };

    if (how & 0x20)
        access.offset += take(in, 1) * 0x100;
    access.count = how & 0x40 ? (uint32_t)number(in) : 1u << (how >> 4 & 1) << (how >> 6 & 2);
    memcpy(payload, &access, sizeof(access));
    if (how & 0x80) {
        size_t n = access.count < VDF_VFU_DATA_MAX ? access.count : VDF_VFU_DATA_MAX;
        take_bytes(in, payload + sizeof(access), n < 8 ? n : 8);
        command(VDF_VFU_REGION_WRITE, payload, sizeof(access) + n, NULL, 0);
    } else {
        command(VDF_VFU_REGION_READ, payload, sizeof(access), NULL, 0);
    }
}

struct writes {
    uint64_t n;
    struct vdf_vfu_write_one list[64];
};

static void send_writes(const struct writes *writes)
{
    command(VDF_VFU_REGION_WRITE_MULTI, writes,
            sizeof(writes->n) + writes->n % 65 * sizeof(writes->list[0]), NULL, 0);
}

static void write_several(struct input *in)
{
    struct writes writes = { .n = take(in, 1) % 16 };

    for (unsigned k = 0; k < writes.n; k++) {
        struct vdf_vfu_write_one *one = &writes.list[k];
        unsigned how = (unsigned)take(in, 1);

        *one = (struct vdf_vfu_write_one){ number(in), how % 16, how / 16, { 0 } };
        take_bytes(in, one->data, how & 1 ? 4 : 1);
    }
    if (take(in, 1) == 0xff)
        writes.n = number(in);
    send_writes(&writes);
}

static void reset(struct input *in)
{
    command(VDF_VFU_DEVICE_RESET, NULL, 0, NULL, 0);
}

static void send_feature(uint32_t flags, uint32_t size, const void *data, size_t n)
{
    struct {
        struct vdf_vfu_feature header;
        uint8_t data[256];
    } payload = { .header = { size, flags } };

    memcpy(payload.data, data, n);
    command(VDF_VFU_DEVICE_FEATURE, &payload, sizeof(payload.header) + n, NULL, 0);
}

/* The features from 1 to 8, and others; four numbers behind the header. */
static void use_feature(struct input *in)
{
    unsigned how = (unsigned)take(in, 1), shift = how >> 4 & 3;
    uint32_t flags = how % 16 | (shift == 3 ? (uint32_t)take(in, 1) << 16 : 1u << 16 << shift);
    uint64_t data[8];
    size_t n = how & 0x80 ? take(in, 1) % sizeof(data) : 24;

    data[0] = number(in);
    for (unsigned k = 1; k < COUNT(data); k++)
        data[k] = how & 0x40 ? number(in) : 0;
    uint32_t size = argsz(in, sizeof(struct vdf_vfu_feature) + n);
    send_feature(flags, size, data, n);
}

/* --- the log of written pages ------------------------------------------------------------------- */

static void start_log(struct input *in)
{
    struct {
        struct vdf_vfu_logging logging;
        struct vdf_vfu_logging_range ranges[4];
    } data = { .logging = { .page_size = UINT64_C(1) << take(in, 1) % 64 } };

    data.logging.ranges = (uint32_t)take(in, 1) % 4;
    for (unsigned k = 0; k < data.logging.ranges; k++)
        data.ranges[k] = (struct vdf_vfu_logging_range){ number(in), number(in) };
    send_feature(VFIO_DEVICE_FEATURE_SET | VFIO_DEVICE_FEATURE_DMA_LOGGING_START, 4096, &data,
                 sizeof(data.logging) + data.logging.ranges * sizeof(data.ranges[0]));
}

static void report_log(struct input *in)
{
    struct vdf_vfu_logging_report report = { .address = number(in), .size = number(in) };

    report.page_size = UINT64_C(1) << take(in, 1) % 64;
    send_feature(VFIO_DEVICE_FEATURE_GET | VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT,
                 take(in, 1) & 1 ? UINT32_MAX : 32, &report, sizeof(report));
}

static void stop_log(struct input *in)
{
    send_feature(VFIO_DEVICE_FEATURE_SET | VFIO_DEVICE_FEATURE_DMA_LOGGING_STOP, 8, "", 0);
}

/* --- migration -------------------------------------------------------------------------------- */

/* The migration data that a client has saved. */
static struct {
    char *text;
    size_t len;
} saved;

static int set_state(uint32_t state)
{
    struct {
        struct vdf_vfu_feature header;
        struct vdf_vfu_mig_state state;
    } payload = {
        .header = { sizeof(payload),
                    VFIO_DEVICE_FEATURE_SET | VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE },
        .state.state = state,
    };

    return ask(client, VDF_VFU_DEVICE_FEATURE, &payload, sizeof(payload));
}

static void forget_saved(void)
{
    free(saved.text);
    memset(&saved, 0, sizeof(saved));
}

/* Stop the function, and read its state. Return: whether that was possible. */
static bool save(uint32_t at_once)
{
    const struct vdf_vfu_mig_data wanted = { sizeof(wanted) + at_once, at_once };
    struct vdf_vfu_mig_data got;
    FILE *text = NULL;
    int n = set_state(VFIO_DEVICE_STATE_STOP);

    if (n >= 0)
        n = set_state(VFIO_DEVICE_STATE_STOP_COPY);
    forget_saved();
    if (n >= 0)
        text = open_memstream(&saved.text, &saved.len);
    do {
        n = n < 0 ? n : ask(client, VDF_VFU_MIG_DATA_READ, &wanted, sizeof(wanted));
        if (n > 0) {
            memcpy(&got, client->reply_payload, sizeof(got));
            fwrite(client->reply_payload + sizeof(got), 1, got.size, text);
        }
    } while (n > 0 && got.size);
    if (text)
        fclose(text);
    return n > 0;
}

static int write_data(const char *text, size_t len, size_t at_once)
{
    uint8_t *payload = malloc(sizeof(struct vdf_vfu_mig_data) + at_once);
    int ret = 0;

    if (!payload)
        abort();
    for (size_t done = 0; ret >= 0 && done < len;) {
        size_t n = len - done < at_once ? len - done : at_once;
        struct vdf_vfu_mig_data data = { (uint32_t)(sizeof(data) + n), (uint32_t)n };

        memcpy(payload, &data, sizeof(data));
        memcpy(payload + sizeof(data), text + done, n);
        ret = ask(client, VDF_VFU_MIG_DATA_WRITE, payload, sizeof(data) + n);
        done += n;
    }
    free(payload);
    return ret;
}

static void save_some(struct input *in)
{
    static const uint32_t sizes[] = { 100, 4096, VDF_VFU_DATA_MAX };

    save(sizes[take(in, 1) % COUNT(sizes)]);
}

/* Replace a value of the text @from. */
static void write_edited(const char *from, size_t at, const char *value, FILE *to)
{
    const char *equals = strstr(from + at, " = ");
    const char *end = equals ? strchr(equals, '\n') : NULL;

    if (end)
        fprintf(to, "%.*s = %s%s", (int)(equals - from), from, value, end);
    else
        fprintf(to, "%s", from);
}

static char *edit(struct input *in, char *text)
{
    static const char *const values[] = {
        "0",
        "1",
        "2",
        "3",
        "7",
        "0x40",
        "2047",
        "2048",
        "0xffff",
        "0xffffffff",
        "0x1000",
        "18446744073709551615",
        "",
        "memory",
        "console/c",
        "intx/b/devices/a",
        "hwqueue/q/queues/0",
        "pci/dev",
        "mem64",
        "io",
    };
    unsigned how = (unsigned)take(in, 1);
    size_t at = take(in, 2) % (strlen(text) + 1), len;
    char *edited;
    FILE *to = open_memstream(&edited, &len);

    if (!to)
        abort();
    if (how & 1) {
        write_edited(text, at, PICK(in, values), to);
    } else {
        const char *next = strchr(text + at, '\n');
        char byte = (char)take(in, 1);

        fprintf(to, "%.*s%c%s", (int)at, text, byte ? byte : ' ',
                how & 2 ? (next ? next : "") : text + at + (text[at] != '\0'));
    }
    fclose(to);
    free(text);
    return edited;
}

/* Without a checksum, so that changes matter. A function whose state was refused is reset. */
static void load_edited(struct input *in)
{
    unsigned how = (unsigned)take(in, 1);
    char *text = strdup(saved.text ? saved.text : "");
    char *sum = text ? strstr(text, "checksum = ") : NULL;

    if (sum)
        strcpy(sum, "checksum = none\n");
    for (unsigned k = how & 3; text && k; k--)
        text = edit(in, text);
    if (!text)
        abort();
    if (set_state(VFIO_DEVICE_STATE_RESUMING) < 0) {
        ask(client, VDF_VFU_DEVICE_RESET, NULL, 0);
        set_state(VFIO_DEVICE_STATE_RESUMING);
    }
    write_data(text, strlen(text), how & 4 ? 1000 : VDF_VFU_DATA_MAX);
    set_state(how & 8 ? VFIO_DEVICE_STATE_STOP : VFIO_DEVICE_STATE_RUNNING);
    free(text);
}

/* A function that has stopped loads its state, and is the same. */
static void there_and_back(struct input *in)
{
    if (!save(VDF_VFU_DATA_MAX))
        return;
    char *text = strdup(saved.text);
    if (!text)
        abort();
    int ret = set_state(VFIO_DEVICE_STATE_RESUMING);
    if (ret >= 0)
        ret = write_data(text, saved.len, 5000);
    if (ret >= 0)
        ret = set_state(VFIO_DEVICE_STATE_STOP);
    if (ret < 0 && ret != CLOSED) {
        fprintf(stderr, "%s\n%s", vdf_test_last_error(), text);
        fail("a saved function is refused", client);
    }
    if (ret >= 0 && save(VDF_VFU_DATA_MAX) && strcmp(saved.text, text)) {
        fprintf(stderr, "--- saved:\n%s\n--- after:\n%s\n", text, saved.text);
        fail("a loaded function is not as it was saved", client);
    }
    free(text);
}

/* --- a driver of the console ---------------------------------------------------------------------- */

#define RING_OF(queue) (0x10000u + (queue)*0x1000u) /* descriptors, avail, used: 1 KiB each */
#define RING_SIZE 8u
#define QUEUES 6u

static void add_write(struct writes *writes, uint64_t offset, unsigned width, uint64_t value)
{
    struct vdf_vfu_write_one *one = &writes->list[writes->n++];

    *one = (struct vdf_vfu_write_one){ .offset = offset, .count = width };
    memcpy(one->data, &value, width);
}

static void add_queue(struct writes *writes, unsigned queue, bool vectors)
{
    add_write(writes, VDF_CONSOLE_PCI_QUEUE_SELECT, 2, queue);
    add_write(writes, VDF_CONSOLE_PCI_QUEUE_SIZE, 2, RING_SIZE);
    if (vectors)
        add_write(writes, VDF_CONSOLE_PCI_QUEUE_VECTOR, 2, queue);
    add_write(writes, VDF_CONSOLE_PCI_QUEUE_DESC, 8, RING_OF(queue));
    add_write(writes, VDF_CONSOLE_PCI_QUEUE_DRIVER, 8, RING_OF(queue) + 0x400);
    add_write(writes, VDF_CONSOLE_PCI_QUEUE_DEVICE, 8, RING_OF(queue) + 0x800);
    add_write(writes, VDF_CONSOLE_PCI_QUEUE_ENABLE, 2, 1);
}

/* Memory with descriptors, or without, or both; and the rings in it. */
static void drive_console(struct input *in)
{
    struct writes writes = { 0 };
    unsigned how = (unsigned)take(in, 1);
    uint32_t features = (uint32_t)take(in, 1);

    map_part(0, 0x11000, how & 1);
    map_part(0x11000, MEMORY_SIZE - 0x11000, how & 2);
    add_write(&writes, VDF_CONSOLE_PCI_STATUS, 1, 0);
    add_write(&writes, VDF_CONSOLE_PCI_STATUS, 1, 3);
    add_write(&writes, VDF_CONSOLE_PCI_DRIVER_FEATURE_SELECT, 4, 0);
    add_write(&writes, VDF_CONSOLE_PCI_DRIVER_FEATURE, 4, features & 7);
    add_write(&writes, VDF_CONSOLE_PCI_DRIVER_FEATURE_SELECT, 4, 1);
    add_write(&writes, VDF_CONSOLE_PCI_DRIVER_FEATURE, 4, 1);
    add_write(&writes, VDF_CONSOLE_PCI_STATUS, 1, 0xb);
    for (unsigned queue = 0; queue < (features & 2 ? QUEUES : 2); queue++)
        add_queue(&writes, queue, how & 4);
    add_write(&writes, VDF_CONSOLE_PCI_STATUS, 1, 0xf);
    send_writes(&writes);
}

/* A chain of one buffer, with bytes of the input. */
static void put_buffer(struct input *in)
{
    unsigned queue = (unsigned)take(in, 1) % QUEUES, n = (unsigned)take(in, 1) % 64;
    uint64_t ring = RING_OF(queue), bytes = ring + 0xc00;
    uint8_t buffer[64], descriptor[16], entry[2];
    uint16_t index = 0, slot;

    if (pread(memory, &index, sizeof(index), (off_t)ring + 0x402) != sizeof(index))
        return;
    slot = index % RING_SIZE;
    take_bytes(in, buffer, n);
    vdf_store_le64(descriptor, bytes + slot * 64u);
    vdf_store_le32(descriptor + 8, queue & 1 ? n : n * 8);
    vdf_store_le32(descriptor + 12, queue & 1 ? 0 : 2);
    vdf_store_le16(entry, slot);
    index++;
    if (pwrite(memory, buffer, n, (off_t)(bytes + slot * 64u)) < 0 ||
        pwrite(memory, descriptor, sizeof(descriptor), (off_t)(ring + slot * 16u)) < 0 ||
        pwrite(memory, entry, sizeof(entry), (off_t)(ring + 0x404 + slot * 2u)) < 0 ||
        pwrite(memory, &index, sizeof(index), (off_t)ring + 0x402) < 0)
        abort();
    uint64_t notify = VDF_CONSOLE_PCI_NOTIFY + queue * VDF_CONSOLE_PCI_NOTIFY_STEP;
    struct vdf_vfu_write_one kick = { notify, 0, 2, { (uint8_t)queue } };
    command(VDF_VFU_REGION_WRITE, &kick, sizeof(struct vdf_vfu_region_access) + 2, NULL, 0);
}

static void store_to_memory(struct input *in)
{
    off_t offset = (off_t)(take(in, 2) * 4);
    uint8_t bytes[64];
    size_t n = take(in, 1) % sizeof(bytes);

    take_bytes(in, bytes, n);
    if (pwrite(memory, bytes, n, offset) < 0)
        abort();
}

/* --- other operations of a client ------------------------------------------------------------------ */

/* Doorbells that the server has passed, and the events that it may wait for. */
static void ring(struct input *in)
{
    static const uint64_t one = 1;
    unsigned how = (unsigned)take(in, 1);
    int fd = client->n_kept ? client->kept[how % client->n_kept] : -1;
    struct pollfd room = { .fd = how & 0x80 ? passed[3] : fd, .events = POLLOUT };

    if (room.fd >= 0 && poll(&room, 1, 0) == 1 && room.revents & POLLOUT &&
        write(room.fd, &one, sizeof(one)) < 0)
        return;
}

static void truncate_memory(struct input *in)
{
    clients[CON].excused = clients[DEV].excused = true;
    if (ftruncate(memory, (off_t)(take(in, 1) * 0x1000)))
        abort();
}

static void choose_answers(struct input *in)
{
    unsigned how = (unsigned)take(in, 1);

    answers.how = (enum answer)(how % NONE);
    answers.n = how / 16;
    if (how == 0xff && take(in, 1) == 0x5a)
        answers.how = NONE;
}

/* A reply that nobody waits for, perhaps with descriptors, by one of the sockets. */
static void send_reply(struct input *in)
{
    int fds[16];
    uint8_t payload[64];
    unsigned how = (unsigned)take(in, 1), n_fds = take_fds(in, fds);
    struct vdf_vfu_header header = { .id = (uint16_t)take(in, 1),
                                     .command = VDF_VFU_DMA_READ + (how & 1),
                                     .flags = how & 2 ? VDF_VFU_TYPE_REPLY : how >> 4 };
    size_t n = how & 4 ? sizeof(payload) : 16;

    take_bytes(in, payload, n);
    header.size = (uint32_t)(sizeof(header) + n);
    if (how & 8 && client->twin >= 0) {
        client->excused = true;
        post_framed(client, client->twin, &header, payload, n, fds, n_fds);
    } else {
        post_framed(client, client->sock, &header, payload, n, fds, n_fds);
    }
    settle();
}

static void set_pace(struct input *in)
{
    static const size_t sizes[] = { 0, 1, 15, 16, 17, 40 };
    unsigned how = (unsigned)take(in, 1);

    chunk = sizes[how / 16 % COUNT(sizes)];
    batch = how % (MAX_BATCH + 1);
}

static void go(struct input *in)
{
    unsigned how = (unsigned)take(in, 1);

    if (how & 1)
        complete(client);
    if (how & 2)
        sync_with(client);
    leave(client);
}

/* Another client waits, and leaves or has sent something before it is served. */
static void crowd(struct input *in)
{
    static const struct vdf_vfu_header header = { 1, VDF_VFU_VERSION, 20, 0, 0 };
    static const uint8_t payload[20];
    int sock = connect_socket(client->socket, SOCK_NONBLOCK), fds[16];
    unsigned n = take_fds(in, fds);
    struct iovec iov[] = { { (void *)&header, sizeof(header) }, { (void *)payload, 4 } };

    if (sock < 0)
        return;
    if (vdf_socket_send(sock, iov, 2, fds, n, MSG_DONTWAIT) < 0)
        n = 0;
    close(sock);
}

/* --- the tree meanwhile ----------------------------------------------------------------------- */

struct note {
    const char *path, *text;
    uint8_t bytes[64];
    size_t n;
    uint64_t offset;
};

static void write_value(void *arg)
{
    const struct note *note = arg;

    vdf_test_write(note->path, note->text);
}

static void write_tree(struct input *in)
{
    static const char *const paths[] = {
        "console/c/size",
        "console/c/reset",
        "console/c/max_ports",
        "console/c/cols",
        "intx/b/devices/a/assert",
        "intx/b/devices/a/enabled",
        "intx/b/devices/a/reset",
        "aplic/d/wire/1",
        "aplic/d/init",
        "hwqueue/q/queues/0/enable",
        "hwqueue/q/queues/0/base",
        "hwqueue/q/ioas/map",
        "pci/con/msix/0/mask",
        "pci/con/msix/enabled",
        "pci/con/msix/mask",
        "pci/dev/msix/vectors",
        "pci/dev/msix/39/mask",
        "pci/dev/function",
        "pci/con/bars/2/size",
    };
    static const char *const texts[] = {
        "0", "1", "2", "80 25", "", "0x100000 0x10000", "0x100000", "console/c",
    };
    struct note note = { .path = PICK(in, paths), .text = PICK(in, texts) };

    send_errand(write_value, &note);
}

static void write_service(struct input *in)
{
    unsigned how = (unsigned)take(in, 1);
    char path[64];
    struct note note = { .path = path, .text = how & 1 ? "" : client->socket };

    snprintf(path, sizeof(path), "%s/vfio_user", client->function);
    client->excused = true;
    send_errand(write_value, &note);
}

/* A state of a device, while clients use it. */
static void write_state(void *arg)
{
    const struct note *note = arg;
    char *text = strdup(vdf_test_read(note->path));

    if (text)
        vdf_test_write(note->path, text);
    free(text);
}

static void restore(struct input *in)
{
    static const char *const paths[] = { "console/c/state", "pci/con/state", "pci/dev/state",
                                         "intx/b/state",    "aplic/d/state", "state" };
    struct note note = { .path = PICK(in, paths) };

    clients[CON].excused = clients[DEV].excused = true;
    send_errand(write_state, &note);
}

static void move_bytes(void *arg)
{
    struct note *note = arg;
    int error;
    bool writes = note->text != NULL;
    struct vdf_test_file *file =
        vdf_test_open(note->path, (writes ? O_WRONLY : O_RDONLY) | O_NONBLOCK, &error);

    if (!file)
        return;
    if (writes)
        vdf_test_file_write(file, note->bytes, note->n);
    else
        vdf_test_file_read(file, note->bytes, sizeof(note->bytes));
    vdf_test_close(file);
}

static void use_stream(struct input *in)
{
    static const char *const paths[] = { "console/c/ports/0/data", "console/c/ports/1/data",
                                         "console/c/control",      "pci/con/dma",
                                         "pci/dev/client",         "errors" };
    struct note note = { .path = PICK(in, paths) };

    note.n = take(in, 1) % sizeof(note.bytes);
    take_bytes(in, note.bytes, note.n);
    note.text = note.n ? "" : NULL;
    send_errand(move_bytes, &note);
}

static void access_config(void *arg)
{
    struct note *note = arg;

    if (note->text)
        vdf_test_pwrite(note->path, note->bytes, note->n, note->offset);
    else
        vdf_test_pread(note->path, note->bytes, note->n, note->offset);
}

static void use_config(struct input *in)
{
    static const char *const paths[] = { "pci/con/config", "pci/dev/config",
                                         "pci/con/bars/2/memory" };
    struct note note = { .path = PICK(in, paths), .offset = take(in, 2) };

    note.n = take(in, 1) % sizeof(note.bytes);
    note.text = take(in, 1) & 1 ? "" : NULL;
    take_bytes(in, note.bytes, note.text ? note.n : 0);
    send_errand(access_config, &note);
}

/* --- the end ---------------------------------------------------------------------------------- */

static void wait_for(bool (*done)(void), const char *what)
{
    for (unsigned k = 0; !done(); k++) {
        if (k == LIMIT_MS)
            fail(what, NULL);
        if (k)
            poll(NULL, 0, 1);
    }
}

static bool nobody_is_served(void)
{
    for (unsigned k = 0; k < COUNT(clients); k++)
        if (*vdf_test_read(of_function(&clients[k], "client")))
            return false;
    return true;
}

static bool nothing_is_left(void)
{
    return !has_passed_descriptors() && !has_passed_mappings();
}

/* The kernel may keep the eventfd of a signal without a descriptor. */
static bool has_signals(const struct vdf_pci_irqs *irqs)
{
    bool found = irqs->intx != NULL;

    for (unsigned n = 0; n < irqs->n; n++)
        found |= irqs->vectors[n].signal != NULL;
    return found;
}

static void expect_no_traces(void)
{
    for (unsigned k = 0; k < COUNT(clients); k++)
        leave(&clients[k]);
    wait_for(nobody_is_served, "a client that has left is still served");
    wait_for(nothing_is_left, "something of a client is left");
    for (unsigned k = 0; k < COUNT(clients); k++) {
        const struct vdf_pci *pci = vdf_obj_priv(vdf_test_obj(clients[k].function));
        if (*vdf_test_read(of_function(&clients[k], "dma")) || pci->space->n || pci->running)
            fail("a function has memory of nobody", &clients[k]);
        if (has_signals(&pci->irqs))
            fail("a function has signals of nobody", &clients[k]);
    }
}

/* Another client is served. */
static void expect_service(struct client *of)
{
    const struct vdf_vfu_region_access access = { 0, VDF_PCI_CONFIG, 256 };
    uint8_t version[sizeof(struct vdf_vfu_version) + sizeof(good)] = { 0 }, config[256];

    memcpy(version + sizeof(struct vdf_vfu_version), good, sizeof(good));
    client = of;
    if (!arrive(of) || ask(of, VDF_VFU_VERSION, version, sizeof(version)) <= 0 ||
        ask(of, VDF_VFU_REGION_READ, &access, sizeof(access)) != sizeof(access) + sizeof(config))
        fail("another client is not served", of);
    if (vdf_test_pread(of_function(of, "config"), config, sizeof(config), 0) != sizeof(config) ||
        memcmp(config, of->reply_payload + sizeof(access), sizeof(config)))
        fail("another client reads another configuration space", of);
    leave(of);
}

static char *copy_of_state(void)
{
    char *copy = strdup(vdf_test_read("state"));

    if (!copy)
        abort();
    return copy;
}

/* Until what the engine still has to do is done. */
static char *settled_state(void)
{
    char *text = copy_of_state();

    for (;;) {
        char *again = copy_of_state();
        bool same = !strcmp(text, again);
        free(text);
        text = again;
        if (same)
            return text;
    }
}

static void expect_same_state(void)
{
    char *before = settled_state();

    if (vdf_test_write("state", before) < 0) {
        fprintf(stderr, "%s\n%s\n", vdf_test_last_error(), before);
        fail("a saved state is refused", NULL);
    }
    char *after = settled_state();
    if (strcmp(before, after)) {
        fprintf(stderr, "--- saved:\n%s\n--- restored:\n%s\n", before, after);
        fail("a restored state is not as it was saved", NULL);
    }
    free(before);
    free(after);
}

static void finish(void)
{
    chunk = 0;
    batch = 0;
    answers.n = 0;
    expect_no_traces();
    for (unsigned k = 0; k < COUNT(clients); k++) {
        serve(&clients[k]);
        expect_service(&clients[k]);
    }
    expect_no_traces();
    expect_same_state();
    for (unsigned k = 0; k < COUNT(clients); k++)
        expect_service(&clients[k]);
    expect_no_traces();
    vdf_test_tree_free();
    forget_saved();
}

/* ---------------------------------------------------------------------------------------------- */

static void (*const operations[])(struct input *in) = {
    send_raw,        negotiate,      map,           unmap,           get_info,
    set_irqs,        access_region,  write_several, reset,           use_feature,
    start_log,       report_log,     stop_log,      save_some,       load_edited,
    there_and_back,  drive_console,  put_buffer,    store_to_memory, ring,
    truncate_memory, choose_answers, send_reply,    set_pace,        go,
    crowd,           write_tree,     write_service, restore,         use_stream,
    use_config,
};

static void begin_connection(bool with_version)
{
    uint8_t payload[sizeof(struct vdf_vfu_version) + sizeof(good)] = { 0 };

    memcpy(payload + sizeof(struct vdf_vfu_version), good, sizeof(good));
    if (arrive(client) && with_version)
        ask(client, VDF_VFU_VERSION, payload, sizeof(payload));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = { data, size };

    if (!*dir)
        prepare();
    for (unsigned k = 0; k < COUNT(clients); k++)
        clients[k].sock = clients[k].twin = -1;
    if (ftruncate(memory, 0) || ftruncate(memory, MEMORY_SIZE) ||
        !vdf_test_tree_with_engine(VDF_ENGINE_AUTO, true))
        abort();
    plant();
    for (unsigned n = 0; n < MAX_OPERATIONS && in.left; n++) {
        unsigned what = (unsigned)take(&in, 1);

        client = &clients[what >> 7];
        if (client->sock < 0)
            begin_connection(!(what & 0x40));
        operations[(what & 0x3f) % COUNT(operations)](&in);
    }
    finish();
    return 0;
}
