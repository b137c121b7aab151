/* SPDX-License-Identifier: MIT
 * The run of a generator. The file is made whole at first, with zeros where samples will stand;
 * every thread writes its samples to their places, and every second or so the file is flushed, then
 * the count of the samples that are complete without a gap is written and flushed: whatever kills
 * the program, the file opens and no sample is counted that is not there. Samples are made from
 * seed and number alone, so that a run that goes on ends with the same bytes. */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/files.h"
#include "core/memory.h"
#include "core/parallel.h"
#include "core/text.h"
#include "data/hdf5.h"
#include "pde/generator.h"
#include "pde/layout.h"
#include "pde/queue.h"

/* Seconds between two counts: a tenth of the run so far, within bounds. Rarely flushed, soon
 * counted. */
#define COUNT_OFTENEST 0.02
#define COUNT_RAREST 1.0
#define PARAMETERS "parameters"

typedef struct run {
    mpno_generator *generator;
    const char *path;
    const mpno_sink *sink;
    const mpno_pde_common *common;
    void *job; /* owned */
    int n_workers;
    int n_buffers, n_lanes; /* of each worker: lanes with memory, and in use */
    mpno_layout layout;
    int fd;
    bool created;        /* by this run */
    int64_t begun, done; /* samples found, and complete: counted in the file */
    mpno_queue queue;
    mpno_pde_work *workers; /* owned */
    atomic_flag counting;   /* one thread at a time counts and speaks */
    atomic_bool failed;     /* a sample or a write: no more samples are taken */
    int error;              /* errno of a write of the count */
    atomic_llong made, iterations, most;
    double started, counted, said;
} run;

/* A worker and its lanes. */
struct mpno_pde_work {
    run *run;
    int index;
    bool caller;              /* runs in the thread of the caller */
    mpno_pde_sample *lanes;   /* owned, with their buffers */
    mpno_pde_outcome outcome; /* of the first sample that failed */
    int64_t failed;           /* that sample, -1: none */
    int error;                /* errno of a write */
};

/* All parameters that decide the bytes, as a map. */
static mpno_status recipe(const mpno_generator *g, const void *settings, mpno_value **out) {
    mpno_value *map = NULL;
    MPNO_TRY(mpno_value_map(g->ctx, &map));
    mpno_status status = MPNO_OK;
    for (size_t i = 0; status == MPNO_OK && i < g->pde->n_fields; i++) {
        mpno_value *value = NULL;
        if (!g->pde->matters[i]) continue;
        status = mpno_field_value(g->ctx, &g->pde->fields[i], settings, &value);
        if (status == MPNO_OK) status = mpno_value_set(g->ctx, map, g->pde->fields[i].key, value);
    }
    if (status != MPNO_OK) mpno_value_destroy(g->ctx, &map);
    *out = map;
    return status;
}

/* What no equation can do without, and what it derives. */
static mpno_status resolve(const mpno_generator *g, void *settings) {
    const mpno_pde_common *common = settings;
    MPNO_CHECK(g->ctx, common->n_samples != MPNO_UNSET, MPNO_E_CONFIG,
               "n_samples is missing: how many samples to make, such as --n_samples 1000");
    MPNO_CHECK(g->ctx, common->resolution.n > 0, MPNO_E_CONFIG,
               "resolution is missing: points of each axis, such as --resolution 64");
    return g->pde->resolve(g->ctx, settings);
}

