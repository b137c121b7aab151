/* SPDX-License-Identifier: MIT
 * A running error bound: a network runs one sample, every tensor is looked at as it is stored, and
 * the bounds of ops (graph/bound.h) carry a bound of the error of each tensor from the input to the
 * output. The network stores everything in its arithmetic format, f32 or f64, op by op. */
#ifndef MPNO_CERTIFY_RUNNING_H
#define MPNO_CERTIFY_RUNNING_H

#include "model/model.h"
#include "model/network.h"

typedef struct mpno_running mpno_running;

/* network: of the model, unfused, policy full, not for training; both outlive it. Measures the
 * norms of all weights, which takes a few seconds of the largest models. E_ARGUMENT names an op of
 * which no bound is known. */
MPNO_WARN_UNUSED mpno_status mpno_running_create(mpno_network *network, const mpno_model *model,
                                                 mpno_running **out);
void mpno_running_destroy(mpno_running **running);

/* One sample: x, y and embedding as mpno_network_forward has them; input_error: of x, in the norm
 * of fields. E_NUMERIC when a tensor or a bound is not finite. */
MPNO_WARN_UNUSED mpno_status mpno_running_run(mpno_running *running, const void *x,
                                              const void *embedding, double input_error, void *y);

/* After a run: of any edge of the network's graph; of the last tensor of a layer; of y. */
const mpno_bound *mpno_running_edge(const mpno_running *running, int edge);
const mpno_bound *mpno_running_layer(const mpno_running *running, int layer); /* NULL: no tensor */
const mpno_bound *mpno_running_output(const mpno_running *running);

#endif
