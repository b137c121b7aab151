/* SPDX-License-Identifier: MIT
 * `mpno-bench tile`: the tile programs of a case, one at a time. Two networks with the same weights
 * and data run one step, one with every op on its own. Each chosen program is given the operands
 * that the other network has, timed from the state that it meets in the step, restored before every
 * round, and held to the other network: what it stores may differ by what the other one's roundings
 * explain, root mean square relative to the tensor, K sqrt(n/6) u with K = 6, n instructions of the
 * program and u the unit roundoff of the narrowest format (why:
 * tests/unit/model/test_lowering.c); sums over points, whose terms cancel, by four times as much.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "bench.h"
#include "core/clock.h"
#include "model/network.h"
#include "number/format.h"

typedef struct options {
    bench_common common;
    char *name, *precision, *layer;
    int format, pass;
} options;

static const mpno_field fields[] = {
    {"case", MPNO_FIELD_TEXT, offsetof(options, name), "null", "", "see below"},
    {"layer", MPNO_FIELD_TEXT, offsetof(options, layer), "all", "",
     "how its name begins: lifting, block, \"block 1\", projection; or all"},
    {"pass", MPNO_FIELD_CHOICE, offsetof(options, pass), "both", "both|forward|backward",
     "of a training step"},
    {"precision", MPNO_FIELD_TEXT, offsetof(options, precision), "full", "",
     "policy: full, amp, half, fft32, mixed"},
    {"format", MPNO_FIELD_CHOICE, offsetof(options, format), "f16", "f16|bf16",
     "what half means in the policy"},
    BENCH_COMMON(options, "rounds", "5"),
};

/* One chosen program. */
typedef struct row {
    int step;
    char layer[64], ops[64];
    double seconds, unfused_seconds, flops, bytes, roofline;
    double difference, allowed; /* difference: the largest of its tensors, a quarter of a sum's */
    int compared;               /* tensors */
} row;

typedef struct report {
    const options *o;
    mpno_ctx *ctx;
    bench_work fused, apart;
    const mpno_graph *graph; /* of the fused network */
    mpno_exec *exec;
    int64_t batch;
    row *rows;
    int n;
    void **wanted; /* per edge: its value in the other network; NULL: nobody wants it */
    mpno_format *formats;
    int n_edges;          /* those that both networks have */
    double *node_seconds; /* of the other network */
    int n_nodes;          /* there */
    bench_probe *probe;
    bench_peaks peaks;
    char *state; /* copy of the arena */
} report;

/* ---- what is chosen ---- */

static bool is_chosen(const report *r, const mpno_step *step, const char *layer) {
    const char *wanted = r->o->layer;
    if (step->whole >= 0 || (r->o->pass != 0 && (r->o->pass == 2) != step->backward)) return false;
    if (strcmp(wanted, "all") == 0 || strncmp(layer, wanted, strlen(wanted)) == 0) return true;
    for (int i = 0; i < mpno_step_length(step); i++) {
        const mpno_node *node = mpno_step_node(r->graph, step, i);
        if (node != NULL && strncmp(r->graph->layers[node->layer], wanted, strlen(wanted)) == 0)
            return true;
    }
    return false;
}

static mpno_status choose(report *r) {
    const int n_steps = mpno_exec_n_steps(r->exec);
    MPNO_TRY(mpno_alloc_array(r->ctx, (size_t)n_steps, sizeof *r->rows, &r->rows));
    for (int s = 0; s < n_steps; s++) {
        const mpno_exec_step facts = mpno_exec_step_at(r->exec, s);
        row *at = &r->rows[r->n];
        mpno_step_layer(r->graph, facts.step, at->layer, sizeof at->layer);
        if (!is_chosen(r, facts.step, at->layer)) continue;
        mpno_step_ops(r->graph, facts.step, BENCH_SHOWN_OPS, at->ops, sizeof at->ops);
        at->step = s;
        at->flops = facts.flops;
        at->bytes = facts.loaded_bytes + facts.stored_bytes;
        r->n++;
    }
    MPNO_CHECK(
        r->ctx, r->n > 0, MPNO_E_ARGUMENT,
        "layer: no tile program of this pass belongs to \"%s\"; layers are lifting, block 0, "
        "block 1, ..., projection",
        r->o->layer);
    return MPNO_OK;
}

