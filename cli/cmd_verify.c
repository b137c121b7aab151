/* SPDX-License-Identifier: MIT
 * mpno verify: is a certificate what it says it is? */
#include "command.h"

const cli_page cli_verify_page = {
    .synopsis =
        "verify CERTIFICATE [--weights FILE] [--input FILE] [--answer FILE] [--data FILE] "
        "[--sample N] [--samples N] [OPTIONS]",
    .description =
        "    Checks a certificate of mpno certify, of any kind: that it, the checkpoint, the "
        "input\n"
        "    and the answer are bit by bit those that it was made of (SHA-256), and that the\n"
        "    bounds hold, by computing them again. The verdict on the claim is the one that\n"
        "    follows from these. It works on other machines and instruction sets. Files are\n"
        "    looked for where the certificate says, from its folder and from the current one, or\n"
        "    as the options say.\n"
        "    Where the answer is missing it is computed with the kernels that computed it then; "
        "if\n"
        "    they do not run here or give another one, the verdict is UNKNOWN.\n"
        "    Certificates of every input (--static, --set) need the checkpoint alone. Of a\n"
        "    population (--data) the bounds follow from the scores in the certificate; all inputs\n"
        "    of the calibration are looked at and N of its samples (--samples) measured again.\n"
        "    With --input the question is another one: is the new sample, number N (--sample) of\n"
        "    FILE, within what the calibration has seen? VERIFIED: it is inside the envelope, and\n"
        "    the bounds apply to it. UNKNOWN: it is outside, and the layer and quantity are "
        "named.\n"
        "    --json prints verdict, reason, claim and what was found now.\n",
    .examples =
        "    mpno verify certificate.json\n"
        "    mpno verify certificate.json --weights runs/mixed --input in.pt --answer y.npy\n"
        "    mpno verify population.json --data more.h5 --samples 50\n"
        "    mpno verify population.json --input new.h5 --sample 3\n",
    .files = "    Reads CERTIFICATE and the files that it names; writes nothing.\n",
    .options = CLI_OPTION_VERIFY,
    .arguments = {"CERTIFICATE"},
    .n_required = 1,
    .exit_text =
        "EXIT STATUS\n"
        "    0     VERIFIED: the claim holds\n"
        "    1     REFUTED: the claim is wrong, or the certificate or a file was changed\n"
        "    2     UNKNOWN: a file is missing, or something else that is needed, or the claim is\n"
        "          not proved, or the new sample is outside the envelope\n",
    .failure = CLI_USAGE,
};

mpno_status cli_verify(mpno_ctx *ctx, const cli_args *args, cli_output *output, char **json) {
    mpno_verdict verdict = MPNO_VERDICT_UNKNOWN;
    mpno_verify_opts opts = MPNO_VERIFY_OPTS_INIT;
    opts.weights = args->weights;
    opts.input = args->input;
    opts.answer = args->answer;
    opts.data = args->data;
    opts.sample = args->number;
    opts.samples = args->samples;
    const mpno_status status =
        mpno_verify(ctx, args->arguments[0], &opts, &output->sink, &verdict, json);
    output->verdict = (int)verdict;
    return status;
}
