/* SPDX-License-Identifier: MIT
 * The certificate file: see certificate.h. What is read is in certificate_read.c. */
#include "certify/certificate.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/memory.h"
#include "core/text.h"

#define AT(member) offsetof(mpno_certificate, member)
#define NUMBER(name, index, member, help)                                                   \
    {                                                                                       \
        "distances." name "." #member, MPNO_FIELD_REAL, AT(distance[index].member), "null", \
            "[0,inf)", help                                                                 \
    }
#define DISTANCE(name, index)                                                     \
    NUMBER(name, index, lower, "of the answer from the exact one"),               \
        NUMBER(name, index, upper, "likewise"),                                   \
        NUMBER(name, index, relative_lower, "over the size of the exact answer"), \
        NUMBER(name, index, relative_upper, "likewise"),                          \
        NUMBER(name, index, size_lower, "of the exact answer"),                   \
        NUMBER(name, index, size_upper, "likewise"),                              \
        NUMBER(name, index, shadow, "of the f64 run from the exact answer")

static const mpno_field fields[] = {
    {"format", MPNO_FIELD_TEXT, AT(format), MPNO_CERTIFICATE_FORMAT, "", "what this file is"},
    {"version", MPNO_FIELD_INT, AT(version), "1", "", "of the format"},
    {"kind", MPNO_FIELD_TEXT, AT(kind), "point", "", "of certificate"},
    {"verdict", MPNO_FIELD_CHOICE, AT(verdict), "UNKNOWN", "VERIFIED|REFUTED|UNKNOWN",
     "on the claim"},
    {"reason", MPNO_FIELD_TEXT, AT(reason), "null", "", "of the verdict"},
    {"claim.text", MPNO_FIELD_TEXT, AT(claim.text), "null", "", "a sentence"},
    {"claim.tolerance", MPNO_FIELD_REAL, AT(claim.tolerance), "null", "[0,inf)",
     "of the relative L2 distance"},
    DISTANCE("l2", MPNO_DISTANCE_L2),
    DISTANCE("h1", MPNO_DISTANCE_H1),
    DISTANCE("max", MPNO_DISTANCE_MOST),
    {"checkpoint.path", MPNO_FIELD_TEXT, AT(checkpoint.path), "null", "", "of the whole file"},
    {"checkpoint.bytes", MPNO_FIELD_INT, AT(checkpoint.bytes), "0", "[0,inf)", "of it"},
    {"checkpoint.sha256", MPNO_FIELD_TEXT, AT(checkpoint.sha256), "null", "", "of it"},
    {"input.path", MPNO_FIELD_TEXT, AT(input.path), "null", "", "data file"},
    {"input.key", MPNO_FIELD_TEXT, AT(input.key), "null", "", "of the inputs in it"},
    {"input.sample", MPNO_FIELD_INT, AT(input.sample), "0", "[0,inf)", "from 0"},
    {"input.shape", MPNO_FIELD_INTS, AT(input.shape), "[]", "[1,inf)", "channels, then the grid"},
    {"input.complex", MPNO_FIELD_BOOL, AT(input.is_complex), "false", "", "pairs of numbers"},
    {"input.sha256", MPNO_FIELD_TEXT, AT(input.sha256), "null", "", "of shape and numbers"},
    {"answer.path", MPNO_FIELD_TEXT, AT(answer.path), "null", "", "null: it was not stored"},
    {"answer.key", MPNO_FIELD_TEXT, AT(answer.key), "null", "", "of the answers in it"},
    {"answer.sample", MPNO_FIELD_INT, AT(answer.sample), "0", "[0,inf)", "from 0"},
    {"answer.shape", MPNO_FIELD_INTS, AT(answer.shape), "[]", "[1,inf)", "channels, then the grid"},
    {"answer.complex", MPNO_FIELD_BOOL, AT(answer.is_complex), "false", "", "pairs of numbers"},
    {"answer.sha256", MPNO_FIELD_TEXT, AT(answer.sha256), "null", "", "of shape and numbers"},
    {"environment.mpno", MPNO_FIELD_TEXT, AT(environment.mpno), "null", "", "version"},
    {"environment.isa", MPNO_FIELD_TEXT, AT(environment.isa), "null", "", "kernels"},
    {"environment.bf16_products", MPNO_FIELD_TEXT, AT(environment.bf16_products), "null", "",
     "instructions that multiply bf16; null: none"},
    {"environment.threads", MPNO_FIELD_INT, AT(environment.threads), "1", "[1,inf)", "number"},
    {"environment.rounding", MPNO_FIELD_TEXT, AT(environment.rounding), "null", "", "of results"},
    {"environment.flush_to_zero", MPNO_FIELD_BOOL, AT(environment.flush_to_zero), "false", "",
     "of subnormal results"},
    {"environment.denormals_are_zero", MPNO_FIELD_BOOL, AT(environment.denormals_are_zero), "false",
     "", "of subnormal operands"},
    {"plan_sha256", MPNO_FIELD_TEXT, AT(plan_sha256), "null", "", "of plan on one line"},
};
enum { N_FIELDS = sizeof fields / sizeof fields[0] };

