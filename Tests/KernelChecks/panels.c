// Between source rows, float panels and stored panels.
#include "case.h"
#include <string.h>

int is_quantized(int type) { return type != CK_F32 && type != CK_F16; }
int64_t panel_bytes(int type, int64_t padded) {
    if (!is_quantized(type)) return padded * (type == CK_F32 ? 64 : 32);
    static const int64_t superblocks[CK_TYPE_LIMIT] = {[CK_Q8] = 2112, [CK_Q4] = 1152, [CK_Q4S] = 1088, [CK_Q6] = 1600, [CK_Q5] = 1344, [CK_Q3] = 832};
    const int64_t superblock = superblocks[type];
    return 64 + (padded > 256 ? ((padded + 255) / 256 * 16 + 63) / 64 * 64 : 0) + padded / 128 * superblock;
}

void fill_panel(check_case *c, int type, int64_t padded, uint8_t *panel) {
    if (type == CK_F16) fill_halves(c, (uint16_t *)panel, 16 * padded);
    else if (type == CK_F32) fill_floats(c, (float *)panel, 16 * padded, 4);
    else {
        static const uint8_t extremes[] = {0x00, 0xff, 0x20, 0x1f, 0xc0, 0x3f};
        int64_t bytes = panel_bytes(type, padded);
        if (c->round % 8 == 7) memset(panel, extremes[c->round / 8 % 6], (size_t)bytes);
        else
            for (int64_t i = 0; i < bytes; i++) panel[i] = (uint8_t)(random_bits(c) >> 56);
        for (int r = 0; r < 16; r++) {
            float scale = c->round % 11 == 10 && r % 5 == 0 ? 0 : random_float(c, 0.01f);
            memcpy(panel + 4 * r, &scale, 4);
        }
    }
}

const uint8_t *case_grids(check_case *c) {
    uint8_t *grids = case_input(c, "grids", 64, 1);
    const int most = c->type == CK_Q6 ? 255 : 127;
    for (int i = 0; i < 64; i++) grids[i] = c->round % 9 == 8 ? (i & 1 ? most : 0) : grids[i] & most;
    return grids;
}

static int64_t random_padded(check_case *c, int type) { return is_quantized(type) ? 128 * random_within(c, 1, 5) : random_count(c, 600); }

// [padded][16] floats; the rows differ in size, some are zero.
static void fill_rows(check_case *c, float *xt, int64_t padded, int least_exponent, int largest_exponent) {
    fill_floats(c, xt, 16 * padded, 1);
    for (int r = 0; r < 16; r++) {
        float size = random_bits(c) % 8 == 0 ? 0 : __builtin_ldexpf(1, (int)random_within(c, least_exponent, largest_exponent));
        for (int64_t k = 0; k < padded; k++) xt[16 * k + r] *= size;
    }
}

void check_widen(check_case *c, const ck_kernels *kernels) {
    const int type = 1 + (int)(c->round % 3);
    const int64_t size = type == CK_SOURCE_F32 ? 4 : 2, rows = 1 + c->round % 16, columns = random_count(c, 400);
    const int64_t padded = c->round % 2 ? columns : (columns + 127) / 128 * 128;
    const int64_t row_bytes = size * (columns + (c->round % 4 == 3 ? random_within(c, 1, 9) : 0));
    uint8_t *source = case_input(c, "source", row_bytes * (rows - 1) + size * columns, 1);
    for (int64_t i = 0; i + size <= row_bytes * (rows - 1) + size * columns; i += size) {
        uint32_t bits = (uint32_t)random_bits(c), exponent = type == CK_SOURCE_F32 ? 0x7f800000 : type == CK_SOURCE_F16 ? 0x7c00 : 0x7f80;
        if ((bits & exponent) == exponent) bits ^= exponent & (0 - exponent);  // the lowest bit of the exponent
        memcpy(source + i, &bits, (size_t)size);
    }
    // Sometimes an infinity, sometimes a quiet NaN somewhere
    if (c->round % 5 < 2) {
        uint32_t bits = type == CK_SOURCE_F32 ? 0x7f800000 : type == CK_SOURCE_F16 ? 0x7c00 : 0x7f80;
        if (c->round % 5) bits |= type == CK_SOURCE_F32 ? 0x80400000 : type == CK_SOURCE_F16 ? 0x8200 : 0x8040;
        memcpy(source + random_within(c, 0, rows - 1) * row_bytes + size * random_within(c, 0, columns - 1), &bits, (size_t)size);
    }
    float *xt = case_output(c, "xt", 64 * padded, 4);
    int64_t *bad = case_output(c, "result", 8, 8);
    case_describe(c, "source type %d, %d rows of %d columns, padded %d", type, (int)rows, (int)columns, (int)padded);
    *bad = kernels->widen(source, type, row_bytes, rows, columns, padded, xt);
}

