/* SPDX-License-Identifier: MIT
 * Conversion of foreign state dicts: see foreign.h.
 * A foreign block of C channels is x' = act(z), z = K x + W x + b, without act in the last block.
 * Ours has an activation between convolution and MLP and another one inside the MLP. They are
 * undone by gelu(z) - gelu(-z) = z, which holds for every z: our block has 2 C channels, of which
 * the first C carry x; its convolution and skip give (z, -z), the MLP's first layer (z, -z) again
 * from their gelus, its second layer (z, 0). In f32 this costs a few roundings. A single linear
 * layer in front becomes an MLP in the same way. Quadrants: weights1, weights2, ... hold the
 * frequencies 0 .. m-1 of each leading axis or, where bit d of their number less one is set, -m ..
 * -1 of axis d; our row r holds frequency r - m. Transforms that divide in the inverse ("backward")
 * and ours, which divide forward, enclose the product with the weights alike, so weights keep their
 * values. Sources: fourier_2d.py of Li et al.; PhysicsNeMo, models/fno; neuraloperator 0.3.0. */
#include "train/foreign.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/memory.h"

enum { MAX_NAME = 300, MAX_FOREIGN_AXES = 3 };

typedef struct naming {
    const char *what;
    const char *key;        /* what a name ends with that only this naming has */
    const char *spectral;   /* format of layer and quadrant */
    const char *skip;       /* of layer */
    const char *lifting[2]; /* the second one may be absent from the file */
    const char *projection[2];
    bool quadrants, own_bias; /* own_bias: of the convolution, else of the skip */
    bool coordinates;         /* the network itself appends them, from 0 to 1 with both ends */
} naming;

static const naming NAMINGS[] = {
    {"the scripts of Li et al.",
     "conv0.weights1",
     "conv%d.weights%d",
     "w%d",
     {"fc0", ""},
     {"fc1", "fc2"},
     true,
     false,
     true},
    {"PhysicsNeMo",
     "spec_encoder.spconv_layers.0.weights1",
     "spec_encoder.spconv_layers.%d.weights%d",
     "spec_encoder.conv_layers.%d",
     {"spec_encoder.lift_network.0.conv", "spec_encoder.lift_network.2.conv"},
     {"decoder_net.layers.0.linear", "decoder_net.final_layer.linear"},
     true,
     false,
     true},
    {"neuraloperator up to 0.3.0",
     "fno_blocks.convs.weight.0.tensor",
     "fno_blocks.convs.weight.%d.tensor",
     "fno_blocks.fno_skips.%d",
     {"lifting.fcs.0", "lifting.fcs.1"},
     {"projection.fcs.0", "projection.fcs.1"},
     false,
     true,
     false},
};

/* Parts that ours cannot compute, by what their names hold. */
static const struct {
    const char *part, *reason;
} REFUSED[] = {
    {"bn0.", "whether its script applies these batch norms, and relu, the file does not say"},
    {"mlp0.",
     "scripts of this generation normalise inside of the block where ours cannot, and the "
     "file does not say whether"},
    {"fno_blocks.mlp.",
     "up to 0.3.0 the last block applies its activation before the MLP, which "
     "ours does not"},
    {"fno_blocks.norm.", "a norm before the skip is added"},
    {"decoder_net.layers.1.", "the decoder has more than one hidden layer"},
    {"weights5", "4-D quadrants are not read"},
};

typedef struct source {
    mpno_ctx *ctx;
    const mpno_tensor_file *file;
    const naming *names;
    char prefix[MAX_NAME];
    bool *used; /* owned; per tensor of the file */
    int ndim, layers;
    int64_t width, modes[MPNO_MAX_AXES]; /* of the target's weight */
} source;

typedef struct matrix {
    int64_t rows, cols;
    double *weight, *bias; /* owned; bias is zero where the file has none */
} matrix;

/* -------- reading -------- */

