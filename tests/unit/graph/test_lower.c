/* SPDX-License-Identifier: MIT
 * The lowering pass as a program transformation: whatever the graph, each step finds its operands,
 * nothing is stored that nobody reads, nothing runs that nobody asks for; and rule by rule
 * (lower.h) what is stored, recomputed and repeated. Values are compared in model/test_lowering.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "graph/lower.h"
#include "unit/graph/rig.h"

static mpno_ctx *ctx;
static mpno_policy full;

static int set_up(void **state) {
    (void)state;
    return rig_open(&ctx, &full);
}

static int tear_down(void **state) {
    (void)state;
    return rig_close(&ctx);
}

enum { N_REQUESTED = 40 };

typedef struct lowering {
    rig r;
    int requested[N_REQUESTED], n_requested, run;
    mpno_lowered lowered;
} lowering;

static void start(lowering *l, int ndim, const int64_t *size) {
    *l = (lowering){0};
    rig_create(&l->r, ctx, ndim, size, MPNO_FFT_HERMITIAN);
}

static void lower(lowering *l, bool unfused) {
    const mpno_lower_opts opts = {.requested = l->requested,
                                  .n_requested = l->n_requested,
                                  .unfused = unfused,
                                  .run = l->run,
                                  .policy = &full};
    assert_int_equal(mpno_lower(l->r.graph, &opts, &l->lowered), MPNO_OK);
}

static void finish(lowering *l) {
    mpno_lowered_destroy(ctx, &l->lowered);
    rig_destroy(&l->r);
}

/* ---- soundness ---- */

typedef struct audit {
    const lowering *l;
    const mpno_graph *g;
    bool *written, *read; /* per edge: stored tensors */
    bool *local;          /* per edge: values of the program at hand */
    int *runs;            /* per node */
} audit;

static bool is_field(const audit *a, int edge) {
    return a->g->edges[edge].kind == MPNO_EDGE_FIELD;
}

static bool from_outside(const audit *a, int edge) {
    return a->g->edges[edge].producer < 0;
}

static void read_stored(audit *a, int edge) {
    if (from_outside(a, edge)) return;
    assert_true(a->l->lowered.stored[edge]);
    assert_true(a->written[edge]);
    a->read[edge] = true;
}

static void write_stored(audit *a, int edge) {
    assert_true(a->l->lowered.stored[edge]);
    assert_false(a->written[edge]);
    a->written[edge] = true;
}

static void run_node(audit *a, int n, bool whole) {
    const mpno_node *node = &a->g->nodes[n];
    a->runs[n]++;
    assert_int_equal(node->op->class == MPNO_OP_WHOLE, whole);
    for (int i = 0; i < node->n_in; i++) {
        if (node->in[i] < 0) continue;
        if (!whole && is_field(a, node->in[i]))
            assert_true(a->local[node->in[i]]);
        else
            read_stored(a, node->in[i]);
    }
    for (int i = 0; i < node->n_out; i++) {
        if (!whole && node->op->class == MPNO_OP_TILE) {
            assert_false(a->local[node->out[i]]); /* nothing is computed twice in one program */
            a->local[node->out[i]] = true;
        } else {
            write_stored(a, node->out[i]);
        }
    }
}

static void audit_step(audit *a, const mpno_step *step) {
    if (step->whole >= 0) {
        assert_int_equal(step->backward, a->g->nodes[step->whole].backward);
        run_node(a, step->whole, true);
        return;
    }
    memset(a->local, 0, (size_t)a->g->n_edges * sizeof *a->local);
    /* Reductions are there when the program is over: what they give is not for the program. */
    assert_true(step->n_instrs > 0);
    for (int i = 0; i < step->n_instrs; i++) {
        const mpno_instr *instr = &step->instrs[i];
        if (instr->kind == MPNO_INSTR_LOAD) {
            assert_false(a->local[instr->edge]);
            a->local[instr->edge] = true;
            read_stored(a, instr->source);
        } else if (instr->kind == MPNO_INSTR_STORE) {
            assert_true(a->local[instr->edge]);
            write_stored(a, instr->edge);
        } else {
            if (!step->backward) assert_false(a->g->nodes[instr->node].backward);
            run_node(a, instr->node, false);
        }
    }
}

