// Sixty-four bytes as sixteen lanes of four: lane r holds four neighbouring columns of row r, lowest column in the lowest byte.
// The operations below are the only ones that differ between instruction sets; all are exact.
#ifndef CK_BYTES_H
#define CK_BYTES_H
#include "lanes.h"

typedef uint8_t u8x64 __attribute__((vector_size(64)));
typedef int8_t i8x64 __attribute__((vector_size(64)));
typedef uint8_t u8x32 __attribute__((vector_size(32)));

CK_INLINE i32x16 bytes_load(const void *p) { i32x16 v; memcpy(&v, p, 64); return v; }
CK_INLINE void bytes_store(void *p, i32x16 v) { memcpy(p, &v, 64); }
// Lane values must be within 0...255.
CK_INLINE i32x16 bytes_pack(i32x16 a, i32x16 b, i32x16 c, i32x16 d) { return a | (b << 8) | (c << 16) | (d << 24); }
CK_INLINE i32x16 bytes_sub(i32x16 a, i32x16 b) { return (i32x16)((u8x64)a - (u8x64)b); }
CK_INLINE i32x16 bytes_abs(i32x16 a) { return (i32x16)__builtin_elementwise_abs((i8x64)a); }
CK_INLINE i32x16 bytes_set(uint8_t v) { return lane_seti((int32_t)(v * 0x01010101u)); }

#if CK_ISA_AVX512

// table[index] for 128 entries; indices within 0...127
CK_INLINE i32x16 bytes_lookup128(const uint8_t *table, i32x16 index) {
    return (i32x16)_mm512_permutex2var_epi8(_mm512_loadu_si512(table), (__m512i)index, _mm512_loadu_si512(table + 64));
}
typedef __m512i grid_lookup;
CK_INLINE grid_lookup grid_load(const uint8_t *table64) { return _mm512_loadu_si512(table64); }
// table[index] for 64 entries; indices within 0...63
CK_INLINE i32x16 grid_apply(grid_lookup table, i32x16 index) { return (i32x16)_mm512_permutexvar_epi8((__m512i)index, table); }
// acc + sum over the lane's four bytes of u * s, u unsigned within 0...127, s signed
CK_INLINE i32x16 bytes_dot(i32x16 acc, i32x16 u, i32x16 s) { return (i32x16)_mm512_dpbusd_epi32((__m512i)acc, (__m512i)u, (__m512i)s); }
// The same for bytes biased by 128 (u = value + 128); `bias` is 128 times the sum of s over the lane's four bytes
CK_INLINE i32x16 bytes_dot_biased(i32x16 acc, i32x16 u, i32x16 s) { return (i32x16)_mm512_dpbusd_epi32((__m512i)acc, (__m512i)u, (__m512i)s); }
// each of 16 bytes repeated in its lane's four bytes
CK_INLINE i32x16 bytes_repeat(const uint8_t *p) {
    const __m512i pick = _mm512_set_epi32(0x0f0f0f0f, 0x0e0e0e0e, 0x0d0d0d0d, 0x0c0c0c0c, 0x0b0b0b0b, 0x0a0a0a0a, 0x09090909, 0x08080808,
                                          0x07070707, 0x06060606, 0x05050505, 0x04040404, 0x03030303, 0x02020202, 0x01010101, 0);
    return (i32x16)_mm512_shuffle_epi8(_mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)p)), pick);
}

#elif CK_ISA_AVX2

