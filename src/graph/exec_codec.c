/* SPDX-License-Identifier: MIT
 * The codecs of stored tensors: rounding and scales, see exec.h and kernel/codec.h. Scales of
 * blocks stand behind the values and live as long as these; the others last from one pass to the
 * next, which takes them from what the last one stored. */
#include <math.h>
#include <string.h>

#include "core/memory.h"
#include "core/rng.h"
#include "graph/exec_inside.h"

static bool lasts(const mpno_stored *s) {
    return s->coded && s->codec.scaling != MPNO_SCALING_NONE &&
           s->codec.scaling != MPNO_SCALING_BLOCK;
}

/* The shell of each mode of a spectrum, |k| rounded, by a transform of the graph that keeps as many
 * modes. Gives their number; out may be NULL. Without one, and of the columns of a line, each mode
 * is a shell of its own. */
static int64_t find_shells(const mpno_graph *graph, const mpno_edge *e, int32_t *out) {
    int64_t largest = 0;
    const mpno_node *found = NULL;
    for (int n = 0; n < graph->n_nodes && e->kind == MPNO_EDGE_SPECTRUM && found == NULL; n++) {
        const mpno_attr *attr = &graph->nodes[n].attr;
        if ((attr->columns != NULL && attr->columns->modes == e->modes) ||
            (attr->fft != NULL && mpno_fft_modes(attr->fft) == e->modes))
            found = &graph->nodes[n];
    }
    for (int64_t m = 0; m < e->modes; m++) {
        const int64_t square = found == NULL ? m * m
                               : found->attr.columns != NULL
                                   ? mpno_columns_square(found->attr.columns, m)
                                   : mpno_fft_square(found->attr.fft, m);
        const int64_t shell = llround(sqrt((double)square));
        if (out != NULL) out[m] = (int32_t)shell;
        if (shell > largest) largest = shell;
    }
    return largest + 1;
}

/* Modes have scales where they are in one piece: of a spectrum, of the columns of a line. */
static mpno_scaling scaling_of(const mpno_edge *e, mpno_scaling wanted) {
    if (wanted != MPNO_SCALING_SHELL) return wanted;
    return e->kind == MPNO_EDGE_SPECTRUM || e->kind == MPNO_EDGE_COLUMNS ? wanted
                                                                         : MPNO_SCALING_TENSOR;
}

void mpno_exec_plan_codec(mpno_exec *x, int edge) {
    const mpno_edge *e = &x->graph->edges[edge];
    mpno_stored *s = &x->stored[edge];
    const mpno_storage storage = mpno_edge_storage(x->graph, edge, &x->policy);
    s->format = storage.format;
    s->bytes = mpno_edge_bytes(x->graph, edge, s->format, x->capacity);
    if (e->kind == MPNO_EDGE_PARAM || e->kind == MPNO_EDGE_PARAM_GRAD) return;
    s->codec = (mpno_codec){.format = storage.format,
                            .rounding = storage.rounding,
                            .scaling = scaling_of(e, storage.scaling),
                            .row = e->channels,
                            .count = e->modes};
    s->coded = storage.rounding != MPNO_ROUND_NEAREST_EVEN || s->codec.scaling != MPNO_SCALING_NONE;
    if (!s->coded) return;
    const int64_t values = (int64_t)(s->bytes / mpno_format_bytes(s->format));
    const int64_t shells =
        s->codec.scaling == MPNO_SCALING_SHELL ? find_shells(x->graph, e, NULL) : 0;
    s->codec.n_scales =
        mpno_codec_scales(s->codec.scaling, e->channels, values / e->channels, shells);
    if (s->codec.scaling == MPNO_SCALING_BLOCK) s->bytes += (size_t)s->codec.n_scales;
}

bool mpno_exec_same_codec(const mpno_exec *x, int edge, int other) {
    const mpno_stored *a = &x->stored[edge], *b = &x->stored[other];
    if (!a->coded && !b->coded) return true;
    return a->coded == b->coded && a->codec.scaling == b->codec.scaling &&
           a->codec.row == b->codec.row &&
           mpno_format_bytes(a->format) == mpno_format_bytes(b->format);
}

