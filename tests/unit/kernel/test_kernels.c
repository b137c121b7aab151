/* SPDX-License-Identifier: MIT
 * Every kernel of kernels.def, in both arithmetics, on every ISA this CPU runs, at every tail,
 * against kernel/ref within the error constant of its line. Buffers end at a page that cannot be
 * touched and begin after canaries, so that one element read or written too many is seen; their
 * start has the alignment of the element only. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "unit/kernel/kernel_check.h"

static int set_up(void **state) {
    (void)state;
    rng = mpno_rng_make(7, MPNO_STREAM_TEST, 1);
    return guarded_open();
}

static void check_load(const check *c) {
    for (int format = 0; format < MPNO_FORMAT_COUNT; format++) {
        const mpno_format from = (mpno_format)format;
        const size_t bytes = mpno_format_bytes(from);
        for (int64_t n = 0; n < 80; n++) {
            const int64_t count = n < 64 ? n : 2000 + n;
            void *src = place(0, (size_t)count * bytes);
            random_bits(from, src, count);
            void *got = place(1, (size_t)count * c->size),
                 *want = place(2, (size_t)count * c->size);
            c->kernels->load(got, src, from, count);
            mpno_cast(want, c->format, src, from, (size_t)count);
            check_bits(c, c->format, got, want, count);
            check_canary(1);
        }
        if (bytes == 1) {
            unsigned char *all = place(0, 256);
            for (int i = 0; i < 256; i++) all[i] = (unsigned char)i;
            void *got = place(1, 256 * c->size), *want = place(2, 256 * c->size);
            c->kernels->load(got, all, from, 256);
            mpno_cast(want, c->format, all, from, 256);
            check_bits(c, c->format, got, want, 256);
        }
        if (bytes != 2) continue;
        uint16_t *every = place(0, 65536 * sizeof *every);
        for (int i = 0; i < 65536; i++) every[i] = (uint16_t)i;
        void *got = place(1, 65536 * c->size), *want = place(2, 65536 * c->size);
        c->kernels->load(got, every, from, 65536);
        mpno_cast(want, c->format, every, from, 65536);
        check_bits(c, c->format, got, want, 65536);
    }
}

/* Rows of f32 around the middle between two neighbours in bf16, all neighbours of one sign in turn;
 * those of the largest numbers become infinite. */
static void check_store_halves(const check *c) {
    enum { FINITE = 0x7f80 };
    const uint32_t rests[] = {0, 1, 0x7fff, 0x8000, 0x8001, 0xffff};
    if (c->format != MPNO_F32) return;
    for (int k = 0; k < 12; k++) {
        uint32_t *src = place(0, FINITE * sizeof *src);
        for (uint32_t i = 0; i < FINITE; i++)
            src[i] = (k < 6 ? 0 : 0x80000000u) | i << 16 | rests[k % 6];
        void *got = place(1, FINITE * 2), *want = place(2, FINITE * 2);
        const int64_t whole = FINITE - 1; /* the last one alone may overflow */
        assert_int_equal(c->kernels->store(got, MPNO_BF16, src, whole), 0);
        (void)c->ref->store(want, MPNO_BF16, src, whole);
        check_bits(c, MPNO_BF16, got, want, whole);
        assert_int_equal(c->kernels->store(got, MPNO_BF16, src, FINITE), rests[k % 6] >= 0x8000);
        (void)c->ref->store(want, MPNO_BF16, src, FINITE);
        check_bits(c, MPNO_BF16, got, want, FINITE);
    }
}

static void check_store(const check *c) {
    check_store_halves(c);
    for (int format = 0; format < MPNO_FORMAT_COUNT; format++) {
        const mpno_format to = (mpno_format)format;
        const size_t bytes = mpno_format_bytes(to);
        for (int64_t n = 0; n < 400; n++) {
            /* Many single elements, so that the flag of each special value is seen alone. */
            const int64_t count = n < 64 ? n : n < 370 ? 1 : 2000 + n;
            void *src = place(0, (size_t)(count + 2) * c->size);
            random_bits(c->format, src, count + 2);
            src = (unsigned char *)src + 2 * c->size;
            void *got = place(1, (size_t)count * bytes), *want = place(2, (size_t)count * bytes);
            const int flag = c->kernels->store(got, to, src, count);
            assert_int_equal(flag, c->ref->store(want, to, src, count));
            check_bits(c, to, got, want, count);
            check_canary(1);
        }
        /* A finite block with one value beyond the largest number, in every place. */
        for (int64_t n = 1; n < 64; n++) {
            void *src = random_values(c, 0, n, 2);
            void *got = place(1, (size_t)n * bytes);
            assert_int_equal(c->kernels->store(got, to, src, n), 0);
            put(c->format, src, up_to(n - 1), (n & 1) ? (double)NAN : -(double)INFINITY);
            assert_int_equal(c->kernels->store(got, to, src, n), 1);
        }
    }
}

