// The key-value cache and the attention over it. The type of these checks is the cache's element.
#include "case.h"
#include <string.h>

// Head sizes 1 ... 80 in turn, and the usual ones. Positions that were never stored hold random bytes.
static ck_cache_head case_cache(check_case *c, int64_t context, int is_output) {
    static const int64_t usual[] = {64, 96, 112, 128};
    const int64_t size = c->round % 2 ? 1 + c->round / 2 % 80 : usual[c->round / 2 % 4], width = (size + 31) / 32 * 32;
    const int64_t values = (context + 15) / 16 * 16 * width, bytes = c->type == CK_CACHE_F16 ? 2 : c->type == CK_CACHE_F32 ? 4 : 1;
    ck_cache_head cache = {.size = size, .width = width, .element = c->type};
    cache.keys = case_input(c, "keys", values * bytes, 64);
    if (is_output) case_compare(c);
    cache.values = case_input(c, "values", values * bytes, 64);
    if (is_output) case_compare(c);
    if (c->type != CK_CACHE_Q8) return cache;
    cache.key_scales = case_input(c, "key scales", values / 8, 64);
    if (is_output) case_compare(c);
    cache.value_scales = case_input(c, "value scales", values / 8, 64);
    if (is_output) case_compare(c);
    return cache;
}

void check_store_position(check_case *c, const ck_kernels *kernels) {
    const int64_t context = random_count(c, 100);
    const ck_cache_head cache = case_cache(c, context, 1);
    const float *keys = case_floats(c, "key", cache.size, 10), *values = case_floats(c, "value", cache.size, 10);
    const int64_t position = random_within(c, 0, context - 1);
    case_describe(c, "head of %d, position %d of %d", (int)cache.size, (int)position, (int)context);
    kernels->store_position(&cache, position, keys, values);
}

// Queries 1 ... 17 in turn, each with its own number of visible positions; some see nothing of the range. The state is fresh or goes on.
void check_attend(check_case *c, const ck_kernels *kernels) {
    const int64_t context = random_count(c, 600), count = 1 + c->round % 17;
    const ck_cache_head cache = case_cache(c, context, 0);
    const int64_t first = random_within(c, 0, (context - 1) / CK_ATTEND_CHUNK) * CK_ATTEND_CHUNK;
    const int64_t end = c->round % 3 ? context : (first + CK_ATTEND_CHUNK < context ? first + CK_ATTEND_CHUNK : context);
    float *key = case_input(c, "key", 4 * cache.size, 4), *value = case_input(c, "value", 4 * cache.size, 4);
    int32_t *visible = case_input(c, "visible", 4 * count, 4);
    int64_t stored = 0;
    for (int64_t t = 0; t < count; t++) {
        visible[t] = (int32_t)(c->round % 4 ? random_count(c, context) : context - (count - 1 - t) > 0 ? context - (count - 1 - t) : 1);
        if (visible[t] > stored) stored = visible[t];
    }
    for (int64_t i = 0; i < stored; i++) {
        fill_floats(c, key, cache.size, 4);
        fill_floats(c, value, cache.size, 4);
        ck_find("scalar")->store_position(&cache, i, key, value);
    }
    float *queries = case_floats(c, "queries", count * cache.width, c->round % 4 == 3 ? 30 : 2);
    for (int64_t t = 0; t < count; t++)
        for (int64_t d = cache.size; d < cache.width; d++) queries[t * cache.width + d] = 0;
    float *scratch = case_input(c, "scratch", 4 * CK_ATTEND_SCRATCH_ROWS * (2 * CK_ATTEND_CHUNK + cache.width), 64);
    float *most = case_floats(c, "most", count, 3);
    case_compare(c);
    float *sum = case_floats(c, "sum", count, 3);
    case_compare(c);
    float *mix = case_floats(c, "mix", count * cache.width, 3);
    case_compare(c);
    for (int64_t t = 0; t < count; t++)
        if (c->round % 2 || t % 3 == 0) {
            most[t] = -__builtin_inff();
            sum[t] = 0;
            memset(mix + t * cache.width, 0, (size_t)(4 * cache.width));
        }
    case_describe(c, "head of %d, %d queries, positions %d ..< %d of %d", (int)cache.size, (int)count, (int)first, (int)end, (int)context);
    kernels->attend(&cache, queries, visible, count, first, end, 0.125f, scratch, most, sum, mix);
}

void check_attend_merge(check_case *c, const ck_kernels *kernels) {
    const int64_t count = 1 + c->round % 17, width = 32 * random_within(c, 1, 5);
    float *state[6];
    static const char *const names[] = {"most", "sum", "mix", "next most", "next sum", "next mix"};
    for (int i = 0; i < 6; i++) {
        state[i] = case_floats(c, names[i], i % 3 == 2 ? count * width : count, i % 3 ? 3 : 50);
        if (i < 3) case_compare(c);
    }
    // A state that is fresh, on either side
    for (int64_t t = 0; t < count; t++) {
        int64_t fresh = random_within(c, 0, 5);
        if (fresh > 1) continue;
        state[3 * fresh][t] = -__builtin_inff();
        state[3 * fresh + 1][t] = 0;
        memset(state[3 * fresh + 2] + t * width, 0, (size_t)(4 * width));
    }
    case_describe(c, "%d queries, width %d", (int)count, (int)width);
    kernels->attend_merge(state[0], state[1], state[2], state[3], state[4], state[5], count, width);
}

void check_attend_finish(check_case *c, const ck_kernels *kernels) {
    const int64_t count = 1 + c->round % 17, width = 32 * random_within(c, 1, 5);
    float *sum = case_input(c, "sum", 4 * count, 4);
    for (int64_t t = 0; t < count; t++) sum[t] = 1.5f + random_float(c, 1);
    float *mix = case_floats(c, "mix", count * width, 3);
    case_compare(c);
    case_describe(c, "%d queries, width %d", (int)count, (int)width);
    kernels->attend_finish(sum, mix, count, width);
}
