/* SPDX-License-Identifier: MIT
 * The bound of every op (graph/bound.h, docs/theory/certificates.md) against its error: f32 against
 * f64 on the same operands, and on operands that are off by a known norm. Starts are random, equal,
 * of signs, ties, alone, badly conditioned, with a leading number beside which others are lost,
 * tiny, subnormal and huge; from there one number at a time is changed (sign, last bits, power of
 * two, zero) as long as error / bound rises. No error may be above its bound, and each op must come
 * within a factor of 4 of it. An op with a bound and without a row fails. MPNO_TEST_TRIALS=N takes
 * N times as many trials. With MPNO_TEST_VERBOSE set it prints how near each op came. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>

#include "unit/certify/lemma.h"

static void squashes(rig *r, int variant) {
    r->attr.squash = (mpno_squash)variant;
}

/* Groups of three, one and more channels; without a mean; statistics that are not of the field. */
static void norms(rig *r, int variant) {
    r->attr.groups = variant == 1 ? 1 : RIG_INPUTS;
    r->attr.uncentred = variant == 2;
}

static void fixed_norms(rig *r, int variant) {
    norms(r, variant);
    r->attr.fixed = true;
}

static void shifts(rig *r, int variant) {
    r->attr.no_shift = variant == 1;
}

static void real_only(rig *r, int variant) {
    r->attr.real_only = variant == 1;
}

static void blocks(rig *r, int variant) {
    r->one_block = variant == 1;
}

static const lemma lemmas[] = {
    {.op = &mpno_op_stage, .operands = "f"},
    {.op = &mpno_op_take_channels, .operands = "F"},
    {.op = &mpno_op_times_i, .operands = "c", .is_complex = true},
    {.op = &mpno_op_grid_embed, .operands = "f"},
    {.op = &mpno_op_pad, .operands = "f"},
    {.op = &mpno_op_crop, .operands = "w"},
    {.op = &mpno_op_take_modes, .operands = "s"},
    {.op = &mpno_op_add, .operands = "ff", .off = "11"},
    {.op = &mpno_op_bias, .operands = "fu"},
    {.op = &mpno_op_bias, .operands = "cu", .variants = 2, .vary = real_only, .is_complex = true},
    {.op = &mpno_op_gate, .operands = "fu"},
    {.op = &mpno_op_scale, .operands = "f"},
    {.op = &mpno_op_sample_sums, .operands = "f"},
    {.op = &mpno_op_linear, .operands = "fWv"},
    {.op = &mpno_op_linear, .operands = "fW-"},
    {.op = &mpno_op_convolve, .operands = "fK"},
    {.op = &mpno_op_interpolate, .operands = "f"},
    {.op = &mpno_op_gelu, .operands = "f"},
    {.op = &mpno_op_tanh, .operands = "f"},
    {.op = &mpno_op_learned_tanh, .operands = "fx"},
    {.op = &mpno_op_squash, .operands = "f", .variants = 5, .vary = squashes},
    {.op = &mpno_op_sigma_clip, .operands = "fM"},
    {.op = &mpno_op_modulate, .operands = "fn", .off = "11", .variants = 2, .vary = shifts},
    {.op = &mpno_op_normalize, .operands = "fMuu", .variants = 3, .vary = norms},
    {.op = &mpno_op_normalize, .operands = "fM--", .variants = 3, .vary = norms},
    {.op = &mpno_op_normalize, .operands = "fRuu", .variants = 2, .vary = fixed_norms},
    {.op = &mpno_op_fft_forward, .operands = "f"},
    {.op = &mpno_op_fft_inverse, .operands = "s"},
    {.op = &mpno_op_fft_forward, .operands = "c", .is_complex = true},
    {.op = &mpno_op_fft_inverse, .operands = "s", .is_complex = true},
    {.op = &mpno_op_line_forward, .operands = "f"},
    {.op = &mpno_op_line_inverse, .operands = "k"},
    {.op = &mpno_op_columns_forward, .operands = "k"},
    {.op = &mpno_op_columns_inverse, .operands = "su"},
    {.op = &mpno_op_line_normalize, .operands = "kMuu", .variants = 2, .vary = norms},
    {.op = &mpno_op_contract, .operands = "sZ", .off = "11", .variants = 2, .vary = blocks},
    {.op = &mpno_op_contract, .operands = "sZ", .off = "10"},
    {.op = &mpno_op_scale_modes, .operands = "sY", .off = "11"},
    {.op = &mpno_op_contract_low_rank, .operands = "sadb", .off = "1111", .rank = 2},
    {.op = &mpno_op_contract_low_rank, .operands = "sadb", .off = "1000", .rank = 2},
    {.op = &mpno_op_contract_low_rank, .operands = "sadb", .off = "0000", .rank = 1, .alone = true},
    {.op = &mpno_op_contract_low_rank,
     .operands = "sadb",
     .off = "1111",
     .rank = RIG_RANK,
     .rare = true},
    {.op = &mpno_op_rebuild, .operands = "labe", .off = "0000", .rank = 1, .alone = true},
    {.op = &mpno_op_rebuild, .operands = "labe", .off = "0000", .rank = 2},
    {.op = &mpno_op_rebuild, .operands = "labe", .off = "0000", .rank = RIG_RANK, .rare = true},
};
enum { N_LEMMAS = sizeof lemmas / sizeof lemmas[0] };

