// One stored panel times a few tokens, for 32-byte registers: AVX2, and AVX-VNNI where CK_ISA_AVXVNNI is set. The float operations are
// those of templates/matmul.h; everything before them is exact.
#ifndef CK_DECODE_PRODUCT_H
#define CK_DECODE_PRODUCT_H
#include "lane_activations.h"
#include "row_lookup.h"

typedef grid_pairs panel_tables;
CK_INLINE void panel_tables_prepare(panel_tables *tables, const uint8_t *grids) { grid_pairs_prepare(tables, grids); }

CK_INLINE __m256i broadcast_four(const int8_t *q) {
    int32_t four;
    memcpy(&four, q, 4);
    return _mm256_set1_epi32(four);
}
// The block scales of a superblock, header byte & 63 less 32, in the order of the header. `bytes` is a multiple of 32.
CK_INLINE void scale_bytes(const uint8_t *header, const int bytes, int8_t *scales) {
    for (int i = 0; i < bytes; i += 32) {
        const __m256i h = _mm256_and_si256(eight_rows(header + i), _mm256_set1_epi8(63));
        _mm256_store_si256((__m256i *)(scales + i), _mm256_sub_epi8(h, _mm256_set1_epi8(32)));
    }
}
// Those of eight rows, and eight header bytes of q8, as floats
CK_INLINE __m256 block_scales(const int8_t *scales) { return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)scales))); }
CK_INLINE __m256 wide_scales(const uint8_t *header) { return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)header))); }

// What 32 columns add to the windows of eight rows before the activation scale: an exact integer in a float for the 4-bit types, the
// integer before the block scale for q8. Scales and codes are given from the first of the eight rows on.

#if CK_ISA_AVXVNNI

