/* SPDX-License-Identifier: MIT
 * Reading a certificate: see certificate.h. The sum comes first, since it says that something was
 * changed whatever it was; then types and ranges, key by key. What follows from the rest (verdict,
 * reason, claim, relative distances, sums, assumptions) is derived again and compared, and at last
 * the text itself, so that there is one spelling of a certificate on one line and one on many. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "certify/certificate.h"
#include "core/memory.h"

#define CHANGED "the certificate was changed after it was made"

enum { PATH_TEXT = 256 };

/* -------- types -------- */

/* The value under "input.shape". */
static const mpno_value *look_up(const mpno_value *map, const char *key) {
    for (;;) {
        char part[64];
        const size_t n = strcspn(key, ".");
        snprintf(part, sizeof part, "%.*s", (int)n, key);
        map = mpno_value_get(map, part);
        if (map == NULL || key[n] == '\0') return map;
        key += n + 1;
    }
}

/* Whether certificates of every kind have the entry. */
static bool is_common(const char *key) {
    static const char *const names[] = {"format",      "version",      "kind",
                                        "checkpoint.", "environment.", "plan_sha256"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strncmp(key, names[i], strlen(names[i])) == 0) return true;
    return false;
}

static mpno_status read_fields(mpno_ctx *ctx, const mpno_value *document, bool point,
                               mpno_certificate *c) {
    size_t n;
    const mpno_field *fields = mpno_certificate_fields(&n);
    for (size_t i = 0; i < n; i++) {
        const mpno_value *value = look_up(document, fields[i].key);
        if (value == NULL && !point && !is_common(fields[i].key)) continue;
        if (!point && strncmp(fields[i].key, "distances.", 10) == 0) continue;
        MPNO_CHECK(ctx, value != NULL, MPNO_E_FORMAT, "%s is missing: " CHANGED, fields[i].key);
        MPNO_TRY(mpno_field_set(ctx, &fields[i], value, c));
    }
    return MPNO_OK;
}

static bool is_number(const mpno_value *value) {
    return value != NULL && (value->kind == MPNO_VALUE_INT || value->kind == MPNO_VALUE_REAL) &&
           isfinite(value->real) && value->real >= 0;
}

static mpno_status read_layers(mpno_ctx *ctx, const mpno_value *document, mpno_certificate *c) {
    const mpno_value *list = mpno_value_get(document, "layers");
    MPNO_CHECK(ctx, list != NULL && list->kind == MPNO_VALUE_LIST && list->n <= MPNO_MAX_LAYERS,
               MPNO_E_FORMAT, "layers is not a list of at most %d entries: " CHANGED,
               MPNO_MAX_LAYERS);
    MPNO_TRY(mpno_alloc_array(ctx, list->n, sizeof *c->layers, &c->layers));
    c->n_layers = (int)list->n;
    for (size_t i = 0; i < list->n; i++) {
        const mpno_value *row = list->items[i];
        const char *name = mpno_value_get_string(row, "name", NULL);
        mpno_point_layer *layer = &c->layers[i];
        MPNO_CHECK(ctx,
                   name != NULL && strlen(name) < sizeof layer->name &&
                       is_number(mpno_value_get(row, "norm")) &&
                       is_number(mpno_value_get(row, "max")) &&
                       is_number(mpno_value_get(row, "error")),
                   MPNO_E_FORMAT,
                   "layers[%zu] is not a name with the numbers norm, max and error: " CHANGED, i);
        snprintf(layer->name, sizeof layer->name, "%s", name);
        layer->norm = mpno_value_get_real(row, "norm");
        layer->most = mpno_value_get_real(row, "max");
        layer->error = mpno_value_get_real(row, "error");
    }
    return MPNO_OK;
}

/* -------- what the numbers must be -------- */

static mpno_status check_distances(mpno_ctx *ctx, const mpno_certificate *c, bool *known) {
    static const char *const names[MPNO_N_DISTANCES] = {"l2", "h1", "max"};
    *known = !isnan(c->distance[0].lower);
    for (int i = 0; i < MPNO_N_DISTANCES; i++) {
        const mpno_certified_distance *d = &c->distance[i];
        const bool all = d->lower <= d->upper && d->size_lower <= d->size_upper && d->shadow >= 0;
        const bool none = isnan(d->lower) && isnan(d->upper) && isnan(d->size_lower) &&
                          isnan(d->size_upper) && isnan(d->shadow);
        MPNO_CHECK(
            ctx, *known ? all : none, MPNO_E_FORMAT,
            "distances.%s: expected lower bounds that are at most the upper ones%s: " CHANGED,
            names[i], *known ? "" : ", or null in all distances");
    }
    return MPNO_OK;
}

