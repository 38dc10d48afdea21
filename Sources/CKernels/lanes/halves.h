// fp16 and bf16 to and from float lanes. Exact widening of finite values; narrowing rounds to nearest even.
#ifndef CK_HALVES_H
#define CK_HALVES_H
#include "lanes.h"

CK_INLINE u16x16 half_load(const void *p) { u16x16 v; memcpy(&v, p, 32); return v; }

// The product scales normal and subnormal values alike; infinities and NaN would come out finite and get their exponent here.
CK_INLINE float scalar_from_f16(uint16_t h) {
    uint32_t bits = ((uint32_t)(h & 0x8000) << 16) | ((uint32_t)(h & 0x7fff) << 13);
    float v;
    if ((h & 0x7c00) == 0x7c00) {
        bits |= 0x7f800000;
        memcpy(&v, &bits, 4);
        return v;
    }
    memcpy(&v, &bits, 4);
    return v * 0x1p112f;
}
// Round to nearest even; overflow gives infinity, as the hardware does.
CK_INLINE uint16_t scalar_to_f16(float v) {
    uint32_t bits;
    memcpy(&bits, &v, 4);
    uint32_t sign = (bits >> 16) & 0x8000, magnitude = bits & 0x7fffffff;
    if (magnitude >= 0x47800000) return (uint16_t)(sign | (magnitude > 0x7f800000 ? 0x7e00 : 0x7c00));
    if (magnitude < 0x38800000) {  // subnormal: adding 0.5 aligns the last bit with fp16's, rounding in hardware
        float aligned;
        memcpy(&aligned, &magnitude, 4);
        aligned += 0.5f;
        memcpy(&magnitude, &aligned, 4);
        return (uint16_t)(sign | (magnitude - 0x3f000000));
    }
    magnitude += 0xc8000fff + ((magnitude >> 13) & 1);
    return (uint16_t)(sign | (magnitude >> 13));
}

#if CK_ISA_AVX512 || CK_ISA_AVX512BW
CK_INLINE f32x16 lane_from_f16(const void *p) { return (f32x16)_mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)p)); }
CK_INLINE void lane_to_f16(void *p, f32x16 v) {
    _mm256_storeu_si256((__m256i *)p, _mm512_cvtps_ph((__m512)v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}
#elif CK_ISA_AVX2
CK_INLINE f32x16 lane_from_f16(const void *p) {
    float out[16];
    _mm256_storeu_ps(out, _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)p)));
    _mm256_storeu_ps(out + 8, _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)p + 1)));
    return lane_load(out);
}
CK_INLINE void lane_to_f16(void *p, f32x16 v) {
    float in[16];
    lane_store(in, v);
    _mm_storeu_si128((__m128i *)p, _mm256_cvtps_ph(_mm256_loadu_ps(in), _MM_FROUND_TO_NEAREST_INT));
    _mm_storeu_si128((__m128i *)p + 1, _mm256_cvtps_ph(_mm256_loadu_ps(in + 8), _MM_FROUND_TO_NEAREST_INT));
}
#elif CK_ISA_NEON
CK_INLINE f32x16 lane_from_f16(const void *p) {
    const uint16_t *h = p;
    float out[16];
    for (int i = 0; i < 16; i += 4) vst1q_f32(out + i, vcvt_f32_f16((float16x4_t)vld1_u16(h + i)));
    return lane_load(out);
}
CK_INLINE void lane_to_f16(void *p, f32x16 v) {
    uint16_t *h = p;
    float in[16];
    lane_store(in, v);
    for (int i = 0; i < 16; i += 4) vst1_u16(h + i, (uint16x4_t)vcvt_f16_f32(vld1q_f32(in + i)));
}
#else
CK_INLINE f32x16 lane_from_f16(const void *p) {
    u32x16 h = __builtin_convertvector(half_load(p), u32x16), bits = ((h & 0x8000u) << 16) | ((h & 0x7fffu) << 13);
    f32x16 finite = (f32x16)bits * lane_set(0x1p112f);
    return lane_select((h & 0x7c00u) == 0x7c00u, (f32x16)(bits | 0x7f800000u), finite);
}
CK_INLINE void lane_to_f16(void *p, f32x16 v) {
    uint16_t h[16];
    for (int i = 0; i < 16; i++) h[i] = scalar_to_f16(v[i]);
    memcpy(p, h, 32);
}
#endif
CK_INLINE f32x16 lane_from_bf16(const void *p) { return (f32x16)(__builtin_convertvector(half_load(p), u32x16) << 16); }
#endif
