/* SPDX-License-Identifier: MIT
 * A certificate as one HTML document: verdict, bounds, where the error comes from, what the verdict
 * rests on. Errors of sites that are rounded alone add in quadrature as far as roundings have
 * nothing to do with each other; the root of their sum stands beside what was measured. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/files.h"
#include "core/memory.h"
#include "report/bars.h"
#include "report/chart.h"
#include "report/page.h"
#include "report/png.h"
#include "train/proof.h"

typedef struct page {
    const mpno_proof *proof;
    mpno_ctx *ctx;
    mpno_text text;
    mpno_proof_site *sites; /* owned */
    int n_sites;
    double arithmetic; /* the distance without any of them */
} page;

static mpno_status tile(page *p, const char *name, double value) {
    char text[32];
    if (isnan(value)) return MPNO_OK;
    snprintf(text, sizeof text, "%.3e", value);
    return mpno_page_tile(&p->text, name, text);
}

static mpno_status add_table(page *p, mpno_status (*fill)(const page *, mpno_table *)) {
    mpno_table *table = NULL;
    MPNO_TRY(mpno_table_create(p->ctx, &table));
    mpno_status status = fill(p, table);
    if (status == MPNO_OK) status = mpno_page_table(&p->text, table);
    mpno_table_destroy(&table);
    return status;
}

static mpno_status fill_distances(const page *p, mpno_table *table) {
    return mpno_proof_fill_distances(&p->proof->certificate, table);
}
static mpno_status fill_layers(const page *p, mpno_table *table) {
    return mpno_proof_fill_layers(&p->proof->certificate, table);
}

/* -------- where the error comes from -------- */

static double together(const page *p) {
    double sum = p->arithmetic * p->arithmetic;
    for (int i = 0; i < p->n_sites; i++) {
        /* each of them has the arithmetic's in it */
        const double own =
            p->sites[i].distance * p->sites[i].distance - p->arithmetic * p->arithmetic;
        if (own > 0) sum += own;
    }
    return sqrt(sum);
}

static mpno_status fill_sites(const page *p, mpno_table *table) {
    const double size = p->proof->certificate.distance[MPNO_DISTANCE_L2].size_upper;
    MPNO_TRY(mpno_table_column(table, "stored in few bits", MPNO_LEFT));
    MPNO_TRY(mpno_table_column(table, "format", MPNO_LEFT));
    MPNO_TRY(mpno_table_column(table, "L2", MPNO_RIGHT));
    MPNO_TRY(mpno_table_column(table, "relative", MPNO_RIGHT));
    for (int i = 0; i < p->n_sites; i++) {
        const mpno_proof_site *site = &p->sites[i];
        MPNO_TRY(mpno_table_cell(table, "%s, %s", site->layer, site->role));
        MPNO_TRY(mpno_table_cell(table, "%s", site->format));
        MPNO_TRY(mpno_table_cell(table, "%.3g", site->distance));
        MPNO_TRY(mpno_table_cell(table, "%.3g", site->distance / size));
    }
    return MPNO_OK;
}

/* A layer has a colour; the last three bars another. */
static void make_bars(const page *p, char (*names)[64], mpno_bar *bars, size_t *n) {
    const mpno_certified_distance *d = &p->proof->certificate.distance[MPNO_DISTANCE_L2];
    const struct {
        const char *name;
        double value;
    } last[] = {{"arithmetic alone", p->arithmetic},
                {"root of the sum of squares", together(p)},
                {"the answer, as proved", d->upper}};
    int colour = 0;
    for (int i = 0; i < p->n_sites; i++) {
        const mpno_proof_site *site = &p->sites[i];
        if (i > 0 && strcmp(site->layer, p->sites[i - 1].layer) != 0) colour++;
        snprintf(names[i], sizeof *names, "%s, %s", site->layer, site->role);
        bars[i] = (mpno_bar){.name = names[i],
                             .value = site->distance / d->size_upper,
                             .colour = 1 + colour % (MPNO_CHART_COLOURS - 1),
                             .note = "not finite"};
    }
    *n = (size_t)p->n_sites;
    for (size_t i = 0; i < sizeof last / sizeof last[0]; i++)
        bars[(*n)++] = (mpno_bar){
            .name = last[i].name, .value = last[i].value / d->size_upper, .note = "not finite"};
}

static mpno_status draw_bars(page *p) {
    char(*names)[64] = NULL;
    mpno_bar *bars = NULL;
    mpno_canvas canvas = {0};
    mpno_text png = {.ctx = p->ctx};
    size_t n = 0;
    MPNO_TRY(mpno_alloc_array(p->ctx, (size_t)p->n_sites + 1, sizeof *names, &names));
    mpno_status status = mpno_alloc_array(p->ctx, (size_t)p->n_sites + 3, sizeof *bars, &bars);
    if (status == MPNO_OK) make_bars(p, names, bars, &n);
    const mpno_bars all = {.title = "Distance from the exact answer, each rounded alone",
                           .unit = "relative L2",
                           .bars = bars,
                           .n = n};
    if (status == MPNO_OK) status = mpno_bars_draw(p->ctx, &all, &canvas);
    if (status == MPNO_OK)
        status = mpno_png_encode(p->ctx, canvas.width, canvas.height, canvas.rgb, &png);
    if (status == MPNO_OK) status = mpno_page_image(&p->text, png.data, png.size);
    mpno_text_discard(&png);
    mpno_canvas_destroy(p->ctx, &canvas);
    mpno_free(p->ctx, bars);
    mpno_free(p->ctx, names);
    return status;
}

