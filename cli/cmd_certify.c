/* SPDX-License-Identifier: MIT
 * mpno certify: how far an answer is from the one in exact arithmetic, with proof. */
#include "command.h"

const cli_page cli_certify_page = {
    .synopsis =
        "certify CHECKPOINT [--static | --set | --data FILE | --discretisation] [--input FILE] "
        "[--sample N] [--answer FILE] [--tolerance T] [--range A] [-o OUT.json] [--html FILE] "
        "[--layers] [OPTIONS] [KEY=VALUE...]",
    .description =
        "    Proves how far an answer of a trained model (CHECKPOINT as for eval) is from the "
        "answer\n"
        "    that the same network gives in exact arithmetic, without any rounding: lower and "
        "upper\n"
        "    bounds of the L2, H1 and maximum distance, in physical units and relative to the "
        "exact\n"
        "    answer. The network is run once more in f64, and a bound of what that run itself\n"
        "    rounds away is added.\n"
        "    Without --answer the model is run on the sample as predict runs it, under the policy\n"
        "    of the checkpoint or of precision.policy. With --tolerance the claim is that the\n"
        "    relative L2 distance is at most T, and the verdict is VERIFIED, REFUTED or, where T\n"
        "    lies between the bounds, UNKNOWN; without, that the bounds hold.\n"
        "    --html writes a page with bars of where the error comes from: the network is run once "
        "for\n"
        "    each layer and kind of tensor that it stores in few bits, with all others in full.\n"
        "    --static proves something of every input instead: that no stored tensor overflows for "
        "any "
        "input\n"
        "    with |a| <= A, as the network gets it; FILE tells the grid alone. VERIFIED, or "
        "UNKNOWN "
        "with the\n"
        "    layer and tensor where no proof was found and what would close it.\n"
        "    --set bounds, for every such input at once, how far the answer, as the network gives\n"
        "    it, is from the exact one, by how much each layer can make of an error. The bound is\n"
        "    far above what happens, unless the model was trained under regularizer.lipschitz_*:\n"
        "    where it is above the size of answers it is VACUOUS and the verdict UNKNOWN. With\n"
        "    --tolerance the claim is that it is at most T times that size.\n"
        "    --data speaks of inputs that nobody has looked at: the first N samples of FILE, which "
        "took "
        "no\n"
        "    part in training, are certified one by one, and from their upper bounds follows one "
        "for "
        "new\n"
        "    samples, with a probability of P whatever the distribution of errors is. What that "
        "assumes is\n"
        "    printed. With --tolerance the claim is that a new sample's relative L2 distance is at "
        "most T.\n"
        "    --discretisation estimates how far the answer to the sample is from that on ever "
        "finer "
        "grids,\n"
        "    from runs on half, all and twice the points of each axis, and shows it beside "
        "precision "
        "and the\n"
        "    model's error (where the file has the truth): which one binds. For smooth inputs it "
        "may prove\n"
        "    a bound too (analytic strips), else it says where the proof does not close.\n"
        "    -o writes a certificate, which mpno verify checks, on another machine too. With\n"
        "    --json standard output is that certificate and nothing else.\n",
    .examples =
        "    mpno certify runs/mixed\n"
        "    mpno certify runs/mixed --tolerance 1e-3 -o certificate.json\n"
        "    mpno certify runs/mixed --static --range 8 precision.policy=half\n"
        "    mpno certify runs/mixed --set --range 1 --tolerance 0.1 -o set.json\n"
        "    mpno certify runs/mixed --data more.h5 --samples 500 --coverage 0.99\n"
        "    mpno certify runs/mixed --discretisation --sample 3\n"
        "    mpno certify runs/mixed --input in.pt --sample 7 --answer y.safetensors --json\n",
    .files =
        "    Reads CHECKPOINT, the input and the answer. OUT.json appears whole or not at all, "
        "and\n"
        "    before it OUT_answer.npy beside it with the answer, where that was computed.\n"
        "    FILE (must end in .html) needs no other file.\n",
    .options = CLI_OPTION_CERTIFY | CLI_OPTION_OUTPUT | CLI_OPTION_CONFIG,
    .overrides = true,
    .arguments = {"CHECKPOINT"},
    .n_required = 1,
    .exit_text =
        "EXIT STATUS\n"
        "    0     VERIFIED\n"
        "          or an estimate was made (--discretisation)\n"
        "    1     REFUTED\n"
        "    2     UNKNOWN, or no ground for an estimate, or no certificate could be made; the "
        "error\n"
        "          line says why\n",
    .failure = CLI_USAGE,
};

mpno_status cli_certify(mpno_ctx *ctx, const cli_args *args, cli_output *output, char **json) {
    mpno_config *overrides = NULL;
    mpno_verdict verdict = MPNO_VERDICT_UNKNOWN;
    mpno_certify_opts opts = MPNO_CERTIFY_OPTS_INIT;
    opts.input = args->input;
    opts.sample = args->number;
    opts.answer = args->answer;
    opts.tolerance = args->tolerance;
    opts.certificate = args->output;
    opts.html = args->html;
    opts.layers = args->layers;
    opts.kind = args->is_static        ? MPNO_CERTIFICATE_STATIC
                : args->is_set         ? MPNO_CERTIFICATE_SET
                : args->data           ? MPNO_CERTIFICATE_POPULATION
                : args->discretisation ? MPNO_CERTIFICATE_DISCRETISATION
                                       : MPNO_CERTIFICATE_POINT;
    if (args->data) opts.input = args->data;
    opts.samples = args->samples;
    opts.coverage = args->coverage;
    opts.confidence = args->confidence;
    opts.range = args->range;
    mpno_status status = cli_load_config(ctx, NULL, args, &overrides);
    if (status == MPNO_OK)
        status =
            mpno_certify(ctx, args->arguments[0], overrides, &opts, &output->sink, &verdict, json);
    mpno_config_destroy(&overrides);
    output->verdict = (int)verdict;
    return status;
}
