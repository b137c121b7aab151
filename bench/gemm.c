/* SPDX-License-Identifier: MIT
 * `mpno-bench gemm`: the matrix products of networks, as tile programs and contractions call them,
 * held to the definition and timed in turn with OpenBLAS and oneDNN where these were there at build
 * time. The definition: sums of more than f64, |computed - exact| <= (terms + 4) u sum |terms| +
 * 2^-100, u the unit roundoff of the sums (f32 in bf16 products); peers are held to it too. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "core/parallel.h"
#include "core/rng.h"
#include "gemm_peer.h"
#include "number/format.h"

enum { TABLE_ROWS = 1024, MODES = 144, MOST_SAMPLES = 4096, MOST_TERMS = 1 << 22, MAX_CASES = 24 };

typedef struct options {
    bench_common common;
    char *shape;
    int layout, format;
    int64_t modes;
} options;

static const mpno_field fields[] = {
    {"shape", MPNO_FIELD_TEXT, offsetof(options, shape), "null", "",
     "M x N x K as 4096x64x256; a table of the shapes of networks unless given"},
    {"layout", MPNO_FIELD_CHOICE, offsetof(options, layout), "nn", "nn|nt|tn|modes|modes-tn",
     "of a shape, see below"},
    {"format", MPNO_FIELD_CHOICE, offsetof(options, format), "f32", "f32|bf16|f64",
     "of the operands; bf16 has sums in f32"},
    {"modes", MPNO_FIELD_INT, offsetof(options, modes), "144", "[1,1000000]",
     "matrices of the layouts modes and modes-tn"},
    BENCH_COMMON(options, "rounds", "7"),
};

typedef struct kind {
    const char *what;
    gemm_layout layout;
    int64_t m, n, k; /* m: 0 for TABLE_ROWS */
} kind;

static const kind table[] = {
    {"skip of a block", GEMM_NN, 0, 64, 64},
    {"into 256 channels", GEMM_NN, 0, 256, 64},
    {"out of 256 channels", GEMM_NN, 0, 64, 256},
    {"lifting of 3 channels", GEMM_NN, 0, 256, 3},
    {"projection to 1 channel", GEMM_NN, 0, 1, 256},
    {"24 channels", GEMM_NN, 0, 24, 24},
    {"32 channels", GEMM_NN, 0, 32, 32},
    {"gradient of a weight", GEMM_TN, 0, 64, 64},
    {"contraction", GEMM_MODES, 8, 64, 64},
    {"its gradient of weights", GEMM_MODES_TN, 8, 64, 64},
};
enum { N_TABLE = sizeof table / sizeof table[0] };
static const char *const layouts[] = {"nn", "nt", "tn", "modes", "modes-tn"};

/* The graph of one contraction: operands and result as edges. */
typedef struct contraction {
    mpno_edge edges[3];
    mpno_weight weight;
    mpno_node node;
    mpno_graph graph;
    mpno_op_call call;
    int32_t *mode_rows;
} contraction;

typedef struct job {
    mpno_ctx *ctx;
    gemm_problem p;
    const mpno_kernels *kernels;
    const mpno_bf16_kernels *products; /* bf16 */
    size_t element;
    char *a, *b, *c;
    void *packed, *scratch;
    contraction of;
    gemm_blas *blas;
    gemm_dnnl *dnnl;
} job;

typedef struct outcome {
    const char *what;
    gemm_problem p;
    double flops, seconds, openblas, onednn; /* seconds; 0: not there */
} outcome;

typedef struct report {
    const options *o;
    mpno_ctx *ctx;
    outcome cases[MAX_CASES];
    int n;
    int64_t verified;
} report;

/* ---- operands ---- */

int64_t gemm_count_a(const gemm_problem *p) {
    return p->m * p->k * (p->layout >= GEMM_MODES ? 2 * p->modes : 1);
}

int64_t gemm_count_b(const gemm_problem *p) {
    switch (p->layout) {
        case GEMM_NN:
        case GEMM_NT:
            return p->k * p->n;
        case GEMM_TN:
            return p->m * p->n;
        case GEMM_MODES:
            return 2 * p->modes * p->k * p->n;
        case GEMM_MODES_TN:
            return 2 * p->modes * p->m * p->n;
    }
    return 0;
}

