/* SPDX-License-Identifier: MIT
 * The CPUs a process may use: affinity as the system gives it, control groups of both versions and
 * topologies as files under a made-up root, and the number of threads that follows. */
#define _GNU_SOURCE /* sched_setaffinity, nftw */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <ftw.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/cpus.h"

static char root[64];

static int make_root(void **state) {
    (void)state;
    snprintf(root, sizeof root, "/tmp/mpno_cpus_XXXXXX");
    return mkdtemp(root) == NULL;
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *where) {
    (void)info, (void)kind, (void)where;
    return remove(path);
}

static int drop_root(void **state) {
    (void)state;
    return nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* Writes root/path and the folders before it. */
static void put(const char *path, const char *text) {
    char full[512];
    snprintf(full, sizeof full, "%s/%s", root, path);
    for (char *c = full + strlen(root) + 1; (c = strchr(c, '/')) != NULL; *c++ = '/') {
        *c = '\0';
        (void)mkdir(full, 0755);
    }
    FILE *file = fopen(full, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

static void without_groups_nothing_is_limited(void **state) {
    (void)state;
    const mpno_cpus cpus = mpno_cpus_find(root);
    assert_true(cpus.online >= 1 && cpus.affinity >= 1 && cpus.affinity <= cpus.online);
    assert_int_equal(cpus.cpuset, cpus.online);
    assert_int_equal(cpus.quota, 0);
    assert_int_equal(cpus.cores, 0);
}

static void version_2(void **state) {
    (void)state;
    put("proc/self/cgroup", "0::/jobs/a\n");
    assert_int_equal(mpno_cpus_find(root).quota, 0);
    put("sys/fs/cgroup/jobs/a/cpu.max", "max 100000\n");
    put("sys/fs/cgroup/jobs/a/cpuset.cpus.effective", "0-2,5\n");
    assert_int_equal(mpno_cpus_find(root).quota, 0);
    assert_int_equal(mpno_cpus_find(root).cpuset, 4);
    put("sys/fs/cgroup/jobs/cpu.max", "350000 100000\n"); /* of a folder above */
    assert_int_equal(mpno_cpus_find(root).quota, 4);
    put("sys/fs/cgroup/jobs/a/cpu.max", "50000 100000\n");
    assert_int_equal(mpno_cpus_find(root).quota, 1);
    put("sys/fs/cgroup/jobs/a/cpu.max", "800000 100000\n"); /* the one above is less */
    assert_int_equal(mpno_cpus_find(root).quota, 4);
}

/* In a container the path is the host's and the mount the container's. */
static void version_2_in_a_container(void **state) {
    (void)state;
    put("proc/self/cgroup", "0::/../../docker/0123\n");
    put("sys/fs/cgroup/cpu.max", "200000 100000\n");
    assert_int_equal(mpno_cpus_find(root).quota, 2);
}

static void version_1(void **state) {
    (void)state;
    put("proc/self/cgroup", "9:name=systemd:/x\n5:cpuset:/x\n3:cpu,cpuacct:/x/y\n1:cpuacct:/z\n");
    put("sys/fs/cgroup/cpu,cpuacct/x/y/cpu.cfs_quota_us", "-1\n");
    put("sys/fs/cgroup/cpu,cpuacct/x/y/cpu.cfs_period_us", "100000\n");
    put("sys/fs/cgroup/cpuacct/z/cpu.cfs_quota_us", "100000\n"); /* of another controller */
    put("sys/fs/cgroup/cpuacct/z/cpu.cfs_period_us", "100000\n");
    assert_int_equal(mpno_cpus_find(root).quota, 0);
    put("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "250000\n");
    put("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n");
    assert_int_equal(mpno_cpus_find(root).quota, 3);
    put("sys/fs/cgroup/cpu/x/y/cpu.cfs_quota_us", "150000\n"); /* the usual link */
    put("sys/fs/cgroup/cpu/x/y/cpu.cfs_period_us", "100000\n");
    assert_int_equal(mpno_cpus_find(root).quota, 2);
    put("sys/fs/cgroup/cpuset/x/cpuset.cpus", "1\n");
    assert_int_equal(mpno_cpus_find(root).cpuset, 1);
}

static void damaged_files_limit_nothing(void **state) {
    (void)state;
    const char *const lists[] = {"", "a", "3-1", "0-", "-4", "1;2", "0-99999999999999999999"};
    put("proc/self/cgroup", "no colon\n0:\n0::/a\n");
    const int online = mpno_cpus_find(root).online;
    const char *const quotas[] = {"", "max", "0 0", "100000", "-5 100000", "5 -1"};
    for (size_t i = 0; i < sizeof quotas / sizeof quotas[0]; i++) {
        put("sys/fs/cgroup/a/cpu.max", quotas[i]);
        assert_int_equal(mpno_cpus_find(root).quota, 0);
    }
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        put("sys/fs/cgroup/a/cpuset.cpus.effective", lists[i]);
        assert_int_equal(mpno_cpus_find(root).cpuset, online);
    }
}

static void hardware_threads_of_a_core_count_once(void **state) {
    (void)state;
    cpu_set_t before;
    int n = 0;
    assert_int_equal(sched_getaffinity(0, sizeof before, &before), 0);
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        char path[128], list[32];
        if (!CPU_ISSET(cpu, &before)) continue;
        n++;
        snprintf(path, sizeof path, "sys/devices/system/cpu/cpu%d/topology/thread_siblings_list",
                 cpu);
        snprintf(list, sizeof list, "%d-%d\n", cpu / 2 * 2, cpu / 2 * 2 + 1);
        put(path, list);
    }
    const int cores = mpno_cpus_find(root).cores;
    assert_true(cores >= (n + 1) / 2 && cores <= n);
    if (n == 2 && CPU_ISSET(0, &before) && CPU_ISSET(1, &before)) assert_int_equal(cores, 1);
}

static void affinity_is_followed(void **state) {
    (void)state;
    cpu_set_t before, one;
    const char *why;
    assert_int_equal(sched_getaffinity(0, sizeof before, &before), 0);
    assert_int_equal(mpno_cpus_find("").affinity, CPU_COUNT(&before));
    CPU_ZERO(&one);
    int cpu = 0;
    while (!CPU_ISSET(cpu, &before)) cpu++;
    CPU_SET(cpu, &one);
    assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
    const mpno_cpus cpus = mpno_cpus_find("");
    assert_int_equal(sched_setaffinity(0, sizeof before, &before), 0);
    assert_int_equal(cpus.affinity, 1);
    assert_int_equal(mpno_cpus_threads(&cpus, (mpno_cpus_wish){0}, &why), 1);
}

static void threads_follow_the_least_limit(void **state) {
    (void)state;
    static const struct {
        mpno_cpus cpus; /* online, cpuset, affinity, cores, quota */
        mpno_cpus_wish wish;
        int threads;
        const char *why;
    } cases[] = {
        {{8, 8, 8, 4, 0}, {0, 0}, 8, "the CPUs of the machine"},
        {{8, 6, 6, 3, 0}, {0, 0}, 6, "the cpuset"},
        {{8, 8, 3, 2, 0}, {0, 0}, 3, "the affinity mask"},
        {{8, 8, 8, 4, 2}, {0, 0}, 2, "quota"},
        {{8, 8, 8, 4, 20}, {0, 0}, 8, "the CPUs of the machine"},
        {{8, 8, 8, 4, 0}, {3, 0}, 3, "batch system"},
        {{8, 8, 8, 4, 0}, {30, 0}, 8, "the CPUs of the machine"},
        {{8, 8, 8, 4, 0}, {0, 1}, 8, "the CPUs of the machine"},
        {{8, 8, 8, 4, 0}, {0, 3}, 2, "a share"},  /* nobody bound the processes */
        {{8, 8, 2, 1, 0}, {0, 4}, 2, "affinity"}, /* the launcher did */
        {{8, 6, 6, 3, 0}, {0, 2}, 3, "a share"},  /* a cpuset of the whole job binds nobody */
        {{8, 8, 8, 4, 4}, {0, 2}, 2, "a share"},  /* and all draw on one quota */
        {{8, 8, 8, 4, 0}, {0, 100}, 1, "a share"},
        {{8, 8, 8, 4, 0}, {1, 2}, 1, "batch system"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *why = NULL;
        assert_int_equal(mpno_cpus_threads(&cases[i].cpus, cases[i].wish, &why), cases[i].threads);
        if (!strstr(why, cases[i].why)) fail_msg("case %zu: %s", i, why);
    }
}

#define IN_ROOT(test) cmocka_unit_test_setup_teardown(test, make_root, drop_root)

int main(void) {
    const struct CMUnitTest tests[] = {
        IN_ROOT(without_groups_nothing_is_limited),
        IN_ROOT(version_2),
        IN_ROOT(version_2_in_a_container),
        IN_ROOT(version_1),
        IN_ROOT(damaged_files_limit_nothing),
        IN_ROOT(hardware_threads_of_a_core_count_once),
        cmocka_unit_test(affinity_is_followed),
        cmocka_unit_test(threads_follow_the_least_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
