// Stored panels times activations, for few tokens: every weight is expanded once, in registers. Rows are in lanes, so nothing
// is summed across lanes, and the order of the float operations per row is the same everywhere (tiles.h does the same for many tokens):
//   per 32 columns   n = sum over their blocks of s x integer dot product, exact;   window += f32(n) x activation scale   (fused)
//   per 256 columns  total += window x factor                                                                          (fused)
//   at the end       total x row scale
// For the 4-bit types |n| < 2^24, so f32(n) is exact; for q8 it is rounded once, which f32(s) x f32(dot product) does, too.

// Header bytes of the 4-bit types: the scale as float, and the grid's number times 16 in each of the lane's bytes.
CK_INLINE f32x16 q4_scale(const uint8_t *header) { return lane_float((lane_from_u8(header) & 63) - 32); }
CK_INLINE i32x16 q4_grid(const uint8_t *header) { return (i32x16)(((u32x16)bytes_repeat(header) >> 2) & 0x30303030u); }
CK_INLINE f32x16 window_factor(const uint8_t *panel, int64_t padded, int64_t k) {
    return (f32x16)((lane_from_u8(window_bytes(panel, padded) + k / 256 * 16) << 20) + 0x2F800000);
}

// Each weight is read once and far away. Intel's own prefetching ends at every page: one stream arrives at 6-8 GB/s per core, with software
// prefetching at 9, limited by the core's fill buffers; four panels side by side and prefetching reach 11 of the 12 of mere reading
// (q4, Ice Lake). On AMD one stream with prefetching two pages ahead is best: 19 GB/s with two threads where four streams reach 16
// (q8, Zen 3, mere reading 21). Past the last panel a prefetch does nothing.
enum { CK_STREAMS = 4 };
CK_INLINE void prefetch_codes(const uint8_t *codes, int bytes, const int streams) {
    const uintptr_t ahead = streams > 1 ? 2304 : 8192;
    for (int i = 0; i < bytes; i += 64) __builtin_prefetch((const void *)((uintptr_t)codes + ahead + (uintptr_t)i), 0, 3);
}

// Integer dot products of one block for `tokens` tokens. LINES lines of 4-bit codes from `codes`, activations from column `k`.
CK_INLINE void dot_block_q4(const uint8_t *codes, const int lines, i32x16 grid, grid_lookup table, const ck_activations *x, int64_t token,
                            const int tokens, int64_t k, i32x16 *sums) {
    for (int t = 0; t < tokens; t++) {
        const int32_t *sum = x->sum + (token + t) * (x->padded / 16) + k / 16;
        sums[t] = lane_seti(-64 * (lines == 2 ? sum[0] : sum[0] + sum[1]));
    }
    for (int line = 0; line < lines; line++) {
        i32x16 z = bytes_load(codes + 64 * line);
        i32x16 low = grid_apply(table, (z & 0x0f0f0f0f) | grid);
        i32x16 high = grid_apply(table, (i32x16)(((u32x16)z >> 4) & 0x0f0f0f0fu) | grid);
        for (int t = 0; t < tokens; t++) {
            int32_t pair[2];
            memcpy(pair, x->q + (token + t) * x->stride + k + 8 * line, 8);
            sums[t] = bytes_dot(sums[t], low, lane_seti(pair[0]));
            sums[t] = bytes_dot(sums[t], high, lane_seti(pair[1]));
        }
    }
}
CK_INLINE void dot_block_q8(const uint8_t *codes, const ck_activations *x, int64_t token, const int tokens, int64_t k, i32x16 *sums) {
    for (int t = 0; t < tokens; t++) {
        const int32_t *sum = x->sum + (token + t) * (x->padded / 16) + k / 16;
        sums[t] = lane_seti(-128 * (sum[0] + sum[1]));
    }
    for (int line = 0; line < 8; line++) {
        i32x16 z = bytes_load(codes + 64 * line);
        for (int t = 0; t < tokens; t++) {
            int32_t four;
            memcpy(&four, x->q + (token + t) * x->stride + k + 4 * line, 4);
            sums[t] = bytes_dot_biased(sums[t], z, lane_seti(four));
        }
    }
}
// n of the 32 columns from k on, whose headers and codes are given.
CK_INLINE void dot_columns(const uint8_t *header, const uint8_t *codes, const int type, grid_lookup table, const ck_activations *x,
                           int64_t token, const int tokens, int64_t k, f32x16 *n) {
    i32x16 sums[8];
    if (is_planes(type)) {
        planes_dot(header, codes, type, table, x, token, tokens, k, n);
    } else if (type == CK_Q8) {
        dot_block_q8(codes, x, token, tokens, k, sums);
        f32x16 s = lane_float(lane_from_u8(header));
        for (int t = 0; t < tokens; t++) n[t] = s * lane_float(sums[t]);
    } else {
        const int blocks = type == CK_Q4 ? 2 : 1;
        for (int b = 0; b < blocks; b++) {
            dot_block_q4(codes + 128 * b, 4 / blocks, q4_grid(header + 16 * b), table, x, token, tokens, k + 16 * b, sums);
            f32x16 s = q4_scale(header + 16 * b);
            for (int t = 0; t < tokens; t++) n[t] = b ? lane_fma(s, lane_float(sums[t]), n[t]) : s * lane_float(sums[t]);
        }
    }
}

