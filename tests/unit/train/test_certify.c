/* SPDX-License-Identifier: MIT
 * Certificates through the library: a processor that rounds otherwise proves nothing and says so;
 * wherever memory fails nothing is left behind, not even half a certificate. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fenv.h>
#include <stdio.h>
#include <string.h>
#if defined(__SSE__)
#include <xmmintrin.h>
#endif

#include "core/files.h"
#include "core/memory.h"
#include "mpno/certify.h"
#include "unit/train/project.h"

static char run[128], certificate[160], page[160];
static bool with_page;
static mpno_certificate_kind kind;

static int train_once(void **state) {
    const char *const plain[] = {"opt.n_epochs", "2", "report.html", "false", NULL};
    if (start(state) != 0) return -1;
    train("run", plain, false, NULL, MPNO_OK);
    snprintf(run, sizeof run, "%s/run", folder);
    snprintf(certificate, sizeof certificate, "%s/c.json", folder);
    snprintf(page, sizeof page, "%s/c.html", folder);
    return 0;
}

/* Verdict and JSON of a certificate that is made (and written), or of one that is checked. */
static mpno_status certify(mpno_verdict *verdict, char **json) {
    mpno_certify_opts opts = MPNO_CERTIFY_OPTS_INIT;
    opts.certificate = certificate;
    if (with_page) opts.html = page;
    opts.kind = kind;
    if (kind == MPNO_CERTIFICATE_STATIC || kind == MPNO_CERTIFICATE_SET) opts.range = 6;
    return mpno_certify(ctx, run, NULL, &opts, NULL, verdict, json);
}
static mpno_status verify(mpno_verdict *verdict, char **json) {
    return mpno_verify(ctx, certificate, NULL, NULL, verdict, json);
}

static void expect(mpno_status (*job)(mpno_verdict *, char **), mpno_verdict expected,
                   const char *fragment) {
    mpno_verdict verdict;
    char *json;
    assert_int_equal(job(&verdict, &json), MPNO_OK);
    assert_int_equal(verdict, expected);
    if (strstr(json, fragment) == NULL) fail_msg("no %s in %s", fragment, json);
    mpno_text_free(ctx, json);
}

static void other_roundings_prove_nothing(void **state) {
    (void)state;
    const int modes[] = {FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO};
    for (int i = 0; i < 3; i++) {
        expect(certify, MPNO_VERDICT_VERIFIED, "\"rounding\": \"nearest\"");
        fesetround(modes[i]);
        expect(verify, MPNO_VERDICT_UNKNOWN, "not set to round to nearest");
        expect(certify, MPNO_VERDICT_UNKNOWN, "not set to round to nearest");
        fesetround(FE_TONEAREST);
        expect(verify, MPNO_VERDICT_UNKNOWN, "not set to round to nearest");
    }
}

#if defined(__SSE__)
static void lost_small_numbers_prove_nothing(void **state) {
    (void)state;
    const unsigned before = _mm_getcsr(), flags[] = {0x8000, 0x0040};
    const char *const names[] = {"\"flush_to_zero\": true", "\"denormals_are_zero\": true"};
    for (int i = 0; i < 2; i++) {
        expect(certify, MPNO_VERDICT_VERIFIED, "\"flush_to_zero\": false");
        _mm_setcsr(before | flags[i]);
        expect(verify, MPNO_VERDICT_UNKNOWN, "subnormal numbers for zero");
        expect(certify, MPNO_VERDICT_UNKNOWN, names[i]);
        _mm_setcsr(before);
    }
}
#endif

