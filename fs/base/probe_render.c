/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The facts of the host, as a table for people and as JSON for scripts. */
#include <string.h>
#include <sys/utsname.h>

#include "probe.h"

struct fact {
    bool have;
    const char *name, *text;
    const char *remedy;     /* NULL: none is known */
    const char *rest, *end; /* where its values begin, and where the next fact does */
};

/* --- reading facts ---------------------------------------------------------------------------- */

/* The string at @pos, which moves behind it; NULL at the end and for an incomplete string. */
static const char *take(const char **pos, const char *end)
{
    const char *text = *pos, *nul = text < end ? memchr(text, '\0', (size_t)(end - text)) : NULL;

    if (!nul)
        return NULL;
    *pos = nul + 1;
    return text;
}

/* The next property of a fact; false at the end of the fact, where @pos stays then. */
static bool next_property(const char **pos, const char *end, const char **key, const char **value)
{
    const char *at = *pos, *first = take(&at, end);

    *key = NULL;
    *value = NULL;
    if (!first || (*first != VDF_PROBE_VALUE && *first != VDF_PROBE_REMEDY))
        return false;
    *value = first + 1;
    if (*first == VDF_PROBE_VALUE) {
        *key = first + 1;
        *value = take(&at, end);
    }
    if (*value)
        *pos = at;
    return *value;
}

static bool next_value(const struct fact *fact, const char **pos, const char **key,
                       const char **value)
{
    if (!*pos)
        *pos = fact->rest;
    while (next_property(pos, fact->end, key, value))
        if (*key)
            return true;
    return false;
}

static bool next_fact(const struct vdf_probe *probe, const char **pos, struct fact *fact)
{
    const char *key, *value, *end = probe->facts.data + probe->facts.len;

    if (!*pos)
        *pos = probe->facts.data;
    const char *name = *pos ? take(pos, end) : NULL;
    *fact = (struct fact){ 0 };
    if (!name || (*name != VDF_PROBE_HAVE && *name != VDF_PROBE_LACK))
        return false;
    fact->have = *name == VDF_PROBE_HAVE;
    fact->name = name + 1;
    fact->text = take(pos, end);
    fact->rest = *pos;
    while (next_property(pos, end, &key, &value))
        if (!key)
            fact->remedy = value;
    fact->end = *pos;
    return fact->text;
}

/* --- the table -------------------------------------------------------------------------------- */

/* One line of ASCII, even if the text has other bytes. */
static void add_plain(struct vdf_buf *out, const char *text)
{
    for (; *text; text++)
        vdf_buf_add(out, *text >= ' ' && *text <= '~' ? text : "?", 1);
}

static void add_fact(struct vdf_buf *out, const struct fact *fact, size_t width)
{
    const char *key, *value, *pos = NULL;

    vdf_buf_printf(out, "  %-3s  ", fact->have ? "yes" : "no");
    add_plain(out, fact->name);
    size_t before = out->len;
    vdf_buf_printf(out, "%*s", (int)(width - strlen(fact->name) + 2), "");
    size_t blank = out->len;
    add_plain(out, fact->text);
    while (next_value(fact, &pos, &key, &value)) {
        vdf_buf_printf(out, "%s", out->len > blank ? "  " : "");
        add_plain(out, key);
        vdf_buf_add(out, "=", 1);
        add_plain(out, value);
    }
    if (fact->remedy) {
        vdf_buf_printf(out, "%s", out->len > blank ? "; needs " : "needs ");
        add_plain(out, fact->remedy);
    }
    /* A line does not end with the blanks of an empty column. */
    if (out->len == blank && !out->oom)
        out->len = before;
    vdf_buf_add(out, "\n", 1);
}

void vdf_probe_text(const struct vdf_probe *probes, unsigned n, struct vdf_buf *out)
{
    size_t width = 0;
    struct fact fact;

    for (unsigned k = 0; k < n; k++)
        for (const char *pos = NULL; next_fact(&probes[k], &pos, &fact);)
            width = strlen(fact.name) > width ? strlen(fact.name) : width;
    for (unsigned k = 0; k < n; k++) {
        vdf_buf_printf(out, "%s: %s\n", probes[k].part->name, probes[k].part->title);
        for (const char *pos = NULL; next_fact(&probes[k], &pos, &fact);)
            add_fact(out, &fact, width);
    }
}

/* --- JSON ------------------------------------------------------------------------------------- */

/* A byte beyond ASCII becomes the character with that number, since a fact need not be UTF-8 and JSON
 * has to be. */
static void add_string(struct vdf_buf *out, const char *text)
{
    vdf_buf_add(out, "\"", 1);
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\')
            vdf_buf_printf(out, "\\%c", c);
        else if (c >= ' ' && c <= '~')
            vdf_buf_add(out, text, 1);
        else
            vdf_buf_printf(out, "\\u%04x", c);
    }
    vdf_buf_add(out, "\"", 1);
}

static void add_member(struct vdf_buf *out, const char *indent, const char *key, const char *value)
{
    vdf_buf_printf(out, "%s", indent);
    add_string(out, key);
    vdf_buf_printf(out, ": ");
    add_string(out, value);
}

static void add_json_fact(struct vdf_buf *out, const struct fact *fact)
{
    const char *key, *value, *pos = NULL;
    bool first = true;

    vdf_buf_printf(out, "      {");
    add_member(out, "", "name", fact->name);
    vdf_buf_printf(out, ", \"available\": %s", fact->have ? "true" : "false");
    add_member(out, ",\n       ", fact->have ? "detail" : "reason", fact->text);
    if (fact->remedy)
        add_member(out, ",\n       ", "remedy", fact->remedy);
    vdf_buf_printf(out, ",\n       \"values\": {");
    while (next_value(fact, &pos, &key, &value)) {
        add_member(out, first ? "" : ", ", key, value);
        first = false;
    }
    vdf_buf_printf(out, "}}");
}

void vdf_probe_json(const struct vdf_probe *probes, unsigned n, const char *version,
                    struct vdf_buf *out)
{
    struct utsname host = { 0 };
    struct fact fact;

    uname(&host);
    vdf_buf_printf(out, "{");
    add_member(out, "\n  ", "virtdevfs", version);
    add_member(out, ",\n  ", "kernel", host.release);
    add_member(out, ",\n  ", "machine", host.machine);
    vdf_buf_printf(out, ",\n  \"parts\": {");
    for (unsigned k = 0; k < n; k++) {
        bool first = true;
        vdf_buf_printf(out, "%s\n    ", k ? "," : "");
        add_string(out, probes[k].part->name);
        vdf_buf_printf(out, ": [");
        for (const char *pos = NULL; next_fact(&probes[k], &pos, &fact); first = false) {
            vdf_buf_printf(out, "%s\n", first ? "" : ",");
            add_json_fact(out, &fact);
        }
        vdf_buf_printf(out, "]");
    }
    vdf_buf_printf(out, "\n  }\n}\n");
}
