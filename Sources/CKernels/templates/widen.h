// Source rows to transposed float panels, and the error sums between two such panels.
#include "../lanes/bytes.h"
#include "../lanes/halves.h"

CK_INLINE int is_finite_bits(uint32_t exponent_mask, uint32_t bits) { return (bits & exponent_mask) != exponent_mask; }

static int64_t first_not_finite(const uint8_t *source, int type, int64_t row_bytes, int64_t rows, int64_t columns) {
    for (int64_t r = 0; r < rows; r++)
        for (int64_t c = 0; c < columns; c++) {
            if (type == CK_SOURCE_F32) {
                uint32_t v;
                memcpy(&v, source + r * row_bytes + 4 * c, 4);
                if (!is_finite_bits(0x7f800000, v)) return r * columns + c;
            } else {
                uint16_t v;
                memcpy(&v, source + r * row_bytes + 2 * c, 2);
                if (!is_finite_bits(type == CK_SOURCE_F16 ? 0x7c00 : 0x7f80, v)) return r * columns + c;
            }
        }
    return -1;
}

// 16 x 16 transposition by four rounds of pairwise interleaving.
CK_INLINE void transpose16(f32x16 v[16]) {
    f32x16 t[16];
    for (int i = 0; i < 16; i += 2) {
        t[i] = __builtin_shufflevector(v[i], v[i + 1], 0, 16, 2, 18, 4, 20, 6, 22, 8, 24, 10, 26, 12, 28, 14, 30);
        t[i + 1] = __builtin_shufflevector(v[i], v[i + 1], 1, 17, 3, 19, 5, 21, 7, 23, 9, 25, 11, 27, 13, 29, 15, 31);
    }
    for (int i = 0; i < 16; i += 4)
        for (int j = i; j < i + 2; j++) {
            v[j] = __builtin_shufflevector(t[j], t[j + 2], 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29);
            v[j + 2] = __builtin_shufflevector(t[j], t[j + 2], 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31);
        }
    for (int i = 0; i < 16; i += 8)
        for (int j = i; j < i + 4; j++) {
            t[j] = __builtin_shufflevector(v[j], v[j + 4], 0, 1, 2, 3, 16, 17, 18, 19, 8, 9, 10, 11, 24, 25, 26, 27);
            t[j + 4] = __builtin_shufflevector(v[j], v[j + 4], 4, 5, 6, 7, 20, 21, 22, 23, 12, 13, 14, 15, 28, 29, 30, 31);
        }
    for (int j = 0; j < 8; j++) {
        v[j] = __builtin_shufflevector(t[j], t[j + 8], 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23);
        v[j + 8] = __builtin_shufflevector(t[j], t[j + 8], 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31);
    }
}

CK_INLINE f32x16 widen16(const uint8_t *p, int type) {
    return type == CK_SOURCE_F16 ? lane_from_f16(p) : type == CK_SOURCE_BF16 ? lane_from_bf16(p) : lane_load((const float *)p);
}

CK_INLINE int64_t widen_typed(const uint8_t *source, const int type, int64_t row_bytes, int64_t rows, int64_t columns, int64_t padded, float *xt) {
    const int64_t size = type == CK_SOURCE_F32 ? 4 : 2;
    const f32x16 zero = lane_set(0);
    i32x16 largest = lane_seti(0);
    int bad = 0;
    for (int64_t k = 0; k < padded; k += 16) {
        f32x16 v[16];
        int64_t left = columns - k;
        for (int64_t r = 0; r < 16; r++) {
            const uint8_t *p = source + r * row_bytes + size * k;
            if (r >= rows || left <= 0) v[r] = zero;
            else if (left >= 16) v[r] = widen16(p, type);
            else {
                uint8_t tail[64] = {0};
                memcpy(tail, p, (size_t)(left * size));
                v[r] = widen16(tail, type);
            }
            // Compared as integers, where NaN is above infinity.
            i32x16 bits = (i32x16)lane_abs(v[r]);
            largest = lane_selecti(bits > largest, bits, largest);
        }
        transpose16(v);
        for (int64_t i = 0; i < 16 && k + i < padded; i++) lane_store(xt + 16 * (k + i), v[i]);
    }
    for (int i = 0; i < 16; i++) bad |= largest[i] > 0x7f7fffff;  // the largest float
    return bad ? first_not_finite(source, type, row_bytes, rows, columns) : -1;
}

static int64_t CK(widen)(const void *source, int type, int64_t row_bytes, int64_t rows, int64_t columns, int64_t padded, float *xt) {
    const uint8_t *p = source;
    if (type == CK_SOURCE_F16) return widen_typed(p, CK_SOURCE_F16, row_bytes, rows, columns, padded, xt);
    if (type == CK_SOURCE_BF16) return widen_typed(p, CK_SOURCE_BF16, row_bytes, rows, columns, padded, xt);
    return widen_typed(p, CK_SOURCE_F32, row_bytes, rows, columns, padded, xt);
}

// One row of a window in double precision, where squares of f32 values neither overflow nor vanish.
static void measure_exactly(const float *xt, const float *vt, int64_t columns, double *signal, double *noise, double *stored, double *product) {
    double s = 0, n = 0, t = 0, p = 0;
    for (int64_t i = 0; i < columns; i++) {
        double x = xt[16 * i], v = vt[16 * i], d = x - v;
        s += x * x;
        n += d * d;
        t += v * v;
        p += x * v;
    }
    *signal += s;
    *noise += n;
    *stored += t;
    *product += p;
}

// Float sums over 256 columns, then double: a relative error below 2^-15 would show only in the seventh digit of an SQNR.
// Windows whose squares leave the range of f32 are summed again in double precision.
static void CK(measure)(const float *xt, const float *vt, int64_t columns, ck_panel_errors *errors) {
    double signal[16] = {0}, noise[16] = {0}, stored[16] = {0}, product[16] = {0};
    f32x16 largest = lane_set(0);
    for (int64_t k = 0; k < columns; k += 256) {
        f32x16 s = lane_set(0), n = s, t = s, p = s;
        int64_t end = k + 256 < columns ? k + 256 : columns;
        for (int64_t i = k; i < end; i++) {
            f32x16 x = lane_load(xt + 16 * i), v = lane_load(vt + 16 * i), d = x - v;
            s = lane_fma(x, x, s);
            n = lane_fma(d, d, n);
            t = lane_fma(v, v, t);
            p = lane_fma(x, v, p);
            largest = lane_max(lane_abs(d), largest);
        }
        for (int r = 0; r < 16; r++) {
            if (!(s[r] > 1e-24f && s[r] + n[r] + t[r] < 1e37f)) {
                measure_exactly(xt + 16 * k + r, vt + 16 * k + r, end - k, &signal[r], &noise[r], &stored[r], &product[r]);
                continue;
            }
            signal[r] += s[r];
            noise[r] += n[r];
            stored[r] += t[r];
            product[r] += p[r];
        }
    }
    errors->stored = errors->product = errors->largest = 0;
    for (int r = 0; r < 16; r++) {
        errors->signal[r] = signal[r];
        errors->noise[r] = noise[r];
        errors->row_product[r] = product[r];
        errors->stored += stored[r];
        errors->product += product[r];
        if (largest[r] > errors->largest) errors->largest = largest[r];
    }
}
