// Which kernels this machine can run. A processor flag alone is not enough: the operating system must save the wide registers
// too (XGETBV), which __builtin_cpu_supports checks.
#include "../include/CKernels.h"
#include <string.h>
#if defined(__x86_64__)
#include <cpuid.h>
#elif defined(__aarch64__)
#include <sys/auxv.h>
#endif

extern const ck_kernels ck_kernels_scalar;
#if defined(__x86_64__)
extern const ck_kernels ck_kernels_avx512, ck_kernels_avx512bw, ck_kernels_avxvnni, ck_kernels_avxvnni_evex, ck_kernels_avx2;
static int has_avx2(void) { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c"); }
static int has_avx512bw(void) {
    return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512dq");
}
static int has_avx512(void) { return has_avx512bw() && __builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("avx512vnni"); }
// Read from CPUID, leaf 7, subleaf 1: libraries behind __builtin_cpu_supports that are older than the instruction do not know it.
static int has_avxvnni(void) {
    unsigned a, b, c, d;
    return has_avx2() && __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a & 1 << 4);
}
static int has_avxvnni_evex(void) {
    return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vnni");
}
#elif defined(__aarch64__)
extern const ck_kernels ck_kernels_neon;
static int has_neon(void) { return (getauxval(AT_HWCAP) & 1 << 20) != 0; }  // HWCAP_ASIMDDP
#endif
static int always(void) { return 1; }

// In the order of preference. Of two with the same name the first that can run is meant. AVX-512 comes before AVX-VNNI even without
// VNNI of its own: the look-ups of 4-bit codes take more time than the dot products.
static const struct { const ck_kernels *kernels; int (*available)(void); } candidates[] = {
#if defined(__x86_64__)
    {&ck_kernels_avx512, has_avx512},
    {&ck_kernels_avx512bw, has_avx512bw},
    {&ck_kernels_avxvnni, has_avxvnni},
    {&ck_kernels_avxvnni_evex, has_avxvnni_evex},
    {&ck_kernels_avx2, has_avx2},
#elif defined(__aarch64__)
    {&ck_kernels_neon, has_neon},
#endif
    {&ck_kernels_scalar, always},
};
enum { candidate_count = sizeof candidates / sizeof *candidates };

const ck_kernels *ck_find(const char *name) {
    for (int i = 0; i < candidate_count; i++)
        if ((!name || !strcmp(name, candidates[i].kernels->name)) && candidates[i].available()) return candidates[i].kernels;
    return NULL;
}
int ck_names(const char **names, int limit) {
    int count = 0;
    for (int i = 0; i < candidate_count && count < limit; i++)
        if (!count || strcmp(names[count - 1], candidates[i].kernels->name)) names[count++] = candidates[i].kernels->name;
    return count;
}

// See templates/matmul.h. Known by the vendor: both ways have been measured on Intel (Ice Lake) and AMD (Zen 3).
int ck_reads_side_by_side = 0;
#if defined(__x86_64__)
__attribute__((constructor)) static void choose_reading(void) {
    unsigned a, b, c, d;
    ck_reads_side_by_side = __get_cpuid(0, &a, &b, &c, &d) && b == signature_INTEL_ebx;
}
#endif

void ck_prepare_grids(int type, const uint8_t grids[64], ck_grid_tables *tables) {
    const int count = type == CK_Q6 ? 1 : type == CK_Q5 ? 2 : type == CK_Q3 ? 8 : 4, codes = 64 / count;
    memcpy(tables->grids, grids, 64);
    for (int g = 0; g < 2 * count; g++)
        for (int i = 0; i < 128; i++) {
            int best = 0, last = 0, distance = 1000, ties = 0;
            for (int c = 0; c < (type == CK_Q6 ? 32 : codes); c++) {
                int value = type == CK_Q6 ? grids[32 + c] - 128 : grids[codes * (g % count) + c] - 64;
                int d = type == CK_Q6 ? i - value : (i - 64) - (g < count ? value : -value);
                const int size = d < 0 ? -d : d, least = distance < 0 ? -distance : distance;
                if (size == least && d != distance) ties = 1;
                if (size < least) { distance = d; best = c; ties = 0; }
                if (size <= least) last = c;
            }
            tables->residual[g][i] = (uint8_t)(distance + 64);
            // of two values as near, the lower one leaves a positive distance
            const int least = distance < 0 ? -distance : distance;
            tables->residual_down[g][i] = (uint8_t)(64 + (ties ? least : distance));
            tables->residual_up[g][i] = (uint8_t)(64 + (ties ? -least : distance));
            if (g < count) { tables->code[g][i] = (uint8_t)best; tables->code_up[g][i] = (uint8_t)last; }
        }
}

// Eight streams at once: the processor's prefetchers stop at the end of a page, and with one stream the memory then waits too.
uint64_t ck_read_memory(const void *p, int64_t bytes) {
    typedef uint64_t pair __attribute__((vector_size(16), aligned(8)));
    enum { streams = 8, line = 8 };
    const uint64_t *words = p;
    const int64_t count = bytes / 8, part = count / (streams * line) * line;
    pair sum[streams] = {0};
    for (int64_t i = 0; i < part; i += line)
        for (int s = 0; s < streams; s++)
            for (int j = 0; j < line; j += 2) sum[s] += *(const pair *)(words + s * part + i + j);
    uint64_t total = 0;
    for (int s = 0; s < streams; s++) total += sum[s][0] + sum[s][1];
    for (int64_t i = streams * part; i < count; i++) total += words[i];
    return total;
}
