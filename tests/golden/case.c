/* SPDX-License-Identifier: MIT
 * Reader of reference cases, see case.h. */
#include "golden/case.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/fields.h"
#include "core/files.h"
#include "core/memory.h"

/* Constructor arguments that mpno has, with the library's defaults. */
typedef struct options {
    mpno_int_list n_modes, max_n_modes;
    mpno_real_list domain_padding, resolution_scaling_factor, rank;
    int64_t conv_bias_kernel, ada_in_features;
    double channel_mlp_dropout;
    bool preactivation, separable, complex_data;
    int64_t in_channels, out_channels, hidden_channels, n_layers, norm_groups;
    double lifting_channel_ratio, projection_channel_ratio, channel_mlp_expansion;
    int positional_embedding, norm, fno_skip, channel_mlp_skip, stabilizer, factorization,
        implementation;
    bool use_channel_mlp, enforce_hermitian_symmetry;
} options;

#define SKIPS "none|linear|identity|soft-gating"
static const mpno_field fields[] = {
    {"n_modes", MPNO_FIELD_INTS, offsetof(options, n_modes), "null", "[1,inf)", ""},
    {"in_channels", MPNO_FIELD_INT, offsetof(options, in_channels), "null", "", ""},
    {"out_channels", MPNO_FIELD_INT, offsetof(options, out_channels), "null", "", ""},
    {"hidden_channels", MPNO_FIELD_INT, offsetof(options, hidden_channels), "null", "", ""},
    {"n_layers", MPNO_FIELD_INT, offsetof(options, n_layers), "4", "", ""},
    {"lifting_channel_ratio", MPNO_FIELD_REAL, offsetof(options, lifting_channel_ratio), "2", "",
     ""},
    {"projection_channel_ratio", MPNO_FIELD_REAL, offsetof(options, projection_channel_ratio), "2",
     "", ""},
    {"positional_embedding", MPNO_FIELD_CHOICE, offsetof(options, positional_embedding), "grid",
     "none|grid", ""},
    {"norm", MPNO_FIELD_CHOICE, offsetof(options, norm), "none",
     "none|group_norm|instance_norm|batch_norm|ada_in", ""},
    {"norm_groups", MPNO_FIELD_INT, offsetof(options, norm_groups), "1", "", ""},
    {"max_n_modes", MPNO_FIELD_INTS, offsetof(options, max_n_modes), "null", "[1,inf)", ""},
    {"domain_padding", MPNO_FIELD_REALS, offsetof(options, domain_padding), "null", "", ""},
    {"resolution_scaling_factor", MPNO_FIELD_REALS, offsetof(options, resolution_scaling_factor),
     "null", "", ""},
    {"conv_bias_kernel", MPNO_FIELD_INT, offsetof(options, conv_bias_kernel), "1", "", ""},
    {"ada_in_features", MPNO_FIELD_INT, offsetof(options, ada_in_features), "0", "", ""},
    {"channel_mlp_dropout", MPNO_FIELD_REAL, offsetof(options, channel_mlp_dropout), "0", "", ""},
    {"preactivation", MPNO_FIELD_BOOL, offsetof(options, preactivation), "false", "", ""},
    {"separable", MPNO_FIELD_BOOL, offsetof(options, separable), "false", "", ""},
    {"complex_data", MPNO_FIELD_BOOL, offsetof(options, complex_data), "false", "", ""},
    {"use_channel_mlp", MPNO_FIELD_BOOL, offsetof(options, use_channel_mlp), "true", "", ""},
    {"channel_mlp_expansion", MPNO_FIELD_REAL, offsetof(options, channel_mlp_expansion), "0.5", "",
     ""},
    {"fno_skip", MPNO_FIELD_CHOICE, offsetof(options, fno_skip), "linear", SKIPS, ""},
    {"channel_mlp_skip", MPNO_FIELD_CHOICE, offsetof(options, channel_mlp_skip), "soft-gating",
     SKIPS, ""},
    {"factorization", MPNO_FIELD_CHOICE, offsetof(options, factorization), "dense",
     "dense|cp|tucker|tt", ""},
    {"rank", MPNO_FIELD_REALS, offsetof(options, rank), "null", "", ""},
    {"implementation", MPNO_FIELD_CHOICE, offsetof(options, implementation), "factorized",
     "factorized|reconstructed", ""},
    {"stabilizer", MPNO_FIELD_CHOICE, offsetof(options, stabilizer), "none", "none|tanh", ""},
    /* Either value: mpno takes the real part, which is what the symmetry makes of the spectrum
       (transform/fft/fft.h). */
    {"enforce_hermitian_symmetry", MPNO_FIELD_BOOL, offsetof(options, enforce_hermitian_symmetry),
     "true", "", ""},
};
enum { N_FIELDS = sizeof fields / sizeof fields[0] };

