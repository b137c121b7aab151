/* SPDX-License-Identifier: MIT
 * Generators: parameters of an equation of pdes.def, and what they can say of themselves. The run
 * is in generate_run.c. */
#include "mpno/generate.h"

#include <stdio.h>
#include <string.h>

#include "core/memory.h"
#include "core/value.h"
#include "pde/generator.h"

const char *mpno_equation_text(size_t equation, const char *what) {
    const mpno_pde *pde = mpno_pde_at(equation);
    if (!pde) return NULL;
    if (strcmp(what, "description") == 0) return pde->description;
    return strcmp(what, "summary") == 0 ? pde->summary : pde->name;
}

bool mpno_equation_parameter(const char *equation, size_t index, mpno_parameter *out) {
    static const char *const types[] = {
        [MPNO_FIELD_BOOL] = "true or false", [MPNO_FIELD_INT] = "whole number",
        [MPNO_FIELD_REAL] = "number",        [MPNO_FIELD_TEXT] = "text",
        [MPNO_FIELD_CHOICE] = "one of",      [MPNO_FIELD_INTS] = "whole numbers",
        [MPNO_FIELD_TEXTS] = "texts",        [MPNO_FIELD_REALS] = "numbers"};
    const mpno_pde *pde = NULL;
    if (mpno_pde_find(NULL, equation, &pde) != MPNO_OK || index >= pde->n_fields) return false;
    const mpno_field *f = &pde->fields[index];
    *out = (mpno_parameter){f->key, types[f->type], f->initial, f->domain, f->help};
    return true;
}

mpno_status mpno_generator_create(mpno_ctx *ctx, const char *equation, mpno_generator **out) {
    const mpno_pde *pde = NULL;
    mpno_generator *g = NULL;
    *out = NULL;
    MPNO_TRY(mpno_pde_find(ctx, equation, &pde));
    MPNO_TRY(mpno_alloc(ctx, sizeof *g, &g));
    g->ctx = ctx;
    g->pde = pde;
    mpno_status status = mpno_alloc(ctx, pde->settings_bytes, &g->settings);
    if (status == MPNO_OK) {
        status = mpno_alloc_array(ctx, pde->n_fields, sizeof *g->given, &g->given);
    }
    if (status == MPNO_OK) {
        status = mpno_fields_default(ctx, pde->fields, pde->n_fields, g->settings);
    }
    if (status != MPNO_OK) mpno_generator_destroy(&g);
    *out = g;
    return status;
}

void mpno_generator_destroy(mpno_generator **generator) {
    if (!generator || !*generator) return;
    mpno_generator *g = *generator;
    for (size_t i = 0; g->given && i < g->pde->n_fields; i++) mpno_free(g->ctx, g->given[i]);
    mpno_free(g->ctx, g->given);
    if (g->settings) {
        mpno_fields_clear(g->ctx, g->pde->fields, g->pde->n_fields, g->settings);
    }
    mpno_free(g->ctx, g->settings);
    mpno_free(g->ctx, g);
    *generator = NULL;
}

/* The row of `name`, or E_CONFIG with the nearest one. */
static mpno_status find_field(const mpno_generator *g, const char *name, size_t *out) {
    const char **names = NULL;
    const size_t n = g->pde->n_fields;
    for (*out = 0; *out < n; (*out)++) {
        if (strcmp(g->pde->fields[*out].key, name) == 0) return MPNO_OK;
    }
    MPNO_TRY(mpno_alloc_array(g->ctx, n, sizeof *names, &names));
    for (size_t i = 0; i < n; i++) names[i] = g->pde->fields[i].key;
    const char *near = mpno_nearest_name(name, names, n);
    mpno_free(g->ctx, names);
    if (near) {
        return mpno_fail(g->ctx, MPNO_E_CONFIG, "%s has no parameter %.60s; did you mean %s?",
                         g->pde->name, name, near);
    }
    return mpno_fail(g->ctx, MPNO_E_CONFIG,
                     "%s has no parameter %.60s; 'mpno generate %s --help' lists them",
                     g->pde->name, name, g->pde->name);
}

mpno_status mpno_generator_set(mpno_generator *g, const char *name, const char *text) {
    enum { CAPACITY = 256 };
    size_t i;
    char list[CAPACITY];
    MPNO_TRY(find_field(g, name, &i));
    const mpno_field *field = &g->pde->fields[i];
    if (field->type == MPNO_FIELD_INTS && text[0] != '[' && strcmp(text, "null") != 0) {
        MPNO_CHECK(g->ctx, strlen(text) + 3 < sizeof list, MPNO_E_CONFIG,
                   "%s: a text of %zu bytes is no list of whole numbers", name, strlen(text));
        (void)snprintf(list, sizeof list, "[%s]", text);
        text = list;
    }
    MPNO_TRY(mpno_field_set_text(g->ctx, field, text, g->settings));
    mpno_free(g->ctx, g->given[i]);
    g->given[i] = NULL;
    return mpno_strdup(g->ctx, text, &g->given[i]);
}
