/* SPDX-License-Identifier: MIT
 * Population certificates: binomial tails against whole numbers without rounding, ranks against
 * their definition, coverage over 1000 simulated calibrations of distributions whose shares are
 * known exactly, refusals, and the envelope. */
#include "unit/data/support.h"

#include <gmp.h>
#include <math.h>

#include "certify/binomial.h"
#include "certify/population.h"
#include "core/memory.h"
#include "core/rng.h"

/* -------- binomial -------- */

/* sums[k] = 2^(e n) P(X >= k), a whole number: p is one over 2^e. */
static void exact_tails(int64_t n, double p, int *e, mpz_t *sums) {
    mpz_t success, failure, term;
    mpz_inits(success, failure, term, NULL);
    *e = 0;
    while (ldexp(p, *e) != floor(ldexp(p, *e))) ++*e;
    mpz_set_d(success, ldexp(p, *e));
    mpz_ui_pow_ui(failure, 2, (unsigned long)*e);
    mpz_sub(failure, failure, success);
    mpz_init_set_ui(sums[n + 1], 0);
    for (int64_t k = n; k >= 0; k--) {
        mpz_t other;
        mpz_init(other);
        mpz_bin_uiui(term, (unsigned long)n, (unsigned long)k);
        mpz_pow_ui(other, success, (unsigned long)k);
        mpz_mul(term, term, other);
        mpz_pow_ui(other, failure, (unsigned long)(n - k));
        mpz_mul(term, term, other);
        mpz_init(sums[k]);
        mpz_add(sums[k], sums[k + 1], term);
        mpz_clear(other);
    }
    mpz_clears(success, failure, term, NULL);
}

/* The sign of x 2^bits - whole. */
static int compare_exactly(double x, int64_t bits, const mpz_t whole) {
    mpq_t left, right;
    mpq_inits(left, right, NULL);
    mpq_set_d(left, x);
    mpq_mul_2exp(left, left, (mp_bitcnt_t)bits);
    mpq_set_z(right, whole);
    const int sign = mpq_cmp(left, right);
    mpq_clears(left, right, NULL);
    return sign;
}

static void tails_are_never_too_small_and_close(void **state) {
    (void)state;
    static const int64_t counts[] = {1, 2, 7, 50, 200, 459};
    static const double chances[] = {0.95, 0.99, 0.5, 1.0 / 3, 0.02, 1e-6, 0.999999};
    for (size_t c = 0; c < sizeof counts / sizeof *counts; c++)
        for (size_t i = 0; i < sizeof chances / sizeof *chances; i++) {
            const int64_t n = counts[c];
            mpz_t sums[462];
            int e;
            exact_tails(n, chances[i], &e, sums);
            for (int64_t k = 0; k <= n + 1; k++) {
                const double tail = mpno_binomial_tail(n, chances[i], k);
                assert_true(compare_exactly(tail, e * n, sums[k]) >= 0);
                const double less = (tail - 1e-300 * (double)n) / (1 + 1e-14 * (double)n);
                if (less > 0) assert_true(compare_exactly(less, e * n, sums[k]) <= 0);
            }
            for (int r = 0; r < 4; r++) { /* the least k with a tail of at most the risk */
                static const double risks[4] = {0.5, 0.05, 0.01, 1e-9};
                const int64_t k = mpno_binomial_rank(n, chances[i], risks[r]);
                assert_true(k >= 1 && k <= n + 1);
                assert_true(compare_exactly(risks[r], e * n, sums[k]) >= 0);
                const double nearly =
                    risks[r] * (1 - 1e-14 * (double)n); /* a tail of the risk itself */
                assert_true(k == 1 || compare_exactly(nearly, e * n, sums[k - 1]) < 0);
            }
            for (int64_t k = 0; k <= n + 1; k++) mpz_clear(sums[k]);
        }
}

/* Far from where factorials overflow, by symmetry: P(X >= (n + 1) / 2) = 1/2 of odd n and p = 1/2.
 */
