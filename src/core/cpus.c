/* SPDX-License-Identifier: MIT
 * CPUs by affinity, by the cpuset and the quota of control groups (versions 1 and 2), cores by the
 * system's topology. Sources: sched_getaffinity(2), cgroups(7), and the kernel's admin-guide
 * cgroup-v1/cpusets, cgroup-v2, cputopology. */
#define _GNU_SOURCE /* sched_getaffinity, CPU_COUNT_S */
#include "core/cpus.h"

#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_CPUS = 8192, LINE = 4096 };

/* The three texts one after the other; false when they do not fit. */
static bool join(char out[LINE], const char *a, const char *b, const char *c) {
    const int length = snprintf(out, LINE, "%s%s%s", a, b, c);
    return length >= 0 && length < LINE;
}

/* First line of a small file of the system, without its end; false when there is none. */
static bool read_line(const char *folder, const char *name, char *out, int capacity) {
    char path[LINE];
    FILE *file = join(path, folder, "/", name) ? fopen(path, "r") : NULL;
    if (file == NULL) return false;
    const bool found = fgets(out, capacity, file) != NULL;
    (void)fclose(file);
    if (found) out[strcspn(out, "\n")] = '\0';
    return found;
}

/* ---- control groups ---- */

/* One limit as it stands in a group's folder; 0: none there. */
typedef int (*limit_of_folder)(const char *folder);

static int cpus_of_quota(long long quota, long long period) {
    if (quota <= 0 || period <= 0) return 0;
    const long long cpus = quota / period + (quota % period != 0);
    return cpus > MAX_CPUS ? MAX_CPUS : (int)cpus;
}

/* Version 2: "QUOTA PERIOD" or "max PERIOD". */
static int quota_v2(const char *folder) {
    char text[64];
    long long quota = 0, period = 0;
    if (!read_line(folder, "cpu.max", text, sizeof text)) return 0;
    if (sscanf(text, "%lld %lld", &quota, &period) != 2) return 0;
    return cpus_of_quota(quota, period);
}

static int quota_v1(const char *folder) {
    char quota[64], period[64];
    if (!read_line(folder, "cpu.cfs_quota_us", quota, sizeof quota)) return 0;
    if (!read_line(folder, "cpu.cfs_period_us", period, sizeof period)) return 0;
    return cpus_of_quota(atoll(quota), atoll(period));
}

/* CPUs in a list such as "0-3,8,10-11"; 0: not a list. */
static int count_list(const char *list) {
    long long count = 0;
    while (*list != '\0') {
        char *end;
        const long long first = strtoll(list, &end, 10);
        if (end == list || first < 0) return 0;
        long long last = first;
        if (*end == '-') {
            list = end + 1;
            last = strtoll(list, &end, 10);
            if (end == list || last < first) return 0;
        }
        if (last - first >= MAX_CPUS) return 0;
        count += last - first + 1;
        if (count > MAX_CPUS || (*end != '\0' && *end != ',')) return 0;
        list = end + (*end == ',');
    }
    return (int)count;
}

static int count_file(const char *folder, const char *name) {
    char list[LINE];
    return read_line(folder, name, list, sizeof list) ? count_list(list) : 0;
}

static int cpuset_v2(const char *folder) {
    return count_file(folder, "cpuset.cpus.effective");
}

static int cpuset_v1(const char *folder) {
    const int count = count_file(folder, "cpuset.effective_cpus");
    return count > 0 ? count : count_file(folder, "cpuset.cpus");
}

static int smaller(int a, int b) {
    return a > 0 && (b == 0 || a < b) ? a : b;
}

/* A limit may stand on any folder between the process' own and the root of the hierarchy: the
 * smallest counts. In a container the path may name folders that are not visible; the root is the
 * container's own then. */
static int least_of(const char *mount, const char *group, limit_of_folder limit) {
    char folder[LINE];
    int least = 0;
    if (!join(folder, mount, group, "")) return 0;
    const size_t stop = strlen(mount);
    for (;;) {
        least = smaller(limit(folder), least);
        char *slash = strrchr(folder, '/');
        if (slash == NULL || strlen(folder) <= stop) return least;
        *slash = '\0';
    }
}

/* True when `wanted` is one of the comma-separated names. */
static bool lists(const char *names, const char *wanted) {
    const size_t length = strlen(wanted);
    while (*names != '\0') {
        const size_t n = strcspn(names, ",");
        if (n == length && strncmp(names, wanted, n) == 0) return true;
        names += n + (names[n] == ',');
    }
    return false;
}