static void check_sound(const lowering *l) {
    const mpno_graph *g = l->r.graph;
    audit a = {.l = l, .g = g};
    const size_t n = (size_t)g->n_edges;
    a.written = calloc(n, sizeof(bool)), a.read = calloc(n, sizeof(bool));
    a.local = calloc(n, sizeof(bool)), a.runs = calloc((size_t)g->n_nodes, sizeof(int));
    assert_int_equal(l->lowered.n_edges, g->n_edges);
    bool backward = false;
    for (int s = 0; s < l->lowered.n_steps; s++) {
        audit_step(&a, &l->lowered.steps[s]);
        assert_true(l->lowered.steps[s].backward || !backward); /* forward first */
        backward = l->lowered.steps[s].backward;
    }
    for (int i = 0; i < l->n_requested; i++) {
        assert_true(a.written[l->requested[i]]);
        a.read[l->requested[i]] = true;
    }
    for (int e = 0; e < g->n_edges; e++)
        if (l->lowered.stored[e] && (!a.written[e] || !a.read[e]) && !from_outside(&a, e))
            fail_msg("%s is stored but %s", g->edges[e].name,
                     a.written[e] ? "never read" : "never written");
    free(a.written), free(a.read), free(a.local), free(a.runs);
}

static void train(lowering *l, int prediction, int input) {
    mpno_graph *g = l->r.graph;
    const int in[] = {prediction, rig_leaf(&l->r, MPNO_EDGE_FIELD, g->edges[prediction].channels)};
    int grads[32], input_grad;
    const int loss = rig_add(&l->r, &mpno_op_loss, 2, in);
    assert_int_equal(mpno_graph_differentiate(g, loss, grads, input, &input_grad), MPNO_OK);
    for (int w = 0; w < g->n_weights; w++) l->requested[l->n_requested++] = grads[w];
    if (input >= 0) l->requested[l->n_requested++] = input_grad;
    l->requested[l->n_requested++] = loss;
}

static void every_lowering_is_sound(void **state) {
    (void)state;
    static const int64_t sizes[][2] = {{8, 9}, {2, 2}}; /* kept modes: few, all */
    for (int i = 0; i < 3 * 4 * 2 * 2 * 3; i++) {
        const int norm = i % 3, skip = i / 3 % 4, grid = i / 12 % 2, task = i / 48;
        lowering l;
        start(&l, 2, sizes[grid]);
        const int x = rig_leaf(&l.r, MPNO_EDGE_FIELD, RIG_INPUTS);
        const int middle = rig_block(&l.r, x, norm, skip);
        const int y = rig_block(&l.r, middle, norm, (skip + 1) % 4);
        if (task % 3 == 0)
            l.requested[l.n_requested++] = y;
        else
            train(&l, y, task % 3 == 1 ? x : -1);
        lower(&l, task >= 3);
        check_sound(&l);
        finish(&l);
    }
}

/* ---- rules ---- */

static bool stored(const lowering *l, int edge) {
    return l->lowered.stored[edge];
}

static int count_runs(const lowering *l, int edge) {
    int n = 0;
    const int node = l->r.graph->edges[edge].producer;
    for (int s = 0; s < l->lowered.n_steps; s++) {
        const mpno_step *step = &l->lowered.steps[s];
        n += step->whole == node;
        for (int i = 0; step->whole < 0 && i < step->n_instrs; i++)
            n += step->instrs[i].kind == MPNO_INSTR_OP && step->instrs[i].node == node;
    }
    return n;
}

/* x -> linear -> hidden -> GELU -> active -> transform there and back -> + active -> y. */
typedef struct detour {
    lowering l;
    int x, hidden, active, staged, spectrum, field, y;
} detour;

static void make_detour(detour *d, const int64_t *size) {
    rig *r = &d->l.r;
    start(&d->l, 2, size);
    d->x = rig_leaf(r, MPNO_EDGE_FIELD, RIG_INPUTS);
    const int map[] = {d->x, rig_weight(r, 1, RIG_INPUTS, RIG_INPUTS, false)};
    d->hidden = rig_add(r, &mpno_op_linear, 2, map);
    d->active = rig_unary(r, &mpno_op_gelu, d->hidden);
    d->staged = rig_unary(r, &mpno_op_stage, d->active);
    d->spectrum = rig_unary(r, &mpno_op_fft_forward, d->staged);
    d->field = rig_unary(r, &mpno_op_fft_inverse, d->spectrum);
    const int both[] = {d->field, d->active};
    d->y = rig_add(r, &mpno_op_add, 2, both);
}

static void chains_become_programs(void **state) {
    (void)state;
    static const int64_t size[] = {8, 9};
    detour d;
    make_detour(&d, size);
    d.l.requested[d.l.n_requested++] = d.y;
    lower(&d.l, false);
    /* Before the transform, the two transforms, after them. */
    assert_int_equal(d.l.lowered.n_steps, 4);
    assert_int_equal(d.l.lowered.steps[1].whole, d.l.r.graph->edges[d.spectrum].producer);
    assert_int_equal(d.l.lowered.steps[2].whole, d.l.r.graph->edges[d.field].producer);
    /* Rule 2: the product is stored once, GELU is repeated at the load. */
    assert_true(stored(&d.l, d.hidden) && !stored(&d.l, d.active));
    assert_int_equal(count_runs(&d.l, d.hidden), 1);
    assert_int_equal(count_runs(&d.l, d.active), 2);
    assert_true(stored(&d.l, d.staged) && stored(&d.l, d.spectrum) && stored(&d.l, d.field));
    check_sound(&d.l);
    finish(&d.l);

    make_detour(&d, size);
    d.l.requested[d.l.n_requested++] = d.y;
    lower(&d.l, true);
    assert_int_equal(d.l.lowered.n_steps, 6);
    for (int n = 0; n < d.l.r.graph->n_nodes; n++)
        assert_true(stored(&d.l, d.l.r.graph->nodes[n].out[0]));
    finish(&d.l);
}

