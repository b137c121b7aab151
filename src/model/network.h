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
 * reads the master weight. Who moves the weight writes it (or calls mpno_network_refresh_weights).
 */
void *mpno_network_weight_copy(mpno_network *network, int param, mpno_format *format);

/* How many times as much as one run of the lowered program a batch at capacity is. */
double mpno_network_parts(const mpno_network *network);
/* The lowered program, for measuring its steps: borrowed. */
mpno_exec *mpno_network_exec(const mpno_network *network);
const mpno_graph *mpno_network_graph(const mpno_network *network);

#endif
