/* SPDX-License-Identifier: MIT
 * How the processor rounds: see float_environment.h. What a subnormal result or operand becomes is
 * tried, which says the same as the flags of x86's MXCSR (FTZ, DAZ) or ARM's FPCR (FZ) and asks for
 * none of them by name. */
#include "core/float_environment.h"

#include <fenv.h>
#include <float.h>
#include <string.h>

static const char *rounding(void) {
    switch (fegetround()) {
#ifdef FE_TONEAREST
        case FE_TONEAREST:
            return "nearest";
#endif
#ifdef FE_UPWARD
        case FE_UPWARD:
            return "upward";
#endif
#ifdef FE_DOWNWARD
        case FE_DOWNWARD:
            return "downward";
#endif
#ifdef FE_TOWARDZERO
        case FE_TOWARDZERO:
            return "toward zero";
#endif
        default:
            return "unknown";
    }
}

/* Of the bits: a comparison would take subnormal numbers for zero where operands are. */
static bool is_zero(const volatile void *number, size_t bytes) {
    for (size_t i = 0; i < bytes; i++)
        if (((const volatile unsigned char *)number)[i] != 0) return false;
    return true;
}

/* volatile: the compiler would compute these with settings of its own. */
static mpno_float_environment find(void) {
    volatile double normal = DBL_MIN, subnormal = DBL_MIN / 4, half = 0.5, large = 0x1p500;
    volatile float narrow = FLT_MIN, narrow_half = 0.5f, below = FLT_MIN / 4, more = 0x1p100f;
    volatile const double result = normal * half, scaled = subnormal * large;
    volatile const float narrow_result = narrow * narrow_half, narrow_scaled = below * more;
    return (mpno_float_environment){
        rounding(),
        is_zero(&result, sizeof result) || is_zero(&narrow_result, sizeof narrow_result),
        is_zero(&scaled, sizeof scaled) || is_zero(&narrow_scaled, sizeof narrow_scaled)};
}

bool mpno_float_environment_good(const mpno_float_environment *e) {
    return strcmp(e->rounding, "nearest") == 0 && !e->flush_to_zero && !e->denormals_are_zero;
}

/* Every thread must look for itself: numbered tasks would go to those that are there first. */
mpno_float_environment mpno_float_environment_find(int n_threads) {
    mpno_float_environment worst = find();
    if (n_threads <= 1) return worst;
#pragma omp parallel num_threads(n_threads)
    {
        const mpno_float_environment own = find();
#pragma omp critical(mpno_float_environment)
        if (mpno_float_environment_good(&worst)) worst = own;
    }
    return worst;
}
