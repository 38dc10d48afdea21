#define _GNU_SOURCE
#include "case.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

// Buffer i always lies in slot i, so that nothing is mapped while the checks run.
enum { SLOT_BYTES = 1 << 21, GUARD_BYTES = 1 << 16, MARGIN = 256, PATTERN = 0xA5 };

static uint8_t *slot(int index) {
    static uint8_t *slots;
    const size_t stride = SLOT_BYTES + GUARD_BYTES;
    if (!slots) {
        slots = mmap(NULL, GUARD_BYTES + MOST_BUFFERS * stride, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (slots == MAP_FAILED) { perror("mmap"); exit(2); }
        for (int i = 0; i < MOST_BUFFERS; i++)
            if (mprotect(slots + GUARD_BYTES + i * stride, SLOT_BYTES, PROT_READ | PROT_WRITE)) { perror("mprotect"); exit(2); }
    }
    return slots + GUARD_BYTES + (size_t)index * stride;
}

// splitmix64
uint64_t random_bits(check_case *c) {
    uint64_t z = c->state += 0x9E3779B97F4A7C15;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
    return z ^ (z >> 31);
}
int64_t random_within(check_case *c, int64_t first, int64_t last) { return first + (int64_t)(random_bits(c) % (uint64_t)(last - first + 1)); }
int64_t random_count(check_case *c, int64_t limit) {
    if (random_bits(c) & 1) return random_within(c, 1, limit);
    int64_t near = ((int64_t)16 << random_within(c, 0, 5)) * random_within(c, 0, 3) + random_within(c, -1, 1);
    return near < 1 ? 1 : near > limit ? limit : near;
}
float random_float(check_case *c, float limit) { return ((float)(random_bits(c) >> 40) * 0x1p-23f - 1.0f) * limit; }

void case_begin(check_case *c, const kernel_check *check, int64_t round) {
    memset(c, 0, sizeof *c);
    c->type = check->type;
    c->round = round;
    c->state = (uint64_t)round * 0x632BE59BD9B4E019;
    for (const char *p = check->name; *p; p++) c->state = (c->state ^ (uint8_t)*p) * 0x100000001B3;
}

void case_describe(check_case *c, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(c->shape, sizeof c->shape, format, arguments);
    va_end(arguments);
}

static int is_at_start(const check_case *c) { return c->round % 5 == 4; }

// The bytes around the buffer that lie in its slot.
static int64_t bytes_before(const check_case *c, int index) {
    int64_t before = c->buffers[index].bytes - slot(index);
    return before < MARGIN ? before : MARGIN;
}
static int64_t bytes_after(const check_case *c, int index) {
    int64_t after = slot(index) + SLOT_BYTES - (c->buffers[index].bytes + c->buffers[index].count);
    return after < MARGIN ? after : MARGIN;
}

void *case_input(check_case *c, const char *name, int64_t count, int64_t alignment) {
    int64_t room = (count + alignment - 1) / alignment * alignment;
    if (c->buffer_count == MOST_BUFFERS || room > SLOT_BYTES) {
        fprintf(stderr, "%s: %lld bytes as buffer %d: raise SLOT_BYTES or MOST_BUFFERS\n", name, (long long)count, c->buffer_count);
        exit(2);
    }
    int index = c->buffer_count++;
    case_buffer *b = &c->buffers[index];
    *b = (case_buffer){name, is_at_start(c) ? slot(index) : slot(index) + SLOT_BYTES - room, count, 0, 1};
    memset(b->bytes - bytes_before(c, index), PATTERN, (size_t)bytes_before(c, index));
    memset(b->bytes + count, PATTERN, (size_t)bytes_after(c, index));
    for (int64_t i = 0; i < count; i += 8) {
        uint64_t bits = random_bits(c);
        memcpy(b->bytes + i, &bits, (size_t)(count - i < 8 ? count - i : 8));
    }
    return b->bytes;
}
void case_compare(check_case *c) { c->buffers[c->buffer_count - 1].is_output = 1; }
void case_leave_out_of_digest(check_case *c) { c->buffers[c->buffer_count - 1].is_digested = 0; }
void *case_output(check_case *c, const char *name, int64_t count, int64_t alignment) {
    void *p = case_input(c, name, count, alignment);
    case_compare(c);
    return p;
}

const char *case_overrun(const check_case *c) {
    for (int index = 0; index < c->buffer_count; index++) {
        const case_buffer *b = &c->buffers[index];
        for (int64_t i = 1; i <= bytes_before(c, index); i++)
            if (b->bytes[-i] != PATTERN) return b->name;
        for (int64_t i = 0; i < bytes_after(c, index); i++)
            if (b->bytes[b->count + i] != PATTERN) return b->name;
    }
    return NULL;
}

void fill_floats(check_case *c, float *values, int64_t count, float limit) {
    int64_t style = c->round % 7;
    for (int64_t i = 0; i < count; i++) {
        float v = random_float(c, limit);
        switch (style) {
        case 2: v *= __builtin_ldexpf(1, -(int)random_within(c, 0, 60)); break;
        case 3: v = v < 0 ? -limit : limit; break;
        case 4: if (i % 3) v = __builtin_ldexpf(v / limit, -(int)random_within(c, 120, 149)); break;
        case 5: if (c->round % 2) v = 0; break;
        default: break;
        }
        values[i] = v;
    }
}
float *case_floats(check_case *c, const char *name, int64_t count, float limit) {
    float *values = case_input(c, name, 4 * count, 4);
    fill_floats(c, values, count, limit);
    return values;
}
void fill_halves(check_case *c, uint16_t *values, int64_t count) {
    for (int64_t i = 0; i < count; i++) {
        uint16_t bits = (uint16_t)random_bits(c);
        values[i] = (bits & 0x7c00) == 0x7c00 ? bits ^ 0x4000 : bits;
    }
}
