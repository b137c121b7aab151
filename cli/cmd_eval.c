/* SPDX-License-Identifier: MIT
 * mpno eval: errors of a trained model on test data. */
#include "command.h"

const cli_page cli_eval_page = {
    .synopsis = "eval CHECKPOINT [OPTIONS] [KEY=VALUE...]",
    .description =
        "    Measures relative L2 and H1 errors of a trained model on the test sets of its\n"
        "    configuration, at every resolution listed there.\n"
        "    CHECKPOINT is a .safetensors checkpoint, a run folder (its last.safetensors is "
        "taken)\n"
        "    or a state dict of the PyTorch library neuraloperator (.pt; nothing in it is ever\n"
        "    executed). A state dict says nothing of the data: give data.test, and the model.* "
        "keys\n"
        "    that its metadata leave open.\n"
        "    precision.policy changes formats only; the stabiliser is the checkpoint's.\n",
    .examples =
        "    mpno eval runs/mixed\n"
        "    mpno eval runs/mixed/best.safetensors precision.policy=full --json\n",
    .files = "    Reads the checkpoint and the data files of its configuration; writes nothing.\n",
    .overrides = true,
    .arguments = {"CHECKPOINT"},
    .n_required = 1,
};

mpno_status cli_eval(mpno_ctx *ctx, const cli_args *args, cli_output *output, char **json) {
    mpno_config *overrides = NULL;
    mpno_status status = cli_load_config(ctx, NULL, args, &overrides);
    if (status == MPNO_OK)
        status = mpno_eval(ctx, args->arguments[0], overrides, &output->sink, json);
    mpno_config_destroy(&overrides);
    return status;
}