/* A value that several later programs load is stored once. */
static void many_readers_one_store(void **state) {
    (void)state;
    static const int64_t size[] = {8, 9};
    detour d;
    make_detour(&d, size);
    rig *r = &d.l.r;
    const int again =
        rig_unary(r, &mpno_op_fft_inverse,
                  rig_unary(r, &mpno_op_fft_forward, rig_unary(r, &mpno_op_stage, d.y)));
    const int sum[] = {again, d.active};
    const int z = rig_add(r, &mpno_op_add, 2, sum);
    d.l.requested[d.l.n_requested++] = z;
    lower(&d.l, false);
    assert_int_equal(d.l.lowered.n_steps, 7);
    assert_int_equal(count_runs(&d.l, d.hidden), 1);
    assert_true(stored(&d.l, d.hidden) && !stored(&d.l, d.active) && !stored(&d.l, d.y));
    int stores = 0;
    for (int s = 0; s < d.l.lowered.n_steps; s++)
        for (int i = 0; d.l.lowered.steps[s].whole < 0 && i < d.l.lowered.steps[s].n_instrs; i++)
            stores += d.l.lowered.steps[s].instrs[i].kind == MPNO_INSTR_STORE &&
                      d.l.lowered.steps[s].instrs[i].edge == d.hidden;
    assert_int_equal(stores, 1);
    check_sound(&d.l);
    finish(&d.l);
}

static void what_nobody_asks_for_does_not_run(void **state) {
    (void)state;
    static const int64_t size[] = {8, 9};
    for (int unfused = 0; unfused < 2; unfused++) {
        detour d;
        make_detour(&d, size);
        const int sums = rig_unary(&d.l.r, &mpno_op_moments, d.active);
        d.l.requested[d.l.n_requested++] = d.active;
        lower(&d.l, unfused == 1);
        assert_int_equal(d.l.lowered.n_steps, unfused ? 2 : 1);
        assert_true(stored(&d.l, d.active) && stored(&d.l, d.hidden) == (unfused == 1));
        assert_false(stored(&d.l, sums) || stored(&d.l, d.spectrum) || stored(&d.l, d.y));
        check_sound(&d.l);
        finish(&d.l);
    }
}

/* Rule 3: backward repeats the inverse transform when the spectrum takes at most half of the
 * field's bytes, and loads what forward kept otherwise. */
static void transforms_are_repeated_where_that_pays(void **state) {
    (void)state;
    static const int64_t sizes[][2] = {{8, 9}, {2, 2}};
    for (int g = 0; g < 2; g++) {
        detour d;
        make_detour(&d, sizes[g]);
        rig *r = &d.l.r;
        const bool pays = 2 * mpno_edge_bytes(r->graph, d.spectrum, MPNO_F64, 1) <=
                          mpno_edge_bytes(r->graph, d.field, MPNO_F64, 1);
        assert_int_equal(pays, g == 0);
        /* GELU of the sum: its gradient needs the sum again, and with it the field. */
        train(&d.l, rig_unary(r, &mpno_op_gelu, d.y), -1);
        const int with_gradients = r->graph->n_nodes;
        lower(&d.l, false);
        assert_int_equal(r->graph->n_nodes - with_gradients, pays ? 1 : 0);
        bool forward_only = true; /* is the field read by forward steps alone? */
        for (int s = 0; s < d.l.lowered.n_steps; s++)
            for (int i = 0; d.l.lowered.steps[s].whole < 0 && i < d.l.lowered.steps[s].n_instrs;
                 i++) {
                const mpno_instr *instr = &d.l.lowered.steps[s].instrs[i];
                if (instr->kind == MPNO_INSTR_LOAD && instr->source == d.field &&
                    d.l.lowered.steps[s].backward)
                    forward_only = false;
            }
        assert_int_equal(forward_only, pays);
        check_sound(&d.l);
        finish(&d.l);
    }
}

/* Rule 5: the gradient at a norm, which its sums and then its own gradient need, is stored between
 * the two where GELU, tanh and their gradients lie on the way to it and the gradient of the skips,
 * which nothing else reads and rule 4 stores, leaves its place to it. */
