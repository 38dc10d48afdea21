// AVX2 with the VEX-encoded VNNI: Intel's processors without AVX-512 since Alder Lake, AMD since Zen 5.
#if defined(__x86_64__)
#define CK(name) ck_##name##_avxvnni
#include "settings.h"
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c,avxvnni"))), apply_to = function)
#include "../templates/table.h"
#pragma clang attribute pop
#endif
