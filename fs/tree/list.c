/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writes of one open file that follow each other.
 *
 * A shell's builtin writes line by line. A file of a list collects the lines, checks each line when it
 * comes, and stores the list as a whole at the close. No reader sees half of a list, and one wrong line
 * leaves the value as it was. A single value has one line.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <virtdevfs/text.h>

#include "file.h"
#include "value.h"

static const struct vdf_attr *list_row(const struct vdf_file *file)
{
    const struct vdf_entry *entry = file->place.entry;
    const struct vdf_attr *attr = entry->special == VDF_PLAIN ? entry->attr : NULL;

    return attr && attr->flags & VDF_LIST ? attr : NULL;
}

bool vdf_file_is_list(const struct vdf_file *file)
{
    return list_row(file) && (file->flags & O_ACCMODE) != O_RDONLY;
}

/* May the next write bring the digits of this number? */
static bool may_go_on(const char *line, size_t len)
{
    return line[0] == '0' && (len == 1 || (len == 2 && strchr("xXbB", line[1])));
}

static int check_line(const struct vdf_at *at, const char *line, size_t len, bool whole,
                      struct vdf_err *err)
{
    char copy[256];

    vdf_text_trim(&line, &len);
    if (len == 0 || (!whole && may_go_on(line, len)))
        return 0;
    if (memchr(line, '\0', len))
        return vdf_fail(err, EINVAL, "the list contains a NUL byte");
    if (len >= sizeof(copy))
        return vdf_fail(err, EINVAL, "\"%.40s\" is no line of this list", line);
    memcpy(copy, line, len);
    copy[len] = '\0';
    return at->attr->check_line(at, copy, len, err);
}

/* Checks the lines from the begin of the line that holds @from. */
static int check_lines(const struct vdf_at *at, const struct vdf_buf *lines, size_t from,
                       struct vdf_err *err)
{
    const char *before = from ? memrchr(lines->data, '\n', from) : NULL;
    const char *line = before ? before + 1 : lines->data, *end = lines->data + lines->len;
    int ret = 0;

    while (ret == 0 && line < end) {
        const char *newline = memchr(line, '\n', (size_t)(end - line));
        const char *stop = newline ? newline : end;
        ret = check_line(at, line, (size_t)(stop - line), newline != NULL, err);
        line = stop + 1;
    }
    return ret;
}

static int add_lines(struct vdf_file *file, const char *bytes, size_t n, bool goes_on,
                     struct vdf_err *err)
{
    struct vdf_at at = vdf_place_at(&file->place);

    if (!goes_on)
        vdf_buf_reset(&file->lines);
    else if (file->list == VDF_SPOILT)
        return vdf_fail(err, EINVAL,
                        "an earlier line was refused: open the file again and write all lines");
    size_t from = file->lines.len;
    file->list = VDF_SPOILT;
    if (n > VDF_VALUE_MAX - from)
        return vdf_fail(err, EINVAL, "more than %u bytes are no value of this file", VDF_VALUE_MAX);
    vdf_buf_add(&file->lines, bytes, n);
    if (file->lines.oom)
        return vdf_fail(err, ENOMEM, "no memory for the list");
    int ret = check_lines(&at, &file->lines, from, err);
    if (ret == 0)
        file->list = VDF_TAKEN;
    return ret;
}

static bool is_blank(const char *bytes, size_t n)
{
    vdf_text_trim(&bytes, &n);
    return n == 0;
}

ssize_t vdf_value_add(struct vdf_file *file, const char *bytes, size_t n, uint64_t offset,
                      struct vdf_err *err)
{
    const struct vdf_attr *attr = file->place.entry->attr;
    /* Also after a refused first line: a shell writes the other lines nevertheless. */
    bool goes_on = (file->written || file->list == VDF_SPOILT) &&
                   (offset == file->written || file->flags & O_APPEND);
    int ret;

    if (attr->check_line) {
        ret = add_lines(file, bytes, n, goes_on, err);
    } else if (goes_on && is_blank(bytes, n)) {
        /* Unbuffered output writes the newline separately, and empty lines may follow. */
        file->line_ended |= bytes[n - 1] == '\n';
        file->written = offset + n;
        return (ssize_t)n;
    } else if (goes_on && file->line_ended && attr->flags & VDF_R && !(attr->flags & VDF_LINES)) {
        ret = vdf_fail(err, EINVAL,
                       "a second line: this file takes one value; another is written at offset 0");
    } else {
        file->list = VDF_COMPLETE;
        ret = vdf_value_write(&file->place, bytes, n, err);
    }
    if (ret < 0)
        return ret;
    file->written = offset + n;
    file->line_ended = bytes[n - 1] == '\n';
    return (ssize_t)n;
}

int vdf_list_end(struct vdf_file *file, struct vdf_err *err)
{
    bool emptied = file->list == VDF_UNTOUCHED && file->flags & O_TRUNC;
    int ret = 0;

    if (!vdf_place_exists(&file->place))
        return 0;
    if (emptied)
        ret = vdf_value_write(&file->place, "", 0, err);
    else if (file->list == VDF_TAKEN)
        ret = vdf_value_write(&file->place, file->lines.data, file->lines.len, err);
    if (emptied || file->list == VDF_TAKEN)
        file->list = VDF_COMPLETE;
    return ret;
}
