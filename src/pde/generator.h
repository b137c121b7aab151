/* SPDX-License-Identifier: MIT
 * Inside of a generator. */
#ifndef MPNO_PDE_GENERATOR_H
#define MPNO_PDE_GENERATOR_H

#include "mpno/generate.h"
#include "pde/pde.h"

struct mpno_generator {
    mpno_ctx *ctx;
    const mpno_pde *pde;
    void *settings; /* owned; begins with mpno_pde_common */
    char **given;   /* owned: the text that was set for each field, NULL: none */
};

#endif
