/* SPDX-License-Identifier: MIT
 * The envelope of a calibration set: the greatest norm and the largest magnitude that each layer
 * met. See population.h and docs/theory/population.md, N6. */
#include <math.h>
#include <string.h>

#include "certify/population.h"

static mpno_status check_layers(mpno_ctx *ctx, const mpno_envelope *e, const mpno_point *point) {
    MPNO_CHECK(ctx, point->n_layers == e->n_layers, MPNO_E_ARGUMENT,
               "a point of %d layers beside an envelope of %d; both must be of one network",
               point->n_layers, e->n_layers);
    for (int l = 0; l < e->n_layers; l++)
        MPNO_CHECK(ctx, strcmp(point->layers[l].name, e->layers[l].name) == 0, MPNO_E_ARGUMENT,
                   "layer %d is \"%s\" in a point and \"%s\" in the envelope; both must be of one "
                   "network",
                   l, point->layers[l].name, e->layers[l].name);
    return MPNO_OK;
}

mpno_status mpno_envelope_add(mpno_ctx *ctx, mpno_envelope *e, const mpno_point *point) {
    for (int l = 0; l < point->n_layers; l++)
        MPNO_CHECK(ctx, isfinite(point->layers[l].norm) && isfinite(point->layers[l].most),
                   MPNO_E_NUMERIC,
                   "layer %s of a calibration sample has norm %g and largest magnitude %g; an "
                   "envelope takes finite ones alone",
                   point->layers[l].name, point->layers[l].norm, point->layers[l].most);
    if (e->samples == 0) {
        e->n_layers = point->n_layers;
        for (int l = 0; l < e->n_layers; l++)
            memcpy(e->layers[l].name, point->layers[l].name, sizeof e->layers[l].name);
    }
    MPNO_TRY(check_layers(ctx, e, point));
    for (int l = 0; l < e->n_layers; l++) {
        e->layers[l].norm = fmax(e->layers[l].norm, point->layers[l].norm);
        e->layers[l].most = fmax(e->layers[l].most, point->layers[l].most);
    }
    e->samples++;
    return MPNO_OK;
}

/* Keeps the first find. */
static void judge(mpno_envelope_verdict *v, int layer, const char *what, double found,
                  double calibrated) {
    if (!v->inside || found <= calibrated) return;
    *v = (mpno_envelope_verdict){false, layer, what, found, calibrated};
}

mpno_status mpno_envelope_test(mpno_ctx *ctx, const mpno_envelope *e, const mpno_point *point,
                               mpno_envelope_verdict *out) {
    MPNO_CHECK(ctx, e->samples > 0, MPNO_E_ARGUMENT,
               "an envelope of no samples; add those of calibration first");
    MPNO_TRY(check_layers(ctx, e, point));
    *out = (mpno_envelope_verdict){.inside = true, .layer = -1};
    for (int l = 0; l < e->n_layers; l++) {
        judge(out, l, "norm", point->layers[l].norm, e->layers[l].norm);
        judge(out, l, "largest magnitude", point->layers[l].most, e->layers[l].most);
    }
    return MPNO_OK;
}

static mpno_status put_envelope(mpno_ctx *ctx, const mpno_envelope *e, mpno_value *map) {
    mpno_value *list, *layer;
    MPNO_TRY(mpno_value_set_int(ctx, map, "samples", e->samples));
    MPNO_TRY(mpno_value_set_list(ctx, map, "layers", &list));
    for (int l = 0; l < e->n_layers; l++) {
        MPNO_TRY(mpno_value_append_map(ctx, list, &layer));
        MPNO_TRY(mpno_value_set_string(ctx, layer, "name", e->layers[l].name));
        MPNO_TRY(mpno_value_set_real(ctx, layer, "norm", e->layers[l].norm));
        MPNO_TRY(mpno_value_set_real(ctx, layer, "largest", e->layers[l].most));
    }
    return MPNO_OK;
}

mpno_status mpno_envelope_value(mpno_ctx *ctx, const mpno_envelope *envelope, mpno_value **out) {
    MPNO_TRY(mpno_value_map(ctx, out));
    const mpno_status status = put_envelope(ctx, envelope, *out);
    if (status != MPNO_OK) mpno_value_destroy(ctx, out);
    return status;
}

mpno_status mpno_envelope_read(mpno_ctx *ctx, const char *name, const mpno_value *value,
                               mpno_envelope *out) {
    const mpno_value *samples = mpno_value_get(value, "samples");
    const mpno_value *layers = mpno_value_get(value, "layers");
    memset(out, 0, sizeof *out);
    MPNO_CHECK(ctx, samples != NULL && samples->kind == MPNO_VALUE_INT && samples->integer >= 1,
               MPNO_E_FORMAT, "%s: an envelope without \"samples\", a whole number from 1 on",
               name);
    MPNO_CHECK(ctx,
               layers != NULL && layers->kind == MPNO_VALUE_LIST && layers->n <= MPNO_MAX_LAYERS,
               MPNO_E_FORMAT, "%s: an envelope without \"layers\", a list of at most %d", name,
               MPNO_MAX_LAYERS);
    for (size_t l = 0; l < layers->n; l++) {
        mpno_envelope_layer *layer = &out->layers[l];
        const char *text = mpno_value_get_string(layers->items[l], "name", "");
        layer->norm = mpno_value_get_real(layers->items[l], "norm");
        layer->most = mpno_value_get_real(layers->items[l], "largest");
        MPNO_CHECK(ctx,
                   text[0] != '\0' && strlen(text) < sizeof layer->name && layer->norm >= 0 &&
                       layer->most >= 0,
                   MPNO_E_FORMAT,
                   "%s: layer %zu of an envelope needs a \"name\" of at most %zu letters, a "
                   "\"norm\" and a \"largest\" magnitude, numbers from 0 on",
                   name, l, sizeof layer->name - 1);
        memcpy(layer->name, text, strlen(text) + 1);
    }
    out->samples = samples->integer;
    out->n_layers = (int)layers->n;
    return MPNO_OK;
}
