/* SPDX-License-Identifier: MIT
 * CPU features by CPUID (and XGETBV: the system must save the wide registers). What cannot be found
 * out is taken as absent: portable kernels. On arm64 Advanced SIMD is part of the machine. */
#include "core/cpu.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#include <sys/syscall.h>
#endif

typedef enum machine { MACHINE_ANY, MACHINE_X86, MACHINE_ARM64 } machine;

#if defined(__x86_64__)
static const machine this_machine = MACHINE_X86;
#elif defined(__aarch64__)
static const machine this_machine = MACHINE_ARM64;
#else
static const machine this_machine = MACHINE_ANY;
#endif

static const struct {
    const char *name, *text;
    machine of;
    bool ran;
} isas[MPNO_ISA_COUNT] = {
#define MPNO_ISA_ROW(id, name, text, machine, ran) {name, text, MACHINE_##machine, ran},
#include "core/isas.def"
#undef MPNO_ISA_ROW
};

static bool is_isa(mpno_isa isa) {
    return (int)isa >= 0 && isa < MPNO_ISA_COUNT;
}

const char *mpno_isa_name(mpno_isa isa) {
    return is_isa(isa) ? isas[isa].name : "unknown";
}

const char *mpno_isa_text(mpno_isa isa) {
    return is_isa(isa) ? isas[isa].text : "";
}

/* cmake/layers.cmake asks the compiler. */
static bool known_to_compiler(mpno_isa isa) {
#ifndef MPNO_HAVE_AVX512_BF16
    if (isa >= MPNO_ISA_AVX512_BF16) return false;
#endif
#ifndef MPNO_HAVE_AMX_BF16
    if (isa >= MPNO_ISA_AMX_BF16) return false;
#endif
    (void)isa;
    return true;
}

bool mpno_isa_compiled(mpno_isa isa) {
    return is_isa(isa) && known_to_compiler(isa) &&
           (isas[isa].of == MACHINE_ANY || isas[isa].of == this_machine);
}

bool mpno_isa_ran(mpno_isa isa) {
    return is_isa(isa) && isas[isa].ran;
}

bool mpno_isa_parse(const char *name, mpno_isa *out) {
    for (int i = 0; i < MPNO_ISA_COUNT; i++) {
        if (strcmp(name, isas[i].name) == 0) {
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
typedef enum leaf_word { LEAF_EAX, LEAF_EBX, LEAF_ECX, LEAF_EDX } leaf_word;

/* What CPUID must say for an instruction set, beside what those before it need. */
static const struct {
    mpno_isa isa;
    unsigned leaf, subleaf;
    leaf_word word;
    unsigned bits;
} needs[] = {
    {MPNO_ISA_AVX2, 1, 0, LEAF_ECX, bit_OSXSAVE | bit_AVX | bit_FMA | bit_F16C},
    {MPNO_ISA_AVX2, 7, 0, LEAF_EBX, bit_AVX2},
    {MPNO_ISA_AVX512, 7, 0, LEAF_EBX, bit_AVX512F | bit_AVX512BW | bit_AVX512DQ | bit_AVX512VL},
    {MPNO_ISA_AVX512_BF16, 7, 1, LEAF_EAX, 1u << 5},
    {MPNO_ISA_AVX512_FP16, 7, 0, LEAF_EDX, 1u << 23},
    {MPNO_ISA_AMX_BF16, 7, 0, LEAF_EDX, 1u << 24 | 1u << 22},
};

/* Which register files the system must save (XCR0): SSE and AVX; and the three of AVX-512; and the
 * two of AMX. */
static unsigned saved_for(mpno_isa isa) {
    if (isa >= MPNO_ISA_AMX_BF16) return 0x600e6;
    return isa >= MPNO_ISA_AVX512 ? 0xe6 : 0x6;
}

static unsigned saved_registers(void) {
    unsigned a, b, c, d, low, high;
    if (__get_cpuid(1, &a, &b, &c, &d) == 0 || (c & bit_OSXSAVE) == 0) return 0; /* no XGETBV */
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
}

/* Linux saves the tile registers only for processes that asked. */
static bool allowed(mpno_isa isa) {
    if (isa != MPNO_ISA_AMX_BF16) return true;
#if defined(__linux__) && defined(SYS_arch_prctl)
    const long request_permission = 0x1023, tile_data = 18;
    return syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
#else
    return false;
#endif
}

static bool runs(mpno_isa isa, unsigned saved) {
    if ((saved & saved_for(isa)) != saved_for(isa)) return false;
    for (size_t i = 0; i < sizeof needs / sizeof needs[0]; i++) {
        unsigned words[4];
        if (needs[i].isa != isa) continue;
        if (__get_cpuid_count(needs[i].leaf, needs[i].subleaf, &words[LEAF_EAX], &words[LEAF_EBX],
                              &words[LEAF_ECX], &words[LEAF_EDX]) == 0)
            return false;
        if ((words[needs[i].word] & needs[i].bits) != needs[i].bits) return false;
    }
    return allowed(isa);
}

static mpno_isa find_isa(void) {
    const unsigned saved = saved_registers();
    mpno_isa best = MPNO_ISA_PORTABLE;
    for (int i = 0; i < MPNO_ISA_COUNT; i++) {
        if (isas[i].of != MACHINE_X86 || this_machine != MACHINE_X86) continue;
        if (!mpno_isa_compiled((mpno_isa)i) || !runs((mpno_isa)i, saved)) break;
        best = (mpno_isa)i;
    }
    return best;
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
static void find_facts(void) {
    for (int i = 0; i < MPNO_ISA_COUNT; i++)
        if (mpno_isa_compiled((mpno_isa)i)) facts.best = (mpno_isa)i;
}
#endif

mpno_isa mpno_cpu_best_isa(void) {
    (void)pthread_once(&facts_once, find_facts);
    return facts.best;
}

const char *mpno_cpu_model(void) {
    (void)pthread_once(&facts_once, find_facts);
    return facts.model;
}

mpno_caches mpno_cpu_caches(void) {
    mpno_caches caches = {{0, 0, 0}};
#if defined(_SC_LEVEL1_DCACHE_SIZE)
    static const int names[] = {_SC_LEVEL1_DCACHE_SIZE, _SC_LEVEL2_CACHE_SIZE,
                                _SC_LEVEL3_CACHE_SIZE};
    for (int i = 0; i < 3; i++) {
        const long bytes = sysconf(names[i]);
        if (bytes > 0) caches.level[i] = (size_t)bytes;
    }
#endif
    return caches;
}