int64_t gemm_count_c(const gemm_problem *p) {
    switch (p->layout) {
        case GEMM_NN:
        case GEMM_NT:
            return p->m * p->n;
        case GEMM_TN:
            return p->threads * p->k * p->n;
        case GEMM_MODES:
            return 2 * p->modes * p->m * p->n;
        case GEMM_MODES_TN:
            return 2 * p->modes * p->k * p->n;
    }
    return 0;
}

static mpno_status random_operand(const job *j, int64_t n, uint32_t which, char **out) {
    mpno_rng rng = mpno_rng_make(which, MPNO_STREAM_BENCH, 0);
    MPNO_TRY(mpno_alloc_array(j->ctx, (size_t)n, j->element, out));
    for (int64_t i = 0; i < n; i++) {
        double value = 2 * mpno_rng_uniform(&rng) - 1;
        uint16_t half;
        if (j->p.format == MPNO_BF16) {
            mpno_cast(&half, MPNO_BF16, &value, MPNO_F64, 1);
            mpno_cast(&value, MPNO_F64, &half, MPNO_BF16, 1);
        }
        mpno_cast(*out + (size_t)i * j->element, j->kernels->arithmetic, &value, MPNO_F64, 1);
    }
    return MPNO_OK;
}

/* Weights are packed once, as in a tile program. */
static mpno_status pack(job *j) {
    const gemm_problem *p = &j->p;
    const char *b = j->b;
    char *turned = NULL;
    if (p->layout == GEMM_NT) {
        MPNO_TRY(mpno_alloc_array(j->ctx, (size_t)(p->k * p->n), j->element, &turned));
        for (int64_t i = 0; i < p->n * p->k; i++)
            memcpy(turned + (size_t)(i % p->k * p->n + i / p->k) * j->element,
                   j->b + (size_t)i * j->element, j->element);
        b = turned;
    }
    const size_t bytes = j->products != NULL ? mpno_bf16_packed_bytes(p->n, p->k)
                                             : mpno_packed_count(p->n, p->k) * j->element;
    const mpno_status status = mpno_alloc_raw(j->ctx, bytes, &j->packed);
    if (status == MPNO_OK && j->products != NULL)
        j->products->pack(j->packed, p->n, p->k, (const float *)(const void *)b, p->n);
    else if (status == MPNO_OK)
        j->kernels->pack(j->packed, p->n, p->k, b, p->n);
    mpno_free(j->ctx, turned);
    return status;
}

/* ---- ours ---- */

/* Some rows: a tile at a time, as a tile program. */
static void run_part(void *argument, int64_t part, int thread) {
    const job *j = argument;
    const gemm_problem *p = &j->p;
    const int64_t last = gemm_part(p, (int)part + 1), n = p->n, k = p->k;
    (void)thread;
    for (int64_t at = gemm_part(p, (int)part); at < last; at += MPNO_TILE_ROWS) {
        const int64_t rows = last - at < MPNO_TILE_ROWS ? last - at : MPNO_TILE_ROWS;
        void *a = j->a + (size_t)(at * k) * j->element;
        if (p->layout == GEMM_TN) {
            void *b = j->b + (size_t)(at * n) * j->element;
            void *c = j->c + (size_t)(part * k * n) * j->element;
            if (j->products != NULL)
                j->products->gemm_tn(rows, n, k, a, k, b, n, c, n);
            else
                j->kernels->gemm_tn(rows, n, k, a, k, b, n, c, n);
        } else {
            void *c = j->c + (size_t)(at * n) * j->element;
            if (j->products != NULL)
                j->products->gemm(rows, n, k, a, k, j->packed, NULL, c, n);
            else
                j->kernels->gemm_packed(rows, n, k, a, k, j->packed, NULL, c, n);
        }
    }
}

static void run_rows(void *argument) {
    const job *j = argument;
    mpno_parallel(j->p.threads, j->p.threads, run_part, argument);
}

static void run_modes(void *argument) {
    job *j = argument;
    j->of.node.op->forward(&j->of.call);
}