static void large_numbers_lose_nothing(void **state) {
    (void)state;
    const double half = mpno_binomial_tail(1000001, 0.5, 500001);
    assert_true(half >= 0.5 && half <= 0.5 * (1 + 1e-8));
    const double nearly = mpno_binomial_tail(1000000, 0.999999, 1000000); /* about 1 / e */
    const double known = exp(1e6 * log1p(-1e-6));
    assert_true(fabs(nearly / known - 1) < 1e-8);
}

/* -------- promises -------- */

static void ranks_are_those_of_the_definition(void **state) {
    mpno_ctx *ctx = *state;
    double scores[999];
    mpno_population p;
    for (int i = 0; i < 999; i++) scores[i] = (i * 7) % 999 + 1; /* 1 .. 999 in some order */
    mpno_population_opts opts = MPNO_POPULATION_OPTS_INIT;
    assert_ok(ctx, mpno_population_bound(ctx, scores, 999, &opts, &p));
    assert_true(p.rank == 950 && p.bound == 950 && p.coverage == 0.95); /* 0.95 * 1000, not 951 */
    assert_true(p.median == 500 && p.most == 999 && p.samples == 999 && p.infinite == 0);
    assert_true(p.sure_bound == (double)p.sure_rank && p.sure_rank > 950);
    opts.level = 0.999; /* the largest of all, and none of them with confidence */
    opts.confidence = 0;
    assert_ok(ctx, mpno_population_bound(ctx, scores, 999, &opts, &p));
    assert_true(p.rank == 999 && p.sure_rank == 0);
    for (int k = 1; k < 100; k++) { /* 21 of 300 are 0.07, though 300 * 0.07 is above 21 here */
        opts.level = k / 100.0;
        assert_ok(ctx, mpno_population_bound(ctx, scores, 299, &opts, &p));
        assert_true(p.rank == 3 * k && p.coverage == opts.level);
    }
    for (int i = 0; i < 459; i++) scores[i] = i;
    opts = (mpno_population_opts){0.99, 0.99}; /* 0.99^459 = 0.00992 */
    assert_ok(ctx, mpno_population_bound(ctx, scores, 459, &opts, &p));
    assert_true(p.sure_rank == 459 && p.sure_bound == 458 && p.risk <= 0.01 && p.risk > 0.0099);
}

static void too_few_samples_are_refused(void **state) {
    mpno_ctx *ctx = *state;
    static double scores[1000];
    mpno_population p;
    mpno_population_opts opts = MPNO_POPULATION_OPTS_INIT;
    assert_fails(ctx, mpno_population_bound(ctx, scores, 199, &opts, &p), MPNO_E_ARGUMENT,
                 "199 calibration samples; a population certificate takes at least 200");
    opts = (mpno_population_opts){0.99, 0.99};
    assert_fails(ctx, mpno_population_bound(ctx, scores, 458, &opts, &p), MPNO_E_ARGUMENT,
                 "takes 459");
    opts = (mpno_population_opts){0.999, 0};
    assert_fails(ctx, mpno_population_bound(ctx, scores, 998, &opts, &p), MPNO_E_ARGUMENT,
                 "998 calibration samples are too few for level 0.999, which takes 999");
    assert_non_null(strstr(mpno_ctx_error(ctx), "at most 0.998998")); /* 998 / 999 */
    opts.level = 0.998998;
    assert_ok(ctx, mpno_population_bound(ctx, scores, 998, &opts, &p));
    opts.level = 1;
    assert_fails(ctx, mpno_population_bound(ctx, scores, 998, &opts, &p), MPNO_E_ARGUMENT, "level");
    opts = (mpno_population_opts){0.95, 1};
    assert_fails(ctx, mpno_population_bound(ctx, scores, 998, &opts, &p), MPNO_E_ARGUMENT,
                 "confidence");
    opts.confidence = 0.99;
    scores[17] = NAN;
    assert_fails(ctx, mpno_population_bound(ctx, scores, 998, &opts, &p), MPNO_E_NUMERIC,
                 "score 17");
    scores[17] = -1e-30;
    assert_fails(ctx, mpno_population_bound(ctx, scores, 998, &opts, &p), MPNO_E_NUMERIC,
                 "score 17");
    scores[17] = 0;
}

