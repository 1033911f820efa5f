/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The probe of the host: facts, their two output formats, and parts that fail or hang. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <virtdevfs/probe.h>

static void nothing(struct vdf_probe *probe)
{
}

static const struct vdf_probe_part part = { .name = "part", .title = "a part", .run = nothing };

static bool contains(const struct vdf_buf *b, const char *text)
{
    return memmem(b->data, b->len, text, strlen(text)) != NULL;
}

static void is(const struct vdf_buf *b, const char *text)
{
    cr_assert(!b->oom);
    cr_assert(b->len == strlen(text) && memcmp(b->data, text, b->len) == 0,
              "wanted:\n%s\ngot:\n%.*s", text, (int)b->len, b->data);
}

/* The members of "parts"; the members before differ from host to host. */
static void is_json(const struct vdf_probe *probes, unsigned n, const char *text)
{
    struct vdf_buf json = VDF_BUF_INIT, rest = VDF_BUF_INIT;

    vdf_probe_json(probes, n, "1.2", &json);
    cr_assert(!json.oom);
    const char *head = "{\n  \"virtdevfs\": \"1.2\",\n  \"kernel\": \"";
    cr_assert(memcmp(json.data, head, strlen(head)) == 0);
    char *parts = memmem(json.data, json.len, "  \"parts\"", 9);
    cr_assert(parts);
    vdf_buf_add(&rest, parts, json.len - (size_t)(parts - json.data));
    is(&rest, text);
    vdf_buf_free(&json);
    vdf_buf_free(&rest);
}

static void is_text(const struct vdf_probe *probes, unsigned n, const char *text)
{
    struct vdf_buf out = VDF_BUF_INIT;

    vdf_probe_text(probes, n, &out);
    is(&out, text);
    vdf_buf_free(&out);
}

Test(probe, nothing_told)
{
    struct vdf_probe probe = { .part = &part };

    is_text(&probe, 1, "part: a part\n");
    is_json(&probe, 1, "  \"parts\": {\n    \"part\": []\n  }\n}\n");
}

Test(probe, a_table_and_json)
{
    static const struct vdf_probe_part other = { .name = "o", .title = "other", .run = nothing };
    struct vdf_probe probes[2] = { { .part = &part }, { .part = &other } };

    vdf_probe_have(&probes[0], "a", "%s", "");
    vdf_probe_have(&probes[0], "longer", "detail %d", 7);
    vdf_probe_value(&probes[0], "k", "v%d", 1);
    vdf_probe_value(&probes[0], "k2", "%s", "v2");
    vdf_probe_lack(&probes[1], "b", "open(2) answers %s", "EACCES");
    vdf_probe_value(&probes[1], "x", "y");
    vdf_probe_remedy(&probes[1], "root");
    vdf_probe_lack(&probes[1], "c", "no reason %s", "known");
    is_text(probes, 2,
            "part: a part\n"
            "  yes  a\n"
            "  yes  longer  detail 7  k=v1  k2=v2\n"
            "o: other\n"
            "  no   b       open(2) answers EACCES  x=y; needs root\n"
            "  no   c       no reason known\n");
    is_json(probes, 2,
            "  \"parts\": {\n"
            "    \"part\": [\n"
            "      {\"name\": \"a\", \"available\": true,\n"
            "       \"detail\": \"\",\n"
            "       \"values\": {}},\n"
            "      {\"name\": \"longer\", \"available\": true,\n"
            "       \"detail\": \"detail 7\",\n"
            "       \"values\": {\"k\": \"v1\", \"k2\": \"v2\"}}],\n"
            "    \"o\": [\n"
            "      {\"name\": \"b\", \"available\": false,\n"
            "       \"reason\": \"open(2) answers EACCES\",\n"
            "       \"remedy\": \"root\",\n"
            "       \"values\": {\"x\": \"y\"}},\n"
            "      {\"name\": \"c\", \"available\": false,\n"
            "       \"reason\": \"no reason known\",\n"
            "       \"values\": {}}]\n"
            "  }\n}\n");
    vdf_probe_free(probes, 2);
}

