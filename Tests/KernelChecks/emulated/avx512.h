// AVX-512 and AVX-VNNI on a processor that has neither: the intrinsics that Sources/CKernels uses, by Intel's definition of each (Intel
// Intrinsics Guide, "Operation"). What AVX2 has as well is done on both halves of a register, the rest byte by byte. Included ahead of
// every source (clang -include), so that the sources stay as they are: below, the names of the intrinsics and `target` become macros.
// An intrinsic that is missing here does not compile, as its own definition needs the instruction set; a new one gets its lines here and a
// row in intrinsics.c, which compares each with the instruction where the processor has it.
#ifndef EMULATED_AVX512_H
#define EMULATED_AVX512_H
#include <immintrin.h>
#include <stdint.h>

#define CK_EMULATED 1
// The sources ask for their instruction set with this attribute. It is also expanded within `#pragma clang attribute`.
#define target(set) target("avx2,fma,f16c")

#pragma clang diagnostic ignored "-Wpsabi"           // every function that takes or returns a 512-bit vector is inlined
#pragma clang diagnostic ignored "-Wmacro-redefined"  // some intrinsics are macros
#pragma clang attribute push(__attribute__((target(""), always_inline)), apply_to = function)

typedef union {
    __m512i whole;
    __m512 floats;
    __m256i half[2];
    __m256 float_half[2];
    uint8_t u8[64];
    uint16_t u16[32];
    uint32_t u32[16];
} emulated;

// _mm512_NAME from _mm256_AVX2
#define EMULATE_ONE(name, avx2) \
    static inline __m512i emulated_##name(__m512i a) { \
        emulated r = {a}; \
        for (int h = 0; h < 2; h++) r.half[h] = avx2(r.half[h]); \
        return r.whole; \
    }
#define EMULATE_TWO(name, avx2) \
    static inline __m512i emulated_##name(__m512i a, __m512i b) { \
        emulated r = {a}, s = {b}; \
        for (int h = 0; h < 2; h++) r.half[h] = avx2(r.half[h], s.half[h]); \
        return r.whole; \
    }
#define EMULATE_TWO_FLOATS(name, avx2) \
    static inline __m512 emulated_##name(__m512 a, __m512 b) { \
        emulated r = {.floats = a}, s = {.floats = b}; \
        for (int h = 0; h < 2; h++) r.float_half[h] = avx2(r.float_half[h], s.float_half[h]); \
        return r.floats; \
    }
#define EMULATE_SHIFT(name, avx2) \
    static inline __m512i emulated_##name(__m512i a, unsigned count) { \
        emulated r = {a}; \
        for (int h = 0; h < 2; h++) r.half[h] = avx2(r.half[h], (int)count); \
        return r.whole; \
    }
// One bit per byte, lowest byte first: the highest bits of avx2(a, b)'s bytes
#define EMULATE_MASK(name, avx2) \
    static inline __mmask64 emulated_##name(__m512i a, __m512i b) { \
        emulated r = {a}, s = {b}; \
        __mmask64 mask = 0; \
        for (int h = 0; h < 2; h++) mask |= (__mmask64)(uint32_t)_mm256_movemask_epi8(avx2(r.half[h], s.half[h])) << (32 * h); \
        return mask; \
    }

EMULATE_ONE(abs_epi8, _mm256_abs_epi8)
EMULATE_TWO(add_epi32, _mm256_add_epi32)
EMULATE_TWO(sub_epi8, _mm256_sub_epi8)
EMULATE_TWO(sub_epi16, _mm256_sub_epi16)
EMULATE_TWO(sub_epi32, _mm256_sub_epi32)
EMULATE_TWO(and_si512, _mm256_and_si256)
EMULATE_TWO(xor_si512, _mm256_xor_si256)
EMULATE_TWO(madd_epi16, _mm256_madd_epi16)
EMULATE_TWO(maddubs_epi16, _mm256_maddubs_epi16)
EMULATE_TWO(shuffle_epi8, _mm256_shuffle_epi8)
EMULATE_SHIFT(slli_epi16, _mm256_slli_epi16)
EMULATE_SHIFT(slli_epi32, _mm256_slli_epi32)
EMULATE_SHIFT(srli_epi16, _mm256_srli_epi16)
EMULATE_TWO_FLOATS(mul_ps, _mm256_mul_ps)
EMULATE_TWO_FLOATS(min_ps, _mm256_min_ps)
EMULATE_TWO_FLOATS(max_ps, _mm256_max_ps)
EMULATE_MASK(cmpeq_epi8_mask, _mm256_cmpeq_epi8)
#define _mm512_abs_epi8 emulated_abs_epi8
#define _mm512_add_epi32 emulated_add_epi32
#define _mm512_sub_epi16 emulated_sub_epi16
#define _mm512_sub_epi32 emulated_sub_epi32
#define _mm512_and_si512 emulated_and_si512
#define _mm512_xor_si512 emulated_xor_si512
#define _mm512_madd_epi16 emulated_madd_epi16
#define _mm512_maddubs_epi16 emulated_maddubs_epi16
#define _mm512_shuffle_epi8 emulated_shuffle_epi8
#define _mm512_slli_epi16 emulated_slli_epi16
#define _mm512_slli_epi32 emulated_slli_epi32
#define _mm512_srli_epi16 emulated_srli_epi16
#define _mm512_mul_ps emulated_mul_ps
#define _mm512_min_ps emulated_min_ps
#define _mm512_max_ps emulated_max_ps
#define _mm512_cmpeq_epi8_mask emulated_cmpeq_epi8_mask

