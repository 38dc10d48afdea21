// The types whose codes are split into planes of bits: q6 (4 and 2 bits), q5 (4 and 1), q3 (2 and 1). A code and the number of its
// block's grid are an index into the 64 grid bytes, so that four columns of all rows become value bytes by one look-up; from there on
// a product is that of q4s (values within +-63) or of q8 (q6, values within +-127), with the float operations of matmul.h.

CK_INLINE int is_planes(const int type) { return type == CK_Q6 || type == CK_Q5 || type == CK_Q3; }
// Code bytes of 32 columns, and bytes of a superblock.
CK_INLINE int planes_codes_of_32(const int type) { return type == CK_Q6 ? 384 : type == CK_Q5 ? 320 : 192; }
CK_INLINE int planes_unit(const int type) { return 64 + 4 * planes_codes_of_32(type); }
// What is subtracted from a grid byte.
CK_INLINE int planes_bias(const int type) { return type == CK_Q6 ? 128 : 64; }

CK_INLINE i32x16 planes_scale(const uint8_t *header, const int type) {
    i32x16 h = lane_from_u8(header);
    return type == CK_Q6 ? h : type == CK_Q5 ? (h & 127) - 64 : (h & 31) - 16;
}
// The first entry of the block's grid, in each byte of the lane.
CK_INLINE i32x16 planes_grid(const uint8_t *header, const int type) {
    if (type == CK_Q6) return lane_seti(0);
    return (i32x16)((u32x16)bytes_repeat(header) >> 2) & (type == CK_Q5 ? 0x20202020 : 0x38383838);
}
// In every byte: the bits from `from` on moved to `to` on; the mask keeps those that are meant.
CK_INLINE i32x16 moved_bits(i32x16 z, const int from, const int to, int32_t mask) {
    return (i32x16)(from <= to ? (u32x16)z << (to - from) : (u32x16)z >> (from - to)) & mask;
}
// Codes of columns 4 group ..< 4 group + 4 of the 32 whose code bytes are given.
CK_INLINE i32x16 planes_codes(const uint8_t *codes, const int type, const int group) {
    if (type == CK_Q3) {
        i32x16 low = moved_bits(bytes_load(codes + 64 * (group / 4)), 2 * (group % 4), 0, 0x03030303);
        return low | moved_bits(bytes_load(codes + 128), group, 2, 0x04040404);
    }
    i32x16 nibble = moved_bits(bytes_load(codes + 64 * (group / 2)), 4 * (group % 2), 0, 0x0f0f0f0f);
    if (type == CK_Q5) return nibble | moved_bits(bytes_load(codes + 256), group, 4, 0x10101010);
    return nibble | moved_bits(bytes_load(codes + 256 + 64 * (group / 4)), 2 * (group % 4), 4, 0x30303030);
}
CK_INLINE i32x16 planes_values(const uint8_t *codes, const int type, const int group, i32x16 grid, grid_lookup table) {
    return grid_apply(table, planes_codes(codes, type, group) | grid);
}

CK_INLINE void planes_decode(const uint8_t *panel, int64_t padded, const uint8_t *grids, float *vt, const int type) {
    const grid_lookup table = grid_load(grids);
    const uint8_t *superblock = panel + header_bytes(padded);
    for (int64_t k = 0; k < padded; k += 128, superblock += planes_unit(type)) {
        f32x16 scale = window_scale(panel, padded, k / 256);
        for (int b = 0; b < 4; b++) {
            const uint8_t *header = superblock + 16 * b, *codes = superblock + 64 + planes_codes_of_32(type) * b;
            i32x16 s = planes_scale(header, type), grid = planes_grid(header, type);
            for (int group = 0; group < 8; group++) {
                i32x16 v = planes_values(codes, type, group, grid, table);
                for (int i = 0; i < 4; i++)
                    lane_store(vt + 16 * (k + 32 * b + 4 * group + i), scale * lane_float(s * (((v >> (8 * i)) & 255) - planes_bias(type))));
            }
        }
    }
}
CK_INLINE void planes_decode_row(const uint8_t *panel, int64_t columns, const uint8_t *grids, int64_t row, float *out, const int type) {
    const int64_t padded = (columns + 127) / 128 * 128;
    for (int64_t k = 0; k < columns; k++) {
        const uint8_t *superblock = panel + header_bytes(padded) + k / 128 * planes_unit(type);
        const int64_t b = k % 128 / 32, j = k % 32, group = j / 4, byte = 4 * row + j % 4;
        const uint8_t *codes = superblock + 64 + planes_codes_of_32(type) * b + byte;
        const int h = superblock[16 * b + row];
        int index, s;
        if (type == CK_Q3) {
            index = (h >> 5) * 8 + (codes[64 * (group / 4)] >> 2 * (group % 4) & 3) + (codes[128] >> group & 1) * 4;
            s = (h & 31) - 16;
        } else {
            index = codes[64 * (group / 2)] >> 4 * (group % 2) & 15;
            if (type == CK_Q5) index += (codes[256] >> group & 1) * 16 + (h >> 7) * 32;
            else index += (codes[256 + 64 * (group / 4)] >> 2 * (group % 4) & 3) * 16;
            s = type == CK_Q5 ? (h & 127) - 64 : h;
        }
        out[k] = row_scale(panel, padded, k / 256, row) * (float)(s * (grids[index] - planes_bias(type)));
    }
}

// n of 32 columns before the activation scale, for `tokens` tokens. The dot products are exact; with q5 and q3 so is n, with q6 it is rounded once.
CK_INLINE void planes_dot(const uint8_t *header, const uint8_t *codes, const int type, grid_lookup table, const ck_activations *x, int64_t token,
                          const int tokens, int64_t k, f32x16 *n) {
    i32x16 sums[8];
    const i32x16 grid = planes_grid(header, type);
    for (int t = 0; t < tokens; t++) {
        const int32_t *sum = x->sum + (token + t) * (x->padded / 16) + k / 16;
        sums[t] = lane_seti(-planes_bias(type) * (sum[0] + sum[1]));
#if !CK_UNSIGNED_DOT
        if (type == CK_Q6) sums[t] = lane_seti(0);
#endif
    }
    for (int group = 0; group < 8; group++) {
        i32x16 v = planes_values(codes, type, group, grid, table);
#if !CK_UNSIGNED_DOT
        if (type == CK_Q6) v ^= (int32_t)0x80808080;
#endif
        for (int t = 0; t < tokens; t++) {
            int32_t four;
            memcpy(&four, x->q + (token + t) * x->stride + k + 4 * group, 4);
#if !CK_UNSIGNED_DOT
            if (type == CK_Q6) {
                sums[t] = bytes_dot_signed(sums[t], v, lane_seti(four));
                continue;
            }
#endif
            sums[t] = bytes_dot(sums[t], v, lane_seti(four));
        }
    }
    f32x16 s = lane_float(planes_scale(header, type));
    for (int t = 0; t < tokens; t++) n[t] = s * lane_float(sums[t]);
}

#define CK_PLANES(suffix, type)                                                                                                            \
    static void CK(decode_##suffix)(const uint8_t *panel, int64_t padded, const uint8_t *grids, float *vt) {                               \
        planes_decode(panel, padded, grids, vt, type);                                                                                     \
    }                                                                                                                                      \
    static void CK(decode_row_##suffix)(const uint8_t *panel, int64_t columns, const uint8_t *grids, int64_t row, float *out) {            \
        planes_decode_row(panel, columns, grids, row, out, type);                                                                          \
    }
CK_PLANES(q6, CK_Q6)
CK_PLANES(q5, CK_Q5)
CK_PLANES(q3, CK_Q3)
