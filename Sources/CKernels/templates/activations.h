// What happens to activations between the matrix products. Sums use sixteen lanes in a fixed order.

// 32 values to bytes and their scale, largest |v| / 127. Returns the rounded values, 16 and 16.
typedef struct { i32x16 low, high; } rounded_block;
CK_INLINE rounded_block quantize_block(const float *v, int8_t *q, float *scale) {
    f32x16 a = lane_load(v), b = lane_load(v + 16);
    // Compared as integers, where NaN is above infinity: a value that is not finite must reach the scale and so the result.
    i32x16 ma = (i32x16)lane_abs(a), mb = (i32x16)lane_abs(b);
    int32_t bits = __builtin_reduce_max(lane_selecti(ma > mb, ma, mb));
    float largest;
    memcpy(&largest, &bits, 4);
    // Below this the reciprocal would overflow; such a block is zero next to any other.
    int tiny = largest <= 1e-30f;
    float inverse = tiny ? 0 : 127.0f / largest;
    *scale = tiny ? 0 : largest / 127.0f;
    rounded_block r = {lane_round(a * lane_set(inverse)), lane_round(b * lane_set(inverse))};
    i8x16 ba = __builtin_convertvector(r.low, i8x16), bb = __builtin_convertvector(r.high, i8x16);
    memcpy(q, &ba, 16);
    memcpy(q + 16, &bb, 16);
    return r;
}
CK_INLINE void quantize_activations_32(const float *v, int8_t *q, uint8_t *u, float *scale, int32_t *sum) {
    rounded_block r = quantize_block(v, q, scale);
    sum[0] = __builtin_reduce_add(r.low);
    sum[1] = __builtin_reduce_add(r.high);
    for (int i = 0; i < 32; i += 8) {
        uint64_t eight;
        memcpy(&eight, q + i, 8);
        eight ^= 0x8080808080808080u;
        memcpy(u + i, &eight, 8);
    }
}
static void CK(quantize_activations)(const float *x, int64_t columns, int64_t padded, int8_t *q, uint8_t *u, float *scale, int32_t *sum) {
    int64_t k = 0;
    for (; k + 32 <= columns; k += 32) quantize_activations_32(x + k, q + k, u + k, scale + k / 32, sum + k / 16);
    for (; k < padded; k += 32) {
        float v[32] = {0};
        if (k < columns) memcpy(v, x + k, (size_t)(columns - k) * 4);
        quantize_activations_32(v, q + k, u + k, scale + k / 32, sum + k / 16);
    }
}

static void CK(rms_norm)(const float *x, const float *weight, int64_t count, float epsilon, float *out) {
    f32x16 squares = lane_set(0);
    int64_t k = 0;
    for (; k + 16 <= count; k += 16) { f32x16 v = lane_load(x + k); squares = lane_fma(v, v, squares); }
    float sum = lane_sum(squares);
    for (int64_t i = k; i < count; i++) sum = __builtin_fmaf(x[i], x[i], sum);
    float inverse = 1.0f / __builtin_sqrtf(sum / (float)count + epsilon);
    for (k = 0; k + 16 <= count; k += 16) lane_store(out + k, lane_load(x + k) * lane_set(inverse) * lane_load(weight + k));
    for (; k < count; k++) out[k] = x[k] * inverse * weight[k];
}

static void CK(add)(float *x, const float *y, int64_t count) {
    int64_t k = 0;
    for (; k + 16 <= count; k += 16) lane_store(x + k, lane_load(x + k) + lane_load(y + k));
    for (; k < count; k++) x[k] += y[k];
}

// exp(x) for x <= 88: 2^n times a polynomial of the rest in +-ln 2 / 2 (coefficients of the Cephes library's expf);
// largest relative error below 2e-7. Below -87 the result is 0.
CK_INLINE f32x16 lane_exp(f32x16 x) {
    i32x16 tiny = x < lane_set(-87.0f);
    x = lane_max(lane_min(x, lane_set(88.0f)), lane_set(-87.0f));
    f32x16 n = lane_fma(x, lane_set(1.44269504088896341f), lane_set(12582912.0f)) - lane_set(12582912.0f);
    f32x16 r = lane_fma(n, lane_set(-0.693359375f), x);
    r = lane_fma(n, lane_set(2.12194440e-4f), r);
    f32x16 p = lane_set(1.9875691500e-4f);
    p = lane_fma(p, r, lane_set(1.3981999507e-3f));
    p = lane_fma(p, r, lane_set(8.3334519073e-3f));
    p = lane_fma(p, r, lane_set(4.1665795894e-2f));
    p = lane_fma(p, r, lane_set(1.6666665459e-1f));
    p = lane_fma(p, r, lane_set(5.0000001201e-1f));
    p = lane_fma(p, r * r, r + lane_set(1));
    f32x16 power = (f32x16)((lane_round(n) + 127) << 23);
    return lane_select(tiny, lane_set(0), p * power);
}

