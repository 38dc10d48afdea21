// What happens between the matrix products.
#include "case.h"
#include <string.h>

void check_quantize_activations(check_case *c, const ck_kernels *kernels) {
    static const float limits[] = {1, 100, 1e-3f, 1e-29f, 1e-36f, 3e38f};
    const int64_t columns = random_count(c, 700), padded = (columns + 127) / 128 * 128;
    const float *x = case_floats(c, "x", columns, limits[c->round % 6]);
    int8_t *q = case_output(c, "q", padded, 64);
    uint8_t *u = case_output(c, "u", padded, 64);
    float *scale = case_output(c, "scale", padded / 8, 4);
    int32_t *sum = case_output(c, "sum", padded / 4, 4);
    case_describe(c, "%d columns within +-%g", (int)columns, (double)limits[c->round % 6]);
    kernels->quantize_activations(x, columns, padded, q, u, scale, sum);
}

// The order of avx2/lane_activations.h, written plainly: the only one so far.
static void arrange_plainly(const int8_t *q, int64_t padded, uint8_t *lanes) {
    static const int groups[8] = {0, 2, 1, 3, 4, 6, 5, 7};
    for (int64_t k = 0; k < padded; k += 32, q += 32, lanes += CK_LANE_BYTES)
        for (int i = 0; i < 8; i++) {
            memcpy(lanes + 4 * i, q + 4 * groups[i], 4);
            const int8_t *two = q + i / 2 * 8 + i % 2 * 2;
            const int16_t zero_point = (int16_t)(64 * (two[0] + two[1] + two[4] + two[5]));
            memcpy(lanes + 32 + 2 * i, &zero_point, 2);
        }
}
void check_arrange(check_case *c, const ck_kernels *kernels) {
    const int64_t padded = 32 * (1 + c->round % 9);
    int8_t *q = case_input(c, "q", padded, 32);
    for (int64_t i = 0; i < padded; i++)
        if (c->round % 4 == 3) q[i] = q[i] < 0 ? -127 : 127;
        else if (q[i] == -128) q[i] = 0;
    uint8_t *lanes = case_output(c, "lanes", padded / 32 * CK_LANE_BYTES, 16);
    case_describe(c, "%d columns", (int)padded);
    (kernels->arrange ? kernels->arrange : arrange_plainly)(q, padded, lanes);
}

void check_rms_norm(check_case *c, const ck_kernels *kernels) {
    const int64_t count = random_count(c, 700);
    const float *x = case_floats(c, "x", count, c->round % 3 ? 4 : 1e15f), *weight = case_floats(c, "weight", count, 2);
    float *out = case_output(c, "out", 4 * count, 4);
    case_describe(c, "%d values", (int)count);
    kernels->rms_norm(x, weight, count, 1e-5f, out);
}

void check_add(check_case *c, const ck_kernels *kernels) {
    const int64_t count = random_count(c, 300);
    float *x = case_floats(c, "x", count, 3);
    case_compare(c);
    const float *y = case_floats(c, "y", count, 1e-2f);
    case_describe(c, "%d values", (int)count);
    kernels->add(x, y, count);
}

void check_swiglu(check_case *c, const ck_kernels *kernels) {
    const int64_t count = random_count(c, 300);
    float *gate = case_floats(c, "gate", count, c->round % 4 == 3 ? 1000 : 20);
    case_compare(c);
    const float *up = case_floats(c, "up", count, 20);
    case_describe(c, "%d values", (int)count);
    kernels->swiglu(gate, up, count);
}

void check_rotate(check_case *c, const ck_kernels *kernels) {
    const int64_t half = c->round % 3 ? random_count(c, 130) : 1 + c->round % 70;
    float *head = case_floats(c, "head", 2 * half, 5);
    case_compare(c);
    const float *cosines = case_floats(c, "cosines", half, 1), *sines = case_floats(c, "sines", half, 1);
    case_describe(c, "half a head of %d values", (int)half);
    kernels->rotate(head, cosines, sines, half);
}

void check_narrow_f16(check_case *c, const ck_kernels *kernels) {
    const int64_t count = random_count(c, 600);
    float *x = case_floats(c, "x", count, c->round % 4 == 3 ? 1e6f : 70000);
    for (int64_t i = 0; i < count; i++) {
        uint32_t bits = 0;
        switch (random_bits(c) % 8) {
        case 0: bits = 0x7f800000; break;
        // halfway between two half-precision values, or next to it; subnormal results among them
        case 1: case 2: bits = (uint32_t)random_within(c, 0x67, 0x90) << 23 | ((uint32_t)random_bits(c) & 0x7fe000) | (uint32_t)random_within(c, 0xfff, 0x1001); break;
        case 3: bits = 0x477fe000 + (uint32_t)random_within(c, 0, 0x3000); break;  // around the largest one
        default: continue;
        }
        bits |= (uint32_t)(random_bits(c) & 1) << 31;
        memcpy(x + i, &bits, 4);
    }
    uint16_t *out = case_output(c, "out", 2 * count, 2);
    case_describe(c, "%d values", (int)count);
    kernels->narrow_f16(x, count, out);
}

void check_largest(check_case *c, const ck_kernels *kernels) {
    const int64_t count = random_count(c, 2000);
    const float *x = case_floats(c, "x", count, c->round % 3 ? 10 : 3e38f);
    float *result = case_output(c, "largest", 4, 4);
    case_describe(c, "%d values", (int)count);
    *result = kernels->largest(x, count);
}

void check_exponentials(check_case *c, const ck_kernels *kernels) {
    static const float scales[] = {1, 0.7f, 3, 1e-3f, 1e30f};
    const int64_t count = random_count(c, 2000);
    const float *x = case_floats(c, "x", count, c->round % 3 ? 20 : 3e38f), scale = scales[c->round % 5];
    float *out = case_output(c, "out", 4 * count, 4);
    double *sum = case_output(c, "sum", 8, 8);
    case_describe(c, "%d values, scale %g", (int)count, (double)scale);
    float largest = x[0];
    for (int64_t i = 1; i < count; i++) largest = x[i] > largest ? x[i] : largest;
    *sum = kernels->exponentials(x, count, largest, scale, out);
}

void check_log_sum_exp(check_case *c, const ck_kernels *kernels) {
    const int64_t count = random_count(c, 2000);
    const float *x = case_floats(c, "x", count, c->round % 3 ? 10 : 300);
    float *largest = case_output(c, "largest", 4, 4);
    double *log_sum = case_output(c, "log of the sum", 8, 8);
    case_leave_out_of_digest(c);  // its last bits are the C library's
    case_describe(c, "%d values", (int)count);
    kernels->log_sum_exp(x, count, largest, log_sum);
}

void check_kl_divergence(check_case *c, const ck_kernels *kernels) {
    const int64_t count = random_count(c, 2000);
    const float limit = c->round % 3 ? 6 : 60;
    const float *p = case_floats(c, "p", count, limit), *q = case_floats(c, "q", count, limit);
    double *result = case_output(c, "result", 8, 8);
    case_describe(c, "%d values within +-%g", (int)count, (double)limit);
    *result = kernels->kl_divergence(p, limit + 1, q, limit + 2, count);
}
