/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The benchmark's rows, its table and its JSON. tests/bench/run starts it and says what it does.
 *
 *     bench -b VIRTDEVFS -s SCRATCH -t TMPFS [-q] [-r ROUNDS] [-Q QEMU | -N WHY] [-j FILE]
 *           [-p DIR] [-l] [ROW...]
 */
#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

struct row {
    const char *name;
    const char *title;
    void (*measure)(void); /* several rows may have the same, which is called once */
    const char *limit;     /* what keeps it from its goal, said where that is not reached */
    bool wanted;
};

#define FUSE_LIMIT \
    "a trip through FUSE, as the empty file's; on one processor QEMU's way is hardly longer"
#define COPY_LIMIT \
    "two trips through the daemon and one through a virtqueue, which one processor makes in turn"

#define KEEP_LIMIT                                                                                \
    "what a file is when it is opened: one whose value moved lately is read from the daemon, so " \
    "that who reads it in pieces gets one version (-o cache=always keeps all from the first read)"
#define CHANGE_LIMIT                                                                         \
    "a look at attributes that have just been dropped, on the processor of the thread that " \
    "drops them"
#define WAKE_LIMIT                                                                                \
    "the waking of a thread on another processor, which varies more than what is compared; over " \
    "io_uring no request pays it"
#define DOORBELL_LIMIT                                                                           \
    "three system calls where the bare loop has one: the wait, the doorbell's counter, and the " \
    "interrupt, which the kernel itself writes; they count where system calls are dear, and on " \
    "another processor the waking of a thread does"
#define LOOKUP_LIMIT \
    "the memory that 10,000 devices take: the table's lists are as short as with 10"
#define IDLE_LIMIT                                                                          \
    "looks at pages that processes may store to without being seen, whose cost the engine " \
    "measures"
#define REGION_LIMIT                                                                            \
    "the locks of the connection, the tree and the device; on another processor the waking of " \
    "a thread, which varies more"
#define GUEST_LIMIT "two processors for a guest and the engine, and whatever else runs meanwhile"

static struct row rows[] = {
    { "pread-unchanged", "pread of a text register, unchanged since the last read", bench_files,
      KEEP_LIMIT, false },
    { "pread-changing", "pread of a text register that changes each time", bench_files,
      CHANGE_LIMIT, false },
    { "pwrite", "pwrite of a text register that nobody had cached", bench_files, WAKE_LIMIT,
      false },
    { "cat", "open, read, close of a text register", bench_files, WAKE_LIMIT, false },
    { "regs-read", "pread of regs, 4 bytes", bench_files, FUSE_LIMIT, false },
    { "regs-write", "pwrite of regs, 4 bytes", bench_files, FUSE_LIMIT, false },
    { "raw-read", "pread of a mapped raw file, 16 bytes", bench_files, NULL, false },
    { "raw-store", "store through the mmap of a raw file", bench_files, NULL, false },
    { "prod-cons", "PROD store to CONS update by the engine", bench_prod, NULL, false },
    { "doorbell", "doorbell eventfd to interrupt eventfd through the console", bench_doorbell,
      DOORBELL_LIMIT, false },
    { "engine", "eventfd to eventfd through an engine alone", bench_engines, NULL, false },
    { "port-out", "port throughput, guest to host", bench_ports, COPY_LIMIT, false },
    { "port-in", "port throughput, host to guest", bench_ports, COPY_LIMIT, false },
    { "find", "find over a plain mount", bench_walks, NULL, false },
    { "grep", "grep -r over a folder of values", bench_walks, NULL, false },
    { "tar", "tar of a device", bench_walks, NULL, false },
    { "state-save", "state of 1,000 devices saved", bench_state, NULL, false },
    { "state-restore", "state of 1,000 devices restored", bench_state, NULL, false },
    { "scale-memory", "memory of an idle device", bench_scale, NULL, false },
    { "scale-lookup", "look-up among devices", bench_scale, LOOKUP_LIMIT, false },
    { "idle", "an idle mount", bench_idle, IDLE_LIMIT, false },
    { "start", "from exec to a file that can be read", bench_start, NULL, false },
    { "invalidation", "invalidation by a guest, the queue's page mapped", bench_machine,
      GUEST_LIMIT, false },
    { "region", "access of 4 bytes of a PCI function's region by a message", bench_regions,
      REGION_LIMIT, false },
    { "bar", "store to a mapped base address register", bench_regions, NULL, false },
};
#define N_ROWS (sizeof(rows) / sizeof(rows[0]))

