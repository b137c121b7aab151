/* SPDX-License-Identifier: MIT
 * mpno export: the weights of a run for other programs. */
#include "command.h"

const cli_page cli_export_page = {
    .synopsis = "export CHECKPOINT -o OUTPUT [OPTIONS] [KEY=VALUE...]",
    .description =
        "    Writes the weights of a trained model (CHECKPOINT as for eval; averages where the "
        "run\n"
        "    kept them, unless eval.weights=trained) to OUTPUT. A .pt file is a state dict that\n"
        "    the PyTorch library neuraloperator loads: the same names, the same bits, the same\n"
        "    outputs; OUTPUT ending in _state_dict.pt gets the file NAME_metadata.pkl beside it,\n"
        "    and FNO.from_checkpoint(folder, NAME) makes the model. .safetensors and .h5 hold the\n"
        "    same tensors. The optimiser's state is left behind; normalisers are told, not\n"
        "    written. export.factorization=tucker (cp, tt, dense) and export.rank=0.1 decompose\n"
        "    the spectral weights, or multiply them out, and tell what that loses.\n",
    .examples =
        "    mpno export runs/darcy16 -o darcy16_state_dict.pt\n"
        "    mpno export runs/darcy16/best.safetensors -o weights.h5\n"
        "    mpno export runs/darcy16 -o small.pt export.factorization=tucker export.rank=0.5\n",
    .files = "    OUTPUT appears whole or not at all.\n",
    .options = CLI_OPTION_OUTPUT,
    .required_options = CLI_OPTION_OUTPUT,
    .overrides = true,
    .arguments = {"CHECKPOINT"},
    .n_required = 1,
};

mpno_status cli_export(mpno_ctx *ctx, const cli_args *args, cli_output *output, char **json) {
    mpno_config *overrides = NULL;
    mpno_status status = cli_load_config(ctx, NULL, args, &overrides);
    if (status == MPNO_OK)
        status = mpno_export(ctx, args->arguments[0], args->output, overrides, &output->sink, json);
    mpno_config_destroy(&overrides);
    return status;
}
