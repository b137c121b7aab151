/* SPDX-License-Identifier: MIT
 * `mpno-bench step`: one training step or forward pass of a named case. Memory: resident memory at
 * its highest, above that when weights and batch exist and nothing else does (`peak_extra_mib`); of
 * it gradients, moments and low-precision weight copies are `state_mib`, as counted by the
 * allocator, the rest `activation_mib`. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"
#include "mpno/mpno.h"

typedef struct step_case {
    const char *name;
    int ndim;
    int64_t modes, size, batch, hidden;
    mpno_norm norm;
    double ratio; /* of lifting and projection */
} step_case;

static const step_case cases[] = {
    {"darcy16", 2, 8, 16, 64, 24, MPNO_NORM_NONE, 2},
    {"ns128-m16", 2, 16, 128, 8, 64, MPNO_NORM_GROUP, 4},
    {"ns128-m64", 2, 64, 128, 8, 64, MPNO_NORM_GROUP, 4},
    {"fno3d", 3, 16, 64, 1, 32, MPNO_NORM_NONE, 2},
    {"fno1d", 1, 32, 1024, 64, 64, MPNO_NORM_NONE, 2},
};

typedef struct options {
    const step_case *which;
    const char *precision, *isa;
    mpno_format format;
    int threads, steps;
    bool forward, json;
} options;

typedef struct measurement {
    double min_s, median_s, loss, base_mib, peak_mib, state_mib;
    mpno_network_cost cost;
    size_t params;
    int skipped;
    const char *isa;
} measurement;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* A "Name:  N kB" line of /proc/self/status in MiB. */
static double status_mib(const char *name) {
    char line[256];
    double kib = 0;
    FILE *f = fopen("/proc/self/status", "r");
    while (f != NULL && fgets(line, sizeof line, f) != NULL)
        if (strncmp(line, name, strlen(name)) == 0) kib = atof(line + strlen(name) + 1);
    if (f != NULL) fclose(f);
    return kib / 1024;
}

/* Forgets the highest resident size so far (Linux: proc(5), clear_refs), so that set-up does not
 * count. */
static void reset_peak(void) {
    FILE *f = fopen("/proc/self/clear_refs", "w");
    if (f == NULL) return;
    fputs("5", f);
    fclose(f);
}

/* Normal random numbers; what they are does not matter to the time. */
static float *random_field(size_t n, uint64_t seed) {
    float *v = malloc(n * sizeof *v);
    for (size_t i = 0; v != NULL && i < n; i++) {
        double sum = -6; /* twelve uniforms: near enough to normal */
        for (int k = 0; k < 12; k++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            sum += (double)(seed >> 11) * 0x1p-53;
        }
        v[i] = (float)sum;
    }
    return v;
}

