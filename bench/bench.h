/* SPDX-License-Identifier: MIT
 * Sub-commands of mpno-bench. Each takes its own arguments (argv[0] is its name) and returns the
 * exit status. */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

int bench_step(int argc, char **argv);

#endif
