/* SPDX-License-Identifier: MIT
 * The certificate file: what was claimed of an answer, on what grounds, of which files, and the
 * verdict, as a JSON document whose last entry is the SHA-256 of the rest. The document is a
 * function of this struct, so that a text is genuine only if writing what was read gives it back.
 * docs/reference/certificate.md and certificate.schema.json describe it. */
#ifndef MPNO_CERTIFY_CERTIFICATE_H
#define MPNO_CERTIFY_CERTIFICATE_H

#include "certify/point.h"
#include "core/fields.h"
#include "core/sha256.h"
#include "mpno/certify.h"

#define MPNO_CERTIFICATE_FORMAT "mpno certificate"
enum { MPNO_CERTIFICATE_VERSION = 1 };

/* NaN: not known. The relative ones are over the size of the exact answer. */
typedef struct mpno_certified_distance {
    double lower, upper;
    double relative_lower, relative_upper;
    double size_lower, size_upper;
    double shadow; /* largest distance of the f64 run from the exact answer */
} mpno_certified_distance;

/* One sample of a file: channels, then the grid. */
typedef struct mpno_certified_sample {
    char *path; /* NULL: it was not stored */
    char *key;  /* NULL: likewise */
    int64_t sample;
    mpno_int_list shape;
    bool is_complex;
    char *sha256;
} mpno_certified_sample;

/* Texts are owned. */
typedef struct mpno_certificate {
    char *format, *kind;
    int64_t version;
    int verdict; /* mpno_verdict */
    char *reason;
    struct {
        char *text;
        double tolerance; /* NaN: none */
    } claim;
    mpno_certified_distance distance[MPNO_N_DISTANCES];
    struct {
        char *path, *sha256;
        int64_t bytes;
    } checkpoint;
    mpno_certified_sample input, answer;
    struct {
        char *mpno, *isa, *bf16_products; /* NULL: none */
        int64_t threads;
        char *rounding;
        bool flush_to_zero, denormals_are_zero;
    } environment;
    char *plan_sha256;
    int n_layers;
    mpno_point_layer *layers; /* owned */
    mpno_value *plan; /* owned: how the answer was computed, and what is needed to repeat it */
    mpno_value *document; /* owned: all of it, of the other kinds, which this struct cannot hold */
} mpno_certificate;

/* Empty: every number unknown. Clear in any case. */
MPNO_WARN_UNUSED mpno_status mpno_certificate_start(mpno_ctx *ctx, mpno_certificate *out);
void mpno_certificate_clear(mpno_ctx *ctx, mpno_certificate *certificate);
/* A copy of text (NULL stays NULL) in place of *at. */
MPNO_WARN_UNUSED mpno_status mpno_certificate_set(mpno_ctx *ctx, char **at, const char *text);
/* Takes the plan, and its sum. */
MPNO_WARN_UNUSED mpno_status mpno_certificate_set_plan(mpno_ctx *ctx, mpno_value *plan,
                                                       mpno_certificate *certificate);
/* What was measured. */
MPNO_WARN_UNUSED mpno_status mpno_certificate_set_point(mpno_ctx *ctx, const mpno_point *point,
                                                        mpno_certificate *certificate);
/* The verdict on the claim, its reason, and the relative distances, of what stands in the rest.
 * trouble: why there are no numbers; NULL: there are. */
MPNO_WARN_UNUSED mpno_status mpno_certificate_judge(mpno_ctx *ctx, const char *trouble,
                                                    mpno_certificate *certificate);

/* [channels, grid..] and the values (f64, complex ones as pairs) in the order of data files:
 * channel by channel, each in C order. extra: further numbers that belong to the sample; n may be
 * 0. The bytes are described in docs/reference/certificate.md. */
MPNO_WARN_UNUSED mpno_status mpno_certificate_sum_sample(mpno_ctx *ctx, const mpno_int_list *shape,
                                                         bool is_complex, const double *values,
                                                         int64_t n_extra, const double *extra,
                                                         char out[MPNO_SHA256_TEXT]);

/* The document, with its sum. */
MPNO_WARN_UNUSED mpno_status mpno_certificate_tree(mpno_ctx *ctx,
                                                   const mpno_certificate *certificate,
                                                   mpno_value **out);
/* Documents of the other kinds: begun with format, version, kind, and, where there is a claim,
 * verdict, reason and claim of the certificate; closed with its checkpoint, environment and plan,
 * and the sum of all. What stands between is the caller's. */
MPNO_WARN_UNUSED mpno_status mpno_certificate_open(mpno_ctx *ctx,
                                                   const mpno_certificate *certificate,
                                                   mpno_value **out);
MPNO_WARN_UNUSED mpno_status mpno_certificate_close(mpno_ctx *ctx,
                                                    const mpno_certificate *certificate,
                                                    mpno_value *document);
/* Entry `key` ("input", "answer") as certificates of the kind "point" have it. */
MPNO_WARN_UNUSED mpno_status mpno_certificate_copy(mpno_ctx *ctx,
                                                   const mpno_certificate *certificate,
                                                   const char *key, mpno_value *document);
/* From a text; `name` is for messages. E_FORMAT: it is no certificate, or was changed since it was
 * made; the sentence names the key. E_UNSUPPORTED: of another version. Of kinds other than "point"
 * this is checked of what all have in common, and the document is kept. */
MPNO_WARN_UNUSED mpno_status mpno_certificate_parse(mpno_ctx *ctx, const char *name,
                                                    const char *text, size_t n,
                                                    mpno_certificate *out);
/* Names the first entry of `found` that differs from that of `expected` (E_FORMAT): numbers by more
 * than `near` times the greater one. path: of both, "" of a whole document, whose sum is let be. */
MPNO_WARN_UNUSED mpno_status mpno_certificate_compare(mpno_ctx *ctx, const char *path,
                                                      const mpno_value *found,
                                                      const mpno_value *expected, double near);

/* Inside of the two files that make and read the document. */
const mpno_field *mpno_certificate_fields(size_t *n);
/* SHA-256 of the text on one line without the last entry. */
MPNO_WARN_UNUSED mpno_status mpno_certificate_sum(mpno_ctx *ctx, const mpno_value *document,
                                                  char out[MPNO_SHA256_TEXT]);

#endif
