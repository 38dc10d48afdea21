// Float panels to q6, q5 and q3. As for q4: for each block every grid, both signs and several scales are tried and the least squared
// error wins; storing zeros is one of the candidates. The grid of q6 is symmetric, so magnitudes are searched there.

CK_INLINE int planes_grid_count(const int type) { return type == CK_Q6 ? 1 : type == CK_Q5 ? 2 : 8; }
// The end of the grids, and the most header steps.
CK_INLINE int planes_reach(const int type) { return type == CK_Q6 ? 127 : 63; }
CK_INLINE int planes_steps(const int type) { return type == CK_Q6 ? 255 : type == CK_Q5 ? 63 : 15; }

// See try_scale in encode.h.
CK_INLINE void planes_try_scale(const float *x, const int type, f32x16 unit, i32x16 s, const ck_grid_tables *tables, f32x16 *best_error,
                                i32x16 *best_scale, i32x16 *best_grid) {
    const int count = planes_grid_count(type), searched = type == CK_Q6 ? 1 : 2 * count;
    const f32x16 magic = lane_set(12582912.0f);
    f32x16 inverse = lane_set(1) / (unit * lane_float(s)), squares = lane_set(0);
    i32x16 r2[16], rf[16], f_sum = lane_seti(0);
    for (int t = 0; t < searched; t++) r2[t] = rf[t] = lane_seti(0);
    for (int k = 0; k < 32; k += 4) {
        i32x16 index[4], fraction[4];
        for (int i = 0; i < 4; i++) {
            f32x16 v = lane_load(x + 16 * (k + i)), y = type == CK_Q6 ? lane_abs(v) * inverse : lane_fma(v, inverse, lane_set(64));
            f32x16 c = lane_min(lane_max(y, lane_set(0)), lane_set(127));
            f32x16 m = c + magic, f = c - (m - magic), beyond = y - c;
            squares = lane_fma(f, f, squares);
            f32x16 least = type == CK_Q6 ? lane_set(0) : lane_select(beyond < lane_set(0), lane_set(-2), lane_set(2));
            squares = lane_fma(beyond, beyond + least, squares);
            index[i] = (i32x16)m & 127;
            fraction[i] = (i32x16)(lane_fma(f, lane_set(254), magic)) & 255;
        }
        i32x16 indices = bytes_pack(index[0], index[1], index[2], index[3]);
        i32x16 f = bytes_pack(fraction[0], fraction[1], fraction[2], fraction[3]);
        f_sum = bytes_dot(f_sum, bytes_set(64), f);
        for (int t = 0; t < searched; t++) {
            i32x16 biased = bytes_lookup128(tables->residual[t], indices);
            i32x16 distance = bytes_abs(bytes_sub(biased, bytes_set(64)));
            r2[t] = bytes_dot(r2[t], distance, distance);
            rf[t] = bytes_dot(rf[t], biased, f);
        }
    }
    f32x16 weight = lane_float(s) * lane_float(s);
    for (int t = 0; t < searched; t++) {
        f32x16 error = lane_fma(lane_float(rf[t] - f_sum), lane_set(2.0f / 254), lane_float(r2[t]) + squares) * weight;
        i32x16 better = error < *best_error;
        *best_error = lane_select(better, error, *best_error);
        *best_scale = lane_selecti(better, t < count ? s : -s, *best_scale);
        *best_grid = lane_selecti(better, lane_seti(t % count), *best_grid);
    }
}

// The nearest codes of 4 columns.
CK_INLINE i32x16 planes_nearest4(const float *x, const int type, f32x16 inverse, i32x16 grid, const ck_grid_tables *tables) {
    if (type != CK_Q6) return grid_nearest4(x, inverse, grid, tables, planes_grid_count(type));
    const f32x16 magic = lane_set(12582912.0f);
    i32x16 index[4], up[4], negative[4];
    for (int i = 0; i < 4; i++) {
        f32x16 v = lane_load(x + 16 * i) * inverse, y = lane_min(lane_abs(v), lane_set(127)), m = y + magic;
        index[i] = (i32x16)m & 127;
        up[i] = (y > m - magic) & 255;
        negative[i] = (v < lane_set(0)) & 255;
    }
    i32x16 indices = bytes_pack(index[0], index[1], index[2], index[3]), ups = bytes_pack(up[0], up[1], up[2], up[3]);
    i32x16 code = (ups & bytes_lookup128(tables->code_up[0], indices)) | (~ups & bytes_lookup128(tables->code[0], indices));
    // magnitude m as code 32 + m, or 31 - m where negative
    i32x16 sign = bytes_pack(negative[0], negative[1], negative[2], negative[3]);
    return (code | 0x20202020) ^ (sign & 0x3f3f3f3f);
}