static mpno_ctx *ctx;
static mpno_rng rng;

static int set_up(void **state) {
    mpno_policy full;
    (void)state;
    rng = mpno_rng_make(11, MPNO_STREAM_TEST, 8);
    return rig_open(&ctx, &full);
}

static int tear_down(void **state) {
    (void)state;
    return rig_close(&ctx);
}

static int64_t below(int64_t n) {
    return (int64_t)(mpno_rng_below(&rng, (uint64_t)n));
}

/* Sums of fields that stand beside the field: their errors count there, and they come as operands
 * M and R of other rows. */
static bool has_row(const mpno_op *op) {
    if (op == &mpno_op_moments || op == &mpno_op_columns_moments || op == &mpno_op_running_moments)
        return op->bound == mpno_bound_none;
    for (int i = 0; i < N_LEMMAS; i++)
        if (lemmas[i].op == op) return true;
    return false;
}

static void every_bound_has_a_row(void **state) {
    (void)state;
    for (int i = 0; i < mpno_op_count(); i++)
        if (mpno_op_get(i)->bound != NULL && !has_row(mpno_op_get(i)))
            fail_msg("the bound of %s has no row in this test", mpno_op_get(i)->name);
}

/* -------- starts -------- */

enum { NORMAL, SIGNS, TIES, ALONE, EQUAL, NEAR, CHANNEL, LOST, LOST_SQUARE, STYLES };

static double tie(void) {
    return ldexp(1 + (double)(2 * below(1 << 11) + 1) * 0x1p-12, (int)below(5) - 2);
}

/* One number leads, just above a power of two, and what is added to it is nearly half a unit in its
 * last place: all roundings are of its size and to the same side. LOST_SQUARE: products of two. */
static double lost(bool leads, double sign, bool square) {
    if (leads) return below(2) == 0 ? 1 : 1 + (double)(2 * below(64) + 1) * 0x1p-12;
    return sign * (1 - 0.02 * (double)below(8)) * (square ? 0x1p-12 : 0x1p-24);
}

/* from_start: what leads is the first number. */
static void fill(double *x, int64_t n, int64_t row, int style, bool from_start, double scale) {
    const int64_t one = style >= LOST && from_start ? 0 : below(n), channel = below(row);
    const double side = below(2) == 0 ? 1 : -1;
    const double centre = 3 + 100 * (double)below(20);
    for (int64_t i = 0; i < n; i++) {
        const double normal = mpno_rng_normal(&rng);
        const double sign = normal < 0 ? -1 : 1;
        double v = 0.6 * normal;
        if (style == SIGNS) v = sign;
        if (style == TIES) v = sign * tie();
        if (style == ALONE) v = i == one ? 1.0 / 3 : 0;
        if (style == EQUAL) v = 0.7;
        if (style == NEAR) v = centre + 0.01 * normal;
        if (style == CHANNEL && i % row != channel) v = 0;
        if (style >= LOST) v = lost(i == one, below(8) == 0 ? sign : side, style == LOST_SQUARE);
        x[i] = (double)(float)(scale * v);
    }
}

