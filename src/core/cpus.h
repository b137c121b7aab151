/* SPDX-License-Identifier: MIT
 * The CPUs that this process may use, and how many threads are a fair share of them. */
#ifndef MPNO_CORE_CPUS_H
#define MPNO_CORE_CPUS_H

typedef struct mpno_cpus {
    int online;   /* of the machine */
    int cpuset;   /* those of the control group; online where it has none */
    int affinity; /* those of the affinity mask */
    int cores;    /* physical cores among these; 0: unknown */
    int quota;    /* CPU time of the control group in CPUs, rounded up; 0: no limit */
} mpno_cpus;

/* root stands before /proc and /sys: "" but in tests. What cannot be found out limits nothing. */
mpno_cpus mpno_cpus_find(const char *root);

/* What the environment of the process asks for; all 0: nothing. */
typedef struct mpno_cpus_wish {
    int most;    /* a batch system gave the process as many CPUs; 0: not said */
    int sharers; /* processes of one job on this machine, this one included; 0: not said */
} mpno_cpus_wish;

/* Threads to use, at least 1: min(affinity, quota, most), shared with the other processes of the
 * job unless somebody bound each to CPUs of its own (an affinity mask smaller than the cpuset).
 * *why: the limit that decides, a few words; static. */
int mpno_cpus_threads(const mpno_cpus *cpus, mpno_cpus_wish wish, const char **why);

#endif