static mpno_status make_shells(mpno_exec *x) {
    const size_t n = (size_t)x->graph->n_edges;
    MPNO_TRY(mpno_alloc_array(x->graph->ctx, n, sizeof *x->shells, &x->shells));
    for (int e = 0; e < x->graph->n_edges; e++) {
        const mpno_edge *edge = &x->graph->edges[e];
        mpno_codec *c = &x->stored[e].codec;
        if (!mpno_exec_placed(x, e) || c->scaling != MPNO_SCALING_SHELL) continue;
        MPNO_TRY(mpno_alloc_array(x->graph->ctx, (size_t)edge->modes, sizeof **x->shells,
                                  &x->shells[e]));
        (void)find_shells(x->graph, edge, x->shells[e]);
        c->shell = x->shells[e];
    }
    return MPNO_OK;
}

mpno_status mpno_exec_realise_codecs(mpno_exec *x) {
    size_t n = 0;
    for (int e = 0; e < x->graph->n_edges; e++) {
        const mpno_stored *s = &x->stored[e];
        if (mpno_exec_placed(x, e) && lasts(s)) n += (size_t)s->codec.n_scales;
    }
    if (n > 0) {
        MPNO_TRY(mpno_alloc_array(x->graph->ctx, n, sizeof *x->scales, &x->scales));
        MPNO_TRY(mpno_alloc_array(x->graph->ctx, n, sizeof *x->most, &x->most));
        memset(x->scales, 127, n);
        MPNO_TRY(make_shells(x));
    }
    n = 0;
    for (int e = 0; e < x->graph->n_edges; e++) {
        mpno_stored *s = &x->stored[e];
        if (!mpno_exec_placed(x, e) || !s->coded) continue;
        s->codec.base = s->data;
        if (s->codec.scaling == MPNO_SCALING_BLOCK) {
            s->codec.scales =
                (unsigned char *)s->data + mpno_edge_bytes(x->graph, e, s->format, x->capacity);
        } else if (lasts(s)) {
            s->codec.scales = x->scales + n;
            s->codec.most = x->most + n;
            n += (size_t)s->codec.n_scales;
        }
    }
    return MPNO_OK;
}

void mpno_exec_destroy_codecs(mpno_exec *x) {
    for (int e = 0; x->shells != NULL && e < x->graph->n_edges; e++)
        mpno_free(x->graph->ctx, x->shells[e]);
    mpno_free(x->graph->ctx, x->shells);
    mpno_free(x->graph->ctx, x->scales);
    mpno_free(x->graph->ctx, (void *)x->most);
}

/* A tensor by its name, so that one that is made again is rounded again in the same way. */
static uint32_t name_of(const mpno_graph *graph, const mpno_edge *e) {
    uint32_t hash = 2166136261u; /* FNV-1a */
    for (const char *c = graph->layers[e->layer]; *c != '\0'; c++)
        hash = (hash ^ (unsigned char)*c) * 16777619u;
    for (const char *c = e->name; *c != '\0' && strcmp(c, " again") != 0; c++)
        hash = (hash ^ (unsigned char)*c) * 16777619u;
    return hash ^ (uint32_t)e->kind << 8 ^ (uint32_t)e->role << 1 ^ (uint32_t)e->gradient;
}

void mpno_exec_prepare_codecs(mpno_exec *x, int64_t before, int64_t batch) {
    for (int e = 0; e < x->graph->n_edges; e++) {
        const mpno_edge *edge = &x->graph->edges[e];
        mpno_stored *s = &x->stored[e];
        if (!s->coded || !mpno_exec_placed(x, e)) continue;
        s->codec.inner =
            edge->kind == MPNO_EDGE_SPECTRUM ? 2 * batch * edge->channels : edge->channels;
        if (s->codec.rounding != MPNO_ROUND_STOCHASTIC) continue;
        mpno_rng_key(x->round_seed, x->round_step, name_of(x->graph, edge), (uint32_t)before,
                     s->codec.key);
    }
}

bool mpno_exec_renew_scales(mpno_exec *x) {
    bool changed = false;
    for (int e = 0; x->scales != NULL && e < x->graph->n_edges; e++)
        if (mpno_exec_placed(x, e) && lasts(&x->stored[e]))
            changed = mpno_codec_renew(&x->stored[e].codec) || changed;
    return changed;
}

void mpno_exec_forget_scales(mpno_exec *x) {
    x->calibrated[MPNO_PASS_FORWARD] = x->calibrated[MPNO_PASS_BACKWARD] = false;
}

void mpno_exec_set_rounding(mpno_exec *x, uint64_t seed, uint64_t step) {
    x->round_seed = seed;
    x->round_step = step;
}
