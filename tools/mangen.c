/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Makes virtdevfs-tree(5): copies the hand-written text and inserts the tables of the components.
 *
 *     mangen tools/virtdevfs-tree.5.in virtdevfs-tree.5
 *
 * The files and registers of component NAME replace a line `.\" TABLE NAME` of the text. The line
 * `.\" TABLE *` stands for all components without such a line, in one section each.
 */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <virtdevfs/component.h>

#define MARK ".\\\" TABLE "
#define PATH_BYTES 256

static _Noreturn __attribute__((format(printf, 1, 2))) void die(const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    fputs("mangen: ", stderr);
    vfprintf(stderr, fmt, args);
    fputc('\n', stderr);
    va_end(args);
    exit(1);
}

/* The range of numbers of a '#', in the notation of the manual. */
static void range_text(const struct vdf_attr *attr, int n, char *out, size_t size)
{
    const struct vdf_range *r = &attr->range[n];
    uint32_t step = r->step ? r->step : 1;

    if (r->text)
        snprintf(out, size, "%s", r->text);
    else if (r->count && step == 1)
        snprintf(out, size, "%" PRIu32 "..%" PRIu32, r->first, r->first + r->count - 1);
    else if (r->count)
        snprintf(out, size, "%" PRIu32 ",%" PRIu32 "..%" PRIu32, r->first, r->first + step,
                 r->first + step * (r->count - 1));
    else
        snprintf(out, size, "N");
}

/* Append the row's path to @out, with each '#' replaced by its range. */
static void row_path(const struct vdf_attr *attr, char *out, size_t size)
{
    size_t len = strlen(out);
    int n = 0;

    for (const char *p = attr->path; *p; p++) {
        if (len + 1 >= size)
            die("%s: path too long", attr->path);
        if (*p == '#') {
            if (n > 1)
                die("%s: more than two '#'", attr->path);
            range_text(attr, n++, out + len, size - len);
            len += strlen(out + len);
        } else {
            out[len++] = *p;
            out[len] = '\0';
        }
    }
}

/* One argument of a macro. The quotes keep mdoc(7) from reading a word of it as a macro. */
static void put_argument(FILE *to, const char *text)
{
    fputs(" \"\\&", to);
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            fputs(*text == '"' ? "\\(dq" : "\\e", to);
        else
            fputc(*text, to);
    }
    fputc('"', to);
}

/* Text lines of at most 80 bytes and one sentence, as mdoc(7) recommends. */
static void put_text(FILE *to, const char *text)
{
    size_t column = 0;
    char last = '\0';

    while (*(text += strspn(text, " "))) {
        size_t len = strcspn(text, " ");
        bool sentence = last == '.' && *text >= 'A' && *text <= 'Z';

        if (column && (sentence || column + 1 + len > 78)) {
            fputc('\n', to);
            column = 0;
        }
        if (column)
            fputc(' ', to);
        else if (*text == '.' || *text == '\'')
            fputs("\\&", to);
        column += 1 + len;
        last = text[len - 1];
        for (; len; len--, text++)
            fputs(*text == '\\' ? "\\e" : (const char[]){ *text, '\0' }, to);
    }
    fputc('\n', to);
}

static const char *mode(const struct vdf_attr *attr)
{
    switch (attr->flags & VDF_RW) {
    case VDF_RW:
        return "rw";
    case VDF_R:
        return "r";
    default:
        return "w";
    }
}

/* The kind of value that the file holds. */
static void type_text(const struct vdf_attr *attr, char *out, size_t size)
{
    size_t len = 0;

    switch (attr->type) {
    case VDF_REG:
        len = (size_t)snprintf(out, size, "hex, %u bits", attr->width * 8);
        if (attr->has_field && attr->reset)
            snprintf(out + len, size - len, ", reset 0x%" PRIx64, attr->reset);
        break;
    case VDF_UINT:
        snprintf(out, size, "decimal");
        break;
    case VDF_BOOL:
        snprintf(out, size, "0 or 1");
        break;
    case VDF_CHOICE:
        *out = '\0';
        for (const char *const *word = attr->choices; word && *word && len < size; word++) {
            snprintf(out + len, size - len, "%s%s", word == attr->choices ? "" : ", ", *word);
            len += strlen(out + len);
        }
        break;
    case VDF_LOG:
        snprintf(out, size, "log");
        break;
    case VDF_STREAM:
        snprintf(out, size, "stream");
        break;
    case VDF_RAW:
        snprintf(out, size, attr->flags & VDF_MAP ? "raw, mappable" : "raw");
        break;
    case VDF_WINDOW:
        snprintf(out, size, "registers");
        break;
    case VDF_TEXT:
    case VDF_OBJECTS:
        snprintf(out, size, "text");
        break;
    }
    if (attr->flags & VDF_BINARY) {
        len = strlen(out);
        snprintf(out + len, size - len, ", binary");
    }
}

