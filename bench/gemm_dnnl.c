/* SPDX-License-Identifier: MIT
 * oneDNN (2.x): its matmul, with weights in the layout that it prefers, brought there once.
 * Products of modes are batched; it has no complex ones: the rows of both planes are multiplied by
 * either plane of the weights, and the two results combined. */
#include "core/memory.h"
#include "core/parallel.h"
#include "gemm_peer.h"
#include "number/format.h"

#ifdef MPNO_BENCH_ONEDNN
#include <dnnl.h>
#include <omp.h>

/* One product, or one for each mode: C[rows][n] = A[rows][terms] B[terms][n]. */
typedef struct product {
    dnnl_primitive_t matmul;
    dnnl_memory_t a, b, c;
} product;

typedef struct part {
    dnnl_stream_t stream;
    product products[2]; /* complex: by the real and the imaginary plane */
} part;

struct gemm_dnnl {
    gemm_problem p;
    dnnl_engine_t engine;
    part *parts;       /* one a thread */
    char *a, *b;       /* in the format */
    float *turned;     /* MODES_TN: (im, -re) of B */
    float *c, *planes; /* planes: by either plane of the weights */
};

static bool is_complex(const gemm_problem *p) {
    return p->layout >= GEMM_MODES;
}

/* Sizes of one product of a part; batch: modes. */
typedef struct sizes {
    int64_t batch, rows, terms, n;
} sizes;

static sizes sizes_of(const gemm_problem *p, int t) {
    const int64_t own = gemm_part(p, t + 1) - gemm_part(p, t);
    if (p->layout == GEMM_MODES) return (sizes){own, 2 * p->m, p->k, p->n};
    if (p->layout == GEMM_MODES_TN) return (sizes){own, p->k, 2 * p->m, p->n};
    if (p->layout == GEMM_TN) return (sizes){1, p->k, own, p->n};
    return (sizes){1, own, p->k, p->n};
}

/* [batch][rows][cols], turned: stored as [cols][rows] */
static bool describe(dnnl_memory_desc_t *md, int64_t batch, int64_t rows, int64_t cols,
                     int64_t between, bool turned, dnnl_data_type_t type) {
    const dnnl_dims_t dims = {batch, rows, cols},
                      strides = {between, turned ? 1 : cols, turned ? rows : 1};
    return dnnl_memory_desc_init_by_strides(md, 3, dims, type, strides) == dnnl_success;
}

/* Brings B to the layout that the product prefers. */
static bool bring(gemm_dnnl *s, part *own, product *to, const dnnl_memory_desc_t *from,
                  const dnnl_memory_desc_t *wanted, void *b) {
    dnnl_primitive_desc_t pd = NULL;
    dnnl_primitive_t reorder = NULL;
    dnnl_memory_t memory = NULL;
    bool ok = dnnl_memory_create(&memory, from, s->engine, b) == dnnl_success &&
              dnnl_memory_create(&to->b, wanted, s->engine, DNNL_MEMORY_ALLOCATE) == dnnl_success &&
              dnnl_reorder_primitive_desc_create(&pd, from, s->engine, wanted, s->engine, NULL) ==
                  dnnl_success &&
              dnnl_primitive_create(&reorder, pd) == dnnl_success;
    const dnnl_exec_arg_t args[] = {{DNNL_ARG_FROM, memory}, {DNNL_ARG_TO, to->b}};
    ok = ok && dnnl_primitive_execute(reorder, own->stream, 2, args) == dnnl_success &&
         dnnl_stream_wait(own->stream) == dnnl_success;
    dnnl_primitive_destroy(reorder);
    dnnl_primitive_desc_destroy(pd);
    dnnl_memory_destroy(memory);
    return ok;
}