static const char *const assumptions[] = {
    "Exact means real arithmetic: the weights, the normalisers and the input are the numbers in "
    "the files whose SHA-256 stand here, and no operation rounds.",
    "The f64 arithmetic that measured is IEEE 754's: it rounds to nearest and keeps subnormal "
    "numbers, as found in every thread at run time (environment).",
    "How far that f64 run can be from the exact answer is statement P1 of "
    "docs/theory/certificates.md, with what P1 assumes of the functions of the C library.",
    "L2 and H1 are absolute norms on the grid of the answer, with the measure and the boundary of "
    "plan; H1 takes differences; max is the largest magnitude over points and channels.",
    "Files with the same SHA-256 are the same.",
};
enum { N_ASSUMPTIONS = sizeof assumptions / sizeof assumptions[0] };

const mpno_field *mpno_certificate_fields(size_t *n) {
    *n = N_FIELDS;
    return fields;
}

mpno_status mpno_certificate_start(mpno_ctx *ctx, mpno_certificate *out) {
    *out = (mpno_certificate){0};
    return mpno_fields_default(ctx, fields, N_FIELDS, out);
}

void mpno_certificate_clear(mpno_ctx *ctx, mpno_certificate *certificate) {
    mpno_fields_clear(ctx, fields, N_FIELDS, certificate);
    mpno_free(ctx, certificate->layers);
    certificate->layers = NULL;
    mpno_value_destroy(ctx, &certificate->plan);
    mpno_value_destroy(ctx, &certificate->document);
}

mpno_status mpno_certificate_set(mpno_ctx *ctx, char **at, const char *text) {
    char *copy = NULL;
    if (text != NULL) MPNO_TRY(mpno_strdup(ctx, text, &copy));
    mpno_free(ctx, *at);
    *at = copy;
    return MPNO_OK;
}

/* -------- sums -------- */

static mpno_status sum_of_line(mpno_ctx *ctx, const mpno_value *value, char out[MPNO_SHA256_TEXT]) {
    char *text = NULL;
    MPNO_TRY(mpno_json_text(ctx, value, false, &text));
    const mpno_status status = mpno_sha256_of(ctx, text, strlen(text), out);
    mpno_free(ctx, text);
    return status;
}

mpno_status mpno_certificate_sum(mpno_ctx *ctx, const mpno_value *document,
                                 char out[MPNO_SHA256_TEXT]) {
    mpno_value rest = *document;
    if (rest.n > 0 && strcmp(rest.keys[rest.n - 1], "sha256") == 0) rest.n--;
    return sum_of_line(ctx, &rest, out);
}