static void put_row(FILE *to, const char *path, const char *access, const char *type,
                    const char *doc)
{
    fputs(".It Pa", to);
    put_argument(to, path);
    fprintf(to, " Pq \"%s, %s\"\n", access, type);
    put_text(to, doc);
}

/* The bits of a register that have to be written as 0. */
static void put_reserved(FILE *to, const struct vdf_attr *attr)
{
    if (attr->reserved & vdf_row_mask(attr))
        fprintf(to, "(a write that sets one of the reserved bits 0x%" PRIx64 " is refused)\n",
                attr->reserved & vdf_row_mask(attr));
}

/* The bit fields of a register with their masks. */
static void put_bits(FILE *to, const struct vdf_attr *attr)
{
    put_reserved(to, attr);
    if (!attr->bits)
        return;
    fputs(".Bl -tag -width 8n -compact\n", to);
    for (const struct vdf_bits *bits = attr->bits; bits->name; bits++) {
        uint64_t mask = vdf_bits_mask(bits);

        if (vdf_bits_width(bits) > 1)
            fprintf(to, ".It Li %u:%u", bits->low + vdf_bits_width(bits) - 1, bits->low);
        else
            fprintf(to, ".It Li %u", bits->low);
        fputs(" Va", to);
        put_argument(to, bits->name);
        if ((attr->ro & mask) == mask || !(attr->flags & VDF_W))
            fputs(" Pq read-only", to);
        else if ((attr->w1c & mask) == mask)
            fputs(" Pq writing 1 clears", to);
        fputc('\n', to);
        if (bits->doc)
            put_text(to, bits->doc);
    }
    fputs(".El\n", to);
}

static void put_files(FILE *to, const struct vdf_class *cls, const char *prefix)
{
    for (size_t i = 0; i < cls->n_attrs; i++) {
        const struct vdf_attr *attr = &cls->attrs[i];
        char path[PATH_BYTES];
        char type[PATH_BYTES];

        if (attr->flags & VDF_NO_FILE)
            continue;
        if (!attr->doc || !*attr->doc)
            die("%s: %s has no line of documentation", cls->name, attr->path);
        snprintf(path, sizeof(path), "%s", prefix);
        row_path(attr, path, sizeof(path));
        if (attr->type == VDF_OBJECTS) {
            const char *name = attr->objects->text ? attr->objects->text : "NAME";
            size_t len = strlen(path);

            if (len + strlen(name) + 3 > sizeof(path))
                die("%s: path too long", attr->path);
            sprintf(path + len, "/%s/", name);
            put_row(to, path, attr->flags & VDF_FIXED ? "fixed" : "mkdir, rmdir", "directory",
                    attr->doc);
            put_files(to, attr->objects->cls, path);
            continue;
        }
        type_text(attr, type, sizeof(type));
        put_row(to, path, mode(attr), type, attr->doc);
        put_bits(to, attr);
        if (attr->type == VDF_LOG) {
            char doc[PATH_BYTES + 64];

            snprintf(doc, sizeof(doc), "lines dropped from %s", path);
            strncat(path, "_lost", sizeof(path) - strlen(path) - 1);
            put_row(to, path, "r", "decimal", doc);
        }
    }
}

static int by_offset(const void *a, const void *b)
{
    const struct vdf_attr *x = *(const struct vdf_attr *const *)a;
    const struct vdf_attr *y = *(const struct vdf_attr *const *)b;

    return (x->offset > y->offset) - (x->offset < y->offset);
}

