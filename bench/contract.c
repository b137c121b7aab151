/* SPDX-License-Identifier: MIT
 * `mpno-bench contract`: orders in which several tensors are multiplied. Of one spectral
 * convolution with CP weights: what the planner finds for each of its goals, the data first, and
 * the paper's options A, B and C (arXiv 2307.15034, section 4). With --paths: the planner's orders
 * beside those of opt_einsum, shape by shape. Elements of every result are held to the definition,
 * a sum over all indices at once in f64, within the bound of the order that made them; as many as
 * have 1e8 terms together, and none of a result whose elements have more. */
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "core/parallel.h"
#include "core/rng.h"
#include "transform/contract/contraction.h"

enum { OPERANDS = MPNO_CONTRACT_OPERANDS, LABELS = MPNO_CONTRACT_LABELS, ORDERS = 7, SAMPLES = 32 };
static const double most_terms = 1e8; /* of the definition */

typedef struct options {
    bench_common common;
    int64_t batch, channels, modes, rank;
    char *paths;
} options;

static const mpno_field fields[] = {
    {"batch", MPNO_FIELD_INT, offsetof(options, batch), "8", "[1,4096]", "samples"},
    {"channels", MPNO_FIELD_INT, offsetof(options, channels), "16", "[1,4096]",
     "channels in and out"},
    {"modes", MPNO_FIELD_INT, offsetof(options, modes), "16", "[2,4096]",
     "along an axis; the last one has half of them and one"},
    {"rank", MPNO_FIELD_INT, offsetof(options, rank), "96", "[1,100000]", "of the CP weight"},
    {"paths", MPNO_FIELD_TEXT, offsetof(options, paths), "null", "",
     "file of shapes and paths of opt_einsum (tests/data/contraction_paths.txt)"},
    BENCH_COMMON(options, "rounds", "5"),
};

/* One way to make the result of a problem. */
typedef struct order {
    const char *name;
    mpno_contract_path path; /* n_steps 0: one sum over all indices */
    mpno_contract_cost cost;
    double scratch_bytes, seconds, error; /* error: as cost.error, the largest seen */
    int64_t checked;                      /* elements */
} order;

/* A problem and the ways that are compared. */
typedef struct shape {
    char text[160]; /* the equation */
    mpno_contract_problem problem;
    order orders[ORDERS];
    int n;
} shape;

typedef struct tensor {
    float *data; /* two planes */
    mpno_contract_view view;
    int64_t count;
} tensor;

/* Indices that are summed, the fastest first. */
typedef struct summed {
    int n;
    int label[LABELS];
    double terms;
} summed;

typedef struct work {
    mpno_ctx *ctx;
    const mpno_contract_problem *problem;
    const char *text;
    tensor tensors[OPERANDS + 1]; /* the last one used: the result */
    summed summed;
} work;

/* ---- data ---- */

static uint32_t labels_of(const work *w, int i) {
    return i < w->problem->n_operands ? w->problem->operand[i] : w->problem->output;
}

static mpno_status make_tensors(work *w) {
    mpno_rng rng = mpno_rng_make(0, MPNO_STREAM_BENCH, 0);
    for (int i = 0; i <= w->problem->n_operands; i++) {
        tensor *t = &w->tensors[i];
        t->count = 1;
        for (int l = LABELS - 1; l >= 0; l--)
            if (labels_of(w, i) >> l & 1) {
                t->view.stride[l] = t->count;
                t->count *= w->problem->size[l];
            }
        t->view.plane = t->count;
        MPNO_TRY(mpno_alloc_array(w->ctx, 2 * (size_t)t->count, sizeof *t->data, &t->data));
        for (int64_t k = 0; k < 2 * t->count; k++) t->data[k] = (float)mpno_rng_normal(&rng);
    }
    return MPNO_OK;
}

static void free_tensors(work *w) {
    for (int i = 0; i <= OPERANDS; i++) mpno_free(w->ctx, w->tensors[i].data);
}

/* ---- one sum over all indices ---- */

static summed summed_of(const mpno_contract_problem *p) {
    summed s = {.terms = 1};
    for (int l = LABELS - 1; l >= 0; l--) {
        if (p->size[l] == 0 || p->output >> l & 1) continue;
        s.label[s.n++] = l;
        s.terms *= (double)p->size[l];
    }
    return s;
}

