/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The whole tree under several threads and an engine, for ThreadSanitizer: each thread does what a
 * FUSE thread does for a shell script, and the scripts meet in the same devices. One of them saves
 * and restores the state of everything meanwhile, and a thread as components have them that of two
 * devices.
 *
 *     build/tsan/tests/stress_tree [ROUNDS]
 *
 * During the run an operation is answered with 0 or with the errno of a conflict with another
 * thread, a text that was read is whole, and a state that was saved is taken back. Afterwards the
 * state of the tree is the same again when it is restored, and nothing is left open or mapped.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <virtdevfs/object.h>

#include "harness.h"

#define STATE_ROOM (1u << 22)

static unsigned rounds = 300;
static unsigned long states_taken; /* by the thread that saves and restores */

__attribute__((format(printf, 2, 3))) static void check(bool right, const char *format, ...)
{
    va_list args;

    if (right)
        return;
    fprintf(stderr, "stress_tree: ");
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(1);
}

/* Another thread may hold or remove what a path names, and a restored state may have made it, or
 * done to it what is refused a second time. */
static void check_conflict(int ret, const char *what, const char *path)
{
    check(ret == 0 || ret == -ENOENT || ret == -ENODEV || ret == -EBUSY || ret == -EEXIST ||
              ret == -EAGAIN || ret == -EINVAL || ret == -EPERM,
          "%s %s answers %d", what, path, ret);
}

static void put(const char *path, const char *text)
{
    check_conflict(vdf_test_write(path, text), "a write to", path);
}

static void make(const char *path)
{
    check_conflict(vdf_test_mkdir(path), "mkdir", path);
}

static void drop(const char *path)
{
    check_conflict(vdf_test_rmdir(path), "rmdir", path);
}

/* The text of one read in @text, which has room for @room bytes; empty when it was refused. */
static size_t get(const char *path, char *text, size_t room)
{
    int error;
    struct vdf_test_file *file = vdf_test_open(path, O_RDONLY, &error);

    text[0] = '\0';
    if (!file) {
        check_conflict(error, "an open of", path);
        return 0;
    }
    ssize_t n = vdf_test_file_read(file, text, room - 1);
    vdf_test_close(file);
    check_conflict(n < 0 ? (int)n : 0, "a read of", path);
    if (n < 0)
        return 0;
    text[n] = '\0';
    return (size_t)n;
}

/* @text is @line as often as wanted, and nothing else. */
static void check_lines(const char *path, const char *text, const char *line)
{
    size_t n = strlen(line);
    const char *at = text;

    while (strncmp(at, line, n) == 0)
        at += n;
    check(!*at, "%s has other bytes than \"%s\": %s", path, line, text);
}

/* A number in the section [@section] of a state, which has it. */
static uint64_t number(const char *section, const char *name)
{
    char line[64];

    snprintf(line, sizeof(line), "\n%s = ", name);
    const char *at = strstr(section, line), *end = strstr(section, "\n[");
    check(at && (!end || at < end), "there is no %s in %s", name, section);
    return strtoull(at + strlen(line), NULL, 0);
}

/* A state is a snapshot of a device between two operations. */

/* A queue that runs has nothing left to execute. */
static void check_queue(const char *state)
{
    const char *queue = strstr(state, "[hwqueue/smmu0/queues/0]");

    if (!queue || !number(queue, "enable") || !number(queue, "config") ||
        number(queue, "gerror") != number(queue, "gerrorn"))
        return;
    check(number(queue, "prod") == number(queue, "cons"), "a queue that runs has work left: %s",
          queue);
}

/* A device that asserts has been masked, and its guest has the interrupt. */
static void check_interrupt(const char *state)
{
    const char *line = strstr(state, "[intx/bus0]");
    const char *device = strstr(state, "[intx/bus0/devices/d]");

    check(line && device, "there is no device in %s", state);
    check(number(line, "line/0/raised") == number(line, "line/0/handled"),
          "an interrupt was not handled: %s", state);
    uint64_t masked = number(device, "masked");
    check(masked >= number(device, "assert") && masked == number(device, "guest_level") &&
              masked == number(device, "host_irq_disabled") &&
              masked == (number(device, "command") >> 10 & 1),
          "a device is half masked: %s", device);
}

/* --- the threads ------------------------------------------------------------------------------ */

