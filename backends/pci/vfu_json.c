/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A reader of JSON. See vfu_json.h. */
#include "vfu_json.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

static void skip_space(struct vdf_vfu_json *json)
{
    json->at += strspn(json->at, " \t\n\r");
}

/* Take @c, after white space. */
static bool take(struct vdf_vfu_json *json, char c)
{
    skip_space(json);
    if (*json->at != c)
        return false;
    json->at++;
    return true;
}

static bool take_word(struct vdf_vfu_json *json, const char *word)
{
    size_t len = strlen(word);

    skip_space(json);
    if (strncmp(json->at, word, len) != 0)
        return false;
    json->at += len;
    return true;
}

/* Section 7. */
static bool take_escape(struct vdf_vfu_json *json)
{
    char c = *json->at;

    if (c == 'u') {
        for (unsigned k = 1; k <= 4; k++)
            if (!isxdigit((unsigned char)json->at[k]))
                return false;
        json->at += 5;
        return true;
    }
    if (!c || !strchr("\"\\/bfnrt", c))
        return false;
    json->at++;
    return true;
}

/* @key: becomes the string, or empty where it is longer or has an escape; NULL: nobody wants it. */
static int take_string(struct vdf_vfu_json *json, char *key)
{
    bool escaped = false;

    if (!take(json, '"'))
        return -EINVAL;
    const char *start = json->at;
    while (*json->at != '"') {
        if ((unsigned char)*json->at < ' ')
            return -EINVAL;
        if (*json->at++ != '\\')
            continue;
        escaped = true;
        if (!take_escape(json))
            return -EINVAL;
    }
    size_t len = (size_t)(json->at - start);
    json->at++;
    if (!key)
        return 0;
    if (escaped || len >= VDF_VFU_JSON_KEY)
        len = 0;
    memcpy(key, start, len);
    key[len] = '\0';
    return 0;
}

int vdf_vfu_json_object(struct vdf_vfu_json *json, vdf_vfu_json_member *member, void *ctx)
{
    char key[VDF_VFU_JSON_KEY];
    int ret = 0;

    if (!take(json, '{') || ++json->depth > VDF_VFU_JSON_DEPTH)
        return -EINVAL;
    bool more = !take(json, '}');
    while (more && ret == 0) {
        ret = take_string(json, key);
        if (ret == 0)
            ret = take(json, ':') ? member(ctx, key, json) : -EINVAL;
        if (ret == 0)
            more = take(json, ',');
        if (ret == 0 && !more)
            ret = take(json, '}') ? 0 : -EINVAL;
    }
    json->depth--;
    return ret;
}

static int skip_member(void *ctx, const char *key, struct vdf_vfu_json *json)
{
    return vdf_vfu_json_skip(json);
}

static int skip_array(struct vdf_vfu_json *json)
{
    int ret = 0;

    if (!take(json, '[') || ++json->depth > VDF_VFU_JSON_DEPTH)
        return -EINVAL;
    bool more = !take(json, ']');
    while (more && ret == 0) {
        ret = vdf_vfu_json_skip(json);
        if (ret == 0)
            more = take(json, ',');
        if (ret == 0 && !more)
            ret = take(json, ']') ? 0 : -EINVAL;
    }
    json->depth--;
    return ret;
}

static bool take_digits(struct vdf_vfu_json *json)
{
    size_t n = strspn(json->at, "0123456789");

    json->at += n;
    return n != 0;
}

/* Section 6. */
static int skip_number(struct vdf_vfu_json *json)
{
    if (*json->at == '-')
        json->at++;
    const char *start = json->at;
    if (!take_digits(json) || (*start == '0' && json->at - start > 1))
        return -EINVAL;
    if (*json->at == '.') {
        json->at++;
        if (!take_digits(json))
            return -EINVAL;
    }
    if (*json->at == 'e' || *json->at == 'E') {
        json->at++;
        if (*json->at == '+' || *json->at == '-')
            json->at++;
        if (!take_digits(json))
            return -EINVAL;
    }
    return 0;
}

int vdf_vfu_json_number(struct vdf_vfu_json *json, uint64_t *value)
{
    skip_space(json);
    const char *start = json->at;
    *value = 0;
    for (; isdigit((unsigned char)*json->at); json->at++)
        if (__builtin_mul_overflow(*value, UINT64_C(10), value) ||
            __builtin_add_overflow(*value, (uint64_t)(*json->at - '0'), value))
            return -EINVAL;
    bool digits = json->at != start, zeros = json->at - start > 1 && *start == '0';
    return digits && !zeros && !strchr(".eE", *json->at ? *json->at : ' ') ? 0 : -EINVAL;
}

int vdf_vfu_json_bool(struct vdf_vfu_json *json, bool *value)
{
    *value = take_word(json, "true");
    return *value || take_word(json, "false") ? 0 : -EINVAL;
}

int vdf_vfu_json_skip(struct vdf_vfu_json *json)
{
    bool value;

    skip_space(json);
    switch (*json->at) {
    case '{':
        return vdf_vfu_json_object(json, skip_member, NULL);
    case '[':
        return skip_array(json);
    case '"':
        return take_string(json, NULL);
    case 'n':
        return take_word(json, "null") ? 0 : -EINVAL;
    case 't':
    case 'f':
        return vdf_vfu_json_bool(json, &value);
    default:
        return skip_number(json);
    }
}

int vdf_vfu_json_end(struct vdf_vfu_json *json)
{
    skip_space(json);
    return *json->at ? -EINVAL : 0;
}
