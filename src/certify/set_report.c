/* SPDX-License-Identifier: MIT
 * SET certificates as value trees and as a sentence, see set.h. */
#include <math.h>
#include <stdio.h>

#include "certify/set.h"
#include "number/format.h"

static mpno_status fill_layers(const mpno_set_certificate *c, mpno_value *map) {
    mpno_ctx *ctx = c->ctx;
    mpno_value *list, *one;
    MPNO_TRY(mpno_value_set_list(ctx, map, "layers", &list));
    for (int l = 0; l < c->n_layers; l++) {
        const mpno_set_layer *layer = &c->layers[l];
        MPNO_TRY(mpno_value_append_map(ctx, list, &one));
        MPNO_TRY(mpno_value_set_string(ctx, one, "layer", layer->name));
        MPNO_TRY(mpno_value_set_real(ctx, one, "norm", layer->norm));
        MPNO_TRY(mpno_value_set_real(ctx, one, "error", layer->error));
        MPNO_TRY(mpno_value_set_real(ctx, one, "lipschitz", layer->slope));
    }
    return MPNO_OK;
}

static mpno_status fill_table(const mpno_set_certificate *c, mpno_value *map) {
    mpno_ctx *ctx = c->ctx;
    mpno_value *list, *one;
    MPNO_TRY(mpno_value_set_list(ctx, map, "table", &list));
    for (int i = 0; i < c->n_lines; i++) {
        const mpno_set_line *line = &c->lines[i];
        MPNO_TRY(mpno_value_append_map(ctx, list, &one));
        MPNO_TRY(mpno_value_set_string(ctx, one, "layer", line->layer));
        MPNO_TRY(mpno_value_set_string(ctx, one, "tensor", line->name));
        MPNO_TRY(mpno_value_set_string(ctx, one, "format", mpno_format_get(line->format)->name));
        MPNO_TRY(mpno_value_set_real(ctx, one, "norm", line->norm));
        MPNO_TRY(mpno_value_set_real(ctx, one, "error", line->error));
    }
    return MPNO_OK;
}

static mpno_status fill(const mpno_set_certificate *c, mpno_value *map) {
    mpno_ctx *ctx = c->ctx;
    MPNO_TRY(mpno_value_set_string(ctx, map, "verdict", c->vacuous ? "VACUOUS" : "VERIFIED"));
    MPNO_TRY(mpno_value_set_string(
        ctx, map, "claim",
        "for every input of the ball, as the network gets it, the answer is within `error` of that "
        "of exact arithmetic: root of the mean over points of the sum over channels of squares"));
    MPNO_TRY(mpno_value_set_string(ctx, map, "ball", c->opts.ball == MPNO_BALL_SUP ? "sup" : "l2"));
    MPNO_TRY(mpno_value_set_real(ctx, map, "radius", c->opts.radius));
    MPNO_TRY(mpno_value_set_real(ctx, map, "error", c->error));
    MPNO_TRY(mpno_value_set_real(ctx, map, "norm", c->norm));
    MPNO_TRY(mpno_value_set_real(ctx, map, "size", c->size));
    MPNO_TRY(mpno_value_set_real(ctx, map, "lipschitz", c->slope));
    MPNO_TRY(mpno_value_set_text(ctx, map, "open", c->open[0] != '\0' ? c->open : NULL));
    MPNO_TRY(fill_layers(c, map));
    return fill_table(c, map);
}

mpno_status mpno_set_value(const mpno_set_certificate *c, mpno_value **out) {
    MPNO_TRY(mpno_value_map(c->ctx, out));
    const mpno_status status = fill(c, *out);
    if (status != MPNO_OK) mpno_value_destroy(c->ctx, out);
    return status;
}

const char *mpno_set_text(const mpno_set_certificate *c, char *text, size_t n) {
    const char *ball = c->opts.ball == MPNO_BALL_SUP ? "|a| <=" : "norm <=";
    if (!(c->error < INFINITY))
        snprintf(text, n, "VACUOUS: for inputs of %s %g no bound is found (%s)", ball,
                 c->opts.radius, c->open);
    else
        snprintf(text, n,
                 "%sfor all inputs of %s %g answers are within %.3g of the exact ones, which is "
                 "%.3g times their size %.3g (Lipschitz constant %.3g)",
                 c->vacuous ? "VACUOUS: " : "", ball, c->opts.radius, c->error, c->error / c->size,
                 c->size, c->slope);
    return text;
}
