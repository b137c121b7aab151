/* SPDX-License-Identifier: MIT
 * Looks at the tensors of a training run, see diagnostics.h. Counts stay in a tally of each network
 * during an epoch and are sorted by layer and tensor at its end. */
#include "train/diagnostics.h"

#include <stdio.h>
#include <string.h>

#include "core/memory.h"
#include "number/format.h"
#include "train/budget.h"

/* -------- records -------- */

static bool is_of(const mpno_tensor_record *r, const mpno_graph *graph, int edge) {
    const mpno_edge *e = &graph->edges[edge];
    return r->gradient == e->gradient && strcmp(r->name, e->name) == 0 &&
           strcmp(r->layer, graph->layers[e->layer]) == 0;
}

mpno_tensor_record *mpno_records_find(const mpno_tensor_records *records, const mpno_graph *graph,
                                      int edge) {
    for (int i = 0; i < records->n; i++)
        if (is_of(&records->v[i], graph, edge)) return &records->v[i];
    return NULL;
}

static mpno_status take_record(mpno_ctx *ctx, const mpno_network *network, int edge,
                               mpno_format format, mpno_tensor_records *records,
                               mpno_tensor_record **out) {
    const mpno_graph *graph = mpno_network_graph(network);
    const mpno_edge *e = &graph->edges[edge];
    *out = mpno_records_find(records, graph, edge);
    if (*out != NULL && (*out)->format == format) return MPNO_OK;
    if (*out == NULL) {
        if (records->n == records->room) {
            const size_t room = (size_t)records->room, more = room ? 2 * room : 64;
            MPNO_TRY(mpno_realloc_array(ctx, &records->v, room, more, sizeof *records->v));
            records->room = (int)more;
        }
        *out = &records->v[records->n++];
    }
    mpno_record_clear(ctx, *out);
    (*out)->role = e->role;
    (*out)->gradient = e->gradient;
    (*out)->format = format;
    (*out)->remedy = mpno_network_remedy(network, edge);
    snprintf((*out)->layer, sizeof(*out)->layer, "%s", graph->layers[e->layer]);
    snprintf((*out)->name, sizeof(*out)->name, "%s", e->name);
    return MPNO_OK;
}

mpno_status mpno_records_add(mpno_ctx *ctx, const mpno_network *network, const mpno_tally *tally,
                             const mpno_shadow *shadow, mpno_tensor_records *records) {
    mpno_tensor_record *record;
    for (int e = 0; e < tally->n_edges; e++) {
        const bool compared = shadow != NULL && e < shadow->n_edges && shadow->edges[e].values > 0;
        const mpno_edge *edge = &mpno_network_graph(network)->edges[e];
        const bool counted = tally->edges[e].values > 0 && edge->kind != MPNO_EDGE_SUMS;
        if (!counted) continue;
        MPNO_TRY(take_record(ctx, network, e, tally->formats[e], records, &record));
        mpno_census_add(&record->census, &tally->edges[e]);
        if (compared) MPNO_TRY(mpno_record_compare(ctx, record, &shadow->edges[e]));
    }
    return MPNO_OK;
}

void mpno_records_clear(mpno_ctx *ctx, mpno_tensor_records *records) {
    for (int i = 0; i < records->n; i++) mpno_record_clear(ctx, &records->v[i]);
    mpno_free(ctx, records->v);
    *records = (mpno_tensor_records){0};
}

mpno_half_bytes mpno_half_bytes_of(const mpno_model *model, const mpno_network *network) {
    const size_t base = mpno_format_bytes(mpno_model_arithmetic(model));
    mpno_half_bytes bytes = {.activations = mpno_network_get_cost(network).activation_bytes};
    for (int i = 0; i < mpno_network_n_tensors(network); i++) {
        const mpno_tensor_line line = mpno_network_tensor(network, i);
        bytes.stored += line.bytes;
        if (mpno_format_bytes(line.format) < base) bytes.narrow += line.bytes;
    }
    return bytes;
}

/* -------- a run -------- */

mpno_status mpno_diagnostics_create(mpno_ctx *ctx, int64_t every, size_t memory_limit,
                                    mpno_diagnostics **out) {
    MPNO_TRY(mpno_alloc(ctx, sizeof **out, out));
    (*out)->ctx = ctx;
    (*out)->every = every;
    (*out)->told_phase = -1;
    (*out)->memory_limit = memory_limit;
    return MPNO_OK;
}

void mpno_diagnostics_drop_networks(mpno_diagnostics *d) {
    if (d == NULL) return;
    for (int i = 0; i < d->n_tallies; i++) mpno_tally_clear(&d->tallies[i]);
    mpno_free(d->ctx, d->tallies);
    mpno_free(d->ctx, d->networks);
    d->tallies = NULL;
    d->networks = NULL;
    d->n_tallies = 0;
}

void mpno_diagnostics_destroy(mpno_diagnostics **diagnostics) {
    if (*diagnostics == NULL) return;
    mpno_diagnostics_drop_networks(*diagnostics);
    mpno_records_clear((*diagnostics)->ctx, &(*diagnostics)->records);
    mpno_free((*diagnostics)->ctx, *diagnostics);
    *diagnostics = NULL;
}

