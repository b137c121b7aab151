/* SPDX-License-Identifier: MIT
 * mpno predict: outputs of a trained model for a file of inputs. */
#include "command.h"

const cli_page cli_predict_page = {
    .synopsis = "predict CHECKPOINT INPUT -o OUTPUT [--pictures FOLDER] [OPTIONS] [KEY=VALUE...]",
    .description =
        "    Applies a trained model to the samples of INPUT (a data file with the key x, at any\n"
        "    resolution) and writes the predictions, in physical units, to OUTPUT (.safetensors,\n"
        "    key y). With --pictures every sample becomes a PNG: input and prediction, and truth\n"
        "    and error where INPUT holds y; truth and prediction share one colour scale.\n",
    .examples =
        "    mpno predict runs/mixed examples/data/darcy_test_32.pt -o y.safetensors\n"
        "    mpno predict runs/mixed/best.safetensors in.pt -o y.safetensors "
        "--pictures pictures\n",
    .files = "    OUTPUT appears whole or not at all. FOLDER is made where it does not exist.\n",
    .options = CLI_OPTION_OUTPUT | CLI_OPTION_PICTURES,
    .required_options = CLI_OPTION_OUTPUT,
    .overrides = true,
    .arguments = {"CHECKPOINT", "INPUT"},
    .n_required = 2,
};

mpno_status cli_predict(mpno_ctx *ctx, const cli_args *args, cli_output *output, char **json) {
    mpno_config *overrides = NULL;
    mpno_status status = cli_load_config(ctx, NULL, args, &overrides);
    if (status == MPNO_OK)
        status = mpno_predict(ctx, args->arguments[0], args->arguments[1], args->output,
                              args->pictures, overrides, &output->sink, json);
    mpno_config_destroy(&overrides);
    return status;
}
