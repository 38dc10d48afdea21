// One stored panel times a few tokens, for 32-byte registers: AVX2, and AVX-VNNI where CK_ISA_AVXVNNI is set. The float operations are
// those of templates/matmul.h; everything before them is exact.
#ifndef CK_DECODE_PRODUCT_H
#define CK_DECODE_PRODUCT_H
#include "row_lookup.h"

typedef grid_pairs panel_tables;
CK_INLINE void panel_tables_prepare(panel_tables *tables, const uint8_t *grids) { grid_pairs_prepare(tables, grids); }

CK_INLINE __m256i broadcast_four(const int8_t *q) {
    int32_t four;
    memcpy(&four, q, 4);
    return _mm256_set1_epi32(four);
}
// (h & 63) - 32 of eight header bytes, and h itself, as floats
CK_INLINE __m256 block_scales(const uint8_t *header) {
    __m256i h = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)header));
    return _mm256_cvtepi32_ps(_mm256_sub_epi32(_mm256_and_si256(h, _mm256_set1_epi32(63)), _mm256_set1_epi32(32)));
}
CK_INLINE __m256 wide_scales(const uint8_t *header) { return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)header))); }

// What 32 columns add to the windows of eight rows before the activation scale: an exact integer in a float for the 4-bit types, the
// integer before the block scale for q8. Headers and codes are given from the first of the eight rows on.

#if CK_ISA_AVXVNNI

CK_INLINE __m256i bias(__m256i grid_value, __m256i x) {
    return _mm256_sub_epi32(_mm256_setzero_si256(), _mm256_dpbusd_avx_epi32(_mm256_setzero_si256(), grid_value, x));
}
typedef struct { __m256 first, second; } scales_q4;
CK_INLINE scales_q4 prepare_q4(const uint8_t *header) { return (scales_q4){block_scales(header), block_scales(header + 16)}; }
// Both products are below 2^23, so the fused sum is exact.
CK_INLINE __m256 dot_q4(const __m256i grid[8], scales_q4 s, const ck_activations *x, int64_t token, int64_t k) {
    const __m256i zero_point = _mm256_set1_epi8(64);
    lane_activations q = activations_q4(x->q + token * x->stride + k);
    __m256i terms[8], first = bias(zero_point, q.first), second = bias(zero_point, q.second);
    for (int i = 0; i < 4; i++) terms[i] = _mm256_dpbusd_avx_epi32(first, grid[i], q.first);
    for (int i = 4; i < 8; i++) terms[i] = _mm256_dpbusd_avx_epi32(second, grid[i], q.second);
    __m256 sum = _mm256_mul_ps(_mm256_cvtepi32_ps(row_sums(terms)), s.first);
    return _mm256_fmadd_ps(_mm256_cvtepi32_ps(row_sums(terms + 4)), s.second, sum);
}
CK_INLINE __m256 dot_q4s(const __m256i grid[8], __m256 s, const ck_activations *x, int64_t token, int64_t k) {
    const __m256i zero_point = _mm256_set1_epi8(64);
    lane_activations q = activations_q4s(x->q + token * x->stride + k);
    __m256i terms[4], start = _mm256_add_epi32(bias(zero_point, q.first), bias(zero_point, q.second));
    for (int i = 0; i < 4; i++)
        terms[i] = _mm256_dpbusd_avx_epi32(_mm256_dpbusd_avx_epi32(start, grid[i], q.first), grid[4 + i], q.second);
    return _mm256_mul_ps(_mm256_cvtepi32_ps(row_sums(terms)), s);
}
CK_INLINE void dot_q8(const uint8_t *codes, const ck_activations *x, int64_t token, const int tokens, int64_t k, __m256i *sums) {
    __m256i odd[CK_TOKEN_TILE];
    for (int t = 0; t < tokens; t++) {
        const int32_t *sum = x->sum + (token + t) * (x->padded / 16) + k / 16;
        sums[t] = _mm256_set1_epi32(-128 * (sum[0] + sum[1]));
        odd[t] = _mm256_setzero_si256();
    }
    for (int line = 0; line < 8; line++) {
        __m256i value = eight_rows(codes + 64 * line);
        for (int t = 0; t < tokens; t++) {
            __m256i *to = line & 1 ? &odd[t] : &sums[t];
            *to = _mm256_dpbusd_avx_epi32(*to, value, broadcast_four(x->q + (token + t) * x->stride + k + 4 * line));
        }
    }
    for (int t = 0; t < tokens; t++) sums[t] = _mm256_add_epi32(sums[t], odd[t]);
}

#else

