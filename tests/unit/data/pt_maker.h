/* SPDX-License-Identifier: MIT
 * Makes zip archives by hand, so that tests can put anything into a .pt file. Entries are stored,
 * or "deflated" as one stored block of the deflate format. The layout is that of APPNOTE.TXT 6.3,
 * without zip64. */
#ifndef MPNO_TESTS_UNIT_DATA_PT_MAKER_H
#define MPNO_TESTS_UNIT_DATA_PT_MAKER_H

#include "support.h"

typedef struct zip_maker {
    unsigned char data[16384], directory[4096];
    size_t n, n_directory;
    unsigned n_entries;
} zip_maker;

static inline uint32_t crc32_of(const unsigned char *data, size_t n) {
    uint32_t crc = 0xffffffff;
    for (size_t i = 0; i < n; i++) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; bit++) crc = crc & 1 ? crc >> 1 ^ 0xedb88320 : crc >> 1;
    }
    return ~crc;
}

static inline size_t put(unsigned char *out, size_t at, uint64_t value, int width) {
    for (int i = 0; i < width; i++) out[at++] = (unsigned char)(value >> (8 * i));
    return at;
}

static inline size_t put_bytes(unsigned char *out, size_t at, const void *data, size_t n) {
    if (n > 0) memcpy(out + at, data, n);
    return at + n;
}

/* The fields that local header and central directory have in common, from "version needed" on. */
static inline size_t put_entry(unsigned char *out, size_t at, int method, uint32_t crc,
                               size_t packed, size_t size, const char *name) {
    at = put(out, at, 20, 2);
    at = put(out, at, 0, 2);
    at = put(out, at, (uint64_t)method, 2);
    at = put(out, at, 0x00210000, 4); /* 1 January 1980 */
    at = put(out, at, crc, 4);
    at = put(out, at, packed, 4);
    at = put(out, at, size, 4);
    at = put(out, at, strlen(name), 2);
    return put(out, at, 0, 2);
}

static inline void zip_add(zip_maker *z, const char *name, const void *data, size_t n,
                           bool deflated) {
    size_t start = z->n, packed = deflated ? n + 5 : n, d = z->n_directory;
    uint32_t crc = crc32_of(data, n);
    int method = deflated ? 8 : 0;
    assert_true(z->n + packed + 100 < sizeof z->data && d + 150 < sizeof z->directory);
    z->n = put(z->data, z->n, 0x04034b50, 4);
    z->n = put_entry(z->data, z->n, method, crc, packed, n, name);
    z->n = put_bytes(z->data, z->n, name, strlen(name));
    if (deflated) {
        z->n = put(z->data, z->n, 1, 1);
        z->n = put(z->data, z->n, n, 2);
        z->n = put(z->data, z->n, ~n & 0xffff, 2);
    }
    z->n = put_bytes(z->data, z->n, data, n);
    d = put(z->directory, d, 0x02014b50, 4);
    d = put(z->directory, d, 20, 2);
    d = put_entry(z->directory, d, method, crc, packed, n, name);
    d = put(z->directory, d, 0, 2 + 2 + 2); /* comment, disk, internal attributes */
    d = put(z->directory, d, 0, 4);         /* external attributes */
    d = put(z->directory, d, start, 4);
    z->n_directory = put_bytes(z->directory, d, name, strlen(name));
    z->n_entries++;
}

/* Appends directory and end record; the archive is then z->data[0 .. z->n). */
static inline void zip_finish(zip_maker *z) {
    size_t start = z->n;
    assert_true(z->n + z->n_directory + 22 < sizeof z->data);
    z->n = put_bytes(z->data, z->n, z->directory, z->n_directory);
    z->n = put(z->data, z->n, 0x06054b50, 4);
    z->n = put(z->data, z->n, 0, 2 + 2);
    z->n = put(z->data, z->n, z->n_entries, 2);
    z->n = put(z->data, z->n, z->n_entries, 2);
    z->n = put(z->data, z->n, z->n_directory, 4);
    z->n = put(z->data, z->n, start, 4);
    z->n = put(z->data, z->n, 0, 2);
}

#endif