/* Ten of 200 scores bound nothing: the 191st is the first of them. */
static void infinite_scores_rank_above_all(void **state) {
    mpno_ctx *ctx = *state;
    double scores[200];
    char claim[320];
    mpno_population p;
    mpno_value *value;
    const mpno_population_opts opts = MPNO_POPULATION_OPTS_INIT;
    for (int i = 0; i < 200; i++) scores[i] = i % 20 == 3 ? INFINITY : 1.23456123e-3;
    assert_ok(ctx, mpno_population_bound(ctx, scores, 200, &opts, &p));
    assert_true(p.infinite == 10 && p.rank == 191 && isinf(p.bound) && isinf(p.sure_bound));
    mpno_population_claim(&p, claim, sizeof claim);
    assert_non_null(strstr(claim, "not bounded"));
    assert_ok(ctx, mpno_population_value(ctx, &p, &value));
    assert_false(mpno_value_get(mpno_value_get(value, "marginal"), "bounded")->boolean);
    mpno_value_destroy(ctx, &value);
    scores[3] = 0;
    assert_ok(ctx, mpno_population_bound(ctx, scores, 200, &opts, &p));
    assert_true(p.infinite == 9 && p.bound == 1.23456123e-3 && isinf(p.sure_bound));
    mpno_population_claim(&p, claim, sizeof claim);
    const char *at = strstr(claim, "at most ");
    assert_non_null(at);
    const double told = strtod(at + 8, NULL);
    assert_true(told >= p.bound && told <= p.bound * (1 + 2e-5)); /* never rounded down */
    assert_non_null(strstr(claim, "at least 0.9502 "));
}

/* -------- simulated calibrations -------- */

typedef struct law {
    const char *name;
    double (*draw)(mpno_rng *rng);
    double (*share)(double x); /* of samples up to x */
    bool ties;
} law;

static double uniform_draw(mpno_rng *rng) {
    return mpno_rng_uniform(rng);
}
static double uniform_share(double x) {
    return x;
}
static double narrow_draw(mpno_rng *rng) {
    return 1 + 1e-6 * mpno_rng_uniform(rng);
}
static double narrow_share(double x) {
    return (x - 1) * 1e6;
}
static double cauchy_draw(mpno_rng *rng) {
    return tan(M_PI_2 * mpno_rng_uniform(rng));
}
static double cauchy_share(double x) {
    return atan(x) / M_PI_2;
}
/* P(s <= x) = 1 - x^(-1/10): not even its logarithm's tenth power has a mean. */
static double pareto_draw(mpno_rng *rng) {
    return pow(1 - mpno_rng_uniform(rng), -10);
}
static double pareto_share(double x) {
    return 1 - pow(x, -0.1);
}
static double normal_draw(mpno_rng *rng) {
    return exp(3 * mpno_rng_normal(rng));
}
static double normal_share(double x) {
    return erfc(-log(x) / (3 * M_SQRT2)) / 2;
}
static double dice_draw(mpno_rng *rng) {
    return (double)mpno_rng_below(rng, 7);
}
static double dice_share(double x) {
    return (x + 1) / 7;
}
/* 0 nine times of ten. */
static double mostly_zero_draw(mpno_rng *rng) {
    const double x = mpno_rng_uniform(rng);
    return x < 0.9 ? 0 : x;
}
static double mostly_zero_share(double x) {
    return x < 0.9 ? 0.9 : x;
}
static double sometimes_infinite_draw(mpno_rng *rng) {
    const double x = mpno_rng_uniform(rng);
    return x < 0.97 ? x : INFINITY;
}
static double sometimes_infinite_share(double x) {
    return isinf(x) ? 1 : x;
}