void check_measure(check_case *c, const ck_kernels *kernels) {
    const int64_t columns = random_count(c, 600);
    float *xt = case_input(c, "xt", 64 * columns, 4), *vt = case_input(c, "vt", 64 * columns, 4);
    // The squares of some rows leave the range of f32.
    if (c->round % 4 == 3) fill_rows(c, xt, columns, -100, 80);
    else fill_rows(c, xt, columns, -8, 8);
    for (int64_t i = 0; i < 16 * columns; i++) vt[i] = c->round % 6 == 5 ? xt[i] : xt[i] + xt[i] * random_float(c, 0.1f);
    ck_panel_errors *errors = case_output(c, "errors", sizeof *errors, 8);
    case_describe(c, "%d columns", (int)columns);
    kernels->measure(xt, vt, columns, errors);
}

void check_encode(check_case *c, const ck_kernels *kernels) {
    const int64_t padded = random_padded(c, c->type);
    const uint8_t *grids = case_grids(c);
    ck_grid_tables *tables = case_input(c, "tables", sizeof *tables, 64);
    ck_prepare_grids(c->type, grids, tables);
    float *xt = case_input(c, "xt", 64 * padded, 4);
    if (c->round % 3 == 2) fill_rows(c, xt, padded, -140, c->type == CK_F16 ? 14 : 120);
    else fill_rows(c, xt, padded, -10, 4);
    uint8_t *panel = case_output(c, "panel", panel_bytes(c->type, padded), 64);
    case_describe(c, "%d padded columns", (int)padded);
    kernels->encode[c->type](xt, padded, tables, panel);
}

void check_encode_feedback(check_case *c, const ck_kernels *kernels) {
    const int64_t padded = random_padded(c, c->type), panels = 1 + c->round % 3, span = c->round % 4 == 1 ? 256 : c->round % 4 == 2 ? 512 : padded;
    const uint8_t *grids = case_grids(c);
    ck_grid_tables *tables = case_input(c, "tables", sizeof *tables, 64);
    ck_prepare_grids(c->type, grids, tables);
    float *xt = case_input(c, "xt", 64 * padded * panels, 4);
    for (int64_t p = 0; p < panels; p++) fill_rows(c, xt + 16 * padded * p, padded, c->round % 3 == 2 ? -140 : -10, c->round % 3 == 2 ? 120 : 4);
    int64_t count = 0;
    for (int64_t start = 0; start < padded; start += span)
        for (int64_t k = start; k < padded && k < start + span; k += 128) count += (k + 128 - start) * 128;
    float *shares = NULL;
    if (c->round % 5 != 4) {
        shares = case_input(c, "shares", 4 * count, 4);
        float *next = shares;
        for (int64_t start = 0; start < padded; start += span)
            for (int64_t k = start; k < padded && k < start + span; k += 128)
                for (int64_t j = start; j < k + 128; j++)
                    for (int64_t i = k; i < k + 128; i++) *next++ = j < i ? random_float(c, 0.2f) : 0;
    }
    float *weights = case_input(c, "weights", 4 * padded, 4);
    for (int64_t k = 0; k < padded; k++) weights[k] = 0.01f + __builtin_fabsf(random_float(c, 3));
    // Its content afterwards is the kernel's own affair.
    float *scratch = case_input(c, "scratch", 4 * CK_FEEDBACK_SCRATCH(panels, padded), 64);
    uint8_t *out = case_output(c, "panels", panels * panel_bytes(c->type, padded), 64);
    case_describe(c, "%d panels of %d padded columns, spans of %d%s", (int)panels, (int)padded, (int)span, shares ? "" : ", no feedback");
    kernels->encode_feedback[c->type](xt, panels, padded, shares, span, weights, tables, scratch, out, panel_bytes(c->type, padded));
}

void check_decode(check_case *c, const ck_kernels *kernels) {
    const int64_t padded = random_padded(c, c->type);
    const uint8_t *grids = case_grids(c);
    uint8_t *panel = case_input(c, "panel", panel_bytes(c->type, padded), 64);
    fill_panel(c, c->type, padded, panel);
    float *vt = case_output(c, "vt", 64 * padded, 4);
    case_describe(c, "%d padded columns", (int)padded);
    kernels->decode[c->type](panel, padded, grids, vt);
}

void check_decode_row(check_case *c, const ck_kernels *kernels) {
    const int64_t columns = random_count(c, 600), padded = is_quantized(c->type) ? (columns + 127) / 128 * 128 : columns, row = c->round % 16;
    const uint8_t *grids = case_grids(c);
    uint8_t *panel = case_input(c, "panel", panel_bytes(c->type, padded), 64);
    fill_panel(c, c->type, padded, panel);
    float *out = case_output(c, "out", 4 * columns, 4);
    case_describe(c, "row %d, %d columns", (int)row, (int)columns);
    kernels->decode_row[c->type](panel, columns, grids, row, out);
}
