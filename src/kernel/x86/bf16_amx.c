/* SPDX-License-Identifier: MIT
 * bf16 products by AMX: 8 tile registers. 4 hold the left operand where it is at most two tiles
 * deep; else 4 are sums (2 x 2), so that 4 loads serve 4 products.
 * The instructions are written out with what they read and write, because the intrinsics of gcc 12
 * do not tell the compiler about memory. Subnormal numbers count as 0; the sums of a tile's even
 * and of its odd terms are formed apart. */
#include "kernel/bf16_tables.h"

#if MPNO_KERNELS_X86 && defined(MPNO_HAVE_AMX_BF16)
#include <immintrin.h>
#include <string.h>

#include "kernel/tmpl/bf16_block.h"

/* Loading sums into tiles takes longer than adding them later; tiles are stored whole. */
enum { TAKES_START = 0, TAKES_PART = 0 };

typedef struct tile_config {
    _Alignas(64) uint8_t bytes[64];
} tile_config;

/* Palette 1, eight registers of 16 rows of 64 bytes. */
static const tile_config whole_tiles = {{1,  0, 0,  0, 0,  0, 0,  0,  0,  0,  0,  0,  0,  0,
                                         0,  0, 64, 0, 64, 0, 64, 0,  64, 0,  64, 0,  64, 0,
                                         64, 0, 64, 0, 0,  0, 0,  0,  0,  0,  0,  0,  0,  0,
                                         0,  0, 0,  0, 0,  0, 16, 16, 16, 16, 16, 16, 16, 16}};

/* Asking is ten times faster than configuring. The configuration is left in place: nobody may rely
 * on it across a call. */
static inline void begin_products(void) {
    tile_config now;
    __asm__ volatile("sttilecfg %0" : "=m"(now));
    if (memcmp(&now, &whole_tiles, sizeof now) != 0)
        __asm__ volatile("ldtilecfg %0" ::"m"(whole_tiles));
}

#define TILE_ZERO(t) __asm__ volatile("tilezero %%tmm" #t ::)
#define TILE_LOAD(t, p, bytes) \
    __asm__ volatile("tileloadd (%0,%1,1), %%tmm" #t ::"r"(p), "r"((int64_t)(bytes)) : "memory")
#define TILE_STORE(t, p, bytes)                                                          \
    __asm__ volatile("tilestored %%tmm" #t ", (%0,%1,1)" ::"r"(p), "r"((int64_t)(bytes)) \
                     : "memor"                                                           \
                       "y")
#define TILE_PRODUCT(c, a, b) __asm__ volatile("tdpbf16ps %%tmm" #b ", %%tmm" #a ", %%tmm" #c ::)

enum { TILE_BYTES = 64, TILE_ELEMENTS = 16 * 32 };

/* At most two tiles deep: the left tiles stay in registers for all columns. Loading a tile takes
 * longer than multiplying one. */
KERNEL_INLINE void multiply_kept(const int rows, const int depth, const bf16_block *x) {
    const int64_t row = x->ldc * (int64_t)sizeof(float);
    TILE_LOAD(4, x->a, TILE_BYTES);
    if (rows > 1) TILE_LOAD(5, x->a + x->a_strip, TILE_BYTES);
    if (depth > 1) TILE_LOAD(6, x->a + TILE_ELEMENTS, TILE_BYTES);
    if (depth > 1 && rows > 1) TILE_LOAD(7, x->a + x->a_strip + TILE_ELEMENTS, TILE_BYTES);
    const uint16_t *b = x->b;
    float *c = x->c;
    for (int64_t j = 0; j < x->cols; j++, b += x->b_strip, c += 16) {
        TILE_ZERO(0);
        if (rows > 1) TILE_ZERO(1);
        TILE_LOAD(2, b, TILE_BYTES);
        TILE_PRODUCT(0, 4, 2);
        if (rows > 1) TILE_PRODUCT(1, 5, 2);
        if (depth > 1) TILE_LOAD(3, b + TILE_ELEMENTS, TILE_BYTES);
        if (depth > 1) TILE_PRODUCT(0, 6, 3);
        if (depth > 1 && rows > 1) TILE_PRODUCT(1, 7, 3);
        TILE_STORE(0, c, row);
        if (rows > 1) TILE_STORE(1, c + 16 * x->ldc, row);
    }
}

/* Any depth: 1 or 2 strips of each operand. */
KERNEL_INLINE void multiply_deep(const int rows, const int cols, const bf16_block *x,
                                 const uint16_t *b, float *c) {
    const int64_t row = x->ldc * (int64_t)sizeof(float);
    TILE_ZERO(0);
    if (cols > 1) TILE_ZERO(1);
    if (rows > 1) TILE_ZERO(2);
    if (rows > 1 && cols > 1) TILE_ZERO(3);
    const uint16_t *a = x->a;
    for (int64_t t = 0; t < x->depth; t++, a += TILE_ELEMENTS, b += TILE_ELEMENTS) {
        TILE_LOAD(4, a, TILE_BYTES);
        TILE_LOAD(6, b, TILE_BYTES);
        TILE_PRODUCT(0, 4, 6);
        if (cols > 1) TILE_LOAD(7, b + x->b_strip, TILE_BYTES);
        if (cols > 1) TILE_PRODUCT(1, 4, 7);
        if (rows > 1) TILE_LOAD(5, a + x->a_strip, TILE_BYTES);
        if (rows > 1) TILE_PRODUCT(2, 5, 6);
        if (rows > 1 && cols > 1) TILE_PRODUCT(3, 5, 7);
    }
    TILE_STORE(0, c, row);
    if (cols > 1) TILE_STORE(1, c + 16, row);
    if (rows > 1) TILE_STORE(2, c + 16 * x->ldc, row);
    if (rows > 1 && cols > 1) TILE_STORE(3, c + 16 * x->ldc + 16, row);
}

KERNEL_INLINE void multiply_block(const int rows, const bf16_block *x) {
    if (x->depth == 1) {
        multiply_kept(rows, 1, x);
    } else if (x->depth == 2) {
        multiply_kept(rows, 2, x);
    } else {
        int64_t j = 0;
        for (; j + 2 <= x->cols; j += 2)
            multiply_deep(rows, 2, x, x->b + j * x->b_strip, x->c + j * 16);
        if (j < x->cols) multiply_deep(rows, 1, x, x->b + j * x->b_strip, x->c + j * 16);
    }
}

#include "kernel/tmpl/bf16_functions.h"
#include "kernel/tmpl/bf16_pairs.h"

const mpno_bf16_kernels mpno_bf16_amx = {MPNO_ISA_AMX_BF16, true,  pack,     gemm, gemm_tn, gelu,
                                         gelu_grad,         tanh_, tanh_grad};
#endif
