// Stored panels times activations, for many tokens (prefill). Up to two panels by 512 columns are expanded once into signed
// bytes, then multiplied with all tokens in register tiles of CK_TILE_PANELS x CK_TILE_TOKENS. Two ways:
//   exact         the same operations per row as matmul.h, so the same bits
//   requantized   q4 only: a row's two blocks in 32 columns become 8-bit codes with one scale, n' = round(127 n / largest |n|) x largest |n| / 127,
//                 which halves the scaling in the inner loop; from there on it is the same
// The totals wait in `out` between the pieces of 512 columns.

enum { CK_TILE_COLUMNS = 512 };
typedef struct {
    int8_t codes[CK_TILE_COLUMNS / 4][2][64];  // [columns / 4][panel][row][4]
    f32x16 scale[CK_TILE_COLUMNS / 16][2];     // [block][panel]
    i32x16 start[CK_TILE_COLUMNS / 16][2];     // -128 x the sum of a block's codes, for unsigned activations
    f32x16 factor[CK_TILE_COLUMNS / 256][2];   // [window][panel]
} tile_weights;
_Static_assert(sizeof(tile_weights) <= CK_TILE_SCRATCH, "the caller's scratch holds the expanded panels");

typedef int16_t i16x32 __attribute__((vector_size(64)));
typedef uint16_t u16x32 __attribute__((vector_size(64)));

// vpdpbusd takes an unsigned operand: the activations, biased by 128, whose bias `start` removes.
#if CK_UNSIGNED_DOT
CK_INLINE const uint8_t *tile_activations(const ck_activations *x) { return x->u; }
CK_INLINE i32x16 tile_dot(i32x16 acc, i32x16 x, i32x16 w) { return bytes_dot(acc, x, w); }
CK_INLINE i32x16 tile_sum(i32x16 acc, i32x16 w) { return bytes_dot(acc, bytes_set(1), w); }
CK_INLINE i32x16 tile_start(i32x16 sum) { return sum * -128; }
#else
CK_INLINE const uint8_t *tile_activations(const ck_activations *x) { return (const uint8_t *)x->q; }
CK_INLINE i32x16 tile_dot(i32x16 acc, i32x16 x, i32x16 w) { return bytes_dot_signed(acc, w, x); }
CK_INLINE i32x16 tile_sum(i32x16 acc, i32x16 w) { (void)w; return acc; }
CK_INLINE i32x16 tile_start(i32x16 sum) { return sum; }
#endif

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

// 32 columns of a q4 panel: the codes of two blocks get a common scale, which is returned.
CK_INLINE f32x16 tile_requantize(tile_weights *w, const int side, int64_t at, const i32x16 *scales) {
    i32x16 largest = lane_seti(0);
    for (int b = 0; b < 2; b++) {
        u8x64 most = {0};
        for (int line = 0; line < 4; line++)
            most = __builtin_elementwise_max(most, (u8x64)bytes_abs(bytes_load(w->codes[at / 4 + 4 * b + line][side])));
        i32x16 s = scales[b], n = largest_of_four((i32x16)most) * lane_selecti(s < 0, -s, s);
        largest = lane_selecti(n > largest, n, largest);
    }
    const f32x16 most = lane_float(largest);
    const f32x16 inverse = lane_select(largest > 0, lane_set(127.0f * 256.0f) / most, lane_set(0));
    for (int b = 0; b < 2; b++) {
        i32x16 r = lane_round(lane_float(scales[b]) * inverse), ratio = (r & 0xffff) | (r << 16);
        for (int line = 0; line < 4; line++) {
            int8_t *codes = w->codes[at / 4 + 4 * b + line][side];
            bytes_store(codes, rescale_bytes(bytes_load(codes), ratio));
        }
    }
    i32x16 sum = lane_seti(0);
    for (int line = 0; line < 8; line++) sum = tile_sum(sum, bytes_load(w->codes[at / 4 + line][side]));
    w->start[at / 32][side] = tile_start(sum);
    return most * lane_set(1.0f / 127.0f);
}