/* The tally of a network, made when it is first looked at. */
static mpno_status tally_of(mpno_diagnostics *d, mpno_network *network, mpno_tally **out) {
    const size_t n = (size_t)d->n_tallies;
    for (int i = 0; i < d->n_tallies; i++)
        if (d->networks[i] == network) {
            *out = &d->tallies[i];
            return MPNO_OK;
        }
    MPNO_TRY(mpno_realloc_array(d->ctx, &d->networks, n, n + 1, sizeof *d->networks));
    MPNO_TRY(mpno_realloc_array(d->ctx, &d->tallies, n, n + 1, sizeof *d->tallies));
    MPNO_TRY(mpno_tally_create(network, d->ctx->n_threads, d->ctx, &d->tallies[n]));
    d->networks[n] = network;
    d->n_tallies++;
    *out = &d->tallies[n];
    return MPNO_OK;
}

mpno_status mpno_diagnostics_begin(mpno_diagnostics *d, mpno_network *network, int64_t number) {
    mpno_tally *tally;
    if (d == NULL || number % d->every != 0) return MPNO_OK;
    MPNO_TRY(tally_of(d, network, &tally));
    const mpno_observer observer = mpno_tally_observer(tally);
    mpno_network_observe(network, &observer);
    d->looked = true;
    return MPNO_OK;
}

static bool stores_narrow(const mpno_model *model, const mpno_network *network) {
    const size_t base = mpno_format_bytes(mpno_model_arithmetic(model));
    for (int i = 0; i < mpno_network_n_tensors(network); i++)
        if (mpno_format_bytes(mpno_network_tensor(network, i).format) < base) return true;
    return false;
}

/* The network beside which a few samples are run: of the same kind, all of it in the arithmetic
 * format. NULL where it would not fit into memory_limit. */
static mpno_status make_reference(const mpno_diagnostics *d, mpno_model *model,
                                  const mpno_network *network, int64_t batch, mpno_network **out) {
    mpno_network_opts opts = *mpno_network_get_opts(network);
    size_t bytes = 0;
    mpno_network_opts_widen(&opts);
    opts.capacity = opts.micro_batch = batch;
    *out = NULL;
    if (d->memory_limit > 0) MPNO_TRY(mpno_network_need(model, &opts, &bytes));
    /* what is kept of the tensors of the other network takes no more than their arena */
    bytes += mpno_network_get_cost(network).activation_bytes;
    if (d->memory_limit > 0 && mpno_ctx_bytes(d->ctx) + bytes > d->memory_limit) return MPNO_OK;
    return mpno_network_create(model, &opts, out);
}

static mpno_status run_shadow(mpno_diagnostics *d, mpno_model *model, mpno_network *network,
                              const mpno_diagnosed_batch *b) {
    const int64_t whole =
        mpno_network_micro_batch(network) < b->n ? mpno_network_micro_batch(network) : b->n;
    const int64_t n = whole < MPNO_SHADOW_SAMPLES ? whole : MPNO_SHADOW_SAMPLES;
    mpno_network *reference;
    mpno_shadow shadow;
    mpno_tally *tally;
    MPNO_TRY(tally_of(d, network, &tally));
    MPNO_TRY(make_reference(d, model, network, n, &reference));
    if (reference == NULL) return MPNO_OK;
    mpno_network_set_embedding(reference, b->embedding);
    mpno_network_set_dropout(reference, b->seed, (uint64_t)b->number);
    mpno_status status =
        mpno_shadow_run(network, reference, n, b->x, b->target, b->loss_scale, &shadow);
    if (status == MPNO_OK) {
        status = mpno_records_add(d->ctx, network, tally, &shadow, &d->records);
        mpno_tally_start(tally); /* its counts are in the records */
        mpno_shadow_clear(&shadow);
    }
    mpno_network_destroy(&reference);
    return status;
}

mpno_status mpno_diagnostics_end(mpno_diagnostics *d, mpno_model *model, mpno_network *network,
                                 const mpno_diagnosed_batch *b) {
    if (d == NULL || b->number % d->every != 0) return MPNO_OK;
    mpno_network_observe(network, NULL);
    const int64_t samples = mpno_network_get_opts(network)->capacity;
    const int64_t looks = samples < MPNO_SHADOW_BATCH
                              ? MPNO_SHADOW_LOOKS * MPNO_SHADOW_BATCH / samples
                              : MPNO_SHADOW_LOOKS;
    if (b->number / d->every % looks != 0 || !stores_narrow(model, network)) return MPNO_OK;
    return run_shadow(d, model, network, b);
}

mpno_status mpno_diagnostics_collect(mpno_diagnostics *d) {
    for (int i = 0; i < d->n_tallies; i++) {
        MPNO_TRY(mpno_records_add(d->ctx, d->networks[i], &d->tallies[i], NULL, &d->records));
        mpno_tally_start(&d->tallies[i]);
    }
    return MPNO_OK;
}

void mpno_diagnostics_end_epoch(mpno_diagnostics *d, int64_t epoch) {
    for (int i = 0; i < d->records.n; i++) mpno_record_end_epoch(&d->records.v[i], epoch);
    d->looked = false;
}
