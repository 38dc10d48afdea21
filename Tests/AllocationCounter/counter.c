#include "AllocationCounter.h"
#include <errno.h>
#include <stddef.h>

static __thread long count __attribute__((tls_model("initial-exec")));
long allocation_count(void) { return count; }

#if defined(__GLIBC__) || __has_include(<gnu/libc-version.h>)
extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t), *__libc_memalign(size_t, size_t);
static void one_more(void) { count++; }

void *malloc(size_t size) { one_more(); return __libc_malloc(size); }
void *calloc(size_t n, size_t size) { one_more(); return __libc_calloc(n, size); }
void *realloc(void *old, size_t size) { one_more(); return __libc_realloc(old, size); }
void *memalign(size_t alignment, size_t size) { one_more(); return __libc_memalign(alignment, size); }
void *aligned_alloc(size_t alignment, size_t size) { one_more(); return __libc_memalign(alignment, size); }
int posix_memalign(void **out, size_t alignment, size_t size) {
    one_more();
    void *memory = __libc_memalign(alignment, size);
    if (!memory) return ENOMEM;
    *out = memory;
    return 0;
}
#endif