/* Arguments that mpno does not have, harmless at these values (as one-line JSON). */
static const char *const neutral[][2] = {
    {"non_linearity", "gelu"},
    {"norm_layer", "null"},
    {"fixed_rank_modes", "false"},
    {"fno_block_precision", "full"},
};

static bool is_neutral(mpno_ctx *ctx, const char *key, const mpno_value *value) {
    char *text = NULL;
    bool found = false;
    if (mpno_json_text(ctx, value, false, &text) != MPNO_OK) return false;
    size_t n = strcspn(text, "\n");
    const char *plain = text;
    if (n >= 2 && text[0] == '"') plain++, n -= 2;
    for (size_t i = 0; i < sizeof neutral / sizeof neutral[0] && !found; i++) {
        if (strcmp(neutral[i][0], key) != 0) continue;
        found = strlen(neutral[i][1]) == n && memcmp(neutral[i][1], plain, n) == 0;
        if (value->kind == MPNO_VALUE_INT || value->kind == MPNO_VALUE_REAL)
            found = strtod(neutral[i][1], NULL) == value->real;
    }
    mpno_free(ctx, text);
    return found;
}

/* A number: of every block; a list: of each; rows: of each block and axis. */
static void scale_blocks(const mpno_real_list *factors, mpno_fno_config *c) {
    for (int l = 0; l < (int)c->n_layers && l < MPNO_MAX_BLOCKS && factors->n > 0; l++)
        for (int d = 0; d < c->ndim && d < MPNO_MAX_AXES; d++)
            c->resolution_scaling_factor[l][d] = factors->v[factors->row > 0  ? l * factors->row + d
                                                            : factors->n == 1 ? 0
                                                                              : l];
}

static mpno_status parse_config(mpno_ctx *ctx, const char *path, const mpno_value *cfg,
                                mpno_fno_config *c) {
    options o;
    mpno_value *known;
    MPNO_TRY(mpno_fields_default(ctx, fields, N_FIELDS, &o));
    MPNO_TRY(mpno_value_map(ctx, &known));
    for (size_t i = 0; cfg != NULL && i < cfg->n; i++) {
        size_t f = 0;
        while (f < N_FIELDS && strcmp(fields[f].key, cfg->keys[i]) != 0) f++;
        if (f == N_FIELDS) {
            if (is_neutral(ctx, cfg->keys[i], cfg->items[i])) continue;
            mpno_value_destroy(ctx, &known);
            return mpno_fail(ctx, MPNO_E_UNSUPPORTED, "option %s is not there yet", cfg->keys[i]);
        }
        mpno_value *copy;
        MPNO_TRY(mpno_value_clone(ctx, cfg->items[i], &copy));
        MPNO_TRY(mpno_value_set(ctx, known, cfg->keys[i], copy));
    }
    const mpno_status status = mpno_fields_parse(ctx, path, known, fields, N_FIELDS, &o);
    mpno_value_destroy(ctx, &known);
    if (status != MPNO_OK) return status;
    *c = (mpno_fno_config)MPNO_FNO_CONFIG_INIT;
    c->ndim = (int)o.n_modes.n;
    c->in_channels = o.in_channels;
    c->out_channels = o.out_channels;
    c->hidden_channels = o.hidden_channels;
    c->n_layers = o.n_layers;
    c->lifting_channel_ratio = o.lifting_channel_ratio;
    c->projection_channel_ratio = o.projection_channel_ratio;
    c->positional_embedding = (mpno_embedding)o.positional_embedding;
    c->norm = (mpno_norm)o.norm;
    c->norm_groups = o.norm_groups;
    c->ada_in_features = o.ada_in_features;
    c->use_channel_mlp = o.use_channel_mlp;
    c->channel_mlp_expansion = o.channel_mlp_expansion;
    c->channel_mlp_dropout = o.channel_mlp_dropout;
    c->fno_skip = (mpno_skip)o.fno_skip;
    c->channel_mlp_skip = (mpno_skip)o.channel_mlp_skip;
    c->conv_bias_kernel = o.conv_bias_kernel;
    c->preactivation = o.preactivation;
    c->separable = o.separable;
    c->complex_data = o.complex_data;
    c->stabilizer = (mpno_stabilizer)o.stabilizer;
    c->factorization = (mpno_factorization)o.factorization;
    c->implementation = (mpno_implementation)o.implementation;
    if (o.rank.n > 0) c->n_ranks = (int)o.rank.n;
    for (int i = 0; i < o.rank.n && i < MPNO_MAX_RANKS; i++) c->rank[i] = o.rank.v[i];
    c->compat = MPNO_COMPAT_NEURALOP;
    for (int d = 0; d < c->ndim && d < MPNO_MAX_AXES; d++) {
        c->n_modes[d] = o.n_modes.v[d];
        c->max_n_modes[d] = d < o.max_n_modes.n ? o.max_n_modes.v[d] : 0;
        c->domain_padding[d] =
            o.domain_padding.n == 0 ? 0 : o.domain_padding.v[o.domain_padding.n == 1 ? 0 : d];
    }
    scale_blocks(&o.resolution_scaling_factor, c);
    return MPNO_OK;
}