/* One product: transposed 0 = gemm, 1 = gemm_tn (then C has k rows and sums have m terms). gap: the
 * most elements between rows. */
static void check_product_with(const check *c, int transposed, int64_t m, int64_t n, int64_t k,
                               int accumulate, int64_t gap) {
    const int64_t lda = k + up_to(gap), ldb = n + up_to(gap), ldc = n + up_to(gap);
    const int64_t b_rows = transposed ? m : k, c_rows = transposed ? k : m,
                  terms = transposed ? m : k;
    const int64_t na = m > 0 && k > 0 ? (m - 1) * lda + k : 0;
    const int64_t nb = b_rows > 0 && n > 0 ? (b_rows - 1) * ldb + n : 0;
    const int64_t nc = c_rows > 0 && n > 0 ? (c_rows - 1) * ldc + n : 0;
    void *a = random_values(c, 0, na, 1), *b = random_values(c, 1, nb, 1),
         *got = random_values(c, 2, nc, 1);
    void *want = copy_of(c, 3, got, nc), *before = copy_of(c, 4, got, nc),
         *scale = copy_of(c, 5, got, nc);
    void *abs_a = copy_of(c, 6, a, na), *abs_b = copy_of(c, 7, b, nb);
    for (int64_t i = 0; i < na; i++) put(c->format, abs_a, i, fabs(get(c->format, a, i)));
    for (int64_t i = 0; i < nb; i++) put(c->format, abs_b, i, fabs(get(c->format, b, i)));
    for (int64_t i = 0; i < nc; i++) put(c->format, scale, i, fabs(get(c->format, got, i)));
    if (transposed) {
        c->kernels->gemm_tn(m, n, k, a, lda, b, ldb, got, ldc);
        c->ref->gemm_tn(m, n, k, a, lda, b, ldb, want, ldc);
        c->ref->gemm_tn(m, n, k, abs_a, lda, abs_b, ldb, scale, ldc);
    } else {
        c->kernels->gemm(m, n, k, a, lda, b, ldb, got, ldc, accumulate);
        c->ref->gemm(m, n, k, a, lda, b, ldb, want, ldc, accumulate);
        c->ref->gemm(m, n, k, abs_a, lda, abs_b, ldb, scale, ldc, accumulate);
    }
    for (int64_t i = 0; i < nc; i++) {
        if (i % ldc < n) {
            check_value(c, get(c->format, got, i), get(c->format, want, i), (double)terms,
                        get(c->format, scale, i));
        } else {
            assert_true(get(c->format, got, i) == get(c->format, before, i)); /* between rows */
        }
    }
    check_canary(2);
}

static void check_product(const check *c, int transposed, int64_t m, int64_t n, int64_t k,
                          int accumulate) {
    check_product_with(c, transposed, m, n, k, accumulate, 3);
}

/* One and a half vectors of columns, rows without a gap: kernel/tmpl/gemm_pairs.h. */
static const int64_t half_vectors[] = {3, 6, 12, 24};

static void check_products(const check *c, int transposed) {
    for (int64_t s = 0; s < 64; s++) {
        check_product(c, transposed, s, up_to(20), up_to(20), (int)up_to(1));
        check_product(c, transposed, up_to(20), s, up_to(20), (int)up_to(1));
        check_product(c, transposed, up_to(20), up_to(20), s, (int)up_to(1));
    }
    check_product(c, transposed, 64, 64, 64, 0);
    check_product(c, transposed, 13, 133, 24, 1);
    check_product(c, transposed, 133, 13, 24, 0);
    check_product(c, transposed, 5, 7, 600, 1); /* more than one block of the inner index */
    check_product(c, transposed, 600, 7, 5, 0);
    for (size_t i = 0; i < sizeof half_vectors / sizeof *half_vectors; i++)
        for (int64_t s = 0; s < 40; s++) {
            const int64_t n = half_vectors[i], sum = s % 5 == 0 ? 260 : up_to(20);
            check_product_with(c, transposed, transposed ? sum : s, n, transposed ? s : sum,
                               (int)up_to(1), 0);
        }
}

static void check_gemm(const check *c) {
    check_products(c, 0);
}
static void check_gemm_tn(const check *c) {
    check_products(c, 1);
}

/* Planes in one place of the tests: rows of `row` elements, both planes of a row side by side or
 * (apart) one matrix after the other; exchanged: the imaginary one first. */
typedef struct planes_of {
    mpno_planes view;
    void *data;
    int64_t count;
} planes_of;

