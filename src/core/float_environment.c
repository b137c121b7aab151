/* SPDX-License-Identifier: MIT
 * How the processor rounds: see float_environment.h. What a subnormal result or operand becomes is
 * tried, which says the same as the flags of x86's MXCSR (FTZ, DAZ) or ARM's FPCR (FZ) and asks for
 * none of them by name. */
#include "core/float_environment.h"

#include <fenv.h>
#include <float.h>
#include <stdatomic.h>
#include <string.h>

/* What is not as it should be, in bits, so that threads can put it into one word. */
enum { FLUSHES = 1, BLIND = 2, UPWARD = 4, DOWNWARD = 8, TOWARD_ZERO = 16, UNKNOWN = 32 };

static unsigned rounding(void) {
    switch (fegetround()) {
#ifdef FE_TONEAREST
        case FE_TONEAREST:
            return 0;
#endif
#ifdef FE_UPWARD
        case FE_UPWARD:
            return UPWARD;
#endif
#ifdef FE_DOWNWARD
        case FE_DOWNWARD:
            return DOWNWARD;
#endif
#ifdef FE_TOWARDZERO
        case FE_TOWARDZERO:
            return TOWARD_ZERO;
#endif
        default:
            return UNKNOWN;
    }
}

/* Of the bits: a comparison would take subnormal numbers for zero where operands are. */
static bool is_zero(const volatile void *number, size_t bytes) {
    for (size_t i = 0; i < bytes; i++)
        if (((const volatile unsigned char *)number)[i] != 0) return false;
    return true;
}

/* volatile: the compiler would compute these with settings of its own. */
static unsigned find(void) {
    volatile double normal = DBL_MIN, subnormal = DBL_MIN / 4, half = 0.5, large = 0x1p500;
    volatile float narrow = FLT_MIN, narrow_half = 0.5f, below = FLT_MIN / 4, more = 0x1p100f;
    volatile const double result = normal * half, scaled = subnormal * large;
    volatile const float narrow_result = narrow * narrow_half, narrow_scaled = below * more;
    unsigned found = rounding();
    if (is_zero(&result, sizeof result) || is_zero(&narrow_result, sizeof narrow_result))
        found |= FLUSHES;
    if (is_zero(&scaled, sizeof scaled) || is_zero(&narrow_scaled, sizeof narrow_scaled))
        found |= BLIND;
    return found;
}

bool mpno_float_environment_good(const mpno_float_environment *e) {
    return strcmp(e->rounding, "nearest") == 0 && !e->flush_to_zero && !e->denormals_are_zero;
}

/* Every thread must look for itself: numbered tasks would go to those that are there first. */
mpno_float_environment mpno_float_environment_find(int n_threads) {
    _Atomic unsigned first = find();
    if (n_threads > 1) {
#pragma omp parallel num_threads(n_threads)
        {
            unsigned good = 0;
            const unsigned own = find();
            if (own != 0) atomic_compare_exchange_strong(&first, &good, own);
        }
    }
    const unsigned found = first;
    return (mpno_float_environment){found & UPWARD        ? "upward"
                                    : found & DOWNWARD    ? "downward"
                                    : found & TOWARD_ZERO ? "toward zero"
                                    : found & UNKNOWN     ? "unknown"
                                                          : "nearest",
                                    (found & FLUSHES) != 0, (found & BLIND) != 0};
}
