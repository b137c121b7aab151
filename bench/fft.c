/* SPDX-License-Identifier: MIT
 * `mpno-bench fft`: the pruned transform, whole and in its two parts. Each way is held to the
 * definition in f64 at random results, |computed - exact| <= u_s |exact| + 4 (2 + log2 points) u
 * sum |terms| + the smallest number of the storage format, u and u_s the unit roundoffs of
 * arithmetic and storage, and then timed in turn with FFTW where that was there at build time. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "core/rng.h"
#include "fft_peer.h"
#include "number/format.h"
#include "transform/fft/fft.h"

enum { SAMPLES = 24, MAX_ROWS = 8 };

typedef struct options {
    bench_common common;
    char *size, *keep;
    int kind, arithmetic;
    char *format;
    int64_t batch, channels;
} options;

static const mpno_field fields[] = {
    {"size", MPNO_FIELD_TEXT, offsetof(options, size), "128x128", "", "points of each dimension"},
    {"keep", MPNO_FIELD_TEXT, offsetof(options, keep), "null", "",
     "kept frequencies of each dimension, as 16x9; all unless given"},
    {"kind", MPNO_FIELD_CHOICE, offsetof(options, kind), "real", "real|complex", "of the field"},
    {"batch", MPNO_FIELD_INT, offsetof(options, batch), "8", "[1,1000000]", "samples"},
    {"channels", MPNO_FIELD_INT, offsetof(options, channels), "64", "[1,100000]", "channels"},
    {"format", MPNO_FIELD_TEXT, offsetof(options, format), "f32", "",
     "of field and spectrum: f64, f32, bf16, f16"},
    {"arithmetic", MPNO_FIELD_CHOICE, offsetof(options, arithmetic), "f32", "f32|f64",
     "of the transform, of columns and of lines"},
    BENCH_COMMON(options, "rounds", "5"),
};

typedef struct job {
    const options *o;
    mpno_ctx *ctx;
    mpno_fft_problem problem;
    mpno_fft *fft;
    mpno_fft_call whole, parts; /* parts: between spectrum and columns */
    mpno_fft_lines_call lines;
    char *field, *spectrum, *columns, *tile,
        *output;                     /* output: as large as the larger of the two */
    int64_t n_lines, n_last, planes; /* lines: of the batch */
    double flops;                    /* of the unpruned transform */
    int verified;
} job;

typedef struct way {
    const char *name;
    void (*run)(void *job);
    double bytes;
} way;

/* ---- the problem ---- */

static mpno_status parse_sizes(mpno_ctx *ctx, const char *key, const char *text, int64_t *sizes,
                               int *n) {
    const char *at = text;
    char *end = (char *)(uintptr_t)text;
    bool number = true;
    for (*n = 0; *n < MPNO_FFT_MAX_DIMS && number; at = end + 1) {
        sizes[(*n)++] = strtoll(at, &end, 10);
        number = end != at;
        if (*end != 'x') break;
    }
    MPNO_CHECK(ctx, number && *end == '\0', MPNO_E_ARGUMENT,
               "%s: \"%s\" is no list of 1 to %d sizes such as 128x128", key, text,
               MPNO_FFT_MAX_DIMS);
    return MPNO_OK;
}

static mpno_status make_problem(job *j) {
    const options *o = j->o;
    mpno_fft_problem *p = &j->problem;
    int kept = 0;
    p->kind = o->kind == 0 ? MPNO_FFT_REAL : MPNO_FFT_COMPLEX;
    p->arithmetic = o->arithmetic == 0 ? MPNO_F32 : MPNO_F64;
    MPNO_TRY(parse_sizes(j->ctx, "size", o->size != NULL ? o->size : "", p->size, &p->ndim));
    for (int d = 0; d < p->ndim; d++)
        p->keep[d] = o->kind == 0 && d + 1 == p->ndim ? p->size[d] / 2 + 1 : p->size[d];
    if (o->keep != NULL) {
        MPNO_TRY(parse_sizes(j->ctx, "keep", o->keep, p->keep, &kept));
        MPNO_CHECK(j->ctx, kept == p->ndim, MPNO_E_ARGUMENT,
                   "keep: %d numbers for %d dimensions; give one for each", kept, p->ndim);
    }
    return mpno_fft_create(j->ctx, p, &j->fft);
}

