/* SPDX-License-Identifier: MIT
 * Two substances that diffuse and react (FitzHugh and Nagumo) in a rectangle without flow through
 * its boundary, f64:
 *   u_t = Du Laplacian u + u - u^3 - k - v,    v_t = Dv Laplacian v + u - v
 * Space: finite volumes of second order on N1 x N2 equal cells; values are averages over them.
 * Time: the stabilised Runge-Kutta method of Chebyshev type RKC, of order 2, whose number of stages
 * grows with the root of the stiffness only, with its estimate of the error (Sommeijer, Shampine
 * and Verwer, J. Comput. Appl. Math. 88, 1998): steps keep the root mean square of the estimate
 * below tolerance (1 + |value|). */
#ifndef MPNO_PDE_REACTION_H
#define MPNO_PDE_REACTION_H

#include <stdbool.h>

#include "core/context.h"

typedef struct mpno_reaction_opts {
    int64_t size[2];  /* N, at least 2 */
    double length[2]; /* of the sides */
    double diffusion[2], k;
    double tolerance;
    double dt; /* of every step but the last before a stop; 0: by tolerance */
} mpno_reaction_opts;

/* The memory of one thread. */
typedef struct mpno_reaction mpno_reaction;

MPNO_WARN_UNUSED mpno_status mpno_reaction_create(mpno_ctx *ctx, const mpno_reaction_opts *opts,
                                                  mpno_reaction **out);
void mpno_reaction_destroy(mpno_ctx *ctx, mpno_reaction **reaction); /* accepts NULL inside */
/* u and v, [2][N1][N2]: read them at any time; write them before mpno_reaction_start. */
double *mpno_reaction_values(mpno_reaction *reaction);
void mpno_reaction_start(mpno_reaction *reaction);
/* Goes on for `duration`. *steps += steps taken or refused. False: the values are not finite. */
bool mpno_reaction_run(mpno_reaction *reaction, double duration, int *steps);

#endif
