// The same code as avxvnni.c with the dot product in its EVEX encoding, so that it also runs, and is tested, on processors that have
// AVX-512's VNNI but not the VEX form.
#if defined(__x86_64__)
#define CK(name) ck_##name##_avxvnni_evex
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
// The sources name the VEX form.
#define _mm256_dpbusd_avx_epi32 _mm256_dpbusd_epi32
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c,avx512f,avx512vl,avx512vnni"))), apply_to = function)
#include "../templates/table.h"
#pragma clang attribute pop
#endif
