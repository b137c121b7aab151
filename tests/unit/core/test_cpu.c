/* SPDX-License-Identifier: MIT
 * Instruction sets, caches, and numbered tasks on threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "core/cpu.h"
#include "core/parallel.h"

static void names_and_values_agree(void **state) {
    (void)state;
    for (int i = 0; i < MPNO_ISA_COUNT; i++) {
        mpno_isa isa = MPNO_ISA_COUNT;
        assert_true(mpno_isa_parse(mpno_isa_name((mpno_isa)i), &isa));
        assert_int_equal(isa, i);
    }
    mpno_isa isa = MPNO_ISA_AVX2;
    assert_false(mpno_isa_parse("AVX2", &isa));
    assert_false(mpno_isa_parse("", &isa));
    assert_int_equal(isa, MPNO_ISA_AVX2);
    assert_string_equal(mpno_isa_name(MPNO_ISA_COUNT), "unknown");
}

/* The list that the system prints is an independent witness. */
static void best_isa_agrees_with_the_system(void **state) {
    (void)state;
    FILE *file = mpno_isa_compiled(MPNO_ISA_AVX2) ? fopen("/proc/cpuinfo", "r") : NULL;
    if (file == NULL) skip(); /* no x86: the machine alone decides */
    static char line[16384];
    mpno_isa expected = MPNO_ISA_PORTABLE;
    bool found = false;
    while (!found && fgets(line, sizeof line - 1, file) != NULL)
        found = strncmp(line, "flags", 5) == 0;
    (void)fclose(file);
    if (!found) skip();
    line[strcspn(line, "\n")] = ' ';
    bool avx2 = strstr(line, " avx2 ") != NULL && strstr(line, " fma ") != NULL &&
                strstr(line, " f16c ") != NULL;
    bool avx512 = strstr(line, " avx512f ") != NULL && strstr(line, " avx512bw ") != NULL &&
                  strstr(line, " avx512dq ") != NULL && strstr(line, " avx512vl ") != NULL;
    if (avx2) expected = avx512 ? MPNO_ISA_AVX512 : MPNO_ISA_AVX2;
    if (expected == MPNO_ISA_AVX512) {
        const char *const names[] = {" avx512_bf16 ", " avx512_fp16 ", " amx_bf16 "};
        for (int i = 0; i < 3 && strstr(line, names[i]) != NULL; i++)
            expected = (mpno_isa)(MPNO_ISA_AVX512_BF16 + i);
    }
    assert_int_equal(mpno_cpu_best_isa(), expected);
    assert_non_null(mpno_cpu_model());
}

static void instruction_sets_of_this_build(void **state) {
    (void)state;
    assert_true(mpno_isa_compiled(MPNO_ISA_PORTABLE));
    assert_true(mpno_isa_compiled(mpno_cpu_best_isa()));
    assert_false(mpno_isa_compiled(MPNO_ISA_NEON) && mpno_isa_compiled(MPNO_ISA_AVX2));
    assert_false(mpno_isa_compiled(MPNO_ISA_COUNT));
    assert_true(mpno_isa_ran(MPNO_ISA_PORTABLE));
    assert_false(mpno_isa_ran(MPNO_ISA_NEON));
    for (int i = 0; i < MPNO_ISA_COUNT; i++) assert_true(strlen(mpno_isa_text((mpno_isa)i)) > 0);
    const mpno_caches caches = mpno_cpu_caches();
    for (int i = 0; i < 2; i++)
        if (caches.level[i + 1] > 0) assert_true(caches.level[i] <= caches.level[i + 1]);
}

enum { TASKS = 1000, MOST_THREADS = 7 };

typedef struct ledger {
    int runs[TASKS];
    int64_t last[MOST_THREADS];
    int n_threads;
    int wrong_thread[TASKS];
} ledger;

static void note(void *argument, int64_t task, int thread) {
    ledger *l = argument;
    l->runs[task]++;
    if (thread < 0 || thread >= l->n_threads) {
        l->wrong_thread[task] = 1;
    } else {
        l->last[thread] = task;
    }
}

static void tasks_run_once_each(void **state) {
    (void)state;
    const int64_t counts[] = {0, 1, 2, 6, TASKS};
    /* Downwards: clang's OpenMP library loses memory whenever a team grows. */
    for (int n_threads = MOST_THREADS; n_threads >= 1; n_threads -= 2) {
        for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
            ledger l = {.n_threads = n_threads};
            mpno_parallel(n_threads, counts[c], note, &l);
            for (int64_t i = 0; i < TASKS; i++) {
                assert_int_equal(l.runs[i], i < counts[c] ? 1 : 0);
                assert_int_equal(l.wrong_thread[i], 0);
            }
        }
    }
}

static void in_order(void *argument, int64_t task, int thread) {
    int64_t *next = argument;
    if (*next == task && thread == 0) ++*next;
}

static void one_thread_runs_in_order(void **state) {
    (void)state;
    int64_t next = 0;
    mpno_parallel(1, 100, in_order, &next);
    assert_int_equal(next, 100);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_and_values_agree),
        cmocka_unit_test(best_isa_agrees_with_the_system),
        cmocka_unit_test(instruction_sets_of_this_build),
        cmocka_unit_test(tasks_run_once_each),
        cmocka_unit_test(one_thread_runs_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