/* Calls `visit` for each tensor that a step gives to others. */
static mpno_status for_results(report *r, const mpno_step *step, row *at,
                               mpno_status (*visit)(report *, row *, int edge)) {
    for (int i = 0; i < step->n_instrs; i++) {
        const mpno_instr *instr = &step->instrs[i];
        if (instr->kind == MPNO_INSTR_STORE) MPNO_TRY(visit(r, at, instr->edge));
        const mpno_node *node = mpno_step_node(r->graph, step, i);
        for (int o = 0; node != NULL && o < node->n_out; o++)
            if (r->graph->edges[node->out[o]].kind != MPNO_EDGE_FIELD)
                MPNO_TRY(visit(r, at, node->out[o]));
    }
    return MPNO_OK;
}

/* And for each that it takes from others: `edge` is the value, `source` where it lies. */
static mpno_status for_operands(report *r, const mpno_step *step, row *at,
                                mpno_status (*visit)(report *, row *, int edge, int source)) {
    for (int i = 0; i < step->n_instrs; i++) {
        const mpno_instr *instr = &step->instrs[i];
        const mpno_node *node = mpno_step_node(r->graph, step, i);
        if (instr->kind == MPNO_INSTR_LOAD && r->graph->edges[instr->edge].producer >= 0)
            MPNO_TRY(visit(r, at, instr->edge, instr->source));
        for (int k = 0; node != NULL && k < node->n_in; k++) {
            const mpno_edge *edge = node->in[k] < 0 ? NULL : &r->graph->edges[node->in[k]];
            if (edge != NULL && edge->kind != MPNO_EDGE_FIELD && edge->producer >= 0)
                MPNO_TRY(visit(r, at, node->in[k], node->in[k]));
        }
    }
    return MPNO_OK;
}

/* ---- the other network ---- */

static size_t bytes_of(const report *r, int edge, mpno_format format) {
    return mpno_edge_bytes(r->graph, edge, format, r->batch);
}

static mpno_status want(report *r, row *at, int edge) {
    mpno_exec *other = mpno_network_exec(r->apart.network);
    (void)at;
    if (edge >= r->n_edges || r->wanted[edge] != NULL) return MPNO_OK;
    r->formats[edge] = mpno_exec_format(other, edge);
    return mpno_alloc_raw(r->ctx, bytes_of(r, edge, r->formats[edge]), &r->wanted[edge]);
}

static mpno_status want_operand(report *r, row *at, int edge, int source) {
    (void)source;
    return want(r, at, edge);
}

static mpno_status run_apart(report *r) {
    const mpno_graph *graph = mpno_network_graph(r->apart.network);
    mpno_exec *exec = mpno_network_exec(r->apart.network);
    r->n_nodes = graph->n_nodes;
    MPNO_TRY(mpno_alloc_array(r->ctx, (size_t)r->n_nodes, sizeof(double), &r->node_seconds));
    for (int s = 0; s < mpno_exec_n_steps(exec); s++) {
        const mpno_step *step = mpno_exec_step_at(exec, s).step;
        const double start = mpno_seconds();
        mpno_exec_run_step(exec, s, 0, r->batch, r->apart.loss_scale);
        const double seconds = mpno_seconds() - start;
        for (int i = 0; i < mpno_step_length(step); i++) {
            const mpno_node *node = mpno_step_node(graph, step, i);
            if (node == NULL) continue;
            r->node_seconds[node - graph->nodes] = seconds;
            for (int o = 0; o < node->n_out; o++)
                if (node->out[o] < r->n_edges && r->wanted[node->out[o]] != NULL)
                    memcpy(r->wanted[node->out[o]], mpno_exec_data(exec, node->out[o]),
                           bytes_of(r, node->out[o], r->formats[node->out[o]]));
        }
    }
    return MPNO_OK;
}

/* ---- one program ---- */