// exp(-x) would overflow for x below -88, where the result is -0 to f32 precision anyway: the argument is clamped in lane_exp.
static void CK(swiglu)(float *gate, const float *up, int64_t count) {
    for (int64_t k = 0; k < count; k += 16) {
        float g[16] = {0}, u[16] = {0};
        size_t bytes = (size_t)(count - k < 16 ? count - k : 16) * 4;
        memcpy(g, gate + k, bytes);
        memcpy(u, up + k, bytes);
        f32x16 v = lane_load(g);
        lane_store(g, v / (lane_set(1) + lane_exp(lane_set(0) - v)) * lane_load(u));
        memcpy(gate + k, g, bytes);
    }
}

static void CK(rotate)(float *head, const float *cosines, const float *sines, int64_t half) {
    int64_t i = 0;
    for (; i + 16 <= half; i += 16) {
        f32x16 a = lane_load(head + i), b = lane_load(head + half + i), c = lane_load(cosines + i), s = lane_load(sines + i);
        lane_store(head + i, a * c - b * s);
        lane_store(head + half + i, b * c + a * s);
    }
    for (; i < half; i++) {
        float a = head[i], b = head[half + i];
        head[i] = a * cosines[i] - b * sines[i];
        head[half + i] = b * cosines[i] + a * sines[i];
    }
}

static void CK(narrow_f16)(const float *x, int64_t count, uint16_t *out) {
    int64_t k = 0;
    for (; k + 16 <= count; k += 16) lane_to_f16(out + k, lane_load(x + k));
    for (; k < count; k++) out[k] = scalar_to_f16(x[k]);
}

static float CK(largest)(const float *x, int64_t count) {
    f32x16 most = lane_set(x[0]);
    int64_t k = 0;
    for (; k + 16 <= count; k += 16) most = lane_max(lane_load(x + k), most);
    for (int half = 8; half; half >>= 1)
        for (int i = 0; i < half; i++) most[i] = most[i] > most[i + half] ? most[i] : most[i + half];
    float result = most[0];
    for (; k < count; k++) result = x[k] > result ? x[k] : result;
    return result;
}

static double CK(exponentials)(const float *x, int64_t count, float largest, float scale, float *out) {
    double sum = 0;
    int64_t k = 0;
    for (; k + 16 <= count; k += 16) {
        f32x16 e = lane_exp((lane_load(x + k) - lane_set(largest)) * lane_set(scale));
        lane_store(out + k, e);
        sum += lane_sum(e);
    }
    if (k < count) {
        float v[16];
        for (int i = 0; i < 16; i++) v[i] = k + i < count ? x[k + i] : -3.4e38f;
        f32x16 e = lane_exp((lane_load(v) - lane_set(largest)) * lane_set(scale));
        lane_store(v, e);
        for (int i = 0; k + i < count; i++) {
            out[k + i] = v[i];
            sum += v[i];
        }
    }
    return sum;
}

static void CK(log_sum_exp)(const float *x, int64_t count, float *largest, double *log_sum) {
    float most = x[0];
    for (int64_t i = 1; i < count; i++) most = x[i] > most ? x[i] : most;
    double sum = 0;
    for (int64_t k = 0; k < count; k += 16) {
        float v[16];
        int64_t n = count - k < 16 ? count - k : 16;
        for (int i = 0; i < 16; i++) v[i] = i < n ? x[k + i] : -3.4e38f;
        f32x16 e = lane_exp(lane_load(v) - lane_set(most));
        sum += lane_sum(e);
    }
    *largest = most;
    *log_sum = __builtin_log(sum);
}

static double CK(kl_divergence)(const float *p_logits, float p_log_sum, const float *q_logits, float q_log_sum, int64_t count) {
    double sum = 0;
    for (int64_t k = 0; k < count; k += 16) {
        float p[16], q[16];
        int64_t n = count - k < 16 ? count - k : 16;
        for (int i = 0; i < 16; i++) {
            p[i] = i < n ? p_logits[k + i] : -3.4e38f;
            q[i] = i < n ? q_logits[k + i] : 0;
        }
        f32x16 lp = lane_load(p) - lane_set(p_log_sum), lq = lane_load(q) - lane_set(q_log_sum), e = lane_exp(lp);
        // a probability of 0 counts as 0, however large the difference
        sum += lane_sum(lane_select(e > lane_set(0), e * (lp - lq), lane_set(0)));
    }
    return sum;
}
