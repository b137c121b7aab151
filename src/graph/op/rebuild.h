/* SPDX-License-Identifier: MIT
 * What rebuild and rebuild_dw share. */
#ifndef MPNO_GRAPH_OP_REBUILD_H
#define MPNO_GRAPH_OP_REBUILD_H

#include "graph/graph.h"

mpno_contract_run mpno_rebuild_run(const mpno_op_call *call);
mpno_op_cost mpno_rebuild_cost(const mpno_graph *graph, const mpno_node *node, int64_t batch);

#endif
