/* SPDX-License-Identifier: MIT
 * Magnitudes as whole numbers, see magnitude.h. Numbers are moved between a format and an integer
 * of its width by their bytes. */
#include "number/magnitude.h"

#include <math.h>
#include <string.h>

#include "number/format.h"

static uint64_t bits_of(mpno_format format, double value) {
    unsigned char stored[sizeof(uint64_t)];
    uint8_t one;
    uint16_t two;
    uint32_t four;
    uint64_t eight;
    mpno_cast(stored, format, &value, MPNO_F64, 1);
    switch (mpno_format_bytes(format)) {
        case 1:
            memcpy(&one, stored, sizeof one);
            return one;
        case 2:
            memcpy(&two, stored, sizeof two);
            return two;
        case 4:
            memcpy(&four, stored, sizeof four);
            return four;
        default:
            memcpy(&eight, stored, sizeof eight);
            return eight;
    }
}

mpno_magnitudes mpno_magnitudes_of(mpno_format format) {
    const mpno_format_facts *facts = mpno_format_get(format);
    return (mpno_magnitudes){.bytes = facts->bytes,
                             .normal = bits_of(format, ldexp(1.0, facts->min_exponent)),
                             .largest = bits_of(format, mpno_format_max(format))};
}

double mpno_magnitude_value(mpno_format format, uint64_t bits) {
    const uint8_t one = (uint8_t)bits;
    const uint16_t two = (uint16_t)bits;
    const uint32_t four = (uint32_t)bits;
    const size_t bytes = mpno_format_bytes(format);
    const void *stored = bytes == 1   ? (const void *)&one
                         : bytes == 2 ? (const void *)&two
                         : bytes == 4 ? (const void *)&four
                                      : (const void *)&bits;
    double value;
    mpno_cast(&value, MPNO_F64, stored, format, 1);
    return value;
}