/* Takes the parameters of a file that was begun, after checking that those given are the same. */
static mpno_status adopt(run *r, const mpno_value *found) {
    mpno_generator *g = r->generator;
    const mpno_field *fields = g->pde->fields;
    const size_t n = g->pde->n_fields;
    mpno_pde_common *common = g->settings;
    const int64_t n_threads = common->n_threads;
    void *given = NULL;
    mpno_status status = mpno_alloc(g->ctx, g->pde->settings_bytes, &given);
    MPNO_TRY(status);
    mpno_fields_clear(g->ctx, fields, n, g->settings);
    status = mpno_fields_default(g->ctx, fields, n, g->settings);
    if (status == MPNO_OK) status = mpno_fields_default(g->ctx, fields, n, given);
    if (status == MPNO_OK)
        status = mpno_fields_parse(g->ctx, r->path, found, fields, n, g->settings);
    if (status == MPNO_OK) status = mpno_fields_parse(g->ctx, r->path, found, fields, n, given);
    common->n_threads = n_threads;
    for (size_t i = 0; status == MPNO_OK && i < n; i++) {
        if (g->given[i]) status = mpno_field_set_text(g->ctx, &fields[i], g->given[i], given);
    }
    if (status == MPNO_OK) status = resolve(g, g->settings);
    /* Parameters that do not fit together differ from those of the file, which do. */
    const mpno_status fits = status == MPNO_OK ? resolve(g, given) : MPNO_OK;
    for (size_t i = 0; status == MPNO_OK && i < n; i++) {
        char a[64], b[64];
        bool equal = true;
        if (!g->pde->matters[i]) continue;
        status = mpno_field_compare(g->ctx, &fields[i], given, g->settings, &equal, a, b, sizeof a);
        if (status == MPNO_OK && !equal) {
            status =
                mpno_fail(g->ctx, MPNO_E_CONFIG,
                          "'%s' was begun with %s %s, not %s; leave parameters out to go on as "
                          "it was begun, or choose another name",
                          r->path, fields[i].key, b, a);
        }
    }
    mpno_fields_clear(g->ctx, fields, n, given);
    mpno_free(g->ctx, given);
    return status == MPNO_OK ? fits : status;
}

static mpno_status read_recipe(run *r) {
    mpno_generator *g = r->generator;
    mpno_tensor_file *file = NULL;
    mpno_value *found = NULL;
    MPNO_TRY(mpno_hdf5_list(g->ctx, r->path, &file));
    const char *equation = mpno_value_get_string(file->metadata, "equation", "");
    const char *version = mpno_value_get_string(file->metadata, "mpno_version", "");
    const char *text = mpno_value_get_string(file->metadata, PARAMETERS, "");
    mpno_status status = MPNO_OK;
    if (!*equation || !*text) {
        status = mpno_fail(g->ctx, MPNO_E_FORMAT,
                           "'%s' was not made by mpno generate: it has no attribute %s", r->path,
                           *equation ? PARAMETERS : "equation");
    } else if (strcmp(equation, g->pde->name) != 0) {
        status = mpno_fail(g->ctx, MPNO_E_CONFIG, "'%s' holds the equation %.40s, not %s", r->path,
                           equation, g->pde->name);
    } else if (strcmp(version, mpno_version()) != 0) {
        status = mpno_fail(g->ctx, MPNO_E_CONFIG,
                           "'%s' was begun by mpno %.40s, this is %s, whose samples may differ in "
                           "the last bits; start a new file",
                           r->path, version, mpno_version());
    }
    if (status == MPNO_OK) {
        status = mpno_json_parse(g->ctx, r->path, text, strlen(text), &found);
    }
    if (status == MPNO_OK) status = adopt(r, found);
    mpno_value_destroy(g->ctx, &found);
    mpno_tensor_file_destroy(g->ctx, &file);
    return status;
}

static mpno_status fail_file(const run *r, const char *verb, int error) {
    char reason[128];
    if (strerror_r(error, reason, sizeof reason) != 0) {
        (void)snprintf(reason, sizeof reason, "error %d", error);
    }
    return mpno_fail(r->generator->ctx, MPNO_E_IO, "cannot %s '%s': %s; %s", verb, r->path, reason,
                     r->done > 0 ? "its complete samples are kept, --resume goes on"
                                 : "check the disk and its free space");
}

/* Takes the space now, so that a disk that is too small is known before the first sample, and
 * writes the coordinates. */
static mpno_status reserve(const run *r, const char *path) {
    struct stat info;
    const int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0) return fail_file(r, "open", errno);
    int error = fstat(fd, &info) == 0 ? posix_fallocate(fd, 0, info.st_size) : errno;
    if (error == EINVAL || error == EOPNOTSUPP) error = 0; /* such a file system cannot tell */
    if (!error) error = mpno_layout_write_coordinates(&r->layout, fd);
    (void)close(fd);
    return error ? fail_file(r, "write", error) : MPNO_OK;
}

