/* SPDX-License-Identifier: MIT
 * mpno advise: which precision policy a trained model bears. */
#include <string.h>

#include "command.h"

const cli_page cli_advise_page = {
    .synopsis = "advise CHECKPOINT [--data FILE] [--format f16|bf16] [OPTIONS] [KEY=VALUE...]",
    .description =
        "    Tries every precision policy on one batch of FILE (where not given, of the first "
        "test\n"
        "    file of the configuration) with the weights of CHECKPOINT (as for eval), with f16 "
        "and\n"
        "    with bf16, and recommends one, with the reason. The table says of each policy:\n"
        "      moves by     relative L2 difference of its predictions from those of full\n"
        "      error L2     relative error where FILE holds the truth, and its change\n"
        "      head-room    how many times as large the largest stored value may become\n"
        "      to zero      values that become zero by storing them, and are not under full\n"
        "      gradients    least signal to rounding noise of the gradients of a training step\n"
        "      off by       relative error of the gradient of all weights, against full\n"
        "      prediction, training   memory of activations of a batch\n"
        "      time, step   of a prediction as measured, of a training step as estimated\n"
        "    Below it stands what speaks against a policy. --json has all of it tensor by tensor,\n"
        "    spectra by shells of wave numbers. A policy changes formats only: the stabiliser is\n"
        "    the checkpoint's.\n",
    .examples =
        "    mpno advise runs/first\n"
        "    mpno advise runs/first --data examples/data/darcy_test_32.pt --format bf16\n"
        "    mpno advise runs/first --json\n",
    .files = "    Reads CHECKPOINT and FILE; writes nothing.\n",
    .options = CLI_OPTION_ADVISE,
    .overrides = true,
    .arguments = {"CHECKPOINT"},
    .n_required = 1,
};

mpno_status cli_advise(mpno_ctx *ctx, const cli_args *args, cli_output *output, char **json) {
    mpno_config *overrides = NULL;
    mpno_advise_opts opts = MPNO_ADVISE_OPTS_INIT;
    opts.data = args->data;
    if (args->format) opts.half_format = strcmp(args->format, "f16") == 0 ? MPNO_F16 : MPNO_BF16;
    mpno_status status = cli_load_config(ctx, NULL, args, &overrides);
    if (status == MPNO_OK)
        status = mpno_advise(ctx, args->arguments[0], overrides, &opts, &output->sink, json);
    mpno_config_destroy(&overrides);
    return status;
}
