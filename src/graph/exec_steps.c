/* SPDX-License-Identifier: MIT
 * What the steps of a lowered graph compute and move, for measuring: see exec.h. */
#include "core/memory.h"
#include "graph/exec_inside.h"

void *mpno_exec_arena(const mpno_exec *x) {
    return x->arena;
}

int mpno_exec_n_steps(const mpno_exec *x) {
    return x->lowered.n_steps;
}

/* Bytes of operand i of a node as far as it is read: a gradient of a weight names the weight for
 * its shape alone. */
static double operand_bytes(const mpno_exec *x, const mpno_node *node, int i) {
    if (node->in[i] < 0) return 0;
    const mpno_edge *edge = &x->graph->edges[node->in[i]];
    const mpno_edge *out = &x->graph->edges[node->out[0]];
    const bool of_param = out->kind == MPNO_EDGE_PARAM_GRAD && edge->kind == MPNO_EDGE_PARAM,
               of_blocks = out->kind == MPNO_EDGE_BLOCKS && edge->kind == MPNO_EDGE_BLOCKS;
    return (of_param || of_blocks) && edge->param == out->param ? 0 : (double)x->stored[node->in[i]].bytes;
}

/* Of a tensor that takes the place of another one both are alive in that step, once. */
static size_t live_bytes(const mpno_exec *x, int s) {
    size_t bytes = mpno_aligned(mpno_exec_step_scratch(x, s));
    for (int e = 0; e < x->graph->n_edges; e++) {
        const mpno_stored *stored = &x->stored[e];
        const bool taken = stored->heir >= 0 && x->stored[stored->heir].first <= s;
        bytes += mpno_aligned(mpno_exec_chain_bytes(x, e));
        if (mpno_exec_placed(x, e) && stored->first <= s && s <= stored->last && !taken)
            bytes += mpno_aligned(stored->bytes);
    }
    return bytes;
}

mpno_exec_step mpno_exec_step_at(const mpno_exec *x, int index) {
    const mpno_step *step = &x->lowered.steps[index];
    mpno_exec_step facts = {.step = step,
                            .flops = mpno_exec_step_flops(x, index, -1),
                            .live_bytes = live_bytes(x, index),
                            .scratch_bytes = mpno_exec_step_scratch(x, index),
                            .scratch_offset = x->scratch_offset[index],
                            .seconds = x->seconds != NULL ? x->seconds[index] : 0};
    for (int i = 0; i < (step->whole >= 0 ? 1 : step->n_instrs); i++) {
        const mpno_instr *instr = step->whole >= 0 ? NULL : &step->instrs[i];
        const int n = instr == NULL ? step->whole : instr->node;
        if (instr != NULL && instr->kind == MPNO_INSTR_LOAD)
            facts.loaded_bytes += (double)x->stored[instr->source].bytes;
        if (instr != NULL && instr->kind == MPNO_INSTR_STORE)
            facts.stored_bytes += (double)x->stored[instr->edge].bytes;
        if (n < 0) continue;
        const mpno_node *node = &x->graph->nodes[n];
        for (int k = 0; k < node->n_in; k++) {
            const bool value = node->in[k] >= 0 && instr != NULL &&
                               x->graph->edges[node->in[k]].kind == MPNO_EDGE_FIELD;
            if (!value) facts.loaded_bytes += operand_bytes(x, node, k);
        }
        for (int k = 0; k < node->n_out; k++)
            if (instr == NULL || x->graph->edges[node->out[k]].kind != MPNO_EDGE_FIELD)
                facts.stored_bytes += (double)x->stored[node->out[k]].bytes;
    }
    return facts;
}