static const naming *find_naming(const mpno_tensor_file *file, size_t *tensor) {
    for (size_t i = 0; i < sizeof NAMINGS / sizeof NAMINGS[0]; i++) {
        const size_t m = strlen(NAMINGS[i].key);
        for (*tensor = 0; *tensor < file->n; ++*tensor) {
            const char *name = file->tensors[*tensor].name;
            const size_t n = strlen(name);
            if (n >= m && n - m < MAX_NAME - 100 && strcmp(name + n - m, NAMINGS[i].key) == 0)
                return &NAMINGS[i];
        }
    }
    return NULL;
}

bool mpno_foreign_naming(const mpno_tensor_file *file) {
    size_t tensor;
    return find_naming(file, &tensor) != NULL;
}

/* PREFIX NAME; NULL: no such tensor. */
static const mpno_named_tensor *look(source *s, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static const mpno_named_tensor *look(source *s, const char *format, ...) {
    char name[2 * MAX_NAME];
    const int n = snprintf(name, sizeof name, "%s", s->prefix);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(name + n, sizeof name - (size_t)n, format, arguments);
    va_end(arguments);
    const mpno_named_tensor *tensor = mpno_tensor_file_find(s->file, name);
    if (tensor) s->used[tensor - s->file->tensors] = true;
    return tensor;
}

static mpno_status take(source *s, const mpno_named_tensor *tensor, double **out) {
    const int64_t count = mpno_named_tensor_count(tensor);
    MPNO_TRY(mpno_alloc_array(s->ctx, 2 * (size_t)count, sizeof **out, out));
    return mpno_named_tensor_values(s->ctx, tensor, 0, count, MPNO_F64, *out);
}

/* NAME.weight (rows, cols, 1, ...) and NAME.bias (rows); rows or cols 0: whatever it is. */
static mpno_status take_matrix(source *s, const char *name, int64_t rows, int64_t cols,
                               matrix *out) {
    const mpno_named_tensor *weight = look(s, "%s.weight", name), *bias = look(s, "%s.bias", name);
    char shape[128];
    MPNO_CHECK(s->ctx, weight, MPNO_E_FORMAT, "no tensor %s%s.weight, which %s has", s->prefix,
               name, s->names->what);
    bool fits = weight->ndim >= 2 && !mpno_element_is_complex(weight->element) &&
                weight->shape[0] > 0 && weight->shape[1] > 0 &&
                (rows == 0 || weight->shape[0] == rows) && (cols == 0 || weight->shape[1] == cols);
    for (int d = 2; d < weight->ndim; d++) fits = fits && weight->shape[d] == 1;
    MPNO_CHECK(
        s->ctx, fits, MPNO_E_FORMAT,
        "tensor %s is %s, which does not fit to the others: %lld outputs and %lld inputs are "
        "expected (0: any)",
        weight->name, mpno_shape_text(weight->ndim, weight->shape, shape, sizeof shape),
        (long long)rows, (long long)cols);
    *out = (matrix){.rows = weight->shape[0], .cols = weight->shape[1]};
    MPNO_CHECK(s->ctx,
               !bias || (!mpno_element_is_complex(bias->element) &&
                         mpno_named_tensor_count(bias) == out->rows),
               MPNO_E_FORMAT, "tensor %s does not have %lld numbers", bias ? bias->name : "",
               (long long)out->rows);
    MPNO_TRY(take(s, weight, &out->weight));
    return bias ? take(s, bias, &out->bias)
                : mpno_alloc_array(s->ctx, (size_t)out->rows, sizeof *out->bias, &out->bias);
}

static void drop(mpno_ctx *ctx, matrix *m) {
    mpno_free(ctx, m->weight);
    mpno_free(ctx, m->bias);
    *m = (matrix){0};
}

static int n_quadrants(const source *s) {
    return s->names->quadrants ? 1 << (s->ndim - 1) : 1;
}

static const mpno_named_tensor *look_spectral(source *s, int layer, int quadrant) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    char name[MAX_NAME];
    snprintf(name, sizeof name, s->names->spectral, layer, quadrant + 1);
#pragma GCC diagnostic pop
    return look(s, "%s", name);
}

