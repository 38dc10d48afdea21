// One stored panel times a few tokens for AVX-512BW, which has neither a 64-entry lookup nor byte dot products: four 16-entry lookups
// merged by masks from the header, and 16-bit pair sums that the block scale multiplies as they widen. The float operations are those
// of templates/matmul.h; everything before them is exact.
#ifndef CK_DECODE_PRODUCT_H
#define CK_DECODE_PRODUCT_H
#include "../lanes/lanes.h"

typedef struct { __m512i grid[4]; } panel_tables;
CK_INLINE void panel_tables_prepare(panel_tables *tables, const uint8_t *grids) {
    for (int i = 0; i < 4; i++) tables->grid[i] = _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)(grids + 16 * i)));
}

// The header bytes of one block: which lanes (as bytes) use odd grids, the upper two, and grid 3; the scale s in both words of a lane.
typedef struct { __mmask64 odd, upper, both; __m512i scale; } block_header;
CK_INLINE block_header read_header(const uint8_t *header) {
    const __m512i repeat = _mm512_set_epi32(0x0f0f0f0f, 0x0e0e0e0e, 0x0d0d0d0d, 0x0c0c0c0c, 0x0b0b0b0b, 0x0a0a0a0a, 0x09090909, 0x08080808,
                                            0x07070707, 0x06060606, 0x05050505, 0x04040404, 0x03030303, 0x02020202, 0x01010101, 0);
    __m512i h = _mm512_shuffle_epi8(_mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)header)), repeat);
    __mmask64 odd = _mm512_test_epi8_mask(h, _mm512_set1_epi8(0x40)), upper = _mm512_movepi8_mask(h);
    __m512i scale = _mm512_sub_epi16(_mm512_and_si512(h, _mm512_set1_epi16(63)), _mm512_set1_epi16(32));
    return (block_header){odd, upper, odd & upper, scale};
}
CK_INLINE __m512i grid_bytes(const panel_tables *tables, block_header h, __m512i codes) {
    __m512i v = _mm512_shuffle_epi8(tables->grid[0], codes);
    v = _mm512_mask_shuffle_epi8(v, h.odd, tables->grid[1], codes);
    v = _mm512_mask_shuffle_epi8(v, h.upper, tables->grid[2], codes);
    return _mm512_mask_shuffle_epi8(v, h.both, tables->grid[3], codes);
}
CK_INLINE __m512i broadcast_four(const int8_t *q) {
    int32_t four;
    memcpy(&four, q, 4);
    return _mm512_set1_epi32(four);
}

// What 32 columns add to the windows before the activation scale: exact integers in floats (q8: rounded once).
CK_INLINE void dot_q4_lines(const uint8_t *header, const uint8_t *codes, const int blocks, const panel_tables *tables, const ck_activations *x,
                            int64_t token, const int tokens, int64_t k, __m512 *n) {
    const __m512i low_bits = _mm512_set1_epi8(0x0f);
    block_header h[2] = {read_header(header), read_header(header + (blocks - 1) * 16)};
    // Lanes (s of the first 16 columns, s of the other 16) times their activation sums, which fit 16 bits
    __m512i scales = blocks == 2 ? _mm512_mask_blend_epi16(0xAAAAAAAA, h[0].scale, h[1].scale) : h[0].scale;
    __m512i sums[CK_TOKEN_TILE];
    for (int t = 0; t < tokens; t++) {
        const int32_t *sum = x->sum + (token + t) * (x->padded / 16) + k / 16;
        __m512i pair = _mm512_set1_epi32((int32_t)((uint32_t)(uint16_t)sum[0] | (uint32_t)sum[1] << 16));
        sums[t] = _mm512_sub_epi32(_mm512_setzero_si512(), _mm512_slli_epi32(_mm512_madd_epi16(scales, pair), 6));
    }
    for (int line = 0; line < 4; line++) {
        const block_header b = h[line * blocks / 4];
        __m512i z = _mm512_loadu_si512(codes + 64 * line);
        __m512i low = grid_bytes(tables, b, _mm512_and_si512(z, low_bits));
        __m512i high = grid_bytes(tables, b, _mm512_and_si512(_mm512_srli_epi16(z, 4), low_bits));
        for (int t = 0; t < tokens; t++) {
            const int8_t *q = x->q + (token + t) * x->stride + k + 8 * line;
            // Products of bytes up to 127 add to 16-bit pairs without saturation.
            sums[t] = _mm512_add_epi32(sums[t], _mm512_madd_epi16(_mm512_maddubs_epi16(low, broadcast_four(q)), b.scale));
            sums[t] = _mm512_add_epi32(sums[t], _mm512_madd_epi16(_mm512_maddubs_epi16(high, broadcast_four(q + 4)), b.scale));
        }
    }
    for (int t = 0; t < tokens; t++) n[t] = _mm512_cvtepi32_ps(sums[t]);
}
// The magnitude of a value, up to 128, times the activation with the value's sign: pair sums stay within 2 x 128 x 127.
CK_INLINE void dot_q8_lines(const uint8_t *header, const uint8_t *codes, const ck_activations *x, int64_t token, const int tokens, int64_t k, __m512 *n) {
    const __m512i zero = _mm512_setzero_si512();
    __m512i sums[CK_TOKEN_TILE][2];
    for (int t = 0; t < tokens; t++) sums[t][0] = sums[t][1] = zero;
    for (int line = 0; line < 8; line++) {
        __m512i value = _mm512_xor_si512(_mm512_loadu_si512(codes + 64 * line), _mm512_set1_epi8((char)0x80));
        __m512i magnitude = _mm512_abs_epi8(value);
        __mmask64 negative = _mm512_movepi8_mask(value);
        for (int t = 0; t < tokens; t++) {
            __m512i q = broadcast_four(x->q + (token + t) * x->stride + k + 4 * line);
            __m512i pairs = _mm512_maddubs_epi16(magnitude, _mm512_mask_sub_epi8(q, negative, zero, q));
            sums[t][line & 1] = _mm512_add_epi32(sums[t][line & 1], _mm512_madd_epi16(pairs, _mm512_set1_epi16(1)));
        }
    }
    __m512 s = _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)header)));
    for (int t = 0; t < tokens; t++) n[t] = _mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_add_epi32(sums[t][0], sums[t][1])), s);
}

