/* SPDX-License-Identifier: MIT
 * CRC-64/XZ, eight bytes per step, and CRC-32C, half a byte per step: see checksum.h. table[k][b]
 * is the sum of byte b followed by k zero bytes. */
#include "core/checksum.h"

#define POLYNOMIAL_REFLECTED UINT64_C(0xC96C5795D7870F42)

void mpno_crc64_start(mpno_crc64 *crc) {
    for (unsigned byte = 0; byte < 256; byte++) {
        uint64_t value = byte;
        for (int bit = 0; bit < 8; bit++)
            value = (value & 1) ? (value >> 1) ^ POLYNOMIAL_REFLECTED : value >> 1;
        crc->table[0][byte] = value;
    }
    for (int k = 1; k < 8; k++)
        for (unsigned byte = 0; byte < 256; byte++) {
            uint64_t before = crc->table[k - 1][byte];
            crc->table[k][byte] = (before >> 8) ^ crc->table[0][before & 0xff];
        }
    crc->state = ~UINT64_C(0);
}

void mpno_crc64_add(mpno_crc64 *crc, const void *data, size_t bytes) {
    const unsigned char *p = data;
    uint64_t state = crc->state;
    for (; bytes >= 8; bytes -= 8, p += 8) {
        uint64_t next = 0;
        for (int k = 0; k < 8; k++) next ^= crc->table[7 - k][((state >> (8 * k)) & 0xff) ^ p[k]];
        state = next;
    }
    for (; bytes > 0; bytes--, p++) state = (state >> 8) ^ crc->table[0][(state & 0xff) ^ *p];
    crc->state = state;
}

uint64_t mpno_crc64_value(const mpno_crc64 *crc) {
    return ~crc->state;
}

/* table: what four bits that leave the register do to it. */
static uint32_t crc32_by(const uint32_t table[16], const void *data, size_t bytes) {
    const unsigned char *p = data;
    uint32_t state = ~UINT32_C(0);
    for (; bytes > 0; bytes--) {
        state ^= *p++;
        state = (state >> 4) ^ table[state & 15];
        state = (state >> 4) ^ table[state & 15];
    }
    return ~state;
}

uint32_t mpno_crc32c(const void *data, size_t bytes) {
    static const uint32_t table[16] = {0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1,
                                       0x417b1dbc, 0x5125dad3, 0x61c69362, 0x7198540d,
                                       0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9,
                                       0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75};
    return crc32_by(table, data, bytes);
}

uint32_t mpno_crc32(const void *data, size_t bytes) {
    static const uint32_t table[16] = {0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac,
                                       0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
                                       0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
                                       0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c};
    return crc32_by(table, data, bytes);
}
