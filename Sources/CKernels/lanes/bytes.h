// Sixty-four bytes as sixteen lanes of four: lane r holds four neighbouring columns of row r, lowest column in the lowest byte.
// The operations that differ between instruction sets are the following; all are exact:
//   bytes_lookup128(table, index)   table[index] for 128 entries; indices within 0...127
//   grid_load, grid_apply           the same for 64 entries; indices within 0...63
//   bytes_dot(acc, u, s)            acc + sum over the lane's four bytes of u * s; u unsigned within 0...127, s signed
//   bytes_dot_biased(acc, u, s)     the same for u within 0...255 and s within -127...127
//   bytes_dot_signed(acc, a, b)     the same for signed a and b, b within -127...127; where CK_UNSIGNED_DOT is set it does not exist, and
//                                   bytes_dot takes u within 0...255
//   bytes_dot_scaled(acc, u, s, pair), bytes_dot_signed_scaled(acc, a, b, pair)
//                                   where CK_SCALED_DOT is set: the products times a signed word, which both halves of a lane of `pair` hold;
//                                   u within 0...255, s within -64...63
//   bytes_repeat(p)                 each of 16 bytes repeated in its lane's four bytes
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

#if CK_ISA_AVX512 || CK_ISA_AVX512BW

CK_INLINE i32x16 bytes_repeat(const uint8_t *p) {
    const __m512i pick = _mm512_set_epi32(0x0f0f0f0f, 0x0e0e0e0e, 0x0d0d0d0d, 0x0c0c0c0c, 0x0b0b0b0b, 0x0a0a0a0a, 0x09090909, 0x08080808,
                                          0x07070707, 0x06060606, 0x05050505, 0x04040404, 0x03030303, 0x02020202, 0x01010101, 0);
    return (i32x16)_mm512_shuffle_epi8(_mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)p)), pick);
}

#endif
#if CK_ISA_AVX512

CK_INLINE i32x16 bytes_lookup128(const uint8_t *table, i32x16 index) {
    return (i32x16)_mm512_permutex2var_epi8(_mm512_loadu_si512(table), (__m512i)index, _mm512_loadu_si512(table + 64));
}
typedef __m512i grid_lookup;
CK_INLINE grid_lookup grid_load(const uint8_t *table64) { return _mm512_loadu_si512(table64); }
CK_INLINE i32x16 grid_apply(grid_lookup table, i32x16 index) { return (i32x16)_mm512_permutexvar_epi8((__m512i)index, table); }
CK_INLINE i32x16 bytes_dot(i32x16 acc, i32x16 u, i32x16 s) { return (i32x16)_mm512_dpbusd_epi32((__m512i)acc, (__m512i)u, (__m512i)s); }
CK_INLINE i32x16 bytes_dot_biased(i32x16 acc, i32x16 u, i32x16 s) { return bytes_dot(acc, u, s); }

#elif CK_ISA_AVX512BW

