// The portable twin: what the compiler makes of the lanes without extensions.
#define CK(name) ck_##name##_scalar
#define CK_TABLE_NAME "scalar"
#define CK_TOKEN_TILE 4
#define CK_REQUANTIZE 1
#define CK_TILE_PANELS 1
#define CK_TILE_TOKENS 2
#define CK_TILE_TOKENS_16 2
#define CK_ATTEND_TILE 4
#define CK_FLOAT_PANELS 1
#define CK_FLOAT_TOKENS 6
#include "../templates/table.h"