static planes_of make_planes(const check *c, int slot, int64_t rows, int64_t cols) {
    const bool apart = up_to(1) == 1, exchanged = up_to(1) == 1;
    const int64_t gap = up_to(3), row = apart ? cols + gap : 2 * cols + gap;
    const int64_t plane = apart ? rows * row : cols,
                  count = rows == 0 || cols == 0 ? 0 : plane + (rows - 1) * row + cols;
    planes_of p = {.data = random_values(c, slot, count, 1), .count = count};
    p.view = (mpno_planes){.data = p.data,
                           .row = row,
                           .step = 1,
                           .plane = exchanged ? -plane : plane,
                           .next = up_to(1) ? p.data : NULL};
    if (exchanged) p.view.data = (unsigned char *)p.data + (size_t)plane * c->size;
    return p;
}

/* The same view of a copy. */
static planes_of copy_planes(const check *c, int slot, const planes_of *from, bool magnitudes) {
    planes_of p = *from;
    p.data = copy_of(c, slot, from->data, from->count);
    p.view.data = (char *)p.data + ((char *)from->view.data - (char *)from->data);
    for (int64_t i = 0; magnitudes && i < p.count; i++)
        put(c->format, p.data, i, fabs(get(c->format, p.data, i)));
    return p;
}

static bool in_planes(const planes_of *p, const check *c, int64_t i, int64_t rows, int64_t cols) {
    const int64_t first = ((char *)p->view.data - (char *)p->data) / (int64_t)c->size;
    for (int64_t r = 0; r < rows; r++) {
        const int64_t re = first + r * p->view.row, im = re + p->view.plane;
        if ((i >= re && i < re + cols) || (i >= im && i < im + cols)) return true;
    }
    return false;
}

/* The sum of the magnitudes of all products: |Re||Re| + |Im||Im| comes from magnitudes whose
 * imaginary part is negated on one side. */
static void check_complex(const check *c, int64_t m, int64_t n, int64_t k, int accumulate) {
    const bool turned = up_to(1) == 1; /* A is stored as its transpose */
    planes_of a = make_planes(c, 0, turned ? k : m, turned ? m : k);
    const planes_of b = make_planes(c, 1, k, n), got = make_planes(c, 2, m, n);
    if (turned) a.view.step = a.view.row, a.view.row = 1;
    const planes_of want = copy_planes(c, 3, &got, false), before = copy_planes(c, 4, &got, false),
                    scale = copy_planes(c, 5, &got, true), abs_a = copy_planes(c, 6, &a, true),
                    abs_b = copy_planes(c, 7, &b, true);
    const int bad = c->kernels->gemm_complex(m, n, k, &a.view, &b.view, &got.view, accumulate);
    c->ref->gemm_complex(m, n, k, &a.view, &b.view, &want.view, accumulate);
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++) {
            double re = accumulate ? get(c->format, scale.view.data, i * scale.view.row + j) : 0;
            double im = accumulate ? get(c->format, scale.view.data,
                                         i * scale.view.row + j + scale.view.plane)
                                   : 0;
            for (int64_t p = 0; p < k; p++) {
                const int64_t at = i * a.view.row + p * a.view.step, from = p * b.view.row + j;
                const double ar = get(c->format, abs_a.view.data, at),
                             ai = get(c->format, abs_a.view.data, at + a.view.plane),
                             br = get(c->format, abs_b.view.data, from),
                             bi = get(c->format, abs_b.view.data, from + b.view.plane);
                re += ar * br + ai * bi;
                im += ai * br + ar * bi;
            }
            const int64_t to = i * got.view.row + j, plane = got.view.plane;
            check_value(c, get(c->format, got.view.data, to), get(c->format, want.view.data, to),
                        2.0 * (double)k, re);
            check_value(c, get(c->format, got.view.data, to + plane),
                        get(c->format, want.view.data, to + plane), 2.0 * (double)k, im);
        }
    for (int64_t i = 0; i < got.count; i++)
        if (!in_planes(&got, c, i, m, n))
            assert_true(get(c->format, got.data, i) == get(c->format, before.data, i));
    assert_int_equal(bad, 0);
    check_canary(2);
    if (m > 0 && n > 0 && k > 0) { /* one value that is not finite, in every lane in turn */
        const int64_t i = up_to(m - 1), j = up_to(k - 1);
        put(c->format, a.view.data,
            i * a.view.row + j * a.view.step + (up_to(1) ? a.view.plane : 0), (double)INFINITY);
        assert_int_equal(c->kernels->gemm_complex(m, n, k, &a.view, &b.view, &got.view, accumulate),
                         1);
    }
}

static void check_gemm_complex(const check *c) {
    for (int64_t s = 0; s < 40; s++) {
        check_complex(c, s, up_to(20), up_to(20), (int)up_to(1));
        check_complex(c, up_to(20), s, up_to(20), (int)up_to(1));
        check_complex(c, up_to(20), up_to(20), s, (int)up_to(1));
    }
    check_complex(c, 1, 64, 64, 0);
    check_complex(c, 24, 24, 64, 1);
    check_complex(c, 5, 7, 300, 1); /* more than one block of the inner index */
    check_complex(c, 7, 33, 129, 0);
}

