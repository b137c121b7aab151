/* SPDX-License-Identifier: MIT
 * `mpno-bench step CASE --profile`: one row for each step of the lowered program (a tile program or
 * a whole op) with its median time, operations and bytes, and its share of the roofline: the least
 * time that the machine, as probed beside every round, could take for as much work, over the time
 * taken. What caches serve may exceed it. */
#include <stdio.h>
#include <string.h>

#include "bench.h"
#include "core/clock.h"
#include "model/network.h"

enum { SHOWN_OPS = 24 /* columns of a row's ops */ };

typedef struct profile {
    bench_work *work;
    const mpno_graph *graph;
    const mpno_exec *exec;
    int n_steps, rounds, round;
    bench_peaks peaks;
    double *seconds; /* rounds of each step, then of the optimiser, then of all */
} profile;

static double *samples(const profile *p, int row) {
    return p->seconds + row * p->rounds;
}

static mpno_status run_round(profile *p) {
    bench_work *w = p->work;
    MPNO_TRY(mpno_network_watch(w->network));
    const double start = mpno_seconds();
    MPNO_TRY(bench_work_step(w));
    samples(p, p->n_steps + 1)[p->round] = mpno_seconds() - start;
    samples(p, p->n_steps)[p->round] = w->update_seconds;
    for (int s = 0; s < p->n_steps; s++)
        samples(p, s)[p->round] = mpno_exec_step_at(p->exec, s).seconds;
    p->round++;
    return MPNO_OK;
}

static mpno_status run_rounds(profile *p) {
    bench_probe *probe;
    MPNO_TRY(bench_probe_create(p->work->ctx, p->rounds, &probe));
    mpno_status status = bench_work_step(p->work);
    while (status == MPNO_OK && p->round < p->rounds) {
        bench_probe_round(probe);
        status = run_round(p);
    }
    if (status == MPNO_OK) p->peaks = bench_probe_medians(probe);
    bench_probe_destroy(&probe);
    return status;
}

/* ---- what a step consists of ---- */

/* Node i of a step, in order; NULL: loads and stores. */
static const mpno_node *node_at(const profile *p, const mpno_step *step, int i) {
    const int n = step->whole >= 0 ? step->whole : step->instrs[i].node;
    return n < 0 ? NULL : &p->graph->nodes[n];
}

static int length_of(const mpno_step *step) {
    return step->whole >= 0 ? 1 : step->n_instrs;
}

static int n_ops(const profile *p, const mpno_step *step) {
    int n = 0;
    for (int i = 0; i < length_of(step); i++) n += node_at(p, step, i) != NULL;
    return n;
}

static double flops_of(const profile *p, const mpno_node *node) {
    return node->op->cost(p->graph, node, p->work->opts.which->batch).flops;
}

/* The operations of all ops like `op` of a step, and how many they are. */
static double sum_like(const profile *p, const mpno_step *step, const mpno_op *op, int *n) {
    double flops = 0;
    *n = 0;
    for (int i = 0; i < length_of(step); i++) {
        const mpno_node *node = node_at(p, step, i);
        if (node == NULL || node->op != op) continue;
        flops += flops_of(p, node);
        ++*n;
    }
    return flops;
}

/* The op with the most work among those not told yet, and how many there are; NULL: none is left.
 */
static const mpno_op *next_op(const profile *p, const mpno_step *step, const mpno_op *const *told,
                              int n_told, int *count) {
    const mpno_op *found = NULL;
    double most = -1;
    *count = 0;
    for (int i = 0; i < length_of(step); i++) {
        const mpno_node *node = node_at(p, step, i);
        bool skip = node == NULL;
        for (int k = 0; k < n_told && !skip; k++) skip = told[k] == node->op;
        int n;
        const double flops = skip ? -1 : sum_like(p, step, node->op, &n);
        if (skip || flops <= most) continue;
        most = flops;
        found = node->op;
        *count = n;
    }
    return found;
}

/* "linear 2, gelu, +7": ops with the most work first, as many as there is room for. */
static void describe_ops(const profile *p, const mpno_step *step, char *out, size_t capacity) {
    const mpno_op *told[8];
    int n_told = 0, left = n_ops(p, step), count;
    size_t length = 0;
    *out = '\0';
    while (left > 0 && n_told < 8) {
        const mpno_op *op = next_op(p, step, told, n_told, &count);
        char word[40];
        snprintf(word, sizeof word, count > 1 ? "%.24s %d" : "%.24s", op->name, count);
        const size_t tail = left == count ? 0 : 5;
        if (n_told > 0 && length + 2 + strlen(word) + tail > SHOWN_OPS) break;
        length +=
            (size_t)snprintf(out + length, capacity - length, "%s%s", n_told ? ", " : "", word);
        told[n_told++] = op;
        left -= count;
    }
    if (left > 0) snprintf(out + length, capacity - length, ", +%d", left);
}

