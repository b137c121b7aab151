/* SPDX-License-Identifier: MIT
 * Decompositions of spectral weights, see decompose.h. Products of tensors are contractions
 * (transform/contract); labels of W are its dimensions, ranks follow. */
#include "model/decompose.h"

#include <math.h>
#include <string.h>

#include "core/memory.h"
#include "core/rng.h"
#include "transform/contract/contraction.h"

enum { RANK = MPNO_MAX_ORDER, OTHER = RANK + MPNO_MAX_RANKS, MOST_SWEEPS = 100 };
static const double least_gain = 1e-4;

/* ---- products ---- */

/* A tensor in C order: its labels, the outermost first. */
typedef struct dims {
    const double *data;
    int n, label[MPNO_MAX_ORDER + 2];
} dims;

static size_t count_of(const int64_t *size, const dims *d) {
    size_t n = 1;
    for (int i = 0; i < d->n; i++) n *= (size_t)size[d->label[i]];
    return n;
}

static mpno_contract_view view_of(const int64_t *size, const dims *d, uint32_t *labels) {
    mpno_contract_view view = {0};
    int64_t stride = 1;
    *labels = 0;
    for (int i = d->n - 1; i >= 0; i--) {
        view.stride[d->label[i]] = stride;
        stride *= size[d->label[i]];
        *labels |= 1u << d->label[i];
    }
    view.plane = stride;
    return view;
}

/* out = the product of the operands, summed over the labels that it lacks. */
static mpno_status contract(mpno_ctx *ctx, const int64_t *size, int n, const dims *operands,
                            const dims *like, double *out) {
    mpno_contract_problem problem = {.n_operands = n, .element_bytes = 2 * sizeof *out};
    mpno_contract_view views[MPNO_MAX_FACTORS + 2];
    const void *data[MPNO_MAX_FACTORS + 1];
    mpno_contract_path path;
    mpno_contraction c;
    for (int l = 0; l < MPNO_CONTRACT_LABELS; l++) problem.size[l] = size[l];
    for (int i = 0; i < n; i++) {
        views[i] = view_of(size, &operands[i], &problem.operand[i]);
        data[i] = operands[i].data;
    }
    views[n] = view_of(size, like, &problem.output);
    MPNO_TRY(mpno_contract_find(ctx, &problem, MPNO_CONTRACT_FLOPS, &path));
    MPNO_TRY(mpno_contraction_make(ctx, &problem, &path, views, &c));
    mpno_contract_run run = {.kernels = mpno_kernels_get(ctx->isa, MPNO_F64),
                             .fields = mpno_field_kernels_get(MPNO_F64),
                             .n_threads = ctx->n_threads};
    MPNO_TRY(mpno_alloc_raw(ctx, mpno_contraction_scratch(&c, sizeof *out, false), &run.scratch));
    mpno_contraction_run(&c, &run, data, out);
    mpno_free(ctx, run.scratch);
    return MPNO_OK;
}

static mpno_status allocate(mpno_ctx *ctx, size_t elements, double **out) {
    return mpno_alloc_array(ctx, 2 * elements, sizeof **out, out);
}

static mpno_status conjugate_of(mpno_ctx *ctx, const double *x, size_t n, double **out) {
    MPNO_TRY(allocate(ctx, n, out));
    memcpy(*out, x, 2 * n * sizeof *x);
    for (size_t i = n; i < 2 * n; i++) (*out)[i] = -x[i];
    return MPNO_OK;
}

static dims all_dims(const double *w, int order) {
    dims d = {.data = w, .n = order};
    for (int k = 0; k < order; k++) d.label[k] = k;
    return d;
}

