// What the two encodings of this set have in common.
#define CK_TABLE_NAME "avxvnni"
#define CK_ISA_AVX2 1
#define CK_ISA_AVXVNNI 1
#define CK_TOKEN_TILE 4
#define CK_UNSIGNED_DOT 1
#define CK_REQUANTIZE 1
#define CK_TILE_PANELS 1
#define CK_TILE_TOKENS 4
#define CK_TILE_TOKENS_16 4
#define CK_ATTEND_TILE 4
#define CK_FLOAT_PANELS 1
#define CK_FLOAT_TOKENS 6
#define CK_PANEL_PRODUCT "../avx2/decode_product.h"
#include <immintrin.h>