/* The op of the graph itself. */
static mpno_status contract(job *j) {
    const gemm_problem *p = &j->p;
    contraction *of = &j->of;
    const bool back = p->layout == GEMM_MODES_TN;
    const mpno_format t = j->kernels->arithmetic;
    const mpno_edge spectrum = {.kind = MPNO_EDGE_SPECTRUM, .modes = p->modes, .param = -1};
    const mpno_edge weight = {.kind = back ? MPNO_EDGE_PARAM_GRAD : MPNO_EDGE_PARAM};
    MPNO_TRY(mpno_alloc_array(j->ctx, (size_t)p->modes, sizeof(int32_t), &of->mode_rows));
    for (int64_t i = 0; i < p->modes; i++) of->mode_rows[i] = (int32_t)i;
    of->weight = (mpno_weight){p->modes, p->k, p->n, true, MPNO_ROLE_SPECTRUM};
    of->edges[0] = of->edges[1] = of->edges[2] = spectrum;
    of->edges[back ? 2 : 1] = weight;
    of->edges[0].channels = p->k;
    of->edges[back ? 1 : 2].channels = p->n;
    of->graph = (mpno_graph){
        .ctx = j->ctx, .edges = of->edges, .n_edges = 3, .weights = &of->weight, .n_weights = 1};
    of->node = (mpno_node){.op = back ? &mpno_op_contract_dw : &mpno_op_contract,
                           .attr = {.mode_rows = of->mode_rows},
                           .n_in = back ? 3 : 2,
                           .n_out = 1,
                           .in = {0, 1, 2},
                           .out = {2}};
    of->call = (mpno_op_call){.kernels = j->kernels,
                              .fields = mpno_field_kernels_get(t),
                              .graph = &of->graph,
                              .node = &of->node,
                              .batch = p->m,
                              .n_threads = p->threads,
                              .in = {{j->a, t, p->k, NULL}, {j->b, t, p->n, NULL}},
                              .out = {{j->c, t, p->n, NULL}}};
    const size_t bytes = of->node.op->scratch(&of->graph, &of->node, p->m, j->element, p->threads);
    MPNO_TRY(mpno_alloc_raw(j->ctx, bytes, &j->scratch));
    of->call.scratch = j->scratch;
    return MPNO_OK;
}

static mpno_status make(job *j) {
    gemm_problem *p = &j->p;
    const mpno_format t = p->format == MPNO_F64 ? MPNO_F64 : MPNO_F32;
    j->kernels = mpno_kernels_get(j->ctx->isa, t);
    if (p->format == MPNO_BF16) j->products = mpno_bf16_kernels_get(j->ctx->isa);
    j->element = mpno_format_bytes(t);
    MPNO_TRY(random_operand(j, gemm_count_a(p), 1, &j->a));
    MPNO_TRY(random_operand(j, gemm_count_b(p), 2, &j->b));
    MPNO_TRY(mpno_alloc_array(j->ctx, (size_t)gemm_count_c(p), j->element, &j->c));
    p->a = j->a, p->b = j->b;
    if (p->layout >= GEMM_MODES) MPNO_TRY(contract(j));
    if (p->layout <= GEMM_NT) MPNO_TRY(pack(j));
    MPNO_TRY(gemm_blas_create(j->ctx, p, &j->blas));
    return gemm_dnnl_create(j->ctx, p, &j->dnnl);
}

static void destroy(job *j) {
    void *all[] = {j->a, j->b, j->c, j->packed, j->scratch, j->of.mode_rows};
    gemm_blas_destroy(j->ctx, &j->blas);
    gemm_dnnl_destroy(j->ctx, &j->dnnl);
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) mpno_free(j->ctx, all[i]);
}

/* ---- held to the definition ---- */

static long double value(const job *j, const char *data, int64_t i) {
    double x;
    mpno_cast(&x, MPNO_F64, data + (size_t)i * j->element, j->kernels->arithmetic, 1);
    return x;
}

/* Numbers of the result without the parts of threads, and terms of each. */
static int64_t n_results(const gemm_problem *p) {
    return p->layout == GEMM_TN ? p->k * p->n : gemm_count_c(p);
}
static int64_t n_terms(const gemm_problem *p) {
    const int64_t terms = p->layout == GEMM_TN || p->layout == GEMM_MODES_TN ? p->m : p->k;
    return p->layout >= GEMM_MODES ? 2 * terms : terms;
}