/* The factors, each with its labels; those of a tensor train have no rank at the ends. */
static int factor_dims(mpno_factorization factorization, int order, const double *const *factors,
                       dims *d) {
    int n = 0;
    if (factorization == MPNO_FACTORIZATION_CP)
        d[n] = (dims){.data = factors[n], .n = 1, .label = {RANK}}, n++;
    if (factorization == MPNO_FACTORIZATION_TUCKER) {
        d[n] = (dims){.data = factors[n], .n = order};
        for (int k = 0; k < order; k++) d[n].label[k] = RANK + k;
        n++;
    }
    for (int k = 0; k < order; k++, n++) {
        d[n] = (dims){.data = factors[n]};
        const bool tt = factorization == MPNO_FACTORIZATION_TT;
        if (tt && k > 0) d[n].label[d[n].n++] = RANK + k;
        d[n].label[d[n].n++] = k;
        if (tt && k + 1 < order) d[n].label[d[n].n++] = RANK + k + 1;
        if (!tt) d[n].label[d[n].n++] = RANK + (factorization == MPNO_FACTORIZATION_CP ? 0 : k);
    }
    return n;
}

static void sizes_of(mpno_factorization factorization, int order, const int64_t *shape,
                     const int64_t *ranks, int64_t *size) {
    const int n = factorization == MPNO_FACTORIZATION_CP   ? 1
                  : factorization == MPNO_FACTORIZATION_TT ? order + 1
                                                           : order;
    memset(size, 0, MPNO_CONTRACT_LABELS * sizeof *size);
    for (int k = 0; k < order; k++) size[k] = shape[k];
    for (int k = 0; k < n; k++) size[RANK + k] = ranks[k];
}

mpno_status mpno_compose(mpno_ctx *ctx, mpno_factorization factorization, int order,
                         const int64_t *shape, const int64_t *ranks, const double *const *factors,
                         double *w) {
    int64_t size[MPNO_CONTRACT_LABELS];
    dims d[MPNO_MAX_FACTORS];
    const dims all = all_dims(w, order);
    sizes_of(factorization, order, shape, ranks, size);
    const int n = factor_dims(factorization, order, factors, d);
    return contract(ctx, size, n, d, &all, w);
}

/* ---- leading vectors ---- */

/* Of the Gram matrix over dimension `label` of a tensor: the leading eigenvectors, [n][rank], zero
 * beyond n. */
static mpno_status leading(mpno_ctx *ctx, const int64_t *size, const dims *x, int label,
                           int64_t rank, double *vectors) {
    const int64_t n = size[label];
    int64_t sizes[MPNO_CONTRACT_LABELS];
    double *other = NULL, *gram = NULL, *all = NULL;
    memcpy(sizes, size, sizeof sizes);
    sizes[OTHER] = n;
    mpno_status status = conjugate_of(ctx, x->data, count_of(size, x), &other);
    if (status == MPNO_OK) status = allocate(ctx, (size_t)(n * n), &gram);
    if (status == MPNO_OK) status = allocate(ctx, (size_t)(n * n), &all);
    dims pair[] = {*x, *x};
    pair[1].data = other;
    for (int i = 0; i < x->n; i++)
        if (x->label[i] == label) pair[1].label[i] = OTHER;
    const dims like = {.n = 2, .label = {label, OTHER}};
    if (status == MPNO_OK) status = contract(ctx, sizes, 2, pair, &like, gram);
    if (status == MPNO_OK) {
        mpno_hermitian_vectors(n, gram, all);
        for (int64_t p = 0; p < 2; p++)
            for (int64_t i = 0; i < n; i++)
                for (int64_t r = 0; r < rank; r++)
                    vectors[(p * n + i) * rank + r] = r < n ? all[(p * n + i) * n + r] : 0;
    }
    mpno_free(ctx, other), mpno_free(ctx, gram), mpno_free(ctx, all);
    return status;
}

/* ---- tucker ---- */

/* Replaces x by x contracted with conj(u) along dimension k. */
static mpno_status project(mpno_ctx *ctx, const int64_t *size, dims *x, int k, const double *u,
                           double **owned) {
    dims like = *x;
    double *other = NULL, *next = NULL;
    like.label[k] = RANK + k;
    mpno_status status = conjugate_of(ctx, u, (size_t)(size[k] * size[RANK + k]), &other);
    const dims operands[] = {*x, {.data = other, .n = 2, .label = {k, RANK + k}}};
    if (status == MPNO_OK) status = allocate(ctx, count_of(size, &like), &next);
    if (status == MPNO_OK) status = contract(ctx, size, 2, operands, &like, next);
    mpno_free(ctx, other);
    if (status != MPNO_OK) {
        mpno_free(ctx, next);
        return status;
    }
    mpno_free(ctx, *owned);
    *owned = next;
    *x = like;
    x->data = next;
    return MPNO_OK;
}