// Words s of rows 0 ... 7 for two blocks, one pair per row.
typedef __m256i scales_q4;
CK_INLINE scales_q4 prepare_q4(const uint8_t *header) {
    __m128i h = _mm_unpacklo_epi8(_mm_loadl_epi64((const __m128i *)header), _mm_loadl_epi64((const __m128i *)(header + 16)));
    return _mm256_sub_epi16(_mm256_and_si256(_mm256_cvtepu8_epi16(h), _mm256_set1_epi16(63)), _mm256_set1_epi16(32));
}
// Pair sums of two rows in each lane, a and b, to sums of four: four words of a, then four of b, in each lane. They fit 16 bits once the grid's
// zero point is taken off, so wrapping in between does no harm. With that, half as many multiplications by block scales widen the sums.
CK_INLINE __m256i four_sums(__m256i a, __m256i b, __m256i correction) {
    __m256i far = _mm256_shuffle_epi32(_mm256_blend_epi32(b, a, 0xCC), 0x4E);
    return _mm256_sub_epi16(_mm256_add_epi16(_mm256_blend_epi32(a, b, 0xCC), far), correction);
}
CK_INLINE __m256i zero_point_sums(__m256i q) {
    __m256i pairs = _mm256_maddubs_epi16(_mm256_set1_epi8(64), q);
    return _mm256_add_epi16(pairs, _mm256_shuffle_epi32(pairs, 0x4E));
}
CK_INLINE __m256 dot_q4(const __m256i grid[8], scales_q4 s, const ck_activations *x, int64_t token, int64_t k) {
    lane_activations q = activations_q4(x->q + token * x->stride + k);
    // rows 0 ... 7 as pairs of equal words, for either block
    __m256i s0 = _mm256_blend_epi16(s, _mm256_slli_epi32(s, 16), 0xAA), s1 = _mm256_blend_epi16(_mm256_srli_epi32(s, 16), s, 0xAA);
    __m256i c0 = zero_point_sums(q.first), c1 = zero_point_sums(q.second), rows[2];
#define CK_ROWS(i, pattern)                                                                                                                  \
    rows[i] = _mm256_add_epi32(                                                                                                              \
        _mm256_madd_epi16(four_sums(_mm256_maddubs_epi16(grid[2 * i], q.first), _mm256_maddubs_epi16(grid[2 * i + 1], q.first), c0),         \
                          _mm256_shuffle_epi32(s0, pattern)),                                                                                \
        _mm256_madd_epi16(four_sums(_mm256_maddubs_epi16(grid[4 + 2 * i], q.second), _mm256_maddubs_epi16(grid[5 + 2 * i], q.second), c1),   \
                          _mm256_shuffle_epi32(s1, pattern)))
    CK_ROWS(0, 0x50);
    CK_ROWS(1, 0xFA);
#undef CK_ROWS
    __m256 a = _mm256_castsi256_ps(rows[0]), b = _mm256_castsi256_ps(rows[1]);
    __m256i even = _mm256_castps_si256(_mm256_shuffle_ps(a, b, 0x88)), odd = _mm256_castps_si256(_mm256_shuffle_ps(a, b, 0xDD));
    return _mm256_cvtepi32_ps(_mm256_add_epi32(even, odd));
}
// Sums of four products fit 16 bits once the grid's zero point is taken off, so wrapping in between does no harm.
CK_INLINE __m256 dot_q4s(const __m256i grid[8], __m256 s, const ck_activations *x, int64_t token, int64_t k) {
    const __m256i zero_point = _mm256_set1_epi8(64);
    lane_activations q = activations_q4s(x->q + token * x->stride + k);
    __m256i correction = _mm256_add_epi16(_mm256_maddubs_epi16(zero_point, q.first), _mm256_maddubs_epi16(zero_point, q.second));
    __m256i terms[4];
    for (int i = 0; i < 4; i++) {
        __m256i four = _mm256_add_epi16(_mm256_maddubs_epi16(grid[i], q.first), _mm256_maddubs_epi16(grid[4 + i], q.second));
        terms[i] = _mm256_madd_epi16(_mm256_sub_epi16(four, correction), _mm256_set1_epi16(1));
    }
    return _mm256_mul_ps(_mm256_cvtepi32_ps(row_sums(terms)), s);
}
// The magnitude of a value, up to 128, times the activation with the value's sign: pair sums stay within 2 x 128 x 127.
CK_INLINE void dot_q8(const uint8_t *codes, const ck_activations *x, int64_t token, const int tokens, int64_t k, __m256i *sums) {
    for (int t = 0; t < tokens; t++) sums[t] = _mm256_setzero_si256();
    for (int line = 0; line < 8; line++) {
        __m256i value = _mm256_xor_si256(eight_rows(codes + 64 * line), _mm256_set1_epi8((char)0x80)), magnitude = _mm256_abs_epi8(value);
        for (int t = 0; t < tokens; t++) {
            __m256i q = broadcast_four(x->q + (token + t) * x->stride + k + 4 * line);
            __m256i pairs = _mm256_maddubs_epi16(magnitude, _mm256_sign_epi8(q, value));
            sums[t] = _mm256_add_epi32(sums[t], _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
        }
    }
}

#endif

// As prefetch_codes for one stream, but of the next 16 KB, four pages in turn: in pure sequence q8, which computes little, waits for memory.
// Two threads read 16.1 -> 17.1 GB/s of 19.1 so (Zen 3). q4 and q4s lose by it what the addresses cost.
CK_INLINE void prefetch_four_pages(const uint8_t *codes, int bytes) {
    enum { line = 64, page = 4096, pages = 4 };
    for (int i = 0; i < bytes; i += line) {
        const uintptr_t address = (uintptr_t)codes + (uintptr_t)i, next = (address | (pages * page - 1)) + 1, turn = address / line % (page / line * pages);
        __builtin_prefetch((const void *)(next + turn % pages * page + turn / pages * line), 0, 3);
    }
}

// 128 columns of one panel into the window sums of `tokens` tokens.
CK_INLINE void superblock_product(const uint8_t *superblock, const int streams, const int type, const panel_tables *tables, const ck_activations *x,
                                  int64_t token, const int tokens, int64_t k1, __m256 (*sums)[2]) {
    const int header = type == CK_Q4 ? 128 : 64, unit = header + (type == CK_Q8 ? 2048 : 1024);
    __m256 window[CK_TOKEN_TILE][2];
    for (int t = 0; t < tokens; t++) window[t][0] = sums[t][0], window[t][1] = sums[t][1];
    _Alignas(32) uint8_t keys[128];
    if (type != CK_Q8) pair_keys(superblock, header, keys);
#pragma clang loop unroll(disable)
    for (int b = 0; b < 4; b++) {
        if (type == CK_Q8 && streams == 1)
            prefetch_four_pages(superblock + b * (unit / 4), unit / 4);
        else
            prefetch_codes(superblock + b * (unit / 4), unit / 4, streams);
#pragma clang loop unroll(full)
        for (int half = 0; half < 2; half++) {
            const uint8_t *scales = superblock + header / 4 * b + 8 * half;
            const uint8_t *codes = superblock + header + (type == CK_Q8 ? 512 : 256) * b + 32 * half;
            const int64_t k = k1 + 32 * b;
            __m256i v[8];  // grid bytes, or for q8 the sums of the tokens
            if (type == CK_Q4) lookup_q4(codes, tables, keys + 32 * b + 8 * half, v);
            if (type == CK_Q4S) lookup_q4s(codes, tables, keys + 16 * b + 8 * half, v);
            if (type == CK_Q8) dot_q8(codes, x, token, tokens, k, v);
#pragma clang loop unroll(full)
            for (int t = 0; t < tokens; t++) {
                __m256 n = type == CK_Q4    ? dot_q4(v, prepare_q4(scales), x, token + t, k)
                           : type == CK_Q4S ? dot_q4s(v, block_scales(scales), x, token + t, k)
                                            : _mm256_mul_ps(_mm256_cvtepi32_ps(v[t]), wide_scales(scales));
                __m256 scale = _mm256_broadcast_ss(x->scale + (token + t) * (x->padded / 32) + k / 32);
                window[t][half] = _mm256_fmadd_ps(n, scale, window[t][half]);
            }
        }
    }
    for (int t = 0; t < tokens; t++) sums[t][0] = window[t][0], sums[t][1] = window[t][1];
}

// `streams` panels side by side for `tokens` tokens (both constants after inlining).
CK_INLINE void panel_product(const uint8_t *panel, int64_t panel_bytes, const int streams, const int type, const panel_tables *tables,
                             const ck_activations *x, int64_t token, const int tokens, float *out, int64_t token_stride) {
    const int header = type == CK_Q4 ? 128 : 64, unit = header + (type == CK_Q8 ? 2048 : 1024);
    const uint8_t *superblocks = panel + header_bytes(x->padded);
    __m256 total[CK_STREAMS][CK_TOKEN_TILE][2], window[CK_STREAMS][CK_TOKEN_TILE][2];
    for (int s = 0; s < streams; s++)
        for (int t = 0; t < tokens; t++) total[s][t][0] = total[s][t][1] = _mm256_setzero_ps();
    for (int64_t k0 = 0; k0 < x->padded; k0 += 256) {
        for (int s = 0; s < streams; s++)
            for (int t = 0; t < tokens; t++) window[s][t][0] = window[s][t][1] = _mm256_setzero_ps();
        int64_t end = k0 + 256 < x->padded ? k0 + 256 : x->padded;
        for (int64_t k1 = k0; k1 < end; k1 += 128, superblocks += unit)
#pragma clang loop unroll(disable)
            for (int s = 0; s < streams; s++) superblock_product(superblocks + s * panel_bytes, streams, type, tables, x, token, tokens, k1, window[s]);
        for (int s = 0; s < streams; s++)
            for (int half = 0; half < 2; half++) {
                __m256i b = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(window_bytes(panel + s * panel_bytes, x->padded) + k0 / 256 * 16 + 8 * half)));
                __m256 factor = _mm256_castsi256_ps(_mm256_add_epi32(_mm256_slli_epi32(b, 20), _mm256_set1_epi32(0x2F800000)));
                for (int t = 0; t < tokens; t++) total[s][t][half] = _mm256_fmadd_ps(window[s][t][half], factor, total[s][t][half]);
            }
    }
    for (int s = 0; s < streams; s++)
        for (int t = 0; t < tokens; t++)
            for (int half = 0; half < 2; half++)
                _mm256_storeu_ps(
                    out + t * token_stride + 16 * s + 8 * half,
                    _mm256_mul_ps(total[s][t][half], _mm256_loadu_ps((const float *)(panel + s * panel_bytes) + 8 * half)));
}
#endif