/* Term t of result i: which numbers of A and B are multiplied; false: and subtracted. */
static bool term(const gemm_problem *p, int64_t i, int64_t t, int64_t *a, int64_t *b) {
    const int64_t m = p->m, n = p->n, k = p->k, col = i % n, row = i / n;
    const int64_t plane = t % 2; /* complex: of A */
    *a = *b = 0;
    switch (p->layout) {
        case GEMM_NN:
        case GEMM_NT:
            *a = row * k + t;
            *b = p->layout == GEMM_NN ? t * n + col : col * k + t;
            return true;
        case GEMM_TN:
            *a = t * k + row;
            *b = t * n + col;
            return true;
        case GEMM_MODES: { /* row: (mode, sample, plane of C) */
            const int64_t to = row % 2, mode = row / 2 / m;
            *a = (row / 2 * 2 + plane) * k + t / 2;
            *b = ((mode * 2 + (plane ^ to)) * k + t / 2) * n + col;
            return plane == 0 || to == 1;
        }
        case GEMM_MODES_TN: { /* row: (mode, plane of C, row) */
            const int64_t to = row / k % 2, mode = row / k / 2, sample = mode * m + t / 2;
            *a = (sample * 2 + plane) * k + row % k;
            *b = (sample * 2 + (plane ^ to)) * n + col;
            return plane == 0 || to == 0;
        }
    }
    return false;
}

static mpno_status hold(const job *j, const char *c, const char *who, int64_t *verified) {
    const gemm_problem *p = &j->p;
    const int64_t n = n_results(p), terms = n_terms(p);
    const int64_t most = MOST_TERMS / terms < MOST_SAMPLES ? MOST_TERMS / terms : MOST_SAMPLES;
    const long double u = mpno_format_unit(j->kernels->arithmetic);
    const int parts = p->layout == GEMM_TN ? p->threads : 1;
    mpno_rng rng = mpno_rng_make(3, MPNO_STREAM_BENCH, 0);
    for (int64_t s = 0; s < (n < most ? n : most); s++, ++*verified) {
        const int64_t i = n <= most ? s : (int64_t)mpno_rng_below(&rng, (uint64_t)n);
        long double exact = 0, scale = 0, is = 0;
        for (int64_t t = 0, a, b; t < terms; t++) {
            const bool plus = term(p, i, t, &a, &b);
            const long double x = value(j, j->a, a) * value(j, j->b, b);
            exact += plus ? x : -x;
            scale += fabsl(x);
        }
        for (int part = 0; part < parts; part++) is += value(j, c, part * n + i);
        const long double bound = (long double)(terms + 4) * u * scale + 0x1p-100L;
        MPNO_CHECK(j->ctx, fabsl(is - exact) <= bound, MPNO_E_NUMERIC,
                   "%s, %s %lldx%lldx%lld: a value is %.9Lg, by the definition %.9Lg, and may "
                   "differ by %.2Lg",
                   who, layouts[p->layout], (long long)p->m, (long long)p->n, (long long)p->k, is,
                   exact, bound);
    }
    return MPNO_OK;
}

static mpno_status verify(job *j, void (*run)(void *), int64_t *verified) {
    char *c;
    run(j);
    MPNO_TRY(hold(j, j->c, "mpno", verified));
    MPNO_TRY(mpno_alloc_array(j->ctx, (size_t)gemm_count_c(&j->p), j->element, &c));
    mpno_status status = MPNO_OK;
    int64_t peers = 0;
    if (j->blas != NULL) {
        gemm_blas_run(j->blas);
        gemm_blas_result(j->blas, c);
        status = hold(j, c, "OpenBLAS", &peers);
    }
    if (j->dnnl != NULL && status == MPNO_OK) {
        gemm_dnnl_run(j->dnnl);
        gemm_dnnl_result(j->dnnl, c);
        status = hold(j, c, "oneDNN", &peers);
    }
    mpno_free(j->ctx, c);
    return status;
}

/* ---- timed and told ---- */

static mpno_status race(job *j, void (*run)(void *), int rounds, outcome *to) {
    bench_runner runners[3] = {{"mpno", run, j, 0, 0}};
    int n = 1, blas = 0, dnnl = 0;
    if (j->blas != NULL) runners[blas = n++] = (bench_runner){"", gemm_blas_run, j->blas, 0, 0};
    if (j->dnnl != NULL) runners[dnnl = n++] = (bench_runner){"", gemm_dnnl_run, j->dnnl, 0, 0};
    MPNO_TRY(bench_race(j->ctx, runners, n, rounds));
    to->seconds = runners[0].seconds;
    to->openblas = blas > 0 ? runners[blas].seconds : 0;
    to->onednn = dnnl > 0 ? runners[dnnl].seconds : 0;
    return MPNO_OK;
}

