// The key-value cache of one head and the attention over it. Keys lie 16 positions to a panel, [position / 16][width][16], so a
// score needs no sum across lanes; values lie [position][width]. width is the head's size rounded up to 32.
// q8: one byte per value and one float per 32 of a position, [position / 16][width / 32][16] for keys and values alike.
//
// Per query the order of operations is fixed, whatever else is computed with it: positions in chunks of CK_ATTEND_CHUNK; in a
// chunk the softmax over its own largest score, then the chunk joins what came before (see merge_state).

CK_INLINE f32x16 lane_from_i8(const void *p) { i8x16 v; memcpy(&v, p, 16); return __builtin_convertvector(__builtin_convertvector(v, i32x16), f32x16); }
CK_INLINE int64_t element_bytes(const int element) { return element == CK_CACHE_F16 ? 2 : element == CK_CACHE_F32 ? 4 : 1; }
CK_INLINE f32x16 cache_load(const void *p, const int element, int64_t at) {
    return element == CK_CACHE_F16 ? lane_from_f16((const uint16_t *)p + at)
         : element == CK_CACHE_F32 ? lane_load((const float *)p + at) : lane_from_i8((const int8_t *)p + at);
}

static void CK(store_position)(const ck_cache_head *cache, int64_t position, const float *key, const float *value) {
    const int64_t width = cache->width, lane = position % 16, panel = position / 16;
    for (int64_t d = 0; d < width; d += 32) {
        float k[32] = {0}, v[32] = {0};
        const size_t bytes = d < cache->size ? (size_t)(cache->size - d < 32 ? cache->size - d : 32) * 4 : 0;
        memcpy(k, key + d, bytes);
        memcpy(v, value + d, bytes);
        const int64_t keys_at = panel * 16 * width + 16 * d + lane, values_at = position * width + d;
        if (cache->element == CK_CACHE_F32) {
            for (int i = 0; i < 32; i++) ((float *)cache->keys)[keys_at + 16 * i] = k[i];
            memcpy((float *)cache->values + values_at, v, 128);
        } else if (cache->element == CK_CACHE_F16) {
            uint16_t h[32];
            for (int i = 0; i < 32; i += 16) lane_to_f16(h + i, lane_load(k + i));
            for (int i = 0; i < 32; i++) ((uint16_t *)cache->keys)[keys_at + 16 * i] = h[i];
            for (int i = 0; i < 32; i += 16) lane_to_f16((uint16_t *)cache->values + values_at + i, lane_load(v + i));
        } else {
            const int64_t scale_at = panel * 16 * (width / 32) + 16 * (d / 32) + lane;
            int8_t q[32];
            quantize_block(k, q, cache->key_scales + scale_at);
            for (int i = 0; i < 32; i++) ((int8_t *)cache->keys)[keys_at + 16 * i] = q[i];
            quantize_block(v, (int8_t *)cache->values + values_at, cache->value_scales + scale_at);
        }
    }
}

// What will be read next is fetched at the pace of what is read now: the values of a chunk while its keys are scored, the next chunk's keys
// while its values are mixed. Both have the same bytes per position. `place` is where in the cache the reader is, in elements.
CK_INLINE void fetch_ahead(uintptr_t ahead, const int element, int64_t place) {
    __builtin_prefetch((const void *)(ahead + (uintptr_t)(place * element_bytes(element))), 0, 3);
}

// Scores of `tokens` queries (a constant) against `panels` panels (a constant) from one on: dots over the head's width, in order.
CK_INLINE void score_panels(const ck_cache_head *cache, const int element, int64_t panel, const int panels, const float *queries, const int tokens,
                            float scale, uintptr_t ahead, float *scores) {
    const int64_t width = cache->width;
    f32x16 total[CK_ATTEND_TILE][CK_ATTEND_TILE];
    for (int p = 0; p < panels; p++)
        for (int t = 0; t < tokens; t++) total[p][t] = lane_set(0);
    for (int64_t d0 = 0; d0 < width; d0 += 32) {
        f32x16 dot[CK_ATTEND_TILE][CK_ATTEND_TILE];
        for (int p = 0; p < panels; p++)
            for (int t = 0; t < tokens; t++) dot[p][t] = element == CK_CACHE_Q8 ? lane_set(0) : total[p][t];
        for (int64_t d = d0; d < d0 + 32; d++) {
            f32x16 key[CK_ATTEND_TILE];
            for (int p = 0; p < panels; p++) {
                const int64_t place = (panel + p) * 16 * width + 16 * d;
                key[p] = cache_load(cache->keys, element, place);
                fetch_ahead(ahead, element, place);
            }
            for (int t = 0; t < tokens; t++) {
                f32x16 q = lane_set(queries[t * width + d]);
                for (int p = 0; p < panels; p++) dot[p][t] = lane_fma(key[p], q, dot[p][t]);
            }
        }
        for (int p = 0; p < panels; p++)
            for (int t = 0; t < tokens; t++) {
                if (element == CK_CACHE_Q8)
                    total[p][t] = lane_fma(dot[p][t], lane_load(cache->key_scales + (panel + p) * 16 * (width / 32) + d0 / 2), total[p][t]);
                else total[p][t] = dot[p][t];
            }
    }
    for (int p = 0; p < panels; p++)
        for (int t = 0; t < tokens; t++) lane_store(scores + t * CK_ATTEND_CHUNK + 16 * p, total[p][t] * lane_set(scale));
}