CK_INLINE __m256i half_low(i32x16 v) { return (__m256i)__builtin_shufflevector(v, v, 0, 1, 2, 3, 4, 5, 6, 7); }
CK_INLINE __m256i half_high(i32x16 v) { return (__m256i)__builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15); }
typedef int32_t i32x8 __attribute__((vector_size(32)));
CK_INLINE i32x16 half_join(__m256i a, __m256i b) {
    return __builtin_shufflevector((i32x8)a, (i32x8)b, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
}
// One 16-entry piece at a time; pshufb gives 0 where the index is outside the piece, which the saturating add arranges.
CK_INLINE __m256i lookup_pieces(const uint8_t *table, int pieces, __m256i index) {
    __m256i result = _mm256_setzero_si256();
    for (int i = 0; i < pieces; i++) {
        __m256i piece = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(table + 16 * i)));
        __m256i local = _mm256_adds_epu8(_mm256_sub_epi8(index, _mm256_set1_epi8((char)(16 * i))), _mm256_set1_epi8(0x70));
        result = _mm256_or_si256(result, _mm256_shuffle_epi8(piece, local));
    }
    return result;
}
CK_INLINE i32x16 bytes_lookup128(const uint8_t *table, i32x16 index) {
    return half_join(lookup_pieces(table, 8, half_low(index)), lookup_pieces(table, 8, half_high(index)));
}
typedef struct { __m256i piece[4]; } grid_lookup;
CK_INLINE grid_lookup grid_load(const uint8_t *table64) {
    grid_lookup g;
    for (int i = 0; i < 4; i++) g.piece[i] = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(table64 + 16 * i)));
    return g;
}
CK_INLINE __m256i grid_half(grid_lookup g, __m256i index) {
    // pshufb reads the low four bits; bits 4 and 5 are moved to the sign for the blends
    __m256i bit4 = _mm256_slli_epi16(index, 3), bit5 = _mm256_slli_epi16(index, 2);
    __m256i code = _mm256_and_si256(index, _mm256_set1_epi8(0x0f));
    __m256i low = _mm256_blendv_epi8(_mm256_shuffle_epi8(g.piece[0], code), _mm256_shuffle_epi8(g.piece[1], code), bit4);
    __m256i high = _mm256_blendv_epi8(_mm256_shuffle_epi8(g.piece[2], code), _mm256_shuffle_epi8(g.piece[3], code), bit4);
    return _mm256_blendv_epi8(low, high, bit5);
}
CK_INLINE i32x16 grid_apply(grid_lookup g, i32x16 index) { return half_join(grid_half(g, half_low(index)), grid_half(g, half_high(index))); }
CK_INLINE __m256i dot_half(__m256i u, __m256i s) {  // u <= 127: the 16-bit pair sums cannot saturate
    return _mm256_madd_epi16(_mm256_maddubs_epi16(u, s), _mm256_set1_epi16(1));
}
CK_INLINE i32x16 bytes_dot(i32x16 acc, i32x16 u, i32x16 s) {
    return acc + half_join(dot_half(half_low(u), half_low(s)), dot_half(half_high(u), half_high(s)));
}
CK_INLINE __m256i dot_biased_half(__m256i u, __m256i s) {
    // maddubs would saturate with u up to 255: use |value| and move its sign to s, then add back the bias that callers subtract
    __m256i v = _mm256_xor_si256(u, _mm256_set1_epi8((char)0x80));
    __m256i plain = dot_half(_mm256_abs_epi8(v), _mm256_sign_epi8(s, v));
    __m256i sums = dot_half(_mm256_set1_epi8(1), s);
    return _mm256_add_epi32(plain, _mm256_slli_epi32(sums, 7));
}
CK_INLINE i32x16 bytes_dot_biased(i32x16 acc, i32x16 u, i32x16 s) {
    return acc + half_join(dot_biased_half(half_low(u), half_low(s)), dot_biased_half(half_high(u), half_high(s)));
}
// acc + sum over the lane's four bytes of a * b, both signed, b not -128
CK_INLINE __m256i dot_signed_half(__m256i a, __m256i b) { return dot_half(_mm256_abs_epi8(a), _mm256_sign_epi8(b, a)); }
CK_INLINE i32x16 bytes_dot_signed(i32x16 acc, i32x16 a, i32x16 b) {
    return acc + half_join(dot_signed_half(half_low(a), half_low(b)), dot_signed_half(half_high(a), half_high(b)));
}
CK_INLINE i32x16 bytes_repeat(const uint8_t *p) {
    __m256i v = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)p));
    const __m256i low = _mm256_set_epi32(0x07070707, 0x06060606, 0x05050505, 0x04040404, 0x03030303, 0x02020202, 0x01010101, 0);
    return half_join(_mm256_shuffle_epi8(v, low), _mm256_shuffle_epi8(v, _mm256_add_epi8(low, _mm256_set1_epi8(8))));
}

#else

CK_INLINE i32x16 bytes_lookup128(const uint8_t *table, i32x16 index) {
    u8x64 i = (u8x64)index, v;
    for (int n = 0; n < 64; n++) v[n] = table[i[n] & 127];
    return (i32x16)v;
}
typedef struct { uint8_t table[64]; } grid_lookup;
CK_INLINE grid_lookup grid_load(const uint8_t *table64) { grid_lookup g; memcpy(g.table, table64, 64); return g; }
CK_INLINE i32x16 grid_apply(grid_lookup g, i32x16 index) {
    u8x64 i = (u8x64)index, v;
    for (int n = 0; n < 64; n++) v[n] = g.table[i[n] & 63];
    return (i32x16)v;
}
CK_INLINE i32x16 bytes_dot(i32x16 acc, i32x16 u, i32x16 s) {
    for (int i = 0; i < 4; i++) acc += ((u >> (8 * i)) & 255) * ((s << (24 - 8 * i)) >> 24);
    return acc;
}
CK_INLINE i32x16 bytes_dot_biased(i32x16 acc, i32x16 u, i32x16 s) { return bytes_dot(acc, u, s); }
// acc + sum over the lane's four bytes of a * b, both signed, b not -128
CK_INLINE i32x16 bytes_dot_signed(i32x16 acc, i32x16 a, i32x16 b) {
    for (int i = 0; i < 4; i++) acc += ((a << (24 - 8 * i)) >> 24) * ((b << (24 - 8 * i)) >> 24);
    return acc;
}
CK_INLINE i32x16 bytes_repeat(const uint8_t *p) { i32x16 v = lane_from_u8(p); return bytes_pack(v, v, v, v); }

#endif
#endif