/* Axes, width, modes and layers from the spectral weights: (C, C, m..) complex or (C, C, m.., 2).
 */
static mpno_status measure(source *s) {
    const mpno_named_tensor *first = look_spectral(s, 0, 0);
    char shape[128];
    s->ndim = first->ndim - 2 - !mpno_element_is_complex(first->element);
    bool fits = s->ndim >= 1 && s->ndim <= MAX_FOREIGN_AXES && first->shape[0] == first->shape[1] &&
                first->shape[0] > 0 && first->shape[0] <= 32768 &&
                (mpno_element_is_complex(first->element) || first->shape[first->ndim - 1] == 2);
    for (int d = 0; d < s->ndim && fits; d++) {
        s->modes[d] = first->shape[2 + d] * (s->names->quadrants && d + 1 < s->ndim ? 2 : 1);
        fits = s->modes[d] > 0 && s->modes[d] <= 65536;
    }
    MPNO_CHECK(
        s->ctx, fits, MPNO_E_UNSUPPORTED,
        "tensor %s is %s: spectral weights are read as (C, C, modes of 1 to 3 axes), complex "
        "or with a last dimension of 2",
        first->name, mpno_shape_text(first->ndim, first->shape, shape, sizeof shape));
    s->width = first->shape[0];
    for (int d = 0; !s->names->quadrants && d + 1 < s->ndim; d++)
        MPNO_CHECK(s->ctx, s->modes[d] % 2 == 0, MPNO_E_UNSUPPORTED,
                   "%s has %lld modes along axis %d: up to 0.3.0 odd numbers of modes are one "
                   "frequency off, which is not reproduced",
                   first->name, (long long)s->modes[d], d);
    while (look_spectral(s, s->layers, 0)) s->layers++;
    return MPNO_OK;
}

/* Copies one quadrant (or all) into `to`, (C, C, s->modes) of re, im pairs. */
static void place(const source *s, int quadrant, const double *from, double *to) {
    const int last = s->ndim - 1;
    const int64_t pairs = s->width * s->width, row = s->modes[last];
    int64_t size[MPNO_MAX_AXES] = {1, 1, 1, 1}, start[MPNO_MAX_AXES] = {0}, all[MPNO_MAX_AXES];
    for (int d = 0; d < last; d++) {
        size[d] = s->names->quadrants ? s->modes[d] / 2 : s->modes[d];
        start[d] = s->names->quadrants && !(quadrant >> d & 1) ? size[d] : 0;
    }
    for (int d = 0; d < 2; d++) all[d] = d < last ? s->modes[d] : 1;
    for (int64_t p = 0; p < pairs; p++)
        for (int64_t i = 0; i < (last > 0 ? size[0] : 1); i++)
            for (int64_t j = 0; j < (last > 1 ? size[1] : 1); j++, from += 2 * row) {
                const int64_t at = (p * all[0] + start[0] + i) * all[1] + start[1] + j;
                memcpy(to + 2 * at * row, from, 2 * (size_t)row * sizeof *to);
            }
}

static mpno_status take_spectral(source *s, int layer, double *out) {
    const mpno_named_tensor *first = look_spectral(s, 0, 0);
    for (int q = 0; q < n_quadrants(s); q++) {
        const mpno_named_tensor *tensor = look_spectral(s, layer, q);
        double *values = NULL;
        MPNO_CHECK(s->ctx, tensor, MPNO_E_FORMAT,
                   "block %d has no spectral weights for quadrant %d of %d", layer, q + 1,
                   n_quadrants(s));
        bool same = tensor->ndim == first->ndim && tensor->element == first->element;
        for (int d = 0; d < first->ndim && same; d++) same = tensor->shape[d] == first->shape[d];
        MPNO_CHECK(s->ctx, same, MPNO_E_FORMAT, "tensor %s has another shape or type than %s",
                   tensor->name, first->name);
        const mpno_status status = take(s, tensor, &values);
        if (status == MPNO_OK) place(s, q, values, out);
        mpno_free(s->ctx, values);
        MPNO_TRY(status);
    }
    return MPNO_OK;
}