Test(probe, hostile_words)
{
    struct vdf_probe probe = { .part = &part };

    vdf_probe_have(&probe, "\"}],\n  yes  x", "back\\slash\ttab %s", "%n%s");
    vdf_probe_value(&probe, "k\"", "\x01\x7f\xc3\xa9\xff");
    vdf_probe_lack(&probe, "+-=!", "!=+");
    vdf_probe_remedy(&probe, "=\033[31m");
    is_text(&probe, 1,
            "part: a part\n"
            "  yes  \"}],?  yes  x  back\\slash?tab %n%s  k\"=?????\n"
            "  no   +-=!           !=+; needs =?[31m\n");
    is_json(&probe, 1,
            "  \"parts\": {\n"
            "    \"part\": [\n"
            "      {\"name\": \"\\\"}],\\u000a  yes  x\", \"available\": true,\n"
            "       \"detail\": \"back\\\\slash\\u0009tab %n%s\",\n"
            "       \"values\": {\"k\\\"\": \"\\u0001\\u007f\\u00c3\\u00a9\\u00ff\"}},\n"
            "      {\"name\": \"+-=!\", \"available\": false,\n"
            "       \"reason\": \"!=+\",\n"
            "       \"remedy\": \"=\\u001b[31m\",\n"
            "       \"values\": {}}]\n"
            "  }\n}\n");
    vdf_probe_free(&probe, 1);
}

/* A process that was killed may have written half of a fact. */
Test(probe, facts_that_are_cut_off)
{
    struct vdf_probe whole = { .part = &part };

    vdf_probe_have(&whole, "name", "detail");
    vdf_probe_value(&whole, "key", "value");
    vdf_probe_remedy(&whole, "remedy");
    vdf_probe_lack(&whole, "other", "reason");
    for (size_t len = 0; len <= whole.facts.len; len++) {
        struct vdf_probe cut = { .part = &part };
        struct vdf_buf out = VDF_BUF_INIT;
        char *exact = malloc(len ? len : 1); /* so that a sanitizer sees a read behind it */
        memcpy(exact, whole.facts.data, len);
        cut.facts.data = exact;
        cut.facts.len = len;
        vdf_probe_text(&cut, 1, &out);
        cr_assert_eq(contains(&out, "detail"), len >= strlen("+name") + 1 + strlen("detail") + 1);
        cr_assert_eq(contains(&out, "reason"), len == whole.facts.len);
        vdf_buf_reset(&out);
        vdf_probe_json(&cut, 1, "1.2", &out);
        cr_assert_eq(contains(&out, "\"reason\""), len == whole.facts.len);
        vdf_buf_free(&out);
        free(exact);
    }
    vdf_probe_free(&whole, 1);
}

Test(probe, refusals_have_remedies)
{
    struct vdf_probe probe = { .part = &part };

    vdf_probe_refused(&probe, "a", "open(2)", EMFILE, "something");
    vdf_probe_refused(&probe, "b", "open(2)", EIO, "something");
    vdf_probe_refused(&probe, "c", "open(2)", EIO, NULL);
    is_text(&probe, 1,
            "part: a part\n"
            "  no   a  open(2) answers EMFILE; needs a higher limit of open files (ulimit -n)\n"
            "  no   b  open(2) answers EIO; needs something\n"
            "  no   c  open(2) answers EIO\n");
    vdf_probe_free(&probe, 1);
}

/* --- device files ----------------------------------------------------------------------------- */

