/* SPDX-License-Identifier: MIT
 * Ranks, names and shapes of factors, see factors.h. Ranks from a share r of the dense weight's P =
 * prod I numbers, as tensorly has them (round: halves to even):
 *   cp      R = round(r P / sum I)
 *   tucker  r_d = max(round(c I_d), 1), c from P c^m + c sum I^2 = r P, m dimensions; of a fixed
 *           dimension r_d = I_d, and it is not counted in m
 *   tt      r_k = max(round(f d_k), 1), d_k = (I_k-1 + I_k) / 2, f from the numbers being r P
 * First values: normal, of a deviation with which the product has the one asked for. */
#include "model/factors.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

int mpno_factor_shape(const mpno_fno_config *c, int64_t *shape) {
    int64_t modes[MPNO_MAX_AXES], used[MPNO_MAX_AXES];
    int order = 0;
    mpno_fno_weight_modes(c, 0, modes, used); /* weights are of one size in all layers */
    for (int i = 0; i < (c->separable ? 1 : 2); i++) shape[order++] = c->hidden_channels;
    for (int d = 0; d < c->ndim; d++) shape[order++] = modes[d];
    return order;
}

/* ---- ranks ---- */

static double product(const int64_t *shape, int n) {
    double p = 1;
    for (int i = 0; i < n; i++) p *= (double)shape[i];
    return p;
}

static int64_t at_least_one(double rank) {
    return rank >= 1 ? (int64_t)rank : 1;
}

/* Root of a growing function of c in [0, most], by halving until neighbours are numbers' own. */
static double tucker_share(const mpno_fno_config *c, int order, const int64_t *shape,
                           double share) {
    const int first = c->fixed_rank_modes ? 1 : 0;
    const double all = product(shape, order);
    double squares = 0, low = 0, high = fmax(share, 1);
    for (int d = 0; d < order; d++) squares += (double)shape[d] * (double)shape[d];
    for (int i = 0; i < 200; i++) {
        const double middle = low + (high - low) / 2;
        const double numbers = all * pow(middle, order - first) + squares * middle;
        *(numbers < share * all ? &low : &high) = middle;
    }
    return low;
}

static void tucker_ranks(const mpno_fno_config *c, int order, const int64_t *shape, double share,
                         int64_t *ranks) {
    const double part = tucker_share(c, order, shape, share);
    for (int d = 0; d < order; d++)
        ranks[d] = d == 0 && c->fixed_rank_modes ? shape[d]
                                                 : at_least_one(nearbyint((double)shape[d] * part));
}

static void tt_ranks(int order, const int64_t *shape, double share, int64_t *ranks) {
    double mean[MPNO_MAX_ORDER] = {0}, a = 0;
    for (int k = 0; k + 1 < order; k++) mean[k] = (double)(shape[k] + shape[k + 1]) / 2;
    for (int k = 1; k + 1 < order; k++) a += mean[k - 1] * (double)shape[k] * mean[k];
    if (order == 2) a = mean[0] * mean[0] * (double)shape[0]; /* as upstream has it */
    const double b = (double)shape[0] * mean[0] + (double)shape[order - 1] * mean[order - 2];
    const double f = (-b + sqrt(b * b + 4 * a * share * product(shape, order))) / (2 * a);
    ranks[0] = ranks[order] = 1;
    for (int k = 0; k + 1 < order; k++) ranks[k + 1] = at_least_one(nearbyint(mean[k] * f));
}

static const char *name_of(mpno_factorization factorization) {
    static const char *const names[] = {"dense", "cp", "tucker", "tt"};
    return names[factorization];
}