// Scores to exp(score - largest), positions from `visible` on to 0. Returns the sum; lanes collect positions modulo 16.
CK_INLINE float exponentiate(float *scores, int64_t visible, int64_t end, float *largest) {
    for (int64_t i = visible; i < end; i++) scores[i] = -__builtin_inff();
    f32x16 most = lane_load(scores);
    for (int64_t i = 16; i < end; i += 16) most = lane_max(lane_load(scores + i), most);
    float m = most[0];
    for (int i = 1; i < 16; i++) m = most[i] > m ? most[i] : m;
    f32x16 sum = lane_set(0);
    for (int64_t i = 0; i < end; i += 16) {
        f32x16 e = lane_exp(lane_load(scores + i) - lane_set(m));
        lane_store(scores + i, e);
        sum = sum + e;
    }
    *largest = m;
    return lane_sum(sum);
}

// 16 x parts columns (parts is 1 or 2) of the mix of values: sum over positions of weight x value, in order.
CK_INLINE void mix_columns(const ck_cache_head *cache, const int element, int64_t first, int64_t count, int64_t d, const int parts, const float *weights,
                           const int tokens, uintptr_t ahead, float *mixed) {
    f32x16 sum[CK_ATTEND_TILE][2];
    for (int t = 0; t < tokens; t++)
        for (int part = 0; part < parts; part++) sum[t][part] = lane_set(0);
    for (int64_t i = 0; i < count; i++) {
        f32x16 value[2];
        fetch_ahead(ahead, element, (first + i) * cache->width + d);
        for (int part = 0; part < parts; part++) value[part] = cache_load(cache->values, element, (first + i) * cache->width + d + 16 * part);
        for (int t = 0; t < tokens; t++) {
            f32x16 w = lane_set(weights[t * CK_ATTEND_CHUNK + i]);
            for (int part = 0; part < parts; part++) sum[t][part] = lane_fma(w, value[part], sum[t][part]);
        }
    }
    for (int t = 0; t < tokens; t++)
        for (int part = 0; part < parts; part++) lane_store(mixed + t * cache->width + d + 16 * part, sum[t][part]);
}

// Queries whose sums of 32 columns stay in registers, beside the values and a weight.
#if CK_ISA_AVX512 || CK_ISA_AVX512BW
enum { CK(attend_wide) = 8 };
#else
enum { CK(attend_wide) = 2 };
#endif
CK_INLINE void mix_values(const ck_cache_head *cache, const int element, int64_t first, int64_t count, int64_t d, const float *weights,
                          const int tokens, uintptr_t ahead, float *mixed) {
    const int parts = tokens > CK(attend_wide) ? 1 : 2;
    for (int part = 0; part < 2; part += parts) mix_columns(cache, element, first, count, d + 16 * part, parts, weights, tokens, ahead, mixed);
}

// One chunk's softmax joins the state: the larger of the two maxima becomes the common one. A fresh state has most = -infinity.
CK_INLINE void merge_state(float *most, float *sum, float *mix, float chunk_most, float chunk_sum, const float *chunk_mix, int64_t width) {
    const float m = *most > chunk_most ? *most : chunk_most;
    float differences[16] = {*most - m, chunk_most - m};
    f32x16 e = lane_exp(lane_load(differences));
    const float a = e[0], b = e[1];
    *sum = __builtin_fmaf(chunk_sum, b, *sum * a);
    for (int64_t d = 0; d < width; d += 16)
        lane_store(mix + d, lane_fma(lane_load(chunk_mix + d), lane_set(b), lane_load(mix + d) * lane_set(a)));
    *most = m;
}

