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
    const double parts = mpno_network_parts(p->work->network);
    return (totals){
        .seconds = bench_median(samples(p, s), p->rounds),
        .flops = parts * facts.flops,
        .loaded = parts * facts.loaded_bytes,
        .stored = parts * facts.stored_bytes,
        .roofline = parts * bench_roofline_seconds(&p->peaks, facts.flops,
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
        mpno_step_layer(p->graph, step, layer, sizeof layer);
        mpno_step_ops(p->graph, step, BENCH_SHOWN_OPS, ops, sizeof ops);
        MPNO_TRY(add_row(table, layer, ops, &t));
        add(&sum, &t);
    }
    if (sum.seconds <= 0) return MPNO_OK;
    add(all, &sum);
    MPNO_TRY(mpno_table_rule(table));
    MPNO_TRY(add_row(table, backward ? "backward" : "forward", "", &sum));
    return mpno_table_rule(table);
}

static double wall_seconds(const profile *p) {
    return bench_median(samples(p, p->n_steps + 1), p->rounds);
}

static mpno_status fill_table(const void *what, mpno_table *table) {
    const profile *p = what;
    static const char *const headings[] = {"<layer", "<ops",    ">ms",   ">GF",      ">GF/s",
                                           ">MB in", ">MB out", ">GB/s", ">roofline"};
    const totals update = {.seconds = bench_median(samples(p, p->n_steps), p->rounds)};
    totals all = {0};
    MPNO_TRY(bench_columns(table, headings, sizeof headings / sizeof headings[0]));
    MPNO_TRY(add_pass(table, p, false, &all));
    MPNO_TRY(add_pass(table, p, true, &all));
    if (!p->work->opts.forward) MPNO_TRY(add_row(table, "optimizer", "", &update));
    all.seconds = wall_seconds(p);
    return add_row(table, "all", "", &all);
}

static mpno_status print(const profile *p) {
    const bench_work *w = p->work;
    const double wall = wall_seconds(p);
    const double useful = mpno_network_get_cost(w->network).useful_flops;
    printf("%s %s, policy %s (%s), %s, %d threads, medians of %d\n", w->opts.which->name,
           w->opts.forward ? "forward" : "train step", w->opts.policy, bench_work_format(w),
           mpno_ctx_isa(w->ctx), mpno_ctx_n_threads(w->ctx), p->rounds);
    const mpno_status status = bench_print_table(w->ctx, fill_table, p);
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
    mpno_step_layer(p->graph, step, layer, sizeof layer);
    MPNO_TRY(mpno_value_map(ctx, &map));
    MPNO_TRY(mpno_value_append(ctx, list, map)); /* from here on owned by the list */
    MPNO_TRY(mpno_value_set_string(ctx, map, "layer", layer));
    MPNO_TRY(mpno_value_set_string(ctx, map, "pass", step->backward ? "backward" : "forward"));
    MPNO_TRY(mpno_value_list(ctx, &ops));
    MPNO_TRY(mpno_value_set(ctx, map, "ops", ops));
    for (int i = 0; i < mpno_step_length(step); i++) {
        mpno_value *name;
        if (mpno_step_node(p->graph, step, i) == NULL) continue;
        MPNO_TRY(mpno_value_string(ctx, mpno_step_node(p->graph, step, i)->op->name, &name));
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