/* -------- writing -------- */

/* A new tensor of zeros in f64; *values is borrowed. */
static mpno_status add(source *s, mpno_tensor_file *to, bool is_complex, int ndim,
                       const int64_t *shape, double **values, const char *format, ...)
    __attribute__((format(printf, 7, 8)));
static mpno_status add(source *s, mpno_tensor_file *to, bool is_complex, int ndim,
                       const int64_t *shape, double **values, const char *format, ...) {
    char name[MAX_NAME];
    mpno_named_tensor *tensor;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(name, sizeof name, format, arguments);
    va_end(arguments);
    MPNO_TRY(mpno_tensor_file_add(
        s->ctx, to, name, is_complex ? MPNO_ELEMENT_C128 : MPNO_ELEMENT_F64, ndim, shape, &tensor));
    memset(tensor->data, 0, tensor->bytes);
    *values = tensor->data;
    return MPNO_OK;
}

/* A linear layer's two tensors, both of zeros: weight (rows, cols, 1), bias (rows). */
static mpno_status add_linear(source *s, mpno_tensor_file *to, int64_t rows, int64_t cols,
                              const char *name, double **weight, double **bias) {
    const int64_t shape[] = {rows, cols, 1};
    MPNO_TRY(add(s, to, false, 3, shape, weight, "%s.weight", name));
    return add(s, to, false, 1, shape, bias, "%s.bias", name);
}

/* The layer itself, its inputs padded by zeros to `cols`, its outputs to `rows`. */
static mpno_status put_linear(source *s, mpno_tensor_file *to, const matrix *m, int64_t rows,
                              int64_t cols, const char *name) {
    double *weight, *bias;
    MPNO_TRY(add_linear(s, to, rows, cols, name, &weight, &bias));
    for (int64_t r = 0; r < m->rows; r++) {
        memcpy(weight + r * cols, m->weight + r * m->cols, (size_t)m->cols * sizeof *weight);
        bias[r] = m->bias[r];
    }
    return MPNO_OK;
}

/* NAME.fcs.0 and fcs.1 that give w x + b in the first w.rows outputs: gelu(z) - gelu(-z). */
static mpno_status put_through_mlp(source *s, mpno_tensor_file *to, const matrix *w, int64_t rows,
                                   int64_t cols, const char *name) {
    char layer[MAX_NAME];
    double *weight, *bias;
    const int64_t n = w->rows;
    snprintf(layer, sizeof layer, "%s.fcs.0", name);
    MPNO_TRY(add_linear(s, to, 2 * n, cols, layer, &weight, &bias));
    for (int64_t r = 0; r < n; r++) {
        for (int64_t c = 0; c < w->cols; c++) {
            weight[r * cols + c] = w->weight[r * w->cols + c];
            weight[(n + r) * cols + c] = -w->weight[r * w->cols + c];
        }
        bias[r] = w->bias[r];
        bias[n + r] = -w->bias[r];
    }
    snprintf(layer, sizeof layer, "%s.fcs.1", name);
    MPNO_TRY(add_linear(s, to, rows, 2 * n, layer, &weight, &bias));
    for (int64_t r = 0; r < n; r++) {
        weight[r * 2 * n + r] = 1;
        weight[r * 2 * n + n + r] = -1;
    }
    return MPNO_OK;
}

