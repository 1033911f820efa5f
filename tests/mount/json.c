/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A strict reader of JSON, for scripts that have to do without Python. */
#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "json.h"

#define DEEPEST 16

struct reader {
    const char *pos;
    char path[512];
    int depth;
};

static bool value(struct reader *r);

static void blanks(struct reader *r)
{
    r->pos += strspn(r->pos, " \t\r\n");
}

static bool symbol(struct reader *r, char c)
{
    blanks(r);
    if (*r->pos != c)
        return false;
    r->pos++;
    return true;
}

static bool escape(struct reader *r)
{
    if (*r->pos == 'u') {
        for (int k = 1; k <= 4; k++)
            if (!isxdigit((unsigned char)r->pos[k]))
                return false;
        r->pos += 5;
        return true;
    }
    if (!*r->pos || !strchr("\"\\/bfnrt", *r->pos))
        return false;
    r->pos++;
    return true;
}

/* Beyond ASCII only escapes are allowed here: no need to know UTF-8. */
static bool string(struct reader *r)
{
    if (!symbol(r, '"'))
        return false;
    while (*r->pos != '"') {
        if (*r->pos < ' ' || *r->pos > '~')
            return false;
        if (*r->pos++ == '\\' && !escape(r))
            return false;
    }
    r->pos++;
    return true;
}

static bool digits(struct reader *r)
{
    size_t n = strspn(r->pos, "0123456789");
    r->pos += n;
    return n;
}

static bool number(struct reader *r)
{
    r->pos += *r->pos == '-';
    if (*r->pos == '0')
        r->pos++;
    else if (!digits(r))
        return false;
    if (*r->pos == '.') {
        r->pos++;
        if (!digits(r))
            return false;
    }
    if (*r->pos == 'e' || *r->pos == 'E') {
        r->pos++;
        r->pos += *r->pos == '+' || *r->pos == '-';
        if (!digits(r))
            return false;
    }
    return true;
}

static bool scalar(struct reader *r)
{
    static const char *const words[] = { "true", "false", "null" };
    const char *start = r->pos;
    bool right = false;

    for (int k = 0; k < 3; k++) {
        if (strncmp(start, words[k], strlen(words[k])) == 0) {
            r->pos += strlen(words[k]);
            right = true;
        }
    }
    if (!right && !(*start == '"' ? string(r) : number(r)))
        return false;
    printf("%s %.*s\n", r->path, (int)(r->pos - start), start);
    return true;
}

/* One member of an object, or element of an array, with its name in the path. */
static bool member(struct reader *r, bool named, unsigned index)
{
    size_t len = strlen(r->path);
    const char *dot = len ? "." : "";
    int n;

    blanks(r);
    const char *name = r->pos + 1;
    if (named && !string(r))
        return false;
    if (named)
        n = snprintf(r->path + len, sizeof(r->path) - len, "%s%.*s", dot, (int)(r->pos - 1 - name),
                     name);
    else
        n = snprintf(r->path + len, sizeof(r->path) - len, "%s%u", dot, index);
    if (n >= (int)(sizeof(r->path) - len) || (named && !symbol(r, ':')) || !value(r))
        return false;
    r->path[len] = '\0';
    return true;
}

static bool value(struct reader *r)
{
    bool right = true;

    blanks(r);
    char close = *r->pos == '{' ? '}' : ']';
    if (*r->pos != '{' && *r->pos != '[')
        return scalar(r);
    r->pos++;
    if (++r->depth > DEEPEST)
        return false;
    for (unsigned k = 0; right && !symbol(r, close); k++)
        right = (k == 0 || symbol(r, ',')) && member(r, close == '}', k);
    r->depth--;
    return right;
}

long json_flatten(const char *text, size_t len)
{
    struct reader r = { .pos = text };

    if (!value(&r))
        return r.pos - text;
    blanks(&r);
    return r.pos == text + len ? -1 : r.pos - text;
}