static const law laws[] = {
    {"uniform", uniform_draw, uniform_share, false},
    {"narrow", narrow_draw, narrow_share, false},
    {"Cauchy", cauchy_draw, cauchy_share, false},
    {"Pareto", pareto_draw, pareto_share, false},
    {"log-normal", normal_draw, normal_share, false},
    {"dice", dice_draw, dice_share, true},
    {"mostly zero", mostly_zero_draw, mostly_zero_share, true},
    {"sometimes infinite", sometimes_infinite_draw, sometimes_infinite_share, true},
};

/* 1000 calibrations of 200: the share of all samples below the bound is known, so that nothing but
 * the calibrations is random. 4 standard deviations each: of the mean of the share, which is
 * Beta(191, 10) without ties, and of the number of calibrations that fail, Bin(1000, risk). */
static void promises_hold_over_a_thousand_calibrations(void **state) {
    mpno_ctx *ctx = *state;
    enum { SPLITS = 1000, N = 200 };
    for (size_t l = 0; l < sizeof laws / sizeof *laws; l++)
        for (int c = 0; c < 2; c++) {
            const mpno_population_opts opts = {0.95, c == 0 ? 0.9 : 0.99};
            mpno_rng rng = mpno_rng_make(8, MPNO_STREAM_TEST, (uint32_t)(2 * l + (size_t)c));
            double covered = 0, sure_covered = 0, scores[N];
            int failed = 0;
            mpno_population p;
            for (int s = 0; s < SPLITS; s++) {
                for (int i = 0; i < N; i++) scores[i] = laws[l].draw(&rng);
                assert_ok(ctx, mpno_population_bound(ctx, scores, N, &opts, &p));
                covered += laws[l].share(p.bound) / SPLITS;
                sure_covered += laws[l].share(p.sure_bound) / SPLITS;
                failed += laws[l].share(p.sure_bound) < 0.95;
            }
            const double deviation = sqrt(191.0 * 10 / (201.0 * 201 * 202) / SPLITS);
            const double spread = sqrt(SPLITS * p.risk * (1 - p.risk));
            print_message("%-18s covers %.4f; with confidence %.2f %.4f, %d of 1000 do not\n",
                          laws[l].name, covered, opts.confidence, sure_covered, failed);
            assert_true(covered >= p.coverage - 4 * deviation && sure_covered >= 0.95);
            assert_true(failed <= SPLITS * p.risk + 4 * spread);
            assert_true(p.risk <= 1 - opts.confidence);
            if (laws[l].ties) continue;
            assert_true(covered >= 0.94 && covered <= 0.97);
            assert_true(covered <= p.coverage + 4 * deviation);
            assert_true(failed >= SPLITS * p.risk - 4 * spread);
        }
}

/* -------- envelope -------- */

static mpno_point point_of(double a, double b, double c, double d) {
    mpno_point point = {.n_layers = 2,
                        .layers = {{.name = "lifting", .norm = a, .most = b},
                                   {.name = "block 0", .norm = c, .most = d}}};
    return point;
}