static mpno_status tucker(mpno_ctx *ctx, int order, const int64_t *size, const double *w,
                          double *const *factors) {
    dims x = all_dims(w, order);
    double *owned = NULL;
    mpno_status status = MPNO_OK;
    for (int k = 0; k < order && status == MPNO_OK; k++) {
        status = leading(ctx, size, &x, k, size[RANK + k], factors[1 + k]);
        if (status == MPNO_OK) status = project(ctx, size, &x, k, factors[1 + k], &owned);
    }
    if (status == MPNO_OK) memcpy(factors[0], x.data, 2 * count_of(size, &x) * sizeof *w);
    mpno_free(ctx, owned);
    return status;
}

/* ---- tensor train ---- */

/* A [rows][columns], what is left of W, becomes `left` [rows][rank] times what remains [rank]
 * [columns]: U (U^H A), or (A V) V^H where the columns are fewer. */
static mpno_status split(mpno_ctx *ctx, int64_t rows, int64_t columns, int64_t rank,
                         const double *a, double *left, double *right) {
    enum { ROW, COLUMN };
    int64_t size[MPNO_CONTRACT_LABELS] = {rows, columns};
    size[RANK] = rank;
    const bool by_rows = rows <= columns;
    const dims x = {.data = a, .n = 2, .label = {ROW, COLUMN}};
    double *vectors = by_rows ? left : NULL, *other = NULL;
    if (!by_rows) MPNO_TRY(allocate(ctx, (size_t)(columns * rank), &vectors));
    mpno_status status = leading(ctx, size, &x, by_rows ? ROW : COLUMN, rank, vectors);
    /* The Gram matrix over columns is that of A^T: its vectors are conj(V). */
    if (status == MPNO_OK)
        status = conjugate_of(ctx, vectors, (size_t)((by_rows ? rows : columns) * rank), &other);
    const dims product[] = {x, {.data = other, .n = 2, .label = {by_rows ? ROW : COLUMN, RANK}}};
    const dims to_right = {.n = 2, .label = {RANK, COLUMN}},
               to_left = {.n = 2, .label = {ROW, RANK}};
    if (status == MPNO_OK)
        status =
            contract(ctx, size, 2, product, by_rows ? &to_right : &to_left, by_rows ? right : left);
    for (int64_t p = 0; status == MPNO_OK && !by_rows && p < 2; p++)
        for (int64_t c = 0; c < columns; c++)
            for (int64_t r = 0; r < rank; r++)
                right[(p * rank + r) * columns + c] = vectors[(p * columns + c) * rank + r];
    if (!by_rows) mpno_free(ctx, vectors);
    mpno_free(ctx, other);
    return status;
}

static mpno_status tensor_train(mpno_ctx *ctx, int order, const int64_t *shape,
                                const int64_t *ranks, const double *w, double *const *factors) {
    int64_t columns = 1;
    double *left = NULL;
    mpno_status status = MPNO_OK;
    for (int k = 0; k < order; k++) columns *= shape[k];
    for (int k = 0; k + 1 < order && status == MPNO_OK; k++) {
        double *next = NULL;
        columns /= shape[k];
        status = allocate(ctx, (size_t)(ranks[k + 1] * columns), &next);
        if (status == MPNO_OK)
            status = split(ctx, ranks[k] * shape[k], columns, ranks[k + 1], left != NULL ? left : w,
                           factors[k], next);
        mpno_free(ctx, left);
        left = next;
    }
    if (status == MPNO_OK)
        memcpy(factors[order - 1], left != NULL ? left : w,
               2 * (size_t)(ranks[order - 1] * columns) * sizeof *w);
    mpno_free(ctx, left);
    return status;
}

/* ---- cp ---- */