/* Spectral weights (z, -z): for inputs below C, W to outputs below C and -W to those above. */
static mpno_status put_spectral(source *s, mpno_tensor_file *to, int layer) {
    const int64_t c = s->width, wide = 2 * c;
    int64_t shape[2 + MPNO_MAX_AXES] = {wide, wide}, block = 2;
    double *from = NULL, *weight;
    for (int d = 0; d < s->ndim; d++) {
        shape[2 + d] = s->modes[d];
        block *= s->modes[d];
    }
    MPNO_TRY(
        add(s, to, true, 2 + s->ndim, shape, &weight, "fno_blocks.convs.%d.weight.tensor", layer));
    MPNO_TRY(mpno_alloc_array(s->ctx, (size_t)(c * c * block), sizeof *from, &from));
    const mpno_status status = take_spectral(s, layer, from);
    for (int64_t i = 0; i < c && status == MPNO_OK; i++)
        for (int64_t k = 0; k < c * block; k++) {
            weight[i * wide * block + k] = from[i * c * block + k];
            weight[i * wide * block + c * block + k] = -from[i * c * block + k];
        }
    mpno_free(s->ctx, from);
    return status;
}

/* The bias of block `layer`: where it is the convolution's, (L, C, 1, ...), into m->bias. */
static mpno_status take_own_bias(source *s, int layer, matrix *m) {
    const mpno_named_tensor *tensor = look(s, "fno_blocks.convs.bias");
    if (!s->names->own_bias || !tensor) return MPNO_OK;
    MPNO_CHECK(s->ctx,
               !mpno_element_is_complex(tensor->element) &&
                   mpno_named_tensor_count(tensor) == s->layers * s->width,
               MPNO_E_FORMAT, "tensor %s does not have %lld numbers for each of %d blocks",
               tensor->name, (long long)s->width, s->layers);
    return mpno_named_tensor_values(s->ctx, tensor, layer * s->width, s->width, MPNO_F64, m->bias);
}

static mpno_status put_skip(source *s, mpno_tensor_file *to, int layer, const matrix *w) {
    const int64_t c = s->width, wide = 2 * c, shape[] = {wide, wide, 1};
    int64_t vector[1 + MPNO_MAX_AXES] = {wide, 1, 1, 1, 1};
    double *weight, *bias;
    MPNO_TRY(add(s, to, false, 1 + s->ndim, vector, &bias, "fno_blocks.convs.%d.bias", layer));
    MPNO_TRY(add(s, to, false, 3, shape, &weight, "fno_blocks.fno_skips.%d.conv.weight", layer));
    for (int64_t r = 0; r < c; r++) {
        for (int64_t k = 0; k < c; k++) {
            weight[r * wide + k] = w->weight[r * c + k];
            weight[(c + r) * wide + k] = -w->weight[r * c + k];
        }
        bias[r] = w->bias[r];
        bias[c + r] = -w->bias[r];
    }
    return MPNO_OK;
}

/* The MLP of a block: from (gelu(z), gelu(-z)), in the last block from (z, -z), to (z, 0). */
static mpno_status put_identity(source *s, mpno_tensor_file *to, int layer) {
    const int64_t c = s->width;
    const bool last = layer + 1 == s->layers;
    char name[MAX_NAME];
    matrix pick = {.rows = c, .cols = 2 * c};
    mpno_status status =
        mpno_alloc_array(s->ctx, (size_t)(2 * c * c), sizeof *pick.weight, &pick.weight);
    if (status == MPNO_OK)
        status = mpno_alloc_array(s->ctx, (size_t)c, sizeof *pick.bias, &pick.bias);
    for (int64_t r = 0; r < c && status == MPNO_OK; r++) {
        pick.weight[r * 2 * c + r] = 1;
        if (!last) pick.weight[r * 2 * c + c + r] = -1;
    }
    snprintf(name, sizeof name, "fno_blocks.channel_mlp.%d", layer);
    if (status == MPNO_OK) status = put_through_mlp(s, to, &pick, 2 * c, 2 * c, name);
    drop(s->ctx, &pick);
    return status;
}