/* in_place: C is A. */
static void check_elements(const check *c, int64_t m, int64_t n, bool in_place, int accumulate) {
    const bool shared = up_to(1) == 1; /* one row of B for all of A */
    const planes_of a = make_planes(c, 0, m, n);
    planes_of b = make_planes(c, 1, shared && m > 1 ? 1 : m, n);
    if (shared) b.view.row = 0;
    const planes_of got = in_place ? copy_planes(c, 2, &a, false) : make_planes(c, 2, m, n);
    const planes_of want = copy_planes(c, 3, &got, false), before = copy_planes(c, 4, &got, false);
    c->kernels->multiply_complex(m, n, in_place ? &got.view : &a.view, &b.view, &got.view,
                                 accumulate);
    c->ref->multiply_complex(m, n, &a.view, &b.view, &want.view, accumulate);
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++) {
            const int64_t x = i * a.view.row + j, y = i * b.view.row + j, to = i * got.view.row + j;
            const int64_t planes[] = {0, got.view.plane};
            const double ar = fabs(get(c->format, a.view.data, x)),
                         ai = fabs(get(c->format, a.view.data, x + a.view.plane)),
                         br = fabs(get(c->format, b.view.data, y)),
                         bi = fabs(get(c->format, b.view.data, y + b.view.plane));
            const double sums[] = {ar * br + ai * bi, ai * br + ar * bi};
            for (int p = 0; p < 2; p++) {
                const double old = fabs(get(c->format, before.view.data, to + planes[p]));
                check_value(c, get(c->format, got.view.data, to + planes[p]),
                            get(c->format, want.view.data, to + planes[p]), 1,
                            sums[p] + (accumulate ? old : 0));
            }
        }
    for (int64_t i = 0; i < got.count; i++)
        if (!in_planes(&got, c, i, m, n))
            assert_true(get(c->format, got.data, i) == get(c->format, before.data, i));
    check_canary(2);
}

static void check_multiply_complex(const check *c) {
    for (int64_t n = 0; n < 50; n++)
        for (int accumulate = 0; accumulate < 2; accumulate++) {
            check_elements(c, up_to(5), n, false, accumulate);
            check_elements(c, up_to(5), n, true, accumulate);
        }
}

static void check_transpose(const check *c) {
    for (int64_t rows = 0; rows < 36; rows++) {
        for (int64_t cols = 0; cols < 36; cols++) {
            const int64_t ld_src = cols + up_to(3), ld_dst = rows + up_to(3);
            const bool some = rows > 0 && cols > 0;
            const int64_t n_src = some ? (rows - 1) * ld_src + cols : 0,
                          n_dst = some ? (cols - 1) * ld_dst + rows : 0;
            const void *src = random_values(c, 0, n_src, 1);
            void *got = random_values(c, 1, n_dst, 1), *want = copy_of(c, 2, got, n_dst);
            c->kernels->transpose(got, ld_dst, src, ld_src, rows, cols);
            c->ref->transpose(want, ld_dst, src, ld_src, rows, cols);
            check_bits(c, c->format, got, want, n_dst);
            check_canary(1);
        }
    }
}

/* pack leaves no trace of its own: gemm_packed gives the bits of gemm, then of the added row. The
 * padding is checked by the page behind the packed matrix and by NaN behind the columns of B. */
static void check_packed_with(const check *c, int64_t m, int64_t n, int64_t k, int with_bias,
                              int64_t gap) {
    const int64_t lda = k + up_to(gap), ldb = n + up_to(3), ldc = n + up_to(gap);
    void *a = random_values(c, 0, m > 0 && k > 0 ? (m - 1) * lda + k : 0, 1);
    void *b = random_values(c, 1, k > 0 && n > 0 ? (k - 1) * ldb + n : 0, 1);
    void *packed = place(2, mpno_packed_count(n, k) * c->size), *bias = random_values(c, 3, n, 1);
    const int64_t nc = m > 0 && n > 0 ? (m - 1) * ldc + n : 0;
    void *got = random_values(c, 4, nc, 1), *want = copy_of(c, 5, got, nc);
    for (int64_t p = 0; n > 0 && p + 1 < k; p++)
        for (int64_t j = n; j < ldb; j++) put(c->format, b, p * ldb + j, (double)NAN);
    c->kernels->pack(packed, n, k, b, ldb);
    check_canary(2);
    c->kernels->gemm_packed(m, n, k, a, lda, packed, with_bias ? bias : NULL, got, ldc);
    check_canary(4);
    c->kernels->gemm(m, n, k, a, lda, b, ldb, want, ldc, 0);
    if (with_bias && n > 0) {
        for (int64_t i = 0; i < m; i++) {
            unsigned char *row = (unsigned char *)want + (size_t)(i * ldc) * c->size;
            c->kernels->channel_affine(row, row, NULL, bias, 1, n);
        }
    }
    check_bits(c, c->format, got, want, nc);
}

