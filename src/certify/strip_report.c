/* SPDX-License-Identifier: MIT
 * Strip bounds as value trees and as a sentence, see strip.h. */
#include <math.h>
#include <stdio.h>

#include "certify/strip.h"

static mpno_status set_number(mpno_ctx *ctx, mpno_value *map, const char *key, double x) {
    mpno_value *nothing;
    if (isfinite(x)) return mpno_value_set_real(ctx, map, key, x);
    MPNO_TRY(mpno_value_null(ctx, &nothing));
    return mpno_value_set(ctx, map, key, nothing);
}

static mpno_status fill_layers(mpno_ctx *ctx, const mpno_strip *s, mpno_value *map) {
    mpno_value *list, *one;
    MPNO_TRY(mpno_value_set_list(ctx, map, "layers", &list));
    for (int l = 0; l < s->n_layers; l++) {
        const mpno_strip_layer *layer = &s->layers[l];
        MPNO_TRY(mpno_value_append_map(ctx, list, &one));
        MPNO_TRY(mpno_value_set_string(ctx, one, "name", layer->name));
        MPNO_TRY(set_number(ctx, one, "radius", layer->radius));
        MPNO_TRY(set_number(ctx, one, "size", layer->size));
        MPNO_TRY(set_number(ctx, one, "imaginary", layer->imag));
        MPNO_TRY(set_number(ctx, one, "alias", layer->alias));
        MPNO_TRY(set_number(ctx, one, "error", layer->error));
    }
    return MPNO_OK;
}

static mpno_status fill(mpno_ctx *ctx, const mpno_strip *s, mpno_value *map) {
    mpno_value *input;
    MPNO_TRY(mpno_value_set_string(ctx, map, "verdict", s->closes ? "VERIFIED" : "VACUOUS"));
    MPNO_TRY(mpno_value_set_string(
        ctx, map, "claim",
        "in exact arithmetic the answer on the grid is within `error` of that of the continuum "
        "network to the trigonometric interpolant of the input: root of the mean over points of "
        "the sum over channels of squares"));
    MPNO_TRY(set_number(ctx, map, "error", s->error));
    MPNO_TRY(set_number(ctx, map, "size", s->size));
    MPNO_TRY(mpno_value_set_text(ctx, map, "open", s->closes ? NULL : s->open));
    MPNO_TRY(mpno_value_set_map(ctx, map, "input", &input));
    MPNO_TRY(mpno_value_set_int(ctx, input, "cut", s->cut));
    MPNO_TRY(set_number(ctx, input, "rest", s->rest));
    MPNO_TRY(set_number(ctx, input, "error", s->rest_error));
    return fill_layers(ctx, s, map);
}

mpno_status mpno_strip_value(mpno_ctx *ctx, const mpno_strip *strip, mpno_value **out) {
    MPNO_TRY(mpno_value_map(ctx, out));
    const mpno_status status = fill(ctx, strip, *out);
    if (status != MPNO_OK) mpno_value_destroy(ctx, out);
    return status;
}

const char *mpno_strip_text(const mpno_strip *s, char *text, size_t n) {
    if (s->closes)
        snprintf(text, n,
                 "proved by analytic strips: in exact arithmetic the answer is within %.4g of its "
                 "size from that of the continuum",
                 s->error / s->size);
    else
        snprintf(text, n, "the proof by analytic strips does not close: %s", s->open);
    return text;
}
