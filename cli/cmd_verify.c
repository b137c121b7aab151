/* SPDX-License-Identifier: MIT
 * mpno verify: is a certificate what it says it is? */
#include "command.h"

const cli_page cli_verify_page = {
    .synopsis = "verify CERTIFICATE [--weights FILE] [--input FILE] [--answer FILE] [OPTIONS]",
    .description =
        "    Checks a certificate of mpno certify: that it, the checkpoint, the input and the "
        "answer\n"
        "    are bit by bit those that it was made of (SHA-256), and that the bounds hold, by\n"
        "    computing them again. The verdict on the claim is the one that follows from these. "
        "It\n"
        "    works on other machines and instruction sets. Files are looked for where the\n"
        "    certificate says, from its folder and from the current one, or as the options say.\n"
        "    Where the answer is missing it is computed with the kernels that computed it then; "
        "if\n"
        "    they do not run here or give another one, the verdict is UNKNOWN.\n"
        "    --json prints verdict, reason, claim and the bounds as found now.\n",
    .examples =
        "    mpno verify certificate.json\n"
        "    mpno verify certificate.json --weights runs/mixed --input in.pt --answer y.npy\n",
    .files = "    Reads CERTIFICATE and the files that it names; writes nothing.\n",
    .options = CLI_OPTION_VERIFY,
    .arguments = {"CERTIFICATE"},
    .n_required = 1,
    .exit_text =
        "EXIT STATUS\n"
        "    0     VERIFIED: the claim holds\n"
        "    1     REFUTED: the claim is wrong, or the certificate or a file was changed\n"
        "    2     UNKNOWN: a file is missing, or something else that is needed\n",
    .failure = CLI_USAGE,
};

mpno_status cli_verify(mpno_ctx *ctx, const cli_args *args, cli_output *output, char **json) {
    mpno_verdict verdict = MPNO_VERDICT_UNKNOWN;
    mpno_verify_opts opts = MPNO_VERIFY_OPTS_INIT;
    opts.weights = args->weights;
    opts.input = args->input;
    opts.answer = args->answer;
    const mpno_status status =
        mpno_verify(ctx, args->arguments[0], &opts, &output->sink, &verdict, json);
    output->verdict = (int)verdict;
    return status;
}