static struct row *find_row(const char *name)
{
    for (size_t k = 0; k < N_ROWS; k++)
        if (strcmp(rows[k].name, name) == 0)
            return &rows[k];
    return NULL;
}

bool bench_wanted(const char *name)
{
    return find_row(name)->wanted;
}

const char *bench_title(const char *name)
{
    return find_row(name)->title;
}

const char *bench_cores_name(enum bench_cores cores)
{
    return cores == BENCH_SAME ? "same" : "other";
}

/* --- the table -------------------------------------------------------------------------------- */

static void print_value(char *text, size_t size, double value, const char *unit)
{
    static const char *const times[] = { "ns", "us", "ms", "s" };
    size_t k = strcmp(unit, "ns") == 0 ? 0 : strcmp(unit, "us") == 0 ? 1 : 3;

    for (; k < 3 && value >= 1000; k++) {
        value /= 1000;
        unit = times[k + 1];
    }
    snprintf(text, size, value < 10 ? "%.2f %s" : value < 100 ? "%.1f %s" : "%.0f %s", value, unit);
}

static void print_goal(char *text, size_t size, const struct bench_line *line)
{
    *text = '\0';
    if (line->goal.kind != BENCH_NO_GOAL)
        snprintf(text, size, "%s %g",
                 line->goal.kind == BENCH_AT_MOST ? "<=" : ">=", line->goal.value);
}

static void print_line(const struct bench_line *line)
{
    char ours[32], least[32], theirs[32] = "", ratio[48] = "", goal[32], spread[16];

    printf("  %-26s %-6s", line->variant, line->cores);
    if (*line->skipped) {
        printf(" not measured: %s\n", line->skipped);
        return;
    }
    print_value(ours, sizeof(ours), line->ours.median, line->unit);
    print_value(least, sizeof(least), line->ours.min, line->unit);
    snprintf(spread, sizeof(spread), "%.0f %%", 100 * line->ours.spread);
    if (*line->yardstick) {
        print_value(theirs, sizeof(theirs), line->theirs.median, line->unit);
        snprintf(ratio, sizeof(ratio),
                 line->ratio < 0.1 ? "%.3f (%.3f-%.3f) %.3f" : "%.2f (%.2f-%.2f) %.2f", line->ratio,
                 line->ratio_min, line->ratio_max, line->ratio_best);
    }
    print_goal(goal, sizeof(goal), line);
    printf(" %15s %15s %6s  %-21s %12s  %-27s %-7s %s\n", ours, least, spread, line->yardstick,
           theirs, ratio, goal,
           line->goal.kind == BENCH_NO_GOAL ? ""
           : line->reached                  ? "yes"
                                            : "NO");
}

static int by_row(const void *a, const void *b)
{
    const struct bench_line *x = a, *y = b;
    const struct row *row = find_row(x->row), *other = find_row(y->row);

    return row != other ? (row > other) - (row < other)
                        : (x->number > y->number) - (x->number < y->number);
}