static mpno_status check_texts(mpno_ctx *ctx, const mpno_value *document,
                               const mpno_certificate *c) {
    const struct {
        const char *key, *text, *in; /* in: of those that have this entry */
    } needed[] = {{"kind", c->kind, "kind"},
                  {"reason", c->reason, "reason"},
                  {"checkpoint.path", c->checkpoint.path, "checkpoint"},
                  {"checkpoint.sha256", c->checkpoint.sha256, "checkpoint"},
                  {"input.path", c->input.path, "input"},
                  {"input.key", c->input.key, "input"},
                  {"input.sha256", c->input.sha256, "input"},
                  {"answer.sha256", c->answer.sha256, "answer"},
                  {"environment.mpno", c->environment.mpno, "environment"},
                  {"environment.isa", c->environment.isa, "environment"},
                  {"environment.rounding", c->environment.rounding, "environment"}};
    for (size_t i = 0; i < sizeof needed / sizeof needed[0]; i++)
        MPNO_CHECK(ctx, needed[i].text != NULL || mpno_value_get(document, needed[i].in) == NULL,
                   MPNO_E_FORMAT, "%s: expected text, found nothing (null): " CHANGED,
                   needed[i].key);
    return MPNO_OK;
}

/* -------- comparison -------- */

static const char *show(mpno_ctx *ctx, const mpno_value *value, char *out, size_t capacity) {
    char *text = NULL;
    snprintf(out, capacity, "something else");
    if (mpno_json_text(ctx, value, false, &text) == MPNO_OK)
        snprintf(out, capacity, "%s%s", strlen(text) < 80 ? text : "",
                 strlen(text) < 80 ? "" : "another text");
    mpno_free(ctx, text);
    return out;
}

static mpno_status differ(mpno_ctx *ctx, const char *path, const mpno_value *found,
                          const mpno_value *expected) {
    char a[96], b[96];
    return mpno_fail(ctx, MPNO_E_FORMAT,
                     "%s is %s where the rest of the certificate gives %s: " CHANGED, path,
                     show(ctx, found, a, sizeof a), show(ctx, expected, b, sizeof b));
}

/* What a text makes of a number that is not finite is null. */
static bool is_nothing(const mpno_value *v) {
    return v->kind == MPNO_VALUE_NULL || (v->kind == MPNO_VALUE_REAL && !isfinite(v->real));
}

static bool same_scalar(const mpno_value *a, const mpno_value *b, double near) {
    const bool numbers = (a->kind == MPNO_VALUE_INT || a->kind == MPNO_VALUE_REAL) &&
                         (b->kind == MPNO_VALUE_INT || b->kind == MPNO_VALUE_REAL);
    if (is_nothing(a) || is_nothing(b)) return is_nothing(a) && is_nothing(b);
    if (numbers) return fabs(a->real - b->real) <= near * fmax(fabs(a->real), fabs(b->real));
    if (a->kind != b->kind) return false;
    if (a->kind == MPNO_VALUE_BOOL) return a->boolean == b->boolean;
    return a->kind != MPNO_VALUE_STRING || strcmp(a->string, b->string) == 0;
}

/* As deep as a plan: the document is ours but for that, which is compared with a copy of itself. */
mpno_status mpno_certificate_compare(mpno_ctx *ctx, const char *path, const mpno_value *found,
                                     const mpno_value *expected, double near) {
    const bool map = expected->kind == MPNO_VALUE_MAP, list = expected->kind == MPNO_VALUE_LIST;
    if (!map && !list)
        return same_scalar(found, expected, near) ? MPNO_OK : differ(ctx, path, found, expected);
    if (found->kind != expected->kind) return differ(ctx, path, found, expected);
    for (size_t i = 0; i < found->n; i++) {
        char at[PATH_TEXT];
        if (map)
            snprintf(at, sizeof at, "%s%s%s", path, *path ? "." : "", found->keys[i]);
        else
            snprintf(at, sizeof at, "%s[%zu]", path, i);
        if (strcmp(at, "sha256") == 0) continue; /* checked before all else */
        const mpno_value *other = map               ? mpno_value_get(expected, found->keys[i])
                                  : i < expected->n ? expected->items[i]
                                                    : NULL;
        MPNO_CHECK(ctx, other != NULL, MPNO_E_FORMAT, "%s does not belong there: " CHANGED, at);
        MPNO_TRY(mpno_certificate_compare(ctx, at, found->items[i], other, near));
    }
    MPNO_CHECK(ctx, found->n == expected->n, MPNO_E_FORMAT,
               "%s has %zu entries instead of %zu: " CHANGED, *path ? path : "it", found->n,
               expected->n);
    return MPNO_OK;
}

/* The text is one of the two that are written, with or without a line break at its end. */
static mpno_status compare_text(mpno_ctx *ctx, const mpno_value *document, const char *text,
                                size_t n) {
    bool same = false;
    if (n > 0 && text[n - 1] == '\n') n--;
    for (int pretty = 0; pretty < 2 && !same; pretty++) {
        char *expected = NULL;
        MPNO_TRY(mpno_json_text(ctx, document, pretty == 1, &expected));
        const size_t size = strlen(expected) - (pretty == 1 ? 1 : 0);
        same = size == n && memcmp(expected, text, n) == 0;
        mpno_free(ctx, expected);
    }
    MPNO_CHECK(ctx, same, MPNO_E_FORMAT,
               "it is not spelled as mpno writes it (order, spaces, numbers): " CHANGED);
    return MPNO_OK;
}