static mpno_status add_sites(page *p) {
    MPNO_TRY(mpno_page_section(&p->text, "Where the error comes from"));
    MPNO_TRY(mpno_page_paragraph(
        &p->text,
        "Each bar is the distance of an answer for which only this kind of tensor of this layer "
        "is stored in few bits, as the answer's network stores it, and all others in full. "
        "Measured against the f64 run, not proved."));
    MPNO_TRY(draw_bars(p));
    MPNO_TRY(mpno_page_fold(&p->text, "As numbers", false));
    MPNO_TRY(add_table(p, fill_sites));
    return mpno_page_fold_end(&p->text);
}

/* -------- the page -------- */

static mpno_status fill_files(const page *p, mpno_table *table) {
    const mpno_certificate *c = &p->proof->certificate;
    char sample[64];
    const struct {
        const char *what, *path, *sum;
        const mpno_certified_sample *of;
    } files[] = {{"checkpoint", c->checkpoint.path, c->checkpoint.sha256, NULL},
                 {"input", c->input.path, c->input.sha256, &c->input},
                 {"answer", c->answer.path, c->answer.sha256, &c->answer}};
    MPNO_TRY(mpno_table_column(table, "file", MPNO_LEFT));
    MPNO_TRY(mpno_table_column(table, "path", MPNO_LEFT));
    MPNO_TRY(mpno_table_column(table, "SHA-256", MPNO_LEFT));
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        snprintf(sample, sizeof sample, ", sample %lld",
                 files[i].of ? (long long)files[i].of->sample : 0);
        MPNO_TRY(mpno_table_cell(table, "%s%s", files[i].what, files[i].of ? sample : ""));
        MPNO_TRY(mpno_table_cell(table, "%s", files[i].path ? files[i].path : "(not stored)"));
        MPNO_TRY(mpno_table_cell(table, "%s", files[i].sum));
    }
    return MPNO_OK;
}

static mpno_status add_document(page *p, const mpno_value *document) {
    const mpno_value *assumptions = mpno_value_get(document, "assumptions");
    char *text = NULL;
    MPNO_TRY(mpno_page_section(&p->text, "What it rests on"));
    for (size_t i = 0; i < assumptions->n; i++)
        MPNO_TRY(mpno_page_paragraph(&p->text, assumptions->items[i]->string));
    MPNO_TRY(add_table(p, fill_files));
    MPNO_TRY(mpno_page_fold(&p->text, "The certificate", false));
    MPNO_TRY(mpno_json_text(p->ctx, document, true, &text));
    const mpno_status status = mpno_page_verbatim(&p->text, text);
    mpno_free(p->ctx, text);
    MPNO_TRY(status);
    return mpno_page_fold_end(&p->text);
}

static mpno_status fill(page *p, const mpno_value *document) {
    const mpno_certificate *c = &p->proof->certificate;
    const mpno_certified_distance *l2 = &c->distance[MPNO_DISTANCE_L2];
    const bool known = !isnan(l2->lower);
    MPNO_TRY(mpno_page_begin(&p->text, "Certificate", c->claim.text));
    MPNO_TRY(mpno_page_tiles(&p->text));
    MPNO_TRY(mpno_page_tile(&p->text, "verdict", mpno_verdict_name((mpno_verdict)c->verdict)));
    MPNO_TRY(tile(p, "relative L2 distance", l2->relative_upper));
    MPNO_TRY(tile(p, "tolerance", c->claim.tolerance));
    MPNO_TRY(mpno_page_tiles_end(&p->text));
    MPNO_TRY(mpno_page_paragraph(&p->text, c->reason));
    if (known) {
        MPNO_TRY(mpno_page_section(&p->text, "Distance from the answer in exact arithmetic"));
        MPNO_TRY(add_table(p, fill_distances));
        MPNO_TRY(add_sites(p));
        MPNO_TRY(mpno_page_section(&p->text, "Layers of the f64 run"));
        MPNO_TRY(add_table(p, fill_layers));
    }
    MPNO_TRY(add_document(p, document));
    return mpno_page_end(&p->text);
}

static mpno_status look_at_sites(page *p) {
    if (isnan(p->proof->certificate.distance[0].lower)) return MPNO_OK;
    MPNO_TRY(mpno_alloc_array(p->ctx, MPNO_MOST_SITES, sizeof *p->sites, &p->sites));
    return mpno_proof_sites(p->proof, p->sites, &p->n_sites, &p->arithmetic);
}

mpno_status mpno_proof_page(const mpno_proof *proof, const char *path) {
    page p = {.proof = proof, .ctx = proof->ctx, .text = {.ctx = proof->ctx}};
    mpno_value *document = NULL;
    mpno_status status = look_at_sites(&p);
    if (status == MPNO_OK) status = mpno_certificate_tree(p.ctx, &proof->certificate, &document);
    if (status == MPNO_OK) status = fill(&p, document);
    if (status == MPNO_OK) status = mpno_file_write_atomic(p.ctx, path, p.text.data, p.text.size);
    mpno_value_destroy(p.ctx, &document);
    mpno_text_discard(&p.text);
    mpno_free(p.ctx, p.sites);
    return status;
}