/* Cholesky's factor L of the Hermitian [2][n][n] matrix, in place: below and on the diagonal. */
static void factor_hermitian(int64_t n, double *g) {
    double *im = g + n * n;
    for (int64_t j = 0; j < n; j++) {
        for (int64_t i = j; i < n; i++) {
            double a = g[i * n + j], b = im[i * n + j];
            for (int64_t k = 0; k < j; k++) {
                a -= g[i * n + k] * g[j * n + k] + im[i * n + k] * im[j * n + k];
                b -= im[i * n + k] * g[j * n + k] - g[i * n + k] * im[j * n + k];
            }
            if (i == j) {
                g[i * n + i] = sqrt(fmax(a, 1e-300)), im[i * n + i] = 0;
            } else {
                g[i * n + j] = a / g[j * n + j], im[i * n + j] = b / g[j * n + j];
            }
        }
    }
}

/* x L L^H = b for one row b [2][n] at stride `plane`, in place. */
static void solve_row(int64_t n, const double *l, double *x, int64_t plane) {
    const double *im = l + n * n;
    double *y = x + plane;
    for (int64_t j = 0; j < n; j++) { /* z = x L: z_j conj(L_jj) = b_j - sum_k<j z_k conj(L_jk) */
        for (int64_t k = 0; k < j; k++) {
            x[j] -= x[k] * l[j * n + k] + y[k] * im[j * n + k];
            y[j] -= y[k] * l[j * n + k] - x[k] * im[j * n + k];
        }
        x[j] /= l[j * n + j], y[j] /= l[j * n + j];
    }
    for (int64_t j = n - 1; j >= 0; j--) { /* x_j L_jj = z_j - sum_k>j x_k L_kj */
        for (int64_t k = j + 1; k < n; k++) {
            x[j] -= x[k] * l[k * n + j] - y[k] * im[k * n + j];
            y[j] -= y[k] * l[k * n + j] + x[k] * im[k * n + j];
        }
        x[j] /= l[j * n + j], y[j] /= l[j * n + j];
    }
}

typedef struct als {
    mpno_ctx *ctx;
    int order;
    int64_t rank;
    int64_t size[MPNO_CONTRACT_LABELS];
    const double *w;
    double *const *factors;                   /* weights, then those of the dimensions */
    double *conjugate[MPNO_MAX_ORDER], *gram; /* owned */
} als;

/* gram = product over the dimensions but `without` of F^T conj(F), element by element. */
static void gram_without(als *a, int without) {
    const int64_t n = a->rank;
    double *im = a->gram + n * n;
    for (int64_t r = 0; r < n; r++)
        for (int64_t s = 0; s < n; s++) {
            double re = 1, i = 0;
            for (int k = 0; k < a->order; k++) {
                if (k == without) continue;
                const double *f = a->factors[1 + k], *g = f + a->size[k] * n;
                double x = 0, y = 0;
                for (int64_t at = 0; at < a->size[k]; at++) {
                    const double *p = f + at * n, *q = g + at * n;
                    x += p[r] * p[s] + q[r] * q[s];
                    y += q[r] * p[s] - p[r] * q[s];
                }
                const double turned = re * x - i * y;
                i = re * y + i * x, re = turned;
            }
            a->gram[r * n + s] = re, im[r * n + s] = i;
        }
}

/* The best factor k for the others. */
static mpno_status improve(als *a, int k) {
    dims operands[MPNO_MAX_ORDER + 1];
    const dims like = {.n = 2, .label = {k, RANK}};
    const int64_t n = a->rank;
    double *f = a->factors[1 + k], trace = 0;
    int count = 0;
    operands[count++] = all_dims(a->w, a->order);
    for (int d = 0; d < a->order; d++)
        if (d != k) operands[count++] = (dims){.data = a->conjugate[d], .n = 2, .label = {d, RANK}};
    MPNO_TRY(contract(a->ctx, a->size, count, operands, &like, f));
    gram_without(a, k);
    for (int64_t r = 0; r < n; r++) trace += a->gram[r * n + r];
    for (int64_t r = 0; r < n; r++) a->gram[r * n + r] += 1e-12 * trace; /* ranks may coincide */
    factor_hermitian(n, a->gram);
    for (int64_t i = 0; i < a->size[k]; i++) solve_row(n, a->gram, f + i * n, a->size[k] * n);
    memcpy(a->conjugate[k], f, 2 * (size_t)(a->size[k] * n) * sizeof *f);
    for (int64_t i = a->size[k] * n; i < 2 * a->size[k] * n; i++) a->conjugate[k][i] = -f[i];
    return MPNO_OK;
}