// Columns k0 ..< k0 + columns of one panel; columns is a multiple of 128.
CK_INLINE void tile_expand(tile_weights *w, const int side, const uint8_t *panel, const int type, const int requantize, grid_lookup table,
                           int64_t padded, int64_t k0, int64_t columns) {
    const int block = type == CK_Q4 ? 16 : 32, header_size = 128 / block * 16, unit = is_planes(type) ? planes_unit(type) : header_size + (type == CK_Q8 ? 2048 : 1024);
    const uint8_t *superblock = panel + header_bytes(padded) + k0 / 128 * unit;
    for (int64_t k = 0; k < columns; k += 128, superblock += unit) {
        i32x16 scales[8];
        for (int b = 0; b < 128 / block; b++) {
            const uint8_t *header = superblock + 16 * b;
            const int64_t at = k + block * b;
            i32x16 sum = lane_seti(0);
            if (is_planes(type)) {
                const i32x16 grid = planes_grid(header, type), bias = bytes_set((uint8_t)planes_bias(type));
                scales[b] = planes_scale(header, type);
                for (int group = 0; group < 8; group++) {
                    i32x16 z = bytes_sub(planes_values(superblock + header_size + planes_codes_of_32(type) * b, type, group, grid, table), bias);
                    bytes_store(w->codes[at / 4 + group][side], z);
                    sum = tile_sum(sum, z);
                }
            } else if (type == CK_Q8) {
                scales[b] = lane_from_u8(header);
                for (int line = 0; line < 8; line++) {
                    i32x16 z = bytes_load(superblock + header_size + 512 * b + 64 * line) ^ (int32_t)0x80808080;
                    bytes_store(w->codes[at / 4 + line][side], z);
                    sum = tile_sum(sum, z);
                }
            } else {
                const i32x16 grid = q4_grid(header), bias = bytes_set(64);
                scales[b] = (lane_from_u8(header) & 63) - 32;
                for (int line = 0; line < block / 8; line++) {
                    i32x16 z = bytes_load(superblock + header_size + 8 * block * b + 64 * line);
                    i32x16 low = bytes_sub(grid_apply(table, (z & 0x0f0f0f0f) | grid), bias);
                    i32x16 high = bytes_sub(grid_apply(table, (i32x16)(((u32x16)z >> 4) & 0x0f0f0f0fu) | grid), bias);
                    bytes_store(w->codes[at / 4 + 2 * line][side], low);
                    bytes_store(w->codes[at / 4 + 2 * line + 1][side], high);
                    sum = tile_sum(tile_sum(sum, low), high);
                }
            }
            if (!requantize) {
                w->scale[at / block][side] = lane_float(scales[b]);
                w->start[at / block][side] = tile_start(sum);
            }
        }
        if (requantize)
            for (int b = 0; b < 4; b++) w->scale[k / 32 + b][side] = tile_requantize(w, side, k + 32 * b, scales + 2 * b);
        w->factor[k / 256][side] = window_factor(panel, padded, k0 + k);
    }
}

// `tokens` tokens (a constant after inlining) by the expanded columns k0 ..< k0 + columns, whose blocks have `block` columns.
CK_INLINE void tile_product(const tile_weights *w, const int sides, const int tokens, const int block, const ck_activations *x, int64_t token,
                            int64_t k0, int64_t columns, float *out, int64_t token_stride) {
    const uint8_t *codes = tile_activations(x) + token * x->padded + k0;
    const float *scales = x->scale + token * (x->padded / 32) + k0 / 32;
    for (int64_t k1 = 0; k1 < columns; k1 += 256) {
        f32x16 window[2][8];
        for (int s = 0; s < sides; s++)
            for (int t = 0; t < tokens; t++) window[s][t] = lane_set(0);
        const int64_t end = k1 + 256 < columns ? k1 + 256 : columns;
        for (int64_t k = k1; k < end; k += 32) {
            f32x16 n[2][8];
            for (int part = 0; part < 32; part += block) {
                i32x16 sums[2][8];
                for (int s = 0; s < sides; s++)
                    for (int t = 0; t < tokens; t++) sums[s][t] = w->start[(k + part) / block][s];
                _Pragma("clang loop unroll(full)")
                for (int group = 0; group < block / 4; group++) {
                    const int64_t i = k + part + 4 * group;
                    i32x16 row[2];
                    for (int s = 0; s < sides; s++) row[s] = bytes_load(w->codes[i / 4][s]);
                    for (int t = 0; t < tokens; t++) {
                        int32_t four;
                        memcpy(&four, codes + t * x->padded + i, 4);
                        i32x16 v = lane_seti(four);
                        for (int s = 0; s < sides; s++) sums[s][t] = tile_dot(sums[s][t], v, row[s]);
                    }
                }
                for (int s = 0; s < sides; s++)
                    for (int t = 0; t < tokens; t++) {
                        const f32x16 dot = lane_float(sums[s][t]), scale = w->scale[(k + part) / block][s];
                        n[s][t] = part ? lane_fma(scale, dot, n[s][t]) : scale * dot;
                    }
            }
            for (int t = 0; t < tokens; t++) {
                f32x16 scale = lane_set(scales[t * (x->padded / 32) + k / 32]);
                for (int s = 0; s < sides; s++) window[s][t] = lane_fma(n[s][t], scale, window[s][t]);
            }
        }
        for (int s = 0; s < sides; s++)
            for (int t = 0; t < tokens; t++) {
                float *place = out + t * token_stride + 16 * s;
                f32x16 total = k0 + k1 ? lane_load(place) : lane_set(0);
                lane_store(place, lane_fma(window[s][t], w->factor[k1 / 256][s], total));
            }
    }
}