/* The registers of one window in the order of their offsets. */
static void put_window(FILE *to, const struct vdf_class *cls, const struct vdf_attr *window,
                       const char *prefix)
{
    const struct vdf_attr **rows = calloc(cls->n_attrs, sizeof(const struct vdf_attr *));
    size_t n = 0;

    if (!rows)
        die("no memory");
    for (size_t i = 0; i < cls->n_attrs; i++) {
        const struct vdf_attr *attr = &cls->attrs[i];

        if (attr->type != VDF_WINDOW && attr->window && attr->window == window->window)
            rows[n++] = attr;
    }
    qsort(rows, n, sizeof(rows[0]), by_offset);
    if (n) {
        char path[PATH_BYTES];

        snprintf(path, sizeof(path), "%s", prefix);
        if (window->flags & VDF_NO_FILE) {
            /* A part of a larger window, which the row's line names. */
            fprintf(to, ".Pp\nThe %s of\n.Pa", window->doc);
        } else {
            row_path(window, path, sizeof(path));
            fputs(".Pp\nRegisters in\n.Pa", to);
        }
        put_argument(to, path);
        fputs(" :\n.Pp\n.Bl -tag -width 4n -compact\n", to);
    }
    for (size_t i = 0; i < n; i++) {
        const struct vdf_attr *attr = rows[i];
        char path[PATH_BYTES] = "";
        char stride[64] = "";

        row_path(attr, path, sizeof(path));
        if (attr->range[0].count || attr->range[0].counted)
            snprintf(stride, sizeof(stride), ", every %" PRIu64 " bytes", attr->stride);
        fprintf(to, ".It Li 0x%04" PRIx64 " Pa", attr->offset);
        put_argument(to, path);
        fprintf(to, " Pq \"%s, %u bits%s\"\n", mode(attr), attr->width * 8, stride);
        put_text(to, attr->doc ? attr->doc : attr->path);
        /* A register with a file has its bits there. */
        if (attr->flags & VDF_NO_FILE)
            put_bits(to, attr);
    }
    if (n)
        fputs(".El\n", to);
    free(rows);
}

static void put_windows(FILE *to, const struct vdf_class *cls, const char *prefix)
{
    for (size_t i = 0; i < cls->n_attrs; i++) {
        const struct vdf_attr *attr = &cls->attrs[i];
        char path[PATH_BYTES];

        if (attr->type == VDF_WINDOW) {
            put_window(to, cls, attr, prefix);
        } else if (attr->type == VDF_OBJECTS) {
            snprintf(path, sizeof(path), "%s", prefix);
            row_path(attr, path, sizeof(path));
            strncat(path, "/", sizeof(path) - strlen(path) - 1);
            strncat(path, attr->objects->text ? attr->objects->text : "NAME",
                    sizeof(path) - strlen(path) - 1);
            strncat(path, "/", sizeof(path) - strlen(path) - 1);
            put_windows(to, attr->objects->cls, path);
        }
    }
}

static void put_table(FILE *to, const struct vdf_class *cls)
{
    fputs(".Bl -tag -width 4n -compact\n", to);
    put_files(to, cls, "");
    put_row(to, "state", "rw", "text", "the whole state of the device");
    fputs(".El\n", to);
    put_windows(to, cls, "");
}

/* The headings of a manual are in capitals. */
static void put_heading(FILE *to, const struct vdf_class *cls)
{
    fputs(".Sh ", to);
    for (const char *c = cls->title; *c; c++)
        fputc(toupper((unsigned char)*c), to);
    fprintf(to, "\n.Pa %s/\n.Pp\n", cls->name);
}

/* The table of component @name. "*" prints a section for each component that is not printed yet.
 * Bit k of @printed stands for component k. */
static uint64_t put_tables(FILE *to, const char *name, uint64_t printed)
{
    bool rest = strcmp(name, "*") == 0, found = rest;

    for (unsigned k = 0; vdf_components[k]; k++) {
        const struct vdf_class *cls = vdf_components[k]->cls;
        if (printed >> k & 1 || (!rest && strcmp(name, cls->name)))
            continue;
        if (rest)
            put_heading(to, cls);
        put_table(to, cls);
        printed |= UINT64_C(1) << k;
        found = true;
    }
    if (!found)
        die("no component is called %s", name);
    return printed;
}

int main(int argc, char **argv)
{
    char *line = NULL;
    size_t size = 0;
    uint64_t printed = 0;

    if (argc != 3)
        die("usage: mangen TEMPLATE OUTPUT");
    FILE *from = fopen(argv[1], "re");
    if (!from)
        die("%s: %s", argv[1], strerror(errno));
    FILE *to = fopen(argv[2], "we");
    if (!to)
        die("%s: %s", argv[2], strerror(errno));
    while (getline(&line, &size, from) > 0) {
        if (strncmp(line, MARK, strlen(MARK))) {
            fputs(line, to);
            continue;
        }
        line[strcspn(line, "\n")] = '\0';
        printed = put_tables(to, line + strlen(MARK), printed);
    }
    free(line);
    if (ferror(from) || ferror(to) || fclose(from) | fclose(to)) {
        unlink(argv[2]);
        die("%s: could not be written", argv[2]);
    }
    return 0;
}
