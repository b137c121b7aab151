/* SPDX-License-Identifier: MIT
 * mpno-bench: times what mpno does, in the terms of the scripts that time its peers. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"

static const char usage[] =
    "usage: mpno-bench step CASE [--precision POLICY] [--format f16|bf16] [--forward]\n"
    "                  [--threads N] [--steps N] [--isa NAME] [--json]\n"
    "\n"
    "Times one training step (or forward pass) on random data and measures its memory above\n"
    "that of weights and batch. Cases:\n"
    "  darcy16    2-D, modes 8x8, 24 channels, 4 layers, 16x16, batch 64\n"
    "  ns128-m16  2-D, modes 16x16, 64 channels, 4 layers, group norm, 128x128, batch 8\n"
    "  ns128-m64  the same with modes 64x64\n"
    "  fno3d      3-D, modes 16x16x16, 32 channels, 4 layers, 64x64x64, batch 1\n"
    "  fno1d      1-D, modes 32, 64 channels, 4 layers, 1024 points, batch 64\n";

int main(int argc, char **argv) {
    /* As the program mpno: waiting threads sleep unless the user says otherwise (reason in
     * cli/main.c). */
    if (getenv("OMP_WAIT_POLICY") == NULL && setenv("OMP_WAIT_POLICY", "passive", 1) == 0)
        execv("/proc/self/exe", argv);
    if (argc >= 2 && strcmp(argv[1], "step") == 0) return bench_step(argc - 1, argv + 1);
    const int asked = argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0);
    fputs(usage, asked ? stdout : stderr);
    return asked ? 0 : 2;
}