static void check_packed(const check *c, int64_t m, int64_t n, int64_t k, int with_bias) {
    check_packed_with(c, m, n, k, with_bias, 3);
}

static void check_gemm_packed(const check *c) {
    for (int64_t s = 0; s < 64; s++) {
        check_packed(c, s, up_to(20), up_to(20), (int)up_to(1));
        check_packed(c, up_to(20), s, up_to(20), (int)up_to(1));
        check_packed(c, up_to(20), up_to(20), s, (int)up_to(1));
    }
    check_packed(c, 64, 64, 64, 1);
    check_packed(c, 13, 133, 24, 0);
    check_packed(c, 5, 135, 300, 1);
    for (size_t i = 0; i < sizeof half_vectors / sizeof *half_vectors; i++)
        for (int64_t s = 0; s < 40; s++)
            check_packed_with(c, s, half_vectors[i], s % 5 == 0 ? 260 : up_to(20), (int)up_to(1),
                              0);
}
/* Seen through gemm_packed: the order of a table is its own. */
static void check_pack(const check *c) {
    check_packed(c, 3, 5, 7, 0);
}

typedef void unary(void *dst, const void *x, int64_t n);
typedef void binary(void *dst, const void *x, const void *y, int64_t n);

/* Magnitude to which the error of a kernel is relative, for x and result y. */
typedef double scale_of(double x, double y, double result);
static double scale_result(double x, double y, double result) {
    return (void)x, (void)y, fabs(result);
}
static double scale_sum(double x, double y, double result) {
    return (void)result, fabs(x) + fabs(y);
}
static double scale_slope(double x, double dy, double result) {
    (void)x, (void)result;
    return fabs(dy);
}

/* of_operand: the error is relative to the operand, not to the result. */
static void check_unary(const check *c, unary *run, unary *define, bool of_operand) {
    for (int64_t n = 0; n < 130; n++) {
        void *x = random_values(c, 0, n, n % 3 ? 3 : 20);
        void *got = place(1, (size_t)n * c->size), *want = place(2, (size_t)n * c->size);
        run(got, x, n);
        define(want, x, n);
        for (int64_t i = 0; i < n; i++) {
            const double value = get(c->format, want, i);
            check_value(c, get(c->format, got, i), value, 1,
                        fabs(of_operand ? get(c->format, x, i) : value));
        }
        check_canary(1);
        run(x, x, n); /* in place: the same bits */
        check_canary(0);
        check_bits(c, c->format, x, got, n);
    }
}

static void check_binary(const check *c, binary *run, binary *define, scale_of *scale) {
    for (int64_t n = 0; n < 130; n++) {
        void *x = random_values(c, 0, n, n % 3 ? 3 : 20), *y = random_values(c, 3, n, 2);
        void *got = place(1, (size_t)n * c->size), *want = place(2, (size_t)n * c->size);
        run(got, x, y, n);
        define(want, x, y, n);
        for (int64_t i = 0; i < n; i++) {
            const double value = get(c->format, want, i);
            check_value(c, get(c->format, got, i), value, 1,
                        scale(get(c->format, x, i), get(c->format, y, i), value));
        }
        check_canary(1);
        void *in_place = (n & 1) ? x : y;
        run(in_place, x, y, n);
        check_canary(0);
        check_canary(3);
        check_bits(c, c->format, in_place, got, n);
    }
}

static void check_gelu(const check *c) {
    check_unary(c, c->kernels->gelu, c->ref->gelu, true);
}
static void check_tanh(const check *c) {
    check_unary(c, c->kernels->tanh, c->ref->tanh, false);
}
static void check_negate(const check *c) {
    check_unary(c, c->kernels->negate, c->ref->negate, false);
}
static void check_add(const check *c) {
    check_binary(c, c->kernels->add, c->ref->add, scale_sum);
}
static void check_gelu_grad(const check *c) {
    check_binary(c, c->kernels->gelu_grad, c->ref->gelu_grad, scale_slope);
}
static void check_tanh_grad(const check *c) {
    check_binary(c, c->kernels->tanh_grad, c->ref->tanh_grad, scale_result);
}