static mpno_status create_file(run *r) {
    mpno_generator *g = r->generator;
    mpno_value *parameters = NULL;
    mpno_writer *writer = NULL;
    mpno_status status = recipe(g, g->settings, &parameters);
    if (status == MPNO_OK) status = mpno_writer_open(g->ctx, r->path, &writer);
    if (status == MPNO_OK) {
        const char *path = mpno_writer_temporary(writer);
        status = mpno_layout_make(g->ctx, &r->layout, g->pde, parameters, path);
        if (status == MPNO_OK) status = reserve(r, path);
        if (status == MPNO_OK) {
            status = mpno_writer_commit(&writer);
        } else {
            mpno_writer_abandon(&writer);
        }
    }
    mpno_value_destroy(g->ctx, &parameters);
    return status;
}

/* Opens the file for itself alone and reads how many samples are complete. */
static mpno_status open_file(run *r) {
    mpno_ctx *ctx = r->generator->ctx;
    if (!r->created) MPNO_TRY(mpno_layout_locate(ctx, &r->layout, r->path));
    const uint64_t place = mpno_layout_count_place(&r->layout);
    r->fd = open(r->path, O_RDWR | O_CLOEXEC);
    if (r->fd < 0) return fail_file(r, "open", errno);
    MPNO_CHECK(ctx, flock(r->fd, LOCK_EX | LOCK_NB) == 0, MPNO_E_IO,
               "'%s' is being written by another mpno generate; wait for its end", r->path);
    const ssize_t n = pread(r->fd, &r->done, sizeof r->done, (off_t)place);
    if (n != (ssize_t)sizeof r->done) return fail_file(r, "read", n < 0 ? errno : EIO);
    MPNO_CHECK(ctx, r->done >= 0 && r->done <= r->common->n_samples, MPNO_E_FORMAT,
               "'%s': completed is %lld, expected 0 to %lld; the file is damaged, make it anew",
               r->path, (long long)r->done, (long long)r->common->n_samples);
    r->begun = r->done;
    return MPNO_OK;
}

static bool stop_asked(const run *r) {
    return r->sink && r->sink->stop && *r->sink->stop;
}

bool mpno_pde_take(mpno_pde_work *work, int lane, mpno_pde_sample *out) {
    run *r = work->run;
    if (lane >= r->n_lanes || atomic_load(&r->failed) || stop_asked(r)) return false;
    mpno_pde_sample *sample = &work->lanes[lane];
    if (!mpno_queue_take(&r->queue, work->index * r->n_lanes + lane, &sample->number)) return false;
    *out = *sample;
    return true;
}

/* Counts in the file what is complete: the samples first, then their number. */
static void count(run *r) {
    const int64_t done = mpno_queue_complete(&r->queue);
    r->counted = mpno_seconds();
    if (done == r->done || r->error) return;
    if (fdatasync(r->fd) != 0) r->error = errno;
    if (!r->error)
        r->error = mpno_write_at(r->fd, &done, sizeof done, mpno_layout_count_place(&r->layout));
    if (!r->error && fdatasync(r->fd) != 0) r->error = errno;
    if (r->error) {
        atomic_store(&r->failed, true);
    } else {
        r->done = done;
    }
}

static void say_progress(run *r, bool last) {
    const double now = mpno_seconds();
    if (!r->sink || (!last && now - r->said < (r->sink->terminal ? 0.5 : 30))) return;
    char line[160];
    const double seconds = now - r->started;
    const long long made = atomic_load(&r->made);
    (void)snprintf(line, sizeof line, "%s%s: %lld of %lld samples, %.3g samples/s%s",
                   r->sink->terminal ? "\r\033[K" : "", r->generator->pde->name,
                   (long long)r->begun + made, (long long)r->common->n_samples,
                   seconds > 0 ? (double)made / seconds : 0,
                   last || !r->sink->terminal ? "\n" : "");
    r->sink->write(r->sink->user, line);
    r->said = now;
}

/* Counts when it is time, and lets the caller's thread speak. */
static void look_round(run *r, bool caller) {
    if (atomic_flag_test_and_set(&r->counting)) return;
    const double now = mpno_seconds();
    const double pause = fmin(fmax(0.1 * (now - r->started), COUNT_OFTENEST), COUNT_RAREST);
    if (now - r->counted >= pause) count(r);
    if (caller) say_progress(r, false);
    atomic_flag_clear(&r->counting);
}

