/* SPDX-License-Identifier: MIT
 * What the optimiser and the bench need to see of a network. */
#ifndef MPNO_MODEL_NETWORK_H
#define MPNO_MODEL_NETWORK_H

#include "graph/exec.h"
#include "model/model.h"
#include "mpno/network.h"

/* Gradient of a parameter in the layout of mpno_model_raw, of the arithmetic format, times the
 * step's loss scale. */
void *mpno_network_raw_gradient(mpno_network *network, int param);
/* The copy of a weight that the network reads, in the same layout and of *format; NULL where it
 * reads the master weight, or one with scales. Who moves the weight writes it and then calls
 * mpno_network_refresh_coded (or mpno_network_refresh_weights alone). */
void *mpno_network_weight_copy(mpno_network *network, int param, mpno_format *format);
void mpno_network_refresh_coded(mpno_network *network);

/* With keep_spectra, after a pass that was not divided into parts: the kept modes of the field that
 * block `layer` transforms, [kept[0]]..[batch][2][channels], frequencies -floor(K/2) .. but of real
 * data from 0 on along the last axis. Borrowed until the next pass. */
typedef struct mpno_spectrum_view {
    const void *data;
    mpno_format format;
    const mpno_codec *codec;  /* how it is stored beyond the format, or NULL */
    int64_t channels, points; /* points: of the field */
    int64_t kept[MPNO_MAX_AXES];
} mpno_spectrum_view;
/* n of its numbers from number `first` on. */
void mpno_spectrum_read(const mpno_spectrum_view *view, size_t first, int64_t n, double *values);
mpno_spectrum_view mpno_network_spectrum(const mpno_network *network, int64_t layer);

/* Makes them those of a network that stores everything in the arithmetic format. */
void mpno_network_opts_widen(mpno_network_opts *opts);

/* Shows tensors as they are stored: mpno_exec_observe. */
void mpno_network_observe(mpno_network *network, const mpno_observer *observer);
/* The passes of a step (or of a prediction) on `batch` samples, at most as many as run at once, to
 * be looked at: gradients are written, but running statistics stay. y: the target, or room for the
 * prediction. Gives the first edge stored with a value that is not finite, -1: none. */
MPNO_WARN_UNUSED mpno_status mpno_network_rehearse(mpno_network *network, int64_t batch,
                                                   const void *x, const void *y, double loss_scale,
                                                   int *bad);
/* The options it was made with, micro_batch filled in. */
const mpno_network_opts *mpno_network_get_opts(const mpno_network *network);
/* The edge that the last E_NUMERIC named, -1: none. */
int mpno_network_bad_edge(const mpno_network *network);
/* What may help where values of this edge are too large. Static. */
const char *mpno_network_remedy(const mpno_network *network, int edge);

/* How the first layer's spectrum is multiplied with its factors, one line; NULL: the weight is
 * dense. Letters: a to d modes, e inputs, f outputs, g samples, h.. ranks. */
const char *mpno_network_contraction(const mpno_network *network, char *text, size_t n);
/* How many times as much as one run of the lowered program a batch at capacity is. */
double mpno_network_parts(const mpno_network *network);
/* The lowered program, for measuring its steps: borrowed. */
mpno_exec *mpno_network_exec(const mpno_network *network);
const mpno_graph *mpno_network_graph(const mpno_network *network);
/* Edges of that graph: input, output, embedding and what spectral weights multiply. Borrowed. */
const mpno_fno_edges *mpno_network_edges(const mpno_network *network);
/* The policy that it was planned with; borrowed. And the one that options would make. */
const mpno_policy *mpno_network_policy(const mpno_network *network);
MPNO_WARN_UNUSED mpno_status mpno_network_opts_policy(const mpno_model *model,
                                                      const mpno_network_opts *opts,
                                                      mpno_policy *out);

#endif
