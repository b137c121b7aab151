/* SPDX-License-Identifier: MIT
 * CPU features by CPUID (and XGETBV: the system must save the wide registers), CPUs by affinity and
 * cgroup quota. Anything that cannot be found out is taken as absent: portable kernels, every CPU
 * of the affinity mask. */
#define _GNU_SOURCE /* sched_getaffinity, CPU_COUNT */
#include "core/cpu.h"

#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#endif

static const char *const isa_names[MPNO_ISA_COUNT] = {
    [MPNO_ISA_PORTABLE] = "portable", [MPNO_ISA_AVX2] = "avx2", [MPNO_ISA_AVX512] = "avx512"};

const char *mpno_isa_name(mpno_isa isa) {
    return (int)isa >= 0 && isa < MPNO_ISA_COUNT ? isa_names[isa] : "unknown";
}

bool mpno_isa_parse(const char *name, mpno_isa *out) {
    for (int i = 0; i < MPNO_ISA_COUNT; i++) {
        if (strcmp(name, isa_names[i]) == 0) {
            *out = (mpno_isa)i;
            return true;
        }
    }
    return false;
}

typedef struct cpu_facts {
    mpno_isa best;
    char model[64];
} cpu_facts;

static cpu_facts facts = {MPNO_ISA_PORTABLE, ""};
static pthread_once_t facts_once = PTHREAD_ONCE_INIT;

#if defined(__x86_64__) || defined(__i386__)
static bool all_set(unsigned value, unsigned bits) {
    return (value & bits) == bits;
}

/* XCR0: which register files the system saves. Only called when CPUID says that XGETBV exists. */
static unsigned saved_registers(void) {
    unsigned low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
}

static mpno_isa find_isa(void) {
    const unsigned ymm = 0x6,
                   zmm = 0xe6; /* XCR0: SSE + AVX; and the three parts of AVX-512 state */
    unsigned a, b, c, d;
    if (__get_cpuid(1, &a, &b, &c, &d) == 0) return MPNO_ISA_PORTABLE;
    if (!all_set(c, bit_OSXSAVE | bit_AVX | bit_FMA | bit_F16C)) return MPNO_ISA_PORTABLE;
    unsigned saved = saved_registers();
    if (!all_set(saved, ymm)) return MPNO_ISA_PORTABLE;
    if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0) return MPNO_ISA_PORTABLE;
    if (!all_set(b, bit_AVX2)) return MPNO_ISA_PORTABLE;
    if (!all_set(saved, zmm)) return MPNO_ISA_AVX2;
    if (!all_set(b, bit_AVX512F | bit_AVX512BW | bit_AVX512DQ | bit_AVX512VL)) return MPNO_ISA_AVX2;
    return MPNO_ISA_AVX512;
}

static void find_model(char model[64]) {
    char brand[49] = "";
    for (unsigned i = 0; i < 3; i++) {
        unsigned word[4];
        if (__get_cpuid(0x80000002u + i, &word[0], &word[1], &word[2], &word[3]) == 0) return;
        memcpy(brand + 16 * i, word, sizeof word);
    }
    const char *start = brand + strspn(brand, " "); /* some vendors pad on the left */
    (void)snprintf(model, 64, "%s", start);
    for (size_t n = strlen(model); n > 0 && model[n - 1] == ' '; n--) model[n - 1] = '\0';
}

static void find_facts(void) {
    facts.best = find_isa();
    find_model(facts.model);
}
#else
static void find_facts(void) {}
#endif

mpno_isa mpno_cpu_best_isa(void) {
    (void)pthread_once(&facts_once, find_facts);
    return facts.best;
}

const char *mpno_cpu_model(void) {
    (void)pthread_once(&facts_once, find_facts);
    return facts.model;
}

/* First line of a small file of the system; false when there is none. */
static bool read_line(const char *path, char *out, int capacity) {
    FILE *file = fopen(path, "r");
    if (file == NULL) return false;
    bool found = fgets(out, capacity, file) != NULL;
    (void)fclose(file);
    return found;
}

/* CPUs granted by one cgroup folder, rounded up; 0: no limit there. */
static int quota_of_folder(const char *folder, bool v2) {
    char path[640], text[64];
    long long quota = 0, period = 0;
    if (v2) {
        (void)snprintf(path, sizeof path, "%s/cpu.max",
                       folder); /* "QUOTA PERIOD" or "max PERIOD" */
        if (!read_line(path, text, sizeof text)) return 0;
        if (sscanf(text, "%lld %lld", &quota, &period) != 2) return 0;
    } else {
        (void)snprintf(path, sizeof path, "%s/cpu.cfs_quota_us", folder);
        if (!read_line(path, text, sizeof text) || sscanf(text, "%lld", &quota) != 1) return 0;
        (void)snprintf(path, sizeof path, "%s/cpu.cfs_period_us", folder);
        if (!read_line(path, text, sizeof text) || sscanf(text, "%lld", &period) != 1) return 0;
    }
    if (quota <= 0 || period <= 0) return 0;
    long long cpus = (quota + period - 1) / period;
    return cpus > 4096 ? 4096 : (int)cpus;
}

/* A limit may stand on any folder between the process' own and the root of the hierarchy: take the
 * smallest. */
static int quota_of_hierarchy(const char *root, const char *group, bool v2) {
    char folder[512];
    int least = 0;
    int length = snprintf(folder, sizeof folder, "%s%s", root, group);
    if (length < 0 || (size_t)length >= sizeof folder) return 0;
    size_t root_length = strlen(root);
    for (;;) {
        int cpus = quota_of_folder(folder, v2);
        if (cpus > 0 && (least == 0 || cpus < least)) least = cpus;
        char *slash = strrchr(folder, '/');
        if (slash == NULL || strlen(folder) <= root_length) return least;
        *slash = '\0';
    }
}

/* True when "cpu" is one of the comma-separated names. */
static bool lists_cpu(const char *controllers) {
    for (const char *name = controllers; *name != '\0';) {
        size_t n = strcspn(name, ",");
        if (n == 3 && strncmp(name, "cpu", 3) == 0) return true;
        name += n + (name[n] == ',');
    }
    return false;
}

/* Lines of /proc/self/cgroup are ID:CONTROLLERS:PATH; version 2 has id 0 and no controllers. 0: no
 * limit. */
static int cgroup_cpus(void) {
    FILE *file = fopen("/proc/self/cgroup", "r");
    if (file == NULL) return 0;
    char line[512];
    int least = 0;
    while (fgets(line, sizeof line, file) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        char *controllers = strchr(line, ':');
        char *group = controllers != NULL ? strchr(controllers + 1, ':') : NULL;
        if (group == NULL) continue;
        *controllers++ = '\0';
        *group++ = '\0';
        bool v2 = strcmp(line, "0") == 0 && *controllers == '\0';
        if (!v2 && !lists_cpu(controllers)) continue;
        int cpus = quota_of_hierarchy(v2 ? "/sys/fs/cgroup" : "/sys/fs/cgroup/cpu", group, v2);
        if (cpus > 0 && (least == 0 || cpus < least)) least = cpus;
    }
    (void)fclose(file);
    return least;
}

int mpno_cpu_count(void) {
    int count = 0;
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0) count = CPU_COUNT(&set);
    if (count <= 0) count = (int)sysconf(_SC_NPROCESSORS_ONLN);
    int quota = cgroup_cpus();
    if (quota > 0 && quota < count) count = quota;
    return count > 0 ? count : 1;
}
