/* SPDX-License-Identifier: MIT
 * Status texts, creation of contexts, the sentence of the last failure. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "core/context.h"
#include "core/cpu.h"

static void every_code_has_a_text_of_its_own(void **state) {
    (void)state;
    for (int i = 0; i < MPNO_STATUS_COUNT; i++) {
        const char *text = mpno_status_text((mpno_status)i);
        assert_true(strlen(text) > 0);
        for (int j = 0; j < i; j++) assert_string_not_equal(text, mpno_status_text((mpno_status)j));
    }
    assert_int_equal(MPNO_OK, 0);
    assert_non_null(mpno_status_text(MPNO_STATUS_COUNT));
    assert_non_null(mpno_status_text((mpno_status)9999));
}

static void options_are_checked(void **state) {
    (void)state;
    mpno_ctx *ctx = NULL;
    mpno_ctx_opts opts = MPNO_CTX_OPTS_INIT;
    assert_int_equal(mpno_ctx_create(NULL, NULL), MPNO_E_ARGUMENT);

    opts.n_threads = -1;
    assert_int_equal(mpno_ctx_create(&opts, &ctx), MPNO_E_ARGUMENT);
    assert_null(ctx);
    opts.n_threads = 1000000;
    assert_int_equal(mpno_ctx_create(&opts, &ctx), MPNO_E_ARGUMENT);
    opts.n_threads = 3;
    opts.isa = "sse9";
    assert_int_equal(mpno_ctx_create(&opts, &ctx), MPNO_E_ARGUMENT);
    opts.isa = "portable";
    opts.size = 1;
    assert_int_equal(mpno_ctx_create(&opts, &ctx), MPNO_E_ARGUMENT);
    opts.size = sizeof opts;
    assert_int_equal(mpno_ctx_create(&opts, &ctx), MPNO_OK);
    assert_int_equal(mpno_ctx_n_threads(ctx), 3);
    assert_string_equal(mpno_ctx_isa(ctx), "portable");
    assert_string_equal(mpno_ctx_error(ctx), "");
    assert_int_equal(mpno_ctx_bytes(ctx), 0);
    mpno_ctx_destroy(&ctx);
    assert_null(ctx);
    mpno_ctx_destroy(&ctx);
    mpno_ctx_destroy(NULL);
}

static void a_cap_never_raises_the_isa(void **state) {
    (void)state;
    for (int i = 0; i < MPNO_ISA_COUNT; i++) {
        mpno_ctx_opts opts = MPNO_CTX_OPTS_INIT;
        mpno_ctx *ctx;
        opts.isa = mpno_isa_name((mpno_isa)i);
        assert_int_equal(mpno_ctx_create(&opts, &ctx), MPNO_OK);
        assert_true(ctx->isa <= (mpno_isa)i);
        assert_true(ctx->isa <= mpno_cpu_best_isa());
        mpno_ctx_destroy(&ctx);
    }
    mpno_ctx *ctx;
    assert_int_equal(mpno_ctx_create(NULL, &ctx), MPNO_OK);
    assert_int_equal(ctx->isa, mpno_cpu_best_isa());
    assert_int_equal(mpno_ctx_n_threads(ctx), mpno_cpus_find("").affinity);
    mpno_ctx_destroy(&ctx);
}

static void sentences_are_stored_and_prefixed(void **state) {
    (void)state;
    mpno_ctx *ctx;
    assert_int_equal(mpno_ctx_create(NULL, &ctx), MPNO_OK);
    assert_int_equal(mpno_fail(ctx, MPNO_E_SHAPE, "%d axes, not %d", 3, 2), MPNO_E_SHAPE);
    assert_string_equal(mpno_ctx_error(ctx), "3 axes, not 2");
    assert_int_equal(mpno_fail_in(ctx, MPNO_E_IO, "file '%s'", "a.npy"), MPNO_E_IO);
    assert_string_equal(mpno_ctx_error(ctx), "file 'a.npy': 3 axes, not 2");
    assert_int_equal(mpno_fail(ctx, MPNO_E_IO, "<%s>", mpno_ctx_error(ctx)), MPNO_E_IO);
    assert_string_equal(mpno_ctx_error(ctx), "<file 'a.npy': 3 axes, not 2>");
    assert_int_equal(mpno_fail(NULL, MPNO_E_MEMORY, "nowhere"), MPNO_E_MEMORY);
    assert_int_equal(mpno_fail_in(NULL, MPNO_E_MEMORY, "nowhere"), MPNO_E_MEMORY);
    assert_string_equal(mpno_ctx_error(NULL), "");
    mpno_ctx_destroy(&ctx);
}

static void long_sentences_are_cut(void **state) {
    (void)state;
    mpno_ctx *ctx;
    char text[4 * sizeof ctx->error];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    assert_int_equal(mpno_ctx_create(NULL, &ctx), MPNO_OK);
    assert_int_equal(mpno_fail(ctx, MPNO_E_IO, "%s", text), MPNO_E_IO);
    assert_int_equal(strlen(mpno_ctx_error(ctx)), sizeof ctx->error - 1);
    assert_int_equal(mpno_fail_in(ctx, MPNO_E_IO, "in"), MPNO_E_IO);
    assert_int_equal(strlen(mpno_ctx_error(ctx)), sizeof ctx->error - 1);
    assert_memory_equal(mpno_ctx_error(ctx), "in: xxx", 7);
    assert_int_equal(mpno_fail_in(ctx, MPNO_E_IO, "%s", text), MPNO_E_IO);
    assert_int_equal(strlen(mpno_ctx_error(ctx)), sizeof ctx->error - 1);
    mpno_ctx_destroy(&ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_has_a_text_of_its_own),
        cmocka_unit_test(options_are_checked),
        cmocka_unit_test(a_cap_never_raises_the_isa),
        cmocka_unit_test(sentences_are_stored_and_prefixed),
        cmocka_unit_test(long_sentences_are_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