static inline __m512 emulated_fmadd_ps(__m512 a, __m512 b, __m512 c) {
    emulated r = {.floats = a}, s = {.floats = b}, t = {.floats = c};
    for (int h = 0; h < 2; h++) r.float_half[h] = _mm256_fmadd_ps(r.float_half[h], s.float_half[h], t.float_half[h]);
    return r.floats;
}
#define _mm512_fmadd_ps emulated_fmadd_ps

// Loads, stores and constants
static inline __m512i emulated_loadu_si512(const void *p) {
    emulated r;
    for (int h = 0; h < 2; h++) r.half[h] = _mm256_loadu_si256((const __m256i *)p + h);
    return r.whole;
}
static inline __m512 emulated_loadu_ps(const void *p) { return (__m512)emulated_loadu_si512(p); }
static inline void emulated_storeu_ps(void *p, __m512 a) {
    emulated r = {.floats = a};
    for (int h = 0; h < 2; h++) _mm256_storeu_si256((__m256i *)p + h, r.half[h]);
}
static inline __m512i emulated_both(__m256i a) { return ((emulated){.half = {a, a}}).whole; }
static inline __m512i emulated_set1_epi8(char v) { return emulated_both(_mm256_set1_epi8(v)); }
static inline __m512i emulated_set1_epi16(short v) { return emulated_both(_mm256_set1_epi16(v)); }
static inline __m512i emulated_set1_epi32(int v) { return emulated_both(_mm256_set1_epi32(v)); }
static inline __m512 emulated_set1_ps(float v) { return (__m512)emulated_both((__m256i)_mm256_set1_ps(v)); }
static inline __m512i emulated_setzero_si512(void) { return emulated_set1_epi32(0); }
static inline __m512 emulated_setzero_ps(void) { return emulated_set1_ps(0); }
static inline __m512i emulated_set_epi32(int e15, int e14, int e13, int e12, int e11, int e10, int e9, int e8, int e7, int e6, int e5, int e4, int e3,
                                  int e2, int e1, int e0) {
    return ((emulated){.half = {_mm256_setr_epi32(e0, e1, e2, e3, e4, e5, e6, e7), _mm256_setr_epi32(e8, e9, e10, e11, e12, e13, e14, e15)}}).whole;
}
static inline __m512i emulated_broadcast_i32x4(__m128i a) { return emulated_both(_mm256_broadcastsi128_si256(a)); }
static inline __m512 emulated_castsi512_ps(__m512i a) { return (__m512)a; }
#define _mm512_loadu_si512 emulated_loadu_si512
#define _mm512_loadu_ps emulated_loadu_ps
#define _mm512_storeu_ps emulated_storeu_ps
#define _mm512_set1_epi8 emulated_set1_epi8
#define _mm512_set1_epi16 emulated_set1_epi16
#define _mm512_set1_epi32 emulated_set1_epi32
#define _mm512_set1_ps emulated_set1_ps
#define _mm512_setzero_si512 emulated_setzero_si512
#define _mm512_setzero_ps emulated_setzero_ps
#define _mm512_set_epi32 emulated_set_epi32
#define _mm512_broadcast_i32x4 emulated_broadcast_i32x4
#define _mm512_castsi512_ps emulated_castsi512_ps

// Conversions. F16C knows no "suppress exceptions" (8), which AVX-512 adds to the rounding mode.
static inline __m512 emulated_cvtepi32_ps(__m512i a) {
    emulated r = {a};
    for (int h = 0; h < 2; h++) r.float_half[h] = _mm256_cvtepi32_ps(r.half[h]);
    return r.floats;
}
static inline __m512i emulated_cvtepu8_epi32(__m128i a) {
    return ((emulated){.half = {_mm256_cvtepu8_epi32(a), _mm256_cvtepu8_epi32(_mm_srli_si128(a, 8))}}).whole;
}
static inline __m512 emulated_cvtph_ps(__m256i a) {
    return ((emulated){.float_half = {_mm256_cvtph_ps(_mm256_castsi256_si128(a)), _mm256_cvtph_ps(_mm256_extracti128_si256(a, 1))}}).floats;
}
static inline __m256 emulated_float_half(__m512 a, int h) { return ((emulated){.floats = a}).float_half[h]; }
#define _mm512_cvtepi32_ps emulated_cvtepi32_ps
#define _mm512_cvtepu8_epi32 emulated_cvtepu8_epi32
#define _mm512_cvtph_ps emulated_cvtph_ps
#define _mm512_cvtps_ph(a, rounding) \
    _mm256_setr_m128i(_mm256_cvtps_ph(emulated_float_half(a, 0), (rounding) & 7), _mm256_cvtps_ph(emulated_float_half(a, 1), (rounding) & 7))