static mpno_status random_values(job *j, int64_t n, mpno_format format, char **out) {
    const size_t bytes = mpno_format_bytes(format);
    mpno_rng rng = mpno_rng_make(0, MPNO_STREAM_BENCH, 0);
    MPNO_TRY(mpno_alloc_array(j->ctx, (size_t)n, bytes, out));
    for (int64_t i = 0; i < n; i++) {
        const double value = 2 * mpno_rng_uniform(&rng) - 1;
        mpno_cast(*out + (size_t)i * bytes, format, &value, MPNO_F64, 1);
    }
    return MPNO_OK;
}

static mpno_status make(job *j) {
    const options *o = j->o;
    mpno_format format = MPNO_F32;
    MPNO_CHECK(j->ctx, o->format != NULL && mpno_format_parse(o->format, &format), MPNO_E_ARGUMENT,
               "format: \"%s\" is none; expected f64, f32, bf16 or f16",
               o->format != NULL ? o->format : "");
    MPNO_TRY(make_problem(j));
    const mpno_format arithmetic = j->problem.arithmetic;
    const int64_t points = mpno_fft_points(j->fft), rows = o->batch * o->channels;
    j->planes = o->kind == 0 ? 1 : 2;
    j->n_lines = o->batch * mpno_fft_lines(j->fft);
    j->n_last = j->problem.size[j->problem.ndim - 1];
    j->flops = 2.5 * (double)j->planes * (double)(points * rows) * log2((double)points);
    const int64_t n_field = rows * points * j->planes,
                  n_spectrum = rows * 2 * mpno_fft_modes(j->fft);
    const int64_t n_columns = rows * 2 * mpno_fft_columns(j->fft);
    MPNO_TRY(random_values(j, n_field, format, &j->field));
    MPNO_TRY(random_values(j, n_spectrum, format, &j->spectrum));
    MPNO_TRY(random_values(j, n_columns, arithmetic, &j->columns));
    MPNO_TRY(random_values(j, n_field / j->n_lines, arithmetic, &j->tile));
    MPNO_TRY(mpno_alloc_array(j->ctx, (size_t)(n_field > n_spectrum ? n_field : n_spectrum),
                              mpno_format_bytes(format), &j->output));
    j->whole = (mpno_fft_call){.batch = o->batch,
                               .channels = o->channels,
                               .scale = 1 / sqrt((double)points),
                               .weighting = o->kind == 0 ? MPNO_FFT_HERMITIAN : MPNO_FFT_PLAIN,
                               .field_format = format,
                               .spectrum_format = format,
                               .n_threads = j->ctx->n_threads};
    j->lines = (mpno_fft_lines_call){o->channels, arithmetic, 1.0, NULL};
    MPNO_TRY(mpno_alloc_raw(j->ctx, mpno_fft_lines_scratch_bytes(j->fft, o->channels),
                            &j->lines.scratch));
    const int threads = j->whole.n_threads;
    MPNO_TRY(mpno_alloc_raw(j->ctx, mpno_fft_scratch_bytes(j->fft, o->channels, threads),
                            &j->whole.scratch));
    j->parts = j->whole;
    j->parts.field_format = arithmetic;
    return MPNO_OK;
}

static void destroy(job *j) {
    void *all[] = {j->field,  j->spectrum,      j->columns,      j->tile,
                   j->output, j->lines.scratch, j->whole.scratch};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) mpno_free(j->ctx, all[i]);
    mpno_fft_destroy(j->ctx, &j->fft);
}

/* ---- ways to run it ---- */

static void forward(void *argument) {
    const job *j = argument;
    (void)mpno_fft_forward(j->fft, &j->whole, j->field, j->output);
}
static void inverse(void *argument) {
    const job *j = argument;
    (void)mpno_fft_inverse(j->fft, &j->whole, j->spectrum, j->output);
}
static void forward_columns(void *argument) {
    const job *j = argument;
    (void)mpno_fft_forward_columns(j->fft, &j->parts, j->columns, j->output);
}
static void inverse_columns(void *argument) {
    const job *j = argument;
    (void)mpno_fft_inverse_columns(j->fft, &j->parts, j->spectrum, j->columns);
}
/* One thread; the tile of one line stays in its cache, as in a tile program. */
static void forward_lines(void *argument) {
    const job *j = argument;
    for (int64_t i = 0; i < j->n_lines; i++)
        (void)mpno_fft_forward_lines(j->fft, &j->lines, j->tile, i, 1, j->columns);
}
static void inverse_lines(void *argument) {
    const job *j = argument;
    for (int64_t i = 0; i < j->n_lines; i++)
        (void)mpno_fft_inverse_lines(j->fft, &j->lines, j->columns, i, 1, j->tile);
}

