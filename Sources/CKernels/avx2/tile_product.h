// Expanded panels times a register tile of tokens for AVX2: the exact product of templates/tile_products.h, whose results are the same bits.
//
// Per dot product of 32 bytes: vpmaddubsw, vpmaddwd by the block scale, vpaddd; the multiplications have two ports, so 32 products a cycle are
// the limit. Sixteen registers hold eight sums (16 rows x 4 tokens), two rows, two scales and the temporaries, but only in this order:
// left to itself the compiler spills some of them, which costs 6 to 10 % (Zen 3).
#ifndef CK_TILE_PRODUCT_AVX2_H
#define CK_TILE_PRODUCT_AVX2_H

CK_INLINE __m256i tile_half(const void *p, int half) { return _mm256_load_si256((const __m256i *)p + half); }

// Sums of a token's 16 rows += four columns' codes x activations x scales.
CK_INLINE void tile_four_columns(__m256i *sums, __m256i x, __m256i row0, __m256i row1, __m256i scale0, __m256i scale1) {
    __m256i t;
    __asm__("vpmaddubsw %[row0], %[x], %[t]\n\t"
            "vpmaddubsw %[row1], %[x], %[x]\n\t"
            "vpmaddwd %[scale0], %[t], %[t]\n\t"
            "vpmaddwd %[scale1], %[x], %[x]\n\t"
            "vpaddd %[t], %[sum0], %[sum0]\n\t"
            "vpaddd %[x], %[sum1], %[sum1]"
            : [t] "=&x"(t), [x] "+&x"(x), [sum0] "+&x"(sums[0]), [sum1] "+&x"(sums[1])
            : [row0] "x"(row0), [row1] "x"(row1), [scale0] "x"(scale0), [scale1] "x"(scale1));
}
// The sums of 256 columns times their factor join the totals in `out`, or are the first of them.
CK_INLINE void tile_total_avx2(const f32x16 *factor, const int tokens, const int is_first, __m256 (*window)[2], float *out, int64_t token_stride) {
    for (int t = 0; t < tokens; t++)
        for (int half = 0; half < 2; half++) {
            float *place = out + t * token_stride + 8 * half;
            const __m256 total = is_first ? _mm256_setzero_ps() : _mm256_loadu_ps(place);
            _mm256_storeu_ps(place, _mm256_fmadd_ps(window[t][half], _mm256_load_ps((const float *)factor + 8 * half), total));
        }
}

#include "tile_words.h"

CK_INLINE void tile_product(const tile_weights *w, const int sides, const int tokens, const int type, const ck_activations *x, int64_t token, int64_t k0,
                            int64_t columns, float *out, int64_t token_stride) {
    _Static_assert(CK_TILE_PANELS == 1 && CK_TILE_TOKENS <= 4, "a tile is one panel by up to four tokens");
    if (tile_is_words(type)) return tile_words_product(w, sides, tokens, x, token, k0, columns, out, token_stride);
    const uint8_t *codes = tile_activations(x, type) + token * x->stride + k0;
    const float *scales = x->scale + token * (x->padded / 32) + k0 / 32;
    const int block = type == CK_Q4 ? 16 : 32;
    for (int64_t k1 = 0; k1 < columns; k1 += 256) {
        __m256 window[4][2];
        for (int t = 0; t < tokens; t++) window[t][0] = window[t][1] = _mm256_setzero_ps();
        const int64_t end = k1 + 256 < columns ? k1 + 256 : columns;
        for (int64_t k = k1; k < end; k += 32) {
            __m256i sums[4][2];
            // The next tile's activations, half a line of each token at a time
            if (k % 64 == 0)
                for (int t = 0; t < tokens; t++) __builtin_prefetch(codes + (tokens + t) * x->stride + k);
            for (int t = 0; t < tokens; t++)
                for (int half = 0; half < 2; half++) sums[t][half] = tile_half(&w->start[k / 32][0], half);
            _Pragma("clang loop unroll(full)")
            for (int group = 0; group < 8; group++) {
                const int8_t *rows = w->codes[k / 4 + group][0];
                const i32x16 *pair = w->pair[(k + 4 * group) / block];
                _Pragma("clang loop unroll(full)")
                for (int t = 0; t < tokens; t++) {
                    const __m256i four = broadcast_four((const int8_t *)codes + t * x->stride + k + 4 * group);
                    tile_four_columns(sums[t], four, tile_half(rows, 0), tile_half(rows, 1), tile_half(pair, 0), tile_half(pair, 1));
                }
            }
            for (int t = 0; t < tokens; t++) {
                const __m256 scale = _mm256_broadcast_ss(scales + t * (x->padded / 32) + k / 32);
                for (int half = 0; half < 2; half++) window[t][half] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(sums[t][half]), scale, window[t][half]);
            }
        }
        tile_total_avx2(&w->factor[k1 / 256], tokens, k0 + k1 == 0, window, out, token_stride);
    }
}
#endif
