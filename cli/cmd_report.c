/* SPDX-License-Identifier: MIT
 * mpno report: one HTML document about a run. */
#include "command.h"

const cli_page cli_report_page = {
    .synopsis = "report RUN [-o FILE] [OPTIONS]",
    .description =
        "    Writes one HTML document about the run in the folder RUN: curves of loss and errors,\n"
        "    the best, the median and the worst sample of every test set, spectra, memory and "
        "time\n"
        "    beside the plan, every epoch, the configuration. It needs no network and no other\n"
        "    file. A run that is still going on is reported up to its last epoch and checkpoint.\n"
        "    Where the test data or the checkpoint are gone the samples are left out, and said "
        "so.\n"
        "    mpno train writes the same report at its end unless report.html is false.\n",
    .examples =
        "    mpno report runs/mixed\n"
        "    mpno report runs/mixed -o mixed.html\n",
    .files =
        "    Reads config.yaml, log.jsonl, summary.json, last.safetensors in RUN and the test "
        "data;\n"
        "    writes FILE (must end in .html; RUN/report.html where it is not given), whole or not\n"
        "    at all.\n",
    .options = CLI_OPTION_OUTPUT,
    .arguments = {"RUN"},
    .n_required = 1,
};

mpno_status cli_report(mpno_ctx *ctx, const cli_args *args, cli_output *output, char **json) {
    return mpno_report(ctx, args->arguments[0], args->output, &output->sink, json);
}
