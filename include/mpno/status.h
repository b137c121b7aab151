/* SPDX-License-Identifier: MIT
 * Status codes. Every function that can fail returns one; the sentence that says what happened and
 * what to do is kept in the context (`mpno_ctx_error`). MPNO_OK is zero. */
#ifndef MPNO_STATUS_H
#define MPNO_STATUS_H

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define MPNO_WARN_UNUSED __attribute__((warn_unused_result))
#define MPNO_API __attribute__((visibility("default")))
#else
#define MPNO_WARN_UNUSED
#define MPNO_API
#endif

#define MPNO_STATUS_LIST(X)                                      \
    X(OK, "no error")                                            \
    X(E_ARGUMENT, "an argument is not valid")                    \
    X(E_CONFIG, "a configuration key or value is not valid")     \
    X(E_MEMORY, "out of memory")                                 \
    X(E_IO, "a file could not be read or written")               \
    X(E_FORMAT, "a file does not hold what its format promises") \
    X(E_SHAPE, "shapes do not fit together")                     \
    X(E_NUMERIC, "a value is not finite")                        \
    X(E_UNSUPPORTED, "this build cannot do that")                \
    X(E_STOPPED, "stopped on request")

typedef enum mpno_status {
#define MPNO_STATUS_ENUM(name, text) MPNO_##name,
    MPNO_STATUS_LIST(MPNO_STATUS_ENUM)
#undef MPNO_STATUS_ENUM
        MPNO_STATUS_COUNT
} mpno_status;

/* One short text per code, never NULL. */
MPNO_API const char *mpno_status_text(mpno_status status);

#ifdef __cplusplus
}
#endif

#endif