Test(probe, only_a_drivers_device_is_opened)
{
    struct vdf_probe probe = { .part = &part };
    char dir[] = "/tmp/vdf-probe.XXXXXX", fifo[64], plain[64];

    cr_assert(mkdtemp(dir));
    snprintf(fifo, sizeof(fifo), "%s/fifo", dir);
    snprintf(plain, sizeof(plain), "%s/plain", dir);
    cr_assert_eq(mkfifo(fifo, 0600), 0);
    close(open(plain, O_CREAT | O_WRONLY, 0600));

    cr_assert_eq(vdf_probe_open(&probe, "missing", "/dev/no-such-device", NULL, "x"), -ENOENT);
    cr_assert_eq(vdf_probe_open(&probe, "fifo", fifo, NULL, "x"), -ENODEV);
    cr_assert_eq(vdf_probe_open(&probe, "plain", plain, NULL, "x"), -ENODEV);
    cr_assert_eq(vdf_probe_open(&probe, "driver", "/dev/null", "no-such-driver", "x"), -ENODEV);
    int fd = vdf_probe_open(&probe, "null", "/dev/null", NULL, "x");
    cr_assert_geq(fd, 0);
    close(fd);

    struct vdf_buf out = VDF_BUF_INIT;
    vdf_probe_text(&probe, 1, &out);
    cr_assert(contains(&out, "stat(2) of /dev/no-such-device answers ENOENT; needs x\n"));
    cr_assert(contains(&out, "\"no-such-driver\" is not in /proc/misc; needs x\n"));
    cr_assert(contains(&out, "is something else than the driver's device"));
    cr_assert(!contains(&out, "  null"), "only the caller that opened the device reports it");
    vdf_buf_free(&out);
    vdf_probe_free(&probe, 1);
    unlink(fifo);
    unlink(plain);
    rmdir(dir);
}

/* --- processes -------------------------------------------------------------------------------- */

static void behave(struct vdf_probe *probe)
{
    vdf_probe_have(probe, "reported", "%d", getpid());
    vdf_probe_value(probe, "k", "v");
}

static void hang(struct vdf_probe *probe)
{
    vdf_probe_have(probe, "before", "%s", "");
    signal(SIGTERM, SIG_IGN);
    for (;;)
        pause();
}

static void die(struct vdf_probe *probe)
{
    vdf_probe_have(probe, "before", "%s", "");
    raise(SIGKILL);
}

static void flood(struct vdf_probe *probe)
{
    for (;;)
        vdf_probe_have(probe, "again", "%01000d", 7);
}

/* A descendant that keeps the pipe does not keep the parent. */
static void leave_child(struct vdf_probe *probe)
{
    vdf_probe_have(probe, "before", "%s", "");
    if (fork() == 0) {
        alarm(10);
        pause();
    }
}

Test(probe, parts_that_do_not_behave)
{
    static const struct vdf_probe_part parts[] = {
        { .name = "hang", .title = "hangs", .run = hang },
        { .name = "die", .title = "dies", .run = die },
        { .name = "flood", .title = "floods", .run = flood },
        { .name = "leave", .title = "leaves a child", .run = leave_child },
        { .name = "behave", .title = "behaves", .run = behave },
    };
    struct vdf_probe probes[5] = { { 0 } };
    struct vdf_buf out[5] = { VDF_BUF_INIT };
    char pid[32];

    for (unsigned k = 0; k < 5; k++)
        probes[k].part = &parts[k];
    vdf_probe_run(probes, 5);
    for (unsigned k = 0; k < 5; k++) {
        vdf_probe_text(&probes[k], 1, &out[k]);
        cr_assert(contains(&out[k], "\n"));
    }
    cr_assert(contains(&out[0], "  yes  before\n  no   probe   no end within 5000 ms\n"));
    cr_assert(contains(&out[1], "  yes  before\n  no   probe   ended by signal 9 (Killed)\n"));
    cr_assert(contains(&out[2], "  no   probe  more than 1048576 bytes of facts\n"));
    cr_assert(contains(&out[3], "  yes  before\n  no   probe   no end within 5000 ms\n"));
    cr_assert(contains(&out[4], "  k=v\n"));
    snprintf(pid, sizeof(pid), "  yes  reported  %d  ", getpid());
    cr_assert(!contains(&out[4], pid), "a part runs in a process of its own");
    for (unsigned k = 0; k < 5; k++)
        vdf_buf_free(&out[k]);
    vdf_probe_free(probes, 5);
}