/* Numbers of an operand that stand together: a channel is every row-th. */
static int64_t row_of(const lemma_run *run, int i) {
    const mpno_edge *edge = &run->low.graph->edges[run->in[i]];
    const int64_t n = (int64_t)rig_count(&run->low, run->in[i]);
    return edge->channels > 0 && n % edge->channels == 0 ? edge->channels : 1;
}

static bool is_free(const lemma_run *run, int i) {
    return run->in[i] >= 0 && !run->made[i];
}

/* Small numbers are rare in weights, whose products then underflow. One style for all operands
 * finds what takes single numbers, such as chains of products of one term. */
static void start(lemma_run *run, double share) {
    static const double scales[] = {1, 1, 1, 1, 0x1p-100, 0x1p100, 0x1p-133};
    const int same = run->of->alone  ? ALONE
                     : below(3) > 0  ? -1
                     : below(3) == 0 ? LOST_SQUARE
                                     : (int)below(STYLES);
    const bool from_start = below(4) > 0;
    for (int i = 0; i < run->n_in; i++) {
        if (!is_free(run, i)) continue;
        const int edge = run->in[i];
        const int64_t n = (int64_t)rig_count(&run->low, edge), row = row_of(run, i);
        const double scale = i == 0 ? scales[below(7)] : below(40) == 0 ? 1e-40 : 1;
        double *low = run->low.data[edge], *high = run->high.data[edge], most = 0;
        fill(low, n, row, same >= 0 ? same : (int)below(STYLES), from_start, scale);
        for (int64_t k = 0; run->of->alone && k < n / 2; k++) /* both parts, [2][numbers] */
            if (low[k] != low[k + n / 2]) low[k] = low[k + n / 2] = (double)(float)(scale * tie());
        run->fresh[i] = false;
        for (int64_t k = 0; k < n; k++) most = fmax(most, fabs(low[k]));
        fill(high, n, row, (int)below(STYLES), from_start, 1);
        for (int64_t k = 0; k < n; k++)
            high[k] = low[k] - (run->off[i] && share > 0 ? share * most * high[k] : 0);
    }
}

/* -------- ascent -------- */

typedef struct change {
    int operand;
    int64_t at;
    double low, high; /* before */
} change;

static float moved(float x) {
    int32_t bits;
    memcpy(&bits, &x, sizeof bits);
    bits ^= 1 << below(23);
    memcpy(&x, &bits, sizeof bits);
    return x;
}

static change change_one(lemma_run *run, bool off) {
    change c = {.operand = (int)below(run->n_in)};
    while (!is_free(run, c.operand)) c.operand = (int)below(run->n_in);
    const int edge = run->in[c.operand];
    for (int i = 0; i < 8 && (i == 0 || run->low.data[edge][c.at] == 0); i++)
        c.at = below((int64_t)rig_count(&run->low, edge));
    double *low = run->low.data[edge] + c.at, *high = run->high.data[edge] + c.at;
    double by = *low - *high;
    c.low = *low, c.high = *high;
    if (off && run->off[c.operand] && below(2) == 0) {
        const int64_t other = below((int64_t)rig_count(&run->low, edge));
        const double size = fabs(run->low.data[edge][other] - run->high.data[edge][other]);
        const int64_t how = below(4);
        by = how == 0 ? -by : how == 1 ? 0 : how == 2 ? 2 * by : size;
    } else {
        const int64_t how = below(6);
        if (how == 0) *low = -*low;
        if (how == 1) *low = 0;
        if (how == 2) *low = 2 * *low;
        if (how > 2) *low = (double)moved((float)*low);
        run->fresh[c.operand] = false;
    }
    *high = *low - by;
    return c;
}

static void undo(lemma_run *run, const change *c) {
    const int edge = run->in[c->operand];
    if (run->low.data[edge][c->at] != c->low) run->fresh[c->operand] = false;
    run->low.data[edge][c->at] = c->low, run->high.data[edge][c->at] = c->high;
}