static mpno_status measure(report *r, const kind *of, int64_t modes, int threads) {
    static const mpno_format formats[] = {MPNO_F32, MPNO_BF16, MPNO_F64};
    job j = {.ctx = r->ctx,
             .p = {.layout = of->layout,
                   .format = formats[r->o->format],
                   .m = of->m,
                   .n = of->n,
                   .k = of->k,
                   .modes = of->layout >= GEMM_MODES ? modes : 1,
                   .threads = threads}};
    outcome *to = &r->cases[r->n++];
    void (*run)(void *) = of->layout >= GEMM_MODES ? run_modes : run_rows;
    mpno_status status = make(&j);
    if (status == MPNO_OK) status = verify(&j, run, &r->verified);
    if (status == MPNO_OK) status = race(&j, run, (int)r->o->common.rounds, to);
    to->what = of->what;
    to->p = j.p;
    to->flops = (j.p.modes > 1 || of->layout >= GEMM_MODES ? 8.0 : 2.0) *
                (double)(j.p.modes * of->m * of->n * of->k);
    destroy(&j);
    return status;
}

static mpno_status parse_shape(const options *o, mpno_ctx *ctx, kind *to) {
    long long m = 0, n = 0, k = 0;
    char end = '\0';
    const int found = sscanf(o->shape, "%lldx%lldx%lld%c", &m, &n, &k, &end);
    const long long most = 1 << 24;
    MPNO_CHECK(ctx,
               found == 3 && m >= 1 && n >= 1 && k >= 1 && m <= most && n <= most && k <= most &&
                   (double)m * (double)n < 0x1p32 && (double)n * (double)k < 0x1p32 &&
                   (double)m * (double)k < 0x1p32,
               MPNO_E_ARGUMENT, "shape: \"%s\" is none; expected MxNxK as 4096x64x256", o->shape);
    *to = (kind){"", (gemm_layout)o->layout, m, n, k};
    return MPNO_OK;
}

static mpno_status measure_all(report *r) {
    const options *o = r->o;
    const int threads = mpno_ctx_n_threads(r->ctx);
    kind one = {0};
    MPNO_CHECK(r->ctx, o->format != 1 || o->layout < (int)GEMM_MODES, MPNO_E_ARGUMENT,
               "layout: contractions multiply f32 or f64, not bf16; choose nn, nt or tn");
    if (o->shape != NULL) MPNO_TRY(parse_shape(o, r->ctx, &one));
    for (int of = threads > 1 ? 0 : 1; of < 2; of++)
        for (int i = 0; i < (o->shape != NULL ? 1 : N_TABLE); i++) {
            kind at = o->shape != NULL ? one : table[i];
            if (at.m == 0) at.m = TABLE_ROWS;
            if (o->format == 1 && at.layout >= GEMM_MODES) continue;
            MPNO_TRY(measure(r, &at, o->shape != NULL ? o->modes : MODES, of == 0 ? 1 : threads));
        }
    return MPNO_OK;
}

static mpno_status put(mpno_ctx *ctx, const void *what, mpno_value *map) {
    const report *r = what;
    static const char *const formats[] = {"f32", "bf16", "f64"};
    mpno_value *list, *row;
    MPNO_TRY(mpno_value_set_string(ctx, map, "isa", mpno_ctx_isa(ctx)));
    MPNO_TRY(mpno_value_set_string(ctx, map, "format", formats[r->o->format]));
    MPNO_TRY(mpno_value_set_int(ctx, map, "verified", r->verified));
    MPNO_TRY(mpno_value_list(ctx, &list));
    MPNO_TRY(mpno_value_set(ctx, map, "products", list));
    for (int i = 0; i < r->n; i++) {
        const outcome *c = &r->cases[i];
        const struct {
            const char *key;
            int64_t value;
        } sizes[] = {{"m", c->p.m},
                     {"n", c->p.n},
                     {"k", c->p.k},
                     {"modes", c->p.modes},
                     {"threads", c->p.threads}};
        MPNO_TRY(mpno_value_map(ctx, &row));
        MPNO_TRY(mpno_value_append(ctx, list, row));
        MPNO_TRY(mpno_value_set_string(ctx, row, "layout", layouts[c->p.layout]));
        for (size_t k = 0; k < sizeof sizes / sizeof sizes[0]; k++)
            MPNO_TRY(mpno_value_set_int(ctx, row, sizes[k].key, sizes[k].value));
        MPNO_TRY(mpno_value_set_real(ctx, row, "flops", c->flops));
        MPNO_TRY(mpno_value_set_real(ctx, row, "seconds", c->seconds));
        if (c->openblas > 0) MPNO_TRY(mpno_value_set_real(ctx, row, "openblas_s", c->openblas));
        if (c->onednn > 0) MPNO_TRY(mpno_value_set_real(ctx, row, "onednn_s", c->onednn));
    }
    return MPNO_OK;
}