static int compare(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

typedef struct job {
    const options *o;
    mpno_ctx *ctx;
    mpno_model *model;
    mpno_network *net;
    mpno_optimizer *optimizer;
    float *x, *y;
    double loss_scale;
} job;

static mpno_status one_step(job *j, measurement *m) {
    mpno_step_result result;
    if (j->o->forward) return mpno_network_forward(j->net, j->o->which->batch, j->x, j->y);
    const mpno_status status =
        mpno_network_step(j->net, j->o->which->batch, j->x, j->y, j->loss_scale, &result);
    if (status != MPNO_OK) return status;
    m->loss = result.loss;
    if (result.overflow) {
        m->skipped++;
        j->loss_scale /= 2;
    } else {
        mpno_optimizer_step(j->optimizer, j->net, 1e-3, j->loss_scale);
    }
    return MPNO_OK;
}

static mpno_status run_steps(job *j, measurement *m) {
    double *seconds = malloc((size_t)j->o->steps * sizeof *seconds);
    mpno_status status = seconds == NULL ? MPNO_E_MEMORY : one_step(j, m);
    for (int i = 0; i < j->o->steps && status == MPNO_OK; i++) {
        const double start = now();
        status = one_step(j, m);
        seconds[i] = now() - start;
    }
    if (status == MPNO_OK) {
        qsort(seconds, (size_t)j->o->steps, sizeof *seconds, compare);
        m->min_s = seconds[0];
        m->median_s = 0.5 * (seconds[(j->o->steps - 1) / 2] + seconds[j->o->steps / 2]);
    }
    free(seconds);
    return status;
}

static mpno_status set_up_and_run(job *j, measurement *m) {
    const step_case *c = j->o->which;
    mpno_fno_config config = MPNO_FNO_CONFIG_INIT;
    mpno_network_opts opts = MPNO_NETWORK_OPTS_INIT;
    mpno_optimizer_opts adamw = MPNO_OPTIMIZER_OPTS_INIT;
    size_t points = 1;
    config.ndim = c->ndim;
    for (int d = 0; d < c->ndim; d++) {
        config.n_modes[d] = c->modes;
        opts.grid[d] = c->size;
        points *= (size_t)c->size;
    }
    config.in_channels = config.out_channels = 1;
    config.hidden_channels = c->hidden;
    config.norm = c->norm;
    config.lifting_channel_ratio = config.projection_channel_ratio = c->ratio;
    if (strcmp(j->o->precision, "mixed") == 0) config.stabilizer = MPNO_STABILIZER_TANH;
    opts.capacity = c->batch;
    opts.training = !j->o->forward;
    opts.policy = j->o->precision;
    opts.half_format = j->o->format;
    adamw.weight_decay = 1e-4;
    mpno_status status = mpno_model_create(j->ctx, &config, MPNO_F32, 0, &j->model);
    if (status != MPNO_OK) return status;
    j->x = random_field(points * (size_t)c->batch, 1);
    j->y = random_field(points * (size_t)c->batch, 2);
    if (j->x == NULL || j->y == NULL) return MPNO_E_MEMORY;
    m->params = mpno_model_n_weights(j->model);
    m->isa = mpno_ctx_isa(j->ctx);
    reset_peak();
    m->base_mib = status_mib("VmRSS");
    const size_t held = mpno_ctx_bytes(j->ctx);
    status = mpno_network_create(j->model, &opts, &j->net);
    if (status == MPNO_OK && !j->o->forward)
        status = mpno_optimizer_create(j->model, &adamw, &j->optimizer);
    if (status != MPNO_OK) return status;
    m->cost = mpno_network_get_cost(j->net);
    m->state_mib = (double)(mpno_ctx_bytes(j->ctx) - held - m->cost.activation_bytes) / 1048576;
    status = run_steps(j, m);
    m->peak_mib = status_mib("VmHWM");
    return status;
}

static void print(const options *o, const measurement *m) {
    const double extra = m->peak_mib - m->base_mib;
    const bool half = strcmp(o->precision, "full") != 0;
    if (o->json) {
        printf(
            "{\"case\": \"%s\", \"what\": \"%s\", \"precision\": \"%s\", \"format\": \"%s\", "
            "\"autocast\": null, "
            "\"compile\": false, \"tuned\": false, \"torch\": null, \"mpno\": \"%s\", \"isa\": "
            "\"%s\", \"threads\": %d, "
            "\"params\": %zu, \"batch\": %lld, \"min_s\": %.5f, \"median_s\": %.5f, "
            "\"peak_extra_mib\": %.1f, "
            "\"peak_rss_mib\": %.1f, \"state_mib\": %.1f, \"activation_mib\": %.1f, "
            "\"planned_mib\": %.1f, "
            "\"flops\": %.6g, \"useful_flops\": %.6g, \"skipped\": %d, \"loss\": ",
            o->which->name, o->forward ? "forward" : "train step", o->precision,
            !half                   ? "f32"
            : o->format == MPNO_F16 ? "f16"
                                    : "bf16",
            mpno_version(), m->isa, o->threads, m->params, (long long)o->which->batch, m->min_s,
            m->median_s, extra, m->peak_mib, m->state_mib, extra - m->state_mib,
            (double)m->cost.activation_bytes / 1048576, m->cost.flops, m->cost.useful_flops,
            m->skipped);
        printf(o->forward ? "null}\n" : "%.9g}\n", m->loss);
        return;
    }
    printf("%s %s, policy %s (%s), %s, %d threads\n", o->which->name,
           o->forward ? "forward" : "train step", o->precision,
           !half                   ? "f32"
           : o->format == MPNO_F16 ? "f16"
                                   : "bf16",
           m->isa, o->threads);
    printf("  time         %.4f s median, %.4f s best of %d\n", m->median_s, m->min_s, o->steps);
    printf("  work         %.2f GFLOP executed, %.2f useful; %.1f GF/s useful\n",
           m->cost.flops * 1e-9, m->cost.useful_flops * 1e-9,
           m->cost.useful_flops * 1e-9 / m->median_s);
    printf(
        "  memory       %.1f MiB above weights and batch: %.1f state, %.1f activations (%.1f "
        "planned)\n",
        extra, m->state_mib, extra - m->state_mib, (double)m->cost.activation_bytes / 1048576);
    if (!o->forward) printf("  loss         %.6g after %d skipped steps\n", m->loss, m->skipped);
}

/* A whole number from 1 to `most`, or an error said on standard error. */
static bool parse_count(const char *flag, const char *text, int most, int *out) {
    char *end;
    const long n = strtol(text, &end, 10);
    if (*text == '\0' || *end != '\0' || n < 1 || n > most) {
        fprintf(stderr, "mpno-bench: %s takes a whole number from 1 to %d, not \"%s\"\n", flag,
                most, text);
        return false;
    }
    *out = (int)n;
    return true;
}

static bool parse_value(options *o, const char *flag, const char *value) {
    if (strcmp(flag, "--precision") == 0) return o->precision = value, true;
    if (strcmp(flag, "--isa") == 0) return o->isa = value, true;
    if (strcmp(flag, "--threads") == 0) return parse_count(flag, value, 4096, &o->threads);
    if (strcmp(flag, "--steps") == 0) return parse_count(flag, value, 1000000, &o->steps);
    if (strcmp(flag, "--format") == 0) {
        o->format = strcmp(value, "bf16") == 0 ? MPNO_BF16 : MPNO_F16;
        if (strcmp(value, "bf16") == 0 || strcmp(value, "f16") == 0) return true;
        fprintf(stderr, "mpno-bench: --format is f16 or bf16, not \"%s\"\n", value);
        return false;
    }
    fprintf(stderr, "mpno-bench: unknown option %s (see mpno-bench --help)\n", flag);
    return false;
}

static bool parse(int argc, char **argv, options *o) {
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--forward") == 0) {
            o->forward = true;
        } else if (strcmp(argv[i], "--json") == 0) {
            o->json = true;
        } else if (argv[i][0] == '-') {
            if (i + 1 == argc) {
                fprintf(
                    stderr,
                    "mpno-bench: %s: unknown, or its value is missing (see mpno-bench --help)\n",
                    argv[i]);
                return false;
            }
            if (!parse_value(o, argv[i], argv[i + 1])) return false;
            i++;
        } else {
            for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++)
                if (strcmp(cases[k].name, argv[i]) == 0) o->which = &cases[k];
            if (o->which == NULL || strcmp(o->which->name, argv[i]) != 0) {
                fprintf(stderr,
                        "mpno-bench: unknown case \"%s\"; factorised cases are not there yet (see "
                        "mpno-bench --help)\n",
                        argv[i]);
                return false;
            }
        }
    }
    if (o->which == NULL) fprintf(stderr, "mpno-bench step: name a case (see mpno-bench --help)\n");
    return o->which != NULL;
}

