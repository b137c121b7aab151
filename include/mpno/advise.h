/* SPDX-License-Identifier: MIT
 * Which precision policy a trained model bears: every policy is tried on a batch of data. */
#ifndef MPNO_ADVISE_H
#define MPNO_ADVISE_H

#include "mpno/format.h"
#include "mpno/run.h"

#ifdef __cplusplus
extern "C" {
#endif

/* data: a file with inputs, and the truth if it has it; NULL: the first test file of the
 * checkpoint's configuration. half_format: MPNO_F16 or MPNO_BF16; MPNO_FORMAT_COUNT: both.
 * samples: of the batch; 0: as many as the configuration evaluates at once. */
typedef struct mpno_advise_opts {
    size_t size;
    const char *data;
    mpno_format half_format;
    int64_t samples;
} mpno_advise_opts;
#define MPNO_ADVISE_OPTS_INIT \
    { sizeof(mpno_advise_opts), NULL, MPNO_FORMAT_COUNT, 0 }

/* checkpoint, overrides, sink and json as for mpno_eval; opts may be NULL. Nothing is written. */
MPNO_API MPNO_WARN_UNUSED mpno_status mpno_advise(mpno_ctx *ctx, const char *checkpoint,
                                                  mpno_config *overrides,
                                                  const mpno_advise_opts *opts,
                                                  const mpno_sink *sink, char **json);

#ifdef __cplusplus
}
#endif

#endif
