/* SPDX-License-Identifier: MIT
 * mpno tune: measures this machine once; --tuned uses it. */
#include "command.h"
#include "tuned.h"

const cli_page cli_tune_page = {
    .synopsis = "tune [--show | --reset] [OPTIONS]",
    .description =
        "    Measures what this machine can do, for some seconds, and keeps it in a text file:\n"
        "    rates of arithmetic and memory, and which variants are fastest where several give a\n"
        "    valid result (sets of kernels; one or all hardware threads of a core). Nothing is\n"
        "    used unless asked for: any command does with --tuned. A set of kernels is chosen\n"
        "    only where it is 5 % faster than the widest one; results under another set agree\n"
        "    within rounding, and every run says which one it used. --isa and --threads go\n"
        "    before what was measured. Close other programs first.\n",
    .examples =
        "    mpno tune\n"
        "    mpno tune --show\n"
        "    mpno plan config.yaml --tuned\n",
    .files =
        "    $XDG_CACHE_HOME/mpno/tune-CPU.yaml, or below ~/.cache where that is not set: one\n"
        "    for each model of processor. It appears whole or not at all.\n",
    .options = CLI_OPTION_SHOW | CLI_OPTION_RESET,
};

mpno_status cli_tune(mpno_ctx *ctx, const cli_args *args, cli_output *output, char **json) {
    char path[4096];
    const mpno_status status = cli_tuned_path(ctx, path, sizeof path);
    if (status != MPNO_OK) return status;
    if (args->show) return mpno_tune_show(ctx, path, &output->sink, json);
    if (args->reset) return mpno_tune_reset(ctx, path, &output->sink, json);
    return mpno_tune(ctx, path, &output->sink, json);
}