static double number(const mpno_value *map, const char *key) {
    const mpno_value *v = mpno_value_get(map, key);
    return v == NULL ? 0.0 : v->real;
}

static mpno_status parse_header(mpno_ctx *ctx, const char *path, const char *line, size_t n,
                                golden_case *c) {
    mpno_value *header;
    MPNO_TRY(mpno_json_parse(ctx, path, line, n, &header));
    const mpno_value *model = mpno_value_get(header, "model"),
                     *shape = mpno_value_get(header, "out_shape"),
                     *train = mpno_value_get(header, "train");
    mpno_status status;
    const bool fno = model == NULL || (model->string != NULL && strcmp(model->string, "FNO") == 0),
               tfno = !fno && model->string != NULL && strcmp(model->string, "TFNO") == 0;
    if (!fno && !tfno)
        status = mpno_fail(ctx, MPNO_E_UNSUPPORTED, "model %s is not there yet",
                           model->string ? model->string : "?");
    else
        status = parse_config(ctx, path, mpno_value_get(header, "cfg"), &c->config);
    if (tfno && c->config.factorization == MPNO_FACTORIZATION_DENSE)
        c->config.factorization = MPNO_FACTORIZATION_TUCKER; /* what the name stands for */
    for (size_t d = 0; shape != NULL && d < shape->n && d < MPNO_MAX_AXES; d++)
        c->output_grid[d] = shape->items[d]->integer;
    c->training = train != NULL && train->boolean;
    c->learning_rate = number(header, "lr");
    c->weight_decay = number(header, "weight_decay");
    c->eps = number(header, "eps");
    mpno_value_destroy(ctx, &header);
    return status;
}

