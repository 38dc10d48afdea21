// Sixteen lanes, one per row of a panel. Everything that must give the same bits on every instruction set is written
// once on these types and compiled per instruction set (the including file has set the target attribute).
// Floats contract nowhere: a fused multiply-add is written lane_fma.
#ifndef CK_LANES_H
#define CK_LANES_H
#include <stdint.h>
#include <string.h>
#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

#pragma clang fp contract(off)
// Vectors never cross a call: every function that takes or returns one is always inlined.
#pragma clang diagnostic ignored "-Wpsabi"

typedef float f32x16 __attribute__((vector_size(64)));
typedef int32_t i32x16 __attribute__((vector_size(64)));
typedef uint32_t u32x16 __attribute__((vector_size(64)));
typedef uint16_t u16x16 __attribute__((vector_size(32)));
typedef uint8_t u8x16 __attribute__((vector_size(16)));
typedef int8_t i8x16 __attribute__((vector_size(16)));
typedef _Float16 h16x16 __attribute__((vector_size(32)));

#define CK_INLINE static inline __attribute__((always_inline))

CK_INLINE f32x16 lane_set(float v) { return (f32x16){v, v, v, v, v, v, v, v, v, v, v, v, v, v, v, v}; }
CK_INLINE i32x16 lane_seti(int32_t v) { return (i32x16){v, v, v, v, v, v, v, v, v, v, v, v, v, v, v, v}; }
CK_INLINE f32x16 lane_load(const float *p) { f32x16 v; memcpy(&v, p, 64); return v; }
CK_INLINE void lane_store(float *p, f32x16 v) { memcpy(p, &v, 64); }
CK_INLINE f32x16 lane_fma(f32x16 a, f32x16 b, f32x16 c) { return __builtin_elementwise_fma(a, b, c); }
CK_INLINE f32x16 lane_float(i32x16 v) { return __builtin_convertvector(v, f32x16); }
CK_INLINE i32x16 lane_from_u8(const uint8_t *p) { u8x16 v; memcpy(&v, p, 16); return __builtin_convertvector(v, i32x16); }
CK_INLINE void lane_to_u8(uint8_t *p, i32x16 v) { u8x16 b = __builtin_convertvector(v, u8x16); memcpy(p, &b, 16); }
CK_INLINE f32x16 lane_abs(f32x16 v) { return (f32x16)((u32x16)v & 0x7fffffffu); }
// mask lanes are 0 or -1
CK_INLINE i32x16 lane_selecti(i32x16 mask, i32x16 a, i32x16 b) { return (mask & a) | (~mask & b); }
CK_INLINE f32x16 lane_select(i32x16 mask, f32x16 a, f32x16 b) { return (f32x16)lane_selecti(mask, (i32x16)a, (i32x16)b); }
// a < b ? a : b, as the x86 instruction does it: b when either is NaN
#if CK_ISA_AVX512 || CK_ISA_AVX512BW
CK_INLINE f32x16 lane_min(f32x16 a, f32x16 b) { return (f32x16)_mm512_min_ps((__m512)a, (__m512)b); }
CK_INLINE f32x16 lane_max(f32x16 a, f32x16 b) { return (f32x16)_mm512_max_ps((__m512)a, (__m512)b); }
#else
CK_INLINE f32x16 lane_min(f32x16 a, f32x16 b) { return lane_select(a < b, a, b); }
CK_INLINE f32x16 lane_max(f32x16 a, f32x16 b) { return lane_select(a > b, a, b); }
#endif

// Nearest integer (ties to even) of |v| < 2^22, as int32: the low mantissa bits after adding 1.5 x 2^23.
CK_INLINE i32x16 lane_round(f32x16 v) { return (i32x16)(v + lane_set(12582912.0f)) - 0x4B400000; }

// Sum of the lanes in a fixed tree: lane i with lane i + 8, then + 4, + 2, + 1.
CK_INLINE float lane_sum(f32x16 v) {
    for (int half = 8; half; half >>= 1)
        for (int i = 0; i < half; i++) v[i] = v[i] + v[i + half];
    return v[0];
}

// Lane j of the result is lane_sum(v[j]), by the same additions, for all sixteen at once.
CK_INLINE f32x16 lane_sums(const f32x16 v[16]) {
    f32x16 a[8], b[4], c[2];
    for (int j = 0; j < 8; j++)
        a[j] = __builtin_shufflevector(v[j], v[j + 8], 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23) +
               __builtin_shufflevector(v[j], v[j + 8], 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31);
    for (int j = 0; j < 4; j++)
        b[j] = __builtin_shufflevector(a[j], a[j + 4], 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27) +
               __builtin_shufflevector(a[j], a[j + 4], 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31);
    for (int j = 0; j < 2; j++)
        c[j] = __builtin_shufflevector(b[j], b[j + 2], 0, 1, 4, 5, 8, 9, 12, 13, 16, 17, 20, 21, 24, 25, 28, 29) +
               __builtin_shufflevector(b[j], b[j + 2], 2, 3, 6, 7, 10, 11, 14, 15, 18, 19, 22, 23, 26, 27, 30, 31);
    f32x16 d = __builtin_shufflevector(c[0], c[1], 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30) +
               __builtin_shufflevector(c[0], c[1], 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
    // d holds rows 0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15
    return __builtin_shufflevector(d, d, 0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15);
}
#endif
