/* SPDX-License-Identifier: MIT
 * Errors of gradients, see gradient_error.h. */
#include "train/gradient_error.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "number/format.h"

/* Sums over numbers of the two gradients. */
typedef struct sums {
    double low, full, product, difference;
} sums;

static sums sums_of(const mpno_model *model, int param, mpno_network *low, double low_scale,
                    mpno_network *full, double full_scale) {
    const void *a = mpno_network_raw_gradient(low, param),
               *b = mpno_network_raw_gradient(full, param);
    const size_t n = mpno_weight_count(&model->params[param].weight);
    sums s = {0};
    for (size_t i = 0; i < n; i++) {
        const double x = mpno_real_at(model->arithmetic, a, (int64_t)i) / low_scale,
                     y = mpno_real_at(model->arithmetic, b, (int64_t)i) / full_scale;
        s.low += x * x, s.full += y * y, s.product += x * y;
        s.difference += (x - y) * (x - y);
    }
    return s;
}

static void add(sums *to, const sums *s) {
    to->low += s->low, to->full += s->full, to->product += s->product;
    to->difference += s->difference;
}

static mpno_gradient_line line_of(const char *layer, const sums *s) {
    mpno_gradient_line line = {.size = sqrt(s->full), .error = NAN, .cosine = NAN};
    snprintf(line.layer, sizeof line.layer, "%s", layer);
    if (s->full > 0) line.error = sqrt(s->difference / s->full);
    if (s->full > 0 && s->low > 0)
        line.cosine = fmax(-1, fmin(1, s->product / (sqrt(s->full) * sqrt(s->low))));
    return line;
}

/* The layer whose op reads the parameter first; -1: none does. */
static int layer_of(const mpno_graph *graph, int param) {
    for (int n = 0; n < graph->n_nodes; n++) {
        const mpno_node *node = &graph->nodes[n];
        for (int i = 0; i < node->n_in; i++) {
            const int edge = node->in[i];
            if (edge >= 0 && graph->edges[edge].kind == MPNO_EDGE_PARAM &&
                graph->edges[edge].param == param)
                return node->layer;
        }
    }
    return -1;
}

void mpno_gradient_compare(const mpno_model *model, mpno_network *low, double low_scale,
                           mpno_network *full, double full_scale, mpno_gradient_error *out) {
    const mpno_graph *graph = mpno_network_graph(low);
    sums layers[MPNO_MAX_LAYERS] = {0}, all = {0};
    bool has[MPNO_MAX_LAYERS] = {false};
    *out = (mpno_gradient_error){0};
    for (int p = 0; p < model->n_params; p++) {
        const int layer = layer_of(graph, p);
        if (model->params[p].kind != MPNO_PARAM_WEIGHT || layer < 0) continue;
        const sums s = sums_of(model, p, low, low_scale, full, full_scale);
        has[layer] = true;
        add(&layers[layer], &s);
        add(&all, &s);
    }
    for (int l = 0; l < graph->n_layers; l++)
        if (has[l]) out->lines[out->n++] = line_of(graph->layers[l], &layers[l]);
    out->all = line_of("", &all);
}

double mpno_gradient_angle(const mpno_gradient_line *line) {
    return acos(line->cosine) * 57.29577951308232;
}