/* Where element `index` of the result begins to read in each operand. */
static void first_places(const work *w, int64_t index, int64_t *at) {
    const mpno_contract_problem *p = w->problem;
    const int64_t *stride = w->tensors[p->n_operands].view.stride;
    for (int i = 0; i < p->n_operands; i++) at[i] = 0;
    for (int l = 0; l < LABELS; l++)
        if (p->output >> l & 1)
            for (int i = 0; i < p->n_operands; i++)
                at[i] += index / stride[l] % p->size[l] * w->tensors[i].view.stride[l];
}

/* Goes to the next term; false: that was the last one. */
static bool next_term(const work *w, int64_t *index, int64_t *at) {
    const summed *s = &w->summed;
    for (int k = 0; k < s->n; k++) {
        const int l = s->label[k];
        const bool more = ++index[k] < w->problem->size[l];
        for (int i = 0; i < w->problem->n_operands; i++)
            at[i] += (more ? 1 : 1 - index[k]) * w->tensors[i].view.stride[l];
        if (more) return true;
        index[k] = 0;
    }
    return false;
}

/* Element `index` by the definition, and the sum of the magnitudes of its terms. */
static void define(const work *w, int64_t index, double value[2], double *size) {
    int64_t at[OPERANDS], k[LABELS] = {0};
    first_places(w, index, at);
    value[0] = value[1] = *size = 0;
    do {
        double re = 1, im = 0, magnitude = 1;
        for (int i = 0; i < w->problem->n_operands; i++) {
            const tensor *t = &w->tensors[i];
            const double x = t->data[at[i]], y = t->data[at[i] + t->view.plane];
            const double r = re * x - im * y;
            im = re * y + im * x, re = r;
            magnitude *= fabs(x) + fabs(y);
        }
        value[0] += re, value[1] += im, *size += magnitude;
    } while (next_term(w, k, at));
}

/* The same in f32, for all elements: the paper's option A. */
static void naive_element(void *argument, int64_t index, int thread) {
    const work *w = argument;
    const tensor *out = &w->tensors[w->problem->n_operands];
    int64_t at[OPERANDS], k[LABELS] = {0};
    float sum[2] = {0, 0};
    (void)thread;
    first_places(w, index, at);
    do {
        float re = 1, im = 0;
        for (int i = 0; i < w->problem->n_operands; i++) {
            const tensor *t = &w->tensors[i];
            const float x = t->data[at[i]], y = t->data[at[i] + t->view.plane];
            const float r = re * x - im * y;
            im = re * y + im * x, re = r;
        }
        sum[0] += re, sum[1] += im;
    } while (next_term(w, k, at));
    out->data[index] = sum[0], out->data[index + out->view.plane] = sum[1];
}

/* ---- an order ---- */

typedef struct job {
    work *w;
    bool naive;
    mpno_contraction contraction;
    mpno_contract_run run;
    const void *operands[OPERANDS];
} job;

static void run_job(void *argument) {
    job *j = argument;
    const tensor *out = &j->w->tensors[j->w->problem->n_operands];
    if (j->naive) {
        mpno_parallel(j->w->ctx->n_threads, out->count, naive_element, j->w);
    } else {
        mpno_contraction_run(&j->contraction, &j->run, j->operands, out->data);
    }
}

static mpno_status make_job(work *w, order *o, job *j) {
    mpno_contract_view views[OPERANDS + 1];
    *j = (job){.w = w, .naive = o->path.n_steps == 0};
    for (int i = 0; i <= w->problem->n_operands; i++) {
        views[i] = w->tensors[i].view;
        if (i < w->problem->n_operands) j->operands[i] = w->tensors[i].data;
    }
    if (j->naive) { /* n - 1 products and one sum of complex numbers a term */
        const int n = w->problem->n_operands;
        const double out = (double)w->tensors[n].count;
        o->cost = (mpno_contract_cost){.flops = (6.0 * (n - 1) + 2) * w->summed.terms * out,
                                       .peak_bytes = 8 * out,
                                       .error = w->summed.terms + 3.0 * n};
        return MPNO_OK;
    }
    o->cost = mpno_contract_cost_of(w->problem, &o->path);
    MPNO_TRY(mpno_contraction_make(w->ctx, w->problem, &o->path, views, &j->contraction));
    const size_t bytes = mpno_contraction_scratch(&j->contraction, sizeof(float), false);
    o->scratch_bytes = (double)bytes;
    j->run = (mpno_contract_run){.kernels = mpno_kernels_get(w->ctx->isa, MPNO_F32),
                                 .fields = mpno_field_kernels_get(MPNO_F32),
                                 .n_threads = w->ctx->n_threads};
    return mpno_alloc_raw(w->ctx, bytes, &j->run.scratch);
}

