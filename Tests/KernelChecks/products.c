// Stored panels times activations.
#include "case.h"
#include <string.h>

typedef struct {
    int64_t tokens, panels, columns, bytes, stride;
    const uint8_t *grids, *panel;
    ck_activations x;
} product;

// The activations are those that quantize_activations can give: within +-127, sums and biased bytes to match.
static product case_product(check_case *c, int64_t tokens, int64_t panels, int64_t most_columns) {
    product p = {.tokens = tokens, .panels = panels, .columns = random_count(c, most_columns)};
    const int64_t padded = (p.columns + 127) / 128 * 128, values = tokens * padded;
    p.bytes = panel_bytes(c->type, is_quantized(c->type) ? padded : p.columns);
    p.stride = 16 * panels + random_within(c, 0, 3) * 5;
    p.grids = case_grids(c);
    uint8_t *panel = case_input(c, "panel", panels * p.bytes, 64);
    for (int64_t i = 0; i < panels; i++) fill_panel(c, c->type, is_quantized(c->type) ? padded : p.columns, panel + i * p.bytes);
    p.panel = panel;
    float *x = case_floats(c, "x", values, 8), *scale = case_input(c, "scale", values / 8, 4);
    for (int64_t i = 0; i < values / 32; i++) scale[i] = c->round % 13 == 12 ? 0 : random_float(c, 1) + 1;
    const int64_t stride = padded + random_within(c, 0, 2) * 64;
    int8_t *q = case_input(c, "q", (tokens - 1) * stride + padded, 64);
    uint8_t *u = case_input(c, "u", (tokens - 1) * stride + padded, 64);
    int32_t *sum = case_input(c, "sum", values / 4, 4);
    memset(sum, 0, (size_t)(values / 4));
    for (int64_t i = 0; i < values; i++) {
        int8_t *value = q + i / padded * stride + i % padded;
        if (c->round % 6 == 5) *value = c->round & 8 ? 127 : -127;
        else if (c->round % 6 == 4) *value = *value < 0 ? -127 : 127;
        else if (*value == -128) *value = 0;
        u[value - q] = (uint8_t)*value ^ 0x80;
        sum[i / 16] += *value;
    }
    p.x = (ck_activations){.x = x, .q = q, .scale = scale, .sum = sum, .u = u, .padded = padded, .stride = stride};
    case_describe(c, "%d panels, %d columns, %d tokens, out stride %d", (int)panels, (int)p.columns, (int)tokens, (int)p.stride);
    return p;
}
static float *product_output(check_case *c, const product *p) {
    return case_output(c, "out", 4 * ((p->tokens - 1) * p->stride + 16 * p->panels), 4);
}

// Tokens 1 ... 20 in turn.
void check_matmul(check_case *c, const ck_kernels *kernels) {
    product p = case_product(c, 1 + c->round % 20, 1 + c->round / 20 % 3, 640);
    const int64_t token_bytes = p.x.padded / 32 * CK_LANE_BYTES;
    uint8_t *lanes = case_input(c, "lanes", p.tokens * token_bytes, 16);
    case_leave_out_of_digest(c);
    if (kernels->arrange)
        for (int64_t t = 0; t < p.tokens; t++) kernels->arrange(p.x.q + t * p.x.stride, p.x.padded, lanes + t * token_bytes);
    p.x.lanes = lanes;
    kernels->matmul[c->type](p.panel, p.panels, p.bytes, p.columns, p.grids, &p.x, p.tokens, product_output(c, &p), p.stride);
}

// One to five panels, so that there are pairs and single ones; columns below and above those that are expanded at once.
static void check_tiles_of(check_case *c, ck_tiles tiles) {
    const product p = case_product(c, 1 + c->round % 20, 1 + c->round % 5, 1300);
    void *scratch = case_input(c, "scratch", CK_TILE_SCRATCH, 64);
    tiles(p.panel, p.panels, p.bytes, p.grids, &p.x, p.tokens, scratch, product_output(c, &p), p.stride);
}
void check_tiles(check_case *c, const ck_kernels *kernels) { check_tiles_of(c, kernels->tiles[c->type]); }
void check_requantized_tiles(check_case *c, const ck_kernels *kernels) { check_tiles_of(c, kernels->requantized_tiles[c->type]); }

// Around the 256 columns that are summed at once; rows of `out` between and behind the panels stay as they are.
void check_float_product(check_case *c, const ck_kernels *kernels) {
    const int64_t tokens = 1 + c->round % 29, panels = 1 + c->round % 5, columns = random_count(c, 600), gap = random_within(c, 0, 2) * 16;
    const int64_t groups = (tokens + CK_GROUP_TOKENS - 1) / CK_GROUP_TOKENS, stride = 16 * panels + random_within(c, 0, 3) * 5;
    const float *w = case_floats(c, "panels", panels * (16 * columns + gap), 2);
    const float *x = case_floats(c, "x", groups * CK_GROUP_TOKENS * columns, 8);
    float *out = case_output(c, "out", 4 * ((tokens - 1) * stride + 16 * panels), 4);
    fill_floats(c, out, (tokens - 1) * stride + 16 * panels, 3);
    case_describe(c, "%d panels, %d columns, %d tokens, out stride %d", (int)panels, (int)columns, (int)tokens, (int)stride);
    kernels->float_product(w, panels, 16 * columns + gap, columns, x, tokens, c->round & 1, out, stride);
}

// A yardstick: only what it says about itself can be compared.
void check_dot_peak(check_case *c, const ck_kernels *kernels) {
    int64_t *operations = case_output(c, "operations", 8, 8);
    case_describe(c, "%d rounds", (int)c->round);
    *operations = kernels->dot_peak(c->round);
}