/* ---- held to the definition ---- */

static double value(const char *data, mpno_format format, int64_t i) {
    double x;
    mpno_cast(&x, MPNO_F64, data + (size_t)i * mpno_format_bytes(format), format, 1);
    return x;
}

/* Place of kept mode m in each dimension, and its weight. */
static double mode(const job *j, int64_t m, int64_t *k) {
    const mpno_fft_problem *p = &j->problem;
    for (int d = p->ndim - 1; d >= 0; m /= p->keep[d], d--) {
        const bool half = p->kind == MPNO_FFT_REAL && d + 1 == p->ndim;
        k[d] = m % p->keep[d] - (half ? 0 : p->keep[d] / 2);
    }
    const int64_t last = k[p->ndim - 1];
    const bool twice = p->kind == MPNO_FFT_REAL && last != 0 && 2 * last != j->n_last;
    return j->whole.scale * (twice ? 2 : 1);
}

static double turns(const job *j, const int64_t *k, int64_t point) {
    const mpno_fft_problem *p = &j->problem;
    double sum = 0;
    for (int d = p->ndim - 1; d >= 0; point /= p->size[d], d--) {
        const int64_t n = p->size[d], place = (k[d] % n + n) % n * (point % n) % n;
        sum += (double)place / (double)n;
    }
    return sum;
}

typedef struct exact {
    double re, im, terms; /* terms: sum of their magnitudes */
} exact;

/* sum += x w exp(-+ 2 pi i turns) */
static void add(exact *sum, double re, double im, double weight, double angle) {
    const double c = cos(2 * 3.14159265358979323846 * angle) * weight;
    const double s = sin(2 * 3.14159265358979323846 * angle) * weight;
    sum->re += re * c - im * s;
    sum->im += re * s + im * c;
    sum->terms += (fabs(re) + fabs(im)) * fabs(weight);
}

static mpno_status hold(const job *j, const exact *want, int64_t at, int64_t step, int planes,
                        const char *name) {
    const mpno_format format = j->whole.field_format;
    const double unit = mpno_format_unit(format), points = (double)mpno_fft_points(j->fft);
    const double u = mpno_format_unit(j->problem.arithmetic);
    const double small = format == MPNO_F16 ? 0x1p-24 : 0;
    for (int plane = 0; plane < planes; plane++) {
        const double is = value(j->output, format, at + plane * step);
        const double should = plane == 0 ? want->re : want->im;
        const double bound = unit * fabs(should) + 4 * (2 + log2(points)) * u * want->terms + small;
        MPNO_CHECK(j->ctx, fabs(is - should) <= bound, MPNO_E_NUMERIC,
                   "%s: a value is %.9g, by the definition %.9g, and may differ by %.2g", name, is,
                   should, bound);
    }
    return MPNO_OK;
}

static mpno_status verify_forward(job *j, mpno_rng *rng) {
    const int64_t points = mpno_fft_points(j->fft), channels = j->o->channels, rows = j->planes;
    int64_t k[MPNO_FFT_MAX_DIMS];
    forward(j);
    for (int i = 0; i < SAMPLES; i++, j->verified++) {
        const int64_t m = (int64_t)mpno_rng_below(rng, (uint64_t)mpno_fft_modes(j->fft));
        const int64_t b = (int64_t)mpno_rng_below(rng, (uint64_t)j->o->batch);
        const int64_t c = (int64_t)mpno_rng_below(rng, (uint64_t)channels);
        const double weight = mode(j, m, k);
        exact sum = {0};
        for (int64_t n = 0; n < points; n++) {
            const int64_t at = ((b * points + n) * rows) * channels + c;
            add(&sum, value(j->field, j->whole.field_format, at),
                rows == 2 ? value(j->field, j->whole.field_format, at + channels) : 0, weight,
                -turns(j, k, n));
        }
        MPNO_TRY(hold(j, &sum, (m * j->o->batch + b) * 2 * channels + c, channels, 2, "forward"));
    }
    return MPNO_OK;
}