/* a, b, c: of this part; b_between: from one mode's B to the next. */
static bool make_product(gemm_dnnl *s, int t, product *to, void *a, void *b, int64_t b_between,
                         void *c) {
    const gemm_problem *p = &s->p;
    const sizes z = sizes_of(p, t);
    const bool back = p->layout == GEMM_TN || p->layout == GEMM_MODES_TN;
    const dnnl_data_type_t type = p->format == MPNO_BF16 ? dnnl_bf16 : dnnl_f32;
    dnnl_memory_desc_t md_a, md_b = {0}, any, md_c;
    dnnl_matmul_desc_t desc;
    dnnl_primitive_desc_t pd = NULL;
    const dnnl_dims_t dims = {z.batch, z.terms, z.n};
    bool ok = describe(&md_a, z.batch, z.rows, z.terms, z.rows * z.terms, back, type) &&
              describe(&md_b, z.batch, z.terms, z.n, b_between, p->layout == GEMM_NT, type) &&
              describe(&md_c, z.batch, z.rows, z.n, z.rows * z.n, false, dnnl_f32);
    any = md_b;
    if (!back)
        ok = ok &&
             dnnl_memory_desc_init_by_tag(&any, 3, dims, type, dnnl_format_tag_any) == dnnl_success;
    ok = ok && dnnl_matmul_desc_init(&desc, &md_a, &any, NULL, &md_c) == dnnl_success &&
         dnnl_primitive_desc_create(&pd, &desc, NULL, s->engine, NULL) == dnnl_success &&
         dnnl_primitive_create(&to->matmul, pd) == dnnl_success &&
         dnnl_memory_create(&to->a, &md_a, s->engine, a) == dnnl_success &&
         dnnl_memory_create(&to->c, &md_c, s->engine, c) == dnnl_success;
    if (ok && back)
        ok = dnnl_memory_create(&to->b, &md_b, s->engine, b) == dnnl_success;
    else if (ok)
        ok = bring(s, &s->parts[t], to, &md_b,
                   dnnl_primitive_desc_query_md(pd, dnnl_query_weights_md, 0), b);
    dnnl_primitive_desc_destroy(pd);
    return ok;
}

static bool make_part(gemm_dnnl *s, int t) {
    const gemm_problem *p = &s->p;
    part *own = &s->parts[t];
    const size_t element = mpno_format_bytes(p->format);
    const int64_t first = gemm_part(p, t), kn = p->k * p->n;
    if (dnnl_stream_create(&own->stream, s->engine, dnnl_stream_default_flags) != dnnl_success)
        return false;
    if (p->layout == GEMM_MODES) {
        char *a = s->a + (size_t)(first * 2 * p->m * p->k) * element;
        char *b = s->b + (size_t)(first * 2 * kn) * element;
        float *c = s->planes + first * 2 * p->m * p->n, *other = c + gemm_count_c(p);
        return make_product(s, t, &own->products[0], a, b, 2 * kn, c) &&
               make_product(s, t, &own->products[1], a, b + (size_t)kn * element, 2 * kn, other);
    }
    if (p->layout == GEMM_MODES_TN) {
        char *a = s->a + (size_t)(first * 2 * p->m * p->k) * element;
        const int64_t b = first * 2 * p->m * p->n, between = 2 * p->m * p->n;
        float *c = s->planes + first * kn, *other = c + p->modes * kn;
        return make_product(s, t, &own->products[0], a, s->b + (size_t)b * element, between, c) &&
               make_product(s, t, &own->products[1], a, s->turned + b, between, other);
    }
    char *a = s->a + (size_t)(first * p->k) * element, *b = s->b;
    float *c = s->c + first * p->n;
    if (p->layout == GEMM_TN) b += (size_t)(first * p->n) * element, c = s->c + t * kn;
    return make_product(s, t, &own->products[0], a, b, kn, c);
}

static mpno_status make(mpno_ctx *ctx, gemm_dnnl *s) {
    const gemm_problem *p = &s->p;
    const size_t n_a = (size_t)gemm_count_a(p), n_b = (size_t)gemm_count_b(p),
                 n_c = (size_t)gemm_count_c(p), element = mpno_format_bytes(p->format);
    MPNO_TRY(mpno_alloc_array(ctx, n_a, element, &s->a));
    MPNO_TRY(mpno_alloc_array(ctx, n_b, element, &s->b));
    MPNO_TRY(mpno_alloc_array(ctx, n_c, sizeof(float), &s->c));
    MPNO_TRY(mpno_alloc_array(ctx, (size_t)p->threads, sizeof *s->parts, &s->parts));
    if (is_complex(p)) MPNO_TRY(mpno_alloc_array(ctx, 2 * n_c, sizeof(float), &s->planes));
    if (p->layout == GEMM_MODES_TN) MPNO_TRY(mpno_alloc_array(ctx, n_b, sizeof(float), &s->turned));
    mpno_cast(s->a, p->format, p->a, MPNO_F32, n_a);
    mpno_cast(s->b, p->format, p->b, MPNO_F32, n_b);
    bool ok = dnnl_engine_create(&s->engine, dnnl_cpu, 0) == dnnl_success;
    for (int t = 0; t < p->threads && ok; t++) ok = make_part(s, t);
    MPNO_CHECK(ctx, ok, MPNO_E_ARGUMENT, "oneDNN has no product of this shape and format");
    return MPNO_OK;
}

