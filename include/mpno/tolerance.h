/* SPDX-License-Identifier: MIT
 * A plan of precision for a trained model: a format for the tensors of every role and layer, and
 * the modes that each block uses, such that the answers stay within a tolerance of the exact ones
 * (those of the whole network) and memory (or time) is least. */
#ifndef MPNO_TOLERANCE_H
#define MPNO_TOLERANCE_H

#include "mpno/run.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum mpno_minimise {
    MPNO_MINIMISE_MEMORY, /* bytes of activations of a prediction */
    MPNO_MINIMISE_TIME    /* of a prediction, as estimated from pieces of its steps */
} mpno_minimise;

/* tolerance: of the relative L2 distance of an answer from the one in exact arithmetic;
 * NaN: a tenth of the model's own error, from the truth on the data where they have it, else as its
 * training found on validation data. data: a file with inputs, of which some are measured on and
 * others are held out for the proof; NULL: the first test file of the checkpoint's configuration.
 * policy_file: where the plan is written to, YAML that mpno_config_override_file takes; NULL:
 * nowhere. */
typedef struct mpno_tolerance_opts {
    size_t size;
    double tolerance;
    mpno_minimise minimise;
    const char *data, *policy_file;
} mpno_tolerance_opts;
#define MPNO_TOLERANCE_OPTS_INIT \
    { sizeof(mpno_tolerance_opts), 1e-3, MPNO_MINIMISE_MEMORY, NULL, NULL }

/* checkpoint, overrides, sink and json as for mpno_eval; opts may be NULL. E_NUMERIC: the tolerance
 * is less than what the model reaches with everything stored in f32; the sentence says what that
 * is. */
MPNO_API MPNO_WARN_UNUSED mpno_status mpno_plan_tolerance(mpno_ctx *ctx, const char *checkpoint,
                                                          mpno_config *overrides,
                                                          const mpno_tolerance_opts *opts,
                                                          const mpno_sink *sink, char **json);

#ifdef __cplusplus
}
#endif

#endif