CK_INLINE void planes_store(uint8_t *out, const int type, const i32x16 *codes) {
    if (type == CK_Q3) {
        i32x16 high = lane_seti(0);
        for (int line = 0; line < 2; line++) {
            i32x16 low = lane_seti(0);
            for (int i = 0; i < 4; i++) low |= (codes[4 * line + i] & 0x03030303) << (2 * i);
            bytes_store(out + 64 * line, low);
        }
        for (int g = 0; g < 8; g++) high |= moved_bits(codes[g], 2, g, (int32_t)(0x01010101u << g));
        return bytes_store(out + 128, high);
    }
    for (int line = 0; line < 4; line++)
        bytes_store(out + 64 * line, (codes[2 * line] & 0x0f0f0f0f) | (codes[2 * line + 1] & 0x0f0f0f0f) << 4);
    if (type == CK_Q5) {
        i32x16 high = lane_seti(0);
        for (int g = 0; g < 8; g++) high |= moved_bits(codes[g], 4, g, (int32_t)(0x01010101u << g));
        return bytes_store(out + 256, high);
    }
    for (int line = 0; line < 2; line++) {
        i32x16 high = lane_seti(0);
        for (int i = 0; i < 4; i++) high |= moved_bits(codes[4 * line + i], 4, 2 * i, (int32_t)(0x03030303u << 2 * i));
        bytes_store(out + 256 + 64 * line, high);
    }
}

CK_INLINE void planes_encode(const float *xt, int64_t padded, const ck_grid_tables *tables, uint8_t *panel, const int type) {
    // Header steps around the one that maps the largest value to the grid's end: first, last and between two tries.
    const int first = type == CK_Q6 ? -40 : type == CK_Q5 ? -8 : -3, last = type == CK_Q6 ? 15 : type == CK_Q5 ? 6 : 4, between = type == CK_Q6 ? 5 : 1;
    const int reach = planes_reach(type), steps = planes_steps(type);
    encode_scales(xt, padded, (float)(reach * steps), panel);
    uint8_t *superblock = panel + header_bytes(padded);
    for (int64_t k = 0; k < padded; k += 128, superblock += planes_unit(type)) {
        f32x16 unit = window_scale(panel, padded, k / 256);
        unit = lane_select(unit <= lane_set(0), lane_set(1), unit);
        for (int b = 0; b < 4; b++) {
            const float *x = xt + 16 * (k + 32 * b);
            const f32x16 to_units = lane_set(1) / unit;
            i32x16 nearest = lane_round(largest_magnitude(x, 0, 32) / (unit * lane_set((float)reach)));
            // zeros, unless something is better
            f32x16 error = lane_set(0);
            for (int i = 0; i < 32; i++) {
                f32x16 y = lane_load(x + 16 * i) * to_units;
                error = lane_fma(y, y, error);
            }
            i32x16 scale = lane_seti(0), grid = scale;
            for (int o = first; o <= last; o += between) {
                i32x16 s = nearest + o;
                s = lane_selecti(s < 1, lane_seti(1), s);
                s = lane_selecti(s > steps, lane_seti(steps), s);
                planes_try_scale(x, type, unit, s, tables, &error, &scale, &grid);
            }
            i32x16 zero = scale == 0;
            i32x16 header = type == CK_Q6 ? scale : type == CK_Q5 ? (scale + 64) | (grid << 7) : (scale + 16) | (grid << 5);
            lane_to_u8(superblock + 16 * b, header);
            f32x16 inverse = lane_select(zero, lane_set(0), lane_set(1) / (unit * lane_float(lane_selecti(zero, lane_seti(1), scale))));
            i32x16 codes[8];
            for (int group = 0; group < 8; group++) codes[group] = planes_nearest4(x + 64 * group, type, inverse, grid, tables);
            planes_store(superblock + 64 + planes_codes_of_32(type) * b, type, codes);
        }
    }
}
#define CK_PLANES_ENCODE(suffix, type)                                                                                             \
    static void CK(encode_##suffix)(const float *xt, int64_t padded, const ck_grid_tables *tables, uint8_t *panel) {               \
        planes_encode(xt, padded, tables, panel, type);                                                                            \
    }
CK_PLANES_ENCODE(q6, CK_Q6)
CK_PLANES_ENCODE(q5, CK_Q5)
CK_PLANES_ENCODE(q3, CK_Q3)
