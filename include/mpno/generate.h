/* SPDX-License-Identifier: MIT
 * Makes data sets: samples of a random input and the solution of an equation, written to an HDF5 file as they come. Nothing
 * here prints: text goes to the caller's sink. */
#ifndef MPNO_GENERATE_H
#define MPNO_GENERATE_H

#include <stdbool.h>
#include <stddef.h>

#include "mpno/context.h"
#include "mpno/run.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A parameter as the help shows it; domain: its choices or its range, "" for anything of its type. */
typedef struct mpno_parameter {
    const char *name, *type, *initial, *domain, *meaning;
} mpno_parameter;

/* Equations by number; NULL after the last one. What: "name", "summary", "description". */
MPNO_API const char *mpno_equation_text(size_t equation, const char *what);
/* Parameter number `index` of an equation by its name; false: there is none. */
MPNO_API bool mpno_equation_parameter(const char *equation, size_t index, mpno_parameter *out);

/* A data set to be made: an equation and its parameters. One thread at a time. */
typedef struct mpno_generator mpno_generator;
MPNO_API MPNO_WARN_UNUSED mpno_status mpno_generator_create(mpno_ctx *ctx, const char *equation, mpno_generator **out);
/* name: "alpha"; text: "2", "[64, 64]", "64,64". Unknown names: E_CONFIG with "did you mean". */
MPNO_API MPNO_WARN_UNUSED mpno_status mpno_generator_set(mpno_generator *generator, const char *name, const char *text);
MPNO_API void mpno_generator_destroy(mpno_generator **generator); /* accepts NULL and *generator == NULL */

/* Writes the data set to `path`, on all threads. The file opens at any time; samples are in it as soon as its data set
 * "completed" counts them. Without `resume` the file must not exist. With it, a file that was begun goes on after its last
 * counted sample, with its own parameters (those that were set must be equal), and ends with the bytes of a run that was
 * never stopped; where there is no file it starts. *json (may be NULL): one object as text, owned by the caller,
 * mpno_text_free. A stop asked for through the sink: E_STOPPED, to be resumed. */
MPNO_API MPNO_WARN_UNUSED mpno_status mpno_generator_run(mpno_generator *generator, const char *path, bool resume,
                                                         const mpno_sink *sink, char **json);

#ifdef __cplusplus
}
#endif

#endif
