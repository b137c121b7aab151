/* SPDX-License-Identifier: MIT
 * Augmentation: what may be drawn is drawn, nothing else; a function of (seed, epoch, sample);
 * training with it does not depend on threads and goes on after a stop; other data are left alone.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "train/augment.h"
#include "unit/train/project.h"

enum { DRAWS = 3000, MOST_KINDS = 512 };

static bool same(const mpno_symmetry *a, const mpno_symmetry *b) {
    bool equal = a->ndim == b->ndim;
    for (int d = 0; d < a->ndim && equal; d++)
        equal = a->axis[d] == b->axis[d] && a->flip[d] == b->flip[d] &&
                a->shift[d] == b->shift[d] && a->parts[d] == b->parts[d];
    return equal;
}

/* Different symmetries among the draws of an epoch; *turns: whether none is a mirror image. */
static int count_kinds(const mpno_settings *s, const mpno_dataset *data, bool *turns) {
    static mpno_symmetry seen[MOST_KINDS];
    int n = 0;
    *turns = true;
    for (int64_t i = 0; i < DRAWS; i++) {
        const mpno_symmetry drawn = mpno_augment_draw(s, data, 7, i);
        const mpno_symmetry again = mpno_augment_draw(s, data, 7, i);
        assert_true(same(&drawn, &again));
        bool odd = false;
        for (int d = 0; d < data->ndim; d++) {
            odd = odd != drawn.flip[d];
            for (int e = 0; e < d; e++) odd = odd != (drawn.axis[e] > drawn.axis[d]);
            assert_int_equal(data->grid[d], data->grid[drawn.axis[d]]);
            assert_int_equal(data->out_grid[d], data->out_grid[drawn.axis[d]]);
        }
        *turns = *turns && !odd;
        int k = 0;
        while (k < n && !same(&seen[k], &drawn)) k++;
        if (k == n && n < MOST_KINDS) seen[n++] = drawn;
    }
    return n;
}

