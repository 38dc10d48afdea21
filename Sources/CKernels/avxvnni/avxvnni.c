// AVX2 with the VEX-encoded VNNI: Intel's processors without AVX-512 since Alder Lake, AMD since Zen 5.
#if defined(__x86_64__)
#define CK(name) ck_##name##_avxvnni
#define CK_TABLE_NAME "avxvnni"
#define CK_ISA_AVX2 1
#define CK_ISA_AVXVNNI 1
#define CK_TOKEN_TILE 4
#define CK_PANEL_PRODUCT "../avx2/decode_product.h"
#define CK_UNSIGNED_DOT 1
#define CK_TILE_PANELS 1
#define CK_TILE_TOKENS 4
#define CK_TILE_TOKENS_16 4
#define CK_ATTEND_TILE 4
#define CK_PANEL_PRODUCT "../avx2/decode_product.h"
#include <immintrin.h>
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c,avxvnni"))), apply_to = function)
#include "../templates/table.h"
#pragma clang attribute pop
#endif