// `streams` panels side by side for `tokens` tokens (both constants after inlining).
CK_INLINE void lane_product(const uint8_t *panel, int64_t panel_bytes, const int streams, const int type, const grid_lookup *tables,
                            const ck_activations *x, int64_t token, const int tokens, float *out, int64_t token_stride) {
    const grid_lookup table = *tables;
    const int header_of_32 = type == CK_Q4 ? 32 : 16, codes_of_32 = is_planes(type) ? planes_codes_of_32(type) : type == CK_Q8 ? 512 : 256;
    const int64_t unit = 4 * (header_of_32 + codes_of_32);
    const uint8_t *superblocks = panel + header_bytes(x->padded);
    f32x16 total[CK_STREAMS][8];
    for (int s = 0; s < streams; s++)
        for (int t = 0; t < tokens; t++) total[s][t] = lane_set(0);
    for (int64_t k0 = 0; k0 < x->padded; k0 += 256) {
        f32x16 window[CK_STREAMS][8];
        for (int s = 0; s < streams; s++)
            for (int t = 0; t < tokens; t++) window[s][t] = lane_set(0);
        int64_t end = k0 + 256 < x->padded ? k0 + 256 : x->padded;
        for (int64_t k1 = k0; k1 < end; k1 += 128, superblocks += unit) {
            for (int b = 0; b < 4; b++) {
                _Pragma("clang loop unroll(full)")
                for (int s = 0; s < streams; s++) {
                    const uint8_t *superblock = superblocks + s * panel_bytes;
                    prefetch_codes(superblock + b * (header_of_32 + codes_of_32), header_of_32 + codes_of_32, streams);
                    f32x16 n[8];
                    dot_columns(superblock + header_of_32 * b, superblock + 4 * header_of_32 + codes_of_32 * b, type, table, x, token, tokens, k1 + 32 * b, n);
                    for (int t = 0; t < tokens; t++)
                        window[s][t] = lane_fma(n[t], lane_set(x->scale[(token + t) * (x->padded / 32) + k1 / 32 + b]), window[s][t]);
                }
            }
        }
        for (int s = 0; s < streams; s++) {
            f32x16 factor = window_factor(panel + s * panel_bytes, x->padded, k0);
            for (int t = 0; t < tokens; t++) total[s][t] = lane_fma(window[s][t], factor, total[s][t]);
        }
    }
    for (int s = 0; s < streams; s++) {
        f32x16 rows = lane_load((const float *)(panel + s * panel_bytes));
        for (int t = 0; t < tokens; t++) lane_store(out + t * token_stride + 16 * s, total[s][t] * rows);
    }
}

CK_INLINE void grid_lookup_prepare(grid_lookup *tables, const uint8_t *grids) { *tables = grid_load(grids); }

// A set may bring its own panel_product for q4, q4s and q8, where the one above would have to imitate its look-ups and dot products.
#ifdef CK_PANEL_PRODUCT
#include CK_PANEL_PRODUCT
#else
typedef grid_lookup panel_tables;
#define panel_tables_prepare grid_lookup_prepare
#define panel_product lane_product
#endif

