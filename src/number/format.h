/* SPDX-License-Identifier: MIT
 * Formats: table of facts, scalar casts (the definition: round to nearest, ties to even), parsing
 * of names. */
#ifndef MPNO_NUMBER_FORMAT_H
#define MPNO_NUMBER_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mpno/format.h"

typedef struct mpno_format_facts {
    const char *name; /* "f16" */
    size_t bytes;
    int significand;  /* bits with the hidden one: u = 2^-significand */
    int max_exponent; /* largest finite value is below 2^(max_exponent + 1) */
    int min_exponent; /* smallest normal value is 2^min_exponent */
} mpno_format_facts;

const mpno_format_facts *mpno_format_get(mpno_format format);
static inline size_t mpno_format_bytes(mpno_format format) {
    return mpno_format_get(format)->bytes;
}
/* Also "fp16", "half", "float16", "bfloat16", "float8_e4m3fn", .., and "e6m9" for any simulated
 * format. */
bool mpno_format_parse(const char *name, mpno_format *out);
/* What load and store of every kernel know: the formats of 16 bits and more that are no values of a
 * wider one. The others are coded (kernel/codec.h). */
static inline bool mpno_format_is_plain(mpno_format format) {
    return format <= MPNO_F16;
}
double mpno_format_max(mpno_format format);  /* largest finite value */
double mpno_format_unit(mpno_format format); /* u: half the distance from 1 to the next number */

/* Number i of an array of the arithmetic format, MPNO_F32 or MPNO_F64. */
static inline double mpno_real_at(mpno_format format, const void *data, int64_t i) {
    return format == MPNO_F64 ? ((const double *)data)[i] : (double)((const float *)data)[i];
}

/* Scalar casts. NaN stays NaN (quiet), overflow gives infinity (NaN in f8e4m3, which has none),
 * subnormals are kept. */
uint16_t mpno_f16_from_f32(float x);
uint16_t mpno_f16_from_f64(double x); /* rounds once */
uint16_t mpno_bf16_from_f32(float x);
uint16_t mpno_bf16_from_f64(double x);
float mpno_f16_to_f32(uint16_t bits);
float mpno_bf16_to_f32(uint16_t bits);
/* The formats of 8 bits. */
uint8_t mpno_f8_from_f64(double x, mpno_format format);
float mpno_f8_to_f32(uint8_t bits, mpno_format format);
/* x rounded to nearest even to the numbers of any format. */
double mpno_format_round(double x, mpno_format format);

/* Arrays, any pair of formats, rounding once; regions may not overlap. n elements. */
void mpno_cast(void *dst, mpno_format dst_format, const void *src, mpno_format src_format,
               size_t n);

#endif
