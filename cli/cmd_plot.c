/* SPDX-License-Identifier: MIT
 * mpno plot: pictures of data files and trained models. */
#include "command.h"

const cli_page cli_plot_page = {
    .synopsis = "plot FILE [PREDICTION] [-o OUT] [OPTIONS] [KEY=VALUE...]",
    .description =
        "    Draws samples of FILE as a PNG picture: heat maps of 2-D fields with axes and colour\n"
        "    bar, lines of 1-D ones, three middle planes of 3-D ones; a row for each sample and\n"
        "    each of the first four channels.\n"
        "    FILE is a data file, such as mpno generate writes. Drawn is y beside x (tensor "
        "beside\n"
        "    nu in PDEBench's files, or the only tensor); --key names others, as 'mpno data' "
        "does:\n"
        "    Y or X,Y. With PREDICTION, a file that mpno predict wrote, truth, prediction and "
        "error\n"
        "    stand beside each other.\n"
        "    FILE may also be a checkpoint or a run folder: then its test data are drawn with "
        "what\n"
        "    the model predicts. KEY=VALUE (data.test=..) is for these only. With --rollout a\n"
        "    model of trajectories predicts N steps from its own predictions, as in mpno eval.\n"
        "    --spectrum draws the radial spectra instead, means over all samples, or over those "
        "of\n"
        "    --sample: |u^(k)|^2 summed over the waves with round(|k|) = s.\n"
        "    A field may have times (axis t): 1-D fields become maps of place and time, others a\n"
        "    row for each of four times. --animate makes an animated PNG, a frame for each time;\n"
        "    browsers play it, and programs that know no animations show its first frame.\n"
        "    The axes are those that the file names (mpno generate does; PDEBench's files are\n"
        "    known), else by their number: x, nx, nxy, ncxy, ncxyz, ncxyzt, and with --animate "
        "tx,\n"
        "    ntx, ntxy, nctxy, nctxyz; n are samples, c channels. --axes says otherwise.\n"
        "    Errors are blue below and orange above zero, what is not finite is grey.\n",
    .examples =
        "    mpno plot examples/data/darcy_test_32.pt --sample 0,3 -o samples.png\n"
        "    mpno plot examples/data/darcy_test_32.pt y.npy -o errors.png\n"
        "    mpno plot runs/mixed --sample 0:4\n"
        "    mpno plot runs/mixed --spectrum -o spectra.png\n"
        "    mpno plot runs/flow --rollout all --animate -o flow.png\n"
        "    mpno plot 2D_diff-react_NA_NA.h5 --key \"*/data\" --sample 7 --animate\n",
    .files =
        "    OUT (must end in .png; the name of FILE in the current folder where it is not given)\n"
        "    appears whole or not at all.\n",
    .options = CLI_OPTION_OUTPUT | CLI_OPTION_PLOT | CLI_OPTION_ROLLOUT,
    .overrides = true,
    .arguments = {"FILE", "PREDICTION"},
    .n_required = 1,
};

mpno_status cli_plot(mpno_ctx *ctx, const cli_args *args, cli_output *output, char **json) {
    mpno_config *overrides = NULL;
    mpno_plot_opts opts = MPNO_PLOT_OPTS_INIT;
    opts.prediction = args->arguments[1];
    opts.key = args->key;
    opts.axes = args->axes;
    opts.samples = args->sample;
    if (args->colormap) opts.colormap = args->colormap;
    opts.unit = args->unit;
    opts.spectrum = args->spectrum;
    opts.animate = args->animate;
    opts.rollout = cli_rollout_steps(args);
    mpno_status status = cli_load_config(ctx, NULL, args, &overrides);
    if (status == MPNO_OK)
        status =
            mpno_plot(ctx, args->arguments[0], args->output, overrides, &opts, &output->sink, json);
    mpno_config_destroy(&overrides);
    return status;
}
