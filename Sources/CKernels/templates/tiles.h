// Stored panels times activations, for many tokens (prefill). Some panels by some columns, see tile_shape_of, are expanded once into signed
// bytes, then multiplied with all tokens in register tiles of CK_TILE_PANELS x CK_TILE_TOKENS. Two ways:
//   exact         the same operations per row as matmul.h, so the same bits
//   requantized   q4 only, and only where CK_REQUANTIZE says that it pays: a row's 128 columns become 8-bit codes with one scale,
//                 n' = round(127 n / largest |n|), which leaves one scaling for 128 columns where the exact way has eight.
// The totals wait in `out` between the pieces of 512 columns.

enum { CK_TILE_COLUMNS = 512 };
#if CK_TILE_WORDS
// Values too large for 16-bit sums of products become words, four panels of 256 columns at once: see the set's own product.
enum { CK_TILE_WORD_PANELS = 4, CK_TILE_WORD_COLUMNS = 256 };
#endif
typedef struct {
    union {
        int8_t codes[CK_TILE_COLUMNS / 4][CK_TILE_PANELS][64];  // [columns / 4][panel][row][4]
#if CK_TILE_WORDS
        int16_t words[CK_TILE_WORD_PANELS][CK_TILE_WORD_COLUMNS / 4][2][32];  // [panel][columns / 4][even, odd columns][row][2], times the block scale
#endif
    };
    union {
        f32x16 scale[CK_TILE_COLUMNS / 16][CK_TILE_PANELS];  // [block][panel]; requantized: [128 columns][panel]
        i32x16 pair[CK_TILE_COLUMNS / 16][CK_TILE_PANELS];   // the same as a pair of equal words, where CK_SCALED_DOT multiplies integers with it
    };
    i32x16 start[CK_TILE_COLUMNS / 16][CK_TILE_PANELS];  // for activations biased by 128: what takes the bias off, [block][panel]; CK_SCALED_DOT: [32 columns][panel]
    f32x16 factor[4];  // [window of 256 columns][panel]; words: [panel]
} tile_weights;
_Static_assert(CK_TILE_COLUMNS / 256 * CK_TILE_PANELS <= 4, "as many factors as windows of panels");
_Static_assert(sizeof(tile_weights) <= CK_TILE_SCRATCH, "the caller's scratch holds the expanded panels");

#include "tile_products.h"
#if CK_REQUANTIZE
#include "tile_requantize.h"
#endif

// Panels and columns that are expanded at once.
typedef struct { int panels, columns; } tile_shape;
CK_INLINE tile_shape tile_shape_of(const int type) {
#if CK_TILE_WORDS
    if (tile_is_words(type)) return (tile_shape){CK_TILE_WORD_PANELS, CK_TILE_WORD_COLUMNS};
#endif
    (void)type;
    return (tile_shape){CK_TILE_PANELS, CK_TILE_COLUMNS};
}

// Four columns of one panel.
CK_INLINE void tile_store(tile_weights *w, int64_t group, const int side, const int type, i32x16 codes, i32x16 scale) {
#if CK_TILE_WORDS
    if (tile_is_words(type)) return tile_store_words(w, group, side, codes, scale);
#endif
    (void)type, (void)scale;
    bytes_store(w->codes[group][side], codes);
}

// Columns k0 ..< k0 + columns of one panel; columns is a multiple of 128.
CK_INLINE void tile_expand(tile_weights *w, const int side, const uint8_t *panel, const int type, const int requantize, grid_lookup table,
                           int64_t padded, int64_t k0, int64_t columns) {
    const int block = type == CK_Q4 ? 16 : 32, header_size = 128 / block * 16, unit = is_planes(type) ? planes_unit(type) : header_size + (type == CK_Q8 ? 2048 : 1024);
    const uint8_t *superblock = panel + header_bytes(padded) + k0 / 128 * unit;
    for (int64_t k = 0; k < columns; k += 128, superblock += unit) {
        i32x16 scales[8], sums[8];
        for (int b = 0; b < 128 / block; b++) {
            const uint8_t *header = superblock + 16 * b;
            const int64_t at = k + block * b;
            sums[b] = lane_seti(0);
            if (is_planes(type)) {
                const i32x16 grid = planes_grid(header, type), bias = bytes_set((uint8_t)planes_bias(type));
                scales[b] = planes_scale(header, type);
                for (int group = 0; group < 8; group++) {
                    i32x16 z = bytes_sub(planes_values(superblock + header_size + planes_codes_of_32(type) * b, type, group, grid, table), bias);
                    tile_store(w, at / 4 + group, side, type, z, scales[b]);
                    if (tile_biased(type)) sums[b] = tile_sum(sums[b], z);
                }
            } else if (type == CK_Q8) {
                scales[b] = lane_from_u8(header);
                for (int line = 0; line < 8; line++) {
                    i32x16 z = bytes_load(superblock + header_size + 512 * b + 64 * line) ^ (int32_t)0x80808080;
                    tile_store(w, at / 4 + line, side, type, z, scales[b]);
                    if (tile_biased(type)) sums[b] = tile_sum(sums[b], z);
                }
            } else {
                const i32x16 grid = q4_grid(header), bias = bytes_set(64);
                scales[b] = (lane_from_u8(header) & 63) - 32;
                for (int line = 0; line < block / 8; line++) {
                    i32x16 z = bytes_load(superblock + header_size + 8 * block * b + 64 * line);
                    i32x16 low = bytes_sub(grid_apply(table, (z & 0x0f0f0f0f) | grid), bias);
                    i32x16 high = bytes_sub(grid_apply(table, (i32x16)(((u32x16)z >> 4) & 0x0f0f0f0fu) | grid), bias);
                    bytes_store(w->codes[at / 4 + 2 * line][side], low);
                    bytes_store(w->codes[at / 4 + 2 * line + 1][side], high);
                    if (tile_biased(type)) sums[b] = tile_sum(tile_sum(sums[b], low), high);
                }
            }
        }
#if CK_REQUANTIZE
        if (requantize) tile_requantize(w, side, k, scales);
        else
#endif
            if (!tile_is_words(type)) tile_scales(w, side, k, block, scales, sums);
        (void)requantize;
        w->factor[k / 256 * CK_TILE_PANELS + side] = window_factor(panel, padded, k0 + k);
    }
}

