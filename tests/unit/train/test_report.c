/* SPDX-License-Identifier: MIT
 * The report of a run through the library: wherever memory fails, nothing is left behind, not even
 * a document. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "core/files.h"
#include "core/memory.h"
#include "unit/train/project.h"

static void memory_may_fail(void **state) {
    (void)state;
    const char *const plain[] = {"opt.n_epochs", "2", "report.html", "false", NULL};
    char path[128], page[160];
    train("run", plain, false, NULL, MPNO_OK);
    snprintf(path, sizeof path, "%s/run", folder);
    snprintf(page, sizeof page, "%s/run/report.html", folder);
    const size_t before = mpno_ctx_bytes(ctx);
    mpno_status status = MPNO_E_MEMORY;
    int tries = 0;
    /* Thousands of allocations: each of the first, then ever fewer of them. */
    for (int64_t n = 0; status != MPNO_OK; n += 1 + n / 16, tries++) {
        char *json = NULL;
        mpno_alloc_fail_after(ctx, n);
        status = mpno_report(ctx, path, NULL, NULL, &json);
        mpno_alloc_fail_after(ctx, -1);
        mpno_text_free(ctx, json);
        assert_int_equal(mpno_ctx_bytes(ctx), before);
        if (status == MPNO_OK) break;
        assert_int_equal(status, MPNO_E_MEMORY);
        assert_null(json);
    }
    assert_true(tries > 50);
    assert_true(mpno_path_exists(page));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(memory_may_fail)};
    return cmocka_run_group_tests(tests, start, finish);
}
