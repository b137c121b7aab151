/* SPDX-License-Identifier: MIT
 * SHA-256 by OpenSSL: see sha256.h. */
#include "core/sha256.h"

#include <openssl/evp.h>

#include "core/files.h"
#include "core/memory.h"

struct mpno_sha256 {
    mpno_ctx *ctx;
    EVP_MD_CTX *state;
};

/* Fails when memory runs out, and where a policy of the system has switched the algorithm off. */
static mpno_status check(mpno_ctx *ctx, int done) {
    MPNO_CHECK(ctx, done == 1, MPNO_E_UNSUPPORTED,
               "OpenSSL could not compute a SHA-256: see that there is memory and that its "
               "configuration (openssl.cnf) allows the algorithm");
    return MPNO_OK;
}

mpno_status mpno_sha256_start(mpno_ctx *ctx, mpno_sha256 **out) {
    MPNO_TRY(mpno_alloc(ctx, sizeof **out, out));
    (*out)->ctx = ctx;
    (*out)->state = EVP_MD_CTX_new();
    const mpno_status status =
        check(ctx, (*out)->state ? EVP_DigestInit_ex((*out)->state, EVP_sha256(), NULL) : 0);
    if (status != MPNO_OK) mpno_sha256_abandon(out);
    return status;
}

void mpno_sha256_abandon(mpno_sha256 **sum) {
    if (*sum == NULL) return;
    EVP_MD_CTX_free((*sum)->state);
    mpno_free((*sum)->ctx, *sum);
    *sum = NULL;
}

mpno_status mpno_sha256_add(mpno_sha256 *sum, const void *data, size_t bytes) {
    return check(sum->ctx, EVP_DigestUpdate(sum->state, data, bytes));
}

mpno_status mpno_sha256_finish(mpno_sha256 **sum, char out[MPNO_SHA256_TEXT]) {
    static const char digits[] = "0123456789abcdef";
    unsigned char digest[EVP_MAX_MD_SIZE];
    const mpno_status status = check((*sum)->ctx, EVP_DigestFinal_ex((*sum)->state, digest, NULL));
    mpno_sha256_abandon(sum);
    MPNO_TRY(status);
    for (int i = 0; i < 32; i++) {
        out[2 * i] = digits[digest[i] >> 4];
        out[2 * i + 1] = digits[digest[i] & 15];
    }
    out[64] = '\0';
    return MPNO_OK;
}

mpno_status mpno_sha256_of(mpno_ctx *ctx, const void *data, size_t bytes,
                           char out[MPNO_SHA256_TEXT]) {
    mpno_sha256 *sum;
    MPNO_TRY(mpno_sha256_start(ctx, &sum));
    const mpno_status status = mpno_sha256_add(sum, data, bytes);
    if (status == MPNO_OK) return mpno_sha256_finish(&sum, out);
    mpno_sha256_abandon(&sum);
    return status;
}

mpno_status mpno_sha256_of_file(mpno_ctx *ctx, const char *path, int64_t *bytes,
                                char out[MPNO_SHA256_TEXT]) {
    mpno_mapping file;
    MPNO_TRY(mpno_map_open(ctx, path, &file));
    *bytes = (int64_t)file.size;
    const mpno_status status = mpno_sha256_of(ctx, file.data, file.size, out);
    mpno_map_close(&file);
    return status;
}