static void memory_may_fail(void **state) {
    (void)state;
    mpno_status (*const jobs[])(mpno_verdict *, char **) = {certify, verify};
    const size_t before = mpno_ctx_bytes(ctx);
    with_page = true;
    for (int job = 0; job < 2; job++) {
        mpno_status status = MPNO_E_MEMORY;
        int tries = 0;
        if (job == 0) remove(certificate);
        for (int64_t n = 0; status != MPNO_OK; n += 1 + n / 8, tries++) {
            mpno_verdict verdict = MPNO_VERDICT_VERIFIED;
            char *json = NULL;
            mpno_alloc_fail_after(ctx, n);
            status = jobs[job](&verdict, &json);
            mpno_alloc_fail_after(ctx, -1);
            mpno_text_free(ctx, json);
            assert_int_equal(mpno_ctx_bytes(ctx), before);
            assert_int_equal(verdict,
                             status == MPNO_OK ? MPNO_VERDICT_VERIFIED : MPNO_VERDICT_UNKNOWN);
            if (status == MPNO_OK) break;
            assert_int_equal(status, MPNO_E_MEMORY);
            assert_null(json);
        }
        assert_true(tries > 40);
        expect(verify, MPNO_VERDICT_VERIFIED, "VERIFIED"); /* what is there is whole */
    }
    with_page = false;
    assert_true(mpno_path_exists(page));
}

/* The other kinds likewise, made and checked. */
static void other_kinds(void **state) {
    (void)state;
    const mpno_certificate_kind kinds[] = {MPNO_CERTIFICATE_STATIC, MPNO_CERTIFICATE_SET,
                                           MPNO_CERTIFICATE_DISCRETISATION};
    mpno_status (*const jobs[])(mpno_verdict *, char **) = {certify, verify};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        kind = kinds[i];
        for (int job = 0; job < 2; job++) {
            const size_t before = mpno_ctx_bytes(ctx);
            mpno_status status = MPNO_E_MEMORY;
            for (int64_t n = 0; status != MPNO_OK; n += 1 + n / 8) {
                mpno_verdict verdict = MPNO_VERDICT_VERIFIED;
                char *json = NULL;
                if (job == 0) remove(certificate);
                mpno_alloc_fail_after(ctx, n);
                status = jobs[job](&verdict, &json);
                mpno_alloc_fail_after(ctx, -1);
                assert_int_equal(json != NULL, status == MPNO_OK);
                mpno_text_free(ctx, json);
                assert_int_equal(mpno_ctx_bytes(ctx), before);
                assert_int_equal(verdict,
                                 status == MPNO_OK ? MPNO_VERDICT_VERIFIED : MPNO_VERDICT_UNKNOWN);
                assert_true(status == MPNO_OK || status == MPNO_E_MEMORY);
            }
        }
        if (kind == MPNO_CERTIFICATE_DISCRETISATION) continue; /* it proves nothing */
        fesetround(FE_UPWARD);
        expect(certify, MPNO_VERDICT_UNKNOWN, "not set to round to nearest");
        fesetround(FE_TONEAREST);
        expect(verify, MPNO_VERDICT_UNKNOWN, "not set to round to nearest"); /* as it says itself */
    }
    kind = MPNO_CERTIFICATE_POINT;
    expect(certify, MPNO_VERDICT_VERIFIED, "VERIFIED");
}

/* Two hundred other waves. */
static void write_many(char path[160]) {
    enum { MANY = 200 };
    const int64_t shape[] = {MANY, POINTS};
    mpno_tensor_file *file = NULL;
    mpno_named_tensor *x = NULL;
    assert_int_equal(mpno_tensor_file_create(ctx, &file), MPNO_OK);
    assert_int_equal(mpno_tensor_file_add(ctx, file, "x", MPNO_ELEMENT_F32, 2, shape, &x), MPNO_OK);
    for (int i = 0; i < MANY * POINTS; i++)
        ((float *)x->data)[i] =
            (float)sin(6.283185307179586 * (i % POINTS) / POINTS + 0.1 * (double)(i / POINTS));
    snprintf(path, 160, "%s/many.safetensors", folder);
    assert_int_equal(mpno_safetensors_write(ctx, path, file), MPNO_OK);
    mpno_tensor_file_destroy(ctx, &file);
}

/* A population, its samples measured again, and a new sample beside it: memory may fail there too.
 */