// Masks: bit n belongs to byte (or word) n
static inline __mmask64 emulated_movepi8_mask(__m512i a) {
    const __m512i sign = emulated_set1_epi8((char)0x80);
    return emulated_cmpeq_epi8_mask(emulated_and_si512(a, sign), sign);
}
static inline __mmask64 emulated_test_epi8_mask(__m512i a, __m512i b) {
    return ~emulated_cmpeq_epi8_mask(emulated_and_si512(a, b), emulated_setzero_si512());
}
static inline __m512i emulated_mask_blend_epi8(__mmask64 mask, __m512i a, __m512i b) {
    emulated r = {a}, s = {b};
    for (int n = 0; n < 64; n++) r.u8[n] = mask >> n & 1 ? s.u8[n] : r.u8[n];
    return r.whole;
}
static inline __m512i emulated_mask_blend_epi16(__mmask32 mask, __m512i a, __m512i b) {
    emulated r = {a}, s = {b};
    for (int n = 0; n < 32; n++) r.u16[n] = mask >> n & 1 ? s.u16[n] : r.u16[n];
    return r.whole;
}
static inline __m512i emulated_mask_sub_epi8(__m512i source, __mmask64 mask, __m512i a, __m512i b) {
    return emulated_mask_blend_epi8(mask, source, emulated_sub_epi8(a, b));
}
static inline __m512i emulated_mask_shuffle_epi8(__m512i source, __mmask64 mask, __m512i a, __m512i b) {
    return emulated_mask_blend_epi8(mask, source, emulated_shuffle_epi8(a, b));
}
#define _mm512_movepi8_mask emulated_movepi8_mask
#define _mm512_test_epi8_mask emulated_test_epi8_mask
#define _mm512_mask_blend_epi8 emulated_mask_blend_epi8
#define _mm512_mask_blend_epi16 emulated_mask_blend_epi16
#define _mm512_mask_sub_epi8 emulated_mask_sub_epi8
#define _mm512_mask_shuffle_epi8 emulated_mask_shuffle_epi8

// Look-ups across the whole register; index bits beyond the table are ignored.
static inline __m512i emulated_permutexvar_epi8(__m512i index, __m512i a) {
    emulated i = {index}, table = {a}, r;
    for (int n = 0; n < 64; n++) r.u8[n] = table.u8[i.u8[n] & 63];
    return r.whole;
}
static inline __m512i emulated_permutex2var_epi8(__m512i a, __m512i index, __m512i b) {
    emulated i = {index}, tables[2] = {{a}, {b}}, r;
    for (int n = 0; n < 64; n++) r.u8[n] = tables[i.u8[n] >> 6 & 1].u8[i.u8[n] & 63];
    return r.whole;
}
static inline __m512i emulated_permutex2var_epi16(__m512i a, __m512i index, __m512i b) {
    emulated i = {index}, tables[2] = {{a}, {b}}, r;
    for (int n = 0; n < 32; n++) r.u16[n] = tables[i.u16[n] >> 5 & 1].u16[i.u16[n] & 31];
    return r.whole;
}
#define _mm512_permutexvar_epi8 emulated_permutexvar_epi8
#define _mm512_permutex2var_epi8 emulated_permutex2var_epi8
#define _mm512_permutex2var_epi16 emulated_permutex2var_epi16

// VNNI: a lane's four products of an unsigned and a signed byte are added to it without saturation.
static inline uint32_t emulated_four_products(uint32_t u, uint32_t s) {
    uint32_t sum = 0;
    for (int n = 0; n < 32; n += 8) sum += (uint32_t)((int32_t)(u >> n & 255) * (int8_t)(s >> n & 255));
    return sum;
}
static inline __m512i emulated_dpbusd_512(__m512i sum, __m512i u, __m512i s) {
    emulated r = {sum}, a = {u}, b = {s};
    for (int n = 0; n < 16; n++) r.u32[n] += emulated_four_products(a.u32[n], b.u32[n]);
    return r.whole;
}
static inline __m256i emulated_dpbusd_256(__m256i sum, __m256i u, __m256i s) {
    emulated r = {.half = {sum}}, a = {.half = {u}}, b = {.half = {s}};
    for (int n = 0; n < 8; n++) r.u32[n] += emulated_four_products(a.u32[n], b.u32[n]);
    return r.half[0];
}
#define _mm512_dpbusd_epi32 emulated_dpbusd_512
#define _mm256_dpbusd_epi32 emulated_dpbusd_256
#define _mm256_dpbusd_avx_epi32 emulated_dpbusd_256

#pragma clang attribute pop
#endif
