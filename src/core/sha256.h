/* SPDX-License-Identifier: MIT
 * SHA-256 (FIPS 180-4), by OpenSSL's libcrypto: a checksum that holds against forgers too. That of
 * "abc" is ba7816bf 8f01cfea 414140de 5dae2223 b00361a3 96177a9c b410ff61 f20015ad. */
#ifndef MPNO_CORE_SHA256_H
#define MPNO_CORE_SHA256_H

#include <stdint.h>

#include "core/context.h"

enum { MPNO_SHA256_TEXT = 65 }; /* 64 digits of lower-case hexadecimals and a zero byte */

/* One thread at a time. What the library below keeps for it is not counted in the context. */
typedef struct mpno_sha256 mpno_sha256;
MPNO_WARN_UNUSED mpno_status mpno_sha256_start(mpno_ctx *ctx, mpno_sha256 **out);
MPNO_WARN_UNUSED mpno_status mpno_sha256_add(mpno_sha256 *sum, const void *data, size_t bytes);
/* The sum of all bytes added; destroys it in any case. */
MPNO_WARN_UNUSED mpno_status mpno_sha256_finish(mpno_sha256 **sum, char out[MPNO_SHA256_TEXT]);
void mpno_sha256_abandon(mpno_sha256 **sum); /* accepts *sum == NULL */

MPNO_WARN_UNUSED mpno_status mpno_sha256_of(mpno_ctx *ctx, const void *data, size_t bytes,
                                            char out[MPNO_SHA256_TEXT]);
MPNO_WARN_UNUSED mpno_status mpno_sha256_of_file(mpno_ctx *ctx, const char *path, int64_t *bytes,
                                                 char out[MPNO_SHA256_TEXT]);

#endif