// `streams` panels side by side for `tokens` tokens (both constants after inlining).
CK_INLINE void panel_product(const uint8_t *panel, int64_t panel_bytes, const int streams, const int type, const panel_tables *tables,
                             const ck_activations *x, int64_t token, const int tokens, float *out, int64_t token_stride) {
    const int header = type == CK_Q4 ? 128 : 64, unit = header + (type == CK_Q8 ? 2048 : 1024);
    const panel_tables held = *tables;
    const int64_t blocks = x->padded / 32;
    const uint8_t *superblocks = panel + header_bytes(x->padded);
    __m512 total[CK_STREAMS][CK_TOKEN_TILE], window[CK_STREAMS][CK_TOKEN_TILE], n[CK_TOKEN_TILE];
    for (int s = 0; s < streams; s++)
        for (int t = 0; t < tokens; t++) total[s][t] = _mm512_setzero_ps();
    for (int64_t k0 = 0; k0 < x->padded; k0 += 256) {
        for (int s = 0; s < streams; s++)
            for (int t = 0; t < tokens; t++) window[s][t] = _mm512_setzero_ps();
        int64_t end = k0 + 256 < x->padded ? k0 + 256 : x->padded;
        for (int64_t k1 = k0; k1 < end; k1 += 128, superblocks += unit)
#pragma clang loop unroll(disable)
            for (int b = 0; b < 4; b++)
#pragma clang loop unroll(full)
                for (int s = 0; s < streams; s++) {
                    const uint8_t *superblock = superblocks + s * panel_bytes;
                    const uint8_t *scales = superblock + header / 4 * b, *codes = superblock + header + (type == CK_Q8 ? 512 : 256) * b;
                    const int64_t k = k1 + 32 * b;
                    prefetch_codes(superblock + b * (unit / 4), unit / 4, streams);
                    if (type == CK_Q8) dot_q8_lines(scales, codes, x, token, tokens, k, n);
                    else dot_q4_lines(scales, codes, type == CK_Q4 ? 2 : 1, &held, x, token, tokens, k, n);
                    for (int t = 0; t < tokens; t++)
                        window[s][t] = _mm512_fmadd_ps(n[t], _mm512_set1_ps(x->scale[(token + t) * blocks + k / 32]), window[s][t]);
                }
        for (int s = 0; s < streams; s++) {
            __m512i factor = _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)(window_bytes(panel + s * panel_bytes, x->padded) + k0 / 256 * 16)));
            factor = _mm512_add_epi32(_mm512_slli_epi32(factor, 20), _mm512_set1_epi32(0x2F800000));
            for (int t = 0; t < tokens; t++) total[s][t] = _mm512_fmadd_ps(window[s][t], _mm512_castsi512_ps(factor), total[s][t]);
        }
    }
    for (int s = 0; s < streams; s++)
        for (int t = 0; t < tokens; t++)
            _mm512_storeu_ps(out + t * token_stride + 16 * s, _mm512_mul_ps(total[s][t], _mm512_loadu_ps((const float *)(panel + s * panel_bytes))));
}

#endif
