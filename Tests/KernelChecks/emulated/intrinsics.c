// Compares the emulated intrinsics of avx512.h with the processor's instructions, bit for bit, on random operands and extreme ones. Exit code 1
// if one differs, 2 where the processor does not have them.
#include <cpuid.h>
#include <immintrin.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

typedef struct {
    uint8_t bytes[3][64];
    float finite[3][16];
    __mmask64 mask;
    unsigned count;
} operands;

// Name and result type, then what is done to the operands: a, b, c (bytes of any value), x, y, z (floats of any value: bytes of a, b, c),
// f, g, h (finite floats). Where an operand may be a NaN, the instruction does not leave its choice to the compiler.
#define OPERATIONS(X) \
    X(abs_epi8, __m512i, _mm512_abs_epi8(a)) \
    X(add_epi32, __m512i, _mm512_add_epi32(a, b)) \
    X(sub_epi16, __m512i, _mm512_sub_epi16(a, b)) \
    X(sub_epi32, __m512i, _mm512_sub_epi32(a, b)) \
    X(and_si512, __m512i, _mm512_and_si512(a, b)) \
    X(xor_si512, __m512i, _mm512_xor_si512(a, b)) \
    X(madd_epi16, __m512i, _mm512_madd_epi16(a, b)) \
    X(maddubs_epi16, __m512i, _mm512_maddubs_epi16(a, b)) \
    X(shuffle_epi8, __m512i, _mm512_shuffle_epi8(a, b)) \
    X(slli_epi16, __m512i, _mm512_slli_epi16(a, o->count)) \
    X(slli_epi32, __m512i, _mm512_slli_epi32(a, o->count)) \
    X(srli_epi16, __m512i, _mm512_srli_epi16(a, o->count)) \
    X(mul_ps, __m512, _mm512_mul_ps(f, g)) \
    X(min_ps, __m512, _mm512_min_ps(x, y)) \
    X(max_ps, __m512, _mm512_max_ps(x, y)) \
    X(fmadd_ps, __m512, _mm512_fmadd_ps(f, g, h)) \
    X(loadu_si512, __m512i, _mm512_loadu_si512(o->bytes[0] + 1)) \
    X(loadu_ps, __m512, _mm512_loadu_ps(o->bytes[0] + 1)) \
    X(set1_epi8, __m512i, _mm512_set1_epi8((char)o->mask)) \
    X(set1_epi16, __m512i, _mm512_set1_epi16((short)o->mask)) \
    X(set1_epi32, __m512i, _mm512_set1_epi32((int)o->mask)) \
    X(set1_ps, __m512, _mm512_set1_ps(o->finite[0][0])) \
    X(setzero_si512, __m512i, _mm512_setzero_si512()) \
    X(setzero_ps, __m512, _mm512_setzero_ps()) \
    X(set_epi32, __m512i, _mm512_set_epi32((int)o->count, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, (int)o->mask)) \
    X(broadcast_i32x4, __m512i, _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)o->bytes[0]))) \
    X(castsi512_ps, __m512, _mm512_castsi512_ps(a)) \
    X(cvtepi32_ps, __m512, _mm512_cvtepi32_ps(a)) \
    X(cvtepu8_epi32, __m512i, _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)o->bytes[0]))) \
    X(cvtph_ps, __m512, _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)o->bytes[0]))) \
    X(cvtps_ph, __m256i, _mm512_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)) \
    X(cmpeq_epi8_mask, __mmask64, _mm512_cmpeq_epi8_mask(a, b)) \
    X(movepi8_mask, __mmask64, _mm512_movepi8_mask(a)) \
    X(test_epi8_mask, __mmask64, _mm512_test_epi8_mask(a, b)) \
    X(mask_blend_epi8, __m512i, _mm512_mask_blend_epi8(o->mask, a, b)) \
    X(mask_blend_epi16, __m512i, _mm512_mask_blend_epi16((__mmask32)o->mask, a, b)) \
    X(mask_sub_epi8, __m512i, _mm512_mask_sub_epi8(c, o->mask, a, b)) \
    X(mask_shuffle_epi8, __m512i, _mm512_mask_shuffle_epi8(c, o->mask, a, b)) \
    X(permutexvar_epi8, __m512i, _mm512_permutexvar_epi8(a, b)) \
    X(permutex2var_epi8, __m512i, _mm512_permutex2var_epi8(a, b, c)) \
    X(permutex2var_epi16, __m512i, _mm512_permutex2var_epi16(a, b, c)) \
    X(dpbusd_512, __m512i, _mm512_dpbusd_epi32(a, b, c)) \
    X(dpbusd_256, __m256i, _mm256_dpbusd_epi32(_mm256_loadu_si256((const __m256i *)o->bytes[0]), _mm256_loadu_si256((const __m256i *)o->bytes[1]), \
                                               _mm256_loadu_si256((const __m256i *)o->bytes[2])))
