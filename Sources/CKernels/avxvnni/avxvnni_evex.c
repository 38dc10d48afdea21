// The same code as avxvnni.c with the dot product in its EVEX encoding, so that it also runs, and is tested, on processors that have
// AVX-512's VNNI but not the VEX form.
#if defined(__x86_64__)
#define CK(name) ck_##name##_avxvnni_evex
#include "settings.h"
// The sources name the VEX form.
#define _mm256_dpbusd_avx_epi32 _mm256_dpbusd_epi32
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c,avx512f,avx512vl,avx512vnni"))), apply_to = function)
#include "../templates/table.h"
#pragma clang attribute pop
#endif