static mpno_status give(report *r, row *at, int edge, int source) {
    const mpno_format format = mpno_exec_format(r->exec, source);
    char *to = (char *)(uintptr_t)mpno_exec_data(r->exec, source);
    (void)at;
    if (edge >= r->n_edges) return MPNO_OK;
    if (format == r->formats[edge])
        memcpy(to, r->wanted[edge], bytes_of(r, edge, format));
    else
        mpno_cast(to, format, r->wanted[edge], r->formats[edge],
                  bytes_of(r, edge, format) / mpno_format_bytes(format));
    return MPNO_OK;
}

/* |a - b| / |b| over a tensor, in pieces. */
static double difference(const report *r, int edge) {
    enum { PIECE = 512 };
    const mpno_format format = mpno_exec_format(r->exec, edge);
    const size_t n = bytes_of(r, edge, format) / mpno_format_bytes(format);
    const char *a = mpno_exec_data(r->exec, edge), *b = r->wanted[edge];
    double x[PIECE], y[PIECE], apart = 0, size = 0;
    for (size_t i = 0; i < n; i += PIECE) {
        const size_t count = n - i < PIECE ? n - i : PIECE;
        mpno_cast(x, MPNO_F64, a + i * mpno_format_bytes(format), format, count);
        mpno_cast(y, MPNO_F64, b + i * mpno_format_bytes(r->formats[edge]), r->formats[edge],
                  count);
        for (size_t k = 0; k < count; k++) {
            apart += (x[k] - y[k]) * (x[k] - y[k]);
            size += y[k] * y[k];
        }
    }
    return size > 0 ? sqrt(apart / size) : apart;
}

static mpno_status compare(report *r, row *at, int edge) {
    if (edge >= r->n_edges) return MPNO_OK;
    const bool field = r->graph->edges[edge].kind == MPNO_EDGE_FIELD;
    const double found = difference(r, edge), allowed = field ? at->allowed : 4 * at->allowed;
    at->compared++;
    if (found > at->difference * (field ? 1 : 4)) at->difference = field ? found : found / 4;
    MPNO_CHECK(r->ctx, found <= allowed, MPNO_E_NUMERIC,
               "%s, %s: %s differs by %.2g from the network with every op on its own; at most %.2g "
               "is explained by rounding",
               at->layer, at->ops, r->graph->edges[edge].name, found, allowed);
    return MPNO_OK;
}

static mpno_status time_row(report *r, row *at, double *seconds) {
    const mpno_step *step = mpno_exec_step_at(r->exec, at->step).step;
    const int rounds = (int)r->o->common.rounds;
    const size_t bytes = mpno_exec_arena_bytes(r->exec);
    MPNO_TRY(for_operands(r, step, at, give));
    memcpy(r->state, mpno_exec_arena(r->exec), bytes);
    for (int i = 0; i < rounds; i++) {
        memcpy(mpno_exec_arena(r->exec), r->state, bytes);
        bench_probe_round(r->probe);
        const double start = mpno_seconds();
        mpno_exec_run_step(r->exec, at->step, 0, r->batch, r->fused.loss_scale);
        seconds[i] = mpno_seconds() - start;
    }
    at->seconds = bench_median(seconds, rounds);
    const mpno_node *nodes = r->graph->nodes;
    for (int i = 0; i < mpno_step_length(step); i++) {
        const mpno_node *node = mpno_step_node(r->graph, step, i);
        if (node != NULL && node - nodes < r->n_nodes)
            at->unfused_seconds += r->node_seconds[node - nodes];
    }
    return for_results(r, step, at, compare);
}

static mpno_status run_fused(report *r) {
    double *seconds;
    MPNO_TRY(mpno_alloc_array(r->ctx, (size_t)r->o->common.rounds, sizeof *seconds, &seconds));
    mpno_status status = mpno_alloc_raw(r->ctx, mpno_exec_arena_bytes(r->exec), &r->state);
    int next = 0;
    for (int s = 0; s < mpno_exec_n_steps(r->exec) && status == MPNO_OK; s++) {
        if (next < r->n && r->rows[next].step == s)
            status = time_row(r, &r->rows[next++], seconds);
        else
            mpno_exec_run_step(r->exec, s, 0, r->batch, r->fused.loss_scale);
    }
    mpno_free(r->ctx, seconds);
    return status;
}

