/* SPDX-License-Identifier: MIT
 * A certificate as text for a person: see proof.h. Bounds are cut to seven digits on their safe
 * side. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/text.h"
#include "train/proof.h"
#include "train/sink.h"

/* Seven digits; where they are on the wrong side, the last one is moved by one. */
static mpno_status bound(mpno_table *table, double value, bool up) {
    char text[32];
    double read = 0;
    if (isnan(value)) return mpno_table_cell(table, "-");
    snprintf(text, sizeof text, "%.6e", value);
    if (mpno_real_parse(text, &read) && (up ? read < value : read > value)) {
        const double unit = pow(10, atoi(strchr(text, 'e') + 1) - 6);
        snprintf(text, sizeof text, "%.6e", up ? read + unit : read - unit);
    }
    return mpno_table_cell(table, "%s", text);
}

mpno_status mpno_proof_fill_distances(const mpno_certificate *c, mpno_table *table) {
    static const char *const names[MPNO_N_DISTANCES] = {"L2", "H1", "maximum"};
    static const char *const columns[] = {"distance",      "at least",     "at most",
                                          "rel. at least", "rel. at most", "exact answer",
                                          "f64 run off by"};
    for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++)
        MPNO_TRY(mpno_table_column(table, columns[i], i == 0 ? MPNO_LEFT : MPNO_RIGHT));
    for (int i = 0; i < MPNO_N_DISTANCES; i++) {
        const mpno_certified_distance *d = &c->distance[i];
        MPNO_TRY(mpno_table_cell(table, "%s", names[i]));
        MPNO_TRY(bound(table, d->lower, false));
        MPNO_TRY(bound(table, d->upper, true));
        MPNO_TRY(bound(table, d->relative_lower, false));
        MPNO_TRY(bound(table, d->relative_upper, true));
        MPNO_TRY(mpno_table_cell(table, "%.4g", d->size_upper));
        MPNO_TRY(mpno_table_cell(table, "%.2g", d->shadow));
    }
    return MPNO_OK;
}

mpno_status mpno_proof_fill_layers(const mpno_certificate *c, mpno_table *table) {
    static const char *const columns[] = {"layer", "size", "largest", "f64 run off by at most",
                                          "of it"};
    for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++)
        MPNO_TRY(mpno_table_column(table, columns[i], i == 0 ? MPNO_LEFT : MPNO_RIGHT));
    for (int i = 0; i < c->n_layers; i++) {
        const mpno_point_layer *layer = &c->layers[i];
        MPNO_TRY(mpno_table_cell(table, "%s", layer->name));
        MPNO_TRY(mpno_table_cell(table, "%.4g", layer->norm));
        MPNO_TRY(mpno_table_cell(table, "%.4g", layer->most));
        MPNO_TRY(bound(table, layer->error, true));
        MPNO_TRY(layer->norm > 0 ? mpno_table_cell(table, "%.1e", layer->error / layer->norm)
                                 : mpno_table_cell(table, "-"));
    }
    return MPNO_OK;
}

static mpno_status say_rows(mpno_ctx *ctx, const mpno_certificate *c, const mpno_sink *sink,
                            mpno_status (*fill)(const mpno_certificate *, mpno_table *)) {
    mpno_table *table = NULL;
    MPNO_TRY(mpno_table_create(ctx, &table));
    mpno_status status = fill(c, table);
    if (status == MPNO_OK) status = mpno_say_table(ctx, sink, table);
    mpno_table_destroy(&table);
    return status;
}

const char *mpno_verdict_name(mpno_verdict verdict) {
    static const char *const names[] = {"VERIFIED", "REFUTED", "UNKNOWN"};
    return names[verdict];
}

mpno_status mpno_proof_say(mpno_ctx *ctx, const mpno_certificate *c, bool layers,
                           const mpno_sink *sink) {
    mpno_say(sink, "claim: %s\n", c->claim.text);
    if (isnan(c->distance[0].lower)) return MPNO_OK;
    MPNO_TRY(say_rows(ctx, c, sink, mpno_proof_fill_distances));
    return layers ? say_rows(ctx, c, sink, mpno_proof_fill_layers) : MPNO_OK;
}
