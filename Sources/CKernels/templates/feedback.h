// Float panels to stored panels, where the error of a column counts with its weight and is fed back to the columns that follow (LDLQ,
// Chee et al. 2023, which is GPTQ's order of work, Frantar et al. 2023): with H = C^T D C, C unit lower triangular, the loss
// e^T H e of a row's error e is the sum over columns k of D[k] (e[k] + sum over j < k of C[k][j] e[j])^2. So column k is rounded towards its value
// plus what it takes of the earlier errors. Rows are lanes; no operation crosses them.
//
// Scale and grid of a block are searched on what is really lost: for every candidate the block's columns are rounded one after the
// other, errors fed back.

#if CK_ISA_AVX512 || CK_ISA_AVX512BW
#define CK_FEEDBACK_COLUMNS 8
#else
#define CK_FEEDBACK_COLUMNS 4
#endif

CK_INLINE int feedback_block(const int type) { return type == CK_Q4 ? 16 : 32; }
// Grids of the type; with the mirrored ones, which are searched, twice as many, unless they are symmetric.
CK_INLINE int feedback_grids(const int type) { return type == CK_Q8 || type == CK_Q6 ? 1 : type == CK_Q5 ? 2 : type == CK_Q3 ? 8 : 4; }
CK_INLINE int feedback_searched(const int type) { return type == CK_Q8 || type == CK_Q6 ? 1 : 2 * feedback_grids(type); }
// The codes' largest value, and the most header steps.
CK_INLINE int feedback_reach(const int type) { return type == CK_Q8 || type == CK_Q6 ? 127 : 63; }
CK_INLINE int feedback_limit(const int type) { return type == CK_Q8 || type == CK_Q6 ? 255 : type == CK_Q5 ? 63 : type == CK_Q3 ? 15 : 31; }
// Fed-back errors make values larger than the row's own: a tenth of the steps is left for them.
CK_INLINE float feedback_steps(const int type) { return 0.9f * (float)feedback_limit(type); }
// Scales are tried in fours, so many steps from the one that maps the block's largest value to the grid's end.
CK_INLINE int feedback_first(const int type) { return type == CK_Q8 ? -1 : type == CK_Q6 ? -40 : type == CK_Q5 ? -8 : type == CK_Q3 ? -3 : -4; }
CK_INLINE int feedback_stride(const int type) { return type == CK_Q6 ? 5 : 1; }
CK_INLINE int feedback_tries(const int type) { return type == CK_Q8 ? 4 : type == CK_Q5 ? 16 : type == CK_Q3 ? 8 : 12; }

// Position in the tables of y = value / scale, and whether it lies above the number that it was rounded to.
CK_INLINE i32x16 feedback_index(const int type, f32x16 y, i32x16 *up) {
    const f32x16 magic = lane_set(12582912.0f);
    f32x16 z = lane_min(lane_max(type == CK_Q6 ? lane_abs(y) : y + lane_set(64), lane_set(0)), lane_set(127)), m = z + magic;
    *up = (z > m - magic) & 255;
    return (i32x16)m & 127;
}

// Nearest values of four candidates of one column, given y = value / scale each; grid t of the search. Integers within +-reach, as floats.
CK_INLINE void feedback_nearest(const int type, const f32x16 *y, const ck_grid_tables *tables, int t, f32x16 *value) {
    const f32x16 magic = lane_set(12582912.0f);
    if (type == CK_Q8) {
        for (int c = 0; c < 4; c++) value[c] = lane_min(lane_max(y[c], lane_set(-127)), lane_set(127)) + magic - magic;
        return;
    }
    i32x16 index[4], up[4];
    for (int c = 0; c < 4; c++) index[c] = feedback_index(type, y[c], up + c);
    i32x16 indices = bytes_pack(index[0], index[1], index[2], index[3]), residual = bytes_lookup128(type == CK_Q4 ? tables->residual[t] : tables->residual_down[t], indices);
    if (type != CK_Q4) {  // of two values as near, the fraction decides; q4's grids have none
        i32x16 ups = bytes_pack(up[0], up[1], up[2], up[3]);
        residual = (ups & bytes_lookup128(tables->residual_up[t], indices)) | (~ups & residual);
    }
    // index less residual, both biased by 64; with q6 the residual alone is, and a magnitude comes out
    const int bias = type == CK_Q6 ? 0 : 128;
    i32x16 biased = bytes_sub(indices, bytes_sub(residual, bytes_set(type == CK_Q6 ? 64 : 128)));
    for (int c = 0; c < 4; c++) {
        value[c] = lane_float(((biased >> (8 * c)) & 255) - bias);
        if (type == CK_Q6) value[c] = (f32x16)((i32x16)value[c] | ((i32x16)y[c] & (int32_t)0x80000000));
    }
}

