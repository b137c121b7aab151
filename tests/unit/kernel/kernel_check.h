/* SPDX-License-Identifier: MIT
 * What the checks of test_kernels.c share: values in the buffers of guarded.h, and comparisons with
 * the error constants of kernels.def. */
#ifndef TESTS_UNIT_KERNEL_KERNEL_CHECK_H
#define TESTS_UNIT_KERNEL_KERNEL_CHECK_H

#include <math.h>
#include <string.h>

#include "core/rng.h"
#include "kernel/kernel.h"
#include "number/format.h"
#include "unit/kernel/guarded.h"

static mpno_rng rng;

typedef struct check {
    const mpno_kernels *kernels, *ref;
    mpno_format format; /* T */
    size_t size;        /* of T */
    double u, fixed, per_term;
    const char *name;
} check;

static void put(mpno_format format, void *p, int64_t i, double value) {
    mpno_cast((unsigned char *)p + (size_t)i * mpno_format_bytes(format), format, &value, MPNO_F64,
              1);
}

static double get(mpno_format format, const void *p, int64_t i) {
    double value;
    mpno_cast(&value, MPNO_F64, (const unsigned char *)p + (size_t)i * mpno_format_bytes(format),
              format, 1);
    return value;
}

static void *random_values(const check *c, int slot, int64_t n, double bound) {
    void *p = place(slot, (size_t)n * c->size);
    for (int64_t i = 0; i < n; i++) put(c->format, p, i, bound * (2 * mpno_rng_uniform(&rng) - 1));
    return p;
}

static void *copy_of(const check *c, int slot, const void *p, int64_t n) {
    void *copy = place(slot, (size_t)n * c->size);
    memcpy(copy, p, (size_t)n * c->size);
    return copy;
}

static int64_t up_to(int64_t n) {
    return (int64_t)mpno_rng_below(&rng, (uint64_t)n + 1);
}

/* `terms` of the sum, `scale` as kernels.def defines them; the reference adds its own rounding
 * (f32) or its own sum (f64). */
static void check_value(const check *c, double got, double want, double terms, double scale) {
    const double own = c->format == MPNO_F64 ? c->fixed + c->per_term * terms : 1.0;
    const double allowed = (c->fixed + c->per_term * terms + own) * c->u * scale + 0x1p-116;
    if (isnan(want) && isnan(got)) return;
    if (got == want || fabs(got - want) <= allowed) return;
    fail_msg("%s %s %s: got %.17g, expected %.17g within %.3g", c->name,
             mpno_isa_name(c->kernels->isa), mpno_format_get(c->format)->name, got, want, allowed);
}

/* Bit patterns of `format` that matter: random ones, and neighbours of every power of two and tie.
 */
static void random_bits(mpno_format format, void *p, int64_t n) {
    const mpno_format_facts *facts = mpno_format_get(format);
    for (int64_t i = 0; i < n; i++) {
        unsigned char *at = (unsigned char *)p + (size_t)i * facts->bytes;
        uint64_t bits = ((uint64_t)mpno_rng_u32(&rng) << 32) | mpno_rng_u32(&rng);
        if (i % 3 == 1) {
            const double tiny = ldexp((double)up_to(4096), (int)up_to(60) - 42 - 12);
            put(format, at, 0, (bits & 1) ? -tiny : tiny);
        } else if (i % 17 == 2) {
            const double special[] = {
                0.0,   -0.0,  (double)INFINITY, -(double)INFINITY, (double)NAN, 65504, 65519.99,
                65520, 65536, 3.4e38,           0x1.ffp127,        0x1.fep127,  1e300};
            put(format, at, 0, special[up_to(12)]);
        } else {
            memcpy(at, &bits, facts->bytes);
        }
    }
}

/* Equal bits, or NaN on both sides. */
static void check_bits(const check *c, mpno_format format, const void *got, const void *want,
                       int64_t n) {
    const size_t bytes = mpno_format_bytes(format);
    for (int64_t i = 0; i < n; i++) {
        const size_t at = (size_t)i * bytes;
        if (memcmp((const char *)got + at, (const char *)want + at, bytes) == 0) continue;
        if (isnan(get(format, got, i)) && isnan(get(format, want, i))) continue;
        fail_msg("%s %s %s, element %lld of %lld: got %.17g, expected %.17g", c->name,
                 mpno_isa_name(c->kernels->isa), mpno_format_get(format)->name, (long long)i,
                 (long long)n, get(format, got, i), get(format, want, i));
    }
}

#endif
