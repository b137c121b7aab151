/* SPDX-License-Identifier: MIT
 * The steps of a lowered program in words, see lower.h. */
#include <stdio.h>
#include <string.h>

#include "graph/lower.h"

const mpno_node *mpno_step_node(const mpno_graph *g, const mpno_step *step, int i) {
    const int n = step->whole >= 0 ? step->whole : step->instrs[i].node;
    return n < 0 ? NULL : &g->nodes[n];
}

int mpno_step_length(const mpno_step *step) {
    return step->whole >= 0 ? 1 : step->n_instrs;
}

static int n_ops(const mpno_graph *g, const mpno_step *step) {
    int n = 0;
    for (int i = 0; i < mpno_step_length(step); i++) n += mpno_step_node(g, step, i) != NULL;
    return n;
}

/* The operations of all ops like `op` of a step, and how many they are. */
static double sum_like(const mpno_graph *g, const mpno_step *step, const mpno_op *op, int *n) {
    double flops = 0;
    *n = 0;
    for (int i = 0; i < mpno_step_length(step); i++) {
        const mpno_node *node = mpno_step_node(g, step, i);
        if (node == NULL || node->op != op) continue;
        flops += node->op->cost(g, node, 1).flops;
        ++*n;
    }
    return flops;
}

/* The op with the most work among those not told yet, and how many there are; NULL: none is left.
 */
static const mpno_op *next_op(const mpno_graph *g, const mpno_step *step,
                              const mpno_op *const *told, int n_told, int *count) {
    const mpno_op *found = NULL;
    double most = -1;
    *count = 0;
    for (int i = 0; i < mpno_step_length(step); i++) {
        const mpno_node *node = mpno_step_node(g, step, i);
        bool skip = node == NULL;
        for (int k = 0; k < n_told && !skip; k++) skip = told[k] == node->op;
        int n = 0;
        const double flops = skip ? -1 : sum_like(g, step, node->op, &n);
        if (skip || flops <= most) continue;
        most = flops;
        found = node->op;
        *count = n;
    }
    return found;
}

void mpno_step_ops(const mpno_graph *g, const mpno_step *step, int columns, char *out,
                   size_t capacity) {
    const mpno_op *told[8];
    int n_told = 0, left = n_ops(g, step), count;
    size_t length = 0;
    *out = '\0';
    while (left > 0 && n_told < 8) {
        const mpno_op *op = next_op(g, step, told, n_told, &count);
        char word[40];
        snprintf(word, sizeof word, count > 1 ? "%.24s %d" : "%.24s", op->name, count);
        const size_t tail = left == count ? 0 : 5;
        if (n_told > 0 && length + 2 + strlen(word) + tail > (size_t)columns) break;
        length +=
            (size_t)snprintf(out + length, capacity - length, "%s%s", n_told ? ", " : "", word);
        told[n_told++] = op;
        left -= count;
    }
    if (left > 0) snprintf(out + length, capacity - length, ", +%d", left);
}

void mpno_step_layer(const mpno_graph *g, const mpno_step *step, char *out, size_t capacity) {
    int first = g->n_layers, last = -1;
    for (int i = 0; i < mpno_step_length(step); i++) {
        const mpno_node *node = mpno_step_node(g, step, i);
        if (node == NULL) continue;
        if (node->layer < first) first = node->layer;
        if (node->layer > last) last = node->layer;
    }
    const char *a = g->layers[first], *b = g->layers[last];
    const bool blocks = strncmp(a, "block ", 6) == 0 && strncmp(b, "block ", 6) == 0;
    if (first == last)
        snprintf(out, capacity, "%s", a);
    else if (blocks)
        snprintf(out, capacity, "%s-%s", a, b + 6);
    else
        snprintf(out, capacity, "%s, %s", a, b);
}