// What the superblock's later columns take of the errors of `count` columns: target[i] += errors[j] share[j][i], i within first ..< end.
// `share` rows are 128 floats.
CK_INLINE void feedback_add(f32x16 *target, const float *errors, const float *share, int64_t count, int first, int end) {
    for (int i = first; i < end; i += CK_FEEDBACK_COLUMNS) {
        f32x16 sum[CK_FEEDBACK_COLUMNS];
        for (int c = 0; c < CK_FEEDBACK_COLUMNS; c++) sum[c] = target[i + c];
        for (int64_t j = 0; j < count; j++) {
            const f32x16 e = lane_load(errors + 16 * j);
            for (int c = 0; c < CK_FEEDBACK_COLUMNS; c++) sum[c] = lane_fma(e, lane_set(share[128 * j + i + c]), sum[c]);
        }
        for (int c = 0; c < CK_FEEDBACK_COLUMNS; c++) target[i + c] = sum[c];
    }
}

// Four scales s x unit of one grid: rounds the block's columns in order and keeps the least loss. `share` is the block's own square, rows
// of 128 floats, or NULL without feedback.
CK_INLINE void feedback_try(const int type, const f32x16 *source, const f32x16 *target, const float *share, const float *weights, f32x16 unit,
                            const i32x16 *s, const ck_grid_tables *tables, int t, f32x16 *best_loss, i32x16 *best_scale, i32x16 *best_grid) {
    const int block = feedback_block(type);
    f32x16 scale[4], inverse[4], loss[4], error[4][32];
    for (int c = 0; c < 4; c++) {
        scale[c] = unit * lane_float(s[c]);
        inverse[c] = lane_set(1) / scale[c];
        loss[c] = lane_set(0);
    }
    for (int i = 0; i < block; i++) {
        f32x16 y[4], scaled[4], value[4];
        for (int c = 0; c < 4; c++) y[c] = target[i];
        if (share)
            for (int j = 0; j < i; j++) {
                const f32x16 taken = lane_set(share[128 * j + i]);
                for (int c = 0; c < 4; c++) y[c] = lane_fma(error[c][j], taken, y[c]);
            }
        for (int c = 0; c < 4; c++) scaled[c] = y[c] * inverse[c];
        feedback_nearest(type, scaled, tables, t, value);
        for (int c = 0; c < 4; c++) {
            f32x16 q = scale[c] * value[c], d = y[c] - q;
            loss[c] = lane_fma(d * d, lane_set(weights[i]), loss[c]);
            error[c][i] = source[i] - q;
        }
    }
    for (int c = 0; c < 4; c++) {
        i32x16 better = loss[c] < *best_loss;
        *best_loss = lane_select(better, loss[c], *best_loss);
        *best_scale = lane_selecti(better, t < feedback_grids(type) ? s[c] : -s[c], *best_scale);
        *best_grid = lane_selecti(better, lane_seti(t % feedback_grids(type)), *best_grid);
    }
}

// The loss of storing zeros.
CK_INLINE f32x16 feedback_zeros(const f32x16 *source, const f32x16 *target, const float *share, const float *weights, const int block) {
    f32x16 loss = lane_set(0);
    for (int i = 0; i < block; i++) {
        f32x16 y = target[i];
        if (share)
            for (int j = 0; j < i; j++) y = lane_fma(source[j], lane_set(share[128 * j + i]), y);
        loss = lane_fma(y * y, lane_set(weights[i]), loss);
    }
    return loss;
}

// One column with the scale and grid found: its code, and its value in header steps.
CK_INLINE i32x16 feedback_code(const int type, f32x16 y, f32x16 inverse, i32x16 scale, i32x16 grid, const ck_grid_tables *tables, grid_lookup values, i32x16 *steps) {
    f32x16 scaled = y * inverse;
    if (type == CK_Q8) {
        i32x16 n = lane_round(lane_min(lane_max(scaled, lane_set(-127)), lane_set(127)));
        *steps = scale * n;
        return n + 128;
    }
    i32x16 up, index = feedback_index(type, scaled, &up), code = lane_seti(0);
    for (int g = 0; g < feedback_grids(type); g++) {
        i32x16 own = bytes_lookup128(tables->code[g], index);
        if (type != CK_Q4) own = lane_selecti(up == 0, own, bytes_lookup128(tables->code_up[g], index));
        code = lane_selecti(grid == g, own, code);
    }
    // q6: magnitude m as code 32 + m, or 31 - m where negative
    if (type == CK_Q6) code = (code | 32) ^ ((scaled < lane_set(0)) & 63);
    code &= 63;
    i32x16 biased = grid_apply(values, code | grid * (64 / feedback_grids(type))) & 255;
    *steps = scale * (biased - (type == CK_Q6 ? 128 : 64));
    return code;
}

