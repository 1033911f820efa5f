/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A thing and its yardsticks. They take turns, so that what else the machine does meets them all,
 * and a ratio is that of one turn: its median says more than the ratio of two medians would.
 */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

#define LEAST_ROUNDS 3u /* for which quartiles mean something */

struct bench_results bench_results;

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

double bench_median(double *numbers, unsigned n)
{
    qsort(numbers, n, sizeof(*numbers), by_size);
    return n % 2 ? numbers[n / 2] : (numbers[n / 2 - 1] + numbers[n / 2]) / 2;
}

static struct bench_figures figures_of(const double *samples, unsigned n)
{
    struct bench_figures f = { .n = n };
    double sorted[BENCH_SAMPLES_MAX];

    memcpy(f.samples, samples, n * sizeof(*samples));
    memcpy(sorted, samples, n * sizeof(*samples));
    f.median = bench_median(sorted, n);
    f.min = sorted[0];
    f.spread = f.median > 0 ? (sorted[(3 * (n - 1) + 2) / 4] - sorted[(n - 1) / 4]) / f.median : 0;
    return f;
}

static struct bench_line *new_line(const char *row, const char *variant, const char *cores)
{
    struct bench_results *r = &bench_results;

    r->lines = realloc(r->lines, (r->n_lines + 1) * sizeof(*r->lines));
    if (!r->lines)
        bench_die("results");
    struct bench_line *line = &r->lines[r->n_lines++];
    *line = (struct bench_line){ .row = row, .number = r->n_lines, .cores = cores, .unit = "" };
    snprintf(line->variant, sizeof(line->variant), "%s", variant);
    return line;
}

void bench_skip(const char *row, const char *variant, const char *cores, const char *fmt, ...)
{
    if (!bench_wanted(row))
        return;
    struct bench_line *line = new_line(row, variant, cores);
    va_list args;

    va_start(args, fmt);
    vsnprintf(line->skipped, sizeof(line->skipped), fmt, args);
    va_end(args);
}

static bool reached(struct bench_goal goal, double value)
{
    return goal.kind == BENCH_AT_MOST ? value <= goal.value : value >= goal.value;
}

/* The most of a rate, the least of anything else. */
static double best(const double *samples, unsigned n, const char *unit)
{
    bool rate = strstr(unit, "/s") != NULL;
    double found = samples[0];

    for (unsigned k = 1; k < n; k++)
        found = rate ? fmax(found, samples[k]) : fmin(found, samples[k]);
    return found;
}

static double divide(double ours, double theirs, bool faster)
{
    return faster ? theirs / ours : ours / theirs;
}

void bench_samples(const struct bench_case *what, const struct bench_yardstick *yardstick,
                   const double *ours, const double *theirs, unsigned n)
{
    struct bench_line *line = new_line(what->row, what->variant, what->cores);
    double ratios[BENCH_SAMPLES_MAX];
    bool faster = yardstick->times_faster;

    line->unit = what->unit;
    line->ours = figures_of(ours, n);
    line->goal = yardstick->goal;
    if (!theirs) {
        line->reached = reached(line->goal, line->ours.median);
        return;
    }
    line->theirs = figures_of(theirs, n);
    snprintf(line->yardstick, sizeof(line->yardstick), "%s", yardstick->timed.name);
    for (unsigned k = 0; k < n; k++)
        ratios[k] = divide(ours[k], theirs[k], faster);
    bench_median(ratios, n);
    line->ratio = divide(line->ours.median, line->theirs.median, faster);
    line->ratio_best = divide(best(ours, n, what->unit), best(theirs, n, what->unit), faster);
    line->ratio_min = ratios[0];
    line->ratio_max = ratios[n - 1];
    line->reached = reached(line->goal, line->ratio);
}

void bench_compare(const struct bench_case *what)
{
    double ours[BENCH_SAMPLES_MAX], theirs[3][BENCH_SAMPLES_MAX];
    const struct bench_timed *t = &what->ours;
    unsigned rounds =
        what->slow && bench.rounds > 3 * LEAST_ROUNDS ? bench.rounds / 3 : bench.rounds;

    if (!bench_wanted(what->row))
        return;
    /* The first turn only warms up. */
    for (unsigned round = 0; round <= rounds; round++) {
        unsigned k = round ? round - 1 : 0;
        ours[k] = t->run(t->ctx, bench.slice_ns);
        for (unsigned y = 0; y < what->n_yardsticks; y++) {
            const struct bench_timed *other = &what->yardsticks[y].timed;
            theirs[y][k] = other->run(other->ctx, bench.slice_ns);
        }
    }
    for (unsigned y = 0; y < what->n_yardsticks; y++)
        bench_samples(what, &what->yardsticks[y], ours, theirs[y], rounds);
}