static mpno_status put_block(source *s, mpno_tensor_file *to, int layer) {
    char name[MAX_NAME];
    matrix skip = {0};
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(name, sizeof name, s->names->skip, layer);
#pragma GCC diagnostic pop
    MPNO_TRY(put_spectral(s, to, layer));
    mpno_status status = take_matrix(s, name, s->width, s->width, &skip);
    if (status == MPNO_OK) status = take_own_bias(s, layer, &skip);
    if (status == MPNO_OK) status = put_skip(s, to, layer, &skip);
    drop(s->ctx, &skip);
    return status == MPNO_OK ? put_identity(s, to, layer) : status;
}

/* -------- lifting and projection -------- */

/* ratio of which int(ratio * 2 C) is n */
static double ratio_for(const source *s, int64_t n) {
    return ((double)n + 0.5) / (double)(2 * s->width);
}

static mpno_status put_lifting(source *s, mpno_tensor_file *to, mpno_settings *settings,
                               int64_t *inputs) {
    matrix first = {0}, second = {0};
    const char *const *names = s->names->lifting;
    const bool two = *names[1] && look(s, "%s.weight", names[1]);
    mpno_status status = take_matrix(s, names[0], two ? 0 : s->width, 0, &first);
    if (status == MPNO_OK && two) status = take_matrix(s, names[1], s->width, first.rows, &second);
    if (status == MPNO_OK && two) {
        status = put_linear(s, to, &first, first.rows, first.cols, "lifting.fcs.0");
        if (status == MPNO_OK)
            status = put_linear(s, to, &second, 2 * s->width, first.rows, "lifting.fcs.1");
    } else if (status == MPNO_OK) {
        status = put_through_mlp(s, to, &first, 2 * s->width, first.cols, "lifting");
    }
    *inputs = first.cols;
    settings->model.lifting_channel_ratio = ratio_for(s, two ? first.rows : 2 * s->width);
    drop(s->ctx, &first);
    drop(s->ctx, &second);
    return status;
}

static mpno_status put_projection(source *s, mpno_tensor_file *to, mpno_settings *settings) {
    matrix first = {0}, second = {0};
    const char *const *names = s->names->projection;
    mpno_status status = take_matrix(s, names[0], 0, s->width, &first);
    if (status == MPNO_OK) status = take_matrix(s, names[1], 0, first.rows, &second);
    if (status == MPNO_OK)
        status = put_linear(s, to, &first, first.rows, 2 * s->width, "projection.fcs.0");
    if (status == MPNO_OK)
        status = put_linear(s, to, &second, second.rows, first.rows, "projection.fcs.1");
    settings->model.projection_channel_ratio = ratio_for(s, first.rows);
    settings->model.out_channels = second.rows;
    drop(s->ctx, &first);
    drop(s->ctx, &second);
    return status;
}

/* -------- all -------- */

static mpno_status check_refused(const source *s) {
    for (size_t i = 0; i < s->file->n; i++)
        for (size_t k = 0; k < sizeof REFUSED / sizeof REFUSED[0]; k++)
            MPNO_CHECK(s->ctx, !strstr(s->file->tensors[i].name, REFUSED[k].part),
                       MPNO_E_UNSUPPORTED, "a state dict of %s with %s: %s", s->names->what,
                       s->file->tensors[i].name, REFUSED[k].reason);
    return MPNO_OK;
}

static mpno_status check_used(const source *s) {
    for (size_t i = 0; i < s->file->n; i++)
        MPNO_CHECK(s->ctx, s->used[i], MPNO_E_UNSUPPORTED,
                   "a state dict of %s with %s, for which an FNO of ours has no place",
                   s->names->what, s->file->tensors[i].name);
    return MPNO_OK;
}

