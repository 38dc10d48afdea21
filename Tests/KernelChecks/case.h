// One call of one kernel with seeded random arguments. A kernel's run function takes sizes and buffers from here and calls the
// kernel; the driver in main.c lets it do so twice from the same seed, with the scalar kernels and with the tested ones, and compares
// everything that was declared an output.
//
// Every buffer lies against a page without access: at its end in most rounds, at its start in the others.
#ifndef CASE_H
#define CASE_H
#include "CKernels.h"

// The inputs must be the same on every processor, too.
#pragma STDC FP_CONTRACT OFF

enum { MOST_BUFFERS = 16 };

typedef struct {
    const char *name;
    uint8_t *bytes;
    int64_t count;
    int is_output, is_digested;
} case_buffer;

typedef struct {
    int type;       // of the table row: a storage type, or whatever the run function makes of it
    int64_t round;  // 0, 1, ...; run functions may derive sizes from it that must all occur
    uint64_t state;
    case_buffer buffers[MOST_BUFFERS];
    int buffer_count;
    char shape[256];
} check_case;

// One row per kernel function.
typedef struct {
    const char *name;
    size_t offset;  // of the function in ck_kernels
    void (*run)(check_case *c, const ck_kernels *kernels);
    int type, rounds;
} kernel_check;
extern const kernel_check kernel_checks[];
extern const int kernel_check_count;

// The run functions
void check_widen(check_case *c, const ck_kernels *kernels);
void check_measure(check_case *c, const ck_kernels *kernels);
void check_encode(check_case *c, const ck_kernels *kernels);
void check_encode_feedback(check_case *c, const ck_kernels *kernels);
void check_decode(check_case *c, const ck_kernels *kernels);
void check_decode_row(check_case *c, const ck_kernels *kernels);
void check_matmul(check_case *c, const ck_kernels *kernels);
void check_tiles(check_case *c, const ck_kernels *kernels);
void check_requantized_tiles(check_case *c, const ck_kernels *kernels);
void check_float_product(check_case *c, const ck_kernels *kernels);
void check_quantize_activations(check_case *c, const ck_kernels *kernels);
void check_arrange(check_case *c, const ck_kernels *kernels);
void check_rms_norm(check_case *c, const ck_kernels *kernels);
void check_add(check_case *c, const ck_kernels *kernels);
void check_swiglu(check_case *c, const ck_kernels *kernels);
void check_rotate(check_case *c, const ck_kernels *kernels);
void check_narrow_f16(check_case *c, const ck_kernels *kernels);
void check_store_position(check_case *c, const ck_kernels *kernels);
void check_attend(check_case *c, const ck_kernels *kernels);
void check_attend_merge(check_case *c, const ck_kernels *kernels);
void check_attend_finish(check_case *c, const ck_kernels *kernels);
void check_largest(check_case *c, const ck_kernels *kernels);
void check_exponentials(check_case *c, const ck_kernels *kernels);
void check_log_sum_exp(check_case *c, const ck_kernels *kernels);
void check_kl_divergence(check_case *c, const ck_kernels *kernels);
void check_dot_peak(check_case *c, const ck_kernels *kernels);

void case_begin(check_case *c, const kernel_check *check, int64_t round);
// Name of a buffer that was written around, or NULL.
const char *case_overrun(const check_case *c);
// For messages: the sizes of the case.
void case_describe(check_case *c, const char *format, ...) __attribute__((format(printf, 2, 3)));

uint64_t random_bits(check_case *c);
// Within first ... last.
int64_t random_within(check_case *c, int64_t first, int64_t last);
// 1 ... limit, and often a number next to a multiple of a power of two.
int64_t random_count(check_case *c, int64_t limit);
float random_float(check_case *c, float limit);  // within +-limit

// A buffer whose address is a multiple of `alignment` (a power of two, at most 64), filled with random bytes.
void *case_input(check_case *c, const char *name, int64_t count, int64_t alignment);
// The same, compared afterwards; parts that the kernel leaves alone must stay as they were.
void *case_output(check_case *c, const char *name, int64_t count, int64_t alignment);
// Floats within +-limit: uniform, of widely differing sizes, +-limit alone, subnormal ones among others, or zeros, as the round says.
float *case_floats(check_case *c, const char *name, int64_t count, float limit);
void fill_floats(check_case *c, float *values, int64_t count, float limit);
// Finite binary16 values, every exponent among them.
void fill_halves(check_case *c, uint16_t *values, int64_t count);
// Makes the newest buffer an output.
void case_compare(check_case *c);
// Leaves the newest buffer out of the digest, which is compared between processors.
void case_leave_out_of_digest(check_case *c);

// In panels.c
int is_quantized(int type);
int64_t panel_bytes(int type, int64_t padded);
// Random headers, factors and codes, or in some rounds all the same extreme byte. Row scales of both signs.
void fill_panel(check_case *c, int type, int64_t padded, uint8_t *panel);
// 64 grid bytes within 0...127.
const uint8_t *case_grids(check_case *c);
#endif