// The table as 64 pairs of bytes: one look-up by index / 2 for the even byte positions and one for the odd ones, then index & 1
// picks within the pairs. The word permutation ignores index bits above the sixth.
CK_INLINE i32x16 bytes_lookup128(const uint8_t *table, i32x16 index) {
    const __m512i first = _mm512_loadu_si512(table), second = _mm512_loadu_si512(table + 64), i = (__m512i)index;
    __m512i even = _mm512_permutex2var_epi16(first, _mm512_srli_epi16(i, 1), second);
    __m512i odd = _mm512_permutex2var_epi16(first, _mm512_srli_epi16(i, 9), second);
    const __mmask64 upper = 0xAAAAAAAAAAAAAAAA;
    __m512i low = _mm512_mask_blend_epi8(upper, even, _mm512_slli_epi16(odd, 8));
    __m512i high = _mm512_mask_blend_epi8(upper, _mm512_srli_epi16(even, 8), odd);
    return (i32x16)_mm512_mask_blend_epi8(_mm512_test_epi8_mask(i, _mm512_set1_epi8(1)), low, high);
}
typedef struct { __m512i piece[4]; } grid_lookup;
CK_INLINE grid_lookup grid_load(const uint8_t *table64) {
    grid_lookup g;
    for (int i = 0; i < 4; i++) g.piece[i] = _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)(table64 + 16 * i)));
    return g;
}
// vpshufb takes the low four bits of an index below 128. Bits 4 and 5, which name the piece, are taken out on lanes: where a caller
// has just put them there, the compiler then sees that the masks are the same for every line of a block.
CK_INLINE i32x16 grid_apply(grid_lookup g, i32x16 index) {
    const __m512i i = (__m512i)index, piece = (__m512i)(index & 0x30303030);
    __m512i v = _mm512_shuffle_epi8(g.piece[0], i);
    v = _mm512_mask_shuffle_epi8(v, _mm512_cmpeq_epi8_mask(piece, _mm512_set1_epi8(0x10)), g.piece[1], i);
    v = _mm512_mask_shuffle_epi8(v, _mm512_cmpeq_epi8_mask(piece, _mm512_set1_epi8(0x20)), g.piece[2], i);
    return (i32x16)_mm512_mask_shuffle_epi8(v, _mm512_cmpeq_epi8_mask(piece, _mm512_set1_epi8(0x30)), g.piece[3], i);
}
CK_INLINE __m512i dot_pairs(__m512i u, __m512i s) {  // u <= 127: the 16-bit pair sums cannot saturate
    return _mm512_madd_epi16(_mm512_maddubs_epi16(u, s), _mm512_set1_epi16(1));
}
CK_INLINE i32x16 bytes_dot(i32x16 acc, i32x16 u, i32x16 s) { return acc + (i32x16)dot_pairs((__m512i)u, (__m512i)s); }
CK_INLINE i32x16 bytes_dot_scaled(i32x16 acc, i32x16 u, i32x16 s, i32x16 pair) {
    return acc + (i32x16)_mm512_madd_epi16(_mm512_maddubs_epi16((__m512i)u, (__m512i)s), (__m512i)pair);
}
// With u as (u & 127) + (u & 128) neither part's pair sums saturate.
CK_INLINE i32x16 bytes_dot_biased(i32x16 acc, i32x16 u, i32x16 s) {
    acc = bytes_dot(acc, u & 0x7f7f7f7f, s);
    return bytes_dot(acc, u & (int32_t)0x80808080, s);
}
// The magnitude of a, up to 128, times b with the sign of a
CK_INLINE i32x16 bytes_dot_signed(i32x16 acc, i32x16 a, i32x16 b) {
    __m512i turned = _mm512_mask_sub_epi8((__m512i)b, _mm512_movepi8_mask((__m512i)a), _mm512_setzero_si512(), (__m512i)b);
    return bytes_dot(acc, bytes_abs(a), (i32x16)turned);
}
CK_INLINE i32x16 bytes_dot_signed_scaled(i32x16 acc, i32x16 a, i32x16 b, i32x16 pair) {
    __m512i turned = _mm512_mask_sub_epi8((__m512i)b, _mm512_movepi8_mask((__m512i)a), _mm512_setzero_si512(), (__m512i)b);
    return acc + (i32x16)_mm512_madd_epi16(_mm512_maddubs_epi16((__m512i)bytes_abs(a), turned), (__m512i)pair);
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
CK_INLINE __m256i grid_half(grid_lookup g, __m256i index, __m256i piece) {
    // bits 4 and 5 at the sign, where the blends look
    __m256i bit4 = _mm256_slli_epi32(piece, 3), bit5 = _mm256_slli_epi32(piece, 2);
    __m256i low = _mm256_blendv_epi8(_mm256_shuffle_epi8(g.piece[0], index), _mm256_shuffle_epi8(g.piece[1], index), bit4);
    __m256i high = _mm256_blendv_epi8(_mm256_shuffle_epi8(g.piece[2], index), _mm256_shuffle_epi8(g.piece[3], index), bit4);
    return _mm256_blendv_epi8(low, high, bit5);
}
// vpshufb takes the low four bits of an index below 128. Bits 4 and 5, which name the piece, are taken out on lanes: where a caller
// has just put them there, the compiler then sees that the blends' masks are the same for every line of a block.
CK_INLINE i32x16 grid_apply(grid_lookup g, i32x16 index) {
    i32x16 piece = index & 0x30303030;
    return half_join(grid_half(g, half_low(index), half_low(piece)), grid_half(g, half_high(index), half_high(piece)));
}
#if CK_ISA_AVXVNNI
CK_INLINE __m256i dot_half(__m256i acc, __m256i u, __m256i s) { return _mm256_dpbusd_avx_epi32(acc, u, s); }
CK_INLINE i32x16 bytes_dot(i32x16 acc, i32x16 u, i32x16 s) {
    return half_join(dot_half(half_low(acc), half_low(u), half_low(s)), dot_half(half_high(acc), half_high(u), half_high(s)));
}
CK_INLINE i32x16 bytes_dot_biased(i32x16 acc, i32x16 u, i32x16 s) { return bytes_dot(acc, u, s); }
#else
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
CK_INLINE __m256i dot_signed_half(__m256i a, __m256i b) { return dot_half(_mm256_abs_epi8(a), _mm256_sign_epi8(b, a)); }
CK_INLINE i32x16 bytes_dot_signed(i32x16 acc, i32x16 a, i32x16 b) {
    return acc + half_join(dot_signed_half(half_low(a), half_low(b)), dot_signed_half(half_high(a), half_high(b)));
}
CK_INLINE __m256i scaled_half(__m256i u, __m256i s, __m256i pair) { return _mm256_madd_epi16(_mm256_maddubs_epi16(u, s), pair); }
CK_INLINE i32x16 bytes_dot_scaled(i32x16 acc, i32x16 u, i32x16 s, i32x16 pair) {
    return acc + half_join(scaled_half(half_low(u), half_low(s), half_low(pair)), scaled_half(half_high(u), half_high(s), half_high(pair)));
}
CK_INLINE __m256i signed_scaled_half(__m256i a, __m256i b, __m256i pair) { return scaled_half(_mm256_abs_epi8(a), _mm256_sign_epi8(b, a), pair); }
CK_INLINE i32x16 bytes_dot_signed_scaled(i32x16 acc, i32x16 a, i32x16 b, i32x16 pair) {
    return acc + half_join(signed_scaled_half(half_low(a), half_low(b), half_low(pair)), signed_scaled_half(half_high(a), half_high(b), half_high(pair)));
}
#endif
CK_INLINE i32x16 bytes_repeat(const uint8_t *p) {
    __m256i v = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)p));
    const __m256i low = _mm256_set_epi32(0x07070707, 0x06060606, 0x05050505, 0x04040404, 0x03030303, 0x02020202, 0x01010101, 0);
    return half_join(_mm256_shuffle_epi8(v, low), _mm256_shuffle_epi8(v, _mm256_add_epi8(low, _mm256_set1_epi8(8))));
}