/* Columns of all factors of one rank get the same length. */
static void balance(als *a) {
    const int64_t n = a->rank;
    for (int64_t r = 0; r < n; r++) {
        double length[MPNO_MAX_ORDER], mean = 1;
        for (int k = 0; k < a->order; k++) {
            double sum = 0;
            for (int64_t i = 0; i < 2 * a->size[k]; i++)
                sum += a->factors[1 + k][i * n + r] * a->factors[1 + k][i * n + r];
            length[k] = sqrt(sum);
            mean *= pow(length[k], 1.0 / a->order);
        }
        for (int k = 0; k < a->order; k++)
            for (int64_t i = 0; mean > 0 && i < 2 * a->size[k]; i++) {
                a->factors[1 + k][i * n + r] *= mean / length[k];
                a->conjugate[k][i * n + r] *= mean / length[k];
            }
    }
}

static mpno_status error_of(als *a, double *product, double *error) {
    const dims all_of = all_dims(a->w, a->order);
    const size_t count = 2 * count_of(a->size, &all_of);
    const int64_t ranks[] = {a->rank};
    double sum = 0, all = 0;
    MPNO_TRY(mpno_compose(a->ctx, MPNO_FACTORIZATION_CP, a->order, a->size, ranks,
                          (const double *const *)a->factors, product));
    for (size_t i = 0; i < count; i++) {
        sum += (product[i] - a->w[i]) * (product[i] - a->w[i]);
        all += a->w[i] * a->w[i];
    }
    *error = all > 0 ? sqrt(sum / all) : 0;
    return MPNO_OK;
}

static mpno_status start(als *a) {
    for (int k = 0; k < a->order; k++) {
        const size_t n = (size_t)(a->size[k] * a->rank);
        mpno_rng rng = mpno_rng_make(1, MPNO_STREAM_INIT, (uint32_t)k);
        for (size_t i = 0; i < 2 * n; i++) a->factors[1 + k][i] = mpno_rng_normal(&rng);
        MPNO_TRY(conjugate_of(a->ctx, a->factors[1 + k], n, &a->conjugate[k]));
    }
    for (int64_t r = 0; r < a->rank; r++) a->factors[0][r] = 1, a->factors[0][a->rank + r] = 0;
    return allocate(a->ctx, (size_t)(a->rank * a->rank), &a->gram);
}

static mpno_status alternate(als *a) {
    const dims all = all_dims(a->w, a->order);
    double *product = NULL, before = INFINITY, error = 1;
    MPNO_TRY(start(a));
    MPNO_TRY(allocate(a->ctx, count_of(a->size, &all), &product));
    mpno_status status = MPNO_OK;
    for (int sweep = 0; sweep < MOST_SWEEPS && status == MPNO_OK; sweep++) {
        for (int k = 0; k < a->order && status == MPNO_OK; k++) status = improve(a, k);
        balance(a);
        if (status == MPNO_OK) status = error_of(a, product, &error);
        if (!(error < before * (1 - least_gain))) break;
        before = error;
    }
    mpno_free(a->ctx, product);
    return status;
}

static mpno_status cp(mpno_ctx *ctx, int order, const int64_t *size, const double *w,
                      double *const *factors) {
    als a = {.ctx = ctx, .order = order, .rank = size[RANK], .w = w, .factors = factors};
    memcpy(a.size, size, sizeof a.size);
    const mpno_status status = alternate(&a);
    for (int k = 0; k < order; k++) mpno_free(ctx, a.conjugate[k]);
    mpno_free(ctx, a.gram);
    return status;
}

mpno_status mpno_decompose(mpno_ctx *ctx, mpno_factorization factorization, int order,
                           const int64_t *shape, const int64_t *ranks, const double *w,
                           double *const *factors) {
    int64_t size[MPNO_CONTRACT_LABELS];
    sizes_of(factorization, order, shape, ranks, size);
    if (factorization == MPNO_FACTORIZATION_CP) return cp(ctx, order, size, w, factors);
    if (factorization == MPNO_FACTORIZATION_TT)
        return tensor_train(ctx, order, shape, ranks, w, factors);
    return tucker(ctx, order, size, w, factors);
}