/* What failed keeps its lane, so that the count stops before it. */
void mpno_pde_give(mpno_pde_work *work, int lane, const mpno_pde_outcome *outcome) {
    run *r = work->run;
    const mpno_pde_sample *sample = &work->lanes[lane];
    if (outcome->failure[0] && (work->failed < 0 || sample->number < work->failed)) {
        work->outcome = *outcome;
        work->failed = sample->number;
    }
    int error = 0;
    for (int i = 0; i < r->layout.n_parts && !outcome->failure[0] && !error; i++) {
        error = mpno_write_at(r->fd, sample->out[i], r->layout.parts[i].bytes,
                              mpno_layout_place(&r->layout, i, sample->number));
    }
    if (error) work->error = error;
    if (error || outcome->failure[0]) {
        atomic_store(&r->failed, true);
        return;
    }
    atomic_fetch_add(&r->made, 1);
    atomic_fetch_add(&r->iterations, outcome->iterations);
    long long most = atomic_load(&r->most);
    while (most < outcome->iterations &&
           !atomic_compare_exchange_weak(&r->most, &most, outcome->iterations)) {
    }
    mpno_queue_give(&r->queue, work->index * r->n_lanes + lane);
    look_round(r, work->caller);
}

static void work_task(void *argument, int64_t task, int thread) {
    run *r = argument;
    r->workers[task].caller = thread == 0;
    r->generator->pde->make(r->job, (int)task, &r->workers[task]);
}

/* The first sample that failed, or the first write that did. */
static mpno_status check_workers(const run *r) {
    const mpno_pde_work *first = NULL;
    if (r->error) return fail_file(r, "write", r->error);
    for (int i = 0; i < r->n_workers; i++) {
        const mpno_pde_work *w = &r->workers[i];
        if (w->error) return fail_file(r, "write", w->error);
        if (w->failed >= 0 && (!first || w->failed < first->failed)) first = w;
    }
    if (!first) return MPNO_OK;
    return mpno_fail(r->generator->ctx, MPNO_E_NUMERIC, "%s, sample %lld: %s",
                     r->generator->pde->name, (long long)first->failed, first->outcome.failure);
}

static mpno_status make_all(run *r) {
    mpno_ctx *ctx = r->generator->ctx;
    const int64_t left = r->common->n_samples - r->done;
    const int64_t share = (left + r->n_workers - 1) / r->n_workers;
    if (left == 0) return MPNO_OK;
    if (share < r->n_lanes) r->n_lanes = (int)share;
    MPNO_TRY(mpno_queue_create(ctx, r->done, r->common->n_samples, r->n_workers * r->n_lanes,
                               &r->queue));
    r->started = r->counted = r->said = mpno_seconds();
    mpno_parallel(r->n_workers, r->n_workers, work_task, r);
    count(r);
    MPNO_TRY(check_workers(r));
    say_progress(r, true);
    MPNO_CHECK(ctx, r->done == r->common->n_samples, MPNO_E_STOPPED,
               "stopped after %lld of %lld samples; mpno generate %s --resume -o %s goes on",
               (long long)r->done, (long long)r->common->n_samples, r->generator->pde->name,
               r->path);
    return MPNO_OK;
}

static mpno_status summarize(const run *r, double seconds, char **json) {
    mpno_ctx *ctx = r->generator->ctx;
    const int64_t made = r->done - r->begun;
    mpno_value *map = NULL;
    MPNO_TRY(mpno_value_map(ctx, &map));
    mpno_status status = mpno_value_set_string(ctx, map, "equation", r->generator->pde->name);
    if (status == MPNO_OK) status = mpno_value_set_string(ctx, map, "output", r->path);
    if (status == MPNO_OK) status = mpno_value_set_int(ctx, map, "n_samples", r->done);
    if (status == MPNO_OK) status = mpno_value_set_int(ctx, map, "made", made);
    if (status == MPNO_OK) status = mpno_value_set_real(ctx, map, "seconds", seconds);
    if (status == MPNO_OK) {
        status = mpno_value_set_real(ctx, map, "samples_per_second",
                                     seconds > 0 ? (double)made / seconds : 0);
    }
    if (status == MPNO_OK) {
        const double sum = (double)atomic_load(&r->iterations);
        status = mpno_value_set_real(ctx, map, "iterations_mean", made ? sum / (double)made : 0);
    }
    if (status == MPNO_OK) {
        status = mpno_value_set_int(ctx, map, "iterations_max", (int64_t)atomic_load(&r->most));
    }
    if (status == MPNO_OK) status = mpno_json_text(ctx, map, false, json);
    mpno_value_destroy(ctx, &map);
    return status;
}