static mpno_status verify_inverse(job *j, mpno_rng *rng) {
    const int64_t points = mpno_fft_points(j->fft), channels = j->o->channels;
    const int64_t modes = mpno_fft_modes(j->fft);
    int64_t k[MPNO_FFT_MAX_DIMS];
    inverse(j);
    for (int i = 0; i < SAMPLES; i++, j->verified++) {
        const int64_t n = (int64_t)mpno_rng_below(rng, (uint64_t)points);
        const int64_t b = (int64_t)mpno_rng_below(rng, (uint64_t)j->o->batch);
        const int64_t c = (int64_t)mpno_rng_below(rng, (uint64_t)channels);
        exact sum = {0};
        for (int64_t m = 0; m < modes; m++) {
            const int64_t at = (m * j->o->batch + b) * 2 * channels + c;
            const double weight = mode(j, m, k);
            add(&sum, value(j->spectrum, j->whole.field_format, at),
                value(j->spectrum, j->whole.field_format, at + channels), weight, turns(j, k, n));
        }
        MPNO_TRY(hold(j, &sum, ((b * points + n) * j->planes) * channels + c, channels,
                      (int)j->planes, "inverse"));
    }
    return MPNO_OK;
}

/* ---- timed and told ---- */

typedef struct report {
    job j;
    way ways[MAX_ROWS];
    bench_runner runners[MAX_ROWS];
    int n;
} report;

static void add_way(report *r, const char *name, void (*run)(void *), double bytes) {
    r->ways[r->n] = (way){name, run, bytes};
    r->runners[r->n++] = (bench_runner){name, run, &r->j, 0, 0};
}

static mpno_status time_all(report *r) {
    const job *j = &r->j;
    const double stored = (double)mpno_format_bytes(j->whole.field_format);
    const double used = (double)mpno_format_bytes(j->problem.arithmetic);
    const double rows = (double)(j->o->batch * j->o->channels);
    const double field = rows * (double)(mpno_fft_points(j->fft) * j->planes);
    const double columns = 2 * rows * (double)mpno_fft_columns(j->fft) * used;
    const double spectrum = 2 * rows * (double)mpno_fft_modes(j->fft) * stored;
    add_way(r, "forward", forward, field * stored + spectrum);
    add_way(r, "inverse", inverse, field * stored + spectrum);
    add_way(r, "forward lines", forward_lines, field * used + columns);
    add_way(r, "forward columns", forward_columns, columns + spectrum);
    add_way(r, "inverse columns", inverse_columns, columns + spectrum);
    add_way(r, "inverse lines", inverse_lines, field * used + columns);
    fft_peer *peer = NULL;
    const bool same = j->problem.kind == MPNO_FFT_REAL && j->problem.arithmetic == MPNO_F32;
    if (same) MPNO_TRY(fft_peer_create(j->ctx, &j->problem, j->o->batch, j->o->channels, &peer));
    for (int d = 0; d < 2 && peer != NULL; d++) {
        add_way(r, d ? "FFTW inverse" : "FFTW forward", d ? fft_peer_inverse : fft_peer_forward,
                fft_peer_bytes(peer));
        r->runners[r->n - 1].argument = peer;
    }
    const mpno_status status = bench_race(j->ctx, r->runners, r->n, (int)j->o->common.rounds);
    fft_peer_destroy(j->ctx, &peer);
    return status;
}

/* Of FFTW in the same direction, 0: it was not there. */
static double times_peer(const report *r, int i) {
    const bool back = strstr(r->ways[i].name, "inverse") != NULL;
    return r->n < MAX_ROWS || i > 1 ? 0 : r->runners[6 + back].seconds / r->runners[i].seconds;
}