mpno_status gemm_dnnl_create(mpno_ctx *ctx, const gemm_problem *problem, gemm_dnnl **out) {
    gemm_dnnl *s;
    *out = NULL;
    if (problem->format == MPNO_F64) return MPNO_OK;
    omp_set_num_threads(1);
    MPNO_TRY(mpno_alloc(ctx, sizeof *s, &s));
    s->p = *problem;
    const mpno_status status = make(ctx, s);
    if (status != MPNO_OK) gemm_dnnl_destroy(ctx, &s);
    *out = s;
    return status;
}

void gemm_dnnl_destroy(mpno_ctx *ctx, gemm_dnnl **dnnl) {
    gemm_dnnl *s = *dnnl;
    if (s == NULL) return;
    for (int t = 0; t < s->p.threads && s->parts != NULL; t++) {
        for (int i = 0; i < 2; i++) {
            product *of = &s->parts[t].products[i];
            dnnl_primitive_destroy(of->matmul);
            dnnl_memory_destroy(of->a);
            dnnl_memory_destroy(of->b);
            dnnl_memory_destroy(of->c);
        }
        dnnl_stream_destroy(s->parts[t].stream);
    }
    dnnl_engine_destroy(s->engine);
    void *all[] = {s->parts, s->a, s->b, s->turned, s->c, s->planes};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) mpno_free(ctx, all[i]);
    mpno_free(ctx, s);
    *dnnl = NULL;
}

static void turn(gemm_dnnl *s, int64_t first, int64_t last) {
    const int64_t n = s->p.n;
    const float *b = (const float *)(const void *)s->b;
    for (int64_t i = first * s->p.m; i < last * s->p.m; i++)
        for (int64_t j = 0; j < n; j++) {
            s->turned[2 * i * n + j] = b[(2 * i + 1) * n + j];
            s->turned[(2 * i + 1) * n + j] = -b[2 * i * n + j];
        }
}

/* (A_re B_re - A_im B_im, A_re B_im + A_im B_re) */
static void combine(gemm_dnnl *s, int64_t first, int64_t last) {
    const int64_t n = s->p.n;
    const float *by_re = s->planes, *by_im = by_re + gemm_count_c(&s->p);
    for (int64_t i = first * s->p.m; i < last * s->p.m; i++)
        for (int64_t j = 0; j < n; j++) {
            const int64_t re = 2 * i * n + j, im = re + n;
            s->c[re] = by_re[re] - by_im[im];
            s->c[im] = by_im[re] + by_re[im];
        }
}

static void run_part(void *argument, int64_t index, int thread) {
    gemm_dnnl *s = argument;
    const part *own = &s->parts[index];
    const int64_t first = gemm_part(&s->p, (int)index), last = gemm_part(&s->p, (int)index + 1);
    (void)thread;
    if (s->p.layout == GEMM_MODES_TN) turn(s, first, last);
    for (int i = 0; i < 1 + is_complex(&s->p); i++) {
        const product *of = &own->products[i];
        const dnnl_exec_arg_t args[] = {
            {DNNL_ARG_SRC, of->a}, {DNNL_ARG_WEIGHTS, of->b}, {DNNL_ARG_DST, of->c}};
        dnnl_primitive_execute(of->matmul, own->stream, 3, args);
    }
    dnnl_stream_wait(own->stream);
    if (s->p.layout == GEMM_MODES) combine(s, first, last);
}

void gemm_dnnl_run(void *dnnl) {
    const gemm_dnnl *s = dnnl;
    mpno_parallel(s->p.threads, s->p.threads, run_part, dnnl);
}

void gemm_dnnl_result(const gemm_dnnl *s, void *c) {
    const gemm_problem *p = &s->p;
    const int64_t n = gemm_count_c(p), kn = p->k * p->n;
    float *out = c;
    for (int64_t i = 0; i < n; i++)
        out[i] = p->layout != GEMM_MODES_TN
                     ? s->c[i]
                     : s->planes[i / kn % 2 * (p->modes * kn) + i / (2 * kn) * kn + i % kn];
}

#else

mpno_status gemm_dnnl_create(mpno_ctx *ctx, const gemm_problem *problem, gemm_dnnl **out) {
    (void)ctx, (void)problem;
    *out = NULL;
    return MPNO_OK;
}

void gemm_dnnl_destroy(mpno_ctx *ctx, gemm_dnnl **dnnl) {
    (void)ctx, (void)dnnl;
}

void gemm_dnnl_run(void *dnnl) {
    (void)dnnl;
}

void gemm_dnnl_result(const gemm_dnnl *dnnl, void *c) {
    (void)dnnl, (void)c;
}

#endif