static mpno_status allocate(run *r) {
    mpno_ctx *ctx = r->generator->ctx;
    MPNO_TRY(mpno_alloc_array(ctx, (size_t)r->n_workers, sizeof *r->workers, &r->workers));
    for (int w = 0; w < r->n_workers; w++) {
        mpno_pde_work *work = &r->workers[w];
        work->run = r;
        work->index = w;
        work->failed = -1;
        MPNO_TRY(mpno_alloc_array(ctx, (size_t)r->n_buffers, sizeof *work->lanes, &work->lanes));
        for (int i = 0; i < r->n_buffers * r->layout.n_parts; i++) {
            const int part = i % r->layout.n_parts;
            MPNO_TRY(mpno_alloc_raw(ctx, r->layout.parts[part].bytes,
                                    &work->lanes[i / r->layout.n_parts].out[part]));
        }
    }
    return mpno_pde_job_create(ctx, r->generator->pde, r->generator->settings, r->n_workers,
                               &r->job);
}

static void release(run *r) {
    mpno_ctx *ctx = r->generator->ctx;
    for (int w = 0; r->workers && w < r->n_workers; w++) {
        mpno_pde_sample *lanes = r->workers[w].lanes;
        for (int i = 0; lanes && i < r->n_buffers; i++) {
            for (int k = 0; k < r->layout.n_parts; k++) mpno_free(ctx, lanes[i].out[k]);
        }
        mpno_free(ctx, lanes);
    }
    mpno_free(ctx, r->workers);
    mpno_queue_destroy(ctx, &r->queue);
    mpno_layout_destroy(ctx, &r->layout);
    mpno_pde_job_destroy(ctx, r->generator->pde, &r->job);
    if (r->fd >= 0) (void)close(r->fd); /* flushed before */
}

static mpno_status begin(run *r, bool resume) {
    mpno_generator *g = r->generator;
    const bool exists = mpno_path_exists(r->path);
    MPNO_CHECK(g->ctx, resume || !exists, MPNO_E_ARGUMENT,
               "'%s' exists; --resume goes on with it, or remove it or choose another name",
               r->path);
    MPNO_TRY(exists ? read_recipe(r) : resolve(g, g->settings));
    r->common = g->settings;
    MPNO_TRY(mpno_layout_create(g->ctx, g->pde, g->settings, &r->layout));
    const int64_t n = r->common->n_threads > 0 ? r->common->n_threads : g->ctx->n_threads;
    r->n_workers = (int)(n < r->common->n_samples ? n : r->common->n_samples);
    const int64_t share = (r->common->n_samples + r->n_workers - 1) / r->n_workers;
    r->n_buffers = share < g->pde->lanes ? (int)share : g->pde->lanes;
    r->n_lanes = r->n_buffers;
    MPNO_TRY(allocate(r)); /* before the file: what cannot run leaves none */
    if (!exists) MPNO_TRY(create_file(r));
    r->created = !exists;
    return open_file(r);
}

mpno_status mpno_generator_run(mpno_generator *generator, const char *path, bool resume,
                               const mpno_sink *sink, char **json) {
    run r = {
        .generator = generator, .path = path, .sink = sink, .fd = -1, .counting = ATOMIC_FLAG_INIT};
    if (json) *json = NULL;
    const double started = mpno_seconds();
    mpno_status status = begin(&r, resume);
    if (status == MPNO_OK && r.done == r.common->n_samples && sink) {
        sink->write(sink->user, "nothing is left to do: all samples are complete\n");
    }
    if (status == MPNO_OK) status = make_all(&r);
    if (status == MPNO_OK && json) status = summarize(&r, mpno_seconds() - started, json);
    if (status != MPNO_OK && status != MPNO_E_STOPPED && r.created && r.done == 0) {
        (void)unlink(path); /* nothing is in it, and it would be in the way */
    }
    release(&r);
    return status;
}