// All tokens by the expanded columns.
CK_INLINE void tile_tokens(const tile_weights *w, const int sides, const int type, const int requantize, const ck_activations *x, int64_t tokens,
                           int64_t k0, int64_t columns, float *out, int64_t token_stride) {
    const int tile = type == CK_Q4 && !requantize ? CK_TILE_TOKENS_16 : CK_TILE_TOKENS;
    int64_t t = 0;
#if CK_REQUANTIZE
#define CK_TILE_STEP(n)                                                                                                                     \
    for (; t + (n) <= tokens; t += (n))                                                                                                     \
        if (requantize) tile_product_requantized(w, sides, n, x, t, k0, columns, out + t * token_stride, token_stride);                     \
        else tile_product(w, sides, n, type, x, t, k0, columns, out + t * token_stride, token_stride)
#else
#define CK_TILE_STEP(n) for (; t + (n) <= tokens; t += (n)) tile_product(w, sides, n, type, x, t, k0, columns, out + t * token_stride, token_stride)
#endif
    CK_TILE_STEP(tile);
    CK_TILE_STEP(2);
    CK_TILE_STEP(1);
#undef CK_TILE_STEP
}

CK_INLINE void tile_panels(const uint8_t *panel, int64_t panel_bytes, const int sides, const int type, const int requantize, grid_lookup table,
                           const ck_activations *x, int64_t tokens, tile_weights *w, float *out, int64_t token_stride) {
    const int64_t most = tile_shape_of(type).columns;
    for (int64_t k0 = 0; k0 < x->padded; k0 += most) {
        const int64_t columns = x->padded - k0 < most ? x->padded - k0 : most;
        for (int s = 0; s < sides; s++) tile_expand(w, s, panel + s * panel_bytes, type, requantize, table, x->padded, k0, columns);
        tile_tokens(w, sides, type, requantize, x, tokens, k0, columns, out, token_stride);
    }
    for (int s = 0; s < sides; s++) {
        f32x16 rows = lane_load((const float *)(panel + s * panel_bytes));
        for (int64_t t = 0; t < tokens; t++) lane_store(out + t * token_stride + 16 * s, lane_load(out + t * token_stride + 16 * s) * rows);
    }
}

#define CK_TILES(suffix, type, requantize)                                                                                                 \
    static void CK(tiles_##suffix)(const uint8_t *panel, int64_t panels, int64_t panel_bytes, const uint8_t *grids, const ck_activations *x,  \
                                   int64_t tokens, void *scratch, float *out, int64_t token_stride) {                                      \
        const uint8_t none[64] = {0};                                                                                                      \
        const grid_lookup table = grid_load(type == CK_Q8 ? none : grids);                                                                  \
        const int most = tile_shape_of(type).panels;                                                                                        \
        int64_t p = 0;                                                                                                                     \
        for (; p + most <= panels; p += most)                                                                                               \
            tile_panels(panel + p * panel_bytes, panel_bytes, most, type, requantize, table, x, tokens, scratch, out + 16 * p, token_stride); \
        /* words: what is left at once, as the product goes over the panels one by one; else `sides` must be a constant */                  \
        for (int64_t rest; p < panels; p += rest) {                                                                                         \
            rest = tile_is_words(type) ? panels - p : 1;                                                                                    \
            tile_panels(panel + p * panel_bytes, panel_bytes, (int)rest, type, requantize, table, x, tokens, scratch, out + 16 * p, token_stride); \
        }                                                                                                                                   \
    }
CK_TILES(exact_q8, CK_Q8, 0)
CK_TILES(exact_q4, CK_Q4, 0)
CK_TILES(exact_q4s, CK_Q4S, 0)
CK_TILES(exact_q6, CK_Q6, 0)
CK_TILES(exact_q5, CK_Q5, 0)
CK_TILES(exact_q3, CK_Q3, 0)
#if CK_REQUANTIZE
CK_TILES(requantized_q4, CK_Q4, 1)
#endif
