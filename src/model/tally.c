/* SPDX-License-Identifier: MIT
 * Censuses of stored tensors, see tally.h. Counts are whole numbers: what each thread counts may be
 * added in any order. */
#include "model/tally.h"

#include <string.h>

#include "core/memory.h"
#include "core/parallel.h"
#include "number/format.h"

/* Values of a task, 2 MiB of 16 bits: some 40 us at the 60 GB/s of one thread (AVX-512), about what
 * it takes to wake a thread that sleeps between steps. Smaller tensors are counted by one alone. */
enum { CHUNK = 1 << 20 };

mpno_status mpno_tally_create(const mpno_network *network, int n_threads, mpno_ctx *ctx,
                              mpno_tally *out) {
    const mpno_graph *graph = mpno_network_graph(network);
    const size_t n = (size_t)graph->n_edges;
    *out =
        (mpno_tally){.ctx = ctx, .graph = graph, .n_threads = n_threads, .n_edges = graph->n_edges};
    mpno_status status = mpno_alloc_array(ctx, n, sizeof *out->edges, &out->edges);
    if (status == MPNO_OK) status = mpno_alloc_array(ctx, n, sizeof *out->formats, &out->formats);
    if (status == MPNO_OK)
        status = mpno_alloc_array(ctx, (size_t)n_threads, sizeof *out->parts, &out->parts);
    if (status != MPNO_OK) mpno_tally_clear(out);
    return status;
}

void mpno_tally_clear(mpno_tally *tally) {
    mpno_free(tally->ctx, tally->edges);
    mpno_free(tally->ctx, tally->formats);
    mpno_free(tally->ctx, tally->parts);
    *tally = (mpno_tally){.ctx = tally->ctx};
}

void mpno_tally_start(mpno_tally *tally) {
    memset(tally->edges, 0, (size_t)tally->n_edges * sizeof *tally->edges);
}

double mpno_census_largest(const mpno_census *census, mpno_format format) {
    return mpno_magnitude_value(format, census->largest);
}

void mpno_census_add(mpno_census *to, const mpno_census *from) {
    to->values += from->values;
    to->zeros += from->zeros;
    to->subnormals += from->subnormals;
    to->saturated += from->saturated;
    to->not_finite += from->not_finite;
    if (from->largest > to->largest) to->largest = from->largest;
}

typedef struct count_job {
    mpno_census_count count;
    mpno_magnitudes magnitudes;
    const char *data;
    int64_t n;
    mpno_census *parts;
} count_job;

static void count_chunk(void *argument, int64_t task, int thread) {
    const count_job *j = argument;
    const int64_t first = task * CHUNK, rest = j->n - first;
    j->count(j->data + (size_t)first * j->magnitudes.bytes, rest < CHUNK ? rest : CHUNK,
             &j->magnitudes, &j->parts[thread]);
}

/* What has scales is not counted: a census is of bits. */
static void look(void *user, const mpno_sight *sight) {
    mpno_tally *t = user;
    const size_t bytes = mpno_edge_bytes(t->graph, sight->edge, sight->format, sight->batch);
    count_job j = {
        .magnitudes = mpno_magnitudes_of(sight->format), .data = sight->data, .parts = t->parts};
    if (sight->codec != NULL) return;
    j.count = mpno_census_counter(t->ctx->isa, &j.magnitudes);
    j.n = (int64_t)(bytes / j.magnitudes.bytes);
    memset(t->parts, 0, (size_t)t->n_threads * sizeof *t->parts);
    mpno_parallel(t->n_threads, (j.n + CHUNK - 1) / CHUNK, count_chunk, &j);
    for (int i = 0; i < t->n_threads; i++) mpno_census_add(&t->edges[sight->edge], &t->parts[i]);
    t->formats[sight->edge] = sight->format;
}

mpno_observer mpno_tally_observer(mpno_tally *tally) {
    return (mpno_observer){look, tally};
}
