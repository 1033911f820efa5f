/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <pthread.h>

#include "crc.h"

#define CRC_STEP 8u
#define CRC_POLYNOMIAL UINT32_C(0x04c11db7)

/* Row k: the remainder's change by a byte that k more bytes follow in the same step. */
static uint32_t crc_table[CRC_STEP][256];

static void make_crc_table(void)
{
    for (uint32_t k = 0; k < 256; k++) {
        uint32_t crc = k << 24;
        for (int bit = 0; bit < 8; bit++)
            crc = crc << 1 ^ (crc & UINT32_C(0x80000000) ? CRC_POLYNOMIAL : 0);
        crc_table[0][k] = crc;
    }
    for (unsigned n = 1; n < CRC_STEP; n++)
        for (uint32_t k = 0; k < 256; k++) {
            uint32_t crc = crc_table[n - 1][k];
            crc_table[n][k] = crc << 8 ^ crc_table[0][crc >> 24];
        }
}

static pthread_once_t crc_once = PTHREAD_ONCE_INIT;

void vdf_crc_add(struct vdf_crc *crc, const void *bytes, size_t len)
{
    const uint8_t *p = bytes;
    uint32_t rest = crc->rest;

    pthread_once(&crc_once, make_crc_table);
    crc->len += len;
    for (; len >= CRC_STEP; p += CRC_STEP, len -= CRC_STEP)
        rest = crc_table[7][rest >> 24 ^ p[0]] ^ crc_table[6][(rest >> 16 & 0xff) ^ p[1]] ^
               crc_table[5][(rest >> 8 & 0xff) ^ p[2]] ^ crc_table[4][(rest & 0xff) ^ p[3]] ^
               crc_table[3][p[4]] ^ crc_table[2][p[5]] ^ crc_table[1][p[6]] ^ crc_table[0][p[7]];
    for (; len > 0; len--)
        rest = rest << 8 ^ crc_table[0][rest >> 24 ^ *p++];
    crc->rest = rest;
}

uint32_t vdf_crc_sum(const struct vdf_crc *crc)
{
    struct vdf_crc all = *crc;
    uint8_t len[8];
    size_t n = 0;

    for (uint64_t rest = crc->len; rest; rest >>= 8)
        len[n++] = (uint8_t)rest;
    vdf_crc_add(&all, len, n);
    return ~all.rest;
}

static uint32_t multiply(uint32_t a, uint32_t b)
{
    uint32_t product = 0;

    for (int bit = 31; bit >= 0; bit--) {
        product = product << 1 ^ (product & UINT32_C(0x80000000) ? CRC_POLYNOMIAL : 0);
        if (a >> bit & 1)
            product ^= b;
    }
    return product;
}

/* The remainder that a remainder of 1 becomes after so many bytes. */
static uint32_t shift_by(uint64_t bytes)
{
    uint32_t shift = 1, square = 0x100;

    for (; bytes; bytes >>= 1) {
        if (bytes & 1)
            shift = multiply(shift, square);
        square = multiply(square, square);
    }
    return shift;
}

void vdf_crc_join(struct vdf_crc *crc, const struct vdf_crc *part)
{
    crc->rest = multiply(crc->rest, shift_by(part->len)) ^ part->rest;
    crc->len += part->len;
}