static void *interrupts(void *arg)
{
    char text[65537];

    for (unsigned k = 0; k < rounds; k++) {
        put("aplic/aplic0/wire/3", k % 2 ? "1" : "0");
        get("aplic/aplic0/msi", text, sizeof(text));
        check_lines("msi", text, "hart=0 guest=0 eiid=9 delivered\n");
        get("aplic/aplic0/imsic/0/pending", text, sizeof(text));
        check(!*text || strcmp(text, "9\n") == 0, "pending is %s", text);
        put("intx/bus0/devices/d/assert", k % 2 ? "1" : "0");
        get("intx/bus0/state", text, sizeof(text));
        check_interrupt(text);
        put("intx/bus0/devices/d/ack", "1");
    }
    return NULL;
}

static void *lines(void *arg)
{
    char text[65537];

    for (unsigned k = 0; k < rounds; k++) {
        put("console/con0/ports/0/guest", "from the guest\n");
        get("console/con0/ports/0/data", text, sizeof(text));
        check_lines("data", text, "from the guest\n");
        put("console/con0/ports/0/data", "from the host\n");
        get("console/con0/ports/0/guest", text, sizeof(text));
        check_lines("guest", text, "from the host\n");
    }
    return NULL;
}

/* The page of a queue is polled by the engine's thread while it is open here. */
static void *queues(void *arg)
{
    static const char sync[16] = { 0x46 };
    char *text = malloc(STATE_ROOM);
    int error;

    check(text, "no memory");
    for (unsigned k = 0; k < rounds / 4; k++) {
        make("hwqueue/smmu0/queues/0");
        put("hwqueue/smmu0/queues/0/log2size", "4");
        put("hwqueue/smmu0/queues/0/enable", "1");
        vdf_test_pwrite("hwqueue/smmu0/queues/0/entries", sync, sizeof(sync), 0);
        struct vdf_test_file *page = vdf_test_open("hwqueue/smmu0/queues/0/page", O_RDWR, &error);
        put("hwqueue/smmu0/queues/0/prod", "1");
        get("hwqueue/smmu0/state", text, STATE_ROOM);
        check_queue(text);
        vdf_test_close(page);
        drop("hwqueue/smmu0/queues/0");
    }
    free(text);
    return NULL;
}

static void *objects(void *arg)
{
    char text[64];

    for (unsigned k = 0; k < rounds / 4; k++) {
        make("gait/mine");
        make("gait/mine/guests/g");
        make("gait/mine/functions/f");
        put("gait/mine/enabled", "1");
        put("gait/mine/functions/f/guest", "g");
        put("gait/mine/functions/f/registered", "1");
        put("gait/mine/functions/f/signal", "1");
        get("gait/mine/functions/f/aibv", text, sizeof(text));
        check(!*text || strcmp(text, "1\n") == 0, "aibv is %s", text);
        drop("gait/mine");
    }
    return NULL;
}

static bool is_whole(const char *state, size_t n)
{
    const char *sum = n ? memrchr(state, '\n', n - 1) : NULL;

    return strncmp(state, "virtdevfs-state ", 16) == 0 && sum &&
           strncmp(sum + 1, "checksum = ", 11) == 0;
}

static void *states(void *arg)
{
    char *text = malloc(STATE_ROOM);

    check(text, "no memory");
    for (unsigned k = 0; k < rounds / 4; k++) {
        size_t n = get("state", text, STATE_ROOM);
        check(is_whole(text, n), "half a state was read: %s", text);
        int ret = vdf_test_write("state", text);
        check(ret == 0 || ret == -EBUSY, "its own state is refused with %d: %s", ret,
              vdf_test_last_error());
        states_taken += ret == 0;
        get("errors", text, STATE_ROOM);
        check(!*text || text[strlen(text) - 1] == '\n', "errors ends within a line: %s", text);
    }
    free(text);
    return NULL;
}