/* Version 1 mounts a folder per set of controllers, under their names: "cpu,cpuacct" as a rule
 * with a link "cpu" beside it. */
static int least_v1(const char *root, const char *controllers, const char *wanted,
                    const char *group, limit_of_folder limit) {
    char mount[LINE];
    if (!lists(controllers, wanted)) return 0;
    const int found =
        join(mount, root, "/sys/fs/cgroup/", wanted) ? least_of(mount, group, limit) : 0;
    if (found > 0 || !join(mount, root, "/sys/fs/cgroup/", controllers)) return found;
    return least_of(mount, group, limit);
}

/* Lines of /proc/self/cgroup are ID:CONTROLLERS:PATH; version 2 has id 0 and no controllers. */
static void find_group(const char *root, mpno_cpus *cpus) {
    char path[LINE], line[LINE], mount[LINE];
    int cpuset = 0;
    if (!join(path, root, "/proc/self/cgroup", "") || !join(mount, root, "/sys/fs/cgroup", ""))
        return;
    FILE *file = fopen(path, "r");
    if (file == NULL) return;
    while (fgets(line, sizeof line, file) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        char *controllers = strchr(line, ':');
        char *group = controllers != NULL ? strchr(controllers + 1, ':') : NULL;
        if (group == NULL) continue;
        *controllers++ = '\0';
        *group++ = '\0';
        if (strcmp(line, "0") == 0 && *controllers == '\0') {
            cpus->quota = smaller(least_of(mount, group, quota_v2), cpus->quota);
            cpuset = smaller(least_of(mount, group, cpuset_v2), cpuset);
        } else {
            cpus->quota = smaller(least_v1(root, controllers, "cpu", group, quota_v1), cpus->quota);
            cpuset = smaller(least_v1(root, controllers, "cpuset", group, cpuset_v1), cpuset);
        }
    }
    (void)fclose(file);
    if (cpuset > 0) cpus->cpuset = cpuset;
}

/* ---- affinity and cores ---- */

typedef union cpu_mask {
    cpu_set_t set;
    unsigned char bytes[MAX_CPUS / 8];
} cpu_mask;

/* A core counts once, for the first CPU of its list of hardware threads. */
static int count_cores(const char *root, const cpu_mask *mask) {
    cpu_mask seen;
    int cores = 0;
    memset(&seen, 0, sizeof seen);
    for (int cpu = 0; cpu < MAX_CPUS; cpu++) {
        char name[128], list[LINE];
        if (!CPU_ISSET_S((size_t)cpu, sizeof *mask, &mask->set)) continue;
        (void)snprintf(name, sizeof name,
                       "sys/devices/system/cpu/cpu%d/topology/thread_siblings_list", cpu);
        if (!read_line(root, name, list, sizeof list)) return 0;
        const long first = strtol(list, NULL, 10);
        if (first < 0 || first >= MAX_CPUS) return 0;
        if (CPU_ISSET_S((size_t)first, sizeof seen, &seen.set)) continue;
        CPU_SET_S((size_t)first, sizeof seen, &seen.set);
        cores++;
    }
    return cores;
}

mpno_cpus mpno_cpus_find(const char *root) {
    const long online = sysconf(_SC_NPROCESSORS_ONLN);
    mpno_cpus cpus = {.online = online > 0 ? (int)online : 1};
    cpu_mask mask;
    memset(&mask, 0, sizeof mask);
    cpus.cpuset = cpus.affinity = cpus.online;
    if (sched_getaffinity(0, sizeof mask, &mask.set) == 0) {
        cpus.affinity = CPU_COUNT_S(sizeof mask, &mask.set);
        cpus.cores = count_cores(root, &mask);
    }
    find_group(root, &cpus);
    return cpus;
}

int mpno_cpus_threads(const mpno_cpus *cpus, mpno_cpus_wish wish, const char **why) {
    int n = cpus->affinity;
    const bool bound = n < cpus->cpuset;
    *why = bound                         ? "the affinity mask"
           : cpus->cpuset < cpus->online ? "the cpuset of the control group"
                                         : "the CPUs of the machine";
    if (cpus->quota > 0 && cpus->quota < n) {
        n = cpus->quota;
        *why = "the CPU quota of the control group";
    }
    if (wish.sharers > 1 && !bound) {
        n /= wish.sharers;
        *why = "a share of the CPUs for each process of the job";
    }
    if (wish.most > 0 && wish.most < n) {
        n = wish.most;
        *why = "the CPUs that the batch system gave to a task";
    }
    return n > 0 ? n : 1;
}
