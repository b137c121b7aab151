/* SPDX-License-Identifier: MIT
 * How far an answer of a trained model is from the answer of the same network in exact arithmetic:
 * proved bounds in a file that others can check. docs/howto/certify.md shows it,
 * docs/reference/certificate.md describes the file. */
#ifndef MPNO_CERTIFY_H
#define MPNO_CERTIFY_H

#include "mpno/run.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Of a claim: proved, proved to be wrong, neither. */
typedef enum mpno_verdict {
    MPNO_VERDICT_VERIFIED,
    MPNO_VERDICT_REFUTED,
    MPNO_VERDICT_UNKNOWN
} mpno_verdict;

/* What is claimed. POINT: how far one answer is from the exact one. STATIC: that nothing overflows,
 * whatever the input. SET: how far the answers to all inputs of a ball are. POPULATION: how far
 * answers to inputs that nobody has looked at are. DISCRETISATION claims nothing: it estimates. */
typedef enum mpno_certificate_kind {
    MPNO_CERTIFICATE_POINT,
    MPNO_CERTIFICATE_STATIC,
    MPNO_CERTIFICATE_POPULATION,
    MPNO_CERTIFICATE_DISCRETISATION,
    MPNO_CERTIFICATE_SET
} mpno_certificate_kind;

/* input: a data file with the inputs; NULL: the first test file of the checkpoint's configuration.
 * sample: which of them, from 0. answer: a file that mpno_predict wrote, of the same inputs or of
 * this sample alone; NULL: the model is run as mpno_predict runs it on the sample. tolerance: the
 * claim is that the relative L2 distance is at most so large; negative: that the distances have the
 * bounds which are found. certificate: file to write, ".json"; an answer that was computed is then
 * stored beside it as NAME_answer.npy. NULL: nothing is written. html: a page, ".html", that
 * shows where the error comes from; NULL: none. layers: the text shows every layer.
 *
 * STATIC takes from the input the grid alone (and the size of what steers a model): the claim is
 * that no stored tensor of the forward pass overflows for any input whose numbers, as the network
 * gets them, are at most `range` in magnitude; 0: 6, where inputs are encoded. Sample, answer
 * and html belong to POINT, tolerance to it, to SET and to POPULATION.
 *
 * SET takes as much from the input, and the size of the truth in it where answers are not encoded.
 * The claim is of every input of the same ball: that the distance of the answer, as the network
 * gives it, from the exact one is at most `tolerance` times the size of answers; negative: that it
 * has the bound that is found, which is below that size (otherwise it says nothing: VACUOUS, with
 * the verdict UNKNOWN). docs/howto/certify.md has the norm and the size.
 *
 * POPULATION makes POINT certificates of the first `samples` inputs (0: 200, the least), which took
 * no part in training, and bounds the relative distances of new ones with a probability of
 * `coverage` (0: 0.95), over calibration and new sample together, and with the given confidence
 * (0: not asked for, negative: 0.95) whatever the calibration was.
 *
 * DISCRETISATION estimates how far the answer is from that on ever finer grids, and puts it beside
 * what precision does and how far the model is from the truth in the file. It has no verdict:
 * UNKNOWN says that there is no ground for an estimate, VERIFIED that there is. Tolerance and html
 * do not belong to it. */
typedef struct mpno_certify_opts {
    size_t size;
    const char *input;
    int64_t sample;
    const char *answer;
    double tolerance;
    const char *certificate;
    const char *html;
    bool layers;
    mpno_certificate_kind kind;
    double range;
    int64_t samples;
    double coverage, confidence;
} mpno_certify_opts;
#define MPNO_CERTIFY_OPTS_INIT                                                                   \
    {                                                                                            \
        sizeof(mpno_certify_opts), NULL, 0, NULL, -1, NULL, NULL, false, MPNO_CERTIFICATE_POINT, \
            0, 0, 0, -1                                                                          \
    }

/* checkpoint, overrides, sink and json as for mpno_eval; opts may be NULL. json: the certificate.
 * What no bound is known of (or a processor that flushes small numbers to zero) gives a certificate
 * of UNKNOWN that says why; only where there is no answer to speak of there is none. */
MPNO_API MPNO_WARN_UNUSED mpno_status mpno_certify(mpno_ctx *ctx, const char *checkpoint,
                                                   mpno_config *overrides,
                                                   const mpno_certify_opts *opts,
                                                   const mpno_sink *sink, mpno_verdict *verdict,
                                                   char **json);

/* Where the files are, if not where the certificate says; NULL: there.
 *
 * Of POPULATION: data: the calibration samples, all of whose inputs are looked at, and `samples`
 * (0: 8) of which are measured again. input: a data file with a new sample, number `sample` of it,
 * which is put beside the calibration in place of this: VERIFIED says that it is within what
 * calibration has seen, so that the bounds apply, UNKNOWN that it is not. */
typedef struct mpno_verify_opts {
    size_t size;
    const char *weights, *input, *answer, *data;
    int64_t sample, samples;
} mpno_verify_opts;
#define MPNO_VERIFY_OPTS_INIT \
    { sizeof(mpno_verify_opts), NULL, NULL, NULL, NULL, 0, 0 }

/* Checks a certificate: that it, the checkpoint, the input and the answer are those that it was
 * made of, and the numbers by computing them again. REFUTED: something was changed, or the claim is
 * wrong. UNKNOWN, with the reason in the text and the JSON object: a file is missing, or something
 * else that is needed; no failure but E_ARGUMENT (also options that are not of the certificate's
 * kind) and E_MEMORY is given back. opts may be NULL. */
MPNO_API MPNO_WARN_UNUSED mpno_status mpno_verify(mpno_ctx *ctx, const char *certificate,
                                                  const mpno_verify_opts *opts,
                                                  const mpno_sink *sink, mpno_verdict *verdict,
                                                  char **json);

#ifdef __cplusplus
}
#endif

#endif