#define VEX_OPERATIONS(X) \
    X(dpbusd_avx, __m256i, _mm256_dpbusd_avx_epi32(_mm256_loadu_si256((const __m256i *)o->bytes[0]), _mm256_loadu_si256((const __m256i *)o->bytes[1]), \
                                                   _mm256_loadu_si256((const __m256i *)o->bytes[2])))

#define BODY(type, value) { \
        __m512i a, b, c; \
        __m512 x, y, f, g, h; \
        memcpy(&a, o->bytes[0], 64), memcpy(&b, o->bytes[1], 64), memcpy(&c, o->bytes[2], 64); \
        memcpy(&x, o->bytes[0], 64), memcpy(&y, o->bytes[1], 64); \
        memcpy(&f, o->finite[0], 64), memcpy(&g, o->finite[1], 64), memcpy(&h, o->finite[2], 64); \
        (void)a, (void)b, (void)c, (void)x, (void)y, (void)f, (void)g, (void)h; \
        type result = value; \
        memcpy(out, &result, sizeof result); \
    }
#define STORE_BODY { __m512 x; memcpy(&x, o->bytes[0], 64); _mm512_storeu_ps(out + 3, x); }

#define PROCESSOR(name, type, value) static void processor_##name(const operands *o, uint8_t *out) BODY(type, value)
#define EMULATION(name, type, value) static void emulation_##name(const operands *o, uint8_t *out) BODY(type, value)

#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi,avx512vnni,avx2,fma,f16c"))), apply_to = function)
OPERATIONS(PROCESSOR)
static void processor_storeu_ps(const operands *o, uint8_t *out) STORE_BODY
#pragma clang attribute pop
#pragma clang attribute push(__attribute__((target("avx2,avxvnni"))), apply_to = function)
VEX_OPERATIONS(PROCESSOR)
#pragma clang attribute pop

// From here on the same names mean the emulated ones.
#include "avx512.h"
#pragma clang attribute push(__attribute__((target("avx512f"))), apply_to = function)
OPERATIONS(EMULATION)
VEX_OPERATIONS(EMULATION)
static void emulation_storeu_ps(const operands *o, uint8_t *out) STORE_BODY
#pragma clang attribute pop

typedef void operation(const operands *o, uint8_t *out);
typedef struct { const char *name; operation *processor, *emulation; } pair;
#define PAIR(name, type, value) {#name, processor_##name, emulation_##name},
static const pair evex[] = {OPERATIONS(PAIR) {"storeu_ps", processor_storeu_ps, emulation_storeu_ps}};
static const pair vex[] = {VEX_OPERATIONS(PAIR)};

static uint64_t random_bits(void) {  // splitmix64
    static uint64_t state;
    uint64_t z = state += 0x9E3779B97F4A7C15;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
    return z ^ (z >> 31);
}
static operands random_operands(void) {
    static const uint8_t extremes[8] = {0x00, 0x01, 0x7f, 0x80, 0x81, 0xff, 0x40, 0x3f};
    operands o = {.mask = random_bits(), .count = (unsigned)(random_bits() % 40)};
    const uint64_t style = random_bits() % 4;
    for (int i = 0; i < 3; i++)
        for (int n = 0; n < 64; n++) o.bytes[i][n] = style ? (uint8_t)random_bits() : extremes[random_bits() % 8];
    for (int i = 0; i < 3; i++)
        for (int n = 0; n < 16; n++) {
            uint32_t bits = (uint32_t)random_bits();
            if ((bits & 0x7f800000) == 0x7f800000) bits ^= 0x40000000;
            if (style == 1) bits = (bits & 0x81ffffff) | 0x3e000000;  // of about the same size
            memcpy(&o.finite[i][n], &bits, 4);
        }
    return o;
}
static int differing(const pair *pairs, int count) {
    int failed = 0;
    for (int i = 0; i < count; i++)
        for (int round = 0; round < 20000; round++) {
            const operands o = random_operands();
            uint8_t expected[80] = {0}, found[80] = {0};
            pairs[i].processor(&o, expected);
            pairs[i].emulation(&o, found);
            if (!memcmp(expected, found, sizeof expected)) continue;
            printf("%s: round %d: the emulation gives another result than the processor\n", pairs[i].name, round);
            failed++;
            break;
        }
    return failed;
}

int main(void) {
    int compared = 0, failed = 0;
    unsigned ignored[4];
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("avx512vnni")) {
        compared += (int)(sizeof evex / sizeof *evex);
        failed += differing(evex, sizeof evex / sizeof *evex);
    }
    if (__builtin_cpu_supports("avx2") && __get_cpuid_count(7, 1, ignored, ignored + 1, ignored + 2, ignored + 3) && (ignored[0] & 1 << 4)) {
        compared += (int)(sizeof vex / sizeof *vex);
        failed += differing(vex, sizeof vex / sizeof *vex);
    }
    printf("%d of %d compared, %d failed\n", compared, (int)(sizeof evex / sizeof *evex + sizeof vex / sizeof *vex), failed);
    return failed ? 1 : compared ? 0 : 2;
}