static void envelope_knows_what_calibration_saw(void **state) {
    mpno_ctx *ctx = *state;
    mpno_envelope e = {0}, again;
    mpno_envelope_verdict v;
    mpno_value *value;
    mpno_point seen[2] = {point_of(1, 5, 0.5, 7), point_of(2, 4, 0.25, 8)};
    assert_fails(ctx, mpno_envelope_test(ctx, &e, seen, &v), MPNO_E_ARGUMENT, "no samples");
    for (int i = 0; i < 2; i++) assert_ok(ctx, mpno_envelope_add(ctx, &e, &seen[i]));
    assert_ok(ctx, mpno_envelope_value(ctx, &e, &value));
    assert_ok(ctx, mpno_envelope_read(ctx, "a.json", value, &again));
    assert_memory_equal(&e, &again, sizeof e);
    for (int i = 0; i < 2; i++) {
        assert_ok(ctx, mpno_envelope_test(ctx, &again, &seen[i], &v));
        assert_true(v.inside && v.layer == -1 && v.what == NULL);
    }
    const mpno_point corner = point_of(2, 5, 0.5, 8);
    assert_ok(ctx, mpno_envelope_test(ctx, &e, &corner, &v));
    assert_true(v.inside);
    static const double outside[5][4] = {{2.001, 5, 0.5, 8},
                                         {2, 5.001, 0.5, 8},
                                         {2, 5, 0.501, 8},
                                         {2, 5, 0.5, 8.001},
                                         {NAN, 5, 0, 9}};
    static const int where[5] = {0, 0, 1, 1, 0};
    for (int i = 0; i < 5; i++) {
        const double *o = outside[i];
        const mpno_point point = point_of(o[0], o[1], o[2], o[3]);
        assert_ok(ctx, mpno_envelope_test(ctx, &e, &point, &v));
        assert_true(!v.inside && v.layer == where[i]);
        assert_string_equal(v.what, i == 1 || i == 3 ? "largest magnitude" : "norm");
        assert_true(i == 4 ? isnan(v.found) : v.found == o[i]);
        assert_true(v.calibrated == (i == 4 ? 2 : i == 0 ? 2 : i == 1 ? 5 : i == 2 ? 0.5 : 8));
    }
    mpno_point other = seen[0];
    other.n_layers = 1;
    assert_fails(ctx, mpno_envelope_test(ctx, &e, &other, &v), MPNO_E_ARGUMENT, "1 layers");
    assert_fails(ctx, mpno_envelope_add(ctx, &e, &other), MPNO_E_ARGUMENT, "one network");
    other = seen[0];
    other.layers[1].name[6] = '1';
    assert_fails(ctx, mpno_envelope_test(ctx, &e, &other, &v), MPNO_E_ARGUMENT, "\"block 1\"");
    other = point_of(1, INFINITY, 1, 1);
    assert_fails(ctx, mpno_envelope_add(ctx, &e, &other), MPNO_E_NUMERIC, "lifting");
    assert_memory_equal(&e, &again, sizeof e); /* a failed addition leaves no trace */
    mpno_value_destroy(ctx, &value);
}

static void damaged_envelopes_are_refused(void **state) {
    mpno_ctx *ctx = *state;
    static const char *const texts[] = {
        "[1]",
        "{\"layers\": []}",
        "{\"samples\": 0, \"layers\": []}",
        "{\"samples\": 3, \"layers\": 4}",
        "{\"samples\": 3, \"layers\": [{\"name\": \"a\", \"norm\": 1}]}",
        "{\"samples\": 3, \"layers\": [{\"name\": \"a\", \"norm\": null, \"largest\": 1}]}",
        "{\"samples\": 3, \"layers\": [{\"name\": \"a\", \"norm\": -1, \"largest\": 1}]}",
        "{\"samples\":3,\"layers\":[{\"name\":\"sixteen letters.\",\"norm\":1,\"largest\":1}]}"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        mpno_value *value;
        mpno_envelope e;
        assert_ok(ctx, mpno_json_parse(ctx, "t", texts[i], strlen(texts[i]), &value));
        assert_fails(ctx, mpno_envelope_read(ctx, "c.json", value, &e), MPNO_E_FORMAT, "c.json: ");
        mpno_value_destroy(ctx, &value);
    }
}

static void json_has_what_the_result_has(void **state) {
    mpno_ctx *ctx = *state;
    double scores[250];
    mpno_population p;
    mpno_value *value;
    char claim[320];
    const mpno_population_opts opts = MPNO_POPULATION_OPTS_INIT;
    for (int i = 0; i < 250; i++) scores[i] = 1 + i;
    assert_ok(ctx, mpno_population_bound(ctx, scores, 250, &opts, &p));
    assert_ok(ctx, mpno_population_value(ctx, &p, &value));
    const mpno_value *sure = mpno_value_get(value, "confident");
    assert_true(mpno_value_get_real(value, "samples") == 250);
    assert_true(mpno_value_get_real(value, "median") == p.median);
    assert_true(mpno_value_get_real(mpno_value_get(value, "marginal"), "bound") == p.bound);
    assert_true(mpno_value_get_real(sure, "rank") == (double)p.sure_rank);
    assert_true(mpno_value_get_real(sure, "risk") == p.risk);
    mpno_population_sure_claim(&p, claim, sizeof claim);
    assert_string_equal(mpno_value_get_string(sure, "claim", ""), claim);
    assert_non_null(strstr(claim, "With confidence 0.99 over"));
    mpno_value_destroy(ctx, &value);
    assert_ok(ctx, mpno_population_assumptions(ctx, &value));
    assert_int_equal(value->n, 5);
    mpno_value_destroy(ctx, &value);
    for (int n = 0;; n++) { /* every allocation that can fail does so once */
        mpno_alloc_fail_after(ctx, n);
        const mpno_status status = mpno_population_value(ctx, &p, &value);
        mpno_alloc_fail_after(ctx, -1);
        if (status == MPNO_OK) break;
        assert_int_equal(status, MPNO_E_MEMORY);
        assert_null(value);
        assert_int_equal(mpno_ctx_bytes(ctx), 0);
    }
    mpno_value_destroy(ctx, &value);
}