mpno_status mpno_certificate_set_plan(mpno_ctx *ctx, mpno_value *plan, mpno_certificate *c) {
    char sum[MPNO_SHA256_TEXT];
    mpno_value_destroy(ctx, &c->plan);
    c->plan = plan;
    MPNO_TRY(sum_of_line(ctx, plan, sum));
    return mpno_certificate_set(ctx, &c->plan_sha256, sum);
}

/* Little endian on every machine. */
static mpno_status add_numbers(mpno_sha256 *sum, int64_t n, const double *numbers) {
    unsigned char piece[8 * 64];
    for (int64_t i = 0; i < n;) {
        size_t bytes = 0;
        for (; i < n && bytes < sizeof piece; i++) {
            uint64_t bits;
            memcpy(&bits, &numbers[i], sizeof bits);
            for (int b = 0; b < 8; b++) piece[bytes++] = (unsigned char)(bits >> (8 * b));
        }
        MPNO_TRY(mpno_sha256_add(sum, piece, bytes));
    }
    return MPNO_OK;
}

/* "f64 [1, 16, 16]\n" */
static mpno_status add_heading(mpno_sha256 *sum, bool is_complex, int64_t n,
                               const int64_t *extents) {
    char text[256];
    int size = snprintf(text, sizeof text, "%s [", is_complex ? "c128" : "f64");
    for (int64_t d = 0; d < n; d++)
        size += snprintf(text + size, sizeof text - (size_t)size, "%s%lld", d > 0 ? ", " : "",
                         (long long)extents[d]);
    size += snprintf(text + size, sizeof text - (size_t)size, "]\n");
    return mpno_sha256_add(sum, text, (size_t)size);
}

static mpno_status add_sample(mpno_sha256 *sum, const mpno_int_list *shape, bool is_complex,
                              const double *values, int64_t n_extra, const double *extra) {
    int64_t n = is_complex ? 2 : 1;
    for (int64_t d = 0; d < shape->n; d++) n *= shape->v[d];
    MPNO_TRY(add_heading(sum, is_complex, shape->n, shape->v));
    MPNO_TRY(add_numbers(sum, n, values));
    if (n_extra == 0) return MPNO_OK;
    MPNO_TRY(add_heading(sum, false, 1, &n_extra));
    return add_numbers(sum, n_extra, extra);
}

mpno_status mpno_certificate_sum_sample(mpno_ctx *ctx, const mpno_int_list *shape, bool is_complex,
                                        const double *values, int64_t n_extra, const double *extra,
                                        char out[MPNO_SHA256_TEXT]) {
    mpno_sha256 *sum;
    MPNO_TRY(mpno_sha256_start(ctx, &sum));
    const mpno_status status = add_sample(sum, shape, is_complex, values, n_extra, extra);
    if (status == MPNO_OK) return mpno_sha256_finish(&sum, out);
    mpno_sha256_abandon(&sum);
    return status;
}

/* -------- what was measured, and what follows -------- */

mpno_status mpno_certificate_set_point(mpno_ctx *ctx, const mpno_point *point,
                                       mpno_certificate *c) {
    const size_t n = (size_t)point->n_layers;
    mpno_free(ctx, c->layers);
    c->layers = NULL;
    c->n_layers = 0;
    MPNO_TRY(mpno_alloc_array(ctx, n, sizeof *c->layers, &c->layers));
    memcpy(c->layers, point->layers, n * sizeof *c->layers);
    c->n_layers = point->n_layers;
    for (int i = 0; i < MPNO_N_DISTANCES; i++)
        c->distance[i] = (mpno_certified_distance){.lower = point->distance[i].lower,
                                                   .upper = point->distance[i].upper,
                                                   .relative_lower = NAN,
                                                   .relative_upper = NAN,
                                                   .size_lower = point->size[i].lower,
                                                   .size_upper = point->size[i].upper,
                                                   .shadow = point->shadow[i]};
    return MPNO_OK;
}

