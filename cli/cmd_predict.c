/* SPDX-License-Identifier: MIT
 * mpno predict: outputs of a trained model for a file of inputs. */
#include "command.h"

const cli_page cli_predict_page = {
    .synopsis = "predict CHECKPOINT INPUT -o OUTPUT [--pictures FOLDER] [OPTIONS] [KEY=VALUE...]",
    .description =
        "    Applies a trained model (CHECKPOINT as for eval) to the samples of INPUT, a data "
        "file\n"
        "    of any resolution with the inputs under data.x_key (x), and writes the predictions,\n"
        "    in physical units, to OUTPUT (.safetensors, .h5 or .npy; key y). Where INPUT holds "
        "the\n"
        "    truth too (data.y_key, y), errors are printed.\n"
        "    With --pictures every sample becomes a PNG: input and prediction, and between and\n"
        "    beside them truth (on the prediction's colour scale) and error where INPUT has it; a\n"
        "    row for each of the first four channels, lines for 1-D fields, three middle planes "
        "for\n"
        "    3-D and 4-D fields. report.input_unit and report.output_unit name units in headings.\n"
        "    precision.policy changes formats only; the stabiliser is the checkpoint's.\n",
    .examples =
        "    mpno predict runs/mixed examples/data/darcy_test_32.pt -o y.safetensors\n"
        "    mpno predict runs/mixed/best.safetensors in.pt -o y.safetensors "
        "--pictures pictures\n",
    .files =
        "    OUTPUT appears whole or not at all. FOLDER is made where it does not exist and gets\n"
        "    sample_0000.png and so on, in place of files of these names.\n",
    .options = CLI_OPTION_OUTPUT | CLI_OPTION_PICTURES | CLI_OPTION_CONFIG,
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