typedef struct record {
    double local, all; /* greatest error / bound with exact operands, and of all */
    int64_t trials, finite;
} record;

static double trial(lemma_run *run, bool off, record *best) {
    const lemma_result r = lemma_evaluate(run);
    best->trials++;
    if (!isfinite(r.error) || !isfinite(r.bound)) return 0;
    best->finite++;
    if (r.error > r.bound + r.exact)
        fail_msg("%s (%s, %d points): the error is %.9g, its bound %.9g, %s", run->of->op->name,
                 run->of->operands, (int)run->low.graph->grids[0].points, r.error, r.bound,
                 off ? "of operands that are off" : "of exact operands");
    const double ratio = r.bound > 0 ? r.error / r.bound : 0;
    best->all = fmax(best->all, ratio);
    if (!off) best->local = fmax(best->local, ratio);
    return ratio;
}

static void search(lemma_run *run, int64_t trials, record *best) {
    static const double shares[] = {0, 1e-4, 0, 1e-6, 0, 0.01, 0, 0.3};
    for (int64_t done = 0; done < trials;) {
        const double share = shares[below(8)];
        start(run, share);
        double ratio = trial(run, share > 0, best);
        done++;
        /* some starts are built to be near the worst, others have to be climbed from */
        const int64_t steps = below(2) == 0 ? 4 : 30;
        for (int64_t s = 0; s < steps && done < trials; s++, done++) {
            const change c = change_one(run, share > 0);
            const double now = trial(run, share > 0, best);
            if (now >= ratio)
                ratio = now;
            else
                undo(run, &c);
        }
    }
}

#define RARE 0.05

enum { TRIALS = 100000, MANY = 10000000, OPS = 33 };

static double wanted_trials(void) {
    const char *times = getenv("MPNO_TEST_TRIALS");
    return TRIALS * (times == NULL ? 1 : atof(times));
}

static void search_lemma(const lemma *l, int64_t trials, record *best) {
    const int variants = l->variants > 0 ? l->variants : 1, cases = variants * LEMMA_GRIDS * 2;
    for (int c = 0; c < cases; c++) {
        lemma_run run;
        lemma_open(&run, ctx, l, c / (2 * LEMMA_GRIDS), c / 2 % LEMMA_GRIDS,
                   c % 2 == 0 ? MPNO_FFT_PLAIN : MPNO_FFT_HERMITIAN);
        const bool large = c / 2 % LEMMA_GRIDS == LEMMA_GRIDS - 1;
        search(&run, trials / cases / (large ? 8 : 1) + 1, best);
        lemma_close(&run);
    }
}

static void errors_are_below_their_bounds(void **state) {
    const double each = wanted_trials() / OPS / 0.85; /* ops; larger grids take fewer */
    int64_t all = 0;
    (void)state;
    for (int i = 0; i < mpno_op_count(); i++) {
        const mpno_op *op = mpno_op_get(i);
        record best = {0};
        double rows = 0;
        for (int k = 0; k < N_LEMMAS; k++)
            if (lemmas[k].op == op) rows += lemmas[k].rare ? RARE : 1;
        for (int k = 0; k < N_LEMMAS; k++)
            if (lemmas[k].op == op)
                search_lemma(&lemmas[k], (int64_t)(each / rows * (lemmas[k].rare ? RARE : 1)),
                             &best);
        all += best.trials;
        if (rows == 0) continue;
        if (getenv("MPNO_TEST_VERBOSE"))
            print_message("%-18s %7d trials, error / bound %.3f, of exact operands %.3f\n",
                          op->name, (int)best.trials, best.all, best.local);
        if (!(best.all >= 0.25))
            fail_msg("%s: no error comes within a factor of 4 of its bound: %.3f", op->name,
                     best.all);
        /* and of roundings alone, where there are any, which takes longer to find */
        if (wanted_trials() >= MANY && best.local > 0 && !(best.local >= 0.25))
            fail_msg("%s: no rounding comes within a factor of 4 of its bound: %.3f", op->name,
                     best.local);
    }
    print_message("%lld trials\n", (long long)all);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_bound_has_a_row),
        cmocka_unit_test(errors_are_below_their_bounds),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
