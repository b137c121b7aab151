/* SPDX-License-Identifier: MIT
 * A proved bound of how far the answer on a grid is from that of the continuum, both in exact
 * arithmetic, for inputs that are smooth enough: the analytic strip. The input between the grid's
 * points is its trigonometric interpolant, which is known for complex x too; the continuum network
 * takes it to fields that are analytic in a strip around the real axes, whose Fourier coefficients,
 * and so aliases, fall off exponentially. Rough inputs, deep networks and functions with corners
 * leave no strip, or a bound above the answer: then it does not close, and it says where.
 * Statements D7 to D13 of docs/theory/discretisation.md. */
#ifndef MPNO_CERTIFY_STRIP_H
#define MPNO_CERTIFY_STRIP_H

#include "core/value.h"
#include "model/model.h"

/* Of the transform of a block. Radii in parts of the period; sizes are the largest 2-norm over
 * channels at any point of the strip. */
typedef struct mpno_strip_layer {
    char name[16];
    double radius;     /* where its bound is least; 0: no strip is left */
    double size, imag; /* of the field that is transformed, of its imaginary part */
    double alias;      /* of its aliases: ||delta||_w */
    double error;      /* what they are of the answer's error, in its units */
} mpno_strip_layer;

typedef struct mpno_strip {
    bool closes;
    char open[192];    /* why it does not: layer, tensor and reason; "" where it does */
    double error;      /* at most, in the units of the answer; INFINITY: nothing is known */
    double size;       /* of the answer; both root mean squares over points */
    double rest;       /* norm of what of the input was left to Lipschitz constants ... */
    int cut;           /* ... of frequencies |k_1| + .. + |k_d| above it */
    double rest_error; /* what that is of the error */
    int n_layers;
    mpno_strip_layer layers[MPNO_MAX_BLOCKS];
} mpno_strip;

typedef struct mpno_strip_opts {
    int64_t grid[MPNO_MAX_AXES];
    double factor; /* by which answers are larger in the units of `error` than the network's own */
    double size;   /* of the answer in these units, to judge by; 0: factor times the network's */
} mpno_strip_opts;

/* model: f64, written to by nobody meanwhile. input: as the network gets it, encoded. An input or
 * a network for which it does not close is no failure. */
MPNO_WARN_UNUSED mpno_status mpno_strip_certify(mpno_model *model, const mpno_strip_opts *opts,
                                                const double *input, mpno_strip *out);

/* {"verdict": "VERIFIED" | "VACUOUS", "error", "size", "open", "input": {"cut", "rest", "error"},
 * "layers": [{"name", "radius", "size", "imaginary", "alias", "error"}]}; what is not finite is
 * null. */
MPNO_WARN_UNUSED mpno_status mpno_strip_value(mpno_ctx *ctx, const mpno_strip *strip,
                                              mpno_value **out);
/* One sentence. Gives `text`. */
const char *mpno_strip_text(const mpno_strip *strip, char *text, size_t n);

#endif