/* N5 and N6: networks of two layers whose norms, magnitudes and scores go up and down together, as
 * those of real samples do. */
static void guards_send_few_away_and_break_no_promise(void **state) {
    enum { RUNS = 2000, SAMPLES = 200 };
    mpno_ctx *ctx = *state;
    mpno_rng rng = mpno_rng_make(5, MPNO_STREAM_TEST, 12);
    const mpno_population_opts opts = {.level = 0.95, .confidence = 0};
    int away = 0, broken = 0;
    for (int run = 0; run < RUNS; run++) {
        mpno_envelope e = {0};
        mpno_envelope_verdict v = {0};
        mpno_population p = {0};
        double scores[SAMPLES + 1];
        for (int i = 0; i <= SAMPLES; i++) {
            double x[4], size = mpno_rng_normal(&rng);
            for (int k = 0; k < 4; k++) x[k] = exp(size + mpno_rng_normal(&rng));
            const mpno_point point = point_of(x[0], x[1], x[2], x[3]);
            scores[i] = x[0] * exp(mpno_rng_normal(&rng));
            if (i < SAMPLES)
                assert_ok(ctx, mpno_envelope_add(ctx, &e, &point));
            else
                assert_ok(ctx, mpno_envelope_test(ctx, &e, &point, &v));
        }
        assert_ok(ctx, mpno_population_bound(ctx, scores, SAMPLES, &opts, &p));
        away += !v.inside;
        broken += v.inside && scores[SAMPLES] > p.bound;
    }
    const double most = 4 / (SAMPLES + 1.0), alpha = 1 - opts.level;
    print_message("%d of %d sent away, at most %.0f expected; of those kept %d above the bound\n",
                  away, RUNS, RUNS * most, broken);
    assert_true(away <= RUNS * most + 4 * sqrt(RUNS * most));
    assert_true(away >= RUNS / (SAMPLES + 1.0) - 4 * sqrt(RUNS / (SAMPLES + 1.0)));
    assert_true(broken <= RUNS * alpha + 4 * sqrt(RUNS * alpha));
    assert_true(broken > 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(tails_are_never_too_small_and_close, make_context,
                                        end_context),
        cmocka_unit_test_setup_teardown(large_numbers_lose_nothing, make_context, end_context),
        cmocka_unit_test_setup_teardown(ranks_are_those_of_the_definition, make_context,
                                        end_context),
        cmocka_unit_test_setup_teardown(too_few_samples_are_refused, make_context, end_context),
        cmocka_unit_test_setup_teardown(infinite_scores_rank_above_all, make_context, end_context),
        cmocka_unit_test_setup_teardown(promises_hold_over_a_thousand_calibrations, make_context,
                                        end_context),
        cmocka_unit_test_setup_teardown(envelope_knows_what_calibration_saw, make_context,
                                        end_context),
        cmocka_unit_test_setup_teardown(guards_send_few_away_and_break_no_promise, make_context,
                                        end_context),
        cmocka_unit_test_setup_teardown(damaged_envelopes_are_refused, make_context, end_context),
        cmocka_unit_test_setup_teardown(json_has_what_the_result_has, make_context, end_context),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
