/* SPDX-License-Identifier: MIT
 * Shadow comparison, see shadow.h. The first network runs and its tensors are copied as they are
 * stored, with their scales; then the reference runs and each of its tensors is compared with the
 * copy of the one of the same layer, name and size. Graphs may differ: transforms with 16-bit
 * arithmetic take fields where others take columns. */
#include "model/shadow.h"

#include <math.h>
#include <string.h>

#include "core/memory.h"
#include "core/parallel.h"
#include "graph/shells.h"
#include "kernel/codec.h"
#include "kernel/kernel.h"
#include "number/format.h"

enum { ROW = 512, ROWS = 16 }; /* values converted at once; such rows of a task of no spectrum */

typedef struct copy {
    size_t offset, bytes; /* of the values; 0: not kept. Scales stand behind them */
    mpno_format format;
    mpno_codec codec; /* of the copy, where it has scales */
} copy;

/* A part of a tensor: a mode, or some rows of values. */
typedef struct part_sums {
    double signal, noise;
    int64_t lost, broken;
} part_sums;

typedef struct shadow_job {
    mpno_shadow *shadow;
    const mpno_graph *graph, *reference;
    const mpno_kernels *kernels;      /* of f64 */
    const mpno_codec_kernels *codecs; /* of f64 */
    int n_threads;
    copy *copies; /* per edge of the first network */
    int *match;   /* per edge of the reference: that of the first network, -1: none */
    char *kept;
    part_sums *parts;
    int32_t *shell; /* of each mode */
} shadow_job;

static void keep(void *user, const mpno_sight *sight) {
    shadow_job *j = user;
    copy *c = &j->copies[sight->edge];
    const size_t bytes = mpno_edge_bytes(j->graph, sight->edge, sight->format, sight->batch);
    if (bytes > c->bytes) return;
    c->format = sight->format;
    memcpy(j->kept + c->offset, sight->data, bytes);
    if (sight->codec == NULL) return;
    c->codec = *sight->codec;
    c->codec.base = j->kept + c->offset;
    c->codec.scales = (unsigned char *)j->kept + c->offset + c->bytes;
    memcpy(c->codec.scales, sight->codec->scales, (size_t)sight->codec->n_scales);
}

/* -------- comparing -------- */

typedef struct compare_job {
    const shadow_job *job;
    const char *data[2]; /* here, there */
    mpno_format format[2];
    const mpno_codec *codec[2]; /* NULL: no scales */
    int64_t values, chunk;
} compare_job;

/* n values from number i on of one of the two. */
static void load(const compare_job *c, int which, int64_t i, int64_t n, double *out) {
    const char *from = c->data[which] + (size_t)i * mpno_format_bytes(c->format[which]);
    if (c->codec[which] != NULL)
        c->job->codecs->load(c->codec[which], out, from, n);
    else
        c->job->kernels->load(out, from, c->format[which], n);
}

static void compare_row(const double *here, const double *there, int64_t n, part_sums *sums) {
    for (int64_t i = 0; i < n; i++) {
        const double difference = here[i] - there[i];
        if (!isfinite(difference)) {
            sums->broken++;
            continue;
        }
        sums->lost += here[i] == 0 && there[i] != 0;
        sums->signal += there[i] * there[i];
        sums->noise += difference * difference;
    }
}

static void compare_part(void *argument, int64_t task, int thread) {
    const compare_job *c = argument;
    const int64_t first = task * c->chunk;
    const int64_t end = first + c->chunk < c->values ? first + c->chunk : c->values;
    _Alignas(64) double here[ROW], there[ROW];
    part_sums sums = {0};
    (void)thread;
    for (int64_t i = first; i < end; i += ROW) {
        const int64_t n = end - i < ROW ? end - i : ROW;
        load(c, 0, i, n, here);
        load(c, 1, i, n, there);
        compare_row(here, there, n, &sums);
    }
    c->job->parts[task] = sums;
}