/* A quotient is rounded once, so that the next number below or above it is on the safe side. */
static void relate(mpno_certified_distance *d) {
    d->relative_lower = d->relative_upper = NAN;
    if (isnan(d->lower)) return;
    const double low = d->lower / d->size_upper, high = d->upper / d->size_lower;
    d->relative_lower = d->lower == 0 ? 0 : nextafter(low, 0);
    if (!isfinite(d->relative_lower)) d->relative_lower = 0; /* both are zero, or nearly */
    if (d->size_lower > 0 && isfinite(nextafter(high, INFINITY)))
        d->relative_upper = nextafter(high, INFINITY);
}

static mpno_verdict weigh(const mpno_certificate *c, mpno_text *reason, mpno_status *status) {
    const mpno_certified_distance *d = &c->distance[MPNO_DISTANCE_L2];
    const double tolerance = c->claim.tolerance;
    char limit[MPNO_REAL_TEXT], lower[MPNO_REAL_TEXT], upper[MPNO_REAL_TEXT];
    mpno_real_text(tolerance, limit);
    mpno_real_text(d->relative_lower, lower);
    mpno_real_text(d->relative_upper, upper);
    if (isnan(tolerance)) {
        *status = mpno_text_add(reason, "every distance has a lower and an upper bound");
        return MPNO_VERDICT_VERIFIED;
    }
    if (d->relative_upper <= tolerance) {
        *status = mpno_text_add(reason, "the upper bound %s is at most %s", upper, limit);
        return MPNO_VERDICT_VERIFIED;
    }
    if (d->relative_lower > tolerance) {
        *status = mpno_text_add(reason, "the lower bound %s is above %s", lower, limit);
        return MPNO_VERDICT_REFUTED;
    }
    *status =
        isnan(d->relative_upper)
            ? mpno_text_add(reason,
                            "the exact answer may be zero, so that no relative "
                            "distance has an upper bound")
            : mpno_text_add(reason, "%s lies between the bounds %s and %s", limit, lower, upper);
    return MPNO_VERDICT_UNKNOWN;
}

static mpno_status state_claim(mpno_certificate *c, mpno_text *claim) {
    static const char what[] =
        "of the answer from the answer of the same network in exact arithmetic";
    char limit[MPNO_REAL_TEXT];
    if (isnan(c->claim.tolerance))
        return mpno_text_add(claim, "The L2, H1 and maximum distances %s lie between the bounds.",
                             what);
    mpno_real_text(c->claim.tolerance, limit);
    return mpno_text_add(claim, "The relative L2 distance %s is at most %s.", what, limit);
}

mpno_status mpno_certificate_judge(mpno_ctx *ctx, const char *trouble, mpno_certificate *c) {
    mpno_text claim = {.ctx = ctx}, reason = {.ctx = ctx};
    for (int i = 0; i < MPNO_N_DISTANCES; i++) relate(&c->distance[i]);
    mpno_status status = state_claim(c, &claim);
    c->verdict = MPNO_VERDICT_UNKNOWN;
    if (status == MPNO_OK && trouble != NULL) status = mpno_text_add(&reason, "%s", trouble);
    if (status == MPNO_OK && trouble == NULL) c->verdict = (int)weigh(c, &reason, &status);
    if (status == MPNO_OK) status = mpno_certificate_set(ctx, &c->claim.text, claim.data);
    if (status == MPNO_OK) status = mpno_certificate_set(ctx, &c->reason, reason.data);
    mpno_text_discard(&claim);
    mpno_text_discard(&reason);
    return status;
}

/* -------- the document -------- */

static mpno_status put_layer(mpno_ctx *ctx, mpno_value *list, const mpno_point_layer *layer) {
    mpno_value *row = NULL;
    MPNO_TRY(mpno_value_append_map(ctx, list, &row));
    MPNO_TRY(mpno_value_set_string(ctx, row, "name", layer->name));
    MPNO_TRY(mpno_value_set_real(ctx, row, "norm", layer->norm));
    MPNO_TRY(mpno_value_set_real(ctx, row, "max", layer->most));
    return mpno_value_set_real(ctx, row, "error", layer->error);
}

