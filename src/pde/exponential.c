/* SPDX-License-Identifier: MIT
 * See exponential.h. */
#include "pde/exponential.h"

#include <math.h>

#include "kernel/flow_kernels.h"

/* The series stops below 2^-60 for |c| <= 1/2; beyond, the quotients lose at most three bits. */
mpno_phi mpno_phi_of(double c) {
    enum { TERMS = 15 };
    mpno_phi p;
    if (c > -0.5) {
        p.three = 0;
        for (int i = TERMS; i >= 0; i--) p.three = (1 + c * p.three) / (double)(i + 3);
        p.three /= 2;
        p.two = 0.5 + c * p.three;
        p.one = 1 + c * p.two;
        p.e = 1 + c * p.one;
    } else {
        p.e = exp(c);
        p.one = expm1(c) / c;
        p.two = (p.one - 1) / c;
        p.three = (p.two - 0.5) / c;
    }
    return p;
}

void mpno_etd_factors(double c, double dt, double *to, int64_t plane) {
    const mpno_phi p = mpno_phi_of(c), half = mpno_phi_of(c / 2);
    to[MPNO_FLOW_E * plane] = p.e;
    to[MPNO_FLOW_E2 * plane] = half.e;
    to[MPNO_FLOW_Q * plane] = 0.5 * dt * half.one;
    to[MPNO_FLOW_F1 * plane] = dt * (p.one - 3 * p.two + 4 * p.three);
    to[MPNO_FLOW_F2 * plane] = 2 * dt * (p.two - 2 * p.three);
    to[MPNO_FLOW_F3 * plane] = dt * (4 * p.three - p.two);
}