static void add_parts(const shadow_job *j, int64_t n_parts, mpno_shadow_line *line) {
    for (int64_t p = 0; p < n_parts; p++) {
        const part_sums *sums = &j->parts[p];
        line->lost += sums->lost;
        line->broken += sums->broken;
        line->signal += sums->signal;
        line->noise += sums->noise;
        if (line->n_shells == 0) continue;
        line->shells[j->shell[p]].signal += sums->signal;
        line->shells[j->shell[p]].noise += sums->noise;
    }
}

/* Values of a task: those of a mode of a spectrum. */
static int64_t chunk_of(const mpno_graph *graph, int edge, int64_t batch) {
    const mpno_edge *e = &graph->edges[edge];
    return e->kind == MPNO_EDGE_SPECTRUM ? batch * 2 * e->channels : (int64_t)ROW * ROWS;
}

static int64_t values_of(const mpno_graph *graph, int edge, int64_t batch) {
    return (int64_t)(mpno_edge_bytes(graph, edge, MPNO_F64, batch) / sizeof(double));
}

static void compare(void *user, const mpno_sight *sight) {
    shadow_job *j = user;
    const int here = sight->edge < j->reference->n_edges ? j->match[sight->edge] : -1;
    if (here < 0) return;
    const copy *c = &j->copies[here];
    mpno_shadow_line *line = &j->shadow->edges[here];
    compare_job compared = {.job = j,
                            .data = {j->kept + c->offset, sight->data},
                            .format = {c->format, sight->format},
                            .codec = {c->codec.scales != NULL ? &c->codec : NULL, sight->codec},
                            .values = values_of(j->graph, here, sight->batch),
                            .chunk = chunk_of(j->graph, here, sight->batch)};
    if (line->values > 0) return; /* made again later: once is enough */
    const int64_t n_parts = (compared.values + compared.chunk - 1) / compared.chunk;
    line->values = compared.values;
    mpno_parallel(j->n_threads, n_parts, compare_part, &compared);
    if (line->n_shells > 0) mpno_shells_of(j->graph, here, j->shell);
    add_parts(j, n_parts, line);
}

/* -------- preparation -------- */

static bool same_edge(const mpno_graph *a, int edge, const mpno_graph *b, int other) {
    const mpno_edge *x = &a->edges[edge], *y = &b->edges[other];
    return x->kind == y->kind && x->gradient == y->gradient && x->channels == y->channels &&
           x->modes == y->modes && strcmp(x->name, y->name) == 0 &&
           strcmp(a->layers[x->layer], b->layers[y->layer]) == 0 &&
           a->grids[x->grid].points == b->grids[y->grid].points;
}

/* The edge of the reference that answers to one of the first network: that of the same number where
 * it does, else the first that does; -1: none. */
static int find_edge(const shadow_job *j, int edge) {
    if (edge < j->reference->n_edges && same_edge(j->graph, edge, j->reference, edge)) return edge;
    for (int e = 0; e < j->reference->n_edges; e++)
        if (same_edge(j->graph, edge, j->reference, e)) return e;
    return -1;
}