// `tokens` queries (a constant) against the chunk that starts at `first`.
CK_INLINE void attend_chunk(const ck_cache_head *cache, const int element, const float *queries, const int32_t *visible, const int tokens, int64_t first,
                            const int fetching, float scale, float *scratch, float *most, float *sum, float *mix) {
    enum { chunk = CK_ATTEND_CHUNK };
    float *scores = scratch, *weights = scratch + chunk * CK_ATTEND_TILE, *mixed = scratch + 2 * chunk * CK_ATTEND_TILE;
    int64_t count = 0;
    for (int t = 0; t < tokens; t++) count = visible[t] - first > count ? visible[t] - first : count;
    if (count <= 0) return;
    if (count > chunk) count = chunk;
    // What the first queries have fetched is there for the others.
    const uintptr_t keys = (uintptr_t)cache->keys, values = (uintptr_t)cache->values;
    const uintptr_t while_scoring = fetching ? values : keys;
    const uintptr_t while_mixing = fetching ? keys + (uintptr_t)(chunk * cache->width * element_bytes(element)) : values;
    const int64_t panels = (count + 15) / 16;
    const int step = CK_ATTEND_TILE / tokens;
    int64_t p = 0;
    for (; p + step <= panels; p += step) score_panels(cache, element, first / 16 + p, step, queries, tokens, scale, while_scoring, scores + 16 * p);
    for (; p < panels; p++) score_panels(cache, element, first / 16 + p, 1, queries, tokens, scale, while_scoring, scores + 16 * p);
    float largest[CK_ATTEND_TILE], sums[CK_ATTEND_TILE];
    int64_t seen[CK_ATTEND_TILE];
    for (int t = 0; t < tokens; t++) {
        seen[t] = visible[t] - first < chunk ? visible[t] - first : chunk;
        if (seen[t] > 0) sums[t] = exponentiate(scores + t * chunk, seen[t], 16 * panels, largest + t);
        else memset(scores + t * chunk, 0, sizeof(float) * 16 * (size_t)panels);
    }
    for (int64_t d = 0; d < cache->width; d += 32) {
        const float *w = scores;
        if (element == CK_CACHE_Q8) {
            for (p = 0; p < panels; p++) {
                f32x16 s = lane_load(cache->value_scales + (first / 16 + p) * 16 * (cache->width / 32) + d / 2);
                // a position that was never written may hold anything: its weight is 0 and must stay so
                for (int t = 0; t < tokens; t++) {
                    f32x16 v = lane_load(scores + t * chunk + 16 * p);
                    lane_store(weights + t * chunk + 16 * p, lane_select(v > lane_set(0), v * s, lane_set(0)));
                }
            }
            w = weights;
        }
        mix_values(cache, element, first, count, d, w, tokens, while_mixing, mixed);
    }
    for (int t = 0; t < tokens; t++)
        if (seen[t] > 0) merge_state(most + t, sum + t, mix + t * cache->width, largest[t], sums[t], mixed + t * cache->width, cache->width);
}

CK_INLINE void attend_element(const ck_cache_head *cache, const int element, const float *queries, const int32_t *visible, int64_t count, int64_t first,
                              int64_t end, float scale, float *scratch, float *most, float *sum, float *mix) {
    const int64_t width = cache->width;
    for (int64_t at = first; at < end; at += CK_ATTEND_CHUNK) {
        int64_t t = 0;
#define CK_ATTEND_STEP(n) \
        for (; t + (n) <= count; t += (n)) \
            attend_chunk(cache, element, queries + t * width, visible + t, n, at, t == 0, scale, scratch, most + t, sum + t, mix + t * width)
        CK_ATTEND_STEP(CK_ATTEND_TILE);
        CK_ATTEND_STEP(2);
        CK_ATTEND_STEP(1);
#undef CK_ATTEND_STEP
    }
}
static void CK(attend)(const ck_cache_head *cache, const float *queries, const int32_t *visible, int64_t count, int64_t first, int64_t end, float scale,
                       float *scratch, float *most, float *sum, float *mix) {
    if (cache->element == CK_CACHE_F16) attend_element(cache, CK_CACHE_F16, queries, visible, count, first, end, scale, scratch, most, sum, mix);
    else if (cache->element == CK_CACHE_F32) attend_element(cache, CK_CACHE_F32, queries, visible, count, first, end, scale, scratch, most, sum, mix);
    else attend_element(cache, CK_CACHE_Q8, queries, visible, count, first, end, scale, scratch, most, sum, mix);
}
static void CK(attend_merge)(float *most, float *sum, float *mix, const float *most2, const float *sum2, const float *mix2, int64_t count, int64_t width) {
    for (int64_t t = 0; t < count; t++)
        if (most2[t] > -__builtin_inff()) merge_state(most + t, sum + t, mix + t * width, most2[t], sum2[t], mix2 + t * width, width);
}
static void CK(attend_finish)(const float *sum, float *mix, int64_t count, int64_t width) {
    for (int64_t t = 0; t < count; t++) {
        const f32x16 inverse = lane_set(1.0f / sum[t]);
        for (int64_t d = 0; d < width; d += 16) lane_store(mix + t * width + d, lane_load(mix + t * width + d) * inverse);
    }
}