/* "KIND NAME TYPE OFFSET BYTES DIMS..." with the numbers taken from the mapped .bin. */
static mpno_status parse_tensor(mpno_ctx *ctx, const char *line, const mpno_mapping *bin,
                                golden_case *c) {
    golden_tensor t = {0};
    char type[8];
    unsigned long long offset, bytes;
    int used;
    MPNO_CHECK(ctx,
               sscanf(line, "%15s %79s %7s %llu %llu%n", t.kind, t.name, type, &offset, &bytes,
                      &used) == 5,
               MPNO_E_FORMAT, "cannot read the line: %.80s", line);
    for (const char *at = line + used; t.ndim < 8;) {
        char *end;
        const long long n = strtoll(at, &end, 10);
        if (end == at) break;
        t.shape[t.ndim++] = n;
        at = end;
    }
    const bool wide = strcmp(type, "f64") == 0 || strcmp(type, "c128") == 0;
    const bool narrow = strcmp(type, "f32") == 0 || strcmp(type, "c64") == 0;
    const bool counter = strcmp(type, "i64") == 0;
    MPNO_CHECK(ctx, wide || narrow || counter, MPNO_E_FORMAT, "%s has the unknown type %s", t.name,
               type);
    MPNO_CHECK(ctx, offset <= bin->size && bytes <= bin->size - offset, MPNO_E_FORMAT,
               "%s lies outside the .bin", t.name);
    t.n = bytes / (narrow ? 4 : 8);
    MPNO_TRY(mpno_alloc_array(ctx, t.n, sizeof(double), &t.values));
    for (size_t i = 0; i < t.n; i++) {
        float f;
        int64_t n;
        if (counter)
            memcpy(&n, bin->data + offset + 8 * i, 8), t.values[i] = (double)n;
        else if (wide)
            memcpy(&t.values[i], bin->data + offset + 8 * i, 8);
        else
            memcpy(&f, bin->data + offset + 4 * i, 4), t.values[i] = f;
    }
    if (strcmp(t.kind, "output") == 0) c->is_f64 = wide;
    const mpno_status status = mpno_realloc_array(ctx, &c->tensors, c->n, c->n + 1, sizeof t);
    if (status != MPNO_OK)
        mpno_free(ctx, t.values);
    else
        c->tensors[c->n++] = t;
    return status;
}

static mpno_status parse_line(mpno_ctx *ctx, const char *path, const char *line,
                              const mpno_mapping *bin, golden_case *c) {
    const int room = (int)(sizeof c->scalars / sizeof c->scalars[0]);
    if (line[0] == '#') return parse_header(ctx, path, line + 1, strlen(line + 1), c);
    if (line[0] == '\0') return MPNO_OK;
    if (strncmp(line, "scalar ", 7) != 0) return parse_tensor(ctx, line, bin, c);
    if (c->n_scalars < room && sscanf(line, "scalar %31s %lf", c->scalars[c->n_scalars].name,
                                      &c->scalars[c->n_scalars].value) == 2)
        c->n_scalars++;
    return MPNO_OK;
}

mpno_status golden_read(mpno_ctx *ctx, const char *path, golden_case *out) {
    char bin_path[4096];
    mpno_mapping text, bin;
    const char *slash = strrchr(path, '/');
    *out = (golden_case){0};
    snprintf(out->name, sizeof out->name, "%s", slash ? slash + 1 : path);
    const size_t stem = strlen(path);
    MPNO_CHECK(ctx, stem > 4 && strcmp(path + stem - 4, ".txt") == 0 && stem < sizeof bin_path,
               MPNO_E_ARGUMENT, "%s: expected a .txt file", path);
    out->name[strcspn(out->name, ".")] = '\0';
    snprintf(bin_path, sizeof bin_path, "%.*s.bin", (int)(stem - 4), path);
    MPNO_TRY(mpno_map_open(ctx, path, &text));
    mpno_status status = mpno_map_open(ctx, bin_path, &bin);
    if (status == MPNO_OK) {
        static char line[16384];
        for (size_t at = 0; at < text.size && status == MPNO_OK;) {
            size_t n = 0;
            while (at + n < text.size && text.data[at + n] != '\n') n++;
            const size_t kept = n < sizeof line - 1 ? n : sizeof line - 1;
            memcpy(line, text.data + at, kept);
            line[kept] = '\0';
            status = parse_line(ctx, path, line, &bin, out);
            at += n + 1;
        }
        mpno_map_close(&bin);
    }
    mpno_map_close(&text);
    /* These were run after setting n_modes on the model. */
    const char *grown = strstr(out->name, "_grow");
    for (int d = 0; grown != NULL && d < out->config.ndim; d++)
        out->config.n_modes[d] = strtoll(grown + 5, NULL, 10);
    return status;
}

void golden_free(mpno_ctx *ctx, golden_case *c) {
    for (size_t i = 0; i < c->n; i++) mpno_free(ctx, c->tensors[i].values);
    mpno_free(ctx, c->tensors);
}

const double *golden_scalar(const golden_case *c, const char *name) {
    for (int i = 0; i < c->n_scalars; i++)
        if (strcmp(c->scalars[i].name, name) == 0) return &c->scalars[i].value;
    return NULL;
}