static mpno_status put(mpno_ctx *ctx, const void *what, mpno_value *map) {
    const report *r = what;
    char text[512];
    mpno_value *list, *row;
    mpno_fft_describe(r->j.fft, text, sizeof text);
    MPNO_TRY(mpno_value_set_string(ctx, map, "problem", text));
    MPNO_TRY(mpno_value_set_string(ctx, map, "isa", mpno_ctx_isa(ctx)));
    MPNO_TRY(mpno_value_set_int(ctx, map, "threads", mpno_ctx_n_threads(ctx)));
    MPNO_TRY(mpno_value_set_int(ctx, map, "verified", r->j.verified));
    MPNO_TRY(mpno_value_list(ctx, &list));
    MPNO_TRY(mpno_value_set(ctx, map, "ways", list));
    for (int i = 0; i < r->n; i++) {
        MPNO_TRY(mpno_value_map(ctx, &row));
        MPNO_TRY(mpno_value_append(ctx, list, row));
        MPNO_TRY(mpno_value_set_string(ctx, row, "way", r->ways[i].name));
        MPNO_TRY(mpno_value_set_real(ctx, row, "seconds", r->runners[i].seconds));
        MPNO_TRY(mpno_value_set_real(ctx, row, "bytes", r->ways[i].bytes));
        if (times_peer(r, i) > 0)
            MPNO_TRY(mpno_value_set_real(ctx, row, "times_fftw", times_peer(r, i)));
    }
    return MPNO_OK;
}

static mpno_status fill_table(const void *what, mpno_table *table) {
    const report *r = what;
    static const char *const headings[] = {"<transform", ">ms", ">GF/s", ">GB/s", ">times FFTW"};
    MPNO_TRY(bench_columns(table, headings, sizeof headings / sizeof headings[0]));
    for (int i = 0; i < r->n; i++) {
        const double seconds = r->runners[i].seconds, times = times_peer(r, i);
        const bool part = strchr(r->ways[i].name, ' ') != NULL && i < 6;
        MPNO_TRY(mpno_table_cell(table, "%s", r->ways[i].name));
        MPNO_TRY(mpno_table_cell(table, "%.3f", 1e3 * seconds));
        MPNO_TRY(part ? mpno_table_cell(table, "-")
                      : mpno_table_cell(table, "%.1f", 1e-9 * r->j.flops / seconds));
        MPNO_TRY(mpno_table_cell(table, "%.1f", 1e-9 * r->ways[i].bytes / seconds));
        MPNO_TRY(times > 0 ? mpno_table_cell(table, "%.2f", times) : mpno_table_cell(table, "-"));
    }
    return MPNO_OK;
}

static mpno_status print(const report *r) {
    char text[512];
    mpno_fft_describe(r->j.fft, text, sizeof text);
    printf("%s\n%lld samples, %lld channels of %s, %s, threads %d; %d values as defined\n", text,
           (long long)r->j.o->batch, (long long)r->j.o->channels,
           mpno_format_get(r->j.whole.field_format)->name, mpno_ctx_isa(r->j.ctx),
           mpno_ctx_n_threads(r->j.ctx), r->j.verified);
    return bench_print_table(r->j.ctx, fill_table, r);
}

static mpno_status run(mpno_ctx *ctx, void *argument) {
    report r = {.j = {.o = argument, .ctx = ctx}};
    mpno_rng rng = mpno_rng_make(1, MPNO_STREAM_BENCH, 0);
    mpno_status status = make(&r.j);
    if (status == MPNO_OK) status = verify_forward(&r.j, &rng);
    if (status == MPNO_OK) status = verify_inverse(&r.j, &rng);
    if (status == MPNO_OK) status = time_all(&r);
    if (status == MPNO_OK) status = r.j.o->common.json ? bench_print_json(ctx, put, &r) : print(&r);
    destroy(&r.j);
    return status;
}

const bench_command bench_fft = {
    .name = "fft",
    .what = "SIZE",
    .summary = "Checks and times the pruned transform, whole and in its parts, beside FFTW",
    .text =
        "SIZE is a list such as 128x128. GF/s count 2.5 n log2 n of the whole transform, "
        "pruned or not.\n"
        "Lines are transformed in one thread, within its cache; FFTW (measured plans, the best "
        "of two\nlayouts, all frequencies) runs in one thread too.\n\n"
        "  mpno-bench fft 128x128 keep:16x9 threads:1\n"
        "  mpno-bench fft 128 keep:33 batch:1024 threads:1 format:bf16\n",
    .fields = fields,
    .n_fields = BENCH_N_FIELDS(fields),
    .options_bytes = sizeof(options),
    .run = run,
};
