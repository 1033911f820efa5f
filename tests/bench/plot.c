/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The plots. ratios.svg: a bar a line of the table that has a goal, as a part of the goal on a
 * logarithmic scale; one that ends left of the line in the middle reaches it. scale.svg: what a
 * device costs, by the number of devices; a flat line is what one wishes for.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "bench.h"

#define FONT "font-family=\"sans-serif\""

static FILE *open_plot(const char *dir, const char *name, int width, int height)
{
    char path[600];

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    FILE *out = fopen(path, "we");
    if (!out)
        return NULL;
    fprintf(out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" "
            "height=\"%d\" " FONT " font-size=\"11\" fill=\"#222\">\n"
            "<rect width=\"%d\" height=\"%d\" fill=\"#fff\"/>\n",
            width, height, width, height, width, height);
    return out;
}

static int close_plot(FILE *out)
{
    fputs("</svg>\n", out);
    return fclose(out) ? -errno : 0;
}

static void put_text(FILE *out, double x, double y, const char *anchor, const char *style,
                     const char *text)
{
    fprintf(out, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\" %s>", x, y, anchor, style);
    for (; *text; text++) {
        if (*text == '<')
            fputs("&lt;", out);
        else if (*text == '>')
            fputs("&gt;", out);
        else if (*text == '&')
            fputs("&amp;", out);
        else
            fputc(*text, out);
    }
    fputs("</text>\n", out);
}

static void put_rule(FILE *out, double x1, double y1, double x2, double y2, const char *colour)
{
    fprintf(out, "<path d=\"M%.1f %.1fL%.1f %.1f\" stroke=\"%s\"/>\n", x1, y1, x2, y2, colour);
}

/* --- ratios ----------------------------------------------------------------------------------- */

#define WIDTH 940
#define LEFT 400.0  /* where bars begin */
#define RIGHT 700.0 /* and where the longest end */
#define BAR 14.0
#define DECADES 2.0 /* from a hundredth of the goal to a hundred times of it */

/* How much of the goal a line takes; 1 is just reached, more is not. */
static double part_of_goal(const struct bench_line *line)
{
    double value = *line->yardstick ? line->ratio : line->ours.median;

    if (value <= 0)
        return 0;
    return line->goal.kind == BENCH_AT_MOST ? value / line->goal.value : line->goal.value / value;
}

static double place(double part)
{
    double decades = part > 0 ? log10(part) : -DECADES;

    decades = fmin(fmax(decades, -DECADES), DECADES);
    return LEFT + (RIGHT - LEFT) * (decades + DECADES) / (2 * DECADES);
}

static bool is_drawn(const struct bench_line *line)
{
    return !*line->skipped && line->goal.kind != BENCH_NO_GOAL;
}

static void draw_bar(FILE *out, const struct bench_line *line, double y)
{
    double end = place(part_of_goal(line));
    char text[160];

    snprintf(text, sizeof(text), "%s%s%s%s%s", line->variant,
             *line->variant && *line->cores ? ", " : "", line->cores, *line->yardstick ? " / " : "",
             line->yardstick);
    put_text(out, LEFT - 6, y + BAR - 4, "end", "fill=\"#555\"", text);
    fprintf(out, "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"%s\"/>\n", LEFT,
            y + 1, fmax(end - LEFT, 1), BAR - 3, line->reached ? "#4a8f5c" : "#c4573b");
    if (*line->yardstick)
        snprintf(text, sizeof(text), line->ratio < 0.1 ? "%.1g, goal %s %g" : "%.2f, goal %s %g",
                 line->ratio, line->goal.kind == BENCH_AT_MOST ? "at most" : "at least",
                 line->goal.value);
    else
        snprintf(text, sizeof(text), "%.3g %s, goal %s %g", line->ours.median, line->unit,
                 line->goal.kind == BENCH_AT_MOST ? "at most" : "at least", line->goal.value);
    put_text(out, RIGHT + 8, y + BAR - 4, "start", "", text);
}

static void draw_scale(FILE *out, double top, double bottom)
{
    static const struct {
        double part;
        const char *text;
    } marks[] = {
        { 0.01, "1/100" }, { 0.1, "1/10" }, { 1, "goal" }, { 10, "10 x" }, { 100, "100 x" }
    };

    for (size_t k = 0; k < sizeof(marks) / sizeof(marks[0]); k++) {
        double x = place(marks[k].part);
        put_rule(out, x, top, x, bottom, marks[k].part == 1 ? "#222" : "#ddd");
        put_text(out, x, top - 4, "middle", "fill=\"#555\"", marks[k].text);
    }
}

static int plot_ratios(const char *dir)
{
    const struct bench_results *r = &bench_results;
    unsigned n = 0, titles = 0;
    const char *last = "";

    for (unsigned k = 0; k < r->n_lines; k++)
        if (is_drawn(&r->lines[k])) {
            titles += strcmp(r->lines[k].row, last) != 0;
            last = r->lines[k].row;
            n++;
        }
    double bottom = 60 + n * BAR + titles * (BAR + 8);
    FILE *out = open_plot(dir, "ratios.svg", WIDTH, (int)bottom + 10);
    if (!out)
        return -errno;
    put_text(out, 10, 20, "start", "font-size=\"14\" font-weight=\"bold\"",
             "Figures as parts of their goals: green reaches it, red does not");
    draw_scale(out, 48, bottom);
    double y = 52;
    last = "";
    for (unsigned k = 0; k < r->n_lines; k++) {
        const struct bench_line *line = &r->lines[k];
        if (!is_drawn(line))
            continue;
        if (strcmp(line->row, last) != 0) {
            last = line->row;
            y += 8;
            put_text(out, 10, y + BAR - 4, "start", "font-weight=\"bold\"", bench_title(last));
            y += BAR;
        }
        draw_bar(out, line, y);
        y += BAR;
    }
    return close_plot(out);
}

