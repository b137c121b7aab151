/* SPDX-License-Identifier: MIT
 * The walk along a forward graph that the strip bound is made by. Of every field, for each of some
 * radii r, how large the continuum network's field is in the strip |Im x_j| <= r, and how large its
 * imaginary part; of every edge, how far the grid network's values are from the continuum's on the
 * grid. Statements D7 to D13 of docs/theory/discretisation.md. */
#ifndef MPNO_CERTIFY_STRIP_WALK_H
#define MPNO_CERTIFY_STRIP_WALK_H

#include <math.h>

#include "certify/running.h"
#include "certify/set/walk.h"
#include "certify/strip/waves.h"

/* What a run in f64 showed of an edge: sums of the moduli of its coefficients by the factors of a
 * radius, of a FIELD over each ball, of a spectrum that is transformed back over all its modes. */
typedef struct mpno_strip_sight {
    double *shells; /* [n_shells][channels + 2] (waves.h); NULL: not looked at */
    double *sums;   /* [parts][MPNO_RADII][2][channels + 1]: by e^(2 pi r |k|), by sinh; the last
                       one of the 2-norm over channels */
    double off;     /* norm of what the coefficients may be off by, of the exact grid network's */
    double *noise;  /* of a spectrum: [2][MPNO_RADII], as in waves.h; NULL of fields */
} mpno_strip_sight;

/* A block's transform: what is the same for all inputs. */
typedef struct mpno_strip_block {
    const mpno_node *forward;
    double gain[MPNO_RADII]; /* ||delta||_w of a field of modulus 1 in the strip */
    /* found by a walk */
    int radius; /* index, -1: no strip is left */
    double size, imag, delta;
} mpno_strip_block;

typedef struct mpno_strip_walk {
    mpno_ctx *ctx;
    mpno_model *model; /* f64 */
    mpno_network *network;
    mpno_running *running;
    mpno_waves waves;
    const mpno_graph *graph;
    const mpno_fno_edges *edges;
    mpno_set_walk set;
    mpno_fft *fft; /* of all frequencies of the grid */
    mpno_mode_shell *shells;
    double *modes; /* of the field in view, [modes][2][most channels] */
    void *scratch;
    mpno_strip_sight *sights; /* [n_edges] */
    double **states;          /* [n_edges], of fields: [MPNO_RADII][2 channels + 2] */
    double *off;              /* [n_edges] */
    mpno_strip_block blocks[MPNO_MAX_BLOCKS];
    int n_blocks;
    mpno_status status; /* of what the observer does */
    int stuck;          /* node behind which not even the smallest strip is left; -1: none */
} mpno_strip_walk;

/* |v_c| <= size, |Im v_c| <= imag of each channel, and of 2-norms over channels. all INFINITY: the
 * strip of this radius is lost. */
typedef struct mpno_strip_field {
    double *size, *imag, *all, *all_imag;
    int64_t channels;
} mpno_strip_field;
static inline mpno_strip_field mpno_strip_at(const mpno_strip_walk *w, int edge, int radius) {
    const int64_t channels = w->graph->edges[edge].channels;
    double *size = w->states[edge] + radius * (2 * channels + 2), *imag = size + channels + 1;
    return (mpno_strip_field){size, imag, size + channels, imag + channels, channels};
}

/* The 2-norm, but for roundings. */
static inline double mpno_strip_norm(const double *x, int64_t n) {
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += x[i] * x[i];
    return sqrt(sum);
}

/* rules.c: the strip of a node's result from those of its operands, none of them lost. NULL: of
 * spectra, which have none. */
typedef void mpno_strip_rule(const mpno_strip_walk *walk, const mpno_node *node, int radius);
mpno_strip_rule *mpno_strip_rule_of(const mpno_op *op);
/* Why no bound is known of what the node does; NULL: one is. */
const char *mpno_strip_refusal(const mpno_graph *graph, const mpno_node *node);

/* steps.c: strips and errors of all edges and blocks, for an input of the waves |k| <= cut that is
 * off by a field of the norm `rest`. */
void mpno_strip_walk_along(mpno_strip_walk *walk, int cut, double rest);
/* What the answer is off by for the aliases of one block alone (-1: none) and this rest. Leaves the
 * errors of edges so. */
double mpno_strip_share(mpno_strip_walk *walk, int block, double rest);

/* sight.c: sums over the shells up to `last` of what stands in them, for each channel and for the
 * 2-norm, by e^(2 pi r |k|) and by sinh. [channels + 1] each, but for roundings. */
void mpno_strip_weigh(int64_t channels, const double *shells, int last, double radius, double *by,
                      double *bent);
/* The network is run on x with its running bound, and looked at. */
MPNO_WARN_UNUSED mpno_status mpno_strip_look(mpno_strip_walk *walk, const double *x, double *y);

#endif