CK_INLINE i32x16 feedback_header(const int type, i32x16 scale, i32x16 grid) {
    return type == CK_Q8 || type == CK_Q6 ? scale : type == CK_Q5 ? (scale + 64) | (grid << 7) : type == CK_Q3 ? (scale + 16) | (grid << 5) : (scale + 32) | (grid << 6);
}

// The codes of a superblock, four columns to an entry, as stored.
CK_INLINE void feedback_store(const int type, const i32x16 *codes, uint8_t *out) {
    if (is_planes(type))
        for (int b = 0; b < 4; b++) planes_store(out + planes_codes_of_32(type) * b, type, codes + 8 * b);
    else if (type == CK_Q8)
        for (int line = 0; line < 32; line++) bytes_store(out + 64 * line, codes[line]);
    else
        for (int line = 0; line < 16; line++) bytes_store(out + 64 * line, codes[2 * line] | (codes[2 * line + 1] << 4));
}

// Power of two that brings each row's largest value near 1, so that no square below leaves the range of f32.
CK_INLINE f32x16 feedback_size(const float *xt, int64_t padded) {
    i32x16 exponent = (i32x16)largest_magnitude(xt, 0, padded) & 0x7f800000;
    exponent = lane_selecti(exponent < 0x08000000, lane_seti(0x3f800000), exponent);
    exponent = lane_selecti(exponent > 0x7e800000, lane_seti(0x7e800000), exponent);  // so that its inverse is a normal number
    return (f32x16)exponent;
}
CK_INLINE f32x16 power_inverse(f32x16 power) { return (f32x16)(0x7f000000 - (i32x16)power); }

// Row scales and window factors with room for fed-back errors; scales are those of the rows divided by `size`.
CK_INLINE void feedback_scales(const int type, const float *xt, int64_t padded, uint8_t *panel) {
    encode_scales(xt, padded, (float)feedback_reach(type) * feedback_steps(type), panel);
}

// One superblock of one panel. `target` has the errors before this superblock in it already; `errors` is where those of the superblock go.
CK_INLINE void feedback_superblock(const int type, const float *xt, f32x16 shrink, f32x16 *target, float *errors, const float *share,
                                   const float *weights, f32x16 unit, i32x16 empty, const ck_grid_tables *tables, uint8_t *superblock) {
    const int block = feedback_block(type), header_size = 128 / block * 16, limit = feedback_limit(type);
    const grid_lookup values = grid_load(tables->grids);
    i32x16 codes[32];
    for (int b = 0; b < 128 / block; b++) {
        const int at = b * block;
        const float *own = share ? share + 128 * at + at : NULL;
        f32x16 source[32], largest = lane_set(0);
        if (share) feedback_add(target, errors, share, at, at, at + block);
        for (int i = 0; i < block; i++) {
            source[i] = lane_load(xt + 16 * (at + i)) * shrink;
            largest = lane_max(lane_abs(target[at + i]), largest);
        }
        i32x16 nearest = lane_round(lane_min(largest / (unit * lane_set((float)feedback_reach(type))), lane_set((float)limit)));
        f32x16 loss = feedback_zeros(source, target + at, own, weights + at, block);
        i32x16 scale = lane_seti(0), grid = scale;
        for (int first = 0; first < feedback_tries(type); first += 4) {
            i32x16 s[4];
            for (int c = 0; c < 4; c++) {
                s[c] = nearest + (feedback_first(type) + feedback_stride(type) * (first + c));
                s[c] = lane_selecti(s[c] < 1, lane_seti(1), s[c]);
                s[c] = lane_selecti(s[c] > limit, lane_seti(limit), s[c]);
            }
            for (int t = 0; t < feedback_searched(type); t++)
                feedback_try(type, source, target + at, own, weights + at, unit, s, tables, t, &loss, &scale, &grid);
        }
        scale = scale & ~empty;
        const i32x16 zero = scale == 0;
        lane_to_u8(superblock + 16 * b, feedback_header(type, scale, grid));
        f32x16 inverse = lane_select(zero, lane_set(0), lane_set(1) / (unit * lane_float(lane_selecti(zero, lane_seti(1), scale))));
        for (int i = 0; i < block; i += 4) {
            i32x16 code[4];
            for (int c = 0; c < 4; c++) {
                f32x16 y = target[at + i + c];
                if (share)
                    for (int j = 0; j < i + c; j++) y = lane_fma(lane_load(errors + 16 * (at + j)), lane_set(own[128 * j + i + c]), y);
                i32x16 steps;
                code[c] = feedback_code(type, y, inverse, scale, grid, tables, values, &steps);
                lane_store(errors + 16 * (at + i + c), source[i + c] - unit * lane_float(steps));
            }
            codes[(at + i) / 4] = bytes_pack(code[0], code[1], code[2], code[3]);
        }
    }
    feedback_store(type, codes, superblock + header_size);
}

