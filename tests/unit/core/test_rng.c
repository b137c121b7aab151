/* SPDX-License-Identifier: MIT
 * Philox against the known answers published with Random123 (kat_vectors), numbers as a pure
 * function of seed, stream and index, and the distributions made of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "core/rng.h"

static void known_answers(void **state) {
    (void)state;
    static const struct {
        uint32_t counter[4], key[2], answer[4];
    } cases[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
         {0xffffffff, 0xffffffff},
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint32_t out[4];
        mpno_philox4x32(cases[i].counter, cases[i].key, out);
        assert_memory_equal(out, cases[i].answer, sizeof out);
    }
}

/* Resumed runs and published seeds depend on this layout: it may not change. */
static void numbers_are_words_of_blocks(void **state) {
    (void)state;
    const uint64_t seed = 0x0123456789abcdefULL;
    const uint32_t key[2] = {0x89abcdef, 0x01234567};
    mpno_rng rng = mpno_rng_make(seed, MPNO_STREAM_SHUFFLE, 77);
    rng.index = ((uint64_t)5 << 34) - 4; /* the counter carries into its second word here */
    for (int block = 0; block < 2; block++) {
        uint64_t number = rng.index / 4;
        const uint32_t counter[4] = {(uint32_t)number, (uint32_t)(number >> 32), 77, 2};
        uint32_t words[4];
        mpno_philox4x32(counter, key, words);
        for (int i = 0; i < 4; i++) assert_int_equal(mpno_rng_u32(&rng), words[i]);
    }
}

static void draws_depend_on_the_index_alone(void **state) {
    (void)state;
    uint32_t words[64];
    mpno_rng rng = mpno_rng_make(3, MPNO_STREAM_TEST, 0);
    for (int i = 0; i < 64; i++) words[i] = mpno_rng_u32(&rng);
    for (int start = 0; start < 50; start++) { /* every position in a block */
        rng.index = (uint64_t)start;
        uint64_t joined = (uint64_t)words[start + 1] << 32 | words[start];
        assert_true(mpno_rng_uniform(&rng) == (double)(joined >> 11) * 0x1p-53);
        assert_int_equal(rng.index, start + 2);
        double a = mpno_rng_normal(&rng);
        rng.index = (uint64_t)start + 2;
        assert_true(mpno_rng_normal(&rng) == a);
        assert_int_equal(rng.index, start + 6);
    }
}

static void streams_differ(void **state) {
    (void)state;
    mpno_rng rngs[] = {mpno_rng_make(1, MPNO_STREAM_TEST, 0), mpno_rng_make(2, MPNO_STREAM_TEST, 0),
                       mpno_rng_make((uint64_t)1 << 32, MPNO_STREAM_TEST, 0),
                       mpno_rng_make(1, MPNO_STREAM_INIT, 0),
                       mpno_rng_make(1, MPNO_STREAM_TEST, 1)};
    enum { N = sizeof rngs / sizeof *rngs };
    uint32_t first[N][8];
    for (int i = 0; i < N; i++) {
        for (int k = 0; k < 8; k++) first[i][k] = mpno_rng_u32(&rngs[i]);
        for (int j = 0; j < i; j++) assert_memory_not_equal(first[i], first[j], sizeof first[i]);
    }
}

/* Bounds are six standard deviations of the estimate. */
static void moments_fit(void **state) {
    (void)state;
    enum { N = 200000 };
    mpno_rng rng = mpno_rng_make(42, MPNO_STREAM_TEST, 9);
    double sum = 0, squares = 0;
    for (int i = 0; i < N; i++) {
        double u = mpno_rng_uniform(&rng);
        assert_true(u >= 0.0 && u < 1.0);
        sum += u;
        squares += u * u;
    }
    assert_true(fabs(sum / N - 0.5) < 6 * sqrt(1.0 / 12 / N));
    assert_true(fabs(squares / N - 1.0 / 3) < 6 * sqrt(4.0 / 45 / N));
    double moment[5] = {0};
    for (int i = 0; i < N; i++) {
        double z = mpno_rng_normal(&rng), power = 1;
        assert_true(isfinite(z));
        for (int k = 1; k <= 4; k++) moment[k] += power *= z;
    }
    assert_true(fabs(moment[1] / N) < 6 * sqrt(1.0 / N));
    assert_true(fabs(moment[2] / N - 1) < 6 * sqrt(2.0 / N));
    assert_true(fabs(moment[3] / N) < 6 * sqrt(15.0 / N));
    assert_true(fabs(moment[4] / N - 3) < 6 * sqrt(96.0 / N));
}

static void below_is_even(void **state) {
    (void)state;
    mpno_rng rng = mpno_rng_make(7, MPNO_STREAM_TEST, 1);
    enum { SIDES = 6, N = 60000 };
    int count[SIDES] = {0};
    for (int i = 0; i < N; i++) {
        uint64_t face = mpno_rng_below(&rng, SIDES);
        assert_true(face < SIDES);
        count[face]++;
    }
    for (int i = 0; i < SIDES; i++)
        assert_true(abs(count[i] - N / SIDES) < 6 * 92); /* sigma = 91.3 */
    assert_int_equal(mpno_rng_below(&rng, 1), 0);
    assert_int_equal(mpno_rng_below(&rng, 0), 0);
    /* Of n = 3/4 2^64 a plain remainder would give the lowest third with probability 1/2. */
    const uint64_t n = (uint64_t)3 << 62;
    int low = 0;
    for (int i = 0; i < N; i++) low += mpno_rng_below(&rng, n) < n / 3;
    assert_true(abs(low - N / 3) < 6 * 116);
}

static void permutations_hold_each_number_once(void **state) {
    (void)state;
    enum { N = 1000 };
    int64_t order[N], again[N];
    bool seen[N] = {false};
    mpno_rng rng = mpno_rng_make(5, MPNO_STREAM_SHUFFLE, 3), same = rng;
    mpno_rng_permutation(&rng, N, order);
    mpno_rng_permutation(&same, N, again);
    assert_memory_equal(order, again, sizeof order);
    int fixed = 0;
    for (int i = 0; i < N; i++) {
        assert_true(order[i] >= 0 && order[i] < N && !seen[order[i]]);
        seen[order[i]] = true;
        fixed += order[i] == i;
    }
    assert_true(fixed < 12); /* one is expected */
    mpno_rng_permutation(&rng, 0, order);
    mpno_rng_permutation(&rng, 1, order);
    assert_int_equal(order[0], 0);
    int counts[6] = {0}; /* all orders of three are equally likely */
    for (int i = 0; i < 6000; i++) {
        mpno_rng_permutation(&rng, 3, order);
        counts[order[0] * 2 + (order[1] > order[2])]++;
    }
    for (int i = 0; i < 6; i++) assert_true(abs(counts[i] - 1000) < 6 * 29);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_answers),
        cmocka_unit_test(numbers_are_words_of_blocks),
        cmocka_unit_test(draws_depend_on_the_index_alone),
        cmocka_unit_test(streams_differ),
        cmocka_unit_test(moments_fit),
        cmocka_unit_test(below_is_even),
        cmocka_unit_test(permutations_hold_each_number_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