/* Numbers that are no share: whole ones above 1, or several. */
static mpno_status given_ranks(mpno_ctx *ctx, const mpno_fno_config *c, int order,
                               const int64_t *shape, int64_t *ranks) {
    const bool cp = c->factorization == MPNO_FACTORIZATION_CP,
               tt = c->factorization == MPNO_FACTORIZATION_TT;
    const int n = cp ? 1 : tt ? order + 1 : order;
    MPNO_CHECK(ctx, c->n_ranks == 1 || c->n_ranks == n, MPNO_E_CONFIG,
               "model.rank has %d entries; with model.factorization = %s give one, or %d%s",
               c->n_ranks, name_of(c->factorization), n,
               tt ? ", of which the first and the last are 1" : "");
    for (int i = 0; i < n; i++) {
        const double rank = c->rank[c->n_ranks == 1 ? 0 : i];
        MPNO_CHECK(ctx, rank == floor(rank) && rank >= 1 && rank <= 1 << 24, MPNO_E_CONFIG,
                   "model.rank holds %g; ranks in a list are whole numbers from 1 on", rank);
        ranks[i] = (int64_t)rank;
    }
    if (c->n_ranks == 1 && tt) ranks[0] = ranks[order] = 1;
    if (c->n_ranks == 1 && c->fixed_rank_modes) ranks[0] = shape[0];
    MPNO_CHECK(ctx, !tt || (ranks[0] == 1 && ranks[order] == 1), MPNO_E_CONFIG,
               "model.rank of a tensor train begins with %lld and ends with %lld; both must be 1",
               (long long)ranks[0], (long long)ranks[order]);
    return MPNO_OK;
}

mpno_status mpno_factor_ranks(mpno_ctx *ctx, const mpno_fno_config *c, int order,
                              const int64_t *shape, int64_t *ranks) {
    const double share = c->rank[0];
    MPNO_CHECK(ctx, c->n_ranks >= 1 && c->n_ranks <= MPNO_MAX_RANKS && share > 0, MPNO_E_CONFIG,
               "model.rank is %g; it must be a share of the dense weight's numbers, such as 0.1, "
               "or a whole number above 1",
               share);
    if (c->n_ranks > 1 || (share > 1 && share == floor(share)))
        return given_ranks(ctx, c, order, shape, ranks);
    double sizes = 0;
    for (int d = 0; d < order; d++) sizes += (double)shape[d];
    if (c->factorization == MPNO_FACTORIZATION_CP)
        ranks[0] = at_least_one(nearbyint(product(shape, order) * share / sizes));
    if (c->factorization == MPNO_FACTORIZATION_TUCKER) tucker_ranks(c, order, shape, share, ranks);
    if (c->factorization == MPNO_FACTORIZATION_TT) tt_ranks(order, shape, share, ranks);
    return MPNO_OK;
}

/* ---- factors ---- */

static mpno_factor *add(mpno_factor *factors, int *n, const char *name, double deviation) {
    mpno_factor *f = &factors[(*n)++];
    *f = (mpno_factor){.deviation = deviation};
    snprintf(f->name, sizeof f->name, "%s", name);
    return f;
}

static mpno_factor *add_numbered(mpno_factor *factors, int *n, int number, double deviation) {
    char name[32];
    snprintf(name, sizeof name, "factors.factor_%d", number);
    return add(factors, n, name, deviation);
}

mpno_status mpno_factor_list(mpno_ctx *ctx, const mpno_fno_config *c, double deviation,
                             mpno_factor *factors, int *n) {
    int64_t shape[MPNO_MAX_ORDER], ranks[MPNO_MAX_RANKS];
    const int order = mpno_factor_shape(c, shape);
    const bool cp = c->factorization == MPNO_FACTORIZATION_CP,
               tt = c->factorization == MPNO_FACTORIZATION_TT;
    MPNO_TRY(mpno_factor_ranks(ctx, c, order, shape, ranks));
    const double all = product(ranks, cp ? 1 : tt ? order + 1 : order);
    const double of_one = tt   ? pow(deviation / all, 1.0 / order)
                          : cp ? pow(deviation / sqrt(all), 1.0 / order)
                               : pow(deviation / sqrt(all), 1.0 / (order + 1));
    *n = 0;
    if (cp) {
        mpno_factor *weights = add(factors, n, "weights", 0);
        weights->ndim = 1, weights->shape[0] = ranks[0];
    } else if (!tt) {
        mpno_factor *core = add(factors, n, "core", of_one);
        core->ndim = order;
        memcpy(core->shape, ranks, (size_t)order * sizeof *ranks);
    }
    for (int d = 0; d < order; d++) {
        mpno_factor *f = add_numbered(factors, n, d, of_one);
        if (tt) f->shape[f->ndim++] = ranks[d];
        f->shape[f->ndim++] = shape[d];
        f->shape[f->ndim++] = tt ? ranks[d + 1] : ranks[cp ? 0 : d];
        /* the output channels are columns of a product with a spectrum */
        f->turned = !tt && !c->separable && d == 1;
    }
    return MPNO_OK;
}