int bench_step(int argc, char **argv) {
    options o = {.precision = "full",
                 .isa = getenv("MPNO_ISA"),
                 .format = MPNO_F16,
                 .threads = 2,
                 .steps = 5};
    measurement m = {0};
    if (!parse(argc, argv, &o)) return 2;
    mpno_ctx_opts ctx_opts = MPNO_CTX_OPTS_INIT;
    ctx_opts.n_threads = o.threads;
    ctx_opts.isa = o.isa;
    job j = {.o = &o,
             .loss_scale = strcmp(o.precision, "full") != 0 && o.format == MPNO_F16 ? 1024 : 1};
    if (mpno_ctx_create(&ctx_opts, &j.ctx) != MPNO_OK) {
        fprintf(
            stderr,
            "mpno-bench: cannot start: is \"%s\" an instruction set (portable, avx2, avx512)?\n",
            o.isa != NULL ? o.isa : "");
        return 1;
    }
    const mpno_status status = set_up_and_run(&j, &m);
    if (status == MPNO_OK)
        print(&o, &m);
    else
        fprintf(stderr, "mpno-bench: %s: %s\n", mpno_status_text(status), mpno_ctx_error(j.ctx));
    mpno_optimizer_destroy(&j.optimizer);
    mpno_network_destroy(&j.net);
    mpno_model_destroy(&j.model);
    free(j.x);
    free(j.y);
    mpno_ctx_destroy(&j.ctx);
    return status == MPNO_OK ? 0 : 1;
}
