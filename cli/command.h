/* SPDX-License-Identifier: MIT
 * What every command has: a page (what it takes, what its help says) and a function that runs it.
 */
#ifndef MPNO_CLI_COMMAND_H
#define MPNO_CLI_COMMAND_H

#include "args.h"
#include "mpno/mpno.h"
#include "output.h"

#define COMMAND(name, summary)               \
    extern const cli_page cli_##name##_page; \
    mpno_status cli_##name(mpno_ctx *ctx, const cli_args *args, cli_output *output, char **json);
#include "commands.def"
#undef COMMAND

/* Loads `path` (NULL: all defaults) and applies --threads, the file of --config and
 * the overrides, the later ones last. *out is NULL on
 * failure. */
MPNO_WARN_UNUSED mpno_status cli_load_config(mpno_ctx *ctx, const char *path, const cli_args *args,
                                             mpno_config **out);

/* Steps of --rollout: 0 where it is not given. */
int64_t cli_rollout_steps(const cli_args *args);

#endif