/* ---- both ---- */

static mpno_status make(report *r, bench_work_opts opts) {
    MPNO_TRY(bench_case_find(r->ctx, r->o->name, &opts.which));
    r->batch = opts.which->batch;
    MPNO_TRY(bench_work_create(r->ctx, &opts, &r->fused));
    MPNO_TRY(bench_work_realise(&r->fused));
    opts.unfused = true;
    MPNO_TRY(bench_work_create(r->ctx, &opts, &r->apart));
    MPNO_TRY(bench_work_realise(&r->apart));
    MPNO_TRY(bench_work_bind(&r->fused));
    return bench_work_bind(&r->apart);
}

static mpno_status measure(report *r) {
    const mpno_graph *other = mpno_network_graph(r->apart.network);
    r->graph = mpno_network_graph(r->fused.network);
    r->exec = mpno_network_exec(r->fused.network);
    r->n_edges = other->n_edges < r->graph->n_edges ? other->n_edges : r->graph->n_edges;
    MPNO_TRY(mpno_alloc_array(r->ctx, (size_t)r->n_edges, sizeof *r->wanted, &r->wanted));
    MPNO_TRY(mpno_alloc_array(r->ctx, (size_t)r->n_edges, sizeof *r->formats, &r->formats));
    MPNO_TRY(choose(r));
    const bool full = strcmp(r->o->precision, "full") == 0;
    const double u = mpno_format_unit(full ? MPNO_F32 : r->fused.opts.format);
    for (int i = 0; i < r->n; i++) {
        const mpno_step *step = mpno_exec_step_at(r->exec, r->rows[i].step).step;
        r->rows[i].allowed = 6 * sqrt(step->n_instrs / 6.0) * u;
        MPNO_TRY(for_results(r, step, &r->rows[i], want));
        MPNO_TRY(for_operands(r, step, &r->rows[i], want_operand));
    }
    MPNO_TRY(run_apart(r));
    MPNO_TRY(bench_probe_create(r->ctx, r->n * (int)r->o->common.rounds, &r->probe));
    MPNO_TRY(run_fused(r));
    r->peaks = bench_probe_medians(r->probe);
    for (int i = 0; i < r->n; i++)
        r->rows[i].roofline = bench_roofline_seconds(&r->peaks, r->rows[i].flops, r->rows[i].bytes);
    return MPNO_OK;
}

static void drop(report *r) {
    for (int e = 0; r->wanted != NULL && e < r->n_edges; e++) mpno_free(r->ctx, r->wanted[e]);
    mpno_free(r->ctx, r->wanted);
    mpno_free(r->ctx, r->formats);
    mpno_free(r->ctx, r->node_seconds);
    mpno_free(r->ctx, r->state);
    mpno_free(r->ctx, r->rows);
    bench_probe_destroy(&r->probe);
    bench_work_destroy(&r->fused);
    bench_work_destroy(&r->apart);
}

/* ---- told ---- */

static bool backward(const report *r, const row *at) {
    return mpno_exec_step_at(r->exec, at->step).step->backward;
}

