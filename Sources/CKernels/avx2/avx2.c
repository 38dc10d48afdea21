// AVX2 with FMA and F16C: Intel since 2013, AMD since 2015.
#if defined(__x86_64__)
#define CK(name) ck_##name##_avx2
#define CK_TABLE_NAME "avx2"
#define CK_ISA_AVX2 1
#define CK_TOKEN_TILE 4
#define CK_TILE_PANELS 1
#define CK_SCALED_DOT 1
#define CK_TILE_PRODUCT "../avx2/tile_product.h"
#define CK_TILE_WORDS 1
#define CK_TILE_TOKENS 4
#define CK_TILE_TOKENS_16 4
#define CK_ATTEND_TILE 4
#define CK_FLOAT_PANELS 1
#define CK_FLOAT_TOKENS 6
#define CK_PANEL_PRODUCT "../avx2/decode_product.h"
#include <immintrin.h>
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)
#include "../templates/table.h"
#pragma clang attribute pop
#endif