static void check_channel_affine(const check *c) {
    for (int64_t channels = 0; channels < 64; channels++) {
        for (int mode = 0; mode < 4; mode++) {
            const int64_t rows = up_to(5), n = rows * channels;
            void *x = random_values(c, 0, n, 2), *got = place(1, (size_t)n * c->size);
            void *want = place(2, (size_t)n * c->size);
            void *scale = random_values(c, 3, channels, 2),
                 *shift = random_values(c, 4, channels, 2);
            void *p = (mode & 1) ? scale : NULL, *q = (mode & 2) ? shift : NULL;
            c->kernels->channel_affine(got, x, p, q, rows, channels);
            c->ref->channel_affine(want, x, p, q, rows, channels);
            for (int64_t i = 0; i < n; i++) {
                check_value(c, get(c->format, got, i), get(c->format, want, i), 1,
                            2 * fabs(get(c->format, x, i)) + 2);
            }
            check_canary(1);
            c->kernels->channel_affine(x, x, p, q, rows, channels);
            check_bits(c, c->format, x, got, n);
        }
    }
}

static void check_channel_combine(const check *c) {
    for (int64_t channels = 0; channels < 64; channels++) {
        const int64_t rows = up_to(5), n = rows * channels;
        void *x = random_values(c, 0, n, 2), *y = random_values(c, 5, n, 2);
        void *got = place(1, (size_t)n * c->size), *want = place(2, (size_t)n * c->size);
        void *p = random_values(c, 3, channels, 1), *q = random_values(c, 4, channels, 1);
        void *r = random_values(c, 6, channels, 1);
        c->kernels->channel_combine(got, x, p, y, q, r, rows, channels);
        c->ref->channel_combine(want, x, p, y, q, r, rows, channels);
        for (int64_t i = 0; i < n; i++) {
            check_value(c, get(c->format, got, i), get(c->format, want, i), 1,
                        fabs(get(c->format, x, i)) + fabs(get(c->format, y, i)) + 1);
        }
        check_canary(1);
        c->kernels->channel_combine(y, x, p, y, q, r, rows, channels);
        check_bits(c, c->format, y, got, n);
    }
}

/* Operands of 16 bits: as if loaded before. Of two, either or both; `wide` are values of T. */
static void check_stored(const check *c,
                         void (*run)(const check *, void *, const void *, mpno_format, const void *,
                                     mpno_format, int64_t, int64_t, bool)) {
    static const mpno_format narrow[] = {MPNO_F16, MPNO_BF16};
    for (int64_t channels = 0; channels < 64; channels++)
        for (int i = 0; i < 6; i++) {
            const mpno_format half = narrow[i % 2], x_format = i / 2 == 1 ? c->format : half,
                              y_format = i / 2 == 2 ? c->format : half;
            const int64_t rows = up_to(5), n = rows * channels;
            const size_t bytes = (size_t)n * 2;
            void *wide = random_values(c, 0, n, 2), *more = random_values(c, 5, n, 2);
            void *x = place(3, bytes), *y = place(4, bytes), *got = place(1, (size_t)n * c->size);
            void *want = place(2, (size_t)n * c->size);
            mpno_cast(x, half, wide, c->format, (size_t)n);
            mpno_cast(y, half, more, c->format, (size_t)n);
            if (x_format != c->format) mpno_cast(wide, c->format, x, half, (size_t)n);
            if (y_format != c->format) mpno_cast(more, c->format, y, half, (size_t)n);
            run(c, got, x_format == half ? x : wide, x_format, y_format == half ? y : more,
                y_format, rows, channels, true);
            run(c, want, wide, c->format, more, c->format, rows, channels, false);
            check_bits(c, c->format, got, want, n);
            check_canary(1);
            check definition = *c;
            definition.kernels = c->ref;
            run(&definition, want, x_format == half ? x : wide, x_format,
                y_format == half ? y : more, y_format, rows, channels, true);
            for (int64_t k = 0; k < n; k++) /* |x|, |y| <= 2, factors <= 17 */
                check_value(c, get(c->format, got, k), get(c->format, want, k), 1, 2 * 2 * 17 + 17);
        }
}

static void run_add(const check *c, void *dst, const void *x, mpno_format x_format, const void *y,
                    mpno_format y_format, int64_t rows, int64_t channels, bool stored) {
    if (stored) {
        c->kernels->add_stored(dst, x, x_format, y, y_format, rows * channels);
    } else {
        c->kernels->add(dst, x, y, rows * channels);
    }
}

static void run_affine(const check *c, void *dst, const void *x, mpno_format x_format,
                       const void *y, mpno_format y_format, int64_t rows, int64_t channels,
                       bool stored) {
    _Alignas(64) double numbers[64]; /* of either type */
    for (int64_t i = 0; i < 64; i++) put(c->format, numbers, i, 0.37 * (double)i - 7);
    (void)y, (void)y_format;
    if (stored) {
        c->kernels->affine_stored(dst, x, x_format, numbers, numbers, rows, channels);
    } else {
        c->kernels->channel_affine(dst, x, numbers, numbers, rows, channels);
    }
}