static void print_table(void)
{
    const struct bench_results *r = &bench_results;
    unsigned goals = 0, reached = 0, skipped = 0;

    printf("  %-26s %-6s %15s %15s %6s  %-21s %12s  %-27s %-7s %s\n", "", "cores", "median",
           "minimum", "spread", "yardstick", "its median", "ratio (rounds) of the best", "goal",
           "reached");
    for (size_t k = 0; k < N_ROWS; k++) {
        if (!rows[k].wanted)
            continue;
        unsigned wanted = 0, got = 0;
        printf("%s: %s\n", rows[k].name, rows[k].title);
        for (unsigned n = 0; n < r->n_lines; n++) {
            const struct bench_line *line = &r->lines[n];
            if (strcmp(line->row, rows[k].name) != 0)
                continue;
            print_line(line);
            skipped += *line->skipped != '\0';
            wanted += line->goal.kind != BENCH_NO_GOAL;
            got += line->goal.kind != BENCH_NO_GOAL && line->reached;
        }
        if (got < wanted && rows[k].limit)
            printf("  limited by %s\n", rows[k].limit);
        goals += wanted;
        reached += got;
    }
    if (r->n_points)
        printf("scale, a device\n  %8s %10s %10s %10s %10s %10s %10s\n", "devices", "memory",
               "mkdir", "look-up", "readdir", "save", "restore");
    for (unsigned k = 0; k < r->n_points; k++) {
        const struct bench_point *p = &r->points[k];
        printf("  %8u %6.1f KiB %7.1f us %7.2f us %7.2f us %7.2f us %7.2f us\n", p->devices,
               p->bytes / 1024, p->mkdir_ns / 1000, p->lookup_ns / 1000, p->readdir_ns / 1000,
               p->save_ns / 1000, p->restore_ns / 1000);
    }
    printf("%u of %u goals reached, %u not measured\n", reached, goals, skipped);
}

/* --- JSON ------------------------------------------------------------------------------------- */

static void put_string(FILE *out, const char *text)
{
    fputc('"', out);
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            fputc('\\', out);
        if ((unsigned char)*text < ' ')
            fprintf(out, "\\u%04x", (unsigned)*text);
        else
            fputc(*text, out);
    }
    fputc('"', out);
}

static void put_key(FILE *out, const char *key, const char *text)
{
    fprintf(out, "\"%s\": ", key);
    put_string(out, text);
    fputs(", ", out);
}

static void put_figures(FILE *out, const char *key, const struct bench_figures *f)
{
    fprintf(out, "\"%s\": {\"median\": %g, \"minimum\": %g, \"spread\": %g, \"samples\": [", key,
            f->median, f->min, f->spread);
    for (unsigned k = 0; k < f->n; k++)
        fprintf(out, "%s%g", k ? ", " : "", f->samples[k]);
    fputs("]}, ", out);
}

static void put_line(FILE *out, const struct bench_line *line)
{
    static const char *const goals[] = { "none", "at most", "at least" };

    fputs("    {", out);
    put_key(out, "row", line->row);
    put_key(out, "title", bench_title(line->row));
    put_key(out, "variant", line->variant);
    put_key(out, "cores", line->cores);
    if (*line->skipped) {
        fputs("\"skipped\": ", out);
        put_string(out, line->skipped);
        fputc('}', out);
        return;
    }
    put_key(out, "unit", line->unit);
    put_figures(out, "measured", &line->ours);
    if (*line->yardstick) {
        put_key(out, "yardstick", line->yardstick);
        put_figures(out, "yardstick_measured", &line->theirs);
        fprintf(out,
                "\"ratio\": %g, \"ratio_of_best\": %g, \"ratio_minimum\": %g, \"ratio_maximum\": "
                "%g, ",
                line->ratio, line->ratio_best, line->ratio_min, line->ratio_max);
    }
    put_key(out, "goal_kind", goals[line->goal.kind]);
    if (line->goal.kind == BENCH_NO_GOAL)
        fputs("\"goal\": null, \"reached\": null}", out);
    else
        fprintf(out, "\"goal\": %g, \"reached\": %s}", line->goal.value,
                line->reached ? "true" : "false");
}

static void put_json(FILE *out)
{
    const struct bench_results *r = &bench_results;
    struct utsname system;
    char date[32];
    time_t now = time(NULL);

    uname(&system);
    strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%SZ", gmtime(&now));
    fputs("{\n  \"format\": 1, ", out);
    put_key(out, "date", date);
    put_key(out, "kernel", system.release);
    put_key(out, "machine", system.machine);
    fprintf(out, "\"processors\": %ld, \"quick\": %s, \"rounds\": %u,\n  \"lines\": [\n",
            sysconf(_SC_NPROCESSORS_ONLN), bench.quick ? "true" : "false", bench.rounds);
    for (unsigned k = 0; k < r->n_lines; k++) {
        put_line(out, &r->lines[k]);
        fputs(k + 1 < r->n_lines ? ",\n" : "\n", out);
    }
    fputs("  ],\n  \"scale\": [\n", out);
    for (unsigned k = 0; k < r->n_points; k++) {
        const struct bench_point *p = &r->points[k];
        fprintf(out,
                "    {\"devices\": %u, \"bytes\": %g, \"mkdir_ns\": %g, \"lookup_ns\": %g, "
                "\"readdir_ns\": %g, \"save_ns\": %g, \"restore_ns\": %g}%s\n",
                p->devices, p->bytes, p->mkdir_ns, p->lookup_ns, p->readdir_ns, p->save_ns,
                p->restore_ns, k + 1 < r->n_points ? "," : "");
    }
    fputs("  ]\n}\n", out);
}

