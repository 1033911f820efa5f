/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The size of a terminal: columns and rows. */
#include <errno.h>
#include <string.h>
#include <virtdevfs/text.h>

#include "device.h"
#include "queue.h"

static int next_number(const char **text, uint16_t *value)
{
    const char *word = *text + strspn(*text, " \t");
    size_t len = strcspn(word, " \t");
    uint64_t number = 0;
    int ret = vdf_number_parse(word, len, &number);

    *text = word + len;
    *value = (uint16_t)number;
    return ret == 0 && number > UINT16_MAX ? -ERANGE : ret;
}

int vdf_console_parse_size(const char *text, uint16_t *cols, uint16_t *rows, struct vdf_err *err)
{
    const char *at = text;
    uint16_t numbers[2];
    int first = next_number(&at, &numbers[0]);
    int second = next_number(&at, &numbers[1]);

    if (first == -EINVAL || second == -EINVAL || at[strspn(at, " \t")])
        return vdf_fail(err, EINVAL, "\"%.40s\" is no size: COLS ROWS, two numbers", text);
    if (first < 0 || second < 0)
        return vdf_fail(err, ERANGE, "\"%.40s\": columns and rows are at most %u", text,
                        UINT16_MAX);
    *cols = numbers[0];
    *rows = numbers[1];
    return 0;
}

void vdf_console_set_size(struct vdf_console *con, uint16_t cols, uint16_t rows)
{
    if (con->cols == cols && con->rows == rows)
        return;
    con->cols = cols;
    con->rows = rows;
    /* With MULTIPORT a control message says so (5.3.5), without it the configuration space. */
    if (vdf_console_multiport(con))
        con->generation++;
    else
        vdf_console_config_changed(con);
    vdf_console_settle(con);
}
