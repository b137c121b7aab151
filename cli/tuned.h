/* SPDX-License-Identifier: MIT
 * Where the file of mpno tune is, and --tuned. */
#ifndef MPNO_CLI_TUNED_H
#define MPNO_CLI_TUNED_H

#include "mpno/mpno.h"

/* Says in ctx what is wrong when there is no folder for it. */
MPNO_WARN_UNUSED mpno_status cli_tuned_path(mpno_ctx *ctx, char *path, size_t capacity);

#endif