// Columns of errors that are fed back to all panels before the next ones are read: a piece of 128 KB.
enum { FEEDBACK_PIECE = 256 };

CK_INLINE void feedback_encode(const int type, const float *xt, int64_t panels, int64_t padded, const float *shares, int64_t span, const float *weights,
                               const ck_grid_tables *tables, float *scratch, uint8_t *out, int64_t panel_bytes) {
    const int block = feedback_block(type), unit_bytes = is_planes(type) ? planes_unit(type) : 128 / block * 16 + (type == CK_Q8 ? 2048 : 1024);
    float *errors = scratch, *targets = scratch + panels * padded * 16, *sizes = targets + panels * 2048;
    for (int64_t p = 0; p < panels; p++) {
        const f32x16 size = feedback_size(xt + p * padded * 16, padded);
        lane_store(sizes + 16 * p, size);
        feedback_scales(type, xt + p * padded * 16, padded, out + p * panel_bytes);
    }
    for (int64_t start = 0; start < padded; start += span) {
        const int64_t end = start + span < padded ? start + span : padded;
        for (int64_t k = start; k < end; k += 128) {
            const float *share = shares;
            if (shares) shares += (k + 128 - start) * 128;
            for (int64_t p = 0; p < panels; p++) {
                const f32x16 shrink = power_inverse(lane_load(sizes + 16 * p));
                f32x16 *target = (f32x16 *)(targets + p * 2048);
                for (int i = 0; i < 128; i++) target[i] = lane_load(xt + (p * padded + k + i) * 16) * shrink;
            }
            if (share) {
                for (int64_t j = start; j < k; j += FEEDBACK_PIECE) {
                    const int64_t count = j + FEEDBACK_PIECE < k ? FEEDBACK_PIECE : k - j;
                    for (int64_t p = 0; p < panels; p++)
                        feedback_add((f32x16 *)(targets + p * 2048), errors + (p * padded + j) * 16, share + (j - start) * 128, count, 0, 128);
                }
                share += (k - start) * 128;
            }
            for (int64_t p = 0; p < panels; p++) {
                uint8_t *panel = out + p * panel_bytes;
                const f32x16 shrink = power_inverse(lane_load(sizes + 16 * p));
                f32x16 unit = window_scale(panel, padded, k / 256) * shrink;
                const i32x16 empty = unit <= lane_set(0);
                unit = lane_select(empty, lane_set(1), unit);
                feedback_superblock(type, xt + (p * padded + k) * 16, shrink, (f32x16 *)(targets + p * 2048), errors + (p * padded + k) * 16, share,
                                    weights + k, unit, empty, tables, panel + header_bytes(padded) + k / 128 * unit_bytes);
            }
        }
    }
}
#define CK_FEEDBACK(suffix, type)                                                                                                        \
    static void CK(encode_feedback_##suffix)(const float *xt, int64_t panels, int64_t padded, const float *shares, int64_t span,         \
                                             const float *weights, const ck_grid_tables *tables, float *scratch, uint8_t *out,           \
                                             int64_t panel_bytes) {                                                                      \
        feedback_encode(type, xt, panels, padded, shares, span, weights, tables, scratch, out, panel_bytes);                             \
    }
CK_FEEDBACK(q8, CK_Q8)
CK_FEEDBACK(q4, CK_Q4)
CK_FEEDBACK(q4s, CK_Q4S)
CK_FEEDBACK(q6, CK_Q6)
CK_FEEDBACK(q5, CK_Q5)
CK_FEEDBACK(q3, CK_Q3)
