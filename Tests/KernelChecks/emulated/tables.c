// Every emulated table under a name of its own, in place of what select.c finds on this processor (linked with --wrap).
#include "../case.h"
#include <string.h>

extern const ck_kernels ck_kernels_avx512, ck_kernels_avx512bw, ck_kernels_avxvnni, ck_kernels_avxvnni_evex, ck_kernels_scalar;
static const struct { const char *name; const ck_kernels *kernels; } tables[] = {
    {"avx512", &ck_kernels_avx512},
    {"avx512bw", &ck_kernels_avx512bw},
    {"avxvnni", &ck_kernels_avxvnni},
    {"avxvnni_evex", &ck_kernels_avxvnni_evex},
    {"scalar", &ck_kernels_scalar},
};
enum { table_count = sizeof tables / sizeof *tables };

const ck_kernels *__wrap_ck_find(const char *name);
int __wrap_ck_names(const char **names, int limit);
const ck_kernels *__wrap_ck_find(const char *name) {
    for (int i = 0; i < table_count; i++)
        if (!strcmp(name, tables[i].name)) return tables[i].kernels;
    return NULL;
}
int __wrap_ck_names(const char **names, int limit) {
    int count = 0;
    for (; count < table_count && count < limit; count++) names[count] = tables[count].name;
    return count;
}
