/* SPDX-License-Identifier: MIT
 * STATIC certificates: a proof that for every input of a ball no stored tensor of the forward pass
 * of a network overflows. Nothing is run: bounds go from layer to layer (range/range.h) as the
 * weights, formats and lowered program of the network are. The ball: every number of the input, as
 * the network gets it (encoded by the model's normalizer, where it has one), is at most `range` in
 * magnitude; |a| <= range. Theory: docs/theory/static.md.
 *
 * What is proved is the stored, rounded tensors: |x| <= bound <= largest number of the format.
 * Bounds behind a tensor that does not close hold if that one does not overflow. Scales that are
 * found from the values saturate rather than overflow; those of earlier runs are assumed to be of
 * inputs of the ball. */
#ifndef MPNO_CERTIFY_STATIC_H
#define MPNO_CERTIFY_STATIC_H

#include "core/value.h"
#include "model/network.h"

typedef struct mpno_static_opts {
    double range;     /* of the input: |a| <= range, encoded */
    double embedding; /* norm ada_in: of the vectors that steer it; 0: not known */
} mpno_static_opts;

/* One stored tensor, or the copy of a weight in the format that the network reads; inside: the
 * numbers that a transform with 16-bit arithmetic makes on its way to the tensor, rounded to its
 * format, before any scale is applied. */
typedef struct mpno_static_line {
    int edge;
    char layer[16], name[64], role[32];
    mpno_format format;
    mpno_scaling scaling;
    bool inside;
    double bound;    /* |x| of every number; INFINITY: no bound is known */
    double most;     /* largest number that can be stored, with the largest scale there is */
    double headroom; /* most / bound */
    bool closes;     /* bound <= most */
    int prescale; /* smallest p such that 2^-p x would close; 0 where it does; -1: none is known */
} mpno_static_line;

/* The paper's argument: with |x| <= bound before it a transform's sums of n points stay in range up
 * to n = limit points. */
typedef struct mpno_static_sum {
    char layer[16];
    mpno_format format; /* of the arithmetic */
    bool prescale;      /* sums are scaled before they are formed: no limit */
    double points;      /* of the transform */
    double mean;        /* bound on the mean of |x| over a channel */
    double limit;       /* format's largest number / mean: of exact sums */
    double rounded;     /* the same with all roundings: what is proved */
} mpno_static_sum;

typedef struct mpno_static {
    mpno_ctx *ctx;
    mpno_static_opts opts;
    bool closes;
    int first;               /* line that does not close, in the order of execution; -1: all do */
    mpno_static_line *lines; /* owned, in the order of execution */
    int n_lines;
    mpno_static_sum *sums; /* owned: forward transforms with 16-bit arithmetic */
    int n_sums;
    /* Where it does not close: what would make it. */
    bool tanh; /* model.stabilizer tanh, all else as it is; only of models with none or prescale */
    bool wide;         /* format bf16 wherever it is f16 */
    double half_range; /* the largest range 2^-j `range` that closes; 0: none found */
} mpno_static;

/* network: made or only planned, for inference, of this model; E_ARGUMENT otherwise, for a model
 * without weights, and for a range that is not a positive number. */
MPNO_WARN_UNUSED mpno_status mpno_static_certify(const mpno_model *model,
                                                 const mpno_network *network,
                                                 const mpno_static_opts *opts, mpno_static *out);
void mpno_static_clear(mpno_static *certificate);

/* {"verdict": "VERIFIED" | "UNKNOWN", "range", "tensors": n, "least_headroom", "fails": {..} or
 * null, "remedies": {..}, "transform_sums": [..]}: a map that the caller owns. */
MPNO_WARN_UNUSED mpno_status mpno_static_value(const mpno_static *certificate, mpno_value **out);
/* A list of maps, one a tensor: layer, tensor, role, format, bound, maximum, headroom, closes,
 * prescale. */
MPNO_WARN_UNUSED mpno_status mpno_static_table(const mpno_static *certificate, mpno_value **out);
/* One sentence: that it closes and with how much room, or where it does not and what would help.
 * Gives `text`. */
const char *mpno_static_text(const mpno_static *certificate, char *text, size_t n);

#endif