static void run_combine(const check *c, void *dst, const void *x, mpno_format x_format,
                        const void *y, mpno_format y_format, int64_t rows, int64_t channels,
                        bool stored) {
    _Alignas(64) double p[64];
    for (int64_t i = 0; i < 64; i++) put(c->format, p, i, 0.37 * (double)i - 7);
    if (stored) {
        c->kernels->combine_stored(dst, x, x_format, p, y, y_format, p, p, rows, channels);
    } else {
        c->kernels->channel_combine(dst, x, p, y, p, p, rows, channels);
    }
}

static void check_add_stored(const check *c) {
    check_stored(c, run_add);
}
static void check_affine_stored(const check *c) {
    check_stored(c, run_affine);
}
static void check_combine_stored(const check *c) {
    check_stored(c, run_combine);
}

/* A line whose samples lie in blocks of exactly their size, with tables of random numbers. */
typedef struct line_case {
    mpno_folded_line line;
    void *block[2]; /* samples: of fours the two halves */
    int64_t n_block, n_take, n_give, n_columns;
} line_case;

static line_case make_line(const check *c, int slot, int fours, int64_t rows, int64_t keep,
                           int64_t channels) {
    const int alone = fours || up_to(1), quarter = fours && up_to(1);
    const int64_t pad = up_to(2), block = fours ? MPNO_LINE_FOURS : MPNO_LINE_PAIRS;
    line_case l = {.line = {.ways = fours ? 4 : 2,
                            .quarter = quarter,
                            .rows = rows,
                            .keep = keep,
                            .channels = channels,
                            .cosine_rows = alone + rows + quarter + pad,
                            .sine_rows = rows + quarter + pad}};
    const int64_t samples = fours ? 1 + 2 * rows + quarter : alone + 2 * rows;
    l.n_block = samples * channels, l.n_columns = 2 * keep * channels;
    l.n_take = (keep + 1) / 2 * 2 * l.line.cosine_rows + keep / 2 * 2 * l.line.sine_rows;
    l.n_give = 2 * keep * (alone + quarter + (rows + block - 1) / block * block);
    for (int i = 0; i < 1 + fours; i++) {
        l.block[i] = random_values(c, slot + i, l.n_block, 2);
        char *at = l.block[i];
        if (alone) l.line.alone[i] = at;
        at += alone * channels * (int64_t)c->size;
        l.line.row[2 * i] = at;
        l.line.row[2 * i + 1] =
            at + ((fours ? 2 * rows + quarter : 2 * rows) - 1) * channels * (int64_t)c->size;
    }
    return l;
}

/* The same line in blocks that are copies. */
static mpno_folded_line moved(const check *c, int slot, const line_case *l, void **block) {
    mpno_folded_line line = l->line;
    for (int i = 0; i < line.ways / 2; i++) {
        block[i] = copy_of(c, slot + i, l->block[i], l->n_block);
        const ptrdiff_t by = (char *)block[i] - (char *)l->block[i];
        for (int j = 2 * i; j < 2 * i + 2; j++) line.row[j] = (char *)line.row[j] + by;
        if (line.alone[i] != NULL) line.alone[i] = (char *)line.alone[i] + by;
    }
    return line;
}

static void check_line(const check *c, int give, int fours, int64_t rows, int64_t keep,
                       int64_t channels) {
    const line_case l = make_line(c, 0, fours, rows, keep, channels);
    void *table = random_values(c, 2, give ? l.n_give : l.n_take, 1);
    void *columns = random_values(c, 3, l.n_columns, 2), *block[2];
    if (give) {
        const mpno_folded_line line = moved(c, 4, &l, block);
        c->kernels->line_give(&l.line, table, columns);
        c->ref->line_give(&line, table, columns);
        for (int i = 0; i < l.line.ways / 2; i++) {
            check_canary(i);
            for (int64_t j = 0; j < l.n_block; j++)
                check_value(c, get(c->format, l.block[i], j), get(c->format, block[i], j),
                            (double)(2 * keep), (double)(4 * keep));
        }
    } else {
        void *want = random_values(c, 4, l.n_columns, 2);
        const double terms = (double)(1 + fours) * (double)l.n_block / (double)channels;
        c->kernels->line_take(&l.line, table, columns);
        check_canary(3);
        c->ref->line_take(&l.line, table, want);
        for (int64_t j = 0; j < l.n_columns; j++)
            check_value(c, get(c->format, columns, j), get(c->format, want, j), terms, 2 * terms);
    }
}

static void check_lines(const check *c, int give) {
    for (int64_t s = 1; s < 70; s++) {
        for (int fours = 0; fours < 2; fours++) {
            check_line(c, give, fours, up_to(13), 1 + up_to(14), s);
            check_line(c, give, fours, up_to(8), s / 2 + 1, 1 + up_to(40));
            check_line(c, give, fours, s / 2, 1 + up_to(5), 1 + up_to(40));
        }
    }
}

