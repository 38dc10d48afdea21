// Expanded panels times a register tile of tokens, exactly. Three kinds of instruction sets, whose dot product takes
//   CK_UNSIGNED_DOT   (vpdpbusd) an unsigned operand: the activations, biased by 128; `start` takes the bias off
//   CK_SCALED_DOT     (vpmaddubsw) likewise, the products of neighbours adding to 16 bits; the multiplication that widens these sums
//                     multiplies them by the block scale as well. q8 and q6, whose values are too large for that, are multiplied signed
//   neither           (sdot) signed operands

#if CK_UNSIGNED_DOT
CK_INLINE int tile_biased(const int type) { (void)type; return 1; }
#elif CK_SCALED_DOT
CK_INLINE int tile_biased(const int type) { return type != CK_Q8 && type != CK_Q6; }
#endif
#if CK_UNSIGNED_DOT || CK_SCALED_DOT
CK_INLINE i32x16 tile_sum(i32x16 acc, i32x16 w) { return bytes_dot(acc, bytes_set(1), w); }
#else
CK_INLINE int tile_biased(const int type) { (void)type; return 0; }
CK_INLINE i32x16 tile_sum(i32x16 acc, i32x16 w) { (void)w; return acc; }
#endif
// Whether values become words, times the block scale, as they are expanded: see CK_TILE_WORD_PANELS.
CK_INLINE int tile_is_words(const int type) {
#if CK_TILE_WORDS
    return !tile_biased(type);
#else
    (void)type;
    return 0;
#endif
}
CK_INLINE const uint8_t *tile_activations(const ck_activations *x, const int type) { return tile_biased(type) ? x->u : (const uint8_t *)x->q; }

// What 128 columns from k on need besides their codes: block scales, and the sums of the blocks' codes.
CK_INLINE void tile_scales(tile_weights *w, const int side, int64_t k, const int block, const i32x16 *scales, const i32x16 *sums) {
#if CK_SCALED_DOT
    for (int b = 0; b < 128 / block; b++) w->pair[k / block + b][side] = (scales[b] & 0xffff) | (scales[b] << 16);
    for (int b = 0; b < 4; b++)
        w->start[k / 32 + b][side] = (block == 16 ? scales[2 * b] * sums[2 * b] + scales[2 * b + 1] * sums[2 * b + 1] : scales[b] * sums[b]) * -128;
#else
    for (int b = 0; b < 128 / block; b++) {
        w->scale[k / block + b][side] = lane_float(scales[b]);
        w->start[k / block + b][side] = sums[b] * -128;
    }
#endif
}

#if CK_UNSIGNED_DOT
CK_INLINE i32x16 tile_dot(i32x16 acc, i32x16 x, i32x16 w) { return bytes_dot(acc, x, w); }
#elif !CK_SCALED_DOT
CK_INLINE i32x16 tile_dot(i32x16 acc, i32x16 x, i32x16 w) { return bytes_dot_signed(acc, w, x); }
#endif

#ifdef CK_TILE_PRODUCT
#include CK_TILE_PRODUCT
#else

// n of 32 columns, see matmul.h. `codes` are the first token's activations from these columns on.
CK_INLINE void tile_columns(const tile_weights *w, const int sides, const int tokens, const int type, const uint8_t *codes, int64_t stride, int64_t k,
                            f32x16 (*n)[8]) {
    const int block = type == CK_Q4 ? 16 : 32;
    i32x16 sums[2][8];
#if CK_SCALED_DOT
    for (int s = 0; s < sides; s++)
        for (int t = 0; t < tokens; t++) sums[s][t] = tile_biased(type) ? w->start[k / 32][s] : lane_seti(0);
    _Pragma("clang loop unroll(full)")
    for (int group = 0; group < 8; group++) {
        i32x16 row[2], pair[2];
        for (int s = 0; s < sides; s++) row[s] = bytes_load(w->codes[k / 4 + group][s]), pair[s] = w->pair[(k + 4 * group) / block][s];
        for (int t = 0; t < tokens; t++) {
            int32_t four;
            memcpy(&four, codes + t * stride + 4 * group, 4);
            i32x16 v = lane_seti(four);
            for (int s = 0; s < sides; s++)
                sums[s][t] = tile_biased(type) ? bytes_dot_scaled(sums[s][t], v, row[s], pair[s]) : bytes_dot_signed_scaled(sums[s][t], row[s], v, pair[s]);
        }
    }
    for (int s = 0; s < sides; s++)
        for (int t = 0; t < tokens; t++) n[s][t] = lane_float(sums[s][t]);
#else
    for (int part = 0; part < 32; part += block) {
        const int64_t b = (k + part) / block;
        for (int s = 0; s < sides; s++)
            for (int t = 0; t < tokens; t++) sums[s][t] = tile_biased(type) ? w->start[b][s] : lane_seti(0);
        _Pragma("clang loop unroll(full)")
        for (int group = 0; group < block / 4; group++) {
            i32x16 row[2];
            for (int s = 0; s < sides; s++) row[s] = bytes_load(w->codes[(k + part) / 4 + group][s]);
            for (int t = 0; t < tokens; t++) {
                int32_t four;
                memcpy(&four, codes + t * stride + part + 4 * group, 4);
                i32x16 v = lane_seti(four);
                for (int s = 0; s < sides; s++) sums[s][t] = tile_dot(sums[s][t], v, row[s]);
            }
        }
        for (int s = 0; s < sides; s++)
            for (int t = 0; t < tokens; t++) {
                const f32x16 dot = lane_float(sums[s][t]), scale = w->scale[b][s];
                n[s][t] = part ? lane_fma(scale, dot, n[s][t]) : scale * dot;
            }
    }
#endif
}

// The windows' sums join the totals.
CK_INLINE void tile_total(const tile_weights *w, const int sides, const int tokens, int64_t k1, int first, f32x16 (*window)[8], float *out, int64_t token_stride) {
    for (int s = 0; s < sides; s++)
        for (int t = 0; t < tokens; t++) {
            float *place = out + t * token_stride + 16 * s;
            f32x16 total = first ? lane_set(0) : lane_load(place);
            lane_store(place, lane_fma(window[s][t], w->factor[k1 / 256 * CK_TILE_PANELS + s], total));
        }
}

// `tokens` tokens (a constant after inlining) by the expanded columns k0 ..< k0 + columns.
CK_INLINE void tile_product(const tile_weights *w, const int sides, const int tokens, const int type, const ck_activations *x, int64_t token, int64_t k0,
                            int64_t columns, float *out, int64_t token_stride) {
    const uint8_t *codes = tile_activations(x, type) + token * x->stride + k0;
    const float *scales = x->scale + token * (x->padded / 32) + k0 / 32;
    for (int64_t k1 = 0; k1 < columns; k1 += 256) {
        f32x16 window[2][8];
        for (int s = 0; s < sides; s++)
            for (int t = 0; t < tokens; t++) window[s][t] = lane_set(0);
        const int64_t end = k1 + 256 < columns ? k1 + 256 : columns;
        for (int64_t k = k1; k < end; k += 32) {
            f32x16 n[2][8];
            tile_columns(w, sides, tokens, type, codes + k, x->stride, k, n);
            for (int t = 0; t < tokens; t++) {
                f32x16 scale = lane_set(scales[t * (x->padded / 32) + k / 32]);
                for (int s = 0; s < sides; s++) window[s][t] = lane_fma(n[s][t], scale, window[s][t]);
            }
        }
        tile_total(w, sides, tokens, k1, k0 + k1 == 0, window, out, token_stride);
    }
}

#endif
