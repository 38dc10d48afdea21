// AVX-512 with VNNI and VBMI: Intel since Ice Lake, AMD since Zen 4.
#if defined(__x86_64__)
#define CK(name) ck_##name##_avx512
#define CK_TABLE_NAME "avx512"
#define CK_ISA_AVX512 1
#define CK_TOKEN_TILE 8
#define CK_UNSIGNED_DOT 1
#define CK_REQUANTIZE 1
#define CK_TILE_PANELS 2
#define CK_TILE_TOKENS 6
#define CK_TILE_TOKENS_16 4
#define CK_ATTEND_TILE 8
#define CK_FLOAT_PANELS 2
#define CK_FLOAT_TOKENS 12
#include <immintrin.h>
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi,avx512vnni,avx2,fma,f16c"))), apply_to = function)
#include "../templates/table.h"
#pragma clang attribute pop
#endif
