/* SPDX-License-Identifier: MIT
 * SET certificates: how far the answers of a network in low precision can be from those of exact
 * arithmetic, for every input of a ball. Nothing is run: the lowered program is walked from the
 * input to the answer, with bounds of what its tensors can be in place of what they are, and of how
 * errors grow from op to op by Lipschitz constants. "Exact" is the network in real arithmetic with
 * the model's weights as they are stored. Such a bound is far above what happens, and more so with
 * each layer: it is worth something for models that were trained under a budget of norms
 * (regularizer.lipschitz_*). Theory: docs/theory/set.md, statements L1 ..
 *
 * Norms are those of fields (graph/bound.h): root of the mean over points of the sum over channels
 * of squares; inputs and answers are as the network has them, encoded. */
#ifndef MPNO_CERTIFY_SET_H
#define MPNO_CERTIFY_SET_H

#include "core/value.h"
#include "model/network.h"

typedef enum mpno_ball {
    MPNO_BALL_SUP, /* every number of the input is at most the radius in magnitude */
    MPNO_BALL_L2   /* the norm of the input is at most the radius */
} mpno_ball;

typedef struct mpno_set_opts {
    mpno_ball ball;
    double radius;
    double embedding; /* norm ada_in: largest magnitude in the vectors that steer it; 0: unknown */
    double size;      /* of answers, to judge by; 0: the root of their channels, which encoded data
                         of mean 0 and deviation 1 has, or their bound where that is less */
} mpno_set_opts;

/* A stored tensor, in the order of execution. */
typedef struct mpno_set_line {
    int edge;
    char layer[16], name[64];
    mpno_format format;
    double norm;  /* at most, of the tensor as it is stored */
    double error; /* at most, of the distance from the exact one, in the norm of its kind */
} mpno_set_line;

/* The last tensor of a layer; slope: how much a change of the input may have grown there. */
typedef struct mpno_set_layer {
    char name[16];
    double norm, error, slope;
} mpno_set_layer;

typedef struct mpno_set_certificate {
    mpno_ctx *ctx;
    mpno_set_opts opts;
    mpno_set_line *lines; /* owned */
    int n_lines;
    mpno_set_layer layers[MPNO_MAX_LAYERS];
    int n_layers;
    double error; /* of answers: computed - exact, for every input of the ball; may be INFINITY */
    double norm;  /* of computed answers */
    double slope; /* Lipschitz constant of the exact network, at most */
    double size;  /* what the error is compared with */
    bool vacuous; /* error > size, or not finite: nothing is said */
    char open[96]; /* where the error has no bound: layer, tensor and why; "" otherwise */
} mpno_set_certificate;

/* network: made or only planned, for inference, of this model. E_ARGUMENT otherwise, for a model
 * without weights and for a radius that is not a positive number. The same bits for any number of
 * threads. */
MPNO_WARN_UNUSED mpno_status mpno_set_certify(const mpno_model *model, const mpno_network *network,
                                              const mpno_set_opts *opts, mpno_set_certificate *out);
void mpno_set_clear(mpno_set_certificate *certificate);

/* {"verdict": "VERIFIED" | "VACUOUS", "claim", "ball", "radius", "error", "norm", "size",
 * "lipschitz", "open": text or null, "layers": [{"layer", "norm", "error", "lipschitz"}], "table":
 * [{"layer", "tensor", "format", "norm", "error"}]}. Owned by the caller. */
MPNO_WARN_UNUSED mpno_status mpno_set_value(const mpno_set_certificate *certificate, mpno_value **out);
/* One sentence. Gives `text`. */
const char *mpno_set_text(const mpno_set_certificate *certificate, char *text, size_t n);

#endif
