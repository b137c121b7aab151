/* SPDX-License-Identifier: MIT
 * What is found of the processor's rounding is what was set, in this thread or in another. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fenv.h>
#include <omp.h>
#if defined(__SSE__)
#include <xmmintrin.h>
#endif

#include "core/float_environment.h"

static void as_it_should_be(void **state) {
    (void)state;
    for (int threads = 1; threads <= 5; threads += 2) {
        const mpno_float_environment found = mpno_float_environment_find(threads);
        assert_string_equal(found.rounding, "nearest");
        assert_false(found.flush_to_zero);
        assert_false(found.denormals_are_zero);
        assert_true(mpno_float_environment_good(&found));
    }
}

static void every_rounding(void **state) {
    (void)state;
    const struct {
        int mode;
        const char *name;
    } modes[] = {{FE_UPWARD, "upward"}, {FE_DOWNWARD, "downward"}, {FE_TOWARDZERO, "toward zero"}};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(fesetround(modes[i].mode), 0);
        const mpno_float_environment found = mpno_float_environment_find(1);
        fesetround(FE_TONEAREST);
        assert_string_equal(found.rounding, modes[i].name);
        assert_false(mpno_float_environment_good(&found));
    }
}

#if defined(__SSE__)
enum { FLUSH_TO_ZERO = 0x8000, DENORMALS_ARE_ZERO = 0x0040 };

static void every_flag(void **state) {
    (void)state;
    const unsigned before = _mm_getcsr();
    _mm_setcsr(before | FLUSH_TO_ZERO);
    const mpno_float_environment flushing = mpno_float_environment_find(1);
    _mm_setcsr(before | DENORMALS_ARE_ZERO);
    const mpno_float_environment blind = mpno_float_environment_find(1);
    _mm_setcsr(before);
    assert_true(flushing.flush_to_zero && !flushing.denormals_are_zero);
    assert_true(blind.denormals_are_zero && !blind.flush_to_zero);
    assert_false(mpno_float_environment_good(&flushing));
    assert_false(mpno_float_environment_good(&blind));
}

/* The last thread of a team alone is set: it is found, and only where it is asked for. */
static void another_thread(void **state) {
    (void)state;
    for (int on = 1; on >= 0; on--) {
#pragma omp parallel num_threads(3)
        if (omp_get_thread_num() == 2)
            _mm_setcsr(on ? _mm_getcsr() | FLUSH_TO_ZERO : _mm_getcsr() & ~(unsigned)FLUSH_TO_ZERO);
        assert_true(mpno_float_environment_find(3).flush_to_zero == (on == 1));
        assert_false(mpno_float_environment_find(1).flush_to_zero);
    }
}
#endif

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_it_should_be),
        cmocka_unit_test(every_rounding),
#if defined(__SSE__)
        cmocka_unit_test(every_flag),
        cmocka_unit_test(another_thread),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