/* What the file does not say: whether coordinates are appended, where they end, the activation. */
static mpno_status set_inputs(const source *s, const mpno_config *overrides, int64_t inputs,
                              mpno_settings *settings) {
    const bool told = overrides && mpno_config_touched(overrides, "model.positional_embedding");
    const bool grid = told ? overrides->settings.model.positional_embedding == MPNO_EMBEDDING_GRID
                           : s->names->coordinates;
    const bool bounds = overrides && mpno_config_touched(overrides, "model.grid_boundaries");
    const bool activation = overrides && mpno_config_touched(overrides, "model.non_linearity");
    MPNO_CHECK(s->ctx, activation || !s->names->coordinates, MPNO_E_CONFIG,
               "a state dict of %s does not say its activation (relu, silu, ...): say "
               "model.non_linearity=gelu if it is gelu everywhere, in the decoder too; others "
               "cannot be computed",
               s->names->what);
    MPNO_CHECK(s->ctx, !grid || bounds || !s->names->coordinates, MPNO_E_CONFIG,
               "coordinates of %s are N points from 0 to 1, both ends; ours are start + (stop - "
               "start) i/N: "
               "give model.grid_boundaries=[[0, N/(N-1)], ...] for the N points of each axis, or "
               "model.positional_embedding=none if the network has none",
               s->names->what);
    MPNO_CHECK(s->ctx, !grid || inputs > s->ndim, MPNO_E_FORMAT,
               "the lifting has %lld inputs, which leaves none beside %d coordinates: give "
               "model.positional_embedding=none",
               (long long)inputs, s->ndim);
    settings->model.positional_embedding = grid ? MPNO_EMBEDDING_GRID : MPNO_EMBEDDING_NONE;
    settings->model.in_channels = grid ? inputs - s->ndim : inputs;
    return MPNO_OK;
}

static void set_blocks(const source *s, mpno_settings *settings) {
    const int last = s->ndim - 1;
    settings->compat = MPNO_COMPAT_NONE;
    settings->model.n_modes.n = s->ndim;
    for (int d = 0; d < last; d++) settings->model.n_modes.v[d] = s->modes[d];
    settings->model.n_modes.v[last] = s->modes[last] > 1 ? 2 * (s->modes[last] - 1) : 1;
    settings->model.hidden_channels = 2 * s->width;
    settings->model.n_layers = s->layers;
    settings->model.use_channel_mlp = true;
    settings->model.channel_mlp_expansion = 1;
    settings->model.fno_skip = MPNO_SKIP_LINEAR;
    settings->model.channel_mlp_skip = MPNO_SKIP_NONE;
}

static mpno_status convert(source *s, const mpno_config *overrides, mpno_settings *settings,
                           mpno_tensor_file *to) {
    int64_t inputs = 0;
    MPNO_TRY(check_refused(s));
    MPNO_TRY(measure(s));
    for (int l = 0; l < s->layers; l++) MPNO_TRY(put_block(s, to, l));
    MPNO_TRY(put_lifting(s, to, settings, &inputs));
    MPNO_TRY(put_projection(s, to, settings));
    MPNO_TRY(check_used(s));
    set_blocks(s, settings);
    return set_inputs(s, overrides, inputs, settings);
}

mpno_status mpno_foreign_convert(mpno_ctx *ctx, const mpno_config *overrides,
                                 mpno_settings *settings, mpno_tensor_file **file) {
    size_t tensor;
    source s = {.ctx = ctx, .file = *file, .names = find_naming(*file, &tensor)};
    mpno_tensor_file *to = NULL;
    const char *name = s.file->tensors[tensor].name;
    snprintf(s.prefix, sizeof s.prefix, "%.*s", (int)(strlen(name) - strlen(s.names->key)), name);
    mpno_status status = mpno_alloc_array(ctx, s.file->n, sizeof *s.used, &s.used);
    if (status == MPNO_OK) status = mpno_tensor_file_create(ctx, &to);
    if (status == MPNO_OK) status = convert(&s, overrides, settings, to);
    mpno_free(ctx, s.used);
    if (status == MPNO_OK) {
        mpno_tensor_file_destroy(ctx, file);
        *file = to;
    } else {
        mpno_tensor_file_destroy(ctx, &to);
    }
    return status;
}
