/* SPDX-License-Identifier: MIT
 * mpno_verify: is a certificate what it says it is? See mpno/certify.h. The sums come first, each
 * before what it names is read, so that a changed file is refuted and not stumbled over. What was
 * measured then and what is measured now both contain the true distance: they must have a point in
 * common, and the verdict is the one that follows from what is measured now. Certificates of other
 * kinds than POINT are made again: proof_kind.h. */
#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "core/files.h"
#include "core/memory.h"
#include "train/proof_kind.h"
#include "train/sink.h"

enum { PATH_SIZE = 4096 };

typedef struct checking {
    mpno_ctx *ctx;
    const mpno_verify_opts *opts;
    const char *name; /* of the certificate's file */
    mpno_certificate certificate;
    mpno_proof proof;
    const mpno_proof_kind *kind; /* NULL: POINT */
    mpno_value *document;        /* owned: of another kind, as found now */
    mpno_value *told;            /* owned: what else was found; NULL: nothing */
    bool again;                  /* the answer was computed again: it was not there */
    bool misused;                /* the options are not those of this kind */
    bool refuted;                /* and the context's sentence says why */
} checking;

/* Something is not as the certificate says. */
static mpno_status refute(checking *v, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static mpno_status refute(checking *v, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    const mpno_status status = mpno_fail_list(v->ctx, MPNO_E_FORMAT, format, arguments);
    va_end(arguments);
    v->refuted = true;
    return status;
}

/* -------- files -------- */

static mpno_status read_certificate(checking *v) {
    mpno_mapping file;
    MPNO_CHECK(v->ctx, mpno_path_exists(v->name), MPNO_E_IO,
               "there is no certificate %s: make one with `mpno certify -o`", v->name);
    MPNO_TRY(mpno_map_open(v->ctx, v->name, &file));
    const mpno_status status = mpno_certificate_parse(v->ctx, v->name, (const char *)file.data,
                                                      file.size, &v->certificate);
    mpno_map_close(&file);
    v->refuted = status == MPNO_E_FORMAT;
    return status;
}

/* folder "" is the current one, which a message need not name. */
static mpno_status join(const checking *v, const char *folder, const char *name,
                        char out[PATH_SIZE]) {
    MPNO_TRY(mpno_path_join(v->ctx, *folder ? folder : ".", name, out, PATH_SIZE));
    if (strncmp(out, "./", 2) == 0) memmove(out, out + 2, strlen(out + 2) + 1);
    return MPNO_OK;
}

/* `given`, else the recorded path: from the certificate's folder, which both may have moved with,
 * else from the current one, else beside the certificate without its folders. */
static mpno_status find(const checking *v, const char *what, const char *option, const char *given,
                        const char *recorded, char out[PATH_SIZE]) {
    char folder[PATH_SIZE];
    const char *slash = strrchr(recorded, '/');
    mpno_path_folder(v->name, folder, sizeof folder);
    const char *const places[3][2] = {
        {folder, recorded}, {"", recorded}, {folder, slash ? slash + 1 : recorded}};
    for (int i = 0; given == NULL && i < 3; i++) {
        MPNO_TRY(join(v, places[i][0], places[i][1], out));
        if (mpno_path_exists(out)) return MPNO_OK;
    }
    MPNO_TRY(join(v, "", given ? given : recorded, out));
    MPNO_CHECK(v->ctx, mpno_path_exists(out), MPNO_E_IO,
               "there is no file %s, the certificate's %s: say where it is with %s FILE", out, what,
               option);
    return MPNO_OK;
}

static mpno_status check_checkpoint(checking *v, const mpno_float_environment *around,
                                    mpno_config **overrides) {
    const mpno_certificate *c = &v->certificate;
    char path[PATH_SIZE], file[PATH_SIZE];
    MPNO_TRY(find(v, "checkpoint", "--weights", v->opts->weights, c->checkpoint.path, path));
    MPNO_TRY(mpno_checkpoint_find(v->ctx, path, file, sizeof file));
    MPNO_TRY(mpno_proof_start(v->ctx, file, &v->proof));
    MPNO_TRY(mpno_proof_look_around(&v->proof, around));
    const mpno_certificate *found = &v->proof.certificate;
    if (strcmp(found->checkpoint.sha256, c->checkpoint.sha256) != 0 ||
        found->checkpoint.bytes != c->checkpoint.bytes)
        return refute(v,
                      "%s is not the checkpoint of the certificate: its SHA-256 is %s of %lld "
                      "bytes, expected %s of %lld",
                      file, found->checkpoint.sha256, (long long)found->checkpoint.bytes,
                      c->checkpoint.sha256, (long long)c->checkpoint.bytes);
    const mpno_status status = mpno_proof_overrides(v->ctx, c->plan, overrides);
    v->refuted = status == MPNO_E_FORMAT; /* a key that is not known may be another version's */
    MPNO_TRY(status);
    return mpno_proof_restore(&v->proof, *overrides, NULL, NULL);
}

static mpno_status check_sample(checking *v, const char *what, const mpno_certified_sample *found,
                                const mpno_certified_sample *expected) {
    bool same = strcmp(found->sha256, expected->sha256) == 0 &&
                found->shape.n == expected->shape.n && found->is_complex == expected->is_complex;
    for (int64_t d = 0; same && d < found->shape.n; d++)
        same = found->shape.v[d] == expected->shape.v[d];
    if (same) return MPNO_OK;
    return refute(v,
                  "%s: sample %lld is not the %s of the certificate: its SHA-256 is %s, expected "
                  "%s",
                  found->path, (long long)found->sample, what, found->sha256, expected->sha256);
}

static mpno_status check_input(checking *v) {
    const mpno_certified_sample *expected = &v->certificate.input;
    char path[PATH_SIZE];
    MPNO_TRY(find(v, "input", "--input", v->opts->input, expected->path, path));
    MPNO_TRY(mpno_proof_read_input(&v->proof, path, expected->sample));
    const mpno_certified_sample *found = &v->proof.certificate.input;
    if (strcmp(found->key, expected->key) != 0)
        return refute(v, "the inputs of the checkpoint stand under '%s', the certificate says '%s'",
                      found->key, expected->key);
    return check_sample(v, "input", found, expected);
}

/* The kernels of then, where they run here. */
static bool find_kernels(const checking *v, mpno_isa *isa) {
    return mpno_isa_parse(v->certificate.environment.isa, isa) && mpno_isa_compiled(*isa) &&
           *isa <= mpno_cpu_best_isa();
}

/* With the kernels that gave it then. */
static mpno_status compute_again(checking *v) {
    const mpno_certificate *c = &v->certificate;
    const mpno_certified_sample *expected = &c->answer;
    mpno_certified_sample *found = &v->proof.certificate.answer;
    mpno_isa isa, before = v->ctx->isa;
    MPNO_CHECK(v->ctx, find_kernels(v, &isa), MPNO_E_UNSUPPORTED,
               "the answer is not there, and the kernels that computed it, %s, do not run here: "
               "say where it is with --answer FILE",
               c->environment.isa);
    for (int64_t d = 1; d < expected->shape.n && d <= MPNO_MAX_AXES; d++)
        v->proof.output_grid[d - 1] = expected->shape.v[d];
    v->ctx->isa = isa;
    const mpno_status status = mpno_proof_run(&v->proof);
    v->ctx->isa = before;
    MPNO_TRY(status);
    MPNO_CHECK(v->ctx, strcmp(found->sha256, expected->sha256) == 0, MPNO_E_UNSUPPORTED,
               "the answer is not there, and the kernels %s give another one here: say where it is "
               "with --answer FILE",
               c->environment.isa);
    v->again = true;
    return MPNO_OK;
}

static mpno_status check_answer(checking *v) {
    const mpno_certified_sample *expected = &v->certificate.answer;
    char path[PATH_SIZE];
    if (v->opts->answer == NULL && expected->path == NULL) return compute_again(v);
    const mpno_status status = find(v, "answer", "--answer", v->opts->answer, expected->path, path);
    if (status == MPNO_E_IO && v->opts->answer == NULL) return compute_again(v);
    MPNO_TRY(status);
    MPNO_TRY(mpno_proof_read_answer(&v->proof, path));
    return check_sample(v, "answer", &v->proof.certificate.answer, expected);
}

/* -------- numbers -------- */

static bool meet(double a, double b, double c, double d) {
    return !(b < c) && !(d < a); /* NaN: no bound */
}

static mpno_status compare_distances(checking *v) {
    for (int i = 0; i < MPNO_N_DISTANCES; i++) {
        const mpno_certified_distance *then = &v->certificate.distance[i],
                                      *now = &v->proof.certificate.distance[i];
        const char *name = mpno_distance_name((mpno_distance)i);
        if (!meet(then->lower, then->upper, now->lower, now->upper))
            return refute(v,
                          "the %s distance is between %.17g and %.17g, the certificate says "
                          "between %.17g and %.17g",
                          name, now->lower, now->upper, then->lower, then->upper);
        if (!meet(then->size_lower, then->size_upper, now->size_lower, now->size_upper))
            return refute(v,
                          "the %s size of the exact answer is between %.17g and %.17g, the "
                          "certificate says between %.17g and %.17g",
                          name, now->size_lower, now->size_upper, then->size_lower,
                          then->size_upper);
        if (!meet(then->relative_lower, then->relative_upper, now->relative_lower,
                  now->relative_upper))
            return refute(v,
                          "the relative %s distance is between %.17g and %.17g, the certificate "
                          "says between %.17g and %.17g",
                          name, now->relative_lower, now->relative_upper, then->relative_lower,
                          then->relative_upper);
    }
    return MPNO_OK;
}

/* Each run is off from the exact one by its error at most, so both are from each other by the sum.
 */
static mpno_status compare_layers(checking *v) {
    const mpno_certificate *then = &v->certificate, *now = &v->proof.certificate;
    if (then->n_layers != now->n_layers)
        return refute(v, "the network has %d layers, the certificate says %d", now->n_layers,
                      then->n_layers);
    for (int i = 0; i < now->n_layers; i++) {
        const mpno_point_layer *a = &then->layers[i], *b = &now->layers[i];
        if (strcmp(a->name, b->name) != 0)
            return refute(v, "layer %d is %s, the certificate says %s", i, b->name, a->name);
        if (!meet(a->norm - a->error, a->norm + a->error, b->norm - b->error, b->norm + b->error))
            return refute(v,
                          "the values of %s have the root mean square %.17g up to %.2g, the "
                          "certificate says %.17g up to %.2g",
                          a->name, b->norm, b->error, a->norm, a->error);
    }
    return MPNO_OK;
}

static mpno_status check_numbers(checking *v, const mpno_config *overrides) {
    mpno_certificate *now = &v->proof.certificate;
    MPNO_TRY(mpno_proof_make_plan(&v->proof, overrides));
    if (strcmp(now->plan_sha256, v->certificate.plan_sha256) != 0)
        return refute(v,
                      "the plan that follows from the checkpoint is not the certificate's: its "
                      "SHA-256 is %s, expected %s",
                      now->plan_sha256, v->certificate.plan_sha256);
    now->claim.tolerance = v->certificate.claim.tolerance;
    MPNO_TRY(mpno_proof_measure(&v->proof));
    if (isnan(now->distance[0].lower) || isnan(v->certificate.distance[0].lower)) return MPNO_OK;
    MPNO_TRY(compare_distances(v));
    return compare_layers(v);
}

/* -------- other kinds -------- */

/* Which options there may be beside which kind of certificate. */
static mpno_status check_opts(checking *v) {
    const mpno_verify_opts *o = v->opts;
    const bool population = v->kind && v->kind->kind == MPNO_CERTIFICATE_POPULATION;
    const bool answer = v->kind == NULL || v->kind->one_answer;
    const char *other = o->answer != NULL && !answer                 ? "--answer"
                        : o->input != NULL && !answer && !population ? "--input"
                        : o->data != NULL && !population             ? "--data"
                        : o->samples != 0 && !population             ? "--samples"
                        : o->sample != 0 && !population              ? "--sample"
                                                                     : NULL;
    v->misused = true;
    MPNO_CHECK(v->ctx, other == NULL, MPNO_E_ARGUMENT,
               "%s does not belong to a certificate of the kind '%s': leave it out", other,
               v->certificate.kind);
    MPNO_CHECK(v->ctx, o->sample == 0 || o->input != NULL, MPNO_E_ARGUMENT,
               "--sample is of a new input: give --input FILE too");
    MPNO_CHECK(v->ctx, o->input == NULL || answer || (o->data == NULL && o->samples == 0),
               MPNO_E_ARGUMENT,
               "--input tests a new sample, --%s the calibration: leave one of the two out",
               o->data ? "data" : "samples");
    v->misused = false;
    return MPNO_OK;
}

/* "": there is none, which is for the kind to say. */
static mpno_status find_calibration(const checking *v, char out[PATH_SIZE]) {
    const mpno_value *data = mpno_value_get(v->certificate.document, "data");
    const char *recorded = mpno_value_get_string(data, "path", "");
    *out = '\0';
    if (*recorded == '\0') return MPNO_OK;
    const mpno_status status =
        find(v, "calibration samples", "--data", v->opts->data, recorded, out);
    if (status == MPNO_E_IO) *out = '\0';
    return status == MPNO_E_IO ? MPNO_OK : status;
}

/* The inputs: one, or their shapes alone. */
static mpno_status prepare(checking *v, const mpno_config *overrides) {
    mpno_proof *p = &v->proof;
    if (!v->kind->one_answer) {
        const mpno_status status = mpno_proof_read_grids(p, v->certificate.plan);
        v->refuted = status == MPNO_E_FORMAT;
        return status;
    }
    if (v->certificate.input.sha256 == NULL || v->certificate.answer.sha256 == NULL)
        return refute(v,
                      "input or answer is missing: the certificate was changed after it was made");
    MPNO_TRY(check_input(v));
    MPNO_TRY(check_answer(v));
    MPNO_TRY(mpno_proof_make_plan(p, overrides));
    return mpno_proof_measure(p);
}

static mpno_status make_again(checking *v, const mpno_config *overrides, const mpno_sink *sink) {
    const mpno_certificate *c = &v->certificate;
    const mpno_float_environment then = {c->environment.rounding, c->environment.flush_to_zero,
                                         c->environment.denormals_are_zero};
    const mpno_isa before = v->ctx->isa;
    mpno_isa isa;
    char data[PATH_SIZE] = "";
    mpno_proof_job job = {.proof = &v->proof, .checks = v->opts, .recorded = c, .sink = sink};
    job.same_kernels = find_kernels(v, &isa);
    if (job.same_kernels) v->ctx->isa = isa;
    v->proof.trouble = mpno_proof_trouble(&then);
    mpno_status status = prepare(v, overrides);
    if (status == MPNO_OK) status = find_calibration(v, data);
    job.data = *data ? data : NULL;
    if (status == MPNO_OK) status = mpno_proof_make(v->kind, &job, overrides, &v->document);
    v->refuted = v->refuted || job.refuted;
    v->told = job.told;
    v->ctx->isa = before;
    return status;
}

/* -------- all -------- */

static mpno_status find_kind(checking *v) {
    const char *kind = v->certificate.kind;
    v->kind = mpno_proof_kind_named(kind);
    MPNO_CHECK(v->ctx, v->kind != NULL || strcmp(kind, "point") == 0, MPNO_E_UNSUPPORTED,
               "it is a certificate of the kind '%.32s', which this mpno does not know: use the "
               "mpno that made it",
               kind);
    return check_opts(v);
}

static mpno_status check(checking *v, const mpno_sink *sink) {
    mpno_config *overrides = NULL;
    const mpno_float_environment around = mpno_float_environment_find(v->ctx->n_threads);
    const char *trouble = mpno_proof_trouble(&around);
    /* before numbers are read, which would be others */
    MPNO_CHECK(v->ctx, trouble == NULL, MPNO_E_UNSUPPORTED, "%s", trouble);
    MPNO_TRY(read_certificate(v));
    MPNO_TRY(find_kind(v));
    mpno_status status = check_checkpoint(v, &around, &overrides);
    if (status == MPNO_OK && v->kind != NULL) {
        status = make_again(v, overrides, sink);
    } else {
        if (status == MPNO_OK) status = check_input(v);
        if (status == MPNO_OK) status = check_answer(v);
        if (status == MPNO_OK) status = check_numbers(v, overrides);
    }
    mpno_config_destroy(&overrides);
    return status;
}

/* -------- what is said -------- */

/* Of what was found now: not what says which certificate it is, and of which files. */
static mpno_status copy_entries(const checking *v, const mpno_value *from, mpno_value *map) {
    static const char *const others[] = {"format", "version",    "kind",        "verdict", "reason",
                                         "input",  "checkpoint", "plan_sha256", "plan",    "answer",
                                         "data",   "sha256",     "assumptions"};
    for (size_t i = 0; i < from->n; i++) {
        mpno_value *copy = NULL;
        bool other = false;
        for (size_t k = 0; k < sizeof others / sizeof others[0]; k++)
            other = other || strcmp(from->keys[i], others[k]) == 0;
        if (other) continue;
        MPNO_TRY(mpno_value_clone(v->ctx, from->items[i], &copy));
        MPNO_TRY(mpno_value_set(v->ctx, map, from->keys[i], copy));
    }
    return MPNO_OK;
}

static mpno_status fill(const checking *v, const char *verdict, const char *reason,
                        mpno_value *map) {
    const mpno_certificate *now = &v->proof.certificate;
    mpno_value *document = NULL;
    MPNO_TRY(mpno_value_set_string(v->ctx, map, "certificate", v->name));
    MPNO_TRY(mpno_value_set_string(v->ctx, map, "kind", v->kind ? v->kind->name : "point"));
    MPNO_TRY(mpno_value_set_string(v->ctx, map, "verdict", verdict));
    MPNO_TRY(mpno_value_set_string(v->ctx, map, "reason", reason));
    if (now->plan == NULL) return MPNO_OK; /* it did not come so far */
    if (v->kind == NULL || v->kind->one_answer)
        MPNO_TRY(mpno_value_set_bool(v->ctx, map, "answer_computed_again", v->again));
    if (v->told != NULL) MPNO_TRY(copy_entries(v, v->told, map));
    if (v->kind != NULL) return v->document ? copy_entries(v, v->document, map) : MPNO_OK;
    MPNO_TRY(mpno_certificate_tree(v->ctx, now, &document));
    const mpno_status status = copy_entries(v, document, map);
    mpno_value_destroy(v->ctx, &document);
    return status;
}

static mpno_status tell(const checking *v, mpno_verdict verdict, const char *reason,
                        const mpno_sink *sink, char **json) {
    mpno_value *map = NULL;
    mpno_say(sink, "%s: %s\n", mpno_verdict_name(verdict), reason);
    if (json == NULL) return MPNO_OK;
    MPNO_TRY(mpno_value_map(v->ctx, &map));
    mpno_status status = fill(v, mpno_verdict_name(verdict), reason, map);
    if (status == MPNO_OK) status = mpno_json_text(v->ctx, map, false, json);
    mpno_value_destroy(v->ctx, &map);
    return status;
}

/* The verdict of what was found. */
static mpno_status conclude(checking *v, mpno_status status, const mpno_sink *sink,
                            mpno_verdict *verdict, char **json) {
    const mpno_certificate *now = &v->proof.certificate;
    char *reason = NULL;
    mpno_verdict found = MPNO_VERDICT_UNKNOWN;
    if (status == MPNO_E_MEMORY || v->misused) return status;
    const char *sentence = mpno_ctx_error(v->ctx);
    if (status != MPNO_OK) {
        if (v->refuted) found = MPNO_VERDICT_REFUTED;
    } else if (v->kind == NULL && isnan(v->certificate.distance[0].lower)) {
        sentence = v->certificate.reason;
    } else {
        sentence = now->reason;
        found = (mpno_verdict)now->verdict;
    }
    MPNO_TRY(mpno_strdup(v->ctx, sentence, &reason));
    if (status == MPNO_OK && v->kind == NULL) status = mpno_proof_say(v->ctx, now, false, sink);
    status = tell(v, found, reason, sink, json);
    mpno_free(v->ctx, reason);
    if (status == MPNO_OK) *verdict = found;
    return status;
}

mpno_status mpno_verify(mpno_ctx *ctx, const char *certificate, const mpno_verify_opts *opts,
                        const mpno_sink *sink, mpno_verdict *verdict, char **json) {
    const mpno_verify_opts defaults = MPNO_VERIFY_OPTS_INIT;
    checking *v = NULL;
    if (json) *json = NULL;
    *verdict = MPNO_VERDICT_UNKNOWN;
    if (opts == NULL) opts = &defaults;
    MPNO_CHECK(ctx, opts->size == sizeof *opts, MPNO_E_ARGUMENT,
               "mpno_verify_opts: size is %zu, expected %zu; start from MPNO_VERIFY_OPTS_INIT",
               opts->size, sizeof *opts);
    MPNO_TRY(mpno_alloc(ctx, sizeof *v, &v));
    v->ctx = v->proof.ctx = ctx;
    v->opts = opts;
    v->name = certificate;
    const mpno_status status = conclude(v, check(v, sink), sink, verdict, json);
    mpno_value_destroy(ctx, &v->document);
    mpno_value_destroy(ctx, &v->told);
    mpno_certificate_clear(ctx, &v->certificate);
    mpno_proof_clear(&v->proof);
    mpno_free(ctx, v);
    return status;
}
