/* SPDX-License-Identifier: MIT
 * What report.diagnostics says: events "diagnostics" (every tensor, at the end of an epoch with a
 * look) and "warning" in log.jsonl, scalars, warnings on the terminal, and what is known when a run
 * fails. A warning is said once for each tensor. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "model/network.h"
#include "train/sink.h"
#include "train/trainer.h"

enum { MOST_SAID = 3 }; /* warnings of an epoch on the terminal; the log has all */

static mpno_status log_warning(mpno_trainer *t, int64_t epoch, const mpno_diagnosis *d,
                               const mpno_tensor_record *record) {
    mpno_value *fields = NULL;
    MPNO_TRY(mpno_value_map(t->ctx, &fields));
    mpno_status status =
        mpno_value_set_string(t->ctx, fields, "diagnosis", mpno_diagnosis_name(d->kind));
    if (status == MPNO_OK && record != NULL) {
        status = mpno_value_set_string(t->ctx, fields, "layer", record->layer);
        if (status == MPNO_OK)
            status = mpno_value_set_string(t->ctx, fields, "tensor", record->name);
    }
    if (status == MPNO_OK) status = mpno_value_set_string(t->ctx, fields, "text", d->text);
    if (status == MPNO_OK) status = mpno_trainer_log_event(t, "warning", epoch, fields, NULL);
    mpno_value_destroy(t->ctx, &fields);
    return status;
}

static void say_warning(mpno_trainer *t, const mpno_diagnosis *d) {
    if (t->progress.write) mpno_progress_clear(&t->progress);
    mpno_say(t->sink, "warning: %s: %s\n", mpno_diagnosis_name(d->kind), d->text);
}

mpno_status mpno_trainer_diagnose_phase(mpno_trainer *t) {
    const size_t finest = (size_t)(mpno_sets_finest(&t->sets) - t->sets.train);
    mpno_diagnosis d;
    mpno_network *full;
    if (t->diagnostics == NULL || t->diagnostics->told_phase == t->phase) return MPNO_OK;
    t->diagnostics->told_phase = t->phase; /* networks are also made anew when modes change */
    mpno_half_bytes bytes = mpno_half_bytes_of(t->model, t->networks[finest]);
    if (bytes.narrow == 0) return MPNO_OK; /* full, which nothing is expected of */
    mpno_network_opts opts = *mpno_network_get_opts(t->networks[finest]);
    mpno_network_opts_widen(&opts);
    MPNO_TRY(mpno_network_plan(t->model, &opts, &full));
    bytes.under_full = mpno_network_get_cost(full).activation_bytes;
    mpno_network_destroy(&full);
    if (!mpno_diagnose_half(&bytes, t->schedule.phase[t->phase].policy, &d)) return MPNO_OK;
    say_warning(t, &d);
    return log_warning(t, t->schedule.phase[t->phase].first + 1, &d, NULL);
}

/* The first judgement of a record that was not said before. */
static bool judge(mpno_tensor_record *r, bool scaled, mpno_diagnosis *d) {
    for (int kind = MPNO_DIAGNOSIS_OVERFLOW_AHEAD; kind < MPNO_DIAGNOSIS_NOT_HALF; kind++) {
        const bool applies = kind == MPNO_DIAGNOSIS_OVERFLOW_AHEAD
                                 ? mpno_diagnose_overflow(r, scaled, d)
                             : kind == MPNO_DIAGNOSIS_UNDERFLOW ? mpno_diagnose_underflow(r, d)
                                                                : mpno_diagnose_floor(r, d);
        if (!applies || (r->told & 1u << kind)) continue;
        r->told |= 1u << kind;
        return true;
    }
    return false;
}

static mpno_status warn(mpno_trainer *t) {
    const bool scaled = mpno_trainer_loss_scale(t) > 1;
    int said = 0, more = 0;
    mpno_diagnosis d;
    for (int i = 0; i < t->diagnostics->records.n; i++) {
        mpno_tensor_record *r = &t->diagnostics->records.v[i];
        while (judge(r, scaled, &d)) {
            MPNO_TRY(log_warning(t, t->state.epoch, &d, r));
            if (said++ < MOST_SAID)
                say_warning(t, &d);
            else
                more++;
        }
    }
    if (more > 0) mpno_say(t->sink, "and %d warnings more: see log.jsonl\n", more);
    return MPNO_OK;
}