static mpno_status fill(mpno_ctx *ctx, const mpno_certificate *c, mpno_value *document) {
    mpno_value *list = NULL, *copy = NULL;
    char sum[MPNO_SHA256_TEXT];
    MPNO_TRY(mpno_value_set_list(ctx, document, "assumptions", &list));
    for (int i = 0; i < N_ASSUMPTIONS; i++) {
        MPNO_TRY(mpno_value_string(ctx, assumptions[i], &copy));
        MPNO_TRY(mpno_value_append(ctx, list, copy));
    }
    MPNO_TRY(mpno_value_set_list(ctx, document, "layers", &list));
    for (int i = 0; i < c->n_layers; i++) MPNO_TRY(put_layer(ctx, list, &c->layers[i]));
    MPNO_TRY(mpno_value_clone(ctx, c->plan, &copy));
    MPNO_TRY(mpno_value_set(ctx, document, "plan", copy));
    MPNO_TRY(mpno_certificate_sum(ctx, document, sum));
    return mpno_value_set_string(ctx, document, "sha256", sum);
}

mpno_status mpno_certificate_tree(mpno_ctx *ctx, const mpno_certificate *c, mpno_value **out) {
    MPNO_TRY(mpno_fields_dump(ctx, fields, N_FIELDS, c, out));
    const mpno_status status = fill(ctx, c, *out);
    if (status != MPNO_OK) mpno_value_destroy(ctx, out);
    return status;
}

/* -------- other kinds -------- */

/* Entry `key` of the document that the struct describes, as it stands there. */
static mpno_status copy_entry(mpno_ctx *ctx, const mpno_value *all, const char *key,
                              mpno_value *document) {
    mpno_value *copy = NULL;
    MPNO_TRY(mpno_value_clone(ctx, mpno_value_get(all, key), &copy));
    return mpno_value_set(ctx, document, key, copy);
}

static mpno_status copy_entries(mpno_ctx *ctx, const mpno_certificate *c, const char *const *keys,
                                mpno_value *document) {
    mpno_value *all = NULL;
    MPNO_TRY(mpno_fields_dump(ctx, fields, N_FIELDS, c, &all));
    mpno_status status = MPNO_OK;
    for (; status == MPNO_OK && *keys != NULL; keys++)
        status = copy_entry(ctx, all, *keys, document);
    mpno_value_destroy(ctx, &all);
    return status;
}

mpno_status mpno_certificate_open(mpno_ctx *ctx, const mpno_certificate *c, mpno_value **out) {
    static const char *const keys[] = {"format", "version", "kind",
                                       /* where something is claimed */
                                       "verdict", "reason", "claim", NULL};
    const char *const estimate[] = {keys[0], keys[1], keys[2], NULL};
    MPNO_TRY(mpno_value_map(ctx, out));
    const mpno_status status = copy_entries(ctx, c, c->claim.text ? keys : estimate, *out);
    if (status != MPNO_OK) mpno_value_destroy(ctx, out);
    return status;
}

mpno_status mpno_certificate_close(mpno_ctx *ctx, const mpno_certificate *c, mpno_value *document) {
    static const char *const keys[] = {"checkpoint", "environment", "plan_sha256", NULL};
    mpno_value *copy = NULL;
    char sum[MPNO_SHA256_TEXT];
    MPNO_TRY(copy_entries(ctx, c, keys, document));
    MPNO_TRY(mpno_value_clone(ctx, c->plan, &copy));
    MPNO_TRY(mpno_value_set(ctx, document, "plan", copy));
    MPNO_TRY(mpno_certificate_sum(ctx, document, sum));
    return mpno_value_set_string(ctx, document, "sha256", sum);
}

mpno_status mpno_certificate_copy(mpno_ctx *ctx, const mpno_certificate *c, const char *key,
                                  mpno_value *document) {
    const char *const keys[] = {key, NULL};
    return copy_entries(ctx, c, keys, document);
}
