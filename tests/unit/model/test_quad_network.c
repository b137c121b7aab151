/* SPDX-License-Identifier: MIT
 * The network in f64 against the oracle that evaluates its definition with more bits: random small
 * configurations in 1 to 4 dimensions, with every option that inference knows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>

#include "support/quad_case.h"
#include "unit/model/support.h"

enum { CASES = 300 };

/* A result that takes some hundred roundings of 2^-53 one after another, which mostly cancel, in
 * relative L2; norms make the ones before them larger by what the oracle says. 400 cases
 * need 2.4e-14 of this. */
static const double TOLERANCE = 1e-13;

static void f64_agrees_with_the_definition(void **state) {
    (void)state;
    mpno_ctx *ctx = make_ctx(1);
    double worst = 0;
    int well_conditioned = 0;
    for (uint64_t seed = 0; seed < CASES; seed++) {
        quad_case q;
        quad_case_draw(ctx, seed, MPNO_F64, &q);
        quad_number *exact = calloc(q.n_out, sizeof *exact);
        double *answer = calloc(q.n_out, sizeof *answer);
        assert_true(exact != NULL && answer != NULL);
        assert_null(quad_refuses(&q.config, &q.opts));
        q.exceptions = NULL;
        if (!quad_case_answer(ctx, &q, "full", answer))
            fail_msg("%s: %s", quad_case_text(&q, seed), mpno_ctx_error(ctx));
        const double condition = quad_network_run(q.model, &q.opts, q.input, exact),
                     error = quad_distance(&q.domain, exact, answer).l2,
                     size = quad_distance(&q.domain, exact, NULL).l2;
        assert_true(size > 0 && condition >= 1);
        if (!(error <= TOLERANCE * condition * size))
            fail_msg("%s: %.2e off %.2e, condition %.2g", quad_case_text(&q, seed), error, size,
                     condition);
        worst = fmax(worst, error / (condition * size));
        well_conditioned += condition < 100;
        free(exact), free(answer);
        quad_case_drop(&q);
    }
    print_message("%s: at most %.2g of size and condition\n", quad_arithmetic(), worst);
    /* more than half of the cases test to 1e-11 at least */
    assert_true(well_conditioned > CASES / 2);
    drop_ctx(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(f64_agrees_with_the_definition)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