CK_INLINE void tile_panels(const uint8_t *panel, int64_t panel_bytes, const int sides, const int type, const int requantize, grid_lookup table,
                           const ck_activations *x, int64_t tokens, tile_weights *w, float *out, int64_t token_stride) {
    const int block = type == CK_Q4 && !requantize ? 16 : 32, tile = block == 16 ? CK_TILE_TOKENS_16 : CK_TILE_TOKENS;
    for (int64_t k0 = 0; k0 < x->padded; k0 += CK_TILE_COLUMNS) {
        const int64_t columns = x->padded - k0 < CK_TILE_COLUMNS ? x->padded - k0 : CK_TILE_COLUMNS;
        for (int s = 0; s < sides; s++) tile_expand(w, s, panel + s * panel_bytes, type, requantize, table, x->padded, k0, columns);
        int64_t t = 0;
        for (; t + tile <= tokens; t += tile) tile_product(w, sides, tile, block, x, t, k0, columns, out + t * token_stride, token_stride);
        for (; t + 2 <= tokens; t += 2) tile_product(w, sides, 2, block, x, t, k0, columns, out + t * token_stride, token_stride);
        for (; t < tokens; t++) tile_product(w, sides, 1, block, x, t, k0, columns, out + t * token_stride, token_stride);
    }
    for (int s = 0; s < sides; s++) {
        f32x16 rows = lane_load((const float *)(panel + s * panel_bytes));
        for (int64_t t = 0; t < tokens; t++) lane_store(out + t * token_stride + 16 * s, lane_load(out + t * token_stride + 16 * s) * rows);
    }
}

#define CK_TILES(suffix, type, requantize)                                                                                                 \
    static void CK(tiles_##suffix)(const uint8_t *panel, int64_t panels, int64_t panel_bytes, const uint8_t *grids, const ck_activations *x,  \
                                   int64_t tokens, void *scratch, float *out, int64_t token_stride) {                                      \
        const uint8_t none[64] = {0};                                                                                                      \
        const grid_lookup table = grid_load(type == CK_Q8 ? none : grids);                                                                  \
        int64_t p = 0;                                                                                                                     \
        for (; p + CK_TILE_PANELS <= panels; p += CK_TILE_PANELS)                                                                          \
            tile_panels(panel + p * panel_bytes, panel_bytes, CK_TILE_PANELS, type, requantize, table, x, tokens, scratch, out + 16 * p, token_stride); \
        for (; p < panels; p++) tile_panels(panel + p * panel_bytes, panel_bytes, 1, type, requantize, table, x, tokens, scratch, out + 16 * p, token_stride); \
    }
CK_TILES(exact_q8, CK_Q8, 0)
CK_TILES(exact_q4, CK_Q4, 0)
CK_TILES(exact_q4s, CK_Q4S, 0)
CK_TILES(exact_q6, CK_Q6, 0)
CK_TILES(exact_q5, CK_Q5, 0)
CK_TILES(exact_q3, CK_Q3, 0)
CK_TILES(requantized_q4, CK_Q4, 1)
