// AVX-512 without VNNI and VBMI: Intel Skylake-X, and Cascade Lake, whose VNNI is left unused for the wider look-ups.
#if defined(__x86_64__)
#define CK(name) ck_##name##_avx512bw
#define CK_TABLE_NAME "avx512bw"
#define CK_ISA_AVX512BW 1
#define CK_TOKEN_TILE 8
#define CK_SCALED_DOT 1
#define CK_TILE_PANELS 2
#define CK_TILE_TOKENS 6
#define CK_TILE_TOKENS_16 6
#define CK_ATTEND_TILE 8
#define CK_FLOAT_PANELS 2
#define CK_FLOAT_TOKENS 12
#define CK_PANEL_PRODUCT "../avx512bw/decode_product.h"
#include <immintrin.h>
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx2,fma,f16c"))), apply_to = function)
#include "../templates/table.h"
#pragma clang attribute pop
#endif