static void write_json(const char *path)
{
    FILE *out = fopen(path, "we");

    if (!out)
        bench_die(path);
    put_json(out);
    if (fclose(out))
        bench_die(path);
}

/* --- the run ---------------------------------------------------------------------------------- */

static void set_here(const char *argv0)
{
    char *path = realpath("/proc/self/exe", NULL);

    if (!path)
        bench_die(argv0);
    snprintf(bench.here, sizeof(bench.here), "%s", dirname(path));
    free(path);
}

static int list_rows(void)
{
    for (size_t k = 0; k < N_ROWS; k++)
        printf("%-16s %s\n", rows[k].name, rows[k].title);
    return 0;
}

static int usage(void)
{
    fprintf(stderr, "usage: see tests/bench/run --help\n");
    return 2;
}

static bool select_rows(char **names)
{
    for (size_t k = 0; k < N_ROWS && !*names; k++)
        rows[k].wanted = true;
    for (; *names; names++) {
        struct row *row = find_row(*names);
        if (!row) {
            fprintf(stderr, "bench: there is no row %s; --list has them\n", *names);
            return false;
        }
        row->wanted = true;
    }
    return true;
}

static void measure_rows(void)
{
    for (size_t k = 0; k < N_ROWS; k++) {
        if (k && rows[k].measure == rows[k - 1].measure)
            continue;
        bool any = false;
        for (size_t n = k; n < N_ROWS && rows[n].measure == rows[k].measure; n++)
            any |= rows[n].wanted;
        if (any)
            rows[k].measure();
    }
}

int main(int argc, char **argv)
{
    const char *json = NULL, *plots = NULL;
    int c;

    set_here(argv[0]);
    while ((c = getopt(argc, argv, "b:j:lN:p:Q:qr:s:t:")) >= 0) {
        switch (c) {
        case 'b':
            snprintf(bench.program, sizeof(bench.program), "%s", optarg);
            break;
        case 'j':
            json = optarg;
            break;
        case 'l':
            return list_rows();
        case 'N':
            bench.qemu_reason = optarg;
            break;
        case 'p':
            plots = optarg;
            break;
        case 'Q':
            bench.qemu = optarg;
            break;
        case 'q':
            bench.quick = true;
            break;
        case 'r':
            bench.rounds = (unsigned)strtoul(optarg, NULL, 10);
            break;
        case 's':
            snprintf(bench.scratch, sizeof(bench.scratch), "%s", optarg);
            break;
        case 't':
            snprintf(bench.tmpfs, sizeof(bench.tmpfs), "%s", optarg);
            break;
        default:
            return usage();
        }
    }
    if (!*bench.program || !*bench.scratch || !*bench.tmpfs)
        return usage();
    if (!bench.rounds)
        bench.rounds = bench.quick ? 5 : 15;
    if (bench.rounds < 3 || bench.rounds > BENCH_SAMPLES_MAX) {
        fprintf(stderr, "bench: rounds are 3 to %u\n", BENCH_SAMPLES_MAX);
        return 2;
    }
    bench.slice_ns = bench.quick ? 5000000 : 20000000;
    if (!select_rows(argv + optind))
        return 2;
    measure_rows();
    qsort(bench_results.lines, bench_results.n_lines, sizeof(struct bench_line), by_row);
    print_table();
    if (json)
        write_json(json);
    if (plots && bench_plot(plots) < 0)
        bench_die(plots);
    return 0;
}