static mpno_status verify(work *w, job *j, order *o) {
    const tensor *out = &w->tensors[w->problem->n_operands];
    const double most = floor(most_terms / w->summed.terms);
    const int64_t samples = most < SAMPLES ? (int64_t)most : SAMPLES;
    o->checked = samples;
    memset(out->data, 0, 2 * (size_t)out->count * sizeof *out->data);
    run_job(j);
    for (int64_t i = 0; i < samples; i++) {
        const int64_t index = i * out->count / samples;
        double value[2], size;
        define(w, index, value, &size);
        for (int plane = 0; plane < 2; plane++) {
            const double got = out->data[index + plane * out->view.plane];
            const double error = fabs(got - value[plane]) / (0x1p-24 * size);
            MPNO_CHECK(w->ctx, error <= o->cost.error, MPNO_E_NUMERIC,
                       "%s, %s: element %lld is %.9g and should be %.9g", w->text, o->name,
                       (long long)index, got, value[plane]);
            o->error = fmax(o->error, error);
        }
    }
    return MPNO_OK;
}

/* Times the first n orders of the shape. */
static mpno_status race(mpno_ctx *ctx, shape *of, int n, int rounds) {
    work w = {
        .ctx = ctx, .problem = &of->problem, .text = of->text, .summed = summed_of(&of->problem)};
    job jobs[ORDERS] = {{0}};
    bench_runner runners[ORDERS];
    mpno_status status = make_tensors(&w);
    for (int i = 0; i < n && status == MPNO_OK; i++) {
        status = make_job(&w, &of->orders[i], &jobs[i]);
        if (status == MPNO_OK) status = verify(&w, &jobs[i], &of->orders[i]);
        runners[i] = (bench_runner){of->orders[i].name, run_job, &jobs[i], 0, 0};
    }
    if (status == MPNO_OK) status = bench_race(ctx, runners, n, rounds);
    for (int i = 0; i < n; i++) {
        if (status == MPNO_OK) of->orders[i].seconds = runners[i].seconds;
        mpno_free(ctx, jobs[i].run.scratch);
    }
    free_tensors(&w);
    return status;
}

static mpno_status find(mpno_ctx *ctx, shape *of, int number, mpno_contract_goal goal) {
    return mpno_contract_find(ctx, &of->problem, goal, &of->orders[number].path);
}

static mpno_status put_shape(mpno_ctx *ctx, const shape *of, mpno_value *map) {
    mpno_value *list, *row;
    char text[800];
    MPNO_TRY(mpno_value_set_string(ctx, map, "equation", of->text));
    MPNO_TRY(mpno_value_list(ctx, &list));
    MPNO_TRY(mpno_value_set(ctx, map, "orders", list));
    for (const order *o = of->orders; o < of->orders + of->n; o++) {
        MPNO_TRY(mpno_value_map(ctx, &row));
        MPNO_TRY(mpno_value_append(ctx, list, row));
        MPNO_TRY(mpno_value_set_string(ctx, row, "order", o->name));
        if (o->path.n_steps > 0)
            MPNO_TRY(mpno_value_set_string(
                ctx, row, "path", mpno_contract_text(&of->problem, &o->path, text, sizeof text)));
        MPNO_TRY(mpno_value_set_real(ctx, row, "flops", o->cost.flops));
        MPNO_TRY(mpno_value_set_real(ctx, row, "peak_bytes", o->cost.peak_bytes));
        MPNO_TRY(mpno_value_set_real(ctx, row, "scratch_bytes", o->scratch_bytes));
        MPNO_TRY(mpno_value_set_real(ctx, row, "seconds", o->seconds));
        MPNO_TRY(mpno_value_set_int(ctx, row, "checked", o->checked));
        MPNO_TRY(mpno_value_set_real(ctx, row, "error_u", o->error));
        MPNO_TRY(mpno_value_set_real(ctx, row, "error_bound_u", o->cost.error));
    }
    return MPNO_OK;
}