CK_INLINE __m256i bias(__m256i grid_value, __m256i x) {
    return _mm256_sub_epi32(_mm256_setzero_si256(), _mm256_dpbusd_avx_epi32(_mm256_setzero_si256(), grid_value, x));
}
typedef struct { __m256 first, second; } scales_q4;
CK_INLINE scales_q4 prepare_q4(const int8_t *scales) { return (scales_q4){block_scales(scales), block_scales(scales + 16)}; }
CK_INLINE __m256 activation_scale_q4(__m256 scale) { return scale; }
// Both products are below 2^23, so the fused sum is exact.
CK_INLINE __m256 dot_q4(const __m256i grid[8], scales_q4 s, const ck_activations *x, int64_t token, int64_t k) {
    const __m256i zero_point = _mm256_set1_epi8(64);
    lane_activations q = activations_q4(lanes_of(x, token, k));
    __m256i terms[8], first = bias(zero_point, q.first), second = bias(zero_point, q.second);
    for (int i = 0; i < 4; i++) terms[i] = _mm256_dpbusd_avx_epi32(first, grid[i], q.first);
    for (int i = 4; i < 8; i++) terms[i] = _mm256_dpbusd_avx_epi32(second, grid[i], q.second);
    __m256 sum = _mm256_mul_ps(_mm256_cvtepi32_ps(row_sums(terms)), s.first);
    return _mm256_fmadd_ps(_mm256_cvtepi32_ps(row_sums(terms + 4)), s.second, sum);
}
CK_INLINE __m256 dot_q4s(const __m256i grid[8], __m256 s, const ck_activations *x, int64_t token, int64_t k) {
    const __m256i zero_point = _mm256_set1_epi8(64);
    lane_activations q = activations_q4s(lanes_of(x, token, k));
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

// Scale bytes of eight rows for two blocks, repeated.
typedef struct { __m256i block[2]; } scales_q4;
CK_INLINE scales_q4 prepare_q4(const int8_t *scales) { return (scales_q4){{eight_repeated(scales), eight_repeated(scales + 16)}}; }
// Words 256 s, four of row `row` and four of the next in the lower lane, of rows + 4 in the upper one: one shuffle puts the byte s into the
// upper half of every word. Sums of 32 columns times 256 are below 2^31; the activation scale, 0 or above 2^-107, takes the 256 off exactly.
CK_INLINE __m256i two_rows(__m256i scales, const int row) {
    const char a = (char)row, b = (char)(row + 1), c = (char)(row + 4), d = (char)(row + 5), o = -1;
    return _mm256_shuffle_epi8(scales, _mm256_setr_epi8(o, a, o, a, o, a, o, a, o, b, o, b, o, b, o, b, o, c, o, c, o, c, o, c, o, d, o, d, o, d, o, d));
}
CK_INLINE __m256 activation_scale_q4(__m256 scale) { return _mm256_mul_ps(scale, _mm256_set1_ps(1.0f / 256)); }
// Pair sums of two rows in each lane, a and b, to sums of four: four words of a, then four of b, in each lane. They fit 16 bits once the grid's
// zero point is taken off, so wrapping in between does no harm. With that, half as many multiplications by block scales widen the sums.
CK_INLINE __m256i four_sums(__m256i a, __m256i b, __m256i correction) {
    return _mm256_sub_epi16(_mm256_add_epi16(_mm256_blend_epi32(a, b, 0xCC), _mm256_alignr_epi8(b, a, 8)), correction);
}
CK_INLINE __m256i two_row_sums(const __m256i *grid, __m256i q, __m256i correction, __m256i scales) {
    return _mm256_madd_epi16(four_sums(_mm256_maddubs_epi16(grid[0], q), _mm256_maddubs_epi16(grid[1], q), correction), scales);
}
CK_INLINE __m256 dot_q4(const __m256i grid[8], scales_q4 s, const ck_activations *x, int64_t token, int64_t k) {
    const uint8_t *lanes = lanes_of(x, token, k);
    const lane_activations q = activations_q4(lanes);
    const __m256i c0 = zero_point_q4(lanes, 0), c1 = zero_point_q4(lanes, 1);
    __m256i rows[2];
    for (int i = 0; i < 2; i++)
        rows[i] = _mm256_add_epi32(two_row_sums(grid + 2 * i, q.first, c0, two_rows(s.block[0], 2 * i)),
                                   two_row_sums(grid + 4 + 2 * i, q.second, c1, two_rows(s.block[1], 2 * i)));
    __m256 a = _mm256_castsi256_ps(rows[0]), b = _mm256_castsi256_ps(rows[1]);
    __m256i even = _mm256_castps_si256(_mm256_shuffle_ps(a, b, 0x88)), odd = _mm256_castps_si256(_mm256_shuffle_ps(a, b, 0xDD));
    return _mm256_cvtepi32_ps(_mm256_add_epi32(even, odd));
}
// Sums of four products fit 16 bits once the grid's zero point is taken off, so wrapping in between does no harm.
CK_INLINE __m256 dot_q4s(const __m256i grid[8], __m256 s, const ck_activations *x, int64_t token, int64_t k) {
    const uint8_t *lanes = lanes_of(x, token, k);
    const lane_activations q = activations_q4s(lanes);
    const __m256i correction = zero_point_q4s(lanes);
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
    _Alignas(32) int8_t scales[128];
    if (type != CK_Q8) pair_keys(superblock, header, keys), scale_bytes(superblock, header, scales);
#pragma clang loop unroll(disable)
    for (int b = 0; b < 4; b++) {
        if (type == CK_Q8 && streams == 1)
            prefetch_four_pages(superblock + b * (unit / 4), unit / 4);
        else
            prefetch_codes(superblock + b * (unit / 4), unit / 4, streams);
#pragma clang loop unroll(full)
        for (int half = 0; half < 2; half++) {
            const int at = header / 4 * b + 8 * half;
            const uint8_t *codes = superblock + header + (type == CK_Q8 ? 512 : 256) * b + 32 * half;
            const int64_t k = k1 + 32 * b;
            __m256i v[8];  // grid bytes, or for q8 the sums of the tokens
            if (type == CK_Q4) lookup_q4(codes, tables, keys + at, v);
            if (type == CK_Q4S) lookup_q4s(codes, tables, keys + at, v);
            if (type == CK_Q8) dot_q8(codes, x, token, tokens, k, v);
#pragma clang loop unroll(full)
            for (int t = 0; t < tokens; t++) {
                __m256 n = type == CK_Q4    ? dot_q4(v, prepare_q4(scales + at), x, token + t, k)
                           : type == CK_Q4S ? dot_q4s(v, block_scales(scales + at), x, token + t, k)
                                            : _mm256_mul_ps(_mm256_cvtepi32_ps(v[t]), wide_scales(superblock + at));
                __m256 scale = _mm256_broadcast_ss(x->scale + (token + t) * (x->padded / 32) + k / 32);
                if (type == CK_Q4) scale = activation_scale_q4(scale);
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
