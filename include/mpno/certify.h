/* SPDX-License-Identifier: MIT
 * How far an answer of a trained model is from the answer of the same network in exact arithmetic:
 * proved bounds in a file that others can check. docs/howto/certify.md shows it,
 * docs/reference/certificate.md describes the file. */
#ifndef MPNO_CERTIFY_H
#define MPNO_CERTIFY_H

#ifdef __cplusplus
extern "C" {
#endif

/* Of a claim: proved, proved to be wrong, neither. */
typedef enum mpno_verdict {
    MPNO_VERDICT_VERIFIED,
    MPNO_VERDICT_REFUTED,
    MPNO_VERDICT_UNKNOWN
} mpno_verdict;

#ifdef __cplusplus
}
#endif

#endif