static void check_line_take(const check *c) {
    check_lines(c, 0);
}
static void check_line_give(const check *c) {
    check_lines(c, 1);
}

static void check_rotate(const check *c) {
    for (int64_t channels = 0; channels < 70; channels++) {
        for (int mode = 0; mode < 4; mode++) {
            const int64_t rows = up_to(5), n = 2 * rows * channels;
            void *x = random_values(c, 0, n, 2), *factors = random_values(c, 4, 2 * rows, 1);
            void *got = random_values(c, 1, n, 2), *want = copy_of(c, 2, got, n);
            const int conjugate = mode & 1, accumulate = mode >> 1;
            c->kernels->rotate(got, x, factors, conjugate, accumulate, rows, channels);
            check_canary(1);
            c->ref->rotate(want, x, factors, conjugate, accumulate, rows, channels);
            for (int64_t i = 0; i < n; i++)
                check_value(c, get(c->format, got, i), get(c->format, want, i), 1, 6);
            if (accumulate) continue;
            c->kernels->rotate(x, x, factors, conjugate, 0, rows, channels);
            check_bits(c, c->format, x, got, n);
        }
    }
}

/* Sums are a pure function of the arguments: the bits of the definition, on every ISA. which: 0
 * sum, 1 dot, 2 squares. */
static void check_sums(const check *c, int which) {
    for (int64_t channels = 0; channels < 70; channels++) {
        const int64_t rows = up_to(40), n = rows * channels,
                      n_acc = which == 2 ? 2 * channels : channels;
        void *x = random_values(c, 0, n, 2), *y = random_values(c, 3, n, 2);
        double *got = place(1, (size_t)n_acc * sizeof *got),
               *want = place(2, (size_t)n_acc * sizeof *want);
        for (int64_t i = 0; i < n_acc; i++) got[i] = want[i] = mpno_rng_normal(&rng);
        if (which == 0) {
            c->kernels->sum_rows(got, x, rows, channels);
            c->ref->sum_rows(want, x, rows, channels);
        } else if (which == 1) {
            c->kernels->dot_rows(got, x, y, rows, channels);
            c->ref->dot_rows(want, x, y, rows, channels);
        } else {
            c->kernels->sum_squares(got, x, rows, channels);
            c->ref->sum_squares(want, x, rows, channels);
        }
        check_bits(c, MPNO_F64, got, want, n_acc);
        check_canary(1);
    }
}

static void check_sum_rows(const check *c) {
    check_sums(c, 0);
}
static void check_dot_rows(const check *c) {
    check_sums(c, 1);
}
static void check_sum_squares(const check *c) {
    check_sums(c, 2);
}

/* A line of kernels.def without a check_NAME above does not compile. */
static const struct {
    const char *name;
    void (*run)(const check *c);
    double fixed, per_term;
} members[] = {
#define MPNO_KERNEL(name, text, fixed, per_term) {#name, check_##name, fixed, per_term},
#include "kernel/kernels.def"
#undef MPNO_KERNEL
};

static void test_members(void **state) {
    (void)state;
    for (mpno_isa isa = MPNO_ISA_PORTABLE; isa <= mpno_cpu_best_isa(); isa++) {
        for (int format = MPNO_F64; format <= MPNO_F32; format++) {
            check c = {.kernels = mpno_kernels_get(isa, (mpno_format)format),
                       .ref = mpno_kernels_reference((mpno_format)format),
                       .format = (mpno_format)format,
                       .size = mpno_format_bytes((mpno_format)format),
                       .u = mpno_format_unit((mpno_format)format)};
            for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
                c.name = members[i].name;
                c.fixed = members[i].fixed;
                c.per_term = members[i].per_term;
                members[i].run(&c);
            }
        }
    }
}

static void test_selection(void **state) {
    (void)state;
    for (mpno_isa isa = MPNO_ISA_PORTABLE; isa < MPNO_ISA_COUNT; isa++) {
        for (int format = 0; format < MPNO_FORMAT_COUNT; format++) {
            const mpno_kernels *k = mpno_kernels_get(isa, (mpno_format)format);
            if (format != MPNO_F32 && format != MPNO_F64) {
                assert_null(k);
                assert_null(mpno_kernels_reference((mpno_format)format));
                continue;
            }
            assert_non_null(k);
            assert_int_equal(k->arithmetic, format);
            assert_true(k->isa <= isa);
#if defined(__x86_64__)
            const mpno_isa last = isa > MPNO_ISA_AVX512 ? MPNO_ISA_AVX512 : isa;
            assert_int_equal(k->isa, isa == MPNO_ISA_NEON ? MPNO_ISA_PORTABLE : last);
#endif
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_selection),
        cmocka_unit_test(test_members),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