/* --- scale ------------------------------------------------------------------------------------ */

#define PANEL_W 310.0
#define PANEL_H 170.0
#define PLOT_X 46.0 /* within a panel */
#define PLOT_Y 30.0
#define PLOT_W 240.0
#define PLOT_H 110.0

struct curve {
    const char *name, *colour;
    size_t offset; /* of the figure in struct bench_point */
    double divisor;
};

struct panel {
    const char *title;
    struct curve curves[2];
};

static double figure(const struct bench_point *point, const struct curve *curve)
{
    double value;

    memcpy(&value, (const char *)point + curve->offset, sizeof(value));
    return value / curve->divisor;
}

static double point_x(const struct bench_point *point)
{
    const struct bench_results *r = &bench_results;
    double first = log10(r->points[0].devices), last = log10(r->points[r->n_points - 1].devices);

    return PLOT_X + PLOT_W * (log10(point->devices) - first) / (last - first);
}

/* Both axes are logarithmic; the upright one goes over whole decades. */
struct range {
    double low, high; /* powers of ten */
};

static double figure_y(struct range range, double value)
{
    double part = (log10(value > 0 ? value : 1e-3) - range.low) / (range.high - range.low);

    return PLOT_Y + PLOT_H * (1 - fmin(fmax(part, 0), 1));
}

static void draw_axes(FILE *out, double x, double y, struct range range)
{
    char text[32];

    for (double k = range.low; k <= range.high; k++) {
        double at = y + figure_y(range, pow(10, k));
        put_rule(out, x + PLOT_X, at, x + PLOT_X + PLOT_W, at, k > range.low ? "#ddd" : "#222");
        snprintf(text, sizeof(text), "%g", pow(10, k));
        put_text(out, x + PLOT_X - 5, at + 4, "end", "fill=\"#555\"", text);
    }
    for (unsigned k = 0; k < bench_results.n_points; k++) {
        const struct bench_point *point = &bench_results.points[k];
        snprintf(text, sizeof(text), "%u", point->devices);
        put_text(out, x + point_x(point), y + PLOT_Y + PLOT_H + 14, "middle", "fill=\"#555\"",
                 text);
    }
}

static void draw_curve(FILE *out, const struct curve *curve, double x, double y, struct range range)
{
    const struct bench_results *r = &bench_results;

    fprintf(out, "<path fill=\"none\" stroke-width=\"2\" stroke=\"%s\" d=\"", curve->colour);
    for (unsigned k = 0; k < r->n_points; k++)
        fprintf(out, "%c%.1f %.1f", k ? 'L' : 'M', x + point_x(&r->points[k]),
                y + figure_y(range, figure(&r->points[k], curve)));
    fputs("\"/>\n", out);
}

static void draw_panel(FILE *out, const struct panel *panel, double x, double y)
{
    const struct bench_results *r = &bench_results;
    struct range range = { 9, -9 };

    for (unsigned c = 0; c < 2 && panel->curves[c].name; c++)
        for (unsigned k = 0; k < r->n_points; k++) {
            double decades = log10(fmax(figure(&r->points[k], &panel->curves[c]), 1e-3));
            range.low = fmin(range.low, floor(decades));
            range.high = fmax(range.high, ceil(decades));
        }
    /* A flat line shall not fill the panel. */
    range.high = fmax(range.high, range.low + 2);
    put_text(out, x + 10, y + 16, "start", "font-weight=\"bold\"", panel->title);
    draw_axes(out, x, y, range);
    for (unsigned c = 0; c < 2 && panel->curves[c].name; c++) {
        char style[64];
        draw_curve(out, &panel->curves[c], x, y, range);
        snprintf(style, sizeof(style), "fill=\"%s\"", panel->curves[c].colour);
        put_text(out, x + PLOT_X + PLOT_W, y + 16 + c * 13, "end", style, panel->curves[c].name);
    }
}

#define BLUE "#2f6db3"
#define RED "#c4573b"
#define CURVE(name, colour, field, divisor)                        \
    {                                                              \
        name, colour, offsetof(struct bench_point, field), divisor \
    }

static int plot_scale(const char *dir)
{
    static const struct panel panels[] = {
        { "Memory, KiB a device", { CURVE("", BLUE, bytes, 1024) } },
        { "mkdir, us", { CURVE("", BLUE, mkdir_ns, 1000) } },
        { "Look-up, us", { CURVE("", BLUE, lookup_ns, 1000) } },
        { "readdir, us an entry", { CURVE("", BLUE, readdir_ns, 1000) } },
        { "state, us a device",
          { CURVE("save", BLUE, save_ns, 1000), CURVE("restore", RED, restore_ns, 1000) } },
    };

    if (bench_results.n_points < 2)
        return 0;
    FILE *out = open_plot(dir, "scale.svg", (int)(3 * PANEL_W), (int)(2 * PANEL_H));
    if (!out)
        return -errno;
    for (unsigned k = 0; k < sizeof(panels) / sizeof(panels[0]); k++)
        draw_panel(out, &panels[k], k % 3 * PANEL_W, k / 3 * PANEL_H);
    put_text(out, 2 * PANEL_W + 10, PANEL_H + PLOT_Y + 20, "start", "fill=\"#555\"",
             "By the number of devices in a mount.");
    put_text(out, 2 * PANEL_W + 10, PANEL_H + PLOT_Y + 36, "start", "fill=\"#555\"",
             "A flat line: as much for each, however many.");
    return close_plot(out);
}

int bench_plot(const char *dir)
{
    int ret = plot_ratios(dir);

    return ret < 0 ? ret : plot_scale(dir);
}