/* "block 1", or "block 1-2" when a program serves two. */
static void describe_layer(const profile *p, const mpno_step *step, char *out, size_t capacity) {
    int first = p->graph->n_layers, last = -1;
    for (int i = 0; i < length_of(step); i++) {
        const mpno_node *node = node_at(p, step, i);
        if (node == NULL) continue;
        if (node->layer < first) first = node->layer;
        if (node->layer > last) last = node->layer;
    }
    const char *a = p->graph->layers[first], *b = p->graph->layers[last];
    const bool blocks = strncmp(a, "block ", 6) == 0 && strncmp(b, "block ", 6) == 0;
    if (first == last)
        snprintf(out, capacity, "%s", a);
    else if (blocks)
        snprintf(out, capacity, "%s-%s", a, b + 6);
    else
        snprintf(out, capacity, "%s, %s", a, b);
}

/* ---- telling ---- */

typedef struct totals {
    double seconds, flops, loaded, stored, roofline;
} totals;

static mpno_status add_row(mpno_table *table, const char *layer, const char *ops, const totals *t) {
    const double bytes = t->loaded + t->stored;
    MPNO_TRY(mpno_table_cell(table, "%s", layer));
    MPNO_TRY(mpno_table_cell(table, "%s", ops));
    MPNO_TRY(mpno_table_cell(table, "%.2f", 1e3 * t->seconds));
    if (bytes <= 0) return mpno_table_end_row(table);
    MPNO_TRY(mpno_table_cell(table, "%.2f", 1e-9 * t->flops));
    MPNO_TRY(mpno_table_cell(table, "%.1f", 1e-9 * t->flops / t->seconds));
    MPNO_TRY(mpno_table_cell(table, "%.1f", 1e-6 * t->loaded));
    MPNO_TRY(mpno_table_cell(table, "%.1f", 1e-6 * t->stored));
    MPNO_TRY(mpno_table_cell(table, "%.1f", 1e-9 * bytes / t->seconds));
    return mpno_table_cell(table, "%.0f %%", 100 * t->roofline / t->seconds);
}

static totals totals_of(const profile *p, int s) {
    const mpno_exec_step facts = mpno_exec_step_at(p->exec, s);
    return (totals){.seconds = bench_median(samples(p, s), p->rounds),
                    .flops = facts.flops,
                    .loaded = facts.loaded_bytes,
                    .stored = facts.stored_bytes,
                    .roofline = bench_roofline_seconds(&p->peaks, facts.flops,
                                                       facts.loaded_bytes + facts.stored_bytes)};
}

static void add(totals *sum, const totals *t) {
    sum->seconds += t->seconds;
    sum->flops += t->flops;
    sum->loaded += t->loaded;
    sum->stored += t->stored;
    sum->roofline += t->roofline;
}

/* The rows of one pass and their sum. */
static mpno_status add_pass(mpno_table *table, const profile *p, bool backward, totals *all) {
    totals sum = {0};
    for (int s = 0; s < p->n_steps; s++) {
        const mpno_step *step = mpno_exec_step_at(p->exec, s).step;
        char layer[64], ops[64];
        if (step->backward != backward) continue;
        const totals t = totals_of(p, s);
        describe_layer(p, step, layer, sizeof layer);
        describe_ops(p, step, ops, sizeof ops);
        MPNO_TRY(add_row(table, layer, ops, &t));
        add(&sum, &t);
    }
    if (sum.seconds <= 0) return MPNO_OK;
    add(all, &sum);
    MPNO_TRY(mpno_table_rule(table));
    MPNO_TRY(add_row(table, backward ? "backward" : "forward", "", &sum));
    return mpno_table_rule(table);
}

static mpno_status fill_table(const profile *p, mpno_table *table, double wall) {
    static const char *const headings[] = {"<layer", "<ops",    ">ms",   ">GF",      ">GF/s",
                                           ">MB in", ">MB out", ">GB/s", ">roofline"};
    const totals update = {.seconds = bench_median(samples(p, p->n_steps), p->rounds)};
    totals all = {0};
    MPNO_TRY(bench_columns(table, headings, sizeof headings / sizeof headings[0]));
    MPNO_TRY(add_pass(table, p, false, &all));
    MPNO_TRY(add_pass(table, p, true, &all));
    if (!p->work->opts.forward) MPNO_TRY(add_row(table, "optimizer", "", &update));
    all.seconds = wall;
    return add_row(table, "all", "", &all);
}

static mpno_status print(const profile *p) {
    const bench_work *w = p->work;
    const double wall = bench_median(samples(p, p->n_steps + 1), p->rounds);
    const double useful = mpno_network_get_cost(w->network).useful_flops;
    mpno_table *table;
    printf("%s %s, policy %s (%s), %s, %d threads, medians of %d\n", w->opts.which->name,
           w->opts.forward ? "forward" : "train step", w->opts.policy, bench_work_format(w),
           mpno_ctx_isa(w->ctx), mpno_ctx_n_threads(w->ctx), p->rounds);
    MPNO_TRY(mpno_table_create(w->ctx, &table));
    mpno_status status = fill_table(p, table, wall);
    if (status == MPNO_OK) status = bench_print_table(w->ctx, table);
    mpno_table_destroy(&table);
    printf(
        "this machine, probed beside each round: %.1f GF/s of f32 multiply-adds, memory read at "
        "%.1f GB/s,\ncopied at %.1f GB/s. Useful: %.2f GF in %.4f s, %.1f GF/s, %.1f %% of "
        "peak.\n",
        1e-9 * p->peaks.flops, 1e-9 * p->peaks.read, 1e-9 * p->peaks.copy, 1e-9 * useful, wall,
        1e-9 * useful / wall, 100 * useful / wall / p->peaks.flops);
    return status;
}