static mpno_status put_machine(mpno_ctx *ctx, mpno_value *map) {
    MPNO_TRY(mpno_value_set_string(ctx, map, "isa", mpno_ctx_isa(ctx)));
    return mpno_value_set_int(ctx, map, "threads", mpno_ctx_n_threads(ctx));
}

/* ---- a convolution with CP weights ---- */

static void join(mpno_contract_path *path, int n_operands, const int (*steps)[2]) {
    for (path->n_steps = 0; path->n_steps < n_operands - 1; path->n_steps++) {
        path->step[path->n_steps].a = steps[path->n_steps][0];
        path->step[path->n_steps].b = steps[path->n_steps][1];
    }
}

/* a batch, b in, c and d modes, e rank, f out */
static void cp_problem(const options *o, shape *of) {
    const int64_t sizes[] = {o->batch,         o->channels, o->modes,
                             o->modes / 2 + 1, o->rank,     o->channels};
    enum { A = 1, B = 2, C = 4, D = 8, E = 16, F = 32 };
    of->problem = (mpno_contract_problem){.n_operands = 6,
                                          .operand = {A | B | C | D, E, B | E, F | E, C | E, D | E},
                                          .output = A | F | C | D,
                                          .element_bytes = 2 * sizeof(float)};
    memcpy(of->problem.size, sizes, sizeof sizes);
    snprintf(of->text, sizeof of->text, "abcd,e,be,fe,ce,de->afcd");
}

static mpno_status cp_orders(mpno_ctx *ctx, shape *of) {
    static const int data_first[][2] = {{0, 2}, {4, 5}, {7, 1}, {6, 8}, {9, 3}},
                     option_b[][2] = {{3, 1}, {5, 2}, {6, 4}, {8, 7}, {9, 0}},
                     option_c[][2] = {{4, 1}, {5, 2}, {6, 3}, {8, 7}, {9, 0}};
    static const char *const names[] = {
        "planned, operations", "planned, memory", "planned, error", "data first", "B", "C", "A"};
    of->n = ORDERS;
    for (int i = 0; i < ORDERS; i++) of->orders[i] = (order){.name = names[i]};
    for (int goal = 0; goal < MPNO_CONTRACT_GOALS; goal++)
        MPNO_TRY(find(ctx, of, goal, (mpno_contract_goal)goal));
    join(&of->orders[3].path, 6, data_first);
    join(&of->orders[4].path, 6, option_b);
    join(&of->orders[5].path, 6, option_c);
    return MPNO_OK;
}

static mpno_status put_cp(mpno_ctx *ctx, const void *what, mpno_value *map) {
    MPNO_TRY(put_machine(ctx, map));
    return put_shape(ctx, what, map);
}

static mpno_status fill_cp(const void *what, mpno_table *table) {
    static const char *const headings[] = {"<order", ">MFLOP",    ">results, MiB", ">ms",
                                           ">GF/s",  ">error, u", ">bound, u"};
    const shape *of = what;
    MPNO_TRY(bench_columns(table, headings, sizeof headings / sizeof headings[0]));
    for (const order *o = of->orders; o < of->orders + of->n; o++) {
        MPNO_TRY(mpno_table_cell(table, "%s", o->name));
        MPNO_TRY(mpno_table_cell(table, "%.4g", 1e-6 * o->cost.flops));
        MPNO_TRY(mpno_table_cell(table, "%.3g", o->cost.peak_bytes / 1048576));
        MPNO_TRY(mpno_table_cell(table, "%.4g", 1e3 * o->seconds));
        MPNO_TRY(mpno_table_cell(table, "%.1f", 1e-9 * o->cost.flops / o->seconds));
        MPNO_TRY(mpno_table_cell(table, "%.2f", o->error));
        MPNO_TRY(mpno_table_cell(table, "%.0f", o->cost.error));
    }
    return MPNO_OK;
}

static mpno_status run_cp(mpno_ctx *ctx, const options *o) {
    shape of = {.n = 0};
    cp_problem(o, &of);
    MPNO_TRY(cp_orders(ctx, &of));
    MPNO_TRY(race(ctx, &of, of.n, (int)o->common.rounds));
    if (o->common.json) return bench_print_json(ctx, put_cp, &of);
    printf(
        "%s: batch %lld, %lld channels, %lld x %lld modes, rank %lld, %s, %d threads, medians of "
        "%lld\n",
        of.text, (long long)o->batch, (long long)o->channels, (long long)o->modes,
        (long long)(o->modes / 2 + 1), (long long)o->rank, mpno_ctx_isa(ctx),
        mpno_ctx_n_threads(ctx), (long long)o->common.rounds);
    return bench_print_table(ctx, fill_cp, &of);
}

