// The portable twin: what the compiler makes of the lanes without extensions.
#define CK(name) ck_##name##_scalar
#define CK_TABLE_NAME "scalar"
#define CK_TOKEN_TILE 4
#include "../templates/table.h"
