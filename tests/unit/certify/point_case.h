/* SPDX-License-Identifier: MIT
 * A case of support/quad_case.h and its POINT certificate: how to make the certifier of a case, and
 * its interval held to the oracle. Functions assert rather than return a status. */
#ifndef TESTS_UNIT_CERTIFY_POINT_CASE_H
#define TESTS_UNIT_CERTIFY_POINT_CASE_H

#include "certify/point.h"
#include "support/quad_case.h"
#include "unit/model/support.h"

static inline mpno_certifier *point_certifier(mpno_ctx *ctx, const quad_case *q) {
    mpno_certifier_opts opts = {.norms = MPNO_OBJECTIVE_INIT, .embedding = q->embedding};
    mpno_certifier *certifier;
    memcpy(opts.grid, q->opts.grid, sizeof opts.grid);
    memcpy(opts.output_grid, q->opts.output_grid, sizeof opts.output_grid);
    memcpy(opts.norms.measure, q->domain.measure, sizeof opts.norms.measure);
    memcpy(opts.norms.one_sided, q->domain.one_sided, sizeof opts.norms.one_sided);
    if (q->normalized) opts.x = &q->x, opts.y = &q->y;
    if (mpno_certifier_create(q->model, &opts, &certifier) != MPNO_OK)
        fail_msg("%s", mpno_ctx_error(ctx));
    return certifier;
}

/* By the oracle: distances of the stored answer and of the shadow's from the exact one, and its own
 * size. */
typedef struct point_truth {
    double distance[MPNO_N_DISTANCES], size[MPNO_N_DISTANCES], shadow[MPNO_N_DISTANCES];
} point_truth;

static inline void point_in_order(quad_norms norms, double values[MPNO_N_DISTANCES]) {
    values[MPNO_DISTANCE_L2] = norms.l2;
    values[MPNO_DISTANCE_H1] = norms.h1;
    values[MPNO_DISTANCE_MOST] = norms.most;
}

/* Fails where an interval of the certificate does not contain what is true. */
static inline point_truth point_check(const quad_case *q, const char *text, const mpno_point *point,
                                      const mpno_certifier *certifier, const double *answer) {
    quad_number *exact = calloc(q->n_out, sizeof *exact);
    point_truth truth;
    assert_non_null(exact);
    assert_null(quad_refuses(mpno_model_config(q->model), &q->opts));
    quad_network_run(q->model, &q->opts, q->input, exact);
    point_in_order(quad_distance(&q->domain, exact, answer), truth.distance);
    point_in_order(quad_distance(&q->domain, exact, NULL), truth.size);
    point_in_order(quad_distance(&q->domain, exact, mpno_certifier_answer(certifier)),
                   truth.shadow);
    free(exact);
    for (int k = 0; k < MPNO_N_DISTANCES; k++) {
        const mpno_interval d = point->distance[k], s = point->size[k];
        if (!(d.lower <= truth.distance[k] && truth.distance[k] <= d.upper))
            fail_msg("%s: %s distance %.17g outside %.17g .. %.17g", text, mpno_distance_name(k),
                     truth.distance[k], d.lower, d.upper);
        if (!(s.lower <= truth.size[k] && truth.size[k] <= s.upper))
            fail_msg("%s: %s size %.17g outside %.17g .. %.17g", text, mpno_distance_name(k),
                     truth.size[k], s.lower, s.upper);
        if (!(truth.shadow[k] <= point->shadow[k]))
            fail_msg("%s: the shadow is off by %.3g in %s, its bound is %.3g", text,
                     truth.shadow[k], mpno_distance_name(k), point->shadow[k]);
        assert_true(d.lower >= 0 && s.lower >= 0);
    }
    return truth;
}

#endif