#elif CK_ISA_NEON

typedef int32_t i32x4 __attribute__((vector_size(16)));
typedef int32_t i32x8 __attribute__((vector_size(32)));
typedef struct { uint8x16_t part[4]; } quarters;
CK_INLINE quarters quarters_of(i32x16 v) {
    return (quarters){{(uint8x16_t)__builtin_shufflevector(v, v, 0, 1, 2, 3), (uint8x16_t)__builtin_shufflevector(v, v, 4, 5, 6, 7),
                       (uint8x16_t)__builtin_shufflevector(v, v, 8, 9, 10, 11), (uint8x16_t)__builtin_shufflevector(v, v, 12, 13, 14, 15)}};
}
CK_INLINE i32x16 quarters_join(quarters q) {
    i32x8 low = __builtin_shufflevector((i32x4)q.part[0], (i32x4)q.part[1], 0, 1, 2, 3, 4, 5, 6, 7);
    i32x8 high = __builtin_shufflevector((i32x4)q.part[2], (i32x4)q.part[3], 0, 1, 2, 3, 4, 5, 6, 7);
    return __builtin_shufflevector(low, high, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
}
typedef uint8x16x4_t grid_lookup;
CK_INLINE grid_lookup grid_load(const uint8_t *table64) {
    return (grid_lookup){{vld1q_u8(table64), vld1q_u8(table64 + 16), vld1q_u8(table64 + 32), vld1q_u8(table64 + 48)}};
}
CK_INLINE i32x16 grid_apply(grid_lookup table, i32x16 index) {
    quarters v = quarters_of(index);
    for (int i = 0; i < 4; i++) v.part[i] = vqtbl4q_u8(table, v.part[i]);
    return quarters_join(v);
}
CK_INLINE i32x16 bytes_lookup128(const uint8_t *table, i32x16 index) {
    const grid_lookup first = grid_load(table), second = grid_load(table + 64);
    quarters v = quarters_of(index);
    // where the index is outside its 64 entries the first look-up gives 0 and the second keeps what is there
    for (int i = 0; i < 4; i++) v.part[i] = vqtbx4q_u8(vqtbl4q_u8(first, v.part[i]), second, vsubq_u8(v.part[i], vdupq_n_u8(64)));
    return quarters_join(v);
}
CK_INLINE uint8x16_t dot_quarter(uint8x16_t acc, uint8x16_t a, uint8x16_t b) {
    return (uint8x16_t)vdotq_s32((int32x4_t)acc, (int8x16_t)a, (int8x16_t)b);
}
CK_INLINE i32x16 bytes_dot(i32x16 acc, i32x16 u, i32x16 s) {  // u <= 127 is the same as a signed byte
    quarters v = quarters_of(acc), a = quarters_of(u), b = quarters_of(s);
    for (int i = 0; i < 4; i++) v.part[i] = dot_quarter(v.part[i], a.part[i], b.part[i]);
    return quarters_join(v);
}
CK_INLINE i32x16 bytes_dot_biased(i32x16 acc, i32x16 u, i32x16 s) {
    // (u - 128) s as signed bytes, and 128 s as twice 64 s: this part is computed once where all lanes of s are the same
    i32x16 bias = bytes_dot(bytes_dot(lane_seti(0), s, bytes_set(64)), s, bytes_set(64));
    return bytes_dot(acc + bias, u ^ (int32_t)0x80808080, s);
}
CK_INLINE i32x16 bytes_dot_signed(i32x16 acc, i32x16 a, i32x16 b) { return bytes_dot(acc, a, b); }
CK_INLINE i32x16 bytes_repeat(const uint8_t *p) {
    const uint8x16_t bytes = vld1q_u8(p), pick = {0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3};
    quarters v;
    for (int i = 0; i < 4; i++) v.part[i] = vqtbl1q_u8(bytes, vaddq_u8(pick, vdupq_n_u8((uint8_t)(4 * i))));
    return quarters_join(v);
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
CK_INLINE i32x16 bytes_dot_signed(i32x16 acc, i32x16 a, i32x16 b) {
    for (int i = 0; i < 4; i++) acc += ((a << (24 - 8 * i)) >> 24) * ((b << (24 - 8 * i)) >> 24);
    return acc;
}
CK_INLINE i32x16 bytes_repeat(const uint8_t *p) { i32x16 v = lane_from_u8(p); return bytes_pack(v, v, v, v); }

#endif
#endif