static mpno_status put_step(const profile *p, int s, mpno_value *list) {
    mpno_ctx *ctx = p->work->ctx;
    const mpno_step *step = mpno_exec_step_at(p->exec, s).step;
    const totals t = totals_of(p, s);
    mpno_value *map, *ops;
    char layer[64];
    describe_layer(p, step, layer, sizeof layer);
    MPNO_TRY(mpno_value_map(ctx, &map));
    MPNO_TRY(mpno_value_append(ctx, list, map)); /* from here on owned by the list */
    MPNO_TRY(mpno_value_set_string(ctx, map, "layer", layer));
    MPNO_TRY(mpno_value_set_string(ctx, map, "pass", step->backward ? "backward" : "forward"));
    MPNO_TRY(mpno_value_list(ctx, &ops));
    MPNO_TRY(mpno_value_set(ctx, map, "ops", ops));
    for (int i = 0; i < length_of(step); i++) {
        mpno_value *name;
        if (node_at(p, step, i) == NULL) continue;
        MPNO_TRY(mpno_value_string(ctx, node_at(p, step, i)->op->name, &name));
        MPNO_TRY(mpno_value_append(ctx, ops, name));
    }
    MPNO_TRY(mpno_value_set_real(ctx, map, "seconds", t.seconds));
    MPNO_TRY(mpno_value_set_real(ctx, map, "flops", t.flops));
    MPNO_TRY(mpno_value_set_real(ctx, map, "loaded_bytes", t.loaded));
    MPNO_TRY(mpno_value_set_real(ctx, map, "stored_bytes", t.stored));
    return mpno_value_set_real(ctx, map, "roofline_share", t.roofline / t.seconds);
}

static mpno_status put(mpno_ctx *ctx, const void *what, mpno_value *map) {
    const profile *p = what;
    const bench_work *w = p->work;
    const mpno_network_cost cost = mpno_network_get_cost(w->network);
    mpno_value *list;
    MPNO_TRY(mpno_value_set_string(ctx, map, "case", w->opts.which->name));
    MPNO_TRY(mpno_value_set_string(ctx, map, "what", w->opts.forward ? "forward" : "train step"));
    MPNO_TRY(mpno_value_set_string(ctx, map, "precision", w->opts.policy));
    MPNO_TRY(mpno_value_set_string(ctx, map, "format", bench_work_format(w)));
    MPNO_TRY(mpno_value_set_string(ctx, map, "isa", mpno_ctx_isa(ctx)));
    MPNO_TRY(mpno_value_set_int(ctx, map, "threads", mpno_ctx_n_threads(ctx)));
    MPNO_TRY(mpno_value_set_int(ctx, map, "rounds", p->rounds));
    MPNO_TRY(bench_peaks_put(ctx, &p->peaks, map));
    MPNO_TRY(mpno_value_set_real(ctx, map, "seconds",
                                 bench_median(samples(p, p->n_steps + 1), p->rounds)));
    MPNO_TRY(mpno_value_set_real(ctx, map, "optimizer_seconds",
                                 bench_median(samples(p, p->n_steps), p->rounds)));
    MPNO_TRY(mpno_value_set_real(ctx, map, "flops", cost.flops));
    MPNO_TRY(mpno_value_set_real(ctx, map, "useful_flops", cost.useful_flops));
    MPNO_TRY(mpno_value_list(ctx, &list));
    MPNO_TRY(mpno_value_set(ctx, map, "steps", list));
    for (int s = 0; s < p->n_steps; s++) MPNO_TRY(put_step(p, s, list));
    return MPNO_OK;
}

mpno_status bench_profile(bench_work *w, const bench_common *common) {
    MPNO_TRY(bench_work_realise(w));
    profile p = {.work = w,
                 .graph = mpno_network_graph(w->network),
                 .exec = mpno_network_exec(w->network),
                 .rounds = (int)common->rounds};
    p.n_steps = mpno_exec_n_steps(p.exec);
    MPNO_TRY(mpno_alloc_array(w->ctx, (size_t)((p.n_steps + 2) * p.rounds), sizeof *p.seconds,
                              &p.seconds));
    mpno_status status = run_rounds(&p);
    if (status == MPNO_OK) status = common->json ? bench_print_json(w->ctx, put, &p) : print(&p);
    mpno_free(w->ctx, p.seconds);
    return status;
}