/* ---- shapes and paths of opt_einsum ---- */

enum { OURS, DEFAULT, TIMED, LEAST = TIMED, GREEDY, KINDS, MOST_SHAPES = 100 };

typedef struct shapes {
    shape *shape; /* MOST_SHAPES */
    int n;
} shapes;

static const char *read_labels(const char *at, uint32_t *labels) {
    for (*labels = 0; islower((unsigned char)*at); at++) *labels |= 1u << (*at - 'a');
    return at;
}

/* "a-b c-d ..", as many steps as the problem has, of tensors that are there; NULL: no path. */
static const char *read_path(const char *at, int n_operands, mpno_contract_path *path) {
    uint32_t there = (1u << n_operands) - 1;
    for (int s = 0; s < n_operands - 1; s++) {
        int a, b, length = 0;
        if (sscanf(at, " %d-%d%n", &a, &b, &length) != 2) return NULL;
        const int most = n_operands + s;
        if (a < 0 || b < 0 || a >= most || b >= most || a == b) return NULL;
        const uint32_t pair = 1u << a | 1u << b;
        if ((there & pair) != pair) return NULL;
        there = (there & ~pair) | 1u << most;
        path->step[path->n_steps].a = a, path->step[path->n_steps++].b = b;
        at += length;
    }
    return at;
}

/* "EQUATION;SIZES;PATH;PATH" (tests/data/make_contraction_paths.py); false: it is not. */
static bool read_line(const char *line, mpno_contract_problem *p, mpno_contract_path *theirs) {
    const char *at = line;
    uint32_t all = 0;
    *p = (mpno_contract_problem){.element_bytes = 2 * sizeof(float)};
    do {
        at = read_labels(at + (*at == ','), &p->operand[p->n_operands]);
        all |= p->operand[p->n_operands++];
    } while (*at == ',' && p->n_operands < OPERANDS);
    if (strncmp(at, "->", 2) != 0) return false;
    at = read_labels(at + 2, &p->output);
    for (int l = 0; *at == (l == 0 ? ';' : ',') && l < LABELS; l++) {
        char *end;
        p->size[l] = strtoll(at + 1, &end, 10);
        if (p->size[l] < 1 || p->size[l] > 1 << 20) return false;
        at = end;
    }
    for (int l = 0; l < LABELS; l++)
        if (all >> l & 1 && p->size[l] == 0) return false;
    for (int i = 0; i < 2 && at != NULL; i++) {
        theirs[i].n_steps = 0;
        at = *at == ';' ? read_path(at + 1, p->n_operands, &theirs[i]) : NULL;
    }
    return at != NULL;
}

static mpno_status run_shape(mpno_ctx *ctx, const options *o, const char *line, int number,
                             shape *of) {
    static const char *const names[KINDS] = {"ours", "default", "ours, memory", "greedy"};
    mpno_contract_path theirs[2];
    MPNO_CHECK(ctx, read_line(line, &of->problem, theirs), MPNO_E_FORMAT,
               "%s: line %d is not EQUATION;SIZES;PATH;PATH", o->paths, number);
    snprintf(of->text, sizeof of->text, "%.*s", (int)strcspn(line, ";"), line);
    of->n = KINDS;
    for (int i = 0; i < KINDS; i++) of->orders[i] = (order){.name = names[i]};
    MPNO_TRY(find(ctx, of, OURS, MPNO_CONTRACT_FLOPS));
    MPNO_TRY(find(ctx, of, LEAST, MPNO_CONTRACT_BYTES));
    of->orders[DEFAULT].path = theirs[0];
    of->orders[GREEDY].path = theirs[1];
    for (int i = TIMED; i < KINDS; i++)
        of->orders[i].cost = mpno_contract_cost_of(&of->problem, &of->orders[i].path);
    return race(ctx, of, TIMED, (int)o->common.rounds);
}

static double times(const shape *of) {
    return of->orders[OURS].seconds / of->orders[DEFAULT].seconds;
}