static mpno_status put(mpno_ctx *ctx, const void *what, mpno_value *map) {
    const report *r = what;
    mpno_value *list, *one;
    MPNO_TRY(mpno_value_set_string(ctx, map, "case", r->o->name));
    MPNO_TRY(mpno_value_set_string(ctx, map, "precision", r->o->precision));
    MPNO_TRY(mpno_value_set_string(ctx, map, "isa", mpno_ctx_isa(ctx)));
    MPNO_TRY(mpno_value_set_int(ctx, map, "threads", mpno_ctx_n_threads(ctx)));
    MPNO_TRY(bench_peaks_put(ctx, &r->peaks, map));
    MPNO_TRY(mpno_value_list(ctx, &list));
    MPNO_TRY(mpno_value_set(ctx, map, "programs", list));
    for (int i = 0; i < r->n; i++) {
        const row *at = &r->rows[i];
        MPNO_TRY(mpno_value_map(ctx, &one));
        MPNO_TRY(mpno_value_append(ctx, list, one));
        MPNO_TRY(mpno_value_set_string(ctx, one, "layer", at->layer));
        MPNO_TRY(mpno_value_set_string(ctx, one, "pass", backward(r, at) ? "backward" : "forward"));
        MPNO_TRY(mpno_value_set_string(ctx, one, "ops", at->ops));
        MPNO_TRY(mpno_value_set_real(ctx, one, "seconds", at->seconds));
        MPNO_TRY(mpno_value_set_real(ctx, one, "unfused_seconds", at->unfused_seconds));
        MPNO_TRY(mpno_value_set_real(ctx, one, "flops", at->flops));
        MPNO_TRY(mpno_value_set_real(ctx, one, "bytes", at->bytes));
        MPNO_TRY(mpno_value_set_real(ctx, one, "difference", at->difference));
        MPNO_TRY(mpno_value_set_real(ctx, one, "allowed_difference", at->allowed));
        MPNO_TRY(mpno_value_set_int(ctx, one, "compared", at->compared));
    }
    return MPNO_OK;
}

static mpno_status fill_table(const void *what, mpno_table *table) {
    const report *r = what;
    static const char *const headings[] = {"<layer", "<pass", "<ops",      ">ms",        ">unfused",
                                           ">GF/s",  ">GB/s", ">roofline", ">difference"};
    MPNO_TRY(bench_columns(table, headings, sizeof headings / sizeof headings[0]));
    for (int i = 0; i < r->n; i++) {
        const row *at = &r->rows[i];
        MPNO_TRY(mpno_table_cell(table, "%s", at->layer));
        MPNO_TRY(mpno_table_cell(table, "%s", backward(r, at) ? "backward" : "forward"));
        MPNO_TRY(mpno_table_cell(table, "%s", at->ops));
        MPNO_TRY(mpno_table_cell(table, "%.2f", 1e3 * at->seconds));
        MPNO_TRY(mpno_table_cell(table, "%.2f", 1e3 * at->unfused_seconds));
        MPNO_TRY(mpno_table_cell(table, "%.1f", 1e-9 * at->flops / at->seconds));
        MPNO_TRY(mpno_table_cell(table, "%.1f", 1e-9 * at->bytes / at->seconds));
        MPNO_TRY(mpno_table_cell(table, "%.0f %%", 100 * at->roofline / at->seconds));
        MPNO_TRY(mpno_table_cell(table, "%.1e", at->difference));
    }
    return MPNO_OK;
}

static mpno_status print(const report *r) {
    printf("tile programs of %s, policy %s (%s), %s, %d threads, medians of %lld\n", r->o->name,
           r->o->precision, bench_work_format(&r->fused), mpno_ctx_isa(r->ctx),
           mpno_ctx_n_threads(r->ctx), (long long)r->o->common.rounds);
    const mpno_status status = bench_print_table(r->ctx, fill_table, r);
    printf(
        "unfused: ms of the same ops, each on its own. difference: of what is stored, from there; "
        "of sums a quarter.\n");
    return status;
}

static mpno_status run(mpno_ctx *ctx, void *argument) {
    const options *o = argument;
    report r = {.o = o, .ctx = ctx};
    mpno_status status =
        make(&r, (bench_work_opts){.policy = o->precision,
                                   .recompute = MPNO_RECOMPUTE_CHEAP,
                                   .format = o->format == 0 ? MPNO_F16 : MPNO_BF16});
    if (status == MPNO_OK) status = measure(&r);
    if (status == MPNO_OK) status = o->common.json ? bench_print_json(ctx, put, &r) : print(&r);
    drop(&r);
    return status;
}

const bench_command bench_tile = {
    .name = "tile",
    .what = "CASE",
    .summary = "Times the tile programs of a training step alone and holds them to single ops",
    .text = bench_cases_text,
    .fields = fields,
    .n_fields = BENCH_N_FIELDS(fields),
    .options_bytes = sizeof(options),
    .run = run,
};
