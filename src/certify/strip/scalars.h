/* SPDX-License-Identifier: MIT
 * Functions of one value in the complex plane near the real axis: of f(z) for all z with |Im z| <=
 * v. Statements D8 and D9 of docs/theory/discretisation.md, with their proofs. All are upper
 * bounds, enlarged by what the C library's exp, erfc and tan may be off by; they grow with v. */
#ifndef MPNO_CERTIFY_STRIP_SCALARS_H
#define MPNO_CERTIFY_STRIP_SCALARS_H

typedef struct mpno_plane_bound {
    double bend; /* |Im f(z)| <= bend |Im z| */
    double grow; /* |f(z)| <= |f(0)| + grow |z| */
    double most; /* |f(z)| <= most; INFINITY: none */
    double zero; /* |f(0)| */
} mpno_plane_bound;

/* v >= 0. All INFINITY where v reaches what f has no bound beyond: pi / 2 (tanh), pi (sigmoid), 1
 * (arcsinh). */
mpno_plane_bound mpno_plane_gelu(double v);
mpno_plane_bound mpno_plane_tanh(double v);
mpno_plane_bound mpno_plane_sigmoid(double v);
mpno_plane_bound mpno_plane_arcsinh(double v);
/* a tanh(z / a), a != 0 */
mpno_plane_bound mpno_plane_learned_tanh(double a, double v);

#endif
