/* SPDX-License-Identifier: MIT
 * Three checksums. CRC-64/XZ: polynomial 0x42F0E1EBA9EA3693, reflected, initial value and final
 * exclusive-or all ones; the check value of "123456789" is 0x995DC9BBDF1939FA. Every change of one
 * bit, and every burst of up to 64 bits, changes the sum; other damage passes unseen with
 * probability 2^-64. It guards against accidents, not against forgers. Source: ECMA-182
 * (polynomial); Kounavis and Berry, "Novel table lookup-based algorithms for high-performance CRC
 * generation", IEEE Trans. Computers 57 (2008) (eight bytes per step). CRC-32C (Castagnoli, RFC
 * 3720 section 12.1): polynomial 0x1EDC6F41, reflected; that of "123456789" is 0xE3069283. CRC-32
 * (zip, PNG: RFC 2083 section 15): polynomial 0x04C11DB7, reflected; that of "123456789" is
 * 0xCBF43926. For formats that ask for them. */
#ifndef MPNO_CORE_CHECKSUM_H
#define MPNO_CORE_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

/* The tables live in the object (16 KiB, filled by start in microseconds), so that there is no
 * global state. */
typedef struct mpno_crc64 {
    uint64_t state;
    uint64_t table[8][256];
} mpno_crc64;

void mpno_crc64_start(mpno_crc64 *crc);
void mpno_crc64_add(mpno_crc64 *crc, const void *data, size_t bytes);
/* The sum of all bytes added so far; adding may go on after it. */
uint64_t mpno_crc64_value(const mpno_crc64 *crc);

uint32_t mpno_crc32c(const void *data, size_t bytes);
uint32_t mpno_crc32(const void *data, size_t bytes);

#endif
