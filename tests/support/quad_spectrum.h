/* SPDX-License-Identifier: MIT
 * Inside of the oracle (quad_network.h): fields, their spectra, and weights of modes. */
#ifndef TESTS_SUPPORT_QUAD_SPECTRUM_H
#define TESTS_SUPPORT_QUAD_SPECTRUM_H

#include "mpno/model.h"
#include "support/quad_real.h"

typedef struct quad_complex {
    quad re, im;
} quad_complex;

/* One evaluation; what it allocates lives until its end. */
typedef struct quad_run {
    const mpno_model *model;
    const mpno_fno_config *config;
    double condition; /* of its norms so far, see quad_network.h */
    void **rooms;
    size_t n_rooms, capacity;
} quad_run;
void *quad_room(quad_run *run, size_t count, size_t size);
void quad_run_end(quad_run *run);

/* v: [points][planes][channels]; planes 2 of complex values. */
typedef struct quad_field {
    int ndim, planes;
    int64_t size[MPNO_MAX_AXES], channels;
    quad *v;
} quad_field;
int64_t quad_points(int ndim, const int64_t *size);
quad_field quad_field_like(quad_run *run, const quad_field *like, const int64_t *size,
                           int64_t channels);

/* z: [modes][channels]; along axis d the frequencies first[d] .. first[d] + kept[d] - 1. */
typedef struct quad_spectrum {
    int ndim;
    int64_t kept[MPNO_MAX_AXES], first[MPNO_MAX_AXES], channels;
    quad_complex *z;
} quad_spectrum;

/* z[k] = 1 / (N1 .. Nd) sum_n x[n] exp(-2 pi i sum_j k_j n_j / N_j), of the modes of `like`. */
quad_spectrum quad_forward(quad_run *run, const quad_field *x, const quad_spectrum *like);
/* x[n] = sum_k z[k] exp(+2 pi i sum_j k_j n_j / N_j); where like->planes is 1 the real part of it,
 * modes off the planes k_d = 0 and k_d = N_d / 2 standing for two. */
quad_field quad_inverse(quad_run *run, const quad_spectrum *z, const quad_field *like,
                        const int64_t *size);

/* z[k][o] = sum_i z[k][i] W[i][o][row of k], or separable z[k][c] W[c][row of k]. */
quad_spectrum quad_contract(quad_run *run, int layer, const quad_spectrum *z);

/* Parameter as reals, or NULL where the model has none of that name; n may be NULL. */
#ifdef __GNUC__
__attribute__((format(printf, 3, 4)))
#endif
quad *
quad_param(quad_run *run, mpno_param_info *info, const char *format, ...);

#endif
