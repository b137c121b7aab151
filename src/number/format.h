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
    int max_exponent; /* largest finite value is just below 2^(max_exponent + 1) */
    int min_exponent; /* smallest normal value is 2^min_exponent */
} mpno_format_facts;

const mpno_format_facts *mpno_format_get(mpno_format format);
static inline size_t mpno_format_bytes(mpno_format format) {
    return mpno_format_get(format)->bytes;
}
bool mpno_format_parse(const char *name,
                       mpno_format *out);    /* also "fp16", "half", "float16", "bfloat16", ... */
double mpno_format_max(mpno_format format);  /* largest finite value */
double mpno_format_unit(mpno_format format); /* u: half the distance from 1 to the next number */

/* Scalar casts. NaN stays NaN (quiet), overflow gives infinity, subnormals are kept. */
uint16_t mpno_f16_from_f32(float x);
uint16_t mpno_f16_from_f64(double x); /* rounds once */
uint16_t mpno_bf16_from_f32(float x);
uint16_t mpno_bf16_from_f64(double x);
float mpno_f16_to_f32(uint16_t bits);
float mpno_bf16_to_f32(uint16_t bits);

/* Arrays, any pair of formats, rounding once; regions may not overlap. n elements. */
void mpno_cast(void *dst, mpno_format dst_format, const void *src, mpno_format src_format,
               size_t n);

#endif