#define CK_QUANTIZED_MATMUL(suffix, type, product_tables, product)                                                                         \
    static void CK(matmul_##suffix)(const uint8_t *panel, int64_t panels, int64_t panel_bytes, int64_t columns, const uint8_t *grids,      \
                                    const ck_activations *x, int64_t tokens, float *out, int64_t token_stride) {                           \
        (void)columns;                                                                                                                     \
        const uint8_t none[64] = {0};                                                                                                      \
        product_tables tables;                                                                                                             \
        product_tables##_prepare(&tables, type == CK_Q8 ? none : grids);                                                                   \
        int64_t p = 0;                                                                                                                     \
        if (tokens == 1 && ck_reads_side_by_side)                                                                                          \
            for (; p + CK_STREAMS <= panels; p += CK_STREAMS, panel += CK_STREAMS * panel_bytes, out += 16 * CK_STREAMS)                   \
                product(panel, panel_bytes, CK_STREAMS, type, &tables, x, 0, 1, out, token_stride);                                        \
        for (; p < panels; p++, panel += panel_bytes, out += 16) {                                                                         \
            int64_t t = 0;                                                                                                                 \
            for (; t + CK_TOKEN_TILE <= tokens; t += CK_TOKEN_TILE)                                                                        \
                product(panel, panel_bytes, 1, type, &tables, x, t, CK_TOKEN_TILE, out + t * token_stride, token_stride);                  \
            for (; t + 4 <= tokens; t += 4) product(panel, panel_bytes, 1, type, &tables, x, t, 4, out + t * token_stride, token_stride);  \
            for (; t + 3 <= tokens; t += 3) product(panel, panel_bytes, 1, type, &tables, x, t, 3, out + t * token_stride, token_stride);  \
            for (; t + 2 <= tokens; t += 2) product(panel, panel_bytes, 1, type, &tables, x, t, 2, out + t * token_stride, token_stride);  \
            for (; t < tokens; t++) product(panel, panel_bytes, 1, type, &tables, x, t, 1, out + t * token_stride, token_stride);          \
        }                                                                                                                                  \
    }
CK_QUANTIZED_MATMUL(q4, CK_Q4, panel_tables, panel_product)
CK_QUANTIZED_MATMUL(q4s, CK_Q4S, panel_tables, panel_product)
CK_QUANTIZED_MATMUL(q8, CK_Q8, panel_tables, panel_product)
CK_QUANTIZED_MATMUL(q6, CK_Q6, grid_lookup, lane_product)
CK_QUANTIZED_MATMUL(q5, CK_Q5, grid_lookup, lane_product)
CK_QUANTIZED_MATMUL(q3, CK_Q3, grid_lookup, lane_product)

// Float panels: four partial sums by column modulo 4, added pairwise at the end.
CK_INLINE f32x16 widen_column(const uint8_t *panel, const int type, int64_t k) {
    return type == CK_F16 ? lane_from_f16(panel + 32 * k) : lane_load((const float *)(panel + 64 * k));
}
CK_INLINE void float_panel_product(const uint8_t *panel, const int type, int64_t columns, const float *x, int64_t stride, const int tokens,
                                   float *out, int64_t token_stride) {
    f32x16 sum[4][4];
    for (int t = 0; t < tokens; t++)
        for (int i = 0; i < 4; i++) sum[t][i] = lane_set(0);
    int64_t k = 0;
    for (; k + 4 <= columns; k += 4)
        for (int i = 0; i < 4; i++) {
            f32x16 w = widen_column(panel, type, k + i);
            for (int t = 0; t < tokens; t++) sum[t][i] = lane_fma(w, lane_set(x[t * stride + k + i]), sum[t][i]);
        }
    for (int i = 0; k < columns; k++, i++) {
        f32x16 w = widen_column(panel, type, k);
        for (int t = 0; t < tokens; t++) sum[t][i] = lane_fma(w, lane_set(x[t * stride + k]), sum[t][i]);
    }
    for (int t = 0; t < tokens; t++) lane_store(out + t * token_stride, (sum[t][0] + sum[t][1]) + (sum[t][2] + sum[t][3]));
}
#define CK_FLOAT_MATMUL(suffix, type)                                                                                                      \
    static void CK(matmul_##suffix)(const uint8_t *panel, int64_t panels, int64_t panel_bytes, int64_t columns, const uint8_t *grids,        \
                                    const ck_activations *x, int64_t tokens, float *out, int64_t token_stride) {                           \
        (void)grids;                                                                                                                       \
        for (int64_t p = 0; p < panels; p++, panel += panel_bytes, out += 16) {                                                             \
            int64_t t = 0;                                                                                                                 \
            for (; t + 4 <= tokens; t += 4)                                                                                                \
                float_panel_product(panel, type, columns, x->x + t * x->padded, x->padded, 4, out + t * token_stride, token_stride);       \
            for (; t < tokens; t++)                                                                                                        \
                float_panel_product(panel, type, columns, x->x + t * x->padded, x->padded, 1, out + t * token_stride, token_stride);       \
        }                                                                                                                                  \
    }
CK_FLOAT_MATMUL(f16, CK_F16)
CK_FLOAT_MATMUL(f32, CK_F32)