/* The devices are the same before and after, and nobody sees them in between. */
static void *sets(void *arg)
{
    struct vdf_obj *devices[] = { vdf_test_obj("intx/bus0"), vdf_test_obj("console/con0") };
    const atomic_bool stop = false;

    for (unsigned k = 0; k < rounds / 4; k++) {
        struct vdf_buf before = VDF_BUF_INIT, after = VDF_BUF_INIT;
        struct vdf_err err = { 0 };
        check(vdf_obj_enter_exclusive(devices[0], &stop), "no exclusive access");
        check(vdf_objs_save(devices, 2, &before) == 0, "no state of two devices");
        int ret = vdf_objs_load(devices, 2, NULL, before.data, before.len, &err);
        check(ret == 0, "a state of two devices is refused with %d: %s", ret, err.text);
        check(vdf_objs_save(devices, 2, &after) == 0, "no state of two devices");
        vdf_obj_leave_exclusive(devices[0], &stop);
        check(after.len == before.len && memcmp(after.data, before.data, after.len) == 0,
              "the state of two devices is another one now: %.*s", (int)after.len, after.data);
        vdf_buf_free(&before);
        vdf_buf_free(&after);
    }
    return NULL;
}

/* --- before and afterwards -------------------------------------------------------------------- */

static void set_up(void)
{
    static const char *const steps[][2] = {
        { "aplic/aplic0/domaincfg", "0x100" },
        { "aplic/aplic0/sourcecfg/3", "4" },
        { "aplic/aplic0/target/3", "9" },
        { "aplic/aplic0/setienum", "3" },
        { "hwqueue/smmu0/ioas/map", "0x0 0x10000" },
        { "intx/bus0/devices/d/enabled", "1" },
        { "intx/bus0/devices/d/assert", "1" },
        { "intx/bus0/devices/d/assert", "0" },
        { "intx/bus0/devices/d/ack", "1" },
    };

    check(vdf_test_mkdir("intx/bus0/devices/d") == 0, "mkdir is refused");
    for (size_t k = 0; k < sizeof(steps) / sizeof(steps[0]); k++)
        check(vdf_test_write(steps[k][0], steps[k][1]) == 0, "%s is refused", steps[k][0]);
}

/* No thread is in the way now, but for the engine's. */
static void check_rest(void)
{
    static const char *const devices[] = { "console/con0", "aplic/aplic0", "gait/gait0",
                                           "hwqueue/smmu0", "intx/bus0" };
    char *before = strdup(vdf_test_read("state"));

    check(before, "no memory");
    check(vdf_test_write("state", before) == 0, "the last state is refused: %s",
          vdf_test_last_error());
    check(strcmp(vdf_test_read("state"), before) == 0, "the last state is another one now");
    free(before);
    check(states_taken > 0, "no state was taken");
    /* The device that does not assert is served and acknowledged. */
    put("intx/bus0/devices/d/assert", "0");
    put("intx/bus0/devices/d/ack", "1");
    check(vdf_test_read_u64("intx/bus0/devices/d/masked") == 0 &&
              vdf_test_read_u64("intx/bus0/devices/d/guest_level") == 0,
          "an interrupt is left over");
    for (size_t k = 0; k < sizeof(devices) / sizeof(devices[0]); k++)
        check(vdf_test_rmdir(devices[k]) == 0, "%s cannot be removed", devices[k]);
}

static bool run(enum vdf_engine_kind kind)
{
    void *(*const bodies[])(void *) = { interrupts, lines, queues, objects, states, sets };
    pthread_t threads[sizeof(bodies) / sizeof(bodies[0])];
    struct vdf_test_resources before = vdf_test_resources();

    if (!vdf_test_tree_with_engine(kind, false))
        return false;
    set_up();
    states_taken = 0;
    for (size_t k = 0; k < sizeof(bodies) / sizeof(bodies[0]); k++)
        check(pthread_create(&threads[k], NULL, bodies[k], NULL) == 0, "no thread");
    for (size_t k = 0; k < sizeof(bodies) / sizeof(bodies[0]); k++)
        pthread_join(threads[k], NULL);
    check_rest();
    vdf_test_tree_free();
    struct vdf_test_resources after = vdf_test_resources();
    check(after.fds == before.fds, "%u descriptors are open, %u were before", after.fds,
          before.fds);
    check(after.memfds == before.memfds, "%u memfds are mapped, %u were before", after.memfds,
          before.memfds);
    printf("engine %d: %u rounds, %lu states were taken back\n", (int)kind, rounds, states_taken);
    return true;
}

int main(int argc, char **argv)
{
    if (argc > 1)
        rounds = (unsigned)strtoul(argv[1], NULL, 0);
    bool ran = run(VDF_ENGINE_IO_URING);
    ran = run(VDF_ENGINE_LIBAIO) || ran;
    return ran ? 0 : 77;
}