/* -------- all of it -------- */

/* Before the rest, which depends on it. */
static mpno_status check_kind(mpno_ctx *ctx, const mpno_value *document) {
    const mpno_value *version = mpno_value_get(document, "version");
    char sum[MPNO_SHA256_TEXT];
    MPNO_CHECK(
        ctx, strcmp(mpno_value_get_string(document, "format", ""), MPNO_CERTIFICATE_FORMAT) == 0,
        MPNO_E_FORMAT, "it is no certificate: format is not \"" MPNO_CERTIFICATE_FORMAT "\"");
    MPNO_TRY(mpno_certificate_sum(ctx, document, sum));
    MPNO_CHECK(ctx, strcmp(mpno_value_get_string(document, "sha256", ""), sum) == 0, MPNO_E_FORMAT,
               "its SHA-256 is not the one at its end: " CHANGED);
    MPNO_CHECK(ctx, version != NULL && version->kind == MPNO_VALUE_INT, MPNO_E_FORMAT,
               "version is not a whole number: " CHANGED);
    MPNO_CHECK(ctx, version->integer == MPNO_CERTIFICATE_VERSION, MPNO_E_UNSUPPORTED,
               "it is a certificate of version %lld, this mpno knows version %d: use the mpno that "
               "made it, or make it again",
               (long long)version->integer, MPNO_CERTIFICATE_VERSION);
    return MPNO_OK;
}

static mpno_status read_point(mpno_ctx *ctx, const mpno_value *document, mpno_certificate *c,
                              mpno_value **again) {
    char *trouble = NULL;
    bool known;
    MPNO_TRY(check_distances(ctx, c, &known));
    MPNO_TRY(read_layers(ctx, document, c));
    if (!known) MPNO_TRY(mpno_strdup(ctx, c->reason, &trouble));
    const mpno_status status = mpno_certificate_judge(ctx, trouble, c);
    mpno_free(ctx, trouble);
    MPNO_TRY(status);
    MPNO_TRY(mpno_certificate_tree(ctx, c, again));
    return mpno_certificate_compare(ctx, "", document, *again, 0);
}

/* Of the others it is for train/proof_kind.h to say what the rest must be. */
static mpno_status read_other(mpno_ctx *ctx, const mpno_value *document, mpno_certificate *c) {
    const mpno_value *sum = mpno_value_get(document, "plan_sha256");
    MPNO_CHECK(ctx, strcmp(sum->kind == MPNO_VALUE_STRING ? sum->string : "", c->plan_sha256) == 0,
               MPNO_E_FORMAT, "plan_sha256 is not the sum of plan: " CHANGED);
    return mpno_value_clone(ctx, document, &c->document);
}

static mpno_status read_document(mpno_ctx *ctx, const mpno_value *document, const char *text,
                                 size_t n, mpno_certificate *c) {
    const mpno_value *plan = mpno_value_get(document, "plan");
    const bool point = strcmp(mpno_value_get_string(document, "kind", ""), "point") == 0;
    mpno_value *copy = NULL, *again = NULL;
    MPNO_TRY(check_kind(ctx, document));
    MPNO_TRY(read_fields(ctx, document, point, c));
    MPNO_TRY(check_texts(ctx, document, c));
    MPNO_CHECK(ctx, plan != NULL && plan->kind == MPNO_VALUE_MAP, MPNO_E_FORMAT,
               "plan is not a map: " CHANGED);
    MPNO_TRY(mpno_value_clone(ctx, plan, &copy));
    MPNO_TRY(mpno_certificate_set_plan(ctx, copy, c));
    mpno_status status =
        point ? read_point(ctx, document, c, &again) : read_other(ctx, document, c);
    if (status == MPNO_OK) status = compare_text(ctx, point ? again : document, text, n);
    mpno_value_destroy(ctx, &again);
    return status;
}

mpno_status mpno_certificate_parse(mpno_ctx *ctx, const char *name, const char *text, size_t n,
                                   mpno_certificate *out) {
    mpno_value *document = NULL;
    *out = (mpno_certificate){0};
    MPNO_TRY(mpno_json_parse(ctx, name, text, n, &document));
    mpno_status status = mpno_certificate_start(ctx, out);
    if (status == MPNO_OK) status = read_document(ctx, document, text, n, out);
    mpno_value_destroy(ctx, &document);
    if (status == MPNO_OK) return MPNO_OK;
    mpno_certificate_clear(ctx, out);
    if (status == MPNO_E_CONFIG) status = MPNO_E_FORMAT; /* of a field: it is no configuration */
    return mpno_fail_in(ctx, status, "%s", name);
}