static void every_symmetry_that_is_allowed_is_drawn(void **state) {
    (void)state;
    static const struct {
        const char *what;
        int ndim;
        int64_t grid[3], out_grid[3];
        bool transpose, rotate;
        mpno_int_list flip, shift;
        int kinds;
        bool turns;
    } cases[] = {
        {"flip", 2, {8, 8}, {8, 8}, false, false, {2, {0, 1}}, {0}, 4, false},
        {"flip of one axis", 2, {8, 8}, {8, 8}, false, false, {1, {1}}, {0}, 2, false},
        {"transpose", 2, {8, 8}, {8, 8}, true, false, {0}, {0}, 2, false},
        {"rotate", 2, {8, 8}, {8, 8}, false, true, {0}, {0}, 4, true},
        {"the whole square", 2, {8, 8}, {8, 8}, true, true, {2, {0, 1}}, {0}, 8, false},
        {"orders of three axes", 3, {8, 8, 8}, {8, 8, 8}, true, false, {0}, {0}, 6, false},
        {"turns of the cube", 3, {8, 8, 8}, {8, 8, 8}, false, true, {0}, {0}, 24, true},
        {"the whole cube", 3, {8, 8, 8}, {8, 8, 8}, true, false, {3, {0, 1, 2}}, {0}, 48, false},
        {"a bar", 3, {8, 6, 8}, {8, 6, 8}, false, true, {0}, {0}, 4, true},
        {"outputs unlike", 3, {8, 8, 8}, {8, 8, 4}, true, false, {0}, {0}, 2, false},
        {"shift", 2, {8, 6}, {8, 6}, false, false, {0}, {2, {0, 1}}, 48, true},
        {"shift on two grids", 1, {8}, {12}, false, false, {0}, {1, {0}}, 4, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        mpno_settings s = {.seed = 5};
        mpno_dataset data = {.ndim = cases[i].ndim};
        bool turns;
        memcpy(data.grid, cases[i].grid, sizeof cases[i].grid);
        memcpy(data.out_grid, cases[i].out_grid, sizeof cases[i].out_grid);
        s.model.n_modes.n = cases[i].ndim;
        s.augment.transpose = cases[i].transpose;
        s.augment.rotate = cases[i].rotate;
        s.augment.flip = cases[i].flip;
        s.augment.shift = cases[i].shift;
        assert_true(mpno_augment_wanted(&s));
        assert_int_equal(mpno_augment_check(ctx, &s), MPNO_OK);
        assert_int_equal(mpno_augment_check_data(ctx, &s, &data), MPNO_OK);
        const int kinds = count_kinds(&s, &data, &turns);
        if (kinds != cases[i].kinds || turns != cases[i].turns)
            fail_msg("%s: %d kinds, %s", cases[i].what, kinds, turns ? "turns" : "mirrored");
    }
}

static void seed_epoch_and_sample_change_the_draw(void **state) {
    (void)state;
    mpno_settings s = {.seed = 5, .augment.shift = {1, {0}}};
    const mpno_dataset data = {.ndim = 1, .grid = {1000003}, .out_grid = {1000003}};
    const int64_t first = mpno_augment_draw(&s, &data, 1, 1).shift[0];
    assert_true(mpno_augment_draw(&s, &data, 1, 2).shift[0] != first);
    assert_true(mpno_augment_draw(&s, &data, 2, 1).shift[0] != first);
    s.seed = 6;
    assert_true(mpno_augment_draw(&s, &data, 1, 1).shift[0] != first);
}

static void training_is_the_same_for_threads_and_after_a_stop(void **state) {
    (void)state;
    const char *const words[] = {
        "augment.flip", "[0]", "augment.shift", "[0]", "n_threads", "1", NULL};
    const char *const three[] = {
        "augment.flip", "[0]", "augment.shift", "[0]", "n_threads", "3", NULL};
    stopper s = {0, 3};
    const mpno_sink sink = {count_lines, &s, false, 80, &s.stop};
    const double error = train("one", words, false, NULL, MPNO_OK);
    assert_true(train("three", three, false, NULL, MPNO_OK) == error);
    train("parts", words, false, &sink, MPNO_E_STOPPED);
    assert_true(train("parts", three, true, NULL, MPNO_OK) == error);
    assert_same("one", "three", "last.safetensors");
    assert_same("one", "parts", "last.safetensors");
    assert_same("one", "parts", "metrics.csv");
}

/* With a rate of nothing only the data can change an error: the training loss does, tests and
 * validation do not. */
static void only_training_data_are_augmented(void **state) {
    (void)state;
    const char *const plain[] = {
        "opt.learning_rate", "1e-30", "opt.weight_decay", "0", "data.n_validation", "4", NULL};
    const char *const moved[] = {"opt.learning_rate",
                                 "1e-30",
                                 "opt.weight_decay",
                                 "0",
                                 "data.n_validation",
                                 "4",
                                 "augment.shift",
                                 "[0]",
                                 NULL};
    const double error = train("plain", plain, false, NULL, MPNO_OK);
    assert_true(train("moved", moved, false, NULL, MPNO_OK) == error);
    double loss[2], validation[2];
    for (int i = 0; i < 2; i++) {
        char path[128], line[4096];
        snprintf(path, sizeof path, "%s/%s/metrics.csv", folder, i ? "moved" : "plain");
        FILE *file = fopen(path, "r");
        assert_non_null(file);
        assert_non_null(fgets(line, sizeof line, file));
        assert_non_null(fgets(line, sizeof line, file));
        assert_int_equal(sscanf(line, "%*f,%*f,%*f,%*f,%*f,%lf,%lf", &loss[i], &validation[i]), 2);
        (void)fclose(file);
    }
    assert_true(loss[0] != loss[1]);
    assert_true(validation[0] == validation[1]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_symmetry_that_is_allowed_is_drawn),
        cmocka_unit_test(seed_epoch_and_sample_change_the_draw),
        cmocka_unit_test(training_is_the_same_for_threads_and_after_a_stop),
        cmocka_unit_test(only_training_data_are_augmented),
    };
    return cmocka_run_group_tests(tests, start, finish);
}