static void populations(void **state) {
    (void)state;
    char many[160];
    mpno_certify_opts opts = MPNO_CERTIFY_OPTS_INIT;
    mpno_verify_opts checks[] = {MPNO_VERIFY_OPTS_INIT, MPNO_VERIFY_OPTS_INIT};
    mpno_verdict verdict;
    write_many(many);
    opts.kind = MPNO_CERTIFICATE_POPULATION;
    opts.input = many;
    opts.certificate = certificate;
    assert_int_equal(mpno_certify(ctx, run, NULL, &opts, NULL, &verdict, NULL), MPNO_OK);
    assert_int_equal(verdict, MPNO_VERDICT_VERIFIED);
    checks[0].samples = 2;
    checks[1].input = many;
    checks[1].sample = 150;
    for (int i = 0; i < 2; i++) {
        const size_t before = mpno_ctx_bytes(ctx);
        mpno_status status = MPNO_E_MEMORY;
        for (int64_t n = 0; status != MPNO_OK; n += 1 + n / 8) {
            char *json = NULL;
            mpno_alloc_fail_after(ctx, n);
            status = mpno_verify(ctx, certificate, &checks[i], NULL, &verdict, &json);
            mpno_alloc_fail_after(ctx, -1);
            if (status == MPNO_OK)
                assert_non_null(
                    strstr(json, i ? "\"inside\": true" : "\"samples_measured_again\": 2"));
            mpno_text_free(ctx, json);
            assert_int_equal(mpno_ctx_bytes(ctx), before);
            assert_int_equal(verdict,
                             status == MPNO_OK ? MPNO_VERDICT_VERIFIED : MPNO_VERDICT_UNKNOWN);
            assert_true(status == MPNO_OK || status == MPNO_E_MEMORY);
        }
    }
    checks[1].data = many; /* what is asked is one thing or the other */
    assert_int_equal(mpno_verify(ctx, certificate, &checks[1], NULL, &verdict, NULL),
                     MPNO_E_ARGUMENT);
    expect(certify, MPNO_VERDICT_VERIFIED, "VERIFIED"); /* of one answer, for what follows */
}

static void arguments(void **state) {
    (void)state;
    mpno_verdict verdict;
    mpno_certify_opts opts = MPNO_CERTIFY_OPTS_INIT;
    mpno_verify_opts checks = MPNO_VERIFY_OPTS_INIT;
    opts.size = 1;
    assert_int_equal(mpno_certify(ctx, run, NULL, &opts, NULL, &verdict, NULL), MPNO_E_ARGUMENT);
    opts = (mpno_certify_opts)MPNO_CERTIFY_OPTS_INIT;
    opts.sample = -1;
    assert_int_equal(mpno_certify(ctx, run, NULL, &opts, NULL, &verdict, NULL), MPNO_E_ARGUMENT);
    opts.sample = 0;
    opts.tolerance = INFINITY;
    assert_int_equal(mpno_certify(ctx, run, NULL, &opts, NULL, &verdict, NULL), MPNO_E_ARGUMENT);
    opts.tolerance = -1;
    opts.certificate = ".json";
    assert_int_equal(mpno_certify(ctx, run, NULL, &opts, NULL, &verdict, NULL), MPNO_E_ARGUMENT);
    assert_int_equal(mpno_certify(ctx, run, NULL, NULL, NULL, &verdict, NULL), MPNO_OK);
    assert_int_equal(verdict, MPNO_VERDICT_VERIFIED);
    checks.samples = 3; /* of a population */
    assert_int_equal(mpno_verify(ctx, certificate, &checks, NULL, &verdict, NULL), MPNO_E_ARGUMENT);
    checks.size = 1;
    assert_int_equal(mpno_verify(ctx, certificate, &checks, NULL, &verdict, NULL), MPNO_E_ARGUMENT);
    assert_int_equal(verdict, MPNO_VERDICT_UNKNOWN);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(other_roundings_prove_nothing),
#if defined(__SSE__)
        cmocka_unit_test(lost_small_numbers_prove_nothing),
#endif
        cmocka_unit_test(memory_may_fail),
        cmocka_unit_test(other_kinds),
        cmocka_unit_test(populations),
        cmocka_unit_test(arguments),
    };
    return cmocka_run_group_tests(tests, train_once, finish);
}