/* {"diagnostics": {LAYER: {TENSOR: numbers}}} */
static mpno_status put_scalars(mpno_ctx *ctx, const mpno_tensor_record *r, mpno_value *layers) {
    mpno_value *layer = (mpno_value *)mpno_value_get(layers, r->layer), *map = NULL;
    if (layer == NULL) MPNO_TRY(mpno_value_set_map(ctx, layers, r->layer, &layer));
    MPNO_TRY(mpno_value_set_map(ctx, layer, r->name, &map));
    const double values = (double)r->census.values;
    MPNO_TRY(mpno_value_set_real(ctx, map, "largest", mpno_census_largest(&r->census, r->format)));
    MPNO_TRY(mpno_value_set_real(ctx, map, "headroom_bits", log2(mpno_record_headroom(r))));
    MPNO_TRY(mpno_value_set_real(ctx, map, "zero", (double)r->census.zeros / values));
    MPNO_TRY(mpno_value_set_real(ctx, map, "subnormal", (double)r->census.subnormals / values));
    return r->compared > 0 ? mpno_value_set_real(ctx, map, "sqnr_db", r->decibel) : MPNO_OK;
}

static mpno_status put_records(mpno_trainer *t, mpno_value *fields, mpno_value *board) {
    mpno_value *list = NULL, *layers = NULL;
    MPNO_TRY(mpno_value_set_string(t->ctx, fields, "policy", t->schedule.phase[t->phase].policy));
    MPNO_TRY(mpno_value_set_list(t->ctx, fields, "tensors", &list));
    MPNO_TRY(mpno_value_set_map(t->ctx, board, "diagnostics", &layers));
    for (int i = 0; i < t->diagnostics->records.n; i++) {
        const mpno_tensor_record *r = &t->diagnostics->records.v[i];
        if (r->census.values == 0) continue; /* of another phase */
        MPNO_TRY(mpno_record_put(t->ctx, r, list));
        MPNO_TRY(put_scalars(t->ctx, r, layers));
    }
    return MPNO_OK;
}

static mpno_status log_records(mpno_trainer *t) {
    mpno_value *fields = NULL, *board = NULL;
    MPNO_TRY(mpno_value_map(t->ctx, &fields));
    mpno_status status = mpno_value_map(t->ctx, &board);
    if (status == MPNO_OK) status = put_records(t, fields, board);
    if (status == MPNO_OK)
        status = mpno_trainer_log_event(t, "diagnostics", t->state.epoch, fields, board);
    mpno_value_destroy(t->ctx, &fields);
    mpno_value_destroy(t->ctx, &board);
    return status;
}

mpno_status mpno_trainer_diagnose_epoch(mpno_trainer *t) {
    if (t->diagnostics == NULL || !t->diagnostics->looked) return MPNO_OK;
    MPNO_TRY(mpno_diagnostics_collect(t->diagnostics));
    MPNO_TRY(log_records(t));
    mpno_diagnostics_end_epoch(t->diagnostics, t->state.epoch);
    return warn(t);
}

/* ---- a run that fails ---- */

static void name_failure(const mpno_graph *graph, int edge, mpno_format format, mpno_failure *f) {
    const mpno_edge *e = &graph->edges[edge];
    const char *op = e->producer >= 0 ? graph->nodes[e->producer].op->name : "";
    const bool forward = strstr(op, "forward") != NULL && !e->gradient;
    const char *where = !mpno_role_transformed(e->role) ? ""
                        : forward                       ? " in the forward transform"
                                                        : " in the spectral convolution";
    f->layer = graph->layers[e->layer];
    f->tensor = e->name;
    if (mpno_format_max(format) > 1e30) /* the range of f32: nothing of order 1 gets there */
        snprintf(f->name, sizeof f->name, "divergence");
    else
        snprintf(f->name, sizeof f->name, "overflow%s%s", where,
                 e->gradient ? ", of gradients" : "");
}

/* "; before, its largest values were 1.2e+03 (epoch 1), 4e+04 (epoch 2) of 65504" */
static void tell_history(const mpno_tensor_record *r, char *out, size_t capacity) {
    size_t n = (size_t)snprintf(out, capacity, "; before, its largest values were");
    const int first = r->n_epochs > 4 ? r->n_epochs - 4 : 0;
    for (int i = first; i < r->n_epochs && n < capacity; i++)
        n += (size_t)snprintf(out + n, capacity - n, "%s %.3g (epoch %lld)", i > first ? "," : "",
                              r->largest[i], (long long)r->epoch[i]);
    if (n < capacity) snprintf(out + n, capacity - n, " of %.6g", mpno_format_max(r->format));
}

mpno_failure mpno_trainer_failure(const mpno_trainer *t) {
    mpno_failure f = {0};
    for (size_t i = 0; i < t->sets.n_train; i++) {
        const mpno_network *network = t->networks[i];
        const int edge = network != NULL ? mpno_network_bad_edge(network) : -1;
        if (edge < 0) continue;
        const mpno_graph *graph = mpno_network_graph(network);
        name_failure(graph, edge, mpno_exec_format(mpno_network_exec(network), edge), &f);
        const mpno_tensor_record *r = t->diagnostics != NULL
                                          ? mpno_records_find(&t->diagnostics->records, graph, edge)
                                          : NULL;
        if (r != NULL && r->n_epochs > 0) tell_history(r, f.before, sizeof f.before);
    }
    return f;
}