static void gradients_take_the_place_of_what_ends_in_them(void **state) {
    (void)state;
    static const int64_t size[] = {8, 32};
    for (int i = 0; i < 4; i++) {
        const bool active = i % 2 == 1, skip = i / 2 == 1;
        lowering l;
        start(&l, 2, size);
        rig *r = &l.r;
        r->in_parts = true;
        const int map[] = {rig_leaf(r, MPNO_EDGE_FIELD, RIG_INPUTS),
                           rig_weight(r, 1, RIG_INPUTS, RIG_INPUTS, false)};
        const int hidden = rig_add(r, &mpno_op_linear, 2, map);
        const int in[] = {hidden, rig_unary(r, &mpno_op_moments, hidden), -1, -1};
        int x = rig_add(r, &mpno_op_normalize, 4, in);
        if (active) x = rig_unary(r, &mpno_op_gelu, x);
        int y = rig_block(r, x, 0, skip ? 1 : 0);
        if (skip) {
            const int by[] = {x, rig_weight(r, 1, 1, RIG_INPUTS, false)};
            const int sum[] = {y, rig_add(r, &mpno_op_gate, 2, by)};
            y = rig_add(r, &mpno_op_add, 2, sum);
        }
        train(&l, y, -1);
        lower(&l, false);
        int gradient = -1;
        for (int n = 0; n < r->graph->n_nodes; n++)
            if (r->graph->nodes[n].op == &mpno_op_normalize_dx) gradient = r->graph->nodes[n].in[0];
        assert_true(gradient >= 0);
        assert_int_equal(stored(&l, gradient), active && skip);
        assert_int_equal(count_runs(&l, gradient), active && skip ? 1 : 2);
        check_sound(&l);
        finish(&l);
    }
}

/* Runs of r, r - 1 .. 1 layers are made again, one that is kept between two of them; those behind
 * the last one that is kept are not, nor is anything when none is. */
static void layers_are_made_again_in_shorter_and_shorter_runs(void **state) {
    (void)state;
    enum { LAYERS = 7 };
    static const int64_t size[] = {8, 9};
    static const char *const again[] = {"", "0", "013", "01245", "0123", "01234", "012345", ""};
    for (int run = 0; run <= LAYERS; run++) {
        lowering l;
        start(&l, 2, size);
        l.r.in_parts = true;
        l.run = run;
        int y = rig_leaf(&l.r, MPNO_EDGE_FIELD, RIG_INPUTS);
        for (int k = 0; k < LAYERS; k++) {
            const char name[] = {(char)('0' + k), '\0'};
            assert_int_equal(mpno_graph_layer(l.r.graph, name), MPNO_OK);
            y = rig_block(&l.r, y, 2, 1);
        }
        train(&l, y, -1);
        lower(&l, false);
        char found[LAYERS + 1] = "";
        for (int e = 0; e < l.r.graph->n_edges; e++) {
            const mpno_edge *edge = &l.r.graph->edges[e];
            if (strcmp(edge->name, "add again") != 0) continue;
            found[l.r.graph->layers[edge->layer][0] - '0']++;
        }
        for (int k = 0; k < LAYERS; k++)
            assert_int_equal(found[k], strchr(again[run], '0' + k) != NULL);
        check_sound(&l);
        finish(&l);
    }
}

static void failing_allocations(void **state) {
    (void)state;
    static const int64_t size[] = {8, 9};
    mpno_status status = MPNO_E_MEMORY;
    for (int n = 0; status != MPNO_OK; n++) {
        detour d;
        make_detour(&d, size);
        train(&d.l, d.y, -1);
        const mpno_lower_opts opts = {.requested = d.l.requested,
                                      .n_requested = d.l.n_requested,
                                      .unfused = n % 2 == 1,
                                      .policy = &full};
        const size_t before = mpno_ctx_bytes(ctx);
        mpno_alloc_fail_after(ctx, n / 2);
        status = mpno_lower(d.l.r.graph, &opts, &d.l.lowered);
        mpno_alloc_fail_after(ctx, -1);
        if (status != MPNO_OK) {
            assert_int_equal(status, MPNO_E_MEMORY);
            assert_null(d.l.lowered.steps);
            assert_int_equal(mpno_ctx_bytes(ctx), before);
        }
        finish(&d.l);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_lowering_is_sound, set_up, tear_down),
        cmocka_unit_test_setup_teardown(chains_become_programs, set_up, tear_down),
        cmocka_unit_test_setup_teardown(many_readers_one_store, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_nobody_asks_for_does_not_run, set_up, tear_down),
        cmocka_unit_test_setup_teardown(transforms_are_repeated_where_that_pays, set_up, tear_down),
        cmocka_unit_test_setup_teardown(gradients_take_the_place_of_what_ends_in_them, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(layers_are_made_again_in_shorter_and_shorter_runs, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(failing_allocations, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
