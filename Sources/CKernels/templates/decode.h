// Panels back to floats: the definition in Formats/StorageTypes.md, section 2, step by step.

// Sixteen factor bytes per window. A panel of one window stores none: they would all be the largest.
CK_INLINE const uint8_t *window_bytes(const uint8_t *panel, int64_t padded) {
    static const uint8_t largest[16] = {255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255};
    return padded > 256 ? panel + 64 : largest;
}
// f32 of a window factor byte times the row scale.
CK_INLINE f32x16 window_scale(const uint8_t *panel, int64_t padded, int64_t window) {
    i32x16 b = lane_from_u8(window_bytes(panel, padded) + 16 * window);
    return lane_load((const float *)panel) * (f32x16)((b << 20) + 0x2F800000);
}
CK_INLINE int64_t header_bytes(int64_t padded) { return padded > 256 ? 64 + ((padded + 255) / 256 * 16 + 63) / 64 * 64 : 64; }

CK_INLINE void decode_q4_blocks(const uint8_t *panel, int64_t padded, const uint8_t *grids, float *vt, const int block) {
    const int64_t code_offset = 128 / block * 16, unit = code_offset + 1024;
    const grid_lookup table = grid_load(grids);
    const uint8_t *superblock = panel + header_bytes(padded);
    for (int64_t k = 0; k < padded; k += 128, superblock += unit) {
        f32x16 scale = window_scale(panel, padded, k / 256);
        for (int line = 0; line < 16; line++) {
            const uint8_t *header = superblock + line * 8 / block * 16;
            i32x16 s = (lane_from_u8(header) & 63) - 32;
            i32x16 grid = (i32x16)(((u32x16)bytes_repeat(header) >> 2) & 0x30303030u);
            i32x16 z = bytes_load(superblock + code_offset + 64 * line);
            i32x16 pair[2] = {grid_apply(table, (z & 0x0f0f0f0f) | grid), grid_apply(table, ((z >> 4) & 0x0f0f0f0f) | grid)};
            for (int half = 0; half < 2; half++)
                for (int i = 0; i < 4; i++) {
                    i32x16 n = s * (((pair[half] >> (8 * i)) & 255) - 64);
                    lane_store(vt + 16 * (k + 8 * line + 4 * half + i), scale * lane_float(n));
                }
        }
    }
}
static void CK(decode_q4)(const uint8_t *panel, int64_t padded, const uint8_t *grids, float *vt) { decode_q4_blocks(panel, padded, grids, vt, 16); }
static void CK(decode_q4s)(const uint8_t *panel, int64_t padded, const uint8_t *grids, float *vt) { decode_q4_blocks(panel, padded, grids, vt, 32); }

static void CK(decode_q8)(const uint8_t *panel, int64_t padded, const uint8_t *grids, float *vt) {
    (void)grids;
    const uint8_t *superblock = panel + header_bytes(padded);
    for (int64_t k = 0; k < padded; k += 128, superblock += 2112) {
        f32x16 scale = window_scale(panel, padded, k / 256);
        for (int line = 0; line < 32; line++) {
            i32x16 s = lane_from_u8(superblock + line / 8 * 16), z = bytes_load(superblock + 64 + 64 * line);
            for (int i = 0; i < 4; i++)
                lane_store(vt + 16 * (k + 4 * line + i), scale * lane_float(s * (((z >> (8 * i)) & 255) - 128)));
        }
    }
}
static void CK(decode_f16)(const uint8_t *panel, int64_t padded, const uint8_t *grids, float *vt) {
    (void)grids;
    for (int64_t k = 0; k < padded; k++) lane_store(vt + 16 * k, lane_from_f16(panel + 32 * k));
}
static void CK(decode_f32)(const uint8_t *panel, int64_t padded, const uint8_t *grids, float *vt) {
    (void)grids;
    memcpy(vt, panel, (size_t)padded * 64);
}

CK_INLINE float row_scale(const uint8_t *panel, int64_t padded, int64_t window, int64_t row) {
    uint32_t bits = ((uint32_t)window_bytes(panel, padded)[16 * window + row] << 20) + 0x2F800000u;
    float factor, scale;
    memcpy(&factor, &bits, 4);
    memcpy(&scale, panel + 4 * row, 4);
    return scale * factor;
}
CK_INLINE void decode_row_q4_blocks(const uint8_t *panel, int64_t columns, const uint8_t *grids, int64_t row, float *out, const int block) {
    const int64_t padded = (columns + 127) / 128 * 128, code_offset = 128 / block * 16, unit = code_offset + 1024;
    for (int64_t k = 0; k < columns; k++) {
        const uint8_t *superblock = panel + header_bytes(padded) + k / 128 * unit;
        int64_t j = k % 128;
        uint8_t header = superblock[j / block * 16 + row];
        uint8_t pair = superblock[code_offset + j / 8 * 64 + 4 * row + j % 4];
        int code = j % 8 < 4 ? pair & 15 : pair >> 4;
        int n = ((header & 63) - 32) * (grids[(header >> 6) * 16 + code] - 64);
        out[k] = row_scale(panel, padded, k / 256, row) * (float)n;
    }
}
static void CK(decode_row_q4)(const uint8_t *panel, int64_t columns, const uint8_t *grids, int64_t row, float *out) {
    decode_row_q4_blocks(panel, columns, grids, row, out, 16);
}
static void CK(decode_row_q4s)(const uint8_t *panel, int64_t columns, const uint8_t *grids, int64_t row, float *out) {
    decode_row_q4_blocks(panel, columns, grids, row, out, 32);
}
static void CK(decode_row_q8)(const uint8_t *panel, int64_t columns, const uint8_t *grids, int64_t row, float *out) {
    (void)grids;
    const int64_t padded = (columns + 127) / 128 * 128;
    for (int64_t k = 0; k < columns; k++) {
        const uint8_t *superblock = panel + header_bytes(padded) + k / 128 * 2112;
        int64_t j = k % 128;
        int n = superblock[j / 32 * 16 + row] * (superblock[64 + j / 4 * 64 + 4 * row + j % 4] - 128);
        out[k] = row_scale(panel, padded, k / 256, row) * (float)n;
    }
}
static void CK(decode_row_f16)(const uint8_t *panel, int64_t columns, const uint8_t *grids, int64_t row, float *out) {
    (void)grids;
    for (int64_t k = 0; k < columns; k++) {
        uint16_t h;
        memcpy(&h, panel + 32 * k + 2 * row, 2);
        out[k] = scalar_from_f16(h);
    }
}
static void CK(decode_row_f32)(const uint8_t *panel, int64_t columns, const uint8_t *grids, int64_t row, float *out) {
    (void)grids;
    for (int64_t k = 0; k < columns; k++) memcpy(out + k, panel + 64 * k + 4 * row, 4);
}