/* Time of a peer over ours. */
static mpno_status peer_cells(mpno_table *to, const outcome *c, double seconds) {
    if (seconds <= 0) {
        MPNO_TRY(mpno_table_cell(to, "-"));
        return mpno_table_cell(to, "-");
    }
    MPNO_TRY(mpno_table_cell(to, "%.1f", 1e-9 * c->flops / seconds));
    return mpno_table_cell(to, "%.2f", seconds / c->seconds);
}

static mpno_status fill_table(const void *what, mpno_table *to) {
    const report *r = what;
    static const char *const headings[] = {"<product",  "<layout", ">shape",  ">threads", ">GF/s",
                                           ">OpenBLAS", ">times",  ">oneDNN", ">times"};
    MPNO_TRY(bench_columns(to, headings, sizeof headings / sizeof headings[0]));
    for (int i = 0; i < r->n; i++) {
        const outcome *c = &r->cases[i];
        MPNO_TRY(mpno_table_cell(to, "%s", c->what));
        MPNO_TRY(mpno_table_cell(to, "%s", layouts[c->p.layout]));
        MPNO_TRY(mpno_table_cell(to, "%lldx%lldx%lld", (long long)c->p.m, (long long)c->p.n,
                                 (long long)c->p.k));
        MPNO_TRY(mpno_table_cell(to, "%d", c->p.threads));
        MPNO_TRY(mpno_table_cell(to, "%.1f", 1e-9 * c->flops / c->seconds));
        MPNO_TRY(peer_cells(to, c, c->openblas));
        MPNO_TRY(peer_cells(to, c, c->onednn));
    }
    return MPNO_OK;
}

static mpno_status print(const report *r) {
    static const char *const formats[] = {"f32", "bf16 with sums in f32", "f64"};
    printf("%s, %s; %lld values as defined\n", formats[r->o->format], mpno_ctx_isa(r->ctx),
           (long long)r->verified);
    MPNO_TRY(bench_print_table(r->ctx, fill_table, r));
    printf("GF/s of ours and of the peers, and how many times the time of ours a peer takes.\n");
    return MPNO_OK;
}

static mpno_status run(mpno_ctx *ctx, void *argument) {
    report r = {.o = argument, .ctx = ctx};
    MPNO_TRY(measure_all(&r));
    return r.o->common.json ? bench_print_json(ctx, put, &r) : print(&r);
}

const bench_command bench_gemm = {
    .name = "gemm",
    .what = "SHAPE",
    .summary = "Checks and times the matrix products, beside OpenBLAS and oneDNN",
    .text =
        "SHAPE is MxNxK; without it, a table of the shapes of networks. Layouts:\n"
        "  nn        C[M][N] = A[M][K] B[K][N], B packed once; in tiles of 128 rows, as in tile\n"
        "            programs\n"
        "  nt        the same with B[N][K]\n"
        "  tn        C[K][N] += A[M][K]' B[M][N]: the gradient of a weight\n"
        "  modes     for each mode, complex: C[M][N] = A[M][K] B[K][N]: the contraction\n"
        "  modes-tn  for each mode, complex: C[K][N] = A[M][K]^H B[M][N]\n"
        "With one thread, then with all of them. Peers take each thread's rows or modes in one "
        "call of\ntheir own, oneDNN with weights in the layout that it prefers.\n\n"
        "  mpno-bench gemm threads:1\n"
        "  mpno-bench gemm 8192x64x256 format:bf16\n",
    .fields = fields,
    .n_fields = BENCH_N_FIELDS(fields),
    .options_bytes = sizeof(options),
    .run = run,
};
