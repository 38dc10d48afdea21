// Expanded panels of q8 and q6 times a register tile of tokens for AVX2: their values are too large for vpmaddubsw's 16-bit sums, so they are
// expanded to words, times the block scale, which fits: 255 x 128 < 2^15. The sums over 32 columns are exact and stay below 2^28.
//
// Per 32 products: two vpmaddwd and two vpaddd, where bytes with signs (vpsignb, vpmaddubsw, vpmaddwd, vpaddd) keep the same two multiplication
// ports busy for longer, and need the scales as well: 105 against 117 GOP/s, where dot products alone reach 187 (q8, Zen 3).
//
// A dword holds columns 0 and 2, or 1 and 3, of a group of four: that is what shifts make of bytes.
#ifndef CK_TILE_WORDS_AVX2_H
#define CK_TILE_WORDS_AVX2_H

CK_INLINE __m256i even_words(__m256i bytes) { return _mm256_srai_epi16(_mm256_slli_epi16(bytes, 8), 8); }
CK_INLINE __m256i odd_words(__m256i bytes) { return _mm256_srai_epi16(bytes, 8); }

// Four columns of 16 rows.
CK_INLINE void tile_store_words(tile_weights *w, int64_t group, const int side, i32x16 codes, i32x16 scale) {
    for (int half = 0; half < 2; half++) {
        __m256i z, s;
        memcpy(&z, (const char *)&codes + 32 * half, 32);
        memcpy(&s, (const char *)&scale + 32 * half, 32);
        s = _mm256_or_si256(s, _mm256_slli_epi32(s, 16));
        _mm256_store_si256((__m256i *)w->words[side][group][0] + half, _mm256_mullo_epi16(even_words(z), s));
        _mm256_store_si256((__m256i *)w->words[side][group][1] + half, _mm256_mullo_epi16(odd_words(z), s));
    }
}

// Sums of a token's 16 rows += two columns. The order keeps everything in registers, see tile_product.h.
CK_INLINE void tile_two_columns(__m256i *sums, __m256i x, __m256i row0, __m256i row1) {
    __m256i t;
    __asm__("vpmaddwd %[row0], %[x], %[t]\n\t"
            "vpmaddwd %[row1], %[x], %[x]\n\t"
            "vpaddd %[t], %[sum0], %[sum0]\n\t"
            "vpaddd %[x], %[sum1], %[sum1]"
            : [t] "=&x"(t), [x] "+&x"(x), [sum0] "+&x"(sums[0]), [sum1] "+&x"(sums[1])
            : [row0] "x"(row0), [row1] "x"(row1));
}

// The same where the sums begin.
CK_INLINE void tile_first_columns(__m256i *sums, __m256i x, __m256i row0, __m256i row1) {
    sums[0] = _mm256_madd_epi16(row0, x);
    sums[1] = _mm256_madd_epi16(row1, x);
}

// One window of up to 256 columns. The activations become words once for `sides` panels, up to four: it takes 10 % of one panel's time, more
// than it costs that four expanded panels, 32 KB, come from the second-level cache.
CK_INLINE void tile_words_product(const tile_weights *w, const int sides, const int tokens, const ck_activations *x, int64_t token, int64_t k0,
                                  int64_t columns, float *out, int64_t token_stride) {
    _Static_assert(CK_TILE_WORD_COLUMNS == 256 && CK_TILE_PANELS == 1, "one window at a time");
    const int8_t *codes = x->q + token * x->stride + k0;
    const float *scales = x->scale + token * (x->padded / 32) + k0 / 32;
    _Alignas(32) int32_t pairs[4][2][64];  // [token][even, odd][group]
    for (int t = 0; t < tokens; t++)
        for (int64_t k = 0; k < columns; k += 32) {
            const __m256i bytes = _mm256_loadu_si256((const __m256i *)(codes + t * x->stride + k));
            _mm256_store_si256((__m256i *)(pairs[t][0] + k / 4), even_words(bytes));
            _mm256_store_si256((__m256i *)(pairs[t][1] + k / 4), odd_words(bytes));
        }
    for (int side = 0; side < sides; side++) {
        __m256 window[4][2];
        for (int t = 0; t < tokens; t++) window[t][0] = window[t][1] = _mm256_setzero_ps();
        for (int64_t k = 0; k < columns; k += 32) {
            __m256i sums[4][2];
            // The next tile's activations, half a line of each token at a time
            if (side == 0 && k % 64 == 0)
                for (int t = 0; t < tokens; t++) __builtin_prefetch(codes + (tokens + t) * x->stride + k);
            _Pragma("clang loop unroll(full)")
            for (int group = 0; group < 8; group++)
                _Pragma("clang loop unroll(full)")
                for (int odd = 0; odd < 2; odd++) {
                    const int16_t *rows = w->words[side][k / 4 + group][odd];
                    const __m256i row0 = tile_half(rows, 0), row1 = tile_half(rows, 1);
                    _Pragma("clang loop unroll(full)")
                    for (int t = 0; t < tokens; t++) {
                        const __m256i pair = _mm256_set1_epi32(pairs[t][odd][k / 4 + group]);
                        if (group + odd) tile_two_columns(sums[t], pair, row0, row1);
                        else tile_first_columns(sums[t], pair, row0, row1);
                    }
                }
            for (int t = 0; t < tokens; t++) {
                const __m256 scale = _mm256_broadcast_ss(scales + t * (x->padded / 32) + k / 32);
                for (int half = 0; half < 2; half++) window[t][half] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(sums[t][half]), scale, window[t][half]);
            }
        }
        tile_total_avx2(&w->factor[side], tokens, k0 == 0, window, out + 16 * side, token_stride);
    }
}
#endif
