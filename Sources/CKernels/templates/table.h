// Included once per instruction set, with CK(name), CK_TABLE_NAME and the CK_ISA_ macro defined and the target attribute pushed.
#include "../include/CKernels.h"
#include "widen.h"
#include "decode.h"
#include "encode.h"
#include "planes.h"
#include "matmul.h"
#include "planes_encode.h"
#include "feedback.h"
#include "tiles.h"
#include "float_product.h"
#include "activations.h"
#include "attend.h"
#include "peak.h"

#define CK_ROW(operation, suffix) CK(operation##_##suffix)
const ck_kernels CK(kernels) = {
    .name = CK_TABLE_NAME,
    .widen = CK(widen),
    .measure = CK(measure),
    .encode_feedback = {[CK_Q8] = CK_ROW(encode_feedback, q8), [CK_Q4] = CK_ROW(encode_feedback, q4), [CK_Q4S] = CK_ROW(encode_feedback, q4s),
                        [CK_Q6] = CK_ROW(encode_feedback, q6), [CK_Q5] = CK_ROW(encode_feedback, q5), [CK_Q3] = CK_ROW(encode_feedback, q3)},
    .encode = {[CK_F32] = CK_ROW(encode, f32), [CK_F16] = CK_ROW(encode, f16), [CK_Q8] = CK_ROW(encode, q8), [CK_Q4] = CK_ROW(encode, q4), [CK_Q4S] = CK_ROW(encode, q4s),
             [CK_Q6] = CK_ROW(encode, q6), [CK_Q5] = CK_ROW(encode, q5), [CK_Q3] = CK_ROW(encode, q3)},
    .decode = {[CK_F32] = CK_ROW(decode, f32), [CK_F16] = CK_ROW(decode, f16), [CK_Q8] = CK_ROW(decode, q8), [CK_Q4] = CK_ROW(decode, q4), [CK_Q4S] = CK_ROW(decode, q4s),
             [CK_Q6] = CK_ROW(decode, q6), [CK_Q5] = CK_ROW(decode, q5), [CK_Q3] = CK_ROW(decode, q3)},
    .decode_row = {[CK_F32] = CK_ROW(decode_row, f32), [CK_F16] = CK_ROW(decode_row, f16), [CK_Q8] = CK_ROW(decode_row, q8), [CK_Q4] = CK_ROW(decode_row, q4), [CK_Q4S] = CK_ROW(decode_row, q4s),
                 [CK_Q6] = CK_ROW(decode_row, q6), [CK_Q5] = CK_ROW(decode_row, q5), [CK_Q3] = CK_ROW(decode_row, q3)},
    .matmul = {[CK_F32] = CK_ROW(matmul, f32), [CK_F16] = CK_ROW(matmul, f16), [CK_Q8] = CK_ROW(matmul, q8), [CK_Q4] = CK_ROW(matmul, q4), [CK_Q4S] = CK_ROW(matmul, q4s),
             [CK_Q6] = CK_ROW(matmul, q6), [CK_Q5] = CK_ROW(matmul, q5), [CK_Q3] = CK_ROW(matmul, q3)},
    .tiles = {[CK_Q8] = CK(tiles_exact_q8), [CK_Q4] = CK(tiles_exact_q4), [CK_Q4S] = CK(tiles_exact_q4s),
            [CK_Q6] = CK(tiles_exact_q6), [CK_Q5] = CK(tiles_exact_q5), [CK_Q3] = CK(tiles_exact_q3)},
#if CK_REQUANTIZE
    .requantized_tiles = {[CK_Q4] = CK(tiles_requantized_q4)},
#endif
    .float_product = CK(float_product),
    .quantize_activations = CK(quantize_activations),
#if CK_ISA_AVX2
    .arrange = CK(arrange),
#endif
    .rms_norm = CK(rms_norm),
    .add = CK(add),
    .swiglu = CK(swiglu),
    .rotate = CK(rotate),
    .narrow_f16 = CK(narrow_f16),
    .store_position = CK(store_position),
    .attend = CK(attend),
    .attend_merge = CK(attend_merge),
    .attend_finish = CK(attend_finish),
    .largest = CK(largest),
    .exponentials = CK(exponentials),
    .log_sum_exp = CK(log_sum_exp),
    .kl_divergence = CK(kl_divergence),
    .dot_peak = CK(dot_peak),
};
