// fp32 panels times fp32 activations for many tokens, in register tiles of CK_FLOAT_PANELS x CK_FLOAT_TOKENS. What the original model
// and decoded weights are multiplied with; the same loop makes second moments, with tokens for columns.
//   per 256 columns   sum of w x x by fused multiply-add, in the order of the columns
//   at their end      out = sum, or out + sum from the second 256 on
// A panel's 256 columns (16 KB) stay in the first cache while eight groups of tokens (96 KB) pass from the second; all panels meet them there.

// `panels` x `tokens` (constants) over at most 256 columns; `valid` tokens are stored.
CK_INLINE void float_tile(const float *panel, int64_t panel_stride, const int panels, const float *x, const int tokens, int64_t columns,
                          int64_t valid, int add, float *out, int64_t token_stride) {
    f32x16 sum[CK_FLOAT_PANELS][CK_FLOAT_TOKENS];
    _Pragma("clang loop unroll(full)")
    for (int p = 0; p < panels; p++)
        _Pragma("clang loop unroll(full)")
        for (int t = 0; t < tokens; t++) sum[p][t] = lane_set(0);
    for (int64_t k = 0; k < columns; k++) {
        f32x16 w[CK_FLOAT_PANELS];
        _Pragma("clang loop unroll(full)")
        for (int p = 0; p < panels; p++) w[p] = lane_load(panel + p * panel_stride + 16 * k);
        _Pragma("clang loop unroll(full)")
        for (int t = 0; t < tokens; t++) {
            const f32x16 v = lane_set(x[CK_GROUP_TOKENS * k + t]);
            _Pragma("clang loop unroll(full)")
            for (int p = 0; p < panels; p++) sum[p][t] = lane_fma(w[p], v, sum[p][t]);
        }
    }
    _Pragma("clang loop unroll(full)")
    for (int t = 0; t < tokens; t++) {
        if (t >= valid) break;
        _Pragma("clang loop unroll(full)")
        for (int p = 0; p < panels; p++) {
            float *place = out + t * token_stride + 16 * p;
            lane_store(place, add ? lane_load(place) + sum[p][t] : sum[p][t]);
        }
    }
}

static void CK(float_product)(const float *panels, int64_t count, int64_t panel_stride, int64_t columns, const float *x, int64_t tokens,
                              int accumulate, float *out, int64_t token_stride) {
    enum { part = 256, block = 8 * CK_GROUP_TOKENS };
    for (int64_t k = 0; k < columns; k += part) {
        const int64_t width = columns - k < part ? columns - k : part;
        const int add = accumulate || k > 0;
        for (int64_t first = 0; first < tokens; first += block) {
            const int64_t end = first + block < tokens ? first + block : tokens;
            for (int64_t p = 0; p < count; p += CK_FLOAT_PANELS) {
                const float *panel = panels + p * panel_stride + 16 * k;
                for (int64_t t = first; t < end; t += CK_FLOAT_TOKENS) {
                    const float *group = x + t / CK_GROUP_TOKENS * CK_GROUP_TOKENS * columns + CK_GROUP_TOKENS * k + t % CK_GROUP_TOKENS;
                    float *place = out + t * token_stride + 16 * p;
                    if (p + CK_FLOAT_PANELS <= count)
                        float_tile(panel, panel_stride, CK_FLOAT_PANELS, group, CK_FLOAT_TOKENS, width, end - t, add, place, token_stride);
                    else float_tile(panel, panel_stride, 1, group, CK_FLOAT_TOKENS, width, end - t, add, place, token_stride);
                }
            }
        }
    }
}