/* Room for what is kept of the first network, for the parts of the largest tensor, for shells. */
static mpno_status prepare(shadow_job *j, const mpno_exec *exec, int64_t batch) {
    mpno_ctx *ctx = j->shadow->ctx;
    int64_t most_parts = 1, most_modes = 1;
    size_t bytes = 0;
    MPNO_TRY(mpno_alloc_array(ctx, (size_t)j->reference->n_edges, sizeof *j->match, &j->match));
    for (int e = 0; e < j->reference->n_edges; e++) j->match[e] = -1;
    MPNO_TRY(mpno_alloc_array(ctx, (size_t)j->shadow->n_edges, sizeof *j->copies, &j->copies));
    for (int i = 0; i < mpno_exec_n_tensors(exec); i++) {
        const mpno_exec_tensor t = mpno_exec_tensor_at(exec, i);
        const int other = find_edge(j, t.edge);
        if (other < 0) continue;
        j->match[other] = t.edge;
        copy *c = &j->copies[t.edge];
        const mpno_codec *codec = mpno_exec_codec(exec, t.edge);
        *c = (copy){.offset = bytes,
                    .bytes = mpno_edge_bytes(j->graph, t.edge, t.format, batch),
                    .format = t.format};
        bytes += mpno_aligned(c->bytes + (codec != NULL ? (size_t)codec->n_scales : 0));
        const int64_t chunk = chunk_of(j->graph, t.edge, batch),
                      parts = (values_of(j->graph, t.edge, batch) + chunk - 1) / chunk,
                      modes = j->graph->edges[t.edge].modes;
        if (parts > most_parts) most_parts = parts;
        if (modes > most_modes) most_modes = modes;
    }
    MPNO_TRY(mpno_alloc_raw(ctx, bytes, &j->kept));
    MPNO_TRY(mpno_alloc_array(ctx, (size_t)most_parts, sizeof *j->parts, &j->parts));
    MPNO_TRY(mpno_alloc_array(ctx, (size_t)most_modes, sizeof *j->shell, &j->shell));
    for (int e = 0; e < j->shadow->n_edges; e++) {
        mpno_shadow_line *line = &j->shadow->edges[e];
        if (j->copies[e].bytes == 0) continue;
        line->n_shells = mpno_shells_of(j->graph, e, j->shell);
        if (line->n_shells > 0)
            MPNO_TRY(
                mpno_alloc_array(ctx, (size_t)line->n_shells, sizeof *line->shells, &line->shells));
    }
    return MPNO_OK;
}

static mpno_status run_both(shadow_job *j, mpno_network *here, mpno_network *reference,
                            int64_t batch, const void *x, const void *y, double loss_scale) {
    const mpno_observer first = {keep, j}, second = {compare, j};
    MPNO_TRY(prepare(j, mpno_network_exec(here), batch));
    mpno_network_observe(here, &first);
    mpno_status status = mpno_network_rehearse(here, batch, x, y, loss_scale, &j->shadow->bad);
    mpno_network_observe(here, NULL);
    MPNO_TRY(status);
    mpno_network_observe(reference, &second);
    status = mpno_network_rehearse(reference, batch, x, y, loss_scale, &j->shadow->reference_bad);
    mpno_network_observe(reference, NULL);
    return status;
}

mpno_status mpno_shadow_run(mpno_network *here, mpno_network *reference, int64_t batch,
                            const void *x, const void *y, double loss_scale, mpno_shadow *out) {
    const mpno_graph *graph = mpno_network_graph(here);
    mpno_ctx *ctx = graph->ctx;
    *out = (mpno_shadow){.ctx = ctx, .n_edges = graph->n_edges, .bad = -1, .reference_bad = -1};
    shadow_job j = {.shadow = out,
                    .graph = graph,
                    .reference = mpno_network_graph(reference),
                    .kernels = mpno_kernels_get(ctx->isa, MPNO_F64),
                    .codecs = mpno_codec_kernels_get(ctx->isa, MPNO_F64),
                    .n_threads = ctx->n_threads};
    mpno_status status =
        mpno_alloc_array(ctx, (size_t)graph->n_edges, sizeof *out->edges, &out->edges);
    if (status == MPNO_OK) status = run_both(&j, here, reference, batch, x, y, loss_scale);
    mpno_free(ctx, j.copies);
    mpno_free(ctx, j.match);
    mpno_free(ctx, j.kept);
    mpno_free(ctx, j.parts);
    mpno_free(ctx, j.shell);
    if (status != MPNO_OK) mpno_shadow_clear(out);
    return status;
}

void mpno_shadow_clear(mpno_shadow *shadow) {
    for (int e = 0; shadow->edges != NULL && e < shadow->n_edges; e++)
        mpno_free(shadow->ctx, shadow->edges[e].shells);
    mpno_free(shadow->ctx, shadow->edges);
    *shadow = (mpno_shadow){.ctx = shadow->ctx};
}

double mpno_shadow_decibel(double signal, double noise) {
    if (noise == 0) return INFINITY;
    return signal > 0 ? 10 * log10(signal / noise) : -INFINITY;
}