static mpno_status put_shapes(mpno_ctx *ctx, const void *what, mpno_value *map) {
    const shapes *all = what;
    mpno_value *list, *row;
    MPNO_TRY(put_machine(ctx, map));
    MPNO_TRY(mpno_value_list(ctx, &list));
    MPNO_TRY(mpno_value_set(ctx, map, "shapes", list));
    for (int i = 0; i < all->n; i++) {
        MPNO_TRY(mpno_value_map(ctx, &row));
        MPNO_TRY(mpno_value_append(ctx, list, row));
        MPNO_TRY(put_shape(ctx, &all->shape[i], row));
    }
    return MPNO_OK;
}

static mpno_status fill_shapes(const void *what, mpno_table *table) {
    static const char *const headings[] = {"<shape",   ">MFLOP",        ">default's",
                                           ">ms",      ">default's ms", ">times",
                                           ">checked", ">least, MiB",   ">greedy's MiB"};
    const shapes *all = what;
    MPNO_TRY(bench_columns(table, headings, sizeof headings / sizeof headings[0]));
    for (const shape *of = all->shape; of < all->shape + all->n; of++) {
        MPNO_TRY(mpno_table_cell(table, "%s", of->text));
        for (int k = OURS; k < TIMED; k++)
            MPNO_TRY(mpno_table_cell(table, "%.4g", 1e-6 * of->orders[k].cost.flops));
        for (int k = OURS; k < TIMED; k++)
            MPNO_TRY(mpno_table_cell(table, "%.4g", 1e3 * of->orders[k].seconds));
        MPNO_TRY(mpno_table_cell(table, "%.2f", times(of)));
        MPNO_TRY(mpno_table_cell(table, "%d", (int)of->orders[OURS].checked));
        for (int k = LEAST; k < KINDS; k++)
            MPNO_TRY(mpno_table_cell(table, "%.3g", of->orders[k].cost.peak_bytes / 1048576));
    }
    return MPNO_OK;
}

static mpno_status read_shapes(mpno_ctx *ctx, const options *o, FILE *file, shapes *all) {
    char line[1024];
    for (int number = 1; fgets(line, sizeof line, file) != NULL; number++) {
        if (line[0] == '#') continue;
        MPNO_CHECK(ctx, all->n < MOST_SHAPES, MPNO_E_FORMAT, "%s has more than %d shapes", o->paths,
                   MOST_SHAPES);
        MPNO_TRY(run_shape(ctx, o, line, number, &all->shape[all->n++]));
    }
    MPNO_CHECK(ctx, all->n > 0, MPNO_E_FORMAT, "%s has no shapes", o->paths);
    if (o->common.json) return bench_print_json(ctx, put_shapes, all);
    double ratios[MOST_SHAPES];
    for (int i = 0; i < all->n; i++) ratios[i] = times(&all->shape[i]);
    MPNO_TRY(bench_print_table(ctx, fill_shapes, all));
    const double median = bench_median(ratios, all->n); /* sorts */
    printf(
        "%d shapes: the planner's order takes %.2f to %.2f of the time of opt_einsum's default "
        "path, in the median %.2f; %s, %d threads, medians of %lld\n",
        all->n, ratios[0], ratios[all->n - 1], median, mpno_ctx_isa(ctx), mpno_ctx_n_threads(ctx),
        (long long)o->common.rounds);
    return MPNO_OK;
}

static mpno_status run_paths(mpno_ctx *ctx, const options *o) {
    shapes all = {0};
    FILE *file = fopen(o->paths, "r");
    MPNO_CHECK(ctx, file != NULL, MPNO_E_IO, "%s cannot be read", o->paths);
    mpno_status status = mpno_alloc_array(ctx, MOST_SHAPES, sizeof *all.shape, &all.shape);
    if (status == MPNO_OK) status = read_shapes(ctx, o, file, &all);
    mpno_free(ctx, all.shape);
    fclose(file);
    return status;
}

static mpno_status run(mpno_ctx *ctx, void *argument) {
    const options *o = argument;
    return o->paths != NULL ? run_paths(ctx, o) : run_cp(ctx, o);
}

const bench_command bench_contract = {
    .name = "contract",
    .what = "",
    .summary = "Checks and times orders of contraction, the paper's and opt_einsum's among them",
    .fields = fields,
    .n_fields = BENCH_N_FIELDS(fields),
    .options_bytes = sizeof(options),
    .run = run,
};
