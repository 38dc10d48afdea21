// NEON with the int8 dot product: Arm servers since Neoverse N1 (AWS Graviton 2), Apple since the M1, Raspberry Pi 5.
#if defined(__aarch64__)
#define CK(name) ck_##name##_neon
#define CK_TABLE_NAME "neon"
#define CK_ISA_NEON 1
#define CK_TOKEN_TILE 4
#define CK_REQUANTIZE 1
#define CK_TILE_PANELS 1
#define CK_TILE_TOKENS 4
#define CK_TILE_TOKENS_16 4
#define CK_ATTEND_TILE 4
#define CK_FLOAT_PANELS 1
#define CK_FLOAT_TOKENS 6
#include <arm_neon.h>
#pragma clang attribute push(__attribute__((target("arch=armv8.2-a+dotprod"))), apply_to = function)
#include "../templates/table.h"
#pragma clang attribute pop
#endif
