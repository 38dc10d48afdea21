// q4's requantized tiles: 128 columns of a row, eight blocks with a scale each, become 8-bit codes with one scale.

typedef int16_t i16x32 __attribute__((vector_size(64)));
typedef uint16_t u16x32 __attribute__((vector_size(64)));

CK_INLINE i32x16 largest_of_four(i32x16 bytes) {
    i32x16 most = bytes & 255;
    for (int i = 1; i < 4; i++) {
        i32x16 v = (i32x16)((u32x16)bytes >> (8 * i)) & 255;
        most = lane_selecti(v > most, v, most);
    }
    return most;
}
// round(code x ratio / 256) of the signed bytes; both halves of a lane of `ratio` hold its row's ratio, |code x ratio| < 2^15 - 128
CK_INLINE i32x16 rescale_bytes(i32x16 codes, i32x16 ratio) {
    i16x32 v = (i16x32)codes, r = (i16x32)ratio;
    i16x32 even = ((v << 8) >> 8) * r + 128, odd = (v >> 8) * r + 128;
    return (i32x16)(((u16x32)even >> 8) | ((u16x32)odd & 0xff00));
}

// The expanded columns k ..< k + 128 of one panel, whose block scales are given.
CK_INLINE void tile_requantize(tile_weights *w, const int side, int64_t k, const i32x16 *scales) {
    i32x16 largest = lane_seti(0);
    for (int b = 0; b < 8; b++) {
        u8x64 most = {0};
        for (int line = 0; line < 4; line++)
            most = __builtin_elementwise_max(most, (u8x64)bytes_abs(bytes_load(w->codes[k / 4 + 4 * b + line][side])));
        i32x16 s = scales[b], n = largest_of_four((i32x16)most) * lane_selecti(s < 0, -s, s);
        largest = lane_selecti(n > largest, n, largest);
    }
    const f32x16 most = lane_float(largest);
    const f32x16 inverse = lane_select(largest > 0, lane_set(127.0f * 256.0f) / most, lane_set(0));
    for (int b = 0; b < 8; b++) {
        i32x16 r = lane_round(lane_float(scales[b]) * inverse), ratio = (r & 0xffff) | (r << 16), sum = lane_seti(0);
        for (int line = 0; line < 4; line++) {
            int8_t *codes = w->codes[k / 4 + 4 * b + line][side];
            i32x16 z = rescale_bytes(bytes_load(codes), ratio);
            bytes_store(codes, z);
            sum = tile_sum(sum, z);
        }
        if (b & 1) w->start[k / 32 + b / 2][side] += sum * -128;
        else w->start[k / 32 + b / 2][side] = sum * -128;
    }
    w->scale[k / 128][side] = most * lane_set(1.0f / 127.0f);
}

// As tile_product. Per 32 columns part += f32(dot product) x activation scale, per 128 columns window += part x scale.
CK_INLINE void tile_product_requantized(const tile_weights *w, const int sides, const int tokens, const ck_activations *x, int64_t token, int64_t k0,
                                        int64_t columns, float *out, int64_t token_stride) {
    const uint8_t *codes = tile_activations(x, CK_Q4) + token * x->stride + k0;
    const float *scales = x->scale + token * (x->padded / 32) + k0 / 32;
    for (int64_t k1 = 0; k1 < columns; k1 += 256) {
        f32x16 window[2][8];
        const int64_t end = k1 + 256 < columns ? k1 + 256 : columns;
        for (int64_t k2 = k1; k2 < end; k2 += 128) {
            f32x16 part[2][8];
            for (int s = 0; s < sides; s++)
                for (int t = 0; t < tokens; t++) part[s][t] = lane_set(0);
            for (int64_t k = k2; k < k2 + 128; k += 32) {
                i32x16 sums[2][8];
                for (int s = 0; s < sides; s++)
                    for (int t = 0; t < tokens; t++) sums[s][t] = tile_biased(CK_Q4) ? w->start[k / 32][s] : lane_seti(0);
                _Pragma("clang loop unroll(full)")
                for (int group = 0; group < 8; group++) {
                    i32x16 row[2];
                    for (int s = 0; s < sides; s++) row[s] = bytes_load(w->codes[k / 4 + group][s]);
                    for (int t = 0; t < tokens; t++) {
                        int32_t four;
                        memcpy(&four, codes + t * x->stride + k + 4 * group, 4);
                        i32x16 v = lane_seti(four);
                        for (int s = 0; s < sides; s++) sums[s][t] = tile_dot(sums[s][t], v, row[s]);
                    }
                }
                for (int t = 0; t < tokens; t++) {
                    f32x16 scale = lane_set(scales[t * (x->padded / 32) + k / 32]);
                    for (int s = 0; s < sides; s++) part[s][t] = lane_fma(lane_float(sums[s][t]), scale, part[s][t]);
                }
            }
            for (int s = 0; s < sides; s++)
                for (int t = 0; t < tokens; t++)
                    window[s][t] = k2 == k1 ? part[s][t] * w->scale[k2 / 128][s] : lane_fma(part[s][t], w->scale[k2 / 128][s], window[s][t]);
        }
        tile_total(w, sides, tokens, k1, k0 + k1 == 0, window, out, token_stride);
    }
}
